package wire

//lint:file-ignore SA1019 see h2door.go

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"
)

// h2Peer is a caller's HTTP/2 connection. To x/net it is the socket and the handler of the calls;
// to the door it is a connection like another.
type h2Peer struct {
	c    *conn
	door *h2Door

	// Of x/net's reading goroutine.
	buf    []byte // bytes read: buf[r:w] are not handed on; nil while there are none
	r, w   int
	guard  h2Guard
	screen *h2Screen
	// Streams that were opened and did not become calls, and calls that were refused: how many there were
	// in all when the second began that they are counted in.
	broken, brokenSince int64
	slowed              bool  // in that second
	slowedFor           int   // seconds before it
	opened              int64 // streams that the door has counted

	// Of whoever writes, one at a time.
	wmu      sync.Mutex
	sent     h2Sent
	outgoing h2Out

	special atomic.Int64           // how many streams has
	begun   atomic.Int64           // calls
	refused atomic.Int64           // of them, those that were none
	spoke   atomic.Bool            // a stream was opened
	over    atomic.Bool            // the connection has ended, or is about to
	fatal   atomic.Pointer[string] // why the door ends it
	idled   atomic.Bool            // it had no call for as long as it may have none

	done chan struct{} // closed when x/net has ended

	mu        sync.Mutex
	idle      sync.Cond // there are no calls
	tally     h2Tally   // what sent has counted since the guard last looked
	calls     map[*h2Exchange]struct{}
	heads     map[uint32]*h2Opened // of streams that have not ended
	waiting   int                  // what those hold that no call has taken
	goneAway  bool                 // GOAWAY went out
	quiet     int64                // since when there are no calls
	sleeper   *time.Timer          // calls rested; nil where an idle connection is kept for ever
	streams   map[uint32]*h2Stream
	resetByUs []uint32 // streams that we reset lately, for which a trailer may be on its way
	closed    bool     // x/net has ended: a call that comes now is nobody's
	cut       Reason   // calls that begin are cancelled for it
	second    int64
	resets    int // calls given up by the caller in that second
}

// serveHTTP2 serves a connection whose preface is in c.buf, or is to come after TLS. It returns when
// the connection and all its calls have ended.
func (c *conn) serveHTTP2() {
	p := &h2Peer{c: c, door: c.o.h2, calls: map[*h2Exchange]struct{}{}, heads: map[uint32]*h2Opened{}, done: make(chan struct{})}
	p.screen = newH2Screen(p)
	p.idle.L = &p.mu
	p.buf, p.r, p.w = c.buf, c.r, c.w
	c.buf = nil
	now := clock()
	p.guard = h2Guard{most: p.door.o.MaxControl, preface: len(h2Preface), since: now, second: now}
	p.guard.feed(p.buf[p.r:p.w], now, h2Tally{})
	p.countOpened()
	c.door.h2.connections.Add(1)

	c.mu.Lock()
	if c.state.Swap(stateActive) == stateDraining {
		c.sock.uncancel() // it was about to be ended as an idle one; it is told so first
	}
	c.h2 = p
	c.mu.Unlock()
	if c.door.isLeaving() {
		p.drain() // Shutdown may have passed by before it could be seen
	}
	c.sock.mayNudge = true
	defer func() {
		close(p.done)
		p.mu.Lock()
		p.closed = true
		if p.sleeper != nil {
			p.sleeper.Stop()
		}
		for len(p.calls) > 0 {
			p.idle.Wait()
		}
		p.mu.Unlock()
		// buf is left to x/net's reading goroutine, which may be in its last Read.
	}()
	var nc net.Conn = p
	if c.tls != nil {
		nc = h2Secure{p}
	}
	p.quiet = now
	if d := c.o.IdleTimeout; d > 0 {
		p.mu.Lock()
		p.sleeper = time.AfterFunc(d, p.rested)
		p.mu.Unlock()
	}
	p.door.server.ServeConn(nc, &http2.ServeConnOpts{Handler: p, BaseConfig: p.door.base})
	p.tellIdle()
}

// rested is called when there may have been no call for as long as there may be none. x/net could see to that by itself;
// but its timer is set anew by the streams that end with their connection, and would keep all of a connection that
// ended in the middle of a call in memory until it fires.
func (p *h2Peer) rested() {
	if p.isIdle() {
		p.idled.Store(true)
		p.c.sock.nudge() // the reader tells x/net
	}
}

