package ollama_test

import (
	"errors"
	"strings"
	"testing"

	"causeway/internal/catalog"
	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/llmtest"
	"causeway/internal/llm/ollama"
)

const (
	user   = `{"role":"user","content":"hi"}`
	called = user + `,{"role":"assistant","content":"","tool_calls":[{"function":{"name":"f","arguments":{}}}]}`
)

// malformed are chats that can't be read, and where the fault is.
var malformed = []llmtest.Malformed{
	{Name: "not JSON", Body: `{"model":"m"`, Pointer: ""},
	{Name: "a string", Body: `"hi"`, Pointer: ""},
	{Name: "no model", Body: `{"messages":[` + user + `]}`, Pointer: "/model"},
	{Name: "model a list", Body: `{"model":[],"messages":[` + user + `]}`, Pointer: "/model"},
	{Name: "no messages", Body: `{"model":"m"}`, Pointer: "/messages"},
	{Name: "messages a string", Body: `{"model":"m","messages":"hi"}`, Pointer: "/messages"},
	{Name: "no message", Body: `{"model":"m","messages":[]}`, Pointer: "/messages"},
	{Name: "a message is a string", Body: `{"model":"m","messages":["hi"]}`, Pointer: "/messages/0"},
	{Name: "no role", Body: `{"model":"m","messages":[{"content":"hi"}]}`, Pointer: "/messages/0/role"},
	{Name: "another role", Body: `{"model":"m","messages":[{"role":"function","content":"hi"}]}`, Pointer: "/messages/0/role"},
	{Name: "no content", Body: `{"model":"m","messages":[{"role":"user"}]}`, Pointer: "/messages/0/content"},
	{Name: "content in parts", Body: `{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}]}`, Pointer: "/messages/0/content"},
	{Name: "images a string", Body: `{"model":"m","messages":[{"role":"user","content":"hi","images":"aGk="}]}`, Pointer: "/messages/0/images"},
	{Name: "an image that is a URL", Body: `{"model":"m","messages":[{"role":"user","content":"hi","images":["https://example.com/a.png"]}]}`, Pointer: "/messages/0/images/0"},
	{Name: "an image that is a number", Body: `{"model":"m","messages":[{"role":"user","content":"hi","images":[1]}]}`, Pointer: "/messages/0/images/0"},
	{Name: "a call without function", Body: `{"model":"m","messages":[` + user + `,{"role":"assistant","tool_calls":[{"name":"f"}]}]}`, Pointer: "/messages/1/tool_calls/0/function"},
	{Name: "a call without name", Body: `{"model":"m","messages":[` + user + `,{"role":"assistant","tool_calls":[{"function":{}}]}]}`, Pointer: "/messages/1/tool_calls/0/function/name"},
	{Name: "arguments a string", Body: `{"model":"m","messages":[` + user + `,{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":"{}"}}]}]}`, Pointer: "/messages/1/tool_calls/0/function/arguments"},
	{Name: "an empty assistant", Body: `{"model":"m","messages":[` + user + `,{"role":"assistant"}]}`, Pointer: "/messages/1/content"},
	{Name: "a result of no call", Body: `{"model":"m","messages":[` + user + `,{"role":"tool","content":"1"}]}`, Pointer: "/messages/1"},
	{Name: "a result of another tool", Body: `{"model":"m","messages":[` + called + `,{"role":"tool","content":"1","tool_name":"g"}]}`, Pointer: "/messages/2"},
	{Name: "a result without content", Body: `{"model":"m","messages":[` + called + `,{"role":"tool","tool_name":"f"}]}`, Pointer: "/messages/2/content"},
	{Name: "a tool without function", Body: `{"model":"m","messages":[` + user + `],"tools":[{"type":"function"}]}`, Pointer: "/tools/0/function"},
	{Name: "a tool without name", Body: `{"model":"m","messages":[` + user + `],"tools":[{"type":"function","function":{"parameters":{}}}]}`, Pointer: "/tools/0/function/name"},
	{Name: "another format", Body: `{"model":"m","messages":[` + user + `],"format":"xml"}`, Pointer: "/format"},
	{Name: "another level", Body: `{"model":"m","messages":[` + user + `],"think":"hard"}`, Pointer: "/think"},
	{Name: "think a number", Body: `{"model":"m","messages":[` + user + `],"think":1}`, Pointer: "/think"},
	{Name: "options a list", Body: `{"model":"m","messages":[` + user + `],"options":[]}`, Pointer: "/options"},
	{Name: "temperature a string", Body: `{"model":"m","messages":[` + user + `],"options":{"temperature":"hot"}}`, Pointer: "/options/temperature"},
	{Name: "half a token", Body: `{"model":"m","messages":[` + user + `],"options":{"num_predict":1.5}}`, Pointer: "/options/num_predict"},
	{Name: "a stop word that is none", Body: `{"model":"m","messages":[` + user + `],"options":{"stop":["a",2]}}`, Pointer: "/options/stop/1"},
	{Name: "stream a string", Body: `{"model":"m","messages":[` + user + `],"stream":"no"}`, Pointer: "/stream"},
	{Name: "model twice", Body: `{"model":"m","model":"n","messages":[` + user + `]}`, Pointer: "/model"},
}

