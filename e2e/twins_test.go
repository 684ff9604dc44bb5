package e2e

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Failures that look alike on the socket, and what tells them apart: each pair is provoked at one gateway, by
// upstreams that do what a test tells them to, and each must be given its own name.

// actor is an upstream on an address of its own.
type actor struct {
	addr string
	tls  *tls.Config

	mu    sync.Mutex
	l     net.Listener
	conns map[net.Conn]bool
	play  func(c *rawConn, rq *http.Request, n int) bool // false ends the connection
	calls int
}

func startActor(t *testing.T, ip string, secure *tls.Config) *actor {
	t.Helper()
	a := &actor{addr: ip + ":0", tls: secure, conns: map[net.Conn]bool{}, play: goodTwin}
	a.start(t)
	t.Cleanup(func() { a.stop(true) })
	return a
}

// goodTwin answers 200.
func goodTwin(c *rawConn, _ *http.Request, _ int) bool {
	return c.send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
}

// start listens, on the same address as before.
func (a *actor) start(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", a.addr)
	if err != nil {
		if strings.Contains(err.Error(), "assign requested address") {
			t.Skip("this system has one loopback address only")
		}
		t.Fatal(err)
	}
	a.mu.Lock()
	a.l, a.addr = l, l.Addr().String()
	a.mu.Unlock()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go a.serve(conn)
		}
	}()
}

func (a *actor) serve(conn net.Conn) {
	tcp := conn
	a.mu.Lock()
	a.conns[tcp] = true
	secure := a.tls
	a.mu.Unlock()
	defer func() {
		conn.Close()
		a.mu.Lock()
		delete(a.conns, tcp)
		a.mu.Unlock()
	}()
	if secure != nil {
		conn = tls.Server(conn, secure)
	}
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	c := &rawConn{Conn: conn, br: bufio.NewReader(conn)}
	for {
		rq, err := http.ReadRequest(c.br)
		if err != nil {
			return
		}
		if _, err := io.Copy(io.Discard, rq.Body); err != nil {
			return
		}
		a.mu.Lock()
		play := a.play
		a.calls++
		n := a.calls
		a.mu.Unlock()
		if !play(c, rq, n) {
			return
		}
	}
}

// does sets what is done with the requests to come.
func (a *actor) does(play func(c *rawConn, rq *http.Request, n int) bool) {
	a.mu.Lock()
	a.play, a.calls = play, 0
	a.mu.Unlock()
}

// stop ends the listener and the connections: by a reset as a process that is killed, or in an orderly way.
func (a *actor) stop(killed bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	_ = a.l.Close()
	for c := range a.conns {
		if tcp, ok := c.(*net.TCPConn); ok && killed {
			_ = tcp.SetLinger(0)
		}
		_ = c.Close()
	}
}

// twin is what an error body says of the verdict.
type twin struct {
	problem
	Confidence, Pattern, Because, Check, Warning string
	RuledOut                                     []string `json:"ruled_out"`
}

// twins is a gateway with one service for each actor.
type twins struct {
	*gateway
	client *http.Client
	config strings.Builder
	actors map[string]*actor
	said   map[string]string // the pattern of each call that failed
}

func (w *twins) call(t *testing.T, method, path, body string, header ...string) *answer {
	t.Helper()
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	return fetch(t, w.client, method, w.URL+path, r, header...)
}

// ok makes n good calls, at a pace at which every one is noticed.
func (w *twins) ok(t *testing.T, path string, n int) {
	t.Helper()
	for range n {
		if a := w.call(t, "GET", path, ""); a.status != 200 {
			t.Fatalf("GET %s: %d %s", path, a.status, clip(a.body))
		}
		time.Sleep(11 * time.Millisecond) // good answers are noted once in 10 ms
	}
}

// fails makes a call that has to fail, and holds the same verdict to be told everywhere.
func (w *twins) fails(t *testing.T, method, path, body string, header ...string) twin {
	t.Helper()
	a := w.call(t, method, path, body, header...)
	return w.verdict(t, a)
}