// isIdle tells whether there has been no call for as long as there may be none, and sees to it that rested is called again
// where there has not.
func (p *h2Peer) isIdle() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.calls) > 0 {
		return false // its end, or that of the last call, is what counts
	}
	left := time.Duration(p.quiet + int64(p.c.o.IdleTimeout) - clock())
	if len(p.heads) > 0 {
		left = p.c.o.IdleTimeout // a call is about to begin
	}
	if left > 0 {
		p.sleeper.Reset(left)
		return false
	}
	return true
}

// tellIdle says of a connection that has ended whether that was because no call was on it for as long as there may be
// none, which x/net doesn't say, or whether it had none at all.
func (p *h2Peer) tellIdle() {
	o := p.c.o
	if o.OnSilent == nil || p.fatal.Load() != nil || p.c.door.isDraining() {
		return
	}
	p.mu.Lock()
	quiet := clock() - p.quiet
	over := len(p.calls) == 0 && (o.IdleTimeout > 0 && quiet >= int64(o.IdleTimeout) || !p.spoke.Load() && quiet >= int64(silentFrom))
	p.mu.Unlock()
	if over {
		o.OnSilent(p.c.remote, p.begun.Load() > 0)
	}
}

// h2Secure adds what x/net asks a TLS connection for.
type h2Secure struct{ *h2Peer }

// ConnectionState is what the handshake agreed on.
func (s h2Secure) ConnectionState() tls.ConnectionState { return *s.c.tls }

// Read implements net.Conn for x/net, which reads a frame's head and then its payload. What a caller
// may not do any more comes out as a connection error, which x/net turns into GOAWAY.
func (p *h2Peer) Read(b []byte) (int, error) {
	s := p.screen
	for {
		switch {
		case s.at < len(s.out):
			n := copy(b, s.out[s.at:])
			if s.at += n; s.at == len(s.out) {
				s.out, s.at = s.out[:0], 0
			}
			return n, nil
		case s.err != nil:
			return 0, p.ended(s.err)
		case p.r == p.w:
			n, err := p.fill(b, len(b) >= smallBuffer && s.pass >= len(b))
			if s.pass -= n; n > 0 || err != nil {
				return n, err
			}
		case s.pass > 0:
			n := copy(b, p.buf[p.r:min(p.w, p.r+s.pass)])
			s.pass -= n
			p.used(n)
			return n, nil
		default:
			p.used(s.consume(p.buf[p.r:p.w]))
		}
	}
}

// used gives the buffer back when all of it has been used.
func (p *h2Peer) used(n int) {
	if p.r += n; p.r == p.w {
		putBuffer(p.buf)
		p.buf, p.r, p.w = nil, 0, 0
	}
}

// fill reads from the socket: straight into b, or into a buffer that is held only while it has bytes.
func (p *h2Peer) fill(b []byte, direct bool) (int, error) {
	if why := p.fatal.Load(); why != nil {
		return 0, p.ended(http2.ConnectionError(http2.ErrCodeEnhanceYourCalm))
	}
	if p.idled.Swap(false) && p.isIdle() {
		return 0, p.ended(http2.ConnectionError(http2.ErrCodeNo)) // GOAWAY, and the end a second later
	}
	p.slowDown()
	by := int64(0)
	if limit := p.c.o.ReadHeaderTimeout; limit > 0 && p.guard.waiting() {
		by = p.guard.since + int64(limit)
	}
	var n int
	var err error
	if direct {
		n, err = p.c.sock.read(b, by)
	} else {
		p.buf, n, err = p.c.sock.readFirst(by)
		if n == 0 && p.buf != nil {
			putBuffer(p.buf)
			p.buf = nil
		}
	}
	switch {
	case err == errNudged:
		return p.fill(b, direct) // fatal says why
	case err == errTimeout:
		p.kill(h2HeaderTimeout)
		return p.fill(b, direct)
	case err != nil:
		return 0, p.ended(err)
	case n == 0:
		return 0, p.ended(io.EOF)
	}
	got := b
	if !direct {
		got = p.buf
	}
	now := clock()
	p.guard.feed(got[:n], now, p.takeTally())
	p.countOpened()
	switch {
	case p.guard.flooded():
		p.kill(h2ControlFlood)
	case p.guard.resets > p.door.o.MaxResets:
		p.kill(h2RapidReset)
	case p.breaksTooMuch(now):
		p.kill(h2BrokenRequests)
	default:
		if direct {
			return n, nil
		}
		p.r, p.w = 0, n
		return 0, nil
	}
	if !direct {
		putBuffer(p.buf)
		p.buf = nil
	}
	return p.fill(b, direct)
}

func (p *h2Peer) takeTally() (t h2Tally) {
	p.mu.Lock()
	t, p.tally = p.tally, t
	p.mu.Unlock()
	return t
}

