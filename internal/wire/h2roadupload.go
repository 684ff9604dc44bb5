package wire

import (
	"io"
	"time"

	"causeway/internal/journey"
)

// sendBody sends a body that is held. What does not go out at once is sent beside, as the answer may
// come before the upstream has taken it all.
func (u *Upcall) sendBody(call *Call) {
	s := u.h2.stream
	s.c.mu.Lock()
	n := s.send(call.Body, true)
	s.c.mu.Unlock()
	u.h2.body = int64(n)
	if n < len(call.Body) {
		u.h2.rest = &restOfBody{p: call.Body[n:]}
		u.startH2Upload(u.h2.rest, call)
	}
}

// restOfBody is a BodySource of bytes at hand.
type restOfBody struct{ p []byte }

func (b *restOfBody) ReadBody(p []byte, _ time.Duration) (int, error) {
	if len(b.p) == 0 {
		return 0, io.EOF
	}
	n := copy(p, b.p)
	b.p = b.p[n:]
	return n, nil
}

func (b *restOfBody) StopReading()     {}
func (b *restOfBody) Trailer() *Header { return &Header{} }

// startH2Upload sends a body that is read while it is sent, on a second goroutine.
func (u *Upcall) startH2Upload(from BodySource, call *Call) {
	up := &upload{done: make(chan struct{}), stream: from, began: clock()}
	u.upload = up
	go func() {
		defer close(up.done)
		buf := getBuffer(largeBuffer)
		defer putBuffer(buf)
		up.runH2(u, call, buf)
	}()
}

func (up *upload) runH2(u *Upcall, call *Call, buf []byte) {
	s, rest := u.h2.stream, u.h2.rest
	for {
		n, err := up.stream.ReadBody(buf, call.Limits.Idle)
		if err == io.EOF {
			break
		}
		if err != nil {
			u.Cancel(ReasonUpload)
			return
		}
		if !up.sendH2(s, buf[:n], rest != nil && len(rest.p) == 0, call.Limits.Send) {
			wakeUp(u.h2.news)
			return
		}
	}
	s.c.mu.Lock()
	var block []byte
	if t := up.stream.Trailer(); t != nil && !s.sendEnded {
		block = appendH2Trailer(nil, t)
	}
	if len(block) > 0 && s.mayTrail() {
		s.sendTrailer(block)
	} else {
		s.send(nil, true)
	}
	ok := s.sendEnded
	s.c.mu.Unlock()
	if ok {
		up.fullAt.Store(clock())
	}
	wakeUp(u.h2.news)
}

// sendH2 sends a part of the body, as the windows and the connection allow. It returns false when the
// upstream takes no more.
func (up *upload) sendH2(s *h2stream, p []byte, end bool, limit time.Duration) bool {
	var late *time.Timer
	since := clock()
	for {
		s.c.mu.Lock()
		n := s.send(p, end)
		over := s.noMore || s.gone || s.c.fail != nil
		if len(s.c.out) >= h2Queue/2 {
			since = max(since, s.c.progress) // others go first, and get on
		}
		s.c.mu.Unlock()
		if n > 0 {
			since = clock()
			up.wrote.Add(int64(n))
			up.movedAt.Store(since)
		}
		if p = p[n:]; len(p) == 0 {
			return true
		}
		if over {
			up.failed.Store(true)
			return false
		}
		if limit <= 0 {
			<-s.room
			continue
		}
		d := time.Duration(since + int64(limit) - clock())
		if d <= 0 {
			up.stalled.Store(true)
			up.failed.Store(true)
			return false
		}
		if late == nil {
			late = time.NewTimer(d)
			defer late.Stop()
		} else {
			late.Reset(d)
		}
		select {
		case <-s.room:
		case <-late.C:
		}
	}
}

// endH2Upload stops the second goroutine and waits for it. whole is true behind a whole answer, which
// can overtake the last step of its own upload by a moment.
func (u *Upcall) endH2Upload(streaming, whole bool) {
	up := u.upload
	if up == nil {
		return
	}
	if up.fullAt.Load() == 0 {
		if whole {
			late := time.NewTimer(50 * time.Millisecond)
			select {
			case <-up.done:
				late.Stop()
			case <-late.C:
			}
		}
		s := u.h2.stream
		s.c.mu.Lock()
		s.stopSending()
		s.c.mu.Unlock()
		select {
		case <-up.done:
		default:
			if streaming {
				up.stream.StopReading()
			}
		}
	}
	<-up.done
	if a := u.facts; a != nil && a.Phase != journey.PhaseDone {
		u.sentFacts(a, a.Phase == journey.PhaseBody)
	}
	u.upload = nil
}
