package openai_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"causeway/internal/catalog"
	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/llmtest"
	"causeway/internal/llm/openai"
)

// everything is a vendor that takes all that chat completions and their vendors have.
var everything = &catalog.Vendor{Kind: "everything", Quirks: catalog.Quirks{
	MaxTokens: "max_completion_tokens", Developer: true, ThinkingIn: "reasoning_content",
	Has: []string{
		"top_k", "min_p", "top_a", "repetition_penalty", "cache_control", "custom_tools", "allowed_tools", "reasoning_details", "extra_content",
		"web_search_options", "video_url",
	},
}}

// full is a request with all that the API's description has, made after it.
const full = `{"model":"gpt-5","messages":[
{"role":"system","content":"Be brief."},
{"role":"developer","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}],"name":"ops"},
{"role":"user","name":"eve","content":[
 {"type":"text","text":"Look: \u00e9\n"},
 {"type":"image_url","image_url":{"url":"https://example.com/a.png","detail":"low"}},
 {"type":"image_url","image_url":{"url":"data:image/jpeg;base64,AAAA"}},
 {"type":"input_audio","input_audio":{"data":"UklG","format":"wav"}},
 {"type":"input_audio","input_audio":{"data":"SUQz","format":"mp3"}},
 {"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,JVBE"}},
 {"type":"file","file":{"file_id":"file-1"}},
 {"type":"video_url","video_url":{"url":"https://example.com/a.mp4"}},
 {"type":"something_new","x":{"y":1}}]},
{"role":"assistant","content":[{"type":"text","text":"one"},{"type":"refusal","refusal":"not that"}],"audio":{"id":"audio_1"}},
{"role":"assistant","content":null,"reasoning_content":"hm","tool_calls":[
 {"id":"call_1","type":"function","function":{"name":"add","arguments":"{\"a\": 1}"}},
 {"id":"call_2","type":"custom","custom":{"name":"shell","input":"ls"}}]},
{"role":"tool","tool_call_id":"call_1","content":"3"},
{"role":"tool","tool_call_id":"call_2","content":[{"type":"text","text":"x"},{"type":"text","text":"y"}]},
{"role":"assistant","content":"","refusal":"no"},
{"role":"user","content":"go on"}],
"max_completion_tokens":100,"temperature":0.5,"top_p":0.9,"top_k":40,"min_p":0.1,"top_a":0.2,"frequency_penalty":0.1,"presence_penalty":-0.1,"repetition_penalty":1.1,
"seed":7,"stop":["a","b"],"n":2,"logprobs":true,"top_logprobs":3,"logit_bias":{"50256":-100},"user":"u1","metadata":{"k":"v"},"service_tier":"flex","store":true,
"verbosity":"low","modalities":["text","audio"],"audio":{"voice":"alloy","format":"wav"},"prediction":{"type":"content","content":"x"},"prompt_cache_key":"k","prompt_cache_retention":"24h",
"prompt_cache_options":{"mode":"implicit"},"web_search_options":{"search_context_size":"low"},"safety_identifier":"s","moderation":{"model":"omni-moderation-latest"},
"reasoning_effort":"high","parallel_tool_calls":false,
"tools":[{"type":"function","function":{"name":"add","description":"Adds.","parameters":{"type":"object","properties":{"a":{"type":"integer"}}},"strict":true}},
{"type":"custom","custom":{"name":"shell","description":"Runs.","format":{"type":"grammar","grammar":{"definition":"x","syntax":"lark"}}}},
{"type":"web_search","filters":{}}],
"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[{"type":"function","function":{"name":"add"}},{"type":"custom","custom":{"name":"shell"}}]}},
"response_format":{"type":"json_schema","json_schema":{"name":"out","description":"d","schema":{"type":"object"},"strict":true}},
"stream":true,"stream_options":{"include_usage":true,"include_obfuscation":false},"something_new":{"a":[1]}}`

