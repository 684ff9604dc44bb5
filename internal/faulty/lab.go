package faulty

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Options are the limits of a lab. The zero value is ready to use.
type Options struct {
	// Dir is where the lab makes its own folder for sockets and certificates; "" is the system's
	// folder for temporary files. Close removes what it made.
	Dir string
	// Hold is the longest that a connection is kept silent, 0 is 15 minutes. It must be longer
	// than the gateway's limits, else a silence ends as a closed connection.
	Hold time.Duration
	// MaxConns is how many connections one upstream serves at a time, 0 is 256. More wait in
	// the kernel's queue.
	MaxConns int
}

// Lab starts faults and ends them. Its methods may be called concurrently.
type Lab struct {
	dir      string
	hold     time.Duration
	maxConns int

	mu     sync.Mutex
	ca     *authority
	short  string // a folder for sockets whose path would be too long in dir
	sites  map[*site]struct{}
	closed bool
}

// New makes a lab with a folder of its own. The caller closes it.
func New(o Options) (*Lab, error) {
	if o.Hold < 0 || o.MaxConns < 0 {
		return nil, fmt.Errorf("faulty: Hold %v and MaxConns %d must not be negative", o.Hold, o.MaxConns)
	}
	dir, err := os.MkdirTemp(o.Dir, "faulty-")
	if err != nil {
		return nil, fmt.Errorf("making the lab's folder: %w", err)
	}
	l := &Lab{dir: dir, hold: o.Hold, maxConns: o.MaxConns, sites: make(map[*site]struct{})}
	if l.hold == 0 {
		l.hold = 15 * time.Minute
	}
	if l.maxConns == 0 {
		l.maxConns = 256
	}
	return l, nil
}

// Start starts the fault of that name on listeners of its own, tuned by p. The error wraps
// ErrUnknown for a name that is not on the list and ErrUnavailable for what this host cannot
// provoke. The upstream runs until its Close or the lab's.
func (l *Lab) Start(name string, p Params) (*Upstream, error) {
	f, ok := Find(name)
	if !ok {
		return nil, fmt.Errorf("starting fault %q: %w", name, ErrUnknown)
	}
	return l.StartFault(f, p)
}

// StartFault is Start for a fault at hand, one of All, Find or ForKind.
func (l *Lab) StartFault(f Fault, p Params) (*Upstream, error) {
	if f.start == nil {
		return nil, fmt.Errorf("starting fault %q: %w", f.Name, ErrUnknown)
	}
	s, err := l.newSite(f, p.or(f.Defaults))
	if err != nil {
		return nil, fmt.Errorf("starting fault %q: %w", f.Name, err)
	}
	if err := f.start(s); err != nil {
		s.close()
		return nil, fmt.Errorf("starting fault %q: %w", f.Name, err)
	}
	return s.up, nil
}

func (l *Lab) newSite(f Fault, p Params) (*site, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, errors.New("the lab is closed")
	}
	s := newSite(l, f, p)
	l.sites[s] = struct{}{}
	return s, nil
}

func (l *Lab) forget(s *site) {
	l.mu.Lock()
	delete(l.sites, s)
	l.mu.Unlock()
}

// Close ends every upstream, waits for their goroutines and removes the lab's folder. A second
// call does nothing.
func (l *Lab) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	sites := make([]*site, 0, len(l.sites))
	for s := range l.sites {
		sites = append(sites, s)
	}
	short := l.short
	l.mu.Unlock()

	for _, s := range sites {
		s.close()
	}
	err := os.RemoveAll(l.dir)
	if short != "" {
		err = errors.Join(err, os.RemoveAll(short))
	}
	if err != nil {
		return fmt.Errorf("closing the lab: %w", err)
	}
	return nil
}

// authority returns the lab's certificate authority, made on first use.
func (l *Lab) authority() (*authority, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ca != nil {
		return l.ca, nil
	}
	ca, err := newAuthority("Faulty Lab CA")
	if err != nil {
		return nil, err
	}
	if err := ca.write(filepath.Join(l.dir, "ca.pem")); err != nil {
		return nil, err
	}
	l.ca = ca
	return ca, nil
}

// maxSocketPath is what fits sockaddr_un on every system we know (macOS has 104 bytes with the NUL).
const maxSocketPath = 103

// socketPath returns a path for a new Unix socket that is short enough to be bound.
func (l *Lab) socketPath() (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	dir := l.dir
	const longest = "/0123456789.sock"
	if len(dir)+len(longest) > maxSocketPath {
		if l.short == "" {
			short, err := os.MkdirTemp("", "faulty-")
			if err != nil {
				return "", fmt.Errorf("making a folder for sockets: %w", err)
			}
			l.short = short
		}
		dir = l.short
	}
	f, err := os.CreateTemp(dir, "*.sock")
	if err != nil {
		return "", fmt.Errorf("choosing a socket's name: %w", err)
	}
	name := f.Name()
	if err := errors.Join(f.Close(), os.Remove(name)); err != nil {
		return "", fmt.Errorf("choosing a socket's name: %w", err)
	}
	if len(name) > maxSocketPath {
		return "", fmt.Errorf("%w: the socket's path %s is longer than %d bytes", ErrUnavailable, name, maxSocketPath)
	}
	return name, nil
}
