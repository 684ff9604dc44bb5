package choose

import (
	"slices"
	"sync"
	"testing"
	"time"
)

func pool(weights ...int) *KeyPool {
	var specs []KeySpec
	for _, w := range weights {
		specs = append(specs, KeySpec{Weight: w})
	}
	return NewKeyPool(specs)
}

// use is what a number of calls get.
func use(p *KeyPool, c *clock, calls int) []int {
	got := make([]int, p.Len())
	for range calls {
		if i, ok := p.Pick(c.now(), 0); ok {
			got[i]++
		}
	}
	return got
}

func TestKeysAreTakenByWeightAndPriority(t *testing.T) {
	c := clock(time.Hour)
	p := NewKeyPool([]KeySpec{{Weight: 3, Priority: 1}, {Weight: 1, Priority: 1}, {Weight: 1, Priority: 2}})
	if got := use(p, &c, 400); !slices.Equal(got, []int{300, 100, 0}) {
		t.Errorf("%v", got)
	}
	p.Set(0, c.now(), RateLimited, time.Minute)
	p.Set(1, c.now(), RateLimited, time.Minute)
	if got := use(p, &c, 10); !slices.Equal(got, []int{0, 0, 10}) {
		t.Errorf("with the first two limited: %v", got)
	}
	if i, ok := p.Pick(c.now(), Mark(0, 2)); ok {
		t.Errorf("with the third one tried it picks %d", i)
	}
}

func TestALimitedKeyComesBackWhenItsWaitIsOver(t *testing.T) {
	c := clock(time.Hour)
	p := pool(1, 1)
	first, pause := p.Set(0, c.now(), RateLimited, 7*time.Second)
	if !first || pause != 7*time.Second {
		t.Errorf("first %v, pause %s", first, pause)
	}
	p.Set(0, c.now(), RateLimited, 2*time.Second) // a call from before; its shorter wait does not count
	c.pass(7*time.Second - 1)
	if got := use(p, &c, 4); got[0] != 0 {
		t.Errorf("it is used while it is limited: %v", got)
	}
	c.pass(1)
	if got := use(p, &c, 4); got[0] != 2 {
		t.Errorf("it is not used again: %v", got)
	}
}

func TestTheWaitGrowsWhereTheProviderDoesNotSay(t *testing.T) {
	c := clock(time.Hour)
	p := pool(1)
	var pauses []time.Duration
	for range 8 {
		_, pause := p.Set(0, c.now(), RateLimited, 0)
		pauses = append(pauses, pause)
		c.pass(pause)
		if _, ok := p.Pick(c.now(), 0); !ok {
			t.Fatal("it does not come back")
		}
	}
	if pauses[0] != time.Second || pauses[2] != 4*time.Second || pauses[7] != mostLimited {
		t.Errorf("%v", pauses)
	}
	p.Good(0)
	if _, pause := p.Set(0, c.now(), RateLimited, 0); pause != time.Second {
		t.Errorf("after a good call the wait is %s", pause)
	}
}

// TestMoneyIsToldFromARateLimit: what a provider asks to wait for ends the one, not the other.
func TestMoneyIsToldFromARateLimit(t *testing.T) {
	c := clock(time.Hour)
	p := pool(1, 1)
	p.Set(0, c.now(), OutOfMoney, time.Second)
	c.pass(time.Minute)
	if got := use(p, &c, 4); got[0] != 0 {
		t.Errorf("a key without money is used after a minute: %v", got)
	}
	c.pass(firstMoney)
	if got := use(p, &c, 8); got[0] != 1 {
		t.Errorf("%v: one call should find out whether there is money again", got)
	}
	if _, pause := p.Set(0, c.now(), OutOfMoney, 0); pause != 2*firstMoney {
		t.Errorf("the second pause is %s", pause)
	}
}

func TestARejectedKeyIsTriedByOneCallAtGrowingPauses(t *testing.T) {
	c := clock(time.Hour)
	p := pool(1, 1)
	var pauses []time.Duration
	for n := range 9 {
		first, pause := p.Set(0, c.now(), Rejected, 0)
		if first != (n == 0) {
			t.Errorf("time %d is told as the first: %v", n+1, first)
		}
		if again, _ := p.Set(0, c.now(), Rejected, 0); again {
			t.Error("a second call in flight is told as news")
		}
		pauses = append(pauses, pause)
		c.pass(pause)
		if got := use(p, &c, 10); got[0] != 1 {
			t.Errorf("%v: one of ten calls should try it", got)
		}
	}
	if pauses[0] != time.Minute || pauses[1] != 2*time.Minute || pauses[8] != time.Hour {
		t.Errorf("%v", pauses)
	}
	if back, why := p.Good(0); !back || why != Rejected {
		t.Errorf("back %v from %s", back, why)
	}
	if got := use(p, &c, 10); got[0] != 5 {
		t.Errorf("it has not come back: %v", got)
	}
	if back, _ := p.Good(0); back {
		t.Error("it comes back twice")
	}
}