func (w *twins) verdict(t *testing.T, a *answer) twin {
	t.Helper()
	if a.status < 400 {
		t.Fatalf("the call went well: %d %s", a.status, clip(a.body))
	}
	var x struct{ Finding twin }
	var said struct {
		twin
		Error struct{ Causeway twin }
	}
	_ = w.record(t, a.id)
	_, b := w.get(t, "/api/v1/calls/"+a.id+"/explanation", "")
	decode(t, b, &x)
	if strings.Contains(a.header.Get("Content-Type"), "json") && a.header.Get("Causeway-Finding") == "" {
		decode(t, a.body, &said)
		told := said.twin
		if told.Kind == "" {
			told = said.Error.Causeway
		}
		if told.Kind != "" && (told.Pattern != x.Finding.Pattern || told.Because != x.Finding.Because || told.Confidence != x.Finding.Confidence || told.Check != x.Finding.Check) {
			t.Errorf("the body says %q (%s) %q, the admin API %q (%s) %q", told.Pattern, told.Confidence, told.Because, x.Finding.Pattern, x.Finding.Confidence, x.Finding.Because)
		}
	}
	_, text := w.get(t, "/api/v1/calls/"+a.id+"/explanation", "text/plain")
	if p := x.Finding.Pattern; p != "" && !strings.Contains(string(text), strings.ReplaceAll(p, "_", " ")) {
		t.Errorf("the text lacks the pattern %s:\n%s", p, text)
	}
	w.said[a.id] = x.Finding.Pattern
	return x.Finding
}

// unstarved plays a scene, up to four times, until it ends with a pattern or the machine is no excuse: a busy one may
// not let the scene go at the pace that is meant, which it tells, or the verdict is that the gateway's own host had
// too little CPU, which says nothing of the upstream.
func (w *twins) unstarved(t *testing.T, pattern string, scene func(n int) (x twin, meant bool)) twin {
	t.Helper()
	for n := 1; ; n++ {
		x, meant := scene(n)
		if x.Pattern == pattern || meant && x.Pattern != "gateway_host" {
			return x
		}
		if n == 4 {
			t.Skipf("the machine is too busy to tell: verdict %s %q", x.Kind, x.Pattern)
		}
		t.Logf("once more: the machine was too busy (verdict %s %q)", x.Kind, x.Pattern)
	}
}

// again is the name of the upstream of a scene that is played for the n-th time, where what it has seen before would
// count.
func again(name string, n int) string {
	if n == 1 {
		return name
	}
	return fmt.Sprintf("%s-%d", name, n)
}

// paced makes a good call that takes d at the upstream, and tells whether it took not much longer.
func (w *twins) paced(t *testing.T, name string, d time.Duration) bool {
	t.Helper()
	w.actors[name].does(after(d, goodTwin))
	begun := time.Now()
	a := w.call(t, "GET", "/"+name+"/a", "")
	took := time.Since(begun)
	time.Sleep(11 * time.Millisecond) // good answers are noted once in 10 ms
	return a.status == 200 && took < d+60*time.Millisecond
}

// is holds a verdict to what it must be. A confidence of "" allows any but a certain one.
func (x twin) is(t *testing.T, kind, pattern, cause, confidence string) {
	t.Helper()
	sure := x.Confidence == confidence || confidence == "" && x.Confidence != "high"
	if x.Kind != kind || x.Pattern != pattern || x.Cause != cause || !sure {
		t.Errorf("got  %s, %q, %s (%s)\nwant %s, %q, %s (%s)\nbecause %q\nevidence %q\nruled out %q",
			x.Kind, x.Pattern, x.Cause, x.Confidence, kind, pattern, cause, confidence, x.Because, x.Evidence, x.RuledOut)
	}
}

// twinPatience is the limit where none is to pass.
const twinPatience = "20s"

const twinServices = `
  %s:
    access: open
    routes: [{path: /%[1]s/a}, {path: /%[1]s/b}, {path: "/%[1]s/*"}]
    upstream:
      targets: [{url: "%s"}]
      timeouts: {connect: %s, first_byte: %s, idle: 10s}
      retries: {max: 0}
%s`

func (w *twins) service(t *testing.T, name, ip, firstByte string) *actor {
	t.Helper()
	a := startActor(t, ip, nil)
	w.actors[name] = a
	connect := twinPatience
	if name == "queue" || name == "dropped" {
		connect = "300ms"
	}
	fmt.Fprintf(&w.config, twinServices, name, "http://"+a.addr, connect, firstByte, "")
	return a
}

