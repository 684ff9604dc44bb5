package gateway

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// aged waits until an answer that is fresh for a millisecond is not any more.
func aged() { time.Sleep(3 * time.Millisecond) }

// TestAnOldAnswerIsAskedAfter: the upstream is asked whether it still holds, by its own tag and date, and not by the
// caller's.
func TestAnOldAnswerIsAskedAfter(t *testing.T) {
	const tag, date = `ETag: "v1"`, "Last-Modified: Mon, 23 Nov 2026 10:00:00 GMT"
	const still = "HTTP/1.1 304 Not Modified\r\nETag: \"v1\"\r\nCache-Control: max-age=60\r\nX-Said: anew\r\n\r\n"
	for name, c := range map[string]struct {
		first   []string // fields of the first answer
		ask     []string // fields of the second call
		answer  string   // to it
		asked   []string // what the upstream must see of it
		unasked []string
		status  int
		body    string
		says    string // Cache-Status
		then    string // the body of a third call
	}{
		"it still holds": {
			first: []string{tag, date, "X-Said: once"}, answer: still, asked: []string{`If-None-Match: "v1"`, "If-Modified-Since: Mon, 23 Nov 2026 10:00:00 GMT"},
			status: 200, body: "answer 1", says: "causeway; fwd=stale; fwd-status=304; stored", then: "answer 1",
		},
		"the caller has an older one": {
			first: []string{tag}, ask: []string{`If-None-Match: "v0"`, "If-Modified-Since: Sun, 22 Nov 2026 10:00:00 GMT"}, answer: still,
			asked: []string{`If-None-Match: "v1"`}, unasked: []string{`"v0"`, "22 Nov"}, status: 200, body: "answer 1", says: "causeway; fwd=stale; fwd-status=304; stored", then: "answer 1",
		},
		"the caller has this one": {
			first: []string{tag}, ask: []string{`If-None-Match: "v1"`}, answer: still, asked: []string{`If-None-Match: "v1"`},
			status: 304, says: "causeway; fwd=stale; fwd-status=304; stored", then: "answer 1",
		},
		"there is another": {
			first: []string{tag}, answer: "HTTP/1.1 200 OK\r\nETag: \"v2\"\r\nCache-Control: max-age=60\r\nContent-Length: 3\r\n\r\nnew", asked: []string{`If-None-Match: "v1"`},
			status: 200, body: "new", says: "causeway; fwd=stale; stored", then: "new",
		},
		"it must not be kept any more": {
			first: []string{tag}, answer: "HTTP/1.1 304 Not Modified\r\nETag: \"v1\"\r\nCache-Control: no-store\r\n\r\n", asked: []string{`If-None-Match: "v1"`},
			status: 200, body: "answer 1", says: "causeway; fwd=stale; fwd-status=304",
		},
		"the upstream is in trouble": {
			first: []string{date}, answer: reply(503, "broken"), asked: []string{"If-Modified-Since: Mon, 23 Nov 2026 10:00:00 GMT"}, unasked: []string{"If-None-Match"},
			status: 200, body: "answer 1", says: "causeway; fwd=stale; fwd-status=503",
		},
		"nothing to ask by": {
			ask: []string{`If-None-Match: "v0"`}, answer: reply(200, "new"), asked: []string{`If-None-Match: "v0"`}, status: 200, body: "new", says: "causeway; fwd=stale; stored",
		},
		"the call wants it looked after": {
			first: []string{tag, "Cache-Control: max-age=60"}, ask: []string{"Cache-Control: no-cache"}, answer: still, asked: []string{`If-None-Match: "v1"`},
			status: 200, body: "answer 1", says: "causeway; fwd=request; fwd-status=304; stored", then: "answer 1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			up := newOrigin(t)
			r := newRig(t, fill(t, cacheConfig, up))
			up.acts(counted(c.first...))
			if a := r.call(t, get("/stale/a")); a.body != "answer 1" {
				t.Fatal(a.whole())
			}
			aged()
			up.acts(func(int, *got) string { return c.answer })
			a := r.call(t, get("/stale/a", c.ask...))
			if a.status != c.status || a.body != c.body || !strings.HasPrefix(a.header.Get("Cache-Status"), c.says) {
				t.Errorf("%s", a.whole())
			}
			if strings.Contains(c.says, "304; stored") && (a.header.Get("X-Said") != "anew" || len(a.header.Values("Etag")) != 1) {
				t.Errorf("what the 304 says: %s", a.whole())
			}
			list := up.got()
			if len(list) != 1 {
				t.Fatalf("the upstream was asked %d times", len(list))
			}
			for _, f := range c.asked {
				if !strings.Contains(list[0].head, "\r\n"+f+"\r\n") {
					t.Errorf("no %s in %q", f, list[0].head)
				}
			}
			for _, f := range c.unasked {
				if strings.Contains(list[0].head, f) {
					t.Errorf("%s in %q", f, list[0].head)
				}
			}
			if c.then != "" {
				if a := r.call(t, get("/stale/a")); a.body != c.then || !strings.Contains(a.header.Get("Cache-Status"), "hit") || len(up.got()) != 1 {
					t.Errorf("the third call: %s", a.whole())
				}
			}
		})
	}
}

