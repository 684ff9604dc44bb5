package ollama_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"causeway/internal/fault"
	"causeway/internal/journey"
	"causeway/internal/llm"
	"causeway/internal/llm/llmtest"
	"causeway/internal/llm/ollama"
)

func exchanges(t testing.TB) map[string]llmtest.Exchange {
	all := map[string]llmtest.Exchange{}
	for _, x := range llmtest.Lines[llmtest.Exchange](t, "testdata/made.jsonl") {
		all[x.ID] = x
	}
	return all
}

func streamed(x llmtest.Exchange) bool {
	return strings.HasPrefix(x.Headers["content-type"], "application/x-ndjson")
}

func used(input, output int64) journey.Usage {
	return journey.Usage{Input: input, Output: output, Cached: -1, CacheWrite: -1, Reasoning: -1, Source: "reported"}
}

func TestSuite(t *testing.T) {
	all := exchanges(t)
	errors := llmtest.Lines[llmtest.Error](t, "testdata/errors.jsonl")
	for id, kind := range map[string]fault.Kind{"ollama-0019": fault.ProviderKeyRejected, "ollama-0035": fault.ContextTooLong} {
		x := all[id]
		errors = append(errors, llmtest.Error{Name: id, Status: x.Status, Headers: x.Headers, Body: x.Body, Kind: kind, Valid: true})
	}
	llmtest.Run(t, llmtest.Suite{
		Dialect: ollama.New(),
		Op:      llm.Chat,
		Requests: []llmtest.Request{
			{Name: "streamed unless it says no", Body: `{"model":"llama3.2:1b","messages":[{"role":"user","content":"say \"model\":\"x\""}]}`, Model: "llama3.2:1b", Stream: true, UsageAsked: true},
			{Name: "null", Body: `{"stream":null,"model":"llama3.2:1b","messages":[]}`, Model: "llama3.2:1b", Stream: true, UsageAsked: true},
			{Name: "not streamed", Body: "{ \"stream\" : false , \"messages\":[{\"model\":\"inner\"}], \"model\" : \"hf.co\\/a\\/b:Q4\" }\n", Model: "hf.co/a/b:Q4", UsageAsked: true},
			{Name: "all members", Body: all["all-members"].Request, Model: "qwen3:8b", Stream: true, UsageAsked: true},
		},
		Answers: []llmtest.Answer{{Name: "all members", Body: all["all-answers"].Body, Usage: used(11, 18), Finish: "stop"}},
		Streams: []llmtest.Stream{
			{Name: "all kinds of lines", Body: all["stream-all"].Body, Usage: used(4, 9), Finish: "stop"},
			{Name: "ollama-0032", Body: all["ollama-0032"].Body, Usage: usageOf(t, all["ollama-0032"]), Finish: "stop"},
		},
		Errors:        errors,
		Read:          []string{"model", "stream"},
		Terminal:      `"done":true`,
		ErrorEvent:    "{\"error\":\"server busy, please try again.  maximum pending requests exceeded\"}\n",
		ErrorKind:     fault.Overloaded,
		NeedsTerminal: true,
		Lines:         true,
	})
}

