package ledger

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"causeway/internal/fault"
	"causeway/internal/journey"
	"causeway/internal/store"
)

const (
	childEnv       = "CAUSEWAY_LEDGER_TEST_CHILD"
	childSharesEnv = "CAUSEWAY_LEDGER_TEST_SHARES" // the folder's lock comes from the test, as descriptor 3
)

// childMain is a gateway's process that does nothing but keep calls, as fast as it can, and tells
// each one's id on its standard output after Commit has returned.
func childMain(dir string) {
	fail := func(err error) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	db, err := store.Open(context.Background(), dir)
	if err != nil {
		fail(err)
	}
	opts := Options{Dir: dir, Store: db, DrainEvery: 20 * time.Millisecond}
	if os.Getenv(childSharesEnv) != "" {
		if opts.Lock, err = InheritLock(dir, os.NewFile(3, "lock")); err != nil {
			fail(err)
		}
	}
	l, err := New(context.Background(), opts)
	if err != nil {
		fail(err)
	}
	long := goodCall(time.Now().Add(-time.Hour))
	slot, err := l.Open(long.ID, long.Start.UnixNano(), "POST", "/long/stream")
	if err != nil {
		fail(err)
	}
	slot.SetService("streams")
	fmt.Println("open", long.ID)
	var wg sync.WaitGroup
	for worker := range childWorkers {
		wg.Go(func() {
			var buf []byte
			for i := 0; ; i++ {
				j := goodCall(time.Now())
				j.Usage = journey.Usage{Input: int64(i), Output: int64(worker), Source: "reported"}
				slot, err := l.Open(j.ID, j.Start.UnixNano(), j.Method, j.Path)
				if err == nil {
					buf = AppendRecord(buf[:0], j)
					err = slot.Commit(buf)
				}
				if err == nil {
					_, err = os.Stdout.WriteString(fmt.Sprintf("kept %s %d %d\n", j.ID, i, worker))
				}
				if err != nil {
					fail(err)
				}
			}
		})
	}
	wg.Wait()
}

const childWorkers = 8

func TestKilledAtFullSpeedNothingAcknowledgedIsMissing(t *testing.T) {
	const rounds, enough = 2, 3000
	dir := t.TempDir()
	kept := map[string]string{} // id -> tokens
	open := map[string]bool{}
	for round := range rounds {
		child := exec.Command(os.Args[0], "-test.run=^$")
		child.Env = append(os.Environ(), childEnv+"="+dir)
		child.Stderr = os.Stderr
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		lines, want := bufio.NewReader(out), len(kept)+enough
		for killed := false; ; {
			line, err := lines.ReadString('\n')
			if err != nil {
				break // what was written before the kill has been read to its end
			}
			what, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
			id, tokens, _ := strings.Cut(rest, " ")
			if what == "open" {
				open[id] = true
			} else {
				kept[id] = tokens
			}
			if len(kept) >= want && !killed {
				killed = true
				if err := child.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := child.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
			t.Fatalf("round %d: the child ended with %v", round, err)
		}
		if len(kept) < want {
			t.Fatalf("round %d: the child ended by itself", round)
		}
		beside := openReader(t, dir)
		checkKept(t, fmt.Sprintf("round %d, before a restart", round), beside, kept)
	}

	l, db := withStore(t, dir)
	checkKept(t, "after the restart", l, kept)
	flushed(t, l)
	found := checkKept(t, "in the store", l, kept)
	if n := storedCalls(t, db); n != len(found) {
		t.Errorf("the store has %d calls of %d different ids", n, len(found))
	}
	var ended int
	for id, j := range found {
		if _, ok := kept[id]; ok {
			continue
		}
		if j.Finding == nil {
			ended++ // committed, but killed before it could say so
			continue
		}
		if j.Finding.Kind != fault.GatewayKilled {
			t.Errorf("%s is of kind %s", id, j.Finding.Kind)
		}
		if open[id] {
			if j.Method != "POST" || j.Path != "/long/stream" || j.Service != "streams" || !j.Start.Equal(j.ID.Time().Add(time.Duration(j.Start.Nanosecond()%1e6))) {
				t.Errorf("the call found open is %+v", j)
			}
			delete(open, id)
		}
	}
	if len(open) > 0 {
		t.Errorf("calls that were open are missing: %v", open)
	}
	if extra := len(found) - len(kept); extra > rounds*(childWorkers+1) {
		t.Errorf("%d calls more than were made", extra)
	}
	if s := l.Stats(); s.Damaged != 0 {
		t.Errorf("%d damaged records", s.Damaged)
	}
	t.Logf("%d calls acknowledged in %d rounds, %d more committed", len(kept), rounds, ended)
}

func checkKept(t *testing.T, when string, f finder, kept map[string]string) map[string]journey.Journey {
	t.Helper()
	found := map[string]journey.Journey{}
	for _, j := range all(t, f, Query{Limit: 500}) {
		if _, twice := found[j.ID.String()]; twice {
			t.Errorf("%s: %s is found twice", when, j.ID)
		}
		found[j.ID.String()] = j
	}
	missing, wrong := 0, 0
	for id, tokens := range kept {
		j, ok := found[id]
		if !ok {
			missing++
		} else if fmt.Sprintf("%d %d", j.Usage.Input, j.Usage.Output) != tokens || j.Service != "orders" || j.Finding != nil {
			wrong++
		}
	}
	if missing+wrong > 0 {
		t.Fatalf("%s: of %d calls acknowledged %d are missing and %d are not as they were", when, len(kept), missing, wrong)
	}
	return found
}

// openReader opens a folder for reading while nobody, or somebody else, uses it.
func openReader(t testing.TB, dir string) *Reader {
	t.Helper()
	db, err := store.OpenReadOnly(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	r, err := OpenReader(dir, db)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
