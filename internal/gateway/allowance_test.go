package gateway

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"causeway/internal/budget"
	"causeway/internal/fault"
	"causeway/internal/journey"
)

// newCountingRig serves a provider that uses 8 tokens of input and as many of output as max_tokens says, else 8.
func newCountingRig(t *testing.T, limits string) (r *rig, asked *atomic.Int64) {
	t.Helper()
	asked = &atomic.Int64{}
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		asked.Add(1)
		var rq struct {
			Most int `json:"max_tokens"`
		}
		_ = json.NewDecoder(q.Body).Decode(&rq)
		if rq.Most == 0 {
			rq.Most = 8
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"id":"c1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":8,"completion_tokens":%d,"total_tokens":%d}}`, rq.Most, 8+rq.Most)
	}))
	t.Cleanup(up.Close)
	return newRigWith(t, fmt.Sprintf(`
version: 1
providers:
  p: {kind: openai-compatible, base_url: "%s/v1", keys: [provider-key-0123]}
applications:
  web: {keys: [%s], subscribes: [models/*], limits: %s}
`, up.URL, key, limits), withAllDialects), asked
}

// TestATokenLimitHoldsForWhatACallAsksFor: what a call lets the model answer is reserved whole, and its prompt as it is
// counted; where that is more than what is left it is refused, and told what is left, until when, and what would fit.
func TestATokenLimitHoldsForWhatACallAsksFor(t *testing.T) {
	const chat = `{"model":"p/m","messages":[{"role":"user","content":"hi"}]`
	look := func(t *testing.T, r *rig) budget.State {
		t.Helper()
		var limit *budget.Limit
		for i := range r.gateway.Generation().AllowanceOf("web").Limits {
			limit = &r.gateway.Generation().AllowanceOf("web").Limits[i]
		}
		key, _ := limit.Window(time.Now())
		s, err := r.gateway.money.counters().Look(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	// A call's caller may have its answer before the limit has been told of it.
	settled := func(t *testing.T, r *rig, used int64) {
		t.Helper()
		eventually(t, "the call to be settled", func() bool { s := look(t, r); return s.Used == used && s.Reserved == 0 })
	}
	t.Run("16 of 20 are used", func(t *testing.T) {
		r, asked := newCountingRig(t, "{tokens: 20, per: day}")
		if a := r.call(t, chatBody(chat+`,"max_tokens":8}`)); a.status != 200 {
			t.Fatal(a.whole())
		}
		settled(t, r, 16)
		a := r.call(t, chatBody(chat+`,"max_tokens":10}`))
		for _, part := range []string{"may use 20 tokens per day", "4 are left until ", "about 8 for its prompt and 10 for the answer", `"param":"max_tokens"`} {
			if !strings.Contains(a.body, part) {
				t.Errorf("%q is not in %s", part, a.body)
			}
		}
		if a.status != 429 || a.header.Get("Retry-After") == "" || asked.Load() != 1 || r.record(t, a).Finding.Kind != fault.TokensSpent {
			t.Errorf("%s: asked %d times", a.whole(), asked.Load())
		}
	})
	t.Run("what would fit", func(t *testing.T) {
		r, _ := newCountingRig(t, "{tokens: 40, per: day}")
		if a := r.call(t, chatBody(chat+`,"max_tokens":8}`)); a.status != 200 {
			t.Fatal(a.whole())
		}
		settled(t, r, 16)
		a := r.call(t, chatBody(chat+`,"max_tokens":100}`))
		if f := r.record(t, a).Finding; a.status != 429 || !strings.Contains(fmt.Sprint(f.Advice), "no more than 16 tokens of answer") {
			t.Errorf("%s: %v", a.whole(), f.Advice)
		}
		if a := r.call(t, chatBody(chat+`,"max_tokens":16}`)); a.status != 200 {
			t.Errorf("it does not fit: %s", a.whole())
		}
		settled(t, r, 40)
	})
	t.Run("more than any window has", func(t *testing.T) {
		r, asked := newCountingRig(t, "{tokens: 50, per: day}")
		a := r.call(t, chatBody(chat+`,"max_tokens":1000}`))
		if a.status != 429 || a.header.Get("Retry-After") != "" || a.header.Get("X-Should-Retry") != "false" || asked.Load() != 0 || r.record(t, a).Finding.Retry != fault.No {
			t.Errorf("%s", a.whole())
		}
		if a := r.call(t, chatBody(chat+`,"max_tokens":20}`)); a.status != 200 {
			t.Errorf("%s", a.whole())
		}
	})
	t.Run("a long body is not a long prompt", func(t *testing.T) {
		r, _ := newCountingRig(t, "{tokens: 2000, per: day}")
		image := `{"model":"p/m","max_tokens":100,"messages":[{"role":"user","content":[{"type":"text","text":"hi"},{"type":"image_url","image_url":{"url":"data:image/png;base64,` + strings.Repeat("AAAA", 10000) + `"}}]}]}`
		if a := r.call(t, chatBody(image)); a.status != 200 {
			t.Errorf("%s", a.whole())
		}
	})
	t.Run("without max_tokens the answer is a guess", func(t *testing.T) {
		r, _ := newCountingRig(t, "{tokens: 20, per: day}")
		if a := r.call(t, chatBody(chat+`}`)); a.status != 200 {
			t.Fatal(a.whole())
		}
		a := r.call(t, chatBody(chat+`}`))
		if a.status != 429 || !strings.Contains(a.body, "4 are left until ") || !strings.Contains(a.body, "for its prompt alone") {
			t.Errorf("%s", a.whole())
		}
	})
	t.Run("a hundred at the same time", func(t *testing.T) {
		r, asked := newCountingRig(t, "{tokens: 200, per: day, wait: 20s}")
		var wg sync.WaitGroup
		var good, refused atomic.Int64
		for range 100 {
			wg.Go(func() {
				switch a := r.call(t, chatBody(chat+`,"max_tokens":12}`)); a.status {
				case 200:
					good.Add(1)
				case 429:
					refused.Add(1)
				default:
					t.Error(a.whole())
				}
			})
		}
		wg.Wait()
		if good.Load() != 10 || asked.Load() != 10 || refused.Load() != 90 {
			t.Errorf("%d were answered, %d refused", good.Load(), refused.Load())
		}
		settled(t, r, 200)
	})
}

// TestACallerWhoLeavesIsCharged: the provider has got the request, works on it and bills it; the prompt counts.
func TestACallerWhoLeavesIsCharged(t *testing.T) {
	asked, gone := make(chan struct{}), make(chan struct{})
	up := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
		_, _ = io.Copy(io.Discard, q.Body)
		close(asked)
		<-q.Context().Done()
		close(gone)
	}))
	t.Cleanup(up.Close)
	r := newRigWith(t, fmt.Sprintf(`
version: 1
providers:
  p: {kind: openai-compatible, base_url: "%s/v1", keys: [provider-key-0123]}
prices: {p/m: {input: 1, output: 1}}
applications:
  web: {keys: [%s], subscribes: [models/*], limits: {tokens: 1000, per: day}}
`, up.URL, key), withAllDialects)
	c := dial(t, r.addr)
	c.send(t, chatBody(`{"model":"p/m","messages":[{"role":"user","content":"hi"}]}`))
	<-asked
	_ = c.Close()
	<-gone
	j := r.last(t, "/v1/chat")
	if j.Finding == nil || j.Finding.Kind != fault.CallerGone || j.Usage.Input != 8 || j.Usage.Output != 0 || j.Usage.Source != "partial" || j.Usage.Cost != 8000 {
		t.Errorf("%+v %+v", j.Finding, j.Usage)
	}
	limit := &r.gateway.Generation().AllowanceOf("web").Limits[0]
	key, _ := limit.Window(time.Now())
	eventually(t, "what was used is settled", func() bool {
		s, _ := r.gateway.money.counters().Look(t.Context(), key)
		return s.Used == 8 && s.Reserved == 0
	})
}

// TestTheOneThatWasSlowerIsCharged: what both targets of a hedged call may bill counts against the limits, and is in the
// call's record: told by the provider, or taken to be what the other one told of the same prompt.
func TestTheOneThatWasSlowerIsCharged(t *testing.T) {
	usage := func(t *testing.T, f *failing) int64 {
		t.Helper()
		limit := &f.gateway.Generation().AllowanceOf("web").Limits[0]
		key, _ := limit.Window(time.Now())
		var s budget.State
		eventually(t, "what was used is settled", func() bool {
			s, _ = f.gateway.money.counters().Look(t.Context(), key)
			return s.Reserved == 0
		})
		return s.Used
	}
	both(t, func(t *testing.T, stream bool) {
		f := newHedged(t, "")
		closed := make(chan struct{}, 1)
		f.primary.acts(hung(closed))
		a := f.ask(t, stream)
		closes(t, closed, "the call to the primary")
		j := f.record(t, a)
		u := j.Attempts[0].Usage
		if a.status != 200 || u == nil || u.Input != j.Usage.Input || u.Output != 0 || u.Source != journey.Estimated || !u.Priced || u.Cost != u.Input*1000 {
			t.Fatalf("%s: %+v", a.whole(), u)
		}
		if j.Attempts[1].Usage != nil {
			t.Errorf("what answered has a usage of its own: %+v", j.Attempts[1].Usage)
		}
		if n, want := usage(t, f), j.Usage.Input+j.Usage.Output+u.Input; n != want {
			t.Errorf("%d tokens count, want %d", n, want)
		}
	})
	t.Run("it had told its usage", func(t *testing.T) {
		f := newHedged(t, "")
		closed := make(chan struct{}, 1)
		told := strings.NewReplacer(`{"content":"hi"}`, `{"role":"assistant","content":""}`, `"choices"`, `"usage":{"prompt_tokens":21,"completion_tokens":2,"total_tokens":23},"choices"`).Replace(deltaEvent)
		f.primary.acts(hung(closed, events(told)))
		a := f.ask(t, true)
		closes(t, closed, "the stream of the primary")
		j := f.record(t, a)
		if u := j.Attempts[0].Usage; u == nil || u.Input != 21 || u.Output != 2 || u.Source != "partial" || u.Cost != 23000 {
			t.Fatalf("%s: %+v", a.whole(), u)
		}
		if n := usage(t, f); n != 23+j.Usage.Input+j.Usage.Output {
			t.Errorf("%d tokens count", n)
		}
	})
	t.Run("one that failed is not billed", func(t *testing.T) {
		f := newHedged(t, "")
		f.primary.acts(func(int, *got) string {
			time.Sleep(100 * time.Millisecond)
			return reply(500, problem("Oops", "server_error", ""), asJSON)
		})
		answered := make(chan struct{})
		f.second.acts(func(_ int, rq *got) string { <-answered; return f.good("second", rq) })
		time.AfterFunc(200*time.Millisecond, func() { close(answered) })
		j := f.record(t, f.ask(t, false))
		if len(j.Attempts) != 2 || j.Attempts[0].Kind == "" || j.Attempts[0].Usage != nil {
			t.Errorf("%+v", j.Attempts)
		}
	})
	t.Run("a caller who leaves both", func(t *testing.T) {
		f := newHedged(t, "")
		closed, asked := make(chan struct{}, 2), make(chan struct{})
		f.primary.acts(hung(closed))
		f.second.acts(func(n int, rq *got) string { close(asked); return hung(closed)(n, rq) })
		c := dial(t, f.addr)
		c.send(t, chatBody(`{"model":"m","messages":[{"role":"user","content":"hi"}]}`))
		<-asked
		_ = c.Close()
		closes(t, closed, "one of the calls")
		closes(t, closed, "the other call")
		j := f.last(t, "/v1/chat")
		if u := j.Attempts[1].Usage; j.Usage.Input != 8 || u == nil || u.Input != 8 || usage(t, f) != 16 {
			t.Errorf("%+v, beside it %+v, %d count", j.Usage, u, usage(t, f))
		}
	})
}
