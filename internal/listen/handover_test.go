package listen

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// handOver starts the child that what names with the listener.
func handOver(t *testing.T, ctx context.Context, what string, l *Listener, patience time.Duration) (*Successor, error) {
	t.Helper()
	return handOverFor(t, ctx, what, l.Spec.Address, l, patience)
}

// handOverFor is handOver to a child that is to listen at another address.
func handOverFor(t *testing.T, ctx context.Context, what, address string, l *Listener, patience time.Duration) (*Successor, error) {
	t.Helper()
	t.Setenv(childEnv, what)
	t.Setenv(addressEnv, address)
	t.Setenv("LISTEN_FDS", "1")
	note, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer note.Close()
	if _, err := w.WriteString("a note"); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	return Start(ctx, HandOver{
		Path: os.Args[0], Args: []string{"-test.run=^$"}, Listeners: []*Listener{l}, Files: map[string]*os.File{"note": note}, Patience: patience,
	})
}

func TestASuccessorTakesTheAddressOver(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "unix:" + filepath.Join(shortDir(t), "s")} {
		t.Run(address, func(t *testing.T) {
			l := openAll(t, Spec{Role: "gateway", Setting: "--listen", Address: address})[0]
			network, at := "tcp", l.Name()
			if path, ok := strings.CutPrefix(at, "unix:"); ok {
				network, at = "unix", path
			}
			// A connection that waits in the queue, which nobody here takes.
			waiting, err := net.Dial(network, at)
			if err != nil {
				t.Fatal(err)
			}
			defer waiting.Close()
			s, err := handOver(t, t.Context(), "serve", l, time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = s.cmd.Wait() }()
			l.Forsake()
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := waiting.Write([]byte("hello")); err != nil {
				t.Fatal(err)
			}
			b := make([]byte, 100)
			_ = waiting.SetDeadline(time.Now().Add(10 * time.Second))
			n, err := waiting.Read(b)
			if want := fmt.Sprintf("%d got a note", s.PID); err != nil || string(b[:n]) != want {
				t.Errorf("the connection that waited: %q, %v, want %q", b[:n], err, want)
			}
			if err := s.close(); err != nil { // as when this process ends
				t.Error(err)
			}
			if got, want := ask(t, network, at, "gone"), fmt.Sprintf("%d sees the end of %d, env \"\"", s.PID, os.Getpid()); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
			_ = ask(t, network, at, "end")
			if err := s.cmd.Wait(); err != nil {
				t.Error(err)
			}
			if network == "unix" {
				if _, err := os.Lstat(at); !os.IsNotExist(err) {
					t.Errorf("the socket's name is left by the one that served it last: %v", err)
				}
			}
		})
	}
}

func TestASuccessorThatDoesNotServeChangesNothing(t *testing.T) {
	l := openAll(t, Spec{Role: "gateway", Setting: "--listen", Address: "127.0.0.1:0"})[0]
	ended, end := context.WithCancelCause(t.Context())
	defer end(nil)
	for _, c := range []struct {
		what     string
		ctx      context.Context
		patience time.Duration
		says     string
	}{
		{"fail", t.Context(), time.Minute, "the configuration is wrong"},
		{"end", t.Context(), time.Minute, "it ended before it served (exit status 3)"},
		{"sleep", t.Context(), 50 * time.Millisecond, "does not serve after 50ms"},
		{"babble", t.Context(), time.Minute, "cannot be understood"},
		{"babble on", t.Context(), time.Minute, "cannot be understood"},
		{"sleep", ended, time.Minute, "stopping"},
	} {
		if c.says == "stopping" {
			time.AfterFunc(50*time.Millisecond, func() { end(errors.New("stopping")) })
		}
		s, err := handOver(t, c.ctx, c.what, l, c.patience)
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %+v, %v; want %q", c.what, s, err, c.says)
		}
		if s != nil {
			t.Errorf("%s: a successor", c.what)
		}
	}
	if _, err := Start(t.Context(), HandOver{Path: filepath.Join(t.TempDir(), "none"), Patience: time.Minute}); err == nil || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a program that is not there: %v", err)
	}
	stillServes(t, l)
}

// stillServes tells whether a listener that was handed to another process accepts, and can be closed
// while it waits: a socket that was made to block would wait on.
func stillServes(t *testing.T, l *Listener) {
	t.Helper()
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 1))
			_, _ = c.Write([]byte("here"))
			_ = c.Close()
		}
	}()
	network, at := "tcp", l.Name()
	if path, ok := strings.CutPrefix(at, "unix:"); ok {
		network, at = "unix", path
	}
	for range 3 {
		if got := ask(t, network, at, "x"); got != "here" {
			t.Errorf("the listener gives %q", got)
		}
	}
	closed := make(chan error, 1)
	go func() { closed <- l.Close() }()
	select {
	case err := <-closed:
		if err != nil {
			t.Error(err)
		}
		<-stopped
	case <-time.After(10 * time.Second):
		t.Error("closing the listener waits for a connection")
		_ = answers(network, at)
	}
}

