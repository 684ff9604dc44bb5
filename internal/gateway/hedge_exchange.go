package gateway

import (
	"bytes"
	"errors"
	"time"

	"causeway/internal/wire"
)

// leg is the exchange of one of the attempts that run side by side. Until it has content to give it keeps what is
// written; with it, it takes the caller's exchange for itself, or learns that another leg has.
type leg struct {
	wire.Exchange // the caller's
	race          *race
	c             *call
	done          chan struct{} // closed when its goroutine has ended; nil for the first leg
	won           bool          // the leg's own: nobody else looks at it

	// What was said before it had content.
	started  bool
	status   int
	reason   string
	head     wire.Header
	length   int64
	declared int64
	kept     []byte
	limit    time.Duration
	limited  bool
	closes   bool

	// Under race.mu.
	launched bool
	lost     bool
	watched  wire.Canceller
}

// mostHeldByLeg is how much a leg keeps before it counts as content.
const mostHeldByLeg = 64 << 10

// errHedged is what a leg gets that was not the first.
var errHedged = errors.New("another target has answered first")

// cancel ends what the leg waits for. race.mu is held.
func (l *leg) cancel(why wire.Reason) {
	if w := l.watched; w != nil {
		l.watched = nil
		w.Cancel(why)
	}
}

func (l *leg) isLost() bool {
	if l.won {
		return false
	}
	l.race.mu.Lock()
	defer l.race.mu.Unlock()
	return l.lost
}

// win takes the caller's exchange, and says there what was kept; false when another leg has it.
func (l *leg) win() (ok bool, err error) {
	if l.won {
		return true, nil
	}
	if !l.race.claim(l) {
		return false, errHedged
	}
	l.won = true
	if l.limited {
		l.Exchange.WriteLimit(l.limit)
	}
	if l.closes {
		l.Exchange.Close()
	}
	if !l.started {
		return true, nil
	}
	for i := range l.head.Fields { // more may have been made since it was written
		if f := &l.head.Fields[i]; f.ID == wire.CausewayAttempts {
			f.Value = smallNumber(l.c.attemptsMade())
		}
	}
	if err = l.Exchange.Start(l.status, l.reason, &l.head, l.length, l.declared); err == nil && len(l.kept) > 0 {
		err = l.Exchange.Write(l.kept)
	}
	l.kept = nil
	return true, err
}

// commits tells whether the leg writes the call's record, which then has what all legs know.
func (l *leg) commits() bool {
	if ok, _ := l.win(); !ok {
		return false
	}
	l.race.join(l)
	return true
}

// speaks tells whether the leg tells the caller of a failure: the first does, when no other can answer.
func (l *leg) speaks() bool {
	if l.won {
		return true
	}
	return !l.c.spare() && l.race.alone()
}

// holds tells whether the begin of a stream is kept back for another leg's sake.
func (l *leg) holds() bool {
	if l.won {
		return false
	}
	r := l.race
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.winner == nil && !r.failed && (!r.over || r.begun > 0)
}

// Start implements wire.Exchange. A stream begins with its first content; a refusal is handed on only where no
// other leg can answer.
func (l *leg) Start(status int, reason string, h *wire.Header, length, declared int64) error {
	if l.won {
		return l.Exchange.Start(status, reason, h, length, declared)
	}
	if status >= 400 && (l.c.spare() || !l.race.alone()) {
		return errHedged
	}
	if status < 400 && length == wire.LengthChunked && l.c.j.Stream {
		if l.isLost() {
			return errHedged
		}
		l.started, l.status, l.reason, l.length, l.declared = true, status, string(append([]byte(nil), reason...)), length, declared
		l.head.Reset()
		for i := range h.Fields {
			f := &h.Fields[i]
			l.head.Add(f.ID, bytes.Clone(f.Name), bytes.Clone(f.Value))
		}
		return nil
	}
	if _, err := l.win(); err != nil {
		return err
	}
	return l.Exchange.Start(status, reason, h, length, declared)
}

// Write implements wire.Exchange.
func (l *leg) Write(p []byte) error {
	if !l.won {
		if l.isLost() {
			return errHedged
		}
		if len(l.kept)+len(p) <= mostHeldByLeg {
			l.kept = append(l.kept, p...)
			return nil
		}
		if _, err := l.win(); err != nil {
			return err
		}
	}
	return l.Exchange.Write(p)
}

// Flush implements wire.Exchange.
func (l *leg) Flush() error {
	if _, err := l.win(); err != nil {
		return err
	}
	return l.Exchange.Flush()
}

// End implements wire.Exchange.
func (l *leg) End(trailer *wire.Header) error {
	if _, err := l.win(); err != nil {
		return err
	}
	return l.Exchange.End(trailer)
}

// Withdraw implements wire.Exchange.
func (l *leg) Withdraw() bool {
	if l.won {
		return l.Exchange.Withdraw()
	}
	l.started, l.kept = false, l.kept[:0]
	return true
}

// Abort implements wire.Exchange: only who answers may cut the connection.
func (l *leg) Abort() {
	if l.won {
		l.Exchange.Abort()
	}
}

// Inform implements wire.Exchange: interim answers of two targets would mix.
func (l *leg) Inform(status int, h *wire.Header) error {
	if l.won {
		return l.Exchange.Inform(status, h)
	}
	return nil
}

// WriteLimit implements wire.Exchange.
func (l *leg) WriteLimit(d time.Duration) {
	if l.won {
		l.Exchange.WriteLimit(d)
		return
	}
	l.limit, l.limited = d, true
}

// Close implements wire.Exchange.
func (l *leg) Close() {
	if l.won {
		l.Exchange.Close()
		return
	}
	l.closes = true
}

// Started implements wire.Exchange.
func (l *leg) Started() bool {
	if l.won {
		return l.Exchange.Started()
	}
	return l.started
}

// BytesOut implements wire.Exchange.
func (l *leg) BytesOut() int64 {
	if l.won {
		return l.Exchange.BytesOut()
	}
	return int64(len(l.kept))
}

// Gone implements wire.Exchange. For a leg that has lost nobody is there.
func (l *leg) Gone() bool { return l.isLost() || l.Exchange.Gone() }

// Watch implements wire.Exchange: the caller's leaving, or another leg's answer, cancels c.
func (l *leg) Watch(c wire.Canceller) {
	r := l.race
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case l.lost:
		c.Cancel(wire.ReasonHedged)
	case r.why != wire.ReasonNone:
		c.Cancel(r.why)
	default:
		l.watched = c
	}
}

// Unwatch implements wire.Exchange.
func (l *leg) Unwatch() {
	l.race.mu.Lock()
	l.watched = nil
	l.race.mu.Unlock()
}
