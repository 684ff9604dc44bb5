package app

import (
	"os"
	"strconv"
	"strings"
	"syscall"
)

// hostMemory is the host's memory, or what the control group of this process allows where that is
// less (cgroup v2: memory.max; "max" is no limit).
func hostMemory() int64 {
	var info syscall.Sysinfo_t
	if syscall.Sysinfo(&info) != nil {
		return 0
	}
	total := int64(uint64(info.Totalram) * uint64(info.Unit))
	b, err := os.ReadFile("/sys/fs/cgroup/memory.max")
	if err != nil {
		return total
	}
	if limit, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64); err == nil && limit > 0 {
		return min(total, limit)
	}
	return total
}
