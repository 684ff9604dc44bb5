package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"causeway/internal/diagnose"
	"causeway/internal/fault"
	"causeway/internal/journey"
	"causeway/internal/probe"
)

// performance is the third part: this host, and the upstream's where its metrics are named.
func (d *doctor) performance(ctx context.Context, s *subject) {
	if d.o.Host != nil {
		end := d.begin(Performance, "this host", "")
		d.host = d.o.Host(ctx)
		end(hostStep(d.host))
	}
	if d.o.Metrics != "" {
		d.upstreamMetrics(ctx, s)
	}
}

// hostStep tells what this host is like.
func hostStep(h *journey.Host) Step {
	if h == nil {
		return Step{Result: Skipped, Text: "this host could not be looked at"}
	}
	step := Step{Result: OK, Text: "nothing on this host is short"}
	for i, t := range diagnose.HostTroubles(h) {
		if i == 0 {
			step.Result, step.Kind, step.Text = Warning, t.Kind, t.Text
			if e := fault.Lookup(t.Kind); e != nil {
				step.Advice = e.OperatorAdvice
			}
			continue
		}
		step.Lines = append(step.Lines, t.Text)
	}
	line := func(format string, args ...any) { step.Lines = append(step.Lines, fmt.Sprintf(format, args...)) }
	line("CPU: %d%% of %d busy, %d%% taken by others on the machine (steal)", h.CPU, h.CPUs, h.Steal)
	if h.MemoryMax > 0 {
		line("memory: this process needs %s; a process may have %s", fault.Size(h.Memory), fault.Size(h.MemoryMax))
	}
	if h.FilesMax > 0 {
		line("descriptors: %d of %d that a process may have", h.Files, h.FilesMax)
	}
	if h.PortsMax > 0 {
		line("sockets: %d TCP; outgoing connections to one address have %d ports", h.Ports, h.PortsMax)
	}
	if h.DiskFree > 0 {
		line("disk: %s free, a small write takes %s", fault.Size(h.DiskFree), fault.Span(h.DiskWrite))
	}
	if h.Swap > 0 {
		line("swap: %s/s", fault.Size(h.Swap))
	}
	return step
}

// upstreamMetrics reads the metrics of the upstream's host.
func (d *doctor) upstreamMetrics(ctx context.Context, s *subject) {
	p, err := d.place(d.o.Metrics, nil)
	if err != nil {
		d.note(Performance, "upstream's metrics", "", Step{Result: Skipped, Text: "--metrics: " + err.Error()})
		return
	}
	end := d.begin(Performance, "upstream's metrics", p.shown)
	end(d.readMetrics(ctx, p, s))
}

func (d *doctor) readMetrics(ctx context.Context, p *place, s *subject) Step {
	p.named = true
	ip, ok := p.literal()
	if !ok {
		part, cancel := context.WithTimeout(ctx, p.limits.connect)
		defer cancel()
		a := d.lookup(part, p.url.Hostname())
		if !a.Good() {
			return Step{Result: Skipped, Text: p.url.Hostname() + " is not found: " + a.Err}
		}
		ip = a.Addresses[0]
	}
	at, err := netip.ParseAddrPort(hostPort(ip, portOf(p.url)))
	if err != nil {
		return Step{Result: Skipped, Text: p.shown + " has no port that can be"}
	}
	road, err := d.open(p, at)
	if err != nil {
		return Step{Result: Skipped, Text: err.Error()}
	}
	defer road.Close()
	path := p.requestPath()
	if path == "/" {
		path = "/metrics"
	}
	g := d.exchange(ctx, p, road, request{method: http.MethodGet, path: path})
	if g.finding != nil && g.status == 0 {
		return Step{Result: Warning, Text: "the metrics could not be read: " + g.finding.Detail}
	}
	var m probe.Metrics
	if g.status == http.StatusOK {
		text, _ := g.text()
		m = probe.ReadMetrics(text)
	}
	if !m.Has("node_load1") && !m.Has("process_open_fds") {
		// A Prometheus server has metrics of its own there, and knows those of the upstream's host.
		host := targetHost(s)
		query := "/api/v1/query?query=" + url.QueryEscape(fmt.Sprintf(`{__name__=~"%s",instance=~"%s(:[0-9]+)?"}`, strings.Join(probe.MetricNames(), "|"), strings.ReplaceAll(host, ".", `\\.`)))
		r := d.exchange(ctx, p, road, request{method: http.MethodGet, path: query})
		text, _ := r.text()
		if found, ok := fromPrometheus(text); ok && r.status == http.StatusOK {
			m = found
		}
	}
	return metricsStep(m, g.status)
}