// usageOf is what the last line of a stream says.
func usageOf(t *testing.T, x llmtest.Exchange) journey.Usage {
	lines := strings.Split(strings.TrimSpace(x.Body), "\n")
	var last struct {
		In  int64 `json:"prompt_eval_count"`
		Out int64 `json:"eval_count"`
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil {
		t.Fatal(err)
	}
	return used(last.In, last.Out)
}

func TestLookup(t *testing.T) {
	d := ollama.New()
	for _, r := range d.Routes() {
		m, ok := d.Lookup(r.Method, r.Path)
		if path, query := d.PlaceVariant(m.Op, m.Detail, "m", false); !ok || m.Op != r.Op || query != "" || path != r.Path && r.Path != "/api/ps" {
			t.Errorf("%s %s: %+v, %v, placed at %s", r.Method, r.Path, m, ok, path)
		}
		if m, ok := d.Lookup("DELETE", r.Path); ok || m.Allow != r.Method {
			t.Errorf("DELETE %s: %+v, %v", r.Path, m, ok)
		}
	}
	for _, path := range []string{"/api", "/api/pull", "/api/chat/x", "/api/version/"} {
		if m, ok := d.Lookup("POST", path); ok || m.Allow != "" {
			t.Errorf("%s: %+v", path, m)
		}
	}
}

func TestOnlyLinesAreAFramedStream(t *testing.T) {
	d := ollama.New()
	for contentType, want := range map[string]bool{
		"application/x-ndjson": true, "application/x-ndjson; charset=utf-8": true, "Application/NDJSON": true,
		"application/json": false, "text/event-stream": false, "": false,
	} {
		if (d.FramedStream(llm.Chat, contentType) != nil) != want {
			t.Errorf("%q: %v", contentType, !want)
		}
	}
}

// TestErrorsAreTexts shows that what the clients show of an error is its sentence, and no "[object Object]".
func TestErrorsAreTexts(t *testing.T) {
	f := &llm.Failure{Kind: fault.Overloaded, Status: 503, Sentence: "too busy.", CallID: "01J", Members: []byte(`{"kind":"overloaded"}`)}
	if got := string(ollama.New().AppendError(nil, f)); got != `{"error":"too busy. [overloaded, 01J]","causeway":{"kind":"overloaded"}}` {
		t.Error(got)
	}
}

func TestModels(t *testing.T) {
	d := ollama.New()
	created := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	body := d.AppendModels(nil, []llm.Model{{ID: "llama/llama3.2:1b", OwnedBy: "llama", Created: created}})
	if v := llmtest.Value(t, body); llmtest.Find(v, "/models/0/model") != "llama/llama3.2:1b" || llmtest.Find(v, "/models/0/modified_at") != "2026-01-02T03:04:05Z" {
		t.Errorf("%s", body)
	}
	if v := llmtest.Value(t, d.AppendModel(nil, llm.Model{ID: "fast"})); llmtest.Find(v, "/details/family") != "fast" {
		t.Errorf("%v", v)
	}
	if v := llmtest.Value(t, d.AppendVersion(nil)); llmtest.Find(v, "/version") == nil {
		t.Errorf("%v", v)
	}
}

func TestTheOtherAnswers(t *testing.T) {
	d, all := ollama.New(), exchanges(t)
	for name, c := range map[string]struct {
		op    llm.Operation
		body  string
		usage journey.Usage
		kind  fault.Kind
	}{
		"generate":                 {llm.Completions, all["generate"].Body, used(11, 18), ""},
		"embed":                    {llm.Embeddings, `{"model":"m","embeddings":[[1]],"prompt_eval_count":3}`, used(3, -1), ""},
		"embeddings":               {llm.Embeddings, `{"embedding":[1]}`, llm.NoUsage(), ""},
		"an error":                 {llm.Chat, `{"error":"model 'x' not found"}`, llm.NoUsage(), fault.ModelNotFound},
		"a line of the other kind": {llm.Chat, `{"status":"success"}`, llm.NoUsage(), fault.IncompatibleResponse},
	} {
		if a := d.ReadAnswer(c.op, []byte(c.body)); a.Kind != c.kind || a.Usage != c.usage {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

func FuzzJudge(f *testing.F) {
	for _, x := range exchanges(f) {
		f.Add([]byte(x.Body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		d := ollama.New()
		var ends [2]llm.End
		for i, size := range [...]int{len(body), 3} {
			s := d.NewStream(llm.Chat, false)
			for rest := body; len(rest) > 0; {
				n := min(max(size, 1), len(rest))
				s.Feed(rest[:n], nil)
				rest = rest[n:]
			}
			_, ends[i] = s.Finish(true, nil)
		}
		if ends[0].Complete != ends[1].Complete || ends[0].Kind != ends[1].Kind {
			t.Fatalf("%q: whole %+v, in pieces %+v", body, ends[0], ends[1])
		}
		d.ReadError(400, func(string) string { return "" }, body, time.Time{})
		for _, op := range []llm.Operation{llm.Chat, llm.Completions, llm.Embeddings, llm.GetModel} {
			d.ReadAnswer(op, body)
			d.ReadRequest(&llm.Request{}, llm.Match{Op: op}, body)
		}
	})
}
