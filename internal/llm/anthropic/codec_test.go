package anthropic_test

import (
	"encoding/json"
	"strings"
	"testing"

	"causeway/internal/catalog"
	"causeway/internal/llm"
	"causeway/internal/llm/anthropic"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/llmtest"
)

// exchanges are the recorded ones, those of batches taken apart into single requests and answers.
func exchanges(t testing.TB) (list []llmtest.Exchange) {
	t.Helper()
	for _, x := range llmtest.Lines[llmtest.Exchange](t, "testdata/recorded.jsonl") {
		switch x.Endpoint {
		case "batches":
			var batch struct {
				Requests []struct {
					Params json.RawMessage
				}
			}
			if err := json.Unmarshal([]byte(x.Request), &batch); err != nil || len(batch.Requests) == 0 {
				t.Fatalf("%s: %v", x.ID, err)
			}
			for _, r := range batch.Requests {
				list = append(list, llmtest.Exchange{ID: x.ID, Endpoint: "messages", Request: string(r.Params)})
			}
		case "batches/results":
			for line := range strings.Lines(x.Body) {
				var one struct {
					Result struct{ Message json.RawMessage }
				}
				if err := json.Unmarshal([]byte(line), &one); err != nil {
					t.Fatalf("%s: %v", x.ID, err)
				}
				if one.Result.Message != nil {
					list = append(list, llmtest.Exchange{ID: x.ID, Endpoint: "messages", Status: 200, Body: string(one.Result.Message)})
				}
			}
		default:
			list = append(list, x)
		}
	}
	return list
}

func TestCodecSuite(t *testing.T) {
	suite := llmtest.CodecSuite{Dialect: anthropic.New(), Op: llm.Chat, NormalizeAnswer: normalizeAnswer, Malformed: malformed}
	requests, answers, streams := 0, 0, 0
	for _, x := range exchanges(t) {
		if x.Endpoint != "messages" {
			continue
		}
		if x.Request != "" {
			requests++
			suite.CodecRequests = append(suite.CodecRequests, llmtest.CodecRequest{Name: x.ID, Body: x.Request})
		}
		switch {
		case x.Status != 200:
		case x.Streamed():
			streams++
			suite.CodecStreams = append(suite.CodecStreams, llmtest.CodecStream{Name: x.ID, Body: x.Body})
		case strings.HasPrefix(x.Body, "{"):
			answers++
			suite.CodecAnswers = append(suite.CodecAnswers, llmtest.CodecAnswer{Name: x.ID, Body: x.Body})
		}
	}
	if requests < 35 || answers < 15 || streams < 15 {
		t.Errorf("%d requests, %d answers, %d streams", requests, answers, streams)
	}
	suite.CodecRequests = append(suite.CodecRequests, madeRequests...)
	suite.CodecAnswers = append(suite.CodecAnswers, madeAnswers...)
	llmtest.RunCodec(t, suite)
}

// normalizeAnswer leaves out what says that nothing was special.
func normalizeAnswer(v any) any {
	m, _ := v.(map[string]any)
	if usage, ok := m["usage"].(map[string]any); ok {
		if geo := usage["inference_geo"]; geo == "not_available" || geo == "global" {
			delete(usage, "inference_geo")
		}
	}
	list, _ := m["content"].([]any)
	for _, e := range list {
		if b, ok := e.(map[string]any); ok && b["type"] == "tool_use" && b["caller"] == nil {
			b["caller"] = map[string]any{"type": "direct"}
		}
		if b, ok := e.(map[string]any); ok && b["type"] == "text" {
			if cited, ok := b["citations"].([]any); ok && len(cited) == 0 {
				delete(b, "citations")
			}
		}
	}
	return v
}

