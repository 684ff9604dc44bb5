package wire

import (
	"bytes"
	"crypto/tls"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"
)

// States of a connection, for draining.
const (
	stateIdle int32 = iota
	stateActive
	stateDraining
	stateClosed
)

// conn is one caller's HTTP/1.x connection and, at the same time, the Exchange of the call that
// it serves.
type conn struct {
	door       *Door
	o          *DoorOptions // as they were when it was accepted
	sock       sock
	tls        *tls.ConnectionState
	remote     netip.AddrPort
	local      netip.AddrPort
	ipText     string // of remote
	fd         int32  // as known to the watcher, -1 when it does not watch this connection
	oneTooMany bool   // it is only told so
	serial     uint32 // tells this connection from an earlier one with the same descriptor
	state      atomic.Int32

	buf  []byte // bytes read: buf[r:w] are not spent; nil while idle
	r, w int

	req     Request
	trailer Header
	refusal Refusal
	headErr HeadError
	began   time.Time

	body     bodyState
	answer   answerState
	hijacked bool

	mu       sync.Mutex // guards the four below
	h2       *h2Peer    // when it speaks HTTP/2: the calls are that one's
	watched  Canceller
	gone     bool
	draining bool
}

// bodyState is how far the request's body has been read.
type bodyState struct {
	left     int64 // of a declared length
	chunked  chunked
	done     bool
	read     int64
	failed   atomic.Bool
	stopped  atomic.Bool
	wants    bool        // 100 (Continue) is still to be sent
	answered atomic.Bool // the answer to a body of unknown length has begun: it may be a conversation
	pace     pace
	// ownBuffer is true when the connection's buffer holds nothing of the request's head.
	ownBuffer bool
	err       *BodyError
}

// serve runs the connection until it ends.
func (c *conn) serve() {
	defer c.close()
	if c.o.Preamble != nil && c.o.Preamble.Wants(c.remote.Addr()) && !c.preamble() {
		return
	}
	if !c.handshake() {
		return
	}
	if c.o.h2 != nil && c.tls != nil && c.tls.NegotiatedProtocol == http2.NextProtoTLS {
		c.serveHTTP2()
		return
	}
	for first := true; ; first = false {
		ok := c.await(first)
		if !ok {
			return
		}
		if first && c.startsHTTP2() {
			c.serveHTTP2()
			return
		}
		keep := c.call()
		if c.hijacked {
			return
		}
		if !keep {
			c.linger()
			return
		}
		c.compact()
		if c.r == c.w {
			if !c.state.CompareAndSwap(stateActive, stateIdle) {
				return
			}
			if c.door.isDraining() {
				c.drain() // Shutdown passed by while the call was in progress
			}
		}
	}
}

// handshake completes TLS before anything is read, within the limit for a head.
func (c *conn) handshake() bool {
	tc, ok := c.sock.nc.(*tls.Conn)
	if !ok {
		return true
	}
	if c.o.ReadHeaderTimeout > 0 {
		_ = tc.SetDeadline(time.Now().Add(c.o.ReadHeaderTimeout))
	}
	tap, _ := tc.NetConn().(*alertTap)
	if err := tc.Handshake(); err != nil {
		if tap != nil {
			err = tap.plainAlert(err)
		}
		c.door.handshakeFailed(c.handshakeFailure(tc, err))
		nc := plainCaller(err)
		switch {
		case nc != nil:
			_, _ = nc.Write([]byte(plainOnTLS)) // said in the caller's own tongue; TLS it does not speak
		case saidWhy(err):
			// Under TLS 1.3 the first call follows the caller's certificate at once: it lies there unread, and would
			// turn our end into a reset that takes the alert along.
			nc = underlying(tc)
		default:
			return false
		}
		c.mu.Lock() // a door that drains looks at it
		c.sock.init(nc)
		c.mu.Unlock()
		c.linger()
		return false
	}
	if tap != nil {
		tap.done = true
	}
	_ = tc.SetDeadline(time.Time{})
	st := tc.ConnectionState()
	c.tls = &st
	return true
}

