package wire

import (
	"bytes"
	"sync/atomic"
	"time"

	"causeway/internal/journey"
)

// TunnelEnd is how a tunnel ended.
type TunnelEnd struct {
	// Facts are what passed. The reasons of close frames are as they came.
	Facts journey.TunnelFacts

	Idle    bool // nothing moved for the idle limit
	Drained bool // the gateway ended it
	Reset   bool // the upstream reset its connection
	// Unframed is false for a tunnel that is not WebSocket's; else it tells that the upstream closed
	// without a close frame (RFC 6455 section 7.1.5: an abnormal closure).
	Unframed bool
	Silence  time.Duration // since the last byte in either direction
	// Tellable tells that a close frame can still go to the caller: the tunnel is a WebSocket, one may
	// begin there, and the upstream sent none.
	Tellable bool
}

// Failed tells whether the upstream's side broke the tunnel.
func (e *TunnelEnd) Failed() bool { return e.Idle || e.Reset || e.Unframed }

// TunnelOptions say how a tunnel is joined.
type TunnelOptions struct {
	Idle     time.Duration // the longest silence in both directions; 0: no limit
	Protocol []byte        // what was switched to; frames are followed where it is websocket
	// Text, when not nil, is given each whole text message of the upstream's, uncompressed ones of at most 1 MiB, valid
	// during the call: by the goroutine that passes it on, right before it does.
	Text func(message []byte)
	// LastWord, when not nil, is told of an end that the upstream or the gateway forced, before the
	// caller's side is closed. The status and reason that it returns go to the caller in a close frame
	// where the end is Tellable.
	LastWord func(TunnelEnd) (status int, reason string)
}

// Joint is a tunnel at work: a caller's side and an upstream's, joined. It is a Canceller, which ends
// it when the gateway stops; that its caller closes ends it anyway.
type Joint struct {
	o                TunnelOptions
	caller, upstream *Tunnel
	webSocket        bool

	last     atomic.Int64 // when a byte moved
	up, down atomic.Int64
	by       atomic.Uint32 // an index of sides: who ended it first
	idle     bool          // with the three below, written by the goroutine that reads the upstream
	drained  bool
	reset    bool
	unframed bool
	upReset  atomic.Bool // a write to the upstream found a reset
	ownClose atomic.Bool // the caller has sent a close frame
	upOver   atomic.Bool // the upstream has ended its side, and the caller's may go on

	fromUpstream frames // followed by the goroutine that reads the upstream
	fromCaller   frames // by the other one
	closing      atomic.Bool
}

var sides = [...]journey.Side{journey.SideNone, journey.SideCaller, journey.SideUpstream, journey.SideGateway}

const (
	byCaller = 1 + iota
	byUpstream
	byGateway
)

// NewJoint joins two sides; Run copies between them.
func NewJoint(caller, upstream *Tunnel, o TunnelOptions) *Joint {
	j := &Joint{o: o, caller: caller, upstream: upstream, webSocket: EqualFold(o.Protocol, "websocket")}
	j.fromCaller.masked = true
	j.fromUpstream.text = o.Text
	j.last.Store(clock())
	return j
}

// Cancel implements Canceller.
func (j *Joint) Cancel(why Reason) {
	if why == ReasonDrain {
		j.caller.stop()
		j.upstream.stop()
	}
}

// CallerLeft tells, before Run, that the caller went while its tunnel was being made, which cancels the
// attempt: without it that would pass for an end that the gateway made.
func (j *Joint) CallerLeft() { j.ended(byCaller) }

// Run copies between the sides until both have closed, one has reset, nothing has moved for the
// idle limit, or it is cancelled. It closes both.
func (j *Joint) Run() TunnelEnd {
	done := make(chan struct{})
	go func() {
		defer close(done)
		j.upward()
	}()
	j.downward(done)
	<-done
	j.caller.Close()
	j.upstream.Close()
	return j.withCaller(j.end())
}

// ended notes who ended the tunnel, once, and tells whether this was the first end.
func (j *Joint) ended(by uint32) bool { return j.by.CompareAndSwap(0, by) }

// end is how it ended, as far as the goroutine that reads the upstream knows. What the other one
// follows is added when it is over.
func (j *Joint) end() TunnelEnd {
	e := TunnelEnd{
		Idle: j.idle, Drained: j.drained, Reset: j.reset, Unframed: j.unframed,
		Silence: time.Duration(clock() - j.last.Load()),
	}
	f := &e.Facts
	f.Protocol, f.WebSocket = string(bytes.ToLower(j.o.Protocol)), j.webSocket
	f.Up, f.Down, f.By = j.up.Load(), j.down.Load(), sides[j.by.Load()]
	f.MessagesDown, f.Upstream = j.fromUpstream.messages, j.fromUpstream.close
	e.Tellable = j.webSocket && j.fromUpstream.between() && f.Upstream.Code == 0
	if p := j.fromUpstream.problem; p != "" {
		f.BadFrames, f.Problem = journey.SideUpstream, p
	}
	return e
}

// withCaller adds what the goroutine that reads the caller followed, and has ended.
func (j *Joint) withCaller(e TunnelEnd) TunnelEnd {
	f := &e.Facts
	f.MessagesUp, f.Caller = j.fromCaller.messages, j.fromCaller.close
	// What the upstream made of the caller's bad bytes says nothing of the upstream, unless it ended the tunnel by bad ones.
	if p := j.fromCaller.problem; p != "" && (f.BadFrames == "" || f.By != journey.SideUpstream) {
		f.BadFrames, f.Problem = journey.SideCaller, p
	}
	return e
}

