package catalog

import (
	"net/url"
	"strings"
)

// Vendor is a kind of provider that speaks OpenAI's dialect.
type Vendor struct {
	Kind string // what a file has under kind
	// BaseURL is the vendor's own address with its version path; "" where there is none.
	BaseURL string
	// NeedsKey is true where the vendor answers nothing without a key.
	NeedsKey bool
	// Source is the vendor's page that says so.
	Source string
}

// Vendors returns the providers' kinds that a file may name, in the order of the documentation.
func Vendors() []Vendor {
	return []Vendor{
		{"openai", "https://api.openai.com/v1", true, "https://platform.openai.com/docs/api-reference"},
		{"mistral", "https://api.mistral.ai/v1", true, "https://docs.mistral.ai/api"},
		{"ollama", "http://127.0.0.1:11434/v1", false, "https://docs.ollama.com/api/openai-compatibility"},
		{"groq", "https://api.groq.com/openai/v1", true, "https://console.groq.com/docs/openai"},
		{"deepseek", "https://api.deepseek.com/v1", true, "https://api-docs.deepseek.com"},
		{"openrouter", "https://openrouter.ai/api/v1", true, "https://openrouter.ai/docs/api/reference/overview"},
		{"together", "https://api.together.xyz/v1", true, "https://docs.together.ai/docs/openai-api-compatibility"},
		{"fireworks", "https://api.fireworks.ai/inference/v1", true, "https://docs.fireworks.ai/tools-sdks/openai-compatibility"},
		{"cerebras", "https://api.cerebras.ai/v1", true, "https://inference-docs.cerebras.ai/resources/openai"},
		{"sambanova", "https://api.sambanova.ai/v1", true, "https://docs.sambanova.ai/docs/en/features/openai-compatibility"},
		{"xai", "https://api.x.ai/v1", true, "https://docs.x.ai/docs/api-reference"},
		{"perplexity", "https://api.perplexity.ai", true, "https://docs.perplexity.ai/docs/sonar/openai-compatibility"},
		{"nvidia", "https://integrate.api.nvidia.com/v1", true, "https://docs.api.nvidia.com/nim/reference/llm-apis"},
		{"moonshot", "https://api.moonshot.ai/v1", true, "https://platform.moonshot.ai/docs"},
		{"huggingface", "https://router.huggingface.co/v1", true, "https://huggingface.co/docs/inference-providers"},
		{"vercel", "https://ai-gateway.vercel.sh/v1", true, "https://vercel.com/docs/ai-gateway/openai-compat"},
		{"deepinfra", "https://api.deepinfra.com/v1/openai", true, "https://deepinfra.com/docs/advanced/openai_api"},
		{"novita", "https://api.novita.ai/openai/v1", true, "https://novita.ai/docs/guides/llm-api"},
		{"nebius", "https://api.tokenfactory.nebius.com/v1", true, "https://docs.tokenfactory.nebius.com"},
		{"scaleway", "https://api.scaleway.ai/v1", true, "https://www.scaleway.com/en/docs/generative-apis"},
		{"venice", "https://api.venice.ai/api/v1", true, "https://docs.venice.ai"},
		{"baseten", "https://inference.baseten.co/v1", true, "https://docs.baseten.co/development/model-apis/overview"},
		{"zai", "https://api.z.ai/api/paas/v4", true, "https://docs.z.ai/api-reference/introduction"},
		{"zhipu", "https://open.bigmodel.cn/api/paas/v4", true, "https://docs.bigmodel.cn"},
		{"alibaba", "https://dashscope-intl.aliyuncs.com/compatible-mode/v1", true, "https://www.alibabacloud.com/help/en/model-studio/compatibility-of-openai-with-dashscope"},
		{"lmstudio", "http://127.0.0.1:1234/v1", false, "https://lmstudio.ai/docs/app/api/endpoints/openai"},
		{"vllm", "http://127.0.0.1:8000/v1", false, "https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html"},
		{"openai-compatible", "", false, ""},
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
