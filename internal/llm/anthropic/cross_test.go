package anthropic_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"causeway/internal/llm"
	"causeway/internal/llm/anthropic"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsontree"
	"causeway/internal/llm/llmtest"
	"causeway/internal/llm/llmtest/spec"
)

// another reads a request of another dialect, one made for these tests with OpenAI's words for most things:
// parts have a kind by the name of canon.PartKind.
func another(t testing.TB, body string) *canon.Request {
	t.Helper()
	d, err := jsontree.Parse([]byte(body), true)
	if err != nil {
		t.Fatal(err)
	}
	root := d.Root()
	req := &canon.Request{Doc: d, Dialect: "another", Op: llm.Chat, Model: "m"}
	req.Stream, _ = root.Get("stream").Bool()
	root.Get("messages").Each(func(_ int, n jsontree.Node) {
		m := canon.Message{At: n.Ref(), Name: n.Get("name").Str()}
		for role := canon.System; role <= canon.ToolRole; role++ {
			if role.String() == n.Get("role").Str() {
				m.Role = role
			}
		}
		content := n.Get("content")
		if content.IsString() {
			m.Parts = []canon.Part{{Text: content.Str(), At: content.Ref()}}
		} else {
			content.Each(func(_ int, e jsontree.Node) { m.Parts = append(m.Parts, anotherPart(e)) })
		}
		req.Messages = append(req.Messages, m)
	})
	root.Get("tools").Each(func(_ int, n jsontree.Node) {
		req.Tools = append(req.Tools, canon.Tool{
			At: n.Ref(), Name: n.Get("name").Str(), Description: n.Get("description").Str(), Schema: n.Get("parameters").Raw(),
			Strict: flagOf(n.Get("strict")), BuiltIn: n.Get("builtin").Str(), Custom: n.Get("custom").Said(),
		})
		if last := &req.Tools[len(req.Tools)-1]; last.BuiltIn != "" {
			last.Raw = n.Raw()
		}
	})
	if n := root.Get("tool_choice"); n.Said() {
		req.Choice.At = n.Ref()
		req.Choice.Mode = map[string]canon.ToolMode{"auto": canon.ToolsAuto, "none": canon.ToolsNone, "required": canon.ToolsAny}[n.Get("mode").Str()]
		n.Get("names").Each(func(_ int, e jsontree.Node) { req.Choice.Names = append(req.Choice.Names, e.Str()) })
		if req.Choice.Mode == canon.ToolsUnsaid {
			req.Choice.Mode = canon.ToolsNamed
		}
	}
	req.ParallelTools = flagOf(root.Get("parallel_tool_calls"))
	if n := root.Get("response_format"); n.Said() {
		req.Format = canon.Format{Kind: canon.JSONObject, At: n.Ref(), Name: n.Get("name").Str(), Description: n.Get("description").Str()}
		if s := n.Get("schema"); s.Said() {
			req.Format.Kind, req.Format.Schema = canon.JSONSchema, s.Raw()
		}
	}
	if n := root.Get("effort"); n.Said() {
		req.Reasoning = canon.Reasoning{Said: true, Effort: n.Str(), At: n.Ref()}
	}
	if n := root.Get("budget"); n.Said() {
		req.Reasoning.Said, req.Reasoning.At, req.Reasoning.BudgetAt = true, n.Ref(), n.Ref()
		req.Reasoning.Budget, _ = n.Int()
	}
	for name, id := range map[string]canon.ParamID{
		"max_tokens": canon.MaxTokens, "temperature": canon.Temperature, "top_p": canon.TopP, "top_k": canon.TopK, "stop": canon.Stop, "user": canon.EndUser,
		"safety_identifier": canon.SafetyUser, "service_tier": canon.ServiceTier, "n": canon.N, "seed": canon.Seed, "logprobs": canon.Logprobs, "store": canon.Store,
		"frequency_penalty": canon.FrequencyPenalty, "metadata": canon.Metadata, "web_search_options": canon.WebSearch, "verbosity": canon.Verbosity,
	} {
		req.Set(id, root.Get(name))
	}
	if f := d.Fault(); f != nil {
		t.Fatal(f)
	}
	return req
}

func flagOf(n jsontree.Node) canon.Flag {
	on, ok := n.Bool()
	return canon.Flag{Said: ok, On: on, At: n.Ref()}
}

