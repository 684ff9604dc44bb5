package ledger

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// allocate gives a new file its space, so that writing to its mapping cannot run out of it.
func allocate(f *os.File, size int64) error {
	for {
		switch err := unix.Fallocate(int(f.Fd()), 0, 0, size); {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.ENOSYS):
			return writeZeros(f, size)
		default:
			return err
		}
	}
}
