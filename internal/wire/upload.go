package wire

import (
	"io"
	"syscall"
	"time"

	"causeway/internal/journey"
)

// startUpload sends a streamed body on a second goroutine, so that an early answer is seen at once.
func (u *Upcall) startUpload(call *Call) {
	up := &upload{done: make(chan struct{}), stream: call.Stream, began: clock()}
	u.upload, u.lastByte = up, clock()
	limit := call.Limits.Idle
	go func() {
		defer close(up.done)
		buf := getBuffer(largeBuffer)
		defer putBuffer(buf)
		up.run(u, call, buf, limit)
	}()
}

func (up *upload) run(u *Upcall, call *Call, buf []byte, silence time.Duration) {
	// Room before and after the data for a chunk's framing, so that one write sends it all.
	const before, after = 18, 2
	for {
		n, err := call.Stream.ReadBody(buf[before:len(buf)-after], silence)
		if err == io.EOF {
			break
		}
		if err != nil {
			u.Cancel(ReasonUpload)
			return
		}
		p := buf[before : before+n]
		if call.Length == LengthChunked {
			var size [before]byte
			line := appendChunkSize(size[:0], n)
			copy(buf[before-len(line):], line)
			p = append(buf[before-len(line):before+n], '\r', '\n')
		}
		if !up.write(u, p, call) {
			return
		}
		up.wrote.Add(int64(n))
	}
	if call.Length == LengthChunked {
		last := []byte("0\r\n")
		for _, f := range call.Stream.Trailer().Fields {
			last = appendField(last, f.Name, f.Value)
		}
		if !up.write(u, append(last, '\r', '\n'), call) {
			return
		}
	}
	up.fullAt.Store(clock())
	u.sock.nudge()
}

func (up *upload) write(u *Upcall, p []byte, call *Call) bool {
	n, err := u.sock.write(p, nil, call.Limits.Send, call.Limits.Until)
	up.out += int64(n)
	if err == nil {
		return true
	}
	// An upstream that closed or reset may have answered first: whoever reads finds the answer, or
	// the end.
	up.stalled.Store(err == errTimeout)
	if isReset(err) {
		up.reset.Store(uint32(errno(err)))
	}
	up.failed.Store(true)
	u.sock.nudge()
	return false
}

// resetWhileSending tells a reset from a close where the end of the connection was read while a body
// is still being sent: Linux reports a reset once, to whoever reads or writes next, and the other
// one sees an end.
func (u *Upcall) resetWhileSending(a *journey.Attempt) bool {
	up := u.upload
	if up == nil || up.fullAt.Load() != 0 {
		return false
	}
	late := time.NewTimer(50 * time.Millisecond)
	defer late.Stop()
	select {
	case <-up.done:
	case <-late.C:
	}
	e := syscall.Errno(up.reset.Load())
	if e == 0 && u.sock.wasReset() {
		e = syscall.ECONNRESET
	}
	if e != 0 {
		a.End, a.Errno = journey.EndReset, e
	}
	return e != 0
}

// endUpload stops the second goroutine and waits for it.
func (u *Upcall) endUpload() {
	up := u.upload
	if up == nil {
		return
	}
	if up.fullAt.Load() == 0 {
		// The answer can overtake the last step of its own upload by a moment.
		late := time.NewTimer(50 * time.Millisecond)
		select {
		case <-up.done:
			late.Stop()
		case <-late.C:
			u.sock.cancel()
			up.stream.StopReading()
		}
	}
	<-up.done
	if a := u.facts; a != nil {
		u.uploadFacts(a)
		a.BytesOut += up.out
	}
	u.sent = up.fullAt.Load() != 0
	u.upload = nil
}

// uploadFacts notes how far a streamed body came.
func (u *Upcall) uploadFacts(a *journey.Attempt) {
	up := u.upload
	if up == nil {
		return
	}
	a.BodyOut = up.wrote.Load()
	if t := up.fullAt.Load(); t != 0 {
		a.SendComplete, a.SendTime = true, time.Duration(t-up.began)
		if a.Phase == journey.PhaseSend {
			a.Phase = journey.PhaseWait
		}
	} else if a.SendTime == 0 {
		a.SendTime = time.Duration(clock() - up.began)
	}
	if up.stalled.Load() && a.End == journey.EndTimeout {
		u.limitFired(a, "send", u.limits.Send)
	}
}
