//go:build unix

package ledger

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// DirLock is the right to use a data folder. The system takes it back when the process ends, in
// whatever way.
type DirLock struct{ file *os.File }

// LockDir makes the data folder where missing and takes its lock. ErrInUse, naming the folder and
// the other process, when somebody has it.
func LockDir(dir string) (*DirLock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("creating the data folder: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the data folder's lock: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		defer f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			owner, _ := io.ReadAll(io.LimitReader(f, 32))
			return nil, fmt.Errorf("%w: %s belongs to a running causeway (process %s): stop it, or choose another folder with --data",
				ErrInUse, dir, strings.TrimSpace(string(owner)))
		}
		return nil, fmt.Errorf("locking the data folder %s: %w", dir, err)
	}
	if err := errors.Join(f.Truncate(0), writeOwner(f)); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("writing the data folder's lock: %w", err)
	}
	return &DirLock{f}, nil
}

func writeOwner(f *os.File) error {
	_, err := fmt.Fprintln(f, os.Getpid())
	return err
}

// Release gives the folder free. The file stays: removing it would let two processes hold locks on
// two files of one name.
func (l *DirLock) Release() error {
	if err := l.file.Close(); err != nil {
		return fmt.Errorf("releasing the data folder: %w", err)
	}
	return nil
}
