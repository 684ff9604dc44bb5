package host

import (
	"os"
	"syscall"
)

// freeSpace is how many bytes this process may still write where dir is.
func freeSpace(dir string) (free int64, known bool) {
	var st syscall.Statfs_t
	if syscall.Statfs(dir, &st) != nil {
		return 0, false
	}
	return int64(st.Bavail) * st.Bsize, true
}

// toDisk makes what was written to f outlive a loss of power.
func toDisk(f *os.File) error { return syscall.Fdatasync(int(f.Fd())) }
