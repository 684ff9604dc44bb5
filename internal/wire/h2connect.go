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

// readConnect turns an extended CONNECT into the upgrade that it asks for. It returns what is wrong with
// the request, nil where nothing is, and where it is none.
func (x *h2Exchange) readConnect(r *http.Request) *HeadError {
	protocol, extended := r.Header[":protocol"]
	switch {
	case !extended:
		return nil
	case r.Method != http.MethodConnect:
		return &HeadError{":protocol", "it goes with CONNECT alone", noOffset, 400}
	case len(protocol) != 1 || protocol[0] != webSocketProtocol:
		return &HeadError{":protocol", "only websocket is spoken here", noOffset, 501}
	case r.Header["Content-Length"] != nil:
		return &HeadError{"Content-Length", "a CONNECT has no body", noOffset, 400}
	}
	var key [16]byte
	_, _ = rand.Read(key[:]) // it never fails
	x.key = base64.StdEncoding.EncodeToString(key[:])
	r.Method = http.MethodGet
	r.Header["Sec-Websocket-Key"] = []string{x.key}
	r.ContentLength = 0 // what follows is the tunnel's
	return nil
}

// asUpgrade adds the fields by which an upgrade is asked for in HTTP/1.1.
func (x *h2Exchange) asUpgrade() {
	if x.key == "" {
		return
	}
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
	return &Tunnel{side: &h2Side{x: x}}, nil
}

// h2Side is the caller's side of a tunnel over HTTP/2.
type h2Side struct {
	x       *h2Exchange
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
	return len(p), s.x.wait(limit, s.x.w.FlushError)
}

// closeWrite implements side: END_STREAM goes out when the handler returns, which ends reading as well.
func (s *h2Side) closeWrite() bool { return false }

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