// madeRequests hold what the recordings do not.
var madeRequests = []llmtest.CodecRequest{
	{Name: "all of it", Body: `{"model":"claude-opus-4-6","max_tokens":2000,"system":"Be brief.","temperature":0.5,"top_k":3,"top_p":0.9,"stop_sequences":["END"],
		"metadata":{"user_id":"u1"},"service_tier":"standard_only","stream":false,"container":"c1","inference_geo":"us","cache_control":{"type":"ephemeral"},
		"context_management":{"edits":[{"type":"clear_tool_uses_20250919"}]},"mcp_servers":[{"type":"url","url":"https://m.example","name":"m"}],
		"thinking":{"type":"adaptive","display":"omitted"},"output_config":{"effort":"max","format":{"type":"json_schema","schema":{"type":"object","title":"t","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false}}},
		"tool_choice":{"type":"tool","name":"f","disable_parallel_tool_use":true},
		"tools":[{"name":"f","description":"does","input_schema":{"type":"object"},"strict":true,"cache_control":{"type":"ephemeral","ttl":"1h"},"defer_loading":true,"input_examples":[{"a":1}],"eager_input_streaming":true},
			{"name":"g","type":"custom","description":"","input_schema":{"type":"object","properties":{}},"allowed_callers":["direct"]},
			{"type":"web_search_20250305","name":"web_search","max_uses":3},{"type":"mcp_toolset","mcp_server_name":"m"}],
		"messages":[{"role":"user","content":"hello"},
			{"role":"assistant","content":[{"type":"thinking","thinking":"","signature":"s1"},{"type":"redacted_thinking","data":"d1"},{"type":"text","text":"a","citations":[{"type":"char_location","cited_text":"c","document_index":0,"document_title":"t","start_char_index":1,"end_char_index":2}]},
				{"type":"tool_use","id":"toolu_1","name":"f","input":{"a":[1,2.5e3,"ü"]},"caller":{"type":"direct"}},{"type":"tool_use","id":"toolu_2","name":"g","input":{},"caller":{"type":"code_execution_20250825","tool_id":"x"}}]},
			{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":"42","is_error":false},{"type":"tool_result","tool_use_id":"toolu_2","is_error":true,"content":[{"type":"text","text":"no"},{"type":"image","source":{"type":"url","url":"https://x.example/a.png"}},{"type":"search_result","source":"s","title":"t","content":[{"type":"text","text":"found"}],"citations":{"enabled":true}}],"cache_control":{"type":"ephemeral","ttl":"5m"}},
				{"type":"text","text":"look","cache_control":{"type":"ephemeral"}},
				{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="},"cache_control":{"type":"ephemeral"}},
				{"type":"image","source":{"type":"file","file_id":"file_1"}},
				{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"JVBERi0="},"title":"T","context":"C","citations":{"enabled":true}},
				{"type":"document","source":{"type":"text","media_type":"text/plain","data":"plain"},"citations":{"enabled":false}},
				{"type":"document","source":{"type":"url","url":"https://x.example/a.pdf"}},
				{"type":"document","source":{"type":"content","content":[{"type":"text","text":"one"},{"type":"text","text":"two"}]},"title":"parts"},
				{"type":"document","source":{"type":"file","file_id":"file_2"}},
				{"type":"search_result","source":"https://x.example","title":"R","content":[{"type":"text","text":"found"}]},
				{"type":"container_upload","file_id":"file_3"}]}]}`},
	{Name: "thinking disabled", Body: `{"model":"m","max_tokens":1,"thinking":{"type":"disabled"},"output_config":{"effort":"low","task_budget":{"type":"tokens","total":5}},"messages":[{"role":"user","content":"x"}]}`},
	{Name: "the old output_format", Body: `{"model":"m","max_tokens":1,"output_format":{"type":"json_schema","schema":{"type":"object"}},"messages":[{"role":"user","content":"x"}]}`},
	{Name: "a member that is new", Body: `{"model":"m","max_tokens":0,"brand_new":{"a":[1]},"messages":[{"role":"user","content":[{"type":"text","text":"x","shade":"blue"}]},{"role":"assistant","content":"{"}]}`},
}

