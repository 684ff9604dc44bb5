package ledger

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"causeway/internal/fault"
	"causeway/internal/journey"
)

// spoolFiles lists the spool's folder without the locks that stay there.
func spoolFiles(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(dir, spoolDir))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !isLock(e.Name()) {
			names = append(names, e.Name())
		}
	}
	return names
}

func TestNamesOfSpoolFiles(t *testing.T) {
	for _, c := range []struct {
		name    string
		kind    string
		process int
		number  int
	}{
		{segmentName(unnumbered, 7), "segment", 0, 7},
		{segmentName(3, 7), "segment", 3, 7},
		{segmentName(255, 1234567), "segment", 255, 1234567},
		{tableName(12, 1), "open", 12, 1},
		{"open-000001.table", "open", 0, 1},
	} {
		if kind, process, number, ok := fileName(c.name); !ok || kind != c.kind || process != c.process || number != c.number {
			t.Errorf("%s is read as %s %d %d %v", c.name, kind, process, number, ok)
		}
	}
	for _, name := range []string{"process-01.lock", "segment-00-000001.log", "segment-256-000001.log", "segment-1-2-3.log", "segment-.log", "segment-01-.log", "segment--1.log", "open-01-000001.log", "notes.txt", ""} {
		if _, _, _, ok := fileName(name); ok {
			t.Errorf("%q is taken for a file of the spool", name)
		}
	}
}

// TestNumbersOfSegmentsNeverMeet: two processes that use segments at the same moment, with whatever
// clock, number them differently, and each knows its own.
func TestNumbersOfSegmentsNeverMeet(t *testing.T) {
	seen := map[int64]bool{}
	for _, process := range []int{unnumbered, 1, 2, 255} {
		last := int64(0)
		for range 1000 {
			seq := newSeq(process, last)
			if seen[seq] || seq <= last || seqProcess(seq) != process {
				t.Fatalf("process %d after %d: %d, of process %d", process, last, seq, seqProcess(seq))
			}
			seen[seq], last = true, seq
		}
		if ahead := last + int64(time.Hour); seqProcess(newSeq(process, ahead-ahead%seqStep+int64(process))) != process {
			t.Errorf("process %d with a clock that was set back", process)
		}
	}
}

// two opens two ledgers on one folder, as while one process hands over to another.
func two(t *testing.T, change ...func(o *Options)) (dir string, before, after *Ledger) {
	t.Helper()
	dir = t.TempDir()
	lock, err := LockDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = lock.Release() })
	change = append(change, func(o *Options) { o.Lock = lock })
	before, _ = withStore(t, dir, change...)
	after, _ = withStore(t, dir, change...)
	return dir, before, after
}

func TestTwoProcessesKeepCallsInOneFolder(t *testing.T) {
	_, before, after := two(t, quiet)
	var calls []*journey.Journey
	for i := range 40 {
		j := goodCall(time.Now())
		keepCall(t, []*Ledger{before, after}[i%2], j)
		calls = append(calls, j)
	}
	found := func(when string) {
		t.Helper()
		if got := all(t, after, Query{Limit: 500}); len(got) != len(calls) {
			t.Errorf("%s %d calls are found, want %d", when, len(got), len(calls))
		}
		for _, j := range calls {
			if _, err := after.Get(t.Context(), j.ID); err != nil {
				t.Errorf("%s: %v", when, err)
			}
		}
	}
	found("in two spools")
	flushed(t, before)
	found("with one of them in the store")
	before.Leave()
	if err := before.Close(); err != nil {
		t.Fatal(err)
	}
	found("after the first process's end")
	flushed(t, after)
	found("in the store")
	eventually(t, "the end of the other process is seen", func() bool { after.TakeOver(); return !after.others.Load() })
	if s := after.Stats(); s.Killed != 0 || s.Damaged != 0 {
		t.Errorf("%+v", s)
	}
}

// TestWhatAKilledPredecessorLeavesIsTakenOver while its successor goes on keeping calls: its calls
// once each, those that were open as killed ones.
func TestWhatAKilledPredecessorLeavesIsTakenOver(t *testing.T) {
	dir, before, after := two(t, quiet)
	var calls []*journey.Journey
	keep := func(l *Ledger, n int) {
		for range n {
			calls = append(calls, goodCall(time.Now()))
			keepCall(t, l, calls[len(calls)-1])
		}
	}
	keep(before, 20)
	flushed(t, before) // the marks of these are in the store
	keep(before, 20)
	keep(after, 20)
	flushed(t, after)
	open := goodCall(time.Now())
	slot, err := before.Open(open.ID, open.Start.UnixNano(), "POST", "/stream")
	if err != nil {
		t.Fatal(err)
	}
	slot.SetService("streams")

	killed := before.spool
	before.stop() // it does nothing any more
	<-before.stopped
	killed.release()
	after.TakeOver()
	eventually(t, "the open call is there", func() bool {
		_, err := after.Get(t.Context(), open.ID)
		return err == nil
	})
	keep(after, 5)
	flushed(t, after)
	got := all(t, after, Query{Limit: 500})
	if n := storedCalls(t, openStore(t, dir)); len(got) != len(calls)+1 || n != len(got) {
		t.Errorf("%d calls are found and %d stored, want %d", len(got), n, len(calls)+1)
	}
	j, err := after.Get(t.Context(), open.ID)
	if err != nil || j.Finding == nil || j.Finding.Kind != fault.GatewayKilled || j.Service != "streams" {
		t.Errorf("the open call: %+v, %v", j, err)
	}
	if s := after.Stats(); s.Killed != 1 || s.Damaged != 0 {
		t.Errorf("%+v", s)
	}
	for _, name := range spoolFiles(t, dir) {
		if _, process, _, _ := fileName(name); process != after.spool.process {
			t.Errorf("%s is left", name)
		}
	}
	eventually(t, "its marks are forgotten", func() bool {
		flushed(t, after)
		marks, err := after.opts.Store.SpoolMarks(t.Context())
		for _, m := range marks {
			if seqProcess(m.Segment) == killed.process {
				return false
			}
		}
		return err == nil
	})
	killed.unmapAll()
}

