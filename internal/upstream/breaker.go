package upstream

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"causeway/internal/catalog"
	"causeway/internal/fault"
)

// breaker leaves a target alone that fails, or that is far slower than the others, and finds out by single calls
// when it is well again. It counts in a sliding window of ten parts. There is one for each target, so that of several
// the bad one is ejected and a service with one target answers at once instead of keeping callers waiting.
//
// closed -> held (Target.Hold) for open_for -> one trial call -> closed, with a share of calls that grows over
// warmFor; or held again.
type breaker struct {
	set catalog.Breaker

	mu    sync.Mutex
	parts [parts]part
	at    int64 // the part being written: time / (window / parts)
	why   Reason
	row   int // calls that failed in a row
	opens int // in a row

	trial atomic.Bool  // a call finds out whether the target is well
	tried atomic.Bool  // the hold has passed: only trials are let through
	warm  atomic.Int64 // Unix nanoseconds until which the target gets a growing share
}

const parts = 10

type part struct {
	good, bad int
	took      time.Duration // of the good ones
}

// warmFor is how long a target that came back gets less than its share.
const warmFor = 5 * time.Second

func newBreaker(set *catalog.Breaker) *breaker {
	if set == nil {
		return nil
	}
	return &breaker{set: *set}
}

// Breaks tells whether the target has a breaker, which wants to be told how calls went.
func (t *Target) Breaks() bool { return t.load.breaker.Load() != nil }

// Outcome is how a call went at a target.
type Outcome uint8

// The outcomes.
const (
	WentWell Outcome = iota
	WentBad          // the target failed: no connection, no answer in time, a broken answer, 500 or above
	WentAway         // the call says nothing of the target, such as one whose caller left
)

