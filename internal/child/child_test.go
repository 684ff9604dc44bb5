package child

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// output is a buffer that the process's readers may write to while the test looks.
type output struct {
	mu   sync.Mutex
	b    bytes.Buffer
	more chan struct{}
}

func newOutput() *output { return &output{more: make(chan struct{}, 100)} }

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case o.more <- struct{}{}:
	default:
	}
	return o.b.Write(p)
}

// await waits until the text was written.
func (o *output) await(t *testing.T, text string) string {
	t.Helper()
	limit := time.After(10 * time.Second)
	for {
		o.mu.Lock()
		s := o.b.String()
		o.mu.Unlock()
		if strings.Contains(s, text) {
			return s
		}
		select {
		case <-o.more:
		case <-limit:
			t.Fatalf("%q was not written: %q", text, s)
		}
	}
}

func start(t *testing.T, what string, change func(*Options)) (*Process, *output) {
	t.Helper()
	t.Setenv("CHILD", what)
	out := newOutput()
	o := Options{Command: []string{os.Args[0]}, Stdout: out}
	if change != nil {
		change(&o)
	}
	p, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		now, cancel := context.WithCancel(context.Background())
		cancel()
		p.Stop(now)
	})
	return p, out
}

func TestAnExitIsToldWithItsLastWords(t *testing.T) {
	p, _ := start(t, "exit3", func(o *Options) {
		o.Mask = func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("hunter2secret"), []byte("[masked]")) }
	})
	<-p.Done()
	f := p.Facts(time.Now(), true)
	if e := p.Exit(); e.Code != 3 || e.String() != "exited with 3" {
		t.Errorf("Exit = %+v", e)
	}
	if !f.Ended || f.Running || f.Code != 3 || f.Signal != "" || f.Ago < 0 || f.PID == 0 {
		t.Errorf("Facts = %+v", f)
	}
	if got := strings.Join(f.Last, "|"); got != "cannot open the database: password=[masked]|giving up" {
		t.Errorf("last words: %q", got)
	}
}

func TestCrashesInARowAreCounted(t *testing.T) {
	p, _ := start(t, "exit3", func(o *Options) { o.Restart, o.Backoff, o.MaxBackoff = true, time.Millisecond, time.Millisecond })
	f := p.Facts(time.Now(), false)
	for end := time.Now().Add(10 * time.Second); f.Crashes < 4 && time.Now().Before(end); f = p.Facts(time.Now(), true) {
	}
	p.Stop(t.Context())
	f = p.Facts(time.Now(), false)
	list := p.Endings()
	if f.Crashes < 4 || len(list) != f.Crashes || f.CrashSpan != list[0].At.Sub(list[len(list)-1].At) {
		t.Fatalf("%d crashes in %s, ends %+v", f.Crashes, f.CrashSpan, list)
	}
	first, second := list[len(list)-1], list[len(list)-2]
	if first.Code != 3 || first.Next != second.PID || first.Again.Before(first.At) || !second.At.After(first.Again) {
		t.Errorf("the first end %+v, the second %+v", first, second)
	}
}

func TestAPanicIsToldAsTraceback(t *testing.T) {
	p, _ := start(t, "panic", nil)
	<-p.Done()
	f := p.Facts(time.Now(), false)
	if f.Trace == nil || f.Trace.Language != "Go" || f.Trace.Error != "panic: assignment to entry in nil map" || !strings.HasPrefix(f.Trace.Where, "main_test.go:") {
		t.Fatalf("Trace = %+v", f.Trace)
	}
	if f.Code != 2 {
		t.Errorf("code %d", f.Code)
	}
}

func TestASignalIsToldAndNotTakenForTheKernels(t *testing.T) {
	p, out := start(t, "sleep", nil)
	out.await(t, "sleeping")
	began := time.Now()
	if f := p.Facts(began, false); !f.Running || f.Ended {
		t.Errorf("while it runs: %+v", f)
	}
	p.Signal(syscall.SIGKILL)
	f := p.Facts(began, true) // waits for what is about to be seen
	if !f.Ended || f.Running || f.Signal != "SIGKILL" || f.Code != -1 || f.OutOfMemory != "" {
		t.Errorf("after kill -9: %+v", f)
	}
	<-p.Done()
	if e := p.Exit(); e.Code != 137 {
		t.Errorf("exit code %d, a shell says 137", e.Code)
	}
}

func TestStopAsksThenKillsTheGroup(t *testing.T) {
	p, out := start(t, "sleep", nil)
	out.await(t, "sleeping")
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if e := p.Stop(ctx); e.Signal != "SIGTERM" {
		t.Errorf("Stop = %+v", e)
	}

	p, err := Start(Options{Command: []string{"sh", "-c", "trap '' TERM; echo ready; sleep 60 & wait"}, Stdout: out})
	if err != nil {
		t.Fatal(err)
	}
	out.await(t, "ready")
	group := p.pid()
	now, cancelNow := context.WithCancel(context.Background())
	cancelNow()
	if e := p.Stop(now); e.Signal != "SIGKILL" {
		t.Errorf("Stop of one that ignores SIGTERM = %+v", e)
	}
	// Those whom it left behind are ended with it; the kernel needs a moment to bury them.
	for end := time.Now().Add(5 * time.Second); syscall.Kill(-group, 0) == nil; {
		if time.Now().After(end) {
			t.Fatal("processes of the group are left")
		}
		runtime.Gosched()
	}
}

