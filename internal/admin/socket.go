package admin

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

// maxSocketPath is the longest path of a Unix socket on the systems we run on: sun_path is 108
// bytes on Linux and 104 on the BSDs and macOS, with a closing zero.
const maxSocketPath = 103

// Listen makes the socket at path, for Trusted. No one but the owner of the process can ever open it:
// it is made in a folder of its own that only the owner may enter, given mode 0600, and moved to
// its place. A socket that a killed process left behind is replaced; one that is served is an error.
// Closing the listener removes the socket.
func Listen(path string) (net.Listener, error) {
	dir, err := os.MkdirTemp(filepath.Dir(path), ".sock")
	if err != nil {
		return nil, fmt.Errorf("making the socket %s: %w", path, err)
	}
	defer os.RemoveAll(dir)
	made := filepath.Join(dir, "s")
	if longest := max(len(path), len(made)); longest > maxSocketPath {
		return nil, fmt.Errorf("making the socket %s: its path would have %d bytes, and %d are possible: use a data folder with a shorter path", path, longest, maxSocketPath)
	}
	if err := replaceable(path); err != nil {
		return nil, err
	}
	l, err := net.Listen("unix", made)
	if err != nil {
		return nil, fmt.Errorf("making the socket %s: %w", path, err)
	}
	// The listener would remove the name it was made under.
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	if err := errors.Join(os.Chmod(made, 0o600), os.Rename(made, path)); err != nil {
		l.Close()
		return nil, fmt.Errorf("making the socket %s: %w", path, err)
	}
	s := &socket{Listener: l}
	s.close = sync.OnceValue(func() error { return errors.Join(l.Close(), os.Remove(path)) })
	return s, nil
}

// replaceable says what stands in the way of a new socket at path.
func replaceable(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("making the socket %s: %w", path, err)
	}
	if info.Mode().Type() != os.ModeSocket {
		return fmt.Errorf("making the socket %s: a file that is no socket is there", path)
	}
	conn, err := net.Dial("unix", path)
	if err == nil {
		conn.Close()
		return fmt.Errorf("making the socket %s: another causeway serves it: stop that one, or use another data folder", path)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("making the socket %s: the one that is there cannot be asked whether it is served: %w", path, err)
	}
	return nil
}

// socket is a listener that removes its name once, when it is closed: after that the name may be
// another process's.
type socket struct {
	net.Listener
	close func() error
}

// Close stops listening and removes the socket's name.
func (s *socket) Close() error { return s.close() }
