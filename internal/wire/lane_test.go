package wire

import (
	"runtime"
	"slices"
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
	l.Share(&s, WorkBody, nil)
	if s.work != 0 || s.from == 0 {
		t.Fatalf("after the first turn: %+v", s)
	}
	s.from -= int64(time.Hour)
	l.Share(&s, WorkBody, nil)
	if s.work != mostAtOnce {
		t.Errorf("an hour between two pieces counts as %v of work, want %v", time.Duration(s.work), time.Duration(mostAtOnce))
	}
	for l.free.Load() == 0 {
		s.from -= mostAtOnce
		l.Share(&s, WorkBody, nil)
	}
	if s.work != 0 || l.free.Load() > clock()+turnOf+mostAtOnce {
		t.Errorf("after a turn %v are left, the lane is free in %v", time.Duration(s.work), time.Duration(l.free.Load()-clock()))
	}
	(*Lane)(nil).Share(&s, WorkBody, nil)
	(*Lane)(nil).refusal(nil)
	(*Lane)(nil).LookUp(nil)
}

// chunker is whose work it is in tests.
type chunker struct{}

func (chunker) Works() string { return "192.0.2.1:1234" }

// Turns and what they waited are counted by the kind of work, and told of where somebody may want to know.
func TestLaneCountsAndTells(t *testing.T) {
	t.Parallel()
	var told []string
	var waited time.Duration
	l := &Lane{tracks: 1, OnTurn: func(work Work, by Worker, w time.Duration) {
		told = append(told, work.String()+" of "+by.Works())
		waited = max(waited, w)
	}}
	l.refusal(chunker{})
	l.turn(&Stint{}, WorkBody, chunker{}, turnOf)
	if told != nil {
		t.Errorf("told of %v, although nobody waited for long", told)
	}
	l.LookUp(chunker{})
	s := Stint{}
	l.charge(&s, WorkChunks, chunker{}, turnOf)
	l.free.Store(clock() + 2*int64(CrowdedFrom))
	l.turn(&Stint{}, WorkText, chunker{}, turnOf)
	long := Stint{}
	for range longText + 1 {
		l.turn(&long, WorkText, chunker{}, 0)
	}
	if want := []string{"tiny_chunks of 192.0.2.1:1234", "coded_text of 192.0.2.1:1234", "coded_text of 192.0.2.1:1234"}; !slices.Equal(told, want) {
		t.Errorf("told of %v, want %v", told, want)
	}
	if waited < CrowdedFrom {
		t.Errorf("told of %v that were waited", waited)
	}
	for name, c := range l.Counts() {
		want := map[string]int64{"refusal": 1, "request_body": 1, "tiny_chunks": 1, "coded_text": 2 + longText, "answer": 0, "look_up": 1}
		if turns, ok := want[name]; !ok || c.Turns != turns {
			t.Errorf("%s: counted %d times, want %d (%v)", name, c.Turns, turns, ok)
		}
		if name == "coded_text" && c.Waited < CrowdedFrom {
			t.Errorf("%s: %v were waited, want at least %v", name, c.Waited, CrowdedFrom)
		}
	}
}

// The processors that long work may have leave one for the rest, and are never none.
func TestLaneTracks(t *testing.T) {
	if got, want := NewLane().tracks, int64(max(runtime.GOMAXPROCS(0)-1, 1)); got != want {
		t.Errorf("%d tracks, want %d", got, want)
	}
}
