package fault

// http2Rows are the failures of HTTP/2 to an upstream (RFC 9113): it was not begun, or the upstream
// ended a stream or the connection with an error code.
var http2Rows = []Entry{
	{
		Kind: NotHTTP2, Status: 502, Proxy: "http_protocol_error", Cause: Configuration, Again: Elsewhere, At: AtUpstream,
		Title:        "The upstream does not speak HTTP/2",
		Explain:      "The gateway began HTTP/2 on the connection, as upstream.protocol says, and the upstream answered with something else or closed the connection. The request was not sent.",
		CallerAdvice: []string{tellOperator},
		OperatorAdvice: []string{
			"If the upstream speaks HTTP/1.1, set upstream.protocol to http1 (or leave it out).",
			"A server that has HTTP/2 over TLS alone needs https in upstream.targets and the protocol h2; without TLS few servers have HTTP/2 switched on (Go: Protocols.SetUnencryptedHTTP2, Spring Boot: server.http2.enabled, nginx: http2 on).",
			"Try it from the gateway's host: curl --http2-prior-knowledge -v and the target's URL.",
		},
	},
	{
		Kind: HTTP2NotAgreed, Status: 502, Proxy: "tls_protocol_error", Cause: Configuration, Again: Elsewhere, At: AtUpstreamLink,
		Title:        "The upstream did not agree to HTTP/2",
		Explain:      "The TLS connection stands, but the upstream did not choose HTTP/2 in it (ALPN), and upstream.protocol allows nothing else. The request was not sent.",
		CallerAdvice: []string{tellOperator},
		OperatorAdvice: []string{
			"Set upstream.protocol to auto, so that HTTP/1.1 is spoken where the upstream has no HTTP/2.",
			"Or switch HTTP/2 on in the upstream, or in the load balancer before it that ends TLS (nginx: http2 on; AWS: a target group of protocol version HTTP2 or gRPC).",
			"See what it agrees to: openssl s_client -alpn h2 -connect with its host and port.",
		},
	},
	{
		Kind: HTTP2HandshakeTimeout, Status: 504, Proxy: "connection_timeout", Cause: Configuration, Again: Always, At: AtUpstream,
		Title:        "The upstream did not begin HTTP/2 in time",
		Explain:      "The connection stands and the gateway has begun HTTP/2 on it, but the upstream's SETTINGS frame, which has to come first, did not come within upstream.timeouts.connect. The request was not sent.",
		CallerAdvice: []string{repeatFreely},
		OperatorAdvice: []string{
			"If it never worked, something else than an HTTP/2 server listens there: it waits for the end of what it takes to be a request. Set upstream.protocol to http1, or correct the port in upstream.targets.",
			"If it worked before, the upstream accepts connections and does not serve them: look at its load.",
		},
	},
	{
		Kind: HTTP2StreamRefused, Status: 503, Proxy: "http_protocol_error", Cause: Overload, Again: Always, At: AtUpstream,
		Title:        "The upstream refused the call before working on it",
		Explain:      "The upstream reset the call's stream with REFUSED_STREAM: it says that it has not begun to work on it. It has more calls than it takes at a time, or is about to stop.",
		CallerAdvice: []string{repeatFreely},
		OperatorAdvice: []string{
			"Raise the upstream's number of concurrent streams (Go: MaxConcurrentStreams, Netty and gRPC: maxConcurrentCallsPerConnection), or give it more replicas in upstream.targets.",
			"With upstream.max_busy the gateway holds calls back before the upstream has to.",
		},
	},
	{
		Kind: HTTP2EnhanceYourCalm, Status: 503, Proxy: "http_protocol_error", Cause: Overload, Again: Delayed, At: AtUpstream,
		Title:        "The upstream says that the gateway asks too much of it",
		Explain:      "The upstream ended the stream or the connection with ENHANCE_YOUR_CALM: it takes the gateway's behaviour for one that generates too much load.",
		CallerAdvice: []string{repeatCareful},
		OperatorAdvice: []string{
			"Read the debug text in the evidence, if there is one: too_many_pings comes from a gRPC server whose keepalive policy is stricter than usual; let it allow a ping in 30 seconds.",
			"Servers and proxies say it too when many calls are given up soon after they began: look for callers with very short time limits.",
			"With upstream.max_busy fewer calls are in flight at a time.",
		},
	},
	{
		Kind: HTTP2HTTP11Required, Status: 502, Proxy: "http_protocol_error", Cause: Configuration, Again: Never, At: AtUpstream,
		Title:        "The upstream wants HTTP/1.1 for this call",
		Explain:      "The upstream reset the call's stream with HTTP_1_1_REQUIRED: what was asked for is to be had over HTTP/1.1 alone, as with servers that authenticate connections (NTLM, a client certificate asked for late).",
		CallerAdvice: []string{tellOperator},
		OperatorAdvice: []string{
			"Set upstream.protocol to http1 for this service, or to auto: then HTTP/1.1 is spoken by itself to an upstream that asks for it.",
		},
	},
	{
		Kind: HTTP2StreamCancelled, Status: 502, Proxy: "http_protocol_error", Cause: Software, Again: Idempotent, At: AtUpstream,
		Title:        "The upstream gave the call up",
		Explain:      "The upstream reset the call's stream with CANCEL before its answer was whole: its application, or a proxy before it, gave the call up, often because of a time limit of its own.",
		CallerAdvice: []string{repeatCareful, tellOperator},
		OperatorAdvice: []string{
			"Look for a time limit in the upstream, or in a proxy before it, near the time in the evidence (Envoy: route timeout, 15 s by default; gRPC: the deadline that the caller sent).",
			"Read the upstream's log at the moment of the call.",
		},
	},
	{
		Kind: HTTP2InternalError, Status: 502, Proxy: "http_protocol_error", Cause: Software, Again: Idempotent, At: AtUpstream,
		Title:        "The upstream broke off with an internal error",
		Explain:      "The upstream reset the call's stream with INTERNAL_ERROR: its handler failed without an answer. Go's server does this when a handler panics.",
		CallerAdvice: []string{repeatCareful, "If the same call always fails so, something in it makes the upstream fail: report it with the call id."},
		OperatorAdvice: []string{
			"Read the upstream's log at the moment of the call: a panic, an exception in the server itself.",
			"If only one path or one body fails, send it to the target directly with curl: it is a bug on that input.",
		},
	},
	{
		Kind: HTTP2Rejected, Status: 502, Proxy: "http_protocol_error", Cause: Software, Again: Elsewhere, At: AtUpstream,
		Title:        "The upstream says that the gateway broke HTTP/2",
		Explain:      "The upstream ended the stream or the connection with a code that blames the gateway's side of the protocol, such as PROTOCOL_ERROR or FLOW_CONTROL_ERROR. Some servers use it for any request they will not have: a header field that they take for invalid, for example.",
		CallerAdvice: []string{tellOperator},
		OperatorAdvice: []string{
			"Read the upstream's log: servers that speak HTTP/2 log what they took for the fault (nginx: error_log at info, Envoy: the response code details).",
			"Compare with curl --http2 from the gateway's host, with the same header fields; take fields away with upstream.headers until it passes.",
			"With upstream.protocol set to http1 the same request may be answered in a way that says more.",
		},
	},
	{
		Kind: HTTP2StreamReset, Status: 502, Proxy: "http_protocol_error", Cause: Software, Again: Idempotent, At: AtUpstream,
		Title:        "The upstream reset the call's stream",
		Explain:      "The upstream ended the call's stream before its answer was whole, with a code that does not say why.",
		CallerAdvice: []string{repeatCareful, tellOperator},
		OperatorAdvice: []string{
			"Read the upstream's log at the moment of the call, and that of a proxy before it.",
			"If it happens at the same number of bytes each time, look for a limit on the size of bodies.",
		},
	},
	{
		Kind: HTTP2GoAway, Status: 502, Proxy: "connection_terminated", Cause: Software, Again: Idempotent, At: AtUpstream,
		Title:        "The upstream ended the HTTP/2 connection with an error",
		Explain:      "The upstream sent GOAWAY with an error code, which ends the connection and the calls on it that it does not finish.",
		CallerAdvice: []string{repeatCareful, tellOperator},
		OperatorAdvice: []string{
			"The code and the debug text in the evidence are the upstream's own words for it; its log says more.",
			"If it comes after a fixed time or number of calls, it is a setting of the upstream or of a balancer before it.",
		},
	},
	{
		Kind: HTTP2Draining, Status: 503, Proxy: "connection_terminated", Cause: Software, Again: Always, At: AtUpstream,
		Title:        "The upstream is going away and takes no new calls",
		Explain:      "The upstream sent GOAWAY without an error, as a server does that stops or is being replaced, and did not work on this call. The gateway goes on to another connection by itself; this time none was to be had that takes calls.",
		CallerAdvice: []string{repeatFreely},
		OperatorAdvice: []string{
			"During a deployment, let the new instance take connections before the old one sends GOAWAY.",
			"A server that sends GOAWAY on every connection at once has a limit of no use: look for a maximum connection age or number of requests (gRPC: MaxConnectionAge, nginx: keepalive_requests).",
		},
	},
	{
		Kind: HTTP2PingTimeout, Status: 502, Proxy: "connection_terminated", Cause: Network, Again: Idempotent, At: AtUpstreamLink,
		Title:        "The HTTP/2 connection to the upstream was lost",
		Explain:      "While calls waited on it nothing came over the connection for a while, and the upstream did not answer when it was asked whether it is still there (PING). The connection was given up with the calls on it.",
		CallerAdvice: []string{repeatCareful},
		OperatorAdvice: []string{
			"Look for a firewall or load balancer between gateway and upstream that forgets connections without a word.",
			"Look at the upstream's host at that moment: it was gone, frozen, or had lost its network.",
		},
	},
	{
		Kind: MalformedHTTP2, Status: 502, Proxy: "http_protocol_error", Cause: Software, Again: Elsewhere, At: AtUpstream,
		Title:        "The upstream broke the HTTP/2 protocol",
		Explain:      "The upstream sent something that HTTP/2 does not allow: a frame out of place or of a wrong size, header compression (HPACK) that cannot be decoded, more than its windows allow, or a field that belongs to HTTP/1.1.",
		CallerAdvice: []string{tellOperator},
		OperatorAdvice: []string{
			"The evidence says which rule was broken: it is a fault of the upstream's server or of a proxy before it; update it, or look for its known faults.",
			"If one call on a connection breaks it for all of them, upstream.protocol set to http1 helps until it is mended.",
			"A field such as Connection, Upgrade or Transfer-Encoding in an answer is set by application code: take it out there.",
		},
	},
}
