package policy

import (
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"causeway/internal/catalog"
)

func limiter(requests int, per time.Duration, by string) *RateLimiter {
	return NewRateLimiter(catalog.RateLimit{Requests: requests, Per: per, By: by})
}

// TestNeverMoreThanTheLimitInAnyWindow: whatever comes when, no window of the limit's length has
// more calls than the limit; and a call is not refused when the window, longer by a 64th, before
// it has room.
func TestNeverMoreThanTheLimitInAnyWindow(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		limit := rapid.IntRange(1, 200).Draw(rt, "limit")
		per := time.Duration(rapid.Int64Range(1, int64(2*time.Second)).Draw(rt, "per"))
		steps := rapid.SliceOfN(rapid.Int64Range(0, int64(per/10)+1), 1, 400).Draw(rt, "steps")
		bursts := rapid.IntRange(1, 10).Draw(rt, "burst")
		c := newCounters(int64(limit), per)
		w := &window{}
		var now time.Duration
		var passed []time.Duration
		within := func(length time.Duration) (n int) { // calls in (now-length, now]
			for i := len(passed) - 1; i >= 0 && passed[i] > now-length; i-- {
				n++
			}
			return n
		}
		for _, s := range steps {
			now += time.Duration(s)
			for range bursts {
				d := w.take(c, now)
				switch before := within(per); {
				case d.OK && before >= limit:
					rt.Fatalf("call %d in %v, the limit is %d", before+1, per, limit)
				case !d.OK && within(per+c.grain) < limit:
					rt.Fatalf("refused with %d calls of %d", within(per+c.grain), limit)
				}
				if d.OK {
					passed = append(passed, now)
				} else if d.RetryAfter <= 0 || d.RetryAfter > per {
					rt.Fatalf("retry after %v of %v", d.RetryAfter, per)
				}
				if d.Remaining < 0 || d.Remaining != int64(limit)-w.total || d.ResetAfter <= 0 || d.ResetAfter > per {
					rt.Fatalf("%+v", d)
				}
			}
			if len(w.batches) > grains+2 {
				rt.Fatalf("%d batches", len(w.batches))
			}
		}
	})
}

func TestARetryAtTheTimeNamedPasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limiter(3, time.Second, "ip")
		key := AddressKey(netip.MustParseAddr("192.0.2.1"))
		for i := range 3 {
			if d := l.Take(key); !d.OK || d.Remaining != int64(2-i) || d.RetryAfter != 0 {
				t.Fatalf("call %d: %+v", i, d)
			}
			time.Sleep(100 * time.Millisecond)
		}
		d := l.Take(key)
		if d.OK || d.Remaining != 0 || d.RetryAfter != 700*time.Millisecond || d.ResetAfter != d.RetryAfter {
			t.Fatalf("got %+v", d)
		}
		time.Sleep(d.RetryAfter - 1)
		if l.Take(key).OK {
			t.Error("passed too early")
		}
		time.Sleep(1 * time.Nanosecond)
		if d := l.Take(key); !d.OK || d.Remaining != 0 {
			t.Errorf("at the time named: %+v", d)
		}
		if l.Take(key).OK {
			t.Error("one more passed")
		}
		time.Sleep(time.Hour)
		if d := l.Take(key); !d.OK || d.Remaining != 2 {
			t.Errorf("after a long time: %+v", d)
		}
	})
}

func TestExactlyTheLimitPassesAtOnce(t *testing.T) {
	const limit = 1000
	l := limiter(limit, time.Hour, "service")
	var passed [3]atomic.Int64
	ks := [3]RateKey{{}, NumberKey(0), TextKey(nil)}
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			for range 20 {
				for i, k := range ks {
					if l.Take(k).OK {
						passed[i].Add(1)
					}
				}
			}
		})
	}
	wg.Wait()
	for i := range passed {
		if n := passed[i].Load(); n != limit {
			t.Errorf("key %d: %d calls passed, want %d", i, n, limit)
		}
	}
}

