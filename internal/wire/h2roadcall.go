package wire

import (
	"io"
	"time"

	"golang.org/x/net/http2"

	"causeway/internal/journey"
)

// h2call is what an Upcall has in place of a socket: a stream.
type h2call struct {
	stream *h2stream     // nil until it is opened
	news   chan struct{} // woken by the stream and by Cancel
	facts  journey.HTTP2Facts
	timer  *time.Timer
	taken  int // the size of the piece that Next gave out
	began  int64
	head   int64 // bytes of the request's head on the wire
	body   int64 // bytes of its body that were queued by the call itself
	rest   *restOfBody
	told   bool // the failure is in the facts
	alone  bool // it has said that it will send a trailer (see mayTrail)
}

// h2MaxMoves is how often a call goes on to another connection when one turns out to be closing.
const h2MaxMoves = 3

// try is Origin.Try over HTTP/2.
func (p *h2pool) try(call *Call, a *journey.Attempt, watch Watcher) *Upcall {
	if p.auto && p.speaksHTTP1() {
		return p.origin.tryHTTP1(call, a, watch)
	}
	a.Target = p.origin.o.URL
	h := &h2call{news: make(chan struct{}, 1), began: clock()}
	h.alone = call.Stream != nil && headField(call.Head, "trailer") != nil
	u := &Upcall{origin: p.origin, h2: h, watch: watch}
	a.HTTP2 = &h.facts
	u.begin(call, a)
	watch.Watch(u)
	for {
		c, http1, nc := p.get(u, a)
		switch {
		case nc != nil:
			a.HTTP2 = nil
			if u.adopt(nc, a) {
				return u.exchange(call, a, h.began)
			}
			watch.Unwatch()
			a.Total = time.Duration(clock() - h.began)
			return nil
		case http1:
			watch.Unwatch()
			forgetDial(a)
			a.HTTP2, a.Phase = nil, journey.PhaseNone
			return p.origin.tryHTTP1(call, a, watch)
		case c == nil:
			a.Total = time.Duration(clock() - h.began)
			watch.Unwatch()
			return nil
		case call.Upgrade && !c.mayConnect():
			c.unreserve()
			watch.Unwatch()
			forgetDial(a)
			a.HTTP2, a.Phase = nil, journey.PhaseNone
			return p.origin.tryHTTP1(call, a, watch)
		}
		ok, again := u.onStream(c, call, a)
		if ok {
			a.Total = time.Duration(u.lastByte - h.began)
			return u
		}
		if !again {
			a.Total = time.Duration(clock() - h.began)
			watch.Unwatch()
			u.letGo(call.Stream != nil)
			return nil
		}
		u.letGo(false)
		h.stream, h.told, h.rest, u.lastByte = nil, false, nil, 0
		h.facts = journey.HTTP2Facts{Moved: h.facts.Moved + 1}
		a.Phase, a.End, a.Errno, a.TLS = journey.PhaseNone, journey.EndOpen, 0, nil
		p.moved.Add(1)
	}
}

// onStream makes the attempt on a connection that has promised a stream. again is true when the
// connection turned out to be closing and the upstream has not seen the call.
func (u *Upcall) onStream(c *h2conn, call *Call, a *journey.Attempt) (ok, again bool) {
	h := u.h2
	s := newH2Stream(&h.facts, h.news, call.IsHead)
	if !u.openStream(c, s, call, a) {
		return false, !u.lost(c, a) && h.facts.Moved < h2MaxMoves
	}
	if call.Stream != nil {
		u.startH2Upload(call.Stream, call)
	} else if len(call.Body) > 0 {
		u.sendBody(call)
	}
	if u.awaitHead(call, a) {
		return true, false
	}
	if f := &h.facts; (f.Signal == journey.HTTP2Reset || f.Signal == journey.HTTP2GoAway) && f.Code == journey.HTTP2HTTP11Required && u.origin.h2.wantsHTTP1(call) {
		f.Unworked = true // it is to be asked again, and is asked over HTTP/1.1 then
		return false, false
	}
	return false, u.turnedAway(a) && call.Stream == nil && h.facts.Moved < h2MaxMoves
}

