package upstream

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

func TestRoundRobinSharesAreExact(t *testing.T) {
	for _, tt := range []struct {
		name    string
		weights []int
		down    []int
		want    []int // of one round
	}{
		{"equal", []int{1, 1, 1}, nil, []int{1, 1, 1}},
		{"weighted", []int{5, 3, 2}, nil, []int{5, 3, 2}},
		{"a common divisor", []int{100, 50}, nil, []int{2, 1}},
		{"one is down", []int{5, 3, 2}, []int{1}, []int{5, 0, 2}},
		{"one is drained", []int{5, 0, 2}, nil, []int{5, 0, 2}},
		{"one", []int{7}, nil, []int{1}},
		{"a giant is down", []int{9999, 2, 1}, []int{0}, []int{0, 2, 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := pool(t, "round_robin", 0, tt.weights...)
			for _, i := range tt.down {
				down(p, i)
			}
			round := 0
			for _, n := range tt.want {
				round += n
			}
			for range 3 {
				if got := shares(t, p, round); !slices.Equal(got, tt.want) {
					t.Errorf("got %v, want %v", got, tt.want)
				}
			}
		})
	}
}

func TestRoundRobinIsSmooth(t *testing.T) {
	if got := fmt.Sprint(spread([]int{5, 1, 1})); got != "[0 0 1 0 2 0 0]" {
		t.Errorf("got %s", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		weights := rapid.SliceOfN(rapid.IntRange(0, 40), 1, 6).Draw(t, "weights")
		turns := spread(weights)
		reduced, total := reduce(weights)
		if len(turns) != total {
			t.Fatalf("%d turns of %d", len(turns), total)
		}
		counts := make([]int, len(weights))
		for k, i := range turns {
			counts[i]++
			for j := range counts { // at no point is anyone ahead or behind by more than the others weigh
				if due := float64(k+1) * float64(reduced[j]) / float64(total); math.Abs(float64(counts[j])-due) > float64(len(weights)) {
					t.Fatalf("after %d turns %d has %d of %.1f in %v", k+1, j, counts[j], due, turns)
				}
			}
		}
		if total > 0 && !slices.Equal(counts, reduced) {
			t.Fatalf("%v of %v", counts, reduced)
		}
	})
}

func TestWeightsTooLongForASequenceAreScaled(t *testing.T) {
	p := pool(t, "round_robin", 0, 1_000_003, 500_001, 1)
	turns := *p.turns.Load()
	counts := make([]int, 3)
	for _, i := range turns {
		counts[i]++
	}
	if len(turns) > maxTurns+3 || counts[2] < 1 || math.Abs(float64(counts[0])/float64(counts[1])-2) > 0.001 {
		t.Errorf("%d turns: %v", len(turns), counts)
	}
}

func TestRoundRobinIsExactUnderConcurrency(t *testing.T) {
	p := pool(t, "round_robin", 0, 3, 2, 1)
	var wg sync.WaitGroup
	for range 60 {
		wg.Go(func() {
			for range 100 {
				target, _ := p.Pick(0, nil)
				target.Release()
			}
		})
	}
	wg.Wait()
	for i, s := range p.Status() {
		if want := uint64(1000 * (3 - i)); s.Picked != want || s.Busy != 0 {
			t.Errorf("%s: picked %d, busy %d, want %d, 0", s.URL, s.Picked, s.Busy, want)
		}
	}
}

func TestAFullTargetLosesItsTurnsInProportion(t *testing.T) {
	p := pool(t, "round_robin", 1, 1, 1, 1)
	for { // hold the slot of t1
		target, _ := p.Pick(0, nil)
		if target.Index == 1 {
			break
		}
		target.Release()
	}
	if got := shares(t, p, 300); got[1] != 0 || got[0] != 150 || got[2] != 150 {
		t.Errorf("got %v, want [150 0 150]", got)
	}
}

func TestLeastBusy(t *testing.T) {
	p := pool(t, "least_busy", 0, 2, 1)
	var picked []int
	for range 6 {
		target, _ := p.Pick(0, nil)
		picked = append(picked, target.Index)
	}
	if p.targets[0].Busy() != 4 || p.targets[1].Busy() != 2 {
		t.Errorf("%v: busy %d and %d, want 4 and 2", picked, p.targets[0].Busy(), p.targets[1].Busy())
	}
	for range 3 {
		p.targets[0].Release()
	}
	for range 3 {
		if target, _ := p.Pick(0, nil); target.Index != 0 {
			t.Errorf("picked the busier target")
		}
	}
	idle := pool(t, "least_busy", 0, 3, 1)
	if got := shares(t, idle, 400); got[0] != 300 {
		t.Errorf("idle targets are not taken in turn by weight: %v", got)
	}
}

