package choose

import (
	"slices"
	"sync"
	"testing"
	"time"
)

func members(weights ...int) []Member {
	var list []Member
	for i, w := range weights {
		list = append(list, Member{Target: &Target{}, Weight: w, Price: -1, Seed: Seed(string(rune('a' + i)))})
	}
	return list
}

func balancer(t testing.TB, p Policy, list []Member) *Balancer {
	t.Helper()
	b, err := NewBalancer(p, list)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func all(n int) uint64 { return 1<<n - 1 }

func TestWeightedGivesEachItsShare(t *testing.T) {
	b := balancer(t, Weighted, members(3, 1))
	var got [2]int
	for range 400 {
		got[b.Pick(Choice{Allowed: all(2)})]++
	}
	if got != [2]int{300, 100} {
		t.Errorf("shares are %v", got)
	}
	if i := b.Pick(Choice{Allowed: 2}); i != 1 {
		t.Errorf("of one that is allowed it takes %d", i)
	}
	if i := b.Pick(Choice{}); i != -1 {
		t.Errorf("of none it takes %d", i)
	}
}

// TestTheCallsOfADeadTargetGoOnAtAllOthers holds for the target that is skipped as for the one that fails.
func TestTheCallsOfADeadTargetGoOnAtAllOthers(t *testing.T) {
	b := balancer(t, Weighted, members(1, 1, 1))
	var got [3]int
	for range 300 {
		i := b.Pick(Choice{Allowed: all(3)})
		if i == 0 {
			i = b.Pick(Choice{Allowed: 6, Again: true})
		}
		got[i]++
	}
	if got[0] != 0 || got[1] < 100 || got[2] < 100 {
		t.Errorf("%v", got)
	}
}

func TestLeastLatencyTakesTheFastest(t *testing.T) {
	c := clock(time.Hour)
	list := members(1, 1, 1)
	b := balancer(t, LeastLatency, list)
	took := []time.Duration{80 * time.Millisecond, 10 * time.Millisecond, 200 * time.Millisecond}
	var got [3]int
	for range 300 {
		i := b.Pick(Choice{Now: c.now(), Allowed: all(3)})
		got[i]++
		c.pass(took[i])
		list[i].Target.Took(c.now(), took[i], false)
	}
	if got[0] == 0 || got[2] == 0 || got[1] < 280 {
		t.Errorf("shares are %v", got)
	}
	for range 20 {
		list[1].Target.Begin()
	}
	if i := b.Pick(Choice{Now: c.now(), Allowed: all(3)}); i == 1 {
		t.Error("twenty calls in flight do not count")
	}
}

func TestLeastBusyTakesTheOneWithTheFewestCallsForItsWeight(t *testing.T) {
	list := members(1, 4)
	b := balancer(t, LeastBusy, list)
	for range 50 {
		list[b.Pick(Choice{Allowed: all(2)})].Target.Begin()
	}
	if n := list[0].Target.Busy(); n != 10 {
		t.Errorf("%d of 50 calls are at a fifth of the weight", n)
	}
}

func TestCheapestTakesTheLowestPriceAndThenWhatHasNone(t *testing.T) {
	list := members(1, 1, 1, 1)
	list[1].Price, list[2].Price, list[3].Price = 2, 0.5, 0.5
	b := balancer(t, Cheapest, list)
	var got [4]int
	for range 10 {
		got[b.Pick(Choice{Allowed: all(4)})]++
	}
	if got != [4]int{0, 0, 5, 5} {
		t.Errorf("%v", got)
	}
	if i := b.Pick(Choice{Allowed: 3}); i != 1 {
		t.Errorf("of a price and none it takes %d", i)
	}
}

func TestStickyKeepsAConversationAndMovesFew(t *testing.T) {
	list := members(1, 1, 2)
	b := balancer(t, Sticky, list)
	const n = 4000
	var got [3]int
	moved := 0
	for h := range uint64(n) {
		hash := mix(h + 1)
		i := b.Pick(Choice{Allowed: all(3), Hash: hash})
		if again := b.Pick(Choice{Allowed: all(3), Hash: hash}); again != i {
			t.Fatalf("conversation %d goes to %d and then to %d", h, i, again)
		}
		got[i]++
		if i != 0 && b.Pick(Choice{Allowed: 6, Hash: hash}) != i {
			moved++
		}
	}
	if got[0] < n/4-n/20 || got[0] > n/4+n/20 || got[2] < n/2-n/20 || got[2] > n/2+n/20 {
		t.Errorf("shares are %v", got)
	}
	if moved != 0 {
		t.Errorf("%d conversations move although their target stays", moved)
	}
}

func TestStickyLeavesATargetThatIsCrowded(t *testing.T) {
	list := members(1, 1)
	b := balancer(t, Sticky, list)
	home := b.Pick(Choice{Allowed: all(2), Hash: 7})
	for range 40 {
		list[b.Pick(Choice{Allowed: all(2), Hash: 7})].Target.Begin()
	}
	n := list[home].Target.Busy()
	if n <= 20 || n > 32 {
		t.Errorf("%d of 40 calls at once are at the conversation's own target", n)
	}
}

func TestABalancerRefusesMoreThanItCanMark(t *testing.T) {
	if _, err := NewBalancer(Weighted, members(make([]int, 65)...)); err == nil {
		t.Error("65 members are taken")
	}
	if _, err := NewBalancer(Weighted, nil); err == nil {
		t.Error("no members are taken")
	}
	if _, err := ParsePolicy("random"); err == nil {
		t.Error("random is a policy")
	}
}

func TestPickingAllocatesNothingAndMayBeDoneAtOnce(t *testing.T) {
	for p := Weighted; p <= Sticky; p++ {
		t.Run(p.String(), func(t *testing.T) {
			list := members(1, 2, 3)
			b := balancer(t, p, list)
			if n := testing.AllocsPerRun(100, func() {
				i := b.Pick(Choice{Now: 1, Allowed: all(3), Hash: 9})
				list[i].Target.Begin()
				list[i].Target.Took(1, time.Millisecond, false)
				list[i].Target.Good(1)
				list[i].Target.End()
			}); n != 0 {
				t.Errorf("%v allocations", n)
			}
			var wait sync.WaitGroup
			for range 4 {
				wait.Go(func() {
					for range 200 {
						target := list[b.Pick(Choice{Now: 1, Allowed: all(3), Hash: 9})].Target
						target.Begin()
						target.Failed(1, "overloaded", false)
						target.Good(1)
						target.State(1)
						target.End()
					}
				})
			}
			wait.Wait()
			for i := range list {
				if n := list[i].Target.Busy(); n != 0 {
					t.Errorf("%d calls are in flight at the end", n)
				}
			}
		})
	}
}

func TestSpread(t *testing.T) {
	for _, c := range []struct {
		name    string
		weights []int
		want    []int // how often each comes
	}{
		{"one", []int{7}, []int{7}},
		{"as the weights say", []int{3, 1, 2}, []int{3, 1, 2}},
		{"large weights keep their shares", []int{30000, 10000}, []int{7500, 2500}},
		{"and a small one beside them its place", []int{1_000_000, 1}, []int{9999, 1}},
	} {
		got := make([]int, len(c.weights))
		for _, i := range spread(c.weights) {
			got[i]++
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	// Evenly: of 3 and 1 the second never waits for two rounds.
	last := 0
	for i, k := range append(spread([]int{3, 1}), spread([]int{3, 1})...) {
		if k == 1 {
			last = i
		} else if i-last > 4 {
			t.Errorf("no turn for %d places", i-last)
		}
	}
}
