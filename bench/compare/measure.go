package main

import (
	"bufio"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

//go:embed client.py
var clientProgram string

// caller is Python with its clients, asked for one call at a time.
type caller struct {
	cmd      *exec.Cmd
	in       io.WriteCloser
	out      *bufio.Scanner
	versions struct{ Requests, Httpx, Python string }
}

// seen is what a client printed of one call.
type seen struct {
	Status     int
	Said, Body string
}

func startCaller(ctx context.Context) (*caller, error) {
	c := &caller{cmd: exec.CommandContext(ctx, "/usr/bin/python3", "-c", clientProgram)}
	c.cmd.Stderr = os.Stderr
	c.cmd.Env = append(os.Environ(), "NO_PROXY=*", "no_proxy=*")
	in, err := c.cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("starting Python: %w", err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("starting Python: %w", err)
	}
	c.in, c.out = in, bufio.NewScanner(out)
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting Python: %w", err)
	}
	if err := c.read(&c.versions); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func (c *caller) read(into any) error {
	if !c.out.Scan() {
		return errors.Join(errors.New("the Python client ended: are python3-requests and python3-httpx installed?"), c.out.Err())
	}
	return json.Unmarshal(c.out.Bytes(), into)
}

func (c *caller) call(client, url string) (s seen, err error) {
	if _, err := fmt.Fprintln(c.in, client, url); err != nil {
		return s, fmt.Errorf("asking Python: %w", err)
	}
	return s, c.read(&s)
}

func (c *caller) close() {
	_ = c.in.Close()
	_ = c.cmd.Wait() // its end says nothing new
}

// result is what one proxy told.
type result struct {
	proxy    proxy
	version  string
	outcomes []outcome // in the order of the faults
}

type outcome struct {
	requests, httpx seen
	log             []string
}

// tail keeps what a program writes.
type tail struct {
	mu   sync.Mutex
	text strings.Builder
	path string // of the log, when it is a file
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.Write(p)
}

func (t *tail) now() string {
	if t.path != "" {
		b, _ := os.ReadFile(t.path) // not there before the first line
		return string(b)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}

// after waits until the log has grown since it was that long and rests, or the time is over, and returns what is new.
func (t *tail) after(was int, within time.Duration) string {
	deadline := time.Now().Add(within)
	for size := was; ; {
		time.Sleep(150 * time.Millisecond)
		text := t.now()
		if len(text) > was && len(text) == size || time.Now().After(deadline) {
			return text[was:]
		}
		size = len(text)
	}
}

// measure starts a proxy before the faults and makes the calls.
func measure(ctx context.Context, p proxy, dir string, list []provoked, resolver string, c *caller) (result, error) {
	r := result{proxy: p, version: versionOf(p.version)}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return r, fmt.Errorf("making its folder: %w", err)
	}
	addr, err := freeAddress()
	if err != nil {
		return r, err
	}
	command, err := p.start(dir, addr, list, resolver)
	if err != nil {
		return r, fmt.Errorf("writing its configuration: %w", err)
	}
	log := &tail{}
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // with its own children, which end with it
	if err := cmd.Start(); err != nil {
		return r, fmt.Errorf("starting it: %w", err)
	}
	defer func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait() // it was killed
	}()
	if err := await(ctx, addr); err != nil {
		return r, fmt.Errorf("%w; it printed:\n%s", err, log.now())
	}
	if p.log != "" {
		log.path = filepath.Join(dir, p.log)
	}
	for _, f := range list {
		if err := ctx.Err(); err != nil {
			return r, err
		}
		var o outcome
		url := "http://" + addr + "/" + f.name + "/x"
		was := len(log.now())
		if o.requests, err = c.call("requests", url); err != nil {
			return r, err
		}
		for line := range strings.Lines(log.after(was, 1200*time.Millisecond)) {
			if line = p.line(strings.TrimSpace(line)); line != "" {
				o.log = append(o.log, line)
			}
		}
		if o.httpx, err = c.call("httpx", url); err != nil {
			return r, err
		}
		log.after(len(log.now()), 300*time.Millisecond)
		o.plain(addr, dir)
		r.outcomes = append(r.outcomes, o)
	}
	return r, nil
}

// plain takes out what differs from run to run.
func (o *outcome) plain(addr, dir string) {
	to := strings.NewReplacer(addr, "GATEWAY", dir, "DIR")
	for _, s := range []*seen{&o.requests, &o.httpx} {
		s.Said, s.Body = to.Replace(s.Said), to.Replace(s.Body)
	}
	for i := range o.log {
		o.log[i] = to.Replace(o.log[i])
	}
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("finding a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// await waits until somebody listens.
func await(ctx context.Context, addr string) error {
	for deadline := time.Now().Add(15 * time.Second); ctx.Err() == nil && time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if conn, err := net.Dial("tcp", addr); err == nil {
			return conn.Close()
		}
	}
	return errors.Join(errors.New("it does not listen"), ctx.Err())
}
