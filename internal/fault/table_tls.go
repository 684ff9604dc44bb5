package fault

// tlsRows are the failures of the TLS handshake with the upstream, and of speaking TLS or not.
var tlsRows = []Entry{
	{
		Kind: TLSUnknownAuthority, Status: 502, Proxy: "tls_certificate_error", Cause: Configuration, Again: Elsewhere, At: AtUpstreamLink,
		Title:        "The upstream's certificate is signed by an unknown authority",
		Explain:      "The certificate that the upstream showed does not lead to an authority the gateway trusts: it is self-signed, signed by a private authority, or the upstream does not send the intermediate certificate.",
		CallerAdvice: []string{tellOperator},
		OperatorAdvice: []string{
			"With a private authority, put its certificate (PEM) in a file and name it in upstream.tls.ca_file.",
			"With a public one the intermediate is probably missing: configure the upstream with the full chain (fullchain.pem, not cert.pem).",
			"If the issuer is an inspecting proxy of your company, the connection is being opened on the way: trust its authority or route around it.",
		},
	},
	{
		Kind: TLSIntermediateMissing, Status: 502, Proxy: "tls_certificate_error", Cause: Configuration, Again: Elsewhere, At: AtUpstreamLink,
		Title:        "The upstream leaves out the intermediate certificate",
		Explain:      "The upstream showed its own certificate alone. That names an issuer whose certificate the gateway does not have and that the upstream should have sent with it. Browsers often hide this, because they keep or fetch intermediate certificates.",
		CallerAdvice: []string{tellOperator},
		OperatorAdvice: []string{
			"Configure the upstream with the full chain: fullchain.pem in place of cert.pem (nginx ssl_certificate, Apache SSLCertificateFile), the certificate first and then its issuer.",
			"Until then, put the intermediate certificate into the file of upstream.tls.ca_file, which takes any certificate as a beginning of trust.",
			"If the issuer is itself a root of a private authority, name that in upstream.tls.ca_file.",
		},
	},
	{
		Kind: TLSPinMismatch, Status: 502, Proxy: "tls_certificate_error", Cause: Configuration, Again: Elsewhere, At: AtUpstreamLink,
		Title:        "The upstream's key is not one of the pinned ones",
		Explain:      "The upstream's certificate may be valid, but neither its key nor one of its authorities' is among upstream.tls.pins. Either the upstream changed its key, or somebody else answers in its place; the request was not sent.",
		CallerAdvice: []string{tellOperator},
		OperatorAdvice: []string{
			"Find out from the upstream's owner, on another way, whether the key was changed. Only then put the pin from the evidence into upstream.tls.pins.",
			"Keep the next key's pin in upstream.tls.pins before it is used, or pin the authority's key, which changes rarely.",
		},
	},
	{
		Kind: TLSCertificateExpired, Status: 502, Proxy: "tls_certificate_error", Cause: Configuration, Again: Elsewhere, At: AtUpstreamLink,
		Title:        "The upstream's certificate has expired",
		Explain:      "The certificate that the upstream showed was valid only until a time that has passed, so the gateway did not send the request.",
		CallerAdvice: []string{tellOperator},
		OperatorAdvice: []string{
			"Renew the certificate on the upstream, and find out why its renewal job stopped (certbot renew --dry-run, cert-manager's events).",
			"If it was renewed already, the upstream still serves the old one from memory: reload it.",
			"Check the gateway's clock (timedatectl).",
		},
	},
	{
		Kind: TLSCertificateNotYet, Status: 502, Proxy: "tls_certificate_error", Cause: Configuration, Again: Elsewhere, At: AtUpstreamLink,
		Title:        "The upstream's certificate is not valid yet",
		Explain:      "The certificate that the upstream showed begins to be valid at a time that lies in the future, seen from the gateway's clock.",
		CallerAdvice: []string{tellOperator},
		OperatorAdvice: []string{
			"Check the clocks of the gateway's host and of the machine that issued the certificate (timedatectl): one of them is wrong more often than the certificate is.",
			"Reissue the certificate with a start in the past.",
		},
	},
	{
		Kind: TLSNameMismatch, Status: 502, Proxy: "tls_certificate_error", Cause: Configuration, Again: Elsewhere, At: AtUpstreamLink,
		Title:        "The upstream's certificate is for another name",
		Explain:      "The upstream's certificate is valid, but not for the name that the gateway asked for, so it may be somebody else's server.",
		CallerAdvice: []string{tellOperator},
		OperatorAdvice: []string{
			"If the target is given by address or by an internal name, set upstream.tls.server_name to a name the certificate has.",
			"Else correct the host in upstream.targets, or have the certificate issued for this name as well.",
			"A certificate of a quite different site means that the address now belongs to someone else, or that the upstream needs another server name to choose its site.",
		},
	},
	{
		Kind: TLSCertificateInvalid, Status: 502, Proxy: "tls_certificate_error", Cause: Configuration, Again: Elsewhere, At: AtUpstreamLink,
		Title:        "The upstream's certificate cannot be accepted",
		Explain:      "The upstream's certificate breaks a rule other than its dates, its name or its authority: it is not meant for servers, its authority may not sign this name, or its signature is too weak.",
		CallerAdvice: []string{tellOperator},
		OperatorAdvice: []string{
			"Read the reason in the evidence and have the certificate reissued: with the serverAuth usage, SHA-256 or better, and the name among the subject alternative names.",
			"Show it with: openssl s_client -connect HOST:PORT -servername HOST | openssl x509 -noout -text",
		},
	},
	{
		Kind: TLSClientCertificate, Status: 502, Proxy: "tls_alert_received", Cause: Configuration, Again: Never, At: AtUpstreamLink,
		Title:        "The upstream wants a client certificate",
		Explain:      "The upstream asked the gateway for a certificate of its own (mutual TLS) and ended the handshake because it got none.",
		CallerAdvice: []string{tellOperator},
		OperatorAdvice: []string{
			"Get a client certificate from the upstream's authority and name it in upstream.tls.cert_file and upstream.tls.key_file,",
			"or make the client certificate optional for the gateway's address on the upstream.",
		},
	},
	{
		Kind: TLSClientCertRejected, Status: 502, Proxy: "tls_alert_received", Cause: Configuration, Again: Never, At: AtUpstreamLink,
		Title:        "The upstream does not accept the gateway's certificate",
		Explain:      "The upstream asked the gateway for a certificate of its own (mutual TLS), was shown the one of upstream.tls.cert_file, and refused it. The alert says why: an authority it does not know (48), a time that is over (45), a certificate it holds for bad (42), unfit (43), revoked (44) or not allowed (49).",
		CallerAdvice: []string{tellOperator},
		OperatorAdvice: []string{
			"Compare the certificate in the evidence with what the upstream expects: its issuer, its dates, the usage clientAuth, its name.",
			"If the authority is an intermediate one, put its certificate behind the gateway's own in upstream.tls.cert_file.",
			"The upstream's error log names the reason more exactly than the alert does.",
		},
	},
	{
		Kind: TLSVersionMismatch, Status: 502, Proxy: "tls_alert_received", Cause: Configuration, Again: Elsewhere, At: AtUpstreamLink,
		Title:        "Gateway and upstream share no TLS version or cipher",
		Explain:      "The upstream ended the handshake because it accepts none of the protocol versions, ciphers or application protocols that the gateway offered: TLS 1.2 and 1.3, or what upstream.tls.min_version leaves of them, and what upstream.protocol says.",
		CallerAdvice: []string{tellOperator},
		OperatorAdvice: []string{
			"Enable TLS 1.2 or 1.3 with a forward-secret cipher (ECDHE with AES-GCM or ChaCha20) on the upstream.",
			"Alert 70 with upstream.tls.min_version: 1.3 mostly means that the upstream speaks 1.2 at most: update it, or set 1.2.",
			"Alert 120 means that the upstream accepts only another protocol inside TLS, such as HTTP/2: set upstream.protocol to auto or h2, or allow http/1.1 in the upstream's ALPN list.",
			"If it worked before, somebody tightened the upstream's TLS settings: compare them with the time of the first failure.",
		},
	},
	{
		Kind: TLSUnrecognizedName, Status: 502, Proxy: "tls_alert_received", Cause: Configuration, Again: Elsewhere, At: AtUpstreamLink,
		Title:        "The upstream does not know the server name it was asked for",
		Explain:      "The gateway named the site it wants in the handshake (SNI), and the upstream answered that it has no such site.",
		CallerAdvice: []string{tellOperator},
		OperatorAdvice: []string{
			"Set upstream.tls.server_name to the name that the upstream is configured for.",
			"If the target is given by address, no server name can be sent: give its name, or set upstream.tls.server_name.",
		},
	},
	{
		Kind: TLSAlert, Status: 502, Proxy: "tls_alert_received", Cause: Software, Again: Elsewhere, At: AtUpstreamLink,
		Title:        "The upstream ended the TLS handshake with an alert",
		Explain:      "The upstream sent a TLS alert instead of finishing the handshake. Its number and name are in the evidence. internal_error (80) is also what some servers send for a name they have no certificate for.",
		CallerAdvice: []string{tellOperator},
		OperatorAdvice: []string{
			"Read the upstream's own error log for the same moment: the alert's reason is known there.",
			"With internal_error (80), check that it has a certificate for the name asked for, or set upstream.tls.server_name.",
			"Repeat it with: openssl s_client -connect HOST:PORT -servername HOST",
		},
	},
	{
		Kind: TLSToPlainPort, Status: 502, Proxy: "tls_protocol_error", Cause: Configuration, Again: Never, At: AtUpstreamLink,
		Title:        "The upstream speaks plain HTTP where TLS was expected",
		Explain:      "The gateway began a TLS handshake and the upstream answered in plain text: the target says https, and its port serves http.",
		CallerAdvice: []string{tellOperator},
		OperatorAdvice: []string{
			"Change the target in upstream.targets (or the provider's base_url) from https:// to http://,",
			"or to the port on which the upstream serves TLS, often 443 or 8443.",
		},
	},
	{
		Kind: PlainToTLSPort, Status: 502, Proxy: "http_protocol_error", Cause: Configuration, Again: Never, At: AtUpstreamLink,
		Title:        "The upstream expects TLS where plain HTTP was sent",
		Explain:      "The gateway sent a plain HTTP request and the upstream answered with TLS bytes, or said that its port wants HTTPS: the target says http, and its port serves https.",
		CallerAdvice: []string{tellOperator},
		OperatorAdvice: []string{
			"Change the target in upstream.targets (or the provider's base_url) from http:// to https://.",
			"If its certificate is private, name its authority in upstream.tls.ca_file.",
		},
	},
	{
		Kind: TLSHandshakeClosed, Status: 502, Proxy: "tls_protocol_error", Cause: Network, Again: Always, At: AtUpstreamLink,
		Title:        "The upstream closed the connection during the TLS handshake",
		Explain:      "The TCP connection stood, then the other side closed it before the handshake was done and without an alert. The request was not sent.",
		CallerAdvice: []string{repeatFreely},
		OperatorAdvice: []string{
			"A load balancer without a healthy server behind it closes like this: look at its own health view.",
			"A filter on the way may not like the server name: compare openssl s_client -connect HOST:PORT with and without -servername HOST.",
			"A port that speaks neither TLS nor HTTP also closes like this: check the port in upstream.targets.",
		},
	},
	{
		Kind: TLSHandshakeReset, Status: 502, Proxy: "tls_protocol_error", Cause: Network, Again: Always, At: AtUpstreamLink,
		Title:        "The connection was reset during the TLS handshake",
		Explain:      "The TCP connection stood, then it was reset before the handshake was done. The request was not sent.",
		CallerAdvice: []string{repeatFreely},
		OperatorAdvice: []string{
			"A firewall that inspects server names resets like this: compare openssl s_client -connect HOST:PORT with and without -servername HOST.",
			"Look in the upstream's log for a crashed worker or a connection limit at that moment.",
		},
	},
	{
		Kind: TLSHandshakeTimeout, Status: 504, Proxy: "connection_timeout", Cause: Overload, Again: Always, At: AtUpstreamLink,
		Title:        "The TLS handshake with the upstream timed out",
		Explain:      "The TCP connection stood, and then the handshake did not finish within upstream.timeouts.connect. The kernel of the upstream's host accepts connections by itself: its process may be too busy, or may not speak TLS on this port.",
		CallerAdvice: []string{repeatFreely},
		OperatorAdvice: []string{
			"Look at the load of the upstream's process: a saturated server accepts and then does nothing.",
			"Check that the port in upstream.targets serves TLS: a server that waits for plain text stays silent too.",
			"If small packets pass and large ones do not, a broken path MTU is likely: try tracepath HOST.",
		},
	},
	{
		Kind: TLSProtocolError, Status: 502, Proxy: "tls_protocol_error", Cause: Software, Again: Elsewhere, At: AtUpstreamLink,
		Title:        "The upstream broke the TLS protocol",
		Explain:      "Bytes came during the handshake or after it that are neither valid TLS nor plain HTTP.",
		CallerAdvice: []string{tellOperator},
		OperatorAdvice: []string{
			"Check that the port in upstream.targets is the HTTPS port and not that of another service.",
			"Look at it with: openssl s_client -connect HOST:PORT -servername HOST -msg",
		},
	},
}
