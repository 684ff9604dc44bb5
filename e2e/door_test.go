package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// What the gateway's own door refuses: it says why, in the answer and in the log, and a line that
// could not be parsed is never shown to anybody.

const doorConfig = `
version: 1
server: {max_header: 4KiB, read_header_timeout: 1500ms, idle_timeout: 1500ms, max_connections: 200}
services:
  up: {access: open, routes: [{path: /up/*, strip_prefix: true}], upstream: {targets: [{url: %q}], retries: {max: 0}, timeouts: {idle: 1500ms}}, policies: {body_limit: 1MiB}}
`

func TestDoorRefuses(t *testing.T) {
	t.Parallel()
	up := startGo(t)
	g := serve(t, fmt.Sprintf(doorConfig, up.URL))
	const secret = "s3cret-in-a-broken-request"
	for _, c := range []struct {
		name, bytes string
		line        string // of the answer
	}{
		{"a large field", "GET /up/x HTTP/1.1\r\nHost: a\r\nX-Large: " + strings.Repeat(secret, 300) + "\r\n\r\n", "431 Request Header Fields Too Large (request_header_too_large)"},
		{"a long target", "GET /up/" + strings.Repeat("x", 5000) + " HTTP/1.1\r\nHost: a\r\n\r\n", "431 Request Header Fields Too Large (request_header_too_large)"},
		{"many fields", "GET /up/x HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("A: b\r\n", 600) + "\r\n", "431 Request Header Fields Too Large (request_header_too_large)"},
		{"a NUL in a field", "GET /up/x HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + secret + "\x00\r\n\r\n", "400 Bad Request (malformed_request)"},
		{"a field without colon", "GET /up/x HTTP/1.1\r\nHost: a\r\nAuthorization " + secret + "\r\n\r\n", "400 Bad Request (malformed_request)"},
		{"a space before the colon", "GET /up/x HTTP/1.1\r\nHost: a\r\nAuthorization : " + secret + "\r\n\r\n", "400 Bad Request (malformed_request)"},
		{"a folded line", "GET /up/x HTTP/1.1\r\nHost: a\r\nX-A: b\r\n " + secret + "\r\n\r\n", "400 Bad Request (malformed_request)"},
		{"no host", "GET /up/x HTTP/1.1\r\n\r\n", "400 Bad Request (malformed_request)"},
		{"two hosts", "GET /up/x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400 Bad Request (malformed_request)"},
		{"two lengths", "POST /up/x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", "400 Bad Request (malformed_request)"},
		{"length and chunks", "POST /up/x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400 Bad Request (malformed_request)"},
		{"an unknown coding", "POST /up/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", "501 Not Implemented (malformed_request)"},
		{"HTTP/3 in text", "GET /up/x HTTP/3.0\r\nHost: a\r\n\r\n", "505 HTTP Version Not Supported (http_version_not_supported)"},
		{"TLS to a plain port", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + secret, "400 Bad Request (malformed_request)"},
		{"another protocol", "EHLO " + secret + "\r\n\r\n", "400 Bad Request (malformed_request)"},
		{"CONNECT", "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n", "405 Method Not Allowed (method_not_allowed)"},
		{"a body that is too large", "POST /up/x HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\n\r\n", "413 Content Too Large (body_too_large)"},
		{"chunks that are too large", "POST /up/upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat("20000\r\n"+strings.Repeat("x", 0x20000)+"\r\n", 9), "413 Content Too Large (body_too_large)"},
		{"broken chunks", "POST /up/upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + secret + "\r\n", "400 Bad Request (malformed_request)"},
		{"a head that is slow", "GET /up/x HTTP/1.1\r\nHost: a\r\nX-Slow: " + secret, "408 Request Timeout (request_header_timeout)"},
		{"a body that is slow", "POST /up/upload HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nabc", "408 Request Timeout (request_body_timeout)"},
		{"chunks that are slow", "POST /up/upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "408 Request Timeout (request_body_timeout)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			conn := dial(t, g.Addr)
			go func() { _, _ = io.WriteString(conn, c.bytes) }() // the gateway may have heard enough
			a := conn.read(t, "GET")
			want(t, "answer", a.line, c.line)
			rec := g.record(t, a.id)
			want(t, "status in the log", rec.Status, a.status)
			want(t, "kind in the log", rec.Kind, a.problem(t).Kind)
			wantCause(t, "cause", rec, "caller")
			text := causeway(t, "explain", a.id, "--data", g.Data).out
			contains(t, "explain", text, rec.Kind)
			_, raw := g.get(t, "/api/v1/calls/"+a.id, "")
			for what, s := range map[string]string{"the answer": string(a.body) + fmt.Sprint(a.header), "explain": text, "the log": string(raw)} {
				lacks(t, what, s, secret)
			}
			if a.status != 405 && a.status != 413 { // after those the connection is in step
				if _, err := conn.br.ReadByte(); err == nil {
					t.Error("more comes after what was refused")
				}
			}
		})
	}
	t.Cleanup(func() { lacks(t, "standard error", g.errs.all(), secret) })
}

// A caller that breaks off its own upload is at fault, and the upstream is not.
func TestUploadThatBreaksOff(t *testing.T) {
	t.Parallel()
	up := startGo(t)
	g := restGateway(t, "", map[string]string{"go": up.URL})
	for name, head := range map[string]string{
		"with a length": "Content-Length: 1000000\r\n\r\n",
		"in chunks":     "Transfer-Encoding: chunked\r\n\r\n2710\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			conn := dial(t, g.Addr)
			conn.send(t, "POST /go/upload HTTP/1.1\r\nHost: a\r\nX-Case: %s\r\n%s%s", name, head, strings.Repeat("x", 9000))
			conn.Close()
		})
	}
	eventually(t, "both in the log", func() bool {
		return len(g.calls(t, "kind=request_body_aborted&limit=10"))+len(g.calls(t, "kind=caller_gone&limit=10")) == 2
	})
	for c := range g.everyCall(t) {
		want(t, "cause", c.Cause, "caller")
	}
}

func TestIdleConnectionsAreClosed(t *testing.T) {
	t.Parallel()
	up := mirror(t)
	g := serve(t, fmt.Sprintf(doorConfig, up.URL))
	for name, first := range map[string]string{"without a request": "", "between requests": "GET /up/x HTTP/1.1\r\nHost: a\r\n\r\n"} {
		conn := dial(t, g.Addr)
		if first != "" {
			conn.send(t, "%s", first)
			want(t, "status", conn.read(t, "GET").status, 200)
		}
		begun := time.Now()
		if rest, err := io.ReadAll(conn.br); len(rest) > 0 || err != nil {
			t.Errorf("%s: the connection ends with %q, %v", name, rest, err)
		}
		if took := time.Since(begun); took < 300*time.Millisecond || took > 5*time.Second {
			t.Errorf("%s: closed after %v", name, took)
		}
	}
}

func TestTooManyConnections(t *testing.T) {
	t.Parallel()
	up := mirror(t)
	g := serve(t, fmt.Sprintf("version: 1\nserver: {max_connections: 3}\nservices:\n  up: {access: open, routes: [{path: /up/*}], upstream: {targets: [{url: %q}]}}\n", up.URL))
	var kept []*caller
	for range 3 {
		c := dial(t, g.Addr)
		c.send(t, "GET /up/x HTTP/1.1\r\nHost: a\r\n\r\n")
		want(t, "status", c.read(t, "GET").status, 200)
		kept = append(kept, c)
	}
	a := fetch(t, client(t), "GET", g.URL+"/up/x", nil)
	want(t, "the fourth", a.line, "503 Service Unavailable (too_many_connections)")
	contains(t, "its body", string(a.body), "server.max_connections")
	want(t, "counted", g.metric(t, "causeway_connections_turned_away_total") >= 1, true)
	kept[0].Close()
	eventually(t, "room for another", func() bool {
		a, err := try(t.Context(), client(t), "GET", g.URL+"/up/x", nil)
		return err == nil && a.status == 200
	})
}

func TestTooManyCalls(t *testing.T) {
	t.Parallel()
	hold, here := make(chan struct{}), make(chan struct{}, 2)
	up := listenRaw(t, func(c *rawConn) {
		for rq, _ := c.request(); rq != nil; rq, _ = c.request() {
			here <- struct{}{}
			<-hold
			c.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
	})
	g := serve(t, fmt.Sprintf("version: 1\nserver: {max_calls: 1}\nservices:\n  up: {access: open, routes: [{path: /up/*}], upstream: {targets: [{url: %q}]}}\n", up.URL))
	first := dial(t, g.Addr)
	first.send(t, "GET /up/1 HTTP/1.1\r\nHost: a\r\n\r\n")
	<-here
	a := fetch(t, client(t), "GET", g.URL+"/up/2", nil)
	want(t, "the second", a.line, "503 Service Unavailable (gateway_overloaded)")
	p := a.problem(t)
	want(t, "cause", p.Cause, "gateway")
	want(t, "retry", p.Retry, "safe")
	close(hold)
	want(t, "the first", string(first.read(t, "GET").body), "ok")
	eventually(t, "room for another", func() bool { return fetch(t, client(t), "GET", g.URL+"/up/3", nil).status == 200 })
}

// Neither side is read faster than the other takes it.
func TestBackPressure(t *testing.T) {
	t.Parallel()
	const most = 24 << 20 // what sockets and buffers on the way may hold
	sent := make(chan int64, 1)
	up := listenRaw(t, func(c *rawConn) {
		head := c.head()
		if head == nil {
			return
		}
		if strings.HasPrefix(head[0], "POST") {
			time.Sleep(100 * time.Millisecond)
			_, _ = io.Copy(io.Discard, c.br)
			return
		}
		c.send("HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")
		var n int64
		block := make([]byte, 64<<10)
		for {
			_ = c.Conn.SetWriteDeadline(time.Now().Add(700 * time.Millisecond))
			k, err := c.Conn.Write(block)
			if n += int64(k); err != nil {
				sent <- n
				return
			}
		}
	})
	g := restGateway(t, "", map[string]string{"up": up.URL})
	t.Run("a caller that does not read", func(t *testing.T) {
		t.Parallel()
		res, err := client(t).Get(g.URL + "/up/x")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		select {
		case n := <-sent:
			t.Logf("the upstream got rid of %d KiB", n>>10)
			if n > most {
				t.Errorf("the gateway took %d MiB from the upstream for a caller that did not read", n>>20)
			}
		case <-time.After(patience):
			t.Fatal("the upstream could send for ever")
		}
	})
	t.Run("an upstream that does not read", func(t *testing.T) {
		t.Parallel()
		deaf, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer deaf.Close()
		g := restGateway(t, "", map[string]string{"deaf": "http://" + deaf.Addr().String()})
		conn := dial(t, g.Addr)
		conn.send(t, "POST /deaf/x HTTP/1.1\r\nHost: a\r\nContent-Length: 1073741824\r\n\r\n")
		var n int64
		block := make([]byte, 64<<10)
		for {
			_ = conn.SetWriteDeadline(time.Now().Add(700 * time.Millisecond))
			k, err := conn.Write(block)
			if n += int64(k); err != nil {
				break
			}
			if n > most {
				t.Fatalf("the gateway took %d MiB from the caller for an upstream that did not read", n>>20)
			}
		}
		t.Logf("the caller got rid of %d KiB", n>>10)
	})
}

// A plain HTTP client on a TLS port is told so.
func TestPlainToTLSDoor(t *testing.T) {
	t.Parallel()
	up := mirror(t)
	dir := shortDir(t)
	certFile, keyFile := selfSigned(t, dir, "gateway.test")
	g := serve(t, fmt.Sprintf("version: 1\nserver: {tls: [{cert_file: %q, key_file: %q}]}\nservices:\n  up: {access: open, routes: [{path: /up/*}], upstream: {targets: [{url: %q}]}}\n", certFile, keyFile, up.URL))
	want(t, "the ready line's scheme", strings.HasPrefix(g.URL, "https://"), true)
	conn := dial(t, g.Addr)
	conn.send(t, "GET /up/x HTTP/1.1\r\nHost: a\r\n\r\n")
	res, err := http.ReadResponse(conn.br, nil)
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	body, _ := io.ReadAll(res.Body)
	want(t, "status", res.StatusCode, 400)
	contains(t, "the answer", string(body), "HTTPS")
}
