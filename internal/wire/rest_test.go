package wire

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"causeway/internal/journey"
)

// A body that has no place behind its head, and looks like an answer.
const sentAnyway = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"

// sendsBodies answers the first request with the head, and sends a body behind it: late, when the next request is on
// its way. Other requests get a lawful answer.
func sendsBodies(head string, late bool) func(net.Conn) {
	var first atomic.Bool
	return func(c net.Conn) {
		br := bufio.NewReader(c)
		for owed := ""; ; {
			if _, err := http.ReadRequest(br); err != nil {
				return
			}
			switch {
			case owed != "":
				_, _ = io.WriteString(c, owed)
			case first.CompareAndSwap(false, true):
				_, _ = io.WriteString(c, head)
				if owed = sentAnyway; !late {
					_, _ = io.WriteString(c, owed)
				}
			default:
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
			}
		}
	}
}

func headCall() *Call {
	return &Call{Head: []byte("HEAD /x HTTP/1.1\r\nHost: orders.test\r\n\r\n"), IsHead: true, Limits: patient}
}

// stands waits for an origin's counts.
func stands(t *testing.T, g *Origin, what string, is func(OriginStats) bool) {
	t.Helper()
	for by := time.Now().Add(10 * time.Second); !is(g.Stats()); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(by) {
			t.Fatalf("%s: %+v", what, g.Stats())
		}
	}
}

// Nobody gets the body of an answer that must not have one as the answer to a call of his own.
func TestABodyThatMustNotBeIsNobodysAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		head   bool
		answer string
	}{
		"HEAD, declared":     {true, "HTTP/1.1 200 OK\r\nContent-Length: 44\r\n\r\n"},
		"HEAD, chunked":      {true, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"},
		"HEAD, not declared": {true, "HTTP/1.1 200 OK\r\n\r\n"},
		"304, declared":      {false, "HTTP/1.1 304 Not Modified\r\nContent-Length: 44\r\n\r\n"},
		"204, declared":      {false, "HTTP/1.1 204 No Content\r\nContent-Length: 44\r\n\r\n"},
		"204, chunked":       {false, "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n"},
	} {
		for _, late := range []bool{false, true} {
			for _, secure := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, late %v, TLS %v", name, late, secure), func(t *testing.T) {
					t.Parallel()
					url, client := rawServer(t, secure, sendsBodies(c.answer, late))
					g := newOrigin(t, OriginOptions{URL: url, TLS: client})
					call := getCall()
					if c.head {
						call = headCall()
					}
					if o := attempt(g, call); len(o.body) > 0 || o.End != journey.EndComplete {
						t.Fatalf("the first call: %s", o.show())
					}
					if o := attempt(g, getCall()); string(o.body) != "ok" || o.Reused {
						t.Errorf("the next call: %s, body %q", o.show(), o.body)
					}
				})
			}
		}
	}
}

// A server that sends no such body keeps its connection.
func TestAConnectionIsUsedAgainBehindHEAD(t *testing.T) {
	for name, answer := range map[string]string{
		"declared": "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", "chunked": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, _ := rawServer(t, false, answersWith(answer))
			g := newOrigin(t, OriginOptions{URL: url})
			for i := range 2 {
				if o := attempt(g, headCall()); o.End != journey.EndComplete || o.Reused != (i > 0) {
					t.Fatalf("call %d: %s", i, o.show())
				}
				stands(t, g, "the connection can be used again", func(s OriginStats) bool { return s.Idle == 1 })
			}
		})
	}
}

// What rests is bounded, and is closed with its origin.
func TestNoMoreConnectionsRestThanMayBeKept(t *testing.T) {
	url, _ := rawServer(t, false, answersWith("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"))
	g := newOrigin(t, OriginOptions{URL: url, MaxIdle: 2})
	for range 3 {
		attempt(g, headCall())
	}
	if s := g.Stats(); s.Dials != 3 || s.Open != 2 {
		t.Errorf("%+v, want two of three kept", s)
	}
	g.Close()
	stands(t, g, "all are closed", func(s OriginStats) bool { return s.Open == 0 })
}
