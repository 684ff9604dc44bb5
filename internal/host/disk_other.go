//go:build !linux

package host

import "os"

func freeSpace(string) (free int64, known bool) { return 0, false }

// toDisk makes what was written to f outlive a loss of power.
func toDisk(f *os.File) error { return f.Sync() }