func TestCodec(t *testing.T) {
	all := exchanges(t)
	ours := []string{"~/created_at", "-/load_duration", "-/prompt_eval_duration", "-/eval_duration", "~/total_duration"}
	s := llmtest.CodecSuite{
		Dialect:      ollama.New(),
		Op:           llm.Chat,
		Malformed:    malformed,
		DifferAnswer: ours,
		CodecRequests: []llmtest.CodecRequest{
			{Name: "all members", Body: all["all-members"].Request},
			{Name: "a stop word", Body: `{"model":"m","messages":[` + user + `],"options":{"stop":"x"},"stream":false}`, Differ: []string{"~/options/stop"}},
			{Name: "streamed unless it says no", Body: `{"model":"m","messages":[` + user + `],"think":false,"format":"json"}`, Differ: []string{"+/stream"}},
		},
		CodecAnswers: []llmtest.CodecAnswer{{Name: "all members", Body: all["all-answers"].Body}},
		CodecStreams: []llmtest.CodecStream{{Name: "all kinds of lines", Body: all["stream-all"].Body, ContentType: "application/x-ndjson"}},
	}
	for id, x := range all {
		if x.Status != 200 {
			continue
		}
		s.CodecRequests = append(s.CodecRequests, llmtest.CodecRequest{Name: id, Body: x.Request})
		if streamed(x) {
			s.CodecStreams = append(s.CodecStreams, llmtest.CodecStream{Name: id, Body: x.Body, ContentType: "application/x-ndjson"})
		} else {
			s.CodecAnswers = append(s.CodecAnswers, llmtest.CodecAnswer{Name: id, Body: x.Body})
		}
	}
	llmtest.RunCodec(t, s)
}

func TestGenerate(t *testing.T) {
	all := exchanges(t)
	llmtest.RunCodec(t, llmtest.CodecSuite{
		Dialect:      ollama.New(),
		Op:           llm.Completions,
		DifferAnswer: []string{"-/context/*", "-/load_duration", "-/prompt_eval_duration", "-/eval_duration", "~/total_duration", "-/context"},
		CodecRequests: []llmtest.CodecRequest{
			{Name: "all members", Body: all["generate"].Request, Differ: []string{"~/options/stop"}},
		},
		CodecAnswers: []llmtest.CodecAnswer{{Name: "all members", Body: all["generate"].Body}},
		CodecStreams: []llmtest.CodecStream{{Name: "stream", Body: all["generate-stream"].Body, ContentType: "application/x-ndjson"}},
		Malformed: []llmtest.Malformed{
			{Name: "no prompt", Body: `{"model":"m"}`, Pointer: "/prompt"},
			{Name: "an empty prompt", Body: `{"model":"m","prompt":""}`, Pointer: "/prompt"},
			{Name: "prompt a list", Body: `{"model":"m","prompt":["a"]}`, Pointer: "/prompt"},
			{Name: "system a number", Body: `{"model":"m","prompt":"a","system":1}`, Pointer: "/system"},
			{Name: "no model", Body: `{"prompt":"a"}`, Pointer: "/model"},
		},
	})
}

