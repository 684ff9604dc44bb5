package e2e

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long a test waits for what must happen. It is far above what any of it takes:
// the machine may be busy.
const patience = 20 * time.Second

// ample is how long a test waits for the start of a program, and for a state: many programs may start at once.
const ample = 45 * time.Second

// atOnce is how long what waits for nothing may take on a busy machine: far less than any of the gateway's limits
// that it would wait for, which are 10 s at least.
const atOnce = 5 * time.Second

// lines collects what a process prints.
type lines struct {
	mu      sync.Mutex
	list    []string
	ended   bool
	changed chan struct{}
}

func collect(r io.Reader) *lines {
	l := &lines{changed: make(chan struct{})}
	go func() {
		s := bufio.NewScanner(r)
		s.Buffer(nil, 4<<20)
		for s.Scan() {
			l.add(s.Text(), false)
		}
		l.add("", true)
	}()
	return l
}

func (l *lines) add(text string, end bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if end {
		l.ended = true
	} else {
		l.list = append(l.list, text)
	}
	close(l.changed)
	l.changed = make(chan struct{})
}

func (l *lines) now() (list []string, ended bool, changed <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.list, l.ended, l.changed
}

// find waits for a line that match takes and returns it; ok is false when the process ended, or
// the time was over, without one.
func (l *lines) find(within time.Duration, match func(string) bool) (line string, ok bool) {
	timer := time.NewTimer(within)
	defer timer.Stop()
	for seen := 0; ; {
		list, ended, changed := l.now()
		for _, text := range list[seen:] {
			if match(text) {
				return text, true
			}
		}
		seen = len(list)
		if ended {
			return "", false
		}
		select {
		case <-changed:
		case <-timer.C:
			return "", false
		}
	}
}

func (l *lines) all() string {
	list, _, _ := l.now()
	return strings.Join(list, "\n")
}

// process is a program that a test started.
type process struct {
	cmd       *exec.Cmd
	out, errs *lines
	begun     time.Time
	done      chan struct{} // closed when it has ended
}

// start runs a program and ends it with the test. Its environment is that of the test without
// Causeway's own variables, and env.
func start(t *testing.T, env []string, name string, args ...string) *process {
	t.Helper()
	return startWith(t, env, nil, name, args...)
}

// startWith is start for a program that is given files, from descriptor 3 on.
func startWith(t *testing.T, env []string, files []*os.File, name string, args ...string) *process {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.ExtraFiles = files
	cmd.Env = append(cleanEnv(), env...)
	cmd.Dir = t.TempDir()
	outR, outW := pipe(t)
	errR, errW := pipe(t)
	cmd.Stdout, cmd.Stderr = outW, errW
	p := &process{cmd: cmd, out: collect(outR), errs: collect(errR), begun: time.Now(), done: make(chan struct{})}
	err := cmd.Start()
	outW.Close()
	errW.Close()
	if err != nil {
		t.Fatalf("starting %s: %v", name, err)
	}
	go func() {
		_ = cmd.Wait() // its state says how it ended
		close(p.done)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-p.done
		outR.Close()
		errR.Close()
	})
	return p
}

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	return r, w
}

// cleanEnv is the environment without what would change the program's or a client's behaviour.
func cleanEnv() (env []string) {
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		lower := strings.ToLower(name)
		if strings.HasPrefix(name, "CAUSEWAY_") || strings.HasPrefix(name, "OPENAI_") || strings.HasSuffix(lower, "_proxy") {
			continue
		}
		env = append(env, v)
	}
	return append(env, "NO_PROXY=*")
}

func (p *process) signal(t *testing.T, s os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatalf("signalling %d: %v", p.cmd.Process.Pid, err)
	}
}

// wait returns the exit code, or -1 when the process did not end in time or a signal ended it.
func (p *process) wait(t *testing.T, within time.Duration) int {
	t.Helper()
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(within):
		t.Errorf("%s did not end within %v", p.cmd, within)
		return -1
	}
}

// stop asks the process to end and returns its exit code.
func (p *process) stop(t *testing.T) int {
	t.Helper()
	p.signal(t, syscall.SIGTERM)
	return p.wait(t, patience)
}

// kill ends the process as a power cut would.
func (p *process) kill(t *testing.T) {
	t.Helper()
	p.signal(t, syscall.SIGKILL)
	<-p.done
}

// result is what a program that ran to its end has said.
type result struct {
	code     int
	out, err string
	took     time.Duration
}

// command runs a program to its end.
func command(t *testing.T, stdin, name string, args ...string) result {
	t.Helper()
	return commandEnv(t, nil, stdin, name, args...)
}

func commandEnv(t *testing.T, env []string, stdin, name string, args ...string) result {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	var out, errs strings.Builder
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	cmd.Env = append(cleanEnv(), env...)
	begun := time.Now()
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatalf("running %s: %v", name, err)
	}
	return result{cmd.ProcessState.ExitCode(), out.String(), errs.String(), time.Since(begun)}
}

// causeway runs the program under test to its end.
func causeway(t *testing.T, args ...string) result {
	t.Helper()
	return command(t, "", binary, args...)
}

// needs finds a program that a story cannot do without.
func needs(t *testing.T, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if testing.Short() {
		t.Skipf("%s is not installed", names[0])
	}
	t.Fatalf("%s is not installed: scripts/need.sh installs what the tests need", names[0])
	return ""
}

// python is Debian's own, which has the package requests, or else the first in PATH.
func python(t *testing.T) string {
	t.Helper()
	return needs(t, "/usr/bin/python3", "python3")
}

// awaitListener waits until somebody accepts connections at addr.
func awaitListener(t *testing.T, p *process, addr string) {
	t.Helper()
	eventually(t, "listening on "+addr, func() bool {
		select {
		case <-p.done:
			t.Fatalf("%s ended: %s\n%s", p.cmd, p.out.all(), p.errs.all())
		default:
		}
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
}
