package openai_test

import (
	"testing"

	"causeway/internal/catalog"
	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/llmtest"
	"causeway/internal/llm/openai"
)

// TestMalformedResponses: what a caller got wrong is told by its place.
func TestMalformedResponses(t *testing.T) {
	var suite llmtest.CodecSuite
	suite.Dialect, suite.Op = openai.New(), llm.Responses
	input := func(item string) string { return `{"model":"m","input":[` + item + `]}` }
	for _, c := range [][3]string{
		{"nothing", ``, ""},
		{"no object", `[]`, ""},
		{"cut off", `{"model":"m","input":"x"`, ""},
		{"no model", `{"input":"x"}`, "/model"},
		{"a model that is no string", `{"model":1,"input":"x"}`, "/model"},
		{"no input", `{"model":"m"}`, "/input"},
		{"input that is null", `{"model":"m","input":null}`, "/input"},
		{"input that is an object", `{"model":"m","input":{}}`, "/input"},
		{"an item that is a string", input(`"x"`), "/input/0"},
		{"an item of no type", input(`{}`), "/input/0/type"},
		{"a type that is a number", input(`{"type":1,"role":"user","content":"x"}`), "/input/0/type"},
		{"no role", input(`{"type":"message","content":"x"}`), "/input/0/role"},
		{"an unknown role", input(`{"role":"bot","content":"x"}`), "/input/0/role"},
		{"no content", input(`{"role":"user"}`), "/input/0/content"},
		{"content that is a number", input(`{"role":"user","content":5}`), "/input/0/content"},
		{"a part that is a string", input(`{"role":"user","content":["x"]}`), "/input/0/content/0"},
		{"a part of no type", input(`{"role":"user","content":[{"text":"x"}]}`), "/input/0/content/0/type"},
		{"a text that is none", input(`{"role":"user","content":[{"type":"input_text","text":1}]}`), "/input/0/content/0/text"},
		{"no text", input(`{"role":"user","content":[{"type":"input_text"}]}`), "/input/0/content/0/text"},
		{"an image of nothing", input(`{"role":"user","content":[{"type":"input_image"}]}`), "/input/0/content/0/image_url"},
		{"an image as chat completions have it", input(`{"role":"user","content":[{"type":"input_image","image_url":{"url":"x"}}]}`), "/input/0/content/0/image_url"},
		{"a data URL that is not base64", input(`{"role":"user","content":[{"type":"input_image","image_url":"data:image/png,hello"}]}`), "/input/0/content/0/image_url"},
		{"a file of nothing", input(`{"role":"user","content":[{"type":"input_file","filename":"a.pdf"}]}`), "/input/0/content/0/file_data"},
		{"a call without call_id", input(`{"type":"function_call","name":"f","arguments":"{}"}`), "/input/0/call_id"},
		{"a call without name", input(`{"type":"function_call","call_id":"c","arguments":"{}"}`), "/input/0/name"},
		{"a call without arguments", input(`{"type":"function_call","call_id":"c","name":"f"}`), "/input/0/arguments"},
		{"arguments that are an object", input(`{"type":"function_call","call_id":"c","name":"f","arguments":{}}`), "/input/0/arguments"},
		{"a custom call without input", input(`{"type":"custom_tool_call","call_id":"c","name":"f"}`), "/input/0/input"},
		{"a result without call_id", input(`{"type":"function_call_output","output":"x"}`), "/input/0/call_id"},
		{"a result without output", input(`{"type":"function_call_output","call_id":"c"}`), "/input/0/output"},
		{"a result that is an object", input(`{"type":"function_call_output","call_id":"c","output":{"a":1}}`), "/input/0/output"},
		{"a part of a result without text", input(`{"type":"function_call_output","call_id":"c","output":[{"type":"input_text"}]}`), "/input/0/output/0/text"},
		{"a summary that is a string", input(`{"type":"reasoning","summary":"x"}`), "/input/0/summary"},
		{"a summary's part without text", input(`{"type":"reasoning","summary":[{"type":"summary_text"}]}`), "/input/0/summary/0/text"},
		{"a reference to nothing", input(`{"type":"item_reference"}`), "/input/0/id"},
		{"instructions that are a list", `{"model":"m","input":"x","instructions":[]}`, "/instructions"},
		{"tools that are an object", `{"model":"m","input":"x","tools":{}}`, "/tools"},
		{"a tool that is a string", `{"model":"m","input":"x","tools":["f"]}`, "/tools/0"},
		{"a tool of no type", `{"model":"m","input":"x","tools":[{"name":"f"}]}`, "/tools/0/type"},
		{"a function as chat completions have it", `{"model":"m","input":"x","tools":[{"type":"function","function":{"name":"f"}}]}`, "/tools/0/name"},
		{"parameters that are a string", `{"model":"m","input":"x","tools":[{"type":"function","name":"f","parameters":"{}"}]}`, "/tools/0/parameters"},
		{"strict that is a string", `{"model":"m","input":"x","tools":[{"type":"function","name":"f","strict":"yes"}]}`, "/tools/0/strict"},
		{"a choice of no kind", `{"model":"m","input":"x","tool_choice":"maybe"}`, "/tool_choice"},
		{"a choice without name", `{"model":"m","input":"x","tool_choice":{"type":"function"}}`, "/tool_choice/name"},
		{"a choice without type", `{"model":"m","input":"x","tool_choice":{"name":"f"}}`, "/tool_choice/type"},
		{"allowed tools without tools", `{"model":"m","input":"x","tool_choice":{"type":"allowed_tools","mode":"auto"}}`, "/tool_choice/tools"},
		{"a temperature in words", `{"model":"m","input":"x","temperature":"warm"}`, "/temperature"},
		{"max_output_tokens with a fraction", `{"model":"m","input":"x","max_output_tokens":1.5}`, "/max_output_tokens"},
		{"store that is a string", `{"model":"m","input":"x","store":"no"}`, "/store"},
		{"metadata that is a list", `{"model":"m","input":"x","metadata":[]}`, "/metadata"},
		{"include that is a string", `{"model":"m","input":"x","include":"all"}`, "/include"},
		{"include with a number", `{"model":"m","input":"x","include":[1]}`, "/include/0"},
		{"text that is a string", `{"model":"m","input":"x","text":"json"}`, "/text"},
		{"a format of no type", `{"model":"m","input":"x","text":{"format":{}}}`, "/text/format/type"},
		{"a schema that is missing", `{"model":"m","input":"x","text":{"format":{"type":"json_schema","name":"n"}}}`, "/text/format/schema"},
		{"a schema that is a string", `{"model":"m","input":"x","text":{"format":{"type":"json_schema","name":"n","schema":"{}"}}}`, "/text/format/schema"},
		{"reasoning that is a string", `{"model":"m","input":"x","reasoning":"high"}`, "/reasoning"},
		{"an effort that is a number", `{"model":"m","input":"x","reasoning":{"effort":3}}`, "/reasoning/effort"},
		{"previous_response_id that is a number", `{"model":"m","input":"x","previous_response_id":3}`, "/previous_response_id"},
		{"conversation that is a number", `{"model":"m","input":"x","conversation":3}`, "/conversation"},
		{"a member that stands twice", `{"model":"m","input":"x","store":true,"store":false}`, "/store"},
		{"stream that is a string", `{"model":"m","input":"x","stream":"yes"}`, "/stream"},
	} {
		suite.Malformed = append(suite.Malformed, llmtest.Malformed{Name: c[0], Body: c[1], Pointer: c[2]})
	}
	llmtest.RunCodec(t, suite)
}