var madeAnswers = []llmtest.CodecAnswer{
	{Name: "refusal", Body: `{"id":"m1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"I"}],"stop_reason":"refusal","stop_sequence":null,"stop_details":{"type":"refusal","category":null,"explanation":"It is about weapons."},"usage":{"input_tokens":1,"output_tokens":2}}`},
	{Name: "refusal with a category", Body: `{"id":"m1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":"refusal","stop_details":{"type":"refusal","category":"bio","explanation":"No."},"usage":{"input_tokens":1,"output_tokens":2}}`, Report: []string{"stop_details.category;lost"}, Differ: []string{"-/stop_details/category"}},
	{Name: "a stop sequence", Body: `{"id":"m1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":"stop_sequence","stop_sequence":"END","usage":{"input_tokens":1,"output_tokens":2}}`},
	{Name: "a full context", Body: `{"id":"m1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":"model_context_window_exceeded","usage":{"input_tokens":1,"output_tokens":2}}`},
	{Name: "a pause", Body: `{"id":"m1","type":"message","role":"assistant","model":"m","content":[{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{"query":"q"}}],"stop_reason":"pause_turn","usage":{"input_tokens":1,"output_tokens":2,"service_tier":"priority"}}`},
	{
		Name: "cache and thinking", Body: `{"id":"m1","type":"message","role":"assistant","model":"m","content":[{"type":"thinking","thinking":"hm","signature":"s"},{"type":"redacted_thinking","data":"d"}],"stop_reason":"max_tokens","usage":{"input_tokens":10,"cache_read_input_tokens":100,"cache_creation_input_tokens":20,"cache_creation":{"ephemeral_5m_input_tokens":5,"ephemeral_1h_input_tokens":15},"output_tokens":7,"output_tokens_details":{"thinking_tokens":3},"server_tool_use":{"web_search_requests":2,"web_fetch_requests":0},"inference_geo":"us"}}`,
		Report: []string{"usage.inference_geo;lost"}, Differ: []string{"-/usage/inference_geo"},
	},
	{
		Name: "a call by a program", Body: `{"id":"m1","type":"message","role":"assistant","model":"m","content":[{"type":"tool_use","id":"t","name":"f","input":{},"caller":{"type":"code_execution_20250825","tool_id":"x"}}],"stop_reason":"tool_use","usage":{"input_tokens":1,"output_tokens":2}}`,
		Report: []string{"content.0.caller;lost"}, Differ: []string{"~/content/0/caller/type", "-/content/0/caller/tool_id"},
	},
}

