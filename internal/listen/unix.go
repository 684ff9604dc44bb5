//go:build unix

package listen

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
)

// maxPath is the longest path of a Unix socket on the systems we run on: sun_path is 108 bytes on
// Linux and 104 on the BSDs and macOS, with a closing zero.
const maxPath = 103

// openUnix makes the socket at path. At no moment can anybody open it whom its mode keeps out: it is
// made in a folder of its own that only the owner may enter, given its mode, and moved to its place.
// A socket that a killed process left behind is replaced; one that is served is an error.
func openUnix(s *Spec, path string) (*Listener, error) {
	fail := func(err error) error {
		switch {
		case errors.Is(err, os.ErrPermission):
			return fmt.Errorf("%s %s: no permission to make a socket in %s: give this user the right to write there", s.Setting, s.Address, filepath.Dir(path))
		case errors.Is(err, os.ErrNotExist):
			return fmt.Errorf("%s %s: the folder %s does not exist: make it first", s.Setting, s.Address, filepath.Dir(path))
		}
		return fmt.Errorf("%s %s: making the socket: %w", s.Setting, s.Address, err)
	}
	dir, err := os.MkdirTemp(filepath.Dir(path), ".sock")
	if err != nil {
		return nil, fail(err)
	}
	defer os.RemoveAll(dir)
	made := filepath.Join(dir, "s")
	if longest := max(len(path), len(made)); longest > maxPath {
		return nil, fmt.Errorf("%s %s: making the socket: its path would have %d bytes, and %d are possible: use a folder with a shorter path", s.Setting, s.Address, longest, maxPath)
	}
	if err := replaceable(path); err != nil {
		return nil, fmt.Errorf("%s %s: %w", s.Setting, s.Address, err)
	}
	l, err := net.Listen("unix", made)
	if err != nil {
		return nil, fail(err)
	}
	// The listener would remove the name it was made under.
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	if err := errors.Join(os.Chmod(made, s.Mode), os.Rename(made, path)); err != nil {
		return nil, errors.Join(fail(err), l.Close())
	}
	there, err := os.Lstat(path)
	if err != nil {
		return nil, errors.Join(fail(err), l.Close())
	}
	return &Listener{Listener: named{l, &net.UnixAddr{Name: path, Net: "unix"}}, Spec: *s, name: s.Address, path: path, made: there}, nil
}

// named is a Unix socket that was moved after it had been made.
type named struct {
	net.Listener
	addr net.Addr
}

// Addr is where it is.
func (n named) Addr() net.Addr { return n.addr }

// SyscallConn is the socket's.
func (n named) SyscallConn() (syscall.RawConn, error) {
	return n.Listener.(*net.UnixListener).SyscallConn()
}

// replaceable says what stands in the way of a new socket at path.
func replaceable(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("making the socket: %w", err)
	}
	if info.Mode().Type() != os.ModeSocket {
		return errors.New("a file that is no socket is there: move it away, or choose another path")
	}
	conn, err := net.Dial("unix", path)
	switch {
	case err == nil:
		conn.Close()
		fallthrough
	case errors.Is(err, syscall.EAGAIN): // its queue is full
		return errors.New("the socket is in use by another program: stop that one, or choose another path")
	case errors.Is(err, syscall.ECONNREFUSED):
		return nil
	case errors.Is(err, syscall.EPROTOTYPE):
		return errors.New("a socket of another kind is there, for datagrams: move it away, or choose another path")
	case errors.Is(err, os.ErrPermission):
		return errors.New("a socket that this user may not open is there: stop the program that serves it, or choose another path")
	}
	return fmt.Errorf("the socket that is there cannot be asked whether it is served: %w", err)
}