func anotherPart(n jsontree.Node) canon.Part {
	p := canon.Part{At: n.Ref(), Text: n.Get("text").Str(), Signature: n.Get("signature").Str(), SignedBy: n.Get("signed_by").Str()}
	kind := n.Get("kind").Str()
	for k := canon.Text; k <= canon.Other; k++ {
		if k.String() == kind {
			p.Kind = k
		}
	}
	if c := n.Get("cache"); c.Said() {
		p.Cache = &canon.Cache{TTL: c.Str()}
	}
	switch p.Kind {
	case canon.ToolCall:
		p.Call = &canon.Call{ID: n.Get("id").Str(), Name: n.Get("name").Str(), Args: n.Get("args").Str(), Custom: n.Get("custom").Said()}
	case canon.ToolResult:
		p.Result = &canon.Result{ID: n.Get("id").Str(), Name: n.Get("name").Str(), JSON: n.Get("json").Raw(), Error: n.Get("error").Said()}
		if c := n.Get("content"); c.Said() {
			p.Result.Parts = []canon.Part{{Text: c.Str(), At: c.Ref()}}
		}
	case canon.Image, canon.Audio, canon.Video, canon.Document:
		p.Media = &canon.Media{MIME: n.Get("mime").Str(), URL: n.Get("url").Str(), Data: n.Get("data").Str(), FileID: n.Get("file").Str(), Text: n.Get("plain").Str(), Name: n.Get("filename").Str(), Detail: n.Get("detail").Str()}
	}
	return p
}

// hello is a conversation for cases that are about something else.
const hello = `"messages":[{"role":"user","content":"hello"}]`

