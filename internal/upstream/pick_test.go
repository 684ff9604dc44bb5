package upstream

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"causeway/internal/fault"
)

var balances = []string{"round_robin", "least_busy", "random_two", "hash_ip"}

func TestSlotsAreExactUnderConcurrency(t *testing.T) {
	for _, balance := range balances {
		t.Run(balance, func(t *testing.T) {
			const limit, targets = 3, 4
			p := pool(t, balance, limit, 1, 2, 1, 3)
			var inside [targets]atomic.Int64
			var most atomic.Int64
			var wg sync.WaitGroup
			for g := range 200 {
				wg.Go(func() {
					for range 50 {
						target, r := p.Pick(uint64(g+1), nil)
						if r != nil {
							continue
						}
						n := inside[target.Index].Add(1)
						for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
						}
						inside[target.Index].Add(-1)
						target.Release()
					}
				})
			}
			wg.Wait()
			if most.Load() > limit {
				t.Errorf("%d calls at once on one target, want at most %d", most.Load(), limit)
			}
			var held []*Target
			for range limit * targets { // every slot came back and every one can be had
				target, r := p.Pick(7, nil)
				if r != nil {
					t.Fatalf("after %d of %d: %v", len(held), limit*targets, r)
				}
				held = append(held, target)
			}
			if target, r := p.Pick(7, nil); target != nil || r.Kind != fault.NoSlot {
				t.Errorf("one too many: %v, %v", target, r)
			}
		})
	}
}

func TestWhatWasTriedIsPassedOver(t *testing.T) {
	for _, balance := range balances {
		t.Run(balance, func(t *testing.T) {
			p := pool(t, balance, 0, 1, 1, 1)
			for n := range uint64(20) {
				var tried Tried
				seen := map[string]bool{}
				for range 3 {
					target, _ := p.Pick(n+1, &tried)
					seen[target.URL] = true
					tried.Add(target)
				}
				if len(seen) != 3 {
					t.Fatalf("three attempts went to %v", seen)
				}
				last := tried.few[2]
				if target, _ := p.Pick(n+1, &tried); target.Index == int(last) {
					t.Fatal("with all tried, the last one was taken again")
				}
			}
		})
	}
}

func TestTheOnlyTargetIsTriedAgain(t *testing.T) {
	p := pool(t, "round_robin", 0, 1, 1)
	down(p, 1)
	var tried Tried
	for range 10 { // more than Tried keeps without allocating
		target, r := p.Pick(0, &tried)
		if r != nil || target.Index != 0 {
			t.Fatalf("got %v, %v", target, r)
		}
		tried.Add(target)
	}
	if tried.Len() != 10 || p.Untried(&tried) {
		t.Errorf("tried %d, untried %v", tried.Len(), p.Untried(&tried))
	}
	tried.Reset()
	if tried.Len() != 0 || !p.Untried(&tried) {
		t.Error("not empty after Reset")
	}
}

func TestARefusalTellsEachTargetsOwnReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pool(t, "round_robin", 1, 1, 1, 1, 1, 0)
		p.targets[0].verdict.add(false, Reason{fault.ConnectionRefused, "127.0.0.1:9001 refused"}, 0, time.Now(), 1, 1)
		p.targets[1].verdict.add(false, Reason{fault.ConnectionRefused, "127.0.0.1:9002 refused"}, 0, time.Now(), 1, 1)
		p.setTurns()
		p.targets[2].Hold(time.Now().Add(10*time.Second), Reason{fault.FirstByteTimeout, "half of 20 calls timed out"})
		if target, _ := p.Pick(0, nil); target.Index != 3 {
			t.Fatalf("picked %s", target.URL)
		}
		time.Sleep(4 * time.Second)
		_, r := p.Pick(0, nil)
		if r == nil || r.Kind != fault.NoSlot || r.Deepest != fault.ConnectionRefused || r.RetryAfter != 6*time.Second {
			t.Fatalf("got %+v", r)
		}
		for i, want := range []struct {
			fact Fact
			kind fault.Kind
			text string
			long time.Duration
		}{
			{FactUnhealthy, fault.ConnectionRefused, "health check failed 1 times in a row, the last: 127.0.0.1:9001 refused", 4 * time.Second},
			{FactUnhealthy, fault.ConnectionRefused, "127.0.0.1:9002 refused", 4 * time.Second},
			{FactHeld, fault.FirstByteTimeout, "half of 20 calls timed out", 0},
			{FactFull, fault.NoSlot, "all its slots are taken (max_busy: 1)", 0},
			{FactDrained, "", "weight is 0", 0},
		} {
			got := r.Targets[i]
			if got.Fact != want.fact || got.Reason.Kind != want.kind || !strings.Contains(got.Reason.Text, want.text) || got.For != want.long {
				t.Errorf("target %d: got %+v, want %+v", i, got, want)
			}
		}
		if !strings.Contains(r.Error(), "no_slot; t0: health check failed") {
			t.Errorf("got %s", r.Error())
		}
		p.targets[3].Release()
		time.Sleep(7 * time.Second) // the hold is over
		got := shares(t, p, 10)
		if got[2] != 5 || got[3] != 5 {
			t.Errorf("after the hold: %v", got)
		}
		p.targets[2].Hold(time.Now().Add(time.Hour), Reason{})
		p.targets[2].Unhold()
		if s := p.Status()[2]; s.Held {
			t.Error("still held")
		}
	})
}