// TestEverythingOfTheAPI reads and writes again what recorded callers did not use, and holds malformed bodies
// to the place of their fault.
func TestEverythingOfTheAPI(t *testing.T) {
	llmtest.RunCodec(t, llmtest.CodecSuite{
		Dialect: openai.New(), Op: llm.Chat, Vendor: everything, Normalize: normalChat, NormalizeAnswer: normalChatAnswer,
		CodecRequests: []llmtest.CodecRequest{
			{Name: "all", Body: full, Differ: []string{
				"-/stream_options/include_obfuscation",
				"~/messages/3/content", "+/messages/3/refusal", // a refusal among the parts is the message's refusal
			}},
			{Name: "the minimum", Body: `{"model":"m","messages":[{"role":"user","content":""}]}`},
			{Name: "one stop, old names", Body: `{"model":"m","messages":[{"role":"user","content":"x"}],"stop":"\n","max_tokens":5}`},
			{Name: "functions", Body: `{"model":"m","messages":[{"role":"user","content":"x"},{"role":"assistant","content":null,"function_call":{"name":"f","arguments":"{}"}},
{"role":"function","name":"f","content":"1"}],"functions":[{"name":"f","parameters":{"type":"object"}}],"function_call":{"name":"f"}}`, Differ: []string{
				"-/functions", "+/tools", "-/function_call", "+/tool_choice", "-/messages/1/function_call", "+/messages/1/tool_calls", "~/messages/2/role", "+/messages/2/tool_call_id",
			}},
			{Name: "no tool", Body: `{"model":"m","messages":[{"role":"user","content":"x"}],"tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"none","response_format":{"type":"json_object"}}`},
			{Name: "a tool", Body: `{"model":"m","messages":[{"role":"user","content":"x"}],"tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":{"type":"function","function":{"name":"f"}}}`},
			{Name: "any tool", Body: `{"model":"m","messages":[{"role":"user","content":"x"}],"tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"required"}`},
			{Name: "thinking with its proof", Body: `{"model":"m","messages":[{"role":"user","content":"x"},{"role":"assistant","content":"y","reasoning_content":"ab","reasoning_details":[
{"type":"reasoning.text","text":"ab","signature":"SIG","format":"anthropic-claude-v1","index":0},{"type":"reasoning.encrypted","data":"RED","format":"anthropic-claude-v1","index":1}]}]}`},
			{Name: "what nobody knows", Body: `{"model":"m","messages":[{"role":"user","content":"x","odd":1}],"response_format":{"type":"grammar","grammar":"g"}}`, Report: []string{
				"messages.0.odd;dropped", "response_format.type;dropped", "response_format.grammar;dropped",
			}, Differ: []string{"-/messages/0/odd", "-/response_format"}},
		},
		CodecAnswers: []llmtest.CodecAnswer{
			{Name: "all", Body: `{"id":"c","object":"chat.completion","created":5,"model":"m","choices":[
{"index":0,"message":{"role":"assistant","content":"Hi","refusal":null,"annotations":[{"type":"url_citation","url_citation":{"start_index":0,"end_index":2,"url":"https://e","title":"T"}}],
 "tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}},{"id":"b","type":"custom","custom":{"name":"g","input":"ls"}}]},
 "logprobs":{"content":[{"token":"Hi","logprob":-0.1,"bytes":[72,105],"top_logprobs":[{"token":"Hi","logprob":-0.1,"bytes":[72,105]}]}],"refusal":null},"finish_reason":"tool_calls"},
{"index":1,"message":{"role":"assistant","content":null,"refusal":"No."},"logprobs":null,"finish_reason":"content_filter"},
{"index":2,"message":{"role":"assistant","content":null,"refusal":null,"audio":{"id":"au","expires_at":9,"data":"AAA=","transcript":"hey"}},"logprobs":null,"finish_reason":"length"}],
"usage":{"prompt_tokens":10,"completion_tokens":20,"total_tokens":30,"prompt_tokens_details":{"cached_tokens":1,"cache_write_tokens":2,"audio_tokens":3,"image_tokens":4},
"completion_tokens_details":{"reasoning_tokens":5,"audio_tokens":6,"image_tokens":7,"accepted_prediction_tokens":8,"rejected_prediction_tokens":9}},
"service_tier":"default","system_fingerprint":"fp"}`},
			{Name: "a picture", Body: `{"id":"c","object":"chat.completion","created":5,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"x","images":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]},"finish_reason":"stop"}]}`},
			{Name: "what nobody knows", Body: `{"id":"c","object":"chat.completion","created":5,"model":"m","odd":1,"choices":[{"index":0,"message":{"role":"assistant","content":"x","more":"y"},"finish_reason":"stop"}]}`, Report: []string{"odd;lost", "choices.0.message.more;lost"}, Differ: []string{"-/odd", "-/choices/0/message/more"}},
		},
		CodecStreams: wild(),
		Malformed:    malformedChats,
	})
}

