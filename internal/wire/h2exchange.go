package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// h2Writer is what x/net gives a handler to answer with.
type h2Writer interface {
	http.ResponseWriter
	FlushError() error
	SetReadDeadline(time.Time) error
	SetWriteDeadline(time.Time) error
}

// h2Exchange is one call on a stream of HTTP/2. The Exchange's promises hold as over HTTP/1.1;
// where a connection would be closed or cut, it is the stream.
type h2Exchange struct {
	p     *h2Peer
	ctx   context.Context
	w     h2Writer
	began time.Time
	head  *h2Opened

	req     Request
	refusal Refusal
	body    h2Body
	trailer Header
	key     string // of an extended CONNECT: the upgrade's, "" for any other call

	// The answer.
	buf      []byte // body not yet given to x/net; from the pool
	limit    time.Duration
	status   int
	started  bool
	informed bool // an interim answer went out
	sent     bool // some of it was given to x/net
	ended    bool
	failed   bool
	aborted  bool
	nobody   bool  // HEAD, 204, 304
	left     int64 // of the declared length, -1 when not declared
	out      int64

	handed int64 // body bytes given to x/net since a write last had to wait
	pace   pace
	stall  *Stall // the caller took it too slowly

	stop func() bool // ends attend

	mu      sync.Mutex // guards what follows, and w against the end of the call
	over    bool       // Serve has returned: w is x/net's again
	ours    bool       // the stream was reset by us
	watched Canceller
	gone    bool
	cut     Reason
	writing h2Limit
	reading h2Limit
}

// h2Limit is a limit on one wait.
type h2Limit struct {
	timer *time.Timer
	by    int64 // when the wait must be over; 0 while there is none
	fired bool
}

// The plain parts of Exchange.
func (x *h2Exchange) Request() *Request          { return &x.req }
func (x *h2Exchange) Protocol() string           { return "HTTP/2" }
func (x *h2Exchange) Began() time.Time           { return x.began }
func (x *h2Exchange) Remote() netip.AddrPort     { return x.p.c.remote }
func (x *h2Exchange) RemoteIP() string           { return x.p.c.ipText }
func (x *h2Exchange) Local() netip.AddrPort      { return x.p.c.local }
func (x *h2Exchange) TLS() *tls.ConnectionState  { return x.p.c.tls }
func (x *h2Exchange) Trailer() *Header           { return &x.trailer }
func (x *h2Exchange) Started() bool              { return x.started }
func (x *h2Exchange) BytesIn() int64             { return x.body.read.Load() }
func (x *h2Exchange) BytesOut() int64            { return x.out }
func (x *h2Exchange) WriteLimit(d time.Duration) { x.limit = d }

// Close implements Exchange. A stream ends with its answer, and stands before no other call.
func (x *h2Exchange) Close() {}

var errNoUpgrade = errors.New("HTTP/2 has no upgrade")

// whole tells whether the answer was given to its end.
func (x *h2Exchange) whole() bool { return x.ended && !x.failed && !x.aborted }

// attend makes the end of the stream, or of its connection, cancel what is watched.
func (x *h2Exchange) attend() { x.stop = context.AfterFunc(x.ctx, x.streamEnded) }

// streamEnded is called when the stream has ended before its answer did, whoever ended it.
func (x *h2Exchange) streamEnded() {
	x.mu.Lock()
	if x.over || x.ours {
		x.mu.Unlock()
		return
	}
	why := ReasonCallerGone
	if x.head.broke.Load() != nil {
		why = ReasonUpload // it is reset, and the body says for what
	}
	x.gone = true
	w := x.watched
	x.watched = nil
	if w != nil {
		w.Cancel(why)
	}
	x.mu.Unlock()
	x.p.gaveUp(x.began)
}

// cancel gives the call up for a reason of the connection's.
func (x *h2Exchange) cancel(why Reason) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if why == ReasonCallerGone {
		x.gone = true
	}
	x.cut = why
	if w := x.watched; w != nil {
		x.watched = nil
		w.Cancel(why)
	}
}

// Watch implements Exchange.
func (x *h2Exchange) Watch(w Canceller) {
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case x.gone:
		w.Cancel(ReasonCallerGone)
	case x.cut != ReasonNone:
		w.Cancel(x.cut)
	default:
		x.watched = w
	}
}

// Unwatch implements Exchange.
func (x *h2Exchange) Unwatch() {
	x.mu.Lock()
	x.watched = nil
	x.mu.Unlock()
}

// Gone implements Exchange.
func (x *h2Exchange) Gone() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.gone
}

// leave gives back what the call held. Nothing touches x/net's writer afterwards.
func (x *h2Exchange) leave() {
	x.stop()
	x.mu.Lock()
	x.over = true
	x.writing.stop()
	x.reading.stop()
	x.mu.Unlock()
	if x.buf != nil {
		putBuffer(x.buf)
		x.buf = nil
	}
	x.body.leave()
}

// arm begins a wait that may last for d; fn is called if it lasts longer.
func (x *h2Exchange) arm(l *h2Limit, d time.Duration, fn func()) {
	if d <= 0 {
		return
	}
	x.mu.Lock()
	l.by, l.fired = clock()+int64(d), false
	if l.timer == nil {
		l.timer = time.AfterFunc(d, fn)
	} else {
		l.timer.Reset(d)
	}
	x.mu.Unlock()
}

// disarm ends the wait, and tells whether it was too long.
func (x *h2Exchange) disarm(l *h2Limit) (fired bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	l.stop()
	return l.fired
}

func (l *h2Limit) stop() {
	if l.by != 0 {
		l.by = 0
		l.timer.Stop()
	}
}

// passed tells whether the limit that fn was called for still holds and has been reached; the caller
// has x.mu.
func (l *h2Limit) passed() bool { return l.by != 0 && clock() >= l.by }

// stalled is called when the caller has taken nothing for the write limit: its stream is reset, so
// that it holds nobody else up. When that does not end the wait, not even RST_STREAM could go out,
// and it is the connection that takes nothing.
func (x *h2Exchange) stalled() {
	x.mu.Lock()
	if x.over || !x.writing.passed() {
		x.mu.Unlock()
		return
	}
	if x.writing.fired {
		x.mu.Unlock()
		x.p.hangUp()
		return
	}
	x.writing.fired = true
	x.writing.by = clock() + int64(time.Second)
	x.writing.timer.Reset(time.Second)
	x.reset()
	x.mu.Unlock()
}

// reset sends RST_STREAM (INTERNAL_ERROR); the caller has x.mu.
func (x *h2Exchange) reset() {
	if x.over {
		return
	}
	x.ours = true
	_ = x.w.SetWriteDeadline(time.Unix(1, 0))
}

// resetBehind makes RST_STREAM (PROTOCOL_ERROR) follow the answer to a malformed request, as RFC 9113
// section 8.1.1 asks for. Where the request has not ended, x/net resets its stream by itself.
func (x *h2Exchange) resetBehind() {
	if x.head.ended || x.head.broke.Load() != nil {
		x.p.change(x.head.id, &h2Stream{reset: true})
	}
}

// silent is called when the caller has sent nothing of its body for as long as it may.
func (x *h2Exchange) silent() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.over || !x.reading.passed() {
		return
	}
	x.reading.fired = true
	_ = x.w.SetReadDeadline(time.Unix(1, 0))
}
