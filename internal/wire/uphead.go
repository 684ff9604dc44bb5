package wire

import (
	"bytes"
	"time"

	"causeway/internal/journey"
)

// maxInterim is how many interim answers one call may get: an endless stream of them would hold
// the call without an answer (net/http bounds their bytes).
const maxInterim = 20

func (u *Upcall) fillBuffer() {
	if u.buf == nil {
		u.buf = getBuffer(mediumBuffer)
		u.r, u.w = 0, 0
	}
}

// readHead reads the answer's head; interim answers on the way are passed on.
func (u *Upcall) readHead(call *Call, a *journey.Attempt) bool {
	u.fillBuffer()
	for interim := 0; ; interim++ {
		phase := a.Phase
		if !u.readOneHead(call, a) {
			return false
		}
		res := &u.Response
		if res.Status >= 200 {
			break
		}
		if res.Status == 101 {
			if !call.Upgrade {
				a.Status = 101
				return u.parseFailed(a, journey.FaultUpgrade, nil)
			}
			break
		}
		if interim == maxInterim {
			return u.parseFailed(a, journey.FaultInterim, nil)
		}
		a.Phase = phase // the answer itself is still to come
		if call.Inform != nil && res.Status != 100 {
			if call.Inform.Inform(res.Status, &res.Header) != nil && u.gaveUp(a) {
				return false
			}
		}
	}
	res := &u.Response
	a.Status, a.Phase, a.BodyInLen = res.Status, journey.PhaseBody, res.Length
	if res.Length == LengthUntilClose {
		a.BodyInLen = -1
	}
	u.left, u.want, u.small = max(res.Length, 0), 0, 0
	u.done = res.Length == 0
	u.keepFor = 0
	if v := res.Header.Get(KeepAlive); v != nil {
		u.keepFor = keepAliveTimeout(v)
	}
	return true
}

// readOneHead reads and parses one head.
func (u *Upcall) readOneHead(call *Call, a *journey.Attempt) bool {
	limits := u.origin.o.Limits
	scanned := 0
	waitFrom := u.lastByte
	for {
		have := u.buf[u.r:u.w]
		if len(have) > 0 {
			if a.Phase < journey.PhaseHead {
				a.Phase = journey.PhaseHead
				if up := u.upload; up != nil { // nil where the head's own send broke, behind an answer
					waitFrom = up.fullAt.Load()
				}
				if a.FirstByte == 0 && waitFrom != 0 {
					a.FirstByte = time.Duration(max(u.lastByte-waitFrom, 0))
				}
			}
			if n := min(len(have), len(httpSlash)); !bytes.Equal(have[:n], httpSlash[:n]) {
				fault := journey.FaultNotHTTP
				if have[0] == 0x15 || have[0] == 0x16 {
					fault = journey.FaultTLSBytes
				}
				return u.parseFailed(a, fault, have)
			}
			if end := HeadEnd(have, scanned); end > 0 {
				if end > limits.Head {
					a.Offset = int64(end)
					return u.parseFailed(a, journey.FaultHeadTooLarge, nil)
				}
				fault, err := ParseResponse(have[:end:end], limits, call.IsHead, &u.Response)
				if err != nil {
					a.Offset = int64(err.Offset)
					a.Line = clipLine(have[err.Offset:end])
					return u.parseFailed(a, fault, have)
				}
				u.r += end
				return true
			}
			if len(have) > limits.Head {
				a.Offset = int64(len(have))
				return u.parseFailed(a, journey.FaultHeadTooLarge, nil)
			}
			scanned = len(have)
		}
		u.headRoom()
		key, limit := "first_byte", u.limits.FirstByte
		if len(have) > 0 {
			key, limit = "idle", u.limits.Idle
		}
		n, err := u.readWaiting(limit, len(have) > 0)
		if n > 0 && err == nil {
			u.w += n
			a.BytesIn += int64(n)
			u.lastByte = clock()
			continue
		}
		a.First = clip(have)
		if err == nil {
			a.End = journey.EndEOF
			if u.gaveUp(a) {
				return false
			}
			u.resetWhileSending(a)
		} else {
			u.readFailed(err, a, key, limit)
		}
		u.uploadFacts(a)
		return false
	}
}

// readWaiting reads while the request may still be on its way: the limit for the first byte then
// begins when the last byte has been sent.
func (u *Upcall) readWaiting(limit time.Duration, inHead bool) (int, error) {
	up := u.upload
	if up == nil || inHead {
		// Since the last byte in either direction; nobody else was waited for in between.
		return u.sock.read(u.buf[u.w:], u.byFrom(u.lastByte, limit))
	}
	for {
		by := u.limits.Until
		if t := up.fullAt.Load(); t != 0 && limit > 0 {
			if first := t + int64(limit); by == 0 || first < by {
				by = first
			}
		} else if up.stalled.Load() {
			return 0, errTimeout
		} else if up.failed.Load() {
			// It closed or reset while we sent: the answer, or the end, is there or about to be.
			by = clock() + int64(time.Second)
		}
		n, err := u.sock.readNudged(u.buf[u.w:], by)
		if err == errNudged {
			continue
		}
		return n, err
	}
}

// headRoom makes place for more of the head.
func (u *Upcall) headRoom() {
	if u.w < len(u.buf) {
		return
	}
	if u.r > 0 {
		copy(u.buf, u.buf[u.r:u.w])
		u.r, u.w = 0, u.w-u.r
		return
	}
	size := len(u.buf) * 4
	if most := u.origin.o.Limits.Head + 1; size > most && len(u.buf) < most {
		size = most
	}
	bigger := getBuffer(size)
	copy(bigger, u.buf)
	putBuffer(u.buf)
	u.buf = bigger
}

func (u *Upcall) parseFailed(a *journey.Attempt, fault journey.ParseFault, first []byte) bool {
	a.End, a.Fault = journey.EndParse, fault
	if first != nil {
		a.First = clip(first)
	}
	u.uploadFacts(a)
	return false
}

// keepAliveTimeout reads "timeout=5, max=100" and leaves a second's margin, so that we let go
// before the upstream does.
func keepAliveTimeout(v []byte) (d time.Duration) {
	EachToken(v, func(t []byte) bool {
		if len(t) > 8 && EqualFold(t[:8], "timeout=") {
			if n := parseDecimal(t[8:]); n >= 0 {
				d = max(time.Duration(n)*time.Second-time.Second, 500*time.Millisecond)
				if n == 0 {
					d = time.Nanosecond
				}
			}
			return false
		}
		return true
	})
	return d
}
