package ledger

import (
	"runtime"
	"syscall"
)

// stayBehind gives the calling goroutine a thread of its own with a lower priority, which ends with
// it: where processors are few, a batch for the database waits for calls and not calls for it.
func stayBehind() {
	const nicer = 10
	runtime.LockOSThread()
	_ = syscall.Setpriority(syscall.PRIO_PROCESS, 0, nicer) // 0 is the calling thread; refused, it stays as it is
}
