package e2e

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// What the gateway's own host does to calls is told beside them: each trouble here is a real one.

func (g *gateway) warnings(t *testing.T) string {
	t.Helper()
	_, body := g.get(t, "/readyz", "")
	var ready struct{ Warnings []string }
	decode(t, body, &ready)
	return strings.Join(ready.Warnings, "\n")
}

// A process that did not run, as when the hypervisor or a CPU limit holds it back, knows that it was not
// its upstream that took so long.
func TestTimeLostByTheHostIsNotTheUpstreams(t *testing.T) {
	t.Parallel()
	silent := listenRaw(t, func(c *rawConn) {
		for c.head() != nil {
			time.Sleep(patience)
		}
	})
	g := serve(t, fmt.Sprintf("version: 1\nservices:\n  up: {access: open, routes: [{path: /up/*}], upstream: {targets: [{url: %q}], retries: {max: 0}, timeouts: {first_byte: 1500ms}}}\n", silent.URL))
	eventually(t, "the host to be known", func() bool { return g.metric(t, "causeway_host_descriptors") > 0 })
	answers := make(chan *answer)
	go func() {
		a, _ := try(t.Context(), client(t), "GET", g.URL+"/up/x", nil)
		answers <- a
	}()
	eventually(t, "the call to be under way", func() bool { return g.metric(t, "causeway_calls_in_flight") == 1 })
	g.signal(t, syscall.SIGSTOP)
	time.Sleep(time.Second)
	g.signal(t, syscall.SIGCONT)
	a := <-answers
	if a == nil {
		t.Fatal("no answer")
	}
	p := a.problem(t)
	want(t, "kind", p.Kind, "first_byte_timeout")
	want(t, "status", a.status, 504)
	want(t, "cause", p.Cause, "gateway")
	contains(t, "the detail", p.Detail, "behind it: the gateway's host has too little CPU (gateway_cpu_starved).")
	contains(t, "the evidence", strings.Join(p.Evidence, "\n"), "the gateway's host in the last", "its work waited up to")
	contains(t, "explain", causeway(t, "explain", a.id, "--data", g.Data).out, "gateway_cpu_starved")
	_, raw := g.get(t, "/api/v1/calls/"+a.id, "")
	contains(t, "the call's record", string(raw), `"gateway_host"`, `"sched_delay_ms"`)
}