// malformedChats are bodies that no provider would take, and the place of what is wrong.
var malformedChats = []llmtest.Malformed{
	{Name: "no JSON", Body: `{"model":`, Pointer: ""},
	{Name: "a list", Body: `[]`, Pointer: ""},
	{Name: "no model", Body: `{"messages":[{"role":"user","content":"x"}]}`, Pointer: "/model"},
	{Name: "an empty model", Body: `{"model":"","messages":[]}`, Pointer: "/model"},
	{Name: "a model that is a number", Body: `{"model":1,"messages":[]}`, Pointer: "/model"},
	{Name: "two models", Body: `{"model":"a","model":"b","messages":[]}`, Pointer: "/model"},
	{Name: "no messages", Body: `{"model":"m"}`, Pointer: "/messages"},
	{Name: "messages that are text", Body: `{"model":"m","messages":"hi"}`, Pointer: "/messages"},
	{Name: "no message", Body: `{"model":"m","messages":[]}`, Pointer: "/messages"},
	{Name: "a message that is text", Body: `{"model":"m","messages":["hi"]}`, Pointer: "/messages/0"},
	{Name: "no role", Body: `{"model":"m","messages":[{"content":"x"}]}`, Pointer: "/messages/0/role"},
	{Name: "an unknown role", Body: `{"model":"m","messages":[{"role":"human","content":"x"}]}`, Pointer: "/messages/0/role"},
	{Name: "no content", Body: `{"model":"m","messages":[{"role":"user"}]}`, Pointer: "/messages/0/content"},
	{Name: "content that is a number", Body: `{"model":"m","messages":[{"role":"user","content":5}]}`, Pointer: "/messages/0/content"},
	{Name: "a part that is text", Body: `{"model":"m","messages":[{"role":"user","content":["x"]}]}`, Pointer: "/messages/0/content/0"},
	{Name: "a part without type", Body: `{"model":"m","messages":[{"role":"user","content":[{"text":"x"}]}]}`, Pointer: "/messages/0/content/0/type"},
	{Name: "a text part without text", Body: `{"model":"m","messages":[{"role":"user","content":[{"type":"text"}]}]}`, Pointer: "/messages/0/content/0/text"},
	{Name: "an image without URL", Body: `{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{}}]}]}`, Pointer: "/messages/0/content/0/image_url/url"},
	{Name: "an image that is no data", Body: `{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png,x"}}]}]}`, Pointer: "/messages/0/content/0/image_url/url"},
	{Name: "an image that is a number", Body: `{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":1}]}]}`, Pointer: "/messages/0/content/0/image_url"},
	{Name: "audio without data", Body: `{"model":"m","messages":[{"role":"user","content":[{"type":"input_audio","input_audio":{"format":"wav"}}]}]}`, Pointer: "/messages/0/content/0/input_audio/data"},
	{Name: "a file without anything", Body: `{"model":"m","messages":[{"role":"user","content":[{"type":"file","file":{"filename":"a"}}]}]}`, Pointer: "/messages/0/content/0/file/file_data"},
	{Name: "a result without id", Body: `{"model":"m","messages":[{"role":"tool","content":"x"}]}`, Pointer: "/messages/0/tool_call_id"},
	{Name: "a result without content", Body: `{"model":"m","messages":[{"role":"tool","tool_call_id":"a"}]}`, Pointer: "/messages/0/content"},
	{Name: "a call without id", Body: `{"model":"m","messages":[{"role":"assistant","tool_calls":[{"type":"function","function":{"name":"f","arguments":"{}"}}]}]}`, Pointer: "/messages/0/tool_calls/0/id"},
	{Name: "a call without name", Body: `{"model":"m","messages":[{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"arguments":"{}"}}]}]}`, Pointer: "/messages/0/tool_calls/0/function/name"},
	{Name: "a call of nothing", Body: `{"model":"m","messages":[{"role":"assistant","tool_calls":[{"id":"a","type":"function"}]}]}`, Pointer: "/messages/0/tool_calls/0/function"},
	{Name: "a call of another type", Body: `{"model":"m","messages":[{"role":"assistant","tool_calls":[{"id":"a","type":"magic"}]}]}`, Pointer: "/messages/0/tool_calls/0/type"},
	{Name: "calls that are one", Body: `{"model":"m","messages":[{"role":"assistant","tool_calls":{}}]}`, Pointer: "/messages/0/tool_calls"},
	{Name: "arguments that are a number", Body: `{"model":"m","messages":[{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":1}}]}]}`, Pointer: "/messages/0/tool_calls/0/function/arguments"},
	{Name: "tools that are one", Body: chat(`"tools":{}`), Pointer: "/tools"},
	{Name: "a tool without function", Body: chat(`"tools":[{"type":"function"}]`), Pointer: "/tools/0/function"},
	{Name: "a tool without name", Body: chat(`"tools":[{"type":"function","function":{}}]`), Pointer: "/tools/0/function/name"},
	{Name: "a schema that is text", Body: chat(`"tools":[{"type":"function","function":{"name":"f","parameters":"x"}}]`), Pointer: "/tools/0/function/parameters"},
	{Name: "an unknown choice", Body: chat(`"tool_choice":"maybe"`), Pointer: "/tool_choice"},
	{Name: "a choice without name", Body: chat(`"tool_choice":{"type":"function","function":{}}`), Pointer: "/tool_choice/function/name"},
	{Name: "a choice of an unknown type", Body: chat(`"tool_choice":{"type":"x"}`), Pointer: "/tool_choice/type"},
	{Name: "a temperature that is text", Body: chat(`"temperature":"hot"`), Pointer: "/temperature"},
	{Name: "a length that is broken", Body: chat(`"max_tokens":1.5`), Pointer: "/max_tokens"},
	{Name: "a stop that is a number", Body: chat(`"stop":1`), Pointer: "/stop"},
	{Name: "stops that are numbers", Body: chat(`"stop":["a",1]`), Pointer: "/stop/1"},
	{Name: "a stream that is text", Body: chat(`"stream":"yes"`), Pointer: "/stream"},
	{Name: "stream options that are a list", Body: chat(`"stream_options":[]`), Pointer: "/stream_options"},
	{Name: "a bias that is a list", Body: chat(`"logit_bias":[]`), Pointer: "/logit_bias"},
	{Name: "a format that is text", Body: chat(`"response_format":"json"`), Pointer: "/response_format"},
	{Name: "a format without type", Body: chat(`"response_format":{}`), Pointer: "/response_format/type"},
	{Name: "a format without schema", Body: chat(`"response_format":{"type":"json_schema"}`), Pointer: "/response_format/json_schema"},
	{Name: "a schema that is a list", Body: chat(`"response_format":{"type":"json_schema","json_schema":{"name":"x","schema":[]}}`), Pointer: "/response_format/json_schema/schema"},
	{Name: "metadata that is text", Body: chat(`"metadata":"x"`), Pointer: "/metadata"},
	{Name: "an effort that is a number", Body: chat(`"reasoning_effort":3`), Pointer: "/reasoning_effort"},
	{Name: "a flag that is a number", Body: chat(`"parallel_tool_calls":1`), Pointer: "/parallel_tool_calls"},
}

// chat is a small request with more members.
func chat(members string) string {
	return `{"model":"m","messages":[{"role":"user","content":"x"}],` + members + `}`
}

// sse frames chunks of a chat completion; each is what stands in its first choice, or a whole chunk.
func sse(chunks ...string) string {
	var b strings.Builder
	for _, c := range chunks {
		if !strings.HasPrefix(c, `{"id"`) {
			c = `{"id":"c","object":"chat.completion.chunk","created":5,"model":"m","choices":[` + c + `]}`
		}
		b.WriteString("data: " + strings.ReplaceAll(c, "\n", "") + "\n\n")
	}
	return b.String() + "data: [DONE]\n\n"
}

