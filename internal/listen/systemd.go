//go:build unix

package listen

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Activation is the sockets that systemd has opened for this process (sd_listen_fds(3)).
type Activation struct {
	names []string
	files []*os.File // nil once taken, and for what cannot be listened at
	wrong []error    // why it cannot
}

// firstPassed is the first descriptor that is passed to a process.
const firstPassed = 3

// FromSystemd reads LISTEN_FDS, LISTEN_PID and LISTEN_FDNAMES, and takes them out of the environment,
// so that no process that this one starts believes that they are its own. nil when there are none for
// this process. An error when there are fewer descriptors than LISTEN_FDS says.
func FromSystemd() (*Activation, error) {
	pid, fds, names := os.Getenv("LISTEN_PID"), os.Getenv("LISTEN_FDS"), os.Getenv("LISTEN_FDNAMES")
	for _, name := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
		_ = os.Unsetenv(name) // fails for names that are none alone
	}
	if pid != strconv.Itoa(os.Getpid()) || fds == "" {
		return nil, nil
	}
	n, err := strconv.Atoi(fds)
	if err != nil || n < 0 || n > 4096 {
		return nil, fmt.Errorf("taking over systemd's sockets: LISTEN_FDS is %q", fds)
	}
	a := &Activation{}
	list := strings.Split(names, ":")
	for i := range n {
		name := "unknown" // as systemd itself calls them
		if i < len(list) && list[i] != "" {
			name = list[i]
		}
		fd := firstPassed + i
		var file *os.File
		wrong := listens(fd)
		switch {
		case errors.Is(wrong, unix.EBADF):
			return nil, fmt.Errorf("taking over systemd's sockets: LISTEN_FDS is %d, and descriptor %d is not open", n, fd)
		case wrong == nil:
			unix.CloseOnExec(fd)
			file = os.NewFile(uintptr(fd), name)
		}
		// What is no socket to listen at stays open: it may be a file that systemd passes on for others, and
		// where LISTEN_FDS is too high it is one that this process itself needs.
		a.names, a.files, a.wrong = append(a.names, name), append(a.files, file), append(a.wrong, wrong)
	}
	return a, nil
}

// listens is nil for a socket that connections can be accepted from; else it says what is wrong.
// unix.EBADF: the descriptor is not open.
func listens(fd int) error {
	kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if errors.Is(err, unix.EBADF) {
		return err
	}
	if err != nil {
		return errors.New("it is no socket")
	}
	if kind != unix.SOCK_STREAM {
		return errors.New("it is no stream socket: open it with ListenStream=")
	}
	if on, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); err != nil || on == 0 {
		return errors.New("it does not listen: Accept= must be no")
	}
	return nil
}

func isSystemd(address string) bool {
	return address == "systemd" || strings.HasPrefix(address, "systemd:")
}

// take gives the sockets of that name; for "systemd" those whose name no other address asks for.
func (a *Activation) take(s *Spec, all []Spec) (files []*os.File, err error) {
	if a == nil {
		return nil, fmt.Errorf("%s %s: systemd has opened no socket for this process: start it through a .socket unit, or name an address", s.Setting, s.Address)
	}
	_, name, named := strings.Cut(s.Address, ":")
	for i, f := range a.files {
		wanted := a.names[i] == name
		if !named {
			wanted = !slices.ContainsFunc(all, func(other Spec) bool { return other.Address == "systemd:"+a.names[i] })
		}
		if wanted && a.wrong[i] != nil {
			for _, f := range files {
				_ = f.Close()
			}
			return nil, fmt.Errorf("%s %s: what systemd has opened as %s (descriptor %d) cannot be used: %w", s.Setting, s.Address, a.names[i], firstPassed+i, a.wrong[i])
		}
		if f != nil && wanted {
			files = append(files, f)
			a.files[i] = nil
		}
	}
	if len(files) == 0 && len(a.names) == 0 {
		return nil, fmt.Errorf("%s %s: systemd has opened no socket for this process: LISTEN_FDS is 0", s.Setting, s.Address)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s %s: systemd has opened no such socket for this process; it has %s (FileDescriptorName= in the .socket unit)", s.Setting, s.Address, strings.Join(a.names, ", "))
	}
	return files, nil
}

// Unused names what no address has asked for, and closes the sockets in it.
func (a *Activation) Unused() (names []string) {
	if a == nil {
		return nil
	}
	for i, f := range a.files {
		if f == nil && a.wrong[i] == nil {
			continue // taken, or named before
		}
		names = append(names, a.names[i])
		if f != nil {
			_ = f.Close()
			a.files[i] = nil
		}
		a.wrong[i] = nil
	}
	return names
}

// Notify tells systemd the state of the service, lines such as "READY=1" (sd_notify(3)). It does
// nothing where nobody wants to know, that is without NOTIFY_SOCKET.
func Notify(lines ...string) error {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return nil
	}
	if path[0] != '/' && path[0] != '@' {
		return errors.New("telling systemd the state: NOTIFY_SOCKET is not the path of a socket")
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("telling systemd the state: %w", err)
	}
	defer c.Close()
	if _, err := c.Write([]byte(strings.Join(lines, "\n"))); err != nil {
		return fmt.Errorf("telling systemd the state: %w", err)
	}
	return nil
}
