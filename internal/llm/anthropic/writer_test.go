package anthropic_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"causeway/internal/journey"
	"causeway/internal/llm"
	"causeway/internal/llm/anthropic"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/llmtest"
	"causeway/internal/llm/llmtest/spec"
)

// told writes events as a stream, checks each by Anthropic's description, and returns them in short: the
// data of each without what all have.
func told(t *testing.T, s *spec.Spec, events ...canon.Event) (short []string, whole string, report *canon.Report) {
	t.Helper()
	req := &canon.Request{Dialect: "anthropic", Op: llm.Chat}
	report = canon.NewReport(req)
	w := anthropic.New().Codec(llm.Chat).NewWriter(req, report)
	var out []byte
	for i := range events {
		out = w.Write(out, &events[i])
	}
	if strings.Contains(string(out), "message_stop") {
		t.Fatal("the terminal event went out before the end")
	}
	out = w.End(out)
	for block := range strings.SplitSeq(strings.TrimSuffix(string(out), "\n\n"), "\n\n") {
		name, data, ok := strings.Cut(strings.TrimPrefix(block, "event: "), "\ndata: ")
		if !ok || !strings.Contains(data, `"type":"`+name+`"`) || strings.Contains(data, "\n") {
			t.Fatalf("no event: %q", block)
		}
		if name != "ping" {
			// only the beta API's description has this reason, which newer models give in both
			s.Schema(t, "MessageStreamEvent", []byte(strings.Replace(data, `"model_context_window_exceeded"`, `"max_tokens"`, 1)))
		}
		data = strings.ReplaceAll(data, `{"type":"`+name+`"`, name)
		short = append(short, strings.TrimSuffix(strings.ReplaceAll(strings.ReplaceAll(data, `,"index":`, " "), `,"caller":{"type":"direct"}`, ""), "}"))
	}
	return short, string(out), report
}

func ev(kind canon.EventKind, part int, of canon.PartKind, text string) canon.Event {
	return canon.Event{Kind: kind, Part: part, PartKind: of, Text: text}
}

func call(part int, id, name string) canon.Event {
	return canon.Event{Kind: canon.Begin, Part: part, PartKind: canon.ToolCall, Call: &canon.Call{ID: id, Name: name}}
}

func finish(f canon.Finish) canon.Event { return canon.Event{Kind: canon.Finished, Finish: f} }

var begun = canon.Event{Kind: canon.Start, ID: "id", Model: "m"}

