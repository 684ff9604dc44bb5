package cohere_test

import (
	"strings"
	"testing"

	"causeway/internal/catalog"
	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/cohere"
	"causeway/internal/llm/llmtest"
)

// malformed are requests that can't be read, and where the fault is.
var malformed = []llmtest.Malformed{
	{Name: "not JSON", Body: `{"model":"m",`, Pointer: ""},
	{Name: "an array", Body: `[]`, Pointer: ""},
	{Name: "no model", Body: `{"messages":[{"role":"user","content":"hi"}]}`, Pointer: "/model"},
	{Name: "model a number", Body: `{"model":1,"messages":[{"role":"user","content":"hi"}]}`, Pointer: "/model"},
	{Name: "no messages", Body: `{"model":"m"}`, Pointer: "/messages"},
	{Name: "messages an object", Body: `{"model":"m","messages":{}}`, Pointer: "/messages"},
	{Name: "no message", Body: `{"model":"m","messages":[]}`, Pointer: "/messages"},
	{Name: "a message is a string", Body: `{"model":"m","messages":["hi"]}`, Pointer: "/messages/0"},
	{Name: "no role", Body: `{"model":"m","messages":[{"content":"hi"}]}`, Pointer: "/messages/0/role"},
	{Name: "another role", Body: `{"model":"m","messages":[{"role":"developer","content":"hi"}]}`, Pointer: "/messages/0/role"},
	{Name: "no content", Body: `{"model":"m","messages":[{"role":"user"}]}`, Pointer: "/messages/0/content"},
	{Name: "content a number", Body: `{"model":"m","messages":[{"role":"user","content":7}]}`, Pointer: "/messages/0/content"},
	{Name: "a part without type", Body: `{"model":"m","messages":[{"role":"user","content":[{"text":"hi"}]}]}`, Pointer: "/messages/0/content/0/type"},
	{Name: "a part of another type", Body: `{"model":"m","messages":[{"role":"user","content":[{"type":"video"}]}]}`, Pointer: "/messages/0/content/0/type"},
	{Name: "a text without text", Body: `{"model":"m","messages":[{"role":"user","content":[{"type":"text"}]}]}`, Pointer: "/messages/0/content/0/text"},
	{Name: "an image without url", Body: `{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{}}]}]}`, Pointer: "/messages/0/content/0/image_url/url"},
	{Name: "a result without id", Body: `{"model":"m","messages":[{"role":"tool","content":"1"}]}`, Pointer: "/messages/0/tool_call_id"},
	{Name: "a call without function", Body: `{"model":"m","messages":[{"role":"assistant","tool_calls":[{"id":"a","type":"function"}]}]}`, Pointer: "/messages/0/tool_calls/0/function"},
	{Name: "a call without id", Body: `{"model":"m","messages":[{"role":"assistant","tool_calls":[{"type":"function","function":{"name":"f"}}]}]}`, Pointer: "/messages/0/tool_calls/0/id"},
	{Name: "an empty assistant", Body: `{"model":"m","messages":[{"role":"assistant"}]}`, Pointer: "/messages/0/content"},
	{Name: "a tool without name", Body: `{"model":"m","messages":[{"role":"user","content":"hi"}],"tools":[{"type":"function","function":{}}]}`, Pointer: "/tools/0/function/name"},
	{Name: "a tool of another type", Body: `{"model":"m","messages":[{"role":"user","content":"hi"}],"tools":[{"type":"web_search"}]}`, Pointer: "/tools/0/type"},
	{Name: "parameters a string", Body: `{"model":"m","messages":[{"role":"user","content":"hi"}],"tools":[{"type":"function","function":{"name":"f","parameters":"x"}}]}`, Pointer: "/tools/0/function/parameters"},
	{Name: "another tool_choice", Body: `{"model":"m","messages":[{"role":"user","content":"hi"}],"tool_choice":"auto"}`, Pointer: "/tool_choice"},
	{Name: "another format", Body: `{"model":"m","messages":[{"role":"user","content":"hi"}],"response_format":{"type":"json_schema"}}`, Pointer: "/response_format/type"},
	{Name: "a budget of nothing", Body: `{"model":"m","messages":[{"role":"user","content":"hi"}],"thinking":{"type":"enabled","token_budget":0}}`, Pointer: "/thinking/token_budget"},
	{Name: "temperature a string", Body: `{"model":"m","messages":[{"role":"user","content":"hi"}],"temperature":"hot"}`, Pointer: "/temperature"},
	{Name: "half a token", Body: `{"model":"m","messages":[{"role":"user","content":"hi"}],"max_tokens":1.5}`, Pointer: "/max_tokens"},
	{Name: "a stop word that is none", Body: `{"model":"m","messages":[{"role":"user","content":"hi"}],"stop_sequences":["a",1]}`, Pointer: "/stop_sequences/1"},
	{Name: "a document without data", Body: `{"model":"m","messages":[{"role":"user","content":"hi"}],"documents":[{"id":"x"}]}`, Pointer: "/documents/0/data"},
	{Name: "stream a string", Body: `{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":"yes"}`, Pointer: "/stream"},
	{Name: "model twice", Body: `{"model":"m","model":"n","messages":[{"role":"user","content":"hi"}]}`, Pointer: "/model"},
}