// wild are streams in the ways of vendors, made after their recordings and issues.
func wild() []llmtest.CodecStream {
	const (
		role   = `{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}`
		stop   = `{"index":0,"delta":{},"finish_reason":"stop"}`
		called = `{"index":0,"delta":{},"finish_reason":"tool_calls"}`
	)
	whole := func(message, finish string) string {
		return `{"id":"c","object":"chat.completion","created":5,"model":"m","choices":[{"index":0,"message":` + message + `,"finish_reason":"` + finish + `"}]}`
	}
	two := whole(`{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\":\"}\"}"}},{"id":"b","type":"function","function":{"name":"g","arguments":"{}"}}]}`, "tool_calls")
	return []llmtest.CodecStream{
		{
			Name:  "in pieces",
			Body:  sse(role, `{"index":0,"delta":{"content":"He"}}`, `{"index":0,"delta":{"content":"y"}}`, stop),
			Whole: whole(`{"role":"assistant","content":"Hey"}`, "stop"),
		}, {
			Name: "calls one after the other",
			Body: sse(role, `{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}]}}`,
				`{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"x\":"}}]}}`, `{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"\"}\"}"}}]}}`,
				`{"index":0,"delta":{"tool_calls":[{"index":1,"id":"b","type":"function","function":{"name":"g","arguments":"{}"}}]}}`, called),
			Whole: two,
		}, {
			Name: "calls mixed",
			Body: sse(role, `{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\":"}},{"index":1,"id":"b","type":"function","function":{"name":"g","arguments":"{"}}]}}`,
				`{"index":0,"delta":{"tool_calls":[{"index":1,"function":{"arguments":"}"}},{"index":0,"function":{"arguments":"\"}\"}"}}]}}`, called),
			Whole: two,
		}, {
			Name:  "calls whole, each at index 0",
			Body:  sse(`{"index":0,"delta":{"role":"assistant","tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\":\"}\"}"}},{"index":0,"id":"b","function":{"name":"g","arguments":"{}"}}]}}`, called),
			Whole: two,
		}, {
			Name:  "calls without index",
			Body:  sse(`{"index":0,"delta":{"tool_calls":[{"id":"a","function":{"name":"f","arguments":"{\"x\":"}}]}}`, `{"index":0,"delta":{"tool_calls":[{"function":{"arguments":"\"}\"}"}}]}}`, `{"index":0,"delta":{"tool_calls":[{"id":"b","function":{"name":"g","arguments":{}}}]}}`, called),
			Whole: two,
		}, {
			Name:  "arguments before the name",
			Body:  sse(`{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","function":{"arguments":"{\"x\":"}}]}}`, `{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"name":"f","arguments":"\"}\"}"}}]}}`, `{"index":0,"delta":{"tool_calls":[{"index":1,"id":"b","function":{"name":"g","arguments":"{}"}}]}}`, called),
			Whole: two,
		}, {
			Name: "thinking, then text, with a role in every chunk and usage in the last with content",
			Body: sse(`{"index":0,"delta":{"role":"assistant","reasoning_content":"h"}}`, `{"index":0,"delta":{"role":"assistant","reasoning_content":"m","content":""}}`, `{"index":0,"delta":{"role":"assistant","content":"a"}}`,
				`{"id":"c","object":"chat.completion.chunk","created":5,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"b"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}`),
			Whole: `{"id":"c","object":"chat.completion","created":5,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"ab","reasoning_content":"hm"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}`,
		}, {
			Name: "text after the calls, and empty choices",
			Body: sse(`{"id":"","choices":[],"prompt_filter_results":[]}`, `{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}]}}`, `{"index":0,"delta":{"content":"t"}}`, called,
				`{"id":"c","object":"chat.completion.chunk","created":5,"model":"m","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}`),
		}, {
			Name: "two choices, refusal, logprobs and sources",
			Body: sse(`{"index":0,"delta":{"content":"a"},"logprobs":{"content":[{"token":"a","logprob":-1,"bytes":[97],"top_logprobs":[]}],"refusal":null}}`, `{"index":1,"delta":{"refusal":"no"}}`,
				`{"index":0,"delta":{"annotations":[{"type":"url_citation","url_citation":{"start_index":0,"end_index":1,"url":"https://e","title":"T"}}]}}`, stop, `{"index":1,"delta":{},"finish_reason":"content_filter"}`),
		}, {
			Name: "audio and a picture",
			Body: sse(`{"index":0,"delta":{"audio":{"id":"au","transcript":"he"}}}`, `{"index":0,"delta":{"audio":{"data":"AAAA"}}}`, `{"index":0,"delta":{"audio":{"transcript":"y","expires_at":9}}}`,
				`{"index":0,"delta":{"images":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]}}`, stop),
		}, {
			Name: "custom tools",
			Body: sse(`{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","type":"custom","custom":{"name":"sh","input":"l"}}]}}`, `{"index":0,"delta":{"tool_calls":[{"index":0,"custom":{"input":"s {"}}]}}`, called),
		}, {
			Name: "proofs",
			Body: sse(`{"index":0,"delta":{"reasoning":"a","reasoning_details":[{"type":"reasoning.text","text":"a","format":"anthropic-claude-v1","index":0}]}}`,
				`{"index":0,"delta":{"reasoning_details":[{"type":"reasoning.text","signature":"SIG","format":"anthropic-claude-v1","index":0}]}}`,
				`{"index":0,"delta":{"reasoning_details":[{"type":"reasoning.encrypted","data":"RED","format":"anthropic-claude-v1","index":1}]}}`,
				`{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{}"},"extra_content":{"google":{"thought_signature":"G"}}}]}}`, called),
			Whole: whole(`{"role":"assistant","content":null,"reasoning_details":[{"type":"reasoning.text","text":"a","signature":"SIG","format":"anthropic-claude-v1","index":0},{"type":"reasoning.encrypted","data":"RED","format":"anthropic-claude-v1","index":1}],
"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"},"extra_content":{"google":{"thought_signature":"G"}}}]}`, "tool_calls"),
		}, {
			Name: "a stop word", Body: sse(`{"index":0,"delta":{"content":"a"}}`, `{"index":0,"delta":{},"finish_reason":"stop","stop_reason":"END"}`),
		}, {
			Name: "without [DONE]", Body: strings.TrimSuffix(sse(`{"index":0,"delta":{"content":"a"}}`, stop), "data: [DONE]\n\n"),
		},
	}
}

