package faulty

import (
	"errors"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// fullQueue listens with a backlog of 0 and fills the one place it has: Linux then drops every
// SYN, and whoever dials waits for its own limit.
func (s *site) fullQueue() (string, error) {
	fd, addr, err := bindLoopback()
	if err != nil {
		return "", err
	}
	if !s.own(fd) {
		return "", net.ErrClosed
	}
	if err := unix.Listen(int(fd), 0); err != nil {
		return "", os.NewSyscallError("listen", err)
	}
	filler, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return "", err
	}
	s.own(filler)
	// connect returns before the last ACK of its handshake is processed; on a listening
	// socket tcpi_unacked is the length of the accept queue.
	for deadline := time.Now().Add(time.Second); time.Now().Before(deadline); {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil {
			return "", os.NewSyscallError("getsockopt", err)
		}
		if info.Unacked > 0 {
			return addr, nil
		}
		if !s.wait(time.Millisecond) {
			return "", net.ErrClosed
		}
	}
	return "", errors.New("the accept queue did not fill")
}
