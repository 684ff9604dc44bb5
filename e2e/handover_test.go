package e2e

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// takesAll is what a process says when it takes no connection any more.
const takesAll = "the new process takes every new connection"

// handedOver makes the process hand over to a new one, and waits until that one has the folder. The new
// one is ended with the test; g speaks to it from then on.
func (g *gateway) handedOver(t *testing.T) (before, after int) {
	t.Helper()
	before = g.owner(t)
	seen := strings.Count(g.errs.all(), takesAll)
	signalTo(t, before, syscall.SIGUSR2)
	eventually(t, "another process has the folder and the addresses", func() bool {
		after = g.owner(t)
		return after != before && strings.Count(g.errs.all(), takesAll) > seen
	})
	http.DefaultClient.CloseIdleConnections() // to the console of the one before
	t.Cleanup(func() {
		_ = syscall.Kill(after, syscall.SIGKILL)
		for processLives(after) {
			time.Sleep(time.Millisecond)
		}
	})
	return before, after
}

// owner is the process that has the data folder.
func (g *gateway) owner(t *testing.T) int {
	t.Helper()
	for {
		b, err := os.ReadFile(filepath.Join(g.Data, "lock"))
		if err != nil {
			t.Fatal(err)
		}
		if pid, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil && strings.HasSuffix(string(b), "\n") {
			return pid
		}
		time.Sleep(time.Millisecond) // it is being written
	}
}

func signalTo(t *testing.T, pid int, s syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, s); err != nil {
		t.Fatalf("signalling %d: %v", pid, err)
	}
}

// processLives tells whether a process runs; one that has ended and was not waited for does not. It has
// ended when its last thread has.
func processLives(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	if threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid)); err == nil && len(threads) > 1 {
		return true
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	return !strings.HasPrefix(rest, "Z") && !strings.HasPrefix(rest, "X")
}

func (g *gateway) awaitEnd(t *testing.T, pid int) {
	t.Helper()
	eventually(t, fmt.Sprint("process ", pid, " has ended"), func() bool { return !processLives(pid) })
}

// handoverSize is how much a hand-over under load is: by default what fits into the ordinary tests.
type handoverSize struct {
	rate, reloads, handOvers, certificates int
	drain                                  time.Duration
}

func sizeOfHandover() handoverSize {
	if os.Getenv("CAUSEWAY_HANDOVER") == "full" {
		return handoverSize{rate: 1000, reloads: 100, handOvers: 20, certificates: 20, drain: 15 * time.Second}
	}
	return handoverSize{rate: 300, reloads: 8, handOvers: 3, certificates: 3, drain: 10 * time.Second}
}

