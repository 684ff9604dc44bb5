package ledger

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"causeway/internal/fault"
	"causeway/internal/journey"
)

func failedCall(start time.Time) *journey.Journey {
	j := goodCall(start)
	j.Status = 502
	j.Finding = &fault.Finding{Kind: fault.ConnectionRefused, Cause: fault.Software, Evidence: []string{strings.Repeat("seen ", 200)}}
	return j
}

func TestACallIsFoundAtOnce(t *testing.T) {
	dir := t.TempDir()
	l, _ := withStore(t, dir, quiet)
	want := failedCall(time.Now())
	want.RequestBody = []byte("body")
	keepCall(t, l, want)
	for name, f := range map[string]finder{"the ledger": l, "a reader beside it": openReader(t, dir)} {
		got, err := f.Get(t.Context(), want.ID)
		if err != nil || got.Finding == nil || got.Finding.Kind != fault.ConnectionRefused || string(got.RequestBody) != "body" {
			t.Errorf("%s found %+v, %v", name, got, err)
		}
		if _, err := f.Get(t.Context(), journey.NewID(time.Now())); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: an unknown call gave %v, want ErrNotFound", name, err)
		}
	}
}

func TestACallBehindOneThatIsJustBeingWritten(t *testing.T) {
	l, db := withStore(t, t.TempDir(), quiet)
	keep := func(j *journey.Journey) {
		if err := l.spool.put(Slot{spool: l.spool}, j.AppendRecord(nil), false); err != nil {
			t.Fatal(err)
		}
	}
	keep(goodCall(time.Now()))
	seg := l.spool.shards[0].active.Load()
	// Two goroutines have taken their places and were then stopped by the system, one before and
	// one after its bytes were written.
	slow := [2]*journey.Journey{goodCall(time.Now()), goodCall(time.Now())}
	var at [2]int64
	for i, j := range slow {
		at[i], _ = seg.reserve(recordSize(len(j.AppendRecord(nil))))
	}
	seg.write(at[1], slow[1].AppendRecord(nil))
	quick := goodCall(time.Now())
	keep(quick)
	if _, err := l.Get(t.Context(), quick.ID); err != nil {
		t.Errorf("the call behind them: %v", err)
	}
	if got := len(all(t, l, Query{})); got != 2 {
		t.Errorf("%d calls found, want 2", got)
	}
	flushed(t, l)
	if got := storedCalls(t, db); got != 1 { // else the two would be passed over for good
		t.Errorf("%d calls stored, want the one before them", got)
	}
	seg.write(at[0], slow[0].AppendRecord(nil))
	seg.mark(at[1], recordMark)
	seg.mark(at[0], recordMark)
	flushed(t, l)
	if got := storedCalls(t, db); got != 4 {
		t.Errorf("%d calls stored, want 4", got)
	}
	if s := l.Stats(); s.Damaged != 0 {
		t.Errorf("%d damaged", s.Damaged)
	}
}

func TestManyAtOnceAllFoundOnce(t *testing.T) {
	l, db := withStore(t, t.TempDir(), func(o *Options) { o.SegmentSize, o.DrainEvery = 2*MaxRecord, time.Millisecond })
	const workers, each = 16, 300
	ctx, cancel := context.WithCancel(t.Context())
	var searching, working sync.WaitGroup
	searching.Go(func() { // somebody looks all the while
		for ctx.Err() == nil {
			if _, err := l.Search(t.Context(), Query{FailedOnly: true, Limit: 10}); err != nil {
				t.Error(err)
			}
			l.Stats()
		}
	})
	for range workers {
		working.Go(func() {
			for i := range each {
				j := goodCall(time.Now())
				if i%10 == 0 {
					j = failedCall(time.Now())
				}
				keepCall(t, l, j)
				if i%100 == 0 {
					if _, err := l.Get(t.Context(), j.ID); err != nil {
						t.Errorf("a call just kept: %v", err)
					}
				}
			}
		})
	}
	working.Wait()
	cancel()
	searching.Wait()
	flushed(t, l)
	if n := len(all(t, l, Query{Limit: 500})); n != workers*each {
		t.Errorf("%d calls found, want %d", n, workers*each)
	}
	if n := len(all(t, l, Query{Limit: 500, FailedOnly: true})); n != workers*each/10 {
		t.Errorf("%d failed calls found, want %d", n, workers*each/10)
	}
	if n := storedCalls(t, db); n != workers*each {
		t.Errorf("%d calls stored, want %d", n, workers*each)
	}
	if s := l.Stats(); s.Committed != workers*each || s.Open != 0 || s.Drained != workers*each || s.BacklogBytes != 0 || s.Dropped+s.Damaged+s.Unmarked != 0 {
		t.Errorf("stats %+v", s)
	}
}

