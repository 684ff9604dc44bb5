package upstream

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"causeway/internal/catalog"
	"causeway/internal/fault"
	"causeway/internal/journey"
)

func TestMayRepeat(t *testing.T) {
	for _, tt := range []struct {
		again                               fault.Again
		nothingSent, idempotent, otherTaget bool
		want                                bool
	}{
		{fault.Always, false, false, false, true},
		{fault.Idempotent, false, false, true, false},
		{fault.Idempotent, false, true, false, true},
		{fault.Idempotent, true, false, false, true},
		{fault.Delayed, false, false, true, false},
		{fault.Delayed, false, true, false, true},
		{fault.Delayed, true, false, false, true},
		{fault.Elsewhere, true, true, false, false},
		{fault.Elsewhere, true, false, true, true},
		{fault.Elsewhere, false, true, true, true},
		{fault.Elsewhere, false, false, true, false},
		{fault.Never, true, true, true, false},
	} {
		if got, why := MayRepeat(tt.again, tt.nothingSent, tt.idempotent, tt.otherTaget); got != tt.want || why == "" {
			t.Errorf("%+v: got %v, %s", tt, got, why)
		}
	}
}

func TestARetryFollowsTheSettings(t *testing.T) {
	settings := catalog.Retries{Max: 2, On: []string{"connect", "reset_before_response", "502", "503", "504"}, Budget: 0.2, Backoff: 50 * time.Millisecond}
	refused := Failure{Kind: fault.ConnectionRefused, Again: fault.Always, Status: 502, Phase: journey.PhaseConnect, NothingSent: true, Replayable: true, Attempts: 1}
	with := func(change func(*Failure)) Failure { f := refused; change(&f); return f }
	reset := with(func(f *Failure) {
		f.Kind, f.Again, f.Phase, f.NothingSent, f.Idempotent = fault.ResetBeforeResponse, fault.Idempotent, journey.PhaseWait, false, true
	})
	answered := with(func(f *Failure) {
		f.Kind, f.Again, f.Status, f.Phase, f.NothingSent, f.Idempotent = fault.UpstreamUnavailable, fault.Delayed, 503, journey.PhaseDone, false, true
	})
	only := func(words ...string) catalog.Retries { s := settings; s.On = words; return s }
	for _, tt := range []struct {
		name     string
		settings catalog.Retries
		failure  Failure
		why      string
	}{
		{"refused", settings, refused, "retried: nothing had reached the upstream"},
		{"refused, only connect is listed", only("connect"), refused, "retried: nothing had reached the upstream"},
		{"refused, connect is not listed", only("503"), refused, "not retried: retries.on does not name it"},
		{"the second retry", settings, with(func(f *Failure) { f.Attempts = 2 }), "retried: nothing had reached the upstream"},
		{"all attempts are made", settings, with(func(f *Failure) { f.Attempts = 3 }), "not retried: all 3 attempts are made (retries.max: 2)"},
		{"off", catalog.Retries{}, refused, "not retried: retries.max is 0"},
		{"the caller has bytes", settings, with(func(f *Failure) { f.AnswerBegun = true }), "not retried: the answer had begun"},
		{"the body is gone", settings, with(func(f *Failure) { f.Replayable = false }), "not retried: the request body cannot be sent again"},
		{"reset, idempotent", settings, reset, "retried: the call is idempotent"},
		{"reset, only it is listed", only("reset_before_response"), reset, "retried: the call is idempotent"},
		{"reset, not idempotent", settings, func() Failure { f := reset; f.Idempotent = false; return f }(), "not retried: the upstream may have worked on it, and the call is neither idempotent nor carries Idempotency-Key"},
		{"503, idempotent", settings, answered, "retried: the call is idempotent"},
		{"503, not idempotent", settings, func() Failure { f := answered; f.Idempotent = false; return f }(), "not retried: the upstream may have worked on it, and the call is neither idempotent nor carries Idempotency-Key"},
		{"503, not listed", only("502"), answered, "not retried: retries.on does not name it"},
		{"a timeout of ours is a 504", settings, Failure{Kind: fault.FirstByteTimeout, Again: fault.Idempotent, Status: 504, Phase: journey.PhaseWait, Idempotent: true, Replayable: true, Attempts: 1}, "retried: the call is idempotent"},
		{"a failure that lasts, another target is left", settings, Failure{Kind: fault.DNSNotFound, Again: fault.Elsewhere, Status: 502, Phase: journey.PhaseDNS, NothingSent: true, Replayable: true, OtherTarget: true, Attempts: 1}, "retried: nothing had reached the upstream"},
		{"a failure that lasts, no other target", settings, Failure{Kind: fault.DNSNotFound, Again: fault.Elsewhere, Status: 502, Phase: journey.PhaseDNS, NothingSent: true, Replayable: true, Attempts: 1}, "not retried: this target would fail again, and no other is left"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := NewRetry(tt.settings, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			if _, why := r.Allow(tt.failure, time.Now()); why != tt.why {
				t.Errorf("got  %s\nwant %s", why, tt.why)
			}
		})
	}
	if _, err := NewRetry(only("timeout"), time.Now()); err == nil {
		t.Error("a word that does not exist was taken")
	}
	for m, want := range map[string]bool{"GET": true, "HEAD": true, "OPTIONS": true, "TRACE": true, "PUT": true, "DELETE": true, "POST": false, "PATCH": false, "get": false, "CONNECT": false} {
		if IdempotentMethod(m) != want {
			t.Errorf("%s: %v", m, !want)
		}
	}
}

