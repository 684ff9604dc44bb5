package e2e

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

// restGateway is a gateway before the servers of this file, each under its own name.
func restGateway(t *testing.T, server string, upstreams map[string]string) *gateway {
	t.Helper()
	config := "version: 1\n" + server + "services:\n"
	for name, url := range upstreams {
		config += fmt.Sprintf("  %s:\n    access: open\n    routes: [{path: /%s/*, strip_prefix: true}]\n    upstream: {targets: [{url: %q}], retries: {max: 0}}\n", name, name, url)
	}
	return serve(t, config)
}

func TestMethods(t *testing.T) {
	t.Parallel()
	u := startGo(t)
	n := startNginx(t, `location / { return 200 "$request_method $request_uri"; }`)
	g := restGateway(t, "", map[string]string{"go": u.URL, "nginx": n.URL})
	c := client(t)
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "M-SEARCH", "get"} {
		var body io.Reader
		if method != "TRACE" && method != "HEAD" && method != "GET" {
			body = strings.NewReader("body of " + method)
		}
		a := fetch(t, c, method, g.URL+"/go/echo?a=1&b=%20&a=2", body)
		want(t, method+": status", a.status, 200)
		want(t, method+": the method that the upstream saw", a.header.Get("X-Method"), method)
		want(t, method+": the query that it saw", a.header.Get("X-Query"), "a=1&b=%20&a=2")
		if body != nil {
			want(t, method+": the body that came back", string(a.body), "body of "+method)
		}
		rec := g.record(t, a.id)
		want(t, method+": in the log", rec.Method, method)
	}
	for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
		a := fetch(t, c, method, g.URL+"/nginx/a%2Fb;c=1?d", nil)
		want(t, method+" to nginx", string(a.body), method+" /a%2Fb;c=1?d")
	}
}

// 256 MiB each way (1 GiB with E2E_BIG=1), by length and by chunks, and the gateway's memory stays
// where it was.
func TestLargeBodies(t *testing.T) {
	t.Parallel()
	size := int64(256 << 20)
	if os.Getenv("E2E_BIG") == "1" {
		size = 1 << 30
	}
	u := startGo(t)
	n := startNginx(t, "dav_methods PUT; location / { }")
	g := restGateway(t, "", map[string]string{"go": u.URL, "nginx": n.URL})
	c := client(t)
	sum := sumOf(size)

	for _, framing := range []string{"length", "chunks"} {
		rq, _ := http.NewRequestWithContext(t.Context(), "POST", g.URL+"/go/upload", io.LimitReader(&counting{}, size))
		if framing == "length" {
			rq.ContentLength = size
		}
		res, err := c.Do(rq)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		want(t, "what the upstream got by "+framing, string(body), fmt.Sprintf("%d %08x <nil>", size, sum))
		want(t, "bytes in the log", g.record(t, res.Header.Get("Causeway-Call-Id")).BytesIn, size)

		got, length := download(t, c, g.URL+fmt.Sprintf("/go/download?size=%d&framing=%s", size, framing))
		want(t, "what the caller got by "+framing, got, fmt.Sprintf("%d %08x", size, sum))
		want(t, "Content-Length by "+framing, length, map[string]int64{"length": size, "chunks": -1}[framing])
	}

	large, err := os.Create(n.Folder + "/large")
	if err != nil {
		t.Fatal(err)
	}
	if err := large.Truncate(size); err != nil {
		t.Fatal(err)
	}
	large.Close()
	got, _ := download(t, c, g.URL+"/nginx/large")
	if !strings.HasPrefix(got, fmt.Sprintf("%d ", size)) {
		t.Errorf("from nginx came %s", got)
	}
	rq, _ := http.NewRequestWithContext(t.Context(), "PUT", g.URL+"/nginx/put", io.LimitReader(&counting{}, 32<<20))
	rq.ContentLength = 32 << 20
	res, err := c.Do(rq)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	want(t, "nginx's answer to PUT", res.StatusCode, 201)

	most := vmHWM(t, g.cmd.Process.Pid)
	t.Logf("the most memory that the gateway had: %d MiB", most>>20)
	if most > 150<<20 {
		t.Errorf("the gateway had %d MiB", most>>20)
	}
}

