package wire

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"causeway/internal/journey"
)

// poison is an answer that nobody asked for.
const poison = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\nX-Call: poison\r\n\r\npoisoned"

// hostile is one way of an upstream to put more on a connection than the answer that was asked
// for. reply gets the name of the call; pieces of the slice are written apart, each in a TLS record
// of its own where there is TLS.
type hostile struct {
	name   string
	method string
	reply  func(call string) []string
	// cuts says that the answer itself is broken: then the caller gets an error, or nothing of it.
	cuts bool
}

func fixed(call string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nX-Call: %s\r\nContent-Length: %d\r\n\r\n%s", call, len(call), call)
}

func coded(call, end string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nX-Call: %s\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n%s", call, len(call), call, end)
}

var hostiles = []hostile{
	{"two answers in one write", "GET", func(c string) []string { return []string{fixed(c) + poison} }, false},
	{"two answers in two writes", "GET", func(c string) []string { return []string{fixed(c), poison} }, false},
	{"three answers", "GET", func(c string) []string { return []string{fixed(c) + poison + poison} }, false},
	{"half an answer more", "GET", func(c string) []string { return []string{fixed(c) + poison[:20]} }, false},
	{"one byte more", "GET", func(c string) []string { return []string{fixed(c) + "H"} }, false},
	{"a CRLF more", "GET", func(c string) []string { return []string{fixed(c) + "\r\n"} }, false},
	{"two answers behind chunks", "GET", func(c string) []string { return []string{coded(c, "0\r\n\r\n") + poison} }, false},
	{"behind chunks in two writes", "GET", func(c string) []string { return []string{coded(c, "0\r\n\r\n"), poison} }, false},
	{"behind a trailer", "GET", func(c string) []string { return []string{coded(c, "0\r\nX-A: b\r\n\r\n") + poison} }, false},
	{"the end of chunks apart", "GET", func(c string) []string { return []string{coded(c, ""), "0\r\n\r\n" + poison} }, false},
	{"a body on 204", "GET", func(c string) []string {
		return []string{"HTTP/1.1 204 No Content\r\nX-Call: " + c + "\r\nContent-Length: " + fmt.Sprint(len(poison)) + "\r\n\r\n" + poison}
	}, false},
	{"a body on 204 in two writes", "GET", func(c string) []string {
		return []string{"HTTP/1.1 204 No Content\r\nX-Call: " + c + "\r\n\r\n", poison}
	}, false},
	{"chunks on 204", "GET", func(c string) []string {
		return []string{"HTTP/1.1 204 No Content\r\nX-Call: " + c + "\r\nTransfer-Encoding: chunked\r\n\r\n" + poison}
	}, false},
	{"a body on 304", "GET", func(c string) []string {
		return []string{"HTTP/1.1 304 Not Modified\r\nX-Call: " + c + "\r\nContent-Length: " + fmt.Sprint(len(poison)) + "\r\n\r\n" + poison}
	}, false},
	{"a body on HEAD", "HEAD", func(c string) []string {
		return []string{"HTTP/1.1 200 OK\r\nX-Call: " + c + "\r\nContent-Length: " + fmt.Sprint(len(poison)) + "\r\n\r\n" + poison}
	}, false},
	{"a body on HEAD in two writes", "HEAD", func(c string) []string {
		return []string{"HTTP/1.1 200 OK\r\nX-Call: " + c + "\r\nContent-Length: " + fmt.Sprint(len(poison)) + "\r\n\r\n", poison}
	}, false},
	{"an interim answer and two more", "GET", func(c string) []string {
		return []string{"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + fixed(c) + poison}
	}, false},
	{"an interim answer behind the answer", "GET", func(c string) []string {
		return []string{fixed(c) + "HTTP/1.1 103 Early Hints\r\nX-Call: poison\r\n\r\n"}
	}, false},
	{"Content-Length and chunked", "GET", func(c string) []string {
		return []string{fmt.Sprintf("HTTP/1.1 200 OK\r\nX-Call: %s\r\nContent-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n%s", c, 5+len(poison), poison)}
	}, true},
	{"two Content-Lengths", "GET", func(c string) []string {
		return []string{fmt.Sprintf("HTTP/1.1 200 OK\r\nX-Call: %s\r\nContent-Length: %d\r\nContent-Length: %d\r\n\r\n%s%s", c, len(c), len(c)+len(poison), c, poison)}
	}, true},
	{"an unknown coding", "GET", func(c string) []string {
		return []string{"HTTP/1.1 200 OK\r\nX-Call: " + c + "\r\nTransfer-Encoding: cow\r\n\r\n" + poison}
	}, true},
	{"a chunk that is too large", "GET", func(c string) []string { return []string{coded(c, "10000000000000000\r\n"+poison)} }, true},
	{"a chunk without its end", "GET", func(c string) []string { return []string{coded(c, "5\r\nhello"+poison)} }, true},
	{"a trailer that is a status line", "GET", func(c string) []string { return []string{coded(c, "0\r\n"+poison)} }, true},
	{"a bare LF behind the last chunk", "GET", func(c string) []string { return []string{coded(c, "0\n\n"+poison)} }, true},
	{"an upgrade that nobody asked for", "GET", func(c string) []string {
		return []string{"HTTP/1.1 101 Switching Protocols\r\nX-Call: " + c + "\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n" + poison}
	}, true},
	{"a head without an end", "GET", func(c string) []string { return []string{"HTTP/1.1 200 OK\r\nX-Call: " + c + "\r\n" + poison} }, true},
	{"not HTTP", "GET", func(c string) []string { return []string{"hello " + c + "\r\n\r\n" + poison} }, true},
}

// TestNoCallGetsAnothersAnswer makes many calls through one pool to an upstream that puts more on
// its connections than it was asked for: what a call gets is its own answer or an error.
func TestNoCallGetsAnothersAnswer(t *testing.T) {
	for _, secure := range []bool{false, true} {
		for _, h := range hostiles {
			name := h.name
			if secure {
				name += " over TLS"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				up := newHostileServer(t, h, secure)
				g := newOrigin(t, OriginOptions{URL: up.url, TLS: up.client})
				good := 0
				for i := range 20 {
					if callHostile(t, g, h, fmt.Sprintf("call-%d", i)) {
						good++
					}
					up.settled(t)
				}
				if !h.cuts && good != 20 {
					t.Errorf("%d of 20 calls got their answer", good)
				}
				if h.cuts && good != 0 {
					t.Errorf("%d answers that cannot be read in one way were handed on whole", good)
				}
			})
		}
	}
}

