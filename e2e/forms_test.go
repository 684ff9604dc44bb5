package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"causeway/internal/fault"
)

// One failure in every form that contract section 6 knows.

func TestFormsOfAFailure(t *testing.T) {
	t.Parallel()
	g := serve(t, fmt.Sprintf(`
version: 1
server: {public_url: "https://api.example.com"}
services:
  dead: {access: open, routes: [{path: /dead/*}], upstream: {targets: [{url: "http://%s"}], retries: {max: 0}}}
`, freePort(t)))
	c := client(t)
	url := g.URL + "/dead/x"

	t.Run("by Accept", func(t *testing.T) {
		const json, html = "application/problem+json", "text/html; charset=utf-8"
		for accept, contentType := range map[string]string{
			"":                                  json,
			"*/*":                               json,
			"application/json":                  json,
			"text/plain":                        json,
			"text/html":                         html,
			"text/html,application/xml;q=0.9":   html,
			"text/html, */*":                    json, // not ranked above */*
			"text/html;q=0.9, */*;q=0.8":        html,
			"text/html;q=0.5, application/json": json,
			"application/json;q=0.5, text/html": html,
			"text/html;q=0":                     json,
		} {
			var header []string
			if accept != "" {
				header = []string{"Accept", accept}
			}
			a := fetch(t, c, "GET", url, nil, header...)
			want(t, "Content-Type for Accept: "+accept, a.header.Get("Content-Type"), contentType)
			want(t, "status for Accept: "+accept, a.line, "502 Bad Gateway (connection_refused)")
			contains(t, "Vary", a.header.Get("Vary"), "Accept")
			want(t, "Cache-Control", a.header.Get("Cache-Control"), "no-store")
		}
	})
	t.Run("links are absolute with public_url", func(t *testing.T) {
		a := fetch(t, c, "GET", url, nil)
		p := a.problem(t)
		want(t, "type", p.Type, "https://api.example.com/.causeway/failures/connection_refused")
		want(t, "help", p.Help, "https://api.example.com/.causeway/calls/"+a.id)
		for _, link := range []string{p.Type, p.Help} {
			page := fetch(t, c, "GET", g.URL+strings.TrimPrefix(link, "https://api.example.com"), nil, "Accept", "text/html")
			want(t, link, page.status, 200)
			contains(t, link, string(page.body), "connection_refused")
		}
	})
	t.Run("HEAD", func(t *testing.T) {
		a := fetch(t, c, "HEAD", url, nil)
		want(t, "status", a.line, "502 Bad Gateway (connection_refused)")
		want(t, "bytes of body", len(a.body), 0)
		contains(t, "Proxy-Status", a.header.Get("Proxy-Status"), "error=connection_refused")
	})
	t.Run("HTTP/1.0", func(t *testing.T) {
		conn := dial(t, g.Addr)
		conn.send(t, "GET /dead/x HTTP/1.0\r\n\r\n")
		a := conn.read(t, "GET")
		want(t, "status", a.line, "502 Bad Gateway (connection_refused)")
		want(t, "kind", a.problem(t).Kind, "connection_refused")
	})
	t.Run("Proxy-Status is a structured field", func(t *testing.T) {
		a := fetch(t, c, "GET", url, nil)
		// RFC 8941: one member with parameters, of which this one has a token and a string.
		form := regexp.MustCompile(`^causeway; error=connection_refused; details="(?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])*"$`)
		if s := a.header.Values("Proxy-Status"); len(s) != 1 || !form.MatchString(s[0]) {
			t.Errorf("Proxy-Status is %q", s)
		}
	})
	t.Run("nothing of the request reaches the page unescaped", func(t *testing.T) {
		a := fetch(t, c, "GET", g.URL+`/dead/%3Cscript%3Ealert(1)%3C/script%3E?<script>alert(2)</script>`, nil, "Accept", "text/html")
		lacks(t, "the page", string(a.body), "<script>alert")
		page := fetch(t, c, "GET", g.URL+"/.causeway/calls/"+a.id, nil, "Accept", "text/html")
		lacks(t, "the call's page", string(page.body), "<script>alert")
		lacks(t, "the log", string(must2(g.get(t, "/api/v1/calls/"+a.id, ""))), "alert(2)") // a query is never kept
	})
}

func must2(_ int, body []byte) []byte { return body }

