package catalog

import (
	"fmt"
	"slices"
	"strings"
)

// ProviderReference is docs/providers.md, made from the table of vendors.
func ProviderReference() []byte {
	var b strings.Builder
	b.WriteString(providerHead)
	for _, group := range []struct {
		title string
		rows  []Vendor
	}{
		{"With an API of their own", natives()},
		{"Labs", labs()},
		{"Hosts of open models", hosts()},
		{"Gateways", gateways()},
		{"Servers of your own", servers()},
	} {
		fmt.Fprintf(&b, "\n## %s\n\n| kind | who | base URL | key | dialect | beyond chat | page |\n| --- | --- | --- | --- | --- | --- | --- |\n", group.title)
		for i := range group.rows {
			vendorRow(&b, &group.rows[i])
		}
	}
	b.WriteString(providerMiddle)
	for _, v := range Vendors() {
		if lines := v.Quirks.lines(); lines != nil {
			fmt.Fprintf(&b, "| `%s` | %s |\n", v.Kind, strings.Join(lines, "; "))
		}
	}
	b.WriteString(providerTail)
	return []byte(b.String())
}

func vendorRow(b *strings.Builder, v *Vendor) {
	kind := "`" + v.Kind + "`"
	if len(v.Also) > 0 {
		kind += " (also " + ticked(v.Also) + ")"
	}
	address := "`" + v.BaseURL + "`"
	if v.BaseURL == "" {
		address = "`" + v.Example + "`"
	}
	sent := map[string]string{
		"bearer": "`Authorization: Bearer`", "x-api-key": "`x-api-key`", "x-goog-api-key": "`x-goog-api-key`", "api-key": "`api-key`",
		"aws": "AWS Signature Version 4, or `Authorization: Bearer` for a Bedrock API key", "google": "a service account's token",
	}[v.Sends()]
	if !v.NeedsKey {
		sent += ", if any"
	}
	speaks := v.Speaks()
	for _, d := range sortedKeys(v.Roots) {
		speaks += ", or `dialect: " + d + "` at `" + v.Roots[d] + "`"
	}
	ops := "not known: what its dialect has is tried"
	switch has := slices.Concat(v.Ops, v.Translated); {
	case len(has) > 0:
		ops = strings.NewReplacer("stored", "stored responses", "count_tokens", "token counts", "invoke", "InvokeModel").Replace(strings.Join(has, ", "))
	case v.Ops != nil:
		ops = "nothing"
	}
	fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s | <%s> |\n", kind, v.Title, address, sent, speaks, ops, v.Source)
}

// lines tell in words how a vendor differs; nil when it does not.
func (q *Quirks) lines() (out []string) {
	add := func(yes bool, line string) {
		if yes {
			out = append(out, line)
		}
	}
	add(q.MaxTokens != "", "the answer's length is `"+q.MaxTokens+"`")
	add(q.Developer, "knows the role `developer`")
	add(q.UsageAlways, "streams tell their usage unasked")
	add(len(q.Refuses) > 0, "left out: "+ticked(q.Refuses))
	for _, from := range sortedKeys(q.Renames) {
		add(true, "`"+from+"` is `"+q.Renames[from]+"`")
	}
	add(len(q.Has) > 0, "takes "+ticked(q.Has))
	add(q.AnyTool != "", "`tool_choice` `required` is `"+q.AnyTool+"`")
	add(q.NoSchema, "no `json_schema`: `json_object` and an instruction take its place")
	add(q.ThinkingIn != "", "reasoning is in `"+q.ThinkingIn+"`")
	switch q.ThinkingSwitch {
	case "":
	case "none":
		add(true, "reasoning can't be turned on or off")
	default:
		add(true, "reasoning is turned on with `"+q.ThinkingSwitch+"`")
	}
	add(len(q.Efforts) > 0, "`reasoning_effort` is one of "+ticked(q.Efforts))
	add(q.Strict, "what it would refuse is left out also of a request that else passes through")
	add(q.NoImageURL, "images must come inline")
	add(q.Text, "nothing but text")
	add(q.ShortCallIDs, "ids of tools' calls are nine letters or digits")
	return out
}

