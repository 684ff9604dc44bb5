package matrix

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"causeway/internal/catalog"
	"causeway/internal/llm"
	"causeway/internal/llm/anthropic"
	"causeway/internal/llm/bedrock"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/cohere"
	"causeway/internal/llm/gemini"
	"causeway/internal/llm/llmtest"
	"causeway/internal/llm/llmtest/spec"
	"causeway/internal/llm/ollama"
	"causeway/internal/llm/openai"
)

// side is one dialect with one of its operations, as a caller's and as a provider's.
type side struct {
	name   string
	title  string
	doc    string // its page below docs/dialects
	speaks canon.Speaker
	op     llm.Operation
	vendor *catalog.Vendor
	model  string // what requests are written for
	// valid checks what is written for a provider of this side, validAnswer and validStream what its callers get; nil where no
	// description of the API is published.
	valid, validAnswer func(t testing.TB, body []byte)
	validEvent         func(t testing.TB, name string, data []byte)
	exchanges          []exchange
}

func (s *side) codec() canon.Codec { return s.speaks.Codec(s.op) }

func (s *side) target() *canon.Target {
	return &canon.Target{Provider: "p", Vendor: s.vendor, Model: s.model, Fetch: fetched}
}

// newer tells whether a fault is that a description is older, or newer, than what providers are known to send: Vertex AI's
// and recorded members that Gemini's does not have, and one that OpenAI's recorded answers do not have.
func newer(fault string) bool {
	for _, known := range []string{
		"/labels is no member", "/createTime is no member", "/usageMetadata/serviceTier is no member", "missing property 'cache_write_tokens'",
		"missing properties 'token', 'logprob'", // of Cohere's logprobs, which have other members
		"/response/usage: got null", "/usage: got null",
	} {
		if strings.Contains(fault, known) {
			return true
		}
	}
	return false
}

// fetched stands for what is at any URL.
func fetched(string) (mime, data string, err error) { return "image/png", pixel, nil }

// pixel is a picture in base64.
const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

// match is what the address of a request of this side says.
func (s *side) match(model string, stream bool) llm.Match {
	m := llm.Match{Op: s.op}
	if _, placed := s.speaks.(llm.Placer); placed {
		m.Model, m.Stream = model, stream
	}
	return m
}

// exchange is a recorded or made call.
type exchange struct {
	llmtest.Exchange
	Model  string `json:"model"`
	Query  string `json:"query"`
	Name   string `json:"name"`
	Frames string `json:"frames"`
	match  llm.Match
}

func (x *exchange) streamed() bool {
	kind := x.Headers["content-type"]
	if kind == "" {
		return strings.HasPrefix(x.Body, "event:") || strings.Contains(x.Body, "}\n{")
	}
	return llm.IsEventStream(kind) || strings.HasPrefix(kind, "application/x-ndjson") || strings.HasPrefix(kind, "application/vnd.amazon.eventstream")
}

func vendorOf(t testing.TB, kind string) *catalog.Vendor {
	t.Helper()
	v, ok := catalog.Find(kind)
	if !ok {
		t.Fatalf("no vendor %s", kind)
	}
	return &v
}

