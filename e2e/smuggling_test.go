package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"causeway/internal/wire/smuggle"
)

// Every stream of the smuggling corpus goes through the whole gateway to nginx, to a Go server and to
// a Node server. There are three readers of each stream, the gateway (its call log), the upstream
// (what it says it has understood) and the caller (the answers it got), and they must agree.
//
// Each stream comes from an address of its own on loopback. The gateway tells it to the upstream in
// X-Forwarded-For, so that every request that an upstream sees can be traced to its stream: one
// without an address never was a call of the gateway's.

// understood is one request that an upstream read to its end.
type understood struct {
	From   string `json:"from"` // X-Forwarded-For
	Method string `json:"method"`
	Target string `json:"target"`
	Length int    `json:"length"` // of the body
	Sum    uint32 `json:"sum"`    // of the body
}

// smuggleTarget is a server that says what it understood.
type smuggleTarget struct {
	url  string
	told func(t *testing.T) []understood // all until now, in their order
	body bool                            // it tells length and sum of bodies
}

func TestSmuggling(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has every address of 127.0.0.0/8 on loopback")
	}
	for name, begin := range map[string]func(*testing.T) smuggleTarget{"go": smuggleGo, "node": smuggleNode, "nginx": smuggleNginx} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			calmly(t, func() bool { return smuggleThrough(t, begin(t)) })
		})
	}
}

// calmly repeats what says that the gateway has turned calls away, as one does that is late with its own work on a busy
// machine.
func calmly(t *testing.T, try func() bool) {
	t.Helper()
	for n := 1; !try(); n++ {
		if n == 5 {
			t.Skip("the machine is too busy: the gateway turns calls away")
		}
		t.Log("once more: the machine was too busy")
	}
}

// turnedAway tells whether the gateway has refused calls because it was late with its own work.
func (g *gateway) turnedAway(t *testing.T) bool {
	t.Helper()
	return g.sum(t, "causeway_calls_refused_total", `reason="late"`) > 0
}

// smuggleThrough returns false when calls were turned away, so that nothing can be told.
func smuggleThrough(t *testing.T, target smuggleTarget) bool {
	g := serve(t, "", proxying(target.url), withArgs("--log", "off"))
	cases := smuggle.Cases()
	got := make([]conversation, len(cases))
	next := make(chan int)
	var all sync.WaitGroup
	for range 64 { // most of the time they wait
		all.Go(func() {
			for i := range next {
				got[i] = exchange(t, g.Addr, smuggler(i), cases[i])
			}
		})
	}
	probing, stop := context.WithCancel(t.Context())
	var probes sync.WaitGroup
	probes.Go(func() { probe(probing, t, g.URL) })
	for i := range cases {
		next <- i
	}
	close(next)
	all.Wait()
	stop()
	probes.Wait()
	if g.turnedAway(t) {
		return false
	}

	logged := map[string]int{}
	for rec := range g.everyCall(t) {
		if rec.Status == http.StatusOK && !strings.HasPrefix(rec.Path, "/probe-") {
			logged[g.record(t, rec.ID).Remote]++
		}
	}
	seen := map[string][]understood{}
	for _, u := range target.told(t) {
		if net.ParseIP(u.From) == nil {
			t.Errorf("the upstream understood a request that never was a call: %+v", u)
		}
		seen[u.From] = append(seen[u.From], u)
	}
	served := 0
	for i, c := range cases {
		from := smuggler(i).String()
		var targets []string
		for _, u := range seen[from] {
			targets = append(targets, u.Target)
		}
		served += len(targets)
		refused := 0 // by the upstream itself, whole and as one request
		for _, a := range got[i].answers {
			if !a.ours && a.status >= 400 && a.status < 500 {
				refused++
			}
		}
		if err := c.Check(targets); err != nil && (refused == 0 || len(targets)+refused != len(c.Sees)) {
			t.Errorf("%v (the upstream refused %d itself)\n%.300q", err, refused, c.Bytes)
		}
		if logged[from] != len(targets) {
			t.Errorf("%s: the upstream understood %d requests, and the gateway had %d calls for it\n%.300q", c.Name, len(targets), logged[from], c.Bytes)
		}
		agree(t, c, seen[from], got[i], target.body)
	}
	if served < 80 {
		t.Errorf("the upstream saw only %d requests", served)
	}
	t.Logf("%d streams, %d requests understood", len(cases), served)
	return true
}