func TestTwins(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("it needs a loopback address for each upstream, and Linux's accept queue")
	}
	w := &twins{client: client(t), actors: map[string]*actor{}, said: map[string]string{}}
	w.config.WriteString("version: 1\nservices:")
	for i, name := range []string{"crash", "restart", "overload", "overload-2", "overload-3", "overload-4", "deadlock", "deadlock-2", "deadlock-3", "deadlock-4", "queue", "dropped", "ours", "theirs", "bug", "dead", "change", "stream", "left", "idle", "steady", "hidden", "keeps"} {
		firstByte := twinPatience // only what is to hang meets a short limit, so that a busy machine meets no other
		switch what, _, _ := strings.Cut(name, "-"); what {
		case "overload":
			firstByte = "1500ms"
		case "deadlock":
			firstByte = "1s"
		case "ours":
			firstByte = "250ms"
		}
		w.service(t, name, fmt.Sprintf("127.0.77.%d", i+1), firstByte)
	}
	ca := newTwinAuthority(t)
	for i, name := range []string{"expired", "early", "clock"} {
		a := startActor(t, fmt.Sprintf("127.0.78.%d", i+1), ca.server(t, -time.Hour, time.Hour))
		w.actors[name] = a
		fmt.Fprintf(&w.config, twinServices, name, "https://"+a.addr, twinPatience, twinPatience, "      tls: {ca_file: "+ca.file+", server_name: twin.example}\n")
	}
	prov := map[string]*actor{}
	var providers, targets strings.Builder
	for i, name := range []string{"outage", "badkey", "nomoney", "models"} {
		a := startActor(t, fmt.Sprintf("127.0.79.%d", i+1), nil)
		a.does(completion)
		prov[name] = a
		fmt.Fprintf(&providers, "\n  %s: {kind: openai-compatible, base_url: \"http://%s/v1\", keys: [\"sk-twin-%[1]s-0123456789\"], retries: {max: 0}}", name, a.addr)
		fmt.Fprintf(&targets, "models/%s/*, ", name)
	}
	config := w.config.String() + "\nproviders:" + providers.String() + "\napplications:\n  twin: {keys: [\"" + twinKey + "\"], details: full, subscribes: [" + strings.TrimSuffix(targets.String(), ", ") + "]}\n"
	w.gateway = serve(t, config)

	t.Run("crash or restart", w.crashOrRestart)
	t.Run("overload or deadlock", w.overloadOrDeadlock)
	t.Run("full accept queue or dropped packets", w.queueOrDrop)
	t.Run("our timeout or their proxy's", w.oursOrTheirs)
	t.Run("expired, not yet valid, or a wrong clock", func(t *testing.T) { w.certificates(t, ca) })
	t.Run("one request shape or a dead application", w.shapeOrDead)
	t.Run("provider down, bad key, or no money", func(t *testing.T) { w.providers(t, prov) })
	t.Run("model retired or mistyped", func(t *testing.T) { w.models(t, prov["models"]) })
	t.Run("stream truncated or complete", w.streams)
	t.Run("the caller left or the upstream did", w.whoLeft)
	t.Run("the upstream changed", w.changed)
	t.Run("the settings changed", func(t *testing.T) { w.settings(t, config) })
	t.Run("somebody else's limit", w.hidden)
	t.Run("idle connections that are closed", w.idle)
	w.logged(t)
}

// logged holds the log to the same verdicts. It writes at most 20 lines a second, so that some are left out.
func (w *twins) logged(t *testing.T) {
	list, _, _ := w.errs.now()
	n := 0
	for id, pattern := range w.said {
		for _, line := range list {
			if !strings.Contains(line, id) || !strings.Contains(line, "call failed") {
				continue
			}
			if n++; pattern != "" && !strings.Contains(line, pattern) {
				t.Errorf("the log lacks the pattern %s: %s", pattern, line)
			}
		}
	}
	if n < len(w.said)/2 {
		t.Errorf("the log has %d of %d failures", n, len(w.said))
	}
}

