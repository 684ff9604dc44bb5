package upstream

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"causeway/internal/catalog"
	"causeway/internal/fault"
)

func testHealth() *catalog.Health {
	return &catalog.Health{Path: "/healthz", Interval: 5 * time.Second, Timeout: time.Second, HealthyAfter: 2, UnhealthyAfter: 3, StatusFrom: 200, StatusTo: 299}
}

func withHealthyAfter(n int) *catalog.Health {
	h := testHealth()
	h.HealthyAfter = n
	return h
}

func neverChecked(context.Context, int) CheckResult { panic("checked") }

// checked is a pool of two targets whose checks answer what status says.
type checked struct {
	*Pool
	status [2]atomic.Int64 // 0: refused
	checks [2]atomic.Int64
	events []string
	log    bytes.Buffer
}

func newChecked(t *testing.T, h *catalog.Health) *checked {
	t.Helper()
	c := &checked{}
	c.status[0].Store(200)
	c.status[1].Store(200)
	p, err := New(Options{
		Name: "orders", Targets: []TargetSpec{{"a", 1}, {"b", 1}}, Health: h,
		Check: func(ctx context.Context, i int) CheckResult {
			c.checks[i].Add(1)
			if s := int(c.status[i].Load()); s != 0 {
				return CheckResult{OK: true, Status: s, Took: time.Millisecond}
			}
			return CheckResult{Kind: fault.ConnectionRefused, Text: "refused after 0.1 ms"}
		},
		Changed: func(i int, healthy bool, why Reason) {
			c.events = append(c.events, fmt.Sprintf("%d %v %s", i, healthy, why.Kind))
		},
		Log: slog.New(slog.NewTextHandler(&c.log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	c.Pool = p
	return c
}

func TestATargetIsHealthyUntilChecksInARowFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newChecked(t, testHealth())
		c.Start()
		defer c.Stop()
		time.Sleep(20 * time.Second)
		if n := c.checks[0].Load(); n < 4 || n > 5 {
			t.Errorf("%d checks in 20 s of one each 5 s", n)
		}
		c.status[0].Store(0)
		fails := c.checks[0].Load()
		for c.checks[0].Load() < fails+2 {
			time.Sleep(100 * time.Millisecond)
		}
		if !c.targets[0].Healthy() {
			t.Error("unhealthy after two failed checks, want three")
		}
		time.Sleep(6 * time.Second)
		if c.targets[0].Healthy() {
			t.Error("healthy after three failed checks")
		}
		if got := shares(t, c.Pool, 10); got[1] != 10 {
			t.Errorf("picked the target that is down: %v", got)
		}
		s := c.Status()[0]
		if s.Healthy || s.Failed < 3 || s.Reason != (Reason{fault.ConnectionRefused, "refused after 0.1 ms"}) || time.Since(s.Since) > 7*time.Second {
			t.Errorf("got %+v", s)
		}

		c.status[1].Store(503)
		time.Sleep(17 * time.Second)
		_, r := c.Pick(0, nil)
		if r == nil || r.Kind != fault.NoHealthyTarget || !strings.Contains(r.Targets[1].Reason.Text, "/healthz answered 503, not within 200-299") || r.Targets[1].Reason.Kind != fault.UpstreamUnavailable {
			t.Fatalf("got %+v", r)
		}

		c.status[0].Store(204)
		passes := c.checks[0].Load()
		for c.checks[0].Load() < passes+1 {
			time.Sleep(100 * time.Millisecond)
		}
		if c.targets[0].Healthy() {
			t.Error("healthy again after one good check, want two")
		}
		time.Sleep(6 * time.Second)
		if got := shares(t, c.Pool, 10); got[0] != 10 {
			t.Errorf("not back in use: %v", got)
		}
		c.Stop() // what the checks wrote may be read now
		if got := fmt.Sprint(c.events); got != "[0 false connection_refused 1 false upstream_unavailable 0 true ]" {
			t.Errorf("events: %s", got)
		}
		if l := c.log.String(); strings.Count(l, "target is unhealthy") != 2 || strings.Count(l, "healthy again") != 1 || !strings.Contains(l, "refused after 0.1 ms") {
			t.Errorf("log:\n%s", l)
		}
	})
}

func TestOneGoodCheckBetweenStartsTheCountAgain(t *testing.T) {
	v := newVerdict(time.Now())
	for _, good := range []bool{false, false, true, false, false, true} {
		if v.add(good, Reason{}, 0, time.Now(), 2, 3) {
			t.Fatal("the state changed")
		}
	}
	for i, want := range []bool{false, false, true} {
		if got := v.add(false, Reason{}, 0, time.Now(), 2, 3); got != want {
			t.Errorf("failed check %d in a row: changed %v, want %v", i+1, got, want)
		}
	}
}

func TestACheckEndsAtItsTimeoutAndWithTheirPool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, ended := make(chan time.Time, 9), make(chan time.Time, 9)
		p, err := New(Options{
			Targets: []TargetSpec{{"a", 1}}, Health: testHealth(),
			Check: func(ctx context.Context, _ int) CheckResult {
				began <- time.Now()
				<-ctx.Done()
				ended <- time.Now()
				return CheckResult{Kind: fault.FirstByteTimeout}
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		p.Start()
		p.Start()
		if took := -(<-began).Sub(<-ended); took != time.Second {
			t.Errorf("the check took %v", took)
		}
		<-began
		p.Stop()
		p.Stop()
		time.Sleep(time.Minute)
		if len(began) != 0 {
			t.Error("checked after Stop")
		}
		if s := p.Status()[0]; s.Failed != 1 || s.Reason.Text != "the check failed: first_byte_timeout" {
			t.Errorf("a check that Stop broke off was counted: %+v", s)
		}
	})
}

func TestWithoutHealthSettingsNothingIsChecked(t *testing.T) {
	p, err := New(Options{Targets: []TargetSpec{{"a", 1}}, Check: neverChecked})
	if err != nil {
		t.Fatal(err)
	}
	p.Start()
	p.Stop()
	never, _ := New(Options{Targets: []TargetSpec{{"a", 1}}, Health: testHealth(), Check: neverChecked})
	never.Stop()
	never.Start() // a pool that was stopped does not begin
}

func TestAReloadKeepsWhatItDoesNotChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old := newChecked(t, testHealth())
		old.status[0].Store(0)
		old.Start()
		time.Sleep(20 * time.Second)
		inFlight, _ := old.Pick(0, nil) // on b
		inFlight.MarkGood(time.Now().UnixNano())
		old.targets[1].Hold(time.Now().Add(time.Second), Reason{})

		same := newChecked(t, testHealth())
		same.Adopt(old.Pool)
		other := newChecked(t, withHealthyAfter(1))
		other.Adopt(old.Pool)
		old.Stop()
		same.status[0].Store(200)
		same.Start()
		defer same.Stop()

		s := same.Status()
		if s[0].Healthy || s[0].Failed < 3 || s[1].Busy != 1 || s[1].Picked != 1 || s[1].LastGood.IsZero() || !s[1].Held {
			t.Errorf("same settings: %+v", s)
		}
		if s := other.Status(); !s[0].Healthy || s[0].Failed != 0 || s[1].Busy != 1 {
			t.Errorf("other health settings: %+v", s)
		}
		inFlight.Release()
		if n := same.Status()[1].Busy; n != 0 {
			t.Errorf("a call of the old pool did not give its slot back: %d", n)
		}
		time.Sleep(11 * time.Second)
		if got := shares(t, same.Pool, 10); got[0] != 5 {
			t.Errorf("a target that has recovered gets %v", got)
		}
	})
}

// TestTwoPoolsWithOneVerdict: while an old pool still checks, the new one learns what it finds.
func TestTwoPoolsWithOneVerdict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, fresh := newChecked(t, testHealth()), newChecked(t, testHealth())
		down(old.Pool, 0)
		fresh.Adopt(old.Pool)
		up(old.Pool, 0) // found by the old pool's check
		fresh.Start()
		defer fresh.Stop()
		time.Sleep(2 * time.Second)
		if got := shares(t, fresh.Pool, 10); got[0] != 5 {
			t.Errorf("got %v", got)
		}
	})
}