func download(t *testing.T, c *http.Client, url string) (sum string, length int64) {
	t.Helper()
	rq, _ := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	res, err := c.Do(rq)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	h := newSum()
	n, err := io.Copy(h, res.Body)
	if err != nil {
		t.Fatalf("%s: after %d bytes: %v", url, n, err)
	}
	return fmt.Sprintf("%d %08x", n, h.Sum32()), res.ContentLength
}

// Each event is sent only after the one before it has arrived: one that is held back stops the test.
func TestServerSentEvents(t *testing.T) {
	t.Parallel()
	u := startGo(t)
	g := restGateway(t, "", map[string]string{"go": u.URL})
	res, err := client(t).Get(g.URL + "/go/sse")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	want(t, "Content-Type", res.Header.Get("Content-Type"), "text/event-stream")
	r := bufio.NewReader(res.Body)
	var slowest time.Duration
	for i := range 50 {
		begun := time.Now()
		select {
		case u.events <- struct{}{}:
		case <-time.After(patience):
			t.Fatalf("the upstream's stream is over before event %d", i)
		}
		line, err := r.ReadString('\n')
		if err != nil || line != fmt.Sprintf("data: event %d\n", i) {
			t.Fatalf("event %d is %q, %v", i, line, err)
		}
		slowest = max(slowest, time.Since(begun))
		if line, err = r.ReadString('\n'); line != "\n" || err != nil {
			t.Fatalf("event %d ends with %q, %v", i, line, err)
		}
	}
	t.Logf("the slowest of 50 events took %v", slowest)
	close(u.events)
	if rest, err := io.ReadAll(r); len(rest) > 0 || err != nil {
		t.Errorf("the stream ends with %q, %v", rest, err)
	}
}

func TestTrailers(t *testing.T) {
	t.Parallel()
	u := startGo(t)
	g := restGateway(t, "", map[string]string{"go": u.URL})
	rq, _ := http.NewRequestWithContext(t.Context(), "POST", g.URL+"/go/trailers", io.LimitReader(neverEnding('x'), 10))
	rq.Trailer = http.Header{"X-Sent": {"by the caller"}}
	rq.Header.Set("TE", "trailers")
	res, err := client(t).Do(rq)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	want(t, "body", string(body), "with trailers")
	want(t, "the answer's trailer, with the request's", res.Trailer.Get("X-Checksum"), "abc by the caller")
}

func TestEarlyHints(t *testing.T) {
	t.Parallel()
	u := startGo(t)
	g := restGateway(t, "", map[string]string{"go": u.URL})
	var hints []string
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(code int, header textproto.MIMEHeader) error {
			hints = append(hints, fmt.Sprint(code, " ", header.Get("Link")))
			return nil
		},
	})
	a, err := try(ctx, client(t), "GET", g.URL+"/go/hints", nil)
	if err != nil {
		t.Fatal(err)
	}
	want(t, "the hints", strings.Join(hints, ","), "103 </style.css>; rel=preload")
	want(t, "the answer", fmt.Sprint(a.status, " ", string(a.body)), "200 after the hints")
}

func TestAnswersWithoutBody(t *testing.T) {
	t.Parallel()
	u := startGo(t)
	n := startNginx(t, "")
	n.write(t, "file.txt", []byte("0123456789"))
	g := restGateway(t, "", map[string]string{"go": u.URL, "nginx": n.URL})
	c := dial(t, g.Addr) // one connection: an answer read wrongly shifts all that follow
	for _, k := range []struct {
		method, path string
		status       int
		length       string
	}{
		{"GET", "/go/status/204", 204, ""},
		{"GET", "/go/status/304", 304, ""},
		{"HEAD", "/nginx/file.txt", 200, "10"},
		{"GET", "/nginx/file.txt", 200, "10"},
		{"HEAD", "/nginx/missing", 404, "*"},
		{"HEAD", "/nowhere", 404, "*"},
		{"GET", "/nginx/file.txt", 200, "10"},
	} {
		c.send(t, "%s %s HTTP/1.1\r\nHost: %s\r\n\r\n", k.method, k.path, g.Addr)
		a := c.read(t, k.method)
		what := k.method + " " + k.path
		want(t, what, a.status, k.status)
		length := a.header.Get("Content-Length")
		if k.length != "*" {
			want(t, what+": Content-Length", length, k.length)
		}
		if k.method == "GET" && k.length != "" {
			want(t, what+": body", string(a.body), "0123456789")
		} else {
			want(t, what+": bytes of body", len(a.body), 0)
		}
	}
}