func TestRestartOnFailure(t *testing.T) {
	t.Setenv("CHILD", "exit3")
	p, err := Start(Options{Command: []string{os.Args[0]}, Restart: true, Backoff: time.Millisecond, MaxBackoff: 2 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(20 * time.Second); p.Facts(time.Now(), false).Restarts < 3; {
		if time.Now().After(end) {
			t.Fatal("it is not started again")
		}
		time.Sleep(time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	p.Stop(ctx)
	select {
	case <-p.Done():
	default:
		t.Error("Stop returned before it was over")
	}
}

func TestACommandThatIsNotThere(t *testing.T) {
	if _, err := Start(Options{Command: []string{"/no/such/program"}}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("err = %v", err)
	}
	if _, err := Start(Options{}); err == nil {
		t.Error("no command was taken")
	}
}

func TestFindPort(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells who listens where")
	}
	p, out := start(t, "listen", nil)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	addr, others, err := p.FindPort(ctx)
	if err != nil || len(others) != 0 {
		t.Fatal(addr, others, err)
	}
	if said := out.await(t, "listening"); said != "listening on "+addr+"\n" {
		t.Errorf("found %s, the program says %q", addr, said)
	}
	if err := p.Await(ctx, "tcp", addr); err != nil {
		t.Error(err)
	}
}

func TestNoPortIsFoundWhereNobodyListens(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells who listens where")
	}
	ended, _ := start(t, "exit3", nil)
	if _, _, err := ended.FindPort(context.Background()); !errors.Is(err, ErrEnded) {
		t.Errorf("of one that has ended: %v", err)
	}
	p, _ := start(t, "sleep", nil)
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	if _, _, err := p.FindPort(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("of one that does not listen: %v", err)
	}
}

func TestListenersAreReadFromProcsTables(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("proc is Linux's")
	}
	const table = "sl\n 0: 0100007F:1F90 00000000:0000 0A 0:0 0:0 0 0 0 77 1\n" +
		" 1: 00000000000000000000000000000000:0050 0:0 0A 0:0 0:0 0 0 0 78 1\n 2: 0100007F:1F91 0:0 01 0:0 0:0 0 0 0 79 1\n"
	if got := readListeners(table); got != "77 127.0.0.1:8080, 78 [::]:80" {
		t.Errorf("listeners: %s", got)
	}
}

// TestOutOfMemory puts the child into a control group with 32 MiB and lets it take more.
func TestOutOfMemory(t *testing.T) {
	dir := memoryGroup(t)
	p, out := start(t, "eat "+dir, nil)
	out.await(t, "joined")
	p.mu.Lock()
	p.memory = watchMemory(p.id) // it joined its group after it was started
	p.mu.Unlock()
	select {
	case <-p.Done():
	case <-time.After(20 * time.Second):
		t.Fatal("it was not ended")
	}
	f := p.Facts(time.Now(), false)
	if f.Signal != "SIGKILL" || f.OutOfMemory == "" || f.MemoryMax != 32<<20 {
		t.Errorf("Facts = %+v", f)
	}
	if e := p.Exit(); e.String() != "was ended by SIGKILL (out of memory)" {
		t.Errorf("Exit = %s", e)
	}
}

func TestTail(t *testing.T) {
	var out tail
	for i := range 10000 {
		fmt.Fprintf(&out, "line %d ........................\n", i)
	}
	_, _ = out.Write([]byte("half"))
	b := out.since(time.Time{})
	if len(b) > keep+longest || len(b) < keep/2 || !bytes.HasSuffix(b, []byte("line 9999 ........................\nhalf")) {
		t.Errorf("%d bytes are kept, ending %q", len(b), b[len(b)-40:])
	}
	if !bytes.HasPrefix(b, []byte("line ")) {
		t.Errorf("it begins in the middle of a line: %q", b[:20])
	}
	from := time.Now()
	_, _ = out.Write([]byte(" more\nnew\n"))
	if got := string(out.since(from)); got != "new\n" {
		t.Errorf("since: %q", got)
	}
	var long tail
	for range 100 {
		_, _ = long.Write(bytes.Repeat([]byte("x"), 10000))
	}
	if n := len(long.since(time.Time{})); n != longest {
		t.Errorf("an endless line takes %d bytes", n)
	}
	if got := clean([]byte("\x1b[31mred\x1b[0m\x07\ta\xff\r\n\n ok")); strings.Join(got, "|") != "red    a?| ok" {
		t.Errorf("clean: %q", got)
	}
}
