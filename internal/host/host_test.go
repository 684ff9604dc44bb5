package host

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"causeway/internal/journey"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// scripted is a host whose figures a test sets.
type scripted struct {
	mu sync.Mutex
	r  Reading
}

func (s *scripted) Read(r *Reading) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*r = s.r
}

func (s *scripted) Close() {}

func (s *scripted) set(change func(*Reading)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.r)
}

// next waits for the next second's facts.
func next(t *testing.T, facts <-chan *journey.Host) *journey.Host {
	t.Helper()
	select {
	case h := <-facts:
		return h
	case <-time.After(20 * time.Second):
		t.Fatal("no sample within 20 s")
		return nil
	}
}

func start(t *testing.T, o Options) (*Sampler, <-chan *journey.Host) {
	t.Helper()
	facts := make(chan *journey.Host, 100)
	o.OnSample = func(h *journey.Host) { facts <- h }
	s := Start(o)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, facts
}

func TestSharesAreThoseOfTheSecond(t *testing.T) {
	sys := &scripted{r: Reading{HostBusy: 1000, HostTotal: 5000, HostSteal: 10, Own: 7}}
	s, facts := start(t, Options{System: sys, MemoryMax: 1 << 30})
	if h := s.Facts(time.Now()); h != nil {
		t.Fatalf("before the first second: %+v", h)
	}
	sys.set(func(r *Reading) {
		r.HostBusy, r.HostTotal, r.HostSteal = 1098, 5100, 50
		r.Throttled, r.Swapped, r.Files, r.FilesMax, r.Ports, r.PortsMax = 100*time.Hour, 1<<40, 900, 1000, 20, 28232
	})
	h := next(t, facts)
	if h.CPU != 98 || h.Steal != 40 || h.Throttled != 100 || h.Swap < 1<<38 {
		t.Errorf("shares: %+v", h)
	}
	if h.Files != 900 || h.FilesMax != 1000 || h.Ports != 20 || h.PortsMax != 28232 || h.MemoryMax != 1<<30 || h.Memory == 0 {
		t.Errorf("levels: %+v", h)
	}
	if h.CPUs != int64(runtime.GOMAXPROCS(0)) || h.Span < 900*time.Millisecond {
		t.Errorf("span %v of %d CPUs", h.Span, h.CPUs)
	}
	if h = next(t, facts); h.CPU != 0 || h.Steal != 0 || h.Throttled != 0 {
		t.Errorf("a quiet second after a busy one: %+v", h)
	}
	if h = s.Facts(time.Now().Add(-time.Hour)); h.CPU < 40 || h.CPU > 50 || h.Span < 1900*time.Millisecond {
		t.Errorf("a call that saw both seconds: %+v", h)
	}
}

// What a CPU that is wanted by many does to work that is ready to run, on the real scheduler.
func TestDelayOfAProcessWithoutCPU(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var worst atomic.Int64
	_, facts := start(t, Options{OnTick: func(tick Tick) { worst.Store(max(worst.Load(), int64(tick.Delay))) }})
	var stop atomic.Bool
	var burning sync.WaitGroup
	defer burning.Wait()
	defer stop.Store(true)
	for range 20 {
		burning.Go(func() {
			for n := 0; !stop.Load(); n++ {
				_ = n * n
			}
		})
	}
	next(t, facts)
	h := next(t, facts)
	if h.Delay < 50*time.Millisecond {
		t.Errorf("with 20 goroutines burning one CPU work waits %v", h.Delay)
	}
	if d := time.Duration(worst.Load()); d < 20*time.Millisecond {
		t.Errorf("the median delay of a tick is %v", d)
	}
	if h.Own < 20 {
		t.Errorf("the process used %d %% of its CPU", h.Own)
	}
}

func TestThisHost(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("what is looked at is Linux's")
	}
	_, facts := start(t, Options{Dir: t.TempDir(), DiskEvery: 50 * time.Millisecond, MemoryMax: MemoryLimit()})
	before := next(t, facts)
	if before.FilesMax == 0 || before.Files < 3 || before.Memory < 1<<20 || before.MemoryMax < before.Memory || before.DiskFree <= 0 || before.PortsMax == 0 {
		t.Errorf("nothing is known: %+v", before)
	}
	if before.DiskWrite <= 0 || before.DiskError != "" {
		t.Errorf("the disk: %v, %q", before.DiskWrite, before.DiskError)
	}
	for range 100 {
		f, err := os.Open("/dev/null")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
	}
	if after := next(t, facts); after.Files < before.Files+100 {
		t.Errorf("100 files more: %d, then %d", before.Files, after.Files)
	}
}

