package cohere_test

import (
	"strings"
	"testing"
	"time"

	"causeway/internal/fault"
	"causeway/internal/journey"
	"causeway/internal/llm"
	"causeway/internal/llm/cohere"
	"causeway/internal/llm/llmtest"
)

func exchanges(t testing.TB, path string) map[string]llmtest.Exchange {
	all := map[string]llmtest.Exchange{}
	for _, x := range llmtest.Lines[llmtest.Exchange](t, path) {
		all[x.ID] = x
	}
	return all
}

func used(input, output, cached, reasoning, billedIn, billedOut int64) journey.Usage {
	return journey.Usage{
		Input: input, Output: output, Cached: cached, CacheWrite: -1, Reasoning: reasoning,
		BilledInput: billedIn, BilledOutput: billedOut, Source: "reported",
	}
}

func TestSuite(t *testing.T) {
	all, made := exchanges(t, "testdata/recorded.jsonl"), exchanges(t, "testdata/made.jsonl")
	errors := llmtest.Lines[llmtest.Error](t, "testdata/errors.jsonl")
	for id, kind := range map[string]fault.Kind{"cohere-0046": fault.ProviderKeyRejected, "cohere-0051": fault.ContextTooLong} {
		x := all[id]
		errors = append(errors, llmtest.Error{Name: id, Status: x.Status, Headers: x.Headers, Body: x.Body, Kind: kind, Valid: true})
	}
	llmtest.Run(t, llmtest.Suite{
		Dialect: cohere.New(),
		Op:      llm.Chat,
		Requests: []llmtest.Request{
			{Name: "streamed", Body: `{"model":"command-a-03-2025","stream":true,"messages":[{"role":"user","content":"say \"model\":\"x\""}]}`, Model: "command-a-03-2025", Stream: true, UsageAsked: true},
			{Name: "model last", Body: "{ \"stream\" : null , \"messages\":[{\"model\":\"inner\"}], \"model\" : \"command\\u002da\" }\n", Model: "command-a", UsageAsked: true},
			{Name: "recorded", Body: all["cohere-0045"].Request, Model: "command-a-plus-05-2026", Stream: true, UsageAsked: true},
			{Name: "recorded, not streamed", Body: all["cohere-0042"].Request, Model: "command-a-plus-05-2026", UsageAsked: true},
		},
		Answers: []llmtest.Answer{
			{Name: "cohere-0042", Body: all["cohere-0042"].Body, Usage: used(510, 99, 144, 29, 67, 66), Finish: "COMPLETE"},
			{Name: "cohere-0047", Body: all["cohere-0047"].Body, Usage: used(1490, 94, 112, -1, 57, 20), Finish: "TOOL_CALL"},
			{Name: "cohere-0055", Body: all["cohere-0055"].Body, Usage: used(1431, 152, 1392, 145, 26, 147), Finish: "COMPLETE"},
		},
		Streams: []llmtest.Stream{
			{Name: "cohere-0052", Body: all["cohere-0052"].Body, Usage: used(502, 26, 464, -1, 7, 22), Finish: "COMPLETE"},
			{Name: "cohere-0045", Body: all["cohere-0045"].Body, Usage: used(508, 86, 144, 28, 65, 63), Finish: "COMPLETE"},
			{Name: "tools", Body: made["stream-tools"].Body, Usage: used(913, 83, -1, -1, 37, 28), Finish: "TOOL_CALL"},
			{Name: "without [DONE]", Body: made["stream-late-citation"].Body, Usage: used(10, 2, 4, 0, 3, 2), Finish: "MAX_TOKENS"},
		},
		Errors:     errors,
		Read:       []string{"model", "stream"},
		Terminal:   "[DONE]",
		ErrorEvent: "event: message-end\ndata: {\"type\":\"message-end\",\"delta\":{\"error\":\"internal server error\",\"finish_reason\":\"ERROR\"}}\n\n",
		ErrorKind:  fault.ProviderError,
	})
}

