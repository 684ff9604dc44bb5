package wire

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// handler is a Handler made of functions. refuse may be nil: then refusals are answered by their status.
type handler struct {
	serve  func(Exchange)
	refuse func(Exchange, *Refusal)
}

func (h handler) Serve(ex Exchange) { h.serve(ex) }

func (h handler) Refuse(ex Exchange, why *Refusal) {
	if h.refuse != nil {
		h.refuse(ex, why)
		return
	}
	status := 400
	switch {
	case why.Head != nil:
		status = why.Head.Status
	case why.Reason == RefuseHeadTimeout:
		status = 408
	case why.Reason == RefuseHeadTooBig:
		status = 431
	case why.Reason == RefuseConnections:
		status = 503
	}
	reply(ex, status, fmt.Sprint(why.Limit))
}

// reply answers with a text.
func reply(ex Exchange, status int, text string) {
	_ = ex.Start(status, "", &Header{}, int64(len(text)), -1)
	_ = ex.Write([]byte(text))
	_ = ex.End(nil)
}

// serve opens a door with a handler and returns its address.
func serve(t testing.TB, fn func(Exchange)) string {
	t.Helper()
	addr, _ := startDoor(t, DoorOptions{Handler: handler{serve: fn}, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 5 * time.Second})
	return addr
}

// relayTo opens a door that passes every call to url. change may alter the relay.
func relayTo(t testing.TB, o OriginOptions, change func(*relay)) (addr string, r *relay) {
	t.Helper()
	r, err := newRelay(o.URL)
	if err != nil {
		t.Fatal(err)
	}
	r.origin = newOrigin(t, o)
	if change != nil {
		change(r)
	}
	addr, _ = startDoor(t, DoorOptions{Handler: r, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 5 * time.Second})
	return addr, r
}

// caller is a client that sees every byte.
type caller struct {
	net.Conn
	t  testing.TB
	br *bufio.Reader
}

func dial(t testing.TB, addr string) *caller {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return newCaller(t, c)
}

func dialTLS(t testing.TB, addr string, config *tls.Config) *caller {
	t.Helper()
	c, err := tls.Dial("tcp", addr, config)
	if err != nil {
		t.Fatal(err)
	}
	return newCaller(t, c)
}

func newCaller(t testing.TB, c net.Conn) *caller {
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	return &caller{c, t, bufio.NewReader(c)}
}

func (c *caller) send(format string, args ...any) {
	c.t.Helper()
	if _, err := fmt.Fprintf(c, format, args...); err != nil {
		c.t.Fatalf("sending: %v", err)
	}
}

// answer reads one answer, interim ones included, to a request of that method.
func (c *caller) answer(method string) (res *http.Response, body string) {
	c.t.Helper()
	res, body, err := c.try(method)
	if err != nil {
		c.t.Fatalf("reading an answer: %v", err)
	}
	return res, body
}

func (c *caller) try(method string) (res *http.Response, body string, err error) {
	res, err = http.ReadResponse(c.br, &http.Request{Method: method})
	if err != nil {
		return nil, "", err
	}
	b, err := io.ReadAll(res.Body)
	return res, string(b), err
}

// want reads one answer and compares its status and body.
func (c *caller) want(method string, status int, body string) *http.Response {
	c.t.Helper()
	res, got := c.answer(method)
	if res.StatusCode != status || got != body {
		c.t.Fatalf("got %s %q, want %d %q", res.Status, got, status, body)
	}
	return res
}

// ended reads to the end of the connection, where nothing more may come, and returns how it ended:
// "FIN", "RST", "cut" (a TLS connection without close_notify) or "silence".
func (c *caller) ended() string {
	c.t.Helper()
	rest, err := io.ReadAll(c.br)
	if len(rest) > 0 {
		c.t.Fatalf("%.200q came unasked", rest)
	}
	return ending(err)
}

func ending(err error) string {
	switch {
	case err == nil, errors.Is(err, io.EOF):
		return "FIN"
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "cut"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "RST"
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "silence"
	}
	return err.Error()
}

func (c *caller) wantEnd(want string) {
	c.t.Helper()
	if got := c.ended(); got != want {
		c.t.Errorf("the connection ended by %s, want %s", got, want)
	}
}

// raw reads n bytes as they come.
func (c *caller) raw(n int) string {
	c.t.Helper()
	b := make([]byte, n)
	if _, err := io.ReadFull(c.br, b); err != nil {
		c.t.Fatalf("reading %d bytes: %v", n, err)
	}
	return string(b)
}

// get is a request without a body.
func get(path string, lines ...string) string {
	return "GET " + path + " HTTP/1.1\r\nHost: a\r\n" + joined(lines) + "\r\n"
}

func joined(lines []string) (s string) {
	for _, l := range lines {
		s += l + "\r\n"
	}
	return s
}

// soon waits for something that another goroutine does.
func soon[T any](t testing.TB, what string, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(5 * time.Second):
		t.Fatalf("waiting for %s", what)
		panic("not reached")
	}
}

// readAll reads an exchange's body.
func readAll(ex Exchange) (string, error) {
	b, err := io.ReadAll(bodyReader{ex})
	return string(b), err
}

// heap is what the garbage collector keeps.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func readResponse(c *caller) (*http.Response, error) { return http.ReadResponse(c.br, nil) }
