package child

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// memory is what the kernel tells of processes that it ended for want of memory: the counter of a process's
// control group, and the kernel's log where it may be read.
type memory struct {
	events string // the file with the counter, "" when there is none
	max    string // the file with the limit
	first  int64  // the counter when the process was started
}

// watchMemory begins to watch the control group of a process that runs (cgroups(7)).
func watchMemory(pid int) *memory {
	m := &memory{}
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cgroup")
	if err != nil {
		return m
	}
	for l := range strings.Lines(string(b)) {
		parts := strings.SplitN(strings.TrimSpace(l), ":", 3)
		if len(parts) != 3 {
			continue
		}
		switch {
		case parts[0] == "0" && m.events == "":
			m.look("/sys/fs/cgroup", parts[2], "memory.events", "memory.max")
		case parts[1] == "memory":
			m.look("/sys/fs/cgroup/memory", parts[2], "memory.oom_control", "memory.limit_in_bytes")
		}
	}
	m.first, _ = m.kills()
	return m
}

// look takes the files of a control group where they can be read. In a container the group's own folder is
// mounted as the root.
func (m *memory) look(root, group, events, limit string) {
	for _, dir := range []string{filepath.Join(root, group), root} {
		if _, err := os.Stat(filepath.Join(dir, events)); err == nil {
			m.events, m.max = filepath.Join(dir, events), filepath.Join(dir, limit)
			return
		}
	}
}

// kills is how many processes of the group were ended since the process was started.
func (m *memory) kills() (n int64, known bool) {
	if m.events == "" {
		return 0, false
	}
	b, err := os.ReadFile(m.events)
	if err != nil {
		return 0, false
	}
	for l := range strings.Lines(string(b)) {
		if name, value, _ := strings.Cut(strings.TrimSpace(l), " "); name == "oom_kill" {
			n, err := strconv.ParseInt(value, 10, 64)
			return n - m.first, err == nil
		}
	}
	return 0, false
}

// limit is how many bytes the group may have, 0 for any.
func (m *memory) limit() int64 {
	b, err := os.ReadFile(m.max)
	if err != nil {
		return 0
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	if err != nil || n > 1<<60 {
		return 0
	}
	return n
}

// mostLog bounds what is read of the kernel's log.
const mostLog = 4 << 20

// killed is the kernel's line about a process that it ended, "" where there is none or it may not be read.
func (m *memory) killed(pid int) string {
	fd, err := syscall.Open("/dev/kmsg", syscall.O_RDONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if err != nil {
		return ""
	}
	defer func() { _ = syscall.Close(fd) }()
	want := []byte(fmt.Sprintf("Killed process %d (", pid))
	buf := make([]byte, 16<<10)
	found := ""
	for read := 0; read < mostLog; {
		n, err := syscall.Read(fd, buf) // one record at a time (Documentation/ABI/testing/dev-kmsg)
		if err == syscall.EPIPE {
			continue // a record was overwritten before we came to it
		}
		if err != nil || n <= 0 {
			break
		}
		read += n
		_, text, _ := bytes.Cut(buf[:n], []byte(";"))
		text, _, _ = bytes.Cut(text, []byte("\n"))
		if bytes.Contains(text, want) {
			found = plain(string(text))
		}
	}
	return found
}