func written(t *testing.T, codec canon.Codec, op llm.Operation, body string, to *canon.Target) (map[string]any, *canon.Report) {
	t.Helper()
	req, err := codec.ReadRequest(llm.Match{Op: op}, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	r := canon.NewReport(req)
	out, err := openai.New().Codec(llm.Chat).WriteRequest(req, to, r)
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	var v map[string]any
	if err := json.Unmarshal(out, &v); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return v, r
}

func js(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

// TestQuirks shows what becomes of a request at vendors that differ from OpenAI.
func TestQuirks(t *testing.T) {
	fetch := func(url string) (string, string, error) {
		if strings.Contains(url, "bad") {
			return "", "", errors.New("404 Not Found")
		}
		return "image/png", "UE5H", nil
	}
	const image = `{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"x"},{"type":"image_url","image_url":{"url":"https://e/IMG"}}]}]}`
	const schema = `{"model":"m","messages":[{"role":"user","content":"x"}],"response_format":{"type":"json_schema","json_schema":{"name":"o","schema":{"type":"object"}}}}`
	for _, c := range []struct {
		name   string
		quirks catalog.Quirks
		body   string
		path   string // in what was written
		want   string // its JSON; "null" for what is not there
		report string
	}{
		{"max_tokens is the older name", catalog.Quirks{}, chat(`"max_completion_tokens":5`), "/max_tokens", "5", ""},
		{"and the newer one", catalog.Quirks{MaxTokens: "max_completion_tokens"}, chat(`"max_tokens":5`), "/max_completion_tokens", "5", ""},
		{"developer is system", catalog.Quirks{}, `{"model":"m","messages":[{"role":"developer","content":"x"}]}`, "/messages/0/role", `"system"`, ""},
		{"developer", catalog.Quirks{Developer: true}, `{"model":"m","messages":[{"role":"developer","content":"x"}]}`, "/messages/0/role", `"developer"`, ""},
		{"refused", catalog.Quirks{Refuses: []string{"n", "logit_bias"}}, chat(`"n":3,"logit_bias":{"1":1}`), "/n", "null", "n;dropped, logit_bias;dropped"},
		{"refused, but it is so anyway", catalog.Quirks{Refuses: []string{"n"}}, chat(`"n":1`), "/n", "null", ""},
		{"renamed", catalog.Quirks{Renames: map[string]string{"seed": "random_seed"}}, chat(`"seed":3`), "/random_seed", "3", ""},
		{"usage is asked for", catalog.Quirks{}, chat(`"stream":true`), "/stream_options", `{"include_usage":true}`, ""},
		{"usage comes always", catalog.Quirks{UsageAlways: true}, chat(`"stream":true,"stream_options":{"include_usage":true}`), "/stream_options", "null", ""},
		{"any tool", catalog.Quirks{AnyTool: "any"}, chat(`"tool_choice":"required","tools":[{"type":"function","function":{"name":"f"}}]`), "/tool_choice", `"any"`, ""},
		{"no schemas", catalog.Quirks{NoSchema: true}, schema, "/response_format", `{"type":"json_object"}`, "response_format;approximated"},
		{"no schemas: an instruction", catalog.Quirks{NoSchema: true}, schema, "/messages/0/content", `"Answer with nothing but JSON that is valid under this JSON Schema:\n{\"type\":\"object\"}"`, "response_format;approximated"},
		{"effort", catalog.Quirks{}, chat(`"reasoning_effort":"low"`), "/reasoning_effort", `"low"`, ""},
		{"effort of a budget", catalog.Quirks{}, chat(`"thinking":{"type":"enabled","budget_tokens":2048}`), "/reasoning_effort", `"low"`, "thinking.budget_tokens;approximated"},
		{"thinking off", catalog.Quirks{ThinkingSwitch: "thinking"}, chat(`"reasoning_effort":"none"`), "/thinking", `{"type":"disabled"}`, ""},
		{"thinking on", catalog.Quirks{ThinkingSwitch: "thinking"}, chat(`"reasoning_effort":"high"`), "/thinking", `{"type":"enabled"}`, "reasoning_effort;approximated"},
		{"thinking by flag and budget", catalog.Quirks{ThinkingSwitch: "enable_thinking", Has: []string{"thinking_budget"}}, chat(`"reasoning":{"max_tokens":500}`), "/thinking_budget", "500", ""},
		{"thinking by object", catalog.Quirks{ThinkingSwitch: "reasoning"}, chat(`"reasoning_effort":"high"`), "/reasoning", `{"effort":"high"}`, ""},
		{"thinking that is not shown", catalog.Quirks{ThinkingSwitch: "reasoning"}, chat(`"reasoning":{"effort":"high","exclude":true}`), "/reasoning", `{"effort":"high","exclude":true}`, ""},
		{"thinking that will be shown", catalog.Quirks{}, chat(`"reasoning":{"effort":"high","exclude":true}`), "/reasoning_effort", `"high"`, "reasoning.exclude;dropped"},
		{"no thinking", catalog.Quirks{ThinkingSwitch: "none"}, chat(`"reasoning_effort":"high"`), "/reasoning_effort", "null", "reasoning_effort;dropped"},
		{"a member that only some have", catalog.Quirks{Has: []string{"repeat_penalty"}}, chat(`"repetition_penalty":1.1`), "/repeat_penalty", "1.1", ""},
		{"images inline", catalog.Quirks{NoImageURL: true}, image, "/messages/0/content/1/image_url/url", `"data:image/png;base64,UE5H"`, "messages.0.content.1;emulated"},
		{"images inline, one that is not there", catalog.Quirks{NoImageURL: true}, strings.ReplaceAll(image, "IMG", "bad"), "/messages/0/content/1", "null", "messages.0.content.1;dropped"},
		{"text only", catalog.Quirks{Text: true}, image, "/messages/0/content", `"x"`, "messages.0.content.1;dropped"},
		{"no tools", catalog.Quirks{Refuses: []string{"tools"}}, chat(`"tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"required"`), "/tools", "null", "tools.0;dropped, tool_choice;dropped"},
		{"short ids", catalog.Quirks{ShortCallIDs: true}, `{"model":"m","messages":[{"role":"assistant","tool_calls":[{"id":"abc123XYZ","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"abc123XYZ","content":"1"}]}`, "/messages/1/tool_call_id", `"abc123XYZ"`, ""},
		{"thinking back", catalog.Quirks{ThinkingIn: "reasoning"}, `{"model":"m","messages":[{"role":"assistant","content":"x","reasoning_content":"y"}]}`, "/messages/0/reasoning", `"y"`, ""},
		{"thinking as a part", catalog.Quirks{ThinkingIn: "content"}, `{"model":"m","messages":[{"role":"assistant","content":"x","reasoning_content":"y"}]}`, "/messages/0/content", `[{"thinking":[{"text":"y","type":"text"}],"type":"thinking"},{"text":"x","type":"text"}]`, ""},
		{"no thinking back", catalog.Quirks{}, `{"model":"m","messages":[{"role":"assistant","content":"x","reasoning_content":"y"}]}`, "/messages/0", `{"content":"x","role":"assistant"}`, "messages.0.reasoning_content;dropped"},
		{"its own cache", catalog.Quirks{}, `{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"x","cache_control":{"type":"ephemeral"}}]}]}`, "/messages/0/content", `"x"`, "messages.0.content.0.cache_control;approximated"},
	} {
		t.Run(c.name, func(t *testing.T) {
			v, r := written(t, openai.New().Codec(llm.Chat), llm.Chat, c.body, &canon.Target{Model: "m", Vendor: &catalog.Vendor{Quirks: c.quirks}, Fetch: fetch})
			if got := js(llmtest.Find(v, c.path)); got != c.want {
				t.Errorf("%s is %s, want %s\n%s", c.path, got, c.want, js(v))
			}
			var report []string
			for _, e := range r.Entries {
				report = append(report, e.Field+";"+e.Loss.String())
			}
			if got := strings.Join(report, ", "); got != c.report {
				t.Errorf("the report tells %q, want %q", got, c.report)
			}
		})
	}
}

// other is a request as a caller of another dialect makes it, for what only such callers have.
func other(messages []canon.Message, change func(*canon.Request)) *canon.Request {
	req := &canon.Request{Dialect: "anthropic", Op: llm.Chat, Model: "m", Messages: messages}
	if change != nil {
		change(req)
	}
	return req
}

func text(s string) canon.Part { return canon.Part{Kind: canon.Text, Text: s} }

// TestWhatOtherDialectsHave shows how it is put to a vendor of this one.
func TestWhatOtherDialectsHave(t *testing.T) {
	call := func(id, name, args string) canon.Part {
		return canon.Part{Kind: canon.ToolCall, Call: &canon.Call{ID: id, Name: name, Args: args}}
	}
	user := canon.Message{Role: canon.User, Parts: []canon.Part{text("x")}}
	fetch := func(string) (string, string, error) { return "audio/mpeg", "UE5H", nil }
	long := "toolu_" + strings.Repeat("x", 60)
	for _, c := range []struct {
		name, path, want string
		req              *canon.Request
		quirks           catalog.Quirks
	}{
		{"calls without ids", "/messages/0/tool_calls/1/id", `"call00002"`, other([]canon.Message{
			{Role: canon.Assistant, Parts: []canon.Part{call("", "f", ""), call("", "g", "{}")}},
		}, nil), catalog.Quirks{}},
		{"their results, by name", "/messages/1/tool_call_id", `"call00002"`, other([]canon.Message{
			{Role: canon.Assistant, Parts: []canon.Part{call("", "f", ""), call("", "g", "{}")}},
			{Role: canon.ToolRole, Parts: []canon.Part{{Kind: canon.ToolResult, Result: &canon.Result{Name: "g", JSON: []byte(`{"r":1}`)}}}},
		}, nil), catalog.Quirks{}},
		{"a result that is an object", "/messages/0/content", `"{\"r\":1}"`, other([]canon.Message{
			{Role: canon.ToolRole, Parts: []canon.Part{{Kind: canon.ToolResult, Result: &canon.Result{ID: "a", JSON: []byte(`{"r":1}`)}}}},
		}, nil), catalog.Quirks{}},
		{"a picture as a result follows", "/messages/2/content/0/image_url/url", `"data:image/png;base64,AA=="`, other([]canon.Message{
			{Role: canon.ToolRole, Parts: []canon.Part{{Kind: canon.ToolResult, Result: &canon.Result{ID: "a", Parts: []canon.Part{text("see"), {Kind: canon.Image, Media: &canon.Media{Data: "AA=="}}}}}}},
			{Role: canon.ToolRole, Parts: []canon.Part{{Kind: canon.ToolResult, Result: &canon.Result{ID: "b", Parts: []canon.Part{text("ok")}}}}},
			user,
		}, nil), catalog.Quirks{}},
		{"the text of several blocks", "/messages/0/content", `"ab"`, other([]canon.Message{{Role: canon.Assistant, Parts: []canon.Part{text("a"), text("b")}}}, nil), catalog.Quirks{}},
		{"a document that is text", "/messages/0/content/0/text", `"T:\nbody"`, other([]canon.Message{
			{Role: canon.User, Parts: []canon.Part{{Kind: canon.Document, Media: &canon.Media{Text: "body", Name: "T"}}}},
		}, nil), catalog.Quirks{}},
		{"a PDF without name", "/messages/0/content/0/file/filename", `"document.pdf"`, other([]canon.Message{
			{Role: canon.User, Parts: []canon.Part{{Kind: canon.Document, Media: &canon.Media{Data: "AA==", MIME: "application/pdf"}}}},
		}, nil), catalog.Quirks{}},
		{"some of the tools", "/tools", `[{"function":{"name":"g","parameters":{"properties":{},"type":"object"}},"type":"function"}]`, other([]canon.Message{user}, func(r *canon.Request) {
			r.Tools = []canon.Tool{{Name: "f"}, {Name: "g"}}
			r.Choice = canon.ToolChoice{Mode: canon.ToolsAny, Names: []string{"g"}}
		}), catalog.Quirks{}},
		{"a custom tool is a function", "/tools/0/function/parameters/required", `["input"]`, other([]canon.Message{user}, func(r *canon.Request) {
			r.Tools = []canon.Tool{{Name: "sh", Custom: true}}
		}), catalog.Quirks{}},
		{"the web", "/web_search_options", `{}`, other([]canon.Message{user}, func(r *canon.Request) {
			r.Tools = []canon.Tool{{BuiltIn: "web_search_20250305"}}
		}), catalog.Quirks{Has: []string{"web_search_options"}}},
		{"a schema that can be strict is", "/response_format/json_schema/strict", "true", other([]canon.Message{user}, func(r *canon.Request) {
			r.Format = canon.Format{Kind: canon.JSONSchema, Schema: []byte(`{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false}`)}
		}), catalog.Quirks{}},
		{"one that can't be is not", "/response_format/json_schema/strict", "null", other([]canon.Message{user}, func(r *canon.Request) {
			r.Format = canon.Format{Kind: canon.JSONSchema, Schema: []byte(`{"type":"object","properties":{"a":{"type":"string"}}}`)}
		}), catalog.Quirks{}},
		{"a name for the schema", "/response_format/json_schema/name", `"answer"`, other([]canon.Message{user}, func(r *canon.Request) {
			r.Format = canon.Format{Kind: canon.JSONSchema, Schema: []byte(`{"type":"object"}`)}
		}), catalog.Quirks{}},
		{"a picture that the model made follows", "/messages/1/content/0/image_url/url", `"https://e/p.png"`, other([]canon.Message{
			{Role: canon.Assistant, Parts: []canon.Part{text("see"), {Kind: canon.Image, Media: &canon.Media{URL: "https://e/p.png"}}}},
		}, nil), catalog.Quirks{}},
		{"thinking without its proof", "/messages/0/reasoning_content", `"hm"`, other([]canon.Message{
			{Role: canon.Assistant, Parts: []canon.Part{{Kind: canon.Thinking, Text: "hm", Signature: "SIG", SignedBy: "anthropic"}, {Kind: canon.Thinking, Signature: "RED", SignedBy: "anthropic", Redacted: true}}},
		}, nil), catalog.Quirks{ThinkingIn: "reasoning_content"}},
		{"thinking with its proof", "/messages/0/reasoning_details/1/data", `"RED"`, other([]canon.Message{
			{Role: canon.Assistant, Parts: []canon.Part{{Kind: canon.Thinking, Text: "hm", Signature: "SIG", SignedBy: "anthropic"}, {Kind: canon.Thinking, Signature: "RED", SignedBy: "anthropic", Redacted: true}}},
		}, nil), catalog.Quirks{ThinkingIn: "reasoning", Has: []string{"reasoning_details"}}},
		{"a custom tool's call", "/messages/0/tool_calls/0/function/arguments", `"{\"input\":\"ls \\\"x\\\"\"}"`, other([]canon.Message{
			{Role: canon.Assistant, Parts: []canon.Part{{Kind: canon.ToolCall, Call: &canon.Call{ID: "a", Name: "sh", Args: `ls "x"`, Custom: true}}}},
		}, nil), catalog.Quirks{}},
		{"the grammar of a tool of Responses", "/tools/0/custom/format", `{"grammar":{"definition":"d","syntax":"lark"},"type":"grammar"}`, other([]canon.Message{user}, func(r *canon.Request) {
			r.Tools = []canon.Tool{{Name: "sh", Custom: true, Raw: []byte(`{"type":"grammar","syntax":"lark","definition":"d"}`)}}
		}), catalog.Quirks{Has: []string{"custom_tools"}}},
		{"audio at a URL", "/messages/0/content/0/input_audio", `{"data":"UE5H","format":"mp3"}`, other([]canon.Message{
			{Role: canon.User, Parts: []canon.Part{{Kind: canon.Audio, Media: &canon.Media{URL: "https://e/a.mp3"}}}},
		}, nil), catalog.Quirks{}},
		{"text that is a file", "/messages/0/content/0/text", `"a.md:\nHi"`, other([]canon.Message{
			{Role: canon.User, Parts: []canon.Part{{Kind: canon.Document, Media: &canon.Media{Data: "SGk=", MIME: "text/markdown", Name: "a.md"}}}},
		}, nil), catalog.Quirks{}},
		{"a document at a URL", "/messages/0/content/0/file/file_data", `"data:audio/mpeg;base64,UE5H"`, other([]canon.Message{
			{Role: canon.User, Parts: []canon.Part{{Kind: canon.Document, Media: &canon.Media{URL: "https://e/a.pdf"}}}},
		}, nil), catalog.Quirks{}},
		{"one resolution for all", "/messages/0/content/0/image_url/detail", `"low"`, other([]canon.Message{
			{Role: canon.User, Parts: []canon.Part{{Kind: canon.Image, Media: &canon.Media{Data: "AA=="}}}},
		}, func(r *canon.Request) { r.Params[canon.MediaDetail].JSON = []byte(`"MEDIA_RESOLUTION_LOW"`) }), catalog.Quirks{}},
		{"a switch with an effort", "/reasoning_effort", `"medium"`, other([]canon.Message{user}, func(r *canon.Request) {
			r.Reasoning = canon.Reasoning{Said: true, Budget: 8192}
		}), catalog.Quirks{ThinkingSwitch: "thinking", Has: []string{"reasoning_effort"}}},
		{"a flag with a number", "/thinking_budget", "2048", other([]canon.Message{user}, func(r *canon.Request) {
			r.Reasoning = canon.Reasoning{Said: true, Effort: "low"}
		}), catalog.Quirks{ThinkingSwitch: "enable_thinking", Has: []string{"thinking_budget"}}},
		{"an effort beside a budget", "/reasoning_effort", `"low"`, other([]canon.Message{user}, func(r *canon.Request) {
			r.Reasoning = canon.Reasoning{Said: true, Effort: "low", Budget: 9}
		}), catalog.Quirks{}},
		{"as the model likes", "/reasoning_effort", "null", other([]canon.Message{user}, func(r *canon.Request) {
			r.Reasoning = canon.Reasoning{Said: true, Budget: -1}
		}), catalog.Quirks{}},
		{"ids that fit", "/messages/1/tool_call_id", "same", other([]canon.Message{
			{Role: canon.Assistant, Parts: []canon.Part{call(long, "f", "")}},
			{Role: canon.ToolRole, Parts: []canon.Part{{Kind: canon.ToolResult, Result: &canon.Result{ID: long}}}},
		}, nil), catalog.Quirks{}},
		{"ids that fit Mistral", "/messages/1/tool_call_id", "same", other([]canon.Message{
			{Role: canon.Assistant, Parts: []canon.Part{call("toolu_1", "f", "")}},
			{Role: canon.ToolRole, Parts: []canon.Part{{Kind: canon.ToolResult, Result: &canon.Result{ID: "toolu_1"}}}},
		}, nil), catalog.Quirks{ShortCallIDs: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, err := openai.New().Codec(llm.Chat).WriteRequest(c.req, &canon.Target{Model: "m", Vendor: &catalog.Vendor{Quirks: c.quirks}, Fetch: fetch}, canon.NewReport(c.req))
			if err != nil {
				t.Fatal(err)
			}
			var v any
			if err := json.Unmarshal(out, &v); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			got := js(llmtest.Find(v, c.path))
			if c.want == "same" {
				id, _ := llmtest.Find(v, c.path).(string)
				if call := llmtest.Find(v, "/messages/0/tool_calls/0/id"); id == "" || id != call || len(id) > 40 || c.quirks.ShortCallIDs && len(id) != 9 {
					t.Errorf("the call has %v and its result %v", call, id)
				}
			} else if got != c.want {
				t.Errorf("%s is %s, want %s\n%s", c.path, got, c.want, out)
			}
		})
	}
	for _, id := range []canon.ParamID{canon.PreviousID, canon.CachedContent, canon.Conversation, canon.PromptTemplate} {
		req := other([]canon.Message{user}, func(r *canon.Request) { r.Params[id].JSON = []byte(`"kept"`) })
		var unsupported *canon.Unsupported
		if _, err := openai.New().Codec(llm.Chat).WriteRequest(req, &canon.Target{Model: "m"}, canon.NewReport(req)); !errors.As(err, &unsupported) {
			t.Errorf("parameter %d: %v", id, err)
		}
	}
}