// TestATakeOverThatIsCutShortIsGoneOnWith at every point at which the process that settles the open
// calls of another may be killed: each ends up in the log once.
func TestATakeOverThatIsCutShortIsGoneOnWith(t *testing.T) {
	live := t.TempDir()
	l, _ := withStore(t, live, quiet, small)
	var open []*journey.Journey
	for range 5 {
		j := goodCall(time.Now())
		slot, err := l.Open(j.ID, j.Start.UnixNano(), j.Method, j.Path)
		if err != nil {
			t.Fatal(err)
		}
		defer slot.Discard()
		open = append(open, j)
	}
	for n := 1; n <= len(open); n++ {
		for _, marked := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d settled, the next one marked: %v", n, marked), func(t *testing.T) {
				dir := crash(t, live)
				halfSettled(t, dir, n, marked)
				again, db := withStore(t, dir, quiet, small)
				flushed(t, again)
				if got, kept := len(all(t, again, Query{Limit: 100})), storedCalls(t, db); got != len(open) || kept != len(open) {
					t.Errorf("%d calls are found and %d stored, want %d", got, kept, len(open))
				}
			})
		}
	}
}

// halfSettled leaves the folder of process 1 as process 2 does that is killed while it settles its open
// calls: n are done, the next one is where its mark is about to be stored, or has been.
func halfSettled(t *testing.T, dir string, n int, marked bool) {
	t.Helper()
	opts := Options{Dir: dir, Store: nowhere{}}
	small(&opts)
	if err := opts.fill(); err != nil {
		t.Fatal(err)
	}
	s := &spool{dir: filepath.Join(dir, spoolDir), opts: &opts, log: opts.Log, process: 2}
	e, err := s.inspect([]int{1}, nil, &damaged{dir: dir, log: opts.Log})
	if err != nil {
		t.Fatal(err)
	}
	defer e.unmap()
	w := estateWriter{spool: s, estate: e}
	done := e.tables[0]
	next := done.open[n:]
	done.open = done.open[:n]
	if err := w.settleTable(&done, time.Now()); err != nil {
		t.Fatal(err)
	}
	if len(next) == 0 {
		return // all are done, and their table is still there
	}
	mem, err := openMapped(done.path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unmap(mem) }()
	record := killedCall(&next[0], time.Now()).AppendRecord(nil)
	at, ok := w.seg.reserve(recordSize(len(record)))
	if !ok {
		t.Fatal("no room")
	}
	w.seg.write(at, record)
	slotMem(mem[next[0].at:next[0].at+slotSize]).committing(w.seg.seq, at)
	if marked {
		w.seg.mark(at, recordMark)
	}
}

// TestFilesOfAVersionWithoutNumbersAreTakenOver, with the marks that it left in the store.
func TestFilesOfAVersionWithoutNumbersAreTakenOver(t *testing.T) {
	dir := t.TempDir()
	spool := filepath.Join(dir, spoolDir)
	if err := os.Mkdir(spool, 0o700); err != nil {
		t.Fatal(err)
	}
	seg, err := newSegment(filepath.Join(spool, "segment-000004.log"), 2*MaxRecord)
	if err != nil {
		t.Fatal(err)
	}
	seg.activate(time.Now().UnixNano(), false)
	var calls []*journey.Journey
	var marks []int64
	for range 3 {
		j := goodCall(time.Now())
		record := j.AppendRecord(nil)
		at, _ := seg.reserve(recordSize(len(record)))
		seg.write(at, record)
		seg.mark(at, recordMark)
		calls, marks = append(calls, j), append(marks, at)
	}
	db := openStore(t, dir)
	batch := journey.Batch{Marks: []journey.SpoolMark{{Segment: seg.seq, Offset: marks[1]}, {Segment: seg.seq - int64(time.Hour), Offset: 100}}}
	if err := db.AppendChunks(t.Context(), batch); err != nil { // as if the first had been taken over
		t.Fatal(err)
	}
	if err := unmap(seg.mem); err != nil {
		t.Fatal(err)
	}
	l := newLedger(t, dir, func(o *Options) { quiet(o); o.Store = db })
	flushed(t, l)
	flushed(t, l)
	if got := all(t, l, Query{}); len(got) != 2 || got[0].ID != calls[2].ID {
		t.Errorf("%d calls", len(got))
	}
	if _, err := os.Stat(seg.path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file is still there: %v", err)
	}
	if marks, err := db.SpoolMarks(t.Context()); err != nil || len(marks) != 0 {
		t.Errorf("marks: %v, %v", marks, err)
	}
}

func TestTheFoldersLockIsSharedWithASuccessor(t *testing.T) {
	dir := t.TempDir()
	lock, err := LockDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	dup := func() *os.File {
		t.Helper()
		f, err := os.Open(fmt.Sprintf("/dev/fd/%d", lock.File().Fd()))
		if err != nil {
			t.Skip("the system opens a file anew:", err)
		}
		return f
	}
	if _, err := InheritLock(t.TempDir(), dup()); !errors.Is(err, ErrInUse) {
		t.Errorf("another folder's lock: %v", err)
	}
	// A file that is opened anew is not the lock, whatever its name.
	if _, err := InheritLock(dir, dup()); !errors.Is(err, ErrInUse) {
		t.Errorf("the lock's file, opened anew: %v", err)
	}
	if err := lock.Release(); err != nil {
		t.Fatal(err)
	}
}