// openStream queues the request's head.
func (u *Upcall) openStream(c *h2conn, s *h2stream, call *Call, a *journey.Attempt) bool {
	h := u.h2
	block := getBuffer(mediumBuffer)
	defer func() { putBuffer(block) }()
	fields := block[:0]
	if call.Upgrade {
		fields = appendH2Connect(fields, call.Head, c.secure)
	} else {
		fields = appendH2Request(fields, call.Head, c.secure)
	}
	if call.Trailers {
		fields = appendH2Field(fields, []byte("te"), []byte("trailers"), false)
	}
	if !c.open(s, fields, call.Stream == nil && len(call.Body) == 0 && !call.Upgrade) {
		return false
	}
	if call.Upgrade {
		s.marked()
	}
	h.stream = s
	h.head, h.body = int64(len(fields)+h2FrameHeader), 0
	h.facts.Agreed = c.agreed
	a.Phase, a.End = journey.PhaseSend, journey.EndOpen
	a.Reused, a.ConnUses, a.ConnIdle, a.ConnAge = s.uses > 0, s.uses, s.idle, s.age
	if a.Reused {
		u.origin.reuses.Add(1)
	}
	u.lastByte = s.opened
	return true
}

// lost writes down why a connection was gone before the call could have its stream, and tells whether
// that would happen on the next one as well.
func (u *Upcall) lost(c *h2conn, a *journey.Attempt) bool {
	c.mu.Lock()
	f, g := c.fail, c.goAway
	c.mu.Unlock()
	a.Phase = journey.PhaseSend // HTTP/2 was begun, and nothing of the request is sent
	switch {
	case g != nil && (f == nil || f.signal == journey.HTTP2None || f.signal == journey.HTTP2GoAway):
		(&h2Failure{end: journey.EndHTTP2, signal: journey.HTTP2GoAway, code: g.code, goAway: g}).into(a)
	case f != nil:
		f.into(a)
	default:
		a.End = journey.EndEOF
	}
	u.h2.facts.Unworked = true
	return a.HTTP2.Signal == journey.HTTP2Error
}

// awaitHead waits for the answer's head; interim answers on the way are passed on.
func (u *Upcall) awaitHead(call *Call, a *journey.Attempt) bool {
	h := u.h2
	s := h.stream
	defer u.stopTimer()
	for {
		s.c.mu.Lock()
		interim := s.interim
		s.interim = nil
		headed, fail := s.headed, s.fail
		sentAt, progress := s.sentAt, max(s.c.progress, s.opened)
		s.c.mu.Unlock()
		if !u.passOn(interim, call, a) {
			return false
		}
		if u.gaveUp(a) {
			u.sentFacts(a, false)
			return false
		}
		if headed {
			u.takeHead(a)
			if call.Upgrade {
				u.switched(call)
			}
			return true
		}
		if fail != nil {
			u.failedH2(a)
			return false
		}
		key, limit, by := "", time.Duration(0), u.limits.Until
		switch up := u.upload; {
		case up != nil && up.stalled.Load():
			u.timedOutH2(a, "send", u.limits.Send)
			return false
		case sentAt != 0:
			key, limit = "first_byte", u.limits.FirstByte
			by = u.byFrom(sentAt, limit)
		case up == nil || up.fullAt.Load() != 0:
			// It is queued, and the connection takes nothing.
			key, limit = "send", u.limits.Send
			by = u.byFrom(progress, limit)
		}
		now := clock()
		if by != 0 && now >= by {
			u.timedOutH2(a, key, limit)
			return false
		}
		if look := now + int64(u.limits.FirstByte); sentAt == 0 && look > now && (by == 0 || look < by) {
			by = look // the writer tells nobody that it has sent the last byte; until then this can't be missed
		}
		u.waitH2(by)
	}
}

