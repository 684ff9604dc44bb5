package gateway

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"causeway/internal/fault"
	"causeway/internal/journey"
	"causeway/internal/snapshot"
	"causeway/internal/wire"
)

const hedgeConfig = `
version: 1
providers:
  first: {kind: openai-compatible, base_url: "http://PRIMARY/v1", keys: [sk-first-key-0123456789], timeouts: {first_byte: 5s, idle: 5s}, retries: {max: 0}}
  second: {kind: openai-compatible, base_url: "http://SECOND/v1", keys: [sk-second-key-0123456789], timeouts: {first_byte: 5s}, retries: {max: 0}}
prices: {first/a: {input: 1, output: 1}, second/b: {input: 1, output: 1}}
models:
  m: {targets: [{model: first/a}], fallback: [second/b], hedge: {after: 40ms, EXTRA}}
applications:
  web: {keys: [KEY], subscribes: [models/m], limits: {tokens: 1000000, per: day}}
`

// newHedged is a rig whose model m is hedged after 40 ms.
func newHedged(t *testing.T, extra string) *failing {
	t.Helper()
	f := &failing{primary: newOrigin(t), second: newOrigin(t)}
	f.second.acts(func(_ int, rq *got) string { return f.good("second", rq) })
	if extra == "" {
		extra = "max: 1"
	}
	config := strings.NewReplacer("PRIMARY", f.primary.addr, "SECOND", f.second.addr, "EXTRA", extra).Replace(hedgeConfig)
	f.config = fill(t, config, f.primary)
	f.rig = newRig(t, f.config)
	return f
}

// hung answers nothing, and says on closed that its connection was closed.
func hung(closed chan<- struct{}, first ...string) func(int, *got) string {
	return func(_ int, rq *got) string {
		fmt.Fprint(rq.conn, strings.Join(first, ""))
		hang(rq)
		closed <- struct{}{}
		return closeAfter
	}
}

// after answers when that has happened.
func after(ready <-chan struct{}, f func(rq *got) string) func(int, *got) string {
	return func(_ int, rq *got) string { <-ready; return f(rq) }
}

func closes(t *testing.T, closed <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-closed:
	case <-time.After(5 * time.Second):
		t.Errorf("%s was not cancelled", what)
	}
}