// Tell notes how a call at the target went: after took it had begun to answer. kind and text say what failed.
// Without a breaker it does nothing.
func (t *Target) Tell(o Outcome, took time.Duration, kind fault.Kind, text string) {
	b := t.load.breaker.Load()
	if b == nil {
		return
	}
	now := t.pool.now()
	if b.tried.Load() && b.trial.Load() {
		t.tellTrial(b, o, took, kind, text, now)
		return
	}
	if o == WentAway {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.part(now)
	if o == WentWell {
		p.good++
		b.row = 0
		p.took += took
		if b.set.Slow > 0 && p.good%8 == 0 {
			if why, slow := t.slow(b, now); slow {
				b.why = why
				t.open(b, now)
			}
		}
		return
	}
	p.bad++
	b.row++
	b.why = Reason{kind, text}
	good, bad, _ := b.judged(now)
	switch {
	case b.row >= b.set.MinCalls:
		b.why.Text = fmt.Sprintf("the last %d calls failed, the last of them with %s: %s", b.row, kind, text)
	case good+bad >= b.set.MinCalls && float64(bad) >= b.set.Failures*float64(good+bad):
		b.why.Text = fmt.Sprintf("%d of the last %d calls in %s failed, the last with %s: %s", bad, good+bad, fault.Span(b.set.Window), kind, text)
	default:
		return
	}
	t.open(b, now)
}

// tellTrial takes in how the trial went.
func (t *Target) tellTrial(b *breaker, o Outcome, took time.Duration, kind fault.Kind, text string, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch o {
	case WentWell:
		if b.set.Slow > 0 {
			if usual, late := t.late(b, took, now); late {
				b.why = Reason{fault.FirstByteTimeout, fmt.Sprintf("the trial call's answer began after %s, those of the others after %s", fault.Span(took), fault.Span(usual))}
				t.open(b, now)
				break
			}
		}
		b.clear()
		b.opens = 0
		b.tried.Store(false)
		b.warm.Store(now.Add(warmFor).UnixNano())
		t.Unhold()
	case WentBad:
		b.why = Reason{kind, "the trial call failed: " + text}
		t.open(b, now)
	}
	b.trial.Store(false)
}

// open leaves the target alone. b.mu is held.
func (t *Target) open(b *breaker, now time.Time) {
	b.clear()
	b.opens++
	span := b.set.OpenFor
	span -= span / 10
	span += rand.N(b.set.OpenFor/10 + 1) // targets that failed together are not tried together
	b.tried.Store(true)
	t.Hold(now.Add(span), b.why)
	if t.pool.opened != nil {
		t.pool.opened(t.Index, b.why, now.Add(span))
	}
}

// part is the part of the window that now falls into; parts that are older than the window are emptied.
func (b *breaker) part(now time.Time) *part {
	at := now.UnixNano() / int64(b.set.Window/parts)
	if n := at - b.at; n >= parts || n < 0 {
		b.parts = [parts]part{}
	} else {
		for i := range n {
			b.parts[(b.at+1+i)%parts] = part{}
		}
	}
	b.at = at
	return &b.parts[at%parts]
}

func (b *breaker) sum(now time.Time) (good, bad int, took time.Duration) {
	b.part(now)
	for i := range b.parts {
		good += b.parts[i].good
		bad += b.parts[i].bad
		took += b.parts[i].took
	}
	return good, bad, took
}

// lately is how many times min_calls make the newest part of the window speak for itself.
const lately = 3

// judged is sum over what the target is judged by: the newest two parts of the window where they have calls enough,
// so that under many calls a failure shows in a second or two and not when half of the window has failed.
func (b *breaker) judged(now time.Time) (good, bad int, took time.Duration) {
	b.part(now)
	for _, i := range [2]int64{b.at % parts, (b.at + parts - 1) % parts} {
		good += b.parts[i].good
		bad += b.parts[i].bad
		took += b.parts[i].took
	}
	if good+bad >= lately*b.set.MinCalls {
		return good, bad, took
	}
	return b.sum(now)
}

func (b *breaker) clear() { b.parts, b.row = [parts]part{}, 0 }

// slowFrom is what a target must take beyond the others' mean to be slow at all.
const slowFrom = 20 * time.Millisecond

// slow tells whether the target's answers take set.Slow times as long as those of the others, b.mu is held. Only one
// target that is slow is ejected at a time, and only while another has calls to compare with.
func (t *Target) slow(b *breaker, now time.Time) (why Reason, slow bool) {
	good, _, took := b.judged(now)
	if good < b.set.MinCalls {
		return why, false
	}
	mean := took / time.Duration(good)
	usual, late := t.late(b, mean, now)
	if !late {
		return why, false
	}
	return Reason{fault.FirstByteTimeout, fmt.Sprintf("its answers begin after %s on average, those of the others after %s", fault.Span(mean), fault.Span(usual))}, true
}

// late tells whether took is far longer than the others usually take, b.mu is held.
func (t *Target) late(b *breaker, took time.Duration, now time.Time) (usual time.Duration, late bool) {
	var calls int
	for _, o := range t.pool.targets {
		if o == t || !o.usable() {
			continue
		}
		ob := o.load.breaker.Load()
		if ob == nil || !ob.mu.TryLock() {
			continue
		}
		g, _, d := ob.judged(now)
		ob.mu.Unlock()
		usual += d
		calls += g
	}
	if calls < b.set.MinCalls {
		return 0, false
	}
	usual /= time.Duration(calls)
	return usual, took >= usual+slowFrom && float64(took) >= b.set.Slow*float64(usual)
}

// may tells whether the breaker lets a call through, when no hold is in force.
func (b *breaker) may() bool { return b == nil || !b.tried.Load() || !b.trial.Load() }

// claim reserves the trial, when only trials are let through.
func (b *breaker) claim() bool {
	return b == nil || !b.tried.Load() || b.trial.CompareAndSwap(false, true)
}

// warming tells whether the target's turn is left out because it came back a moment ago.
func (t *Target) warming() bool {
	b := t.load.breaker.Load()
	if b == nil {
		return false
	}
	until := b.warm.Load()
	if until == 0 {
		return false
	}
	left := until - t.pool.now().UnixNano()
	if left <= 0 {
		b.warm.CompareAndSwap(until, 0)
		return false
	}
	return rand.Int64N(int64(warmFor)) < left-int64(warmFor)/10
}