// passOn gives interim answers to whoever asked for them.
func (u *Upcall) passOn(interim []h2Head, call *Call, a *journey.Attempt) bool {
	for i := range interim {
		in := &interim[i]
		if call.Inform != nil && in.status != 100 {
			if call.Inform.Inform(in.status, &in.h) != nil && u.gaveUp(a) {
				u.sentFacts(a, false)
				return false
			}
		}
		in.free()
	}
	return true
}

// takeHead makes the answer's head the Upcall's.
func (u *Upcall) takeHead(a *journey.Attempt) {
	s := u.h2.stream
	u.sentFacts(a, true)
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	r := &u.Response
	r.Status, r.Reason, r.Minor, r.Close = s.answer.status, nil, 1, false
	r.Header, r.Declared = s.answer.h, s.want
	switch {
	case s.bodiless():
		r.Length = 0
	case s.want >= 0:
		r.Length = s.want
	case s.ended && s.trailer == nil && !s.unread():
		r.Length = 0
	default:
		r.Length = LengthChunked
	}
	a.Status, a.Phase, a.BodyInLen, a.BytesIn = r.Status, journey.PhaseBody, r.Length, s.bytesIn
	if a.SendComplete {
		a.FirstByte = time.Duration(max(s.firstIn-s.opened-int64(a.SendTime), 0))
	}
	u.lastByte = s.lastIn
	u.atEnd()
}

// atEnd notes the answer's end when all of it has been taken; the caller holds the connection's mu.
func (u *Upcall) atEnd() {
	s := u.h2.stream
	if u.done || !s.ended || s.unread() {
		return
	}
	u.done = true
	if s.trailer != nil {
		u.trailer = s.trailer.h
	}
}

// nextH2 is Next over HTTP/2.
func (u *Upcall) nextH2() ([]byte, error) {
	h, a := u.h2, u.facts
	s := h.stream
	if u.done {
		return nil, io.EOF
	}
	defer u.stopTimer()
	since := clock()
	for {
		s.c.mu.Lock()
		if h.taken > 0 {
			s.giveBack(h.taken)
			h.taken = 0
		}
		piece := s.next()
		a.BytesIn = s.bytesIn
		u.lastByte = max(u.lastByte, s.lastIn)
		u.atEnd()
		fail := s.fail
		s.c.mu.Unlock()
		switch {
		case piece != nil:
			h.taken = len(piece)
			a.BodyIn += int64(len(piece))
			return piece, nil
		case u.done:
			return nil, io.EOF
		case u.gaveUp(a):
			u.ended()
			return nil, errCancelled
		case fail != nil:
			u.failedH2(a)
			return nil, fail.err
		}
		if up := u.upload; up != nil {
			since = max(since, up.movedAt.Load()) // the other direction moves as well
		}
		by := u.byFrom(since, u.limits.Idle)
		if by != 0 && clock() >= by {
			u.timedOutH2(a, "idle", u.limits.Idle)
			return nil, errTimeout
		}
		u.waitH2(by)
	}
}

func (u *Upcall) bufferedH2() bool {
	s := u.h2.stream
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	return u.done || s.unread() || s.ended || s.fail != nil
}

// waitH2 waits for news, or until by.
func (u *Upcall) waitH2(by int64) {
	h := u.h2
	if by == 0 {
		<-h.news
		return
	}
	d := max(time.Duration(by-clock()), 0)
	if h.timer == nil {
		h.timer = time.NewTimer(d)
	} else {
		h.timer.Reset(d)
	}
	select {
	case <-h.news:
	case <-h.timer.C:
	}
}

func (u *Upcall) stopTimer() {
	if t := u.h2.timer; t != nil {
		t.Stop()
	}
}

