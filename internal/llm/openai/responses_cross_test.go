package openai_test

import (
	"encoding/json"
	"strings"
	"testing"

	"causeway/internal/catalog"
	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/llmtest"
	"causeway/internal/llm/openai"
)

// TestRecordedResponsesCrossToChat writes each recorded request for a provider of chat completions and reads it
// again: nothing is lost that the report does not name.
func TestRecordedResponsesCrossToChat(t *testing.T) {
	codec := func(op llm.Operation) canon.Codec { return openai.New().Codec(op) }
	for _, x := range llmtest.Lines[llmtest.Exchange](t, "testdata/responses.jsonl") {
		if strings.Contains(x.Request, `"type":"reasoning"`) || strings.Contains(x.Request, `"web_search`) {
			continue // a part or a tool that is left out moves the others, which Cross compares by their place
		}
		t.Run(x.ID, func(t *testing.T) {
			report := llmtest.Cross(t, codec(llm.Responses), codec(llm.Chat), llmtest.CrossCase{
				Match: llm.Match{Op: llm.Responses}, Body: x.Request, Back: llm.Match{Op: llm.Chat},
				Target: &canon.Target{Model: "m", Vendor: &catalog.Vendor{Kind: "test", Quirks: catalog.Quirks{Developer: true}}},
				Allow: []string{
					"-/Messages/*/Parts/*/ID", "-/Messages/*/Parts/*/Joined", "-/Messages/*/ID", "/StreamUsage", "-/Reasoning/**",
					"/Tools/*/Strict/**", "-/Messages/*/Parts/*/SignedBy",
				},
			})
			if strings.Contains(report.Header(), "input;") {
				t.Errorf("the whole input is lost: %s", report.Header())
			}
		})
	}
}

