//go:build !linux

package host

import "syscall"

// system is what every Unix can tell.
type system struct{}

func newSystem() System { return system{} }

func (system) Read(r *Reading) { readProcess(r) }
func (system) Close()          {}

// MemoryLimit is how many bytes this process may have: not known here.
func MemoryLimit() int64 { return 0 }

func filesMax() int64 {
	var r syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r) != nil {
		return 0
	}
	return int64(min(uint64(r.Cur), 1<<40))
}
