package rig

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// The proxies' names. Direct is the mock without a proxy.
const (
	Direct   = "direct"
	Nginx    = "nginx"
	HAProxy  = "haproxy"
	Causeway = "causeway"
	HTTPUtil = "httputil"
)

// Target is something to load: a running proxy, or the mock itself.
type Target struct {
	Name string
	Addr string
	// PIDs are the processes whose CPU and memory are the target's: nginx's worker without its
	// master, for the others the one process.
	PIDs []int
	Core int // that they run on
	// Quiet is how long the target must do nothing before its work counts as done.
	Quiet time.Duration
}

// Memory is the memory of the target's processes together.
func (t *Target) Memory() (Memory, error) {
	var sum Memory
	for _, pid := range t.PIDs {
		m, err := ReadMemory(pid)
		if err != nil {
			return Memory{}, fmt.Errorf("%s: %w", t.Name, err)
		}
		sum.Now += m.Now
		sum.Peak += m.Peak
	}
	return sum, nil
}

// Quiet times: nginx and HAProxy do their work within the call, a Go program may collect garbage
// and write its log afterwards, in batches that come up to twice a second.
const (
	shortQuiet = 100 * time.Millisecond
	longQuiet  = 600 * time.Millisecond
)

const startPatience = 10 * time.Second

// Rig starts processes and ends them. Its zero value is not usable: fill every field.
type Rig struct {
	Cores       Cores
	Descriptors uint64 // the limit of open files that children have
	Dir         string // for configurations, logs and data; the caller removes it
	Binary      string // the causeway program; "" when it takes no part
	Self        string // this program, for the engine and the baseline
	Key         string // the caller's key
	// TLS, when not nil, makes the proxies that are started speak TLS with it.
	TLS       *Certificate
	processes []*Process
}

// NewKey is a key for the load to show, new for every run of the benchmark.
func NewKey() string { return "bench-" + strings.ToLower(rand.Text()) }

// StopAll ends every process that the rig started, the last one first.
func (r *Rig) StopAll() {
	for len(r.processes) > 0 {
		last := len(r.processes) - 1
		r.processes[last].Stop()
		r.processes = r.processes[:last]
	}
}

func (r *Rig) start(core int, dir, name string, lines bool, command ...string) (*Process, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	p, err := start(core, dir, name, lines, command...)
	if err == nil {
		r.processes = append(r.processes, p)
	}
	return p, err
}

// FindProgram finds a program in PATH or where Debian puts servers; the error names the package.
func FindProgram(name, debianPackage string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/sbin", "/usr/local/sbin"} {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s was not found in PATH or /usr/sbin: on Debian, apt-get install %s", name, debianPackage)
}

// Start starts the named proxy before the mock at upstream, on the proxies' core, its files in a
// folder of its own below dir, and waits until it listens.
func (r *Rig) Start(ctx context.Context, name, dir, upstream string) (Target, error) {
	dir = filepath.Join(dir, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return Target{}, fmt.Errorf("starting %s: %w", name, err)
	}
	listen, err := freeAddr()
	if err != nil {
		return Target{}, err
	}
	s := settings{Dir: dir, Listen: listen, Upstream: upstream, Key: r.Key, Descriptors: r.Descriptors, TLS: r.TLS}
	switch name {
	case Nginx:
		return r.startNginx(ctx, s)
	case HAProxy:
		return r.startHAProxy(ctx, s)
	case Causeway:
		return r.startCauseway(ctx, s)
	case HTTPUtil:
		return r.startHTTPUtil(ctx, s)
	}
	return Target{}, fmt.Errorf("there is no proxy %q", name)
}