func TestStreamsFromOtherDialects(t *testing.T) {
	s := spec.Open(t, "anthropic-openapi.yaml.gz")
	usage := canon.NoUsage()
	usage.Usage = journey.Usage{Input: 10, Output: 5, Cached: 4, CacheWrite: -1, Reasoning: 2}
	for _, c := range []struct {
		name   string
		events []canon.Event
		want   []string // without the first and the last two events
		end    string   // what message_delta holds
		report string
	}{
		{
			"text",
			[]canon.Event{begun, ev(canon.Begin, 0, canon.Text, ""), ev(canon.Delta, 0, canon.Text, "a\n\"b"), {Kind: canon.Beat}, ev(canon.EndPart, 0, canon.Text, ""), finish(canon.Stopped), {Kind: canon.Used, Usage: &usage}},
			[]string{`content_block_start 0,"content_block":{"type":"text","text":"","citations":[]}`, `content_block_delta 0,"delta":{"type":"text_delta","text":"a\n\"b"}`, `ping`, `content_block_stop 0`},
			`"stop_reason":"end_turn","stop_sequence":null,"stop_details":null,"container":null},"usage":{"input_tokens":6,"cache_creation_input_tokens":null,"cache_read_input_tokens":4,"output_tokens":5,"output_tokens_details":{"thinking_tokens":2},"server_tool_use":null}`, "",
		},
		{
			"several calls at once",
			[]canon.Event{
				begun, call(0, "c0", "f"), ev(canon.Delta, 0, canon.ToolCall, `{"a"`), call(1, "", "g"), ev(canon.Delta, 1, canon.ToolCall, `{"b"`), call(2, "c2", "h"), ev(canon.Delta, 0, canon.ToolCall, `:1}`), ev(canon.Delta, 2, canon.ToolCall, `{}`),
				ev(canon.EndPart, 2, canon.ToolCall, ""), ev(canon.EndPart, 0, canon.ToolCall, ""), ev(canon.Delta, 1, canon.ToolCall, `:2}`), ev(canon.EndPart, 1, canon.ToolCall, ""), finish(canon.Stopped),
			},
			[]string{
				`content_block_start 0,"content_block":{"type":"tool_use","id":"c0","name":"f","input":{}}`, `content_block_delta 0,"delta":{"type":"input_json_delta","partial_json":"{\"a\""}`, `content_block_delta 0,"delta":{"type":"input_json_delta","partial_json":":1}"}`, `content_block_stop 0`,
				`content_block_start 1,"content_block":{"type":"tool_use","id":"toolu_1","name":"g","input":{}}`, `content_block_delta 1,"delta":{"type":"input_json_delta","partial_json":"{\"b\""}`, `content_block_delta 1,"delta":{"type":"input_json_delta","partial_json":":2}"}`, `content_block_stop 1`,
				`content_block_start 2,"content_block":{"type":"tool_use","id":"c2","name":"h","input":{}}`, `content_block_delta 2,"delta":{"type":"input_json_delta","partial_json":"{}"}`, `content_block_stop 2`,
			},
			`"stop_reason":"tool_use"`, "",
		},
		{
			"a part whose end is not told",
			[]canon.Event{begun, ev(canon.Begin, 0, canon.Text, ""), ev(canon.Delta, 0, canon.Text, "a"), ev(canon.Begin, 1, canon.Text, ""), ev(canon.Delta, 1, canon.Text, "b"), finish(canon.Length)},
			[]string{
				`content_block_start 0,"content_block":{"type":"text","text":"","citations":[]}`, `content_block_delta 0,"delta":{"type":"text_delta","text":"a"}`, `content_block_stop 0`,
				`content_block_start 1,"content_block":{"type":"text","text":"","citations":[]}`, `content_block_delta 1,"delta":{"type":"text_delta","text":"b"}`, `content_block_stop 1`,
			},
			`"stop_reason":"max_tokens"`, "",
		},
		{
			"thoughts of another",
			[]canon.Event{
				begun, ev(canon.Begin, 0, canon.Thinking, ""), ev(canon.Delta, 0, canon.Thinking, "hm"),
				{Kind: canon.Sign, PartKind: canon.Thinking, Signature: "s", SignedBy: "gemini"},
				ev(canon.EndPart, 0, canon.Thinking, ""),
				{Kind: canon.Begin, Part: 1, PartKind: canon.Thinking, Redacted: true},
				{Kind: canon.Sign, Part: 1, PartKind: canon.Thinking, Signature: "d", SignedBy: "openai"},
				ev(canon.EndPart, 1, canon.Thinking, ""), finish(canon.Stopped),
			},
			[]string{
				`content_block_start 0,"content_block":{"type":"thinking","thinking":"","signature":""}`, `content_block_delta 0,"delta":{"type":"thinking_delta","thinking":"hm"}`, `content_block_delta 0,"delta":{"type":"signature_delta","signature":"causeway.gemini.s"}`, `content_block_stop 0`,
				`content_block_start 1,"content_block":{"type":"redacted_thinking","data":"causeway.openai.d"}`, `content_block_stop 1`,
			},
			`"end_turn"`, "",
		},
		{
			"a signed call",
			[]canon.Event{begun, {Kind: canon.Begin, PartKind: canon.ToolCall, Call: &canon.Call{Name: "f"}, Signature: "s", SignedBy: "gemini"}, ev(canon.EndPart, 0, canon.ToolCall, ""), ev(canon.Begin, 1, canon.Text, ""), {Kind: canon.Sign, Part: 1, PartKind: canon.Text, Signature: "t", SignedBy: "gemini"}, ev(canon.EndPart, 1, canon.Text, ""), finish(canon.ToolCalls)},
			[]string{
				`content_block_start 0,"content_block":{"type":"redacted_thinking","data":"causeway.gemini.>s"}`, `content_block_stop 0`, `content_block_start 1,"content_block":{"type":"tool_use","id":"toolu_1","name":"f","input":{}}`, `content_block_stop 1`,
				`content_block_start 2,"content_block":{"type":"text","text":"","citations":[]}`, `content_block_stop 2`, `content_block_start 3,"content_block":{"type":"redacted_thinking","data":"causeway.gemini.<t"}`, `content_block_stop 3`,
			},
			`"tool_use"`, "",
		},
		{
			"a custom call",
			[]canon.Event{begun, {Kind: canon.Begin, PartKind: canon.ToolCall, Call: &canon.Call{ID: "c", Name: "f", Custom: true}}, ev(canon.Delta, 0, canon.ToolCall, `say "`), ev(canon.EndPart, 0, canon.ToolCall, ""), finish(canon.ToolCalls)},
			[]string{`content_block_start 0,"content_block":{"type":"tool_use","id":"c","name":"f","input":{}}`, `content_block_delta 0,"delta":{"type":"input_json_delta","partial_json":"{\"input\":\""}`, `content_block_delta 0,"delta":{"type":"input_json_delta","partial_json":"say \\\""}`, `content_block_delta 0,"delta":{"type":"input_json_delta","partial_json":"\"}"}`, `content_block_stop 0`},
			`"tool_use"`, "",
		},
		{
			"a refusal",
			[]canon.Event{begun, ev(canon.Begin, 0, canon.Refusal, ""), ev(canon.Delta, 0, canon.Refusal, "I "), ev(canon.Delta, 0, canon.Refusal, "won't."), ev(canon.EndPart, 0, canon.Refusal, ""), finish(canon.Stopped)},
			nil, `"stop_reason":"refusal","stop_sequence":null,"stop_details":{"type":"refusal","category":null,"explanation":"I won't."}`, "",
		},
		{
			"a source",
			[]canon.Event{begun, ev(canon.Begin, 0, canon.Text, ""), {Kind: canon.Cite, PartKind: canon.Text, Citation: &canon.Citation{Start: 0, End: 3, URL: "https://x.example", Title: "X"}}, ev(canon.EndPart, 0, canon.Text, ""), finish(canon.Stopped)},
			[]string{`content_block_start 0,"content_block":{"type":"text","text":"","citations":[]}`, `content_block_delta 0,"delta":{"type":"citations_delta","citation":{"type":"web_search_result_location","cited_text":"","url":"https://x.example","title":"X","encrypted_index":""}}`, `content_block_stop 0`},
			`"end_turn"`, "answer.citations;approximated",
		},
		{
			"sound, a picture, another's part and another choice",
			[]canon.Event{
				begun, ev(canon.Begin, 0, canon.Audio, ""),
				{Kind: canon.MediaDelta, PartKind: canon.Audio, Text: "data", Transcript: "heard"},
				ev(canon.EndPart, 0, canon.Audio, ""),
				{Kind: canon.Begin, Part: 1, PartKind: canon.Image, Media: &canon.Media{Data: "x"}},
				ev(canon.EndPart, 1, canon.Image, ""),
				{Kind: canon.Begin, Part: 2, PartKind: canon.Other, Raw: []byte("{}"), SignedBy: "gemini"},
				ev(canon.EndPart, 2, canon.Other, ""),
				{Kind: canon.Begin, Choice: 1, PartKind: canon.Text},
				{Kind: canon.Delta, Choice: 1, PartKind: canon.Text, Text: "never"},
				finish(canon.Filtered),
			},
			[]string{`content_block_start 0,"content_block":{"type":"text","text":"","citations":[]}`, `content_block_delta 0,"delta":{"type":"text_delta","text":"heard"}`, `content_block_stop 0`},
			`"stop_reason":"refusal"`,
			"answer.audio;approximated answer.image;dropped answer.part;dropped answer.choices.1;dropped",
		},
		{"nothing", []canon.Event{begun, finish(canon.Stopped)}, nil, `"end_turn"`, ""},
		{"a heartbeat before anything else", []canon.Event{{Kind: canon.Beat}, begun, finish(canon.ContextLength)}, nil, `"model_context_window_exceeded"`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			short, whole, report := told(t, s, c.events...)
			if short[0] == "ping" {
				short = short[1:]
			}
			last := len(short) - 2
			if !strings.HasPrefix(short[0], "message_start") || !strings.HasPrefix(short[last], "message_delta") || short[last+1] != "message_stop" {
				t.Fatalf("%s", whole)
			}
			if got, want := strings.Join(short[1:last], "\n"), strings.Join(c.want, "\n"); got != want {
				t.Errorf("written:\n%s\nwant:\n%s", got, want)
			}
			if !strings.Contains(short[last], c.end) {
				t.Errorf("the end is %s", short[last])
			}
			var lost []string
			for _, e := range report.Entries {
				lost = append(lost, e.Field+";"+e.Loss.String())
			}
			if strings.Join(lost, " ") != c.report {
				t.Errorf("the report tells %q", lost)
			}
			stream := anthropic.New().NewStream(llm.Chat, false)
			stream.Feed([]byte(whole), nil)
			if _, end := stream.Finish(true, nil); !end.Complete {
				t.Errorf("%+v", end)
			}
		})
	}
}