func TestRangesAndCodings(t *testing.T) {
	t.Parallel()
	n := startNginx(t, "gzip on; gzip_proxied any; gzip_types text/plain; gzip_min_length 100;")
	n.write(t, "file.txt", bytes.Repeat([]byte("0123456789"), 100))
	u := startGo(t)
	g := restGateway(t, "", map[string]string{"go": u.URL, "nginx": n.URL})
	c := client(t)
	a := fetch(t, c, "GET", g.URL+"/nginx/file.txt", nil, "Range", "bytes=5-14")
	want(t, "status", a.status, 206)
	want(t, "Content-Range", a.header.Get("Content-Range"), "bytes 5-14/1000")
	want(t, "body", string(a.body), "5678901234")
	a = fetch(t, c, "GET", g.URL+"/nginx/file.txt", nil, "Range", "bytes=0-1,5-6")
	contains(t, "Content-Type", a.header.Get("Content-Type"), "multipart/byteranges")
	a = fetch(t, c, "GET", g.URL+"/nginx/file.txt", nil, "Range", "bytes=5000-")
	want(t, "status", a.status, 416)
	want(t, "Content-Range", a.header.Get("Content-Range"), "bytes */1000")
	etag := fetch(t, c, "HEAD", g.URL+"/nginx/file.txt", nil).header.Get("ETag")
	a = fetch(t, c, "GET", g.URL+"/nginx/file.txt", nil, "If-None-Match", etag)
	want(t, "status", a.status, 304)

	a = fetch(t, c, "GET", g.URL+"/nginx/file.txt", nil, "Accept-Encoding", "gzip")
	want(t, "Content-Encoding", a.header.Get("Content-Encoding"), "gzip")
	z, err := gzip.NewReader(bytes.NewReader(a.body))
	if err != nil {
		t.Fatalf("%v: %q", err, clip(a.body))
	}
	if plain, err := io.ReadAll(z); len(plain) != 1000 || err != nil {
		t.Errorf("unpacked %d bytes, %v", len(plain), err)
	}
	a = fetch(t, c, "GET", g.URL+"/go/gzip", nil)
	want(t, "the coding asked for by nobody", a.header.Get("X-Accept-Encoding")+string(a.body), "plain")
}

func TestPythonServer(t *testing.T) {
	t.Parallel()
	py := python(t)
	addr := freePort(t)
	folder := t.TempDir()
	if err := os.WriteFile(folder+"/a.txt", []byte("from Python"), 0o600); err != nil {
		t.Fatal(err)
	}
	server := start(t, nil, py, "-m", "http.server", "--bind", "127.0.0.1", "--directory", folder, portOf("http://"+addr))
	awaitListener(t, server, addr)
	g := restGateway(t, "", map[string]string{"py": "http://" + addr})
	c := client(t)
	a := fetch(t, c, "GET", g.URL+"/py/a.txt", nil)
	want(t, "GET", fmt.Sprint(a.status, " ", string(a.body)), "200 from Python")
	a = fetch(t, c, "HEAD", g.URL+"/py/a.txt", nil)
	want(t, "HEAD", fmt.Sprint(a.status, " ", a.header.Get("Content-Length")), "200 11")
	a = fetch(t, c, "POST", g.URL+"/py/a.txt", strings.NewReader("x"))
	want(t, "POST", a.line, "501 Unsupported method ('POST')")
	a = fetch(t, c, "GET", g.URL+"/py/missing", nil)
	want(t, "a missing file", a.line, "404 File not found")
	contains(t, "its page", string(a.body), "Error code: 404")
}