func TestTheKindOfARefusal(t *testing.T) {
	hold := func(p *Pool, i int) { p.targets[i].Hold(time.Now().Add(time.Hour), Reason{"total_timeout", "slow"}) }
	for _, tt := range []struct {
		name    string
		weights []int
		prepare func(p *Pool)
		want    fault.Kind
		deepest fault.Kind
	}{
		{"none is configured", nil, func(*Pool) {}, fault.NoTarget, ""},
		{"all are drained", []int{0, 0}, func(*Pool) {}, fault.NoTarget, ""},
		{"all are unhealthy", []int{1, 1}, func(p *Pool) { down(p, 0); down(p, 1) }, fault.NoHealthyTarget, fault.ConnectionRefused},
		{"the rest is unhealthy", []int{1, 0}, func(p *Pool) { down(p, 0) }, fault.NoHealthyTarget, fault.ConnectionRefused},
		{"one is only held", []int{1, 1}, func(p *Pool) { down(p, 0); hold(p, 1) }, fault.BreakerOpen, fault.ConnectionRefused},
		{"one is only full", []int{1, 1, 1}, func(p *Pool) { p.Pick(0, nil); down(p, 1); hold(p, 2) }, fault.NoSlot, fault.ConnectionRefused},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := pool(t, "round_robin", 1, tt.weights...)
			tt.prepare(p)
			if target, r := p.Pick(0, nil); target != nil || r.Kind != tt.want || r.Deepest != tt.deepest {
				t.Errorf("got %v, %+v; want %s behind %s", target, r, tt.deepest, tt.want)
			}
		})
	}
}

func TestPoolsThatMakeNoSense(t *testing.T) {
	for want, o := range map[string]Options{
		"is there twice": {Targets: []TargetSpec{{"a", 1}, {"b", 1}, {"a", 2}}},
		"below 0":        {Targets: []TargetSpec{{"a", -1}}},
		"max_busy":       {MaxBusy: -1},
		"balance":        {Balance: "fair"},
		"check function": {Health: testHealth()},
		"at least 1":     {Health: withHealthyAfter(0), Check: neverChecked},
	} {
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestLastGoodIsCoarse(t *testing.T) {
	target := pool(t, "", 0, 1).targets[0]
	if _, ever := target.LastGood(); ever {
		t.Error("good before any answer")
	}
	at := time.Unix(1000, 0)
	target.MarkGood(at.UnixNano())
	target.MarkGood(at.Add(5 * time.Millisecond).UnixNano())
	if got, ever := target.LastGood(); !got.Equal(at) || !ever {
		t.Errorf("got %v", got)
	}
	target.MarkGood(at.Add(15 * time.Millisecond).UnixNano())
	if got, _ := target.LastGood(); !got.Equal(at.Add(15 * time.Millisecond)) {
		t.Errorf("got %v", got)
	}
}

func TestPickAllocatesNothing(t *testing.T) {
	for _, balance := range balances {
		p := pool(t, balance, 10, 3, 2, 1)
		if n := testing.AllocsPerRun(100, func() {
			var tried Tried
			for range 3 {
				target, _ := p.Pick(42, &tried)
				tried.Add(target)
				target.MarkGood(time.Now().UnixNano())
				target.Release()
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", balance, n)
		}
	}
}

func BenchmarkPick(b *testing.B) {
	for _, balance := range balances {
		for _, n := range []int{3, 50} {
			weights := make([]int, n)
			for i := range weights {
				weights[i] = 1 + i%2
			}
			p := pool(b, balance, 100_000, weights...)
			b.Run(fmt.Sprintf("%s/targets=%d", balance, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					target, _ := p.Pick(42, nil)
					target.Release()
				}
			})
		}
	}
	p := pool(b, "round_robin", 0, 1, 1, 1)
	b.Run("round_robin/parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				target, _ := p.Pick(0, nil)
				target.Release()
			}
		})
	})
}