func TestTheBudgetIsSpentOnceAndTellsSo(t *testing.T) {
	now := time.Now()
	r, _ := NewRetry(catalog.Retries{Max: 5, On: []string{"connect"}, Budget: 0.2}, now)
	f := Failure{Again: fault.Always, Phase: journey.PhaseConnect, Replayable: true, Attempts: 1}
	for range 3 { // the least a window has
		if ok, why := r.Allow(f, now); !ok {
			t.Fatal(why)
		}
	}
	if ok, why := r.Allow(f, now); ok || why != "not retried: the budget of 20% of calls in 10 s is spent" {
		t.Errorf("%v, %s", ok, why)
	}
	same, _ := NewRetry(catalog.Retries{Max: 1, On: []string{"connect"}, Budget: 0.2}, now)
	same.Adopt(r)
	if ok, _ := same.Allow(f, now); ok {
		t.Error("a reload that does not change the budget filled it")
	}
	other, _ := NewRetry(catalog.Retries{Max: 1, On: []string{"connect"}, Budget: 0.3}, now)
	other.Adopt(r)
	if ok, _ := other.Allow(f, now); !ok {
		t.Error("a changed budget has to begin anew")
	}
}

// TestTheBudgetHoldsInEveryWindow: in any ten seconds there are at most max(3, share x calls)
// retries, whatever calls and retries come when.
func TestTheBudgetHoldsInEveryWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		share := rapid.SampledFrom([]float64{0, 0.1, 0.2, 1}).Draw(t, "share")
		base := time.Now()
		b := NewBudget(share, base)
		var calls, retries []time.Duration
		var at time.Duration
		refused, asked := 0, 0
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			at += time.Duration(rapid.IntRange(0, 3000).Draw(t, "ms")) * time.Millisecond
			for range rapid.IntRange(0, 30).Draw(t, "calls") {
				b.Call(base.Add(at))
				calls = append(calls, at)
			}
			for range rapid.IntRange(0, 12).Draw(t, "retries") {
				asked++
				if b.Allow(base.Add(at)) {
					retries = append(retries, at)
				} else {
					refused++
				}
			}
		}
		within := func(list []time.Duration, end time.Duration) (n int) {
			for _, x := range list {
				if x > end-10*time.Second && x <= end {
					n++
				}
			}
			return n
		}
		for _, end := range retries {
			if got, most := within(retries, end), max(3, int(share*float64(within(calls, end)))); got > most {
				t.Fatalf("%d retries in the 10 s before %v, at most %d are allowed", got, end, most)
			}
		}
		if asked <= 3 && refused > 0 {
			t.Fatal("three retries a window were not allowed")
		}
	})
}

func TestTheBudgetIsExactUnderConcurrency(t *testing.T) {
	now := time.Now()
	b := NewBudget(0.2, now)
	var allowed atomic.Int64
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			for range 20 {
				b.Call(now)
			}
		})
	}
	wg.Wait()
	for range 200 {
		wg.Go(func() {
			for range 5 {
				if b.Allow(now) {
					allowed.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if allowed.Load() != 200 {
		t.Errorf("%d retries of 1000 calls, want 200", allowed.Load())
	}
}

func TestPause(t *testing.T) {
	r, _ := NewRetry(catalog.Retries{Backoff: 50 * time.Millisecond}, time.Now())
	for n, most := range map[int]time.Duration{1: 50 * time.Millisecond, 2: 100 * time.Millisecond, 4: 400 * time.Millisecond, 40: 5 * time.Second} {
		seen := map[time.Duration]bool{}
		for range 50 {
			d, ok := r.Pause(n, 0)
			if !ok || d < most/2 || d > most {
				t.Fatalf("retry %d waits %v, want %v to %v", n, d, most/2, most)
			}
			seen[d] = true
		}
		if len(seen) < 10 {
			t.Errorf("no jitter: %v", seen)
		}
	}
	if d, ok := r.Pause(1, 2*time.Second); !ok || d != 2*time.Second {
		t.Errorf("asked for 2 s: %v, %v", d, ok)
	}
	if _, ok := r.Pause(1, time.Minute); ok {
		t.Error("a minute was waited for")
	}
	none, _ := NewRetry(catalog.Retries{}, time.Now())
	if d, ok := none.Pause(3, 0); d != 0 || !ok {
		t.Errorf("without backoff: %v, %v", d, ok)
	}
}

func BenchmarkBudgetCall(b *testing.B) {
	now := time.Now()
	budget := NewBudget(0.2, now)
	b.ReportAllocs()
	for b.Loop() {
		budget.Call(now)
	}
}

func BenchmarkNow(b *testing.B) {
	for b.Loop() {
		_ = time.Now()
	}
}