// sides are all dialects, in the order of the document. Completions is a caller's side only.
func sides(t testing.TB) []*side {
	t.Helper()
	openaiSpec := spec.OpenLoose(t, "openai-openapi.yaml.gz")
	anthropicSpec := spec.Open(t, "anthropic-openapi.yaml.gz")
	cohereSpec := spec.OpenLoose(t, "cohere-openapi.yaml.gz")
	ollamaSpec := spec.Open(t, "ollama-openapi.yaml.gz")
	protos := spec.OpenProtos(t, "../gemini/testdata/proto/*.proto")
	proto := func(message string) func(testing.TB, []byte) {
		return func(t testing.TB, body []byte) {
			t.Helper()
			for _, fault := range protos.Faults(message, llmtest.Value(t, body)) {
				if !newer(fault) {
					t.Errorf("%s\n%.1500s", fault, body)
				}
			}
		}
	}
	schema := func(s *spec.Spec, name string) func(testing.TB, []byte) {
		return func(t testing.TB, body []byte) {
			t.Helper()
			for _, fault := range s.Faults(t, name, body) {
				if !newer(fault) {
					t.Errorf("%s %s\n%.1500s", name, fault, body)
				}
			}
		}
	}
	event := func(s *spec.Spec, name string) func(testing.TB, string, []byte) {
		return func(t testing.TB, _ string, data []byte) { t.Helper(); schema(s, name)(t, data) }
	}
	list := []*side{
		{
			name: "openai-chat", title: "OpenAI Chat Completions", doc: "chat-completions", speaks: openai.New(), op: llm.Chat, vendor: vendorOf(t, "openai"), model: "gpt-5.1",
			valid: schema(openaiSpec, "CreateChatCompletionRequest"), validAnswer: schema(openaiSpec, "CreateChatCompletionResponse"),
			validEvent: event(openaiSpec, "CreateChatCompletionStreamResponse"),
		},
		{
			name: "openai-responses", title: "OpenAI Responses", doc: "responses", speaks: openai.New(), op: llm.Responses, vendor: vendorOf(t, "openai"), model: "gpt-5.1",
			valid: schema(openaiSpec, "CreateResponse"), validAnswer: schema(openaiSpec, "Response"),
			validEvent: event(openaiSpec, "ResponseStreamEvent"),
		},
		{
			name: "anthropic", title: "Anthropic Messages", doc: "anthropic", speaks: anthropic.New(), op: llm.Chat, vendor: vendorOf(t, "anthropic"), model: "claude-sonnet-4-5",
			valid: func(t testing.TB, body []byte) {
				t.Helper()
				anthropicSpec.Request(t, http.MethodPost, "/v1/messages", body)
			},
			validAnswer: schema(anthropicSpec, "Message"),
			validEvent:  event(anthropicSpec, "MessageStreamEvent"),
		},
		{
			name: "gemini", title: "Gemini generateContent", doc: "gemini", speaks: gemini.New(), op: llm.Chat, vendor: vendorOf(t, "gemini"), model: "gemini-2.5-pro",
			valid: proto("GenerateContentRequest"), validAnswer: proto("GenerateContentResponse"),
			validEvent: func(t testing.TB, _ string, data []byte) { t.Helper(); proto("GenerateContentResponse")(t, data) },
		},
		{name: "bedrock", title: "Bedrock Converse", doc: "bedrock", speaks: bedrock.New(), op: llm.Chat, vendor: vendorOf(t, "bedrock"), model: "us.anthropic.claude-sonnet-4-5-20250929-v1:0"},
		{
			name: "cohere", title: "Cohere v2", doc: "cohere", speaks: cohere.New(), op: llm.Chat, vendor: vendorOf(t, "cohere"), model: "command-a-03-2025",
			valid: func(t testing.TB, body []byte) { t.Helper(); cohereSpec.Request(t, http.MethodPost, "/v2/chat", body) }, validAnswer: schema(cohereSpec, "ChatResponseV2"),
			validEvent: func(t testing.TB, name string, data []byte) {
				t.Helper()
				schema(cohereSpec, cohereEvents[name])(t, data)
			},
		},
		{
			name: "ollama", title: "Ollama", doc: "ollama", speaks: ollama.New(), op: llm.Chat, vendor: &catalog.Vendor{Kind: "ollama", Dialect: "ollama"}, model: "qwen3:8b",
			valid: func(t testing.TB, body []byte) { t.Helper(); ollamaSpec.Request(t, http.MethodPost, "/api/chat", body) }, validAnswer: schema(ollamaSpec, "ChatResponse"),
			validEvent: event(ollamaSpec, "ChatStreamEvent"),
		},
	}
	files := map[string][]string{
		"openai": {"recorded.jsonl", "codec.jsonl", "responses.jsonl"}, "anthropic": {"recorded.jsonl"}, "gemini": {"recorded.jsonl"},
		"bedrock": {"recorded.jsonl", "streams.jsonl"}, "cohere": {"recorded.jsonl", "made.jsonl"}, "ollama": {"made.jsonl"},
	}
	endpoints := map[string][]string{
		"openai-chat": {"chat/completions"}, "openai-responses": {"responses"}, "anthropic": {"messages"}, "gemini": {"generateContent", "streamGenerateContent"},
		"bedrock": {"converse", ""}, "cohere": {"v2/chat", ""}, "ollama": {"api/chat"},
	}
	for _, s := range list {
		seen := map[string]bool{}
		for _, file := range files[s.speaks.Name()] {
			for _, x := range llmtest.Lines[exchange](t, "../"+s.speaks.Name()+"/testdata/"+file) {
				if x.ID == "" {
					x.ID = x.Name
				}
				if x.Frames != "" {
					b, err := base64.StdEncoding.DecodeString(x.Frames)
					if err != nil {
						t.Fatal(err)
					}
					x.Body, x.Headers = string(b), map[string]string{"content-type": "application/vnd.amazon.eventstream"}
				}
				of := false
				for _, e := range endpoints[s.name] {
					of = of || e == x.Endpoint
				}
				if x.Name == "exception" || x.Name == "error" || x.Name == "invoke" || x.ID == "timeout" {
					continue // these fail, or are of another operation
				}
				if !of || seen[x.ID] || x.Status != 0 && x.Status != http.StatusOK {
					continue
				}
				seen[x.ID] = true
				if b, err := base64.StdEncoding.DecodeString(x.Body); err == nil && x.Frames == "" {
					x.Body = string(b) // as it was recorded
				}
				x.match = s.match(x.Model, x.Endpoint == "streamGenerateContent")
				x.match.Query = x.Query
				s.exchanges = append(s.exchanges, x)
			}
		}
		if len(s.exchanges) == 0 {
			t.Fatalf("no exchange of %s", s.name)
		}
	}
	return list
}

// cohereEvents are the schemas of Cohere's events by their type.
var cohereEvents = map[string]string{
	"message-start": "ChatMessageStartEvent", "content-start": "ChatContentStartEvent", "content-delta": "ChatContentDeltaEvent",
	"content-end": "ChatContentEndEvent", "tool-plan-delta": "ChatToolPlanDeltaEvent", "tool-call-start": "ChatToolCallStartEvent",
	"tool-call-delta": "ChatToolCallDeltaEvent", "tool-call-end": "ChatToolCallEndEvent", "citation-start": "CitationStartEvent",
	"citation-end": "CitationEndEvent", "message-end": "ChatMessageEndEvent",
}
