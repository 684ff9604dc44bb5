//go:build unix

package listen

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// Spec is one address to listen at.
type Spec struct {
	// Role tells what it is for, so that a process takes over sockets for what they were.
	Role string
	// Setting is where the address was given, for errors: "--listen" or "server.listen".
	Setting string
	// Address is "HOST:PORT", "unix:/PATH", "systemd" or "systemd:NAME". Port 0 is any free one. The
	// address 0.0.0.0 is every IPv4 address; [::] and no host are every address of both kinds, or of
	// IPv6 alone where 0.0.0.0 with the same port is listed as well.
	Address string
	// Mode is a Unix socket's; 0 is 0660.
	Mode fs.FileMode
	// Copies is how many sockets share a TCP address (SO_REUSEPORT); below 2 is one.
	Copies int
	// Plain says that connections are not TLS's, whatever the other addresses are.
	Plain bool
}

// DefaultMode is a Unix socket's where none is asked for: its owner's and its group's.
const DefaultMode fs.FileMode = 0o660

// Sources are where sockets come from that need not be opened. Both may be nil.
type Sources struct {
	Inherited *Inheritance
	Systemd   *Activation
}

// Listener is an open address. It is safe for concurrent use.
type Listener struct {
	net.Listener
	Spec Spec
	copy int

	name    string      // what stands for it: "127.0.0.1:8080", "unix:/run/cw.sock"
	path    string      // of a Unix socket whose name is ours to remove, or ""
	made    os.FileInfo // the socket at path
	mu      sync.Mutex
	closed  bool
	forsake bool
}

// Open opens every address, those of a Spec with several sockets one after the other. On an error
// nothing stays open. The caller closes the listeners. Errors name the setting and what to do.
func Open(ctx context.Context, specs []Spec, from Sources) (list []*Listener, err error) {
	defer func() {
		if err != nil {
			for _, l := range list {
				_ = l.Close()
			}
			list = nil
		}
	}()
	for i := range specs {
		s := &specs[i]
		if s.Mode == 0 {
			s.Mode = DefaultMode
		}
		more, err := open(ctx, s, specs, from)
		list = append(list, more...)
		if err != nil {
			return list, err
		}
	}
	return list, nil
}

func open(ctx context.Context, s *Spec, all []Spec, from Sources) (list []*Listener, err error) {
	files := from.Inherited.take(s.Role, s.Address)
	inherited := len(files) > 0
	if len(files) == 0 && isSystemd(s.Address) {
		if files, err = from.Systemd.take(s, all); err != nil {
			return nil, err
		}
	}
	if len(files) > 0 {
		if list, err = adopt(s, files); inherited {
			from.Inherited.keep(list)
		}
		return list, err
	}
	if path, ok := strings.CutPrefix(s.Address, "unix:"); ok {
		l, err := openUnix(s, path)
		if err != nil {
			return nil, err
		}
		return []*Listener{l}, nil
	}
	address := s.Address
	for n := range max(s.Copies, 1) {
		lc := net.ListenConfig{}
		if s.Copies > 1 {
			lc.Control = reusePort
		}
		l, err := lc.Listen(ctx, family(s.Address, all), address)
		if other := from.Inherited.overlaps(s.Address); errors.Is(err, syscall.EADDRINUSE) && other != "" {
			return list, fmt.Errorf("%s %s: the process before listens at %s, and the system does not let both be open at a time: stop and start the program to go from one to the other", s.Setting, s.Address, other)
		}
		if err != nil {
			return list, s.explain(err)
		}
		address = l.Addr().String() // with the port that was found for the first
		list = append(list, &Listener{Listener: l, Spec: *s, copy: n, name: address})
	}
	return list, nil
}

// family is the network to listen in: an address written as IPv4 is IPv4's, and [::] is IPv6's alone
// where IPv4 is listed for itself.
func family(address string, all []Spec) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "tcp"
	}
	switch host {
	case "0.0.0.0":
		return "tcp4"
	case "::":
		for _, other := range all {
			if other.Address == "0.0.0.0:"+port && port != "0" {
				return "tcp6"
			}
		}
	}
	return "tcp"
}

func reusePort(_, _ string, rc syscall.RawConn) error {
	var err error
	if ctl := rc.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	}); ctl != nil {
		return ctl
	}
	return os.NewSyscallError("setsockopt SO_REUSEPORT", err)
}

