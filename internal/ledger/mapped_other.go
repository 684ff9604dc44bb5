//go:build unix && !linux

package ledger

import "os"

// allocate gives a new file its space, so that writing to its mapping cannot run out of it.
func allocate(f *os.File, size int64) error { return writeZeros(f, size) }
