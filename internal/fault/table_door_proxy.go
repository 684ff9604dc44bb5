package fault

// doorProxyRows are about what a load balancer says of a connection before its first byte.
var doorProxyRows = []Entry{
	{
		Kind: ProxyHeaderMissing, Status: 400, Proxy: "http_request_error", Cause: Configuration, Again: Never, At: AtGateway,
		Title:        "The connection has no PROXY protocol header",
		Explain:      "The connection came from an address in server.proxy_protocol.from, where each one must begin with a PROXY protocol header, and it began with something else. Without it the caller's address would be the load balancer's, so the call goes no further.",
		CallerAdvice: []string{tellOperator},
		OperatorAdvice: []string{
			"Switch the PROXY protocol on where the load balancer sends to this gateway (HAProxy: send-proxy-v2; nginx stream: proxy_protocol on; AWS NLB: the target group's attribute).",
			"If this address is not only a load balancer's, for example because health checks come from it without a header, set server.proxy_protocol.required to false, or take the address out of server.proxy_protocol.from.",
		},
	},
	{
		Kind: ProxyHeaderMalformed, Status: 400, Proxy: "http_request_error", Cause: Configuration, Again: Never, At: AtGateway,
		Title:        "The connection's PROXY protocol header is malformed",
		Explain:      "The connection began with a PROXY protocol header that is not valid: neither version 1's line nor version 2's bytes as the protocol has them, or its checksum is wrong. What it says of the caller cannot be believed, so the call goes no further.",
		CallerAdvice: []string{tellOperator},
		OperatorAdvice: []string{
			"The evidence says what is wrong. Look which version the load balancer sends, and whether something between it and the gateway changes the connection's first bytes, or sends a header of its own before it.",
		},
	},
}