// Reloads, hand-overs to new processes and changes of the certificate, while calls come in on kept
// connections, plain and over TLS, by HTTP/1.1 and HTTP/2, and streams are open: not one fails, and each
// is in the call log once. `make handover` is the large one.
func TestHandOverUnderLoad(t *testing.T) {
	size := sizeOfHandover()
	if size.rate < 1000 {
		t.Parallel()
	}
	f := startFarm(t, 2)
	slow := startStreams(t)
	cert := newCertificate(t, "one.test")
	plain := freePort(t)
	config := func(n int) string {
		return "version: 1\n" + strings.TrimSuffix(tlsConfig(cert), "}\n") +
			fmt.Sprintf(", drain: %s, max_header: %dKiB, listen: [\"127.0.0.1:0\", {address: %q, tls: false}]}\n", size.drain, 16+n%64, plain) +
			"services:\n" + openService("steady", fmt.Sprintf("targets: %s, balance: %s", f.targets(), []string{"round_robin", "least_busy", "random_two"}[n%3])) +
			openService("slow", fmt.Sprintf("targets: [{url: %q}]", slow.URL))
	}
	g := serve(t, config(0), listenOn(""), withArgs("--log", "json"))
	l := &handoverLoad{t: t, g: g, plain: plain, kept: map[string]bool{}}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	l.run(ctx, size.rate)

	begun := time.Now()
	steps := max(size.reloads, size.handOvers, size.certificates)
	every := func(n, of int) bool { return of > 0 && n*of/steps != (n-1)*of/steps }
	var gone []int
	for n := 1; n <= steps; n++ {
		if every(n, size.reloads) {
			at := g.generation(t)
			g.configure(t, config(n))
			g.awaitGeneration(t, at+1)
		}
		if every(n, size.certificates) {
			cert.renew(t, "one.test")
			eventually(t, "the new certificate is shown", func() bool { return shown(t, g.Addr, "one.test").Equal(cert.leaf) })
		}
		if every(n, size.handOvers) {
			before, _ := g.handedOver(t)
			gone = append(gone, before)
		}
	}
	took := time.Since(begun)
	served := l.calls.Load()
	eventually(t, "calls at the last process", func() bool { return l.calls.Load() >= served+50 })
	stop()
	l.done.Wait()
	for _, pid := range gone {
		g.awaitEnd(t, pid)
	}
	calls, streams := l.calls.Load(), l.streams.Load()
	t.Logf("%d calls (%.0f a second) and %d streams over %d reloads, %d hand-overs and %d certificates in %v; %d failed",
		calls, float64(calls)/took.Seconds(), streams, size.reloads, len(gone), size.certificates, took.Round(time.Millisecond), l.failed.Load())
	want(t, "calls and streams that failed", l.failed.Load(), 0)
	want(t, "process that the test began with: exit", g.wait(t, patience), 0)
	if streams < int64(size.handOvers) {
		t.Errorf("only %d streams", streams)
	}
	lacks(t, "the log", g.errs.all(), "calls were cut short", "the hand-over has failed")

	logged := map[string]int{}
	for c := range g.everyCall(t) {
		logged[c.ID]++
		if c.Kind != "" {
			t.Errorf("call %s is logged as %s", c.ID, c.Kind)
		}
	}
	missing, twice := 0, 0
	for id := range l.kept {
		switch {
		case logged[id] == 0:
			missing++
		case logged[id] > 1:
			twice++
		}
	}
	if missing+twice > 0 || len(logged) != len(l.kept) {
		t.Errorf("of %d calls that were answered %d are missing and %d are there twice; the log has %d", len(l.kept), missing, twice, len(logged))
	}
}

// handoverLoad is callers who mind: whatever goes wrong with one call is a failure. Those of HTTP/1.1
// never repeat one.
type handoverLoad struct {
	t     *testing.T
	g     *gateway
	plain string
	done  sync.WaitGroup

	calls, streams, failed atomic.Int64

	mu   sync.Mutex
	kept map[string]bool // calls that were answered, by id
}

func (l *handoverLoad) fail(format string, args ...any) {
	if l.failed.Add(1) <= 10 {
		l.t.Errorf(format, args...)
	}
}

func (l *handoverLoad) keep(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.kept[id] = true
}

func (l *handoverLoad) run(ctx context.Context, rate int) {
	const plainCallers, tlsCallers, h2Callers, readers = 8, 4, 2, 4
	each := time.Second * (plainCallers + tlsCallers + h2Callers) / time.Duration(rate)
	for i := range plainCallers + tlsCallers {
		c := &keptCaller{address: l.plain}
		if i >= plainCallers {
			c = &keptCaller{address: l.g.Addr, tls: &tls.Config{InsecureSkipVerify: true, ClientSessionCache: tls.NewLRUClientSessionCache(4)}}
		}
		l.done.Go(func() { l.paced(ctx, each, c.call, c.close) })
	}
	for range h2Callers {
		tr := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}
		c := &http.Client{Transport: tr, Timeout: time.Minute}
		l.done.Go(func() {
			l.paced(ctx, each, func(n int) (string, error) {
				a, err := try(context.Background(), c, "POST", l.g.URL+"/steady/x", strings.NewReader("a body"))
				if err == nil && (a.status != 200 || a.err != nil || len(a.body) != 1) {
					err = fmt.Errorf("%+v", a)
				}
				if err != nil {
					return "", err
				}
				return a.id, nil
			}, tr.CloseIdleConnections)
		})
	}
	for i := range readers {
		l.done.Go(func() {
			tr := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: i%2 == 0}
			defer tr.CloseIdleConnections()
			c := &http.Client{Transport: tr, Timeout: time.Minute}
			for ctx.Err() == nil {
				a, err := try(context.Background(), c, "GET", l.g.URL+"/slow/stream", nil)
				l.streams.Add(1)
				if err == nil && (a.status != 200 || a.err != nil || string(a.body) != wholeStream) {
					err = fmt.Errorf("%s %s ended with %v after %d of %d bytes", a.id, a.line, a.err, len(a.body), len(wholeStream))
				}
				if err != nil {
					l.fail("a stream (HTTP/2: %v): %v", i%2 == 0, err)
					continue
				}
				l.keep(a.id)
			}
		})
	}
}