// sentFacts notes how much of the request was sent. arrived is true when the upstream has answered or
// gone: then what the writer has taken counts, which may not have come round to say that it is written.
func (u *Upcall) sentFacts(a *journey.Attempt, arrived bool) {
	h := u.h2
	s := h.stream
	s.c.mu.Lock()
	taken := s.c.taken >= s.headEnd
	sentAt := s.sentAt
	if sentAt == 0 && arrived && s.sendEnded && s.c.taken >= s.endAt {
		sentAt = max(s.c.progress, s.opened)
	}
	s.c.mu.Unlock()
	a.BytesOut, a.BodyOut = 0, 0
	if !taken {
		h.facts.Unworked = true // not one byte of it has left us
		return
	}
	a.BodyOut = h.body
	if up := u.upload; up != nil {
		a.BodyOut += up.wrote.Load()
	}
	a.BytesOut = h.head + a.BodyOut
	if sentAt == 0 {
		if a.SendTime == 0 {
			a.SendTime = time.Duration(clock() - s.opened)
		}
		return
	}
	a.SendComplete, a.SendTime = true, time.Duration(sentAt-s.opened)
	u.lastByte = max(u.lastByte, sentAt)
	if a.Phase == journey.PhaseSend {
		a.Phase = journey.PhaseWait
	}
}

// timedOutH2 notes that a limit has passed.
func (u *Upcall) timedOutH2(a *journey.Attempt, key string, limit time.Duration) {
	if a.Phase < journey.PhaseBody {
		u.sentFacts(a, false)
		if key == "send" {
			a.Phase = journey.PhaseSend
		}
	}
	u.limitFired(a, key, limit)
	u.ended()
}

// failedH2 writes down how the stream failed.
func (u *Upcall) failedH2(a *journey.Attempt) {
	if u.h2.told {
		return
	}
	u.h2.told = true
	s := u.h2.stream
	s.c.mu.Lock()
	f := s.fail
	s.c.mu.Unlock()
	if a.Phase < journey.PhaseBody {
		u.sentFacts(a, !f.sending)
	}
	s.c.mu.Lock()
	a.BytesIn = s.bytesIn
	u.lastByte = max(u.lastByte, s.lastIn)
	id, headed := s.id, s.headed
	u.h2.facts.Streams = max(u.h2.facts.Streams, s.beside)
	s.c.mu.Unlock()
	f.into(a)
	facts := &u.h2.facts
	switch {
	case headed: // whatever it says now, it has worked on the call
	case f.signal == journey.HTTP2Reset:
		facts.Unworked = facts.Unworked || f.code == uint32(http2.ErrCodeRefusedStream)
	case f.signal == journey.HTTP2GoAway:
		facts.Unworked = facts.Unworked || id > f.goAway.last
	}
	u.ended()
}

// turnedAway tells whether the attempt failed because its connection was being closed, before the
// upstream worked on it: then it goes on another one, and nobody is the wiser.
func (u *Upcall) turnedAway(a *journey.Attempt) bool {
	f := &u.h2.facts
	switch {
	case !f.Unworked, a.End == journey.EndCaller, a.End == journey.EndCancelled, a.End == journey.EndHedged, a.End == journey.EndTimeout:
		return false
	case f.Signal == journey.HTTP2GoAway:
		return f.Code == uint32(http2.ErrCodeNo)
	}
	return a.Reused && (a.End == journey.EndEOF || a.End == journey.EndReset)
}

// letGo gives the stream back; one that is not over is reset. streaming is whether its body came from
// the caller.
func (u *Upcall) letGo(streaming bool) {
	s := u.h2.stream
	if s == nil {
		return
	}
	c := s.c
	c.mu.Lock()
	whole := s.ended
	if !whole {
		// The upstream learns of it before anything else is waited for.
		code := http2.ErrCodeCancel
		if f := s.fail; f != nil && f.signal == journey.HTTP2Error {
			code = http2.ErrCode(f.code)
		}
		c.drop(s, code)
		s.stopSending()
	}
	c.mu.Unlock()
	u.endH2Upload(streaming, whole)
	c.mu.Lock()
	c.drop(s, http2.ErrCodeNo) // what may still be to be sent of the request is given up
	s.release()
	c.mu.Unlock()
}

// releaseH2 is Release over HTTP/2.
func (u *Upcall) releaseH2() {
	u.watch.Unwatch()
	a := u.facts
	u.letGo(u.h2.rest == nil)
	if u.done && a.End == journey.EndOpen {
		a.End, a.Phase = journey.EndComplete, journey.PhaseDone
	}
	u.facts = nil
}
