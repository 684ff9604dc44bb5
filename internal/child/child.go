// Package child runs the upstream's own process for causeway run: in a process group of its own, with its last
// words kept, watched for how it ends, and started again where that is asked for. What it knows of the process
// when a call fails is a [journey.Child]; what that means for the call is for internal/diagnose to say.
package child

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// Options say what to run. Command is required.
type Options struct {
	Command []string // the program and its arguments; standard input is empty
	// Stdout and Stderr get what the process writes, as it comes; nil drops it. Both are kept in memory besides,
	// the last 64 KiB of each.
	Stdout, Stderr io.Writer
	// Mask takes secrets out of what the process wrote before it is shown elsewhere; nil shows it as it is.
	Mask func([]byte) []byte
	// Restart starts the process again when it ends with a code other than 0 or by a signal, unless it was told
	// to end. Backoff is the pause before that, doubled each time up to MaxBackoff, until the process has run for
	// a minute; 0 is 500 ms and 30 s.
	Restart             bool
	Backoff, MaxBackoff time.Duration
	Log                 *slog.Logger // nil: nothing is logged
}

// Exit is how a process has ended.
type Exit struct {
	Code   int    // 128 and the signal's number when a signal ended it, as a shell tells it
	Signal string // "SIGKILL", "" when it exited by itself
	// OutOfMemory says how it is known that the kernel ended it for want of memory; "" when nothing says so.
	OutOfMemory string
	Ran         time.Duration
}

// String tells it in words: "exited with 3", "was ended by SIGKILL (out of memory)".
func (e Exit) String() string {
	switch {
	case e.OutOfMemory != "":
		return "was ended by " + e.Signal + " (out of memory)"
	case e.Signal != "":
		return "was ended by " + e.Signal
	}
	return fmt.Sprintf("exited with %d", e.Code)
}

// Process is a running command, or one that has ended. Its methods may be called concurrently.
type Process struct {
	o    Options
	name string
	log  *slog.Logger
	done chan struct{} // closed when it has ended and is not started again
	out  tail
	err  tail

	mu       sync.Mutex
	id       int // of the process that runs or ran last
	running  bool
	leaving  bool // Stop was called
	started  time.Time
	dying    bool // it is gone, and its last words are being read
	ended    *ending
	changed  chan struct{} // closed on the next change of running, dying and ended
	restarts int
	memory   *memory
	killedAt time.Time // when the counter of the control group was last seen to rise
	kills    int64
	wake     chan struct{} // Stop ends a pause before a restart
	endings  []Ending      // the last ones, the newest last
}

// ending is how one process ended.
type ending struct {
	Exit
	pid   int
	code  int // -1 for a signal
	at    time.Time
	known bool // the control group's counter could be read
}

// Start starts the command. The process is given back by Stop, or ends by itself (Done).
func Start(o Options) (*Process, error) {
	if len(o.Command) == 0 || o.Command[0] == "" {
		return nil, errors.New("starting the upstream: no command was given")
	}
	if o.Backoff == 0 {
		o.Backoff = 500 * time.Millisecond
	}
	if o.MaxBackoff == 0 {
		o.MaxBackoff = 30 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Mask == nil {
		o.Mask = func(b []byte) []byte { return b }
	}
	p := &Process{
		o: o, name: filepath.Base(o.Command[0]), log: o.Log,
		done: make(chan struct{}), wake: make(chan struct{}), changed: make(chan struct{}),
	}
	started := make(chan error)
	go p.supervise(started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting the upstream: %w", err)
	}
	return p, nil
}

// Name is the program's name, without its folder.
func (p *Process) Name() string { return p.name }

// Done is closed when the process has ended and is not started again.
func (p *Process) Done() <-chan struct{} { return p.done }

// Exit is how the process ended last; the zero value while the first one runs.
func (p *Process) Exit() Exit {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended == nil {
		return Exit{}
	}
	return p.ended.Exit
}

func (p *Process) pid() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.id
}

// Signal sends a signal to the process and all of its group. One that has ended gets none.
func (p *Process) Signal(s syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.id > 0 {
		_ = syscall.Kill(-p.id, s) // ESRCH: nobody of the group is left
	}
}

// Stop ends the process with SIGTERM, and with SIGKILL when ctx ends first, and returns when it and its group
// are gone. It is not started again.
func (p *Process) Stop(ctx context.Context) Exit {
	p.mu.Lock()
	if !p.leaving {
		p.leaving = true
		close(p.wake)
	}
	p.mu.Unlock()
	p.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-ctx.Done():
		p.Signal(syscall.SIGKILL)
		<-p.done
	}
	p.Signal(syscall.SIGKILL) // those whom the process left behind
	return p.Exit()
}

// supervise runs the command until it is not to be started again. The kernel ends the process when the thread
// that started it does (PR_SET_PDEATHSIG), so this goroutine keeps its thread.
func (p *Process) supervise(started chan<- error) {
	runtime.LockOSThread()
	defer close(p.done)
	pause := p.o.Backoff
	for first := true; ; first = false {
		err := p.once(started, first)
		if first && err != nil {
			started <- err
			return
		}
		e := p.Exit()
		if !p.again(e, err) {
			return
		}
		if e.Ran >= time.Minute {
			pause = p.o.Backoff
		}
		p.log.Info("the upstream is started again", "program", p.name, "in", pause.String())
		p.Signal(syscall.SIGKILL) // a worker left behind would keep the port
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-p.wake:
			t.Stop()
			return
		}
		pause = min(2*pause, p.o.MaxBackoff)
	}
}

// again tells whether the process is to be started once more.
func (p *Process) again(e Exit, err error) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.o.Restart && !p.leaving && (err != nil || e.Code != 0)
}