// explain names the setting and what can be done.
func (s *Spec) explain(err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%s %s: the address is in use by another program; stop that one, or choose another address with %s", s.Setting, s.Address, s.Setting)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("%s %s: no permission for this port; choose one above 1023 with %s", s.Setting, s.Address, s.Setting)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("%s %s: this machine has no such address", s.Setting, s.Address)
	case errors.Is(err, syscall.EAFNOSUPPORT):
		return fmt.Errorf("%s %s: this machine has no IPv6, or none that may be used", s.Setting, s.Address)
	}
	return fmt.Errorf("%s %s: %w", s.Setting, s.Address, err)
}

// adopt makes listeners of sockets that somebody else has opened. The files are closed.
func adopt(s *Spec, files []*os.File) (list []*Listener, err error) {
	for n, f := range files {
		l, lerr := net.FileListener(f)
		_ = f.Close()
		if lerr != nil {
			err = errors.Join(err, fmt.Errorf("%s %s: what was handed over for it is no listening socket: %w", s.Setting, s.Address, lerr))
			continue
		}
		a := &Listener{Listener: l, Spec: *s, copy: n, name: l.Addr().String()}
		a.Spec.Copies = len(files) // whatever is asked for
		if ul, ok := l.(*net.UnixListener); ok {
			ul.SetUnlinkOnClose(false)
			a.name = "unix:" + l.Addr().String()
			if path, own := strings.CutPrefix(s.Address, "unix:"); own { // not systemd's, which keeps its name
				a.name, a.path = s.Address, path
				a.made, _ = os.Lstat(path)
				if a.made != nil && a.made.Mode().Type() == os.ModeSocket && a.made.Mode().Perm() != s.Mode {
					err = errors.Join(err, a.setMode())
				}
			}
		}
		list = append(list, a)
	}
	return list, err
}

// setMode gives a Unix socket that was handed over the mode that is asked for by now.
func (l *Listener) setMode() error {
	if err := os.Chmod(l.path, l.Spec.Mode); err != nil {
		return fmt.Errorf("%s %s: %w", l.Spec.Setting, l.Spec.Address, err)
	}
	return nil
}

// Plain tells whether its connections are not TLS's, whatever the other addresses are.
func (l *Listener) Plain() bool { return l.Spec.Plain }

// Name is the address with the port that it has: "127.0.0.1:8080", or "unix:/run/cw.sock".
func (l *Listener) Name() string { return l.name }

// Local tells whether only processes of this machine can reach it.
func (l *Listener) Local() bool {
	switch a := l.Addr().(type) {
	case *net.TCPAddr:
		return a.IP.IsLoopback()
	case *net.UnixAddr:
		return true
	}
	return false
}

// Forsake makes Close leave the name of a Unix socket: another process serves it.
func (l *Listener) Forsake() {
	l.mu.Lock()
	l.forsake = true
	l.mu.Unlock()
}

// own makes Close remove the name of a Unix socket again.
func (l *Listener) own() {
	l.mu.Lock()
	l.forsake = false
	l.mu.Unlock()
}

// Close stops listening and removes the name of a Unix socket, if it is still this one's. Closing it
// again does nothing.
func (l *Listener) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	err := l.Listener.Close()
	if l.path != "" && !l.forsake {
		if there, statErr := os.Lstat(l.path); statErr == nil && l.made != nil && os.SameFile(there, l.made) {
			err = errors.Join(err, os.Remove(l.path))
		}
	}
	return err
}

// file is a second descriptor of the socket, to be given to another process. The caller closes it. It is
// not made by net's File: passing that on would make the socket, which is one for all its descriptors,
// block whoever accepts from it.
func (l *Listener) file() (*os.File, error) {
	sc, ok := l.Listener.(syscall.Conn)
	if !ok {
		return nil, fmt.Errorf("%s cannot be handed over", l.name)
	}
	rc, err := sc.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("handing %s over: %w", l.name, err)
	}
	dup := -1
	if ctl := rc.Control(func(fd uintptr) { dup, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) }); ctl != nil {
		err = ctl
	}
	if err != nil {
		return nil, fmt.Errorf("handing %s over: %w", l.name, err)
	}
	return os.NewFile(uintptr(dup), l.name), nil
}
