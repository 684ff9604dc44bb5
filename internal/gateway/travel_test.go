package gateway

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"causeway/internal/fault"
	"causeway/internal/journey"
	"causeway/internal/wire"
)

const travelConfig = `
version: 1
services:
  plain:
    access: open
    routes: [{path: "/plain/*"}]
    upstream: {targets: [{url: "http://UP"}], retries: {backoff: 1ms}, timeouts: {first_byte: 300ms, idle: 300ms}}
  two:
    access: open
    routes: [{path: "/two/*"}]
    upstream: {targets: [{url: "http://DOWN"}, {url: "http://UP"}], retries: {backoff: 1ms}}
  short:
    access: open
    routes: [{path: "/short/*"}]
    upstream: {targets: [{url: "http://UP"}], retries: {backoff: 5s}, timeouts: {total: 250ms}}
  single:
    access: open
    routes: [{path: "/single/*"}]
    upstream: {targets: [{url: "http://UP"}], max_busy: 1, retries: {backoff: 1ms}}
  checked:
    access: open
    routes: [{path: "/checked/*"}]
    upstream: {targets: [{url: "http://DOWN"}], health: {interval: 20ms, unhealthy_after: 1}}
`

func post(path, body string, lines ...string) string {
	return fmt.Sprintf("POST %s HTTP/1.1\nHost: h\n%sContent-Length: %d\n\n%s", path, strings.Join(append(lines, ""), "\n"), len(body), body)
}

func again(t *testing.T, j *journey.Journey, want ...string) {
	t.Helper()
	if len(j.Attempts) != len(want) {
		t.Fatalf("%d attempts, want %d", len(j.Attempts), len(want))
	}
	for i, w := range want {
		if !strings.HasPrefix(j.Attempts[i].Again, w) {
			t.Errorf("attempt %d: %q, want %q", i+1, j.Attempts[i].Again, w)
		}
	}
}

func TestRepeatingWhatIsSafe(t *testing.T) {
	ok, bad := reply(200, "ok"), reply(503, "not now")
	for _, s := range []scenario{
		{
			name: "a GET that was answered with 503", request: get("/plain/x"), answers: []string{bad, ok}, status: 200, calls: 2, has: []string{"Causeway-Attempts: 2"},
			record: func(t *testing.T, j *journey.Journey) { again(t, j, "retried: the call is idempotent", "") },
		},
		{
			name: "not a POST, whose answer is passed on", request: post("/plain/x", "b"), answers: []string{bad, ok}, status: 503, calls: 1, has: []string{"not now", "Causeway-Finding: upstream_unavailable"},
			record: func(t *testing.T, j *journey.Journey) { again(t, j, "not retried: the upstream may have worked on it") },
		},
		{
			name: "a POST with Idempotency-Key, body and all", request: post("/plain/x", "body-1", "Idempotency-Key: 1"), answers: []string{bad, ok}, status: 200, calls: 2, sent: []string{"\r\nbody-1POST", "Idempotency-Key: 1"},
		},
		{
			name: "not a body that was not kept", request: "PUT /plain/x HTTP/1.1\nHost: h\nTransfer-Encoding: chunked\n\n1\r\nb\r\n0\r\n\r\n", answers: []string{bad, ok}, status: 503, calls: 1,
			record: func(t *testing.T, j *journey.Journey) {
				again(t, j, "not retried: the request body cannot be sent again")
			},
		},
		{
			name: "the last answer is passed on", request: get("/plain/x"), answers: []string{bad, bad, reply(502, "at last")}, status: 502, calls: 3, has: []string{"at last", "Causeway-Attempts: 3"},
		},
		{
			name: "not when asked to wait for long", request: get("/plain/x"), answers: []string{reply(503, "", "Retry-After: 60"), ok}, status: 503, calls: 1, has: []string{"Retry-After: 60"},
			record: func(t *testing.T, j *journey.Journey) { again(t, j, "not retried: the upstream asks to wait") },
		},
		{
			name: "an answer that broke while nothing of it had left", request: get("/plain/x"), answers: []string{"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbro" + closeAfter, ok}, status: 200, calls: 2, has: []string{"\r\n\nok"},
		},
		{
			name: "not one that had begun", request: get("/plain/x"), answers: []string{"HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n" + strings.Repeat("x", 17000) + closeAfter, ok}, status: 200, calls: 1,
			record: func(t *testing.T, j *journey.Journey) {
				if !j.Cut || kindOf(j) != fault.TruncatedBody || j.Status != 200 {
					t.Errorf("cut %v, kind %s, status %d", j.Cut, kindOf(j), j.Status)
				}
			},
		},
		{
			name: "a silence", request: get("/plain/x"), answers: []string{"", ok}, status: 200, calls: 2,
		},
		{
			name: "within the call's time alone", request: get("/short/x"), answers: []string{bad, ok}, status: 503, calls: 1,
			record: func(t *testing.T, j *journey.Journey) { again(t, j, "not retried: the call's total limit would pass") },
		},
	} {
		up := newOrigin(t)
		newRig(t, fill(t, travelConfig, up)).run(t, up, []scenario{s})
	}
}

