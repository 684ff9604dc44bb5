package upstream

import (
	"sync"
	"testing"
	"time"

	"causeway/internal/catalog"
	"causeway/internal/fault"
)

// breaking is a pool with breakers and a clock of its own.
type breaking struct {
	*Pool
	mu  sync.Mutex
	now time.Time
}

func (b *breaking) pass(d time.Duration) {
	b.mu.Lock()
	b.now = b.now.Add(d)
	b.mu.Unlock()
}

func newBreaking(t *testing.T, n int, set catalog.Breaker) *breaking {
	t.Helper()
	b := &breaking{now: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)}
	var specs []TargetSpec
	for i := range n {
		specs = append(specs, TargetSpec{URL: string(rune('a' + i)), Weight: 1})
	}
	var err error
	b.Pool, err = New(Options{Name: "s", Targets: specs, Breaker: &set, Now: func() time.Time {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.now
	}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var breakAtHalf = catalog.Breaker{Failures: 0.5, MinCalls: 4, Window: 10 * time.Second, OpenFor: 10 * time.Second}

// call makes one call, which goes well at every target that is not in bad.
func (b *breaking) call(t *testing.T, bad string) string {
	t.Helper()
	target, refusal := b.Pick(0, nil)
	if refusal != nil {
		return refusal.Error()
	}
	if target.URL == bad {
		target.Tell(WentBad, time.Millisecond, fault.ConnectionRefused, "refused")
	} else {
		target.Tell(WentWell, time.Millisecond, "", "")
	}
	target.Release()
	return target.URL
}

func TestABadTargetIsLeftAloneAndTriedAgain(t *testing.T) {
	b := newBreaking(t, 3, breakAtHalf)
	got := map[string]int{}
	for range 300 {
		got[b.call(t, "b")]++
	}
	if got["b"] != 4 || got["a"] < 140 || got["c"] < 140 {
		t.Fatalf("calls: %v", got)
	}
	if s := b.Status()[1]; !s.Held {
		t.Error("b is not held")
	}
	b.pass(11 * time.Second)
	clear(got)
	for range 300 {
		got[b.call(t, "b")]++
	}
	if got["b"] != 1 {
		t.Errorf("after the hold one trial, not %d", got["b"])
	}
	b.pass(11 * time.Second)
	clear(got)
	for range 300 { // it is well again, and its share grows
		got[b.call(t, "")]++
	}
	if got["b"] < 1 || got["b"] > 70 {
		t.Errorf("just back it got %d of 300", got["b"])
	}
	b.pass(warmFor + time.Second)
	clear(got)
	for range 300 {
		got[b.call(t, "")]++
	}
	if got["b"] != 100 {
		t.Errorf("warm it gets %d of 300", got["b"])
	}
}

func TestOneTrialAtATime(t *testing.T) {
	b := newBreaking(t, 1, breakAtHalf)
	for range 4 {
		b.call(t, "a")
	}
	if _, r := b.Pick(0, nil); r == nil || r.Kind != fault.BreakerOpen || r.Deepest != fault.ConnectionRefused || r.RetryAfter <= 0 {
		t.Fatalf("refusal: %+v", r)
	}
	b.pass(11 * time.Second)
	trial, r := b.Pick(0, nil)
	if r != nil {
		t.Fatal(r)
	}
	if _, r := b.Pick(0, nil); r == nil {
		t.Fatal("a second call while the first tries it")
	}
	trial.Tell(WentAway, 0, "", "") // its caller left: the next one may try
	trial.Release()
	if trial, r = b.Pick(0, nil); r != nil {
		t.Fatal(r)
	}
	trial.Tell(WentWell, time.Millisecond, "", "")
	trial.Release()
	for range 10 {
		if got := b.call(t, ""); got != "a" {
			t.Fatal(got)
		}
	}
}

func TestFewFailuresDoNotOpenABreaker(t *testing.T) {
	b := newBreaking(t, 1, breakAtHalf)
	for i := range 100 {
		target, _ := b.Pick(0, nil)
		if i%3 == 2 {
			target.Tell(WentBad, 0, fault.ConnectionRefused, "")
		} else {
			target.Tell(WentWell, 0, "", "")
		}
		target.Release()
	}
	for range 3 { // and those of long ago do not count
		b.call(t, "a")
		b.pass(11 * time.Second)
	}
	if _, r := b.Pick(0, nil); r != nil {
		t.Error(r)
	}
}

func TestASlowTargetIsLeftAlone(t *testing.T) {
	set := breakAtHalf
	set.Slow = 5
	b := newBreaking(t, 3, set)
	took := map[string]time.Duration{"a": 2 * time.Millisecond, "b": 300 * time.Millisecond, "c": 3 * time.Millisecond}
	got := map[string]int{}
	for range 300 {
		target, r := b.Pick(0, nil)
		if r != nil {
			t.Fatal(r)
		}
		got[target.URL]++
		target.Tell(WentWell, took[target.URL], "", "")
		target.Release()
	}
	if got["b"] > 16 {
		t.Errorf("the slow one got %d of 300", got["b"])
	}
	b = newBreaking(t, 3, set)
	for range 300 { // all are slow alike: none is an outlier
		target, r := b.Pick(0, nil)
		if r != nil {
			t.Fatal(r)
		}
		target.Tell(WentWell, 300*time.Millisecond, "", "")
		target.Release()
	}
}

func TestABreakerOutlivesAReload(t *testing.T) {
	b := newBreaking(t, 1, breakAtHalf)
	for range 4 {
		b.call(t, "a")
	}
	same := newBreaking(t, 1, breakAtHalf)
	same.Adopt(b.Pool)
	if _, r := same.Pick(0, nil); r == nil || r.Kind != fault.BreakerOpen {
		t.Errorf("it is closed: %v", r)
	}
	other := breakAtHalf
	other.MinCalls = 100
	changed := newBreaking(t, 1, other)
	changed.Adopt(b.Pool)
	if _, r := changed.Pick(0, nil); r != nil {
		t.Errorf("with other settings it begins anew: %v", r)
	}
}

func TestBreakersAreRaceFree(t *testing.T) {
	set := breakAtHalf
	set.OpenFor, set.Slow = 10*time.Millisecond, 3
	b := newBreaking(t, 3, set)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 500 {
				target, r := b.Pick(0, nil)
				if r != nil {
					b.pass(time.Millisecond)
					continue
				}
				o := WentWell
				if (i+g)%3 == 0 {
					o = WentBad
				}
				target.Tell(o, time.Duration(i)*time.Microsecond, fault.ConnectionRefused, "")
				target.Release()
			}
		})
	}
	wg.Wait()
	for _, s := range b.Status() {
		if s.Busy != 0 {
			t.Errorf("%s has %d calls in flight", s.URL, s.Busy)
		}
	}
}

