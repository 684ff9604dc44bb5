package catalog

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"strings"
)

// The keys of a provider that say how it is reached, besides those of keys.go.

// reachKeys are what some kinds need to be reached, and what may differ from the vendor's row.
func reachKeys() []key {
	return []key{
		{
			name: "dialect", shape: scalarOf(oneOf(nil,
				choice{value: dialectOpenAI, doc: "`/chat/completions` below the version path"},
				choice{value: dialectAnthropic, doc: "`/v1/messages` below the root"},
				choice{value: dialectGemini, doc: "`/v1beta/models/MODEL:generateContent`"},
				choice{value: dialectCohere, doc: "`/v2/chat`"},
				choice{value: dialectOllama, doc: "`/api/chat`"})), aka: []string{"format", "api_format"},
			doc: "What is spoken to the provider where that is not its kind's own: for `openai-compatible`, and for vendors that have more than one API. Callers of the same dialect pass through byte for byte.",
		},
		{
			name: "auth", shape: scalarOf(oneOf(nil,
				choice{value: "bearer", doc: "`Authorization: Bearer KEY`"},
				choice{value: "x-api-key", doc: "`x-api-key: KEY`"},
				choice{value: "x-goog-api-key", doc: "`x-goog-api-key: KEY`"},
				choice{value: "api-key", doc: "`api-key: KEY`"})), aka: []string{"auth_type", "authentication"},
			doc: "How a key is sent, for `openai-compatible` and `azure-openai` (`bearer` for a Microsoft Entra token). Without it the dialect's way.",
		},
		{
			name: "region", shape: scalarOf(placeName("an AWS region such as us-east-1")), aka: []string{"aws_region", "aws_region_name"},
			doc: "Of `bedrock`: the AWS region. The address comes from it, and the signature holds for it.",
		},
		{
			name: "project", shape: scalarOf(placeName("a project's ID")), aka: []string{"project_id", "vertex_project"},
			doc: "Of `vertex`: the Google Cloud project.",
		},
		{
			name: "location", shape: scalarOf(placeName("a location such as europe-west4 or global")), aka: []string{"vertex_location"},
			doc: "Of `vertex`: where models run.",
		},
		{
			name: "credentials_file", shape: scalarOf(fileName()), aka: []string{"service_account_file", "vertex_credentials", "google_application_credentials"},
			doc: "Of `vertex`: the JSON file of a service account. Relative files are taken from this file's folder.",
		},
		{
			name: "credentials", shape: scalarOf(serviceAccountText()).hidden(), aka: []string{"service_account"},
			doc: "Of `vertex`: the text of such a file, from a variable: `${GOOGLE_CREDENTIALS}`.",
		},
		{
			name: "api_version", shape: scalarOf(apiVersion()), aka: []string{"version", "apiVersion"},
			doc: "Of `azure-openai`: a dated version such as `2024-10-21` asks for `/openai/deployments/DEPLOYMENT/...?api-version=`; without it, or with `v1` or `preview`, the v1 API (`/openai/v1/`) is used.",
		},
		{
			name: "deployments", shape: mappingOf(deploymentNames(), "{gpt-4o: my-deployment}", scalarOf(modelText())), aka: []string{"deployment", "model_map"},
			doc: "Of `azure-openai`: which deployment stands for a model. A model that is not here is asked for by its own name.",
		},
		{
			name: "headers", shape: objectOf("{set: {X-Title: causeway}}", []key{
				{name: "set", shape: mappingOf(providerHeader(), "{X-Title: causeway}", scalarOf(headerValue()).hidden()), doc: "Headers to set on each call, in place of the caller's, such as OpenRouter's `HTTP-Referer`."},
			}), aka: []string{"extra_headers", "default_headers"},
			doc: "Headers that are sent to the provider.",
		},
		{
			name: "quirks", optional: true, shape: objectOf("{max_tokens: max_completion_tokens}", quirkKeys()), aka: []string{"compat"},
			doc: "How a provider that speaks OpenAI's dialect differs from it, where that is not its kind's row ([providers](providers.md)). It counts for calls that are translated; what passes through is not changed.",
		},
	}
}