// The upstream gets the caller's bytes: names in their case, fields in their order.
func TestHeadersAsTheyCame(t *testing.T) {
	t.Parallel()
	up := listenRaw(t, func(c *rawConn) {
		for head := c.head(); head != nil; head = c.head() {
			text := strings.Join(head, "\n") + "\n"
			c.send(fmt.Sprintf("HTTP/1.1 200 Very Good\r\nx-lower: 1\r\nX-UPPER: 2\r\nset-cookie: a=1\r\nSET-COOKIE: b=2\r\nContent-Type: text/plain\r\n"+
				"Connection: X-Own, keep-alive\r\nX-Own: of this connection\r\nKeep-Alive: timeout=5\r\ncontent-length: %d\r\n\r\n%s", len(text), text))
		}
	})
	g := restGateway(t, "", map[string]string{"raw": up.URL})
	c := dial(t, g.Addr)
	c.send(t, "GET /raw/a//b/../c?x=%%41 HTTP/1.1\r\nhost: %s\r\nx-lower: 1\r\nX-UPPER: 2\r\nx-Mixed-CASE: 3\r\naccept: */*\r\ncookie: a=1\r\nX-Repeat: 1\r\nx-repeat: 2\r\n"+
		"Connection: keep-alive, X-Mine\r\nX-Mine: of this connection\r\nKeep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nTE: trailers\r\nX_Forwarded_For: 9.9.9.9\r\n\r\n", g.Addr)
	var answer []string
	for {
		line, err := c.br.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if line = strings.TrimRight(line, "\r\n"); line == "" {
			break
		}
		answer = append(answer, line)
	}
	got := strings.Join(answer, "\n")
	contains(t, "the answer's head", got, "HTTP/1.1 200 Very Good\nx-lower: 1\nX-UPPER: 2\nset-cookie: a=1\nSET-COOKIE: b=2\nContent-Type: text/plain\n")
	lacks(t, "the answer's head", got, "X-Own", "timeout=5")

	var head strings.Builder
	for {
		line, err := c.br.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		head.WriteString(line)
		if strings.HasPrefix(line, "traceparent") || head.Len() > 4096 {
			break
		}
	}
	sent := head.String()
	contains(t, "the request's head", sent, "GET /a//b/../c?x=%41 HTTP/1.1\nHost: "+hostPort(up.URL)+"\nx-lower: 1\nX-UPPER: 2\nx-Mixed-CASE: 3\naccept: */*\ncookie: a=1\nX-Repeat: 1\nx-repeat: 2\n")
	lacks(t, "the request's head", sent, "X-Mine", "timeout=5", "Proxy-Connection", "X_Forwarded_For", "9.9.9.9")
}

var traceparent = regexp.MustCompile(`^00-([0-9a-f]{32})-([0-9a-f]{16})-0[01]$`)

