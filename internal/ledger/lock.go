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
// whatever way. A process that hands over shares it with its successor: see InheritLock.
type DirLock struct{ file *os.File }

// LockDir makes the data folder where missing and takes its lock. ErrInUse, naming the folder and
// the other process, when somebody has it.
func LockDir(dir string) (*DirLock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("creating the data folder: %w; %s", err, wayOut(err))
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the data folder's lock: %w; %s", err, wayOut(err))
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
	l := &DirLock{f}
	if err := l.Own(); err != nil {
		_ = f.Close()
		return nil, err
	}
	return l, nil
}

// InheritLock is LockDir for a process that was started by the one that has the folder, and got the
// file of its lock. Both have the folder then, and nobody else can until both have let go. f is the
// lock's from now on. An error when it is another folder's, or no lock at all.
func InheritLock(dir string, f *os.File) (*DirLock, error) {
	given, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("taking over the data folder's lock: %w", err)
	}
	there, err := os.Stat(filepath.Join(dir, "lock"))
	if err != nil || !os.SameFile(given, there) {
		return nil, fmt.Errorf("taking over the data folder's lock: the process before had another folder than %s (%w)", dir, errors.Join(err, ErrInUse))
	}
	// A lock is the open file's, not the process's: this one holds already.
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, fmt.Errorf("taking over the lock of %s: %w", dir, errors.Join(err, ErrInUse))
	}
	return &DirLock{f}, nil
}

// File is the lock's open file, to be given to a process that takes over. It stays the lock's.
func (l *DirLock) File() *os.File { return l.file }

// Own writes this process's number into the lock, for whoever finds the folder in use.
func (l *DirLock) Own() error {
	text := fmt.Sprintln(os.Getpid())
	if _, err := l.file.WriteAt([]byte(text), 0); err != nil {
		return fmt.Errorf("writing the data folder's lock %s: %w; %s", l.file.Name(), err, wayOut(err))
	}
	if err := l.file.Truncate(int64(len(text))); err != nil {
		return fmt.Errorf("writing the data folder's lock %s: %w; %s", l.file.Name(), err, wayOut(err))
	}
	return nil
}

// wayOut says what helps against err, with which a data folder could not be written.
func wayOut(err error) string {
	switch {
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return "make room on its disk, or choose another folder with --data"
	case errors.Is(err, unix.EROFS):
		return "mount its disk to be written, or choose another folder with --data"
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return "let this user write there, or choose another folder with --data"
	}
	return "choose another folder with --data"
}

// Release gives the folder free. The file stays: removing it would let two processes hold locks on
// two files of one name.
func (l *DirLock) Release() error {
	if err := l.file.Close(); err != nil {
		return fmt.Errorf("releasing the data folder: %w", err)
	}
	return nil
}