// Without descriptors connections wait, dials fail, and both say so.
func TestDescriptorsRunOut(t *testing.T) {
	t.Parallel()
	// An upstream that keeps no connection, so that every call needs a descriptor for its own.
	up := listenRaw(t, func(c *rawConn) {
		if c.head() != nil {
			c.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
		}
	})
	g := serve(t, fmt.Sprintf("version: 1\nserver: {max_calls: 1000}\nservices:\n  up: {access: open, routes: [{path: /up/*}], upstream: {targets: [{url: %q}], retries: {max: 0}}}\n", up.URL))
	callers := []*caller{dial(t, g.Addr), dial(t, g.Addr)}
	for _, c := range callers {
		c.send(t, "GET /.causeway/failures HTTP/1.1\r\nHost: a\r\n\r\n")
		want(t, "status", c.read(t, "GET").status, 200)
	}
	eventually(t, "the host to be known", func() bool { return g.metric(t, "causeway_host_descriptors") > 0 })
	files := g.usage(t).files
	limit := unix.Rlimit{Cur: uint64(files + 10), Max: uint64(files + 10)}
	if err := unix.Prlimit(g.cmd.Process.Pid, unix.RLIMIT_NOFILE, &limit, nil); err != nil {
		t.Skipf("the limit of another process can't be set here: %v", err)
	}
	var more []net.Conn
	for range 30 {
		c, err := net.Dial("tcp", g.Addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		more = append(more, c)
	}
	line, ok := g.errs.find(patience, func(s string) bool { return strings.Contains(s, "a connection could not be accepted") })
	if !ok {
		t.Fatalf("the log does not say so:\n%s", g.errs.all())
	}
	contains(t, "the log", line, "too many open files")
	// The gateway opens and closes files of its own (its log, what it samples of the host), so that a call may
	// meet one that is free for a moment.
	var a *answer
	eventually(t, "a call to find no descriptor", func() bool {
		callers[0].send(t, "GET /up/x HTTP/1.1\r\nHost: a\r\n\r\n")
		a = callers[0].read(t, "GET")
		return a.status != 200
	})
	want(t, "the call", a.line, "503 Service Unavailable (gateway_files_exhausted)")
	contains(t, "its evidence", string(a.body), "descriptors of the gateway: ")
	for _, c := range more {
		c.Close()
	}
	eventually(t, "the next call to be served", func() bool {
		a, err := try(t.Context(), client(t), "GET", g.URL+"/up/x", nil)
		return err == nil && a.status == 200
	})
	want(t, "counted", g.metric(t, "causeway_accept_failures_total") >= 1, true)
	eventually(t, "a warning", func() bool { return strings.Contains(g.warnings(t), "gateway_files_exhausted: ") })
}

// Memory that runs low is refused to those who want much of it; the others are served.
func TestMemoryRunsLow(t *testing.T) {
	t.Parallel()
	up := mirror(t)
	enough := make(chan struct{})
	release := sync.OnceFunc(func() { close(enough) })
	t.Cleanup(release)
	silent := listenRaw(t, func(c *rawConn) {
		if rq, _ := c.request(); rq != nil {
			<-enough
		}
	})
	g := serve(t, fmt.Sprintf(`
version: 1
services:
  up: {access: open, routes: [{path: /up/*}], upstream: {targets: [{url: %q}]}}
providers:
  mock: {kind: openai-compatible, base_url: "%s/v1", keys: [sk-memory-upstream-0123456789], retries: {max: 0}}
applications:
  web: {keys: [%s], subscribes: [models/*]}
`, up.URL, silent.URL, attacksKey), withEnv("GOMEMLIMIT=100MiB"))
	const size = 4 << 20
	statuses := make(chan int, 20)
	for range 20 {
		go func() {
			body := `{"model":"mock/m","messages":[{"role":"user","content":"` + strings.Repeat("x", size) + `"}]}`
			a, err := try(t.Context(), client(t), "POST", g.URL+"/v1/chat/completions", strings.NewReader(body), keyed(attacksKey)...)
			if err != nil {
				statuses <- 0
				return
			}
			if a.status == 503 {
				contains(t, "a refusal", string(a.body), "gateway_memory_low", `"code":`)
			}
			statuses <- a.status
		}()
	}
	for low := 0; low < 12; {
		select {
		case s := <-statuses:
			if s != http.StatusServiceUnavailable {
				t.Fatalf("a large call got %d, and %d were refused", s, low)
			}
			low++
		case <-time.After(2 * patience):
			t.Fatalf("only %d of 20 were refused", low)
		}
	}
	want(t, "a small call meanwhile", fetch(t, client(t), "GET", g.URL+"/up/x", nil).status, 200)
	want(t, "counted", g.sum(t, "causeway_calls_refused_total", `reason="memory"`) >= 12, true)
	if u := g.usage(t); u.anonymous > 200<<20 {
		t.Errorf("the gateway took %v", u)
	}
	release()
	for range 20 - 12 {
		<-statuses
	}
	eventually(t, "what was reserved to be given back", func() bool { return g.metric(t, "causeway_memory_reserved_bytes") == 0 })
}

// A resolver that answers nobody is told from a name that nobody answers for.
func TestResolverThatAnswersNobody(t *testing.T) {
	t.Parallel()
	deaf, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { deaf.Close() })
	var services strings.Builder
	for _, name := range []string{"a", "b", "c", "d"} {
		fmt.Fprintf(&services, "  %s: {access: open, routes: [{path: /%s/*}], upstream: {targets: [{url: \"http://%s.upstream.test:9000\"}], retries: {max: 0}, timeouts: {connect: 300ms}}}\n", name, name, name)
	}
	g := serve(t, fmt.Sprintf("version: 1\nserver: {resolver: %q}\nservices:\n%s", deaf.LocalAddr(), services.String()))
	eventually(t, "the host to be known", func() bool { return g.metric(t, "causeway_host_descriptors") > 0 })
	first := fetch(t, client(t), "GET", g.URL+"/a/x", nil).problem(t)
	want(t, "the first call's kind", first.Kind, "dns_timeout")
	lacks(t, "the first call's detail", first.Detail, "gateway_dns_slow")
	for _, name := range []string{"b", "c"} {
		fetch(t, client(t), "GET", g.URL+"/"+name+"/x", nil)
	}
	p := fetch(t, client(t), "GET", g.URL+"/d/x", nil).problem(t)
	want(t, "kind", p.Kind, "dns_timeout")
	want(t, "cause", p.Cause, "gateway")
	contains(t, "the detail", p.Detail, "behind it: the gateway's name resolver is slow or fails (gateway_dns_slow).")
	contains(t, "the evidence", strings.Join(p.Evidence, "\n"), "name lookups by the gateway in the last minute: 4, 4 without an answer (of 4 names)")
	eventually(t, "a warning", func() bool { return strings.Contains(g.warnings(t), "gateway_dns_slow: ") })
}
