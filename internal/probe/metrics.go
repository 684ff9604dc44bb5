package probe

import (
	"bytes"
	"math"
	"strconv"
	"strings"
)

// Metrics are those of a host or a process that say whether it is short of something. The zero value
// is empty and ready for Add.
type Metrics struct {
	values map[string]float64 // the sum over label sets
	disks  map[string][2]float64
	cpus   map[string]bool
}

// MetricNames are the metrics that are looked at: node_exporter's and those of a process.
func MetricNames() []string {
	return []string{
		"node_load1", "node_memory_MemTotal_bytes", "node_memory_MemAvailable_bytes", "node_vmstat_oom_kill",
		"node_filesystem_size_bytes", "node_filesystem_avail_bytes", "node_filefd_allocated", "node_filefd_maximum",
		"node_sockstat_TCP_inuse", "node_sockstat_TCP_tw", "node_netstat_TcpExt_ListenOverflows", "node_boot_time_seconds",
		"node_cpu_seconds_total", "process_open_fds", "process_max_fds", "process_start_time_seconds",
	}
}

// ReadMetrics reads a page in the Prometheus text format. Lines that are none of it, and metrics that
// are not looked at, are passed over.
func ReadMetrics(page []byte) Metrics {
	var m Metrics
	for line := range bytes.Lines(page) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' || len(line) > 4096 {
			continue
		}
		name, labels, rest := splitSample(string(line))
		value, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
		m.Add(name, labels, value)
	}
	return m
}

// splitSample takes a sample line apart.
func splitSample(line string) (name string, labels map[string]string, rest string) {
	at := strings.IndexAny(line, "{ ")
	if at < 0 {
		return "", nil, ""
	}
	name, rest = line[:at], line[at:]
	if rest[0] != '{' {
		return name, nil, rest
	}
	labels = map[string]string{}
	rest = rest[1:]
	for {
		rest = strings.TrimLeft(rest, ", ")
		if rest == "" {
			return "", nil, ""
		}
		if rest[0] == '}' {
			return name, labels, rest[1:]
		}
		key, after, ok := strings.Cut(rest, `="`)
		if !ok {
			return "", nil, ""
		}
		end := 0
		for end < len(after) && after[end] != '"' {
			if after[end] == '\\' {
				end++
			}
			end++
		}
		if end >= len(after) {
			return "", nil, ""
		}
		labels[key], rest = after[:end], after[end+1:]
	}
}

// Add adds a sample, if it is of a metric that is looked at and its value is a finite number.
func (m *Metrics) Add(name string, labels map[string]string, text string) {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) || !watched(name) {
		return
	}
	if m.values == nil {
		m.values, m.disks, m.cpus = map[string]float64{}, map[string][2]float64{}, map[string]bool{}
	}
	switch name {
	case "node_filesystem_size_bytes", "node_filesystem_avail_bytes":
		switch labels["fstype"] {
		case "tmpfs", "ramfs", "overlay", "squashfs", "devtmpfs", "iso9660", "fuse.lxcfs":
			return
		}
		at := labels["mountpoint"]
		if _, known := m.disks[at]; !known && len(m.disks) >= 1000 {
			return
		}
		pair := m.disks[at]
		if name == "node_filesystem_size_bytes" {
			pair[0] = v
		} else {
			pair[1] = v
		}
		m.disks[at] = pair
	case "node_cpu_seconds_total":
		if len(m.cpus) < 4096 {
			m.cpus[labels["cpu"]] = true
		}
	}
	m.values[name] += v
}

func watched(name string) bool {
	for _, w := range MetricNames() {
		if w == name {
			return true
		}
	}
	return false
}

// Len is how many metrics are known.
func (m *Metrics) Len() int { return len(m.values) }

// Has says whether a metric is known.
func (m *Metrics) Has(name string) bool {
	_, ok := m.values[name]
	return ok
}

// Value is a metric's value, 0 when it is not known.
func (m *Metrics) Value(name string) float64 { return m.values[name] }

// CPUs is how many there are, 0 when that is not known.
func (m *Metrics) CPUs() int { return len(m.cpus) }

// FullestDisk is the file system with the smallest free part; size 0 when none is known.
func (m *Metrics) FullestDisk() (size, free float64, where string) {
	least := math.Inf(1)
	for at, d := range m.disks {
		if d[0] <= 0 {
			continue
		}
		if part := d[1] / d[0]; part < least || part == least && at < where {
			least, size, free, where = part, d[0], d[1], at
		}
	}
	return size, free, where
}
