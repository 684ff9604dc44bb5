package ledger

import (
	"sync"
	"testing"
	"time"

	"causeway/internal/journey"
)

// tapped counts how often each call was shown.
type tapped struct {
	mu   sync.Mutex
	seen map[journey.ID]int
}

func (s *tapped) see(record []byte) {
	var sum journey.Summary
	if journey.ReadSummary(record, &sum) != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen == nil {
		s.seen = map[journey.ID]int{}
	}
	s.seen[sum.ID]++
}

func (s *tapped) count() (calls, twice int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.seen {
		if n > 1 {
			twice++
		}
	}
	return len(s.seen), twice
}

// Every call is shown once, while segments fill, are taken over and used again.
func TestTheTapSeesEveryCallOnce(t *testing.T) {
	var s tapped
	l, _ := withStore(t, t.TempDir(), func(o *Options) {
		o.Tap, o.TapEvery, o.SegmentSize, o.DrainEvery = s.see, time.Millisecond, 2*MaxRecord, 3*time.Millisecond
	})
	const each, callers = 4000, 4
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for range each {
				keepCall(t, l, goodCall(time.Now()))
			}
		})
	}
	wg.Wait()
	flushed(t, l)
	if calls, twice := s.count(); calls != each*callers || twice != 0 {
		t.Errorf("%d calls were shown, %d of them twice; want each of %d once", calls, twice, each*callers)
	}
}

// What an earlier process has left is its own: it was shown to its tap.
func TestTheTapLeavesOutWhatAnEarlierProcessHasKept(t *testing.T) {
	dir := t.TempDir()
	var before, after tapped
	l, _ := withStore(t, dir, quiet, func(o *Options) { o.Tap, o.TapEvery = before.see, time.Hour })
	for range 10 {
		keepCall(t, l, goodCall(time.Now()))
	}
	next, _ := withStore(t, crash(t, dir), quiet, func(o *Options) { o.Tap, o.TapEvery = after.see, time.Hour })
	keepCall(t, next, goodCall(time.Now()))
	flushed(t, next)
	if calls, twice := after.count(); calls != 1 || twice != 0 {
		t.Errorf("%d calls were shown, want the new one alone", calls)
	}
	flushed(t, l)
	if calls, _ := before.count(); calls != 10 {
		t.Errorf("%d calls were shown, want 10", calls)
	}
}