func FuzzChat(f *testing.F)     { fuzz(f, llm.Chat) }
func FuzzGenerate(f *testing.F) { fuzz(f, llm.Completions) }

func fuzz(f *testing.F, op llm.Operation) {
	all := exchanges(f)
	var seeds []string
	for _, id := range []string{"all-members", "all-answers", "stream-all", "generate", "generate-stream"} {
		seeds = append(seeds, all[id].Request, all[id].Body)
	}
	for _, m := range malformed {
		seeds = append(seeds, m.Body)
	}
	to := &canon.Target{Provider: "ollama", Vendor: &catalog.Vendor{Kind: "ollama"}, Model: "llama3.2:1b"}
	llmtest.FuzzCodec(f, ollama.New(), llm.Match{Op: op}, to, "application/x-ndjson", seeds...)
}

func losses(r *canon.Report) string {
	var list []string
	for _, e := range r.Entries {
		list = append(list, e.Field+";"+e.Loss.String())
	}
	return strings.Join(list, " ")
}

// TestWhatOtherDialectsAsk shows what a request of another dialect becomes, and what is told of it.
func TestWhatOtherDialectsAsk(t *testing.T) {
	const tools = `"tools":[{"type":"function","function":{"name":"f"}},{"type":"function","function":{"name":"g"}}]`
	for _, c := range []struct {
		name, body string
		change     func(*canon.Request)
		fetch      func(string) (string, string, error)
		path, want string // in the written request
		report     string
	}{
		{"several texts", `{"model":"m","messages":[{"role":"user","content":"a"}]}`, func(req *canon.Request) {
			req.Messages[0].Parts = append(req.Messages[0].Parts, canon.Part{Kind: canon.Text, Text: "b"})
		}, nil, "/messages/0/content", `a\nb`, ""},
		{"an image that is fetched", `{"model":"m","messages":[{"role":"user","content":"a","images":["aGk="]}]}`, func(req *canon.Request) {
			req.Messages[0].Parts[1].Media = &canon.Media{URL: "https://example.com/a.png"}
		}, func(string) (string, string, error) { return "image/png", "Ynll", nil }, "/messages/0/images/0", "Ynll", "messages.0.images.0;emulated"},
		{"an image that can't be", `{"model":"m","messages":[{"role":"user","content":"a","images":["aGk="]}]}`, func(req *canon.Request) {
			req.Messages[0].Parts[1].Media = &canon.Media{URL: "https://example.com/a.png"}
		}, func(string) (string, string, error) { return "", "", errors.New("it is too large") }, "/messages/0/images", "<nil>", "messages.0.images.0;dropped"},
		{"a text document", `{"model":"m","messages":[{"role":"user","content":"a","images":["aGk="]}]}`, func(req *canon.Request) {
			p := &req.Messages[0].Parts[1]
			p.Kind, p.Media = canon.Document, &canon.Media{MIME: "text/plain", Data: "aGVsbG8=", Name: "a.txt"}
		}, nil, "/messages/0/content", `a\na.txt\n\nhello`, "messages.0.images.0;approximated"},
		{"minimal effort", `{"model":"m","messages":[` + user + `],"think":true}`, func(req *canon.Request) { req.Reasoning.Effort = "minimal" }, nil, "/think", "low", "think;approximated"},
		{"a budget", `{"model":"m","messages":[` + user + `],"think":true}`, func(req *canon.Request) { req.Reasoning.Budget = 500 }, nil, "/think", "true", "think;dropped"},
		{"no effort", `{"model":"m","messages":[` + user + `],"think":true}`, func(req *canon.Request) { req.Reasoning.Effort = "none" }, nil, "/think", "false", ""},
		{"one named tool", `{"model":"m","messages":[` + user + `],"choice":1,` + tools + `}`, func(req *canon.Request) {
			req.Choice = canon.ToolChoice{Mode: canon.ToolsNamed, Names: []string{"g"}, At: req.Doc.Root().Get("choice").Ref()}
		}, nil, "/tools/0/function/name", "g", "choice;approximated"},
		{"no tools", `{"model":"m","messages":[` + user + `],"choice":1,` + tools + `}`, func(req *canon.Request) {
			req.Choice = canon.ToolChoice{Mode: canon.ToolsNone, At: req.Doc.Root().Get("choice").Ref()}
		}, nil, "/tools", "<nil>", "choice;emulated"},
		{
			"arguments that are no object", `{"model":"m","messages":[` + called + `]}`, func(req *canon.Request) { req.Messages[1].Parts[0].Call.Args = "rm -r" }, nil,
			"/messages/1/tool_calls/0/function/arguments/input", "rm -r", "messages.1.tool_calls.0;approximated",
		},
		{
			"what only Ollama has", `{"model":"m","messages":[` + user + `],"keep_alive":"1h","options":{"num_ctx":9,"top_k":3}}`, nil, nil, "/options/top_k", "3",
			"keep_alive;dropped options.num_ctx;dropped",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			codec := ollama.New().Codec(llm.Chat)
			req, err := codec.ReadRequest(llm.Match{Op: llm.Chat}, []byte(c.body))
			if err != nil {
				t.Fatal(err)
			}
			req.Dialect = "other"
			if c.change != nil {
				c.change(req)
			}
			r := canon.NewReport(req)
			body, err := codec.WriteRequest(req, &canon.Target{Model: "m", Vendor: &catalog.Vendor{}, Fetch: c.fetch}, r)
			if err != nil {
				t.Fatal(err)
			}
			r.Close()
			if v := strings.Trim(llmtest.Show(llmtest.Find(llmtest.Value(t, body), c.path)), `"`); v != c.want {
				t.Errorf("%s is %s, want %s\n%s", c.path, v, c.want, body)
			}
			if got := losses(r); got != c.report {
				t.Errorf("the report tells %q, want %q", got, c.report)
			}
		})
	}
}

