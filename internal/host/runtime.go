package host

import (
	"math"
	"runtime"
	"runtime/metrics"
	"time"
)

// cpus is how many CPUs this process may use at once.
func cpus() int { return runtime.GOMAXPROCS(0) }

// What is read of the runtime, in this order.
const (
	readDelays = iota
	readPauses
	readLive
	readStacks
	readTotal
	readObjects
	readFree
	readUnused
	readReleased
	readGC
	reads
)

// runtimeReader reads runtime/metrics without allocating anew.
type runtimeReader struct{ samples [reads]metrics.Sample }

func (r *runtimeReader) init() {
	for i, name := range [reads]string{
		readDelays: "/sched/latencies:seconds", readPauses: "/sched/pauses/total/gc:seconds", readLive: "/gc/heap/live:bytes",
		readStacks: "/memory/classes/heap/stacks:bytes", readTotal: "/memory/classes/total:bytes", readObjects: "/memory/classes/heap/objects:bytes",
		readFree: "/memory/classes/heap/free:bytes", readUnused: "/memory/classes/heap/unused:bytes",
		readReleased: "/memory/classes/heap/released:bytes", readGC: "/cpu/classes/gc/total:cpu-seconds",
	} {
		r.samples[i].Name = name
	}
}

func (r *runtimeReader) read() *[reads]metrics.Sample {
	metrics.Read(r.samples[:])
	return &r.samples
}

// needed is how many bytes would be left if garbage were collected now: what the last collection found
// alive, and what is not the heap's. What was allocated since may be garbage or not; large things are
// reserved by those who make them.
func needed(m *[reads]metrics.Sample) int64 {
	bytes := func(i int) int64 { return int64(m[i].Value.Uint64()) }
	besides := bytes(readTotal) - bytes(readObjects) - bytes(readFree) - bytes(readUnused) - bytes(readReleased)
	return besides + min(bytes(readLive), bytes(readObjects))
}

// lifetime turns the runtime's counts since the start into those of a tick and of a second.
type lifetime struct {
	delays, pauses counts
	gc, gcWas      float64

	delay, pause time.Duration // the longest of this second
	needed       int64
}

// counts is a histogram's at the last look.
type counts struct{ was []uint64 }

func (l *lifetime) begin(m *[reads]metrics.Sample) {
	l.delays.since(m[readDelays].Value.Float64Histogram(), 0.5)
	l.pauses.since(m[readPauses].Value.Float64Histogram(), 0.5)
	l.gc = m[readGC].Value.Float64()
	l.gcWas = l.gc
}

// tick takes in one look. late is how much later it came than it should have: it waited for a CPU like
// everybody else, and when the process as a whole is held back, nobody else may have been counted. probed
// is the probe's delay.
func (l *lifetime) tick(m *[reads]metrics.Sample, late, probed time.Duration) Tick {
	h := m[readDelays].Value.Float64Histogram()
	median, tail, n := l.delays.since(h, 0.99)
	_, pause, _ := l.pauses.since(m[readPauses].Value.Float64Histogram(), 1)
	if n < 20 {
		median = max(median, late)
	}
	l.delay, l.pause = max(l.delay, tail, late, probed), max(l.pause, pause)
	l.gc, l.needed = m[readGC].Value.Float64(), needed(m)
	return Tick{Delay: max(median, probed), Needed: l.needed}
}

// atLeisure is the CPU time in a second below which nobody waits for the garbage collector: a collection in
// a process that does next to nothing else is most of what it does.
const atLeisure = 0.2

// gcShare is what garbage collection took of the CPU time used in this second, 0 when that was next to
// none. The runtime counts it at the end of a collection.
func (l *lifetime) gcShare(own float64) float64 {
	if own < atLeisure {
		return 0
	}
	return share((l.gc - l.gcWas) / own)
}

// next begins a second.
func (l *lifetime) next() { l.delay, l.pause, l.gcWas = 0, 0, l.gc }

// since returns the median and another quantile of what was counted since the last look, and how much
// that was. The quantiles are the upper bounds of their buckets.
func (c *counts) since(h *metrics.Float64Histogram, quantile float64) (median, other time.Duration, n uint64) {
	if len(c.was) != len(h.Counts) {
		c.was = make([]uint64, len(h.Counts))
		copy(c.was, h.Counts)
		return 0, 0, 0
	}
	for i := range h.Counts {
		n += h.Counts[i] - c.was[i]
	}
	half, most := uint64(math.Ceil(0.5*float64(n))), uint64(math.Ceil(quantile*float64(n)))
	var seen uint64
	for i := range h.Counts {
		d := h.Counts[i] - c.was[i]
		if d == 0 {
			continue
		}
		if seen < half && seen+d >= half {
			median = bound(h, i)
		}
		if seen < most && seen+d >= most {
			other = bound(h, i)
		}
		seen += d
	}
	copy(c.was, h.Counts)
	return median, other, n
}

// bound is a bucket's upper bound, or the lower one of the last bucket, which has no end.
func bound(h *metrics.Float64Histogram, i int) time.Duration {
	b := h.Buckets[i+1]
	if math.IsInf(b, 1) {
		b = h.Buckets[i]
	}
	return time.Duration(b * float64(time.Second))
}
