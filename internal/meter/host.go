package meter

import (
	"github.com/prometheus/client_golang/prometheus"

	"causeway/internal/journey"
)

// Load is how loaded the gateway is, and whom it has turned away.
type Load struct {
	Waiting    int64   // calls that wait for one of those in flight to end
	Ceiling    int64   // on calls in flight; 0 is none
	TurnedAway float64 // the share of new calls that is turned away because the gateway is late
	Delay      float64 // seconds that the gateway's own work waits for a CPU, the median
	Memory     int64   // bytes that the gateway needs
	MemoryLow  string  // "" | "soft" | "hard"
	Reserved   int64   // bytes for bodies that are being held
	Refused    map[string]int64
	// AcceptFailed is how often a connection could not be accepted, TooSlow how many callers were cut
	// because they took their answer too slowly.
	AcceptFailed, TooSlow int64
}

var (
	descWaiting    = desc("calls_waiting", "Calls that wait for one of those in flight to end (server.overload.queue).")
	descCeiling    = desc("calls_in_flight_max", "Ceiling on calls in flight (server.max_calls, or what memory and descriptors allow).")
	descTurnedRate = desc("overload_turned_away_ratio", "Share of new calls that is turned away because the gateway is late with its own work (server.overload.max_delay).")
	descDelay      = desc("overload_delay_seconds", "How long the gateway's own work waits for a CPU: the median of the last tenth of a second.")
	descNeeded     = desc("memory_needed_bytes", "Memory that the gateway needs: what a garbage collection would leave.")
	descMemoryLow  = desc("memory_low", "1 while calls are refused for want of memory: those that need much of it (soft), or all (hard).", "level")
	descReserved   = desc("memory_reserved_bytes", "Memory reserved for bodies of requests that are being held.")
	descRefused    = desc("calls_refused_total", "Calls turned away to keep the gateway well: full (no place in the queue), waited (no place in time), late (its own work is late), memory.", "reason")
	descAcceptFail = desc("accept_failures_total", "Times that a connection could not be accepted and was tried again, as when descriptors have run out.")
	descTooSlow    = desc("callers_too_slow_total", "Callers that were cut because they took their answer too slowly.")
)

func (l *Load) collect(e emitter) {
	e.gauge(descWaiting, float64(l.Waiting))
	if l.Ceiling > 0 {
		e.gauge(descCeiling, float64(l.Ceiling))
	}
	e.gauge(descTurnedRate, l.TurnedAway)
	e.gauge(descDelay, l.Delay)
	e.gauge(descNeeded, float64(l.Memory))
	for _, level := range []string{"soft", "hard"} {
		e.gauge(descMemoryLow, flag(l.MemoryLow == level), level)
	}
	e.gauge(descReserved, float64(l.Reserved))
	for reason, n := range l.Refused {
		e.counter(descRefused, float64(n), reason)
	}
	e.counter(descAcceptFail, float64(l.AcceptFailed))
	e.counter(descTooSlow, float64(l.TooSlow))
}

var (
	descHostCPU       = desc("host_cpu_busy_ratio", "How busy the host's CPUs were in the last second.")
	descHostSteal     = desc("host_cpu_steal_ratio", "Share of the host's CPUs that the hypervisor gave to others.")
	descHostOwn       = desc("host_cpu_own_ratio", "Share of the CPUs that this process may use that it used.")
	descHostThrottled = desc("host_cpu_throttled_ratio", "Share of the last second for which a CPU limit of the control group held the process back.")
	descHostDelay     = desc("host_sched_delay_seconds", "How long work of this process that could run waited for a CPU in the last second; one in a hundred waited longer.")
	descHostGC        = desc("host_gc_ratio", "Share of this process's CPU time that garbage collection took.")
	descHostPause     = desc("host_gc_pause_seconds", "Longest stop of this process by garbage collection in the last second.")
	descHostMemoryMax = desc("host_memory_max_bytes", "Memory that this process may have: GOMEMLIMIT, or a share of what its control group or host has.")
	descHostSwap      = desc("host_swap_bytes_per_second", "What the host moves from and to swap.")
	descHostFiles     = desc("host_descriptors", "Descriptors of this process in use.")
	descHostFilesMax  = desc("host_descriptors_max", "Descriptors that this process may have.")
	descHostPorts     = desc("host_tcp_sockets", "TCP sockets of the host, those in TIME_WAIT included.")
	descHostPortsMax  = desc("host_ports_max", "Ports that outgoing connections to one address can have.")
	descHostDiskFree  = desc("host_disk_free_bytes", "Bytes free on the disk of the data folder.")
	descHostDiskWrite = desc("host_disk_write_seconds", "Time of the last small write to the data folder, until it was on the disk; it is made every ten seconds.")
	descHostDiskFail  = desc("host_disk_failing", "1 when the last write to the data folder failed.")
	descHostClock     = desc("host_clock_step_seconds", "By how much the wall clock was last set while the process ran; 0 when it was not.")
	descHostLookups   = desc("host_lookups", "Name lookups by the gateway in the last minute.")
	descHostUnanswer  = desc("host_lookups_unanswered", "Name lookups by the gateway in the last minute that were not answered.")
	descHostLookup    = desc("host_lookup_seconds", "Mean time of the name lookups of the last minute.")
)

func collectHost(e emitter, h *journey.Host) {
	percent := func(n int64) float64 { return float64(n) / 100 }
	e.gauge(descHostCPU, percent(h.CPU))
	e.gauge(descHostSteal, percent(h.Steal))
	e.gauge(descHostOwn, percent(h.Own))
	e.gauge(descHostThrottled, percent(h.Throttled))
	e.gauge(descHostDelay, h.Delay.Seconds())
	e.gauge(descHostGC, percent(h.GC))
	e.gauge(descHostPause, h.Pause.Seconds())
	e.gauge(descHostMemoryMax, float64(h.MemoryMax))
	e.gauge(descHostSwap, float64(h.Swap))
	e.gauge(descHostFiles, float64(h.Files))
	e.gauge(descHostFilesMax, float64(h.FilesMax))
	e.gauge(descHostPorts, float64(h.Ports))
	e.gauge(descHostPortsMax, float64(h.PortsMax))
	e.gauge(descHostDiskFree, float64(max(h.DiskFree, 0)))
	e.gauge(descHostDiskWrite, h.DiskWrite.Seconds())
	e.gauge(descHostDiskFail, flag(h.DiskError != ""))
	e.gauge(descHostClock, h.ClockStep.Seconds())
	e.gauge(descHostLookups, float64(h.Lookups))
	e.gauge(descHostUnanswer, float64(h.LookupsFailed))
	e.gauge(descHostLookup, h.LookupTime.Seconds())
}

// loadDescs are the metrics of this file.
var loadDescs = []*prometheus.Desc{
	descWaiting, descCeiling, descTurnedRate, descDelay, descNeeded, descMemoryLow, descReserved, descRefused, descAcceptFail, descTooSlow,
	descHostCPU, descHostSteal, descHostOwn, descHostThrottled, descHostDelay, descHostGC, descHostPause, descHostMemoryMax, descHostSwap,
	descHostFiles, descHostFilesMax, descHostPorts, descHostPortsMax, descHostDiskFree, descHostDiskWrite, descHostDiskFail, descHostClock,
	descHostLookups, descHostUnanswer, descHostLookup,
}