func TestTheNextTargetIsTried(t *testing.T) {
	up := newOrigin(t)
	r := newRig(t, fill(t, travelConfig, up))
	for range 3 { // a POST too: nothing had reached the one that is down
		if a := r.call(t, post("/two/x", "b")); a.status != 200 {
			t.Errorf("status %d: %s", a.status, a.body)
		}
	}
}

// watched tells a test of what the rooms do to the caller's connection.
type watched struct {
	wire.Exchange
	onStart, onEnd func()
}

func (w watched) Start(status int, reason string, h *wire.Header, length, declared int64) error {
	err := w.Exchange.Start(status, reason, h, length, declared)
	if w.onStart != nil {
		w.onStart()
	}
	return err
}

func (w watched) End(trailer *wire.Header) error {
	if w.onEnd != nil {
		w.onEnd()
	}
	return w.Exchange.End(trailer)
}

// TestASlotIsFreeBeforeTheAnswerHasEnded: as soon as the caller can know of the end, a target with
// room for one call has it again, and its connection waits.
func TestASlotIsFreeBeforeTheAnswerHasEnded(t *testing.T) {
	up := newOrigin(t)
	r := newRig(t, fill(t, travelConfig, up))
	service := r.gateway.Generation().Services["single"].Upstream
	var ended atomic.Int64
	watch := exchanges(func(ex wire.Exchange) wire.Exchange {
		return watched{Exchange: ex, onEnd: func() {
			ended.Add(1)
			if busy, idle := service.Pool.Targets()[0].Busy(), service.Idle(0); busy != 0 || idle != 1 {
				t.Errorf("%d calls have slots, %d connections wait", busy, idle)
			}
		}}
	})
	r.watch.Store(&watch)
	if a := r.call(t, get("/single/x")); a.status != 200 || ended.Load() != 1 {
		t.Errorf("status %d, %d ends", a.status, ended.Load())
	}
}

func TestNoSlot(t *testing.T) {
	up := newOrigin(t)
	r := newRig(t, fill(t, travelConfig, up))
	up.replies("")
	c := dial(t, r.addr)
	c.send(t, get("/single/x"))
	eventually(t, "the call upstream", func() bool { return len(up.got()) == 1 })
	a := r.call(t, get("/single/x"))
	if a.status != 503 || !strings.Contains(a.body, `"kind":"no_slot"`) || !strings.Contains(a.body, "max_busy: 1") || strings.Contains(a.head, "Retry-After") {
		t.Errorf("%s", a.whole())
	}
}

// TestACallerWhoLeavesInItsUpload is nobody's failure but its own.
func TestACallerWhoLeavesInItsUpload(t *testing.T) {
	up := newOrigin(t)
	r := newRig(t, fill(t, travelConfig, up))
	c := dial(t, r.addr)
	c.send(t, "PUT /plain/upload HTTP/1.1\nHost: h\nTransfer-Encoding: chunked\n\n5\r\nhello\r\n")
	eventually(t, "the call upstream", func() bool { return up.open() == 1 })
	_ = c.Close()
	j := r.last(t, "/plain/upload")
	if k := kindOf(j); k != fault.RequestBodyAborted && k != fault.CallerGone || j.Status != 499 || j.BytesOut != 0 {
		t.Errorf("kind %s, status %d, %d bytes", kindOf(j), j.Status, j.BytesOut)
	}
}