// FuzzResponses feeds strangers' bytes to the codec.
func FuzzResponses(f *testing.F) {
	var seeds []string
	for _, x := range llmtest.Lines[llmtest.Exchange](f, "testdata/responses.jsonl") {
		if len(x.Request) < 1000 && len(x.Body) < 8000 {
			seeds = append(seeds, x.Request, x.Body)
		}
	}
	seeds = append(seeds,
		`{"model":"m","input":[{"type":"item_reference","id":"a"},{"type":"reasoning","summary":[],"encrypted_content":"gemini:call=a%3A:b"}],"tool_choice":{"type":"mcp"}}`,
		"data: {\"type\":\"response.output_item.added\",\"output_index\":0,\"item\":{\"type\":\"function_call\",\"name\":\"f\"}}\n\n"+
			"data: {\"type\":\"response.output_text.delta\",\"output_index\":0,\"delta\":\"x\"}\n\n"+
			"data: {\"type\":\"response.refusal.delta\",\"output_index\":0,\"delta\":\"x\"}\n\ndata: {\"type\":\"response.completed\",\"response\":{}}\n\n",
	)
	llmtest.FuzzCodec(f, openai.New(), llm.Match{Op: llm.Responses}, &canon.Target{Model: "m", Vendor: &catalog.Vendor{}}, "text/event-stream", seeds...)
}