func TestCodec(t *testing.T) {
	all, made := exchanges(t, "testdata/recorded.jsonl"), exchanges(t, "testdata/made.jsonl")
	s := llmtest.CodecSuite{
		Dialect:   cohere.New(),
		Op:        llm.Chat,
		Malformed: malformed,
		CodecRequests: []llmtest.CodecRequest{
			{Name: "all members", Body: made["all-members"].Request},
			{
				Name: "strings for parts", Body: `{"model":"m","messages":[{"role":"user","content":"hi"},{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"a","content":"1"}],"stream":false}`,
				Differ: []string{"~/messages/0/content"},
			},
			{Name: "off", Body: `{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}],"thinking":{"type":"disabled"},"response_format":{"type":"text"},"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}],"strict_tools":false,"tool_choice":"NONE","stream":true}`},
		},
		CodecAnswers: []llmtest.CodecAnswer{
			{
				Name: "all members", Body: made["all-answers"].Body,
				Differ: []string{"-/logprobs/*/token_ids/*", "~/logprobs/0/logprobs/0", "-/logprobs/0/logprobs/1"},
				Report: []string{"logprobs.0.token_ids;lost", "logprobs.1.token_ids;lost"},
			},
		},
		CodecStreams: []llmtest.CodecStream{
			{Name: "tools", Body: made["stream-tools"].Body},
			{Name: "late citation", Body: made["stream-late-citation"].Body},
		},
	}
	for id, x := range all {
		switch {
		case x.Endpoint != "v2/chat" || x.Status != 200:
		case x.Streamed():
			s.CodecStreams = append(s.CodecStreams, llmtest.CodecStream{Name: id, Body: x.Body})
			fallthrough
		default:
			s.CodecRequests = append(s.CodecRequests, llmtest.CodecRequest{Name: id, Body: x.Request})
			if !x.Streamed() {
				s.CodecAnswers = append(s.CodecAnswers, llmtest.CodecAnswer{Name: id, Body: x.Body})
			}
		}
	}
	llmtest.RunCodec(t, s)
}

func FuzzCodec(f *testing.F) {
	made := exchanges(f, "testdata/made.jsonl")
	seeds := []string{made["all-members"].Request, made["all-answers"].Body, made["stream-tools"].Body, made["stream-late-citation"].Body}
	for _, m := range malformed {
		seeds = append(seeds, m.Body)
	}
	to := &canon.Target{Provider: "cohere", Vendor: &catalog.Vendor{Kind: "cohere"}, Model: "command-a-03-2025"}
	llmtest.FuzzCodec(f, cohere.New(), llm.Match{Op: llm.Chat}, to, "", seeds...)
}

