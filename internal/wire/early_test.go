package wire

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"causeway/internal/faulty"
	"causeway/internal/journey"
)

// TestAnEarlyAnswerToABufferedBodyIsRead: the body is sent in one write, which the upstream breaks
// or leaves unread; what it said before counts.
func TestAnEarlyAnswerToABufferedBodyIsRead(t *testing.T) {
	const size = 32 << 20 // more than the socket buffers take
	for name, end := range map[string]func(net.Conn){
		"and the upstream resets":     func(c net.Conn) { awaitUnread(c); time.Sleep(20 * time.Millisecond); reset(c) },
		"and the upstream reads on":   func(c net.Conn) { _, _ = io.Copy(io.Discard, c) },
		"and the upstream takes none": func(c net.Conn) { time.Sleep(400 * time.Millisecond) },
	} {
		for _, secure := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, TLS %v", name, secure), func(t *testing.T) {
				t.Parallel()
				url, client := rawServer(t, secure, func(c net.Conn) {
					if _, err := http.ReadRequest(bufio.NewReader(c)); err != nil {
						return
					}
					_, _ = io.WriteString(c, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 9\r\n\r\ntoo large")
					end(c)
				})
				g := newOrigin(t, OriginOptions{URL: url, TLS: client})
				call := &Call{
					Head: fmt.Appendf(nil, "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", size),
					Body: make([]byte, size), Length: size, Limits: patient,
				}
				call.Limits.Send = 200 * time.Millisecond
				if o := attempt(g, call); o.Status != 413 || string(o.body) != "too large" || o.End != journey.EndComplete {
					t.Error(o.show())
				}
				if s := g.Stats(); s.Idle != 0 && name != "and the upstream reads on" {
					t.Errorf("a connection with half a request on it is kept: %+v", s)
				}
			})
		}
	}
}

// TestAnEarlyAnswerBeforeAStreamedBodyBegins: it comes while the head is still being sent, as from a server
// that takes no PROXY protocol header, and the head's send breaks.
func TestAnEarlyAnswerBeforeAStreamedBodyBegins(t *testing.T) {
	for name, end := range map[string]func(net.Conn){
		"and the upstream resets":     func(c net.Conn) { awaitUnread(c); time.Sleep(20 * time.Millisecond); reset(c) },
		"and the upstream takes none": func(c net.Conn) { time.Sleep(400 * time.Millisecond) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, _ := rawServer(t, false, func(c net.Conn) {
				if _, err := io.ReadFull(c, make([]byte, 100)); err != nil {
					return
				}
				_, _ = io.WriteString(c, "HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Length: 9\r\n\r\ntoo large")
				end(c)
			})
			g := newOrigin(t, OriginOptions{URL: url})
			call := uploadCall(1000)
			call.Head = append(append([]byte("POST /x HTTP/1.1\r\nHost: a\r\nX-Large: "), make([]byte, 32<<20)...), "\r\n\r\n"...)
			call.Limits.Send = 200 * time.Millisecond
			if o := attempt(g, call); o.Status != 431 || string(o.body) != "too large" || o.End != journey.EndComplete {
				t.Error(o.show())
			}
			if s := g.Stats(); s.Idle != 0 || s.Open != 0 {
				t.Errorf("a connection with half a head on it is kept: %+v", s)
			}
		})
	}
}

// awaitUnread waits until bytes stand unread in a connection's socket.
func awaitUnread(c net.Conn) {
	if s, ok := c.(*secureConn); ok {
		c = s.below.Conn
	}
	var s sock
	for s.init(c); !s.pending(); {
		time.Sleep(100 * time.Microsecond)
	}
}

// leaver is a caller who leaves a moment after the attempt has begun.
type leaver struct {
	why  Reason
	left chan time.Time
}

func (l leaver) Watch(c Canceller) {
	time.AfterFunc(30*time.Millisecond, func() {
		l.left <- time.Now()
		c.Cancel(l.why)
	})
}

func (leaver) Unwatch() {}

// TestAnAttemptIsGivenUpInEveryPhase, also before there is a connection.
func TestAnAttemptIsGivenUpInEveryPhase(t *testing.T) {
	lab := newLab(t)
	for name, phase := range map[string]journey.Phase{
		"dns_timeout":           journey.PhaseDNS,
		"connect_timeout":       journey.PhaseConnect,
		"tls_handshake_timeout": journey.PhaseTLS,
		"send_timeout":          journey.PhaseSend,
		"no_answer":             journey.PhaseWait,
		"stall_in_head":         journey.PhaseHead,
		"stall_mid_body":        journey.PhaseBody,
	} {
		for why, end := range map[Reason]journey.End{ReasonCallerGone: journey.EndCaller, ReasonDrain: journey.EndCancelled} {
			t.Run(fmt.Sprintf("%s %v", name, end), func(t *testing.T) {
				t.Parallel()
				u, err := lab.Start(name, faulty.Params{})
				if err != nil {
					t.Skip(err)
				}
				defer u.Close()
				g := originOf(t, u)
				call := getCall()
				if phase == journey.PhaseSend {
					call = uploadCall(32 << 20)
				}
				var a journey.Attempt
				l := leaver{why, make(chan time.Time, 1)}
				if up := g.Try(call, &a, l); up != nil {
					for err == nil {
						_, err = up.Next()
					}
					up.Release()
				}
				if took := time.Since(<-l.left); took > time.Second {
					t.Errorf("given up after %v", took)
				}
				if a.Phase != phase || a.End != end {
					t.Errorf("it ended in %s by %s, want %s by %s", a.Phase, a.End, phase, end)
				}
				if s := g.Stats(); s.Open != 0 {
					t.Errorf("%+v", s)
				}
			})
		}
	}
}

// TestAnAttemptOfACallerWhoHasLeftIsNotMade: nothing is sent for nobody.
func TestAnAttemptOfACallerWhoHasLeftIsNotMade(t *testing.T) {
	up := newEchoServer(t)
	g := newOrigin(t, OriginOptions{URL: up.URL})
	attempt(g, getCall()) // one connection is kept, so that both ways are tried
	for range 2 {
		var a journey.Attempt
		if u := g.Try(getCall(), &a, goneAlready{}); u != nil {
			t.Fatal("an answer came")
		}
		if a.End != journey.EndCaller || a.BytesOut != 0 {
			t.Errorf("end %s, %d bytes sent", a.End, a.BytesOut)
		}
	}
	if n := up.count(); n != 1 {
		t.Errorf("the upstream saw %d requests", n)
	}
}

type goneAlready struct{}

func (goneAlready) Watch(c Canceller) { c.Cancel(ReasonCallerGone) }
func (goneAlready) Unwatch()          {}
