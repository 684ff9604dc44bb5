//go:build unix

package listen

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// handoverEnv tells a process that it takes over from its parent, whose number it holds: a process
// that is started by the one that takes over does not believe it.
const handoverEnv = "CAUSEWAY_HANDOVER"

// The descriptors of the one who takes over: what the one before says, what it says to that one, and
// then what it is given.
const (
	hearFD = firstPassed + iota
	sayFD
	givenFD
)

// manifest is the first line that the one before says.
type manifest struct {
	Files []handed `json:"files"`
}

// handed names one descriptor.
type handed struct {
	Role    string `json:"role"`
	Address string `json:"address,omitempty"`
	Copy    int    `json:"copy,omitempty"`
}

// longestWord is the most bytes that one who takes over may say.
const longestWord = 1 << 20

// word is what the one who takes over says.
type word struct {
	Serving bool   `json:"serving,omitempty"`
	Error   string `json:"error,omitempty"`
	// Left are the sockets that it listens at no more.
	Left []handed `json:"left,omitempty"`
}

// Inheritance is what the process before this one has handed over. A nil one holds nothing.
type Inheritance struct {
	Predecessor int // its process number

	hear *os.File
	say  *os.File
	gone chan struct{}

	mu      sync.Mutex
	names   []handed
	files   []*os.File  // nil once taken
	adopted []*Listener // what was made of them
}

// Inherit takes what the process before has handed over; nil when this one was not started by one
// that hands over. The caller says Serving or Failed, and closes it.
func Inherit() (*Inheritance, error) {
	parent := os.Getenv(handoverEnv)
	_ = os.Unsetenv(handoverEnv) // fails for a name that is none alone
	predecessor, err := strconv.Atoi(parent)
	if err != nil || predecessor <= 0 || parent != strconv.Itoa(os.Getppid()) && !orphaned() {
		return nil, nil
	}
	for fd := hearFD; fd < givenFD; fd++ {
		unix.CloseOnExec(fd)
		if err := unix.SetNonblock(fd, true); err != nil { // else closing would not end a read
			return nil, fmt.Errorf("taking over from process %s: nothing is handed over: %w", parent, err)
		}
	}
	i := &Inheritance{
		Predecessor: predecessor, gone: make(chan struct{}),
		hear: os.NewFile(hearFD, "predecessor"), say: os.NewFile(sayFD, "to predecessor"),
	}
	from := bufio.NewReader(i.hear)
	line, err := from.ReadBytes('\n')
	var m manifest
	if err == nil {
		err = json.Unmarshal(line, &m)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("taking over from process %s: what it hands over cannot be read: %w", parent, err), i.hear.Close(), i.say.Close())
	}
	i.names = m.Files
	for n := range m.Files {
		unix.CloseOnExec(givenFD + n)
		i.files = append(i.files, os.NewFile(uintptr(givenFD+n), m.Files[n].Role))
	}
	go func() {
		defer close(i.gone)
		_, _ = io.Copy(io.Discard, from) // it says no more, and ends
	}()
	return i, nil
}

// endOfKilled is how long the end of a killed process may take.
const endOfKilled = time.Second

// orphaned tells whether the process that started this one was killed before this one could look, and
// had opened what it hands over: pipes, the first of which nobody writes to any more.
func orphaned() bool {
	for fd := hearFD; fd < givenFD; fd++ {
		var s unix.Stat_t
		if err := unix.Fstat(fd, &s); err != nil || s.Mode&unix.S_IFMT != unix.S_IFIFO {
			return false
		}
	}
	// Its threads end one after the other: this process may have another parent before the last of them has let go of
	// the descriptors. What has been written is there to be read meanwhile, so only the end is waited for.
	p := []unix.PollFd{{Fd: hearFD}}
	for until := time.Now().Add(endOfKilled); ; {
		n, err := unix.Poll(p, int(max(time.Until(until).Milliseconds(), 0)))
		if !errors.Is(err, unix.EINTR) {
			return err == nil && n == 1 && p[0].Revents&unix.POLLHUP != 0
		}
	}
}

// sameAddress tells whether two addresses of the configuration are one for the system.
func sameAddress(a, b string) bool {
	return a == b || strings.HasPrefix(a, ":") && b == "[::]"+a || strings.HasPrefix(b, ":") && a == "[::]"+b
}