// silentFrom is how long a connection stands without a byte before its caller leaves, where that is worth counting: a
// load balancer that only looks whether we listen leaves at once.
const silentFrom = time.Second

// await waits for the first byte of the next call. It returns false when the connection is over.
func (c *conn) await(first bool) bool {
	if c.r < c.w {
		c.began = time.Now()
		return true
	}
	limit, from := c.o.IdleTimeout, int64(0)
	if first {
		limit, from = c.o.ReadHeaderTimeout, clock()
	}
	buf, n, err := c.sock.readFirst(c.limit(limit))
	drained := err == errCancelled
	if drained {
		buf, n, err = c.lastRead()
	}
	if n == 0 || err != nil {
		if buf != nil {
			putBuffer(buf)
		}
		switch {
		case drained && err == errTimeout:
			c.linger() // a call that is on its way finds an end there, not a reset
		case c.o.OnSilent != nil && !drained && (err == errTimeout || first && clock()-from >= int64(silentFrom)):
			c.o.OnSilent(c.remote, !first)
		}
		return false
	}
	if !c.state.CompareAndSwap(stateIdle, stateActive) {
		// The door is draining and was about to end this idle connection; it serves one more call.
		c.mu.Lock()
		c.sock.uncancel()
		c.state.Store(stateActive)
		c.mu.Unlock()
	}
	c.buf, c.r, c.w = buf, 0, n
	c.began = time.Now()
	return true
}

// lastRead looks once more for a call that arrived while the door began to drain.
func (c *conn) lastRead() (buf []byte, n int, err error) {
	c.mu.Lock()
	c.sock.uncancel()
	c.mu.Unlock()
	return c.sock.readFirst(clock() + int64(time.Millisecond))
}

// drain ends the connection if it is idle, and tells whether it was.
func (c *conn) drain() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.h2 != nil {
		c.h2.drain()
		return true
	}
	if !c.state.CompareAndSwap(stateIdle, stateDraining) {
		return false
	}
	c.sock.cancel()
	return true
}

func (c *conn) limit(d time.Duration) int64 {
	if d <= 0 {
		return 0
	}
	return clock() + int64(d)
}

// compact moves what a pipelining caller sent ahead to the buffer's start, or gives the buffer back.
func (c *conn) compact() {
	if c.r == c.w {
		putBuffer(c.buf)
		c.buf, c.r, c.w = nil, 0, 0
		c.answer.free()
		return
	}
	if c.r > 0 {
		copy(c.buf, c.buf[c.r:c.w])
		c.r, c.w = 0, c.w-c.r
	}
}

// call reads one head, serves the call, and tells whether the connection can go on.
func (c *conn) call() (keep bool) {
	c.reset()
	if !c.readHead() {
		return false
	}
	c.body.wants = c.req.Continue
	c.body.left = c.req.Length
	c.body.done = c.req.Length == 0
	c.o.Handler.Serve(c)
	return c.finish()
}

func (c *conn) reset() {
	c.body.left, c.body.chunked, c.body.done, c.body.read = 0, chunked{}, true, 0
	c.body.wants, c.body.err, c.body.ownBuffer, c.body.pace = false, nil, false, pace{}
	c.body.failed.Store(false)
	c.body.stopped.Store(false)
	c.sock.stint = Stint{} // many short bodies are no long work
	if c.body.answered.Load() {
		c.body.answered.Store(false)
	}
	c.answer.reset()
	if len(c.trailer.Fields) > 0 {
		c.trailer.Reset()
	}
}

