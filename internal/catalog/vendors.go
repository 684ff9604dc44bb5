package catalog

import (
	"fmt"
	"slices"
	"strings"
)

// Vendor is a kind of provider: where it is, how it is asked, and how it differs from the dialect it
// speaks. It is not changed once made.
type Vendor struct {
	Kind  string // what a file has under kind
	Title string // as people write it: "Mistral AI"
	// Also are other words for it that a file may have under kind.
	Also []string
	// Dialect is the dialect it speaks: openai (the default, ""), anthropic, gemini, bedrock, cohere or ollama.
	Dialect string
	// BaseURL is the vendor's own address, with its version path where the dialect is openai; "" where
	// there is none.
	BaseURL string
	// Example is how its address looks where it depends on the account, with what changes in capitals:
	// "https://RESOURCE.openai.azure.com". Then BaseURL is "".
	Example string
	// Roots are its addresses in other dialects than its first: "anthropic" -> "https://api.z.ai/api/anthropic".
	Roots map[string]string
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
	// Translated are operations that it has with other bodies than its dialect, so that no call for them
	// passes through.
	Translated []string
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
	// Has are members beyond OpenAI's that it takes: "top_k", "min_p", "repetition_penalty", "reasoning_effort" ...; and of
	// OpenAI's own those that only few others know: "custom_tools" and "allowed_tools" (as a choice), "web_search_options".
	Has []string
	// AnyTool is its word for tool_choice "required".
	AnyTool string
	// NoSchema tells that response_format json_schema is not understood: json_object and an instruction take its place.
	NoSchema bool
	// ThinkingIn is the member of messages and deltas in which reasoning comes: "reasoning_content"
	// or "reasoning", or "content" where it is a part of the content; "" reads any and sends none back. What proves
	// it goes back in reasoning_details where Has names that.
	ThinkingIn string
	// ThinkingSwitch says how its reasoning is turned on: "" reasoning_effort; "thinking" an object {"type":"enabled"};
	// "enable_thinking" a flag; "reasoning" OpenRouter's object; "none" not at all.
	ThinkingSwitch string
	// Efforts are the words it takes in reasoning_effort, the first for thinking of which no more is said than that it is
	// on; nil is all of OpenAI's.
	Efforts []string
	// Strict tells that it refuses requests with a member that it does not have: a caller's request with one of Refuses or
	// Renames is written anew and does not pass through.
	Strict bool
	// NoImageURL tells that images must come inline.
	NoImageURL bool
	// Text tells that its messages take no parts but text.
	Text bool
	// ShortCallIDs tells that ids of tools' calls must be nine letters or digits.
	ShortCallIDs bool
}

// The dialects of providers, as Vendor.Dialect has them.
const (
	dialectOpenAI    = "openai"
	dialectAnthropic = "anthropic"
	dialectGemini    = "gemini"
	dialectBedrock   = "bedrock"
	dialectCohere    = "cohere"
	dialectOllama    = "ollama"
)

// Speaks is the dialect of the provider, by its name.
func (v *Vendor) Speaks() string {
	if v.Dialect == "" {
		return dialectOpenAI
	}
	return v.Dialect
}

// Sends is how the key is sent, by its name: bearer where Auth is "".
func (v *Vendor) Sends() string {
	if v.Auth == "" {
		return "bearer"
	}
	return v.Auth
}

// Does tells whether the vendor has an operation beyond chat, by its name; also where it is not known.
func (v *Vendor) Does(op string) bool { return v.Ops == nil || slices.Contains(v.Ops, op) }

// anyOpenAI is the kind for every server that has no row of its own.
const anyOpenAI = "openai-compatible"

// sandboxName is the built-in provider.
const sandboxName = "sandbox"

// SandboxVendor is the built-in provider's own row. It is no kind that a file may name.
func SandboxVendor() *Vendor {
	return &Vendor{
		Kind: sandboxName, Title: "Sandbox", Auth: "none",
		Quirks: Quirks{MaxTokens: "max_completion_tokens", Developer: true, Has: []string{"reasoning_effort"}},
	}
}

// Find returns the vendor of a kind, or of another word for it.
func Find(kind string) (Vendor, bool) {
	for _, v := range Vendors() {
		if v.Kind == kind || slices.Contains(v.Also, kind) {
			return v, true
		}
	}
	return Vendor{}, false
}

func providerKind() scalar {
	var choices []choice
	other := map[string]string{}
	var words, accepted []string
	for _, v := range Vendors() {
		choices = append(choices, choice{value: v.Kind})
		words = append(words, v.Kind)
		accepted = append(append(accepted, v.Kind), v.Also...)
		for _, word := range v.Also {
			other[word] = v.Kind
		}
	}
	s := oneOf(nil, choices...)
	s.noun = "a kind of provider"
	s.schema = map[string]any{"enum": accepted}
	inner := s.parse
	s.parse = func(text string) (any, *wrong) {
		if text == sandboxName {
			return nil, &wrong{message: "is built in", fix: "remove this provider and use sandbox/echo"}
		}
		if kind := other[text]; kind != "" {
			return kind, nil
		}
		v, w := inner(text)
		if w != nil && strings.Contains(w.message, "allowed value") {
			w.message = "is not a kind of provider that is known"
			if !strings.HasPrefix(w.fix, "did you mean") {
				w.fix = fmt.Sprintf("write %s or another of the %d in docs/providers.md, or %s with a base_url for any other", strings.Join(words[:20], ", "), len(choices)-1, anyOpenAI)
			}
		}
		return v, w
	}
	return s
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
