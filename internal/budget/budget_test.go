package budget

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

var day = Period{Calendar: "day"}

// likely asks for what is a guess alone.
func likely(tokens, nano int64) Ask {
	return Ask{Tokens: Amount{Likely: tokens}, Nano: Amount{Likely: nano}}
}

// everyCounters runs a test with each kind of counters; two shares them like two gateways.
func everyCounters(t *testing.T, run func(t *testing.T, one, two Counters)) {
	t.Run("memory", func(t *testing.T) {
		m := NewMemory()
		run(t, m, m)
	})
	t.Run("redis", func(t *testing.T) {
		open := startRedis(t)
		run(t, NewRedis(open(), "causeway/"), NewRedis(open(), "causeway/"))
	})
}

// startRedis runs a server of its own on a socket in a temporary folder.
func startRedis(t *testing.T) (open func() redis.UniversalClient) {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatal("redis-server is not installed: scripts/need.sh redis-server")
	}
	dir := t.TempDir()
	socket := filepath.Join(dir, "redis.sock")
	cmd := exec.Command(path, "--port", "0", "--unixsocket", socket, "--dir", dir, "--save", "", "--appendonly", "no")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	open = func() redis.UniversalClient {
		c := redis.NewClient(&redis.Options{Network: "unix", Addr: socket, MaxRetries: -1})
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	c := open()
	for end := time.Now().Add(10 * time.Second); c.Ping(context.Background()).Err() != nil; {
		if time.Now().After(end) {
			t.Fatal("redis-server does not answer")
		}
		time.Sleep(5 * time.Millisecond)
	}
	return open
}

func TestTwoHundredCallsOnABudgetForTen(t *testing.T) {
	const cost, calls, room = 1000, 200, 10
	for _, reserved := range []int64{cost, cost - 1, cost * 3, cost * 100} {
		t.Run(fmt.Sprintf("each reserves %d", reserved), func(t *testing.T) {
			everyCounters(t, func(t *testing.T, one, two Counters) {
				limits := []Limit{{Name: "a", Unit: Nanodollars, Max: cost * room, Period: day}}
				var granted, refused atomic.Int64
				var wg sync.WaitGroup
				for i := range calls {
					wg.Go(func() {
						c := one
						if i%2 == 1 {
							c = two
						}
						lease, refusal, err := Take(context.Background(), c, limits, fmt.Sprint("call", i), likely(0, reserved), 30*time.Second)
						switch {
						case err != nil:
							t.Error(err)
						case refusal != nil:
							if refusal.Verdict != Spent || refusal.State.Used < cost*room || refusal.Resets.Before(time.Now()) {
								t.Errorf("refused: %+v", refusal)
							}
							refused.Add(1)
						default:
							granted.Add(1)
							if err := lease.Settle(5, cost); err != nil {
								t.Error(err)
							}
						}
					})
				}
				wg.Wait()
				over := int64(0)
				if reserved < cost {
					over = 1 // one reservation's error
				}
				if n := granted.Load(); n < room || n > room+over || n+refused.Load() != calls {
					t.Errorf("%d granted, %d refused", n, refused.Load())
				}
			})
		})
	}
}