// of another dialect is a request as its reader would leave it.
func request(t *testing.T, body string, change func(*canon.Request)) *canon.Request {
	t.Helper()
	req, err := cohere.New().Codec(llm.Chat).ReadRequest(llm.Match{Op: llm.Chat}, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Dialect = "other"
	if change != nil {
		change(req)
	}
	return req
}

func written(t *testing.T, req *canon.Request) (any, *canon.Report) {
	t.Helper()
	r := canon.NewReport(req)
	body, err := cohere.New().Codec(llm.Chat).WriteRequest(req, &canon.Target{Model: "m", Vendor: &catalog.Vendor{}}, r)
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	return llmtest.Value(t, body), r
}

const user = `{"role":"user","content":"hi"}`

// TestWhatOtherDialectsAsk shows what a request of another dialect becomes, and what is told of it.
func TestWhatOtherDialectsAsk(t *testing.T) {
	tools := `"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}},{"type":"function","function":{"name":"g","parameters":{"type":"object"}}}]`
	at := func(req *canon.Request, name string) canon.Param {
		return canon.Param{JSON: nil, At: req.Doc.Root().Get(name).Ref()}
	}
	for _, c := range []struct {
		name, body string
		change     func(*canon.Request)
		path, want string // in the written request
		report     string
	}{
		{"a temperature above 1", `{"model":"m","messages":[` + user + `],"temperature":1.8}`, nil, "/temperature", "1", "temperature;approximated"},
		{"a certain p", `{"model":"m","messages":[` + user + `],"p":1}`, nil, "/p", "0.99", "p;approximated"},
		{"both penalties", `{"model":"m","messages":[` + user + `],"frequency_penalty":0.5,"presence_penalty":0.5}`, nil, "/presence_penalty", "<nil>", "presence_penalty;dropped"},
		{"six stop words", `{"model":"m","messages":[` + user + `],"stop_sequences":["1","2","3","4","5","6"]}`, nil, "/stop_sequences/5", "<nil>", "stop_sequences;approximated"},
		{"a seed below 0", `{"model":"m","messages":[` + user + `],"seed":-1}`, nil, "/seed", "<nil>", "seed;dropped"},
		{"several answers", `{"model":"m","messages":[` + user + `],"n":3}`, func(req *canon.Request) {
			req.Params[canon.N] = canon.Param{JSON: []byte("3"), At: at(req, "n").At}
		}, "/n", "<nil>", "n;dropped"},
		{"an effort", `{"model":"m","messages":[` + user + `],"thinking":{"type":"enabled"}}`, func(req *canon.Request) { req.Reasoning.Effort = "low" }, "/thinking/token_budget", "2048", "thinking;approximated"},
		{"no effort", `{"model":"m","messages":[` + user + `],"thinking":{"type":"enabled"}}`, func(req *canon.Request) { req.Reasoning.Effort = "none" }, "/thinking/type", "disabled", ""},
		{"one named tool", `{"model":"m","messages":[` + user + `],"tool_choice":"REQUIRED",` + tools + `}`, func(req *canon.Request) {
			req.Choice.Mode, req.Choice.Names = canon.ToolsNamed, []string{"g"}
		}, "/tools/0/function/name", "g", "tool_choice;emulated"},
		{"a format beside tools", `{"model":"m","messages":[` + user + `],"response_format":{"type":"json_object","json_schema":{"type":"object"}},` + tools + `}`, nil, "/messages/0/role", "system", "response_format;emulated"},
		{"what only Cohere has", `{"model":"m","messages":[` + user + `],"safety_mode":"OFF"}`, nil, "/safety_mode", "<nil>", "safety_mode;dropped"},
		{"a developer", `{"model":"m","messages":[{"role":"system","content":"x"},` + user + `]}`, func(req *canon.Request) { req.Messages[0].Role = canon.Developer }, "/messages/0/role", "system", ""},
		{"a call without id", `{"model":"m","messages":[` + user + `,{"role":"assistant","tool_calls":[{"id":"x","type":"function","function":{"name":"f"}}]},{"role":"tool","tool_call_id":"x","content":"1"}]}`, func(req *canon.Request) {
			req.Messages[1].Parts[0].Call.ID, req.Messages[2].Parts[0].Result.ID = "", ""
		}, "/messages/2/tool_call_id", "call_1", ""},
		{"a result that failed", `{"model":"m","messages":[` + user + `,{"role":"tool","tool_call_id":"x","content":"no"}]}`, func(req *canon.Request) {
			req.Messages[1].Parts[0].Result.Error = true
		}, "/messages/1/content/0/document/data/error", "no", "messages.1;approximated"},
		{"signed thinking", `{"model":"m","messages":[` + user + `,{"role":"assistant","content":[{"type":"thinking","thinking":"so"}]}]}`, func(req *canon.Request) {
			p := &req.Messages[1].Parts[0]
			p.Signature, p.SignedBy = "abc", "anthropic"
		}, "/messages/1/content/0/thinking", "so", "messages.1.content.0;approximated"},
		{"a text document", `{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"read"},{"type":"text","text":"x"}]}]}`, func(req *canon.Request) {
			p := &req.Messages[0].Parts[1]
			p.Kind, p.Media = canon.Document, &canon.Media{MIME: "text/plain", Data: "aGVsbG8=", Name: "a.txt"}
		}, "/documents/0/data/text", "hello", ""},
		{"a PDF", `{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"read"},{"type":"text","text":"x"}]}]}`, func(req *canon.Request) {
			p := &req.Messages[0].Parts[1]
			p.Kind, p.Media = canon.Document, &canon.Media{MIME: "application/pdf", Data: "JVBERi0="}
		}, "/documents", "<nil>", "messages.0.content.1;dropped"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, r := written(t, request(t, c.body, c.change))
			if v := llmtest.Show(llmtest.Find(got, c.path)); strings.Trim(v, `"`) != c.want {
				t.Errorf("%s is %s, want %s\n%v", c.path, v, c.want, got)
			}
			var list []string
			for _, e := range r.Entries {
				list = append(list, e.Field+";"+e.Loss.String())
			}
			if strings.Join(list, " ") != c.report {
				t.Errorf("the report tells %q, want %q", list, c.report)
			}
		})
	}
}