func TestForwardedFields(t *testing.T) {
	t.Parallel()
	up := mirror(t)
	spoof := []string{
		"X-Forwarded-For", "203.0.113.7", "X-Forwarded-Proto", "https", "X-Forwarded-Host", "evil.example", "X-Real-IP", "203.0.113.7",
		"Forwarded", "for=203.0.113.7;proto=https", "X-Forwarded-Port", "443",
	}
	one := func(t *testing.T, head []byte, name, value string) {
		t.Helper()
		want(t, name, strings.Join(fields(head, name), " | "), value)
	}
	t.Run("nobody is trusted", func(t *testing.T) {
		g := restGateway(t, "", map[string]string{"up": up.URL})
		a := fetch(t, client(t), "GET", g.URL+"/up/x", nil, spoof...)
		one(t, a.body, "X-Forwarded-For", "127.0.0.1")
		one(t, a.body, "X-Forwarded-Proto", "http")
		one(t, a.body, "X-Forwarded-Host", g.Addr)
		one(t, a.body, "X-Forwarded-Port", "")
		one(t, a.body, "X-Real-IP", "")
		one(t, a.body, "Forwarded", `for=127.0.0.1;host="`+g.Addr+`";proto=http`)
		one(t, a.body, "Host", hostPort(up.URL))
		if via := fields(a.body, "Via"); len(via) != 1 || !strings.HasPrefix(via[0], "1.1 ") {
			t.Errorf("Via is %q", via)
		}
		want(t, "the caller in the log", g.record(t, a.id).Remote, "127.0.0.1")
	})
	t.Run("a trusted proxy speaks", func(t *testing.T) {
		g := restGateway(t, `server: {trusted_proxies: ["127.0.0.0/8"]}`+"\n", map[string]string{"up": up.URL})
		a := fetch(t, client(t), "GET", g.URL+"/up/x", nil, spoof...)
		one(t, a.body, "X-Forwarded-For", "203.0.113.7, 127.0.0.1")
		one(t, a.body, "X-Forwarded-Proto", "https")
		one(t, a.body, "X-Forwarded-Host", "evil.example")
		want(t, "the caller in the log", g.record(t, a.id).Remote, "203.0.113.7")
		// What a caller adds before a trusted proxy's own word is not believed.
		a = fetch(t, client(t), "GET", g.URL+"/up/x", nil, "X-Forwarded-For", "10.1.1.1, 203.0.113.9, 127.0.0.3")
		want(t, "the caller in the log", g.record(t, a.id).Remote, "203.0.113.9")
	})
	t.Run("trace", func(t *testing.T) {
		g := restGateway(t, "", map[string]string{"up": up.URL})
		a := fetch(t, client(t), "GET", g.URL+"/up/x", nil)
		begun := traceparent.FindStringSubmatch(strings.Join(fields(a.body, "traceparent"), "|"))
		if begun == nil {
			t.Fatalf("no trace was begun: %s", a.body)
		}
		want(t, "the trace in the log", g.record(t, a.id).TraceID, begun[1])
		a = fetch(t, client(t), "GET", g.URL+"/up/x", nil, "traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "tracestate", "a=1")
		m := traceparent.FindStringSubmatch(strings.Join(fields(a.body, "traceparent"), "|"))
		if m == nil || m[1] != "4bf92f3577b34da6a3ce929d0e0e4736" || m[2] == "00f067aa0ba902b7" || !strings.HasSuffix(m[0], "-01") {
			t.Errorf("the trace was continued as %q", m)
		}
		one(t, a.body, "tracestate", "a=1")
	})
}

func TestExpectContinue(t *testing.T) {
	t.Parallel()
	up := mirror(t)
	g := serve(t, fmt.Sprintf(`
version: 1
services:
  open:
    access: open
    routes: [{path: /open}]
    upstream: {targets: [{url: %[1]q}]}
    policies: {body_limit: 1KiB}
  locked:
    routes: [{path: /locked}]
    upstream: {targets: [{url: %[1]q}]}
`, up.URL))
	ask := func(t *testing.T, path string, length int) *caller {
		c := dial(t, g.Addr)
		c.send(t, "POST %s HTTP/1.1\r\nHost: %s\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", path, g.Addr, length)
		return c
	}
	t.Run("the body is asked for", func(t *testing.T) {
		c := ask(t, "/open", 5)
		line, err := c.br.ReadString('\n')
		if err != nil || line != "HTTP/1.1 100 Continue\r\n" {
			t.Fatalf("got %q, %v", line, err)
		}
		if line, _ = c.br.ReadString('\n'); line != "\r\n" {
			t.Fatalf("got %q", line)
		}
		c.send(t, "hello")
		a := c.read(t, "POST")
		want(t, "status", a.status, 200)
		want(t, "Expect upstream", len(fields(a.body, "Expect")), 0)
	})
	t.Run("a guard refuses first", func(t *testing.T) {
		before := up.requests.Load()
		a := ask(t, "/locked", 5).read(t, "POST")
		want(t, "answer", a.line, "401 Unauthorized (key_missing)")
		a = ask(t, "/open", 2000).read(t, "POST")
		want(t, "answer", a.line, "413 Content Too Large (body_too_large)")
		want(t, "calls upstream", up.requests.Load(), before)
	})
	t.Run("another expectation", func(t *testing.T) {
		c := dial(t, g.Addr)
		c.send(t, "POST /open HTTP/1.1\r\nHost: %s\r\nExpect: a-miracle\r\nContent-Length: 0\r\n\r\n", g.Addr)
		want(t, "answer", c.read(t, "POST").line, "417 Expectation Failed (expectation_failed)")
	})
}

// Two services that lead to one another through the gateway itself.
func TestLoop(t *testing.T) {
	t.Parallel()
	for _, protocol := range []string{"http1", "h2c"} {
		t.Run(protocol, func(t *testing.T) { loops(t, protocol) })
	}
}

func loops(t *testing.T, protocol string) {
	t.Parallel()
	addr := freePort(t)
	g := serve(t, fmt.Sprintf(`
version: 1
services:
  a: {access: open, routes: [{path: /a/*}], upstream: {targets: [{url: "http://%[1]s/b"}], protocol: %[2]s, retries: {max: 0}}}
  b: {access: open, routes: [{path: /b/*}], upstream: {targets: [{url: "http://%[1]s/a"}], protocol: %[2]s, retries: {max: 0}}}
`, addr, protocol), listenOn(addr))
	a := fetch(t, client(t), "GET", g.URL+"/a/x", nil)
	want(t, "status", a.status, 502)
	contains(t, "the answer", string(a.body), `"kind":"loop_detected"`)
	if n := len(g.calls(t, "limit=50")); n > 3 {
		t.Errorf("the call went round %d times", n)
	}
}

// A caller that leaves ends its call upstream, also before the first byte of an answer.
func TestCallerLeaves(t *testing.T) {
	t.Parallel()
	gone, came := make(chan time.Time, 2), make(chan struct{}, 2)
	up := listenRaw(t, func(c *rawConn) {
		rq, _ := c.request()
		if rq == nil {
			return
		}
		if strings.HasSuffix(rq.URL.Path, "body") {
			c.send("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + strings.Repeat("x", 50000))
		}
		came <- struct{}{}
		_, _ = io.Copy(io.Discard, c.br)
		gone <- time.Now()
	})
	g := restGateway(t, "", map[string]string{"up": up.URL})
	for _, where := range []string{"/up/wait", "/up/body"} {
		ctx, leave := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = try(ctx, client(t), "GET", g.URL+where, nil)
		}()
		<-came
		time.Sleep(50 * time.Millisecond) // the gateway has settled down to wait
		left := time.Now()
		leave()
		select {
		case at := <-gone:
			t.Logf("%s: the upstream was left after %v", where, at.Sub(left))
			if at.Sub(left) > atOnce {
				t.Errorf("%s: the upstream was left only after %v", where, at.Sub(left))
			}
		case <-time.After(patience):
			t.Fatalf("%s: the upstream was not left", where)
		}
		<-done
		eventually(t, "the call in the log", func() bool { return len(g.calls(t, "kind=caller_gone&limit=10")) > 0 })
	}
	eventually(t, "both calls in the log", func() bool { return len(g.calls(t, "kind=caller_gone&limit=10")) == 2 })
}

func TestConnectionsAreKept(t *testing.T) {
	t.Parallel()
	up := mirror(t)
	g := restGateway(t, "", map[string]string{"up": up.URL})
	c := dial(t, g.Addr)
	for range 20 {
		c.send(t, "GET /up/x HTTP/1.1\r\nHost: %s\r\n\r\n", g.Addr)
		want(t, "status", c.read(t, "GET").status, 200)
	}
	want(t, "connections to the upstream", up.accepted.Load(), 1)
	// Pipelined: three requests at once, three answers in their order.
	c.send(t, "GET /up/1 HTTP/1.1\r\nHost: %[1]s\r\n\r\nGET /up/2 HTTP/1.1\r\nHost: %[1]s\r\n\r\nGET /up/3 HTTP/1.1\r\nHost: %[1]s\r\nConnection: close\r\n\r\n", g.Addr)
	for i := range 3 {
		contains(t, "a pipelined answer", string(c.read(t, "GET").body), fmt.Sprintf("GET /%d HTTP/1.1", i+1))
	}
	if _, err := c.br.ReadByte(); err != io.EOF {
		t.Errorf("after Connection: close comes %v", err)
	}
	// HTTP/1.0 without keep-alive ends with its answer.
	old := dial(t, g.Addr)
	old.send(t, "GET /up/old HTTP/1.0\r\n\r\n")
	a := old.read(t, "GET")
	contains(t, "an answer to HTTP/1.0", string(a.body), "GET /old HTTP/1.1", "Via: 1.0 ")
	if _, err := old.br.ReadByte(); err != io.EOF {
		t.Errorf("after an answer to HTTP/1.0 comes %v", err)
	}
}
