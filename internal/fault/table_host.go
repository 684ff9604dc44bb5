package fault

import "slices"

// hostRows are what the gateway's own host does to calls. Most of them are seldom a call's own kind:
// they are the cause behind a limit that passed, a name that was not found or a record that could not be
// kept, and are named there.
var hostRows = []Entry{
	{
		Kind: GatewayMemoryLow, Status: 503, Proxy: "proxy_internal_response", Cause: Gateway, Again: Delayed, At: AtGateway,
		Title:        "The gateway has too little memory left",
		Explain:      "The gateway needs more of the memory that it may have than server.overload.memory_soft (for calls whose body it must hold) or server.overload.memory_hard (for all) allows, so the call was turned away before it did any work. The memory is that of GOMEMLIMIT, or what the control group or the host leaves the process.",
		CallerAdvice: []string{repeatFreely},
		OperatorAdvice: []string{
			"Give the gateway more memory, or run a second one.",
			"Look what takes it: many calls with large bodies to models, or many calls in flight. A lower server.max_calls, server.max_body or policies.body_limit bounds them.",
		},
	},
	{
		Kind: GatewayCPUStarved, Status: 503, Proxy: "proxy_internal_response", Cause: Gateway, Again: Delayed, At: AtGateway,
		Title:        "The gateway's host has too little CPU",
		Explain:      "Work of the gateway that was ready to run waited for a CPU so long that limits on time passed or calls were turned away: other programs, the hypervisor (steal) or a CPU limit of the control group took the time, or there are more calls than the host can carry.",
		CallerAdvice: []string{repeatFreely},
		OperatorAdvice: []string{
			"Look at the host: CPU busy by others, steal, and throttling by a CPU limit are in the evidence and in causeway_host_* of /metrics.",
			"Raise the container's CPU limit, move noisy neighbours away, or run a second gateway.",
		},
	},
	{
		Kind: GatewayDiskFull, Status: 503, Proxy: "proxy_internal_response", Cause: Gateway, Again: Delayed, At: AtGateway,
		Title:        "The disk of the gateway's data folder is full",
		Explain:      "Nothing more can be written where the gateway keeps its data, so that records of calls cannot be stored.",
		CallerAdvice: []string{repeatFreely},
		OperatorAdvice: []string{
			"Make room on the disk of the data folder, or move it with --data.",
			"calls.keep and calls.max_size bound what the gateway itself takes.",
		},
	},
	{
		Kind: GatewayDiskSlow, Status: 503, Proxy: "proxy_internal_response", Cause: Gateway, Again: Delayed, At: AtGateway,
		Title:        "The disk of the gateway's data folder is slow or fails",
		Explain:      "Small writes to the gateway's data folder take seconds, hang, or end with an error, so that records of calls pile up.",
		CallerAdvice: []string{repeatFreely},
		OperatorAdvice: []string{
			"Look at the disk of the data folder: another program that writes much, a network disk that hangs, errors in the kernel's log.",
			"Put the data folder on a disk of its own.",
		},
	},
	{
		Kind: GatewayClockJumped, Status: 500, Proxy: "proxy_internal_error", Cause: Gateway, Again: Never, At: AtGateway,
		Title:        "The clock of the gateway's host was set",
		Explain:      "The wall clock of the gateway's host was set forward or back while the gateway ran. What is judged by the time of day, such as whether a certificate is valid, may then be judged wrongly.",
		CallerAdvice: []string{tellOperator},
		OperatorAdvice: []string{
			"Compare the clock of the gateway's host with another one (chronyc tracking, timedatectl), and let a time service keep it.",
		},
	},
	{
		Kind: GatewayDNSSlow, Status: 503, Proxy: "proxy_internal_response", Cause: Gateway, Again: Delayed, At: AtGateway,
		Title:        "The gateway's name resolver is slow or fails",
		Explain:      "Lookups of several names by the gateway were slow or not answered in the last minute, so it is the resolver, or the way to it, and not one upstream's name.",
		CallerAdvice: []string{repeatFreely},
		OperatorAdvice: []string{
			"Look at the resolver that the gateway asks: /etc/resolv.conf, or server.resolver.",
			"A resolver on the gateway's own host that caches makes the gateway independent of the network's.",
		},
	},
}

// hostBehind says which of them may lie behind a failure that shows elsewhere.
var hostBehind = []struct{ symptoms, causes []Kind }{
	{
		[]Kind{
			ConnectTimeout, TLSHandshakeTimeout, SendTimeout, FirstByteTimeout, IdleTimeout, TotalTimeout, DeadlineExceeded, DNSTimeout,
			RequestHeaderTimeout, RequestBodyTimeout, RequestBodyTooSlow, CallerTooSlow, GatewayOverloaded, TunnelIdleTimeout,
		},
		[]Kind{GatewayCPUStarved, GatewayMemoryLow},
	},
	{[]Kind{DNSTimeout, DNSServerFailure}, []Kind{GatewayDNSSlow}},
	{[]Kind{TLSCertificateExpired, TLSCertificateNotYet}, []Kind{GatewayClockJumped}},
	{[]Kind{CallLogFull}, []Kind{GatewayDiskFull, GatewayDiskSlow}},
}

// withHost adds what may lie behind them to the rows.
func withHost(rows []Entry) []Entry {
	for i := range rows {
		e := &rows[i]
		for _, b := range hostBehind {
			if slices.Contains(b.symptoms, e.Kind) {
				e.DependsOn = append(slices.Clone(e.DependsOn), b.causes...)
			}
		}
	}
	return rows
}
