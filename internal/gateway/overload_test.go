package gateway

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"causeway/internal/fault"
	"causeway/internal/journey"
	"causeway/internal/shed"
)

const overloadConfig = `
version: 1
server: {max_calls: 1, overload: {queue: 1, wait: WAIT, max_delay: 100ms}}
services:
  s:
    access: open
    routes: [{path: "/s/*"}]
    upstream: {targets: [{url: "http://UP"}]}
providers:
  mock: {kind: openai-compatible, base_url: "http://UP/v1"}
applications:
  web: {keys: [KEY], subscribes: [models/*]}
`

func overloadRig(t *testing.T, up *origin, wait string) *rig {
	return newRig(t, fill(t, strings.Replace(overloadConfig, "WAIT", wait, 1), up))
}

// holding makes an upstream whose answers come when the channel is closed.
func holding(up *origin) (release chan struct{}) {
	release = make(chan struct{})
	up.acts(func(int, *got) string {
		<-release
		return reply(200, "ok")
	})
	return release
}

// occupied is a gateway that carries as many calls as it may.
func occupied(t *testing.T, r *rig, up *origin) *caller {
	t.Helper()
	c := dial(t, r.addr)
	c.send(t, get("/s/first"))
	eventually(t, "a call in flight", func() bool { return len(up.got()) == 1 })
	return c
}

func TestACallWaitsItsTurn(t *testing.T) {
	t.Parallel()
	up := newOrigin(t)
	r := overloadRig(t, up, "20s")
	release := holding(up)
	first := occupied(t, r, up)
	second := dial(t, r.addr)
	second.send(t, get("/s/second"))
	eventually(t, "a call that waits", func() bool { return r.gateway.Load().Waiting == 1 })
	third := r.call(t, get("/s/third"))
	if third.status != 503 || !strings.Contains(third.body, "already carries 1 call; server.max_calls is 1.") || !strings.Contains(third.body, `"retry":"safe"`) {
		t.Errorf("beyond the queue: %d %s", third.status, third.body)
	}
	if page := r.call(t, get("/.causeway/failures/gateway_overloaded")); page.status != 200 {
		t.Errorf("the gateway's own page: %d", page.status)
	}
	if len(up.got()) != 1 {
		t.Errorf("%d calls reached the upstream", len(up.got()))
	}
	time.Sleep(5 * time.Millisecond) // it waits for longer than what is not worth a note
	close(release)
	if a := first.read(t, "GET"); a.status != 200 {
		t.Errorf("the first: %d", a.status)
	}
	a := second.read(t, "GET")
	if a.status != 200 {
		t.Errorf("the one that waited: %d %s", a.status, a.body)
	}
	if j := r.record(t, a); len(j.Notes) == 0 || !strings.HasPrefix(j.Notes[0].Text, "waited ") {
		t.Errorf("its notes: %v", j.Notes)
	}
}

func TestACallWaitsInVain(t *testing.T) {
	t.Parallel()
	up := newOrigin(t)
	r := overloadRig(t, up, "50ms")
	defer close(holding(up))
	occupied(t, r, up)
	a := r.call(t, get("/s/x"))
	if a.status != 503 || !strings.Contains(a.body, "and none ended within 50ms (server.overload.wait)") {
		t.Errorf("%d %s", a.status, a.body)
	}
	j := r.record(t, a)
	if j.Total < 50*time.Millisecond || kindOf(j) != fault.GatewayOverloaded || j.Finding.Retry != fault.Safe {
		t.Errorf("after %v: %+v", j.Total, j.Finding)
	}
}

func TestACallerLeavesWhileItWaits(t *testing.T) {
	t.Parallel()
	up := newOrigin(t)
	r := overloadRig(t, up, "20s")
	defer close(holding(up))
	occupied(t, r, up)
	c := dial(t, r.addr)
	c.send(t, get("/s/impatient"))
	eventually(t, "a call that waits", func() bool { return r.gateway.Load().Waiting == 1 })
	_ = c.Close()
	if j := r.last(t, "/s/impatient"); kindOf(j) != fault.CallerGone || j.Status != statusCallerGone {
		t.Errorf("%d %s", j.Status, kindOf(j))
	}
	if s := r.gateway.Load(); s.Waiting != 0 || s.Busy != 1 {
		t.Errorf("%d wait, %d are in flight", s.Waiting, s.Busy)
	}
}