func (r *Rig) startNginx(ctx context.Context, s settings) (Target, error) {
	program, err := FindProgram("nginx", "nginx-light")
	if err != nil {
		return Target{}, err
	}
	config, err := writeConfig(nginxTemplate, s, "nginx.conf")
	if err != nil {
		return Target{}, err
	}
	p, err := r.start(r.Cores.Proxy, s.Dir, Nginx, false, program, "-e", filepath.Join(s.Dir, "start.log"), "-p", s.Dir, "-c", config)
	if err != nil {
		return Target{}, err
	}
	if err := p.listening(ctx, s.Listen); err != nil {
		return Target{}, err
	}
	for deadline := time.Now().Add(startPatience); ; time.Sleep(10 * time.Millisecond) {
		workers, err := childrenOf(p.cmd.Process.Pid)
		if err != nil {
			return Target{}, fmt.Errorf("finding nginx's worker: %w", err)
		}
		if len(workers) == 1 {
			return Target{Name: Nginx, Addr: s.Listen, PIDs: workers, Core: r.Cores.Proxy, Quiet: shortQuiet}, nil
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return Target{}, p.fault(ctx, fmt.Sprintf("has %d workers instead of one", len(workers)))
		}
	}
}

func (r *Rig) startHAProxy(ctx context.Context, s settings) (Target, error) {
	program, err := FindProgram("haproxy", "haproxy")
	if err != nil {
		return Target{}, err
	}
	config, err := writeConfig(haproxyTemplate, s, "haproxy.cfg")
	if err != nil {
		return Target{}, err
	}
	p, err := r.start(r.Cores.Proxy, s.Dir, HAProxy, false, program, "-db", "-f", config) // -db: in the foreground, one process
	if err != nil {
		return Target{}, err
	}
	return r.target(p, s.Listen, shortQuiet), p.listening(ctx, s.Listen)
}

func (r *Rig) startCauseway(ctx context.Context, s settings) (Target, error) {
	config, err := writeConfig(causewayTemplate, s, "causeway.yaml")
	if err != nil {
		return Target{}, err
	}
	console, err := freeAddr()
	if err != nil {
		return Target{}, err
	}
	p, err := r.start(r.Cores.Proxy, s.Dir, Causeway, true, r.Binary, "serve",
		"--config", config, "--data", filepath.Join(s.Dir, "data"), "--listen", s.Listen, "--console", console)
	if err != nil {
		return Target{}, err
	}
	_, err = p.line(ctx, "ready ", startPatience)
	return r.target(p, s.Listen, longQuiet), err
}

func (r *Rig) startHTTPUtil(ctx context.Context, s settings) (Target, error) {
	command := []string{r.Self, "httputil", "-listen", s.Listen, "-upstream", s.Upstream}
	if s.TLS != nil {
		command = append(command, "-cert", s.TLS.CertFile, "-key", s.TLS.KeyFile)
	}
	p, err := r.start(r.Cores.Proxy, s.Dir, HTTPUtil, false, command...)
	if err != nil {
		return Target{}, err
	}
	return r.target(p, s.Listen, longQuiet), p.listening(ctx, s.Listen)
}

func (r *Rig) target(p *Process, addr string, quiet time.Duration) Target {
	return Target{Name: p.name, Addr: addr, PIDs: []int{p.cmd.Process.Pid}, Core: r.Cores.Proxy, Quiet: quiet}
}

// listening waits until a connection to addr succeeds.
func (p *Process) listening(ctx context.Context, addr string) error {
	var dialer net.Dialer
	for deadline := time.Now().Add(startPatience); ; time.Sleep(10 * time.Millisecond) {
		conn, err := dialer.DialContext(ctx, "tcp", addr)
		if err == nil {
			return conn.Close()
		}
		if p.exited() {
			return p.fault(ctx, "ended at once")
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return p.fault(ctx, "does not listen on "+addr)
		}
	}
}

func writeConfig(text string, s settings, name string) (string, error) {
	config, err := render(text, s)
	if err != nil {
		return "", err
	}
	path := filepath.Join(s.Dir, name)
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		return "", fmt.Errorf("writing a configuration: %w", err)
	}
	return path, nil
}

// freeAddr is a loopback address that nothing listens on at the moment.
func freeAddr() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("finding a free port: %w", err)
	}
	return listener.Addr().String(), listener.Close()
}
