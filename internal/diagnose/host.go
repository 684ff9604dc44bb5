package diagnose

import (
	"fmt"
	"strings"
	"syscall"
	"time"

	"causeway/internal/fault"
	"causeway/internal/journey"
)

// What the gateway's own host was like counts as trouble from these marks on.
const (
	lateWork   = 100 * time.Millisecond // work that could run waited so long for a CPU
	heldBack   = 25                     // per cent of the time, by the control group
	stolen     = 25                     // per cent of the CPUs, by the hypervisor
	collecting = 50                     // per cent of the process's CPU time, by the garbage collector
	swapping   = 8 << 20                // bytes a second
	nearlyAll  = 80                     // per cent of what there is of descriptors and ports
	nearlyFull = 90                     // per cent of the memory
	leastFree  = 16 << 20               // bytes of the data folder's disk
	slowWrite  = time.Second
	slowLookup = time.Second
	clockSet   = time.Second
	clockFor   = 24 * time.Hour // a clock that was set is remembered
	// A delay of the gateway's own lies behind a limit that passed only if it is no less than this part
	// of it: with less, whoever was waited for had most of the time and let it pass.
	partOfLimit = 2
)

// HostTrouble is one thing that was wrong with the gateway's own host.
type HostTrouble struct {
	Kind fault.Kind // gateway_cpu_starved and its like
	Text string     // what was seen, with numbers; no addresses
}

// HostTroubles is what was wrong with the gateway's host, the gravest first; nil for a host that was
// well, or of which nothing is known. It may be called concurrently.
func HostTroubles(h *journey.Host) []HostTrouble {
	if h == nil {
		return nil
	}
	var list []HostTrouble
	add := func(k fault.Kind, text string) { list = append(list, HostTrouble{k, text}) }
	if h.Delay >= lateWork || h.Throttled >= heldBack || h.Steal >= stolen {
		add(fault.GatewayCPUStarved, cpuText(h))
	}
	if h.MemoryMax > 0 && h.Memory*100 >= h.MemoryMax*nearlyFull || h.GC >= collecting || h.Swap >= swapping {
		add(fault.GatewayMemoryLow, memoryText(h))
	}
	if mostOf(h.Files, h.FilesMax) {
		add(fault.GatewayFilesExhausted, filesText(h))
	}
	if mostOf(h.Ports, h.PortsMax) {
		add(fault.GatewayPortsExhausted, portsText(h))
	}
	full := h.DiskFree < 0 || h.DiskFree > 0 && h.DiskFree < leastFree || h.DiskError == syscall.ENOSPC.Error()
	switch {
	case full:
		add(fault.GatewayDiskFull, diskText(h))
	case h.DiskWrite >= slowWrite || h.DiskError != "":
		add(fault.GatewayDiskSlow, diskText(h))
	}
	if h.ClockStep.Abs() >= clockSet && h.ClockAgo <= clockFor {
		add(fault.GatewayClockJumped, clockText(h))
	}
	if h.Lookups >= 3 && (h.LookupsFailed*2 >= h.Lookups && h.LookupNames >= 2 || h.LookupTime >= slowLookup) {
		add(fault.GatewayDNSSlow, lookupText(h))
	}
	return list
}

func mostOf(n, most int64) bool { return most > 0 && n*100 >= most*nearlyAll }

func cpuText(h *journey.Host) string {
	line := fmt.Sprintf("the gateway's host in the last %s: CPUs %d %% busy", fault.Span(h.Span), h.CPU)
	if h.Steal > 0 {
		line += fmt.Sprintf(", %d %% stolen by the hypervisor", h.Steal)
	}
	if h.Throttled > 0 {
		line += fmt.Sprintf(", the process held back by its CPU limit %d %% of the time", h.Throttled)
	}
	line += fmt.Sprintf("; the gateway used %d %% of its %s, and its work waited up to %s for a CPU", h.Own, plural(h.CPUs, "CPU"), fault.Span(h.Delay))
	if h.GC >= collecting {
		line += fmt.Sprintf("; garbage collection took %d %% of that", h.GC)
	}
	return line
}

func memoryText(h *journey.Host) string {
	line := "memory the gateway needs: " + mebibytes(h.Memory)
	if h.MemoryMax > 0 {
		line += " of " + mebibytes(h.MemoryMax)
	}
	if h.GC >= collecting {
		line += fmt.Sprintf("; garbage collection took %d %% of its CPU time", h.GC)
	}
	if h.Swap >= swapping {
		line += "; the host moves " + mebibytes(h.Swap) + " a second from and to swap"
	}
	return line
}

func filesText(h *journey.Host) string {
	return fmt.Sprintf("descriptors of the gateway: %d of %d in use", h.Files, h.FilesMax)
}

func portsText(h *journey.Host) string {
	return fmt.Sprintf("TCP sockets of the gateway's host: %d, those in TIME_WAIT included; outgoing connections to one address have %d ports", h.Ports, h.PortsMax)
}