func ticked(words []string) string {
	return "`" + strings.Join(words, "`, `") + "`"
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

const providerHead = `# Providers

<!-- Made from the table in internal/catalog/vendors_table.go and vendors_hosts.go: run "go test ./internal/catalog -update" after a change. -->

A provider is where models come from. Give it a name of your own; callers use NAME/MODEL.

` + "```yaml" + `
providers:
  openai:   {kind: openai,    keys: ["${OPENAI_API_KEY}"]}
  claude:   {kind: anthropic, keys: [{value: "${KEY_A}", weight: 3}, {value: "${KEY_B}"}]}
  vertex:   {kind: vertex, project: my-project, location: global, credentials_file: service-account.json}
  bedrock:  {kind: bedrock, region: us-east-1, keys: [{access_key_id: "${AWS_ACCESS_KEY_ID}", secret_access_key: "${AWS_SECRET_ACCESS_KEY}"}]}
  azure:    {kind: azure-openai, base_url: https://RESOURCE.openai.azure.com, keys: ["${AZURE_KEY}"], deployments: {gpt-4o: my-deployment}}
  llama:    {kind: ollama}
  router:   {kind: openrouter, keys: ["${OPENROUTER_KEY}"], headers: {set: {HTTP-Referer: https://example.com}}}
  anything: {kind: openai-compatible, base_url: https://llm.example.com/v1, keys: ["${KEY}"], quirks: {max_tokens: max_completion_tokens}}
` + "```" + `

- A caller and a provider of the same dialect: the body passes through byte for byte. Of different ones: it is translated, and what can't be carried is named in ` + "`Causeway-Translation`" + `.
- ` + "`base_url`" + ` is optional where the vendor has an address. It carries the version path where OpenAI's dialect is spoken, and is the root elsewhere; the other form is understood: ` + "`https://api.groq.com`" + ` gets ` + "`/openai/v1`" + `, and ` + "`https://api.anthropic.com/v1`" + ` loses its ` + "`/v1`" + `.
- Ollama is spoken to in OpenAI's dialect at ` + "`/v1`" + `; ` + "`dialect: ollama`" + ` uses its own API.
- ` + "`keys: caller`" + ` sends no key of yours: the caller's own one goes through, which it sends in the header ` + "`x-provider-key`" + ` (see [llm](llm.md#keys-of-the-callers-own)).
- Vertex AI: a model ` + "`claude-...`" + ` or ` + "`anthropic/claude-...`" + ` is Anthropic's there. It is spoken to in Anthropic's dialect, at ` + "`:rawPredict`" + `, ` + "`:streamRawPredict`" + ` and ` + "`count-tokens:rawPredict`" + `: a body of Messages passes as it is, less its model and with ` + "`anthropic_version: vertex-2023-10-16`" + `. Any other ` + "`PUBLISHER/MODEL`" + `, such as ` + "`meta/llama-3.3-70b-instruct-maas`" + `, is asked for at the project's OpenAI-compatible endpoint (chat alone). A model ` + "`mistral-...`" + `, ` + "`codestral-...`" + ` or ` + "`mistralai/...`" + ` is Mistral's, at ` + "`publishers/mistralai`" + ` with ` + "`:rawPredict`" + ` and ` + "`:streamRawPredict`" + ` (chat alone): a body that Mistral's API would take passes, with the model's version, ` + "`@2407`" + `, in the address only.
- Claude on Amazon Bedrock is asked for through Converse; a caller of InvokeModel reaches it with the model's own body, which passes ([bedrock](dialects/bedrock.md)).
- Azure OpenAI: without ` + "`api_version`" + `, or with ` + "`v1`" + ` or ` + "`preview`" + `, the v1 API is used (` + "`/openai/v1/chat/completions`" + `, the deployment in the body); a dated one uses ` + "`/openai/deployments/DEPLOYMENT/chat/completions?api-version=`" + `. ` + "`auth: bearer`" + ` sends a Microsoft Entra token. A base URL with another path, such as Foundry's ` + "`/models`" + `, stands as it is.
- All keys are in [the configuration file](configuration.md#providers).
`

const providerMiddle = `
## Any other

` + "`kind: openai-compatible`" + ` with a ` + "`base_url`" + ` is any server that speaks OpenAI's dialect, or with ` + "`dialect`" + ` another one. ` + "`quirks`" + ` says how it differs.

## How they differ from OpenAI

These count when a call is translated. They are from the vendors' pages above and from recorded traffic, and a provider's ` + "`quirks`" + ` replaces any of them.

| kind | differs |
| --- | --- |
`

const providerTail = `
The provider ` + "`sandbox`" + ` is built in: ` + "`sandbox/echo`" + ` and its other models need no file, no key and no network.
`