func quirkKeys() []key {
	members := func(example string) shape {
		return listOf("a list such as ["+example+"]", scalarOf(memberName()))
	}
	return []key{
		{
			name: "max_tokens", shape: scalarOf(oneOf(nil, choice{value: "max_tokens"}, choice{value: "max_completion_tokens"})),
			doc: "The member for the answer's length.",
		},
		{name: "developer", shape: scalarOf(boolean()), doc: "It knows the role `developer`; else such messages are sent as `system`."},
		{name: "usage_always", shape: scalarOf(boolean()), doc: "Its streams tell their usage unasked, and `stream_options` is not sent. This counts for calls that pass through, too."},
		{name: "refuses", shape: members("seed, n"), doc: "Members that it refuses or ignores: they are left out, and reported."},
		{name: "renames", shape: mappingOf(memberNames(), "{seed: random_seed}", scalarOf(memberName())), doc: "Members that it has under other names."},
		{name: "has", shape: members("top_k"), doc: "Members beyond OpenAI's that it takes."},
		{name: "any_tool", shape: scalarOf(memberName()), doc: "Its word for the `tool_choice` `required`."},
		{name: "no_schema", shape: scalarOf(boolean()), doc: "It does not know the `response_format` `json_schema`: `json_object` and an instruction take its place."},
		{
			name: "thinking_in", shape: scalarOf(oneOf(nil, choice{value: "reasoning_content"}, choice{value: "reasoning"}, choice{value: "content", doc: "as a part of it"})),
			doc: "The member of messages in which its reasoning comes, and is sent back.",
		},
		{
			name: "thinking_switch", shape: scalarOf(oneOf(nil,
				choice{value: "reasoning_effort"}, choice{value: "thinking", doc: `{"type": "enabled"}`}, choice{value: "enable_thinking", doc: "a flag"},
				choice{value: "reasoning", doc: "OpenRouter's object"}, choice{value: "none", doc: "not at all"})),
			doc: "How its reasoning is turned on.",
		},
		{name: "efforts", shape: members("high, none"), doc: "The words that it takes in `reasoning_effort`, the first for thinking of which no more is said than that it is on. Unset: all of OpenAI's."},
		{name: "strict", shape: scalarOf(boolean()), doc: "It refuses requests with a member that it does not have: what `refuses` and `renames` name is left out also of a call that else passes through."},
		{name: "no_image_url", shape: scalarOf(boolean()), doc: "Images must come inline, not as a URL."},
		{name: "text", shape: scalarOf(boolean()), doc: "Its messages take nothing but text."},
		{name: "short_call_ids", shape: scalarOf(boolean()), doc: "Ids of tools' calls must be nine letters or digits."},
	}
}

// awsKeys are the members of a pair of AWS keys, as a provider's key.
func awsKeys() []key {
	return []key{
		{
			name: "access_key_id", shape: scalarOf(secretText("an AWS access key's ID")), aka: []string{"aws_access_key_id"},
			doc: "Of `bedrock`, in place of `value`: the ID of an AWS access key. A `value` there is a Bedrock API key.",
		},
		{
			name: "secret_access_key", shape: scalarOf(secretText("an AWS secret access key")).hidden(), aka: []string{"aws_secret_access_key"},
			doc: "The secret of that access key; calls are signed with it (Signature Version 4).",
		},
		{
			name: "session_token", shape: scalarOf(secretText("an AWS session token")).hidden(), aka: []string{"aws_session_token"},
			doc: "The session token of temporary AWS credentials.",
		},
	}
}

// callerWord stands in place of a list of keys where callers send a provider's key of their own.
const callerWord = "caller"

// placeName is a region, a project or a location, which becomes a part of an address.
func placeName(noun string) scalar {
	return scalar{
		noun: noun, kinds: []nodeKind{stringNode},
		schema: map[string]any{"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9.:-]*$"},
		parse: func(s string) (any, *wrong) {
			if s == "" || !alphanumeric(s[0]) || !only(s, ".:-") {
				return nil, &wrong{message: "is not " + noun, fix: "use letters, digits, hyphens, dots and colons"}
			}
			return s, nil
		},
	}
}

