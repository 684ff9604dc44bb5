package openai_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/openai"
)

func outline(req *canon.Request) string {
	var b strings.Builder
	for _, m := range req.Messages {
		fmt.Fprintf(&b, "%s:", m.Role)
		for _, p := range m.Parts {
			fmt.Fprintf(&b, " %s(%s", p.Kind, p.Text)
			if p.Call != nil {
				b.WriteString(p.Call.ID)
			}
			if p.Result != nil {
				b.WriteString(p.Result.ID)
			}
			b.WriteByte(')')
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// keep makes the kept form of a call and its answer.
func keep(t *testing.T, req *canon.Request, a *canon.Answer) (id string, turn openai.KeptTurn) {
	t.Helper()
	turn.Response = responsesCodec().WriteAnswer(a, req, canon.NewReport(req))
	id = openai.ResponseIDOf(turn.Response)
	turn.Input = openai.KeptInput(req, id, func(string) []byte { return nil })
	return id, turn
}

// TestContinue goes on from a kept response with the result of its tool, as previous_response_id asks for.
func TestContinue(t *testing.T) {
	first := readResponses(t, `{"model":"m","instructions":"old","input":"Weather?"}`)
	id, turn := keep(t, first, thoughtful())
	req := readResponses(t, `{"model":"m","instructions":"new","previous_response_id":"`+id+`","input":[
		{"type":"function_call_output","call_id":"toolu_1","output":"sun"},{"type":"function_call_output","call_id":"functions.weather:0","output":"rain"},
		{"role":"user","content":"And now?"}]}`)
	if err := openai.Continue(req, []openai.KeptTurn{turn}); err != nil {
		t.Fatal(err)
	}
	const want = `system: text(new)
user: text(Weather?)
assistant: thinking(I need the weather.) thinking() text(Let me look.) tool_call(toolu_1) tool_call(functions.weather:0)
tool: tool_result(toolu_1)
tool: tool_result(functions.weather:0)
user: text(And now?)
`
	if got := outline(req); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	parts := req.Messages[2].Parts
	if parts[0].Signature != "EqQBCg==" || parts[0].SignedBy != "anthropic" || parts[4].Signature != "c2ln" || parts[4].SignedBy != "gemini" {
		t.Errorf("what proves the thoughts is lost: %+v", parts)
	}
	report := canon.NewReport(req)
	report.Lose(parts[0].At, canon.Dropped, "") // what the caller did not say is not told
	if len(report.Entries) > 0 {
		t.Error(report.Header())
	}
	if req.FindCall("toolu_1") != "weather" {
		t.Error("the result's call is not found")
	}
}

// TestReferences: items are named instead of being sent again, as the Vercel AI SDK does.
func TestReferences(t *testing.T) {
	id, turn := keep(t, readResponses(t, `{"model":"m","input":[{"role":"user","content":"Weather?"}]}`), thoughtful())
	var response struct {
		Output []struct{ ID string }
	}
	if err := json.Unmarshal(turn.Response, &response); err != nil {
		t.Fatal(err)
	}
	input := `{"role":"user","content":"Weather?"}`
	for _, item := range response.Output {
		if of, bare := openai.ResponseOf(item.ID); of != id || "resp_"+bare != id {
			t.Errorf("%s is an item of %s, not of %s", item.ID, id, of)
		}
		input += `,{"type":"item_reference","id":"` + item.ID + `"}`
	}
	input += `,{"type":"function_call_output","call_id":"toolu_1","output":"sun"}`
	req := readResponses(t, `{"model":"m","input":[`+input+`]}`)
	if !openai.HasReferences(req) {
		t.Fatal("no references")
	}
	find := func(id string) []byte { return openai.KeptItem(turn, id) }
	kept := openai.KeptInput(req, "resp_2", find)
	if missing, err := openai.Resolve(req, find); missing != "" || err != nil {
		t.Fatal(missing, err)
	}
	const want = `user: text(Weather?)
assistant: thinking(I need the weather.) thinking() text(Let me look.) tool_call(toolu_1) tool_call(functions.weather:0)
tool: tool_result(toolu_1)
`
	if got := outline(req); got != want || openai.HasReferences(req) {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if strings.Contains(string(kept), "item_reference") || !strings.Contains(string(kept), "EqQBCg==") || !json.Valid(kept) {
		t.Errorf("references are kept instead of items: %s", kept)
	}
	req = readResponses(t, `{"model":"m","input":[{"type":"item_reference","id":"msg_other_1"},{"role":"user","content":"x"}]}`)
	if missing, _ := openai.Resolve(req, find); missing != "msg_other_1" {
		t.Errorf("missing is %q", missing)
	}
}

func TestListedItems(t *testing.T) {
	_, one := keep(t, readResponses(t, `{"model":"m","input":"Weather?"}`), thoughtful())
	_, two := keep(t, readResponses(t, `{"model":"m","input":[{"type":"function_call_output","call_id":"toolu_1","output":"sun"},{"role":"user","content":"x"}]}`), thoughtful())
	list := func(page openai.ItemPage) (types []string, ids []string, more bool) {
		var got struct {
			Object  string
			Data    []struct{ ID, Type string }
			FirstID string `json:"first_id"`
			LastID  string `json:"last_id"`
			HasMore bool   `json:"has_more"`
		}
		if err := json.Unmarshal(openai.AppendItems(nil, []openai.KeptTurn{one, two}, page), &got); err != nil || got.Object != "list" {
			t.Fatal(err, got)
		}
		for _, d := range got.Data {
			types, ids = append(types, d.Type), append(ids, d.ID)
		}
		if len(ids) > 0 && (got.FirstID != ids[0] || got.LastID != ids[len(ids)-1]) {
			t.Errorf("first %s, last %s of %v", got.FirstID, got.LastID, ids)
		}
		return types, ids, got.HasMore
	}
	types, all, more := list(openai.ItemPage{Ascending: true})
	const want = "message reasoning reasoning message reasoning function_call function_call reasoning function_call_output message"
	if strings.Join(types, " ") != want || more {
		t.Errorf("%v, more: %v", types, more)
	}
	seen := map[string]bool{}
	for _, id := range all {
		if id == "" || seen[id] {
			t.Errorf("the id %q stands twice", id)
		}
		seen[id] = true
	}
	if _, ids, more := list(openai.ItemPage{Limit: 2}); fmt.Sprint(ids) != fmt.Sprint([]string{all[9], all[8]}) || !more {
		t.Errorf("the newest two: %v, more: %v", ids, more)
	}
	if _, ids, _ := list(openai.ItemPage{After: all[1], Ascending: true, Limit: 1}); fmt.Sprint(ids) != fmt.Sprint(all[2:3]) {
		t.Errorf("behind the second: %v", ids)
	}
}

func TestReadKeeping(t *testing.T) {
	for _, c := range []struct {
		body, previous string
		store          bool
	}{
		{`{"model":"m","input":"x"}`, "", true},
		{`{"store":false,"previous_response_id":"resp_\u0031"}`, "resp_1", false},
		{`{"input":[{"previous_response_id":"no","store":false}],"store":true}`, "", true},
		{`{"previous_response_id":null,"store":null}`, "", true},
		{`[]`, "", true},
	} {
		if previous, store := openai.ReadKeeping([]byte(c.body)); previous != c.previous || store != c.store {
			t.Errorf("%s: %q, %v", c.body, previous, store)
		}
	}
	for text, want := range map[string]string{
		`{"id":"resp_1","object":"response","output":[{"id":"x"}]}`:                          "resp_1",
		`{"type":"response.created","sequence_number":0,"response":{"id":"resp_2","a":[1]}}`: "resp_2",
		`{"type":"response.output_text.delta","delta":"id"}`:                                 "",
		`nothing`: "",
	} {
		if got := openai.ResponseIDOf([]byte(text)); got != want {
			t.Errorf("%s: %q", text, got)
		}
	}
}

func TestStoredAddresses(t *testing.T) {
	for _, c := range []struct {
		method, path string
		ok           bool
		detail       string
		allow        string
	}{
		{"GET", "/v1/responses/resp_1", true, "resp_1", ""},
		{"DELETE", "/v1/responses/resp_1", true, "resp_1", ""},
		{"POST", "/v1/responses/resp_1", false, "", "GET, DELETE"},
		{"GET", "/v1/responses/resp_1/input_items", true, "resp_1/input_items", ""},
		{"DELETE", "/v1/responses/resp_1/input_items", false, "", "GET"},
		{"POST", "/v1/responses/resp_1/cancel", true, "resp_1/cancel", ""},
		{"GET", "/v1/responses/resp_1/cancel", false, "", "POST"},
		{"GET", "/v1/responses/resp_1/other", false, "", ""},
		{"PUT", "/v1/responses/input_tokens", false, "", "POST"},
		{"POST", "/v1/responses/compact", false, "", ""},
		{"GET", "/v1/responses/", false, "", ""},
	} {
		m, ok := openai.New().Lookup(c.method, c.path)
		if ok != c.ok || m.Detail != c.detail || m.Allow != c.allow || ok && m.Op != llm.Stored {
			t.Errorf("%s %s: %+v, %v", c.method, c.path, m, ok)
		}
	}
}