func diskText(h *journey.Host) string {
	free := mebibytes(max(h.DiskFree, 0)) + " free"
	switch {
	case h.DiskError != "":
		return "the data folder's disk: a write failed (" + quote([]byte(h.DiskError), quoteLimit) + "), " + free
	case h.DiskWrite > 0:
		return "the data folder's disk: " + free + "; the last small write took " + fault.Span(h.DiskWrite)
	default:
		return "the data folder's disk: " + free
	}
}

func clockText(h *journey.Host) string {
	way := "forward"
	if h.ClockStep < 0 {
		way = "back"
	}
	return fmt.Sprintf("the clock of the gateway's host was set %s by %s, %s earlier", way, fault.Span(h.ClockStep.Abs()), fault.Span(h.ClockAgo))
}

func lookupText(h *journey.Host) string {
	line := fmt.Sprintf("name lookups by the gateway in the last minute: %d, %d without an answer", h.Lookups, h.LookupsFailed)
	if h.LookupNames > 1 {
		line += fmt.Sprintf(" (of %d names)", h.LookupNames)
	}
	return line + ", taking " + fault.Span(h.LookupTime) + " on average"
}

func mebibytes(n int64) string {
	if n >= 10<<30 {
		return fmt.Sprintf("%d GiB", n>>30)
	}
	return fmt.Sprintf("%d MiB", n>>20)
}

// hostBehind is the trouble of the gateway's own host that lies behind the failure, nil when none does. One
// that is about this kind of failure says more than that everything was slow.
func (c *judgement) hostBehind() (behind *HostTrouble) {
	for i := range c.troubles {
		t := &c.troubles[i]
		if !dependsOn(c.entry, t.Kind) || !c.accountsFor(t.Kind) {
			continue
		}
		if t.Kind != fault.GatewayCPUStarved && t.Kind != fault.GatewayMemoryLow {
			return t
		}
		if behind == nil {
			behind = t
		}
	}
	return behind
}

// accountsFor tells whether a trouble is large enough to be the reason: a host that was somewhat late is
// not why an answer did not come for a minute.
func (c *judgement) accountsFor(k fault.Kind) bool {
	h, a := c.in.Host, c.about
	limit := c.in.Limit
	if a != nil && a.LimitValue > 0 {
		limit = a.LimitValue
	}
	switch k {
	case fault.GatewayCPUStarved:
		span := h.Span // which begins before a short wait did
		if limit > 0 {
			span = min(span, limit)
		}
		lost := max(h.Delay, span*time.Duration(h.Throttled)/100)
		return lost >= lateWork && lost >= limit/partOfLimit
	case fault.GatewayMemoryLow:
		return c.kind == fault.GatewayOverloaded || h.GC >= collecting || h.Swap >= swapping
	case fault.GatewayClockJumped:
		return a != nil && a.TLS != nil && !c.in.Time.IsZero() && c.clockAccounts(a.TLS)
	default:
		return true
	}
}

// clockAccounts tells whether the certificate would be valid on the clock as it was before it was set.
func (c *judgement) clockAccounts(t *journey.TLSFacts) bool {
	before := c.in.Time.Add(-c.in.Host.ClockStep)
	return !t.NotAfter.IsZero() && before.Before(t.NotAfter) && before.After(t.NotBefore)
}

// hostLines are the host's part of the evidence: its troubles that may have to do with the failure, and
// what a failure for want of something is measured by.
func (c *judgement) hostLines() []string {
	h := c.in.Host
	if h == nil {
		return nil
	}
	var lines []string
	for _, t := range c.troubles {
		if dependsOn(c.entry, t.Kind) || t.Kind == c.kind {
			lines = append(lines, t.Text)
		}
	}
	if len(lines) > 0 {
		return lines
	}
	switch c.kind {
	case fault.GatewayFilesExhausted:
		return []string{filesText(h)}
	case fault.GatewayPortsExhausted:
		return []string{portsText(h)}
	case fault.GatewayMemoryLow:
		return []string{memoryText(h)}
	case fault.DNSTimeout, fault.DNSServerFailure, fault.DNSRefused, fault.DNSNotFound:
		if h.Lookups > 1 {
			return []string{lookupText(h)}
		}
	}
	return nil
}

// hostRuledOut says that the gateway's own host was well, where a host that is not would explain the
// failure.
func (c *judgement) hostRuledOut() []string {
	h := c.in.Host
	if h == nil || !dependsOn(c.entry, fault.GatewayCPUStarved) {
		return nil
	}
	for _, t := range c.troubles {
		if t.Kind == fault.GatewayCPUStarved {
			return nil
		}
	}
	return []string{fmt.Sprintf("the gateway's own host: its CPUs were %d %% busy, and the gateway's work waited at most %s for one", h.CPU, fault.Span(h.Delay))}
}

// withBehind adds to a sentence what of the host lies behind it.
func withBehind(s string, t *HostTrouble) string {
	return fmt.Sprintf("%s; behind it: %s (%s).", strings.TrimSuffix(s, "."), lowerFirst(fault.Lookup(t.Kind).Title), t.Kind)
}
