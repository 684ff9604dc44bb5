// Package choose decides where a model's call goes: which of a model's targets, by weight, latency,
// load, price or conversation (Balancer); with which of a provider's keys (KeyPool); and which
// targets are left alone for a while because they fail (Target).
//
// It is pure: it keeps no clock and makes no connection. Every method is told the time as
// nanoseconds of a clock that never goes back, is safe for concurrent use, and allocates nothing
// on the way of a good call.
package choose

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"causeway/internal/fault"
)

// When a target that keeps failing is left alone, and for how long. A dead target gets no calls
// while another is left; it is probed without a call, at growing intervals, and single calls are let
// through as trials: at once when a probe passes that had failed before, else at growing pauses.
const (
	// DeadAfter is how many calls in a row must fail.
	DeadAfter = 3
	// firstTrial and mostTrial bound the pause before a trial: it doubles with each that fails. An outage
	// of a minute costs seven of them, each of which goes on elsewhere, and is over for callers within ten seconds of its end.
	firstTrial = 5 * time.Second
	mostTrial  = 9 * time.Second
	// firstProbe and mostProbe bound the pause before a probe: with the time that a probe of a target that hangs may
	// take, less than ten seconds.
	firstProbe = time.Second
	mostProbe  = 5 * time.Second
	// silent is how long a target gets no trial after a probe that failed; probes go on meanwhile.
	silent = time.Minute
	// lease is how long a trial may take before another call may be one.
	lease = time.Minute
)

// Target is what calls have shown of one model of one provider. The zero value is a target that
// nothing is known of. Every generation of a configuration, and every name under which a model may
// be called, shares one Target for the same model of the same provider.
type Target struct {
	busy    atomic.Int64
	latency [2]average // of whole answers; of the first token of streams

	// skip is the time until which it gets no calls; 0 while it is well.
	skip atomic.Int64
	// troubled is set while failures is not 0, so that a good call need not take the lock.
	troubled atomic.Bool

	mu       sync.Mutex
	failures int // in a row
	dead     bool
	since    int64 // when it died
	trials   int   // that failed
	probes   int   // made since it died
	failed   bool  // the last probe did
	kind     fault.Kind
}

// Begin counts a call that is sent to the target, End one that is over.
func (t *Target) Begin() { t.busy.Add(1) }

// End counts a call that is over.
func (t *Target) End() { t.busy.Add(-1) }

// Busy is the number of calls in flight.
func (t *Target) Busy() int64 { return t.busy.Load() }

// Usable tells whether calls may go to the target now: it is well, or the time of a trial has come.
func (t *Target) Usable(now int64) bool {
	s := t.skip.Load()
	return s == 0 || now >= s
}