// agree holds the answers of a stream to what the upstream understood of it.
func agree(t *testing.T, c smuggle.Case, seen []understood, got conversation, body bool) {
	t.Helper()
	answers := got.answers
	var upstream []gotAnswer
	for _, a := range answers {
		if !a.ours && a.status == http.StatusOK {
			upstream = append(upstream, a)
		}
	}
	if len(upstream) != len(seen) {
		t.Errorf("%s: the upstream understood %d requests, and the caller has %d of its answers: %+v\n%.300q", c.Name, len(seen), len(upstream), answers, c.Bytes)
		return
	}
	for i, a := range upstream {
		if a.method == http.MethodHead || a.method != seen[i].Method {
			continue // without a body to compare; the next line tells if it is another's
		}
		line := fmt.Sprintf("%s %s", seen[i].Method, seen[i].Target)
		if body {
			line += fmt.Sprintf(" %d %08x", seen[i].Length, seen[i].Sum)
		}
		if a.body != line {
			t.Errorf("%s: answer %d is %q, the upstream understood %q", c.Name, i, a.body, line)
		}
	}
	if c.Verdict != smuggle.MustRefuse || len(answers) <= len(c.Sees) {
		return
	}
	if last := answers[len(answers)-1]; !last.ours || last.status < 400 {
		t.Errorf("%s: what must be refused is answered %+v", c.Name, last)
	}
	if !got.closed {
		t.Errorf("%s: the connection stays open after a refusal", c.Name)
	}
}

// smuggler is the address that a case's stream comes from.
func smuggler(i int) net.IP { return net.IPv4(127, 10, byte(i/250), byte(1+i%250)) }

// conversation is what came of a stream.
type conversation struct {
	answers []gotAnswer
	closed  bool // by the gateway
}

// gotAnswer is a whole answer, as a caller reads it.
type gotAnswer struct {
	status int
	ours   bool   // the gateway's own
	method string // as the upstream understood it
	body   string
}

// How long a stream is waited for. The machine may be busy: what must come has all the time, and what
// may come has more than it ever takes.
const (
	mayCome  = time.Second            // a refusal, of a stream that may also be an unfinished request
	noneMore = 150 * time.Millisecond // anything after all that should come
)

// exchange sends a case's bytes and reads what comes, until the connection is closed, or all that
// must come has come, or nothing more does.
func exchange(t *testing.T, addr string, from net.IP, c smuggle.Case) conversation {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: from}}
	conn, err := d.DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Errorf("%s: %v", c.Name, err)
		return conversation{}
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, c.Bytes); err != nil && !errors.Is(err, net.ErrClosed) {
		t.Logf("%s: the gateway had heard enough before the end: %v", c.Name, err)
	}
	var all []byte
	buf := make([]byte, 16<<10)
	deadline := time.Now().Add(patience)
	for {
		answers, rest := parseAnswers(t, c, all)
		wait := mayCome
		switch {
		case rest || len(answers) < len(c.Sees):
			wait = patience
		case c.Verdict == smuggle.MustServe:
			wait = noneMore
		case c.Verdict == smuggle.MustRefuse && len(answers) > len(c.Sees):
			wait = atOnce // for the end of the connection
		}
		_ = conn.SetReadDeadline(earlier(deadline, time.Now().Add(wait)))
		n, err := conn.Read(buf)
		all = append(all, buf[:n]...)
		if err != nil {
			answers, _ := parseAnswers(t, c, all)
			return conversation{answers, !errors.Is(err, os.ErrDeadlineExceeded)}
		}
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// parseAnswers reads the whole final answers in b; rest tells that there is part of another.
func parseAnswers(t *testing.T, c smuggle.Case, b []byte) (list []gotAnswer, rest bool) {
	for len(b) > 0 {
		src := bytes.NewReader(b)
		br := bufio.NewReaderSize(src, len(b)+16)
		if !bytes.Contains(b, []byte("\r\n\r\n")) {
			return list, true
		}
		head, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(b)), nil)
		if err != nil {
			t.Errorf("%s: an answer is malformed: %v: %.300q", c.Name, err, b)
			return list, false
		}
		res, err := http.ReadResponse(br, &http.Request{Method: head.Header.Get("X-Method")})
		if err != nil {
			return list, true
		}
		body, err := io.ReadAll(res.Body)
		if err != nil {
			return list, true // not whole: it counts for nobody
		}
		if res.StatusCode >= 200 {
			list = append(list, gotAnswer{res.StatusCode, res.Header.Get("Proxy-Status") != "", res.Header.Get("X-Method"), string(body)})
		}
		b = b[len(b)-src.Len()-br.Buffered():]
	}
	return list, false
}

