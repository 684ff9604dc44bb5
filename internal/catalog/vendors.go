package catalog

import (
	"net/url"
	"strings"
)

// Vendor is a kind of provider: where it is, how it is asked, and how it differs from the dialect it
// speaks. It is not changed once made.
type Vendor struct {
	Kind  string // what a file has under kind
	Title string // as people write it: "Mistral AI"
	// Dialect is the dialect it speaks: openai (the default, ""), anthropic, gemini, bedrock, cohere or ollama.
	Dialect string
	// BaseURL is the vendor's own address, with its version path where the dialect is openai; "" where
	// there is none.
	BaseURL string
	// NeedsKey is true where the vendor answers nothing without a key.
	NeedsKey bool
	// Auth says how its key is sent: bearer (the default, ""), x-api-key, x-goog-api-key, api-key, aws
	// (Signature Version 4), google (a service account's token) or none.
	Auth string
	// Source is the vendor's page that says so.
	Source string

	// Ops are the operations it has beyond chat, by llm.Operation's names: "responses", "embeddings",
	// "completions", "moderations", "rerank", "images", "speech", "transcriptions", "files", "batches",
	// "realtime", "count_tokens". nil means that it is not known: then all of its dialect's are tried.
	Ops []string
	Quirks
}

// Quirks are the ways in which a vendor of OpenAI's dialect differs from it. The zero value is OpenAI's
// older, most widely understood form.
type Quirks struct {
	// MaxTokens is the member for the answer's length, "" is max_tokens.
	MaxTokens string
	// Developer tells that it knows the role developer; else such messages are sent as system.
	Developer bool
	// UsageAlways tells that its streams report their usage unasked, and stream_options is not sent.
	UsageAlways bool
	// Refuses are request members of OpenAI's that it refuses or ignores: they are left out and reported.
	Refuses []string
	// Renames are members that it has under other names: "seed" -> "random_seed".
	Renames map[string]string
	// Has are members beyond OpenAI's that it takes: "top_k", "min_p", "repetition_penalty", "reasoning_effort" ...
	Has []string
	// AnyTool is its word for tool_choice "required".
	AnyTool string
	// NoSchema tells that response_format json_schema is not understood: json_object and an instruction take its place.
	NoSchema bool
	// ThinkingIn is the member of messages and deltas in which reasoning comes: "reasoning_content"
	// or "reasoning"; "" reads either and sends none back.
	ThinkingIn string
	// ThinkingSwitch says how its reasoning is turned on: "" reasoning_effort; "thinking" an object {"type":"enabled"};
	// "enable_thinking" a flag; "reasoning" OpenRouter's object; "none" not at all.
	ThinkingSwitch string
	// NoImageURL tells that images must come inline.
	NoImageURL bool
	// Text tells that its messages take no parts but text.
	Text bool
}

// Vendors returns the providers' kinds that a file may name, in the order of the documentation.
func Vendors() []Vendor {
	return []Vendor{
		{Kind: "openai", BaseURL: "https://api.openai.com/v1", NeedsKey: true, Source: "https://platform.openai.com/docs/api-reference"},
		{Kind: "mistral", BaseURL: "https://api.mistral.ai/v1", NeedsKey: true, Source: "https://docs.mistral.ai/api"},
		{Kind: "ollama", BaseURL: "http://127.0.0.1:11434/v1", Source: "https://docs.ollama.com/api/openai-compatibility"},
		{Kind: "groq", BaseURL: "https://api.groq.com/openai/v1", NeedsKey: true, Source: "https://console.groq.com/docs/openai"},
		{Kind: "deepseek", BaseURL: "https://api.deepseek.com/v1", NeedsKey: true, Source: "https://api-docs.deepseek.com"},
		{Kind: "openrouter", BaseURL: "https://openrouter.ai/api/v1", NeedsKey: true, Source: "https://openrouter.ai/docs/api/reference/overview"},
		{Kind: "together", BaseURL: "https://api.together.xyz/v1", NeedsKey: true, Source: "https://docs.together.ai/docs/openai-api-compatibility"},
		{Kind: "fireworks", BaseURL: "https://api.fireworks.ai/inference/v1", NeedsKey: true, Source: "https://docs.fireworks.ai/tools-sdks/openai-compatibility"},
		{Kind: "cerebras", BaseURL: "https://api.cerebras.ai/v1", NeedsKey: true, Source: "https://inference-docs.cerebras.ai/resources/openai"},
		{Kind: "sambanova", BaseURL: "https://api.sambanova.ai/v1", NeedsKey: true, Source: "https://docs.sambanova.ai/docs/en/features/openai-compatibility"},
		{Kind: "xai", BaseURL: "https://api.x.ai/v1", NeedsKey: true, Source: "https://docs.x.ai/docs/api-reference"},
		{Kind: "perplexity", BaseURL: "https://api.perplexity.ai", NeedsKey: true, Source: "https://docs.perplexity.ai/docs/sonar/openai-compatibility"},
		{Kind: "nvidia", BaseURL: "https://integrate.api.nvidia.com/v1", NeedsKey: true, Source: "https://docs.api.nvidia.com/nim/reference/llm-apis"},
		{Kind: "moonshot", BaseURL: "https://api.moonshot.ai/v1", NeedsKey: true, Source: "https://platform.moonshot.ai/docs"},
		{Kind: "huggingface", BaseURL: "https://router.huggingface.co/v1", NeedsKey: true, Source: "https://huggingface.co/docs/inference-providers"},
		{Kind: "vercel", BaseURL: "https://ai-gateway.vercel.sh/v1", NeedsKey: true, Source: "https://vercel.com/docs/ai-gateway/openai-compat"},
		{Kind: "deepinfra", BaseURL: "https://api.deepinfra.com/v1/openai", NeedsKey: true, Source: "https://deepinfra.com/docs/advanced/openai_api"},
		{Kind: "novita", BaseURL: "https://api.novita.ai/openai/v1", NeedsKey: true, Source: "https://novita.ai/docs/guides/llm-api"},
		{Kind: "nebius", BaseURL: "https://api.tokenfactory.nebius.com/v1", NeedsKey: true, Source: "https://docs.tokenfactory.nebius.com"},
		{Kind: "scaleway", BaseURL: "https://api.scaleway.ai/v1", NeedsKey: true, Source: "https://www.scaleway.com/en/docs/generative-apis"},
		{Kind: "venice", BaseURL: "https://api.venice.ai/api/v1", NeedsKey: true, Source: "https://docs.venice.ai"},
		{Kind: "baseten", BaseURL: "https://inference.baseten.co/v1", NeedsKey: true, Source: "https://docs.baseten.co/development/model-apis/overview"},
		{Kind: "zai", BaseURL: "https://api.z.ai/api/paas/v4", NeedsKey: true, Source: "https://docs.z.ai/api-reference/introduction"},
		{Kind: "zhipu", BaseURL: "https://open.bigmodel.cn/api/paas/v4", NeedsKey: true, Source: "https://docs.bigmodel.cn"},
		{Kind: "alibaba", BaseURL: "https://dashscope-intl.aliyuncs.com/compatible-mode/v1", NeedsKey: true, Source: "https://www.alibabacloud.com/help/en/model-studio/compatibility-of-openai-with-dashscope"},
		{Kind: "lmstudio", BaseURL: "http://127.0.0.1:1234/v1", Source: "https://lmstudio.ai/docs/app/api/endpoints/openai"},
		{Kind: "vllm", BaseURL: "http://127.0.0.1:8000/v1", Source: "https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html"},
		{Kind: "openai-compatible"},
	}
}

