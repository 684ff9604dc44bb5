package admin

import "causeway/internal/journey"

// Host is what the gateway's own host was like. Shares are per cent; what is missing was not known, or
// nothing.
type Host struct {
	SpanMS          float64 `json:"span_ms,omitempty" example:"1000" doc:"Over how long the shares were measured."`
	CPUBusy         int64   `json:"cpu_busy_percent" example:"42" doc:"How busy the host's CPUs were."`
	CPUSteal        int64   `json:"cpu_steal_percent,omitempty" doc:"What the hypervisor gave to others."`
	CPUOwn          int64   `json:"cpu_own_percent" example:"20" doc:"Of the CPUs that the gateway may use, what it used."`
	CPUs            int64   `json:"cpus" example:"4" doc:"CPUs that the gateway may use."`
	CPUThrottled    int64   `json:"cpu_throttled_percent,omitempty" doc:"Share of the time for which a CPU limit of the control group held the gateway back."`
	SchedDelayMS    float64 `json:"sched_delay_ms" example:"0.4" doc:"How long the gateway's work that could run waited for a CPU; one in a hundred waited longer."`
	GC              int64   `json:"gc_percent,omitempty" doc:"Share of the gateway's CPU time that garbage collection took."`
	GCPauseMS       float64 `json:"gc_pause_ms,omitempty" doc:"The longest stop of the whole gateway by it."`
	MemoryBytes     int64   `json:"memory_bytes,omitempty" example:"83886080" doc:"Memory that the gateway needs."`
	MemoryMaxBytes  int64   `json:"memory_max_bytes,omitempty" doc:"Memory that it may have."`
	SwapBytes       int64   `json:"swap_bytes_per_second,omitempty" doc:"What the host moves from and to swap."`
	Descriptors     int64   `json:"descriptors,omitempty" example:"120" doc:"Descriptors in use."`
	DescriptorsMax  int64   `json:"descriptors_max,omitempty" example:"200000" doc:"Descriptors that the gateway may have."`
	TCPSockets      int64   `json:"tcp_sockets,omitempty" doc:"TCP sockets of the host, those in TIME_WAIT included."`
	PortsMax        int64   `json:"ports_max,omitempty" example:"28232" doc:"Ports that outgoing connections to one address can have."`
	DiskFreeBytes   int64   `json:"disk_free_bytes" doc:"Free where the data folder is."`
	DiskWriteMS     float64 `json:"disk_write_ms,omitempty" example:"1.2" doc:"The last small write to it, until it was on the disk."`
	DiskError       string  `json:"disk_error,omitempty" doc:"Why that write failed."`
	ClockStepMS     float64 `json:"clock_step_ms,omitempty" doc:"By how much the wall clock was last set while the gateway ran."`
	ClockStepAgoMS  float64 `json:"clock_step_ago_ms,omitempty" doc:"How long ago that was."`
	Lookups         int64   `json:"lookups,omitempty" doc:"Name lookups by the gateway in the last minute."`
	LookupsFailed   int64   `json:"lookups_unanswered,omitempty" doc:"Of them, those without an answer."`
	LookupAverageMS float64 `json:"lookup_average_ms,omitempty" doc:"Their mean time."`
}

func hostView(h *journey.Host) *Host {
	if h == nil {
		return nil
	}
	return &Host{
		SpanMS: millis(h.Span), CPUBusy: h.CPU, CPUSteal: h.Steal, CPUOwn: h.Own, CPUs: h.CPUs, CPUThrottled: h.Throttled,
		SchedDelayMS: millis(h.Delay), GC: h.GC, GCPauseMS: millis(h.Pause), MemoryBytes: h.Memory, MemoryMaxBytes: h.MemoryMax, SwapBytes: h.Swap,
		Descriptors: h.Files, DescriptorsMax: h.FilesMax, TCPSockets: h.Ports, PortsMax: h.PortsMax,
		DiskFreeBytes: max(h.DiskFree, 0), DiskWriteMS: millis(h.DiskWrite), DiskError: h.DiskError,
		ClockStepMS: millis(h.ClockStep), ClockStepAgoMS: millis(h.ClockAgo),
		Lookups: h.Lookups, LookupsFailed: h.LookupsFailed, LookupAverageMS: millis(h.LookupTime),
	}
}