// probe makes calls of its own meanwhile: an upstream connection that is out of step would give one
// of them the answer to another's request.
func probe(ctx context.Context, t *testing.T, url string) {
	tr := &http.Transport{}
	defer tr.CloseIdleConnections()
	c := &http.Client{Transport: tr}
	for i := 0; ctx.Err() == nil; i++ {
		path := fmt.Sprintf("/probe-%d", i)
		a, err := try(context.WithoutCancel(ctx), c, "GET", url+path, nil)
		if err != nil {
			t.Errorf("a probe failed: %v", err)
			return
		}
		if a.status == http.StatusServiceUnavailable && strings.Contains(a.line, "gateway_overloaded") {
			continue // calmly looks at those
		}
		if a.status != 200 || !strings.HasPrefix(string(a.body), "GET "+path) {
			t.Errorf("probe %s got %s %q", path, a.line, clip(a.body))
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func smuggleGo(t *testing.T) smuggleTarget {
	var mu sync.Mutex
	var list []understood
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		u := understood{r.Header.Get("X-Forwarded-For"), r.Method, r.RequestURI, len(body), crc32.ChecksumIEEE(body)}
		mu.Lock()
		list = append(list, u)
		mu.Unlock()
		w.Header().Set("X-Method", r.Method)
		fmt.Fprintf(w, "%s %s %d %08x", u.Method, u.Target, u.Length, u.Sum)
	}))
	t.Cleanup(s.Close)
	return smuggleTarget{s.URL, func(*testing.T) []understood {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(list)
	}, true}
}

func smuggleNode(t *testing.T) smuggleTarget {
	const script = `
const zlib = require('zlib');
const table = Array.from({length: 256}, (_, n) => { for (let k = 0; k < 8; k++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1; return n >>> 0; });
const crc = (b) => { let c = ~0; for (const x of b) c = table[(c ^ x) & 255] ^ (c >>> 8); return ~c >>> 0; };
const server = require('http').createServer((request, answer) => {
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', () => {
    const body = Buffer.concat(parts), sum = crc(body);
    console.log(JSON.stringify({from: request.headers['x-forwarded-for'] ?? '', method: request.method, target: request.url, length: body.length, sum}));
    answer.setHeader('X-Method', request.method);
    answer.end(request.method + ' ' + request.url + ' ' + body.length + ' ' + sum.toString(16).padStart(8, '0'));
  });
});
server.on('clientError', (error, socket) => {
  if (error.code === 'ECONNRESET' || !socket.writable) return socket.destroy();
  socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
});
server.listen(0, '127.0.0.1', () => console.log('listening ' + server.address().port));
`
	p := start(t, nil, needs(t, "node"), "-e", script)
	line, ok := p.out.find(patience, func(s string) bool { return strings.HasPrefix(s, "listening ") })
	if !ok {
		t.Fatalf("node does not listen: %s", p.errs.all())
	}
	return smuggleTarget{"http://127.0.0.1:" + strings.TrimPrefix(line, "listening "), func(t *testing.T) (list []understood) {
		lines, _, _ := p.out.now()
		for _, line := range lines[1:] {
			var u understood
			if err := json.Unmarshal([]byte(line), &u); err != nil {
				t.Fatalf("node says %q: %v", line, err)
			}
			list = append(list, u)
		}
		return list
	}, true}
}

// smuggleNginx is an nginx that reads a request to its end, since it sends it on to another server of
// its own. Its access log has the caller's address from X-Forwarded-For, else 127.0.0.1.
func smuggleNginx(t *testing.T) smuggleTarget {
	log := filepath.Join(shortDir(t), "access.log")
	inner := freePort(t)
	n := startNginx(t, fmt.Sprintf(`
    access_log %[1]s;
    set_real_ip_from 127.0.0.0/8;
    real_ip_header X-Forwarded-For;
    location / { proxy_pass http://%[2]s; proxy_http_version 1.1; proxy_set_header Connection ""; }
  }
  server {
    listen %[2]s;
    access_log off;
    location / { add_header X-Method $request_method always; return 200 "$request_method $request_uri"; }
`, log, inner))
	return smuggleTarget{n.URL, func(t *testing.T) (list []understood) {
		b, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(b)) {
			// 127.10.0.1 - - [time] "GET /first HTTP/1.1" 200 10 "-" "-"
			u := understood{From: strings.Fields(line)[0]}
			if u.From == "127.0.0.1" && !strings.Contains(line, "/probe-") {
				u.From = ""
			}
			_, rest, _ := strings.Cut(line, `] "`)
			request, rest, _ := strings.Cut(rest, `" `)
			parts := strings.Fields(request)
			status := strings.Fields(rest)[0]
			if len(parts) == 3 {
				u.Method, u.Target = parts[0], parts[1]
			}
			if status == "200" { // else it was refused, or had not come to its end
				list = append(list, u)
			}
		}
		return list
	}, false}
}
