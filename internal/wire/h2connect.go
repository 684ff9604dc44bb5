package wire

import (
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"causeway/internal/wire/xconnect"
)

// WebSocket over HTTP/2 (RFC 8441), at the door: an extended CONNECT is shown to the rooms as the
// upgrade that it stands for, GET with Upgrade: websocket and a key of our own, so that the same guards
// and the same upstreams hold for both. Its tunnel is the stream.

// webSocketProtocol is the only :protocol that is spoken.
const webSocketProtocol = "websocket"

// ExtendedConnect tells whether the door offers WebSocket over HTTP/2.
func ExtendedConnect() bool { return xconnect.Offered }

// readConnect tells what is wrong with an extended CONNECT, nil where nothing is, and where it is none.
func (x *h2Exchange) readConnect() *HeadError {
	_, length := x.head.lookup("content-length")
	switch h := x.head; {
	case h.has&hasProtocol == 0:
		return nil
	case h.method != http.MethodConnect:
		return &HeadError{":protocol", "it goes with CONNECT alone", noOffset, 400}
	case h.protocol != webSocketProtocol:
		return &HeadError{":protocol", "only websocket is spoken here", noOffset, 501}
	case length:
		return &HeadError{"Content-Length", "a CONNECT has no body", noOffset, 400}
	}
	return nil
}

// asUpgrade turns an extended CONNECT into the upgrade that it stands for: what follows is the tunnel's,
// and no body.
func (x *h2Exchange) asUpgrade() {
	if x.head.has&hasProtocol == 0 {
		return
	}
	var key [16]byte
	_, _ = rand.Read(key[:]) // it never fails
	x.key = base64.StdEncoding.EncodeToString(key[:])
	x.req.Method = getMethod
	x.req.Header.Add(Other, []byte("sec-websocket-key"), []byte(x.key))
	x.req.Header.Add(Connection, []byte("connection"), []byte("Upgrade"))
	x.req.Header.Add(Upgrade, []byte("upgrade"), []byte(webSocketProtocol))
}

// acceptOf is the Sec-WebSocket-Accept of a key (RFC 6455 section 4.2.2).
func acceptOf(key []byte) string {
	h := sha1.New()
	h.Write(key)
	h.Write([]byte("258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// GoodAccept tells whether an answer's Sec-WebSocket-Accept belongs to the request's key. It is for the
// calls whose caller cannot tell: over HTTP/2 there is no key.
func GoodAccept(rq *Request, answer *Header) bool {
	return string(answer.Lookup("sec-websocket-accept")) == acceptOf(rq.Header.Lookup("sec-websocket-key"))
}

// Switch implements Exchange: a CONNECT is answered with 200 (RFC 8441 section 5).
func (x *h2Exchange) Switch(_ []byte, h *Header) error {
	switch {
	case x.key == "":
		return errNoUpgrade
	case x.started:
		return errAnswerOver
	}
	x.started, x.status, x.left = true, http.StatusOK, -1
	fields := x.w.Header()
	h2Fill(fields, h)
	delete(fields, "Sec-Websocket-Accept")
	fields["Content-Type"], fields["Content-Length"] = nil, nil // else x/net may guess them
	if fields["Date"] == nil {
		fields["Date"] = []string{x.p.c.door.dates.at(x.began)}
	}
	return x.Flush()
}

// Hijack implements Exchange. The stream ends when Serve returns, and not before.
func (x *h2Exchange) Hijack() (*Tunnel, error) {
	if x.key == "" || !x.sent || x.ended || x.failed || x.aborted {
		return nil, errNoUpgrade
	}
	x.ended = true
	x.p.change(x.head.id, &h2Stream{half: true, want: -1})
	return &Tunnel{side: &h2Side{x: x}}, nil
}

// h2Side is the caller's side of a tunnel over HTTP/2.
type h2Side struct {
	x       *h2Exchange
	given   int64 // bytes that were written; of the goroutine that writes
	stopped atomic.Bool
}

// next implements side. It keeps no time: a deadline of x/net's ends reading for good, and the side that
// reads the upstream sees the same silence.
func (s *h2Side) next(int64) ([]byte, error) {
	src := s.x.body.src
	if _, err := src.Read(nil); err != nil { // waits, and takes nothing
		return nil, s.ended(err)
	}
	buf := getBuffer(mediumBuffer)
	n, err := src.Read(buf)
	if n > 0 {
		return buf[:n], nil
	}
	putBuffer(buf)
	return nil, s.ended(err)
}

func (s *h2Side) ended(err error) error {
	if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		return errCancelled // stop and close set the only deadline that there is
	}
	return err
}

func (s *h2Side) give(p []byte) { putBuffer(p) }

func (s *h2Side) write(p []byte, limit time.Duration) (int, error) {
	if s.stopped.Load() {
		limit = min(limit, stopGrace)
		if limit <= 0 {
			limit = stopGrace
		}
	}
	if err := s.x.push(p, limit); err != nil {
		return 0, err
	}
	s.given += int64(len(p))
	return len(p), s.x.wait(limit, s.x.w.FlushError)
}

// closeWrite implements side. x/net sends END_STREAM when the handler returns, which ends reading as well:
// so it is sent beside it.
func (s *h2Side) closeWrite() bool {
	return !s.stopped.Load() && s.x.p.halfClose(s.x.head.id, s.given)
}

func (s *h2Side) stop() {
	s.stopped.Store(true)
	go s.close() // whoever cancels a call may hold its lock
}

// close ends reading. The stream itself ends with its call.
func (s *h2Side) close() {
	s.x.mu.Lock()
	defer s.x.mu.Unlock()
	if !s.x.over {
		_ = s.x.w.SetReadDeadline(time.Unix(1, 0))
	}
}
