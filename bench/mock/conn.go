package mock

import (
	"bytes"
	"errors"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"causeway/bench/answers"
)

// conn is one connection of a caller.
type conn struct {
	fd     int
	in     []byte // the beginning of a request that is not whole yet
	out    []byte // the end of an answer that the socket had no room for
	stream stream
}

// stream is where a connection's stream of events stands.
type stream struct {
	active bool
	next   int // events written
	due    time.Time
	usage  bool // the caller asked for the usage event
	cut    bool
	noDone bool
	// message is for Anthropic's dialect.
	message bool
}

// read takes what the caller sent and answers every whole request in it.
func (s *Server) read(c *conn) {
	n, err := unix.Read(c.fd, s.scratch[:])
	switch {
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
		return
	case err != nil || n == 0:
		s.drop(c)
		return
	}
	if len(c.in) == 0 {
		if rest, open := s.answerAll(c, s.scratch[:n]); open {
			c.in = append(c.in, rest...)
		}
		return
	}
	c.in = append(c.in, s.scratch[:n]...)
	s.resume(c)
}

// resume answers the whole requests that were kept while an answer was under way.
func (s *Server) resume(c *conn) {
	if rest, open := s.answerAll(c, c.in); open {
		c.in = append(c.in[:0], rest...)
	}
}

// answerAll answers the whole requests in b, one after the other, and returns what is left of b
// and whether the connection is still open. It stops while an answer is still being written.
func (s *Server) answerAll(c *conn, b []byte) (rest []byte, open bool) {
	for len(b) > 0 && !c.stream.active && len(c.out) == 0 {
		head := bytes.Index(b, []byte("\r\n\r\n"))
		if head < 0 {
			break
		}
		head += 4
		end, ok := head, true
		if b[0] != 'G' { // GET has no body; everything else says how long it is
			var length int
			length, ok = contentLength(b[:head])
			end += length
		}
		if !ok {
			if s.write(c, s.prebuilt.unsupported) {
				s.drop(c)
			}
			return nil, false
		}
		if len(b) < end {
			break
		}
		if !s.answer(c, b[:head], b[head:end]) {
			return nil, false
		}
		b = b[end:]
	}
	return b, true
}

// contentLength is a request's Content-Length, 0 when it has none; ok is false for a chunked body.
func contentLength(head []byte) (length int, ok bool) {
	for line := range bytes.SplitSeq(head, []byte("\r\n")) {
		name, value, found := bytes.Cut(line, []byte(":"))
		switch {
		case !found:
		case bytes.EqualFold(name, []byte("Content-Length")):
			n, err := strconv.Atoi(string(bytes.TrimSpace(value)))
			return n, err == nil && n >= 0
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			return 0, false
		}
	}
	return 0, true
}

// answer answers one request; false when the connection is gone.
func (s *Server) answer(c *conn, head, body []byte) bool {
	_, target, _ := bytes.Cut(head[:bytes.IndexByte(head, '\r')], []byte(" "))
	path, _, _ := bytes.Cut(target, []byte(" "))
	switch string(path) {
	case answers.PathREST1K:
		s.answered.rest1k++
		if every(s.options.ShortEvery, s.answered.rest1k) {
			return s.write(c, s.prebuilt.rest1kShort)
		}
		return s.write(c, s.prebuilt.rest1k)
	case answers.PathREST64K:
		return s.write(c, s.prebuilt.rest64k)
	case answers.PathChat:
		if bytes.Contains(body, []byte(`"stream":true`)) {
			return s.begin(c, bytes.Contains(body, []byte(`"include_usage":true`)))
		}
		return s.write(c, s.prebuilt.chat)
	case answers.PathMessages:
		if bytes.Contains(body, []byte(`"stream":true`)) {
			return s.begin(c, false) && s.beginMessage(c)
		}
		return s.write(c, s.prebuilt.message)
	}
	if s.write(c, s.prebuilt.unsupported) {
		s.drop(c)
	}
	return false
}

func every(n, count int) bool { return n > 0 && count%n == 0 }

// write sends b, or as much as the socket takes, keeping the rest; false when the connection is gone.
// b is never changed, and is copied only where the socket has no room.
func (s *Server) write(c *conn, b []byte) bool {
	if len(c.out) > 0 {
		c.out = append(c.out, b...)
		return true
	}
	n, err := unix.Write(c.fd, b)
	if err != nil && !errors.Is(err, unix.EAGAIN) {
		s.drop(c)
		return false
	}
	if n = max(n, 0); n < len(b) {
		c.out = append(c.out[:0], b[n:]...)
		if s.poller.Change(c.fd, true) != nil {
			s.drop(c)
			return false
		}
	}
	return true
}

// flush sends what the socket had no room for; false when the connection is gone.
func (s *Server) flush(c *conn) bool {
	n, err := unix.Write(c.fd, c.out)
	if err != nil && !errors.Is(err, unix.EAGAIN) {
		s.drop(c)
		return false
	}
	c.out = c.out[:copy(c.out, c.out[max(n, 0):])]
	if len(c.out) > 0 {
		return true
	}
	if s.poller.Change(c.fd, false) != nil {
		s.drop(c)
		return false
	}
	if !c.stream.active && len(c.in) > 0 {
		s.resume(c)
	}
	return s.conns[c.fd] == c
}
