package e2e

import (
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// waitEmpty waits until the peer's kernel has all that was sent: a reset throws away the rest.
func waitEmpty(c *rawConn) {
	raw, err := c.Conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		return
	}
	for deadline := time.Now().Add(time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		left := 0
		if raw.Control(func(fd uintptr) { left, err = unix.IoctlGetInt(int(fd), unix.TIOCOUTQ) }) != nil || err != nil || left == 0 {
			break
		}
	}
	time.Sleep(20 * time.Millisecond) // the bytes and the reset are two events for whoever reads
}
