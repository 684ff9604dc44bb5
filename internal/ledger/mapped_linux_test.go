package ledger

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestNoSpaceIsFoundWhenAFileIsMade(t *testing.T) {
	gone := func(dir string, size int64, want error) {
		path := filepath.Join(dir, "segment")
		mem, err := createMapped(path, size)
		if err == nil {
			_ = unmap(mem)
			t.Fatalf("a file of %d bytes was made", size)
		}
		if !errors.Is(err, want) || !strings.Contains(err.Error(), path) {
			t.Errorf("got %v, want %v naming the file", err, want)
		}
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the file is still there: %v", err)
		}
	}
	gone(t.TempDir(), 1<<62, unix.EFBIG)

	small := t.TempDir()
	if err := unix.Mount("tmpfs", small, "tmpfs", 0, "size=3m"); err != nil {
		t.Skipf("a small disk needs root: %v", err)
	}
	defer func() { _ = unix.Unmount(small, unix.MNT_DETACH) }()
	gone(small, 4<<20, unix.ENOSPC)
	_, err := New(t.Context(), Options{Dir: small, Store: nowhere{}})
	if !errors.Is(err, unix.ENOSPC) || !strings.Contains(err.Error(), small) || !strings.Contains(err.Error(), "make room") {
		t.Errorf("New on a full disk gave %v", err)
	}
}

func TestFilesAreNotSparse(t *testing.T) {
	dir := t.TempDir()
	mem, err := createMapped(filepath.Join(dir, "mapped"), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unmap(mem) }()
	f, err := os.Create(filepath.Join(dir, "zeros"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := writeZeros(f, 1<<20); err != nil { // for file systems without fallocate
		t.Fatal(err)
	}
	for _, name := range []string{"mapped", "zeros"} {
		var st unix.Stat_t
		if err := unix.Stat(filepath.Join(dir, name), &st); err != nil || st.Size != 1<<20 || st.Blocks*512 < st.Size {
			t.Errorf("%s: %d bytes in %d blocks, %v", name, st.Size, st.Blocks, err)
		}
	}
}