// A gateway that is late with its own work turns new calls away before they cost much, and says why.
func TestALateGatewayTurnsCallsAway(t *testing.T) {
	t.Parallel()
	up := newOrigin(t)
	r := overloadRig(t, up, "0")
	r.gateway.host = func(time.Time) *journey.Host {
		return &journey.Host{Span: time.Second, CPU: 98, Steal: 40, CPUs: 2, Own: 55, Delay: 220 * time.Millisecond}
	}
	for range 50 {
		r.gateway.Tick(shed.Signal{Delay: 150 * time.Millisecond})
	}
	refused, served := (*answer)(nil), 0
	for range 60 {
		if a := r.call(t, get("/s/x")); a.status == 503 {
			refused = a
		} else {
			served++
		}
	}
	if refused == nil || served > 30 || len(up.got()) != served {
		t.Fatalf("%d of 60 calls were served, %d came to the upstream", served, len(up.got()))
	}
	for _, want := range []string{
		`"kind":"gateway_overloaded"`, `"cause":"gateway"`, "this gateway is late with its own work, by 150 ms (server.overload.max_delay is 100ms), and turns 90 % of new calls away",
		"behind it: the gateway's host has too little CPU (gateway_cpu_starved).", "CPUs 98 % busy, 40 % stolen by the hypervisor", `"retry":"safe"`,
	} {
		if !strings.Contains(refused.body, want) {
			t.Errorf("no %q in %s", want, refused.body)
		}
	}
	if j := r.record(t, refused); j.GatewayHost == nil || j.GatewayHost.Steal != 40 {
		t.Errorf("the record has no host: %+v", j.GatewayHost)
	}
	for range 50 {
		r.gateway.Tick(shed.Signal{})
	}
	for range 20 {
		if a := r.call(t, get("/s/x")); a.status != 200 {
			t.Fatalf("when it is no longer late: %d", a.status)
		}
	}
}

// With little memory left calls that need much of it are refused, with hardly any all are, and it goes
// back by itself.
func TestMemoryRunsLow(t *testing.T) {
	t.Parallel()
	up := newOrigin(t)
	r := overloadRig(t, up, "0")
	r.gateway.memoryMax = 1000 << 20
	r.gateway.Install(r.gateway.Generation())
	large := func() *answer {
		return r.call(t, chatBody(`{"model":"mock/m","messages":[{"role":"user","content":"`+strings.Repeat("x", 100<<10)+`"}]}`))
	}
	up.replies(reply(200, `{"choices":[{"message":{"content":"hi"},"finish_reason":"stop"}]}`, "Content-Type: application/json"))
	for _, step := range []struct {
		name           string
		needed         int64
		small, big     int
		sentence, page string
	}{
		{"enough", 100 << 20, 200, 200, "", ""},
		{"little", 850 << 20, 200, 503, "this gateway has too little memory left: it needs 850 MiB, server.overload.memory_soft allows 800 MiB", ""},
		{"hardly any", 950 << 20, 503, 503, "this gateway has too little memory left: it needs 950 MiB, server.overload.memory_hard allows 900 MiB", ""},
		{"enough again", 100 << 20, 200, 200, "", ""},
	} {
		r.gateway.Tick(shed.Signal{Needed: step.needed})
		if a := r.call(t, get("/s/x")); a.status != step.small {
			t.Errorf("%s: a small call: %d %s", step.name, a.status, a.body)
		}
		a := large()
		if a.status != step.big || !strings.Contains(a.body, step.sentence) {
			t.Errorf("%s: a large body: %d %s", step.name, a.status, a.body)
		}
		if step.big == 503 {
			if j := r.record(t, a); kindOf(j) != fault.GatewayMemoryLow || !strings.Contains(a.body, `"error":{"message":`) || j.BytesIn > keepBody {
				t.Errorf("%s: %s after %d bytes: %s", step.name, kindOf(j), j.BytesIn, a.body)
			}
		}
		if a := r.call(t, get("/.causeway/failures/gateway_memory_low")); a.status != 200 {
			t.Errorf("%s: the gateway's own page: %d", step.name, a.status)
		}
		eventually(t, "every reservation to be given back", func() bool { return r.gateway.Load().Reserved == 0 })
	}
}

