package shed

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// come lets one call in, or not.
func come(g *Gate) Verdict { return comeAs(g, false, nil) }

func comeAs(g *Gate, own bool, gone <-chan struct{}) Verdict {
	if g.Enter() {
		return Admitted
	}
	return g.Ask(own, gone)
}

func want(t *testing.T, what string, got, want any) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func TestNoLimitsAtAll(t *testing.T) {
	g := New(Limits{})
	for range 1000 {
		want(t, "a call", come(g), Admitted)
	}
	want(t, "in flight", g.InFlight(), int64(1000))
}

func TestCeilingWithoutQueue(t *testing.T) {
	g := New(Limits{Calls: 2})
	want(t, "first", come(g), Admitted)
	want(t, "second", come(g), Admitted)
	want(t, "third", come(g), Full)
	want(t, "in flight", g.InFlight(), int64(2))
	g.Leave()
	want(t, "after one has ended", come(g), Admitted)
	want(t, "one of the gateway's own pages", comeAs(g, true, nil), Admitted)
	g.Configure(Limits{Calls: 4})
	want(t, "after the ceiling was raised", come(g), Admitted)
	want(t, "and no more", come(g), Full)
	want(t, "refused", g.State().Refused[Full], int64(2))
}

func TestOwnPagesHaveABoundToo(t *testing.T) {
	g := New(Limits{Calls: 1})
	for range 1 + ownReserve {
		want(t, "an own page", comeAs(g, true, nil), Admitted)
	}
	want(t, "one more", comeAs(g, true, nil), Full)
}

func TestWaitingForItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := New(Limits{Calls: 1, Queue: 2, Wait: time.Second})
		come(g)
		verdicts := make(chan Verdict, 3)
		go func() { verdicts <- come(g) }()
		synctest.Wait()
		want(t, "waiting", g.State().Waiting, int64(1))
		want(t, "in flight", g.InFlight(), int64(2))
		time.Sleep(500 * time.Millisecond)
		g.Leave()
		want(t, "the one that waited", <-verdicts, Admitted)
		began := time.Now()
		want(t, "nobody ends", come(g), Waited)
		want(t, "it waited", time.Since(began), time.Second)
		for range 2 {
			go func() { verdicts <- come(g) }()
		}
		synctest.Wait()
		want(t, "the queue is full", come(g), Full)
		for range 2 {
			want(t, "their time is over", <-verdicts, Waited)
		}
		g.Leave()
		want(t, "nothing is left behind", g.InFlight(), int64(0))
		want(t, "and it is open again", g.Enter(), true)
	})
}

func TestWhoIsServedFirst(t *testing.T) {
	for _, c := range []struct {
		name  string
		stood time.Duration // of the queue, before a place is free
		want  []int
	}{
		{"a burst: who came first", 10 * time.Millisecond, []int{0, 1, 2}},
		{"a standing queue: who came last", 200 * time.Millisecond, []int{2, 1, 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := New(Limits{Calls: 1, Queue: 10, Wait: time.Second})
				come(g)
				order := make(chan int, 3)
				for i := range 3 {
					go func() {
						if come(g) == Admitted {
							order <- i
						}
					}()
					synctest.Wait()
				}
				time.Sleep(c.stood)
				for _, i := range c.want {
					g.Leave()
					want(t, "served", <-order, i)
				}
			})
		})
	}
}

func TestCallerLeavesTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := New(Limits{Calls: 1, Queue: 1, Wait: time.Hour})
		come(g)
		gone := make(chan struct{})
		verdict := make(chan Verdict)
		go func() { verdict <- comeAs(g, false, gone) }()
		synctest.Wait()
		close(gone)
		want(t, "it", <-verdict, Left)
		want(t, "waiting", g.State().Waiting, int64(0))
		g.Leave()
		want(t, "the place is free", come(g), Admitted)
	})
}

