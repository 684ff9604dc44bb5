package openai_test

import (
	"testing"

	"causeway/internal/fault"
	"causeway/internal/journey"
	"causeway/internal/llm"
	"causeway/internal/llm/llmtest"
	"causeway/internal/llm/openai"
)

// recorded returns the recorded exchanges by id.
func recorded(t testing.TB) map[string]llmtest.Exchange {
	t.Helper()
	all := map[string]llmtest.Exchange{}
	for _, x := range llmtest.Lines[llmtest.Exchange](t, "testdata/recorded.jsonl") {
		all[x.ID] = x
	}
	return all
}

// used is a usage as the tests write it: input, output, cached, written to cache, reasoning.
func used(input, output, cached, written, reasoning int64) journey.Usage {
	return journey.Usage{Input: input, Output: output, Cached: cached, CacheWrite: written, Reasoning: reasoning, Source: "reported"}
}

// streamed is what the recorded chat streams say, as their last chunks have it; xAI's output is the sum
// of its two counts.
var streamed = []struct {
	id     string
	usage  journey.Usage
	finish string
}{
	{"openai-0063", used(232, 96, 0, -1, 64), "stop"},
	{"openai-0066", used(106, 50, 0, -1, 0), "tool_calls"},
	{"openai-0071", used(262, 25, 0, -1, 0), "stop"},
	{"groq-0003", used(93, 32, -1, -1, -1), "tool_calls"},
	{"groq-0004", used(143, 13, -1, -1, -1), "stop"},
	{"mistral-0025", used(159, 28, 128, -1, -1), "tool_calls"},
	{"mistral-0026", used(222, 43, 192, -1, -1), "stop"},
	{"mistral-0030", used(31, 66, 0, -1, -1), "stop"},
	{"deepseek-0020", used(348, 65, 0, -1, -1), "tool_calls"},
	{"deepseek-0021", used(451, 21, 384, -1, -1), "stop"},
	{"deepseek-0026", used(496, 31, 384, -1, -1), "tool_calls"},
	{"openrouter-0003", used(275, 76, 192, 0, 27), "tool_calls"},
	{"openrouter-0012", used(866, 43, 0, 0, 0), "stop"},
	{"xai-0005", used(432, 204, 153, -1, 136), "tool_calls"},
	{"xai-0006", used(654, 77, 602, -1, 52), "stop"},
	{"zai-0007", used(395, 79, 251, -1, 41), "stop"},
	{"huggingface-0005", used(20, 4, -1, -1, -1), "stop"},
	{"perplexity-0007", used(8, 5, -1, -1, -1), "stop"},
	{"azure-0005", used(145, 154, 0, -1, 128), "tool_calls"},
	{"azure-0037", used(205, 18, 159, -1, 0), "tool_calls"},
	{"ollama-0020", used(169, 55, -1, -1, -1), "tool_calls"},
	{"ollama-0022", used(300, 45, -1, -1, -1), "tool_calls"},
	{"vercel-gw-0014", used(16, 7, 0, -1, 0), "stop"},
	{"vercel-gw-0028", used(40, 57, 0, -1, 43), "stop"},
}

// whole is what the recorded chat answers that were not streamed say.
var whole = []struct {
	id     string
	usage  journey.Usage
	finish string
}{
	{"openai-0064", used(110, 50, 0, -1, 0), "tool_calls"},
	{"groq-0002", used(295, 31, -1, -1, -1), "stop"},
	{"mistral-0021", used(109, 19, 0, -1, -1), "tool_calls"},
	{"deepseek-0014", used(97, 17, 0, -1, 15), "stop"},
	{"openrouter-0001", used(279, 72, 0, 0, 25), "tool_calls"},
	{"xai-0003", used(436, 216, 152, -1, 148), "tool_calls"},
	{"zai-0004", used(279, 131, 43, -1, 82), "tool_calls"},
	{"huggingface-0001", used(205, 57, -1, -1, -1), "tool_calls"},
}

