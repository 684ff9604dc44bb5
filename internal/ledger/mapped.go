//go:build unix

package ledger

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// createMapped makes a file of size zero bytes that really has its space on the disk, and maps it.
// A file that exists already is an error.
func createMapped(path string, size int64) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("making a spool file: %w", err)
	}
	defer f.Close() // the mapping stays
	var mem []byte
	if err = allocate(f, size); err == nil {
		mem, err = unix.Mmap(int(f.Fd()), 0, int(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	}
	if err == nil {
		return mem, nil
	}
	_ = os.Remove(path)
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		return nil, fmt.Errorf("making the spool file %s of %d KiB: make room on its disk: %w", path, size>>10, err)
	}
	return nil, fmt.Errorf("making the spool file %s of %d KiB: %w", path, size>>10, err)
}

// openMapped maps an existing file.
func openMapped(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("opening a spool file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("opening a spool file: %w", err)
	}
	if info.Size() == 0 || !info.Mode().IsRegular() {
		return nil, nil
	}
	mem, err := unix.Mmap(int(f.Fd()), 0, int(info.Size()), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("mapping the spool file %s: %w", path, err)
	}
	return mem, nil
}

func unmap(mem []byte) error {
	if mem == nil {
		return nil
	}
	return unix.Munmap(mem)
}

// writeZeros gives a file its space where the file system cannot do it in one call.
func writeZeros(f *os.File, size int64) error {
	zeros := make([]byte, 64<<10)
	for at := int64(0); at < size; at += int64(len(zeros)) {
		if _, err := f.WriteAt(zeros[:min(int64(len(zeros)), size-at)], at); err != nil {
			return err
		}
	}
	return f.Sync() // where space is found only on writing back, this is when it is missing
}
