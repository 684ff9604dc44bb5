package child

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func readListeners(table string) string {
	found := map[string]netip.AddrPort{}
	listeners(table, found)
	var list []string
	for inode, a := range found {
		list = append(list, inode+" "+a.String())
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

// memoryGroup makes a control group with 32 MiB, or skips the test where this process may not.
func memoryGroup(t *testing.T) string {
	t.Helper()
	for _, g := range []struct{ root, limit string }{
		{"/sys/fs/cgroup/memory", "memory.limit_in_bytes"}, {"/sys/fs/cgroup", "memory.max"},
	} {
		dir := filepath.Join(g.root, fmt.Sprintf("causeway-test-%d", os.Getpid()))
		if os.Mkdir(dir, 0o755) != nil {
			continue
		}
		t.Cleanup(func() { _ = os.Remove(dir) })
		if os.WriteFile(filepath.Join(dir, g.limit), []byte("33554432"), 0o644) == nil {
			return dir
		}
	}
	t.Skip("this process may make no control group with a memory limit")
	return ""
}

// TestTheCounterOfAControlGroupIsRead takes files in the place of the kernel's, of both versions.
func TestTheCounterOfAControlGroupIsRead(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("memory.events", "low 0\nhigh 0\nmax 12\noom 2\noom_kill 5\n")
	write("memory.max", "536870912\n")
	m := &memory{}
	m.look(dir, "/", "memory.events", "memory.max")
	m.first = 4
	if n, ok := m.kills(); n != 1 || !ok {
		t.Errorf("kills = %d, %v", n, ok)
	}
	if m.limit() != 512<<20 {
		t.Errorf("limit = %d", m.limit())
	}
	write("memory.max", "max\n")
	if m.limit() != 0 {
		t.Errorf("no limit is %d", m.limit())
	}
	if n, ok := (&memory{}).kills(); n != 0 || ok {
		t.Error("a counter that is not there was read")
	}
}
