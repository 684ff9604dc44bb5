package e2e

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
)

// An answer that breaks after its head was sent can only be cut. No client may take it for whole.

// cutUpstream breaks each answer in its middle, after more of it than anybody would hold back.
func cutUpstream(t *testing.T) *rawServer {
	part := strings.Repeat("0123456789abcdef", 4096) // 64 KiB
	chunk := fmt.Sprintf("%x\r\n%s\r\n", len(part), part)
	const head = "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"
	return listenRaw(t, func(c *rawConn) {
		rq, _ := c.request()
		if rq == nil {
			return
		}
		how := strings.TrimPrefix(rq.URL.Path, "/cut/")
		switch framing, _, _ := strings.Cut(how, "_"); framing {
		case "length":
			c.send(head + fmt.Sprintf("Content-Length: %d\r\n\r\n", 2*len(part)) + part)
		case "chunked":
			c.send(head + "Transfer-Encoding: chunked\r\n\r\n" + chunk)
		case "close":
			c.send(head + "Connection: close\r\n\r\n" + part)
		}
		switch {
		case strings.HasSuffix(how, "_fin"):
		case strings.HasSuffix(how, "_rst"):
			waitEmpty(c)
			c.reset()
		case strings.HasSuffix(how, "_garbage"):
			c.send("not a size\r\n")
		case strings.HasSuffix(how, "_stall"):
			_, _ = io.Copy(io.Discard, c.br) // until the gateway leaves
		}
	})
}

func TestCutAnswers(t *testing.T) {
	t.Parallel()
	py, curl := python(t), needs(t, "curl")
	rows := []struct{ how, kind, cause string }{
		{"length_fin", "truncated_body", "software"},
		{"length_rst", "reset_mid_body", "software"},
		{"length_stall", "idle_timeout", "overload"},
		{"chunked_fin", "truncated_body", "software"},
		{"chunked_rst", "reset_mid_body", "software"},
		{"chunked_garbage", "malformed_chunking", "software"},
		{"chunked_stall", "idle_timeout", "overload"},
		{"close_rst", "reset_mid_body", "software"},
	}
	// An upstream for each, so that what one has done before says nothing of another.
	config := "version: 1\nservices:\n"
	for _, c := range rows {
		idle := "20s" // only what stalls meets a short limit, so that a busy machine meets no other
		if strings.HasSuffix(c.how, "_stall") {
			idle = "400ms"
		}
		config += fmt.Sprintf("  %[1]s: {access: open, routes: [{path: /cut/%[1]s}], upstream: {targets: [{url: %[2]q}], retries: {max: 0}, timeouts: {idle: %[3]s}}}\n", c.how, cutUpstream(t).URL, idle)
	}
	g := serve(t, config)
	for _, c := range rows {
		t.Run(c.how, func(t *testing.T) {
			t.Parallel()
			url := g.URL + "/cut/" + c.how

			a := fetch(t, client(t), "GET", url, nil)
			want(t, "status", a.status, 200)
			if a.err == nil {
				t.Errorf("Go's client took %d bytes for the whole answer", len(a.body))
			}
			rec := g.record(t, a.id)
			want(t, "kind", rec.Kind, c.kind)
			wantCause(t, "cause", rec, c.cause)
			want(t, "cut", rec.Cut, true)
			want(t, "status in the log", rec.Status, 200)

			r := command(t, "", curl, "-sS", "-o", "/dev/null", url)
			want(t, "curl's exit code", r.code, 18)

			r = command(t, "", py, "-c", `
import http.client, sys, urllib.parse
u = urllib.parse.urlparse(sys.argv[1])
c = http.client.HTTPConnection(u.netloc)
c.request("GET", u.path)
r = c.getresponse()
try:
    print("whole", len(r.read()))
except (http.client.IncompleteRead, ConnectionResetError) as e:
    print("broken", type(e).__name__)
`, url)
			if !strings.HasPrefix(r.out, "broken") {
				t.Errorf("Python's http.client says %q %q", r.out, r.err)
			}

			// HTTP/1.0 knows no chunks: there the end of the connection is the end of the answer, so that
			// only a reset tells that it is not whole.
			old := dial(t, g.Addr)
			old.send(t, "GET /cut/%s HTTP/1.0\r\nHost: %s\r\n\r\n", c.how, g.Addr)
			res, err := http.ReadResponse(old.br, nil)
			if err != nil {
				t.Fatal(err)
			}
			_, err = io.Copy(io.Discard, res.Body)
			if res.ContentLength < 0 && !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("over HTTP/1.0 the answer ended with %v, want a reset", err)
			}
			if err == nil {
				t.Error("over HTTP/1.0 the answer looks whole")
			}
		})
	}
}