// countOpened counts the streams that the guard has seen.
func (p *h2Peer) countOpened() {
	if n := p.guard.opened - p.opened; n > 0 {
		p.opened += n
		p.spoke.Store(true)
		p.c.door.h2.opened.Add(n)
	}
}

// breaksTooMuch tells whether more streams of a second than MaxResets were malformed. Those that x/net
// has not handed on yet are among what it counts, which are as many as may be open.
func (p *h2Peer) breaksTooMuch(now int64) bool {
	return p.brokenStreams(now) > int64(p.door.o.MaxResets+p.door.o.MaxStreams)
}

// brokenStreams counts the streams of this second that became no calls.
func (p *h2Peer) brokenStreams(now int64) int64 {
	n := p.opened - p.begun.Load() + p.refused.Load()
	if now-p.brokenSince >= 1e9 {
		if p.slowedFor++; !p.slowed {
			p.slowedFor = 0
		}
		p.broken, p.brokenSince, p.slowed = n, now, false
	}
	return n - p.broken
}

// slowDown makes a caller wait that breaks or gives up many calls, before more of it is read: what it
// asks for costs more than it pays, long before it is so much that its connection ends. One that goes
// on like this for some seconds is ended as well.
func (p *h2Peer) slowDown() {
	if p.trouble() <= h2Patience {
		return
	}
	p.pause(time.Millisecond) // calls that are about to begin do so
	n := p.trouble()
	if n <= h2Patience {
		return
	}
	p.tellSlowed()
	if p.slowedFor >= h2SlowedFor {
		why := h2RapidReset
		if p.brokenStreams(clock()) > n/2 {
			why = h2BrokenRequests
		}
		p.kill(why)
		return
	}
	p.pause(min(time.Duration(n/h2Patience)*100*time.Millisecond, time.Second))
}

// tellSlowed tells of it once in a second. It is x/net's reading goroutine's.
func (p *h2Peer) tellSlowed() {
	if !p.slowed {
		p.slowed = true
		p.c.door.tellHTTP2(p.c.o, h2Slowed, p.c.ipText)
	}
}

// pause waits, but not longer than x/net serves the connection.
func (p *h2Peer) pause(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-p.done:
	}
}

// trouble is how many calls of this second were given up, or were none.
func (p *h2Peer) trouble() int64 {
	now := clock()
	resets := 0
	if now-p.guard.second < 1e9 {
		resets = p.guard.resets
	}
	p.mu.Lock()
	if now-p.second < 1e9 {
		resets = max(resets, p.resets) // the same ones, or those that a fault of the stream's ended
	}
	p.mu.Unlock()
	return p.brokenStreams(now) + int64(max(resets, 0))
}

const (
	// h2Patience is how many calls a caller may give up or break in a second before it is slowed down,
	// and h2SlowedFor how many such seconds may follow one another.
	h2Patience  = 16
	h2SlowedFor = 3
	// h2Young is the age of a call that was given up for another reason than that it took long. Callers
	// whose own limits fire, all at once when an upstream hangs, are no attackers.
	h2Young = 100 * time.Millisecond
)

func (p *h2Peer) ended(err error) error {
	p.over.Store(true)
	return err
}

// Write implements net.Conn for x/net. It fails when the peer takes no byte for too long.
func (p *h2Peer) Write(b []byte) (int, error) {
	p.wmu.Lock()
	defer p.wmu.Unlock()
	p.sent.feed(b)
	_, err := p.c.sock.write(p.outgoing.rewrite(p, b), nil, p.door.stalled(), 0)
	p.mu.Lock()
	p.tally.control += p.sent.tally.control
	p.tally.provoked += p.sent.tally.provoked
	p.tally.ends += p.sent.tally.ends
	p.mu.Unlock()
	p.sent.tally = h2Tally{}
	if err != nil {
		if err == errTimeout {
			p.note(h2WriteStall)
		}
		return 0, err
	}
	return len(b), nil
}

// The rest of net.Conn.
func (p *h2Peer) Close() error                       { return p.c.sock.nc.Close() }
func (p *h2Peer) LocalAddr() net.Addr                { return p.c.sock.nc.LocalAddr() }
func (p *h2Peer) RemoteAddr() net.Addr               { return p.c.sock.nc.RemoteAddr() }
func (p *h2Peer) SetDeadline(t time.Time) error      { return p.c.sock.nc.SetDeadline(t) }
func (p *h2Peer) SetReadDeadline(t time.Time) error  { return p.c.sock.nc.SetReadDeadline(t) }
func (p *h2Peer) SetWriteDeadline(t time.Time) error { return p.c.sock.nc.SetWriteDeadline(t) }