// A page in a browser may read a failure where it may read the service's own answers.
func TestFailuresAreReadableAcrossOrigins(t *testing.T) {
	t.Parallel()
	const app = "https://app.example"
	// On a port that nobody else gets once it is closed.
	l, err := net.Listen("tcp", freePort(t))
	if err != nil {
		t.Fatal(err)
	}
	up := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Origin") == app {
			w.Header().Set("Access-Control-Allow-Origin", app)
			w.Header().Set("Access-Control-Allow-Credentials", "true")
		}
	}))
	up.Listener.Close()
	up.Listener = l
	up.Start()
	g := serve(t, fmt.Sprintf("version: 1\nservices:\n  a: {access: open, routes: [{path: /a}], upstream: {targets: [{url: %q}], retries: {max: 0}}}\n", up.URL))
	c := client(t)
	a := fetch(t, c, "GET", g.URL+"/a", nil, "Origin", app)
	want(t, "the service's own answer", a.header.Get("Access-Control-Allow-Origin"), app)
	up.Close()
	a = fetch(t, c, "GET", g.URL+"/a", nil, "Origin", app)
	want(t, "status", a.line, "502 Bad Gateway (connection_refused)")
	want(t, "Access-Control-Allow-Origin", a.header.Get("Access-Control-Allow-Origin"), app)
	want(t, "Access-Control-Allow-Credentials", a.header.Get("Access-Control-Allow-Credentials"), "true")
	contains(t, "Vary", a.header.Get("Vary"), "Accept", "Origin")
	contains(t, "Access-Control-Expose-Headers", a.header.Get("Access-Control-Expose-Headers"), "Causeway-Call-Id")
	a = fetch(t, c, "GET", g.URL+"/a", nil, "Origin", "https://evil.example")
	want(t, "for another origin", a.header.Get("Access-Control-Allow-Origin"), "")
}

// A WebSocket that breaks after its upgrade gets a close frame that names the kind.
func TestWebSocketCloses(t *testing.T) {
	t.Parallel()
	hello := frame(0x81, "hello") // FIN and text, unmasked as a server sends it
	up := listenRaw(t, func(c *rawConn) {
		rq, _ := c.request()
		if rq == nil {
			return
		}
		c.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
		c.send(hello)
		switch rq.URL.Path {
		case "/ws/echo":
			got := make([]byte, 64<<10)
			for {
				n, err := c.br.Read(got)
				if err != nil || !c.send(string(got[:n])) {
					return
				}
			}
		case "/ws/stall":
			_, _ = io.Copy(io.Discard, c.br)
		case "/ws/reset":
			waitEmpty(c)
			c.reset()
		}
	})
	// Only what stalls meets a short limit, so that a busy machine meets no other.
	g := serve(t, fmt.Sprintf("version: 1\nservices:\n  ws: {access: open, routes: [{path: /ws/*}], upstream: {targets: [{url: %[1]q}], retries: {max: 0}, timeouts: {idle: 20s}}}\n"+
		"  stall: {access: open, routes: [{path: /ws/stall}], upstream: {targets: [{url: %[1]q}], retries: {max: 0}, timeouts: {idle: 500ms}}}\n", up.URL))
	open := func(t *testing.T, path string) (*caller, *answer) {
		c := dial(t, g.Addr)
		c.send(t, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", path, g.Addr)
		a := c.read(t, "GET")
		want(t, "status", a.status, http.StatusSwitchingProtocols)
		want(t, "Upgrade", a.header.Get("Upgrade"), "websocket")
		want(t, "Sec-WebSocket-Accept", a.header.Get("Sec-WebSocket-Accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
		got := make([]byte, len(hello))
		if _, err := io.ReadFull(c.br, got); err != nil || string(got) != hello {
			t.Fatalf("the first frame is %q, %v", got, err)
		}
		return c, a
	}
	t.Run("echo", func(t *testing.T) {
		c, a := open(t, "/ws/echo")
		for i := range 20 {
			text := strings.Repeat("x", 1+i*500)
			c.send(t, "%s", text)
			got := make([]byte, len(text))
			if _, err := io.ReadFull(c.br, got); err != nil || string(got) != text {
				t.Fatalf("%d bytes came back as %q, %v", len(text), clip(got), err)
			}
		}
		c.Close()
		rec := g.record(t, a.id)
		want(t, "kind", rec.Kind, "")
		want(t, "status in the log", rec.Status, 101)
		if rec.BytesIn == 0 || rec.BytesOut == 0 {
			t.Errorf("%d bytes in and %d out are in the log", rec.BytesIn, rec.BytesOut)
		}
	})
	for path, kind := range map[string]fault.Kind{"/ws/stall": fault.TunnelIdleTimeout, "/ws/reset": fault.TunnelReset} {
		t.Run(path[4:], func(t *testing.T) {
			t.Parallel()
			c, a := open(t, path)
			rest, _ := io.ReadAll(c.br)
			if len(rest) < 4 || rest[0] != 0x88 || int(rest[2])<<8|int(rest[3]) != 1014 || !bytes.Contains(rest, []byte(kind)) {
				t.Errorf("the tunnel ends with %q, want a close frame 1014 with %s", rest, kind)
			}
			rec := g.record(t, a.id)
			want(t, "kind", rec.Kind, string(kind))
			want(t, "status in the log", rec.Status, 101)
		})
	}
}

// frame is a WebSocket frame of less than 126 bytes (RFC 6455 section 5.2).
func frame(first byte, text string) string { return string([]byte{first, byte(len(text))}) + text }
