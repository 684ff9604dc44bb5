package upstream

import (
	"sync/atomic"
	"time"
)

// Target is one server of an upstream. Its methods may be called concurrently.
type Target struct {
	Index  int    // in its pool
	URL    string // as configured
	Weight int

	pool    *Pool
	seed    uint64 // of the URL, for hashing
	load    *load
	verdict *verdict
}

// load is what calls write. It outlives the pool: Adopt hands it on.
type load struct {
	_        [64]byte     // a cache line of its own: neighbours would slow each other down
	busy     atomic.Int64 // calls in flight
	picked   atomic.Uint64
	lastGood atomic.Int64 // Unix nanoseconds, 0 never
	toldGood atomic.Int64 // the same, but for failures since
	held     atomic.Pointer[hold]
	breaker  atomic.Pointer[breaker] // nil: none
	_        [16]byte
}

// hold keeps a target out of use until a time.
type hold struct {
	until  time.Time
	reason Reason
}

// Release gives back the slot that Pick took. Each pick is released exactly once.
func (t *Target) Release() { t.load.busy.Add(-1) }

// Busy is the number of calls in flight.
func (t *Target) Busy() int { return int(t.load.busy.Load()) }

// goodGrain is how coarse LastGood is, so that good calls rarely write to shared memory.
const goodGrain = 10 * time.Millisecond

// MarkGood notes that the target gave a good answer at this time (Unix nanoseconds), coarse to a hundredth of a second. It is told
// when the answer was noted, which the first after a failure always is: what is to be remembered of good answers
// is then looked at, and costs the others nothing.
func (t *Target) MarkGood(now int64) (noted bool) {
	if !t.Due(now) {
		return false
	}
	t.load.toldGood.Store(now)
	t.load.lastGood.Store(now)
	return true
}

// Due tells whether a good answer at this time (Unix nanoseconds) would be noted.
func (t *Target) Due(now int64) bool {
	return now-t.load.toldGood.Load() >= int64(goodGrain)
}

// MarkBad has the next good answer noted, however soon it comes.
func (t *Target) MarkBad() { t.load.toldGood.Store(0) }

// LastGood is when the target last gave a good answer; ever is false when it has not since this
// process began.
func (t *Target) LastGood() (at time.Time, ever bool) {
	n := t.load.lastGood.Load()
	if n == 0 {
		return time.Time{}, false
	}
	return time.Unix(0, n), true
}

// Hold keeps the target out of use until a time, as a breaker does; a later hold replaces an
// earlier one. Calls in flight are not touched.
func (t *Target) Hold(until time.Time, why Reason) {
	t.load.held.Store(&hold{until: until, reason: why})
}

// Unhold ends a hold at once.
func (t *Target) Unhold() { t.load.held.Store(nil) }

// Healthy is what the health checks say; true where there are none.
func (t *Target) Healthy() bool { return t.verdict.healthy.Load() }

// usable reports whether calls may go to the target now, slots aside.
func (t *Target) usable() bool {
	return t.Weight > 0 && t.verdict.healthy.Load() && !t.isHeld() && t.load.breaker.Load().may()
}

func (t *Target) isHeld() bool {
	h := t.load.held.Load()
	return h != nil && t.pool.now().Before(h.until)
}

// take reserves a slot. At no moment are more than max_busy taken.
func (t *Target) take() bool {
	b := t.load.breaker.Load()
	if !b.claim() {
		return false
	}
	limit := t.pool.maxBusy
	if limit == 0 {
		t.load.busy.Add(1)
	} else {
		for {
			n := t.load.busy.Load()
			if n >= limit {
				if b != nil && b.tried.Load() {
					b.trial.Store(false)
				}
				return false
			}
			if t.load.busy.CompareAndSwap(n, n+1) {
				break
			}
		}
	}
	t.load.picked.Add(1)
	return true
}

// less reports whether t has fewer calls for its weight than u.
func (t *Target) less(u *Target) bool {
	return t.load.busy.Load()*int64(u.Weight) < u.load.busy.Load()*int64(t.Weight)
}

// Status is a target as metrics and the console show it.
type Status struct {
	URL      string
	Weight   int
	Healthy  bool
	Held     bool
	Busy     int
	MaxBusy  int // 0: no limit
	Picked   uint64
	LastGood time.Time // zero: never since this process began
	Since    time.Time // since when it is healthy or not
	// Reason is why it is unhealthy or, while it is healthy, how its last failed check went.
	Reason Reason
	// Checks in a row that passed or failed until now; one of them is 0.
	Passed, Failed int
	LastCheck      time.Time // zero: none yet
	LastTook       time.Duration
	// HeldUntil and HeldWhy tell until when and why it is Held; zero while it is not.
	HeldUntil time.Time
	HeldWhy   Reason
}

// Status returns the state of every target, by index.
func (p *Pool) Status() []Status {
	out := make([]Status, len(p.targets))
	for i, t := range p.targets {
		s := &out[i]
		t.verdict.describe(s)
		s.URL, s.Weight, s.Busy, s.MaxBusy = t.URL, t.Weight, t.Busy(), int(p.maxBusy)
		s.Picked, s.Held = t.load.picked.Load(), t.isHeld()
		s.LastGood, _ = t.LastGood()
		if h := t.load.held.Load(); h != nil && s.Held {
			s.HeldUntil, s.HeldWhy = h.until, h.reason
		}
	}
	return out
}
