package policy

import (
	"sync"
	"time"
)

// MaxRateKeys is how many keys one limit keeps apart.
const MaxRateKeys = shards * shardKeys

const (
	shards    = 64
	shardKeys = 1024
	grains    = 64 // parts of the window in which calls are told apart
)

// counters are the windows of all keys of one limit.
type counters struct {
	limit int64
	per   time.Duration
	grain time.Duration
	base  time.Time
	shard [shards]shard
}

type shard struct {
	mu      sync.Mutex
	windows map[RateKey]*window
	// crowd counts the keys for which there is no room.
	crowd   window
	sweepAt time.Duration // before it, no window can have become idle
	_       [32]byte      // shards are locked by different cores
}

// window is the calls of one key in the last per. Calls less than a grain apart make one batch,
// which is forgotten per after its last call; so a window has at most grains+2 batches.
type window struct {
	batches []batch // a ring, oldest at head
	head, n int
	total   int64
	first   time.Duration // when the newest batch began
}

type batch struct {
	last  time.Duration
	calls int64
}

func newCounters(limit int64, per time.Duration) *counters {
	c := &counters{limit: limit, per: per, grain: (per + grains - 1) / grains, base: time.Now()}
	for i := range c.shard {
		c.shard[i].windows = map[RateKey]*window{}
	}
	return c
}

// take decides about one call. The clock is read under the lock: calls are counted in the order
// in which they pass.
func (c *counters) take(key RateKey) Decision {
	s := &c.shard[(key.hi*0x9e3779b97f4a7c15^key.lo*0xbf58476d1ce4e5b9^uint64(key.maker))*0x94d049bb133111eb>>58]
	s.mu.Lock()
	now := time.Since(c.base)
	w := s.windows[key]
	if w == nil {
		w = c.newWindow(s, key, now)
	}
	d := w.take(c, now)
	s.mu.Unlock()
	return d
}

func (w *window) take(c *counters, now time.Duration) Decision {
	w.forget(now - c.per)
	d := Decision{OK: w.total < c.limit, Limit: c.limit}
	if d.OK {
		w.add(now, c.grain)
	}
	d.Remaining = c.limit - w.total
	if w.n > 0 {
		d.ResetAfter = w.batches[w.head].last + c.per - now
	}
	if !d.OK {
		d.RetryAfter = d.ResetAfter
	}
	return d
}

// forget drops the batches whose last call was at or before a time.
func (w *window) forget(until time.Duration) {
	for w.n > 0 && w.batches[w.head].last <= until {
		w.total -= w.batches[w.head].calls
		if w.head++; w.head == len(w.batches) {
			w.head = 0
		}
		w.n--
	}
}

func (w *window) add(now, grain time.Duration) {
	w.total++
	if w.n > 0 && now-w.first < grain {
		b := &w.batches[w.place(w.n-1)]
		b.last = now
		b.calls++
		return
	}
	if w.n == len(w.batches) {
		w.grow()
	}
	w.batches[w.place(w.n)] = batch{now, 1}
	w.n++
	w.first = now
}

// place is where the ith batch from the oldest is kept.
func (w *window) place(i int) int {
	if i += w.head; i >= len(w.batches) {
		i -= len(w.batches)
	}
	return i
}

// grow makes room for more batches: most keys never need many.
func (w *window) grow() {
	bigger := make([]batch, min(max(4, 2*w.n), grains+2))
	for i := range w.n {
		bigger[i] = w.batches[w.place(i)]
	}
	w.batches, w.head = bigger, 0
}

// idle reports whether the window has nothing to remember.
func (w *window) idle(until time.Duration) bool {
	return w.n == 0 || w.batches[w.place(w.n-1)].last <= until
}

// newWindow makes a key's window, or gives that of the crowd where there is no room.
func (c *counters) newWindow(s *shard, key RateKey, now time.Duration) *window {
	until := now - c.per
	looked := 0
	for k, w := range s.windows { // the order is random: with time all idle ones are met
		if w.idle(until) {
			delete(s.windows, k)
		}
		if looked++; looked == 4 {
			break
		}
	}
	if len(s.windows) >= shardKeys && now >= s.sweepAt {
		c.sweep(s, now)
	}
	if len(s.windows) >= shardKeys {
		return &s.crowd
	}
	w := &window{}
	if s.crowd.forget(until); s.crowd.n > 0 {
		// The key may have been counted there; it must not get its calls twice.
		*w = s.crowd
		w.batches = append([]batch(nil), s.crowd.batches...)
	}
	s.windows[key] = w
	return w
}

// sweep drops all idle windows and finds when the next one can be idle.
func (c *counters) sweep(s *shard, now time.Duration) {
	s.sweepAt = now + c.per
	for k, w := range s.windows {
		if w.idle(now - c.per) {
			delete(s.windows, k)
			continue
		}
		s.sweepAt = min(s.sweepAt, w.batches[w.place(w.n-1)].last+c.per)
	}
}
