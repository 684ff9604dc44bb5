package wire

import (
	"io"
	"time"
)

// Continue implements Exchange.
func (c *conn) Continue() error {
	if !c.body.wants {
		return nil
	}
	c.body.wants = false
	if c.answer.started {
		return nil
	}
	_, err := c.sock.write(continueLine, nil, c.answer.limit, 0)
	return err
}

var continueLine = []byte("HTTP/1.1 100 Continue\r\n\r\n")

// Buffered implements Exchange.
func (c *conn) Buffered() ([]byte, bool) {
	if c.body.done {
		return nil, true
	}
	have := c.buf[c.r:c.w]
	if c.req.Length >= 0 {
		if int64(len(have)) < c.body.left || c.body.read > 0 {
			return nil, false
		}
		n := int(c.body.left)
		c.r += n
		c.body.read, c.body.left, c.body.done, c.body.wants = int64(n), 0, true, false
		return have[:n:n], true
	}
	return nil, false
}

// Malformed implements Exchange.
func (c *conn) Malformed() error {
	if c.body.done || c.req.Length >= 0 || c.body.read > 0 {
		return nil
	}
	look, at := c.body.chunked, c.r
	for look.state != chunkDone {
		data, spent, err := look.next(c.buf[at:c.w], c.w-at, true, &c.trailer)
		if err != nil {
			return c.bodyFailed("malformed", err.Error(), 0)
		}
		if at += spent; len(data) == 0 {
			break
		}
	}
	c.trailer.Reset()
	return nil
}

// ReadBody implements Exchange.
func (c *conn) ReadBody(p []byte, limit time.Duration) (int, error) {
	if c.body.done {
		return 0, io.EOF
	}
	if c.body.read > 0 && c.body.stopped.Load() {
		return 0, c.bodyFailed("stopped", "", limit)
	}
	if c.body.wants {
		if err := c.Continue(); err != nil {
			return 0, c.bodyFailed("aborted", "", limit)
		}
	}
	if c.req.Length >= 0 {
		return c.readLength(p, limit)
	}
	return c.readChunked(p, limit)
}

func (c *conn) readLength(p []byte, limit time.Duration) (int, error) {
	if int64(len(p)) > c.body.left {
		p = p[:c.body.left]
	}
	n := copy(p, c.buf[c.r:c.w])
	if n > 0 {
		c.r += n
	} else {
		var err error
		if n, err = c.fill(p, limit); err != nil {
			return 0, err
		}
	}
	c.body.left -= int64(n)
	c.body.read += int64(n)
	c.body.done = c.body.left == 0
	return n, nil
}

// readChunked takes all the chunks that are there: a body of one byte each would else cost a write to the
// upstream for every byte.
func (c *conn) readChunked(p []byte, limit time.Duration) (total int, _ error) {
	for chunks := int64(1); ; chunks++ {
		data, spent, err := c.body.chunked.next(c.buf[c.r:c.w], len(p)-total, true, &c.trailer)
		if err != nil {
			return 0, c.bodyFailed("malformed", err.Error(), limit)
		}
		n := copy(p[total:], data)
		c.r, total = c.r+spent, total+n
		c.body.read += int64(n)
		if c.body.chunked.state == chunkDone {
			c.body.done = true
			c.keepTrailer()
			if total == 0 {
				return 0, io.EOF
			}
		}
		if n > 0 && total < len(p) && c.r < c.w && !c.body.done {
			continue
		}
		if total > 0 {
			if chunks > manyChunks {
				c.sock.lane.charge(&c.sock.stint, WorkChunks, c, chunks*chunkCost)
			}
			return total, nil
		}
		c.roomForChunks()
		m, err := c.fill(c.buf[c.w:], limit)
		if err != nil {
			return 0, err
		}
		c.w += m
	}
}

const (
	// manyChunks is more than a read brings of a body that is cut into chunks for a reason.
	manyChunks = 256
	// chunkCost is about what one costs, in nanoseconds, to find and to copy.
	chunkCost = 40
)

