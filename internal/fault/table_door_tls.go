package fault

// doorTLSRows are the failures of TLS with callers. Most of them end the handshake, so that no call
// begins and nothing can be answered but an alert: they are counted and logged by their kind. Status is
// then what a call would have got.
var doorTLSRows = []Entry{
	{
		Kind: CallerTLSPlainHTTP, Status: 400, Proxy: "http_request_error", Cause: Caller, Again: Never, At: AtCaller,
		Title:        "Plain HTTP came to an address that speaks HTTPS",
		Explain:      "The connection began with a plain HTTP request, and this address speaks TLS. It was answered in plain text, and the connection closed.",
		CallerAdvice: []string{"Write https:// in place of http://."},
		OperatorAdvice: []string{
			"If a load balancer or health check in front of the gateway sends plain HTTP, tell it to speak TLS to this port.",
		},
	},
	{
		Kind: CallerTLSNotTLS, Status: 400, Proxy: "http_request_error", Cause: Caller, Again: Never, At: AtCaller,
		Title:        "Bytes that are not TLS came to an address that speaks HTTPS",
		Explain:      "The connection began with bytes that are neither a TLS handshake nor an HTTP request, so it was closed. Scanners do this all day; so does a client of another protocol on the wrong port.",
		CallerAdvice: []string{"Check the port: this one speaks HTTPS."},
		OperatorAdvice: []string{
			"If they come from a load balancer in front of the gateway, it may send the PROXY protocol, or a health check of another kind.",
		},
	},
	{
		Kind: CallerTLSVersion, Status: 400, Proxy: "http_request_error", Cause: Caller, Again: Never, At: AtCaller,
		Title:        "The caller speaks only versions of TLS that the gateway does not",
		Explain:      "The caller offered no version of TLS that the gateway accepts (server.tls_options.min_version and above). TLS 1.0 and 1.1 are broken and cannot be switched on (RFC 8996).",
		CallerAdvice: []string{"Use a client that speaks TLS 1.2 or 1.3: an old Java, OpenSSL or operating system is the usual reason."},
		OperatorAdvice: []string{
			"If server.tls_options.min_version is 1.3 and such callers are wanted, set it to 1.2.",
		},
	},
	{
		Kind: CallerTLSCipher, Status: 400, Proxy: "http_request_error", Cause: Caller, Again: Never, At: AtCaller,
		Title:        "The caller and the gateway share no cipher suite",
		Explain:      "The caller offered no cipher suite, key exchange or signature that the gateway accepts and its certificate can be used with.",
		CallerAdvice: []string{"Use a client that speaks ECDHE with AES-GCM or ChaCha20-Poly1305."},
		OperatorAdvice: []string{
			"Look at server.tls_options.ciphers: what is not in the list is not spoken.",
			"An old caller may know only RSA certificates: name an RSA certificate beside the ECDSA one in server.tls.",
		},
	},
	{
		Kind: CallerTLSProtocol, Status: 400, Proxy: "http_request_error", Cause: Caller, Again: Never, At: AtCaller,
		Title:        "The caller asked for a protocol inside TLS that the gateway does not speak",
		Explain:      "The caller named the protocols that it wants to speak inside TLS (ALPN), and the gateway speaks none of them.",
		CallerAdvice: []string{"Offer h2 or http/1.1, or leave ALPN out."},
		OperatorAdvice: []string{
			"A caller that offers h2 alone needs server.http2.enabled.",
		},
	},
	{
		Kind: CallerTLSUnknownName, Status: 421, Proxy: "http_request_error", Cause: Caller, Again: Never, At: AtCaller,
		Title:        "The caller asked for a name that the gateway has no certificate for",
		Explain:      "The caller named the site that it wants (SNI), no certificate is for that name, and server.tls_options.unknown_names is refuse. The handshake ended with the alert unrecognized_name.",
		CallerAdvice: []string{"Check the host in the address."},
		OperatorAdvice: []string{
			"Add a certificate for the name to server.tls, or the name to server.acme.hosts.",
			"With server.tls_options.unknown_names: default such callers are shown the first certificate.",
		},
	},
	{
		Kind: CallerTLSDistrust, Status: 400, Proxy: "http_request_error", Cause: Configuration, Again: Never, At: AtGateway,
		Title:        "The caller does not accept the gateway's certificate",
		Explain:      "The caller ended the handshake because it does not trust the certificate that the gateway showed: its authority, its dates or its name. The alert that it sent says which.",
		CallerAdvice: []string{"Trust the authority of the gateway's certificate, and call the gateway by a name that the certificate has."},
		OperatorAdvice: []string{
			"unknown_ca: with a public authority server.tls probably names cert.pem in place of fullchain.pem; with a private one the caller must trust it.",
			"certificate_expired: look at causeway_certificate_expiry_timestamp_seconds, and at what renews the certificate.",
			"bad_certificate and certificate_unknown often mean that the name does not fit.",
		},
	},
	{
		Kind: CallerTLSAlert, Status: 400, Proxy: "http_request_error", Cause: Caller, Again: Never, At: AtCaller,
		Title:        "The caller ended the TLS handshake with an alert",
		Explain:      "The caller sent a TLS alert that is not about the gateway's certificate, instead of finishing the handshake. Its name is in the log line.",
		CallerAdvice: []string{"Look at the TLS settings of the calling program."},
		OperatorAdvice: []string{
			"A single caller's alerts are that caller's affair; many at once began with a change: compare with causeway_config_last_reload_success_timestamp_seconds.",
		},
	},
	{
		Kind: CallerTLSTimeout, Status: 408, Proxy: "http_request_error", Cause: Caller, Again: Always, At: AtCaller,
		Title:        "The caller did not finish the TLS handshake in time",
		Explain:      "The connection stood, and the TLS handshake was not done within server.read_header_timeout.",
		CallerAdvice: []string{"Connections that are opened ahead must shake hands at once too. No request was sent, so it can be repeated."},
		OperatorAdvice: []string{
			"Many at once from many addresses are an attack on connections, or a network that loses packets.",
			"Raise server.read_header_timeout only if callers are on very slow links.",
		},
	},
	{
		Kind: CallerTLSClosed, Status: 499, Cause: Caller, Again: Always, At: AtCaller,
		Title:        "The caller left during the TLS handshake",
		Explain:      "The caller closed or reset the connection before the TLS handshake was done, without an alert. Health checks that only open a connection, and programs that do not like the certificate, do this.",
		CallerAdvice: []string{"Nothing needs to be done if the next connection works; else look at what the calling program says of the certificate."},
		OperatorAdvice: []string{
			"A load balancer's TCP health check is the usual reason: let it ask /healthz of the console, or accept the count.",
		},
	},
	{
		Kind: CallerTLSBroken, Status: 400, Proxy: "http_request_error", Cause: Caller, Again: Never, At: AtCaller,
		Title:        "The caller broke the TLS protocol",
		Explain:      "What came during the handshake is TLS in its form and not in its content: a damaged record, a message out of turn, a signature that does not fit.",
		CallerAdvice: []string{"Use a maintained TLS library.", "If it fails now and then, something on the way changes the bytes."},
		OperatorAdvice: []string{
			"Scanners for old faults of TLS do this; a single real caller that does is worth a look at its library.",
		},
	},
	{
		Kind: ClientCertMissing, Status: 400, Proxy: "http_request_error", Cause: Caller, Again: Never, At: AtCaller,
		Title:        "The caller shows no certificate, and one is required",
		Explain:      "server.client_auth.mode is require, and the caller finished the handshake without a certificate of its own. It ended with the alert certificate_required (handshake_failure under TLS 1.2).",
		CallerAdvice: []string{"Give the calling program its client certificate and key: curl --cert FILE --key FILE."},
		OperatorAdvice: []string{
			"If some callers have keys in place of certificates, set server.client_auth.mode to optional.",
			"Browsers show a certificate only if one of the authorities of server.client_auth.ca_file has signed it.",
		},
	},
	{
		Kind: ClientCertUntrusted, Status: 400, Proxy: "http_request_error", Cause: Caller, Again: Never, At: AtCaller,
		Title:        "The caller's certificate is signed by an unknown authority",
		Explain:      "The caller's certificate does not lead to one of the authorities in server.client_auth.ca_file, and the handshake ended with the alert unknown_ca.",
		CallerAdvice: []string{"Show a certificate of the authority that this API expects, with the intermediate certificates between."},
		OperatorAdvice: []string{
			"Compare the issuer in the log line with the subjects in server.client_auth.ca_file.",
			"When an authority is replaced, name the old and the new one for a while.",
		},
	},
	{
		Kind: ClientCertExpired, Status: 400, Proxy: "http_request_error", Cause: Caller, Again: Never, At: AtCaller,
		Title:        "The caller's certificate has expired",
		Explain:      "The caller showed a certificate whose time is over. A connection that stood when it ended is refused at its next call.",
		CallerAdvice: []string{"Renew the client certificate, and let the calling program load the new one."},
		OperatorAdvice: []string{
			"If the caller's certificate is still good on its own clock, check the gateway's (timedatectl).",
		},
	},
	{
		Kind: ClientCertNotYet, Status: 400, Proxy: "http_request_error", Cause: Caller, Again: Never, At: AtCaller,
		Title:        "The caller's certificate is not valid yet",
		Explain:      "The caller showed a certificate that begins to be valid at a time that lies in the future, seen from the gateway's clock.",
		CallerAdvice: []string{"Use the certificate from its beginning on, or have it issued with a start in the past."},
		OperatorAdvice: []string{
			"Check the clocks of the gateway's host and of the machine that issues certificates (timedatectl).",
		},
	},
	{
		Kind: ClientCertUsage, Status: 400, Proxy: "http_request_error", Cause: Caller, Again: Never, At: AtCaller,
		Title:        "The caller's certificate is not meant for clients",
		Explain:      "The certificate that the caller showed may be used for other things, such as a server, and not to say who calls: it lacks the extended key usage clientAuth.",
		CallerAdvice: []string{"Have the certificate issued with the usage clientAuth."},
		OperatorAdvice: []string{
			"Public authorities no longer put clientAuth into certificates for servers: callers need certificates of a private authority.",
		},
	},
	{
		Kind: ClientCertInvalid, Status: 400, Proxy: "http_request_error", Cause: Caller, Again: Never, At: AtCaller,
		Title:        "The caller's certificate cannot be accepted",
		Explain:      "The caller's certificate breaks a rule other than its dates, its usage or its authority: an authority that may not sign it, a name outside of the constraints, a signature that does not fit, a key that is too weak.",
		CallerAdvice: []string{"Have the certificate issued anew, with SHA-256 or better."},
		OperatorAdvice: []string{
			"Read the reason in the log line, and show the certificate with: openssl x509 -in FILE -noout -text",
		},
	},
	{
		Kind: ClientCertUnknown, Status: 401, Proxy: "http_request_denied", Cause: Caller, Again: Never, At: AtCaller,
		Title:        "The caller's certificate belongs to no application",
		Explain:      "The call has no key, and the certificate that its connection was opened with is valid but stands for no application of this gateway.",
		CallerAdvice: []string{"Send your API key, or ask whoever runs this API to let your certificate in, by its name or fingerprint."},
		OperatorAdvice: []string{
			"Add the certificate to an application: certificates: [{san: NAME}] or [{sha256: FINGERPRINT}]; both are in the evidence.",
		},
	},
}
