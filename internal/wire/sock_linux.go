package wire

import (
	"syscall"
	"unsafe"
)

// The sockets are non-blocking, so that these calls return at once and the scheduler need not be
// told of them: RawSyscall saves its two hand-overs.

func sysRead(fd uintptr, p []byte) (int, syscall.Errno) {
	for {
		n, _, e := syscall.RawSyscall(syscall.SYS_READ, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
		if e != syscall.EINTR {
			return int(n), e
		}
	}
}

func sysWrite(fd uintptr, p, q []byte) (int, syscall.Errno) {
	for {
		var n uintptr
		var e syscall.Errno
		switch {
		case len(q) == 0:
			n, _, e = syscall.RawSyscall6(syscall.SYS_SENDTO, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), syscall.MSG_NOSIGNAL, 0, 0)
		default:
			v := [2]syscall.Iovec{
				{Base: unsafe.SliceData(p), Len: uint64(len(p))},
				{Base: unsafe.SliceData(q), Len: uint64(len(q))},
			}
			n, _, e = syscall.RawSyscall(syscall.SYS_WRITEV, fd, uintptr(unsafe.Pointer(&v[0])), 2)
		}
		if e != syscall.EINTR {
			return int(n), e
		}
	}
}

func sysPending(fd uintptr) bool {
	var b [1]byte
	_, _, e := syscall.RawSyscall6(syscall.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(&b[0])), 1, syscall.MSG_PEEK|syscall.MSG_DONTWAIT, 0, 0)
	return e != syscall.EAGAIN
}

// sysReset tells whether the peer has reset the connection, from the state that the kernel has it
// in: after a mere FIN it is CLOSE_WAIT for as long as we have not closed.
func sysReset(fd uintptr) bool {
	const tcpClose = 7
	var state [1]byte // the first byte of struct tcp_info
	n := uint32(len(state))
	_, _, e := syscall.RawSyscall6(syscall.SYS_GETSOCKOPT, fd, syscall.IPPROTO_TCP, syscall.TCP_INFO, uintptr(unsafe.Pointer(&state)), uintptr(unsafe.Pointer(&n)), 0)
	return e == 0 && n > 0 && state[0] == tcpClose
}

// sysQueued is how many bytes were sent and not acknowledged yet, or not sent (SIOCOUTQ, tcp(7)); -1 when
// the kernel does not say.
func sysQueued(fd uintptr) int64 {
	var n int32
	_, _, e := syscall.RawSyscall(syscall.SYS_IOCTL, fd, syscall.TIOCOUTQ, uintptr(unsafe.Pointer(&n)))
	if e != 0 {
		return -1
	}
	return int64(n)
}