// malformed are requests that can't be read.
var malformed = []llmtest.Malformed{
	{Name: "nothing", Body: ``, Pointer: ""},
	{Name: "an array", Body: `[]`, Pointer: ""},
	{Name: "cut off", Body: `{"model":"m","max_tokens":1,"messages":[{"role":"user"`, Pointer: ""},
	{Name: "no model", Body: `{"max_tokens":1,"messages":[{"role":"user","content":"x"}]}`, Pointer: "/model"},
	{Name: "the model is a number", Body: `{"model":4,"max_tokens":1,"messages":[{"role":"user","content":"x"}]}`, Pointer: "/model"},
	{Name: "the model is empty", Body: `{"model":"","max_tokens":1,"messages":[{"role":"user","content":"x"}]}`, Pointer: "/model"},
	{Name: "the model stands twice", Body: `{"model":"a","model":"b","max_tokens":1,"messages":[{"role":"user","content":"x"}]}`, Pointer: "/model"},
	{Name: "no max_tokens", Body: `{"model":"m","messages":[{"role":"user","content":"x"}]}`, Pointer: "/max_tokens"},
	{Name: "max_tokens in words", Body: `{"model":"m","max_tokens":"10","messages":[{"role":"user","content":"x"}]}`, Pointer: "/max_tokens"},
	{Name: "negative max_tokens", Body: `{"model":"m","max_tokens":-1,"messages":[{"role":"user","content":"x"}]}`, Pointer: "/max_tokens"},
	{Name: "half a token", Body: `{"model":"m","max_tokens":1.5,"messages":[{"role":"user","content":"x"}]}`, Pointer: "/max_tokens"},
	{Name: "no messages", Body: `{"model":"m","max_tokens":1}`, Pointer: "/messages"},
	{Name: "messages are an object", Body: `{"model":"m","max_tokens":1,"messages":{"role":"user","content":"x"}}`, Pointer: "/messages"},
	{Name: "messages are empty", Body: `{"model":"m","max_tokens":1,"messages":[]}`, Pointer: "/messages"},
	{Name: "a message is a string", Body: `{"model":"m","max_tokens":1,"messages":["x"]}`, Pointer: "/messages/0"},
	{Name: "no role", Body: `{"model":"m","max_tokens":1,"messages":[{"content":"x"}]}`, Pointer: "/messages/0/role"},
	{Name: "another role", Body: `{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"x"},{"role":"developer","content":"x"}]}`, Pointer: "/messages/1/role"},
	{Name: "an image of the role system", Body: `{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"x"},{"role":"system","content":[{"type":"image"}]}]}`, Pointer: "/messages/1/content/0/type"},
	{Name: "nothing of the role system", Body: `{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"x"},{"role":"system"}]}`, Pointer: "/messages/1/content"},
	{Name: "the role is a number", Body: `{"model":"m","max_tokens":1,"messages":[{"role":1,"content":"x"}]}`, Pointer: "/messages/0/role"},
	{Name: "no content", Body: `{"model":"m","max_tokens":1,"messages":[{"role":"user"}]}`, Pointer: "/messages/0/content"},
	{Name: "content is a number", Body: `{"model":"m","max_tokens":1,"messages":[{"role":"user","content":7}]}`, Pointer: "/messages/0/content"},
	{Name: "content is empty", Body: `{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[]}]}`, Pointer: "/messages/0/content"},
	{Name: "a block is a string", Body: `{"model":"m","max_tokens":1,"messages":[{"role":"user","content":["x"]}]}`, Pointer: "/messages/0/content/0"},
	{Name: "a block without type", Body: `{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"text":"x"}]}]}`, Pointer: "/messages/0/content/0/type"},
	{Name: "a text without text", Body: `{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"text"}]}]}`, Pointer: "/messages/0/content/0/text"},
	{Name: "a text of null", Body: `{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"text","text":null}]}]}`, Pointer: "/messages/0/content/0/text"},
	{Name: "an image without source", Body: `{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"image"}]}]}`, Pointer: "/messages/0/content/0/source"},
	{Name: "an image from nowhere", Body: `{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"disk"}}]}]}`, Pointer: "/messages/0/content/0/source/type"},
	{Name: "an image without type", Body: `{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","data":"x"}}]}]}`, Pointer: "/messages/0/content/0/source/media_type"},
	{Name: "an image without URL", Body: `{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"url"}}]}]}`, Pointer: "/messages/0/content/0/source/url"},
	{Name: "a document of content without content", Body: `{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"document","source":{"type":"content"}}]}]}`, Pointer: "/messages/0/content/0/source/content"},
	{Name: "a result without id", Body: `{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"tool_result","content":"x"}]}]}`, Pointer: "/messages/0/content/0/tool_use_id"},
	{Name: "a result of no call", Body: `{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":"x"}]}]}`, Pointer: "/messages/0/content/0/tool_use_id"},
	{Name: "a result by the assistant", Body: `{"model":"m","max_tokens":1,"messages":[{"role":"assistant","content":[{"type":"tool_result","tool_use_id":"t"}]}]}`, Pointer: "/messages/0/content/0"},
	{Name: "a call by the user", Body: `{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"tool_use","id":"t","name":"f","input":{}}]}]}`, Pointer: "/messages/0/content/0"},
	{Name: "a call without id", Body: `{"model":"m","max_tokens":1,"messages":[{"role":"assistant","content":[{"type":"tool_use","name":"f","input":{}}]}]}`, Pointer: "/messages/0/content/0/id"},
	{Name: "a call whose input is text", Body: `{"model":"m","max_tokens":1,"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"f","input":"{}"}]}]}`, Pointer: "/messages/0/content/0/input"},
	{Name: "thinking without signature", Body: `{"model":"m","max_tokens":1,"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"x"}]}]}`, Pointer: "/messages/0/content/0/signature"},
	{Name: "a cache mark of another kind", Body: `{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"text","text":"x","cache_control":{"type":"forever"}}]}]}`, Pointer: "/messages/0/content/0/cache_control/type"},
	{Name: "a cache mark for a day", Body: `{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"text","text":"x","cache_control":{"type":"ephemeral","ttl":"24h"}}]}]}`, Pointer: "/messages/0/content/0/cache_control/ttl"},
	{Name: "system is a number", Body: `{"model":"m","max_tokens":1,"system":1,"messages":[{"role":"user","content":"x"}]}`, Pointer: "/system"},
	{Name: "system holds an image", Body: `{"model":"m","max_tokens":1,"system":[{"type":"image"}],"messages":[{"role":"user","content":"x"}]}`, Pointer: "/system/0/type"},
	{Name: "tools are an object", Body: `{"model":"m","max_tokens":1,"tools":{},"messages":[{"role":"user","content":"x"}]}`, Pointer: "/tools"},
	{Name: "a tool without name", Body: `{"model":"m","max_tokens":1,"tools":[{"input_schema":{}}],"messages":[{"role":"user","content":"x"}]}`, Pointer: "/tools/0/name"},
	{Name: "a tool without schema", Body: `{"model":"m","max_tokens":1,"tools":[{"name":"f"}],"messages":[{"role":"user","content":"x"}]}`, Pointer: "/tools/0/input_schema"},
	{Name: "a choice in one word", Body: `{"model":"m","max_tokens":1,"tool_choice":"auto","messages":[{"role":"user","content":"x"}]}`, Pointer: "/tool_choice"},
	{Name: "a choice of OpenAI", Body: `{"model":"m","max_tokens":1,"tool_choice":{"type":"function"},"messages":[{"role":"user","content":"x"}]}`, Pointer: "/tool_choice/type"},
	{Name: "a choice of no tool", Body: `{"model":"m","max_tokens":1,"tool_choice":{"type":"tool"},"messages":[{"role":"user","content":"x"}]}`, Pointer: "/tool_choice/name"},
	{Name: "thinking without budget", Body: `{"model":"m","max_tokens":1,"thinking":{"type":"enabled"},"messages":[{"role":"user","content":"x"}]}`, Pointer: "/thinking/budget_tokens"},
	{Name: "thinking too short", Body: `{"model":"m","max_tokens":1,"thinking":{"type":"enabled","budget_tokens":10},"messages":[{"role":"user","content":"x"}]}`, Pointer: "/thinking/budget_tokens"},
	{Name: "an unknown effort", Body: `{"model":"m","max_tokens":1,"output_config":{"effort":"huge"},"messages":[{"role":"user","content":"x"}]}`, Pointer: "/output_config/effort"},
	{Name: "a format without schema", Body: `{"model":"m","max_tokens":1,"output_config":{"format":{"type":"json_schema"}},"messages":[{"role":"user","content":"x"}]}`, Pointer: "/output_config/format/schema"},
	{Name: "too hot", Body: `{"model":"m","max_tokens":1,"temperature":1.5,"messages":[{"role":"user","content":"x"}]}`, Pointer: "/temperature"},
	{Name: "a stop that is no list", Body: `{"model":"m","max_tokens":1,"stop_sequences":"END","messages":[{"role":"user","content":"x"}]}`, Pointer: "/stop_sequences"},
	{Name: "a stop that is no string", Body: `{"model":"m","max_tokens":1,"stop_sequences":["a",1],"messages":[{"role":"user","content":"x"}]}`, Pointer: "/stop_sequences/1"},
	{Name: "metadata in words", Body: `{"model":"m","max_tokens":1,"metadata":"u","messages":[{"role":"user","content":"x"}]}`, Pointer: "/metadata"},
	{Name: "stream in words", Body: `{"model":"m","max_tokens":1,"stream":"yes","messages":[{"role":"user","content":"x"}]}`, Pointer: "/stream"},
}

