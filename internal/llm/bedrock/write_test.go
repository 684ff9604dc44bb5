package bedrock_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"causeway/internal/llm"
	"causeway/internal/llm/bedrock"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsontree"
	"causeway/internal/llm/llmtest"
)

// foreign reads a request and makes it that of another dialect's caller: what only Bedrock understands is then lost.
func foreign(t *testing.T, body string) *canon.Request {
	t.Helper()
	req, err := bedrock.New().Codec(llm.Chat).ReadRequest(llm.Match{Op: llm.Chat, Model: "m"}, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Dialect = "anthropic"
	return req
}

// asked is a request of one user's message, with a Doc whose members stand for places.
func asked(t *testing.T, change func(r *canon.Request, at func(name string) jsontree.Ref)) *canon.Request {
	t.Helper()
	doc, err := jsontree.Parse([]byte(`{"message":1,"part":1,"reasoning":1,"format":1,"choice":1,"tool":1,"parallel":1,"temperature":1,"top_p":1,"top_k":1,"max":1,"strict":1}`), true)
	if err != nil {
		t.Fatal(err)
	}
	doc.Root().Each(func(_ int, e jsontree.Node) { e.Settle() })
	r := &canon.Request{Doc: doc, Dialect: "openai", Op: llm.Chat, Messages: []canon.Message{{Role: canon.User, Parts: []canon.Part{{Text: "Hi"}}}}}
	if change != nil {
		change(r, func(name string) jsontree.Ref { return doc.Root().Get(name).Ref() })
	}
	return r
}

// TestWhatIsWritten shows by rows how a request is put to Bedrock: a piece of what is sent, and all that the report tells.
func TestWhatIsWritten(t *testing.T) {
	type at = func(string) jsontree.Ref
	text := func(s string) []canon.Part { return []canon.Part{{Text: s}} }
	tool := canon.Tool{Name: "f", Schema: []byte(`{"type":"object"}`)}
	call := canon.Part{Kind: canon.ToolCall, Call: &canon.Call{ID: "a", Name: "f", Args: `{"x":1}`}}
	result := canon.Part{Kind: canon.ToolResult, Result: &canon.Result{ID: "a", Parts: text("1")}}
	effort := func(word string) func(*canon.Request, at) {
		return func(r *canon.Request, at at) {
			r.Reasoning = canon.Reasoning{Said: true, Effort: word, At: at("reasoning")}
		}
	}
	budget := func(n, max int64) func(*canon.Request, at) {
		return func(r *canon.Request, at at) {
			r.Reasoning = canon.Reasoning{Said: true, Budget: n, Show: true, At: at("reasoning")}
			if max > 0 {
				b, _ := json.Marshal(max)
				r.Params[canon.MaxTokens] = canon.Param{JSON: b, At: at("max")}
			}
		}
	}
	schema := func(r *canon.Request, at at) {
		r.Format = canon.Format{Kind: canon.JSONSchema, Name: "n", Schema: []byte(`{"type":"object","properties":{"a":{"type":"integer","minimum":1}}}`), At: at("format")}
	}
	param := func(id canon.ParamID, place, value string) func(*canon.Request, at) {
		return func(r *canon.Request, at at) { r.Params[id] = canon.Param{JSON: []byte(value), At: at(place)} }
	}
	for _, c := range []struct {
		name   string
		model  string
		change func(r *canon.Request, at at)
		want   string // in what is sent
		not    string // not in it
		report string
	}{
		{"plain", sonnet, nil, `{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}`, "", ""},
		{
			"turns of one side are joined, empty texts left out", sonnet, func(r *canon.Request, _ at) {
				r.Messages = append(r.Messages, canon.Message{Role: canon.User, Parts: text(" \n")}, canon.Message{Role: canon.User, Parts: text("there")}, canon.Message{Role: canon.Assistant, Parts: text("")})
			}, `"messages":[{"role":"user","content":[{"text":"Hi"},{"text":"there"}]}]`, "", "",
		},
		{
			"a conversation that the assistant begins", sonnet, func(r *canon.Request, at at) {
				r.Messages = []canon.Message{{Role: canon.Assistant, Parts: text("Hello"), At: at("message")}}
			}, `"messages":[{"role":"user","content":[{"text":"."}]},{"role":"assistant","content":[{"text":"Hello"}]}]`, "", "message;approximated",
		},
		{
			"system messages", sonnet, func(r *canon.Request, at at) {
				r.Messages = append([]canon.Message{{Role: canon.System, Parts: text("one")}}, append(r.Messages, canon.Message{Role: canon.Developer, Parts: text("two"), At: at("message")})...)
			}, `"system":[{"text":"one"},{"text":"two"}]`, "", "message;approximated",
		},
		{
			"a model without system prompt", "mistral.mistral-7b-instruct-v0:2", func(r *canon.Request, at at) {
				r.Messages = append([]canon.Message{{Role: canon.System, Parts: text("one"), At: at("message")}}, r.Messages...)
			}, `{"messages":[{"role":"user","content":[{"text":"one"},{"text":"Hi"}]}]}`, "", "message;approximated",
		},
		{
			"an image by URL", sonnet, func(r *canon.Request, at at) {
				r.Messages[0].Parts = append(r.Messages[0].Parts, canon.Part{Kind: canon.Image, Media: &canon.Media{URL: "https://example.com/x"}, At: at("part")})
			}, `{"image":{"format":"png","source":{"bytes":"iVBORw0KGgo="}}}`, "", "part;emulated",
		},
		{
			"a document alone, and its name twice", sonnet, func(r *canon.Request, at at) {
				d := canon.Part{Kind: canon.Document, Media: &canon.Media{MIME: "application/pdf", Data: "JVBERi0=", Name: "a_b.pdf"}, At: at("part")}
				r.Messages[0] = canon.Message{Role: canon.User, Parts: []canon.Part{d, d}, At: at("message")}
			}, `{"document":{"format":"pdf","name":"a b pdf","source":{"bytes":"JVBERi0="}}},{"document":{"format":"pdf","name":"a b pdf 2","source":{"bytes":"JVBERi0="}}},{"text":"."}`, "", "part.name;approximated message;approximated",
		},
		{
			"results of tools come first", sonnet, func(r *canon.Request, at at) {
				p := result
				p.At = at("part")
				r.Tools = []canon.Tool{tool}
				r.Messages = append(r.Messages, canon.Message{Role: canon.Assistant, Parts: []canon.Part{call}}, canon.Message{Role: canon.User, Parts: text("so")}, canon.Message{Role: canon.ToolRole, Parts: []canon.Part{p}})
			}, `{"role":"user","content":[{"toolResult":{"toolUseId":"a","content":[{"text":"1"}]}},{"text":"so"}]}`, "", "part;approximated",
		},
		{
			"calls without ids", sonnet, func(r *canon.Request, _ at) {
				c := func(name string) canon.Part {
					return canon.Part{Kind: canon.ToolCall, Call: &canon.Call{Name: name}}
				}
				res := func(name string) canon.Part {
					return canon.Part{Kind: canon.ToolResult, Result: &canon.Result{Name: name, JSON: []byte(`{"ok":true}`)}}
				}
				r.Tools = []canon.Tool{tool}
				r.Messages = append(r.Messages, canon.Message{Role: canon.Assistant, Parts: []canon.Part{c("f"), c("g"), c("f")}}, canon.Message{Role: canon.ToolRole, Parts: []canon.Part{res("g"), res("f"), res("f")}})
			}, `{"toolResult":{"toolUseId":"call_2","content":[{"json":{"ok":true}}]}},{"toolResult":{"toolUseId":"call_1","content":[{"json":{"ok":true}}]}},{"toolResult":{"toolUseId":"call_3"`, "", "",
		},
		{
			"tools of earlier calls are defined", sonnet, func(r *canon.Request, _ at) {
				r.Messages = append(r.Messages, canon.Message{Role: canon.Assistant, Parts: []canon.Part{call}}, canon.Message{Role: canon.ToolRole, Parts: []canon.Part{result}})
			}, `"toolConfig":{"tools":[{"toolSpec":{"name":"f","inputSchema":{"json":{"type":"object","properties":{}}}}}]}`, "", "tools;emulated",
		},
		{
			"arguments that are no object", sonnet, func(r *canon.Request, at at) {
				p := call
				p.Call, p.At = &canon.Call{ID: "call.1|x", Name: "f", Args: `{"x":`}, at("part")
				r.Tools = []canon.Tool{tool}
				r.Messages = append(r.Messages, canon.Message{Role: canon.Assistant, Parts: []canon.Part{p}})
			}, `{"toolUse":{"toolUseId":"call_1_x_`, "call.1", "part;approximated",
		},
		{
			"no tool is to be called", sonnet, func(r *canon.Request, at at) {
				r.Tools, r.Choice = []canon.Tool{tool}, canon.ToolChoice{Mode: canon.ToolsNone, At: at("choice")}
			}, `"messages"`, "toolConfig", "choice;emulated",
		},
		{
			"one of some tools", sonnet, func(r *canon.Request, at at) {
				r.Tools, r.Choice = []canon.Tool{tool, {Name: "g"}}, canon.ToolChoice{Mode: canon.ToolsAny, Names: []string{"g"}, At: at("choice")}
			}, `"toolConfig":{"tools":[{"toolSpec":{"name":"g","inputSchema":{"json":{"type":"object","properties":{}}}}}],"toolChoice":{"any":{}}}`, `"f"`, "choice;emulated",
		},
		{
			"a tool for free text", sonnet, func(r *canon.Request, at at) {
				r.Tools = []canon.Tool{{Name: "g", Custom: true, At: at("tool")}}
			}, `"properties":{"input":{"type":"string"}}`, "", "tool;emulated",
		},
		{
			"a strict tool, and one at a time", sonnet, func(r *canon.Request, at at) {
				r.Tools = []canon.Tool{{Name: "g", Schema: []byte(`{"type":"object","properties":{"n":{"type":"integer","maximum":3}}}`), Strict: canon.Flag{Said: true, On: true, At: at("strict")}}}
				r.ParallelTools = canon.Flag{Said: true, At: at("parallel")}
			}, `{"type":"object","properties":{"n":{"type":"integer","description":"{maximum: 3}"}},"additionalProperties":false}},"strict":true}}]},"additionalModelRequestFields":{"tool_choice":{"type":"auto","disable_parallel_tool_use":true}}`, "", "strict;approximated",
		},
		{
			"one at a time, of Llama", "meta.llama3-1-70b-instruct-v1:0", func(r *canon.Request, at at) {
				r.Tools, r.ParallelTools = []canon.Tool{tool}, canon.Flag{Said: true, At: at("parallel")}
			}, `"toolConfig"`, "disable", "parallel;dropped",
		},
		{"a schema", sonnet, schema, `"outputConfig":{"textFormat":{"type":"json_schema","structure":{"jsonSchema":{"schema":"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\",\"description\":\"{minimum: 1}\"}},\"additionalProperties\":false}","name":"n"}}}}`, "", "format;approximated"},
		{"a schema, in words", "us.meta.llama3-3-70b-instruct-v1:0", schema, `must match this JSON Schema:\n{\"type\"`, "outputConfig", "format;emulated"},
		{"any JSON", sonnet, func(r *canon.Request, at at) { r.Format = canon.Format{Kind: canon.JSONObject, At: at("format")} }, `"system":[{"text":"Answer with one JSON object`, "", "format;emulated"},
		{"a temperature above 1", sonnet, param(canon.Temperature, "temperature", "1.7"), `"temperature":1}`, "", "temperature;approximated"},
		{"no temperature for a model that has none", opus, param(canon.Temperature, "temperature", "0.5"), `"messages"`, "temperature", "temperature;dropped"},
		{"top_k of Claude", sonnet, param(canon.TopK, "top_k", "5"), `"additionalModelRequestFields":{"top_k":5}`, "", ""},
		{"top_k of Nova", "amazon.nova-pro-v1:0", param(canon.TopK, "top_k", "5"), `"additionalModelRequestFields":{"inferenceConfig":{"topK":5}}`, "", ""},
		{"top_k of Cohere", "cohere.command-r-v1:0", param(canon.TopK, "top_k", "5"), `"additionalModelRequestFields":{"k":5}`, "", ""},
		{"top_k of Llama", "meta.llama3-1-8b-instruct-v1:0", param(canon.TopK, "top_k", "5"), `"messages"`, "5", "top_k;dropped"},
		{"stop of Claude", sonnet, param(canon.Stop, "part", `["a","b"]`), `"inferenceConfig":{"stopSequences":["a","b"]},"additionalModelResponseFieldPaths":["/stop_sequence"]`, "", ""},
		{"a tier", sonnet, param(canon.ServiceTier, "part", `"flex"`), `"serviceTier":{"type":"flex"}`, "", ""},
		{"a tier that is not Bedrock's", sonnet, param(canon.ServiceTier, "part", `"standard_only"`), `"messages"`, "serviceTier", "part;dropped"},
		{"metadata", sonnet, param(canon.Metadata, "part", `{"team":"a b","mail":"x!y"}`), `"requestMetadata":{"team":"a b"}`, "x!y", "part.mail;dropped"},
		{"an effort", sonnet, effort("low"), `"thinking":{"type":"enabled","budget_tokens":2048}`, "outputConfig", ""},
		{"an effort of a model that adapts", "us.anthropic.claude-opus-4-6-v1", effort("xhigh"), `"outputConfig":{"effort":"max"},"additionalModelRequestFields":{"thinking":{"type":"adaptive"}}`, "", ""},
		{"a budget", sonnet, budget(4000, 0), `"thinking":{"type":"enabled","budget_tokens":4000}`, "", ""},
		{"a budget as long as the answer", sonnet, budget(8000, 8000), `"budget_tokens":4000`, "", "reasoning;approximated"},
		{"a budget of an answer too short", sonnet, budget(8000, 1000), `"maxTokens":1000`, "thinking", "reasoning;dropped"},
		{"a budget of a model that takes none", opus, budget(8000, 0), `"outputConfig":{"effort":"medium"},"additionalModelRequestFields":{"thinking":{"type":"adaptive","display":"summarized"}}`, "budget", "reasoning;approximated"},
		{"an old Claude", "anthropic.claude-3-5-sonnet-20241022-v2:0", effort("low"), `"messages"`, "thinking", "reasoning;dropped"},
		{"Llama", "meta.llama3-1-8b-instruct-v1:0", effort("low"), `"messages"`, "thinking", "reasoning;dropped"},
		{"Nova", "us.amazon.nova-2-lite-v1:0", effort("xhigh"), `"reasoningConfig":{"type":"enabled","maxReasoningEffort":"high"}`, "thinking", "reasoning;approximated"},
		{"gpt-oss", "openai.gpt-oss-20b-1:0", effort("medium"), `"additionalModelRequestFields":{"reasoning_effort":"medium"}`, "", ""},
		{
			"thoughts", sonnet, func(r *canon.Request, at at) {
				r.Messages = append(r.Messages, canon.Message{Role: canon.Assistant, Parts: []canon.Part{
					{Kind: canon.Thinking, Text: "Hm", Signature: "sig", SignedBy: "anthropic"},
					{Kind: canon.Thinking, Redacted: true, Signature: "RW1i", SignedBy: "anthropic"},
					{Kind: canon.Thinking, Text: "foreign", Signature: "enc", SignedBy: "openai", At: at("part")},
					{Kind: canon.Thinking, Text: "bare", At: at("message")},
					{Text: "So"},
				}})
			}, `[{"reasoningContent":{"reasoningText":{"text":"Hm","signature":"sig"}}},{"reasoningContent":{"redactedContent":"RW1i"}},{"text":"So"}]`, "foreign", "part;dropped message;dropped",
		},
		{
			"a cache point", sonnet, func(r *canon.Request, _ at) { r.Messages[0].Parts[0].Cache = &canon.Cache{TTL: "1h"} },
			`[{"text":"Hi"},{"cachePoint":{"type":"default","ttl":"1h"}}]`, "", "",
		},
		{
			"a cache point of Llama", "meta.llama3-1-8b-instruct-v1:0", func(r *canon.Request, at at) {
				r.Messages[0].Parts[0].Cache, r.Messages[0].Parts[0].At = &canon.Cache{}, at("part")
			}, `[{"text":"Hi"}]`, "cachePoint", "part;approximated",
		},
		{
			"names, refusals and what only another dialect knows", sonnet, func(r *canon.Request, at at) {
				r.Messages = append(r.Messages, canon.Message{Role: canon.Assistant, Name: "bob", At: at("message"), Parts: []canon.Part{
					{Kind: canon.Refusal, Text: "No.", At: at("part")}, {Kind: canon.Other, Raw: []byte("{}"), SignedBy: "openai", At: at("tool")},
				}})
			}, `{"role":"assistant","content":[{"text":"No."}]}`, "bob", "message.name;dropped part;approximated tool;dropped",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			body, report := written(t, asked(t, c.change), c.model)
			if !json.Valid([]byte(body)) || !strings.Contains(body, c.want) || c.not != "" && strings.Contains(body, c.not) {
				t.Errorf("written %s\nwant    %s\nnot     %s", body, c.want, c.not)
			}
			var told []string
			for _, e := range report.Entries {
				told = append(told, e.Field+";"+e.Loss.String())
			}
			if got := strings.Join(told, " "); got != c.report {
				t.Errorf("reported %q, want %q", got, c.report)
			}
		})
	}
}