// TestWhatACallSaysItselfMustFit: with 16 of 20 used, a call that lets the model answer 10 tokens is refused at once,
// also where nobody else has a reservation; what is merely a guess keeps nobody out.
func TestWhatACallSaysItselfMustFit(t *testing.T) {
	everyCounters(t, func(t *testing.T, one, two Counters) {
		ctx := context.Background()
		limits := []Limit{{Name: "t", Unit: Tokens, Max: 20, Period: day}}
		first, refusal, err := Take(ctx, one, limits, "1", Ask{Tokens: Amount{Likely: 4096, Least: 8}}, 0)
		if err != nil || refusal != nil {
			t.Fatalf("a guess beyond the limit: %+v, %v", refusal, err)
		}
		if err := first.Settle(16, 0); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		_, refusal, err = Take(ctx, two, limits, "2", Ask{Tokens: Amount{Likely: 10, Least: 10}}, 20*time.Second)
		if err != nil || refusal == nil || refusal.Verdict != Short || refusal.State.Used != 16 || refusal.Asked.Least != 10 || time.Since(began) > 10*time.Second {
			t.Fatalf("%+v, %v after %v", refusal, err, time.Since(began))
		}
		small, refusal, err := Take(ctx, two, limits, "3", Ask{Tokens: Amount{Likely: 4096, Least: 4}}, 0)
		if err != nil || refusal != nil {
			t.Fatalf("what fits: %+v, %v", refusal, err)
		}
		if _, refusal, err = Take(ctx, one, limits, "4", Ask{Tokens: Amount{Likely: 4, Least: 4}}, 0); err != nil || refusal == nil || refusal.Verdict != Busy {
			t.Fatalf("beside another's reservation: %+v, %v", refusal, err)
		}
		if err := small.Settle(4, 0); err != nil {
			t.Fatal(err)
		}
		short := []Limit{{Name: "s", Unit: Tokens, Max: 20, Period: day}}
		long, refusal, err := Take(ctx, one, short, "6", Ask{Tokens: Amount{Likely: 60, Least: 60, Counted: 50}}, 0)
		if err != nil || refusal != nil {
			t.Fatalf("a prompt that is counted longer than the window, which nobody has used: %+v, %v", refusal, err)
		}
		if err := long.Settle(1, 0); err != nil {
			t.Fatal(err)
		}
		if _, refusal, err = Take(ctx, one, short, "7", Ask{Tokens: Amount{Likely: 60, Least: 60, Counted: 50}}, 0); err != nil || refusal == nil || refusal.Verdict != Short {
			t.Fatalf("and one of which something is used: %+v, %v", refusal, err)
		}
		if _, refusal, err = Take(ctx, one, limits, "5", Ask{Tokens: Amount{Likely: 1}}, 0); err != nil || refusal == nil || refusal.Verdict != Spent {
			t.Fatalf("used up: %+v, %v", refusal, err)
		}
	})
}

// TestCallsThatSayWhatTheyUseNeverPassALimit: 200 at the same time, each of which uses what it has said.
func TestCallsThatSayWhatTheyUseNeverPassALimit(t *testing.T) {
	everyCounters(t, func(t *testing.T, one, two Counters) {
		limits := []Limit{{Name: "t", Unit: Tokens, Max: 105, Period: day}}
		var granted, short atomic.Int64
		var wg sync.WaitGroup
		for i := range 200 {
			wg.Go(func() {
				lease, refusal, err := Take(context.Background(), []Counters{one, two}[i%2], limits, strconv.Itoa(i), Ask{Tokens: Amount{Likely: 10, Least: 10}}, 30*time.Second)
				switch {
				case err != nil:
					t.Error(err)
				case refusal == nil:
					granted.Add(1)
					if err := lease.Settle(10, 0); err != nil {
						t.Error(err)
					}
				case refusal.Verdict == Short:
					short.Add(1)
				default:
					t.Errorf("refused: %+v", refusal)
				}
			})
		}
		wg.Wait()
		if granted.Load() != 10 || short.Load() != 190 {
			t.Errorf("%d granted, %d refused", granted.Load(), short.Load())
		}
		key, _ := limits[0].Window(time.Now())
		if s, err := one.Look(context.Background(), key); err != nil || s.Used != 100 || s.Reserved != 0 {
			t.Errorf("%+v, %v", s, err)
		}
	})
}

func TestWhatIsNotUsedIsGivenBack(t *testing.T) {
	everyCounters(t, func(t *testing.T, one, two Counters) {
		ctx := context.Background()
		limits := []Limit{{Name: "tokens", Unit: Tokens, Max: 100, Period: Period{Every: time.Hour}}, {Name: "money", Unit: Nanodollars, Max: 1000, Period: day}}
		first, refusal, err := Take(ctx, one, limits, "1", likely(80, 10), 0)
		if err != nil || refusal != nil {
			t.Fatal(refusal, err)
		}
		// There is room for money and none for tokens: nothing stays reserved.
		if _, refusal, err = Take(ctx, two, limits, "2", likely(30, 10), 0); err != nil || refusal == nil || refusal.Verdict != Busy || refusal.Limit.Name != "tokens" {
			t.Fatalf("%+v, %v", refusal, err)
		}
		if err := first.Settle(40, 7); err != nil {
			t.Fatal(err)
		}
		second, refusal, err := Take(ctx, two, limits, "3", likely(60, 990), 0)
		if err != nil || refusal != nil {
			t.Fatalf("%+v, %v", refusal, err)
		}
		if err := second.Settle(70, 993); err != nil { // more than it had reserved
			t.Fatal(err)
		}
		_, refusal, err = Take(ctx, one, limits[1:], "4", likely(1, 1), 0)
		if err != nil || refusal == nil || refusal.Verdict != Spent || refusal.State.Used != 1000 || refusal.State.Reserved != 0 {
			t.Fatalf("%+v, %v", refusal, err)
		}
	})
}

