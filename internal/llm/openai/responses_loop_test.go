package openai_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"causeway/internal/catalog"
	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/llmtest"
	"causeway/internal/llm/openai"
)

func responsesCodec() canon.Codec { return openai.New().Codec(llm.Responses) }

func readResponses(t *testing.T, body string) *canon.Request {
	t.Helper()
	req, err := responsesCodec().ReadRequest(llm.Match{Op: llm.Responses}, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// thoughtful is an answer of another dialect that thinks and calls tools, with what proves it.
func thoughtful() *canon.Answer {
	return &canon.Answer{
		ID: "msg_01X", Model: "claude-sonnet-4-20250514", Usage: canon.NoUsage(),
		Choices: []canon.Choice{{Finish: canon.ToolCalls, Parts: []canon.Part{
			{Kind: canon.Thinking, Text: "I need the weather.", Signature: "EqQBCg==", SignedBy: "anthropic"},
			{Kind: canon.Thinking, Redacted: true, Signature: "UkVE", SignedBy: "anthropic"},
			{Kind: canon.Text, Text: "Let me look.", Signature: "dGV4dA==", SignedBy: "gemini"},
			{Kind: canon.ToolCall, Call: &canon.Call{ID: "toolu_1", Name: "weather", Args: `{"city":"Paris"}`}},
			{Kind: canon.ToolCall, Call: &canon.Call{ID: "functions.weather:0", Name: "weather", Args: `{"city":"Rome"}`}, Signature: "c2ln", SignedBy: "gemini"},
		}}},
	}
}

// eventsOf is an answer as the events of a stream.
func eventsOf(a *canon.Answer) (events []canon.Event) {
	events = append(events, canon.Event{Kind: canon.Start, ID: a.ID, Model: a.Model, Created: a.Created})
	for i, p := range a.Choices[0].Parts {
		begin := canon.Event{Kind: canon.Begin, Part: i, PartKind: p.Kind, Raw: p.Raw, SignedBy: p.SignedBy}
		text := p.Text
		if p.Call != nil {
			begin.Call = &canon.Call{ID: p.Call.ID, Name: p.Call.Name, Custom: p.Call.Custom}
			text = p.Call.Args
		}
		if p.Media != nil {
			begin.Media = &canon.Media{MIME: p.Media.MIME}
		}
		events = append(events, begin)
		for from := 0; from < len(text); from += 5 {
			events = append(events, canon.Event{Kind: canon.Delta, Part: i, PartKind: p.Kind, Text: text[from:min(from+5, len(text))]})
		}
		if p.Media != nil {
			events = append(events, canon.Event{Kind: canon.MediaDelta, Part: i, PartKind: p.Kind, Text: p.Media.Data, Transcript: p.Media.Transcript})
		}
		for k := range p.Citations {
			events = append(events, canon.Event{Kind: canon.Cite, Part: i, PartKind: p.Kind, Citation: &p.Citations[k]})
		}
		if p.Signature != "" {
			events = append(events, canon.Event{Kind: canon.Sign, Part: i, PartKind: p.Kind, Signature: p.Signature, SignedBy: p.SignedBy, Redacted: p.Redacted})
		}
		events = append(events, canon.Event{Kind: canon.EndPart, Part: i, PartKind: p.Kind})
	}
	events = append(events, canon.Event{Kind: canon.Finished, Finish: a.Choices[0].Finish, FinishRaw: a.Choices[0].FinishRaw})
	return append(events, canon.Event{Kind: canon.Used, Usage: &a.Usage})
}

// asStream writes an answer as a stream and returns the events and the response in the last of them.
func asStream(t *testing.T, a *canon.Answer, req *canon.Request, r *canon.Report) (events []map[string]any, last []byte) {
	t.Helper()
	w := responsesCodec().NewWriter(req, r)
	var out []byte
	for _, ev := range eventsOf(a) {
		out = w.Write(out, &ev)
	}
	out = w.End(out)
	for _, block := range strings.Split(strings.TrimSpace(string(out)), "\n\n") {
		name, data, ok := strings.Cut(strings.TrimPrefix(block, "event: "), "\ndata: ")
		var ev map[string]any
		if err := json.Unmarshal([]byte(data), &ev); !ok || err != nil || ev["type"] != name || int(ev["sequence_number"].(float64)) != len(events) {
			t.Fatalf("event %d: %v: %s", len(events), err, block)
		}
		events = append(events, ev)
	}
	return events, w.(interface{ Response() []byte }).Response()
}

// TestThoughtsOfOthersComeBack sends an answer through Responses and back, as a program does that keeps nothing with
// the provider: every thought, and every proof of one, stands where it stood.
func TestThoughtsOfOthersComeBack(t *testing.T) {
	req := readResponses(t, `{"model":"m","store":false,"input":"Weather?"}`)
	want := thoughtful().Choices[0].Parts
	_, last := asStream(t, thoughtful(), req, canon.NewReport(req))
	for name, body := range map[string][]byte{"whole": responsesCodec().WriteAnswer(thoughtful(), req, canon.NewReport(req)), "streamed": last} {
		t.Run(name, func(t *testing.T) {
			var response struct{ Output []json.RawMessage }
			if err := json.Unmarshal(body, &response); err != nil {
				t.Fatal(err)
			}
			items := append([]json.RawMessage{json.RawMessage(`{"role":"user","content":"Weather?"}`)}, response.Output...)
			items = append(items, json.RawMessage(`{"type":"function_call_output","call_id":"toolu_1","output":"fine"}`))
			input, _ := json.Marshal(items)
			back := readResponses(t, `{"model":"m","store":false,"input":`+string(input)+`}`)
			report := canon.NewReport(back)
			report.Close()
			if len(report.Entries) > 0 {
				t.Errorf("lost on the way: %s", report.Header())
			}
			if len(back.Messages) != 3 || back.Messages[1].Role != canon.Assistant {
				t.Fatalf("the turn is not one message: %+v", back.Messages)
			}
			got := back.Messages[1].Parts
			if len(got) != len(want) {
				t.Fatalf("%d parts, want %d: %s", len(got), len(want), body)
			}
			for i := range got {
				g, w := got[i], want[i]
				if g.Kind != w.Kind || g.Text != w.Text || g.Signature != w.Signature || w.Signature != "" && g.SignedBy != w.SignedBy || g.Redacted != w.Redacted {
					t.Errorf("part %d: %+v, want %+v", i, g, w)
				}
				if w.Call != nil && !reflect.DeepEqual(g.Call, w.Call) {
					t.Errorf("part %d: %+v, want %+v", i, g.Call, w.Call)
				}
			}
		})
	}
}

// TestForeignThoughtsStayAway: a provider does not get the proofs of another.
func TestForeignThoughtsStayAway(t *testing.T) {
	req := readResponses(t, `{"model":"m","input":[{"role":"user","content":"a"},
		{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"thinking"}],"encrypted_content":"anthropic:SECRET"},
		{"type":"reasoning","id":"rs_2","summary":[],"encrypted_content":"gAAAAA"},
		{"role":"assistant","content":"b"},{"role":"user","content":"c"}]}`)
	report := canon.NewReport(req)
	body, err := responsesCodec().WriteRequest(req, &canon.Target{Model: "gpt-5", Vendor: &catalog.Vendor{}}, report)
	if err != nil {
		t.Fatal(err)
	}
	report.Close()
	if strings.Contains(string(body), "SECRET") || !strings.Contains(string(body), "gAAAAA") || report.Header() != "input.1;dropped" {
		t.Errorf("%s\n%s", report.Header(), body)
	}
}

func TestHasForeignThoughts(t *testing.T) {
	for body, want := range map[string]bool{
		`{"input":[{"type":"reasoning","encrypted_content":"gAAAA"}]}`:                                   false,
		`{"input":[{"encrypted_content" : null},{"encrypted_content" : "anthropic:x"}]}`:                 true,
		`{"input":[{"encrypted_content":"gemini:call=functions.weather%3A0:c2lnbmF0dXJlc2lnbmF0dXJl"}]}`: true,
		`{"input":"about \"encrypted_content\":\"a:b\""}`:                                                false,
		`{"input":[{"encrypted_content":""}]}`:                                                           false,
		`"encrypted_content"`:                                                                            false,
	} {
		if openai.HasForeignThoughts([]byte(body)) != want {
			t.Errorf("%s: %v", body, !want)
		}
	}
}

// TestStreamGrammar holds the events of a stream to their order and to the members that the API's description
// requires, and the last response to what a whole answer is.
func TestStreamGrammar(t *testing.T) {
	req := readResponses(t, `{"model":"m","input":"x","stream":true}`)
	answer := thoughtful()
	answer.Choices[0].Parts = append(answer.Choices[0].Parts[:2:2],
		canon.Part{Kind: canon.Text, Text: "Paris is sunny.", Citations: []canon.Citation{{Start: -1, End: -1, URL: "https://a.example", Title: "A"}}},
		canon.Part{Kind: canon.Refusal, Text: "I won't say more."},
		canon.Part{Kind: canon.ToolCall, Call: &canon.Call{ID: "c1", Name: "shell", Args: "ls", Custom: true}},
		canon.Part{Kind: canon.ToolCall, Call: &canon.Call{Name: "now"}},
		canon.Part{Kind: canon.Image, Media: &canon.Media{MIME: "image/png", Data: "aGk="}},
		canon.Part{Kind: canon.Other, SignedBy: "anthropic", Raw: []byte(`{"type":"server_tool_use"}`)},
	)
	report := canon.NewReport(req)
	events, last := asStream(t, answer, req, report)
	required := map[string][]string{}
	for name, members := range map[string]string{
		"response.created": "response", "response.in_progress": "response", "response.completed": "response",
		"response.output_item.added": "output_index item", "response.output_item.done": "output_index item",
		"response.content_part.added": "item_id output_index content_index part", "response.content_part.done": "item_id output_index content_index part",
		"response.output_text.delta": "item_id output_index content_index delta logprobs", "response.output_text.done": "item_id output_index content_index text logprobs",
		"response.output_text.annotation.added": "item_id output_index content_index annotation_index annotation",
		"response.refusal.delta":                "item_id output_index content_index delta", "response.refusal.done": "item_id output_index content_index refusal",
		"response.reasoning_summary_part.added": "item_id output_index summary_index part", "response.reasoning_summary_part.done": "item_id output_index summary_index part",
		"response.reasoning_summary_text.delta": "item_id output_index summary_index delta", "response.reasoning_summary_text.done": "item_id output_index summary_index text",
		"response.function_call_arguments.done": "item_id output_index name arguments",
		"response.custom_tool_call_input.delta": "item_id output_index delta", "response.custom_tool_call_input.done": "item_id output_index input",
	} {
		required[name] = strings.Fields(members)
	}
	seen := map[string]bool{}
	open := map[float64]string{}
	var done []any
	for i, ev := range events {
		name := ev["type"].(string)
		if seen[name] = true; required[name] == nil {
			t.Errorf("event %d: an event %s", i, name)
		}
		for _, m := range required[name] {
			if ev[m] == nil {
				t.Errorf("event %d: %s without %s: %v", i, name, m, ev)
			}
		}
		index, _ := ev["output_index"].(float64)
		switch item, _ := ev["item"].(map[string]any); name {
		case "response.output_item.added":
			if open[index] != "" || item["id"] == "" {
				t.Errorf("event %d: item %v begins twice or without id", i, index)
			}
			open[index] = item["id"].(string)
		case "response.output_item.done":
			if open[index] != item["id"] {
				t.Errorf("event %d: item %v ends as %v and began as %s", i, index, item["id"], open[index])
			}
			done = append(done, item)
		default:
			if id, ok := ev["item_id"]; ok && open[index] != id {
				t.Errorf("event %d: %s of %v, which is %s", i, name, id, open[index])
			}
		}
	}
	for name := range required {
		if !seen[name] {
			t.Errorf("no event %s", name)
		}
	}
	if events[0]["type"] != "response.created" || events[len(events)-1]["type"] != "response.completed" {
		t.Error("it does not begin with response.created and end with response.completed")
	}
	response := events[len(events)-1]["response"].(map[string]any)
	if !reflect.DeepEqual(response["output"], done) {
		t.Errorf("the output is not what the items were:\n%v\n%v", response["output"], done)
	}
	if report.Header() != "answer.server_tool_use;dropped" {
		t.Errorf("the report says %q", report.Header())
	}
	for _, m := range strings.Fields("id object created_at model output parallel_tool_calls metadata tool_choice tools temperature top_p") {
		if response[m] == nil {
			t.Errorf("the response has no %s", m)
		}
	}
	var kept map[string]any
	if err := json.Unmarshal(last, &kept); err != nil || kept["id"] != response["id"] {
		t.Errorf("Response is another than that of the last event: %v", err)
	}
	whole, err := responsesCodec().ReadAnswer(responsesCodec().WriteAnswer(answer, req, canon.NewReport(req)))
	if err != nil {
		t.Fatal(err)
	}
	fromStream, err := responsesCodec().ReadAnswer(last)
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range llmtest.Diff(llmtest.PlainAnswer(whole), llmtest.PlainAnswer(fromStream)) {
		if !strings.HasSuffix(at, "/ID") && !strings.HasSuffix(at, "/Created") { // ids are new each time
			t.Errorf("whole and streamed differ at %s", at)
		}
	}
}

// TestHowResponsesEnd: why a model stopped decides the status, and the last event's name.
func TestHowResponsesEnd(t *testing.T) {
	for _, c := range []struct {
		name           string
		finish         canon.Finish
		refusal        bool
		status, reason string
	}{
		{"said all", canon.Stopped, false, "completed", ""},
		{"calls", canon.ToolCalls, false, "completed", ""},
		{"length", canon.Length, false, "incomplete", "max_output_tokens"},
		{"context", canon.ContextLength, false, "incomplete", "max_output_tokens"},
		{"filter", canon.Filtered, false, "incomplete", "content_filter"},
		{"a refusal as a stop reason alone", canon.Refused, false, "incomplete", "content_filter"},
		{"a refusal in words", canon.Refused, true, "completed", ""},
		{"broke off", canon.Failed, false, "failed", ""},
		{"a call that can't be read", canon.BadCall, false, "failed", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			kind := canon.Text
			if c.refusal {
				kind = canon.Refusal
			}
			a := &canon.Answer{ID: "x", Usage: canon.NoUsage(), Choices: []canon.Choice{{Finish: c.finish, FinishRaw: "raw", Parts: []canon.Part{{Kind: kind, Text: "hi"}}}}}
			req := readResponses(t, `{"model":"m","input":"x"}`)
			var got struct {
				Status            string
				IncompleteDetails struct{ Reason string } `json:"incomplete_details"`
				Error             *struct{ Code, Message string }
			}
			events, last := asStream(t, a, req, canon.NewReport(req))
			for _, body := range [][]byte{last, responsesCodec().WriteAnswer(a, req, canon.NewReport(req))} {
				got.Error = nil
				if err := json.Unmarshal(body, &got); err != nil {
					t.Fatal(err)
				}
				if got.Status != c.status || got.IncompleteDetails.Reason != c.reason || (got.Error != nil) != (c.status == "failed") {
					t.Errorf("%+v", got)
				}
			}
			if name := events[len(events)-1]["type"]; name != "response."+c.status {
				t.Errorf("it ends with %v", name)
			}
		})
	}
}

// TestResponseRepeatsItsRequest: SDKs read in a response what was asked for.
func TestResponseRepeatsItsRequest(t *testing.T) {
	const body = `{"model":"m","input":"x","instructions":"be kind","temperature":0.5,"top_p":0.9,"max_output_tokens":100,"store":false,
		"metadata":{"k":"v"},"parallel_tool_calls":false,"reasoning":{"effort":"low","summary":"auto"},"user":"u","truncation":"auto",
		"tools":[{"type":"function","name":"f","parameters":{"type":"object",
			"properties":{}},"strict":true},{"type":"custom","name":"c"},{"type":"web_search"}],"tool_choice":{"type":"function","name":"f"},
		"text":{"format":{"type":"json_schema","name":"n","schema":{"type":"object"},"strict":true},"verbosity":"low"},"previous_response_id":"resp_0"}`
	req := readResponses(t, body)
	_, last := asStream(t, thoughtful(), req, canon.NewReport(req))
	var asked, got map[string]any
	if err := json.Unmarshal([]byte(body), &asked); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(last, &got); err != nil {
		t.Fatal(err)
	}
	for name, want := range asked {
		if name == "input" || name == "model" {
			continue
		}
		if !reflect.DeepEqual(got[name], want) {
			t.Errorf("%s: %v, want %v", name, got[name], want)
		}
	}
}