// crossings are requests of another dialect, what goes to Anthropic, and what is lost.
var crossings = []struct {
	name, model, body string
	want              string // the whole request without model and max_tokens, or its members that must be so
	report            string
}{
	{"plain", "claude-sonnet-4-5", `{` + hello + `,"stream":true}`, `{"messages":[{"role":"user","content":"hello"}],"stream":true}`, ""},
	{
		"a system prompt is hoisted", "claude-sonnet-4-5", `{"messages":[{"role":"system","content":"s"},{"role":"developer","content":"d"},{"role":"user","content":"u"}]}`,
		`{"system":[{"type":"text","text":"s"},{"type":"text","text":"d"}],"messages":[{"role":"user","content":"u"}]}`, "",
	},
	{
		"a system message later on", "claude-sonnet-4-5", `{"messages":[{"role":"user","content":"u"},{"role":"system","content":"s"}]}`,
		`{"system":"s","messages":[{"role":"user","content":"u"}]}`, "messages.1;approximated",
	},
	{"nothing but a system prompt", "claude-sonnet-4-5", `{"messages":[{"role":"system","content":"s"}]}`, `{"messages":[{"role":"user","content":"s"}]}`, "messages.0;approximated"},
	{
		"turns are joined", "claude-sonnet-4-5", `{"messages":[{"role":"user","content":"a"},{"role":"user","content":"b"},{"role":"assistant","content":"c"},{"role":"assistant","content":"d"},{"role":"user","content":"e"}]}`,
		`{"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},{"role":"assistant","content":[{"type":"text","text":"c"},{"type":"text","text":"d"}]},{"role":"user","content":"e"}]}`, "",
	},
	{
		"the assistant begins", "claude-sonnet-4-5", `{"messages":[{"role":"assistant","content":"a"},{"role":"user","content":"b"}]}`,
		`{"messages":[{"role":"user","content":"."},{"role":"assistant","content":"a"},{"role":"user","content":"b"}]}`, "messages.0.content;approximated",
	},
	{
		"empty and blank texts", "claude-sonnet-4-5", `{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":""},{"role":"user","content":" \n"},{"role":"user","content":"b"}]}`,
		`{"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}]}`, "messages.2.content;dropped",
	},
	{
		"white space at the end of a begun answer", "claude-sonnet-4-5", `{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b \n"}]}`,
		`{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":[{"type":"text","text":"b"}]}]}`, "messages.1.content;approximated",
	},
	{"a participant's name", "claude-sonnet-4-5", `{"messages":[{"role":"user","name":"bob","content":"a"}]}`, `{"messages":[{"role":"user","content":"a"}]}`, "messages.0.name;dropped"},
	{
		"calls and results", "claude-sonnet-4-5", `{"tools":[{"name":"f","description":"d","parameters":{"type":"object"}}],"messages":[{"role":"user","content":"u"},
		{"role":"assistant","content":[{"kind":"tool_call","id":"call_1","name":"f","args":"{\"a\":1}"},{"kind":"tool_call","id":"functions.f:0","name":"f","args":""}]},
		{"role":"tool","content":[{"kind":"tool_result","id":"call_1","content":"one"}]},{"role":"tool","content":[{"kind":"tool_result","id":"functions.f:0","content":"two","error":1}]},{"role":"user","content":"go on"}]}`,
		`{"messages":[{"role":"user","content":"u"},{"role":"assistant","content":[{"type":"tool_use","id":"call_1","name":"f","input":{"a":1}},{"type":"tool_use","id":"causeway_ZnVuY3Rpb25zLmY6MA","name":"f","input":{}}]},
		{"role":"user","content":[{"type":"tool_result","tool_use_id":"call_1","content":"one"},{"type":"tool_result","tool_use_id":"causeway_ZnVuY3Rpb25zLmY6MA","content":"two","is_error":true},{"type":"text","text":"go on"}]}],
		"tools":[{"name":"f","description":"d","input_schema":{"type":"object"}}]}`, "",
	},
	{
		"calls without id, as Gemini has them", "claude-sonnet-4-5", `{"messages":[{"role":"user","content":"u"},{"role":"assistant","content":[{"kind":"tool_call","name":"f","args":"{}"},{"kind":"tool_call","name":"g","args":"{}"}]},
		{"role":"tool","content":[{"kind":"tool_result","name":"g","json":{"a":1}},{"kind":"tool_result","name":"f","content":"x"}]}]}`,
		`{"messages":[{"role":"user","content":"u"},{"role":"assistant","content":[{"type":"tool_use","id":"toolu_1","name":"f","input":{}},{"type":"tool_use","id":"toolu_2","name":"g","input":{}}]},
		{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_2","content":"{\"a\":1}"},{"type":"tool_result","tool_use_id":"toolu_1","content":"x"}]}]}`, "",
	},
	{
		"a result behind a text", "claude-sonnet-4-5", `{"messages":[{"role":"user","content":"u"},{"role":"assistant","content":[{"kind":"tool_call","id":"c","name":"f","args":"nonsense"}]},{"role":"user","content":"wait"},{"role":"tool","content":[{"kind":"tool_result","id":"c","content":"x"}]}]}`,
		`{"messages":[{"role":"user","content":"u"},{"role":"assistant","content":[{"type":"tool_use","id":"c","name":"f","input":{"arguments":"nonsense"}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"c","content":"x"},{"type":"text","text":"wait"}]}]}`,
		"messages.1.content.0;approximated messages.2.content;approximated",
	},
	{
		"thoughts of others", "claude-sonnet-4-5", `{"messages":[{"role":"user","content":"u"},{"role":"assistant","content":[{"kind":"thinking","text":"hm"},{"kind":"thinking","text":"hm","signature":"s","signed_by":"gemini"},{"kind":"thinking","text":"mine","signature":"s","signed_by":"anthropic"},{"kind":"text","text":"a"}]},{"role":"user","content":"v"}]}`,
		`{"messages":[{"role":"user","content":"u"},{"role":"assistant","content":[{"type":"thinking","thinking":"mine","signature":"s"},{"type":"text","text":"a"}]},{"role":"user","content":"v"}]}`,
		"messages.1.content.0;dropped messages.1.content.1;dropped",
	},
	{
		"pictures and papers", "claude-sonnet-4-5", `{"messages":[{"role":"user","content":[{"kind":"image","url":"https://x.example/a.png","detail":"high"},{"kind":"image","mime":"image/jpg","data":"/9j/4A=="},{"kind":"image","data":"iVBORw0KGgo="},
		{"kind":"document","mime":"application/pdf","data":"JVBERi0=","filename":"a.pdf"},{"kind":"document","mime":"text/csv","data":"YSxi"},{"kind":"document","url":"https://x.example/a.pdf"},{"kind":"document","plain":"p","cache":"1h"}]}]}`,
		`{"messages":[{"role":"user","content":[{"type":"image","source":{"type":"url","url":"https://x.example/a.png"}},{"type":"image","source":{"type":"base64","media_type":"image/jpeg","data":"/9j/4A=="}},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}},
		{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"JVBERi0="},"title":"a.pdf"},{"type":"document","source":{"type":"text","media_type":"text/plain","data":"a,b"}},{"type":"document","source":{"type":"url","url":"https://x.example/a.pdf"}},
		{"type":"document","source":{"type":"text","media_type":"text/plain","data":"p"},"cache_control":{"type":"ephemeral","ttl":"1h"}}]}]}`, "messages.0.content.0.detail;dropped",
	},
	{
		"five cache marks", "claude-sonnet-4-5", `{"messages":[{"role":"user","content":[{"kind":"text","text":"1","cache":""},{"kind":"text","text":"2","cache":""},{"kind":"text","text":"3","cache":""},{"kind":"text","text":"4","cache":""},{"kind":"text","text":"5","cache":""}]}]}`,
		`{"messages":[{"role":"user","content":[{"type":"text","text":"1","cache_control":{"type":"ephemeral"}},{"type":"text","text":"2","cache_control":{"type":"ephemeral"}},{"type":"text","text":"3","cache_control":{"type":"ephemeral"}},{"type":"text","text":"4","cache_control":{"type":"ephemeral"}},{"type":"text","text":"5"}]}]}`,
		"messages.0.content.4;dropped",
	},
	{
		"parameters", "claude-sonnet-4-5", `{` + hello + `,"temperature":1.7,"top_k":5,"stop":["END"," "],"user":"u","service_tier":"default","store":false,"n":2,"seed":1,"logprobs":true,"frequency_penalty":0.5,"metadata":{"a":"b"}}`,
		`{"messages":[{"role":"user","content":"hello"}],"temperature":1,"top_k":5,"stop_sequences":["END"],"metadata":{"user_id":"u"},"service_tier":"standard_only"}`,
		"temperature;approximated stop;approximated n;dropped seed;dropped logprobs;dropped frequency_penalty;dropped metadata;dropped",
	},
	{
		"what says nothing is not lost", "claude-sonnet-4-5", `{` + hello + `,"n":1,"logprobs":false,"frequency_penalty":0,"metadata":{},"service_tier":"auto"}`,
		`{"messages":[{"role":"user","content":"hello"}],"service_tier":"auto"}`, "",
	},
	{"one stop as a string", "claude-sonnet-4-5", `{` + hello + `,"stop":"END","safety_identifier":"u"}`, `{"messages":[{"role":"user","content":"hello"}],"stop_sequences":["END"],"metadata":{"user_id":"u"}}`, ""},
	{"temperature and top_p", "claude-haiku-4-5", `{` + hello + `,"temperature":0.5,"top_p":0.9}`, `{"messages":[{"role":"user","content":"hello"}],"temperature":0.5}`, "top_p;dropped"},
	{"temperature and top_p of an older model", "claude-3-5-haiku-latest", `{` + hello + `,"temperature":0.5,"top_p":0.9}`, `{"messages":[{"role":"user","content":"hello"}],"temperature":0.5,"top_p":0.9}`, ""},
	{"a model that samples by itself", "claude-opus-4-7", `{` + hello + `,"temperature":0.5,"top_p":0.9,"top_k":3}`, `{"messages":[{"role":"user","content":"hello"}]}`, "temperature;dropped top_p;dropped top_k;dropped"},
	{"a model that samples by itself and what it has anyway", "claude-opus-4-7", `{` + hello + `,"temperature":1,"top_p":1}`, `{"messages":[{"role":"user","content":"hello"}]}`, ""},

	{"an effort becomes a budget", "claude-sonnet-4-5", `{` + hello + `,"effort":"medium"}`, `{"messages":[{"role":"user","content":"hello"}],"max_tokens":40192,"thinking":{"type":"enabled","budget_tokens":8192}}`, ""},
	{"an effort stays one", "claude-opus-4-6", `{` + hello + `,"effort":"high"}`, `{"messages":[{"role":"user","content":"hello"}],"thinking":{"type":"adaptive"},"output_config":{"effort":"high"}}`, ""},
	{"more than high", "claude-opus-4-6", `{` + hello + `,"effort":"xhigh"}`, `{"messages":[{"role":"user","content":"hello"}],"thinking":{"type":"adaptive"},"output_config":{"effort":"max"}}`, ""},
	{"less than low", "claude-opus-4-7", `{` + hello + `,"effort":"minimal"}`, `{"messages":[{"role":"user","content":"hello"}],"thinking":{"type":"adaptive"},"output_config":{"effort":"low"}}`, "effort;approximated"},
	{"no thinking", "claude-sonnet-4-5", `{` + hello + `,"effort":"none"}`, `{"messages":[{"role":"user","content":"hello"}],"thinking":{"type":"disabled"}}`, ""},
	{"no thinking with a model that decides", "claude-opus-4-7", `{` + hello + `,"effort":"none"}`, `{"messages":[{"role":"user","content":"hello"}],"output_config":{"effort":"low"}}`, "effort;approximated"},
	{
		"a budget", "claude-sonnet-4-5", `{` + hello + `,"budget":5000,"max_tokens":9000,"temperature":0.2,"top_k":4,"top_p":0.5}`, `{"messages":[{"role":"user","content":"hello"}],"max_tokens":9000,"thinking":{"type":"enabled","budget_tokens":5000}}`,
		"temperature;dropped top_p;dropped top_k;dropped",
	},
	{"a budget longer than the answer", "claude-sonnet-4-5", `{` + hello + `,"budget":5000,"max_tokens":4000}`, `{"messages":[{"role":"user","content":"hello"}],"max_tokens":4000,"thinking":{"type":"enabled","budget_tokens":2000}}`, "budget;approximated"},
	{"an answer too short to think", "claude-sonnet-4-5", `{` + hello + `,"effort":"low","max_tokens":100}`, `{"messages":[{"role":"user","content":"hello"}],"max_tokens":100}`, "effort;dropped"},
	{"a small budget", "claude-sonnet-4-5", `{` + hello + `,"budget":100}`, `{"messages":[{"role":"user","content":"hello"}],"thinking":{"type":"enabled","budget_tokens":1024}}`, "budget;approximated"},
	{"a budget for a model that takes efforts", "claude-opus-4-7", `{` + hello + `,"budget":5000}`, `{"messages":[{"role":"user","content":"hello"}],"thinking":{"type":"adaptive"},"output_config":{"effort":"medium"}}`, "budget;approximated"},
	{"a model that does not think", "claude-3-5-haiku-latest", `{` + hello + `,"effort":"high"}`, `{"messages":[{"role":"user","content":"hello"}],"max_tokens":8192}`, "effort;dropped"},
	{
		"thinking and a forced call", "claude-sonnet-4-5", `{` + hello + `,"effort":"low","tools":[{"name":"f"}],"tool_choice":{"mode":"required"}}`,
		`{"messages":[{"role":"user","content":"hello"}],"tools":[{"name":"f","input_schema":{"type":"object","properties":{}}}],"tool_choice":{"type":"any"}}`, "effort;dropped",
	},
	{
		"thinking in mid-loop without the thoughts", "claude-sonnet-4-5", `{"effort":"low","messages":[{"role":"user","content":"u"},{"role":"assistant","content":[{"kind":"tool_call","id":"c","name":"f","args":"{}"}]},{"role":"tool","content":[{"kind":"tool_result","id":"c","content":"x"}]}]}`,
		`{"messages":[{"role":"user","content":"u"},{"role":"assistant","content":[{"type":"tool_use","id":"c","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"c","content":"x"}]}]}`, "effort;dropped",
	},
	{
		"thinking in mid-loop with the thoughts", "claude-sonnet-4-5", `{"effort":"low","messages":[{"role":"user","content":"u"},{"role":"assistant","content":[{"kind":"thinking","text":"t","signature":"s","signed_by":"anthropic"},{"kind":"tool_call","id":"c","name":"f","args":"{}"}]},{"role":"tool","content":[{"kind":"tool_result","id":"c","content":"x"}]}]}`,
		`{"thinking":{"type":"enabled","budget_tokens":2048},"messages":[{"role":"user","content":"u"},{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"s"},{"type":"tool_use","id":"c","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"c","content":"x"}]}]}`, "",
	},

	{
		"a schema", "claude-sonnet-4-5", `{` + hello + `,"response_format":{"name":"person","description":"who","schema":{"type":"object","properties":{"age":{"type":"integer","minimum":0,"maximum":150,"description":"in years"},"tags":{"type":"array","items":{"oneOf":[{"type":"string"}]},"minItems":1}},"required":["age"],"$schema":"x"}}}`,
		`{"messages":[{"role":"user","content":"hello"}],"output_config":{"format":{"type":"json_schema","schema":{"type":"object","properties":{"age":{"type":"integer","description":"in years\n{minimum: 0, maximum: 150}"},"tags":{"type":"array","items":{"anyOf":[{"type":"string"}]},"minItems":1}},"required":["age"],"additionalProperties":false,"title":"person","description":"who"}}}}`,
		"response_format;approximated",
	},
	{
		"a schema for an older model", "claude-3-7-sonnet-latest", `{"messages":[{"role":"system","content":"s"},{"role":"user","content":"hello"}],"response_format":{"schema":{"type":"object"}}}`,
		`{"messages":[{"role":"user","content":"hello"}],"system":[{"type":"text","text":"s"},{"type":"text","text":"Answer with one JSON value that is valid against this JSON Schema, and with nothing else: no prose, no code fence.\n{\"type\":\"object\"}"}]}`, "response_format;emulated",
	},
	{
		"a schema that refers to itself", "claude-sonnet-4-5", `{` + hello + `,"response_format":{"schema":{"$ref":"#/$defs/a","$defs":{"a":{"type":"object","properties":{"b":{"$ref":"#/$defs/a"}}}}}}}`,
		`{"messages":[{"role":"user","content":"hello"}],"system":[{"type":"text","text":"Answer with one JSON value that is valid against this JSON Schema, and with nothing else: no prose, no code fence.\n{\"$ref\":\"#/$defs/a\",\"$defs\":{\"a\":{\"type\":\"object\",\"properties\":{\"b\":{\"$ref\":\"#/$defs/a\"}}}}}"}]}`,
		"response_format;emulated",
	},
	{
		"a strict tool that refers to itself", "claude-sonnet-4-5", `{` + hello + `,"tools":[{"name":"f","parameters":{"type":"object","properties":{"b":{"$ref":"#"}}},"strict":true}]}`,
		`{"messages":[{"role":"user","content":"hello"}],"tools":[{"name":"f","input_schema":{"type":"object","properties":{"b":{"$ref":"#"}}}}]}`, "tools.0.strict;approximated",
	},
	{"any JSON object", "claude-sonnet-4-5", `{` + hello + `,"response_format":{}}`, `{"messages":[{"role":"user","content":"hello"}],"system":[{"type":"text","text":"Answer with one JSON object and with nothing else: no prose, no code fence."}]}`, "response_format;emulated"},

	{
		"one call at a time", "claude-sonnet-4-5", `{` + hello + `,"tools":[{"name":"f","parameters":{"properties":{"a":{}}},"strict":false}],"parallel_tool_calls":false}`,
		`{"messages":[{"role":"user","content":"hello"}],"tools":[{"name":"f","input_schema":{"type":"object","properties":{"a":{}}},"strict":false}],"tool_choice":{"type":"auto","disable_parallel_tool_use":true}}`, "",
	},
	{
		"a named tool", "claude-sonnet-4-5", `{` + hello + `,"tools":[{"name":"f"},{"name":"g"}],"tool_choice":{"names":["g"]}}`,
		`{"messages":[{"role":"user","content":"hello"}],"tools":[{"name":"f","input_schema":{"type":"object","properties":{}}},{"name":"g","input_schema":{"type":"object","properties":{}}}],"tool_choice":{"type":"tool","name":"g"}}`, "",
	},
	{
		"some tools of all", "claude-sonnet-4-5", `{` + hello + `,"tools":[{"name":"f"},{"name":"g"}],"tool_choice":{"mode":"auto","names":["g"]}}`,
		`{"messages":[{"role":"user","content":"hello"}],"tools":[{"name":"g","input_schema":{"type":"object","properties":{}}}],"tool_choice":{"type":"auto"}}`, "tool_choice;emulated",
	},
	{"no tools to choose", "claude-sonnet-4-5", `{` + hello + `,"tool_choice":{"mode":"required"}}`, `{"messages":[{"role":"user","content":"hello"}]}`, "tool_choice;dropped"},
	{
		"a strict tool", "claude-sonnet-4-5", `{` + hello + `,"tools":[{"name":"f","parameters":{"type":"object","properties":{"a":{"type":"string","maxLength":5}}},"strict":true}]}`,
		`{"messages":[{"role":"user","content":"hello"}],"tools":[{"name":"f","input_schema":{"type":"object","properties":{"a":{"type":"string","description":"{maxLength: 5}"}},"additionalProperties":false},"strict":true}]}`, "tools.0.strict;approximated",
	},
	{"a strict tool of an older model", "claude-3-5-haiku-latest", `{` + hello + `,"tools":[{"name":"f","strict":true}]}`, `{"messages":[{"role":"user","content":"hello"}],"tools":[{"name":"f","input_schema":{"type":"object","properties":{}}}]}`, "tools.0.strict;approximated"},
	{
		"a custom tool", "claude-sonnet-4-5", `{"tools":[{"name":"f","custom":1}],"messages":[{"role":"user","content":"u"},{"role":"assistant","content":[{"kind":"tool_call","id":"c","name":"f","args":"free \"text\"","custom":1}]},{"role":"tool","content":[{"kind":"tool_result","id":"c","content":"x"}]}]}`,
		`{"messages":[{"role":"user","content":"u"},{"role":"assistant","content":[{"type":"tool_use","id":"c","name":"f","input":{"input":"free \"text\""}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"c","content":"x"}]}],
		"tools":[{"name":"f","input_schema":{"type":"object","properties":{"input":{"type":"string"}},"required":["input"],"additionalProperties":false}}]}`, "tools.0;emulated",
	},
	{
		"web search and a tool that is not here", "claude-sonnet-4-5", `{` + hello + `,"tools":[{"builtin":"web_search","user_location":{"type":"approximate","city":"Wien","country":"AT"},"filters":{"allowed_domains":["a.example"]}},{"builtin":"file_search"}]}`,
		`{"messages":[{"role":"user","content":"hello"}],"tools":[{"type":"web_search_20250305","name":"web_search","user_location":{"type":"approximate","city":"Wien","country":"AT"},"allowed_domains":["a.example"]}]}`, "tools.1;dropped",
	},
	{
		"web search of chat completions", "claude-sonnet-4-5", `{` + hello + `,"web_search_options":{"search_context_size":"high","user_location":{"type":"approximate","approximate":{"city":"Wien"}}}}`,
		`{"messages":[{"role":"user","content":"hello"}],"tools":[{"type":"web_search_20250305","name":"web_search","user_location":{"type":"approximate","city":"Wien"}}]}`, "web_search_options.search_context_size;dropped",
	},
}