func TestACallWaitsForTheReservationsOfOthers(t *testing.T) {
	everyCounters(t, func(t *testing.T, one, two Counters) {
		limits := []Limit{{Name: "w", Unit: Tokens, Max: 10, Period: day}}
		lease, _, err := Take(context.Background(), one, limits, "1", likely(10, 0), 0)
		if err != nil {
			t.Fatal(err)
		}
		got := make(chan *Lease)
		go func() {
			l, refusal, err := Take(context.Background(), two, limits, "2", likely(10, 0), 20*time.Second)
			if err != nil || refusal != nil {
				t.Errorf("%+v, %v", refusal, err)
			}
			got <- l
		}()
		ctx, leave := context.WithCancel(context.Background())
		leave()
		if _, _, err := Take(ctx, NewCancelled(one), limits, "3", likely(10, 0), 20*time.Second); !errors.Is(err, ErrGone) {
			t.Errorf("one who left: %v", err)
		}
		select {
		case <-got:
			t.Fatal("it did not wait")
		default:
		}
		if err := lease.Settle(0, 0); err != nil {
			t.Fatal(err)
		}
		if err := (<-got).Settle(1, 0); err != nil {
			t.Fatal(err)
		}
	})
}

// NewCancelled wraps counters so that a caller's own end does not end a question to them.
func NewCancelled(c Counters) Counters { return patient{c} }

type patient struct{ Counters }

func (p patient) Reserve(_ context.Context, key, id string, amount Amount, limit int64, ends time.Time) (Verdict, State, error) {
	return p.Counters.Reserve(context.Background(), key, id, amount, limit, ends)
}

func TestMemoryIsKeptAndForgotten(t *testing.T) {
	m := NewMemory()
	limits := []Limit{{Name: "k", Unit: Tokens, Max: 10, Period: day}}
	lease, _, err := Take(context.Background(), m, limits, "1", likely(4, 0), 0)
	if _, changed := m.Join(nil); err != nil || changed {
		t.Fatal(err, "a reservation alone is not kept")
	}
	if err := lease.Settle(4, 0); err != nil {
		t.Fatal(err)
	}
	kept, changed := m.Join(nil)
	m.Wrote(kept)
	if _, again := m.Join(kept); len(kept) != 1 || kept[0].Used != 4 || !changed || again {
		t.Fatalf("kept %+v, changed %v, then %v", kept, changed, again)
	}
	next := NewMemory()
	if _, changed := next.Join(kept); changed {
		t.Error("what was only read counts as changed")
	}
	if _, refusal, _ := Take(context.Background(), next, []Limit{{Name: "k", Unit: Tokens, Max: 4, Period: day}}, "2", likely(1, 0), 0); refusal == nil || refusal.Verdict != Spent {
		t.Fatalf("what was used before the start does not count: %+v", refusal)
	}
	if _, _, err := next.Reserve(context.Background(), "over", "x", Amount{Likely: 1}, 5, time.Now().Add(-time.Second)); err != nil {
		t.Fatal(err)
	}
	if err := next.Settle(context.Background(), "over", "x", 1, time.Now().Add(-time.Second)); err != nil {
		t.Fatal(err)
	}
	next.sweep = time.Time{}
	_, _, _ = next.Reserve(context.Background(), "other", "x", Amount{Likely: 1}, 5, time.Now().Add(time.Hour))
	if s, _ := next.Look(context.Background(), "over"); s.Used != 0 {
		t.Error("a window that is over is still there")
	}
}

