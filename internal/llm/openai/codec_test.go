package openai_test

import (
	"encoding/json"
	"testing"

	"causeway/internal/catalog"
	"causeway/internal/llm"
	"causeway/internal/llm/llmtest"
	"causeway/internal/llm/openai"
)

// vendorOf is a provider's row of the catalogue with what the recorded callers made use of.
func vendorOf(t *testing.T, provider string) *catalog.Vendor {
	t.Helper()
	kind := map[string]string{"vercel-gw": "vercel", "azure": "azure-openai"}[provider]
	if kind == "" {
		kind = provider
	}
	for _, v := range catalog.Vendors() {
		if v.Kind == kind {
			return &v
		}
	}
	t.Fatalf("no vendor %q", provider)
	return nil
}

// normalChat brings the forms of a request that mean the same to one: a text alone is a string, content that is
// missing or null is an empty one, the answer's length has its new name, reasoning goes by one name.
func normalChat(v any) any {
	root, ok := v.(map[string]any)
	if !ok {
		return v
	}
	rename(root, "max_tokens", "max_completion_tokens")
	if stop, ok := root["stop"].(string); ok {
		root["stop"] = []any{stop}
	}
	list, _ := root["messages"].([]any)
	for _, m := range list {
		m, ok := m.(map[string]any)
		if !ok {
			continue
		}
		normalThinking(m)
		if parts, ok := m["content"].([]any); ok && len(parts) == 1 {
			if p, ok := parts[0].(map[string]any); ok && len(p) == 2 && p["type"] == "text" {
				m["content"] = p["text"]
			}
		}
		if m["content"] == nil {
			m["content"] = ""
		}
		list, _ := m["content"].([]any)
		for _, p := range list { // Mistral has the URL without an object around
			if p := p.(map[string]any); p["type"] == "image_url" {
				if url, ok := p["image_url"].(string); ok {
					p["image_url"] = map[string]any{"url": url}
				}
			}
		}
		if c, ok := m["cache_control"]; ok { // of a message: the same as of its last part
			delete(m, "cache_control")
			if text, ok := m["content"].(string); ok && text != "" {
				m["content"] = []any{map[string]any{"type": "text", "text": text, "cache_control": c}}
			} else if calls, ok := m["tool_calls"].([]any); ok {
				calls[len(calls)-1].(map[string]any)["cache_control"] = c
			}
		}
	}
	return v
}

// normalThinking brings the thinking of a message to reasoning_content; reasoning_details stay where they prove it.
func normalThinking(m map[string]any) {
	rename(m, "reasoning", "reasoning_content")
	list, _ := m["reasoning_details"].([]any)
	proof, text := false, ""
	for _, d := range list {
		d := d.(map[string]any)
		for _, name := range []string{"signature", "data"} {
			if s, _ := d[name].(string); s != "" {
				proof = true
			}
		}
		for _, name := range []string{"text", "summary"} {
			s, _ := d[name].(string)
			text += s
		}
		rename(d, "summary", "text")
	}
	if m["reasoning_content"] == nil && text != "" {
		m["reasoning_content"] = text
	}
	if m["reasoning_content"] == "" {
		delete(m, "reasoning_content")
	}
	if !proof {
		delete(m, "reasoning_details")
	}
}

func rename(m map[string]any, from, to string) {
	if v, ok := m[from]; ok {
		delete(m, from)
		m[to] = v
	}
}

// normalChatAnswer does so for answers.
func normalChatAnswer(v any) any {
	root, ok := v.(map[string]any)
	if !ok {
		return v
	}
	list, _ := root["choices"].([]any)
	for _, c := range list {
		m, _ := c.(map[string]any)["message"].(map[string]any)
		if m == nil {
			continue
		}
		pieces, _ := m["content"].([]any)
		for _, p := range pieces { // Mistral
			switch p := p.(map[string]any); p["type"] {
			case "text":
				m["content"] = p["text"]
			case "thinking":
				text := ""
				for _, t := range p["thinking"].([]any) {
					text += t.(map[string]any)["text"].(string)
				}
				m["reasoning_content"] = text
			}
		}
		normalThinking(m)
		if m["content"] == nil {
			m["content"] = ""
		}
		calls, _ := m["tool_calls"].([]any)
		for _, c := range calls {
			delete(c.(map[string]any), "index")
		}
		if len(calls) == 0 {
			delete(m, "tool_calls")
		}
		if notes, ok := m["annotations"].([]any); ok && len(notes) == 0 {
			delete(m, "annotations")
		}
	}
	return v
}