func TestFromOtherDialects(t *testing.T) {
	description := spec.Open(t, "anthropic-openapi.yaml.gz")
	for _, c := range crossings {
		t.Run(c.name, func(t *testing.T) {
			req := another(t, c.body)
			report := canon.NewReport(req)
			written, err := anthropic.New().Codec(llm.Chat).WriteRequest(req, target(c.model), report)
			if err != nil {
				t.Fatal(err)
			}
			report.Close()
			description.Request(t, "POST", "/v1/messages", written)
			var lost []string
			for _, e := range report.Entries {
				lost = append(lost, e.Field+";"+e.Loss.String())
			}
			want := strings.Fields(c.report)
			slices.Sort(lost)
			slices.Sort(want)
			if !slices.Equal(lost, want) {
				t.Errorf("the report tells %q, want %q\n%s", lost, want, strings.Join(report.Lines(), "\n"))
			}
			got, expected := llmtest.Value(t, written).(map[string]any), llmtest.Value(t, []byte(c.want)).(map[string]any)
			if got["model"] != c.model {
				t.Errorf("model %v", got["model"])
			}
			delete(got, "model")
			if expected["max_tokens"] == nil {
				delete(got, "max_tokens")
			}
			if len(llmtest.Diff(expected, got)) > 0 {
				t.Errorf("written: %s\nwant: %s\n%v", written, c.want, llmtest.Diff(expected, got))
			}
			if _, err := anthropic.New().Codec(llm.Chat).ReadRequest(llm.Match{Op: llm.Chat}, written); err != nil {
				t.Errorf("a gateway could not read it: %v", err)
			}
		})
	}
}