// TestDocumentsBecomeParts shows where other dialects find the documents of a request.
func TestDocumentsBecomeParts(t *testing.T) {
	req := request(t, `{"model":"m","messages":[`+user+`],"documents":["a",{"id":"7","data":{"title":"T","text":"b"}},{"data":{"title":"T","text":"c","url":"u"}}]}`, nil)
	var texts []string
	for _, p := range req.Messages[0].Parts {
		if p.Media != nil {
			texts = append(texts, p.Media.Name+"|"+p.Media.Text)
		}
	}
	if got := strings.Join(texts, " "); got != "|a T|b T|text: c\nurl: u" {
		t.Errorf("%q", got)
	}
}

// TestCitationsCross shows a citation of another dialect as Cohere's callers read it.
func TestCitationsCross(t *testing.T) {
	req := &canon.Request{Dialect: "cohere", Op: llm.Chat}
	r := canon.NewReport(req)
	a := &canon.Answer{ID: "x", Usage: canon.NoUsage(), Choices: []canon.Choice{{Finish: canon.Stopped, Parts: []canon.Part{{
		Kind: canon.Text, Text: "Größe 5", Citations: []canon.Citation{{Start: 0, End: 5, URL: "https://example.com", Title: "E", SignedBy: "openai"}},
	}}}}}
	got := llmtest.Value(t, cohere.New().Codec(llm.Chat).WriteAnswer(a, req, r))
	if text := llmtest.Find(got, "/message/citations/0/text"); text != "Größe" {
		t.Errorf("%v", got)
	}
	if url := llmtest.Find(got, "/message/citations/0/sources/0/document/url"); url != "https://example.com" || len(r.Entries) > 0 {
		t.Errorf("%v, %v", got, r.Entries)
	}
}

// TestACitationThatComesBeforeItsText shows that a stream quotes what a citation is of, as Anthropic's come first.
func TestACitationThatComesBeforeItsText(t *testing.T) {
	req := &canon.Request{Dialect: "cohere", Op: llm.Chat}
	w := cohere.New().Codec(llm.Chat).NewWriter(req, canon.NewReport(req))
	var out []byte
	for _, ev := range []canon.Event{
		{Kind: canon.Start, ID: "x"},
		{Kind: canon.Begin},
		{Kind: canon.Cite, Citation: &canon.Citation{Start: -1, End: -1, URL: "https://example.com", SignedBy: "anthropic"}},
		{Kind: canon.Delta, Text: "Größe "},
		{Kind: canon.Delta, Text: "5"},
		{Kind: canon.EndPart},
		{Kind: canon.Finished, Finish: canon.Stopped},
	} {
		out = w.Write(out, &ev)
	}
	text := string(w.End(out))
	cite, end := strings.Index(text, `"start":0,"end":7,"text":"Größe 5"`), strings.Index(text, "event: content-end")
	if cite < 0 || end < cite || strings.Count(text, "event: citation-") != 2 || !strings.HasSuffix(text, "data: [DONE]\n\n") {
		t.Errorf("%s", text)
	}
}