// TestTwoProcessesOfOneStore: while one hands over to another both write what was used, and neither loses what the other
// has counted.
func TestTwoProcessesOfOneStore(t *testing.T) {
	var stored []Kept
	ends := time.Now().Add(time.Hour)
	old, next := NewMemory(), NewMemory()
	uses := func(m *Memory, n int64) {
		if err := m.Settle(t.Context(), "k", "", n, ends); err != nil {
			t.Fatal(err)
		}
	}
	writes := func(m *Memory) {
		list, changed := m.Join(stored)
		if changed {
			stored = list
			m.Wrote(list)
		}
	}
	has := func(m *Memory, n int64) {
		t.Helper()
		if s, _ := m.Look(t.Context(), "k"); s.Used != n {
			t.Errorf("%d are used, want %d", s.Used, n)
		}
	}
	uses(old, 5)
	writes(old)
	writes(next) // it starts
	uses(old, 7) // and the old one ends its calls
	uses(next, 100)
	writes(next)
	writes(old)
	uses(old, 1)
	writes(next)
	writes(old)
	writes(next)
	has(old, 113)
	has(next, 113)
	if len(stored) != 1 || stored[0].Used != 113 {
		t.Errorf("stored %+v", stored)
	}
	// A write that fails loses nothing.
	uses(old, 10)
	old.Join(stored)
	writes(old)
	writes(old)
	writes(next)
	has(next, 123)
}

// TestRedisForgetsWhatItListenedFor: windows that nobody here settles are not remembered for ever, and who waits is
// woken.
func TestRedisForgetsWhatItListenedFor(t *testing.T) {
	r := NewRedis(nil, "x/")
	first := r.Changed("window/0")
	for i := range 1000 {
		r.Changed("window/" + strconv.Itoa(i))
	}
	r.sweep = time.Time{}
	for key, l := range r.changed {
		l.since = l.since.Add(-2 * sweepEvery)
		r.changed[key] = l
	}
	again := r.Changed("window/0")
	select {
	case <-first:
	default:
		t.Error("who waited is not woken")
	}
	select {
	case <-again:
		t.Error("a new one is not kept")
	default:
	}
	if n := len(r.changed); n != 1 {
		t.Errorf("%d windows are remembered", n)
	}
}

func TestWindows(t *testing.T) {
	at := time.Date(2026, 11, 25, 13, 14, 15, 0, time.FixedZone("x", 3600)) // a Wednesday
	for _, tt := range []struct {
		p        Period
		from, to string
	}{
		{Period{Every: time.Minute}, "2026-11-25T12:14:00Z", "2026-11-25T12:15:00Z"},
		{Period{Calendar: "day"}, "2026-11-25T00:00:00Z", "2026-11-26T00:00:00Z"},
		{Period{Calendar: "week"}, "2026-11-23T00:00:00Z", "2026-11-30T00:00:00Z"},
		{Period{Calendar: "month"}, "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"},
	} {
		from, to := tt.p.Window(at)
		if from.Format(time.RFC3339) != tt.from || to.Format(time.RFC3339) != tt.to {
			t.Errorf("%v: %v to %v", tt.p, from, to)
		}
	}
	if from, _ := (Period{Calendar: "week"}).Window(time.Date(2026, 11, 29, 1, 0, 0, 0, time.UTC)); from.Day() != 23 {
		t.Errorf("a Sunday's week begins %v", from)
	}
}

func TestGuessesAreLearned(t *testing.T) {
	e := NewEstimates()
	if in, out := e.Guess("web", "m", 400, 0); in != 101 || out != Much+1 {
		t.Errorf("nothing is known: %d, %d", in, out)
	}
	if _, out := e.Guess("web", "m", 400, 50); out != 50 {
		t.Errorf("what the call says: %d", out)
	}
	e.Learn("web", "m", 400, 400, 1000)
	if in, out := e.Guess("web", "m", 800, 0); in != 801 || out != 1001 {
		t.Errorf("learned: %d, %d", in, out)
	}
	if _, out := e.Guess("web", "m", 800, 5000); out != 1001 {
		t.Errorf("it allows more than it uses: %d", out)
	}
	if _, out := e.Guess("other", "m", 800, 0); out != Much+1 {
		t.Errorf("another application: %d", out)
	}
	for range 200 {
		e.Learn("web", "m", 400, 100, 10)
	}
	if _, out := e.Guess("web", "m", 800, 0); out > 30 {
		t.Errorf("not forgotten: %d", out)
	}
}
