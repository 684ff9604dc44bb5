package wire

import (
	"bytes"
	"context"
	"crypto/tls"
	"sync"
	"sync/atomic"
	"time"

	"causeway/internal/journey"
)

// Call is what one attempt sends. Its slices must stay unchanged until the answer is released.
type Call struct {
	// Head is the whole request head, ready to be sent, up to and with the empty line.
	Head []byte
	// Body is a buffered body, sent right after the head. Nil when Stream is set.
	Body []byte
	// Stream is a body that is read while it is sent.
	Stream BodySource
	// Length is the body's length, LengthChunked for a stream of unknown length.
	Length int64
	IsHead bool // the method is HEAD
	// Upgrade is true when the caller asked for an upgrade, so that 101 may be answered.
	Upgrade bool
	// WebSocket is true when the upgrade is one to WebSocket, which HTTP/2 has as well (RFC 8441).
	WebSocket bool
	// Trailers is true when the caller said that it takes trailers (TE). Over HTTP/2 the upstream is
	// told; over HTTP/1.1 that is a matter of one connection.
	Trailers bool
	Limits   AttemptLimits
	// Inform, when not nil, is given each interim answer (1xx but 101).
	Inform Informer
	// Proxy is what a target with a ProxyHeader is told of the caller.
	Proxy ProxyAddresses
}

// Informer takes interim answers: an Exchange.
type Informer interface {
	Inform(status int, h *Header) error
}

// BodySource is a request body on its way: an Exchange.
type BodySource interface {
	ReadBody(p []byte, limit time.Duration) (int, error)
	StopReading()
	Trailer() *Header
}

// Watcher is told what a caller's leaving must cancel: an Exchange.
type Watcher interface {
	Watch(Canceller)
	Unwatch()
}

// AttemptLimits are the limits of one attempt; zero is off. Until is when the whole call must be
// over, on the clock of Now.
type AttemptLimits struct {
	Connect   time.Duration
	Send      time.Duration
	FirstByte time.Duration
	Idle      time.Duration
	Total     time.Duration // only to be named when Until is reached
	Until     int64
}

// Now is this package's clock, for AttemptLimits.Until: nanoseconds since the process began.
func Now() int64 { return clock() }

// At is what Now was, or will be, at t.
func At(t time.Time) int64 { return int64(t.Sub(base)) }

// Upcall is a connection to an upstream and the attempt that is made on it. Try returns one with
// the answer's head in Response; the body is read with Next; Release ends it. It is used by one
// goroutine; Cancel may be called by another.
type Upcall struct {
	origin *Origin
	sock   sock

	buf  []byte
	r, w int
	// want is how large the buffer for the next read of the body should be; 0 as it is. small counts reads in a row
	// that had to wait and brought little.
	want, small int

	Response Response
	trailer  Header
	chunked  chunked
	left     int64 // of a declared length
	done     bool  // the answer's end was reached
	eof      bool  // the connection's end was reached
	holdHead bool  // the head is still needed when the body is read on
	limits   AttemptLimits
	facts    *journey.Attempt
	lastByte int64

	upload *upload
	sent   bool // the last upload was whole
	unsent bool // a part of the buffered request was never sent
	watch  Watcher

	dialled   int64
	idleSince int64
	idleUntil int64
	waited    int64         // how long it had been idle before the call it serves
	keepFor   time.Duration // from the upstream's Keep-Alive: timeout
	uses      int
	addr      string
	resolved  *resolved // what its origin's name was known to be when it was last kept
	connected bool
	own       identity       // what the handshake showed of us
	h2        *h2call        // its stream, nil over HTTP/1.1
	alpn      *tls.Config    // what to shake hands with instead of the origin's own
	who       ProxyAddresses // that the connection was announced for

	mu       sync.Mutex
	reason   Reason
	stopDial context.CancelFunc
}

// upload is a request body being sent by a second goroutine.
type upload struct {
	done    chan struct{}
	stream  BodySource
	began   int64
	wrote   atomic.Int64  // body bytes on the wire
	movedAt atomic.Int64  // when some were last taken; over HTTP/2 only
	fullAt  atomic.Int64  // when the last byte was sent, 0 before
	failed  atomic.Bool   // the upstream took no more
	stalled atomic.Bool   // because it took nothing for the limit
	reset   atomic.Uint32 // because of a reset: its syscall.Errno
	out     int64         // bytes with framing; read after done
}

// Cancel implements Canceller: it ends the attempt at once, whatever it waits for.
func (u *Upcall) Cancel(why Reason) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.reason == ReasonNone {
		u.reason = why
	}
	if u.h2 != nil {
		wakeUp(u.h2.news)
	} else if u.stopDial != nil {
		u.stopDial()
	} else if u.connected {
		u.sock.cancel()
	}
}