func (w *twins) crashOrRestart(t *testing.T) {
	a := w.actors["crash"]
	a.does(closing) // so that the call that is cut has a connection of its own, and not one that may have ended before
	w.ok(t, "/crash/a", 3)
	begun := make(chan bool, 1)
	a.does(func(c *rawConn, _ *http.Request, _ int) bool {
		begun <- true
		_, _ = io.Copy(io.Discard, c.br) // until it is killed
		return false
	})
	cut := make(chan *answer, 1)
	go func() {
		x, err := try(context.Background(), w.client, "POST", w.URL+"/crash/a", strings.NewReader("order"))
		if err != nil {
			t.Error(err)
		}
		cut <- x
	}()
	<-begun
	a.stop(true)
	x := w.verdict(t, <-cut)
	want(t, "kind of the call that was cut", x.Kind, "reset_before_response")
	contains(t, "warning", x.Warning, "done twice", "Idempotency-Key")
	x = w.fails(t, "GET", "/crash/a", "")
	x.is(t, "connection_refused", "crashed", "software", "likely")
	contains(t, "check", x.Check, "exit code or signal")
	if x.Warning != "" {
		t.Errorf("a refused connection did no work, and yet: %s", x.Warning)
	}

	b := w.actors["restart"]
	w.ok(t, "/restart/a", 3)
	b.stop(false)
	x = w.fails(t, "GET", "/restart/a", "")
	x.is(t, "connection_refused", "stopped", "software", "possible")
	b.start(t)
	w.ok(t, "/restart/a", 2)
	b.stop(false)
	x = w.fails(t, "GET", "/restart/a", "")
	// It was away a moment ago as well: that may be a deployment, or a program that ends by itself.
	x.is(t, "connection_refused", "restarting", "software", "possible")
	contains(t, "because", x.Because, "ago as well")
	b.start(t)
	w.ok(t, "/restart/a", 2)
	b.stop(false)
	x = w.fails(t, "GET", "/restart/a", "")
	x.is(t, "connection_refused", "crash_loop", "software", "possible")
	contains(t, "because", x.Because, "gone away 3 times in ", "about every ", "a crash loop")
}

// hang reads until the gateway gives up.
func hang(c *rawConn, _ *http.Request, _ int) bool {
	_, _ = io.Copy(io.Discard, c.br)
	return false
}

func after(d time.Duration, then func(*rawConn, *http.Request, int) bool) func(*rawConn, *http.Request, int) bool {
	return func(c *rawConn, rq *http.Request, n int) bool {
		time.Sleep(d)
		return then(c, rq, n)
	}
}

func (w *twins) overloadOrDeadlock(t *testing.T) {
	var name string
	x := w.unstarved(t, "overload", func(n int) (x twin, meant bool) {
		name, meant = again("overload", n), true
		for _, ms := range []time.Duration{20, 20, 20, 20, 20, 20, 20, 20, 120, 200, 320, 440, 560} {
			meant = w.paced(t, name, ms*time.Millisecond) && meant
		}
		w.actors[name].does(hang)
		return w.fails(t, "GET", "/"+name+"/a", ""), meant
	})
	x.is(t, "first_byte_timeout", "overload", "overload", "likely")
	contains(t, "because", x.Because, "p50", "p95")
	contains(t, "advice", strings.Join(x.Advice, "\n"), "services."+name+".upstream.max_busy")

	x = w.unstarved(t, "stopped_answering", func(n int) (x twin, meant bool) {
		name, meant := again("deadlock", n), true
		for range 10 {
			meant = w.paced(t, name, 30*time.Millisecond) && meant
		}
		w.actors[name].does(hang)
		for range 3 {
			x = w.fails(t, "GET", "/"+name+"/a", "")
		}
		return x, meant
	})
	x.is(t, "first_byte_timeout", "stopped_answering", "software", "likely")
	contains(t, "check", x.Check, "stack dump")
}

// backlog makes the listener's queue of waiting connections as short as it can be.
func (a *actor) backlog(t *testing.T) {
	t.Helper()
	raw, err := a.l.(*net.TCPListener).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) { _ = syscall.Listen(int(fd), 0) }); err != nil {
		t.Fatal(err)
	}
}

// closing answers and ends the connection, so that the next call needs a new one.
func closing(c *rawConn, _ *http.Request, _ int) bool {
	c.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
	return false
}

// deaf is an upstream that answers the first calls one by one and then takes no connection.
func deaf(t *testing.T, a *actor, goodOnes int) {
	t.Helper()
	a.stop(false)
	l, err := net.Listen("tcp", a.addr)
	if err != nil {
		t.Fatal(err)
	}
	a.mu.Lock()
	a.l = l
	a.mu.Unlock()
	a.backlog(t)
	go func() {
		for range goodOnes {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			a.serve(conn)
		}
	}()
}

