package wire

import (
	"bytes"
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/net/http2"

	"causeway/internal/journey"
)

// WebSocket over HTTP/2 (RFC 8441), on the road: an upgrade to WebSocket goes to an upstream that allows
// it (SETTINGS_ENABLE_CONNECT_PROTOCOL) as an extended CONNECT, and its answer is shown as the 101 that
// it stands for. Any other upgrade, and one for an upstream that does not allow it, goes over HTTP/1.1.

// settingConnect is SETTINGS_ENABLE_CONNECT_PROTOCOL (RFC 8441 section 3).
const settingConnect = 0x8

// unreserve takes a promise back that open was not called for.
func (c *h2conn) unreserve() {
	c.mu.Lock()
	c.booked--
	c.alone = c.alone && len(c.streams)+c.booked > 0
	c.closeIfDone()
	c.mu.Unlock()
}

// mayConnect tells whether the peer takes an extended CONNECT.
func (c *h2conn) mayConnect() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.connect
}

// appendH2Connect writes the field block of the extended CONNECT that stands for an upgrade to WebSocket,
// whose head is written as for HTTP/1.1. The key belongs to that form alone (RFC 8441 section 5).
func appendH2Connect(dst, head []byte, secure bool) []byte {
	line, rest, _ := bytes.Cut(head, crlf)
	plain := append([]byte("GET "), line[bytes.IndexByte(line, ' ')+1:]...)
	plain = append(plain, crlf...)
	for {
		if line, rest, _ = bytes.Cut(rest, crlf); len(line) == 0 {
			break
		}
		if name, _, _ := bytes.Cut(line, colon); !EqualFold(name, "sec-websocket-key") {
			plain = append(append(plain, line...), crlf...)
		}
	}
	dst = appendH2Known(dst, h2MethodGet, []byte("CONNECT"))
	dst = appendH2Field(dst, []byte(":protocol"), []byte(webSocketProtocol), false)
	return append(dst, appendH2Request(nil, append(plain, crlf...), secure)[1:]...) // less its :method, GET
}

// marked notes that the request's head is all that is awaited to be sent.
func (s *h2stream) marked() {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	s.endAt = s.headEnd
	if s.c.written >= s.endAt {
		s.sentAt = clock()
		return
	}
	s.c.marks = append(s.c.marks, h2Mark{s.endAt, s})
}

// switched shows the answer to an extended CONNECT as the one to an upgrade.
func (u *Upcall) switched(call *Call) {
	r := &u.Response
	if r.Status < 200 || r.Status > 299 || u.done {
		return
	}
	r.Status, r.Length = 101, 0
	r.Header.Add(Upgrade, []byte("upgrade"), []byte(webSocketProtocol))
	if key := headField(call.Head, "sec-websocket-key"); key != nil {
		r.Header.Add(Other, []byte("sec-websocket-accept"), []byte(acceptOf(key)))
	}
}

// headField finds a field in a head as it is sent.
func headField(head []byte, name string) []byte {
	_, rest, _ := bytes.Cut(head, crlf)
	for {
		line, more, found := bytes.Cut(rest, crlf)
		if !found || len(line) == 0 {
			return nil
		}
		if field, value, _ := bytes.Cut(line, colon); EqualFold(field, name) {
			return trim(value)
		}
		rest = more
	}
}

// hijackH2 is Hijack over HTTP/2. The stream is given back by Release.
func (u *Upcall) hijackH2() *Tunnel {
	u.facts.End, u.facts.Phase = journey.EndComplete, journey.PhaseDone
	return &Tunnel{side: &h2RoadSide{u: u, s: u.h2.stream}}
}

// h2RoadSide is the upstream's side of a tunnel over HTTP/2.
type h2RoadSide struct {
	u       *Upcall
	s       *h2stream
	taken   int // bytes given out by next and not given back to the peer
	stopped atomic.Bool
}

func (r *h2RoadSide) next(by int64) ([]byte, error) {
	u, s := r.u, r.s
	defer u.stopTimer()
	for {
		s.c.mu.Lock()
		piece := s.next()
		ended, gone, fail := s.ended && !s.unread(), s.gone, s.fail
		s.c.mu.Unlock()
		switch {
		case piece != nil:
			r.taken = len(piece)
			return piece, nil
		case r.stopped.Load():
			return nil, errCancelled
		case gone:
			return nil, net.ErrClosed
		case ended:
			return nil, io.EOF
		case fail != nil:
			fail.into(u.facts)
			return nil, fail.err
		case by != 0 && clock() >= by:
			return nil, errTimeout
		}
		u.waitH2(by)
	}
}

func (r *h2RoadSide) give([]byte) {
	r.s.c.mu.Lock()
	r.s.giveBack(r.taken)
	r.s.c.mu.Unlock()
	r.taken = 0
}

func (r *h2RoadSide) write(p []byte, limit time.Duration) (total int, err error) {
	s := r.s
	since := clock()
	for {
		s.c.mu.Lock()
		n := s.send(p, false)
		over := s.noMore || s.gone || s.c.fail != nil
		s.c.mu.Unlock()
		if n > 0 {
			since = clock()
		}
		total += n
		if p = p[n:]; len(p) == 0 {
			return total, nil
		}
		if over {
			return total, syscall.EPIPE
		}
		if r.stopped.Load() {
			limit = min(max(limit, stopGrace), stopGrace)
		}
		if limit <= 0 {
			<-s.room
			continue
		}
		late := time.NewTimer(max(time.Duration(since+int64(limit)-clock()), 0))
		select {
		case <-s.room:
		case <-late.C:
			return total, errTimeout
		}
		late.Stop()
	}
}

// closeWrite implements side: END_STREAM.
func (r *h2RoadSide) closeWrite() bool {
	r.s.c.mu.Lock()
	defer r.s.c.mu.Unlock()
	r.s.send(nil, true)
	return r.s.sendEnded
}

func (r *h2RoadSide) stop() {
	r.stopped.Store(true)
	wakeUp(r.s.news)
	wakeUp(r.s.room)
}

func (r *h2RoadSide) close() {
	r.s.c.mu.Lock()
	r.s.c.drop(r.s, http2.ErrCodeCancel)
	r.s.stopSending()
	r.s.c.mu.Unlock()
}