func TestWhatCannotBePut(t *testing.T) {
	type at = func(string) jsontree.Ref
	for name, c := range map[string]struct {
		change func(r *canon.Request, at at)
		fetch  func(string) (string, string, error)
		field  string
		why    string
	}{
		"an address that may not be fetched": {func(r *canon.Request, at at) {
			r.Messages[0].Parts = []canon.Part{{Kind: canon.Image, Media: &canon.Media{URL: "https://secret/x"}, At: at("part")}}
		}, fetch, "part", "it leads to a private address"},
		"no fetching": {func(r *canon.Request, at at) {
			r.Messages[0].Parts = []canon.Part{{Kind: canon.Document, Media: &canon.Media{URL: "https://x/y"}, At: at("part")}}
		}, nil, "part", "may not fetch"},
		"another provider's file": {func(r *canon.Request, at at) {
			r.Messages[0].Parts = []canon.Part{{Kind: canon.Document, Media: &canon.Media{FileID: "file-1"}, At: at("part")}}
		}, fetch, "part", "another provider keeps"},
		"an image of another type": {func(r *canon.Request, at at) {
			r.Messages[0].Parts = []canon.Part{{Kind: canon.Image, Media: &canon.Media{MIME: "image/tiff", Data: "AAAA"}, At: at("part")}}
		}, fetch, "part", "image/tiff"},
		"a tool's name": {func(r *canon.Request, at at) {
			r.Tools = []canon.Tool{{Name: "my.tool", At: at("tool")}}
		}, fetch, "tool", "letters, digits"},
	} {
		req := asked(t, c.change)
		_, err := bedrock.New().Codec(llm.Chat).WriteRequest(req, &canon.Target{Model: sonnet, Fetch: c.fetch}, canon.NewReport(req))
		var un *canon.Unsupported
		if !errors.As(err, &un) || un.Field != c.field || !strings.Contains(un.Why, c.why) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestOnlyWhatBedrockUnderstandsIsLostElsewhere: what has no canonical form is told by its place.
func TestOnlyWhatBedrockUnderstandsIsLostElsewhere(t *testing.T) {
	req := foreign(t, everything)
	r := canon.NewReport(req)
	for id := range canon.NumParams {
		r.Take(id)
	}
	r.Close()
	want := map[string]bool{}
	for _, f := range []string{
		"system.2.guardContent.text.qualifiers", "messages.0.content.2.image.source.s3Location.bucketOwner", "messages.0.content.9.searchResult.source",
		"guardrailConfig", "additionalModelRequestFields.anthropic_beta", "additionalModelResponseFieldPaths", "promptVariables", "performanceConfig",
	} {
		want[f] = true
	}
	for _, e := range r.Entries {
		if !want[e.Field] {
			t.Errorf("%s is told as lost", e.Field)
		}
		delete(want, e.Field)
	}
	for f := range want {
		t.Errorf("%s is lost in silence", f)
	}
}

func TestTokensAreCounted(t *testing.T) {
	d := bedrock.New()
	req, err := d.ReadCountRequest(llm.Match{Op: llm.CountTokens, Model: sonnet}, []byte(`{"input":{"converse":{"messages":[{"role":"user","content":[{"text":"Hi"}]}],"system":[{"text":"s"}]}}}`))
	if err != nil {
		t.Fatal(err)
	}
	r := canon.NewReport(req)
	body, err := d.WriteCountRequest(req, &canon.Target{Model: sonnet}, r)
	if r.Close(); err != nil || len(r.Entries) > 0 || string(body) != `{"input":{"converse":{"messages":[{"role":"user","content":[{"text":"Hi"}]}],"system":[{"text":"s"}]}}}` {
		t.Errorf("%v: %s, %v", err, body, r.Lines())
	}
	if n, err := d.ReadCount(d.WriteCount(42)); n != 42 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if a := d.ReadAnswer(llm.CountTokens, []byte(`{"inputTokens":42}`)); a.Kind != "" {
		t.Errorf("%+v", a)
	}
	for body, pointer := range map[string]string{`{}`: "/input", `{"input":{}}`: "/input/converse", `{"input":{"invokeModel":{"body":"e30="}}}`: "/input/converse", `{"input":{"converse":{}}}`: "/input/converse/messages"} {
		_, err := d.ReadCountRequest(llm.Match{Op: llm.CountTokens}, []byte(body))
		if got, ok := llmtest.PointerOf(err); !ok || got != pointer {
			t.Errorf("%s: %v", body, err)
		}
	}
	if _, err := d.ReadCount([]byte(`{"tokens":1}`)); err == nil {
		t.Error("another object is a count")
	}
}

// TestCallsWithoutIDsGetSome: Gemini's calls have no ids, and a conversation on Bedrock needs them to differ from turn to turn.
func TestCallsWithoutIDsGetSome(t *testing.T) {
	codec := bedrock.New().Codec(llm.Chat)
	asked := &canon.Request{Dialect: "bedrock", Op: llm.Chat}
	seen := map[string]bool{"": true}
	for range 3 {
		call := canon.Part{Kind: canon.ToolCall, Call: &canon.Call{Name: "f"}}
		body := codec.WriteAnswer(&canon.Answer{Choices: []canon.Choice{{Parts: []canon.Part{call, call}}}}, asked, canon.NewReport(asked))
		a, err := codec.ReadAnswer(body)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range a.Choices[0].Parts {
			if seen[p.Call.ID] {
				t.Errorf("the id %q stands twice", p.Call.ID)
			}
			seen[p.Call.ID] = true
		}
	}
}

func TestWhatHasNoPlaceInAnAnswerIsTold(t *testing.T) {
	codec := bedrock.New().Codec(llm.Chat)
	asked := &canon.Request{Dialect: "bedrock", Op: llm.Chat}
	choice := canon.Choice{Finish: canon.Stopped, Logprobs: []canon.Logprob{{Token: "a"}}, Parts: []canon.Part{
		{Text: "a", Signature: "s", SignedBy: "gemini"},
		{Kind: canon.Other, Raw: []byte(`{"type":"web_search_call"}`), SignedBy: "openai"},
		{Kind: canon.Refusal, Text: "No."},
		{Kind: canon.Text, Text: "b", Citations: []canon.Citation{{Start: -1, End: -1, URL: "https://example.com", Title: "E", Cited: "c"}}},
		{Kind: canon.Audio, Media: &canon.Media{MIME: "audio/wav", Data: "UklGRg=="}},
	}}
	r := canon.NewReport(asked)
	body := string(codec.WriteAnswer(&canon.Answer{Choices: []canon.Choice{choice, {Index: 1}}, Usage: canon.NoUsage()}, asked, r))
	want := `{"output":{"message":{"role":"assistant","content":[{"text":"a"},{"text":"No."},{"citationsContent":{"content":[{"text":"b"}],"citations":[{"title":"E","sourceContent":[{"text":"c"}],"location":{"web":{"url":"https://example.com"}}}]}},{"audio":{"format":"wav","source":{"bytes":"UklGRg=="}}}]}},"stopReason":"end_turn","usage":{"inputTokens":0,"outputTokens":0,"totalTokens":0},"metrics":{"latencyMs":0}}`
	if body != want {
		t.Errorf("written %s\nwant    %s", body, want)
	}
	if got := strings.Join(r.Names(canon.Dropped), " "); got != "answer.choices answer.logprobs answer.text.signature answer.other" {
		t.Errorf("%q", got)
	}
}