func TestNoTargetIsToldByItsCause(t *testing.T) {
	up := newOrigin(t)
	r := newRig(t, fill(t, travelConfig, up))
	var a *answer
	eventually(t, "a target that is known to be down", func() bool {
		a = r.call(t, get("/checked/x"))
		return strings.Contains(a.body, "no_healthy_target")
	})
	if a.status != 503 || !strings.Contains(a.body, "behind it: the upstream refused the connection (connection_refused)") || strings.Contains(a.head, "Retry-After") {
		t.Errorf("%s", a.whole())
	}
}

// TestAHealthCheckThatIsNotAnsweredSaysSo holds the checks' own limit apart from being called off.
func TestAHealthCheckThatIsNotAnsweredSaysSo(t *testing.T) {
	up := newOrigin(t)
	up.replies("")
	config := strings.Replace(travelConfig, `targets: [{url: "http://DOWN"}], health: {interval: 20ms,`, `targets: [{url: "http://UP"}], timeouts: {first_byte: 50ms}, retries: {max: 0}, health: {interval: 20ms, timeout: 50ms,`, 1)
	r := newRig(t, fill(t, config, up))
	var a *answer
	eventually(t, "a target that is known to be down", func() bool {
		a = r.call(t, get("/checked/x"))
		return strings.Contains(a.body, "no_healthy_target")
	})
	if !strings.Contains(a.body, "first_byte_timeout") && !strings.Contains(a.body, "total_timeout") {
		t.Errorf("%s", a.body)
	}
}

func TestTheCallersBodyIsAskedForAfterTheGuards(t *testing.T) {
	up := newOrigin(t)
	r := newRig(t, fill(t, travelConfig, up))
	c := dial(t, r.addr)
	c.send(t, "POST /plain/x HTTP/1.1\nHost: h\nExpect: 100-continue\nContent-Length: 5\n\n")
	if a := c.read(t, "POST"); a.status != 100 {
		t.Fatalf("status %d", a.status)
	}
	fmt.Fprint(c, "hello")
	if a := c.read(t, "POST"); a.status != 200 || up.got()[0].body != "hello" {
		t.Errorf("%s", a.whole())
	}
}

// TestAnAnswerThatComesBeforeTheUploadHasEnded is passed on at once, and its record says how much of
// the body had come.
func TestAnAnswerThatComesBeforeTheUploadHasEnded(t *testing.T) {
	up := newOrigin(t)
	r := newRig(t, fill(t, travelConfig, up))
	c := dial(t, r.addr)
	c.send(t, "PUT /plain/x HTTP/1.1\nHost: h\nTransfer-Encoding: chunked\n\n5\r\nhello\r\n")
	eventually(t, "a connection", func() bool {
		up.mu.Lock()
		defer up.mu.Unlock()
		for u := range up.conns {
			fmt.Fprint(u, reply(503, "enough"))
			return true
		}
		return false
	})
	a := c.read(t, "PUT")
	if a.status != 503 || a.body != "enough" || !strings.Contains(a.head, "Connection: close\r\n") {
		t.Errorf("%s", a.whole())
	}
	j := r.record(t, a)
	if j.BytesIn > 5 || j.Attempts[0].SendComplete || kindOf(j) != fault.UpstreamUnavailable {
		t.Errorf("in %d, whole %v, kind %s", j.BytesIn, j.Attempts[0].SendComplete, kindOf(j))
	}
}

func TestAStreamedUploadIsInItsRecord(t *testing.T) {
	up := newOrigin(t)
	r := newRig(t, fill(t, travelConfig, up))
	r.run(t, up, []scenario{{
		name: "", request: "PUT /plain/x HTTP/1.1\nHost: h\nTransfer-Encoding: chunked\n\n5\r\nhello\r\n0\r\n\r\n", status: 200, calls: 1,
		record: func(t *testing.T, j *journey.Journey) {
			if a := j.Attempts[0]; j.BytesIn != 5 || a.BodyOut != 5 || !a.SendComplete {
				t.Errorf("in %d, out %d, whole %v", j.BytesIn, a.BodyOut, a.SendComplete)
			}
		},
	}})
}

