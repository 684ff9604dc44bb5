package fault

// tunnelRows are the failures of tunnels: connections that were joined after an upgrade, such as
// WebSockets (RFC 6455). The first three are breaks of the transport, the others are close frames.
var tunnelRows = []Entry{
	{
		Kind: TunnelReset, Status: 502, Proxy: "connection_terminated", Cause: Software, Again: Idempotent, At: AtUpstream,
		Title:        "The upstream's side of a WebSocket or other tunnel was reset",
		Explain:      "The upgrade had been agreed to and bytes could flow both ways; then the connection to the upstream was reset. A WebSocket's caller is told with close code 1014 and this kind. A process that dies, a proxy between that is restarted, or a box that has forgotten the connection does this.",
		CallerAdvice: []string{"Connect again after a pause that grows with each try, and take up what was under way: nobody knows which of the last messages were worked on.", tellOperator},
		OperatorAdvice: []string{
			"Read the upstream's log at the moment of the break for a crash, a killed worker or a deployment.",
			"If it comes after a long silence, a firewall or load balancer between has forgotten the connection: let one side send pings more often than its idle timeout.",
			"If many break in one moment, something before them was restarted: let the upstream close its WebSockets with 1001 or 1012 before it exits.",
		},
	},
	{
		Kind: TunnelClosed, Status: 502, Proxy: "connection_terminated", Cause: Software, Again: Idempotent, At: AtUpstream,
		Title:        "The upstream closed a WebSocket without a close frame",
		Explain:      "The upstream ended its connection without the close frame that ends a WebSocket (RFC 6455 section 7.1.5: an abnormal closure, which libraries report as 1006). The caller is told with close code 1014 and this kind.",
		CallerAdvice: []string{"Connect again after a pause that grows with each try, and take up what was under way: nobody knows which of the last messages were worked on.", tellOperator},
		OperatorAdvice: []string{
			"Read the upstream's log at the moment of the break: an exception in the handler, or a process that ended.",
			"If it comes always after the same time, a proxy between upstream and gateway ends it (nginx: proxy_read_timeout, 60 s by default): raise that, or send pings.",
			"Let the application close with a status (1000 when it is done, 1011 after an error), so that its clients can tell one from the other.",
		},
	},
	{
		Kind: TunnelIdleTimeout, Status: 504, Proxy: "connection_read_timeout", Cause: Configuration, Again: Idempotent, At: AtUpstream,
		Title:        "A WebSocket or other tunnel was silent for too long",
		Explain:      "After an upgrade upstream.timeouts.idle alone limits a tunnel: no byte moved in either direction for that long, so it was ended. A WebSocket's caller is told with close code 1014 and this kind, the upstream with 1001.",
		CallerAdvice: []string{"Connect again. Send a ping (or a message of your own protocol) more often than the limit in the message if the connection is to stay open while nothing happens."},
		OperatorAdvice: []string{
			"Let one side send pings: 20 s is usual (Python websockets: ping_interval, Socket.IO: pingInterval), and find dead peers as well.",
			"If silence is normal here, raise upstream.timeouts.idle.",
		},
	},
	{
		Kind: WebSocketUpstreamError, Cause: Software, Again: Idempotent, At: AtUpstream,
		Title:        "The upstream closed the WebSocket because of an error of its own",
		Explain:      "The upstream sent a close frame with 1011 (internal error): it met a condition that kept it from going on. The frame was passed on unchanged. Servers send it for an exception in the handler.",
		CallerAdvice: []string{"The close frame is the upstream's own: its reason may say more.", "Connect again after a pause that grows with each try."},
		OperatorAdvice: []string{
			"Read the upstream's log at the moment of the close; the traceparent it got carries the same trace id as this call.",
		},
	},
	{
		Kind: WebSocketUnavailable, Cause: Overload, Again: Delayed, At: AtUpstream,
		Title:        "The upstream closed the WebSocket because it can't serve it now",
		Explain:      "The upstream sent a close frame with 1012 (service restart), 1013 (try again later) or 1014 (bad gateway). The frame was passed on unchanged.",
		CallerAdvice: []string{"Connect again after a pause that grows with each try; with 1012 a random pause of 5 to 30 seconds is the rule."},
		OperatorAdvice: []string{
			"1012 is a deployment or restart, 1013 an overloaded server, 1014 a proxy inside the upstream whose own upstream failed: look there.",
		},
	},
	{
		Kind: WebSocketRefused, Cause: Caller, Again: Never, At: AtCaller,
		Title:        "The upstream closed the WebSocket because of what its caller sent",
		Explain:      "The upstream sent a close frame that blames the caller: 1002 (protocol error), 1003 (unsupported data), 1007 (invalid data), 1008 (policy violation), 1009 (message too big) or 1010 (an extension is missing). The frame was passed on unchanged.",
		CallerAdvice: []string{"Look at the code and the reason of the close frame: 1008 is often a token that is missing or expired, 1009 a message above the server's limit, 1007 a text that is not UTF-8."},
		OperatorAdvice: []string{
			"If callers do nothing wrong, compare the upstream's limits with what they send (message size, authentication in the first message, subprotocol).",
		},
	},
	{
		Kind: WebSocketProtocolError, Cause: Software, Again: Never, At: AtUpstream,
		Title:        "The upstream broke the WebSocket protocol",
		Explain:      "The bytes that the upstream sent after the upgrade are not WebSocket frames as RFC 6455 has them, or the caller closed with 1002 (protocol error) or 1007 (invalid data), which says the same. They were passed on unchanged.",
		CallerAdvice: []string{tellOperator},
		OperatorAdvice: []string{
			"Look for something that writes to the connection beside the server's own WebSocket code, and for a proxy between that changes or cuts bodies.",
			"A server that compresses without having agreed to permessage-deflate does this too: compare Sec-WebSocket-Extensions of its 101 with what the client offered.",
		},
	},
}

// CloseName is the name of a WebSocket close code (RFC 6455 section 7.4.1 and its registry), "" for
// those that belong to applications and libraries.
func CloseName(code int) string {
	if code < 1000 || code >= 1000+len(closeNames) {
		return ""
	}
	return closeNames[code-1000]
}

var closeNames = [...]string{
	"normal closure", "going away", "protocol error", "unsupported data", "", "no status", "abnormal closure", "invalid data",
	"policy violation", "message too big", "extension missing", "internal error", "service restart", "try again later", "bad gateway", "TLS handshake",
}
