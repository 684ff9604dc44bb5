package wire

import (
	"runtime"
	"sync"
	"testing"
	"time"
)

// Long work gets all processors but one: so much of it takes at least so long, however many do it.
func TestLaneHoldsLongWorkBack(t *testing.T) {
	t.Parallel()
	const workers, turnsEach = 8, 5
	l := NewLane()
	var wg sync.WaitGroup
	began := time.Now()
	for range workers {
		wg.Go(func() {
			for range turnsEach {
				l.pass(turnOf)
			}
		})
	}
	wg.Wait()
	// The last turn of all begins when those before it have been worked off.
	least := time.Duration((workers*turnsEach - 1) * turnOf / l.tracks)
	if took := time.Since(began); took < least {
		t.Errorf("%d turns of %v on %d processors were let go within %v, want at least %v", workers*turnsEach, time.Duration(turnOf), l.tracks, took, least)
	}
}

// What has piled up is bounded, so that nobody waits for ever.
func TestLaneIsNeverFarBehind(t *testing.T) {
	t.Parallel()
	l := &Lane{tracks: 1}
	var wg sync.WaitGroup
	for range 1000 {
		wg.Go(func() { l.pass(turnOf) }) // half a second of work
	}
	wg.Wait()
	if behind := l.free.Load() - clock(); behind > longestTurn {
		t.Errorf("the lane is %v behind", time.Duration(behind))
	}
}

// Short pieces are taken to the lane together, and time that was waited between them is not taken for work.
func TestStintCountsWork(t *testing.T) {
	t.Parallel()
	l := &Lane{tracks: 1}
	var s Stint
	l.Share(&s)
	if s.work != 0 || s.from == 0 {
		t.Fatalf("after the first turn: %+v", s)
	}
	s.from -= int64(time.Hour)
	l.Share(&s)
	if s.work != mostAtOnce {
		t.Errorf("an hour between two pieces counts as %v of work, want %v", time.Duration(s.work), time.Duration(mostAtOnce))
	}
	for l.free.Load() == 0 {
		s.from -= mostAtOnce
		l.Share(&s)
	}
	if s.work != 0 || l.free.Load() > clock()+turnOf+mostAtOnce {
		t.Errorf("after a turn %v are left, the lane is free in %v", time.Duration(s.work), time.Duration(l.free.Load()-clock()))
	}
	(*Lane)(nil).Share(&s)
	(*Lane)(nil).refusal()
}

// The processors that long work may have leave one for the rest, and are never none.
func TestLaneTracks(t *testing.T) {
	if got, want := NewLane().tracks, int64(max(runtime.GOMAXPROCS(0)-1, 1)); got != want {
		t.Errorf("%d tracks, want %d", got, want)
	}
}