func TestAfterACrash(t *testing.T) {
	dir := t.TempDir()
	l, _ := withStore(t, dir, quiet)
	stored, pending := goodCall(time.Now()), failedCall(time.Now())
	keepCall(t, l, stored)
	flushed(t, l)
	keepCall(t, l, pending)

	open := goodCall(time.Now())
	slot, err := l.Open(open.ID, open.Start.UnixNano(), "DELETE", "/orders/"+strings.Repeat("x", 300))
	if err != nil {
		t.Fatal(err)
	}
	defer slot.Discard()
	slot.SetService("orders")
	// Two calls that were killed within Commit: one just before its record was marked, one after.
	within := func(marked bool) *journey.Journey {
		j := goodCall(time.Now())
		s, err := l.Open(j.ID, j.Start.UnixNano(), j.Method, j.Path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Discard)
		seg := l.spool.shards[s.shard].active.Load()
		for seg == nil { // nothing was kept in this shard yet
			if err := l.spool.roll(int(s.shard), nil, false); err != nil {
				t.Fatal(err)
			}
			seg = l.spool.shards[s.shard].active.Load()
		}
		record := j.AppendRecord(nil)
		at, ok := seg.reserve(recordSize(len(record)))
		if !ok {
			t.Fatal("no room")
		}
		seg.write(at, record)
		s.mem().committing(seg.seq, at)
		if marked {
			seg.mark(at, recordMark)
		}
		return j
	}
	marked, unmarked := within(true), within(false)

	again := crash(t, dir)
	for range 2 { // a second start finds nothing new
		l2, db2 := withStore(t, again, quiet)
		for _, c := range []struct {
			name   string
			call   *journey.Journey
			killed bool
		}{{"in the store", stored, false}, {"in the spool", pending, false}, {"open", open, true}, {"marked", marked, false}, {"not marked", unmarked, true}} {
			got, err := l2.Get(t.Context(), c.call.ID)
			if err != nil {
				t.Fatalf("the call that was %s: %v", c.name, err)
			}
			if killed := got.Finding != nil && got.Finding.Kind == fault.GatewayKilled; killed != c.killed {
				t.Errorf("the call that was %s: %+v", c.name, got)
			}
		}
		got, err := l2.Get(t.Context(), open.ID)
		if err != nil || got.Method != "DELETE" || got.Service != "orders" || got.Path != "/orders/"+strings.Repeat("x", 120) || !got.Start.Equal(open.Start) || got.Status != 0 {
			t.Errorf("the call found open: %+v, %v", got, err)
		}
		if f := got.Finding; f.Cause != fault.Gateway || f.Retry != fault.MayRepeat || f.Detail == "" || f.SafeDetail == "" || len(f.Evidence) == 0 {
			t.Errorf("its finding: %+v", f)
		}
		flushed(t, l2)
		if n := storedCalls(t, db2); n != 5 {
			t.Errorf("%d calls stored, want 5", n)
		}
		if err := l2.Close(); err != nil {
			t.Fatal(err)
		}
		if err := db2.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestACallTakenOverIsNotTakenAgain(t *testing.T) {
	dir := t.TempDir()
	l, _ := withStore(t, dir, quiet)
	for range 50 {
		keepCall(t, l, goodCall(time.Now()))
	}
	flushed(t, l)
	for range 20 {
		keepCall(t, l, goodCall(time.Now()))
	}
	l2, db2 := withStore(t, crash(t, dir), quiet)
	flushed(t, l2)
	if n, s := storedCalls(t, db2), l2.Stats(); n != 70 || s.Drained != 20 {
		t.Errorf("%d calls stored, %d taken over, want 70 and 20", n, s.Drained)
	}
	flushed(t, l2) // segments that are gone are forgotten
	if left, err := db2.SpoolMarks(t.Context()); err != nil || len(left) != 0 {
		t.Errorf("marks %v, %v", left, err)
	}
}

func TestCallsFromBeforeComeIntoTheStoreByThemselves(t *testing.T) {
	dir := t.TempDir()
	l, _ := withStore(t, dir, quiet)
	keepCall(t, l, goodCall(time.Now()))
	_, db2 := withStore(t, crash(t, dir), quiet)
	eventually(t, "the call is in the store", func() bool { return storedCalls(t, db2) == 1 })
}

func TestCloseLeavesATidyFolder(t *testing.T) {
	dir := t.TempDir()
	l, db := withStore(t, dir, quiet)
	keepCall(t, l, goodCall(time.Now()))
	open, err := l.Open(journey.NewID(time.Now()), 1, "GET", "/")
	if err != nil {
		t.Fatal(err)
	}
	open.Discard()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if left := spoolFiles(t, dir); len(left) != 0 {
		t.Errorf("left in the spool: %v", left)
	}
	if n := storedCalls(t, db); n != 1 {
		t.Errorf("%d calls stored, want 1", n)
	}
	if _, err := l.Open(journey.NewID(time.Now()), 1, "GET", "/"); !errors.Is(err, ErrClosed) {
		t.Errorf("Open after Close gave %v", err)
	}
	if err := l.Flush(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("Flush after Close gave %v", err)
	}
	if _, err := l.Search(t.Context(), Query{}); err != nil {
		t.Errorf("Search after Close gave %v", err)
	}
}

func TestACallOpenAtCloseCanStillCommitAndIsFoundByTheNextProcess(t *testing.T) {
	dir := t.TempDir()
	l, db := withStore(t, dir, quiet)
	first, second := goodCall(time.Now()), goodCall(time.Now())
	var slots []Slot
	for _, j := range []*journey.Journey{first, second} {
		keepCall(t, l, goodCall(time.Now())) // so that there is a segment
		slot, err := l.Open(j.ID, j.Start.UnixNano(), j.Method, j.Path)
		if err != nil {
			t.Fatal(err)
		}
		slots = append(slots, slot)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	err := slots[0].Commit(first.AppendRecord(nil)) // a segment may have room, or not
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	l.spool.release() // as when the process ends
	l2, _ := withStore(t, dir, quiet)
	got, getErr := l2.Get(t.Context(), first.ID)
	if getErr != nil || (got.Finding == nil) != (err == nil) {
		t.Errorf("the call that committed after Close (%v): %+v, %v", err, got, getErr)
	}
	if got, err := l2.Get(t.Context(), second.ID); err != nil || got.Finding == nil || got.Finding.Kind != fault.GatewayKilled {
		t.Errorf("the call that was open: %+v, %v", got, err)
	}
}

func TestMoreCallsOpenThanATableHas(t *testing.T) {
	dir := t.TempDir()
	l, _ := withStore(t, dir, quiet)
	const n = tableSlots + 100
	slots := make([]Slot, n)
	seen := map[uint32]bool{}
	for i := range slots {
		var err error
		if slots[i], err = l.Open(journey.NewID(time.Now()), 1, "GET", "/"); err != nil {
			t.Fatal(err)
		}
		if slots[i].index == 0 || seen[slots[i].index] {
			t.Fatalf("call %d has slot %d", i, slots[i].index)
		}
		seen[slots[i].index] = true
	}
	if s := l.Stats(); s.Open != n || s.Unmarked != 0 {
		t.Errorf("stats %+v", s)
	}
	l2, _ := withStore(t, crash(t, dir), quiet)
	if s := l2.Stats(); s.Killed != n {
		t.Errorf("%d calls found open after a crash, want %d", s.Killed, n)
	}
	for _, slot := range slots {
		slot.Discard()
	}
	if s := l.Stats(); s.Open != 0 || s.Committed != 0 {
		t.Errorf("stats %+v", s)
	}
}

func TestLargeRecords(t *testing.T) {
	l, _ := withStore(t, t.TempDir(), quiet)
	call := func(body, notes int) *journey.Journey {
		j := failedCall(time.Now())
		j.ResponseBody = bytes.Repeat([]byte("x"), body)
		for range notes {
			j.Note(1, "room", strings.Repeat("n", 1000))
		}
		return j
	}
	for _, c := range []struct {
		name  string
		call  *journey.Journey
		body  int
		notes int
	}{
		{"with its body", call(200_000, 0), 200_000, 0},
		{"without a body that is too large", call(300_000, 3), 0, 3},
		{"without notes that are too many", call(300_000, 400), 0, 0},
	} {
		keepCall(t, l, c.call)
		got, err := l.Get(t.Context(), c.call.ID)
		if err != nil || len(got.ResponseBody) != c.body || len(got.Notes) != c.notes || got.Finding == nil {
			t.Errorf("%s: %d bytes of body, %d notes, %v", c.name, len(got.ResponseBody), len(got.Notes), err)
		}
	}
	monster := failedCall(time.Now())
	huge := strings.Repeat("p", MaxRecord)
	monster.Path, monster.Finding.Detail, monster.Finding.Evidence = huge, huge, []string{huge}
	monster.Attempts = []journey.Attempt{{Target: huge}, {Line: []byte(huge)}, {Again: huge, Status: 503}}
	keepCall(t, l, monster)
	if got, err := l.Get(t.Context(), monster.ID); err != nil || len(got.Path) != 1024 || got.Finding.Kind != fault.ConnectionRefused || got.Attempts[1].Status != 503 {
		t.Errorf("a call of only large texts: %v", err)
	}
	slot, err := l.Open(journey.NewID(time.Now()), 1, "GET", "/")
	if err != nil {
		t.Fatal(err)
	}
	if err := slot.Commit(make([]byte, MaxRecord+1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a record above MaxRecord gave %v", err)
	}
	if s := l.Stats(); s.Dropped != 1 || s.Open != 0 {
		t.Errorf("stats %+v", s)
	}
	flushed(t, l)
	if got, err := l.Get(t.Context(), monster.ID); err != nil || got.Status != 502 {
		t.Errorf("from the store: %v", err)
	}
}

func TestOpenAndCommitAllocateNothing(t *testing.T) {
	l := newLedger(t, t.TempDir(), func(o *Options) { o.Store = nowhere{}; quiet(o) })
	j, buf := goodCall(time.Now()), make([]byte, 0, 1024)
	n := testing.AllocsPerRun(1000, func() {
		slot, err := l.Open(j.ID, 1, "GET", "/orders/1")
		if err == nil {
			slot.SetService("orders")
			buf = AppendRecord(buf[:0], j)
			err = slot.Commit(buf)
		}
		if err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations per call", n)
	}
}

func TestAZeroSlotDoesNothing(t *testing.T) {
	var slot Slot
	slot.SetService("x")
	slot.Discard()
	if err := slot.Commit([]byte("x")); err != nil {
		t.Error(err)
	}
}
