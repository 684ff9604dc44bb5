package e2e

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// descriptors lists what a process has open, with the ports of its TCP sockets. Of the connections
// of the process to itself it counts the ends that serve and those that call; the list leaves them
// out. Without /proc all of it is empty.
func descriptors(pid int) (list []string, served, called int) {
	type socket struct{ local, remote, state string }
	const listens = "0A"
	sockets, own := map[string]socket{}, map[string]bool{}
	for _, table := range []string{"tcp", "tcp6"} {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", pid, table)) // there may be no IPv6
		for line := range strings.SplitSeq(string(text), "\n") {
			if f := strings.Fields(line); len(f) > 9 {
				sockets[f[9]] = socket{portIn(f[1]), portIn(f[2]), f[3]}
			}
		}
	}
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	entries, _ := os.ReadDir(dir)
	var open []string
	for _, e := range entries {
		to, err := os.Readlink(dir + "/" + e.Name())
		if err != nil {
			continue // closed since
		}
		open = append(open, to)
		if s, ok := sockets[inode(to)]; ok && s.state == listens {
			own[s.local] = true
		}
	}
	for _, to := range open {
		s, ok := sockets[inode(to)]
		switch {
		case !ok:
			list = append(list, to)
		case s.state == listens:
			list = append(list, to+" listens on port "+s.local)
		case own[s.local]:
			served++
		case own[s.remote]:
			called++
		default:
			list = append(list, fmt.Sprintf("%s from port %s to %s, state %s", to, s.local, s.remote, s.state))
		}
	}
	slices.Sort(list)
	return list, served, called
}

// inode is the number in "socket:[1234]".
func inode(link string) string {
	n, _ := strings.CutPrefix(strings.TrimSuffix(link, "]"), "socket:[")
	return n
}

// portIn is the decimal port of an address in /proc/net/tcp.
func portIn(address string) string {
	_, hex, _ := strings.Cut(address, ":")
	n, err := strconv.ParseUint(hex, 16, 16)
	if err != nil {
		return hex
	}
	return strconv.FormatUint(n, 10)
}