func TestACountFromAnotherDialect(t *testing.T) {
	description := spec.Open(t, "anthropic-openapi.yaml.gz")
	req := another(t, `{"max_tokens":5,"temperature":2,"seed":1,"effort":"low","tools":[{"name":"f"}],"messages":[{"role":"system","content":"s"},{"role":"user","content":"u"}]}`)
	report := canon.NewReport(req)
	written, err := anthropic.New().WriteCountRequest(req, target("claude-haiku-4-5"), report)
	if err != nil {
		t.Fatal(err)
	}
	description.Request(t, "POST", "/v1/messages/count_tokens", written)
	if report.Close(); len(report.Entries) != 1 || report.Entries[0].Field != "effort" { // an answer of five tokens can't be thought about
		t.Errorf("%v\n%s", report.Lines(), written)
	}
}

func TestTheAnswersLengthWhereNobodySaysIt(t *testing.T) {
	for model, want := range map[string]int{
		"claude-3-haiku-20240307": 4096, "claude-3-5-sonnet-latest": 8192, "claude-3-7-sonnet@20250219": 32000, "claude-sonnet-4-20250514": 32000, "claude-opus-4-1": 32000,
		"anthropic.claude-opus-4-6-v1:0": 32000, "claude-mythos-preview": 32000, "kimi-k2": 8192,
	} {
		req := another(t, `{`+hello+`}`)
		written, err := anthropic.New().Codec(llm.Chat).WriteRequest(req, target(model), canon.NewReport(req))
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(llmtest.Value(t, written).(map[string]any)["max_tokens"]); got != fmt.Sprint(want) {
			t.Errorf("%s: %s, want %d", model, got, want)
		}
	}
}