// TestHedge is whose answer a call gets that two targets are asked for.
func TestHedge(t *testing.T) {
	role := strings.NewReplacer(`{"content":"hi"}`, `{"role":"assistant","content":""}`, "c1", "PRIMARY").Replace(deltaEvent)
	t.Run("a hung primary", func(t *testing.T) {
		both(t, func(t *testing.T, stream bool) {
			f := newHedged(t, "")
			closed := make(chan struct{}, 1)
			f.primary.acts(hung(closed))
			began := time.Now()
			a := f.ask(t, stream)
			took := time.Since(began)
			if a.status != 200 || !strings.Contains(a.body, "from second") || stream && !strings.Contains(a.body, "[DONE]") || a.header.Get("Causeway-Attempts") != "2" {
				t.Fatalf("%s", a.whole())
			}
			if took < 40*time.Millisecond || took > 2*time.Second {
				t.Errorf("it took %v, where the primary hangs for 5s and the other one is asked after 40ms", took)
			}
			closes(t, closed, "the call to the primary")
			j := f.record(t, a)
			if len(j.Attempts) != 2 || j.Provider != "second" || j.TargetModel != "b" || j.Finding != nil || j.Status != 200 {
				t.Fatalf("the record is %+v", j)
			}
			one, two := &j.Attempts[0], &j.Attempts[1]
			if one.End != journey.EndHedged || one.Kind != "" || !strings.HasPrefix(one.Again, "hedged: second/b answered first; it may bill ") {
				t.Errorf("the attempt that lost: end %v, kind %q, %q", one.End, one.Kind, one.Again)
			}
			if two.End != journey.EndComplete || two.Kind != "" {
				t.Errorf("the attempt that won: end %v, kind %q", two.End, two.Kind)
			}
			if stream {
				used(3, 4, "reported")(t, j)
			} else {
				used(10, 2, "reported")(t, j)
			}
			if s := f.gateway.Generation().Models["m"].Targets[0].State.State(wire.Now()); s.Failures != 0 || s.Busy != 0 {
				t.Errorf("being slower counts against the primary: %+v", s)
			}
		})
	})
	t.Run("heartbeats and a role are no content", func(t *testing.T) {
		f := newHedged(t, "")
		closed := make(chan struct{}, 1)
		f.primary.acts(hung(closed, events(role)))
		a := f.ask(t, true)
		closes(t, closed, "the stream of the primary")
		if !strings.Contains(a.body, "from second") || strings.Contains(a.body, "PRIMARY") {
			t.Errorf("%s", a.whole())
		}
	})
	t.Run("the primary wins in the end", func(t *testing.T) {
		both(t, func(t *testing.T, stream bool) {
			f := newHedged(t, "")
			closed, asked := make(chan struct{}, 1), make(chan struct{})
			f.second.acts(func(n int, rq *got) string { close(asked); return hung(closed)(n, rq) })
			f.primary.acts(after(asked, func(rq *got) string { return f.good("first", rq) }))
			a := f.ask(t, stream)
			closes(t, closed, "the call to the second")
			j := f.record(t, a)
			if !strings.Contains(a.body, "from first") || len(j.Attempts) != 2 || j.Attempts[1].End != journey.EndHedged || j.Provider != "first" {
				t.Errorf("%s\n%+v", a.whole(), j)
			}
		})
	})
	t.Run("a primary in time is asked alone", func(t *testing.T) {
		both(t, func(t *testing.T, stream bool) {
			f := newHedged(t, "")
			f.primary.acts(func(_ int, rq *got) string { return f.good("first", rq) })
			a := f.ask(t, stream)
			if j := f.record(t, a); !strings.Contains(a.body, "from first") || len(j.Attempts) != 1 || posts(f.second) != 0 {
				t.Errorf("%s", a.whole())
			}
			if a.header.Get("Causeway-Attempts") != "1" {
				t.Errorf("Causeway-Attempts is %q", a.header.Get("Causeway-Attempts"))
			}
		})
	})
	t.Run("once content has left nobody else is asked", func(t *testing.T) {
		f := newHedged(t, "")
		f.primary.acts(func(_ int, rq *got) string {
			fmt.Fprint(rq.conn, events(deltaEvent))
			time.Sleep(100 * time.Millisecond) // longer than hedge.after
			return chunked(finishEvent, doneEvent) + lastChunk
		})
		if a := f.ask(t, true); !strings.Contains(a.body, "[DONE]") || posts(f.second) != 0 {
			t.Errorf("%s", a.whole())
		}
	})
	t.Run("a hedge that fails ends in silence", func(t *testing.T) {
		both(t, func(t *testing.T, stream bool) {
			f := newHedged(t, "")
			asked := make(chan struct{})
			f.second.acts(func(int, *got) string {
				defer close(asked)
				return reply(500, problem("Oops", "server_error", ""), asJSON)
			})
			f.primary.acts(after(asked, func(rq *got) string { time.Sleep(20 * time.Millisecond); return f.good("first", rq) }))
			a := f.ask(t, stream)
			j := f.record(t, a)
			if a.status != 200 || !strings.Contains(a.body, "from first") || len(j.Attempts) != 2 || j.Attempts[1].Kind != fault.ProviderError || j.Finding != nil {
				t.Errorf("%s\n%+v", a.whole(), j)
			}
		})
	})
	t.Run("a primary that fails waits for the hedge", func(t *testing.T) {
		for name, answer := range map[string]string{"refused": reply(400, problem("no such parameter", "invalid_request_error", "unsupported_parameter"), asJSON), "closed": closeAfter} {
			t.Run(name, func(t *testing.T) {
				both(t, func(t *testing.T, stream bool) {
					f := newHedged(t, "")
					asked := make(chan struct{})
					f.second.acts(func(_ int, rq *got) string {
						close(asked)
						time.Sleep(50 * time.Millisecond)
						return f.good("second", rq)
					})
					f.primary.acts(after(asked, func(*got) string { return answer }))
					a := f.ask(t, stream)
					j := f.record(t, a)
					if a.status != 200 || !strings.Contains(a.body, "from second") || len(j.Attempts) != 2 || j.Finding != nil || j.Attempts[0].Kind == "" {
						t.Errorf("%s\n%+v", a.whole(), j)
					}
				})
			})
		}
	})
	t.Run("when all fail the primary's failure is told", func(t *testing.T) {
		both(t, func(t *testing.T, stream bool) {
			f := newHedged(t, "")
			asked := make(chan struct{})
			f.second.acts(func(int, *got) string {
				defer close(asked)
				return reply(500, problem("of the second", "server_error", ""), asJSON)
			})
			f.primary.acts(after(asked, func(*got) string {
				return reply(400, problem("of the first", "invalid_request_error", "unsupported_parameter"), asJSON)
			}))
			a := f.ask(t, stream)
			j := f.record(t, a)
			if a.status != 400 || !strings.Contains(a.body, "of the first") || len(j.Attempts) != 2 || j.Finding == nil {
				t.Errorf("%s\n%+v", a.whole(), j)
			}
		})
	})
	t.Run("a caller who leaves ends both", func(t *testing.T) {
		f := newHedged(t, "")
		closed, asked := make(chan struct{}, 2), make(chan struct{})
		f.primary.acts(hung(closed))
		f.second.acts(func(n int, rq *got) string { close(asked); return hung(closed)(n, rq) })
		c := dial(t, f.addr)
		c.send(t, streamed("m"))
		<-asked
		_ = c.Close()
		closes(t, closed, "one of the calls")
		closes(t, closed, "the other call")
		j := f.last(t, "/v1/chat")
		if j.Finding == nil || j.Finding.Kind != fault.CallerGone || len(j.Attempts) != 2 {
			t.Errorf("%+v", j)
		}
	})
}

