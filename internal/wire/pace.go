package wire

import (
	"errors"
	"time"
)

// pace adds up how long one direction of a call waited for the caller, and how many bytes moved in that
// time. Time that the gateway or an upstream took is not in it.
type pace struct {
	waited int64 // nanoseconds
	moved  int64
}

func (p *pace) add(waited, moved int64) { p.waited, p.moved = p.waited+waited, p.moved+moved }

// tooSlow tells whether fewer bytes a second moved than must, after a caller has been waited for long
// enough to tell.
func (p *pace) tooSlow(o *DoorOptions) bool {
	return o.MinRate > 0 && p.waited > int64(o.MinRateAfter) && float64(p.moved)*float64(time.Second) < float64(o.MinRate)*float64(p.waited)
}

// Stall is how a caller that stayed connected took an answer too slowly.
type Stall struct {
	// Limit is the write limit, when the caller took nothing for as long; 0 when it took fewer bytes
	// than Rate a second.
	Limit  time.Duration
	Rate   int64
	Waited time.Duration // for the caller, in all
	Took   int64         // bytes in that time
}

// StallOf is why an answer of the exchange could not be written, nil when the caller was not too slow.
func StallOf(ex Exchange) *Stall {
	if s, ok := ex.(interface{ Stall() *Stall }); ok {
		return s.Stall()
	}
	return nil
}

// Stall tells how the caller took the answer too slowly, nil when it did not.
func (c *conn) Stall() *Stall { return c.answer.stall }

var errTooSlow = errors.New("the caller takes the answer too slowly")

// waitedFor judges a caller that has been waited for while head and body were written. n bytes of them
// have been taken and err is how the write ended. One that took something, if not enough to make room
// in the kernel's buffer within the limit, is slow and not stalled: it is written on to.
func (c *conn) waitedFor(head, body []byte, n int, err error) error {
	a := &c.answer
	for {
		w := c.sock.takeWait()
		a.pace.add(w.waited, w.moved)
		switch {
		case err == errTimeout && (w.moved == 0 || c.sock.rc == nil):
			// TLS cannot go on after a limit: it does not know how much of its record is on the way.
			return c.stalled(a.limit, err)
		case a.pace.tooSlow(c.o):
			return c.stalled(0, errTooSlow)
		case err != errTimeout:
			return err
		}
		if n >= len(head) {
			head, body = body[n-len(head):], nil
		} else {
			head = head[n:]
		}
		c.sock.disarmWrite() // the limit that has passed
		n, err = c.sock.write(head, body, a.limit, 0)
	}
}

func (c *conn) stalled(limit time.Duration, err error) error {
	p := &c.answer.pace
	c.door.tooSlow.Add(1)
	c.answer.stall = &Stall{Limit: limit, Rate: c.o.MinRate, Waited: time.Duration(p.waited), Took: p.moved}
	return err
}

// wait is how long a socket was waited for, and the bytes that its peer took in that time.
type wait struct{ waited, moved int64 }

// takeWait returns the waits since the last call.
func (s *sock) takeWait() wait {
	w := s.wait
	s.wait = wait{}
	return w
}

// beginWait notes how much the kernel still has to send when a write must wait.
func (s *sock) beginWait() { s.waitFrom, s.queuedFrom = clock(), s.queued() }

// endWait adds a wait that ended with n more bytes handed to the kernel.
func (s *sock) endWait(n int) {
	if s.waitFrom == 0 {
		return
	}
	s.wait.waited += max(clock()-s.waitFrom, 1)
	if left := s.queued(); left >= 0 && s.queuedFrom >= 0 {
		s.wait.moved += max(s.queuedFrom+int64(n)-left, 0)
	} else {
		s.wait.moved += int64(n)
	}
	s.waitFrom = 0
}

// queued is how many bytes the kernel holds that the peer has not acknowledged, -1 when it does not say.
// One that reads nothing acknowledges nothing once its own buffer is full.
func (s *sock) queued() (n int64) {
	n = -1
	if rc := s.below(); rc != nil {
		_ = rc.Control(func(fd uintptr) { n = sysQueued(fd) })
	}
	return n
}
