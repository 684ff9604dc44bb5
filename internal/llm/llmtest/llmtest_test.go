package llmtest_test

import (
	"testing"

	"causeway/internal/fault"
	"causeway/internal/journey"
	"causeway/internal/llm"
	"causeway/internal/llm/llmtest"
)

// TestTheSuiteHoldsForASecondDialect runs the suite on Anthropic's dialect, with recorded traffic.
func TestTheSuiteHoldsForASecondDialect(t *testing.T) {
	recorded := map[string]llmtest.Exchange{}
	for _, x := range llmtest.Lines[llmtest.Exchange](t, "testdata/recorded.jsonl") {
		recorded[x.ID] = x
	}
	count := func(input, output, cached, written int64) journey.Usage {
		return journey.Usage{Input: input, Output: output, Cached: cached, CacheWrite: written, Reasoning: -1, Source: "reported"}
	}
	llmtest.Run(t, llmtest.Suite{
		Dialect: llmtest.Anthropic{},
		Op:      llm.Chat,
		Requests: []llmtest.Request{
			{Name: "made", Body: `{"max_tokens":10,"model":"claude-3-5-haiku-latest","stream":true,"messages":[{"role":"user","content":"Hi \"you\""}]}`, Model: "claude-3-5-haiku-latest", Stream: true, UsageAsked: true},
			{Name: "recorded", Body: recorded["anthropic-0018"].Request, Model: "claude-sonnet-4-20250514", Stream: true, UsageAsked: true},
			{Name: "recorded, not streamed", Body: recorded["anthropic-0016"].Request, Model: "claude-sonnet-4-20250514", UsageAsked: true},
		},
		Answers: []llmtest.Answer{{Name: "anthropic-0016", Body: recorded["anthropic-0016"].Body, Usage: count(507, 137, 0, 0), Finish: "tool_use"}},
		Streams: []llmtest.Stream{
			{Name: "anthropic-0025", Body: recorded["anthropic-0025"].Body, Usage: count(394, 66, 0, 0), Finish: "tool_use"},
			{Name: "anthropic-0018", Body: recorded["anthropic-0018"].Body, Usage: count(502, 137, 0, 0), Finish: "tool_use"},
		},
		Errors: []llmtest.Error{
			{Name: "anthropic-0105", Status: 401, Body: recorded["anthropic-0105"].Body, Kind: fault.ProviderKeyRejected, Valid: true},
			{Name: "anthropic-0110", Status: 400, Body: recorded["anthropic-0110"].Body, Kind: fault.ContextTooLong, Valid: true},
		},
		Read:          []string{"model", "stream"},
		Terminal:      "message_stop",
		ErrorEvent:    "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n",
		ErrorKind:     fault.Overloaded,
		NeedsTerminal: true,
	})
}
