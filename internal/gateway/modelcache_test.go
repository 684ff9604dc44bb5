package gateway

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"causeway/internal/cache"
	"causeway/internal/journey"
	"causeway/internal/price"
	"causeway/internal/snapshot"
)

const modelCacheConfig = `
version: 1
providers:
  mock: {kind: openai-compatible, base_url: "http://UP/v1", keys: [PROVIDERKEY], retries: {max: 0}}
models:
  kept: {targets: [{model: mock/gpt-4o-mini}], cache: {ttl: 1h, max_size: 2KiB}}
  other: {targets: [{model: mock/gpt-4o-mini}], cache: {ttl: 1h}}
  shared: {targets: [{model: mock/gpt-4o-mini}], cache: {ttl: 1h, shared: true}}
  plain: {targets: [{model: mock/gpt-4o-mini}]}
  masked: {targets: [{model: mock/gpt-4o-mini}], cache: {ttl: 1h}, guardrails: [pii]}
prices:
  mock/gpt-4o-mini: {input: 1000, output: 1000}
guardrails:
  pii: {detect: [email], with: reversible}
applications:
  web: {keys: [KEY], subscribes: [models/*], limits: {budget: {usd: 0.012, per: month}}}
  app: {keys: [app-0123456789abcdef], subscribes: [models/*]}
`

// numbered is a good answer that says which request it is for.
func numbered(n int, _ *got) string {
	return reply(200, strings.Replace(completionBody, `"hi"`, fmt.Sprintf(`"answer %d"`, n), 1), "Content-Type: application/json", "x-request-id: of-the-provider")
}

func asks(model, rest, who string, lines ...string) string {
	body := `{"model":"` + model + `","messages":[{"role":"user","content":"hello"}]` + rest + `}`
	head := "POST /v1/chat/completions HTTP/1.1\nHost: h\nAuthorization: Bearer " + who + "\nContent-Type: application/json\n"
	for _, l := range lines {
		head += l + "\n"
	}
	return fmt.Sprintf("%sContent-Length: %d\n\n%s", head, len(body), body)
}

const appKey = "app-0123456789abcdef"

func newModelCacheRig(t *testing.T) (*rig, *origin) {
	t.Helper()
	up := newOrigin(t)
	prices, err := price.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	r := newRigWith(t, fill(t, modelCacheConfig, up), func(d *snapshot.Deps) { d.Prices = prices })
	up.acts(numbered)
	return r, up
}

func TestAModelsAnswerIsKeptAndCostsNothingAgain(t *testing.T) {
	r, up := newModelCacheRig(t)
	first := r.call(t, asks("kept", `,"temperature":0.5`, key))
	if first.status != 200 || !strings.Contains(first.body, "answer 1") || first.header.Get("Cache-Status") != "causeway; fwd=uri-miss; stored" {
		t.Fatal(first.whole())
	}
	if j := r.record(t, first); !strings.HasPrefix(j.Cache, "stored (for ") || j.Usage.Cost != 12_000_000 {
		t.Errorf("%q, %+v", j.Cache, j.Usage)
	}
	// The budget is spent: what is kept costs nothing, and what is not is refused.
	reordered := `{ "temperature": 0.5, "messages": [{"content":"hell\u006f","role":"user"}], "model":"kept" }`
	again := r.call(t, fmt.Sprintf("POST /v1/chat/completions HTTP/1.1\nHost: h\nAuthorization: Bearer %s\nContent-Length: %d\n\n%s", key, len(reordered), reordered))
	if again.status != 200 || again.body != first.body || again.header.Get("Content-Type") != "application/json" || again.header.Get("x-request-id") != "" ||
		!strings.HasPrefix(again.header.Get("Cache-Status"), "causeway; hit; ttl=359") || again.header.Get("Causeway-Attempts") != "" {
		t.Error(again.whole())
	}
	j := r.record(t, again)
	if u := j.Usage; !strings.HasPrefix(j.Cache, "hit (") || !strings.Contains(j.Cache, "made by mock/gpt-4o-mini in call "+first.header.Get("Causeway-Call-Id")) ||
		u.Source != journey.FromCache || u.Cost != 0 || !u.Priced || u.Input != 10 || u.Output != 2 || len(j.Attempts) != 0 {
		t.Errorf("%q, %+v", j.Cache, j.Usage)
	}
	if a := r.call(t, asks("kept", `,"temperature":0.6`, key)); a.status != 429 {
		t.Error(a.whole())
	}
	if n := len(up.got()); n != 1 {
		t.Errorf("%d calls reached the provider", n)
	}
}