// take gives the sockets that were handed over for an address, in their order.
func (i *Inheritance) take(role, address string) (files []*os.File) {
	if i == nil {
		return nil
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	for n, name := range i.names {
		if f := i.files[n]; f != nil && name.Role == role && sameAddress(name.Address, address) {
			files = append(files, f)
			i.files[n] = nil
		}
	}
	return files
}

// overlaps is an address that was handed over and is not taken, with the port of this one; "" for none.
func (i *Inheritance) overlaps(address string) string {
	_, port, err := net.SplitHostPort(address)
	if i == nil || err != nil {
		return ""
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	for n, name := range i.names {
		if _, p, err := net.SplitHostPort(name.Address); err == nil && p == port && i.files[n] != nil {
			return name.Address
		}
	}
	return ""
}

// keep notes listeners that were made of what was handed over: until this process serves, the names of
// their Unix sockets are the other one's.
func (i *Inheritance) keep(list []*Listener) {
	if i == nil {
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, l := range list {
		l.Forsake()
	}
	i.adopted = append(i.adopted, list...)
}

// File gives what was handed over in a role and is no socket to listen at; nil when nothing was. It is
// the caller's.
func (i *Inheritance) File(role string) *os.File {
	if files := i.take(role, ""); len(files) > 0 {
		return files[0]
	}
	return nil
}

// Serving tells the process before that this one accepts connections, so that it need not any more,
// and closes what nobody has taken.
func (i *Inheritance) Serving() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	w := word{Serving: true}
	for n, f := range i.files {
		if f != nil {
			w.Left = append(w.Left, i.names[n])
		}
	}
	err := i.speak(w)
	for _, l := range i.adopted {
		l.own()
	}
	for n, f := range i.files {
		if f != nil {
			_ = f.Close()
			i.files[n] = nil
		}
	}
	if err != nil {
		return fmt.Errorf("taking over from process %d: %w", i.Predecessor, err)
	}
	return nil
}

// Failed tells the process before that this one cannot take over.
func (i *Inheritance) Failed(why error) {
	_ = i.speak(word{Error: why.Error()}) // else it sees this one's end
}

func (i *Inheritance) speak(w word) error {
	line, err := json.Marshal(w)
	if err == nil {
		_, err = i.say.Write(append(line, '\n'))
	}
	return err
}

// Gone is closed when the process before has ended.
func (i *Inheritance) Gone() <-chan struct{} { return i.gone }

// Close ends the talk. Gone is closed then.
func (i *Inheritance) Close() error {
	err := errors.Join(i.hear.Close(), i.say.Close())
	<-i.gone
	return err
}

// HandOver says what is started, and what it is given.
type HandOver struct {
	Path string // see Program
	Args []string
	// Listeners are given with their addresses, Files by role.
	Listeners []*Listener
	Files     map[string]*os.File
	// Patience is how long the new process may take to serve.
	Patience time.Duration
}

// Successor is the process that has taken over. Its pipes stay open as long as this process lives.
type Successor struct {
	PID  int
	cmd  *exec.Cmd
	say  *os.File
	hear *os.File
	left []handed
}

// Serves tells whether it listens at what l does: then the name of a Unix socket is its own from now on.
func (s *Successor) Serves(l *Listener) bool {
	return !slices.Contains(s.left, handed{Role: l.Spec.Role, Address: l.Spec.Address, Copy: l.copy})
}

// Start runs the program and waits until it serves. An error says why it does not; then it has ended,
// and everything is as before. When ctx ends the new process is killed.
func Start(ctx context.Context, h HandOver) (_ *Successor, err error) {
	var m manifest
	var files []*os.File // the descriptors that the new process gets; ours are closed again
	defer func() {
		for _, f := range files {
			_ = f.Close()
		}
	}()
	hearTheirs, sayOurs, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("handing over: %w", err)
	}
	hearOurs, sayTheirs, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("handing over: %w", err), hearTheirs.Close(), sayOurs.Close())
	}
	s := &Successor{say: sayOurs, hear: hearOurs}
	files = append(files, hearTheirs, sayTheirs)
	defer func() {
		if err != nil {
			_ = s.close()
		}
	}()
	for _, l := range h.Listeners {
		f, err := l.file()
		if err != nil {
			return nil, fmt.Errorf("handing over %s: %w", l.Name(), err)
		}
		files = append(files, f)
		m.Files = append(m.Files, handed{Role: l.Spec.Role, Address: l.Spec.Address, Copy: l.copy})
	}
	passed := slices.Clone(files)
	for role, f := range h.Files {
		passed = append(passed, f)
		m.Files = append(m.Files, handed{Role: role})
	}
	line, err := json.Marshal(m)
	if err == nil {
		_, err = sayOurs.Write(append(line, '\n'))
	}
	if err != nil {
		return nil, fmt.Errorf("handing over: %w", err)
	}
	s.cmd = exec.Command(h.Path, h.Args...)
	s.cmd.Env = append(withoutOurs(os.Environ()), handoverEnv+"="+strconv.Itoa(os.Getpid()))
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	s.cmd.ExtraFiles = passed
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("handing over: the program cannot be started: %w", err)
	}
	s.PID = s.cmd.Process.Pid
	for _, f := range files[:2] { // so that its end is seen on the pipes
		_ = f.Close()
	}
	if err := s.await(ctx, h.Patience); err != nil {
		_ = s.cmd.Process.Kill() // it may have ended
		_ = s.cmd.Wait()
		if errors.Is(err, io.EOF) {
			err = fmt.Errorf("it ended before it served (%s); its standard error says why", s.cmd.ProcessState)
		}
		return nil, fmt.Errorf("handing over to process %d: %w", s.PID, err)
	}
	return s, nil
}

// await reads what the new process says first.
func (s *Successor) await(ctx context.Context, patience time.Duration) error {
	stop := context.AfterFunc(ctx, func() { _ = s.hear.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := s.hear.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	line, err := bufio.NewReader(io.LimitReader(s.hear, longestWord)).ReadBytes('\n')
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("it does not serve after %s", patience)
	case err != nil && len(line) < longestWord:
		return io.EOF
	}
	var w word
	if err := json.Unmarshal(line, &w); err != nil {
		return fmt.Errorf("it says what cannot be understood: %w", err)
	}
	if !w.Serving {
		return errors.New(w.Error)
	}
	s.left = w.Left
	return nil
}

func (s *Successor) close() error { return errors.Join(s.say.Close(), s.hear.Close()) }

// withoutOurs leaves out what is said to one process alone.
func withoutOurs(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return name == handoverEnv || name == "LISTEN_PID" || name == "LISTEN_FDS" || name == "LISTEN_FDNAMES"
	})
}

// Program is the path under which this program was started, for HandOver.Path: what stands there when
// it hands over is what is started. It is asked once, at the start: the working folder and PATH may
// change.
func Program() (string, error) {
	if len(os.Args) > 0 && os.Args[0] != "" {
		path, err := exec.LookPath(os.Args[0])
		if err == nil || errors.Is(err, exec.ErrDot) {
			if path, err = filepath.Abs(path); err == nil {
				return path, nil
			}
		}
	}
	path, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("finding this program's file: %w", err)
	}
	return path, nil
}
