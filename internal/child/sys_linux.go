package child

import "syscall"

// attributes put the process into a group of its own, so that a Ctrl-C at the terminal comes to the gateway
// alone, and have the kernel end it when the gateway is killed.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
