package ledger

import (
	"bufio"
	"maps"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"causeway/internal/fault"
)

// worker is a process of its own that keeps calls in a folder that it shares with others.
type worker struct {
	cmd *exec.Cmd

	mu    sync.Mutex
	kept  map[string]string // id -> tokens
	open  string            // the call that it has open as long as it lives
	count chan int          // how many it has kept, now and then
	ended chan struct{}
	wait  func() error
}

func startWorker(t *testing.T, dir string, lock *DirLock) *worker {
	t.Helper()
	w := &worker{kept: map[string]string{}, count: make(chan int, 1), ended: make(chan struct{})}
	w.cmd = exec.Command(os.Args[0], "-test.run=^$")
	w.cmd.Env = append(os.Environ(), childEnv+"="+dir, childSharesEnv+"=1")
	w.cmd.ExtraFiles = []*os.File{lock.File()}
	w.cmd.Stderr = os.Stderr
	w.wait = sync.OnceValue(w.cmd.Wait)
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(w.ended)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			what, rest, _ := strings.Cut(lines.Text(), " ")
			id, tokens, _ := strings.Cut(rest, " ")
			w.mu.Lock()
			if what == "open" {
				w.open = id
			} else {
				w.kept[id] = tokens
			}
			n := len(w.kept)
			w.mu.Unlock()
			select {
			case w.count <- n:
			default:
			}
		}
	}()
	t.Cleanup(func() { w.kill(t) })
	return w
}

// keeps waits until it has kept n more calls.
func (w *worker) keeps(t *testing.T, n int) {
	t.Helper()
	w.mu.Lock()
	n += len(w.kept)
	w.mu.Unlock()
	for {
		select {
		case got := <-w.count:
			if got >= n {
				return
			}
		case <-w.ended:
			t.Fatal("the process ended by itself")
		case <-time.After(time.Minute):
			t.Fatal("the process keeps no calls")
		}
	}
}

// kill ends it, and returns when all that it said was read.
func (w *worker) kill(t *testing.T) {
	t.Helper()
	_ = w.cmd.Process.Kill() // it may have been killed before
	<-w.ended
	_ = w.wait()
}

// TestKilledWhileOneProcessHandsOverToAnother: processes come and are killed while others keep calls in
// the same folder, the older or the newer one or both. No call that was acknowledged is missing, none is
// there twice, and each that was open is there as a killed one.
func TestKilledWhileOneProcessHandsOverToAnother(t *testing.T) {
	dir := t.TempDir()
	lock, err := LockDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lock.Release() }()
	const some = 200
	var all []*worker
	launch := func() *worker {
		t.Helper()
		w := startWorker(t, dir, lock)
		all = append(all, w)
		w.keeps(t, some)
		return w
	}
	a := launch()
	b := launch()
	b.kill(t)
	a.keeps(t, some) // it takes over what b has left, or will
	c := launch()
	a.kill(t)
	d := launch()
	go c.kill(t) // both at the same moment
	d.kill(t)
	c.kill(t)

	kept, open := map[string]string{}, map[string]bool{}
	for _, w := range all {
		maps.Copy(kept, w.kept)
		open[w.open] = true
	}
	checkKept(t, "before a restart", openReader(t, dir), kept)
	l, db := withStore(t, dir, func(o *Options) { o.Lock = lock })
	checkKept(t, "after the restart", l, kept)
	flushed(t, l)
	found := checkKept(t, "in the store", l, kept)
	if n := storedCalls(t, db); n != len(found) {
		t.Errorf("the store has %d calls of %d different ids", n, len(found))
	}
	for id, j := range found {
		if j.Finding != nil && j.Finding.Kind == fault.GatewayKilled {
			delete(open, id)
		}
	}
	if len(open) > 0 {
		t.Errorf("calls that were open are missing: %v", open)
	}
	if extra := len(found) - len(kept); extra > len(all)*(childWorkers+1) {
		t.Errorf("%d calls more than were made", extra)
	}
	if s := l.Stats(); s.Damaged != 0 {
		t.Errorf("%d damaged records", s.Damaged)
	}
	t.Logf("%d calls of %d processes acknowledged", len(kept), len(all))
}
