package meter

import "strconv"

// Listen is the state of where connections come in.
type Listen struct {
	ProxyAccepted    [3]int64         // PROXY protocol headers taken, by version
	ProxyRefused     map[string]int64 // connections refused for theirs, by reason
	HandOverFailures int64
	Leaving          bool // another process serves the addresses, or the program stops
}

var (
	descProxyHeaders = desc("proxy_protocol_headers_total",
		"PROXY protocol headers taken from load balancers, by version.", "version")
	descProxyRefused = desc("proxy_protocol_refused_total",
		"Connections refused for their PROXY protocol header: missing, malformed, or not there in time.", "reason")
	descHandOverFailures = desc("handover_failures_total",
		"Hand-overs to a new process (SIGUSR2) that failed; this one went on.")
	descLeaving = desc("leaving", "1 while this process ends: it stops, or has handed over to another.")
)

func (l *Listen) collect(e emitter) {
	for version, n := range l.ProxyAccepted {
		if version > 0 {
			e.counter(descProxyHeaders, float64(n), strconv.Itoa(version))
		}
	}
	for reason, n := range l.ProxyRefused {
		e.counter(descProxyRefused, float64(n), reason)
	}
	e.counter(descHandOverFailures, float64(l.HandOverFailures))
	e.gauge(descLeaving, flag(l.Leaving))
}
