package ledger

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
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