func TestDiskThatTakesNothing(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("no /dev/full here")
	}
	defer full.Close()
	d := newDisk(t.TempDir())
	d.look(full)
	if _, _, problem := d.state(time.Now()); problem != syscall.ENOSPC.Error() {
		t.Errorf("a full disk is told as %q", problem)
	}
	gone := newDisk(filepath.Join(t.TempDir(), "gone"))
	if gone.open() != nil {
		t.Error("a file in a folder that is not there")
	}
	if _, _, problem := gone.state(time.Now()); problem != syscall.ENOENT.Error() {
		t.Errorf("a folder that is gone is told as %q", problem)
	}
	d.mu.Lock()
	d.began = time.Now().Add(-3 * time.Second)
	d.mu.Unlock()
	if _, write, _ := d.state(time.Now()); write < 3*time.Second {
		t.Errorf("a write that has hung for 3 s is told as %v", write)
	}
	if reason(errors.New("anything")) != "anything" {
		t.Error("another error is not told as it is")
	}
}

// How much is free is looked at more often than a write is made: a disk fills up in seconds.
func TestADiskThatFillsUpIsSeenAtOnce(t *testing.T) {
	d := newDisk(t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		d.run(ctx, time.Hour)
	}()
	defer func() { cancel(); <-done }()
	known := func() bool { free, _, _ := d.state(time.Now()); return free > 0 }
	for range 2 { // the second look comes long before the next write
		for deadline := time.Now().Add(5 * time.Second); !known(); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("nobody looked how much is free")
			}
		}
		d.mu.Lock()
		d.free = 0
		d.mu.Unlock()
	}
}

func TestNothingStaysInTheDataFolder(t *testing.T) {
	dir := t.TempDir()
	_, facts := start(t, Options{Dir: dir, DiskEvery: 10 * time.Millisecond})
	next(t, facts)
	list, err := os.ReadDir(dir)
	if err != nil || len(list) > 0 {
		t.Errorf("%v, %v", list, err)
	}
}

func TestClockThatIsSet(t *testing.T) {
	c := newWallClock()
	if step := c.step(time.Now()); step != 0 {
		t.Errorf("a clock that nobody set stepped by %v", step)
	}
	c.wall = c.wall.Add(-time.Hour) // as if it had been an hour earlier at the last look
	if step := c.step(time.Now()); step.Round(time.Second) != time.Hour {
		t.Errorf("an hour forward is %v", step)
	}
	c.wall = c.wall.Add(30 * time.Minute)
	if step := c.step(time.Now()); step.Round(time.Second) != -30*time.Minute {
		t.Errorf("half an hour back is %v", step)
	}
	c.wall = c.wall.Add(-100 * time.Millisecond)
	if step := c.step(time.Now()); step != 0 {
		t.Errorf("a slew is told as a step of %v", step)
	}
}

func TestLookupsOfTheLastMinute(t *testing.T) {
	var l lookups
	now := time.Unix(1_800_000_000, 0)
	l.add("long-ago", time.Second, true, now.Add(-2*time.Minute))
	l.add("a", 2*time.Second, true, now.Add(-30*time.Second))
	l.add("a", 2*time.Second, true, now)
	l.add("b", 4*time.Second, true, now)
	l.add("c", 0, false, now)
	var h journey.Host
	l.fill(&h, now)
	if h.Lookups != 4 || h.LookupsFailed != 3 || h.LookupNames != 2 || h.LookupTime != 2*time.Second {
		t.Errorf("%+v", h)
	}
}

func BenchmarkFastTick(b *testing.B) {
	var r runtimeReader
	r.init()
	var l lifetime
	l.begin(r.read())
	b.ReportAllocs()
	for b.Loop() {
		l.tick(r.read(), 0, 0)
	}
}

func BenchmarkSlowTick(b *testing.B) {
	s := newSystem()
	defer s.Close()
	var r Reading
	b.ReportAllocs()
	for b.Loop() {
		s.Read(&r)
	}
}