// target is who the tests write for.
func target(model string) *canon.Target {
	return &canon.Target{Provider: "claude", Vendor: &catalog.Vendor{Kind: "anthropic", Dialect: "anthropic"}, Model: model}
}

func TestCountCrosses(t *testing.T) {
	d := anthropic.New()
	counted := 0
	for _, x := range exchanges(t) {
		if x.Endpoint != "count_tokens" {
			continue
		}
		counted++
		req, err := d.ReadCountRequest(llm.Match{Op: llm.CountTokens}, []byte(x.Request))
		if err != nil {
			t.Fatal(err)
		}
		report := canon.NewReport(req)
		written, err := d.WriteCountRequest(req, target(req.Model), report)
		if err != nil {
			t.Fatal(err)
		}
		if report.Close(); len(report.Entries) > 0 {
			t.Errorf("%s: %v", x.ID, report.Lines())
		}
		if diff := llmtest.Diff(llmtest.Value(t, []byte(x.Request)), llmtest.Value(t, written)); len(diff) > 0 {
			t.Errorf("%s: %v", x.ID, diff)
		}
		tokens, err := d.ReadCount([]byte(x.Body))
		if err != nil || string(d.WriteCount(tokens)) != x.Body {
			t.Errorf("%s: %d, %v", x.ID, tokens, err)
		}
	}
	if counted != 4 {
		t.Errorf("%d requests", counted)
	}
	if _, err := d.ReadCount([]byte(`{"tokens":1}`)); err == nil {
		t.Error("a count without input_tokens is read")
	}
}

func FuzzCodec(f *testing.F) {
	seeds := []string{madeRequests[0].Body, madeAnswers[0].Body}
	for _, m := range malformed[:12] {
		seeds = append(seeds, m.Body)
	}
	for _, x := range llmtest.Lines[llmtest.Exchange](f, "testdata/recorded.jsonl") {
		if len(x.Body) < 6000 && len(x.Request) < 3000 {
			seeds = append(seeds, x.Body, x.Request)
		}
	}
	llmtest.FuzzCodec(f, anthropic.New(), llm.Match{Op: llm.Chat}, target("claude-sonnet-4-5"), "", seeds...)
}