// chunked are events behind the head of a stream.
func chunked(list ...string) string {
	_, after, _ := strings.Cut(events(list...), "\r\n\r\n")
	return after
}

// TestHedgesAreBounded: no more calls are put to a second target than the budget allows, and none that a provider would
// keep.
func TestHedgesAreBounded(t *testing.T) {
	t.Run("budget", func(t *testing.T) {
		f := newHedged(t, "budget: 1%")
		f.primary.acts(func(_ int, rq *got) string { time.Sleep(120 * time.Millisecond); return f.good("first", rq) })
		told := 0
		for range 6 {
			a := f.ask(t, false)
			for _, n := range f.record(t, a).Notes {
				if strings.Contains(n.Text, "hedge.budget") {
					told++
				}
			}
		}
		if n := posts(f.second); n != 3 || told != 3 {
			t.Errorf("of 6 calls %d were hedged, and of %d it is said why not", n, told)
		}
	})
	t.Run("max_attempts", func(t *testing.T) {
		f := newHedged(t, "max: 1}, failover: {max_attempts: 1")
		f.primary.acts(func(_ int, rq *got) string { time.Sleep(120 * time.Millisecond); return f.good("first", rq) })
		if a := f.ask(t, false); !strings.Contains(a.body, "from first") || posts(f.second) != 0 {
			t.Errorf("%s", a.whole())
		}
	})
	for name, request := range map[string]string{
		"a stored completion":   chatBody(`{"model":"m","store":true,"messages":[]}`),
		"a stored response":     postTo("/v1/responses", `{"model":"m","input":"x"}`),
		"a background response": postTo("/v1/responses", `{"model":"m","input":"x","store":false,"background":true}`),
		"an image":              postTo("/v1/images/generations", `{"model":"m","prompt":"x"}`),
	} {
		t.Run(name, func(t *testing.T) {
			f := newHedged(t, "")
			meanwhile := make(chan int, 1)
			f.primary.acts(func(_ int, rq *got) string {
				time.Sleep(120 * time.Millisecond)
				meanwhile <- posts(f.second)
				return f.good("first", rq)
			})
			f.call(t, request)
			if n := <-meanwhile; n != 0 {
				t.Errorf("the second target was asked %d times beside the first", n)
			}
		})
	}
}

func postTo(path, body string) string {
	return strings.Replace(chatBody(body), "/v1/chat/completions", path, 1)
}

// slowAnthropic is a provider of another dialect that tells its usage, and then hangs for the calls whose text says so.
func slowAnthropic(t *testing.T) *httptest.Server {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var rq struct {
			Messages []struct{ Content json.RawMessage }
		}
		body, _ := io.ReadAll(r.Body)
		if json.Unmarshal(body, &rq) != nil || len(rq.Messages) != 1 {
			http.Error(w, "what is this: "+string(body), 400)
			return
		}
		canary := canaryOf(string(rq.Messages[0].Content))
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprintf(w, "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_%s\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"a\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":11,\"output_tokens\":1}}}\n\n", canary)
		_ = http.NewResponseController(w).Flush()
		if strings.Contains(string(body), "HANG") {
			<-r.Context().Done()
			return
		}
		fmt.Fprint(w, "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n")
		for range 5 {
			fmt.Fprintf(w, "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"anthropic %s \"}}\n\n", canary)
			_ = http.NewResponseController(w).Flush()
		}
		fmt.Fprint(w, "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\nevent: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":9}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n")
	}))
	t.Cleanup(up.Close)
	return up
}