// serviceAccountText is the JSON of a Google service account's key.
func serviceAccountText() scalar {
	return scalar{
		noun: "the JSON of a service account", kinds: []nodeKind{stringNode},
		schema: map[string]any{"type": "string", "minLength": 1},
		parse: func(s string) (any, *wrong) {
			if w := wrongAccount([]byte(s)); w != nil {
				return nil, w
			}
			return s, nil
		},
	}
}

// wrongAccount is what keeps a text from being a service account's key; nil when nothing does. It
// shows nothing of the text.
func wrongAccount(data []byte) *wrong {
	var account struct {
		Type       string `json:"type"`
		Email      string `json:"client_email"`
		PrivateKey string `json:"private_key"`
	}
	const fix = "use the JSON key of a service account, as the Google Cloud console or gcloud iam service-accounts keys create makes it"
	switch err := json.Unmarshal(data, &account); {
	case err != nil:
		return &wrong{message: "holds no JSON", fix: fix, secret: true}
	case account.Type != "service_account":
		return &wrong{message: `has no "type": "service_account"`, fix: fix, secret: true}
	case account.Email == "" || account.PrivateKey == "":
		return &wrong{message: "lacks client_email or private_key", fix: fix, secret: true}
	case !isRSAKey(account.PrivateKey):
		return &wrong{message: "has a private_key that is no RSA key in PEM", fix: fix, secret: true}
	}
	return nil
}

// isRSAKey tells whether a text is a private key as Google makes them, PKCS #8, or in the older form.
func isRSAKey(text string) bool {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return false
	}
	if _, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return true
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	_, rsaKey := key.(*rsa.PrivateKey)
	return err == nil && rsaKey
}

// apiVersion is one of Azure's: a date, perhaps with -preview, or a name of the v1 API.
func apiVersion() scalar {
	const pattern = "^(v1|preview|latest|[0-9]{4}-[0-9]{2}-[0-9]{2}(-preview)?)$"
	return scalar{
		noun: "a version such as 2024-10-21 or v1", kinds: []nodeKind{stringNode},
		schema: map[string]any{"type": "string", "pattern": pattern},
		parse: func(s string) (any, *wrong) {
			_, w := date().parse(strings.TrimSuffix(s, "-preview"))
			if s == "v1" || s == "preview" || s == "latest" || w == nil && len(strings.TrimSuffix(s, "-preview")) == len("2024-10-21") {
				return s, nil
			}
			return nil, &wrong{message: "is not a version of Azure's API", fix: "write a date such as 2024-10-21 or 2025-04-01-preview, or leave it out for the v1 API"}
		},
	}
}

func deploymentNames() names {
	n := modelName()
	n.noun = "a model's name"
	return n
}

// memberName is a member of a JSON request.
func memberName() scalar {
	return scalar{
		noun: "a member's name", kinds: []nodeKind{stringNode},
		schema: map[string]any{"type": "string", "pattern": memberNames().pattern},
		parse: func(s string) (any, *wrong) {
			if w := memberNames().check(s); w != nil {
				return nil, w
			}
			return s, nil
		},
	}
}

func memberNames() names {
	return names{
		noun:    "a member's name",
		pattern: "^[A-Za-z_][A-Za-z0-9_-]{0,63}$",
		check: func(s string) *wrong {
			if s != "" && len(s) <= 64 && only(s, "_-") && (s[0] == '_' || alphanumeric(s[0]) && (s[0] < '0' || s[0] > '9')) {
				return nil
			}
			return &wrong{message: "is not a member's name", fix: "write the name as it stands in the request, such as top_k"}
		},
	}
}

// keyName is what a key is called in records.
func keyName() scalar {
	n := objectName("a key's name")
	return scalar{
		noun: n.noun, kinds: []nodeKind{stringNode},
		schema: map[string]any{"type": "string", "pattern": n.pattern},
		parse: func(s string) (any, *wrong) {
			if w := n.check(s); w != nil {
				return nil, w
			}
			return s, nil
		},
	}
}

// providerHeader is a header that may be set on calls to a provider.
func providerHeader() names {
	n := sentHeader()
	inner := n.check
	n.check = func(s string) *wrong {
		if strings.EqualFold(s, "host") {
			return &wrong{message: "is the provider's own", fix: "remove it; the host is that of base_url"}
		}
		return inner(s)
	}
	return n
}