func TestKeys(t *testing.T) {
	addr := func(s string) RateKey { return AddressKey(netip.MustParseAddr(s)) }
	same := [][2]RateKey{
		{addr("192.0.2.1"), addr("::ffff:192.0.2.1")},
		{addr("2001:db8::1"), addr("2001:db8::ffff:1")},
		{TextKey([]byte("a")), TextKey([]byte("a"))},
		{TextKey(nil), TextKey([]byte{})},
	}
	for _, p := range same {
		if p[0] != p[1] {
			t.Errorf("%v is not %v", p[0], p[1])
		}
	}
	seen := map[RateKey]int{}
	for i, k := range []RateKey{{}, NumberKey(0), NumberKey(1), addr("0.0.0.0"), addr("0.0.0.1"), addr("::"), addr("2001:db8::"), addr("2001:db8:0:1::"), AddressKey(netip.MustParseAddr("192.0.2.1")), TextKey(nil), TextKey([]byte("a"))} {
		if j, twice := seen[k]; twice {
			t.Errorf("keys %d and %d are the same", i, j)
		}
		seen[k] = i
	}
}

func TestEachKeyHasItsOwnCount(t *testing.T) {
	l := limiter(1, time.Hour, "header:X-User")
	if l.By != ByHeader || l.Header != "X-User" {
		t.Errorf("by %d, %s", l.By, l.Header)
	}
	for i := range 500 {
		k := TextKey(fmt.Append(nil, i))
		if !l.Take(k).OK || l.Take(k).OK {
			t.Fatalf("key %d", i)
		}
	}
}

func TestMoreKeysThanThereIsRoomFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limiter(2, time.Minute, "ip")
		counts := map[int]int{}
		try := func(i int) bool {
			if l.Take(NumberKey(i)).OK {
				counts[i]++
				return true
			}
			return false
		}
		const many = MaxRateKeys + 20_000
		for range 3 {
			for i := range many {
				try(i)
			}
		}
		total := 0
		for i, n := range counts {
			if n > 2 {
				t.Fatalf("key %d passed %d times, the limit is 2", i, n)
			}
			total += n
		}
		if kept := size(l); kept > MaxRateKeys {
			t.Errorf("%d keys are kept, at most %d should", kept, MaxRateKeys)
		}
		if full := 2*MaxRateKeys - shards; total < full*9/10 {
			t.Errorf("%d calls passed; the keys that were there first have room for %d", total, full)
		}
		for i := range many { // those who were counted together get no second turn for it
			if counts[i] == 2 && try(i) {
				t.Fatalf("key %d passed a third time", i)
			}
		}
		time.Sleep(time.Minute)
		clear(counts)
		for i := many; i < many+100; i++ {
			if !try(i) {
				t.Fatalf("new key %d is refused although the others are idle", i)
			}
		}
	})
}

func TestAKeyThatWasInTheCrowdIsNotCountedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCounters(2, time.Minute)
		s := &c.shard[0]
		for i := range shardKeys {
			s.windows[NumberKey(i)] = &window{batches: []batch{{last: 0, calls: 1}}, n: 1, total: 1}
		}
		late := NumberKey(1 << 40)
		time.Sleep(time.Minute - 1)
		w := c.newWindow(s, late, time.Since(c.base))
		if w != &s.crowd || !w.take(c, time.Since(c.base)).OK || !w.take(c, time.Since(c.base)).OK {
			t.Fatal("not counted in the crowd")
		}
		time.Sleep(2 * time.Nanosecond) // now the others are idle
		w = c.newWindow(s, late, time.Since(c.base))
		if w == &s.crowd {
			t.Fatal("no room although the others are idle")
		}
		if w.take(c, time.Since(c.base)).OK {
			t.Error("the third call in a minute passed")
		}
		time.Sleep(time.Minute)
		if !w.take(c, time.Since(c.base)).OK {
			t.Error("not free again")
		}
	})
}

func TestIdleKeysAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limiter(5, time.Second, "ip")
		for i := range 200_000 { // 100 new keys a second, none of which comes back
			l.Take(NumberKey(i))
			if i%100 == 0 {
				time.Sleep(time.Second)
			}
		}
		if n := size(l); n > 5000 {
			t.Errorf("%d keys are kept for 100 in use", n)
		}
	})
}