// readHead reads until the head is complete and parses it. When it returns false the call was
// refused or the connection has ended.
func (c *conn) readHead() bool {
	limits := c.o.Limits
	scanned := 0
	c.req.clear()
	for {
		head := c.buf[c.r:c.w]
		if len(head) > 0 && head[0] == 0x16 && scanned == 0 {
			// A TLS record: nobody there would understand a word.
			c.headErr = HeadError{Part: "request line", Reason: "a TLS handshake came on a plain HTTP address", Status: 400}
			return c.refuse(Refusal{Reason: RefuseMalformed, Head: &c.headErr})
		}
		if end := HeadEnd(head, scanned); end > 0 {
			if end > limits.Head {
				return c.refuseSize(end)
			}
			if err := ParseRequest(head[:end:end], limits, &c.req); err != nil {
				c.headErr = *err
				return c.refuse(refusalOf(&c.headErr))
			}
			c.r += end
			return true
		}
		if len(head) > limits.Head {
			return c.refuseSize(len(head))
		}
		if scanned == 0 && bytes.IndexByte(head, '\n') >= 0 {
			// A request line that cannot be one is refused before the rest comes: whoever speaks
			// something else waits for a word.
			if _, err := parseRequestLine(head, &c.req); err != nil {
				c.headErr = *err
				return c.refuse(refusalOf(&c.headErr))
			}
		}
		scanned = len(head)
		c.grow(limits.Head)
		n, err := c.sock.read(c.buf[c.w:], c.headLimit())
		if n == 0 || err != nil {
			if err == errTimeout {
				return c.refuse(Refusal{
					Reason: RefuseHeadTimeout, Limit: "server.read_header_timeout",
					Value: c.o.ReadHeaderTimeout.String(), After: time.Since(c.began),
				})
			}
			return false
		}
		c.w += n
	}
}

func (c *conn) headLimit() int64 {
	if c.o.ReadHeaderTimeout <= 0 {
		return 0
	}
	return clock() + int64(c.o.ReadHeaderTimeout-time.Since(c.began))
}

func refusalOf(err *HeadError) Refusal {
	r := Refusal{Reason: RefuseMalformed, Head: err}
	switch err.Status {
	case 431:
		r.Reason, r.Limit = RefuseHeadTooBig, "header fields"
	case 505:
		r.Reason = RefuseVersion
	case 417:
		r.Reason = RefuseExpectation
	case 501:
		r.Reason = RefuseCoding
	}
	return r
}

func (c *conn) refuseSize(seen int) bool {
	return c.refuse(Refusal{Reason: RefuseHeadTooBig, Limit: "server.max_header", Value: sizeText(c.o.Limits.Head), Seen: sizeText(seen)})
}

// refuse lets the handler answer a call whose head is no good. The connection ends afterwards.
func (c *conn) refuse(r Refusal) bool {
	c.refusal = r
	c.refusal.After = time.Since(c.began)
	c.req.Close = true
	c.body.done = true // whatever follows is not a body that we know the bounds of
	if c.req.Header.Fields == nil {
		c.req.Header.Reset()
	}
	c.sock.lane.refusal(c)
	c.o.Handler.Refuse(c, &c.refusal)
	c.flushQuietly()
	return false
}

// grow makes room in the buffer for more of the head.
func (c *conn) grow(limit int) {
	if c.w < len(c.buf) {
		return
	}
	if c.r > 0 {
		copy(c.buf, c.buf[c.r:c.w])
		c.r, c.w = 0, c.w-c.r
		return
	}
	size := len(c.buf) * 4
	if size > limit+1 && len(c.buf) < limit+1 {
		size = max(limit+1, len(c.buf)+1)
	}
	bigger := getBuffer(size)
	copy(bigger, c.buf[:c.w])
	putBuffer(c.buf)
	c.buf = bigger
}

// finish ends the call: the body is drained if that is cheap, and the connection kept if both
// sides can keep it.
func (c *conn) finish() bool {
	if c.hijacked {
		return false
	}
	a := &c.answer
	if !a.ended || a.failed {
		// Cut: the caller must see that the answer is not whole.
		c.Abort()
		return false
	}
	if a.close || c.body.failed.Load() || c.body.stopped.Load() {
		return false
	}
	if !c.body.done && !c.drainBody() {
		return false
	}
	return true
}

// drainBody reads the rest of a body that nobody wanted, if it is short.
func (c *conn) drainBody() bool {
	const most = 64 << 10
	if c.body.wants || c.body.left > most {
		return false
	}
	scratch := getBuffer(smallBuffer)
	defer putBuffer(scratch)
	for total := 0; total < most; {
		n, err := c.ReadBody(scratch, time.Second)
		if err != nil {
			return c.body.done
		}
		total += n
	}
	return false
}

