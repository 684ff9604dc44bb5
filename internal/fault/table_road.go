package fault

// roadRows are the failures before a connection to the upstream stands: its name, the route to
// it, the TCP connection or the Unix socket.
var roadRows = []Entry{
	{
		Kind: DNSNotFound, Status: 502, Proxy: "dns_error", Cause: Configuration, Again: Elsewhere, At: AtUpstreamLink,
		Title:        "The upstream's host name does not exist",
		Explain:      "The gateway asked its resolver for the host name of the target and was told that there is no such name (NXDOMAIN). No connection was tried and the request went nowhere.",
		CallerAdvice: []string{tellOperator},
		OperatorAdvice: []string{
			"Check the host name in upstream.targets (or the provider's base_url) for a typing error.",
			"Look the name up on the gateway's host with dig or getent hosts: inside containers the resolver and the search domains often differ from your own machine's.",
			"If it worked before, look for a deleted DNS record, an expired zone, or a renamed container or Kubernetes service.",
		},
	},
	{
		Kind: DNSNoAddress, Status: 502, Proxy: "dns_error", Cause: Configuration, Again: Elsewhere, At: AtUpstreamLink,
		Title:        "The upstream's host name has no address",
		Explain:      "The host name of the target exists, but the resolver has neither an IPv4 nor an IPv6 address for it (NOERROR without A or AAAA records). No connection was tried.",
		CallerAdvice: []string{tellOperator},
		OperatorAdvice: []string{
			"Add an A or AAAA record for the name, or point upstream.targets at the name that has one.",
			"A name that carries only MX, TXT or SRV records is a domain, not a host: the host is often www. or api. in front of it.",
			"A Kubernetes headless service without ready pods resolves to nothing: check that its pods are ready.",
		},
	},
	{
		Kind: DNSServerFailure, Status: 502, Proxy: "dns_error", Cause: Network, Again: Delayed, At: AtUpstreamLink,
		Title:        "The resolver could not look up the upstream's name",
		Explain:      "The resolver answered that it failed (SERVFAIL), or could not be reached at all. That says nothing about the upstream: its address is only not known at this moment.",
		CallerAdvice: []string{repeatFreely},
		OperatorAdvice: []string{
			"Look up the name and an unrelated one from the gateway's host: if both fail, the resolver in /etc/resolv.conf is the trouble.",
			"If only this name fails, ask its authoritative servers (dig +trace NAME): a broken delegation and a failed DNSSEC check both show as SERVFAIL.",
			"With an address instead of a name in upstream.targets the call does not depend on DNS.",
		},
	},
	{
		Kind: DNSRefused, Status: 502, Proxy: "dns_error", Cause: Configuration, Again: Delayed, At: AtUpstreamLink,
		Title:        "The resolver refuses to answer the gateway",
		Explain:      "The resolver answered REFUSED: it is there, and its rules do not let the gateway's host ask, or do not let it ask about this name.",
		CallerAdvice: []string{repeatFreely},
		OperatorAdvice: []string{
			"Allow the gateway's address in the resolver's access list, or choose another resolver in /etc/resolv.conf.",
			"An authoritative-only server refuses names outside its zones: it cannot serve as the gateway's resolver.",
		},
	},
	{
		Kind: DNSTimeout, Status: 504, Proxy: "dns_timeout", Cause: Network, Again: Delayed, At: AtUpstreamLink,
		Title:        "The lookup of the upstream's name timed out",
		Explain:      "The resolver did not answer within upstream.timeouts.connect, which covers lookup, TCP and TLS of one attempt.",
		CallerAdvice: []string{repeatFreely},
		OperatorAdvice: []string{
			"Check that the gateway's host reaches the resolver in /etc/resolv.conf: UDP and TCP port 53, often blocked by a firewall or a container network.",
			"If /etc/resolv.conf lists several servers, a dead first one delays every lookup: remove it.",
			"If lookups are slow but do succeed, raise upstream.timeouts.connect, or run a caching resolver beside the gateway.",
		},
	},
	{
		Kind: ConnectionRefused, Status: 502, Proxy: "connection_refused", Cause: Software, Again: Always, At: AtUpstreamLink,
		Title:        "The upstream refused the connection",
		Explain:      "The target's host answered the connection attempt with a reset: the host is up and reachable, and nothing listens on that port. The request was not sent.",
		CallerAdvice: []string{repeatFreely},
		OperatorAdvice: []string{
			"Check that the upstream's process runs, and read its log for why it stopped or has not started yet.",
			"Compare the port it listens on (ss -ltnp on its host) with the port in upstream.targets.",
			"In a container, let it listen on 0.0.0.0 and not on 127.0.0.1: the container's own loopback is not the gateway's.",
			"With a second entry in upstream.targets the gateway goes on with the other while this one restarts.",
		},
	},
	{
		Kind: SocketMissing, Status: 502, Proxy: "connection_refused", Cause: Configuration, Again: Always, At: AtUpstreamLink,
		Title:        "The upstream's Unix socket does not exist",
		Explain:      "The target is a Unix socket, and there is no file at its path. The upstream's process has not created it, or creates it elsewhere.",
		CallerAdvice: []string{repeatFreely},
		OperatorAdvice: []string{
			"Check that the upstream's process runs, and that it is told to listen on the same path as in upstream.targets.",
			"systemd's PrivateTmp and containers give a process a /tmp of its own: put the socket in a shared folder such as /run.",
		},
	},
	{
		Kind: SocketDenied, Status: 502, Proxy: "connection_refused", Cause: Configuration, Again: Always, At: AtUpstreamLink,
		Title:        "The gateway may not open the upstream's Unix socket",
		Explain:      "The Unix socket of the target exists, but the system does not let the gateway's user connect to it.",
		CallerAdvice: []string{tellOperator},
		OperatorAdvice: []string{
			"Give the gateway's user write permission on the socket and execute permission on every folder above it (ls -l, namei -l PATH).",
			"On SELinux and AppArmor systems look for a denial in the audit log (ausearch -m avc).",
		},
	},
	{
		Kind: ConnectTimeout, Status: 504, Proxy: "connection_timeout", Cause: Network, Again: Always, At: AtUpstreamLink,
		Title:        "The upstream did not accept the connection in time",
		Explain:      "The gateway's connection attempt got no answer at all within upstream.timeouts.connect: neither accepted nor refused. Packets are being dropped on the way, the host is down, or its queue of waiting connections is full.",
		CallerAdvice: []string{repeatFreely},
		OperatorAdvice: []string{
			"Check the address in upstream.targets, and that its host is up.",
			"Check firewalls and security groups between gateway and upstream: a dropped packet looks exactly like this, a closed port would have been refused.",
			"If the upstream was slow just before, its accept queue is full (ss -ltn on its host: Recv-Q at Send-Q): it needs more workers or more replicas.",
			"If connecting is only slow, across continents for example, raise upstream.timeouts.connect.",
		},
	},
	{
		Kind: ConnectReset, Status: 502, Proxy: "connection_terminated", Cause: Network, Again: Always, At: AtUpstreamLink,
		Title:        "The connection was reset while it was being made",
		Explain:      "The connection attempt was cut by a reset before it was usable. Something between gateway and upstream, or the upstream's own connection limit, throws new connections out. The request was not sent.",
		CallerAdvice: []string{repeatFreely},
		OperatorAdvice: []string{
			"Look for a firewall, intrusion filter or load balancer between gateway and upstream that resets connections.",
			"Look for a connection limit of the upstream (maximum clients, ulimit -n of its process).",
			curlTarget,
		},
	},
	{
		Kind: Unroutable, Status: 502, Proxy: "destination_ip_unroutable", Cause: Network, Again: Always, At: AtUpstreamLink,
		Title:        "There is no route to the upstream",
		Explain:      "The gateway's host, or a router on the way, says that the target's address cannot be reached: no route, network down, or host unreachable.",
		CallerAdvice: []string{repeatFreely},
		OperatorAdvice: []string{
			"On the gateway's host ask ip route get ADDRESS, and check that the VPN or network interface it needs is up.",
			"If the name has an IPv6 address and the gateway's network has no IPv6, put the IPv4 address in upstream.targets or remove the AAAA record.",
			"Host unreachable inside one network means that nobody answers for the address: the machine is off, or the address is wrong.",
		},
	},
	{
		Kind: AddressProhibited, Status: 502, Proxy: "destination_ip_prohibited", Cause: Configuration, Again: Never, At: AtUpstreamLink,
		Title:        "The upstream's address is not allowed as a target",
		Explain:      "The target's name led to an address that the gateway is not allowed to call. The rule protects networks behind the gateway from being reached through a name that somebody else controls.",
		CallerAdvice: []string{tellOperator},
		OperatorAdvice: []string{
			"If the address is meant to be called, allow its network.",
			"If it is not, find out who changed the DNS record: a public name that suddenly leads to a private address is a known attack (DNS rebinding).",
		},
	},
	{
		Kind: EgressDenied, Status: 502, Proxy: "destination_ip_unroutable", Cause: Configuration, Again: Never, At: AtUpstreamLink,
		Title:        "The gateway's host does not let it connect out",
		Explain:      "The operating system forbade the connection attempt itself (EPERM or EACCES): a local firewall, a sandbox or a container policy on the gateway's host.",
		CallerAdvice: []string{tellOperator},
		OperatorAdvice: []string{
			"Look for an OUTPUT or egress rule on the gateway's host (iptables -S OUTPUT, nft list ruleset).",
			"In Kubernetes check the NetworkPolicies of the gateway's namespace; under systemd IPAddressDeny and RestrictAddressFamilies.",
		},
	},
	{
		Kind: GatewayPortsExhausted, Status: 503, Proxy: "proxy_internal_error", Cause: Gateway, Again: Delayed, At: AtGateway,
		Title:        "The gateway has no local port left for this upstream",
		Explain:      "Every local port that could be used towards this target is taken, most of them by connections that were closed a short while ago (TIME_WAIT).",
		CallerAdvice: []string{repeatFreely},
		OperatorAdvice: []string{
			"Find out why connections are not reused: an upstream that closes after every answer (Connection: close, HTTP/1.0) costs a port for a minute per call.",
			"Widen the range: sysctl -w net.ipv4.ip_local_port_range=\"10240 65535\", and allow reuse with net.ipv4.tcp_tw_reuse=1.",
			"More entries in upstream.targets multiply the ports: the limit holds per target address.",
		},
	},
	{
		Kind: GatewayFilesExhausted, Status: 503, Proxy: "proxy_internal_error", Cause: Gateway, Again: Delayed, At: AtGateway,
		Title:        "The gateway has no file descriptor left",
		Explain:      "The gateway's process, or its whole host, has as many files and connections open as the system allows, so none could be opened to the upstream.",
		CallerAdvice: []string{repeatFreely},
		OperatorAdvice: []string{
			"Raise the limit of the gateway's process: ulimit -n, or LimitNOFILE= in its systemd unit.",
			"Lower server.max_connections or server.max_calls to what the limit carries, two descriptors per call.",
			"If only a few calls run, look at what holds the descriptors: ls -l /proc/PID/fd.",
		},
	},
}