// Why tells whether and why the attempt was cancelled.
func (u *Upcall) Why() Reason {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.reason
}

// Try makes one attempt: it takes a connection, sends the call and reads the answer's head. The
// facts are written to a as they become known. watch is told of the attempt before it begins, so
// that the caller's leaving cancels it, until Release. It returns nil when no answer came; a says why.
func (g *Origin) Try(call *Call, a *journey.Attempt, watch Watcher) *Upcall {
	if g.h2 != nil && (!call.Upgrade || call.WebSocket) {
		return g.h2.try(call, a, watch)
	}
	return g.tryHTTP1(call, a, watch)
}

func (g *Origin) tryHTTP1(call *Call, a *journey.Attempt, watch Watcher) *Upcall {
	a.Target = g.o.URL
	began := clock()
	var u *Upcall
	if g.o.ProxyHeader == 0 {
		u = g.take(began)
	} else {
		u = g.takeFor(call.Proxy)
	}
	if u != nil {
		a.Reused, a.ConnUses = true, u.uses
		u.waited = began - u.idleSince
		a.ConnIdle, a.ConnAge = time.Duration(u.waited), time.Duration(began-u.dialled)
		a.Address = u.address()
	} else {
		u = &Upcall{origin: g, who: call.Proxy}
	}
	u.begin(call, a)
	u.watch = watch
	watch.Watch(u)
	if !u.connected {
		by := call.Limits.Until
		limit, key := call.Limits.Connect, int64(0)
		if limit > 0 {
			key = began + int64(limit)
			if by == 0 || key < by {
				by = key
			}
		}
		if !u.dial(by, limit, a) {
			if a.End == journey.EndTimeout && call.Limits.Until != 0 && by == call.Limits.Until {
				timedOut(a, "total", call.Limits.Total)
			}
			a.Total = time.Duration(clock() - began)
			watch.Unwatch()
			u.discard()
			return nil
		}
	}
	return u.exchange(call, a, began)
}

// exchange sends the call on a connection and reads the answer's head; nil when none came.
func (u *Upcall) exchange(call *Call, a *journey.Attempt, began int64) *Upcall {
	ok := u.send(call, a, began) && u.readHead(call, a)
	a.Total = time.Duration(u.lastByte - began)
	if !ok {
		a.Total = time.Duration(clock() - began)
		u.watch.Unwatch()
		u.endUpload()
		u.ended()
		u.origin.died(a)
		u.discard()
		return nil
	}
	return u
}

func (u *Upcall) begin(call *Call, a *journey.Attempt) {
	u.facts, u.limits, u.holdHead = a, call.Limits, false
	u.chunked, u.left, u.done, u.eof, u.upload = chunked{}, 0, false, false, nil
	if len(u.trailer.Fields) > 0 {
		u.trailer.Reset()
	}
	u.uses++
	u.sock.stint = Stint{} // many short bodies are no long work
	u.lastByte, u.unsent = 0, false
	a.BodyOutLen = call.Length
}

func (u *Upcall) address() string {
	if u.sock.nc == nil || u.sock.nc.RemoteAddr() == nil {
		return ""
	}
	if u.origin.unix {
		return u.origin.name
	}
	if u.addr == "" {
		u.addr = u.sock.nc.RemoteAddr().String()
	}
	return u.addr
}

// by returns the end of a limit that begins now, not later than the whole call's.
func (u *Upcall) by(limit time.Duration) int64 { return u.byFrom(clock(), limit) }

func (u *Upcall) byFrom(now int64, limit time.Duration) int64 {
	at := u.limits.Until
	if limit > 0 {
		if t := now + int64(limit); at == 0 || t < at {
			at = t
		}
	}
	return at
}

// send writes the head and a buffered body, or starts sending a streamed one. began is when the
// attempt began, which on a kept-alive connection is now.
func (u *Upcall) send(call *Call, a *journey.Attempt, began int64) bool {
	a.Phase = journey.PhaseSend
	if !a.Reused {
		began = clock()
	}
	n, err := u.sock.write(call.Head, call.Body, call.Limits.Send, call.Limits.Until)
	a.BytesOut += int64(n)
	a.BodyOut = int64(max(n-len(call.Head), 0))
	if err != nil {
		// The upstream may have answered early and closed: its answer says more than our error.
		a.SendTime = time.Duration(clock() - began)
		if u.answeredEarly(err, a) {
			u.unsent = true
			return true
		}
		u.sendFailed(err, a)
		return false
	}
	if call.Stream != nil {
		u.startUpload(call)
		return true
	}
	now := clock()
	a.SendTime, a.SendComplete = time.Duration(now-began), true
	u.lastByte = now
	a.Phase = journey.PhaseWait
	return true
}

