package ledger

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestASecondProcessIsRefused(t *testing.T) {
	dir := t.TempDir()
	l, db := withStore(t, dir, quiet)
	_, err := New(t.Context(), Options{Dir: dir, Store: db})
	if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), fmt.Sprint("process ", os.Getpid())) {
		t.Errorf("got %v, want ErrInUse with folder and process", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	withStore(t, dir, quiet)
}

func TestTheCallersLockIsLeftToIt(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	lock, err := LockDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	l, _ := withStore(t, dir, func(o *Options) { o.Lock = lock })
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := LockDir(dir); !errors.Is(err, ErrInUse) {
		t.Errorf("after Close: %v, want ErrInUse", err)
	}
	if err := lock.Release(); err != nil {
		t.Fatal(err)
	}
	again, err := LockDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Release(); err != nil {
		t.Fatal(err)
	}
}

func TestAFolderThatCannotBeWrittenSaysWhatHelps(t *testing.T) {
	full, taken := t.TempDir(), t.TempDir()
	if err := os.Symlink("/dev/full", filepath.Join(full, "lock")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(taken, "lock"), 0o700); err != nil {
		t.Fatal(err)
	}
	under := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(under, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		dir  string
		says []string
	}{
		"a full disk":               {full, []string{filepath.Join(full, "lock"), "no space left", "make room on its disk", "--data"}},
		"something else there":      {taken, []string{filepath.Join(taken, "lock"), "is a directory", "choose another folder with --data"}},
		"a file where a folder was": {filepath.Join(under, "data"), []string{under, "not a directory", "choose another folder with --data"}},
	} {
		lock, err := LockDir(tt.dir)
		if err == nil {
			_ = lock.Release()
			t.Errorf("%s: no error", name)
			continue
		}
		for _, word := range tt.says {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("%s: %q does not say %q", name, err, word)
			}
		}
	}
	for err, want := range map[error]string{
		os.ErrPermission: "choose another", unix.EROFS: "mount its disk to be written", unix.EACCES: "let this user write there", unix.EDQUOT: "make room",
	} {
		if got := wayOut(fmt.Errorf("opening: %w", err)); !strings.Contains(got, want) {
			t.Errorf("%v: %q, want %q", err, got, want)
		}
	}
}

func TestImpossibleOptions(t *testing.T) {
	for name, o := range map[string]Options{
		"no folder":       {Store: nowhere{}},
		"no store":        {Dir: "x"},
		"negative limits": {Dir: "x", Store: nowhere{}, Limits: Limits{Keep: -1}},
		"unknown way":     {Dir: "x", Store: nowhere{}, Limits: Limits{WhenFull: 7}},
		"odd segments":    {Dir: "x", Store: nowhere{}, SegmentSize: 1234567},
	} {
		if l, err := New(t.Context(), o); err == nil {
			_ = l.Close()
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := OpenReader(filepath.Join(t.TempDir(), "none"), nowhere{}); err == nil || !strings.Contains(err.Error(), "none") {
		t.Errorf("reading a folder that is not there gave %v", err)
	}
}