// downward copies the upstream's bytes, and is the one that ends a broken tunnel. up is closed when
// the other direction is over.
func (j *Joint) downward(up <-chan struct{}) {
	err := j.pass(j.caller, j.upstream.ahead, &j.down, &j.fromUpstream, byUpstream)
	for err == nil {
		var p []byte
		if p, err = j.read(j.upstream); err != nil {
			break
		}
		err := j.pass(j.caller, p, &j.down, &j.fromUpstream, byUpstream)
		j.upstream.give(p)
		if err != nil {
			j.callerBroke()
			return
		}
	}
	switch {
	case err == errTimeout:
		j.idle = j.ended(byGateway)
	case err == errCancelled:
		j.drained = j.ended(byGateway)
	case isEOF(err) && !j.upReset.Load():
		if j.ended(byUpstream) {
			j.unframed = j.webSocket && !j.closing.Load()
		}
		if !j.unframed && j.caller.closeWrite() {
			j.attend(up)
			return // the other direction may go on
		}
	default:
		j.reset = j.ended(byUpstream) && !j.closing.Load()
	}
	j.lastWords(up)
	j.caller.Close()
	j.upstream.Close()
}

// closingGrace is how long a caller may take to answer the upstream's close frame on a stream whose other
// side has ended.
const closingGrace = 2 * time.Second

// attend waits for the caller's direction to end after the upstream's has. A stream of HTTP/2 keeps no
// time of its own, and need not be ended by a caller whose WebSocket is closed.
func (j *Joint) attend(up <-chan struct{}) {
	if _, stream := j.caller.side.(*h2Side); !stream {
		return
	}
	closed := j.webSocket && j.closing.Load()
	j.upOver.Store(closed)
	for by := clock() + int64(closingGrace); !closed || !j.ownClose.Load(); {
		if !closed {
			if j.o.Idle <= 0 {
				return
			}
			by = j.last.Load() + int64(j.o.Idle)
		}
		wait := by - clock()
		if wait <= 0 {
			break
		}
		late := time.NewTimer(time.Duration(wait))
		select {
		case <-up:
			late.Stop()
			return
		case <-late.C:
		}
	}
	j.caller.Close()
	j.upstream.Close()
}

// lastWords tells both sides of an end that neither of them has seen: the caller with what LastWord
// says, an upstream that is still there with 1001 (going away).
func (j *Joint) lastWords(up <-chan struct{}) {
	end := j.end()
	if !end.Failed() && !end.Drained {
		return
	}
	// The other direction ends first, so that what it followed counts. One whose write is stuck says
	// no more.
	j.caller.stop()
	j.upstream.stop()
	late := time.NewTimer(2 * stopGrace)
	select {
	case <-up:
		end = j.withCaller(end)
		if j.webSocket && !end.Reset && !end.Unframed && j.fromCaller.between() && end.Facts.Caller.Code == 0 {
			_, _ = j.upstream.write(maskedCloseFrame(1001), stopGrace)
		}
	case <-late.C:
	}
	late.Stop()
	if j.o.LastWord == nil {
		return
	}
	status, reason := j.o.LastWord(end)
	if end.Tellable {
		_, _ = j.caller.write(CloseFrame(status, reason), stopGrace)
	}
}

// upward copies the caller's bytes.
func (j *Joint) upward() {
	err := j.pass(j.upstream, j.caller.ahead, &j.up, &j.fromCaller, byCaller)
	for err == nil {
		var p []byte
		if p, err = j.read(j.caller); err != nil {
			break
		}
		err := j.pass(j.upstream, p, &j.up, &j.fromCaller, byCaller)
		j.caller.give(p)
		if err != nil {
			// The reading side finds the upstream's end, and says it.
			j.upReset.CompareAndSwap(false, isReset(err))
			return
		}
		if j.ownClose.Load() && j.upOver.Load() {
			return // both have said that it is over
		}
	}
	switch {
	case err == errTimeout, err == errCancelled:
		return // the reading side says it
	case isEOF(err):
		j.ended(byCaller)
		if j.upstream.closeWrite() {
			return // the other direction may go on
		}
	}
	j.callerBroke()
}

// callerBroke ends the tunnel because its caller is gone.
func (j *Joint) callerBroke() {
	j.ended(byCaller)
	j.caller.Close()
	j.upstream.Close()
}

// read waits until neither direction has moved for the limit.
func (j *Joint) read(t *Tunnel) ([]byte, error) {
	for {
		by := int64(0)
		if j.o.Idle > 0 {
			by = j.last.Load() + int64(j.o.Idle)
		}
		p, err := t.next(by)
		if err == errTimeout && clock() < j.last.Load()+int64(j.o.Idle) {
			continue // the other direction moved
		}
		if len(p) > 0 {
			j.last.Store(clock())
		}
		return p, err
	}
}

// pass follows a piece's frames and writes it.
func (j *Joint) pass(to *Tunnel, p []byte, count *atomic.Int64, f *frames, from uint32) error {
	if len(p) == 0 {
		return nil
	}
	if j.webSocket {
		if f.feed(p); f.close.Code != 0 {
			j.ended(from)
			j.closing.Store(true)
			if from == byCaller {
				j.ownClose.Store(true)
			}
		}
	}
	n, err := to.write(p, j.o.Idle)
	count.Add(int64(n))
	j.last.Store(clock())
	return err
}
