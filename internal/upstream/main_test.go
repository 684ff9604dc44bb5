package upstream

import (
	"fmt"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pool makes a pool of targets named t0, t1, ... with these weights.
func pool(t testing.TB, balance string, maxBusy int, weights ...int) *Pool {
	t.Helper()
	o := Options{Name: "orders", Balance: balance, MaxBusy: maxBusy}
	for i, w := range weights {
		o.Targets = append(o.Targets, TargetSpec{URL: fmt.Sprintf("t%d", i), Weight: w})
	}
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// shares picks n times, releasing at once, and counts what each target got.
func shares(t testing.TB, p *Pool, n int) []int {
	t.Helper()
	got := make([]int, len(p.targets))
	for i := range n {
		target, r := p.Pick(Hash(fmt.Append(nil, i)), nil)
		if r != nil {
			t.Fatal(r)
		}
		got[target.Index]++
		target.Release()
	}
	return got
}

// down makes a target unhealthy, as its checks would.
func down(p *Pool, i int) {
	p.targets[i].verdict.add(false, Reason{"connection_refused", "refused"}, 0, p.now(), 1, 1)
	p.setTurns()
}

func up(p *Pool, i int) {
	p.targets[i].verdict.add(true, Reason{}, 0, p.now(), 1, 1)
	p.setTurns()
}