// TestAnswersFromOtherDialects writes whole answers and holds them against the description.
func TestAnswersFromOtherDialects(t *testing.T) {
	s := spec.Open(t, "anthropic-openapi.yaml.gz")
	usage := canon.NoUsage()
	usage.Usage = journey.Usage{Input: 10, Output: 5, Cached: 4, CacheWrite: 2, Reasoning: -1}
	for _, c := range []struct {
		name   string
		answer canon.Answer
		want   string
		report string
	}{
		{
			"text and calls",
			canon.Answer{ID: "chatcmpl-1", Model: "gpt", ServiceTier: "default", Usage: usage, Choices: []canon.Choice{{Finish: canon.Stopped, Parts: []canon.Part{{Text: "a"}, {Kind: canon.ToolCall, Call: &canon.Call{Name: "f", Args: ""}}, {Kind: canon.ToolCall, Call: &canon.Call{ID: "c", Name: "f", Args: "broken"}}}}}},
			`{"id":"chatcmpl-1","type":"message","role":"assistant","model":"gpt","stop_reason":"tool_use","content":[{"type":"text","text":"a","citations":[]},{"type":"tool_use","id":"toolu_1","name":"f","input":{},"caller":{"type":"direct"}},{"type":"tool_use","id":"c","name":"f","input":{"input":"broken"},"caller":{"type":"direct"}}],
			"usage":{"input_tokens":4,"cache_creation_input_tokens":2,"cache_read_input_tokens":4,"output_tokens":5,"service_tier":"standard"}}`, "answer.tool_call.arguments;approximated",
		},
		{
			"blocked",
			canon.Answer{ID: "g", Model: "gemini", Blocked: "SAFETY", Usage: canon.NoUsage()},
			`{"id":"g","type":"message","role":"assistant","model":"gemini","stop_reason":"refusal","stop_details":{"type":"refusal","explanation":"SAFETY"},"content":[],"usage":{"input_tokens":0,"output_tokens":0}}`, "",
		},
		{
			"thoughts, a signed call and two choices",
			canon.Answer{ID: "g", Model: "gemini", Usage: canon.NoUsage(), Choices: []canon.Choice{{Finish: canon.ToolCalls, Logprobs: []canon.Logprob{{Token: "x"}}, Parts: []canon.Part{{Kind: canon.Thinking, Text: "hm"}, {Kind: canon.ToolCall, Signature: "s", SignedBy: "gemini", Call: &canon.Call{Name: "f", Args: "{}"}}}}, {Index: 1}}},
			`{"id":"g","type":"message","role":"assistant","model":"gemini","stop_reason":"tool_use","content":[{"type":"thinking","thinking":"hm","signature":""},{"type":"redacted_thinking","data":"causeway.gemini.>s"},{"type":"tool_use","id":"toolu_1","name":"f","input":{},"caller":{"type":"direct"}}],"usage":{"input_tokens":0,"output_tokens":0}}`,
			"answer.choices.1;dropped answer.choices.0.logprobs;dropped",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			req := &canon.Request{Dialect: "anthropic", Op: llm.Chat}
			report := canon.NewReport(req)
			written := anthropic.New().Codec(llm.Chat).WriteAnswer(&c.answer, req, report)
			s.Answer(t, "POST", "/v1/messages", "200", written)
			if diff := llmtest.Diff(llmtest.Value(t, []byte(c.want)), llmtest.Value(t, written)); len(diff) > 0 {
				t.Errorf("%v\n%s", diff, written)
			}
			var lost []string
			for _, e := range report.Entries {
				lost = append(lost, e.Field+";"+e.Loss.String())
			}
			if strings.Join(lost, " ") != c.report {
				t.Errorf("the report tells %q", lost)
			}
		})
	}
}

