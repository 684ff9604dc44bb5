//go:build unix && !linux

package wire

import "syscall"

func sysRead(fd uintptr, p []byte) (int, syscall.Errno) {
	n, err := syscall.Read(int(fd), p)
	return max(n, 0), errnoOf(err)
}

func sysWrite(fd uintptr, p, q []byte) (int, syscall.Errno) {
	if len(p) == 0 {
		p = q
	}
	n, err := syscall.Write(int(fd), p)
	return max(n, 0), errnoOf(err)
}

func sysPending(fd uintptr) bool {
	var b [1]byte
	_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK)
	return errnoOf(err) != syscall.EAGAIN
}

func errnoOf(err error) syscall.Errno {
	e, _ := err.(syscall.Errno)
	return e
}

// sysReset tells whether the peer has reset the connection, where the kernel says so.
func sysReset(uintptr) bool { return false }

// sysQueued is how many bytes the peer has not acknowledged: not known here.
func sysQueued(uintptr) int64 { return -1 }
