package history

import (
	"fmt"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"causeway/internal/fault"
	"causeway/internal/journey"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func at(s float64) time.Time { return start.Add(time.Duration(s * float64(time.Second))) }

func (t *Target) goodAt(s float64, shape uint64, took time.Duration) {
	t.Good(Good{At: at(s), Revision: 1, Shape: shape, FirstByte: took, Busy: 2})
}

func refusal() *journey.Attempt {
	return &journey.Attempt{Target: "http://a:1", Phase: journey.PhaseConnect, End: journey.EndErrno, Errno: syscall.ECONNREFUSED, Total: time.Millisecond}
}

func brokenOff() *journey.Attempt {
	return &journey.Attempt{Target: "http://a:1", Phase: journey.PhaseWait, End: journey.EndReset, SendComplete: true, BytesOut: 100, Total: 5 * time.Millisecond}
}

func (t *Target) badAt(s float64, kind fault.Kind, a *journey.Attempt, shape uint64) *journey.Past {
	t.Bad(a, kind, shape, 1, at(s))
	return t.Look(Question{Attempt: a, Kind: kind, Shape: shape, Now: at(s)})
}

func TestARunOfFailures(t *testing.T) {
	var b Book
	x := b.Open("orders", "http://a:1", at(0))
	x.goodAt(1, 7, time.Millisecond)
	x.badAt(10, fault.ResetBeforeResponse, brokenOff(), 7)
	p := x.badAt(10.5, fault.ConnectionRefused, refusal(), 7)
	if !p.Good || p.GoodAgo != 9500*time.Millisecond || p.Streak != 1 || !p.CutBefore || p.CutBeforeAgo != 500*time.Millisecond || p.Watched != 10500*time.Millisecond {
		t.Errorf("after a crash: %+v", p)
	}
	if p = x.badAt(12, fault.ConnectionRefused, refusal(), 7); p.Streak != 2 || p.RunAgo != 1500*time.Millisecond || p.RunKind != fault.ConnectionRefused {
		t.Errorf("the run goes on: %+v", p)
	}
	x.goodAt(13, 7, time.Millisecond)
	p = x.badAt(20, fault.ConnectionRefused, refusal(), 7)
	if p.Streak != 1 || p.CutBefore || len(p.Outages) != 1 || p.Outages[0].Took != 2500*time.Millisecond || !p.Outages[0].Cut {
		t.Errorf("a new run, after an outage: %+v", p)
	}
	// An answer that was on its way when a later failure was noted ends nothing.
	x.goodAt(19, 7, time.Millisecond)
	if p = x.badAt(21, fault.ConnectionRefused, refusal(), 7); p.Streak != 2 {
		t.Errorf("an older answer ended the run: %+v", p)
	}
}

func TestRevisions(t *testing.T) {
	var b Book
	x := b.Open("orders", "http://a:1", at(0))
	x.Revise(1, at(0))
	x.goodAt(1, 7, time.Millisecond)
	x.Revise(2, at(5))
	a := refusal()
	x.Bad(a, fault.ConnectionRefused, 7, 2, at(6))
	p := x.Look(Question{Attempt: a, Kind: fault.ConnectionRefused, Shape: 7, Now: at(6)})
	if p.Good || !p.GoodBefore || p.GoodBeforeAgo != 5*time.Second || !p.Revised || p.RevisedAgo != time.Second {
		t.Errorf("never good under these settings: %+v", p)
	}
	x.Good(Good{At: at(7), Revision: 2, Shape: 7})
	if p = x.Look(Question{Now: at(8)}); !p.Good || p.GoodAgo != time.Second || !p.GoodBefore {
		t.Errorf("good again: %+v", p)
	}
}

func TestShapes(t *testing.T) {
	var b Book
	x := b.Open("orders", "http://a:1", at(0))
	x.goodAt(1, 8, time.Millisecond)
	var p *journey.Past
	for i := range 3 {
		p = x.badAt(float64(2+2*i), fault.ClosedBeforeResponse, brokenOff(), 7)
		x.goodAt(float64(3+2*i), 8, time.Millisecond)
	}
	if p.Shape.Failed != 3 || p.Shape.OthersGood != 2 || p.Shape.OthersBad != 0 {
		t.Errorf("one shape: %+v", p.Shape)
	}
	x.badAt(10, fault.ClosedBeforeResponse, brokenOff(), 8)
	p = x.badAt(11, fault.ClosedBeforeResponse, brokenOff(), 7)
	if p.Shape.Failed != 4 || p.Shape.OthersBad != 1 {
		t.Errorf("another as well: %+v", p.Shape)
	}
	seen := map[uint64]string{}
	for _, route := range []string{"/a", "/b"} {
		for _, m := range []string{"GET", "POST"} {
			for _, model := range []string{"", "m"} {
				for _, size := range []int64{0, 100, 1000} {
					id := Shape(route, m, model, size)
					if was := seen[id]; was != "" {
						t.Errorf("%s %s %q %d is as %s", route, m, model, size, was)
					}
					seen[id] = fmt.Sprint(route, m, model, size)
				}
			}
		}
	}
	if Shape("/a", "POST", "", 1000) != Shape("/a", "POST", "", 600) {
		t.Error("sizes of one power of two differ")
	}
}

func TestLatencyBeforeTheFailures(t *testing.T) {
	var b Book
	x := b.Open("orders", "http://a:1", at(0))
	for i := range 40 {
		x.goodAt(float64(i)/10, 7, 10*time.Millisecond)
	}
	for i := range 10 {
		x.goodAt(4+float64(i)/10, 7, time.Duration(100+50*i)*time.Millisecond)
	}
	p := x.badAt(6, fault.FirstByteTimeout, &journey.Attempt{Phase: journey.PhaseWait, End: journey.EndTimeout, Total: time.Second}, 7)
	if l := p.Latency; l.P50 != 10*time.Millisecond || l.NewP50 < 100*time.Millisecond || l.NewP95 < 400*time.Millisecond {
		t.Errorf("the climb does not show: %+v", l)
	}
	if p.Usual != 2 {
		t.Errorf("usually %d in flight", p.Usual)
	}
	x.goodAt(20*60, 7, 10*time.Millisecond)
	p = x.badAt(20*60+1, fault.FirstByteTimeout, brokenOff(), 7)
	if l := p.Latency; l.Samples+l.Recent != 1 {
		t.Errorf("samples of 20 min ago count: %+v", l)
	}
}

func TestClusters(t *testing.T) {
	var b Book
	x := b.Open("orders", "http://a:1", at(0))
	var p *journey.Past
	for i, ms := range []int{60010, 60040, 12000, 59990} {
		a := brokenOff()
		a.Total, a.BodyIn = time.Duration(ms)*time.Millisecond, 65536
		a.Reused, a.ConnIdle = true, 30*time.Second
		p = x.badAt(float64(i+1), fault.ResetBeforeResponse, a, 7)
	}
	if p.Elapsed.Count != 3 || p.Elapsed.Of != 4 || p.Size.Count != 4 || p.Size.Value != 65536 || p.Idle.Count != 4 {
		t.Errorf("elapsed %+v, size %+v, idle %+v", p.Elapsed, p.Size, p.Idle)
	}
}

func TestMarks(t *testing.T) {
	var b Book
	x := b.Open("orders", "http://a:1", at(0))
	for i, v := range []string{"app/1", "app/1", "app/2", "app/1", "app/2", ""} {
		x.Mark("server", []byte(v), at(float64(i)))
	}
	p := x.Look(Question{Now: at(10)})
	if len(p.Changes) != 1 || p.Changes[0] != (journey.PastChange{What: "server", From: "app/1", To: "app/2", Ago: 8 * time.Second}) {
		t.Errorf("changes %+v: two that take turns are one change", p.Changes)
	}
	for i := range 100 {
		x.Mark(fmt.Sprint("mark ", i), []byte("v"), at(11))
		x.Mark("server", fmt.Append(nil, i), at(12))
	}
	if p = x.Look(Question{Now: at(13)}); len(p.Changes) != restless || x.Current("server") != "99" {
		t.Errorf("%d changes, server %q: what is another one all the time tells nothing", len(p.Changes), x.Current("server"))
	}
}

func TestChangesOfATarget(t *testing.T) {
	var b Book
	x := b.Open("orders", "http://a:1", at(0))
	y := b.Open("billing", "http://a:1", at(0))
	b.Open("other", "http://b:1", at(0)).Mark("server", []byte("b/1"), at(0))
	see := func(what, v string, from, n int) {
		for i := range n {
			x.Mark(what, []byte(v), at(float64(from+i)))
			y.Mark(what, []byte(v), at(float64(from+i)))
		}
	}
	see("server", "app/1", 0, 20)
	see("server", "app/2", 20, 20)
	see("server", "app/1", 40, 1) // it was rolled back
	see("address", "10.0.0.5", 0, 1)
	see("address", "10.0.0.6", 2, 1) // the name has several
	see("address", "10.0.0.9", 50, 1)
	x.goodAt(60, 1, 0)
	x.badAt(61, fault.ConnectionRefused, refusal(), 1)
	x.goodAt(64, 1, 0)
	var got []string
	for _, c := range b.Changes("", "http://a:1", at(10), at(100)) {
		got = append(got, fmt.Sprintf("%v %s %s>%s %v %s", c.At.Sub(start), c.What, c.From, c.To, c.Took, c.Kind))
	}
	want := []string{
		"1m1s away > 3s connection_refused", "50s address 10.0.0.6>10.0.0.9 0s ", "40s server app/2>app/1 0s ", "20s server app/1>app/2 0s ",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if list := b.Changes("billing", "", at(30), at(45)); len(list) != 1 || list[0].To != "app/1" {
		t.Errorf("of one service and time: %+v", list)
	}
	if list := append(b.Changes("", "http://b:1", at(0), at(100)), b.Changes("", "", at(0), at(100))...); len(list) != 0 {
		t.Errorf("nothing changed there: %+v", list)
	}
}

func TestOthers(t *testing.T) {
	var b Book
	x := b.Open("orders", "http://a:1", at(0))
	sibling := b.Open("orders", "http://b:1", at(0))
	port := b.Open("stock", "http://a:2", at(0))
	far, down, reached := b.Open("mail", "http://c:1", at(0)), b.Open("news", "http://d:1", at(0)), b.Open("log", "http://e:1", at(0))
	sibling.goodAt(1, 7, 0)
	port.badAt(2, fault.ConnectionRefused, refusal(), 7)
	far.goodAt(3, 7, 0)
	far.Clock(time.Hour)
	dropped := &journey.Attempt{Phase: journey.PhaseConnect, End: journey.EndTimeout}
	down.badAt(4, fault.ConnectTimeout, dropped, 7)
	reached.badAt(4, fault.UpstreamError, brokenOff(), 7)
	p := x.badAt(5, fault.ConnectTimeout, dropped, 7)
	if s := p.Siblings; s.Known != 1 || s.Well != 1 {
		t.Errorf("siblings %+v", s)
	}
	if s := p.SameHost; s.Known != 1 || s.Failing != 1 || s.Kind != fault.ConnectionRefused {
		t.Errorf("the same host %+v", s)
	}
	if o := p.Others; o.Known != 4 || o.Well != 2 || o.Failing != 1 || o.Reached != 1 || o.Hosts != 1 || o.Name != "http://c:1" || o.Ago != 2*time.Second {
		t.Errorf("others %+v", o)
	}
	if p.ClockSeen != 1 || p.ClockOff != time.Hour {
		t.Errorf("clock %v of %d", p.ClockOff, p.ClockSeen)
	}
	if p = x.badAt(200, fault.ConnectTimeout, dropped, 7); p.Others.Known != 0 || p.ClockSeen != 0 {
		t.Errorf("news of minutes ago counts: %+v", p.Others)
	}
	b.Keep(func(upstream, _ string) bool { return upstream == "orders" })
	if n := len(*b.list.Load()); n != 2 {
		t.Errorf("%d targets are kept", n)
	}
}

func TestBounds(t *testing.T) {
	var b Book
	for i := range MaxTargets {
		if b.Open("a", fmt.Sprint("http://h:", i), at(0)) == nil {
			t.Fatalf("target %d is not watched", i)
		}
	}
	none := b.Open("a", "http://one-more:1", at(0))
	if none != nil {
		t.Fatal("there is no end")
	}
	none.Good(Good{At: at(1)}) // a target that is not watched does nothing
	none.Bad(refusal(), fault.ConnectionRefused, 1, 1, at(1))
	none.Mark("server", []byte("x"), at(1))
	none.Clock(1)
	none.Revise(1, at(1))
	if none.Look(Question{Now: at(2)}) != nil || none.Current("server") != "" {
		t.Error("nothing is known of it")
	}
	x := b.Open("a", "http://h:1", at(0))
	for i := range 10 * maxShapes {
		x.Good(Good{At: at(float64(i)), Revision: 1, Shape: uint64(i + 1), Model: uint64(i + 1)})
	}
	if p := x.Look(Question{Shape: 1, Model: 1, Now: at(1000)}); p.Shape.Good != 0 || p.ModelGood {
		t.Error("the shape seen longest ago is still there")
	}
}

func TestAGoodAnswerAllocatesNothing(t *testing.T) {
	var b Book
	x := b.Open("orders", "http://a:1", at(0))
	server := []byte("app/1")
	i := 0.0
	if n := testing.AllocsPerRun(200, func() {
		i++
		x.Mark("server", server, at(i))
		x.Good(Good{At: at(i), Revision: 1, Shape: 7, Model: 9, FirstByte: time.Millisecond, Busy: 1})
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestConcurrentUse(t *testing.T) {
	var b Book
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 200 {
				x := b.Open("orders", fmt.Sprint("http://h", i%3, ":1"), at(0))
				x.goodAt(float64(i), uint64(g+1), time.Millisecond)
				x.Mark("server", fmt.Append(nil, i%6), at(float64(i)))
				x.badAt(float64(i), fault.ConnectTimeout, refusal(), uint64(g+1))
			}
		})
	}
	wg.Wait()
}

func BenchmarkGood(b *testing.B) {
	var book Book
	x := book.Open("orders", "http://a:1", at(0))
	b.ReportAllocs()
	for i := range b.N {
		x.Good(Good{At: start.Add(time.Duration(i)), Revision: 1, Shape: uint64(i%20 + 1), FirstByte: time.Millisecond})
	}
}
