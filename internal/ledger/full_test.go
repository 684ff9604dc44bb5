package ledger

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"causeway/internal/journey"
)

// stubborn is a store that refuses batches while it is told to.
type stubborn struct {
	ChunkStore
	refuse atomic.Bool
	asked  atomic.Int64
}

var errStubborn = errors.New("no space left on the test's disk")

func (s *stubborn) AppendChunks(ctx context.Context, b journey.Batch) error {
	s.asked.Add(1)
	if s.refuse.Load() {
		return errStubborn
	}
	return s.ChunkStore.AppendChunks(ctx, b)
}

// fullSpool is a ledger on a store that refuses, with room for few calls.
func fullSpool(t *testing.T, when WhenFull) (*Ledger, *stubborn) {
	dir := t.TempDir()
	s := &stubborn{ChunkStore: openStore(t, dir)}
	s.refuse.Store(true)
	return newLedger(t, dir, func(o *Options) {
		o.Store, o.SegmentSize, o.SpoolSize, o.DrainEvery, o.WhenFull = s, 2*MaxRecord, 1, 20*time.Millisecond, when // the least there can be
	}), s
}

func TestFullUnderDropLosesGoodCallsFirst(t *testing.T) {
	l, s := fullSpool(t, Drop)
	good, failed := 0, 0
	for l.Stats().Dropped < 100 {
		slot, err := l.Open(journey.NewID(time.Now()), 1, "GET", "/")
		if err != nil {
			t.Fatal(err)
		}
		switch err := slot.Commit(goodCall(time.Now()).AppendRecord(nil)); {
		case err == nil:
			good++
		case !errors.Is(err, ErrDropped):
			t.Fatal(err)
		}
	}
	if !l.Stats().Full {
		t.Error("the stats do not say that it is full")
	}
	for range 200 { // each about 1.3 KB: they fit into the reserve
		keepCall(t, l, failedCall(time.Now()))
		failed++
	}
	if err := l.Flush(t.Context()); !errors.Is(err, errStubborn) {
		t.Errorf("Flush gave %v", err)
	}
	if st := l.Stats(); st.DroppedFailed != 0 || st.Failure == nil || !errors.Is(st.Failure.Err, errStubborn) {
		t.Errorf("stats %+v", st)
	}
	s.refuse.Store(false)
	flushed(t, l)
	if n := len(all(t, l, Query{Limit: 500, FailedOnly: true})); n != failed {
		t.Errorf("%d failed calls are kept of %d", n, failed)
	}
	if n := len(all(t, l, Query{Limit: 500})); n != good+failed {
		t.Errorf("%d calls are kept of %d", n, good+failed)
	}
	keepCall(t, l, goodCall(time.Now())) // there is room again
	if st := l.Stats(); st.Full || st.Failure != nil {
		t.Errorf("stats after it has emptied: %+v", st)
	}
}

func TestFullUnderRefuseTurnsCallsAwayAndKeepsThoseInFlight(t *testing.T) {
	l, s := fullSpool(t, Refuse)
	var inFlight []Slot
	kept := 0
	for {
		slot, err := l.Open(journey.NewID(time.Now()), 1, "GET", "/")
		if errors.Is(err, ErrFull) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if kept%10 == 0 && len(inFlight) < 500 {
			inFlight = append(inFlight, slot)
			kept++
			continue
		}
		if err := slot.Commit(goodCall(time.Now()).AppendRecord(nil)); err != nil {
			t.Fatal(err)
		}
		kept++
	}
	for _, slot := range inFlight {
		if err := slot.Commit(goodCall(time.Now()).AppendRecord(nil)); err != nil {
			t.Fatalf("a call that had been let in: %v", err)
		}
	}
	if st := l.Stats(); st.Refused != 1 || st.Dropped != 0 || st.Committed != int64(kept) || st.Open != 0 {
		t.Errorf("stats %+v", st)
	}
	s.refuse.Store(false)
	flushed(t, l)
	keepCall(t, l, goodCall(time.Now()))
	if n := len(all(t, l, Query{Limit: 500})); n != kept+1 {
		t.Errorf("%d calls are kept of %d", n, kept+1)
	}
}