// TestCallsAndResultsFindEachOther shows that other dialects get ids for calls that have none.
func TestCallsAndResultsFindEachOther(t *testing.T) {
	req, err := ollama.New().Codec(llm.Chat).ReadRequest(llm.Match{Op: llm.Chat}, []byte(`{"model":"m","messages":[`+user+`,
		{"role":"assistant","tool_calls":[{"function":{"name":"a"}},{"id":"x","function":{"name":"b"}},{"function":{"name":"a"}}]},
		{"role":"tool","content":"b","tool_name":"b"},{"role":"tool","content":"a1","tool_name":"a"},{"role":"tool","content":"a2"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	calls := req.Messages[1].Parts
	for i, want := range []string{calls[1].Call.ID, calls[0].Call.ID, calls[2].Call.ID} {
		if res := req.Messages[2+i].Parts[0].Result; res.ID != want || res.ID == "" || res.Name == "" {
			t.Errorf("result %d: %+v, want the id %s", i, res, want)
		}
	}
}

var embedTarget = &canon.Target{Provider: "ollama", Vendor: &catalog.Vendor{Kind: "ollama"}, Model: "nomic-embed-text"}

func TestEmbeddings(t *testing.T) {
	d := ollama.New()
	for name, c := range map[string]struct {
		detail, body, written, answer, back string
	}{
		"a list": {
			"", `{"model":"nomic-embed-text","input":["a","b"],"truncate":false,"dimensions":2,"keep_alive":"5m","options":{"num_ctx":2}}`, "",
			`{"model":"nomic-embed-text","embeddings":[[0.5,-1],[1,2]],"total_duration":5,"load_duration":1,"prompt_eval_count":4}`,
			`{"model":"nomic-embed-text","embeddings":[[0.5,-1],[1,2]],"prompt_eval_count":4}`,
		},
		"one": {"", `{"model":"nomic-embed-text","input":"a"}`, "", `{"model":"nomic-embed-text","embeddings":[[0.5]]}`, ""},
		"the old address": {
			ollama.OldEmbed, `{"model":"nomic-embed-text","prompt":"a"}`, `{"model":"nomic-embed-text","input":"a"}`,
			`{"embedding":[0.5,1]}`, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			req, err := d.ReadEmbedRequest(llm.Match{Op: llm.Embeddings, Detail: c.detail}, []byte(c.body))
			if err != nil {
				t.Fatal(err)
			}
			r := canon.NewReport(&req.Request)
			got, err := d.WriteEmbedRequest(req, embedTarget, r)
			r.Close()
			if err != nil || len(r.Entries) > 0 {
				t.Fatalf("%v, %s", err, losses(r))
			}
			if c.written == "" {
				c.written = c.body
			}
			if diff := llmtest.Diff(llmtest.Value(t, []byte(c.written)), llmtest.Value(t, got)); len(diff) > 0 {
				t.Errorf("%q: %s", diff, got)
			}
			a, err := d.ReadEmbedAnswer([]byte(c.answer))
			if err != nil || len(a.Lost) > 0 {
				t.Fatalf("%v, lost %q", err, a.Lost)
			}
			if c.back == "" {
				c.back = c.answer
			}
			back := d.WriteEmbedAnswer(a, req, r)
			if diff := llmtest.Diff(llmtest.Value(t, []byte(c.back)), llmtest.Value(t, back)); len(diff) > 0 {
				t.Errorf("%q: %s", diff, back)
			}
		})
	}
	for _, c := range []struct{ name, detail, body, pointer string }{
		{"not JSON", "", `{`, ""},
		{"no model", "", `{"input":"a"}`, "/model"},
		{"no input", "", `{"model":"m"}`, "/input"},
		{"input a number", "", `{"model":"m","input":1}`, "/input"},
		{"an input that is a number", "", `{"model":"m","input":["a",1]}`, "/input/1"},
		{"truncate a string", "", `{"model":"m","input":"a","truncate":"END"}`, "/truncate"},
		{"no prompt", ollama.OldEmbed, `{"model":"m","input":"a"}`, "/prompt"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := d.ReadEmbedRequest(llm.Match{Op: llm.Embeddings, Detail: c.detail}, []byte(c.body))
			if pointer, ok := llmtest.PointerOf(err); !ok || pointer != c.pointer {
				t.Errorf("%v, pointer %q, want %q", err, pointer, c.pointer)
			}
		})
	}
}

func FuzzEmbed(f *testing.F) {
	f.Add([]byte(`{"model":"m","input":["a"],"prompt":"b","embeddings":[[1e300]]}`), true)
	f.Fuzz(func(t *testing.T, body []byte, older bool) {
		d, m := ollama.New(), llm.Match{Op: llm.Embeddings}
		if older {
			m.Detail = ollama.OldEmbed
		}
		req, err := d.ReadEmbedRequest(m, body)
		if err != nil {
			req = &canon.EmbedRequest{}
		} else if out, err := d.WriteEmbedRequest(req, embedTarget, canon.NewReport(&req.Request)); err == nil {
			llmtest.Value(t, out)
		}
		if a, err := d.ReadEmbedAnswer(body); err == nil {
			llmtest.Value(t, d.WriteEmbedAnswer(a, req, canon.NewReport(&req.Request)))
		}
	})
}
