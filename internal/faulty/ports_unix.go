//go:build unix

package faulty

import (
	"fmt"
	"net"
	"os"
	"syscall"
)

// keepPort binds a TCP port of loopback without listening on it: connections are refused, and
// nobody else gets the port.
func (s *site) keepPort() (string, error) {
	fd, addr, err := bindLoopback()
	if err != nil {
		return "", err
	}
	s.own(fd)
	return addr, nil
}

// descriptor is a socket that closes when its site does.
type descriptor int

// Close closes the socket.
func (d descriptor) Close() error { return syscall.Close(int(d)) }

// bindLoopback returns a TCP socket bound to a free port of 127.0.0.1.
func bindLoopback() (descriptor, string, error) {
	syscall.ForkLock.RLock()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return 0, "", os.NewSyscallError("socket", err)
	}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		_ = syscall.Close(fd)
		return 0, "", os.NewSyscallError("bind", err)
	}
	sa, err := syscall.Getsockname(fd)
	if err != nil {
		_ = syscall.Close(fd)
		return 0, "", os.NewSyscallError("getsockname", err)
	}
	in, ok := sa.(*syscall.SockaddrInet4)
	if !ok {
		_ = syscall.Close(fd)
		return 0, "", fmt.Errorf("a socket of 127.0.0.1 is bound to %T", sa)
	}
	return descriptor(fd), (&net.TCPAddr{IP: in.Addr[:], Port: in.Port}).String(), nil
}
