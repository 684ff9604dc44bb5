package upstream

import (
	"sync"
	"sync/atomic"
	"time"
)

// Budget bounds the retries of a service to a share of its calls over a sliding ten seconds, so
// that an upstream in trouble is not buried under retries. In any ten seconds at most
// max(3, share x calls) retries are allowed, counting the calls of those ten seconds only.
// All methods may be called concurrently.
type Budget struct {
	share float64
	base  time.Time
	calls [budgetSlots]atomic.Uint64 // slot number << 32 | calls in it

	mu      sync.Mutex
	retries [budgetSlots + 1]struct{ slot, n uint64 }
}

const (
	budgetSlot  = time.Second
	budgetSlots = 10 // make up the window
	budgetLeast = 3  // retries that every window has
)

// NewBudget makes a budget; share is 0.2 for 20 %. now begins its time.
func NewBudget(share float64, now time.Time) *Budget { return &Budget{share: share, base: now} }

// slot numbers time from 1; times before the beginning are in the first slot.
func (b *Budget) slot(now time.Time) uint64 {
	return uint64(max(0, now.Sub(b.base))/budgetSlot) + 1
}

// Call counts one call, made at this time. It allocates nothing and takes no lock.
func (b *Budget) Call(now time.Time) {
	slot := b.slot(now)
	c := &b.calls[slot%budgetSlots]
	for {
		old := c.Load()
		switch {
		case old>>32 == slot:
			c.Add(1)
			return
		case old>>32 > slot:
			return // a call that was late by a whole window
		case c.CompareAndSwap(old, slot<<32|1):
			return
		}
	}
}

// Allow takes one retry from the budget; false when it is spent.
func (b *Budget) Allow(now time.Time) bool {
	slot := b.slot(now)
	// The slots counted for retries cover at least the last ten seconds, those for calls at most.
	var calls uint64
	for i := range b.calls {
		if c := b.calls[i].Load(); c>>32 <= slot && c>>32+budgetSlots > slot {
			calls += c & (1<<32 - 1)
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var retries uint64
	for _, r := range b.retries {
		if r.slot+budgetSlots >= slot {
			retries += r.n
		}
	}
	if retries >= max(budgetLeast, uint64(b.share*float64(calls))) {
		return false
	}
	r := &b.retries[slot%uint64(len(b.retries))]
	if r.slot != slot {
		if r.slot > slot {
			return false // time that went backwards by a whole window
		}
		r.slot, r.n = slot, 0
	}
	r.n++
	return true
}