// TestNoCallGetsAnothersAnswerInACrowd does the same with many callers at a time.
func TestNoCallGetsAnothersAnswerInACrowd(t *testing.T) {
	for _, secure := range []bool{false, true} {
		up := newHostileServer(t, hostiles[0], secure)
		g := newOrigin(t, OriginOptions{URL: up.url, TLS: up.client})
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				for j := range 40 {
					// Good answers and poisoned ones take turns.
					h, call := hostiles[0], fmt.Sprintf("call-%d-%d", i, j)
					if j%2 == 0 {
						call = "good-" + call
					}
					callHostile(t, g, h, call)
				}
			})
		}
		wg.Wait()
		if s := g.Stats(); s.Reuses == 0 {
			t.Errorf("no connection was reused: %+v", s)
		}
	}
}

// callHostile makes one call and says whether it got a whole answer. It must be the call's own.
func callHostile(t *testing.T, g *Origin, h hostile, name string) bool {
	t.Helper()
	call := &Call{Head: []byte(h.method + " /" + name + " HTTP/1.1\r\nHost: a\r\n\r\n"), Limits: patient, IsHead: h.method == "HEAD"}
	var a journey.Attempt
	u := g.Try(call, &a, nobody{})
	if u == nil {
		return false
	}
	defer u.Release()
	if got := string(u.Response.Header.Lookup("X-Call")); got != name {
		t.Errorf("%s got the answer of %q", name, got)
	}
	var body strings.Builder
	for {
		p, err := u.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return false
		}
		body.Write(p)
	}
	if got := body.String(); got != name && (h.method != "HEAD" && u.Response.Status == 200 || got != "") {
		t.Errorf("%s got the body %q", name, got)
	}
	return true
}