func size(l *RateLimiter) (n int) {
	for i := range l.counters.shard {
		n += len(l.counters.shard[i].windows)
	}
	return n
}

func TestAReloadKeepsCountsOfALimitItDoesNotChange(t *testing.T) {
	old := limiter(2, time.Hour, "application")
	old.Take(NumberKey(1))
	same := limiter(2, time.Hour, "")
	same.Adopt(old)
	if !same.Take(NumberKey(1)).OK || old.Take(NumberKey(1)).OK || same.Take(NumberKey(1)).OK {
		t.Error("two generations of one limit do not count together")
	}
	for _, other := range []*RateLimiter{limiter(3, time.Hour, "application"), limiter(2, time.Minute, "application"), limiter(2, time.Hour, "ip")} {
		other.Adopt(old)
		if !other.Take(NumberKey(1)).OK {
			t.Errorf("%s goes on with the counts of %s", other, old)
		}
	}
}

func TestHeaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, tt := range []struct {
			requests      int
			per           time.Duration
			by            string
			text          string
			policy, state string
		}{
			{100, time.Second, "", "100 requests per 1s by application", `"default";q=100;w=1`, `"default";r=99;t=1`},
			{1, time.Minute, "ip", "1 request per 1m by ip", `"default";q=1;w=60`, `"default";r=0;t=60`},
			{5, 1500 * time.Millisecond, "service", "5 requests per 1.5s by service", `"default";q=5;w=2`, `"default";r=4;t=2`},
			{5, 24 * time.Hour, "header:X-User", "5 requests per 24h by header:X-User", `"default";q=5;w=86400`, `"default";r=4;t=86400`},
			{5, 90 * time.Minute, "ip", "5 requests per 1h30m by ip", `"default";q=5;w=5400`, `"default";r=4;t=5400`},
		} {
			l := limiter(tt.requests, tt.per, tt.by)
			d := l.Take(RateKey{})
			if got := l.String(); got != tt.text {
				t.Errorf("got %s, want %s", got, tt.text)
			}
			if got := string(d.AppendPolicy(nil)); got != tt.policy {
				t.Errorf("got %s, want %s", got, tt.policy)
			}
			if got := string(d.AppendState(nil)); got != tt.state {
				t.Errorf("got %s, want %s", got, tt.state)
			}
		}
	})
	for d, want := range map[time.Duration]int64{0: 0, 1: 1, time.Second: 1, time.Second + 1: 2} {
		if got := Seconds(d); got != want {
			t.Errorf("%v: got %d, want %d", d, got, want)
		}
	}
}

func TestTakeAllocatesNothing(t *testing.T) {
	l := limiter(1<<30, time.Hour, "ip")
	a := netip.MustParseAddr("192.0.2.1")
	text := []byte("user-17")
	buf := make([]byte, 0, 64)
	if n := testing.AllocsPerRun(100, func() {
		d := l.Take(AddressKey(a))
		l.Take(TextKey(text))
		l.Take(NumberKey(7))
		buf = d.AppendState(d.AppendPolicy(buf[:0]))
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkTake(b *testing.B) {
	l := limiter(1<<40, time.Second, "application")
	b.Run("one key", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			l.Take(NumberKey(17))
		}
	})
	b.Run("10000 keys", func(b *testing.B) {
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			i = (i + 7919) % 10_000
			l.Take(NumberKey(i))
		}
	})
	b.Run("one key, parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				l.Take(RateKey{})
			}
		})
	})
	full := limiter(1, time.Hour, "ip")
	b.Run("refused", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			full.Take(NumberKey(17))
		}
	})
	b.Run("headers", func(b *testing.B) {
		d := l.Take(NumberKey(17))
		buf := make([]byte, 0, 64)
		b.ReportAllocs()
		for b.Loop() {
			buf = d.AppendState(d.AppendPolicy(buf[:0]))
		}
	})
}