func targetHost(s *subject) string {
	if len(s.places) == 0 {
		return ""
	}
	return s.places[0].url.Hostname()
}

func hostPort(ip netip.Addr, port string) string {
	if ip.Is6() {
		return "[" + ip.String() + "]:" + port
	}
	return ip.String() + ":" + port
}

// fromPrometheus reads the answer of an instant query.
func fromPrometheus(body []byte) (probe.Metrics, bool) {
	var r struct {
		Status string
		Data   struct {
			Result []struct {
				Metric map[string]string
				Value  []any
			}
		}
	}
	if json.Unmarshal(body, &r) != nil || r.Status != "success" {
		return probe.Metrics{}, false
	}
	m := probe.Metrics{}
	for _, e := range r.Data.Result {
		if len(e.Value) != 2 {
			continue
		}
		text, _ := e.Value[1].(string)
		m.Add(e.Metric["__name__"], e.Metric, text)
	}
	return m, true
}

// metricsStep says what the metrics of the upstream's host mean.
func metricsStep(m probe.Metrics, status int) Step {
	if m.Len() == 0 {
		return Step{Result: Skipped, Text: fmt.Sprintf("no metrics of a host or process were there (status %d): name a node_exporter's /metrics, or a Prometheus server that has them", status)}
	}
	step := Step{Result: OK, Text: "nothing on the upstream's host is short"}
	var bad []string
	say := func(short bool, format string, args ...any) {
		text := fmt.Sprintf(format, args...)
		step.Lines = append(step.Lines, text)
		if short {
			bad = append(bad, text)
		}
	}
	if cpus := m.CPUs(); m.Has("node_load1") && cpus > 0 {
		load := m.Value("node_load1")
		say(load > 2*float64(cpus), "load: %.2f on %d CPUs", load, cpus)
	}
	if total := m.Value("node_memory_MemTotal_bytes"); total > 0 {
		free := m.Value("node_memory_MemAvailable_bytes")
		say(free < total/20, "memory: %s of %s available", fault.Size(int64(free)), fault.Size(int64(total)))
	}
	if m.Has("node_vmstat_oom_kill") {
		kills := m.Value("node_vmstat_oom_kill")
		say(kills > 0, "processes that the kernel killed for want of memory since it started: %.0f", kills)
	}
	if size, free, where := m.FullestDisk(); size > 0 {
		say(free < size/20, "disk: %s of %s free at %s", fault.Size(int64(free)), fault.Size(int64(size)), clip(where))
	}
	if most := m.Value("node_filefd_maximum"); most > 0 {
		used := m.Value("node_filefd_allocated")
		say(used > most*0.8, "descriptors of the host: %.0f of %.0f", used, most)
	}
	if most := m.Value("process_max_fds"); most > 0 {
		used := m.Value("process_open_fds")
		say(used > most*0.8, "descriptors of the process: %.0f of %.0f", used, most)
	}
	if m.Has("node_sockstat_TCP_tw") {
		waiting := m.Value("node_sockstat_TCP_tw")
		say(waiting > 25000, "TCP sockets: %.0f in use, %.0f in TIME_WAIT", m.Value("node_sockstat_TCP_inuse"), waiting)
	}
	if m.Has("node_netstat_TcpExt_ListenOverflows") {
		drops := m.Value("node_netstat_TcpExt_ListenOverflows")
		say(drops > 0, "connections dropped since the start because a server's accept queue was full: %.0f", drops)
	}
	if at := m.Value("node_boot_time_seconds"); at > 0 {
		up := time.Since(time.Unix(int64(at), 0))
		say(up < 10*time.Minute && up > 0, "the host has been up for %s", fault.Span(up))
	}
	if at := m.Value("process_start_time_seconds"); at > 0 {
		up := time.Since(time.Unix(int64(at), 0))
		say(up < 10*time.Minute && up > 0, "the process has run for %s", fault.Span(up))
	}
	if len(bad) > 0 {
		step.Result, step.Text = Warning, strings.Join(bad, "; ")
	}
	return step
}