func TestRequestsThatAreNotTheSame(t *testing.T) {
	r, _ := newModelCacheRig(t)
	seen := map[string]string{}
	for _, request := range []string{
		asks("kept", "", appKey), asks("other", "", appKey), asks("kept", `,"seed":1`, appKey), asks("kept", `,"user":"a"`, appKey), asks("kept", `,"user":"b"`, appKey),
		asks("kept", "", appKey, "OpenAI-Beta: x"), strings.Replace(asks("kept", "", appKey), "completions HTTP", "completions?api-version=1 HTTP", 1),
	} {
		for n := range 2 {
			a := r.call(t, request)
			if hit := strings.Contains(a.header.Get("Cache-Status"), "hit"); hit != (n == 1) {
				t.Errorf("call %d: %s", n+1, a.whole())
			}
			if other := seen[a.body]; other != "" && other != request {
				t.Errorf("%s and %s got the same answer", request, other)
			}
			seen[a.body] = request
		}
	}
}

func TestApplicationsDoNotGetEachOthersAnswersOfModels(t *testing.T) {
	r, _ := newModelCacheRig(t)
	for i, step := range []struct{ model, who, want string }{
		{"other", key, "answer 1"}, {"other", appKey, "answer 2"}, {"other", key, "answer 1"}, {"shared", appKey, "answer 3"}, {"shared", key, "answer 3"},
	} {
		if a := r.call(t, asks(step.model, "", step.who)); !strings.Contains(a.body, step.want) {
			t.Errorf("step %d: %s", i+1, a.whole())
		}
	}
}

func TestModelsAnswersThatAreNotKept(t *testing.T) {
	r, up := newModelCacheRig(t)
	with := func(from, to string) func(int, *got) string {
		return func(int, *got) string {
			return reply(200, strings.Replace(completionBody, from, to, 1), "Content-Type: application/json")
		}
	}
	for name, c := range map[string]struct {
		request string
		answer  func(int, *got) string
		record  string
	}{
		"a model without a cache": {asks("plain", "", appKey), numbered, ""},
		"PROVIDER/MODEL":          {asks("mock/gpt-4o-mini", "", appKey), numbered, ""},
		"no-store":                {asks("kept", "", appKey, "Cache-Control: no-store"), numbered, "bypass (the call says no-store)"},
		"stored by the provider":  {asks("kept", `,"store":true`, appKey), numbered, "bypass (the answer is stored)"},
		"a file":                  {asks("kept", `,"x":[{"file":{"file_id":"file-1"}}]`, appKey), numbered, "bypass (the call has file_id, which a provider keeps)"},
		"a member twice":          {asks("kept", `,"n":1,"n":2`, appKey), numbered, "bypass (the body is no JSON that can be compared)"},
		"cut at its length":       {asks("kept", `,"a":1`, appKey), with(`"stop"`, `"length"`), "miss (the answer was cut at its length)"},
		"filtered":                {asks("kept", `,"a":2`, appKey), with(`"stop"`, `"content_filter"`), "miss (the content was refused)"},
		"refused":                 {asks("kept", `,"a":3`, appKey), with(`"content":"hi"`, `"content":null,"refusal":"no"`), "miss (the model refused)"},
		"too large":               {asks("kept", `,"a":4`, appKey), with(`"hi"`, `"`+strings.Repeat("x", 2048)+`"`), "miss (the answer is larger than max_size)"},
		"a provider's error": {asks("kept", `,"a":5`, appKey), func(int, *got) string {
			return reply(500, `{"error":{"message":"no"}}`, "Content-Type: application/json")
		}, "miss"},
		"a stream cut at its length": {asks("kept", `,"stream":true,"a":6`, appKey), func(int, *got) string {
			return events(deltaEvent, strings.Replace(finishEvent, "stop", "length", 1), doneEvent) + lastChunk
		}, "miss (the answer was cut at its length)"},
		"a stream that breaks":     {asks("kept", `,"stream":true,"a":7`, appKey), func(int, *got) string { return events(deltaEvent) + closeAfter }, "miss"},
		"a stream that ends early": {asks("kept", `,"stream":true,"a":8`, appKey), func(int, *got) string { return events(deltaEvent, finishEvent) + closeAfter }, "miss"},
		"a stream with an error":   {asks("kept", `,"stream":true,"a":9`, appKey), func(int, *got) string { return events(deltaEvent, `{"error":{"message":"broken"}}`) + lastChunk }, "miss"},
		"a stream that is too large": {asks("kept", `,"stream":true,"a":10`, appKey), func(int, *got) string {
			return events(strings.Replace(deltaEvent, `"hi"`, `"`+strings.Repeat("x", 2048)+`"`, 1), finishEvent, doneEvent) + lastChunk
		}, "miss (the answer is larger than max_size)"},
	} {
		t.Run(name, func(t *testing.T) {
			up.acts(c.answer)
			for n := range 2 {
				a := r.call(t, c.request)
				if strings.Contains(a.header.Get("Cache-Status"), "hit") {
					t.Errorf("call %d: %s", n+1, a.whole())
				}
				if j := r.record(t, a); j.Cache != c.record {
					t.Errorf("call %d: %q", n+1, j.Cache)
				}
			}
			if n := len(up.got()); n != 2 {
				t.Errorf("%d calls reached the provider", n)
			}
		})
	}
}

