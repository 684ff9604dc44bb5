package openai_test

import (
	"encoding/json"
	"strings"
	"testing"

	"causeway/internal/llm"
	"causeway/internal/llm/llmtest"
	"causeway/internal/llm/openai"
)

// TestResponsesCodec reads and writes again the recorded traffic of Responses, of five providers.
func TestResponsesCodec(t *testing.T) {
	suite := llmtest.CodecSuite{
		Dialect: openai.New(), Op: llm.Responses,
		// A message with one text may be written as that text.
		Normalize: normalItems,
		Differ:    []string{"-/stream"}, // false
		// Requests and answers are apart here: what an answer repeats of its request is that of an empty one
		// (TestResponseRepeatsItsRequest).
		DifferAnswer: []string{
			"/background", "/completed_at", "/frequency_penalty", "/presence_penalty", "-/max_output_tokens", "-/prompt_cache_retention", "/prompt_cache_key",
			"/reasoning/**", "/store", "+/top_logprobs", "-/tools/**", "/temperature", "/top_p", "/text/**", "-/instructions", "~/parallel_tool_calls", "-/metadata/**", "-/moderation",
			"-/output/*/status", "-/output/*/content", // of reasoning: whole, and an empty list
			"-/tool_usage/image_gen",                                      // nothing but zeros
			"-/content_filters", "-/billing", "-/usage/cost_in_usd_ticks", // told as lost
			"-/usage/num_sources_used", "-/usage/num_server_side_tools_used", "-/usage/context_details", // none, and the same counts again
			"+/output/*/content/*/logprobs", "-/output/*/item_id", "-/output/*/output_index", "+/output/*/id", // Bedrock's gpt-oss
		},
	}
	for _, x := range llmtest.Lines[llmtest.Exchange](t, "testdata/responses.jsonl") {
		suite.CodecRequests = append(suite.CodecRequests, llmtest.CodecRequest{Name: x.ID, Body: x.Request})
		if x.Streamed() {
			suite.CodecStreams = append(suite.CodecStreams, llmtest.CodecStream{Name: x.ID, Body: x.Body})
		} else {
			suite.CodecAnswers = append(suite.CodecAnswers, llmtest.CodecAnswer{Name: x.ID, Body: x.Body, Report: lostOf(x.Body)})
		}
	}
	llmtest.RunCodec(t, suite)
}

// lostOf are the members of providers' own that a response has.
func lostOf(body string) (lost []string) {
	var members map[string]json.RawMessage
	_ = json.Unmarshal([]byte(body), &members)
	for _, name := range []string{"content_filters", "billing"} {
		if v := string(members[name]); v != "" && v != "null" {
			lost = append(lost, name+";lost")
		}
	}
	if strings.Contains(body, `"cost_in_usd_ticks"`) {
		lost = append(lost, "usage.cost_in_usd_ticks;lost")
	}
	return lost
}

func normalItems(v any) any {
	top, _ := v.(map[string]any)
	items, _ := top["input"].([]any)
	for _, e := range items {
		item, _ := e.(map[string]any)
		list, _ := item["content"].([]any)
		if len(list) != 1 {
			continue
		}
		part, _ := list[0].(map[string]any)
		if kind, _ := part["type"].(string); item["id"] == nil && strings.HasSuffix(kind, "put_text") {
			item["content"] = part["text"]
		}
	}
	return v
}