// However calls come, wait, give up and end: never more than the ceiling are let in, and nobody waits
// while there is room.
func TestNeverAboveTheCeilingAndNobodyForgotten(t *testing.T) {
	const ceiling = 4
	g := New(Limits{Calls: ceiling, Queue: 1000, Wait: time.Minute})
	var in, most, served atomic.Int64
	var callers sync.WaitGroup
	for i := range 64 {
		callers.Go(func() {
			for n := range 200 {
				gone := make(chan struct{})
				if (i+n)%7 == 0 {
					close(gone)
				}
				if comeAs(g, false, gone) != Admitted {
					continue
				}
				now := in.Add(1)
				for old := most.Load(); now > old && !most.CompareAndSwap(old, now); old = most.Load() {
				}
				served.Add(1)
				in.Add(-1)
				g.Leave()
			}
		})
	}
	callers.Wait() // a lost wake-up would wait for a minute
	if most.Load() > ceiling {
		t.Errorf("%d at once, the ceiling is %d", most.Load(), ceiling)
	}
	if served.Load() < 64*200*6/7 {
		t.Errorf("only %d were served", served.Load())
	}
	want(t, "left behind", g.InFlight(), int64(0))
	want(t, "open again", g.open.Load(), int64(ceiling))
}

func TestShareWhileLate(t *testing.T) {
	g := New(Limits{MaxDelay: 100 * time.Millisecond})
	late, fine := Signal{Delay: 150 * time.Millisecond}, Signal{Delay: 20 * time.Millisecond}
	refused := func() (n int) {
		for range 1000 {
			if come(g) == Late {
				n++
			} else {
				g.Leave()
			}
		}
		return n
	}
	for range lateTicks - 1 {
		g.Tick(late)
	}
	want(t, "refused in a burst", refused(), 0)
	g.Tick(fine)
	for range lateTicks {
		g.Tick(late)
	}
	if n := refused(); n < 50 || n > 150 {
		t.Errorf("%d of 1000 refused after the first step", n)
	}
	want(t, "an own page", comeAs(g, true, nil), Admitted)
	for range 100 {
		g.Tick(late)
	}
	if n := refused(); n < 850 || n > 950 {
		t.Errorf("%d of 1000 refused when it stays late: some must come in", n)
	}
	ticks := 0
	for ; g.State().TurnedAway > 0; ticks++ {
		g.Tick(fine)
	}
	if ticks > 20 {
		t.Errorf("it took %d ticks to take everybody again", ticks)
	}
	want(t, "refused afterwards", refused(), 0)
	want(t, "open", g.open.Load(), int64(unlimited))
}

// A slow upstream alone fills the gateway with calls; that is no reason to turn others away.
func TestManyCallsAloneAreNotLate(t *testing.T) {
	g := New(Limits{MaxDelay: 100 * time.Millisecond})
	for range 20000 {
		want(t, "a call", come(g), Admitted)
	}
	for range 100 {
		g.Tick(Signal{Delay: time.Millisecond})
	}
	want(t, "one more", come(g), Admitted)
}

func TestMemory(t *testing.T) {
	g := New(Limits{Memory: 1000, SoftMemory: 800, HardMemory: 900})
	low := func() string { return g.State().MemoryLow }
	for _, step := range []struct {
		needed, resident int64
		want             string
	}{
		{500, 0, ""},
		{801, 0, "soft"},
		{750, 0, "soft"},
		{719, 0, ""},
		{901, 0, "hard"},
		{820, 0, "hard"},
		{809, 0, "soft"},
		{100, 0, ""},
		{100, 970, "hard"},
		{100, 900, ""},
	} {
		g.Tick(Signal{Needed: step.needed, Resident: step.resident})
		want(t, "level", low(), step.want)
		want(t, "a call", come(g) == LowMemory, step.want == "hard")
		want(t, "an own page", comeAs(g, true, nil), Admitted)
		if step.want == "" {
			want(t, "100 bytes", g.Reserve(100), true)
			want(t, "400 bytes beside them", g.Reserve(400), false)
			g.Release(100)
		} else {
			want(t, "one byte", g.Reserve(1), false)
		}
		want(t, "reserved", g.State().Reserved, int64(0))
	}
	g.Configure(Limits{})
	g.Tick(Signal{Needed: 1 << 50})
	want(t, "without limits", g.Reserve(1<<40), true)
	want(t, "level without limits", low(), "")
}

func TestAGoodCallAllocatesNothing(t *testing.T) {
	g := New(Limits{Calls: 10, Queue: 10, Wait: time.Second, MaxDelay: time.Second, SoftMemory: 1})
	if n := testing.AllocsPerRun(100, func() {
		if !g.Enter() {
			t.Error("refused")
		}
		g.Leave()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkEnterLeave(b *testing.B) {
	g := New(Limits{Calls: 1 << 20})
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			g.Enter()
			g.Leave()
		}
	})
}
