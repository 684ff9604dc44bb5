package logs

import "causeway/internal/fault"

// apacheRules are the numbered messages of Apache's error log (modules/proxy of its source).
func apacheRules() []rule {
	const s = "Apache"
	return []rule{
		{
			id: "apache-refused", kind: fault.ConnectionRefused, cause: fault.Software, server: s, shows: symRefused,
			title: "the backend refused Apache's connection: nothing listened there",
			any:   [][]string{{"Connection refused", "AH00957"}, {"Connection refused", "AH02454"}},
			fix:   []string{"Start the backend, or correct its port in ProxyPass: ss -ltnp on its host shows who listens.", "Apache keeps a failed worker aside for retry=60 seconds: ProxyPass ... retry=5 brings it back sooner, retry=0 at once."},
		},
		{
			id: "apache-connect-timeout", kind: fault.ConnectTimeout, cause: fault.Network, server: s, shows: symConnect,
			title: "the backend did not take Apache's connection in time",
			any:   [][]string{{"The timeout specified has expired", "AH00957"}, {"Connection timed out", "AH00957"}, {"No route to host", "AH00957"}},
			fix:   []string{"Check firewall and address: nc -vz HOST PORT from Apache's host; a full accept queue looks the same.", "Apache: connectiontimeout=2 in ProxyPass."},
		},
		{
			id: "apache-timeout", kind: fault.FirstByteTimeout, cause: fault.Overload, server: s, shows: symTimeout,
			title: "the backend did not answer within ProxyTimeout",
			any:   [][]string{{"The timeout specified has expired", "AH01102"}, {"The timeout specified has expired", "AH10404"}, {"AH01230"}, {"AH01075", "timeout"}, {"Timeout while reading from backend"}, {"The timeout specified has expired", "AH01110"}},
			fix:   []string{"Find out what the backend was busy with: its slow requests, its database, its number of workers.", "Apache: if such calls are meant to take so long, raise ProxyTimeout (or timeout= in ProxyPass; Timeout, 60, where neither is set), and the backend's own limit with it."},
		},
		{
			id: "apache-closed", kind: fault.ClosedBeforeResponse, cause: fault.Software, server: s, shows: symClosed,
			title: "the backend closed the connection without an answer",
			any:   either("AH01102", "AH10404", "AH00951", "AH01110", "AH01097"),
			fix:   []string{"Read the application's log at these times: a worker that was killed, timed out or crashed closes like this.", "If it comes only on kept-alive connections: ttl= in ProxyPass below the backend's keep-alive, or SetEnv proxy-initial-not-pooled 1; disablereuse=on rules it out."},
		},
		{
			id: "apache-header-big", kind: fault.ResponseHeaderTooLarge, cause: fault.Configuration, server: s, shows: symOther,
			title: "a header of the backend's answer is longer than ResponseFieldSize",
			any:   either("AH10124"),
			fix:   []string{"Apache: raise ResponseFieldSize (8192 by default) on that proxy, or make the header smaller."},
		},
		{
			id: "apache-bad-header", kind: fault.MalformedResponse, cause: fault.Software, server: s, shows: symOther,
			title: "the backend's answer is not valid HTTP",
			any:   either("AH01106", "AH01098", "AH01099", "AH01100", "AH02475", "AH02476", "AH10293"),
			fix:   []string{"Correct the application's header, and check that the port speaks HTTP."},
		},
		{
			id: "apache-full", kind: fault.TooManyConnections, cause: fault.Overload, server: s, shows: symOther,
			title: "Apache has no worker left",
			any:   either("AH00161", "AH00484", "AH10159", "AH00485"),
			fix:   []string{"Apache: raise MaxRequestWorkers (and ServerLimit with it), prefer mpm_event, and lower KeepAliveTimeout.", "Workers that wait for a slow backend are the usual reason: see the timeouts."},
		},
		{
			id: "apache-busy", kind: fault.NoSlot, cause: fault.Overload, server: s, shows: symNone,
			title: "every connection to the backend was busy",
			any:   either("AH00934", "AH00941", "AH01169"),
			fix:   []string{"Apache: raise max= and acquire= in ProxyPass, or add BalancerMembers; the backend must serve as many."},
		},
		{
			id: "apache-none", kind: fault.NoHealthyTarget, cause: fault.Software, server: s, shows: symNone,
			title: "Apache has every backend in error state",
			any:   either("AH01167", "AH01170", "AH01171", "AH00940"),
			fix:   []string{"What made them fail comes before this: see the other causes.", "Apache: retry=5 in ProxyPass instead of 60; failonstatus and failontimeout put a worker aside as well."},
		},
		{
			id: "apache-dns", kind: fault.DNSNotFound, cause: fault.Configuration, server: s, shows: symOther,
			title: "Apache could not resolve the backend's name",
			any:   [][]string{{"DNS lookup failure"}},
			fix:   []string{"Correct the host in ProxyPass; Apache resolves it once: disablereuse=on or a restart after a change."},
		},
		{
			id: "apache-tls", kind: fault.TLSProtocolError, cause: fault.Configuration, server: s, shows: symOther,
			title: "the TLS handshake with the backend failed",
			any:   either("AH00961", "AH01961", "AH02004", "AH02411", "Error during SSL Handshake with remote server"),
			fix:   []string{"Apache: SSLProxyEngine on, SSLProxyCACertificateFile with the backend's authority, SSLProxyCheckPeerName for its name."},
		},
		{
			id: "apache-files", kind: fault.GatewayFilesExhausted, cause: fault.Configuration, server: s, shows: symOther,
			title: "Apache has no file descriptor left",
			any:   [][]string{{"(24)Too many open files"}},
			fix:   []string{"Apache: APACHE_ULIMIT_MAX_FILES in /etc/apache2/envvars, LimitNOFILE= in its unit."},
		},
		{
			id: "apache-failed", kind: fault.UpstreamBadGateway, cause: fault.Software, server: s, shows: symRefused | symConnect, vague: true,
			title: "Apache could not connect to the backend", any: either("AH01114", "AH00959"),
			fix: []string{"Is the backend running and listening where ProxyPass says? ss -ltnp on its host."},
		},
		{
			id: "apache-read", kind: fault.ClosedBeforeResponse, cause: fault.Software, server: s, shows: symClosed | symTimeout, vague: true,
			title: "Apache could not read the backend's answer", any: either("AH00898"),
			fix: []string{"Read the application's log at these times."},
		},
		{
			id: "apache-child", kind: fault.ClosedBeforeResponse, cause: fault.Software, server: s, level: atApp, explains: symClosed | symRefused, before: 5,
			title: "a process of Apache itself was ended by a signal", any: either("AH00052", "AH00051"), process: "child pid ",
			fix: []string{"Look at the kernel's log for the signal's reason, and update Apache or the module."},
		},
		{
			id: "apache-reload", kind: fault.ClosedBeforeResponse, cause: fault.Configuration, server: s, level: atChange, explains: symClosed | symRefused, before: 10, quiet: true,
			title: "Apache was restarted or stopped", any: either("AH00169", "AH00171", "AH00493", "AH00494"),
			fix: []string{"Use apachectl graceful: calls in flight are finished."},
		},
	}
}