// vendorsOwn are members of answers that one vendor has and no other dialect can say: prices, times, routes. They
// are told as lost.
var vendorsOwn = []string{
	"/usage/cost/**", "/usage/cost_details/**", "/usage/market_cost", "/usage/cost_in_usd_ticks", "/usage/search_context_size", "/usage/server_tool_use_details/**",
	"/usage/queue_time", "/usage/prompt_time", "/usage/completion_time", "/usage/total_time", "/usage_breakdown/**", "/x_groq/**",
	"/provider", "/generationId", "/request_id", "/choices/*/message/provider_metadata/**",
	"/prompt_filter_results/**", "/choices/*/content_filter_results/**",
	"/search_results/*/date", "/search_results/*/last_updated", "/search_results/*/source",
}

// TestChatCodec reads and writes again the recorded traffic of chat completions, of twelve providers.
func TestChatCodec(t *testing.T) {
	suite := llmtest.CodecSuite{
		Dialect: openai.New(), Op: llm.Chat,
		Normalize: normalChat, NormalizeAnswer: normalChatAnswer,
		Differ: []string{
			"-/stream",                        // false
			"-/usage",                         // OpenRouter's include, which is so unasked
			"-/enable_thinking", "+/thinking", // another word for the same, by the vendor's switch
			"+/reasoning_effort", "/stream_options", // UsageAlways
		},
		DifferAnswer: append([]string{
			"-/choices/*/native_finish_reason", "-/choices/*/delta", // Perplexity's is empty
			"~/choices/*/message/reasoning_details/*/type", "~/choices/*/message/reasoning_details/*/format", // a summary is told as a text
			"-/usage/num_sources_used", "-/usage/prompt_cache_hit_tokens", "-/usage/prompt_cache_miss_tokens", "-/usage/cache_creation_input_tokens",
			"-/system_fingerprint", // empty
			"/service_tier", "-/usage/service_tier",
			"/usage/prompt_tokens_details/**", "/usage/completion_tokens_details/**", "~/usage/completion_tokens", "~/usage/total_tokens", "+/usage/server_tool_use/**",
			"-/citations/**", "-/search_results/**", "+/choices/*/message/annotations/**",
			"-/usage/is_byok", "-/usage/audio_prompt_tokens", // false and 0
		}, vendorsOwn...),
		MayLose: vendorsOwn,
	}
	var recorded []llmtest.Exchange
	for _, file := range []string{"testdata/recorded.jsonl", "testdata/codec.jsonl"} {
		recorded = append(recorded, llmtest.Lines[llmtest.Exchange](t, file)...)
	}
	for _, x := range recorded {
		if x.Endpoint != "chat/completions" || x.Status != 200 {
			continue
		}
		if json.Valid([]byte(x.Request)) {
			c := llmtest.CodecRequest{Name: x.ID, Body: x.Request, Vendor: vendorOf(t, x.Provider)}
			if x.ID == "zai-0008" || x.ID == "zai-0009" { // it is turned on or off there
				c.Differ, c.Report = []string{"-/reasoning_effort"}, []string{"reasoning_effort;approximated"}
			}
			suite.CodecRequests = append(suite.CodecRequests, c)
		}
		var reread []string
		if x.Provider == "perplexity" { // sources of the whole answer become sources of its text
			reread = []string{"/Choices/*/Parts/*/Citations/*/Start", "/Choices/*/Parts/*/Citations/*/End"}
		}
		if x.Streamed() {
			suite.CodecStreams = append(suite.CodecStreams, llmtest.CodecStream{Name: x.ID, Body: x.Body, Reread: reread})
		} else {
			suite.CodecAnswers = append(suite.CodecAnswers, llmtest.CodecAnswer{Name: x.ID, Body: x.Body, Reread: reread})
		}
	}
	llmtest.RunCodec(t, suite)
}
