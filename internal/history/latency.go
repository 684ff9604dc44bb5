package history

import (
	"slices"
	"time"

	"causeway/internal/journey"
)

// ring keeps the latest samples.
type ring struct {
	at   [ringSize]int64
	took [ringSize]int64
	n    int // ever added
}

const (
	ringSize = 64
	// coarseGap is how far apart the samples of the coarse ring are: it reaches back about a minute under load,
	// and much further without.
	coarseGap = int64(time.Second)
	// stale is how old a sample may be to count.
	stale = int64(10 * time.Minute)
)

func (r *ring) add(at, took int64) {
	r.at[r.n%ringSize], r.took[r.n%ringSize] = at, took
	r.n++
}

func (r *ring) latest() int64 {
	if r.n == 0 {
		return 0
	}
	return r.at[(r.n-1)%ringSize]
}

type sample struct{ at, took int64 }

// latency compares the samples before a moment, which is when the failures began: the last third of them with
// those before.
func (t *Target) latency(before, now int64) (l journey.PastLatency) {
	var list []sample
	oldest := int64(1<<63 - 1)
	for i := range min(t.fine.n, ringSize) {
		if at := t.fine.at[i]; now-at < stale && at <= before {
			list = append(list, sample{at, t.fine.took[i]})
			oldest = min(oldest, at)
		}
	}
	for i := range min(t.coarse.n, ringSize) {
		if at := t.coarse.at[i]; at < oldest && now-at < stale && at <= before {
			list = append(list, sample{at, t.coarse.took[i]})
		}
	}
	if len(list) < 6 {
		if len(list) > 0 {
			l.Samples = len(list)
			l.P50, l.P95 = quantiles(list)
		}
		return l
	}
	slices.SortFunc(list, func(a, b sample) int {
		switch {
		case a.at < b.at:
			return -1
		case a.at > b.at:
			return 1
		}
		return 0
	})
	recent := max(3, min(len(list)/3, 16))
	old, late := list[:len(list)-recent], list[len(list)-recent:]
	if len(old) > 2*recent {
		old = old[:len(old)-recent/2] // what was in between belongs to neither
	}
	l.Samples, l.Recent = len(old), len(late)
	l.P50, l.P95 = quantiles(old)
	l.NewP50, l.NewP95 = quantiles(late)
	return l
}

func quantiles(list []sample) (p50, p95 time.Duration) {
	took := make([]int64, len(list))
	for i, s := range list {
		took[i] = s.took
	}
	slices.Sort(took)
	return time.Duration(took[len(took)/2]), time.Duration(took[min(len(took)-1, len(took)*95/100)])
}
