package host

import (
	"bytes"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
)

// groups are the folders of this process's control group and of those above it, the nearest first.
type groups struct{ cpu, memory []string }

// cgroups finds them. In a container with a namespace of its own the path is "/", and the group's files
// stand at the mount's root; without one, the path below it leads to them (cgroups(7)).
func cgroups() (g groups) {
	const root = "/sys/fs/cgroup"
	b, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return g
	}
	for line := range strings.Lines(string(b)) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) != 3 {
			continue
		}
		at := strings.Split(f[1], ",")
		for _, name := range at {
			switch name {
			case "": // version 2: one tree for all
				for _, mount := range []string{root, root + "/unified"} {
					g.cpu = append(g.cpu, upwards(mount, f[2])...)
					g.memory = append(g.memory, upwards(mount, f[2])...)
				}
			case "cpu":
				g.cpu = append(g.cpu, upwards(root+"/"+f[1], f[2])...)
				g.cpu = append(g.cpu, upwards(root+"/cpu", f[2])...)
			case "memory":
				g.memory = append(g.memory, upwards(root+"/"+f[1], f[2])...)
			}
		}
	}
	return g
}

// upwards lists the folders from a group up to the mount.
func upwards(mount, group string) (dirs []string) {
	for p := path.Clean("/" + group); ; p = path.Dir(p) {
		dirs = append(dirs, filepath.Join(mount, p))
		if p == "/" {
			return dirs
		}
	}
}

// MemoryLimit is how many bytes this process may have: what the nearest of its control groups with a
// limit allows, or the host's memory where that is less; 0 when neither is known.
func MemoryLimit() int64 {
	var info syscall.Sysinfo_t
	limit := int64(0)
	if syscall.Sysinfo(&info) == nil {
		limit = int64(uint64(info.Totalram) * uint64(info.Unit))
	}
	for _, dir := range cgroups().memory {
		for _, name := range []string{"memory.max", "memory.limit_in_bytes"} {
			b, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				continue
			}
			// "max" is no number, and version 1 writes a very large one for no limit.
			if n := number(bytes.TrimSpace(b)); n > 0 && (limit == 0 || n < limit) {
				limit = n
			}
		}
	}
	return limit
}