func TestLookup(t *testing.T) {
	d := cohere.New()
	for _, r := range d.Routes() {
		if m, ok := d.Lookup(r.Method, r.Path); !ok || m.Op != r.Op || d.Path(r.Op) != r.Path {
			t.Errorf("%s %s: %+v, %v, path %s", r.Method, r.Path, m, ok, d.Path(r.Op))
		}
		if m, ok := d.Lookup("GET", r.Path); ok || m.Allow != "POST" {
			t.Errorf("GET %s: %+v, %v", r.Path, m, ok)
		}
	}
	for _, path := range []string{"/v2", "/v2/chat/", "/v2/tokenize", "/v1/chat"} {
		if m, ok := d.Lookup("POST", path); ok || m.Allow != "" {
			t.Errorf("%s: %+v", path, m)
		}
	}
}

func TestAnswersOfTheOtherOperations(t *testing.T) {
	all, d := exchanges(t, "testdata/recorded.jsonl"), cohere.New()
	for _, c := range []struct {
		id    string
		op    llm.Operation
		usage journey.Usage
	}{
		{"cohere-0061", llm.Embeddings, used(7, -1, -1, -1, 0, 0)},
		{"cohere-0062", llm.Rerank, llm.NoUsage()},
	} {
		t.Run(c.id, func(t *testing.T) {
			body := []byte(all[c.id].Body)
			if a := d.ReadAnswer(c.op, body); a.Kind != "" || a.Usage != c.usage {
				t.Errorf("%+v", a)
			}
			long := d.LongAnswer(c.op)
			long.Feed(body)
			if a, ok := long.Finish(true); !ok || a.Usage != c.usage {
				t.Errorf("while passing: %+v", a)
			}
			if a := d.ReadAnswer(llm.Chat, body); a.Kind != fault.IncompatibleResponse {
				t.Errorf("as a chat: %+v", a)
			}
			var req llm.Request
			if err := d.ReadRequest(&req, llm.Match{Op: c.op}, []byte(all[c.id].Request)); err != nil || req.Stream || len(req.Model) == 0 {
				t.Errorf("%v, %+v", err, req)
			}
		})
	}
}

func TestAnAnswerThatFailedIsNone(t *testing.T) {
	d := cohere.New()
	for name, c := range map[string]struct {
		body string
		kind fault.Kind
	}{
		"reason ERROR":   {`{"id":"x","message":{"role":"assistant"},"finish_reason":"ERROR"}`, fault.ProviderError},
		"reason TIMEOUT": {`{"id":"x","message":{"role":"assistant","content":[{"type":"text","text":"Ye"}]},"finish_reason":"TIMEOUT"}`, fault.ProviderError},
		"an error":       {`{"id":"x","message":"too many tokens: size limit exceeded"}`, fault.ContextTooLong},
	} {
		if a := d.ReadAnswer(llm.Chat, []byte(c.body)); a.Kind != c.kind || !a.Error.Valid {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

func TestAKeyThatAProviderQuotesIsTakenOut(t *testing.T) {
	body := `{"id":"x","message":"Incorrect API key provided: sec-ret. You can find your API key at https://dashboard.cohere.com/api-keys."}`
	header := func(name string) string { return map[string]string{"x-debug-trace-id": "trace"}[name] }
	e := cohere.New().ReadError(401, header, []byte(body), time.Time{})
	if strings.Contains(e.Message, "sec-ret") || e.Passable() || e.RequestID != "x" {
		t.Errorf("%+v", e)
	}
}

func FuzzJudge(f *testing.F) {
	for _, x := range exchanges(f, "testdata/made.jsonl") {
		f.Add([]byte(x.Body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		d := cohere.New()
		s := d.NewStream(llm.Chat, false)
		s.Feed(body, nil)
		if _, end := s.Finish(true, nil); end.Complete && (s.Stopped() || !s.State().Done) {
			t.Fatalf("%q: %+v", body, end)
		}
		d.ReadError(400, func(string) string { return "" }, body, time.Time{})
		for _, op := range []llm.Operation{llm.Chat, llm.Embeddings, llm.Rerank} {
			d.ReadAnswer(op, body)
			d.ReadRequest(&llm.Request{}, llm.Match{Op: op}, body)
		}
	})
}