// otherDialects are the kinds of the contract that this version does not speak yet.
func otherDialects() []string {
	return []string{"anthropic", "gemini", "vertex", "bedrock", "cohere", "azure-openai"}
}

// sandboxName is the built-in provider.
const sandboxName = "sandbox"

// vendor finds a kind.
func vendor(kind string) (Vendor, bool) {
	for _, v := range Vendors() {
		if v.Kind == kind {
			return v, true
		}
	}
	return Vendor{}, false
}

// address is the base URL to use where the file says base, which may be "". One without a path
// gets the vendor's own version path, /v1 where the vendor has no address.
func (v Vendor) address(base string) string {
	if base == "" {
		return v.BaseURL
	}
	u, err := url.Parse(base)
	if err != nil || strings.Trim(u.Path, "/") != "" {
		return base
	}
	path := "/v1"
	if own, err := url.Parse(v.BaseURL); err == nil && own.Host != "" {
		path = own.Path
	}
	return strings.TrimRight(base, "/") + path
}

func providerKind() scalar {
	var choices []choice
	for _, v := range Vendors() {
		choices = append(choices, choice{value: v.Kind})
	}
	for _, kind := range otherDialects() {
		choices = append(choices, choice{value: kind, notYet: true})
	}
	s := oneOf(nil, choices...)
	s.noun = "a kind of provider"
	inner := s.parse
	s.parse = func(text string) (any, *wrong) {
		if text == sandboxName {
			return nil, &wrong{message: "is built in", fix: "remove this provider and use sandbox/echo"}
		}
		v, w := inner(text)
		if w != nil && strings.Contains(w.message, "allowed value") {
			w.message = "is not a kind of provider that is known"
			if all, ok := strings.CutSuffix(w.fix, " or openai-compatible"); ok {
				w.fix = all + ", or openai-compatible with a base_url for any other"
			}
		}
		if w != nil && strings.Contains(w.message, "not in this version") {
			w.fix = "remove this provider"
		}
		return v, w
	}
	return s
}

// checkProvider holds a provider's keys against its kind.
func checkProvider(c *checker, v *value) {
	kind, known := vendor(as[string](v.get("kind")))
	if !known {
		return
	}
	base, keys := v.get("base_url"), v.get("keys")
	checkScheme(c, v.get("protocol"), kind.address(as[string](base)))
	if kind.BaseURL == "" && as[string](base) == "" && !base.bad && !v.meant["base_url"] {
		c.faults.add(v.name, "`"+v.path+"` has no `base_url`, and openai-compatible has no address of its own", "add base_url: https://HOST/v1")
	}
	if kind.NeedsKey && as[string](base) == "" && !base.bad && !keys.bad && len(keys.items) == 0 && !v.meant["keys"] {
		c.faults.add(v.name, "`"+v.path+"` has no `keys`, and "+kind.BaseURL+" asks for one", `add keys: ["${API_KEY}"]`)
	}
}

func checkProviderKey(c *checker, v *value) {
	if v.fields["value"] == nil && v.fields["sealed"] == nil && !v.meant["value"] {
		c.faults.add(v.at, "`"+v.path+"` has no `value`", `add value: "${API_KEY}"`)
	}
}

func checkCallerKey(c *checker, v *value) {
	plain, hashed := v.fields["value"] != nil, v.fields["sha256"] != nil
	switch {
	case v.meant["value"]:
	case !plain && !hashed:
		c.faults.add(v.at, "`"+v.path+"` has no `value` and no `sha256`", `add value: "${WEB_KEY}"`)
	case plain && hashed:
		c.faults.add(v.get("sha256").name, "`"+v.path+"` has both `value` and `sha256`", "keep one of the two")
	}
}