func TestAGoodAnswerFromBeforeDoesNotEndAWait(t *testing.T) {
	c := clock(time.Hour)
	p := pool(1, 1)
	p.Set(0, c.now(), RateLimited, time.Minute)
	if back, _ := p.Good(0); back {
		t.Error("the wait is over")
	}
	if got := use(p, &c, 4); got[0] != 0 {
		t.Errorf("%v", got)
	}
}

func TestLimitsAreLearnedFromFields(t *testing.T) {
	c := clock(time.Hour)
	p := pool(1, 1)
	if pause := p.Learn(0, c.now(), Limit{Known: true, Remaining: 3, Reset: time.Second}, Limit{}); pause != 0 {
		t.Errorf("three requests are left, and it waits %s", pause)
	}
	if s := p.States(c.now())[0]; s.Requests != 3 || s.Tokens != -1 || s.Why != InUse {
		t.Errorf("%+v", s)
	}
	if pause := p.Learn(0, c.now(), Limit{Known: true, Remaining: 2}, Limit{Known: true, Remaining: 0, Reset: 20 * time.Second}); pause != 20*time.Second {
		t.Errorf("no tokens are left, and it waits %s", pause)
	}
	if s := p.States(c.now())[0]; s.Why != RateLimited || s.Next != 20*time.Second {
		t.Errorf("%+v", s)
	}
}

func TestTheSoonestKeyIsForCallsWithNowhereElseToGo(t *testing.T) {
	c := clock(time.Hour)
	p := pool(1, 1, 1)
	p.Set(0, c.now(), RateLimited, 30*time.Second)
	p.Set(1, c.now(), Rejected, 0)
	p.Set(2, c.now(), RateLimited, 10*time.Second)
	if i, why, wait, ok := p.Soonest(c.now()); i != 2 || why != RateLimited || wait != 10*time.Second || !ok {
		t.Errorf("%d, %s in %s", i, why, wait)
	}
	if p.Usable(c.now(), 0) {
		t.Error("a key is usable")
	}
	if _, _, _, ok := NewKeyPool(nil).Soonest(0); ok || !NewKeyPool(nil).Usable(0, 0) {
		t.Error("a provider without keys needs none")
	}
}

func TestKeysKeepTheirStateOverAReload(t *testing.T) {
	c := clock(time.Hour)
	old := pool(1, 1)
	old.Set(1, c.now(), Rejected, 0)
	p := pool(1, 1, 1)
	p.Adopt(old, []int{1, -1, 0})
	if got := use(p, &c, 10); got[0] != 0 || got[1] != 5 || got[2] != 5 {
		t.Errorf("%v", got)
	}
	p.Good(0)
	if got := use(p, &c, 9); got[0] != 3 {
		t.Errorf("%v", got)
	}
}

func TestManyMayUseAPoolAtOnce(t *testing.T) {
	p := pool(1, 1, 1)
	var wait sync.WaitGroup
	for n := range 4 {
		wait.Go(func() {
			for k := range 300 {
				now := int64(k) * int64(time.Second)
				i, ok := p.Pick(now, 0)
				if !ok {
					i, _, _, _ = p.Soonest(now)
				}
				switch (n + k) % 4 {
				case 0:
					p.Set(i, now, RateLimited, 0)
				case 1:
					p.Set(i, now, Rejected, 0)
				default:
					p.Good(i)
				}
				p.States(now)
			}
		})
	}
	wait.Wait()
	for i := range 3 {
		p.Set(i, 1<<50, Rejected, 0)
		p.Good(i)
	}
	if n := p.aside.Load(); n != 0 {
		t.Errorf("%d keys are counted aside, and none is", n)
	}
	if n := testing.AllocsPerRun(100, func() {
		i, _ := p.Pick(1<<50, 0)
		p.Good(i)
		p.Learn(i, 1<<50, Limit{Known: true, Remaining: 9}, Limit{})
	}); n != 0 {
		t.Errorf("a good call allocates %v times", n)
	}
}
