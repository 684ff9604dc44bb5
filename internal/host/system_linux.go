package host

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// system reads Linux's /proc and the process's control group. The files stay open: when descriptors have
// run out, none could be opened to see it.
type system struct {
	stat, vmstat, sockstat, statm, cgroup *os.File
	portRange                             *os.File
	buf                                   []byte
	counted                               time.Time // when descriptors were last counted one by one
	files                                 int64
}

func newSystem() System {
	s := &system{buf: make([]byte, 64<<10)}
	open := func(path string) *os.File {
		f, err := os.Open(path)
		if err != nil {
			return nil // a figure less
		}
		return f
	}
	s.stat, s.vmstat = open("/proc/stat"), open("/proc/vmstat")
	s.sockstat, s.statm = open("/proc/self/net/sockstat"), open("/proc/self/statm")
	for _, dir := range cgroups().cpu {
		if s.cgroup = open(filepath.Join(dir, "cpu.stat")); s.cgroup != nil {
			break
		}
	}
	s.portRange = open("/proc/sys/net/ipv4/ip_local_port_range")
	return s
}

// Close implements System.
func (s *system) Close() {
	for _, f := range []*os.File{s.stat, s.vmstat, s.sockstat, s.statm, s.cgroup, s.portRange} {
		if f != nil {
			_ = f.Close()
		}
	}
}

// Read implements System.
func (s *system) Read(r *Reading) {
	readProcess(r)
	s.cpu(r)
	if v := s.named(s.cgroup, "throttled_usec", "throttled_time"); v[0] > 0 {
		r.Throttled = time.Duration(v[0]) * time.Microsecond
	} else if v[1] > 0 {
		r.Throttled = time.Duration(v[1]) // control groups of version 1 count nanoseconds
	}
	if f := bytes.Fields(s.read(s.statm)); len(f) > 2 {
		r.Resident = (number(f[1]) - number(f[2])) * int64(os.Getpagesize())
	}
	v := s.named(s.vmstat, "pswpin", "pswpout")
	r.Swapped = (v[0] + v[1]) * int64(os.Getpagesize())
	s.sockets(r)
	s.descriptors(r)
}

// cpu reads the first line of /proc/stat: user, nice, system, idle, iowait, irq, softirq, steal in
// hundredths of a second (proc_stat(5)).
func (s *system) cpu(r *Reading) {
	line, _, _ := bytes.Cut(s.read(s.stat), []byte{'\n'})
	f := bytes.Fields(line)
	if len(f) < 9 {
		return
	}
	const perSecond = 100 // USER_HZ is 100 on every architecture that Go runs on
	var total float64
	for _, v := range f[1:9] {
		total += float64(number(v)) / perSecond
	}
	idle := float64(number(f[4])+number(f[5])) / perSecond
	r.HostTotal, r.HostBusy, r.HostSteal = total, total-idle, float64(number(f[8]))/perSecond
}

// sockets reads "TCP: inuse 5 orphan 0 tw 12 alloc 7 mem 1".
func (s *system) sockets(r *Reading) {
	for line := range bytes.Lines(s.read(s.sockstat)) {
		f := bytes.Fields(line)
		if len(f) > 6 && string(f[0]) == "TCP:" {
			r.Ports = number(f[2]) + number(f[6])
		}
	}
	// It can be changed at any moment.
	if f := bytes.Fields(s.read(s.portRange)); len(f) == 2 {
		r.PortsMax = number(f[1]) - number(f[0]) + 1
	}
}

// descriptors counts this process's: the size of /proc/self/fd is their number since Linux 6.2; before
// it they are counted one by one, every ten seconds.
func (s *system) descriptors(r *Reading) {
	var st syscall.Stat_t
	if syscall.Stat("/proc/self/fd", &st) == nil && st.Size > 0 {
		r.Files = st.Size
		return
	}
	if time.Since(s.counted) < 10*time.Second {
		r.Files = s.files
		return
	}
	if f, err := os.Open("/proc/self/fd"); err == nil {
		names, _ := f.Readdirnames(-1)
		_ = f.Close()
		s.counted, s.files = time.Now(), int64(len(names))-1
	} else if s.files > 0 {
		s.files = r.FilesMax // not even one is left
	}
	r.Files = s.files
}

// named reads the values of two names from lines of "name value"; 0 for one that is not there.
func (s *system) named(f *os.File, a, b string) (v [2]int64) {
	for line := range bytes.Lines(s.read(f)) {
		name, value, ok := bytes.Cut(bytes.TrimSpace(line), []byte{' '})
		if !ok {
			continue
		}
		switch string(name) {
		case a:
			v[0] = number(value)
		case b:
			v[1] = number(value)
		}
	}
	return v
}

// read reads a file of /proc from its start; the result is valid until the next call.
func (s *system) read(f *os.File) []byte {
	if f == nil {
		return nil
	}
	n, _ := f.ReadAt(s.buf, 0)
	return s.buf[:n]
}

func number(b []byte) int64 {
	n, err := strconv.ParseInt(string(bytes.TrimSpace(b)), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func filesMax() int64 {
	var r syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r) != nil {
		return 0
	}
	return int64(min(r.Cur, 1<<40))
}