func TestAUnixSocketSurvivesAHandOverThatFails(t *testing.T) {
	for _, what := range []string{"end", "refuse"} {
		l := openAll(t, Spec{Role: "gateway", Setting: "--listen", Address: "unix:" + filepath.Join(shortDir(t), "s")})[0]
		if _, err := handOver(t, t.Context(), what, l, time.Minute); err == nil {
			t.Fatalf("%s: it was handed over", what)
		}
		stillServes(t, l)
	}
}

// What the next process is told to do with a Unix socket holds: its mode, and whether it listens there.
func TestAUnixSocketChangesWithTheProcess(t *testing.T) {
	path := filepath.Join(shortDir(t), "s")
	l := openAll(t, Spec{Role: "gateway", Setting: "--listen", Address: "unix:" + path, Mode: 0o600})[0]
	s, err := handOver(t, t.Context(), "serve", l, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != DefaultMode {
		t.Errorf("%v, %v; want %v", info, err, DefaultMode)
	}
	if !s.Serves(l) {
		t.Error("the process that took it over does not serve it")
	}
	_ = ask(t, "unix", path, "end")
	if err := s.cmd.Wait(); err != nil {
		t.Error(err)
	}

	l = openAll(t, Spec{Role: "gateway", Setting: "--listen", Address: "unix:" + path})[0]
	if s, err = handOverFor(t, t.Context(), "serve", "unix:"+path+"2", l, time.Minute); err != nil {
		t.Fatal(err)
	}
	if s.Serves(l) {
		t.Error("the next process listens elsewhere and serves it")
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("the name that nobody serves is left: %v", err)
	}
	_ = ask(t, "unix", path+"2", "end")
	if err := s.cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// An address of another form for the same port cannot be opened beside the one before, and the error says so.
func TestAnAddressThatOverlapsTheOneBefore(t *testing.T) {
	l := openAll(t, Spec{Role: "gateway", Setting: "--listen", Address: "127.0.0.1:0"})[0]
	_, port, err := net.SplitHostPort(l.Name())
	if err != nil {
		t.Fatal(err)
	}
	l.Spec.Address = l.Name()
	if _, err := handOverFor(t, t.Context(), "serve", "0.0.0.0:"+port, l, time.Minute); err == nil || !strings.Contains(err.Error(), "the process before listens at "+l.Name()) {
		t.Errorf("got %v", err)
	}
	for _, same := range [][2]string{{":80", "[::]:80"}, {"[::]:80", ":80"}, {"a:80", "a:80"}} {
		if !sameAddress(same[0], same[1]) {
			t.Errorf("%v are two", same)
		}
	}
	if sameAddress(":80", "0.0.0.0:80") || sameAddress(":80", ":81") {
		t.Error("two addresses are taken for one")
	}
}

// The process before may be killed before the next one has begun: that one finds what it was given.
func TestAKilledPredecessor(t *testing.T) {
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), childEnv+"=predecessor", addressEnv+"=127.0.0.1:0")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	lines.Scan()
	address := lines.Text()
	if !lines.Scan() || lines.Text() != "here" {
		t.Fatalf("the next process says %q", lines.Text())
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_, _ = cmd.Process.Wait() // cmd.Wait would wait for the next process, which has the pipe
	if got := ask(t, "tcp", address, "hello"); !strings.HasSuffix(got, " got a note") {
		t.Errorf("the next process answers %q", got)
	}
	if got, want := ask(t, "tcp", address, "gone"), fmt.Sprintf("sees the end of %d,", cmd.Process.Pid); !strings.Contains(got, want) {
		t.Errorf("got %q, want %q in it", got, want)
	}
	_ = ask(t, "tcp", address, "end")
}

func TestNothingIsInheritedByChance(t *testing.T) {
	for _, parent := range []string{"", "1", "me", fmt.Sprint(os.Getpid())} {
		t.Setenv(handoverEnv, parent)
		if in, err := Inherit(); in != nil || err != nil {
			t.Errorf("from %q: %v, %v", parent, in, err)
		}
	}
	var none *Inheritance
	if none.File("lock") != nil {
		t.Error("nothing holds a file")
	}
}

func TestTheProgramsPathIsTheOneItWasStartedUnder(t *testing.T) {
	args := os.Args
	defer func() { os.Args = args }()
	dir := t.TempDir()
	program := filepath.Join(dir, "causeway")
	if err := os.WriteFile(program, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "current")
	if err := os.Symlink(program, link); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	t.Setenv("PATH", dir)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for given, want := range map[string]string{
		program: program, link: link, "./current": link, "causeway": program, "none": self, "": self,
	} {
		os.Args = []string{given}
		if got, err := Program(); err != nil || got != want {
			t.Errorf("%q: %s, %v, want %s", given, got, err, want)
		}
	}
}