// refused is what the recorded errors mean.
var refused = []struct {
	id    string
	kind  fault.Kind
	valid bool
}{
	{"openai-0259", fault.ProviderKeyRejected, true},
	{"openai-0269", fault.ContextTooLong, true},
	{"openai-0278", fault.ParameterRejected, true},
	{"openai-0279", fault.ParameterRejected, true},
	{"mistral-0020", fault.ProviderKeyRejected, false},
	{"deepseek-0015", fault.ProviderKeyRejected, true},
	{"deepseek-0028", fault.ContextTooLong, true},
	{"openrouter-0031", fault.ProviderKeyRejected, true},
	{"openrouter-0034", fault.ContextTooLong, true},
	{"xai-0018", fault.ProviderKeyRejected, false},
	{"perplexity-0005", fault.ProviderKeyRejected, true},
	{"perplexity-0006", fault.ContextTooLong, true},
	{"azure-0032", fault.ProviderKeyRejected, true},
	{"azure-0043", fault.ProviderRateLimited, true},
	{"ollama-0019", fault.ProviderKeyRejected, true},
	{"ollama-0035", fault.ContextTooLong, true},
}

func TestSuite(t *testing.T) {
	all := recorded(t)
	suite := llmtest.Suite{
		Dialect: openai.New(),
		Op:      llm.Chat,
		Requests: []llmtest.Request{
			{Name: "streamed", Body: `{"model":"gpt-4o","messages":[{"role":"user","content":"say \"model\":\"x\""}],"stream":true,"n":1.0}`, Model: "gpt-4o", Stream: true},
			{Name: "model last", Body: "{ \"stream\" : true , \"stream_options\" : { \"include_obfuscation\" : false } ,\n \"messages\":[{\"model\":\"inner\"}], \"model\" : \"gpt-4o\" }\n", Model: "gpt-4o", Stream: true},
			{Name: "usage asked", Body: `{"stream_options":{"include_usage":true},"stream":true,"model":"gpt-4o"}`, Model: "gpt-4o", Stream: true, UsageAsked: true},
			{Name: "usage declined", Body: `{"stream_options":{"include_usage":false,"x":[]},"stream":true,"model":"gpt-4o"}`, Model: "gpt-4o", Stream: true},
			{Name: "usage null", Body: `{"model":"gpt-4o","stream_options":{"x":1,"include_usage":null},"stream":true}`, Model: "gpt-4o", Stream: true},
			{Name: "options empty", Body: `{"model":"gpt-4o","stream_options":{ },"stream":true}`, Model: "gpt-4o", Stream: true},
			{Name: "options null", Body: `{"model":"gpt-4o","stream":true,"stream_options":null}`, Model: "gpt-4o", Stream: true},
			{Name: "options of another type", Body: `{"model":"gpt-4o","stream":true,"stream_options":"yes"}`, Model: "gpt-4o", Stream: true},
			{Name: "stream null", Body: `{"model":"gpt-4o","stream":null}`, Model: "gpt-4o"},
			{Name: "not streamed", Body: `{"model":"gpt-4o","messages":[]}`, Model: "gpt-4o"},
			{Name: "model with escapes", Body: `{"model":"openai\/gpt-4o\u002dmini","messages":[]}`, Model: "openai/gpt-4o-mini"},
			{Name: "recorded", Body: all["openai-0066"].Request, Model: "gpt-4o", Stream: true, UsageAsked: true},
			{Name: "recorded from another client", Body: all["mistral-0025"].Request, Model: "mistral-small-latest", Stream: true},
		},
		Streams: []llmtest.Stream{{Name: "openai-0066", Body: all["openai-0066"].Body, Usage: used(106, 50, 0, -1, 0), Finish: "tool_calls"}},
		Errors:  llmtest.Lines[llmtest.Error](t, "testdata/errors.jsonl"),
		Read:    []string{"model", "stream", "stream_options"},

		Terminal:   "[DONE]",
		ErrorEvent: "data: {\"error\":{\"message\":\"The server is overloaded.\",\"type\":\"service_unavailable_error\",\"param\":null,\"code\":\"server_is_overloaded\"}}\n\n",
		ErrorKind:  fault.Overloaded,
	}
	for _, c := range streamed {
		suite.Streams = append(suite.Streams, llmtest.Stream{Name: c.id, Body: all[c.id].Body, Usage: c.usage, Finish: c.finish})
	}
	for _, c := range whole {
		suite.Answers = append(suite.Answers, llmtest.Answer{Name: c.id, Body: all[c.id].Body, Usage: c.usage, Finish: c.finish})
	}
	for _, c := range refused {
		x := all[c.id]
		suite.Errors = append(suite.Errors, llmtest.Error{Name: c.id, Status: x.Status, Headers: x.Headers, Body: x.Body, Kind: c.kind, Valid: c.valid})
	}
	llmtest.Run(t, suite)
}