// TestABusyTargetThatDiesIsLeftAloneAtOnce: what went well before must not outweigh what fails now.
func TestABusyTargetThatDiesIsLeftAloneAtOnce(t *testing.T) {
	b := newBreaking(t, 3, breakAtHalf)
	for range 90 {
		for range 100 {
			b.call(t, "")
		}
		b.pass(100 * time.Millisecond)
	}
	got := map[string]int{}
	for range 300 {
		got[b.call(t, "b")]++
	}
	if got["b"] != breakAtHalf.MinCalls {
		t.Errorf("%d calls failed before b was left alone", got["b"])
	}
}

// TestABusyTargetThatFailsMostCallsIsLeftAloneSoon: the same where single calls still go well.
func TestABusyTargetThatFailsMostCallsIsLeftAloneSoon(t *testing.T) {
	b := newBreaking(t, 3, breakAtHalf)
	for range 90 {
		for range 100 {
			b.call(t, "")
		}
		b.pass(100 * time.Millisecond)
	}
	failed := 0
	for n := 0; n < 3000 && !b.Status()[1].Held; n++ {
		bad := "b"
		if n%9 < 3 {
			bad = "" // one round of three: each third call of b goes well
		}
		if b.call(t, bad) == "b" && bad != "" {
			failed++
		}
		if n%10 == 9 {
			b.pass(10 * time.Millisecond)
		}
	}
	if !b.Status()[1].Held || failed > 700 {
		t.Errorf("held: %v, after %d failed calls", b.Status()[1].Held, failed)
	}
}

// TestATrialThatIsAsSlowAsBeforeIsNoRecovery: else a slow target gets calls again after each hold.
func TestATrialThatIsAsSlowAsBeforeIsNoRecovery(t *testing.T) {
	set := breakAtHalf
	set.Slow = 5
	b := newBreaking(t, 3, set)
	call := func(slow time.Duration) string {
		target, refusal := b.Pick(0, nil)
		if refusal != nil {
			t.Fatal(refusal)
		}
		took := 2 * time.Millisecond
		if target.URL == "b" {
			took = slow
		}
		target.Tell(WentWell, took, "", "")
		target.Release()
		return target.URL
	}
	for n := 0; n < 300 && !b.Status()[1].Held; n++ {
		call(300 * time.Millisecond)
	}
	if !b.Status()[1].Held {
		t.Fatal("the slow target was never left alone")
	}
	for round := range 3 {
		b.pass(11 * time.Second)
		for range 30 { // what the others usually take is known again
			target := b.Targets()[0]
			target.Tell(WentWell, 2*time.Millisecond, "", "")
		}
		got := 0
		for range 90 {
			if call(300*time.Millisecond) == "b" {
				got++
			}
		}
		if got != 1 || !b.Status()[1].Held {
			t.Errorf("round %d: %d calls, held %v", round, got, b.Status()[1].Held)
		}
	}
	b.pass(11 * time.Second)
	got := 0
	for range 90 {
		if call(3*time.Millisecond) == "b" {
			got++
		}
	}
	if got == 0 || b.Status()[1].Held {
		t.Error("it is well again and still held")
	}
}