func TestAStoreThatFailsLosesNothingAndIsAskedLessOften(t *testing.T) {
	dir := t.TempDir()
	s := &stubborn{ChunkStore: openStore(t, dir)}
	s.refuse.Store(true)
	l := newLedger(t, dir, func(o *Options) { o.Store, o.SegmentSize, o.DrainEvery = s, 2*MaxRecord, 10*time.Millisecond })
	const n = 6000 // more than a segment: filling one wakes the drainer, which must not hurry it
	for range n {
		keepCall(t, l, goodCall(time.Now()))
	}
	if err := l.Flush(t.Context()); !errors.Is(err, errStubborn) {
		t.Errorf("Flush gave %v, want the store's error", err)
	}
	if asked := s.asked.Load(); asked > 20 {
		t.Errorf("the store was asked %d times", asked)
	}
	if got := len(all(t, l, Query{Limit: 500})); got != n {
		t.Errorf("%d calls are found while the store fails, want %d", got, n)
	}
	s.refuse.Store(false)
	flushed(t, l)
	if st := l.Stats(); st.Drained != n || st.Failure != nil || st.BacklogBytes != 0 {
		t.Errorf("stats %+v", st)
	}
}

func TestTheSpoolGrowsAndShrinksWithTheBacklog(t *testing.T) {
	dir := t.TempDir()
	s := &stubborn{ChunkStore: openStore(t, dir)}
	s.refuse.Store(true)
	l := newLedger(t, dir, func(o *Options) { o.Store, o.SegmentSize, o.DrainEvery = s, 2*MaxRecord, time.Hour })
	before := l.Stats().Segments
	record := failedCall(time.Now())
	record.ResponseBody = make([]byte, 200<<10)
	for range 60 {
		record.ID = journey.NewID(time.Now())
		keepCall(t, l, record)
	}
	if n := l.Stats().Segments; n < 30 {
		t.Errorf("%d segments with a backlog of 12 MB, %d before", n, before)
	}
	s.refuse.Store(false)
	flushed(t, l)
	if n := l.Stats().Segments; n > 2*(keepFree+keepReserve)+maxShards {
		t.Errorf("%d segments without a backlog", n)
	}
	if files, err := filepath.Glob(filepath.Join(dir, spoolDir, "segment-*")); err != nil || len(files) != l.Stats().Segments {
		t.Errorf("%d files, %v", len(files), err)
	}
}

func TestADiskThatFillsUpIsAFullSpoolAndNotACrash(t *testing.T) {
	dir := t.TempDir()
	s := &stubborn{ChunkStore: openStore(t, dir)}
	s.refuse.Store(true)
	l := newLedger(t, dir, func(o *Options) { o.Store, o.SegmentSize, o.DrainEvery = s, 2*MaxRecord, 10*time.Millisecond })
	// With its folder gone the spool can make no file, as on a full disk.
	away := filepath.Join(dir, "away")
	if err := os.Rename(filepath.Join(dir, spoolDir), away); err != nil {
		t.Fatal(err)
	}
	kept := 0
	for {
		slot, err := l.Open(journey.NewID(time.Now()), 1, "GET", "/")
		if err != nil {
			t.Fatal(err)
		}
		if err := slot.Commit(goodCall(time.Now()).AppendRecord(nil)); errors.Is(err, ErrDropped) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		kept++
	}
	if err := os.Rename(away, filepath.Join(dir, spoolDir)); err != nil {
		t.Fatal(err)
	}
	for l.Stats().Full { // the drainer looks again by itself
		time.Sleep(time.Millisecond)
	}
	keepCall(t, l, goodCall(time.Now()))
	s.refuse.Store(false)
	flushed(t, l)
	if n := len(all(t, l, Query{Limit: 500})); n != kept+1 {
		t.Errorf("%d calls are kept of %d", n, kept+1)
	}
}
