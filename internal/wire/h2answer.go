package wire

import (
	"net/http"
	"strconv"
	"time"
)

// h2Piece is how much is given to x/net at a time: the write limit is for one of them.
const h2Piece = 16 << 10

// Inform implements Exchange.
func (x *h2Exchange) Inform(status int, h *Header) error {
	switch {
	case x.started:
		return nil
	case status == 100:
		return x.Continue()
	case status == http.StatusSwitchingProtocols:
		return nil // RFC 9113 section 8.6
	}
	x.informed = true
	fields := x.w.Header()
	h2Fill(fields, h)
	// x/net copies fields that have a length in them, which it leaves out; others it reads on a goroutine of its
	// own, and when the caller resets the stream at that moment it does not wait for that: a write to the same map
	// would then end the whole process ("concurrent map iteration and map write").
	fields["Content-Length"] = nil
	x.arm(&x.writing, x.limit, x.stalled)
	x.w.WriteHeader(status)
	x.disarm(&x.writing)
	clear(fields)
	return nil
}

// Start implements Exchange.
func (x *h2Exchange) Start(status int, _ string, h *Header, length, declared int64) error {
	if x.started {
		return errAnswerOver
	}
	x.started, x.status = true, status
	if x.req.Length < 0 {
		x.body.answered.Store(true)
	}
	x.nobody = string(x.req.Method) == http.MethodHead || status == http.StatusNoContent || status == http.StatusNotModified
	x.left = length
	if x.nobody {
		x.left = 0
		length = declared
	}
	fields := x.w.Header()
	h2Fill(fields, h)
	if !h.Has(Date) {
		fields["Date"] = []string{x.p.c.door.dates.at(x.began)}
	}
	if fields["Content-Type"] == nil {
		fields["Content-Type"] = nil // else x/net guesses one
	}
	if length >= 0 && status != http.StatusNoContent {
		fields["Content-Length"] = []string{strconv.FormatInt(length, 10)}
	} else {
		fields["Content-Length"] = nil // else x/net adds one to an answer that turns out to be short
	}
	if x.p.c.door.isLeaving() {
		fields["Connection"] = closeValue // x/net sends GOAWAY instead
	}
	return nil
}

var closeValue = []string{"close"}

// h2Fill copies the fields that travel end to end.
func h2Fill(dst http.Header, h *Header) {
	for i := range h.Fields {
		f := &h.Fields[i]
		if f.ID != Other && uint64(hopByHop)&(1<<f.ID) != 0 {
			continue
		}
		name := http.CanonicalHeaderKey(string(f.Name))
		dst[name] = append(dst[name], string(f.Value))
	}
}

// Write implements Exchange.
func (x *h2Exchange) Write(p []byte) error {
	if !x.started || x.ended || x.failed || x.aborted {
		return errAnswerOver
	}
	if len(p) == 0 || x.nobody {
		return nil
	}
	if x.left >= 0 {
		if int64(len(p)) > x.left {
			return errTooMuchBody
		}
		x.left -= int64(len(p))
	}
	x.out += int64(len(p))
	if len(x.buf)+len(p) <= keepBelow {
		if need := len(x.buf) + len(p); need > cap(x.buf) {
			bigger := getBuffer(need)
			bigger = bigger[:copy(bigger, x.buf)]
			if x.buf != nil {
				putBuffer(x.buf)
			}
			x.buf = bigger
		}
		x.buf = append(x.buf, p...)
		return nil
	}
	if err := x.push(x.buf, x.limit); err != nil {
		return err
	}
	x.buf = x.buf[:0]
	return x.push(p, x.limit)
}

// push gives bytes of the body to x/net, and before them the head if it has not gone yet. It returns
// when the caller's windows have let them out.
func (x *h2Exchange) push(p []byte, limit time.Duration) error {
	if !x.sent {
		x.sent = true
		x.w.WriteHeader(x.status)
	}
	for len(p) > 0 {
		n := min(len(p), h2Piece)
		x.handed += int64(n)
		err := x.wait(limit, func() error {
			_, err := x.w.Write(p[:n])
			return err
		})
		if err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

// wait runs a write under the write limit, and judges how long the caller let it wait. A short write
// is only kept by x/net, so that the next one waits for both.
func (x *h2Exchange) wait(limit time.Duration, write func() error) error {
	began := clock()
	x.arm(&x.writing, limit, x.stalled)
	err := write()
	fired := x.disarm(&x.writing)
	if took := clock() - began; took > int64(time.Millisecond) {
		x.pace.add(took, x.handed)
		x.handed = 0
	}
	switch {
	case fired:
		err = errTimeout
		x.stalledBy(limit)
	case err == nil && x.pace.tooSlow(x.p.c.o):
		err = errTooSlow
		x.stalledBy(0)
	}
	if err != nil {
		x.failed = true
	}
	return err
}

func (x *h2Exchange) stalledBy(limit time.Duration) {
	x.p.c.door.tooSlow.Add(1)
	x.stall = &Stall{Limit: limit, Rate: x.p.c.o.MinRate, Waited: time.Duration(x.pace.waited), Took: x.pace.moved}
}

// Stall tells how the caller took the answer too slowly, nil when it did not.
func (x *h2Exchange) Stall() *Stall { return x.stall }

// Flush implements Exchange.
func (x *h2Exchange) Flush() error { return x.flush(x.limit) }

func (x *h2Exchange) flush(limit time.Duration) error {
	switch {
	case x.failed || x.aborted:
		return errAnswerOver
	case !x.started, x.sent && len(x.buf) == 0:
		return nil
	case x.nobody:
		return nil // its head is all of it, and goes with END_STREAM
	}
	if err := x.push(x.buf, limit); err != nil {
		return err
	}
	x.buf = x.buf[:0]
	return x.wait(limit, x.w.FlushError)
}

// End implements Exchange. END_STREAM goes out when Serve returns; all that needs the caller's
// windows goes out here, under the write limit.
func (x *h2Exchange) End(trailer *Header) error {
	if !x.started || x.ended || x.failed || x.aborted {
		return errAnswerOver
	}
	if x.left > 0 {
		return errTooLittle
	}
	if len(x.buf) > 0 {
		if err := x.Flush(); err != nil {
			return err
		}
	}
	if !x.sent {
		x.sent = true
		x.w.WriteHeader(x.status)
	}
	x.ended = true
	if trailer != nil {
		fields := x.w.Header()
		for i := range trailer.Fields {
			if f := &trailer.Fields[i]; !ForbiddenTrailer(f.ID) {
				name := http.TrailerPrefix + http.CanonicalHeaderKey(string(f.Name))
				fields[name] = append(fields[name], string(f.Value))
			}
		}
	}
	return nil
}

// Withdraw implements Exchange.
func (x *h2Exchange) Withdraw() bool {
	if x.sent || x.failed || x.aborted || x.ended {
		return false
	}
	clear(x.w.Header())
	x.started, x.nobody, x.left, x.out, x.buf = false, false, 0, 0, x.buf[:0]
	return true
}

// Abort implements Exchange: the stream is reset, its connection goes on.
func (x *h2Exchange) Abort() {
	if x.aborted {
		return
	}
	if x.started && !x.ended && !x.failed && !x.Gone() {
		// What was already complete of the body still goes out, then the break.
		_ = x.flush(time.Second)
	}
	x.aborted = true
	x.mu.Lock()
	if !x.gone && x.ctx.Err() == nil { // nothing is sent on a stream that the caller has reset (RFC 9113 section 5.4.2)
		x.reset()
	}
	x.mu.Unlock()
}