// answeredEarly tells whether a broken send left bytes of an answer to be read.
func (u *Upcall) answeredEarly(err error, a *journey.Attempt) bool {
	if !isReset(err) && err != errTimeout {
		return false
	}
	u.fillBuffer()
	n, rerr := u.sock.read(u.buf[u.w:], clock()+int64(50*time.Millisecond))
	if n == 0 || rerr != nil {
		return false
	}
	u.w += n
	a.BytesIn += int64(n)
	u.lastByte = clock()
	return true
}

func (u *Upcall) sendFailed(err error, a *journey.Attempt) {
	if u.gaveUp(a) {
		return
	}
	switch {
	case err == errTimeout:
		u.limitFired(a, "send", u.limits.Send)
	case isReset(err):
		a.End, a.Errno = journey.EndReset, errno(err)
	case isEOF(err):
		a.End = journey.EndEOF
	default:
		u.otherError(err, a)
	}
}

// otherError files an error that is neither an end nor a limit: a system error, or TLS refusing us
// after the handshake (a TLS 1.3 server judges the client's certificate only then).
func (u *Upcall) otherError(err error, a *journey.Attempt) {
	a.End, a.Errno = journey.EndErrno, errno(err)
	if u.origin.tls != nil && a.Errno == 0 {
		f := tlsFacts(u.origin.tls.ServerName, err, &tapConn{})
		f.AfterComplete = true
		u.own.note(f)
		a.End, a.TLS = journey.EndTLS, f
	}
}

func (u *Upcall) limitFired(a *journey.Attempt, key string, value time.Duration) {
	if u.limits.Until != 0 && clock() >= u.limits.Until {
		key, value = "total", u.limits.Total
	}
	timedOut(a, key, value)
}

// LimitSilence sets the longest silence of the reads to come (AttemptLimits.Idle); 0 is off.
func (u *Upcall) LimitSilence(d time.Duration) { u.limits.Idle = d }

func (u *Upcall) readFailed(err error, a *journey.Attempt, key string, limit time.Duration) {
	if u.gaveUp(a) {
		return
	}
	switch {
	case err == errTimeout:
		u.limitFired(a, key, limit)
	case isReset(err):
		a.End, a.Errno = journey.EndReset, errno(err)
	case isEOF(err):
		a.End = journey.EndEOF
	default:
		u.otherError(err, a)
	}
}

// ended notes the silence before an end.
func (u *Upcall) ended() {
	if u.lastByte != 0 {
		u.facts.Silence = time.Duration(clock() - u.lastByte)
	}
}

// Release ends the attempt. The connection is kept for another call when the answer was read to
// its end, nothing came after it, and both sides can keep it.
func (u *Upcall) Release() {
	if u.h2 != nil {
		u.releaseH2()
		return
	}
	u.watch.Unwatch()
	a := u.facts
	clean := u.done && u.r == u.w && !u.eof && !u.Response.Close && u.Response.Status != 101
	if u.upload != nil {
		u.endUpload()
		clean = clean && u.sent
	}
	clean = clean && !u.unsent
	if u.done && a.End == journey.EndOpen {
		a.End, a.Phase = journey.EndComplete, journey.PhaseDone
	}
	u.mu.Lock()
	clean = clean && u.reason == ReasonNone
	u.mu.Unlock()
	u.facts = nil
	if !clean {
		u.discard()
		return
	}
	putBuffer(u.buf)
	u.buf, u.r, u.w = nil, 0, 0
	if u.Response.Withheld {
		u.origin.rest(u)
		return
	}
	u.origin.put(u)
}

// discard closes the connection.
func (u *Upcall) discard() {
	if u.buf != nil {
		putBuffer(u.buf)
		u.buf, u.r, u.w = nil, 0, 0
	}
	u.mu.Lock()
	connected := u.connected
	u.connected = false
	u.mu.Unlock()
	if connected {
		u.origin.open.Add(-1)
		_ = u.sock.nc.Close()
	}
}

// Hijack takes the connection over after 101.
func (u *Upcall) Hijack() *Tunnel {
	if u.h2 != nil {
		return u.hijackH2()
	}
	t := newTunnel(&u.sock, u.buf[u.r:u.w])
	u.facts.End, u.facts.Phase = journey.EndComplete, journey.PhaseDone
	putBuffer(u.buf)
	u.buf, u.r, u.w = nil, 0, 0
	u.mu.Lock()
	if u.connected {
		u.connected = false
		u.origin.open.Add(-1)
	}
	u.mu.Unlock()
	return t
}

// clipLine copies the first line of p, without its end.
func clipLine(p []byte) []byte {
	line, _, _ := bytes.Cut(p, []byte{'\n'})
	return clip(bytes.TrimSuffix(line, []byte{'\r'}))
}

func clip(p []byte) []byte {
	return append([]byte(nil), p[:min(len(p), 200)]...)
}