// TestACallerWhoLeaves is noticed while it waits for the first byte, in a pause and in the middle of
// an answer; the upstream's connection is closed, and the record says what the caller had got.
func TestACallerWhoLeaves(t *testing.T) {
	for _, s := range []struct {
		name, path, answer string
		until              string // what the caller reads before it leaves
		status             int
	}{
		{"before the first byte", "/plain/first", "", "", 499},
		{"while a short answer is held", "/plain/held", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegin", "", 499},
		{"in the middle", "/plain/middle", "HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\n" + strings.Repeat("x", 20000), "xxx", 200},
		{"in the pause before another attempt", "/pause/x", reply(503, "no"), "", 499},
	} {
		t.Run(s.name, func(t *testing.T) {
			up := newOrigin(t)
			config := strings.ReplaceAll(travelConfig, "300ms", "20s") + `
  pause:
    access: open
    routes: [{path: "/pause/*"}]
    upstream: {targets: [{url: "http://UP"}], retries: {backoff: 20s}}
`
			r := newRig(t, fill(t, config, up))
			up.replies(s.answer)
			started := make(chan struct{}, 8)
			watch := exchanges(func(ex wire.Exchange) wire.Exchange {
				return watched{Exchange: ex, onStart: func() { started <- struct{}{} }}
			})
			r.watch.Store(&watch)
			c := dial(t, r.addr)
			c.send(t, get(s.path))
			if s.path == "/plain/held" {
				<-started
			}
			eventually(t, "the call upstream", func() bool { return len(up.got()) == 1 })
			for text := ""; !strings.Contains(text, s.until); {
				b := make([]byte, 4096)
				n, err := c.Read(b)
				if err != nil {
					t.Fatal(err)
				}
				text += string(b[:n])
			}
			if s.path == "/pause/x" {
				eventually(t, "the pause", func() bool { return r.gateway.InFlight() == 1 && up.open() == 1 })
			}
			_ = c.Close()
			began := time.Now()
			eventually(t, "the call's end", func() bool { return r.gateway.InFlight() == 0 })
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("it took %v", took)
			}
			j := r.last(t, s.path)
			if kindOf(j) != fault.CallerGone || j.Status != s.status {
				t.Errorf("kind %s, status %d", kindOf(j), j.Status)
			}
			if n := len(j.Attempts); n != 1 {
				t.Errorf("%d attempts, though the caller had left before another one", n)
			}
		})
	}
}

// TestDraining cuts a call that does not end in time, and says why.
func TestDraining(t *testing.T) {
	up := newOrigin(t)
	r := newRig(t, fill(t, strings.ReplaceAll(travelConfig, "300ms", "20s"), up))
	up.replies("")
	c := dial(t, r.addr)
	c.send(t, get("/plain/x"))
	eventually(t, "the call upstream", func() bool { return len(up.got()) == 1 })
	var cut sync.WaitGroup
	cut.Go(func() { shutdown(r) })
	a := c.read(t, "GET")
	if a.status != 503 || !strings.Contains(a.body, `"kind":"gateway_draining"`) || !strings.Contains(a.head, "Connection: close\r\n") {
		t.Errorf("%s", a.whole())
	}
	cut.Wait()
	if j := r.record(t, a); len(j.Attempts) != 1 {
		t.Errorf("%d attempts of a call that was cut", len(j.Attempts))
	}
}

func TestATunnel(t *testing.T) {
	up := newOrigin(t)
	r := newRig(t, fill(t, travelConfig, up))
	up.acts(func(_ int, rq *got) string {
		fmt.Fprint(rq.conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		_, _ = io.CopyN(rq.conn, rq.conn, 5)
		return closeAfter
	})
	c := dial(t, r.addr)
	c.send(t, get("/plain/tunnel", "Connection: Upgrade", "Upgrade: echo"))
	res, err := http.ReadResponse(c.r, nil)
	if err != nil || res.StatusCode != 101 || res.Header.Get("Upgrade") != "echo" || res.Header.Get("Causeway-Call-Id") == "" || res.Header.Get("Causeway-Attempts") != "1" {
		t.Fatalf("%v %+v", err, res)
	}
	fmt.Fprint(c, "hello")
	b, err := io.ReadAll(c.r)
	if string(b) != "hello" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
	j := r.last(t, "/plain/tunnel")
	if j.Status != 101 || j.BytesIn != 5 || j.BytesOut != 5 || j.Finding != nil {
		t.Errorf("status %d, in %d, out %d, %v", j.Status, j.BytesIn, j.BytesOut, j.Finding)
	}
	if n := r.gateway.Generation().Services["plain"].Upstream.Pool.Targets()[0].Busy(); n != 0 {
		t.Errorf("%d slots are taken", n)
	}
}