// haproxyRules are what HAProxy says of its servers, and its termination states, which state gives
// their ids (https://docs.haproxy.org/2.8/configuration.html#8.5).
func haproxyRules() []rule {
	const s = "HAProxy"
	return []rule{
		{
			id: "haproxy-refused", kind: fault.ConnectionRefused, cause: fault.Software, server: s, shows: symRefused,
			title: "the server refused HAProxy's connection, or reset it (SC)",
			fix:   []string{"Start the server, or correct its port in the server line.", "HAProxy: add check inter 2s, and option redispatch with retries 3, so that another server is taken at once."},
		},
		{
			id: "haproxy-none", kind: fault.NoHealthyTarget, cause: fault.Software, server: s, shows: symNone,
			title: "no server of the backend was up (<NOSRV>)",
			fix:   []string{"What put them down comes before this, in the lines \"Server ... is DOWN\".", "HAProxy: fall 3 rise 2 inter 2s decide how fast; add a backup server for a better answer than 503."},
		},
		{
			id: "haproxy-connect-timeout", kind: fault.ConnectTimeout, cause: fault.Network, server: s, shows: symConnect,
			title: "the server did not take the connection within timeout connect (sC)",
			fix:   []string{"Check firewall and address: nc -vz HOST PORT from HAProxy's host; a full accept queue (somaxconn, backlog) looks the same.", "HAProxy: timeout connect 2s with retries 3 and option redispatch."},
		},
		{
			id: "haproxy-timeout", kind: fault.FirstByteTimeout, cause: fault.Overload, server: s, shows: symTimeout,
			title: "the server did not answer within timeout server (sH)",
			fix:   []string{"Find out what the server was busy with: its slow requests, its database, its number of workers.", "HAProxy: if such calls are meant to take so long, raise timeout server for that backend, and the application's own limit with it."},
		},
		{
			id: "haproxy-closed", kind: fault.ClosedBeforeResponse, cause: fault.Software, server: s, shows: symClosed,
			title: "the server closed the connection before its whole header had come (SH)",
			fix:   []string{"Read the application's log at these times: a worker that was killed, timed out or crashed closes like this.", "HAProxy: retry-on conn-failure empty-response response-timeout for idempotent calls."},
		},
		{
			id: "haproxy-cut", kind: fault.TruncatedBody, cause: fault.Software, server: s, shows: symClosed,
			title: "the server died in the middle of its answer (SD)", fix: []string{"Read the application's log at these times."},
		},
		{
			id: "haproxy-idle", kind: fault.IdleTimeout, cause: fault.Overload, server: s, shows: symTimeout,
			title: "the server stalled in the middle of its answer for timeout server (sD)",
			fix:   []string{"HAProxy: raise timeout server (timeout tunnel for WebSocket), or let the application send a heartbeat."},
		},
		{
			id: "haproxy-queue", kind: fault.NoSlot, cause: fault.Overload, server: s, shows: symNone,
			title: "the call waited in the queue for timeout queue (sQ)",
			fix:   []string{"HAProxy: raise maxconn of the servers if they can serve more, add servers, or raise timeout queue.", "The counters in each line (srv_conn, srv_queue, backend_queue) show how full it was."},
		},
		{
			id: "haproxy-invalid", kind: fault.MalformedResponse, cause: fault.Software, server: s, shows: symOther,
			title: "the server's answer is not valid HTTP, or its header is too large (PH)",
			fix:   []string{"show errors on HAProxy's socket shows the bytes.", "HAProxy: tune.bufsize 32768 for large headers; never leave option accept-invalid-http-response on."},
		},
		{
			id: "haproxy-full", kind: fault.TooManyConnections, cause: fault.Overload, server: s, shows: symOther,
			title: "HAProxy ran out of sockets or memory (PC, RC)",
			any:   [][]string{{"reached process FD limit"}, {"Proxy ", "reached system FD limit"}},
			fix:   []string{"HAProxy: raise maxconn in global and ulimit-n / LimitNOFILE with it; widen net.ipv4.ip_local_port_range, add source addresses."},
		},
		{
			id: "haproxy-client", kind: fault.CallerGone, cause: fault.Caller, server: s, shows: symClient,
			title: "the caller left before the server had answered (CH, CQ, CC)",
			fix:   []string{"Callers that leave after always the same time have a timeout of their own: make the answer faster than it, or raise it there.", "HAProxy: option abortonclose frees the queue of those who left."},
		},
		{
			id: "haproxy-killed", kind: fault.ClosedBeforeResponse, cause: fault.Software, server: s, shows: symClosed,
			title: "HAProxy ended the call since its server went down, or an operator did (D, K, U)",
			fix:   []string{"on-marked-down shutdown-sessions does this: leave it out if calls in flight should end by themselves."},
		},
		{
			id: "haproxy-server-5xx", kind: fault.UpstreamError, cause: fault.Software, server: s, shows: symApp,
			title: "the server answered so itself", fix: []string{"The application's own log says why: give it to this command as well."},
		},
		{
			id: "haproxy-tls", kind: fault.TLSProtocolError, cause: fault.Configuration, server: s, shows: symOther,
			title: "the TLS handshake with the server failed",
			any:   either("Layer6 invalid response", "SSL handshake failure (", "Layer6 timeout"),
			fix:   []string{"HAProxy: ssl verify required ca-file ... sni str(NAME) in the server line; no ssl for a plain port."},
		},
		{
			id: "haproxy-down", kind: fault.NoHealthyTarget, cause: fault.Software, server: s, level: atApp, explains: symNone, before: 24 * 3600,
			title: "HAProxy's health check found the server down",
			any:   [][]string{{"Server ", " is DOWN, reason"}, {"Health check for server", "failed, reason"}},
			fix:   []string{"The reason and info in that line say what the check saw: Layer4 is the connection, Layer6 TLS, Layer7 the answer.", "Start or repair the server; httpchk must ask for a path that answers 2xx without the database's help."},
		},
		{
			id: "haproxy-no-server", kind: fault.NoHealthyTarget, cause: fault.Software, server: s, shows: symNone, quiet: true,
			title: "the backend has no server", any: either("has no server available!"),
			fix: []string{"See why its servers are down."},
		},
		{
			id: "haproxy-reload", kind: fault.ClosedBeforeResponse, cause: fault.Configuration, server: s, level: atChange, explains: symClosed | symRefused | symNone, before: 10, quiet: true,
			title: "HAProxy was reloaded or stopped", any: [][]string{{"Proxy ", " stopped ("}, {"Stopping frontend "}, {"Stopping backend "}},
			fix: []string{"Reload with the master process (-W, systemctl reload haproxy): connections are handed over."},
		},
	}
}

// termination is the id of the rule for a termination state and the status that came with it, "" for
// one that is no failure of a server.
func termination(state []byte, status int, server []byte) string {
	if len(state) < 2 {
		return ""
	}
	noServer := len(server) >= 7 && string(server[len(server)-7:]) == "<NOSRV>"
	switch string(state[:2]) {
	case "SC":
		if noServer {
			return "haproxy-none"
		}
		return "haproxy-refused"
	case "sC":
		return "haproxy-connect-timeout"
	case "sH":
		return "haproxy-timeout"
	case "SH":
		return "haproxy-closed"
	case "SD", "SL":
		return "haproxy-cut"
	case "sD", "sL":
		return "haproxy-idle"
	case "sQ":
		return "haproxy-queue"
	case "PH", "PD":
		return "haproxy-invalid"
	case "PC", "RC", "RQ", "RH":
		return "haproxy-full"
	case "CH", "CQ", "CC", "cH", "CD", "cD", "CR", "cR":
		return "haproxy-client"
	case "--":
		if status >= 500 {
			return "haproxy-server-5xx"
		}
	}
	switch state[0] {
	case 'D', 'K', 'U':
		return "haproxy-killed"
	}
	return ""
}