// Claim takes the right to call a usable target. trial tells that it is a dead one, and that this
// call is the one that finds out whether it still is. ok is false when another call has become the trial
// meanwhile.
func (t *Target) Claim(now int64) (trial, ok bool) {
	s := t.skip.Load()
	if s == 0 {
		return false, true
	}
	if now < s {
		return false, false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.dead { // it was only waited for
		t.skip.CompareAndSwap(s, 0)
		return false, true
	}
	return true, t.skip.CompareAndSwap(s, now+int64(lease))
}

// Good notes a call that the target answered. back tells that it had been dead, down for how long.
func (t *Target) Good(now int64) (back bool, down time.Duration) {
	if !t.troubled.Load() && t.skip.Load() == 0 {
		return false, 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	back, down = t.dead, time.Duration(now-t.since)
	t.failures, t.dead, t.trials, t.probes, t.failed, t.kind = 0, false, 0, 0, false, ""
	t.troubled.Store(false)
	t.skip.Store(0)
	if !back {
		down = 0
	}
	return back, down
}

// Failed notes a call that the target failed, by its own fault. trial is what Claim said. died tells
// that the target is left alone from now on: it should be probed (see Probe).
func (t *Target) Failed(now int64, kind fault.Kind, trial bool) (died bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.troubled.Store(true)
	t.kind = kind
	switch {
	case t.dead && !trial: // a call that had begun before
		return false
	case t.dead:
		t.trials++
		t.skip.Store(now + int64(grown(firstTrial, mostTrial, t.trials)))
		return false
	}
	if t.failures++; t.failures < DeadAfter {
		return false
	}
	t.dead, t.since, t.trials, t.probes, t.failed = true, now, 0, 0, false
	t.skip.Store(now + int64(firstTrial))
	return true
}

// Wait keeps calls away for a time that the target itself asked for (Retry-After of a 503 or 529). It
// never shortens a wait.
func (t *Target) Wait(now int64, d time.Duration) {
	until := now + int64(d)
	for {
		s := t.skip.Load()
		if s >= until || t.skip.CompareAndSwap(s, until) {
			return
		}
	}
}

// Probe tells when a dead target is to be looked at next; ok is false when it is not dead.
func (t *Target) Probe() (after time.Duration, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return grown(firstProbe, mostProbe, t.probes), t.dead
}

// Probed notes what a probe of a dead target found: whether it answers at all. A target that did not,
// and now does, may have its trial at once; while it does not, no call is spent on it.
func (t *Target) Probed(now int64, answers bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.dead {
		return
	}
	t.probes++
	switch {
	case !answers:
		t.failed = true
		t.skip.Store(now + int64(silent))
	case t.failed:
		t.failed, t.probes = false, 0
		t.skip.Store(now)
	}
}

// grown is a pause that doubles with each time.
func grown(first, most time.Duration, times int) time.Duration {
	return min(first<<min(times, 20), most)
}

// State is a target as metrics and people see it.
type State struct {
	Busy     int64
	Dead     bool
	Kind     fault.Kind    // of its last failure, "" while it is well
	Down     time.Duration // how long it has been dead
	Next     time.Duration // until the next call may go to it; 0 at once
	Latency  time.Duration // of whole answers, 0 when not known
	Streams  time.Duration // to the first token of a stream, 0 when not known
	Failures int           // in a row
}

// State tells how the target is.
func (t *Target) State(now int64) State {
	s := State{Busy: t.Busy(), Latency: t.latency[0].at(now), Streams: t.latency[1].at(now)}
	if skip := t.skip.Load(); skip > now {
		s.Next = time.Duration(skip - now)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	s.Dead, s.Kind, s.Failures = t.dead, t.kind, t.failures
	if t.dead {
		s.Down = time.Duration(now - t.since)
	}
	return s
}

// Took notes how long the first token of a stream, or a whole answer, took to come.
func (t *Target) Took(now int64, d time.Duration, stream bool) { t.latency[which(stream)].add(now, d) }

// Latency is what is to be expected, 0 when not known.
func (t *Target) Latency(now int64, stream bool) time.Duration {
	return t.latency[which(stream)].at(now)
}

func which(stream bool) int {
	if stream {
		return 1
	}
	return 0
}

// average is an exponentially weighted moving average of durations. The older the last one is, the
// less it weighs against the next; and what was measured long ago fades, so that a target that was slow
// once is tried again.
type average struct {
	value atomic.Uint64 // a float64's bits, in nanoseconds; 0 is not known
	last  atomic.Int64
}

const (
	memory  = 10 * time.Second // after which a measure has lost 63 % of its weight
	newest  = 0.2              // the least weight of the newest
	halving = time.Minute      // after which an old measure counts for half
)

func (a *average) add(now int64, d time.Duration) {
	v := float64(max(d, 1))
	for {
		bits := a.value.Load()
		next := v
		if bits != 0 {
			keep := min(math.Exp(-float64(max(now-a.last.Load(), 0))/float64(memory)), 1-newest)
			next = math.Float64frombits(bits)*keep + v*(1-keep)
		}
		if a.value.CompareAndSwap(bits, math.Float64bits(next)) {
			a.last.Store(now)
			return
		}
	}
}

func (a *average) at(now int64) time.Duration {
	bits := a.value.Load()
	if bits == 0 {
		return 0
	}
	age := max(now-a.last.Load(), 0)
	return max(time.Duration(math.Float64frombits(bits)*math.Exp2(-float64(age)/float64(halving))), 1)
}
