package child

import (
	"encoding/hex"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// listening are the TCP addresses that the process, its group and its descendants listen on (proc(5)).
func (p *Process) listening() ([]netip.AddrPort, error) {
	var sockets map[string]netip.AddrPort
	var list []netip.AddrPort
	for _, pid := range family(p.pid()) {
		dir := "/proc/" + strconv.Itoa(pid) + "/fd"
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue // it has ended, or is not ours to look at
		}
		if sockets == nil {
			sockets = map[string]netip.AddrPort{}
			for _, file := range []string{"/net/tcp", "/net/tcp6"} {
				b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + file)
				if err == nil {
					listeners(string(b), sockets)
				}
			}
		}
		for _, e := range entries {
			link, err := os.Readlink(dir + "/" + e.Name())
			if err != nil {
				continue
			}
			inode, ok := strings.CutPrefix(link, "socket:[")
			if !ok {
				continue
			}
			inode = strings.TrimSuffix(inode, "]")
			if a, ok := sockets[inode]; ok {
				list = append(list, a)
				delete(sockets, inode)
			}
		}
	}
	return list, nil
}

// listeners reads the sockets in the state LISTEN of one of proc's tables, by inode.
func listeners(table string, into map[string]netip.AddrPort) {
	for l := range strings.Lines(table) {
		f := strings.Fields(l)
		if len(f) < 10 || f[3] != "0A" {
			continue
		}
		if a, ok := address(f[1]); ok {
			into[f[9]] = a
		}
	}
}

// address reads "0100007F:1F90": 32-bit words in the host's order, which is little-endian on every
// architecture that Go and this program run on, but for those whose tables we then fail to use.
func address(text string) (a netip.AddrPort, ok bool) {
	ip, port, _ := strings.Cut(text, ":")
	raw, err := hex.DecodeString(ip)
	n, err2 := strconv.ParseUint(port, 16, 16)
	if err != nil || err2 != nil || len(raw) != 4 && len(raw) != 16 {
		return a, false
	}
	for i := 0; i < len(raw); i += 4 {
		raw[i], raw[i+1], raw[i+2], raw[i+3] = raw[i+3], raw[i+2], raw[i+1], raw[i]
	}
	addr, _ := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(addr, uint16(n)), true
}

// family are the processes of the group that pid leads, and all that descend from it.
func family(pid int) []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	parents, members := map[int]int{}, map[int]bool{pid: true}
	for _, e := range entries {
		n, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		b, err := os.ReadFile("/proc/" + e.Name() + "/stat")
		if err != nil {
			continue
		}
		// The name in parentheses may hold anything: what follows is behind the last of them.
		f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
		if len(f) < 3 {
			continue
		}
		parents[n], _ = strconv.Atoi(f[1])
		if group, _ := strconv.Atoi(f[2]); group == pid {
			members[n] = true
		}
	}
	for again := true; again; {
		again = false
		for n, parent := range parents {
			if members[parent] && !members[n] {
				members[n], again = true, true
			}
		}
	}
	list := make([]int, 0, len(members))
	for n := range members {
		list = append(list, n)
	}
	return list
}
