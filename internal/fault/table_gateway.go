package fault

// gatewayRows are the failures of the gateway itself: its limits, its end, its bugs.
var gatewayRows = []Entry{
	{
		Kind: TooManyConnections, Status: 503, Proxy: "proxy_internal_response", Cause: Gateway, Again: Delayed, At: AtGateway, DependsOn: []Kind{GatewayFilesExhausted},
		Title:        "The gateway has too many connections",
		Explain:      "As many callers are connected as server.max_connections allows, and none of the idle ones could be closed for this one.",
		CallerAdvice: []string{repeatFreely, "Reuse connections instead of opening one for each call."},
		OperatorAdvice: []string{
			"Raise server.max_connections, and the descriptor limit of the process (ulimit -n) with it.",
			"Lower server.idle_timeout, so that unused connections go sooner.",
		},
	},
	{
		Kind: GatewayOverloaded, Status: 503, Proxy: "proxy_internal_response", Cause: Gateway, Again: Delayed, At: AtGateway, DependsOn: []Kind{FirstByteTimeout, NoSlot},
		Title:        "The gateway has too many calls in flight",
		Explain:      "As many calls are running as server.max_calls allows (by default: as memory and descriptors allow) and none ended within server.overload.wait, or the gateway is so late with its own work (server.overload.max_delay) that it turns a share of new calls away. This one was turned away before it did any work.",
		CallerAdvice: []string{repeatFreely},
		OperatorAdvice: []string{
			"Look which service holds the calls: a slow upstream fills the gateway. upstream.max_busy and upstream.timeouts.first_byte keep one service from taking all.",
			"Raise server.max_calls, give the gateway more memory or CPU, or run a second one.",
		},
	},
	{
		Kind: GatewayDraining, Status: 503, Proxy: "proxy_internal_response", Cause: Gateway, Again: Delayed, At: AtGateway,
		Title:        "The gateway is shutting down",
		Explain:      "The gateway has been told to stop. It takes no new calls, and gives those in flight server.drain to end.",
		CallerAdvice: []string{repeatFreely},
		OperatorAdvice: []string{
			"Take the gateway out of the load balancer before stopping it: /readyz says no from the moment it drains.",
			"If running calls are cut, raise server.drain above the longest of them.",
		},
	},
	{
		Kind: GatewayBug, Status: 500, Proxy: "proxy_internal_error", Cause: Gateway, Again: Never, At: AtGateway,
		Title:        "The gateway has a bug",
		Explain:      "The gateway's own code failed on this call. Other calls are not affected. The upstream may have been called before.",
		CallerAdvice: []string{"This is a fault of the gateway. Tell whoever runs it, and give the call id."},
		OperatorAdvice: []string{
			"The gateway's log has the stack under this call id: please report it with the version (causeway version).",
		},
	},
	{
		Kind: GatewayKilled, Cause: Gateway, Again: Idempotent, At: AtGateway,
		Title:        "The gateway's process ended while the call was running",
		Explain:      "The call was open when the gateway's process was killed or crashed. It was found in the spool at the next start; the caller saw its connection close.",
		CallerAdvice: []string{repeatCareful},
		OperatorAdvice: []string{
			"Look for the reason of the end: the out-of-memory killer (dmesg -T), kill -9, a crash in the gateway's log.",
			"Stop the gateway with SIGTERM and wait for it: calls in flight then end by themselves.",
		},
	},
	{
		Kind: CallLogFull, Status: 503, Proxy: "proxy_internal_response", Cause: Gateway, Again: Delayed, At: AtGateway,
		Title:        "The gateway cannot record the call",
		Explain:      "There is no room left to keep a record of the call, and calls.when_full is set to refuse: a call that cannot be recorded is not served.",
		CallerAdvice: []string{repeatFreely},
		OperatorAdvice: []string{
			"Make room on the disk of the data folder, raise calls.max_size, or lower calls.keep.",
			"With calls.when_full: drop, calls go on and the records that were lost are counted.",
		},
	},
	{
		Kind: CertificateNotIssued, Status: 503, Proxy: "proxy_internal_error", Cause: Gateway, Again: Delayed, At: AtGateway,
		Title:        "The gateway could not get a certificate",
		Explain:      "The authority of server.acme did not issue or renew a certificate for a name. While there is none, TLS handshakes for that name fail; a certificate that is still valid stays in use. The gateway tries again by itself, with growing pauses.",
		CallerAdvice: []string{tellOperator},
		OperatorAdvice: []string{
			"Read the authority's reason in the log and in /readyz.",
			"unauthorized or connection: the authority could not reach the gateway under the name; check the DNS records and that port 443, or port 80 with server.acme.http_port, leads here.",
			"rateLimited: wait as long as it says. caa: a CAA record of the zone forbids this authority.",
		},
	},
	{
		Kind: CertificateNotLoaded, Status: 503, Proxy: "proxy_internal_error", Cause: Gateway, Again: Delayed, At: AtGateway,
		Title:        "A new certificate could not be loaded",
		Explain:      "The files of a certificate in server.tls have changed, and what is in them now cannot be used: the certificate and its key do not belong together, or one of them cannot be read. The certificate that was loaded before stays in use.",
		CallerAdvice: []string{tellOperator},
		OperatorAdvice: []string{
			"Read the reason in the log and in /readyz. A program that writes certificate and key one after the other mends it a moment later.",
			"Check that the gateway's user may read the key's file.",
		},
	},
	{
		Kind: Unclassified, Status: 502, Proxy: "proxy_internal_error", Cause: Gateway, Again: Idempotent, At: AtUpstreamLink,
		Title:        "The call failed in a way that has no name yet",
		Explain:      "What happened on the connection fits no failure that the gateway knows. All that was observed is in the evidence; nothing is being guessed.",
		CallerAdvice: []string{repeatCareful, tellOperator},
		OperatorAdvice: []string{
			"Read the evidence, and please report it with the version (causeway version): an unclassified failure is a gap in the catalogue.",
			curlTarget,
		},
	},
}