// inFlight is how many attempts run at the service's targets.
func (w *twins) inFlight(t *testing.T, service string) float64 {
	t.Helper()
	res, err := http.Get(w.Console + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for line := range strings.Lines(string(body)) {
		if name, value, _ := strings.Cut(strings.TrimSpace(line), "} "); strings.HasPrefix(name, "causeway_target_attempts_in_flight{") && strings.Contains(name, `service="`+service+`"`) {
			var v float64
			if _, err := fmt.Sscan(value, &v); err != nil {
				t.Fatal(err)
			}
			sum += v
		}
	}
	return sum
}

func (w *twins) queueOrDrop(t *testing.T) {
	x := w.unstarved(t, "accept_queue_full", func(int) (twin, bool) { return w.fullQueue(t), true })
	x.is(t, "connect_timeout", "accept_queue_full", "overload", "")
	contains(t, "because", x.Because, "still wait for answers")
	contains(t, "advice", strings.Join(x.Advice, "\n"), "services.queue.upstream.max_busy")

	b := w.actors["dropped"]
	x = w.unstarved(t, "packets_dropped", func(int) (twin, bool) {
		b.does(closing)
		deaf(t, b, 3)
		w.ok(t, "/dropped/a", 3)
		w.ok(t, "/steady/a", 1)
		for range 4 { // nothing gets through to it any more
			c, err := net.DialTimeout("tcp", b.addr, 500*time.Millisecond)
			if err != nil {
				break
			}
			defer c.Close()
		}
		return w.fails(t, "GET", "/dropped/a", ""), true
	})
	x.is(t, "connect_timeout", "packets_dropped", "network", "possible")
	contains(t, "ruled out", strings.Join(x.RuledOut, "\n"), "the gateway's own network")
	contains(t, "check", x.Check, "ss -ltn")
}

// fullQueue has calls wait at an upstream whose queue of connections then takes no other, and is the verdict on the
// first that is not taken.
func (w *twins) fullQueue(t *testing.T) (x twin) {
	a := w.actors["queue"]
	a.does(closing)
	deaf(t, a, 4) // three that are answered, and one that is worked on
	w.ok(t, "/queue/a", 3)
	a.does(hang)
	ctx, stop := context.WithCancel(t.Context())
	defer func() {
		stop()
		eventually(t, "those that waited have left", func() bool { return w.inFlight(t, "queue") == 0 })
	}()
	for n := range 2 { // one is worked on, one waits in the queue
		go func() { _, _ = try(ctx, w.client, "GET", w.URL+"/queue/a", nil) }()
		eventually(t, "a call is on its way", func() bool {
			return w.inFlight(t, "queue") > float64(n)
		})
	}
	for range 3 { // the kernel takes one more than it says
		answered := make(chan *answer, 1)
		go func() {
			if a, err := try(ctx, w.client, "GET", w.URL+"/queue/a", nil); err == nil {
				answered <- a
			}
		}()
		select {
		case a := <-answered:
			return w.verdict(t, a)
		case <-time.After(2 * time.Second): // it has its place in the queue
		}
	}
	return x
}

const nginxPage = "<html>\r\n<head><title>504 Gateway Time-out</title></head>\r\n<body>\r\n<center><h1>504 Gateway Time-out</h1></center>\r\n<hr><center>nginx/1.24.0</center>\r\n</body>\r\n</html>\r\n"

func (w *twins) oursOrTheirs(t *testing.T) {
	a := w.actors["ours"]
	w.ok(t, "/ours/a", 1)
	a.does(hang)
	x := w.fails(t, "GET", "/ours/a", "")
	want(t, "kind", x.Kind, "first_byte_timeout")
	contains(t, "detail", x.Detail, "timeouts.first_byte (250ms)")
	lacks(t, "advice", strings.Join(x.Advice, "\n"), "nginx behind us")

	b := w.actors["theirs"]
	w.ok(t, "/theirs/a", 1)
	b.does(after(100*time.Millisecond, func(c *rawConn, _ *http.Request, _ int) bool {
		return c.send(fmt.Sprintf("HTTP/1.1 504 Gateway Time-out\r\nServer: nginx/1.24.0\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%s", len(nginxPage), nginxPage))
	}))
	x = w.fails(t, "GET", "/theirs/a", "")
	want(t, "kind", x.Kind, "upstream_timeout")
	want(t, "pattern", x.Pattern, "their_timeout")
	contains(t, "because", x.Because, "made by nginx", "proxy_read_timeout (60 s)")
	contains(t, "advice", strings.Join(x.Advice, "\n"), "came from nginx behind us: look in its error log")
}

// dated answers with a Date that is off.
func dated(off time.Duration) func(*rawConn, *http.Request, int) bool {
	return func(c *rawConn, _ *http.Request, _ int) bool {
		return c.send("HTTP/1.1 200 OK\r\nDate: " + time.Now().Add(off).UTC().Format(http.TimeFormat) + "\r\nContent-Length: 0\r\n\r\n")
	}
}

func (w *twins) certificates(t *testing.T, ca *twinAuthority) {
	w.actors["steady"].does(dated(0))
	w.actors["idle"].does(dated(0))
	w.ok(t, "/steady/a", 1)
	w.ok(t, "/idle/a", 1)
	const day = 24 * time.Hour
	for _, row := range []struct {
		name, kind, cause string
		from, to          time.Duration
	}{
		{"expired", "tls_certificate_expired", "configuration", -3 * day, -2 * day},
		{"early", "tls_certificate_not_yet_valid", "configuration", 2 * day, 9 * day},
	} {
		a := w.actors[row.name]
		w.ok(t, "/"+row.name+"/a", 1)
		a.stop(true)
		a.tls = ca.server(t, row.from, row.to)
		a.start(t)
		x := w.fails(t, "GET", "/"+row.name+"/a", "")
		want(t, "kind", x.Kind, row.kind)
		if x.Pattern == "wrong_clock" || x.Cause == "gateway" {
			t.Errorf("the clock is right, and yet: %s", x.Because)
		}
		contains(t, "ruled out", strings.Join(x.RuledOut, "\n"), "a wrong clock on this host")
	}
	w.actors["steady"].does(dated(5 * day))
	w.actors["idle"].does(dated(5 * day))
	w.ok(t, "/steady/a", 1)
	w.ok(t, "/idle/a", 1)
	a := w.actors["clock"]
	a.stop(true)
	a.tls = ca.server(t, 2*day, 9*day)
	a.start(t)
	x := w.fails(t, "GET", "/clock/a", "")
	x.is(t, "tls_certificate_not_yet_valid", "wrong_clock", "gateway", "likely")
	contains(t, "because", x.Because, "behind the Date that 2 other upstreams write")
	w.actors["steady"].does(dated(0))
	w.actors["idle"].does(dated(0))
	w.ok(t, "/steady/a", 1)
}

func (w *twins) shapeOrDead(t *testing.T) {
	a := w.actors["bug"]
	a.does(func(c *rawConn, rq *http.Request, n int) bool {
		if rq.URL.Path == "/bug/b" {
			return false // the worker dies of it
		}
		return closing(c, rq, n) // no connection is kept that may have ended before
	})
	w.ok(t, "/bug/a", 2)
	for range 3 {
		w.fails(t, "GET", "/bug/b", "")
		w.ok(t, "/bug/a", 1)
	}
	x := w.fails(t, "GET", "/bug/b", "")
	x.is(t, "closed_before_response", "one_request_shape", "software", "likely")

	b := w.actors["dead"]
	w.ok(t, "/dead/a", 2)
	b.does(func(c *rawConn, _ *http.Request, _ int) bool {
		return c.send("HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\nboom")
	})
	for range 2 {
		w.fails(t, "GET", "/dead/a", "")
		x = w.fails(t, "GET", "/dead/b", "")
	}
	x.is(t, "upstream_error", "every_request", "software", "likely")
	contains(t, "ruled out", strings.Join(x.RuledOut, "\n"), "one request that it cannot cope with")
}

const twinKey = "twin-application-key-0123456789"

func completion(c *rawConn, _ *http.Request, _ int) bool {
	body := answerOf("m1")
	return c.send(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
}

func refusing(status int, body string) func(*rawConn, *http.Request, int) bool {
	return func(c *rawConn, _ *http.Request, _ int) bool {
		return c.send(fmt.Sprintf("HTTP/1.1 %d Said\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", status, len(body), body))
	}
}

func (w *twins) chat(t *testing.T, model string) *answer {
	t.Helper()
	return w.call(t, "POST", "/v1/chat/completions", `{"model":"`+model+`","messages":[{"role":"user","content":"hello"}]}`, keyed(twinKey)...)
}

func (w *twins) providers(t *testing.T, prov map[string]*actor) {
	for _, name := range []string{"outage", "badkey", "nomoney"} {
		want(t, name, w.chat(t, name+"/m1").status, 200)
	}
	prov["outage"].does(refusing(500, `{"error":{"message":"The server had an error","type":"server_error","param":null,"code":null}}`))
	prov["badkey"].does(refusing(401, `{"error":{"message":"Incorrect API key provided","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}`))
	prov["nomoney"].does(refusing(429, `{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}`))
	var x twin
	for range 3 {
		x = w.verdict(t, w.chat(t, "outage/m1"))
	}
	want(t, "kind", x.Kind, "provider_error")
	want(t, "pattern", x.Pattern, "provider_outage")
	x = w.verdict(t, w.chat(t, "badkey/m1"))
	x.is(t, "provider_key_rejected", "bad_key", "configuration", "high")
	contains(t, "because", x.Because, "good until")
	x = w.verdict(t, w.chat(t, "nomoney/m1"))
	x.is(t, "quota_exhausted", "no_money", "configuration", "high")
}

func (w *twins) models(t *testing.T, p *actor) {
	want(t, "a model that is there", w.chat(t, "models/m1").status, 200)
	p.does(refusing(404, `{"error":{"message":"The model does not exist or you do not have access to it","type":"invalid_request_error","param":null,"code":"model_not_found"}}`))
	x := w.verdict(t, w.chat(t, "models/m1"))
	x.is(t, "model_not_found", "model_retired", "incompatible_change", "likely")
	x = w.verdict(t, w.chat(t, "models/m11"))
	x.is(t, "model_not_found", "model_mistyped", "configuration", "likely")
}

func (w *twins) streams(t *testing.T) {
	a := w.actors["stream"]
	part := "data: one\n\n"
	whole := func(c *rawConn, _ *http.Request, _ int) bool {
		c.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
		return c.send(fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(part), part))
	}
	a.does(whole)
	good := w.call(t, "GET", "/stream/a", "")
	if good.err != nil || w.record(t, good.id).Finding != nil {
		t.Errorf("a whole stream is blamed: %v", good.err)
	}
	a.does(func(c *rawConn, _ *http.Request, _ int) bool {
		c.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
		c.send(fmt.Sprintf("%x\r\n%s\r\n", len(part), part))
		return false
	})
	cut := w.call(t, "GET", "/stream/a", "")
	f := w.record(t, cut.id).Finding
	if cut.err == nil || f == nil || f.Kind != "truncated_body" {
		t.Errorf("a truncated stream: %v, %+v", cut.err, f)
	}
}

func (w *twins) whoLeft(t *testing.T) {
	a := w.actors["left"]
	a.does(closing) // no connection is kept that may have ended before
	w.ok(t, "/left/a", 1)
	begun := make(chan bool, 1)
	a.does(func(c *rawConn, rq *http.Request, n int) bool {
		begun <- true
		return hang(c, rq, n)
	})
	conn := dial(t, w.Addr)
	conn.send(t, "GET /left/a HTTP/1.1\r\nHost: x\r\n\r\n")
	<-begun
	conn.Close()
	eventually(t, "the call is in the log", func() bool {
		list := w.calls(t, "service=left")
		return slices.ContainsFunc(list, func(c callRecord) bool {
			return c.Kind == "caller_gone" && c.Cause == "caller"
		})
	})
	a.does(func(c *rawConn, _ *http.Request, _ int) bool { return false })
	x := w.fails(t, "GET", "/left/a", "")
	want(t, "kind", x.Kind, "closed_before_response")
	want(t, "cause", x.Cause, "software")
}

func (w *twins) changed(t *testing.T) {
	a := w.actors["change"]
	says := func(version string, status int) func(*rawConn, *http.Request, int) bool {
		return func(c *rawConn, _ *http.Request, _ int) bool {
			return c.send(fmt.Sprintf("HTTP/1.1 %d Said\r\nServer: app\r\nX-Version: %s\r\nContent-Length: 0\r\n\r\n", status, version))
		}
	}
	a.does(says("1.4.0", 200))
	w.ok(t, "/change/a", 3)
	a.does(says("1.5.0", 500))
	x := w.fails(t, "GET", "/change/a", "")
	x.is(t, "upstream_error", "upstream_changed", "incompatible_change", "likely")
	contains(t, "because", x.Because, `its field x-version changed from "1.4.0" to "1.5.0"`)
}

func (w *twins) settings(t *testing.T, config string) {
	w.ok(t, "/steady/a", 2)
	a := w.actors["steady"]
	away := freePort(t)
	before := w.metric(t, "causeway_config_generation")
	w.configure(t, strings.Replace(config, "http://"+a.addr, "http://"+away, 1))
	eventually(t, "the file is read again", func() bool { return w.metric(t, "causeway_config_generation") > before })
	x := w.fails(t, "GET", "/steady/a", "")
	x.is(t, "connection_refused", "never_worked", "configuration", "likely")
	contains(t, "advice", strings.Join(x.Advice, "\n"), "services.steady.upstream.targets")

	// The same target with other settings: it worked until then.
	config = strings.Replace(config, "      targets: [{url: \"http://"+a.addr+"\"}]\n      timeouts: {connect: "+twinPatience, "      targets: [{url: \"http://"+a.addr+"\"}]\n      host: wrong.example\n      timeouts: {connect: "+twinPatience, 1)
	w.configure(t, strings.Replace(config, "host: wrong.example\n", "host: right.example\n", 1))
	eventually(t, "it answers again", func() bool { return w.call(t, "GET", "/steady/a", "").status == 200 })
	w.ok(t, "/steady/a", 2)
	a.does(func(c *rawConn, rq *http.Request, n int) bool {
		if rq.Host == "wrong.example" {
			return c.send("HTTP/1.1 503 Said\r\nContent-Length: 0\r\n\r\n")
		}
		return goodTwin(c, rq, n)
	})
	w.configure(t, config)
	eventually(t, "it fails", func() bool { return w.call(t, "GET", "/steady/a", "").status == 503 })
	x = w.fails(t, "GET", "/steady/a", "")
	x.is(t, "upstream_unavailable", "config_changed", "configuration", "likely")
}

func (w *twins) hidden(t *testing.T) {
	a := w.actors["hidden"]
	a.does(closing) // no connection is kept that may have ended before
	w.ok(t, "/hidden/a", 1)
	a.does(after(1100*time.Millisecond, func(*rawConn, *http.Request, int) bool { return false }))
	last := w.unstarved(t, "hidden_timeout", func(int) (last twin, meant bool) {
		answers, begun := make(chan *answer, 3), time.Now()
		for range 3 {
			go func() {
				x, err := try(context.Background(), w.client, "GET", w.URL+"/hidden/a", nil)
				if err != nil {
					t.Error(err)
				}
				answers <- x
			}()
		}
		for range 3 {
			if x := w.verdict(t, <-answers); x.Pattern == "hidden_timeout" {
				last = x
			}
		}
		return last, time.Since(begun) < 1300*time.Millisecond
	})
	last.is(t, "closed_before_response", "hidden_timeout", "configuration", "likely")
	contains(t, "because", last.Because, " failures of this kind came ", " s after the request was sent")
}

// idle is an upstream whose connections are dead once they were idle for a while, as behind a firewall that has
// forgotten them: what is sent on one is answered by a reset. The gateway learns for how long it may keep them.
func (w *twins) idle(t *testing.T) {
	a := w.actors["keeps"]
	const dead = 300 * time.Millisecond
	last := map[*rawConn]time.Time{}
	var mu sync.Mutex
	longest := dead // that a connection was idle when it was found dead
	a.does(func(c *rawConn, rq *http.Request, n int) bool {
		mu.Lock()
		at, used := last[c]
		idle := time.Since(at)
		last[c] = time.Now()
		if used && idle > dead {
			longest = max(longest, idle)
			mu.Unlock()
			c.reset()
			return false
		}
		mu.Unlock()
		return goodTwin(c, rq, n)
	})
	w.ok(t, "/keeps/a", 1)
	time.Sleep(dead + 50*time.Millisecond) // it is about idleness
	a1 := w.call(t, "POST", "/keeps/a", "x")
	x := w.verdict(t, a1)
	want(t, "kind", x.Kind, "stale_connection")
	want(t, "pattern", x.Pattern, "keepalive_mismatch")
	want(t, "cause", x.Cause, "configuration")
	contains(t, "because", x.Because, "lets connections to this target go after")
	want(t, "a call right after", w.call(t, "POST", "/keeps/a", "x").status, 200)
	for range 3 {
		mu.Lock()
		pause := longest + 20*time.Millisecond // on a busy machine it was longer than the least that is deadly
		mu.Unlock()
		time.Sleep(pause)
		if b := w.call(t, "POST", "/keeps/a", "x"); b.status != 200 {
			t.Errorf("what was learned did not help: %d %s", b.status, clip(b.body))
		}
	}
	if _, ok := w.errs.find(patience, func(l string) bool { return strings.Contains(l, "closes idle connections") }); !ok {
		t.Error("the log does not say what was learned")
	}
}

// twinAuthority makes certificates that are valid when a test says.
type twinAuthority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string
}

func newTwinAuthority(t *testing.T) *twinAuthority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "twin authority"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().AddDate(-1, 0, 0), NotAfter: time.Now().AddDate(1, 0, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	a := &twinAuthority{cert: cert, key: key, file: filepath.Join(t.TempDir(), "ca.pem")}
	if err := os.WriteFile(a.file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return a
}

// server is a server's configuration with a certificate that is valid from and until then, from now.
func (a *twinAuthority) server(t *testing.T, from, to time.Duration) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "twin.example"}, DNSNames: []string{"twin.example"},
		NotBefore: time.Now().Add(from), NotAfter: time.Now().Add(to),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}
