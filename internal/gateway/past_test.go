package gateway

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"causeway/internal/history"
	"causeway/internal/journey"
	"causeway/internal/snapshot"
	"causeway/internal/upstream"
)

func remembering(d *snapshot.Deps) { d.History = &history.Book{} }

// BenchmarkRESTRemembered is BenchmarkREST with what is remembered of targets; beside it, what that costs.
func BenchmarkRESTRemembered(b *testing.B) {
	up := cannedUpstream(b, append([]byte("HTTP/1.1 200 OK\r\nServer: mock\r\nDate: Mon, 23 Nov 2026 00:00:00 GMT\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"), oneKilobyte...))
	addr := newRigFull(b, strings.ReplaceAll(benchConfig, "UP", up), &nowhere{}, &sandboxes{}, remembering).addr
	benchCalls(b, addr, []byte("GET /rest/1k HTTP/1.1\r\nHost: "+addr+"\r\nUser-Agent: bench\r\nAccept: */*\r\napikey: benchkey-0123456789abcdef\r\n\r\n"))
}

// BenchmarkChatRemembered is BenchmarkChat in the same way.
func BenchmarkChatRemembered(b *testing.B) {
	body := `{"id":"c1","object":"chat.completion","created":1,"model":"gpt-4o-mini","choices":[{"index":0,"message":{"role":"assistant","content":"` + string(oneKilobyte[:700]) + `"},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":200,"total_tokens":210}}`
	up := cannedUpstream(b, []byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "+strconv.Itoa(len(body))+"\r\n\r\n"+body))
	addr := newRigFull(b, strings.ReplaceAll(benchConfig, "UP", up), &nowhere{}, &sandboxes{}, remembering).addr
	ask := `{"model":"fast","messages":[{"role":"user","content":"` + string(oneKilobyte[:300]) + `"}]}`
	benchCalls(b, addr, []byte("POST /v1/chat/completions HTTP/1.1\r\nHost: "+addr+"\r\nContent-Type: application/json\r\nAuthorization: Bearer benchkey-0123456789abcdef\r\nContent-Length: "+strconv.Itoa(len(ask))+"\r\n\r\n"+ask))
}

// A good call is looked at once in 10 ms, and the first after a failure always: the rest pay one comparison.
func TestGoodCallsAreRarelyLookedAt(t *testing.T) {
	r := newRigWith(t, strings.ReplaceAll(benchConfig, "UP", cannedUpstream(t, []byte("HTTP/1.1 200 OK\r\nServer: mock/1\r\nContent-Length: 0\r\n\r\n"))), remembering)
	begun := time.Now()
	const calls = 300
	for range calls {
		if a := r.call(t, "GET /rest/a HTTP/1.1\nHost: x\nConnection: close\napikey: benchkey-0123456789abcdef\n\n"); a.status != 200 {
			t.Fatal(a.status, a.body)
		}
	}
	took := time.Since(begun)
	u := r.gateway.Generation().Services["rest"].Upstream
	past := u.Remembered(0).Look(history.Question{Shape: history.Shape("/rest/*", "GET", "", 0), Now: time.Now()})
	if past == nil || !past.Good || past.Shape.Good == 0 {
		t.Fatalf("nothing is remembered: %+v", past)
	}
	if most := int(took/(10*time.Millisecond)) + 1; past.Shape.Good > most {
		t.Errorf("%d of %d calls in %v were looked at, more than %d", past.Shape.Good, calls, took, most)
	}
	if v := u.Remembered(0).Current("server"); v != "mock/1" {
		t.Errorf("the server called itself mock/1, and %q is remembered", v)
	}
}

// BenchmarkNotLookedAt is all that a good call pays that is not looked at, which is every one but a hundred a second.
func BenchmarkNotLookedAt(b *testing.B) {
	r := newRigFull(b, strings.ReplaceAll(benchConfig, "UP", "127.0.0.1:1"), &nowhere{}, &sandboxes{}, remembering)
	t, refusal := r.gateway.Generation().Services["rest"].Upstream.Pick(0, &upstream.Tried{})
	if refusal != nil {
		b.Fatal(refusal.Kind)
	}
	defer t.Release()
	c := &call{facts: facts{began: time.Now()}}
	a := &journey.Attempt{Total: time.Microsecond}
	t.MarkGood(c.at(time.Minute))
	b.ReportAllocs()
	for b.Loop() {
		c.glance(t, nil, a)
		if t.MarkGood(c.at(0)) {
			b.Fatal("it was looked at")
		}
	}
}