// What a caller declares takes no memory before it comes, and all that is held is bounded.
func TestBodiesThatAreOnlyDeclared(t *testing.T) {
	t.Parallel()
	up := newOrigin(t)
	r := newRig(t, fill(t, strings.Replace(overloadConfig, "max_calls: 1, overload: {queue: 1, wait: WAIT, max_delay: 100ms}", "max_calls: 100", 1), up))
	r.gateway.memoryMax = 1000 << 20
	r.gateway.Install(r.gateway.Generation())
	const declared = 60_000_000
	callers := make([]*caller, 10)
	for i := range callers {
		callers[i] = dial(t, r.addr)
		callers[i].send(t, fmt.Sprintf("POST /v1/chat/completions HTTP/1.1\nHost: h\nContent-Type: application/json\nAuthorization: Bearer "+key+"\nContent-Length: %d\n\n{", declared))
		eventually(t, "it to be let in", func() bool { return r.gateway.Load().Busy == int64(i)+1 })
	}
	if s := r.gateway.Load(); s.Reserved != 0 || s.Refused[shed.LowMemory] != 0 {
		t.Errorf("%d MiB are reserved for ten bytes, %d of 10 were refused", s.Reserved>>20, s.Refused[shed.LowMemory])
	}
	for _, c := range callers {
		before := r.gateway.Load()
		go func() { _, _ = io.WriteString(c, strings.Repeat(" ", 2<<20)) }()
		eventually(t, "it to be held or refused", func() bool {
			s := r.gateway.Load()
			return s.Reserved > before.Reserved+declared || s.Refused[shed.LowMemory] > before.Refused[shed.LowMemory] && s.Busy < before.Busy
		})
	}
	s := r.gateway.Load()
	if s.Reserved > 400<<20 || s.Refused[shed.LowMemory] != 7 {
		t.Errorf("%d MiB are reserved, %d of 10 were refused", s.Reserved>>20, s.Refused[shed.LowMemory])
	}
	// Another is not read at all: what it declares would not fit.
	a := r.call(t, fmt.Sprintf("POST /v1/chat/completions HTTP/1.1\nHost: h\nContent-Type: application/json\nAuthorization: Bearer "+key+"\nContent-Length: %d\n\n{", declared))
	if j := r.record(t, a); a.status != 503 || kindOf(j) != fault.GatewayMemoryLow || j.BytesIn > keepBody {
		t.Errorf("%d %s after %d bytes", a.status, kindOf(j), j.BytesIn)
	}
}

const slowConfig = `
version: 1
server: {min_rate: RATE, min_rate_after: 300ms}
services:
  s:
    access: open
    routes: [{path: "/s/*"}]
    upstream: {targets: [{url: "http://UP"}], timeouts: {idle: IDLE}}
    policies: {body_limit: 1MiB}
`

// slowUpstream is a gateway before an upstream that answers /s/endless with more than anybody reads, and
// /s/early before it has read the request's body.
func slowUpstream(t *testing.T, rate, idle string) *rig {
	t.Helper()
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, rq *http.Request) {
		switch rq.URL.Path {
		case "/s/endless":
			piece := make([]byte, 64<<10)
			for {
				if _, err := w.Write(piece); err != nil {
					return
				}
			}
		case "/s/early":
			_ = http.NewResponseController(w).EnableFullDuplex()
			fmt.Fprint(w, "begun ")
			_ = http.NewResponseController(w).Flush()
			_, _ = io.Copy(io.Discard, rq.Body)
		default:
			_, _ = io.Copy(io.Discard, rq.Body)
		}
	}))
	t.Cleanup(up.Close)
	return newRig(t, strings.NewReplacer("UP", strings.TrimPrefix(up.URL, "http://"), "RATE", rate, "IDLE", idle).Replace(slowConfig))
}

// A caller that stays and takes nothing is not one that has left.
func TestACallerThatTakesNothing(t *testing.T) {
	t.Parallel()
	r := slowUpstream(t, "0", "400ms")
	c := dial(t, r.addr)
	c.send(t, get("/s/endless"))
	j := r.last(t, "/s/endless")
	if kindOf(j) != fault.CallerTooSlow || j.Status != 200 || !j.Cut || j.Finding.Cause != fault.Caller || j.Finding.Detail != "The caller took nothing of the answer for 400 ms." {
		t.Errorf("status %d, cut %v: %+v", j.Status, j.Cut, j.Finding)
	}
	if !strings.Contains(r.log.String(), "kind=caller_too_slow") || r.door.Stats().TooSlow != 1 {
		t.Errorf("%d in the count; the log: %s", r.door.Stats().TooSlow, r.log.String())
	}
}

