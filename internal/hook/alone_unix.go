//go:build unix

package hook

import (
	"os/exec"
	"syscall"
)

// alone gives a command a process group of its own, so that all it has started can be ended with it.
func alone(c *exec.Cmd) {
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
}
