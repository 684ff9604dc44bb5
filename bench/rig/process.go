// Package rig starts and ends what a benchmark run needs: the mock upstream, the proxies, each
// pinned to its core, and the load generator, and reads their memory. It must be used from one
// goroutine that is locked to its thread: the cores are set through that thread, and the kernel
// ends the children of a thread that dies.
package rig

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Process is one child process. Stop must be called.
type Process struct {
	name   string
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	output string        // the file with its standard error, and its standard output but for piped ones
	ended  chan struct{} // closed when it has exited
	lines  chan string   // standard output line by line, when asked for
}

// start runs a command on one core. Its standard error goes to a file in dir; with lines its
// standard output can be read from Process.lines.
func start(core int, dir, name string, lines bool, command ...string) (*Process, error) {
	output := filepath.Join(dir, name+".out")
	file, err := os.Create(output)
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	defer file.Close()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stderr = file
	// A group of its own, so that Ctrl-C at the terminal reaches only us and we end things in order;
	// the death signal, so that nothing outlives us when we can't.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	p := &Process{name: name, cmd: cmd, output: output, ended: make(chan struct{})}
	if p.stdin, err = cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	var stdout io.ReadCloser
	if lines {
		if stdout, err = cmd.StdoutPipe(); err != nil {
			return nil, fmt.Errorf("starting %s: %w", name, err)
		}
		p.lines = make(chan string, 64)
	} else {
		cmd.Stdout = file
	}
	if err := onCore(core, cmd.Start); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	go p.watch(stdout)
	return p, nil
}

// watch hands out lines until the process closes its output, and then waits for its end.
func (p *Process) watch(stdout io.Reader) {
	if stdout != nil {
		scanner := bufio.NewScanner(stdout)
		for scanner.Scan() {
			select {
			case p.lines <- scanner.Text():
			default: // nobody reads any more, and a full pipe would stop the process
			}
		}
		close(p.lines)
	}
	_ = p.cmd.Wait() // how it ended is told where its end is a fault
	close(p.ended)
}

// line waits for a line of standard output that begins with prefix.
func (p *Process) line(ctx context.Context, prefix string, patience time.Duration) (string, error) {
	timeout := time.After(patience)
	for {
		select {
		case line, open := <-p.lines:
			if !open {
				return "", p.fault(ctx, "ended before it said \""+strings.TrimSpace(prefix)+"\"")
			}
			if strings.HasPrefix(line, prefix) {
				return line, nil
			}
		case <-timeout:
			return "", p.fault(ctx, fmt.Sprintf("did not say %q within %v", strings.TrimSpace(prefix), patience))
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

// fault is what went wrong with a process, with its last words.
func (p *Process) fault(ctx context.Context, what string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	const most = 600
	text, _ := os.ReadFile(p.output) // without last words the rest still helps
	if len(text) > most {
		text = text[len(text)-most:]
	}
	return fmt.Errorf("%s %s: %s", p.name, what, strings.TrimSpace(string(text)))
}

func (p *Process) exited() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// Stop asks the process to end and, after a while, ends it. It may be called again.
func (p *Process) Stop() {
	_ = p.stdin.Close() // the engine's sign to end
	if p.exited() {
		return
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // an error is a process that has just ended
	const patience = 5 * time.Second
	select {
	case <-p.ended:
	case <-time.After(patience):
		// Its whole group: nginx's worker would outlive its master.
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		<-p.ended
	}
}

// Cores are the two cores that this process may run on and that a benchmark uses.
type Cores struct{ Load, Proxy int }

// FindCores picks the first and the last core that this process may use.
func FindCores() (Cores, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return Cores{}, fmt.Errorf("reading the cores this process may use: %w", err)
	}
	found := []int{}
	for core := range len(set) * 64 {
		if set.IsSet(core) {
			found = append(found, core)
		}
	}
	if len(found) < 2 {
		return Cores{}, errors.New("the benchmark needs two cores, one for the proxies and one for the load, and this process may use only one")
	}
	return Cores{Load: found[0], Proxy: found[len(found)-1]}, nil
}

// onCore runs f with this thread pinned to a core, which processes started by f inherit.
func onCore(core int, f func() error) error {
	var before, only unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return fmt.Errorf("reading this thread's cores: %w", err)
	}
	only.Set(core)
	if err := unix.SchedSetaffinity(0, &only); err != nil {
		return fmt.Errorf("pinning to core %d: %w", core, err)
	}
	err := f()
	return errors.Join(err, unix.SchedSetaffinity(0, &before))
}

// RaiseDescriptors raises this process's limit of open files, which children inherit, to the hard
// limit, and returns it.
func RaiseDescriptors() (uint64, error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("reading the limit of open files: %w", err)
	}
	limit.Cur = limit.Max
	// Through package syscall: it then knows that the limit was changed on purpose, and children
	// get the new one rather than the one this process began with.
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: limit.Cur, Max: limit.Max}); err != nil {
		return 0, fmt.Errorf("raising the limit of open files: %w", err)
	}
	return limit.Max, nil
}
