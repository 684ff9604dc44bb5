package upstream

import (
	"fmt"
	"strings"
	"time"

	"causeway/internal/fault"
)

// Tried remembers the targets that a call has been sent to. The zero value is empty; it belongs
// to one call and must not be copied.
type Tried struct {
	n    int
	few  [6]uint16
	more []uint16
}

// Add remembers a target.
func (t *Tried) Add(target *Target) {
	if t.n < len(t.few) {
		t.few[t.n] = uint16(target.Index)
	} else {
		t.more = append(t.more, uint16(target.Index))
	}
	t.n++
}

// Len is how often Add was called.
func (t *Tried) Len() int { return t.n }

// Reset empties t for the next call.
func (t *Tried) Reset() { t.n, t.more = 0, t.more[:0] }

// skip says which targets a pick passes over.
type skip struct {
	tried *Tried // nil: none
	last  bool   // only the one tried last
}

func (s skip) has(t *Target) bool {
	if s.tried == nil {
		return false
	}
	i, tr := uint16(t.Index), s.tried
	if s.last {
		if n := len(tr.more); n > 0 {
			return tr.more[n-1] == i
		}
		return tr.few[tr.n-1] == i
	}
	for k := range min(tr.n, len(tr.few)) {
		if tr.few[k] == i {
			return true
		}
	}
	for _, m := range tr.more {
		if m == i {
			return true
		}
	}
	return false
}

// Pick chooses a target and reserves one of its slots, which Release gives back. hash is what the
// call's stickiness hangs on (see HashBy and Hash); with 0 a hashing pool takes its targets in
// turn. tried are the targets of the call's earlier attempts, nil for none: they are passed over
// while another is left, then all but the last one are considered again, and a target that is the
// only one left is taken again.
//
// Exactly one result is not nil. A good pick allocates nothing.
func (p *Pool) Pick(hash uint64, tried *Tried) (*Target, *Refusal) {
	if tried == nil || tried.n == 0 {
		if t := p.choose(hash, skip{}); t != nil {
			return t, nil
		}
		return nil, p.refuse()
	}
	for _, s := range [3]skip{{tried: tried}, {tried: tried, last: true}, {}} {
		if t := p.choose(hash, s); t != nil {
			return t, nil
		}
	}
	return nil, p.refuse()
}

// Untried reports whether Pick would find a target that has not been tried.
func (p *Pool) Untried(tried *Tried) bool {
	s := skip{tried: tried}
	for _, t := range p.targets {
		if !s.has(t) && t.usable() && (p.maxBusy == 0 || t.load.busy.Load() < p.maxBusy) {
			return true
		}
	}
	return false
}

// Fact is why a target was not picked.
type Fact uint8

// The facts that keep a target out of use.
const (
	FactUnhealthy Fact = iota + 1 // its health checks fail
	FactHeld                      // it is held back: the breaker is open
	FactFull                      // all its slots are taken
	FactDrained                   // its weight is 0
)

// Reason is a failure as it was seen.
type Reason struct {
	Kind fault.Kind
	Text string // one line, with numbers and units
}

// TargetRefusal is why one target was not picked.
type TargetRefusal struct {
	URL    string
	Fact   Fact
	Reason Reason        // why it is unhealthy or held; for a full one only the text
	Since  time.Time     // since when; zero for a full one
	Until  time.Time     // when a hold ends; else zero
	For    time.Duration // how long it has been so, when it was refused
}

// Refusal is why no target was picked.
type Refusal struct {
	// Kind is no_target where none is configured (or all are drained), no_slot where a healthy
	// target lacked only a slot, breaker_open where one was only held, else no_healthy_target.
	Kind fault.Kind
	// Deepest is the kind of failure that most of the unhealthy and held targets have, "" when
	// there is none: the cause behind Kind.
	Deepest fault.Kind
	Targets []TargetRefusal // every target, by index
	// RetryAfter is when a hold ends, 0 when nothing is known.
	RetryAfter time.Duration
}

// Error makes a Refusal usable as an error: one line for each target.
func (r *Refusal) Error() string {
	var b strings.Builder
	fmt.Fprint(&b, r.Kind)
	for _, t := range r.Targets {
		fmt.Fprintf(&b, "; %s: %s", t.URL, t.Reason.Text)
	}
	return b.String()
}

// refuse gathers why nothing was picked.
func (p *Pool) refuse() *Refusal {
	now := p.now()
	r := &Refusal{Kind: fault.NoTarget}
	counts := map[fault.Kind]int{}
	rank := 0
	for _, t := range p.targets {
		tr := t.refusal(now)
		kind := [...]fault.Kind{FactUnhealthy: fault.NoHealthyTarget, FactHeld: fault.BreakerOpen, FactFull: fault.NoSlot, FactDrained: fault.NoTarget}[tr.Fact]
		if k := [...]int{FactDrained: 1, FactUnhealthy: 2, FactHeld: 3, FactFull: 4}[tr.Fact]; k > rank {
			r.Kind, rank = kind, k
		}
		if !tr.Since.IsZero() {
			tr.For = now.Sub(tr.Since)
		}
		if k := tr.Reason.Kind; k != "" && tr.Fact != FactFull {
			counts[k]++
			if counts[k] > counts[r.Deepest] || r.Deepest == "" {
				r.Deepest = k
			}
		}
		if tr.Fact == FactHeld && (r.RetryAfter == 0 || tr.Until.Sub(now) < r.RetryAfter) {
			r.RetryAfter = tr.Until.Sub(now)
		}
		r.Targets = append(r.Targets, tr)
	}
	return r
}

// refusal is why t is not picked. A target that has become free meanwhile is told as full: that
// is what it was.
func (t *Target) refusal(now time.Time) TargetRefusal {
	r := TargetRefusal{URL: t.URL}
	var s Status
	t.verdict.describe(&s)
	h := t.load.held.Load()
	switch {
	case t.Weight == 0:
		r.Fact, r.Reason.Text = FactDrained, "its weight is 0: it gets no calls"
	case !s.Healthy:
		r.Fact, r.Since = FactUnhealthy, s.Since
		r.Reason = Reason{s.Reason.Kind, fmt.Sprintf("health check failed %d times in a row, the last: %s", s.Failed, s.Reason.Text)}
	case h != nil && now.Before(h.until):
		r.Fact, r.Until, r.Reason = FactHeld, h.until, h.reason
	default:
		r.Fact, r.Reason = FactFull, Reason{fault.NoSlot, fmt.Sprintf("all its slots are taken (max_busy: %d)", t.pool.maxBusy)}
	}
	return r
}