// TestCallsForTheSameAnswerWaitForOne: however many ask for what is not kept, the upstream is asked once.
func TestCallsForTheSameAnswerWaitForOne(t *testing.T) {
	const callers = 20
	type rush struct {
		rig          *rig
		up           *origin
		asked, most  atomic.Int64 // requests that the upstream got, and at a time
		good, failed atomic.Int64
	}
	// run has them all call while the upstream takes its time for each answer.
	run := func(t *testing.T, answer func(n int) string, requests ...string) *rush {
		t.Helper()
		s := &rush{up: newOrigin(t)}
		s.rig = newRig(t, fill(t, cacheConfig, s.up))
		var now atomic.Int64
		s.up.acts(func(int, *got) string {
			n := s.asked.Add(1)
			at := now.Add(1)
			for most := s.most.Load(); at > most && !s.most.CompareAndSwap(most, at); most = s.most.Load() {
			}
			time.Sleep(150 * time.Millisecond) // until all the others have called
			now.Add(-1)
			return answer(int(n))
		})
		var wg sync.WaitGroup
		for i := range callers {
			wg.Go(func() {
				switch a := s.rig.call(t, requests[i%len(requests)]); a.status {
				case 200:
					s.good.Add(1)
				case 500:
					s.failed.Add(1)
				default:
					t.Error(a.whole())
				}
			})
		}
		wg.Wait()
		return s
	}
	keptOne := func(int) string { return reply(200, "kept") }
	check := func(t *testing.T, s *rush, asked, good, failed int64) {
		t.Helper()
		if s.asked.Load() != asked || s.good.Load() != good || s.failed.Load() != failed {
			t.Errorf("the upstream was asked %d times, %d at a time; %d good answers, %d failures", s.asked.Load(), s.most.Load(), s.good.Load(), s.failed.Load())
		}
	}
	t.Run("one fetches", func(t *testing.T) {
		s := run(t, keptOne, get("/open/a"))
		check(t, s, 1, callers, 0)
	})
	t.Run("a failure sends one more, not all", func(t *testing.T) {
		s := run(t, func(n int) string {
			if n == 1 {
				return reply(500, "broken")
			}
			return reply(200, "kept")
		}, get("/open/a"))
		if check(t, s, 2, callers-1, 1); s.most.Load() != 1 {
			t.Errorf("%d at a time", s.most.Load())
		}
	})
	t.Run("what is not for others is fetched by each", func(t *testing.T) {
		s := run(t, func(n int) string {
			return fmt.Sprintf("HTTP/1.1 200 OK\r\nCache-Control: private\r\nContent-Length: 2\r\n\r\n%02d", n)
		}, get("/open/a"))
		if check(t, s, callers, callers, 0); s.most.Load() < 2 {
			t.Errorf("one after the other")
		}
	})
	t.Run("each application for itself", func(t *testing.T) {
		s := run(t, keptOne, get("/keyed/a", "x-api-key: "+key), get("/keyed/a", "x-api-key: app-0123456789abcdef"))
		check(t, s, 2, callers, 0)
	})
	t.Run("a shared cache for both", func(t *testing.T) {
		s := run(t, keptOne, get("/shared/a", "x-api-key: "+key), get("/shared/a", "x-api-key: app-0123456789abcdef"))
		check(t, s, 1, callers, 0)
	})
	t.Run("who sends credentials waits for nobody", func(t *testing.T) {
		s := run(t, keptOne, get("/open/a", "Authorization: Basic eHg="))
		check(t, s, callers, callers, 0)
	})
	t.Run("each variant once", func(t *testing.T) {
		s := run(t, func(int) string {
			return "HTTP/1.1 200 OK\r\nVary: Accept-Language\r\nContent-Length: 1\r\n\r\nx"
		}, get("/open/a", "Accept-Language: de"), get("/open/a", "Accept-Language: en"))
		check(t, s, 2, callers, 0)
	})
	t.Run("each address for itself", func(t *testing.T) {
		s := run(t, keptOne, get("/open/a"), get("/open/b"))
		check(t, s, 2, callers, 0)
	})
}