// hostileServer answers each request with a hostile's pieces and tells when the last was written.
type hostileServer struct {
	url    string
	client *tls.Config
	wrote  chan struct{}
}

func newHostileServer(t *testing.T, h hostile, secure bool) *hostileServer {
	t.Helper()
	s := &hostileServer{wrote: make(chan struct{}, 1000)}
	s.url, s.client = rawServer(t, secure, func(c net.Conn) { s.serve(c, h) })
	return s
}

func (s *hostileServer) serve(c net.Conn, h hostile) {
	br := bufio.NewReader(c)
	for {
		rq, err := http.ReadRequest(br)
		if err != nil {
			return
		}
		name := strings.TrimPrefix(rq.URL.Path, "/")
		pieces := h.reply(name)
		if strings.HasPrefix(name, "good-") {
			pieces = []string{fixed(name)}
		}
		hold(c, true)
		for _, p := range pieces {
			_, _ = io.WriteString(c, p)
		}
		hold(c, false)
		s.wrote <- struct{}{}
	}
}

// settled waits until the answer to one request has been written whole, poison included.
func (s *hostileServer) settled(t *testing.T) {
	t.Helper()
	select {
	case <-s.wrote:
	case <-time.After(5 * time.Second):
		t.Fatal("the upstream has not answered")
	}
}

// TestBytesThatComeLateSpoilAnIdleConnection: what arrives while a connection waits for its next
// call ends it, and the next call goes out on a fresh one.
func TestBytesThatComeLateSpoilAnIdleConnection(t *testing.T) {
	for _, secure := range []bool{false, true} {
		for name, late := range map[string]func(net.Conn){
			"an answer": func(c net.Conn) { _, _ = io.WriteString(c, poison) },
			"a byte":    func(c net.Conn) { _, _ = io.WriteString(c, "H") },
			"the end":   func(c net.Conn) { _ = c.Close() },
			"a reset":   func(c net.Conn) { reset(c) },
		} {
			if secure {
				name += " over TLS"
			}
			t.Run(name, func(t *testing.T) {
				idle, wrote := make(chan struct{}), make(chan struct{})
				first := sync.Once{}
				serve := func(c net.Conn) {
					br := bufio.NewReader(c)
					for {
						rq, err := http.ReadRequest(br)
						if err != nil {
							return
						}
						_, _ = io.WriteString(c, fixed(strings.TrimPrefix(rq.URL.Path, "/")))
						first.Do(func() {
							<-idle
							late(c)
							close(wrote)
						})
					}
				}
				url, client := rawServer(t, secure, serve)
				g := newOrigin(t, OriginOptions{URL: url, TLS: client})
				if !callHostile(t, g, hostiles[0], "call-1") {
					t.Fatal("the first call failed")
				}
				if g.Stats().Idle != 1 {
					t.Fatalf("the connection was not kept: %+v", g.Stats())
				}
				close(idle)
				<-wrote
				for i := range 3 {
					if !callHostile(t, g, hostiles[0], fmt.Sprintf("call-%d", i+2)) {
						t.Errorf("call %d failed", i+2)
					}
				}
				if s := g.Stats(); s.Dials != 2 || s.Reuses != 2 {
					t.Errorf("%+v, want one connection thrown away and one used three times", s)
				}
			})
		}
	}
}
