package fault

// rpcRows are the failures of gRPC calls that other calls cannot have: how the call came and went,
// its deadline, and the statuses of the upstream's own failures, which are passed on.
var rpcRows = []Entry{
	{
		Kind: GRPCOverHTTP1, Status: 505, Proxy: "http_request_error", Cause: Caller, Again: Never, At: AtCaller,
		Title:        "A gRPC call came over HTTP/1.1",
		Explain:      "The request's content type is gRPC's, and it came over HTTP/1.1. gRPC needs HTTP/2: its messages flow both ways at once and its status stands in the trailers. A proxy or load balancer before the gateway that speaks HTTP/1.1 to it is the usual reason.",
		CallerAdvice: []string{"Speak HTTP/2 to the gateway: by ALPN over TLS, or by prior knowledge (h2c) on its plain address. In a browser use gRPC-Web.", tellOperator},
		OperatorAdvice: []string{
			"Let the proxy before the gateway speak HTTP/2 to it (nginx: grpc_pass instead of proxy_pass, HAProxy: proto h2 on the server line, AWS ALB: target group protocol version GRPC).",
			"Check that server.http2.enabled is not false.",
		},
	},
	{
		Kind: GRPCUpstreamHTTP1, Status: 502, Proxy: "http_protocol_error", Cause: Configuration, Again: Never, At: AtUpstreamLink,
		Title:        "A gRPC call for an upstream that is spoken to in HTTP/1.1",
		Explain:      "The call is gRPC, which needs HTTP/2 on the whole way, and the gateway speaks HTTP/1.1 to this upstream: because the configuration says so, because plain TCP is HTTP/1.1 unless it says otherwise, or because the upstream did not agree to HTTP/2 in the TLS handshake.",
		CallerAdvice: []string{tellOperator},
		OperatorAdvice: []string{
			"Set upstream.protocol: h2c for a gRPC server on a plain port, h2 for one that speaks TLS.",
			"If it is h2 already over TLS, the server offers no HTTP/2: look at its ALPN settings.",
		},
	},
	{
		Kind: GRPCStatusMissing, Status: 502, Proxy: "http_response_incomplete", Cause: Software, Again: Idempotent, At: AtUpstream,
		Title:        "The upstream's answer has no gRPC status",
		Explain:      "The call is gRPC, and the upstream's answer ended without grpc-status, which every answer of a gRPC server ends with. Either a server that does not speak gRPC answered, which passes on as it is, or a proxy on the way dropped the trailers; the gateway then ends the answer with a status of its own.",
		CallerAdvice: []string{repeatCareful, tellOperator},
		OperatorAdvice: []string{
			"If the evidence shows another content type, the target or the route leads to something that is no gRPC server: a web server, an error page of a load balancer.",
			"If it shows gRPC's, look for a proxy between gateway and server that speaks HTTP/1.1 or drops trailers.",
		},
	},
	{
		Kind: DeadlineExceeded, Status: 504, Proxy: "http_response_timeout", Cause: Overload, Again: Idempotent, At: AtUpstream,
		Title:        "The call was not done within its caller's deadline",
		Explain:      "The caller gave the call a time limit (grpc-timeout), and it passed before the answer was complete. The upstream was told the same limit and that the call is given up.",
		CallerAdvice: []string{repeatCareful, "If calls like this one take that long, give them a longer deadline."},
		OperatorAdvice: []string{
			"Compare the deadline in the evidence with what such calls usually take: the attempts show where the time went.",
			"If they used to be quick, the upstream is saturated or waits for something itself: look at its load, its queue and its database.",
		},
	},
	{
		Kind: GRPCUnknown, Cause: Software, Again: Idempotent, At: AtUpstream,
		Title:        "The upstream answered with gRPC status UNKNOWN",
		Explain:      "The upstream's answer ended with grpc-status 2 (UNKNOWN), and it was passed on unchanged. Servers send it for an error or an exception of the application that has no status of its own.",
		CallerAdvice: []string{"The answer is the upstream's own: its message may say more.", repeatCareful},
		OperatorAdvice: []string{
			"Read the upstream's log at the moment of the call; the traceparent it got carries the same trace id as this call.",
			"Let the application return a status for errors that it expects.",
		},
	},
	{
		Kind: GRPCDeadline, Cause: Overload, Again: Idempotent, At: AtUpstream,
		Title:        "The upstream answered with gRPC status DEADLINE_EXCEEDED",
		Explain:      "The upstream's answer ended with grpc-status 4 (DEADLINE_EXCEEDED), and it was passed on unchanged: the time that the call was given, or one that the upstream gave to a call of its own, was over.",
		CallerAdvice: []string{repeatCareful, "If calls like this one take that long, give them a longer deadline."},
		OperatorAdvice: []string{
			"Look at what the upstream waited for: its own log and trace of the call show whose deadline it was.",
		},
	},
	{
		Kind: GRPCExhausted, Cause: Overload, Again: Delayed, At: AtUpstream,
		Title:        "The upstream answered with gRPC status RESOURCE_EXHAUSTED",
		Explain:      "The upstream's answer ended with grpc-status 8 (RESOURCE_EXHAUSTED), and it was passed on unchanged: a quota or rate limit of the upstream is reached, or a message is longer than it takes.",
		CallerAdvice: []string{"If the message says that a message is too large, send smaller ones; else send fewer calls."},
		OperatorAdvice: []string{
			"If the message is about its size, raise the server's limit (grpc-go: MaxRecvMsgSize, 4 MiB by default).",
			"Else set policies.rate_limit below the upstream's limit, so that callers are told when to come back.",
		},
	},
	{
		Kind: GRPCUnimplemented, Cause: IncompatibleChange, Again: Never, At: AtUpstream,
		Title:        "The upstream answered with gRPC status UNIMPLEMENTED",
		Explain:      "The upstream's answer ended with grpc-status 12 (UNIMPLEMENTED), and it was passed on unchanged: the server has no such service or method, or does not know the messages' compression.",
		CallerAdvice: []string{"Compare the package, service and method of the call with the version of the API that the server offers."},
		OperatorAdvice: []string{
			"If it is new, the server was rolled back or the client is ahead of it: compare their proto files.",
			"Check that the route does not strip a part of the path: gRPC's paths are /PACKAGE.SERVICE/METHOD.",
		},
	},
	{
		Kind: GRPCInternal, Cause: Software, Again: Idempotent, At: AtUpstream,
		Title:        "The upstream answered with gRPC status INTERNAL",
		Explain:      "The upstream's answer ended with grpc-status 13 (INTERNAL), and it was passed on unchanged: the server found that something it relies on is broken, or could not read or write a message.",
		CallerAdvice: []string{"The answer is the upstream's own: its message may say more.", repeatCareful},
		OperatorAdvice: []string{
			"Read the upstream's log at the moment of the call; the traceparent it got carries the same trace id as this call.",
		},
	},
	{
		Kind: GRPCUnavailable, Cause: Overload, Again: Delayed, At: AtUpstream,
		Title:        "The upstream answered with gRPC status UNAVAILABLE",
		Explain:      "The upstream's answer ended with grpc-status 14 (UNAVAILABLE), and it was passed on unchanged: the server is overloaded, starting or stopping, or is a proxy that could not reach the server behind it.",
		CallerAdvice: []string{"Wait some seconds and send it again.", repeatCareful},
		OperatorAdvice: []string{
			"If the message names a connection, the upstream is itself a proxy or a client: look at what stands behind it.",
			"Else look at the upstream's load and whether it was being restarted.",
		},
	},
	{
		Kind: GRPCDataLoss, Cause: Software, Again: Idempotent, At: AtUpstream,
		Title:        "The upstream answered with gRPC status DATA_LOSS",
		Explain:      "The upstream's answer ended with grpc-status 15 (DATA_LOSS), and it was passed on unchanged: the server says that data is lost or damaged for good.",
		CallerAdvice: []string{tellOperator},
		OperatorAdvice: []string{
			"Read the upstream's log at the moment of the call, and look at the storage behind it.",
		},
	},
	{
		Kind: GRPCUnauthenticated, Cause: Caller, Again: Never, At: AtUpstream,
		Title:        "The upstream answered with gRPC status UNAUTHENTICATED",
		Explain:      "The upstream's answer ended with grpc-status 16 (UNAUTHENTICATED), and it was passed on unchanged: the upstream wants credentials of its own and did not get ones that it knows.",
		CallerAdvice: []string{"Send the credentials that the service behind the gateway asks for; the gateway's own key is taken out of the call."},
		OperatorAdvice: []string{
			"If the upstream expects the field that carried the gateway's key, let callers send that key in another one (apikey, Authorization, x-api-key), or set it by upstream.headers.",
		},
	},
}