func TestWhatCantBePutToClaude(t *testing.T) {
	for _, c := range []struct{ name, body, field string }{
		{"audio", `{"messages":[{"role":"user","content":[{"kind":"audio","mime":"audio/wav","data":"x"}]}]}`, "messages.0.content.0"},
		{"video", `{"messages":[{"role":"user","content":[{"kind":"video","url":"https://x.example/v.mp4"}]}]}`, "messages.0.content.0"},
		{"a file kept elsewhere", `{"messages":[{"role":"user","content":[{"kind":"document","file":"file-1"}]}]}`, "messages.0.content.0"},
		{"a picture of another type", `{"messages":[{"role":"user","content":[{"kind":"image","mime":"image/tiff","data":"x"}]}]}`, "messages.0.content.0"},
		{"a document of another type", `{"messages":[{"role":"user","content":[{"kind":"document","mime":"application/msword","data":"x"}]}]}`, "messages.0.content.0"},
		{"a tool's name with dots", `{` + hello + `,"tools":[{"name":"a.b"}]}`, "tools.0"},
		{"a result of no call", `{"messages":[{"role":"tool","content":[{"kind":"tool_result","name":"f","content":"x"}]}]}`, "messages.0.content.0"},
		{"nothing to say", `{"messages":[{"role":"user","content":" "}]}`, "messages"},
		{"a schema that is none", `{` + hello + `,"response_format":{"schema":[]}}`, "response_format"},
		{"a tool's schema that is none", `{` + hello + `,"tools":[{"name":"f","parameters":"x"}]}`, "tools.0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			req := another(t, c.body)
			_, err := anthropic.New().Codec(llm.Chat).WriteRequest(req, target("claude-sonnet-4-5"), canon.NewReport(req))
			var unsupported *canon.Unsupported
			if !errors.As(err, &unsupported) || unsupported.Field != c.field || unsupported.Why == "" {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestRecordedRequestsAreAsDescribed shows that the description is the right measure: what real clients sent
// and Anthropic took passes it, and so does what we make of it.
func TestRecordedRequestsAreAsDescribed(t *testing.T) {
	description := spec.Open(t, "anthropic-openapi.yaml.gz")
	for _, x := range exchanges(t) {
		path := "/v1/messages"
		switch {
		case x.Request == "" || x.Status != 200 || x.Endpoint != "messages":
			continue
		case strings.Contains(x.Request, "web_search_20260318"), strings.Contains(x.Request, "file_id"):
			continue // newer than the description
		case strings.Contains(x.Request, "computer_2025"):
			path += "?beta=true"
		}
		t.Run(x.ID, func(t *testing.T) {
			codec := anthropic.New().Codec(llm.Chat)
			req, err := codec.ReadRequest(llm.Match{Op: llm.Chat}, []byte(x.Request))
			if err != nil {
				t.Fatal(err)
			}
			written, err := codec.WriteRequest(req, target(req.Model), canon.NewReport(req))
			if err != nil {
				t.Fatal(err)
			}
			description.Request(t, "POST", path, written)
		})
	}
}