// TestRequestsOfOthers writes what other dialects say, which Responses says in its own way.
func TestRequestsOfOthers(t *testing.T) {
	chat := func(body string) *canon.Request {
		req, err := openai.New().Codec(llm.Chat).ReadRequest(llm.Match{Op: llm.Chat}, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		return req
	}
	gemini := func(parts ...canon.Message) *canon.Request {
		return &canon.Request{Dialect: "gemini", Op: llm.Chat, Messages: parts}
	}
	for _, c := range []struct {
		name   string
		req    *canon.Request
		model  string
		has    []string
		report string
	}{
		{
			"a chat", chat(`{"model":"m","messages":[{"role":"system","content":"s"},{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"https://x.example/a.png","detail":"low"}}]},
				{"role":"assistant","content":"b","tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c1","content":"r"}],
				"tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"required","max_completion_tokens":5,"reasoning_effort":"low","stop":["x"],"seed":1,
				"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object"}}},"logprobs":true,"top_logprobs":2}`), "gpt-5",
			[]string{
				`{"role":"system","content":"s"}`, `{"type":"input_image","image_url":"https://x.example/a.png","detail":"low"}`, `{"role":"assistant","content":"b"}`,
				`{"type":"function_call","call_id":"c1","name":"f","arguments":"{}"}`, `{"type":"function_call_output","call_id":"c1","output":"r"}`,
				`"strict":false`, `"tool_choice":"required"`, `"max_output_tokens":16`, `"reasoning":{"effort":"low"}`, `"store":false`,
				`"text":{"format":{"type":"json_schema","name":"n","schema":{"type":"object"}}}`, `"include":["reasoning.encrypted_content","message.output_text.logprobs"]`, `"top_logprobs":2`,
			},
			"max_completion_tokens;approximated, seed;dropped, stop;dropped",
		},
		{
			"calls without ids", gemini(
				canon.Message{Role: canon.Assistant, Parts: []canon.Part{
					{Kind: canon.ToolCall, Call: &canon.Call{Name: "a", Args: "{}"}}, {Kind: canon.ToolCall, Call: &canon.Call{Name: "b", Args: "{}"}}, {Kind: canon.ToolCall, Call: &canon.Call{Name: "a", Args: "{}"}},
				}},
				canon.Message{Role: canon.ToolRole, Parts: []canon.Part{
					{Kind: canon.ToolResult, Result: &canon.Result{Name: "b", JSON: []byte(`{"n":2}`)}}, {Kind: canon.ToolResult, Result: &canon.Result{Name: "a", Parts: []canon.Part{{Text: "1"}}}}, {Kind: canon.ToolResult, Result: &canon.Result{Name: "a", Parts: []canon.Part{{Text: "3"}}}},
				}},
			), "m",
			[]string{`"call_id":"call_1","name":"a"`, `"call_id":"call_2","name":"b"`, `"call_id":"call_3","name":"a"`, `"call_id":"call_2","output":"{\"n\":2}"`, `"call_id":"call_1","output":"1"`, `"call_id":"call_3","output":"3"`},
			"",
		},
		{
			"a system prompt that stands apart", gemini(canon.Message{Role: canon.System, Parts: []canon.Part{{Text: "s"}}}, canon.Message{Role: canon.User, Parts: []canon.Part{{Text: "u"}}}), "m",
			[]string{`"instructions":"s","input":[{"role":"user","content":"u"}]`},
			"",
		},
		{
			"a document and bytes", gemini(canon.Message{Role: canon.User, Parts: []canon.Part{
				{Kind: canon.Document, Media: &canon.Media{MIME: "application/pdf", Data: "JVBE"}}, {Kind: canon.Document, Media: &canon.Media{Text: "plain", Name: "Notes"}}, {Kind: canon.Image, Media: &canon.Media{MIME: "image/webp", Data: "UklG"}},
			}}), "m",
			[]string{`{"type":"input_file","file_data":"data:application/pdf;base64,JVBE","filename":"document.pdf"}`, `{"type":"input_text","text":"Notes\n\nplain"}`, `{"type":"input_image","image_url":"data:image/webp;base64,UklG","detail":"auto"}`},
			"",
		},
		{
			"thinking by a budget", &canon.Request{Dialect: "anthropic", Op: llm.Chat, Messages: []canon.Message{{Role: canon.User, Parts: []canon.Part{{Text: "u"}}}}, Reasoning: canon.Reasoning{Said: true, Budget: 8000, Show: true}}, "m",
			[]string{`"reasoning":{"effort":"medium","summary":"auto"}`, `"include":["reasoning.encrypted_content"]`},
			"",
		},
		{
			"no thinking, of a model that always thinks", &canon.Request{Dialect: "anthropic", Op: llm.Chat, Messages: []canon.Message{{Role: canon.User, Parts: []canon.Part{{Text: "u"}}}}, Reasoning: canon.Reasoning{Said: true, Off: true}}, "o4-mini",
			[]string{`"reasoning":{"effort":"low"}`},
			"",
		},
		{
			"a long call id", gemini(canon.Message{Role: canon.Assistant, Parts: []canon.Part{{Kind: canon.ToolCall, Call: &canon.Call{ID: strings.Repeat("x", 65), Name: "a"}}}},
				canon.Message{Role: canon.ToolRole, Parts: []canon.Part{{Kind: canon.ToolResult, Result: &canon.Result{ID: strings.Repeat("x", 65)}}}}), "m",
			[]string{`"call_id":"call_e09d1c9073eb86771c3233a27c7d3d77","name":"a","arguments":"{}"`, `"call_id":"call_e09d1c9073eb86771c3233a27c7d3d77","output":""`},
			"",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			report := canon.NewReport(c.req)
			body, err := responsesCodec().WriteRequest(c.req, &canon.Target{Model: c.model, Vendor: &catalog.Vendor{}}, report)
			if err != nil || !json.Valid(body) {
				t.Fatalf("%v: %s", err, body)
			}
			report.Close()
			for _, part := range c.has {
				if !strings.Contains(string(body), part) {
					t.Errorf("no %s in %s", part, body)
				}
			}
			if got := report.Header(); got != c.report {
				t.Errorf("the report says %q, want %q", got, c.report)
			}
		})
	}
}

// TestWhatTheProviderRefusesIsLeftOut: members that a vendor's row names are reported instead.
func TestWhatTheProviderRefusesIsLeftOut(t *testing.T) {
	req := readResponses(t, `{"model":"m","input":"x","metadata":{"a":"b"},"user":"u"}`)
	report := canon.NewReport(req)
	body, err := responsesCodec().WriteRequest(req, &canon.Target{Model: "m", Vendor: &catalog.Vendor{Quirks: catalog.Quirks{Refuses: []string{"metadata"}}}}, report)
	if err != nil {
		t.Fatal(err)
	}
	report.Close()
	if strings.Contains(string(body), "metadata") || !strings.Contains(string(body), `"user":"u"`) || report.Header() != "metadata;dropped" {
		t.Errorf("%s: %s", report.Header(), body)
	}
}