// paced makes calls until ctx ends, on average one each interval, at random moments.
func (l *handoverLoad) paced(ctx context.Context, each time.Duration, call func(n int) (id string, err error), end func()) {
	defer end()
	next := time.Now()
	for n := 0; ctx.Err() == nil; n++ {
		next = next.Add(time.Duration(rand.Int64N(int64(2 * each))))
		time.Sleep(time.Until(next))
		id, err := call(n)
		l.calls.Add(1)
		if err != nil {
			l.fail("call %d: %v", n, err)
			continue
		}
		l.keep(id)
	}
}

// keptCaller keeps its connection as long as it is not told otherwise, and never repeats a call.
type keptCaller struct {
	address string
	tls     *tls.Config
	conn    net.Conn
	read    *bufio.Reader
}

func (c *keptCaller) call(n int) (id string, err error) {
	if c.conn == nil {
		if c.conn, err = net.Dial("tcp", c.address); err != nil {
			return "", err
		}
		if c.tls != nil {
			c.conn = tls.Client(c.conn, c.tls)
		}
		c.read = bufio.NewReader(c.conn)
	}
	_ = c.conn.SetDeadline(time.Now().Add(patience))
	request := "GET /steady/x HTTP/1.1\r\nHost: a\r\n\r\n"
	if n%2 == 1 {
		request = "POST /steady/x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
	}
	if _, err := io.WriteString(c.conn, request); err != nil {
		c.close()
		return "", fmt.Errorf("sending: %w", err)
	}
	res, err := http.ReadResponse(c.read, nil)
	if err != nil {
		c.close()
		return "", fmt.Errorf("waiting for an answer: %w", err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != 200 || len(body) != 1 {
		c.close()
		return "", fmt.Errorf("%s %q: %w", res.Status, body, err)
	}
	if res.Close {
		c.close()
	}
	return res.Header.Get("Causeway-Call-Id"), nil
}

func (c *keptCaller) close() {
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
}

// wholeStream is what startStreams sends, over a second and a half.
var wholeStream = func() (s string) {
	for i := range 15 {
		s += fmt.Sprintf("data: event %d\n\n", i)
	}
	return s
}()

func startStreams(t *testing.T) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		flush := http.NewResponseController(w)
		for event := range strings.SplitAfterSeq(wholeStream, "\n\n") {
			_, _ = io.WriteString(w, event)
			_ = flush.Flush()
			select {
			case <-time.After(100 * time.Millisecond):
			case <-r.Context().Done():
				return
			}
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// What does not get ready takes nothing over: the process before goes on, and says why.
func TestHandOverThatFails(t *testing.T) {
	t.Parallel()
	f := startFarm(t, 1)
	good := "version: 1\nservices:\n" + openService("s", "targets: "+f.targets())
	dir := shortDir(t)
	program := filepath.Join(dir, "causeway")
	if err := os.Link(binary, program); err != nil {
		if b, rerr := os.ReadFile(binary); rerr != nil || os.WriteFile(program, b, 0o755) != nil {
			t.Fatal(err)
		}
	}
	config := filepath.Join(dir, "causeway.yaml")
	g := &gateway{Data: shortDir(t), File: config}
	g.configure(t, good)
	g.process = start(t, nil, program, "serve", "--config", config, "--data", g.Data, "--listen", "127.0.0.1:0", "--console", "127.0.0.1:0")
	if !g.awaitReady(ample) {
		t.Fatalf("not ready: %s", g.errs.all())
	}
	g.admin = socketClient(t, g.Data)
	c := client(t)
	replace := func(content string) {
		t.Helper()
		if err := os.WriteFile(program+".new", []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(program+".new", program); err != nil {
			t.Fatal(err)
		}
	}
	failures := 0.0
	for _, k := range []struct {
		name         string
		break_, mend func()
		says         string
	}{
		{"a configuration that is wrong", func() { g.configure(t, "version: 1\nservicess: {}\n") }, func() { g.configure(t, good) }, "servicess"},
		{"a program that ends at once", func() { replace("#!/bin/sh\nexit 7\n") }, nil, "exit status 7"},
		{"a program that cannot be started", func() { replace("no program at all") }, nil, "cannot be started"},
		{"a program that is gone", func() { _ = os.Remove(program) }, nil, "no such file"},
	} {
		seen := len(g.errs.all())
		k.break_()
		g.signal(t, syscall.SIGUSR2)
		failures++
		eventually(t, k.name+" is counted", func() bool { return g.metric(t, "causeway_handover_failures_total") == failures })
		eventually(t, k.name+" is in the log", func() bool {
			said := g.errs.all()[seen:]
			return strings.Contains(said, "the hand-over has failed; this process goes on") && strings.Contains(said, k.says)
		})
		a := fetch(t, c, "GET", g.URL+"/s/x", nil)
		want(t, k.name+": a call after it", a.status, 200)
		want(t, k.name+": the folder's process", g.owner(t), g.cmd.Process.Pid)
		g.record(t, a.id)
		if k.mend != nil {
			k.mend()
		}
	}
	want(t, "leaving", g.metric(t, "causeway_leaving"), 0.0)
	want(t, "exit", g.stop(t), 0)
	if left, err := filepath.Glob(filepath.Join(g.Data, "spool", "*-*.log")); err != nil || len(left) > 0 {
		t.Errorf("left in the spool: %v, %v", left, err)
	}
}

// socketClient asks the admin API of whoever serves the socket of a data folder.
func socketClient(t *testing.T, data string) *http.Client {
	t.Helper()
	c := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", filepath.Join(data, "causeway.sock"))
	}}}
	return c
}

// A stream that the old process has begun ends there, and its record is found through the new one; idle
// connections are kept for a last call. Then the program stops as ever.
func TestTheOldProcessEndsWhatItHasBegun(t *testing.T) {
	t.Parallel()
	f := startFarm(t, 1)
	release := f[0].hold()
	defer release()
	u := startGo(t)
	g := serve(t, "version: 1\nserver: {drain: 30s}\nservices:\n"+openService("held", "targets: "+f.targets())+
		fmt.Sprintf("  go:\n    access: open\n    routes: [{path: /go/*, strip_prefix: true}]\n    upstream: {targets: [{url: %q}]}\n", u.URL))
	g.admin = socketClient(t, g.Data)
	idle := &keptCaller{address: g.Addr}
	ask := func(c *keptCaller, path string) *http.Response {
		t.Helper()
		fmt.Fprintf(c.conn, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path)
		res, err := http.ReadResponse(c.read, nil)
		if err != nil {
			t.Fatalf("asking for %s: %v", path, err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		return res
	}
	var err error
	if idle.conn, err = net.Dial("tcp", g.Addr); err != nil {
		t.Fatal(err)
	}
	defer idle.close()
	idle.read = bufio.NewReader(idle.conn)
	_ = idle.conn.SetDeadline(time.Now().Add(time.Minute))
	want(t, "the first call of a connection that is kept: closes", ask(idle, "/go/status/204").Close, false)

	held := make(chan *answer, 1)
	go func() {
		a, err := try(context.Background(), client(t), "POST", g.URL+"/held/x", strings.NewReader("x"))
		if err != nil {
			t.Errorf("the held call: %v", err)
			a = &answer{}
		}
		held <- a
	}()
	eventually(t, "it is at its target", func() bool { return f[0].waiting.Load() == 1 })
	streaming := client(t)
	stream, err := streaming.Get(g.URL + "/go/sse")
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()

	before, after := g.handedOver(t)
	for _, said := range []string{"handed over", "took over"} {
		if _, ok := g.errs.find(patience, func(line string) bool { return strings.Contains(line, said) }); !ok {
			t.Errorf("the log does not say %q", said)
		}
	}
	a := fetch(t, client(t), "GET", g.URL+"/go/status/204", nil)
	want(t, "a call of the new process", a.status, 204)
	g.record(t, a.id)
	u.events <- struct{}{}
	events := bufio.NewReader(stream.Body)
	line, err := events.ReadString('\n')
	if err != nil || line != "data: event 0\n" {
		t.Errorf("an event of the old process's stream: %q, %v", line, err)
	}
	last := ask(idle, "/go/status/204")
	want(t, "the last call of a connection that was kept: status", last.StatusCode, 204)
	want(t, "it asks to connect anew", last.Close, true)
	g.record(t, last.Header.Get("Causeway-Call-Id")) // which the old process has answered
	want(t, "the old process serves what it has", processLives(before), true)
	close(u.events)
	if rest, err := io.ReadAll(events); err != nil || string(rest) != "\n" {
		t.Errorf("the rest of the stream: %q, %v", rest, err)
	}
	streaming.CloseIdleConnections() // nothing had told it to connect anew
	release()
	got := <-held
	want(t, "the held call", fmt.Sprint(got.status, " ", string(got.body)), "200 a")
	g.awaitEnd(t, before)
	want(t, "its exit", g.wait(t, patience), 0)
	want(t, "the held call in the log", g.record(t, got.id).Status, 200)
	g.record(t, stream.Header.Get("Causeway-Call-Id"))

	signalTo(t, after, syscall.SIGTERM)
	g.awaitEnd(t, after)
	if _, err := os.Lstat(filepath.Join(g.Data, "causeway.sock")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is left: %v", err)
	}
	again := serve(t, "", inData(g.Data))
	want(t, "calls in the log after a start", again.record(t, got.id).Status, 200)
}

// Either process may be killed at any moment of a hand-over: every call that was answered is in the log
// once, and what was in flight in the killed one is there as such.
func TestKilledInAHandOver(t *testing.T) {
	for _, who := range []string{"the old one", "the new one", "both"} {
		t.Run(who, func(t *testing.T) {
			t.Parallel()
			f := startFarm(t, 2)
			release := f[1].hold()
			defer release()
			g := serve(t, "version: 1\nserver: {drain: 20s}\nservices:\n"+openService("s", "targets: "+f[:1].targets())+openService("held", "targets: "+f[1:].targets()))
			g.admin = socketClient(t, g.Data)
			kept, open := map[string]bool{}, map[int]bool{}
			load := func(n int) {
				t.Helper()
				c := client(t)
				for range n {
					a := fetch(t, c, "GET", g.URL+"/s/x", nil)
					want(t, "a call", a.status, 200)
					kept[a.id] = true
				}
			}
			hold := func() {
				t.Helper()
				n := f[1].waiting.Load()
				go func() {
					if a, err := try(context.Background(), client(t), "GET", g.URL+"/held/x", nil); err == nil && a.err == nil {
						t.Errorf("a call in the killed process was answered: %+v", a)
					}
				}()
				eventually(t, "it is at its target", func() bool { return f[1].waiting.Load() == n+1 })
			}
			load(100)
			hold()
			before, after := g.handedOver(t)
			load(100)
			hold()
			open[before], open[after] = true, true
			killed := []int{before, after}
			switch who {
			case "the old one":
				killed = killed[:1]
			case "the new one":
				killed = killed[1:]
			}
			for _, pid := range killed {
				signalTo(t, pid, syscall.SIGKILL)
			}
			for _, pid := range killed {
				g.awaitEnd(t, pid)
			}
			cut := 1
			switch who {
			case "the old one":
				eventually(t, "the call of the old one is logged as cut", func() bool { return len(g.calls(t, "kind=gateway_killed")) == 1 })
				load(100)
				hold()
				signalTo(t, after, syscall.SIGKILL)
				g.awaitEnd(t, after)
				cut = 3
			case "the new one":
				signalTo(t, before, syscall.SIGKILL)
				g.awaitEnd(t, before)
				cut = 2
			case "both":
				cut = 2
			}
			again := serve(t, "", inData(g.Data))
			logged, kinds := map[string]int{}, map[string]int{}
			for c := range again.everyCall(t) {
				logged[c.ID]++
				kinds[c.Kind]++
			}
			for id := range kept {
				if logged[id] != 1 {
					t.Errorf("call %s is in the log %d times", id, logged[id])
				}
			}
			want(t, "calls in the log by kind", fmt.Sprint(kinds), fmt.Sprintf("map[:%d gateway_killed:%d]", len(kept), cut))
		})
	}
}
