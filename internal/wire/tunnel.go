package wire

import (
	"bytes"
	"io"
	"sync/atomic"
	"syscall"
	"time"
)

// Tunnel is one side of a connection taken over after an upgrade, and the bytes that were read from it
// and not yet used.
type Tunnel struct {
	side
	ahead []byte
}

// Close closes the connection, or the stream. It may be called by anyone, and more than once.
func (t *Tunnel) Close() { t.close() }

// side is what a tunnel reads from and writes to: a socket, or a stream of HTTP/2. One goroutine may
// read while another writes; stop and close may be called by anyone.
type side interface {
	// next waits until the time by (0: for ever) for bytes and returns them; give takes them back. Its
	// errors are io.EOF, errTimeout, errCancelled and the transport's own. A side that waits holds no
	// buffer, so that an idle tunnel costs its two goroutines and little else.
	next(by int64) ([]byte, error)
	give(p []byte)
	// write writes p whole. limit is the longest time during which not one byte may be taken.
	write(p []byte, limit time.Duration) (int, error)
	// closeWrite ends our half and tells whether that is possible.
	closeWrite() bool
	// stop makes the next in progress, and every later one, return errCancelled, and bounds a write.
	stop()
	close()
}

// sockSide is a side that has a socket to itself.
type sockSide struct {
	sock  *sock
	below syscall.RawConn // to wait on, below TLS if there is any; nil where there is no descriptor

	size    int   // of the next buffer: it follows what the reads before it found
	armed   int64 // when the read deadline that is set fires, 0 none
	holds   bool  // TLS may have bytes that the kernel does not know of
	stopped atomic.Bool

	// The arguments and results of the system call below; the closures are made once.
	buf    []byte
	n      int
	errno  syscall.Errno
	readFn func(fd uintptr) bool
	waitFn func(fd uintptr) bool
}

// newTunnel takes over the connection of s. ahead is copied.
func newTunnel(s *sock, ahead []byte) *Tunnel {
	t := &sockSide{sock: s, below: s.below(), size: smallBuffer}
	s.readAt, s.writeSet = 0, false
	_ = s.nc.SetDeadline(time.Time{})
	t.readFn, t.waitFn = t.read, t.wait
	return &Tunnel{side: t, ahead: bytes.Clone(ahead)}
}

// Hijack implements Exchange.
func (c *conn) Hijack() (*Tunnel, error) {
	if c.hijacked || c.answer.ended {
		return nil, errAnswerOver
	}
	if err := c.Flush(); err != nil {
		return nil, err
	}
	c.hijacked = true
	c.answer.free()
	return newTunnel(&c.sock, c.buf[c.r:c.w]), nil
}

func (t *sockSide) close() { _ = t.sock.nc.Close() }

func (t *sockSide) stop() {
	t.stopped.Store(true)
	_ = t.sock.nc.SetReadDeadline(time.Unix(1, 0))
	_ = t.sock.nc.SetWriteDeadline(time.Now().Add(stopGrace))
}

// stopGrace is how long a write to a side that takes nothing may last once the tunnel is stopped.
const stopGrace = 500 * time.Millisecond

func (t *sockSide) isStopped() bool { return t.stopped.Load() || t.sock.cancelled.Load() }

func (t *sockSide) closeWrite() bool {
	half, ok := t.sock.nc.(interface{ CloseWrite() error })
	return ok && half.CloseWrite() == nil
}

func (t *sockSide) write(p []byte, limit time.Duration) (int, error) {
	return t.sock.write(p, nil, limit, 0)
}

func (t *sockSide) give(p []byte) { putBuffer(p) }

func (t *sockSide) next(by int64) ([]byte, error) {
	if t.holds {
		if p, err := t.held(); len(p) > 0 || err != nil {
			return p, err
		}
	}
	for {
		if by != 0 && (t.armed == 0 || t.armed > by) {
			t.armed = by
			_ = t.sock.nc.SetReadDeadline(clockTime(by))
		}
		if t.isStopped() {
			return nil, errCancelled
		}
		p, err := t.once()
		if len(p) > 0 || err == nil {
			return p, nil
		}
		if !isTimeout(err) {
			return nil, err
		}
		if t.isStopped() {
			return nil, errCancelled
		}
		if by != 0 && clock() >= by {
			return nil, errTimeout
		}
		// It fired for an earlier limit, which no longer holds.
		if t.armed = 0; by == 0 {
			_ = t.sock.nc.SetReadDeadline(time.Time{})
		}
	}
}

// once waits and reads one time, until the deadline that is set.
func (t *sockSide) once() ([]byte, error) {
	switch {
	case t.sock.rc != nil:
		if err := t.sock.rc.Read(t.readFn); err != nil {
			return nil, err
		}
		p := t.buf
		t.buf = nil
		if t.errno == 0 && t.n > 0 {
			t.fit(len(p))
			return p[:t.n], nil
		}
		putBuffer(p)
		if t.errno != 0 {
			return nil, t.errno
		}
		return nil, io.EOF
	case t.below != nil:
		if err := t.below.Read(t.waitFn); err != nil {
			return nil, err
		}
	}
	return t.into(getBuffer(mediumBuffer))
}

// into reads through the connection's own Read.
func (t *sockSide) into(buf []byte) ([]byte, error) {
	n, err := t.sock.nc.Read(buf)
	if n > 0 {
		t.holds = t.below != nil
		return buf[:n], nil
	}
	putBuffer(buf)
	if err == nil {
		err = io.EOF
	}
	return nil, err
}

// held reads what TLS has taken from the socket already, such as a second record of one segment. It
// does not wait.
func (t *sockSide) held() ([]byte, error) {
	_ = t.sock.nc.SetReadDeadline(time.Unix(1, 0))
	p, err := t.into(getBuffer(mediumBuffer))
	if len(p) == 0 && isTimeout(err) {
		t.holds, err = false, nil
	}
	t.armed = 0
	_ = t.sock.nc.SetReadDeadline(time.Time{}) // a stop that came between is seen before the next wait
	return p, err
}

func (t *sockSide) read(fd uintptr) bool {
	p := getBuffer(t.size)
	if t.n, t.errno = sysRead(fd, p); t.errno == syscall.EAGAIN {
		putBuffer(p)
		return false
	}
	t.buf = p
	return true
}

func (t *sockSide) wait(fd uintptr) bool { return sysPending(fd) }

// fit makes the buffer of the next read large where this one was filled, and small again where a
// quarter would have done. had is the length of this one's.
func (t *sockSide) fit(had int) {
	switch {
	case t.n == had:
		t.size = min(4*had, largeBuffer)
	case t.n < had/4:
		t.size = max(had/4, smallBuffer)
	}
}

func isTimeout(err error) bool {
	t, ok := err.(interface{ Timeout() bool })
	return ok && t.Timeout()
}