func TestRandomTwo(t *testing.T) {
	p := pool(t, "random_two", 0, 3, 1, 0)
	if got := shares(t, p, 8000); got[2] != 0 || math.Abs(float64(got[0])/8000-0.75) > 0.2 {
		t.Errorf("got %v", got)
	}
	q := pool(t, "random_two", 0, 1, 1, 1, 1, 1, 1, 1, 1)
	for range 800 {
		q.Pick(0, nil)
	}
	for _, target := range q.targets { // two choices keep the fullest close to the mean
		if target.Busy() > 108 {
			t.Errorf("%s has %d of 800 calls, want about 100", target.URL, target.Busy())
		}
	}
	down(p, 0)
	if got := shares(t, p, 10); got[1] != 10 {
		t.Errorf("got %v", got)
	}
}

func TestHashingIsStickyAndMovesOnlyTheShareOfALostTarget(t *testing.T) {
	for _, weights := range [][]int{{1, 1, 1, 1, 1}, {5, 1, 2, 1, 3}} {
		t.Run(fmt.Sprint(weights), func(t *testing.T) {
			p := pool(t, "hash_ip", 0, weights...)
			owner := func(p *Pool, i int) string {
				target, r := p.Pick(Hash(fmt.Appendf(nil, "10.0.%d.%d", i>>8, i&255)), nil)
				if r != nil {
					t.Fatal(r)
				}
				target.Release()
				return target.URL
			}
			const n = 6000
			before := make([]string, n)
			counts := map[string]int{}
			for i := range n {
				before[i] = owner(p, i)
				counts[before[i]]++
			}
			total := 0
			for _, w := range weights {
				total += w
			}
			for i, w := range weights {
				want := float64(n*w) / float64(total)
				if got := float64(counts[fmt.Sprintf("t%d", i)]); math.Abs(got-want) > 5*math.Sqrt(want) {
					t.Errorf("t%d has %v, want about %.0f", i, got, want)
				}
			}
			down(p, 2)
			for i := range n {
				switch now := owner(p, i); {
				case before[i] == "t2" && now == "t2":
					t.Fatal("a target that is down was picked")
				case before[i] != "t2" && now != before[i]:
					t.Fatalf("value %d moved from %s to %s", i, before[i], now)
				}
			}
			up(p, 2)
			// A configuration without the last target moves its share only.
			smaller := pool(t, "hash_ip", 0, weights[:4]...)
			for i := range n {
				if owner(p, i) != before[i] {
					t.Fatalf("value %d did not come back", i)
				}
				if now := owner(smaller, i); before[i] != "t4" && now != before[i] {
					t.Fatalf("value %d moved from %s to %s", i, before[i], now)
				}
			}
		})
	}
}

func TestHashIsStable(t *testing.T) {
	// These must never change: gateways of two versions side by side have to agree.
	if a, b := Hash([]byte("10.0.0.1")), Hash(nil); a != 0xc879e56ddc6c5c88 || b != 0xefd01f60ba992926 {
		t.Errorf("got %#x and %#x", a, b)
	}
}

func TestWithoutAHashTheTargetsTakeTurns(t *testing.T) {
	p := pool(t, "hash_cookie:sid", 0, 1, 1)
	if p.HashBy() != (HashBy{Cookie: "sid"}) {
		t.Errorf("hash by %+v", p.HashBy())
	}
	got := [2]int{}
	for range 10 {
		target, _ := p.Pick(0, nil)
		got[target.Index]++
	}
	if got != [2]int{5, 5} {
		t.Errorf("got %v", got)
	}
}

func TestBalanceWords(t *testing.T) {
	for word, want := range map[string]HashBy{
		"": {}, "round_robin": {}, "weighted": {}, "least_busy": {}, "random_two": {},
		"hash_ip": {IP: true}, "hash_header:X-User": {Header: "X-User"}, "hash_cookie:sid": {Cookie: "sid"},
	} {
		if p, err := New(Options{Balance: word}); err != nil || p.HashBy() != want {
			t.Errorf("%q hashes by %+v (%v), want %+v", word, p.HashBy(), err, want)
		}
	}
	for _, word := range []string{"roundrobin", "hash_header", "hash_header:", "hash_ip:x", "hash:x"} {
		if _, err := New(Options{Balance: word}); err == nil {
			t.Errorf("%q was taken", word)
		}
	}
}
