package faulty

import (
	"net"

	"golang.org/x/sys/unix"
)

// unacked returns how many bytes written to conn its peer's kernel has not acknowledged yet.
func unacked(conn net.Conn) int {
	t, ok := conn.(*net.TCPConn)
	if !ok {
		return 0
	}
	rc, err := t.SyscallConn()
	if err != nil {
		return 0
	}
	var n int
	if err := rc.Control(func(fd uintptr) { n, err = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) }); err != nil {
		return 0
	}
	if err != nil {
		return 0
	}
	return n
}
