package meter

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// bounds are the upper bounds of the histograms' buckets, in the 1-2.5-5 steps that dashboards
// expect: from half a millisecond, which is what a good proxied call takes, to the ten minutes that a
// model may.
var bounds = [...]time.Duration{
	500 * time.Microsecond, time.Millisecond, 2500 * time.Microsecond,
	5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond,
	50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond,
	500 * time.Millisecond, time.Second, 2500 * time.Millisecond,
	5 * time.Second, 10 * time.Second, 25 * time.Second,
	50 * time.Second, 100 * time.Second, 250 * time.Second,
	600 * time.Second,
}

// firstBound[n] is the first bucket that can hold a duration whose microseconds have n bits, so
// that a search is at most two comparisons.
var firstBound = makeFirstBound()

func makeFirstBound() (table [65]uint8) {
	for n := range table {
		var least time.Duration
		if n > 0 {
			if n > 44 { // months: past the last bound, and the shift below would overflow
				table[n] = uint8(len(bounds))
				continue
			}
			least = time.Duration(1) << (n - 1) * time.Microsecond
		}
		i := 0
		for i < len(bounds) && least > bounds[i] {
			i++
		}
		table[n] = uint8(i)
	}
	return table
}

// histogram is one shard of a histogram. Its last bucket is +Inf.
type histogram struct {
	// sum is in microseconds: nanoseconds would overflow after weeks of ten thousand open streams.
	sum     atomic.Uint64
	buckets [len(bounds) + 1]atomic.Uint64
}

func (h *histogram) observe(d time.Duration) {
	h.buckets[bucket(d)].Add(1)
	add(&h.sum, d.Microseconds())
}

// bucket is the index of the first bound that is not below d.
func bucket(d time.Duration) int {
	if d <= 0 {
		return 0
	}
	i := int(firstBound[bits.Len64(uint64(d/time.Microsecond))])
	for i < len(bounds) && d > bounds[i] {
		i++
	}
	return i
}