// How long a connection is read on after our last answer: in all, and without a byte.
const (
	lingerFor     = 10 * time.Second
	lingerSilence = 2 * time.Second
	// lingerDraining is the longest while the door drains.
	lingerDraining = 200 * time.Millisecond
)

// linger closes our side first and reads on for a moment, so that a reset caused by unread bytes
// does not destroy an answer on its way (RFC 9112 section 9.6). It counts time and not bytes: a
// caller that sends all of a large body before it looks for an answer finds it then.
func (c *conn) linger() {
	if c.answer.aborted || c.answer.failed {
		return
	}
	half, ok := c.sock.nc.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	scratch := getBuffer(mediumBuffer)
	defer putBuffer(scratch)
	for until := clock() + int64(lingerFor); clock() < until; {
		if c.door.isDraining() {
			until = min(until, clock()+int64(lingerDraining))
		}
		n, err := c.sock.read(scratch, min(until, clock()+int64(lingerSilence)))
		if n == 0 || err != nil {
			return
		}
		c.sock.share()
	}
}

func (c *conn) close() {
	c.state.Store(stateClosed)
	c.door.forget(c)
	if c.buf != nil && !c.hijacked {
		putBuffer(c.buf)
		c.buf = nil
	}
	c.answer.free()
	if !c.hijacked {
		_ = c.sock.nc.Close()
	}
}

// callerGone is called by the watcher when the peer has closed or reset.
func (c *conn) callerGone() { c.cancelCall(ReasonCallerGone) }

func (c *conn) cancelCall(why Reason) {
	c.mu.Lock()
	if why == ReasonCallerGone {
		c.gone = true
	} else {
		c.draining = true
	}
	if w := c.watched; w != nil {
		c.watched = nil
		w.Cancel(why)
	}
	h2 := c.h2
	c.mu.Unlock()
	if h2 != nil && why == ReasonDrain {
		h2.cancelAll(why) // a caller who leaves is noticed by whoever reads
	}
}

// Watch implements Exchange.
func (c *conn) Watch(w Canceller) {
	c.mu.Lock()
	switch {
	case c.gone:
		w.Cancel(ReasonCallerGone)
	case c.draining:
		w.Cancel(ReasonDrain)
	default:
		c.watched = w
	}
	c.mu.Unlock()
}

// Unwatch implements Exchange.
func (c *conn) Unwatch() {
	c.mu.Lock()
	c.watched = nil
	c.mu.Unlock()
}

// Gone implements Exchange.
func (c *conn) Gone() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.gone
}

// Works implements Worker.
func (c *conn) Works() string {
	if !c.remote.IsValid() {
		return "a Unix socket"
	}
	return c.remote.String()
}

// The plain parts of Exchange.
func (c *conn) Request() *Request         { return &c.req }
func (c *conn) Protocol() string          { return protocols[c.req.Minor&1] }
func (c *conn) Began() time.Time          { return c.began }
func (c *conn) Remote() netip.AddrPort    { return c.remote }
func (c *conn) RemoteIP() string          { return c.ipText }
func (c *conn) Local() netip.AddrPort     { return c.local }
func (c *conn) TLS() *tls.ConnectionState { return c.tls }
func (c *conn) Trailer() *Header          { return &c.trailer }
func (c *conn) BytesIn() int64            { return c.body.read }
func (c *conn) BytesOut() int64           { return c.answer.out }
func (c *conn) Started() bool             { return c.answer.started }
func (c *conn) Close()                    { c.req.Close = true }
func (c *conn) WriteLimit(d time.Duration) {
	c.answer.limit = d
}

var protocols = [2]string{"HTTP/1.0", "HTTP/1.1"}

func addrPort(a net.Addr) netip.AddrPort {
	if t, ok := a.(*net.TCPAddr); ok {
		ap := t.AddrPort()
		// A zone means something on this machine alone, and no network has one.
		return netip.AddrPortFrom(ap.Addr().Unmap().WithZone(""), ap.Port())
	}
	return netip.AddrPort{}
}