// roomForChunks makes room behind c.w. The request's head lies in the buffer that the connection
// had when it was parsed and is still read by the rooms, so that buffer is left to them (and to
// the garbage collector) and a new one, which is the body's own, takes the unread bytes.
func (c *conn) roomForChunks() {
	if c.body.ownBuffer && c.r == c.w {
		c.r, c.w = 0, 0
	}
	if len(c.buf)-c.w >= 512 {
		return
	}
	unread, old := c.buf[c.r:c.w], c.buf
	if !c.body.ownBuffer || len(old)-len(unread) < 512 {
		c.buf = getBuffer(max(mediumBuffer, len(unread)*2))
	}
	c.r, c.w = 0, copy(c.buf, unread)
	if c.body.ownBuffer && &c.buf[0] != &old[0] {
		putBuffer(old)
	}
	c.body.ownBuffer = true
}

// keepTrailer copies the trailer out of the buffer and drops the fields that may not be there
// (RFC 9110 section 6.5.1).
func (c *conn) keepTrailer() {
	kept := Header{}
	for _, f := range c.trailer.Fields {
		if ForbiddenTrailer(f.ID) {
			continue
		}
		kept.Add(f.ID, append([]byte(nil), f.Name...), append([]byte(nil), f.Value...))
	}
	c.trailer = kept
}

// ForbiddenTrailer tells whether a field may not stand in a trailer: framing, routing,
// authentication and what describes the payload.
func ForbiddenTrailer(id ID) bool {
	const no = 1<<Host | 1<<ContentLength | 1<<TransferEncoding | 1<<Connection | 1<<KeepAlive |
		1<<ProxyConnection | 1<<TE | 1<<Trailer | 1<<Upgrade | 1<<Expect | 1<<Authorization | 1<<APIKey |
		1<<XAPIKey | 1<<XGoogAPIKey | 1<<ProxyAuthorization | 1<<Cookie | 1<<ContentType | 1<<ContentEncoding |
		1<<CacheControl | 1<<Via | 1<<Forwarded | 1<<XForwardedFor | 1<<XForwardedProto | 1<<XForwardedHost |
		1<<XForwardedPort | 1<<XRealIP | 1<<CausewayCallID | 1<<CausewayAttempts | 1<<CausewayFinding
	return id != Other && uint64(no)&(1<<id) != 0
}

// fill reads from the socket and turns its failure into a BodyError.
func (c *conn) fill(p []byte, limit time.Duration) (int, error) {
	for {
		began := clock()
		by := int64(0)
		if limit > 0 {
			by = began + int64(limit)
		}
		n, err := c.sock.readNudged(p, by)
		switch {
		case err == nil && n > 0:
			c.sock.share()
			if c.sock.rd.again || c.sock.rc == nil {
				c.body.pace.add(clock()-began, int64(n))
				if c.body.pace.tooSlow(c.o) && !(c.req.Length < 0 && c.body.answered.Load()) {
					return 0, c.bodyFailed("slow", "", limit)
				}
			}
			return n, nil
		case err == errNudged && !c.body.stopped.Load():
			continue // it was meant for a read that had already ended
		case err == errNudged && c.body.read == 0:
			// Nothing is lost: another attempt may read the body from its start.
			c.body.stopped.Store(false)
			return 0, &BodyError{Reason: "stopped", Want: c.req.Length, Limit: limit}
		case err == errNudged:
			return 0, c.bodyFailed("stopped", "", limit)
		case err == errTimeout:
			return 0, c.bodyFailed("timeout", "", limit)
		}
		return 0, c.bodyFailed("aborted", "", limit)
	}
}

func (c *conn) bodyFailed(reason, detail string, limit time.Duration) error {
	c.body.failed.Store(true)
	c.body.err = &BodyError{
		Reason: reason, Detail: detail, Got: c.body.read, Want: c.req.Length, Limit: limit,
		Waited: time.Duration(c.body.pace.waited), Rate: c.o.MinRate,
	}
	return c.body.err
}

// BodyError implements Exchange.
func (c *conn) BodyError() *BodyError { return c.body.err }

// StopReading implements Exchange.
func (c *conn) StopReading() {
	c.body.stopped.Store(true)
	c.sock.nudge()
}