func TestAStreamIsGivenAgainByteForByte(t *testing.T) {
	r, up := newModelCacheRig(t)
	up.acts(func(n int, _ *got) string {
		return events(strings.Replace(deltaEvent, `"hi"`, fmt.Sprintf(`"answer %d"`, n), 1), deltaEvent, finishEvent, usageEvent, doneEvent) + lastChunk
	})
	first := r.call(t, asks("kept", `,"stream":true,"stream_options":{"include_usage":true}`, appKey))
	if j := r.record(t, first); !strings.HasPrefix(j.Cache, "stored") {
		t.Fatalf("%q: %s", j.Cache, first.whole())
	}
	again := r.call(t, asks("kept", `,"stream_options":{"include_usage":true},"stream":true`, appKey))
	if again.body != first.body || again.header.Get("Content-Type") != "text/event-stream" || !strings.Contains(again.header.Get("Cache-Status"), "hit") || !strings.HasSuffix(again.body, "data: [DONE]\n\n") {
		t.Error(again.whole())
	}
	if j := r.record(t, again); j.Usage.Source != journey.FromCache || j.Usage.Output != 4 || !j.Stream {
		t.Errorf("%+v", j.Usage)
	}
	// One who did not ask for usage gets a stream without it, of his own.
	if a := r.call(t, asks("kept", `,"stream":true`, appKey)); !strings.Contains(a.body, "answer 2") || strings.Contains(a.body, `"usage"`) {
		t.Error(a.whole())
	}
	// One who did not ask for a stream gets none.
	up.acts(numbered)
	if a := r.call(t, asks("kept", "", appKey)); a.header.Get("Content-Type") != "application/json" {
		t.Error(a.whole())
	}
}

// TestAStreamThatComesBitByBitIsKeptWithItsContentType: each bit may come in the memory that the answer's head
// had been in.
func TestAStreamThatComesBitByBitIsKeptWithItsContentType(t *testing.T) {
	r, up := newModelCacheRig(t)
	up.acts(func(_ int, rq *got) string {
		all := events(deltaEvent, deltaEvent, deltaEvent, finishEvent, usageEvent, doneEvent) + lastChunk
		head, rest, _ := strings.Cut(all, "\r\n\r\n")
		for piece := head + "\r\n\r\n"; ; piece, rest = rest[:min(len(rest), 300)], rest[min(len(rest), 300):] {
			if _, err := rq.conn.Write([]byte(piece)); err != nil || len(rest) == 0 {
				return ""
			}
			time.Sleep(10 * time.Millisecond)
		}
	})
	const stream = `,"stream":true,"stream_options":{"include_usage":true}`
	first := r.call(t, asks("kept", stream, appKey))
	if j := r.record(t, first); !strings.HasPrefix(j.Cache, "stored") {
		t.Fatalf("%q: %s", j.Cache, first.whole())
	}
	again := r.call(t, asks("kept", stream, appKey))
	if again.body != first.body || again.header.Get("Content-Type") != "text/event-stream" || !strings.Contains(again.header.Get("Cache-Status"), "hit") {
		t.Error(again.whole())
	}
}

func TestACallCanAskAModelAgain(t *testing.T) {
	r, _ := newModelCacheRig(t)
	for i, step := range []struct{ line, want string }{
		{"X-A: 1", "answer 1"}, {"Cache-Control: no-cache", "answer 2"}, {"X-A: 1", "answer 2"}, {"Cache-Control: no-store", "answer 3"}, {"X-A: 1", "answer 2"},
	} {
		if a := r.call(t, asks("kept", "", appKey, step.line)); !strings.Contains(a.body, step.want) {
			t.Errorf("step %d: %s", i+1, a.whole())
		}
	}
	eventually(t, "the calls to be counted", func() bool {
		f := r.gateway.cache.Figures().Calls[cache.Name{Model: "kept"}]
		return f[cache.Stored] == 2 && f[cache.Hit] == 2 && f[cache.Bypass] == 1
	})
}

func TestGuardrailsLookAtWhatIsKept(t *testing.T) {
	r, up := newModelCacheRig(t)
	up.acts(func(_ int, rq *got) string {
		_, after, _ := strings.Cut(rq.body, `"content":"`)
		said, _, _ := strings.Cut(after, `"`)
		return reply(200, strings.Replace(completionBody, `"hi"`, `"you said `+said+`"`, 1), "Content-Type: application/json")
	})
	for i, mail := range []string{"ann@example.com", "bob@example.com", "ann@example.com"} {
		a := r.call(t, asksSaying("masked", "I am "+mail))
		if !strings.Contains(a.body, "you said I am "+mail) {
			t.Errorf("call %d: %s", i+1, a.whole())
		}
	}
	if n := len(up.got()); n != 1 {
		t.Errorf("%d calls reached the provider: what was hidden tells them apart", n)
	}
	for _, rq := range up.got() {
		if strings.Contains(rq.body, "@example.com") {
			t.Errorf("the provider got %s", rq.body)
		}
	}
}

func asksSaying(model, text string) string {
	return chatBody(`{"model":"` + model + `","messages":[{"role":"user","content":"` + text + `"}]}`)
}