// canaryOf finds the word that stands for one call.
func canaryOf(text string) string {
	_, after, _ := strings.Cut(text, "<")
	canary, _, _ := strings.Cut(after, ">")
	return canary
}

// TestHedgedStreamsDoNotMix: 500 streams at a time over two dialects, of which some hang at the first target, some are
// answered by both at once, and some callers leave. No call gets a word of another, or of two answers.
func TestHedgedStreamsDoNotMix(t *testing.T) {
	first := slowAnthropic(t)
	second := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		canary := canaryOf(string(body))
		w.Header().Set("Content-Type", "text/event-stream")
		for range 5 {
			fmt.Fprintf(w, "data: %s\n\n", strings.Replace(deltaEvent, `"content":"hi"`, `"content":"openai `+canary+` "`, 1))
			_ = http.NewResponseController(w).Flush()
		}
		fmt.Fprintf(w, "data: %s\n\ndata: %s\n\ndata: [DONE]\n\n", finishEvent, usageEvent)
	}))
	t.Cleanup(second.Close)
	r := newRigWith(t, strings.NewReplacer("FIRST", first.URL, "SECOND", second.URL, "KEY", key).Replace(`
version: 1
server: {max_connections: 4000}
providers:
  first: {kind: anthropic, base_url: "FIRST", keys: [sk-first-key-0123456789], timeouts: {first_byte: 20s}}
  second: {kind: openai-compatible, base_url: "SECOND/v1", keys: [sk-second-key-0123456789], timeouts: {first_byte: 20s}}
models:
  m: {targets: [{model: first/a}], fallback: [second/b], hedge: {after: 20ms, budget: 100%}}
applications:
  web: {keys: [KEY], subscribes: [models/m]}
`), func(d *snapshot.Deps) {
		d.Dialects = allDialects()
		for _, dialect := range allDialects() {
			d.Speak[dialect.Name()] = dialect
		}
	})
	var wg sync.WaitGroup
	var byFirst, bySecond atomic.Int64
	for i := range 500 {
		wg.Go(func() {
			canary := fmt.Sprintf("canary%04d", i)
			mode := ""
			if i%2 == 0 {
				mode = " HANG"
			}
			c, err := net.Dial("tcp", r.addr)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(30 * time.Second))
			body := `{"model":"m","stream":true,"messages":[{"role":"user","content":"<` + canary + `>` + mode + `"}]}`
			fmt.Fprint(c, strings.ReplaceAll(strings.TrimSuffix(strings.SplitN(chatBody(body), "\n\n", 2)[0], "\n"), "\n", "\r\n")+"\r\nConnection: close\r\n\r\n"+body)
			if i%10 == 4 { // who leaves while the first target hangs
				return
			}
			b, err := io.ReadAll(c)
			text := string(b)
			if err != nil || !strings.Contains(text, "[DONE]") {
				t.Errorf("%s: %v: %q", canary, err, text)
				return
			}
			one, two := strings.Count(text, "anthropic "+canary), strings.Count(text, "openai "+canary)
			if one+two != 5 || one != 0 && two != 0 || strings.Count(text, "canary") != strings.Count(text, canary) {
				t.Errorf("%s: %d pieces of the one and %d of the other answer: %q", canary, one, two, text)
			}
			if mode != "" && one != 0 {
				t.Errorf("%s: a provider that hangs has answered", canary)
			}
			byFirst.Add(int64(one))
			bySecond.Add(int64(two))
		})
	}
	wg.Wait()
	if byFirst.Load() == 0 || bySecond.Load() == 0 {
		t.Errorf("%d pieces are of the first target, %d of the second", byFirst.Load(), bySecond.Load())
	}
	// What the provider that lost had told is on record.
	eventually(t, "a call that says what the loser may bill", func() bool {
		j := r.last(t, "/v1/chat")
		for i := range j.Attempts {
			if strings.Contains(j.Attempts[i].Again, "11 tokens of input") {
				return true
			}
		}
		a := r.call(t, chatBody(`{"model":"m","stream":true,"messages":[{"role":"user","content":"<canaryXXXX> HANG"}]}`))
		return a.status != 200
	})
}