// One that takes too little is told from both.
func TestACallerThatTakesLittle(t *testing.T) {
	t.Parallel()
	r := slowUpstream(t, "1MiB", "1s")
	c := dial(t, r.addr)
	_ = c.Conn.(*net.TCPConn).SetReadBuffer(4 << 10)
	c.send(t, get("/s/endless"))
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		p := make([]byte, 8<<10)
		for {
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
			}
			if _, err := io.ReadFull(c, p); err != nil {
				return
			}
		}
	}()
	j := r.last(t, "/s/endless")
	if kindOf(j) != fault.CallerTooSlow || !strings.Contains(j.Finding.Detail, "server.min_rate is 1048576 bytes a second") {
		t.Errorf("%+v", j.Finding)
	}
}

// A body that comes drop by drop ends the call, whether its length is known or not.
func TestABodyThatTrickles(t *testing.T) {
	t.Parallel()
	for name, head := range map[string]string{"with a length": "Content-Length: 1000000\n\n", "in chunks": "Transfer-Encoding: chunked\n\n"} {
		t.Run(name, func(t *testing.T) {
			r := slowUpstream(t, "1MiB", "1s")
			c := dial(t, r.addr)
			c.send(t, "POST /s/x HTTP/1.1\nHost: h\n"+head)
			go trickle(c)
			a := c.read(t, "POST")
			j := r.record(t, a)
			if a.status != 408 || kindOf(j) != fault.RequestBodyTooSlow || !strings.Contains(a.body, "server.min_rate is 1048576 bytes a second") || j.Finding.Cause != fault.Caller {
				t.Errorf("%d %s: %s", a.status, kindOf(j), a.body)
			}
		})
	}
}

// trickle sends a chunk of one byte every 20 ms, which as a body of known length is as good.
func trickle(c *caller) {
	for range 200 {
		if _, err := io.WriteString(c, "1\r\nx\r\n"); err != nil {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// A body of unknown length whose answer has begun is a conversation, which has its own pace.
func TestAConversationHasItsOwnPace(t *testing.T) {
	t.Parallel()
	r := slowUpstream(t, "1MiB", "10s")
	c := dial(t, r.addr)
	c.send(t, "POST /s/early HTTP/1.1\nHost: h\nTransfer-Encoding: chunked\n\n")
	for range 50 {
		if _, err := io.WriteString(c, "1\r\nx\r\n"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
	_, _ = io.WriteString(c, "0\r\n\r\n")
	if a := c.read(t, "POST"); a.status != 200 || a.body != "begun " || a.err != nil {
		t.Errorf("%d %q %v", a.status, a.body, a.err)
	}
}

// A body that passes its limit after the answer has begun is named as what it is, and not as a caller
// that left.
func TestABodyTooLargeAfterItsAnswerBegan(t *testing.T) {
	t.Parallel()
	r := slowUpstream(t, "1MiB", "10s")
	c := dial(t, r.addr)
	c.send(t, "POST /s/early HTTP/1.1\nHost: h\nTransfer-Encoding: chunked\n\n")
	if _, err := c.r.Peek(1); err != nil {
		t.Fatal(err)
	}
	go func() {
		chunk := "10000\r\n" + strings.Repeat("x", 64<<10) + "\r\n"
		for range 32 {
			if _, err := io.WriteString(c, chunk); err != nil {
				return
			}
		}
	}()
	if a := c.read(t, "POST"); a.status != 200 || a.err == nil {
		t.Errorf("the answer: %d, whole: %v", a.status, a.err == nil)
	}
	j := r.last(t, "/s/early")
	if kindOf(j) != fault.BodyTooLarge || j.Status != 200 || j.Finding.Status != 200 || !j.Cut {
		t.Errorf("status %d, cut %v: %+v", j.Status, j.Cut, j.Finding)
	}
}

// BenchmarkRefusal is a call that is turned away because the gateway is full, beside BenchmarkREST.
func BenchmarkRefusal(b *testing.B) {
	up := cannedUpstream(b, []byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
	r := newRigOver(b, strings.NewReplacer("UP", up, "KEY", key, "WAIT", "0").Replace(overloadConfig), &nowhere{}, &sandboxes{})
	if !r.gateway.gate.Enter() {
		b.Fatal("the gateway is full before it should be")
	}
	defer r.gateway.gate.Leave()
	b.ReportAllocs()
	benchAnswers(b, r.addr, []byte("GET /s/x HTTP/1.1\r\nHost: h\r\n\r\n"), "503")
}