// TestASignatureTravelsWithItsCaller: what Gemini signed goes to an Anthropic caller and comes back to Gemini.
func TestASignatureTravelsWithItsCaller(t *testing.T) {
	codec := anthropic.New().Codec(llm.Chat)
	answer := &canon.Answer{ID: "g", Model: "gemini", Usage: canon.NoUsage(), Choices: []canon.Choice{{Finish: canon.ToolCalls, Parts: []canon.Part{
		{Kind: canon.Thinking, Text: "hm", Signature: "s1", SignedBy: "gemini"},
		{Kind: canon.ToolCall, Signature: "s2", SignedBy: "gemini", Call: &canon.Call{ID: "c", Name: "f", Args: `{"a":1}`}},
		{Text: "t", Signature: "s3", SignedBy: "gemini"},
	}}}}
	asked := &canon.Request{Dialect: "anthropic"}
	content := llmtest.Value(t, codec.WriteAnswer(answer, asked, canon.NewReport(asked))).(map[string]any)["content"]
	body := `{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"u"},{"role":"assistant","content":` + encode(t, content) + `},{"role":"user","content":[{"type":"tool_result","tool_use_id":"c","content":"x"}]}]}`
	req, err := codec.ReadRequest(llm.Match{Op: llm.Chat}, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range req.Messages[1].Parts {
		got = append(got, fmt.Sprintf("%s %s by %s", p.Kind, p.Signature, p.SignedBy))
	}
	if want := "[thinking s1 by gemini tool_call s2 by gemini text s3 by gemini]"; fmt.Sprint(got) != want {
		t.Errorf("%v, want %s", got, want)
	}
	report := canon.NewReport(req)
	if report.Close(); fmt.Sprint(report.Names(canon.Dropped)) != "[max_tokens]" { // which nobody took here
		t.Errorf("%v", report.Lines())
	}
}

// TestABadStreamIsAnError holds the reader to the grammar of the events.
func TestABadStreamIsAnError(t *testing.T) {
	start := `{"type":"message_start","message":{"id":"i","model":"m","usage":{"input_tokens":1}}}`
	text := `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`
	for name, events := range map[string][]string{
		"a block before the start":       {text},
		"two starts":                     {start, start},
		"a start without message":        {`{"type":"message_start"}`},
		"a delta of nothing":             {start, `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"x"}}`},
		"a delta of another kind":        {start, text, `{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"x"}}`},
		"a block in a block":             {start, text, text},
		"a call without a name":          {start, `{"type":"content_block_start","content_block":{"type":"tool_use","id":"x"}}`},
		"a text that is a number":        {start, text, `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":5}}`},
		"an end before the start":        {`{"type":"message_delta","delta":{"stop_reason":"end_turn"}}`},
		"text that is no JSON":           {`{"type":`},
		"a block after the stop reason":  {start, `{"type":"message_delta","delta":{"stop_reason":"end_turn"}}`, text},
		"a block that is not an object":  {start, `{"type":"content_block_start","content_block":"x"}`},
		"a signature for what is a text": {start, text, `{"type":"content_block_delta","delta":{"type":"signature_delta","signature":"s"}}`},
	} {
		t.Run(name, func(t *testing.T) {
			r := anthropic.New().Codec(llm.Chat).NewReader()
			var err error
			for i, e := range events {
				if err != nil {
					t.Fatalf("event %d: %v", i, err)
				}
				_, err = r.Read(llm.Event{Data: []byte(e)}, nil)
			}
			if err == nil {
				t.Error("it is read")
			}
		})
	}
}

// TestAServersToolIsOnePart: its arguments come behind it, and canon wants it whole.
func TestAServersToolIsOnePart(t *testing.T) {
	x := recorded(t)["anthropic-0112"]
	crossed := llmtest.CrossPieces(t, anthropic.New(), llm.Chat, "", []byte(x.Body), 100, nil)
	part := crossed.Fold.Answer.Choices[0].Parts[0]
	if got := llmtest.Value(t, part.Raw).(map[string]any); part.SignedBy != "anthropic" || fmt.Sprint(got["input"]) != "map[query:latest stable Ruby version]" {
		t.Errorf("%s", part.Raw)
	}
	if u := crossed.Fold.Answer.Usage; u.Searches != 1 || u.Input != 9447 {
		t.Errorf("%+v", u)
	}
}

func encode(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestAnIDThatIsNotAllowedHereComesBack: Kimi's ids have dots and colons, and Kimi reads them.
func TestAnIDThatIsNotAllowedHereComesBack(t *testing.T) {
	codec := anthropic.New().Codec(llm.Chat)
	asked := &canon.Request{Dialect: "anthropic"}
	answer := &canon.Answer{Choices: []canon.Choice{{Finish: canon.ToolCalls, Parts: []canon.Part{{Kind: canon.ToolCall, Call: &canon.Call{ID: "functions.add:0", Name: "add", Args: "{}"}}}}}, Usage: canon.NoUsage()}
	written := codec.WriteAnswer(answer, asked, canon.NewReport(asked))
	spec.Open(t, "anthropic-openapi.yaml.gz").Answer(t, "POST", "/v1/messages", "200", written)
	again, err := codec.ReadAnswer(written)
	if err != nil || again.Choices[0].Parts[0].Call.ID != "functions.add:0" {
		t.Errorf("%v: %s", err, written)
	}
	for _, id := range []string{"causeway_", "causeway_!", "causeway_YQ"} { // not ours
		body := strings.Replace(string(written), `"id":"causeway_ZnVuY3Rpb25zLmFkZDow"`, `"id":"`+id+`"`, 1)
		if again, err := codec.ReadAnswer([]byte(body)); err != nil || again.Choices[0].Parts[0].Call.ID != id {
			t.Errorf("%s: %v", id, err)
		}
	}
}

// TestAProviderThatBrokeOffHasNotFinished holds that what other dialects call an error or a lack of resources never
// becomes end_turn.
func TestAProviderThatBrokeOffHasNotFinished(t *testing.T) {
	s := spec.Open(t, "anthropic-openapi.yaml.gz")
	broke := canon.Event{Kind: canon.Finished, Finish: canon.Failed, FinishRaw: "insufficient_system_resource"}
	_, whole, report := told(t, s, begun, ev(canon.Begin, 0, canon.Text, ""), ev(canon.Delta, 0, canon.Text, "par"), ev(canon.EndPart, 0, canon.Text, ""), broke)
	if !strings.Contains(whole, `"stop_reason":"max_tokens"`) || len(report.Entries) != 1 || report.Entries[0].Loss != canon.Approximated {
		t.Errorf("a stream: %v\n%s", report.Lines(), whole)
	}
	req := &canon.Request{Dialect: "anthropic", Op: llm.Chat}
	report = canon.NewReport(req)
	out := anthropic.New().Codec(llm.Chat).WriteAnswer(&canon.Answer{ID: "a", Model: "m", Choices: []canon.Choice{{
		Parts: []canon.Part{{Kind: canon.Text, Text: "par"}}, Finish: canon.Failed, FinishRaw: "error",
	}}, Usage: canon.NoUsage()}, req, report)
	if !strings.Contains(string(out), `"stop_reason":"max_tokens"`) || len(report.Entries) != 1 || report.Entries[0].Field != "answer.finish_reason" {
		t.Errorf("an answer: %v\n%s", report.Lines(), out)
	}
}