// once runs the command to its end. The error is that of starting it.
func (p *Process) once(started chan<- error, first bool) error {
	cmd := exec.Command(p.o.Command[0], p.o.Command[1:]...)
	cmd.SysProcAttr = attributes()
	var reading sync.WaitGroup
	var ours []*os.File // ends of pipes
	pipe := func(to io.Writer, kept *tail) (*os.File, error) {
		kept.forget()
		r, w, err := os.Pipe()
		if err != nil {
			return nil, err
		}
		ours = append(ours, w)
		if to == nil {
			to = io.Discard
		}
		reading.Go(func() {
			defer r.Close()
			_, _ = io.Copy(both{kept, to}, r)
		})
		return w, nil
	}
	closeOurs := func() {
		for _, f := range ours {
			_ = f.Close()
		}
	}
	var err error
	if cmd.Stdout, err = pipe(p.o.Stdout, &p.out); err == nil {
		cmd.Stderr, err = pipe(p.o.Stderr, &p.err)
	}
	if err == nil {
		err = cmd.Start()
	}
	closeOurs()
	if err != nil {
		return err
	}
	p.begun(cmd.Process.Pid, first)
	if first {
		started <- nil
	}
	over := make(chan struct{})
	reading.Go(func() { p.watch(over) })
	_ = cmd.Wait() // how it ended is in ProcessState
	close(over)
	p.over(cmd.ProcessState, &reading)
	return nil
}

// both writes to what is kept and to where it is shown; nothing that fails there ends the reading, since a
// process with a full pipe would stand still.
type both struct {
	kept *tail
	to   io.Writer
}

func (b both) Write(p []byte) (int, error) {
	_, _ = b.kept.Write(p)
	_, _ = b.to.Write(p)
	return len(p), nil
}

func (p *Process) begun(pid int, first bool) {
	m := watchMemory(pid)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.id, p.running, p.dying, p.started, p.memory, p.kills = pid, true, false, time.Now(), m, 0
	if !first {
		p.restarts++
		if n := len(p.endings); n > 0 {
			p.endings[n-1].Again, p.endings[n-1].Next = p.started, pid
		}
	}
	p.change()
	p.log.Info("the upstream was started", "program", p.name, "pid", pid)
}

// watch looks every second whether the control group's counter has risen, so that its rise has a time.
func (p *Process) watch(over <-chan struct{}) {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-over:
			return
		case <-t.C:
			p.mu.Lock()
			m := p.memory
			p.mu.Unlock()
			p.risen(m, time.Time{})
		}
	}
}

// lastWords is how long is waited for what an ended process wrote: those whom it leaves behind may hold the
// pipe open.
const lastWords = 50 * time.Millisecond

func (p *Process) over(state *os.ProcessState, reading *sync.WaitGroup) {
	now := time.Now()
	p.mu.Lock()
	p.running, p.dying = false, true
	p.change()
	m, pid, ran := p.memory, p.id, now.Sub(p.started)
	p.mu.Unlock()

	read := make(chan struct{})
	go func() {
		reading.Wait()
		close(read)
	}()
	select {
	case <-read:
	case <-time.After(lastWords):
	}
	e := &ending{pid: pid, at: now, code: state.ExitCode()}
	e.Code, e.Ran = e.code, ran
	if s, ok := state.Sys().(syscall.WaitStatus); ok && s.Signaled() {
		e.Signal, e.Code = signalName(s.Signal()), 128+int(s.Signal())
		if s.Signal() == syscall.SIGKILL {
			e.OutOfMemory, e.known = outOfMemory(m, pid)
		}
	}
	p.mu.Lock()
	p.ended, p.dying = e, false
	p.ends()
	p.change()
	leaving := p.leaving
	p.mu.Unlock()
	level := slog.LevelWarn
	if leaving || e.Code == 0 {
		level = slog.LevelInfo
	}
	p.log.Log(context.Background(), level, "the upstream has ended", "program", p.name, "pid", pid, "how", e.String())
}

// outOfMemory says how it is known that the kernel ended a process for want of memory.
func outOfMemory(m *memory, pid int) (how string, counted bool) {
	n, counted := m.kills()
	if l := m.killed(pid); l != "" {
		return "the kernel's log: " + l, counted
	}
	if n > 0 {
		return fmt.Sprintf("the OOM killer's counter of its control group rose by %d while it ran", n), counted
	}
	return "", counted
}

// change wakes those who wait for one. mu is held.
func (p *Process) change() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// signalName is "SIGKILL" for the signals that end processes, else "signal 42".
func signalName(s syscall.Signal) string {
	switch s {
	case syscall.SIGHUP:
		return "SIGHUP"
	case syscall.SIGINT:
		return "SIGINT"
	case syscall.SIGQUIT:
		return "SIGQUIT"
	case syscall.SIGILL:
		return "SIGILL"
	case syscall.SIGTRAP:
		return "SIGTRAP"
	case syscall.SIGABRT:
		return "SIGABRT"
	case syscall.SIGBUS:
		return "SIGBUS"
	case syscall.SIGFPE:
		return "SIGFPE"
	case syscall.SIGKILL:
		return "SIGKILL"
	case syscall.SIGSEGV:
		return "SIGSEGV"
	case syscall.SIGPIPE:
		return "SIGPIPE"
	case syscall.SIGALRM:
		return "SIGALRM"
	case syscall.SIGTERM:
		return "SIGTERM"
	case syscall.SIGUSR1:
		return "SIGUSR1"
	case syscall.SIGUSR2:
		return "SIGUSR2"
	case syscall.SIGXCPU:
		return "SIGXCPU"
	case syscall.SIGSYS:
		return "SIGSYS"
	}
	return fmt.Sprintf("signal %d", int(s))
}
