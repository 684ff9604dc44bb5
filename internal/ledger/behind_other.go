//go:build !linux

package ledger

// stayBehind does nothing where a thread has no priority of its own.
func stayBehind() {}