// kill ends the connection with GOAWAY (ENHANCE_YOUR_CALM). Calls on it are cancelled at once; x/net
// closes it a second later, so that the caller can read why.
func (p *h2Peer) kill(why string) {
	if !p.note(why) {
		return
	}
	p.c.sock.nudge()
	p.cancelAll(ReasonCallerGone)
}

// note counts why the connection ends, once.
func (p *h2Peer) note(why string) bool {
	if p.over.Load() || !p.fatal.CompareAndSwap(nil, &why) {
		return false
	}
	p.c.door.tellHTTP2(p.c.o, why, p.c.ipText)
	return true
}

// hangUp closes the socket under a write that does not end.
func (p *h2Peer) hangUp() {
	p.note(h2WriteStall)
	_ = underlying(p.c.sock.nc).Close()
}

// ServeHTTP serves one call, on a goroutine of x/net's.
func (p *h2Peer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id, _ := strconv.ParseUint(strings.TrimPrefix(r.RequestURI, "/"), 10, 32)
	head := p.take(uint32(id))
	if head == nil {
		panic(http.ErrAbortHandler) // it was reset in the meantime
	}
	x := &h2Exchange{p: p, began: time.Now(), ctx: r.Context(), w: w.(h2Writer), head: head, body: h2Body{src: r.Body, head: head}}
	if !p.enter(x) {
		panic(http.ErrAbortHandler)
	}
	if !p.serve(x) {
		panic(http.ErrAbortHandler) // RST_STREAM: nobody may take this for an end
	}
}

// serve tells whether the answer is whole.
func (p *h2Peer) serve(x *h2Exchange) bool {
	defer p.leave(x)
	defer x.leave()
	p.c.door.h2.calls.Add(1)
	x.attend()
	if p.givesUpMuch() {
		// This one may be given up as well, before it has cost anything.
		t := time.NewTimer(h2Doubt)
		defer t.Stop()
		select {
		case <-x.ctx.Done():
		case <-t.C:
		}
	}
	if x.ctx.Err() != nil {
		return false
	}
	if why := x.readHead(); why != nil {
		p.refused.Add(1)
		if why.Reason == RefuseMalformed {
			x.resetBehind()
		}
		p.c.o.Handler.Refuse(x, why)
	} else {
		p.c.o.Handler.Serve(x)
	}
	return x.whole()
}

// h2Doubt is how long a call waits before it begins where its caller gives up many.
const h2Doubt = 10 * time.Millisecond

func (p *h2Peer) givesUpMuch() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.resets > h2Patience && clock()-p.second < 1e9
}

func (p *h2Peer) enter(x *h2Exchange) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	x.cut = p.cut
	p.begun.Add(1)
	p.calls[x] = struct{}{}
	return true
}

func (p *h2Peer) leave(x *h2Exchange) {
	p.mu.Lock()
	delete(p.calls, x)
	delete(p.heads, x.head.id)
	if p.resets > 0 && x.whole() {
		p.resets--
	}
	if len(p.calls) == 0 {
		p.quiet = clock()
		if p.sleeper != nil && !p.closed {
			p.sleeper.Reset(p.c.o.IdleTimeout)
		}
		p.idle.Broadcast()
	}
	p.mu.Unlock()
}

// drain tells the caller to go elsewhere with further calls. x/net closes the connection when the
// calls in flight have ended and the caller could hear of it; one that x/net did not know yet, because
// it has had no call, is closed here. Answers that begin from now on say so again.
func (p *h2Peer) drain() {
	p.door.drain()
	time.AfterFunc(lingerDraining, func() {
		// After a call the end of its answer may still be on its way: x/net knows when it is not.
		if p.begun.Load() == 0 {
			_ = p.Close()
		}
	})
}

// cancelAll cancels the calls in flight, and those that are about to begin.
func (p *h2Peer) cancelAll(why Reason) {
	p.mu.Lock()
	p.cut = why
	calls := make([]*h2Exchange, 0, len(p.calls))
	for x := range p.calls {
		calls = append(calls, x)
	}
	p.mu.Unlock()
	for _, x := range calls {
		x.cancel(why)
	}
}

// gaveUp counts a call that the caller ended before its answer was whole, soon after it had begun.
func (p *h2Peer) gaveUp(began time.Time) {
	if p.over.Load() || time.Since(began) > h2Young {
		return // it is the connection that ended, or the call took long
	}
	p.mu.Lock()
	if now := clock(); now-p.second >= 1e9 {
		p.second, p.resets = now, 0
	}
	p.resets++
	tooMany := p.resets > p.door.o.MaxResets
	p.mu.Unlock()
	if tooMany {
		p.kill(h2RapidReset)
	}
}
