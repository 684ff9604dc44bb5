package logs

import "causeway/internal/fault"

// nginxRules are the sentences of nginx's error log (src/http/ngx_http_upstream.c,
// src/event/ngx_event_connect.c, src/http/ngx_http_request_body.c of its source).
func nginxRules() []rule {
	const s = "nginx"
	return []rule{
		{
			id: "nginx-workers-full", kind: fault.TooManyConnections, cause: fault.Overload, server: s, shows: symOther,
			title: "nginx has no connection left (worker_connections)",
			any:   either("worker_connections are not enough"),
			fix:   []string{"nginx: raise worker_connections in events {} (a proxied call takes two) and worker_rlimit_nofile with it, and keep worker_processes auto."},
		},
		{
			id: "nginx-files", kind: fault.GatewayFilesExhausted, cause: fault.Configuration, server: s, shows: symOther,
			title: "nginx has no file descriptor left",
			any:   [][]string{{"(24: Too many open files)"}},
			fix:   []string{"nginx: raise worker_rlimit_nofile, and LimitNOFILE= in its systemd unit (systemctl edit nginx).", "Look at what holds them: ls /proc/PID/fd | wc -l for an nginx worker."},
		},
		{
			id: "nginx-ports", kind: fault.GatewayPortsExhausted, cause: fault.Overload, server: s, shows: symOther,
			title: "nginx's host has no local port left for connections to the upstream",
			any:   says("(99: Cannot assign requested address)"),
			fix:   []string{"nginx: keep connections to the upstream alive: keepalive 32; in upstream {}, with proxy_http_version 1.1 and proxy_set_header Connection \"\".", "Host: widen net.ipv4.ip_local_port_range, set net.ipv4.tcp_tw_reuse=1."},
		},
		{
			id: "nginx-refused", kind: fault.ConnectionRefused, cause: fault.Software, server: s, shows: symRefused,
			title: "the upstream refused nginx's connection: nothing listened there",
			any:   [][]string{{"connect() failed (111", "upstream"}, {"connect() failed (61", "upstream"}},
			fix:   []string{"Start the upstream, or correct its port in proxy_pass or upstream {}: ss -ltnp on its host shows who listens.", "Let systemd bring it back: Restart=always in its unit."},
		},
		{
			id: "nginx-socket-missing", kind: fault.SocketMissing, cause: fault.Software, server: s, shows: symRefused,
			title: "the upstream's Unix socket is not there",
			any:   [][]string{{"connect() to unix:", "(2: No such file"}},
			fix:   []string{"Start the upstream; its --bind (gunicorn) or listen path and nginx's proxy_pass must name the same socket.", "A PrivateTmp=yes unit sees a /tmp of its own: put the socket under /run."},
		},
		{
			id: "nginx-socket-denied", kind: fault.SocketDenied, cause: fault.Configuration, server: s, shows: symRefused,
			title: "nginx may not open the upstream's Unix socket",
			any:   [][]string{{"connect() to unix:", "(13: Permission denied)"}},
			fix:   []string{"Give nginx's user (www-data) access: the same group and --umask 007 (gunicorn), SocketMode=0660 (systemd socket).", "SELinux: ausearch -m avc -ts recent; setsebool -P httpd_can_network_connect 1 for TCP."},
		},
		{
			id: "nginx-backlog", kind: fault.Overloaded, cause: fault.Overload, server: s, shows: symRefused,
			title: "the upstream's accept queue is full",
			any:   [][]string{{"(11: Resource temporarily unavailable)", "connecting to upstream"}},
			fix:   []string{"Give the upstream more workers (gunicorn --workers, --threads) and a longer queue: --backlog 2048 (gunicorn), listen = (uWSGI), net.core.somaxconn=4096 on its host.", "Limit what nginx lets through: limit_conn, limit_req."},
		},
		{
			id: "nginx-connect-timeout", kind: fault.ConnectTimeout, cause: fault.Network, server: s, shows: symConnect,
			title: "the upstream did not take nginx's connection in time",
			any:   [][]string{{"upstream timed out", "while connecting to upstream"}, {"connect() failed (110"}},
			fix:   []string{"Check firewall and address first: nc -vz HOST PORT from nginx's host. A drop looks like this, and so does a full accept queue.", "nginx: lower proxy_connect_timeout (60s by default) to 2s so that callers learn of it, and another server of upstream {} is tried."},
		},
		{
			id: "nginx-read-timeout", kind: fault.FirstByteTimeout, cause: fault.Overload, server: s, shows: symTimeout,
			title: "the upstream did not answer within proxy_read_timeout",
			any:   [][]string{{"upstream timed out", "while reading response header from upstream"}},
			fix:   []string{"Find out what the upstream was busy with: its slow requests, its database, its number of workers.", "nginx: if such calls are meant to take so long, raise proxy_read_timeout (60s by default) for that location above the slowest, and the upstream's own limit (gunicorn --timeout) with it."},
		},
		{
			id: "nginx-idle-timeout", kind: fault.IdleTimeout, cause: fault.Overload, server: s, shows: symTimeout,
			title: "the upstream stopped in the middle of its answer for proxy_read_timeout",
			any:   [][]string{{"upstream timed out", "while reading upstream"}},
			fix:   []string{"nginx: raise proxy_read_timeout above the longest pause of a stream, or let the application send a heartbeat.", "For event streams set proxy_buffering off."},
		},
		{
			id: "nginx-send-timeout", kind: fault.SendTimeout, cause: fault.Overload, server: s, shows: symTimeout,
			title: "the upstream did not take the request within proxy_send_timeout",
			any:   [][]string{{"upstream timed out", "while sending request to upstream"}},
			fix:   []string{"Find out why the upstream does not read: all workers busy, or a limit on the body.", "nginx: raise proxy_send_timeout (60s by default) only for slow uploads."},
		},
		{
			id: "nginx-tls-timeout", kind: fault.TLSHandshakeTimeout, cause: fault.Overload, server: s, shows: symConnect,
			title: "the TLS handshake with the upstream did not end in time",
			any:   [][]string{{"upstream timed out", "SSL handshaking to upstream"}},
			fix:   []string{"Check that the port speaks TLS: openssl s_client -connect HOST:PORT.", "nginx: proxy_connect_timeout bounds the handshake."},
		},
		{
			id: "nginx-header-big", kind: fault.ResponseHeaderTooLarge, cause: fault.Configuration, server: s, shows: symOther,
			title: "the upstream's header does not fit in proxy_buffer_size",
			any:   either("upstream sent too big header"),
			fix:   []string{"nginx: proxy_buffer_size 16k; proxy_buffers 8 16k; proxy_busy_buffers_size 32k; (fastcgi_/uwsgi_ by their own names).", "Find what grows: a session cookie or a token in a header; curl -sD - -o /dev/null on the upstream shows it."},
		},
		{
			id: "nginx-bad-header", kind: fault.MalformedResponse, cause: fault.Software, server: s, shows: symOther,
			title: "the upstream's answer is not valid HTTP",
			any:   either("upstream sent invalid header", "upstream sent duplicate header line", "upstream sent invalid status", "upstream sent no valid HTTP", "upstream sent invalid \"Content-Length\"", "upstream sent unknown \"Transfer-Encoding\""),
			fix:   []string{"Correct the application's header: a line break in a value is the usual reason.", "Check that the upstream's port speaks HTTP, and not TLS or another protocol."},
		},
		{
			id: "nginx-framing", kind: fault.FramingConflict, cause: fault.Software, server: s, shows: symOther,
			title: "the upstream's answer says its length in two ways",
			any:   either("\"Content-Length\" and \"Transfer-Encoding\" headers at the same time"),
			fix:   []string{"Remove the code or middleware that sets Content-Length or Transfer-Encoding by hand."},
		},
		{
			id: "nginx-chunks", kind: fault.MalformedChunking, cause: fault.Software, server: s, shows: symClosed,
			title: "the upstream's chunked body is broken",
			any:   either("upstream sent invalid chunked response"),
			fix:   []string{"The application died while answering, or writes to the raw connection: its own log says which."},
		},
		{
			id: "nginx-closed", kind: fault.ClosedBeforeResponse, cause: fault.Software, server: s, shows: symClosed,
			title: "the upstream closed the connection without an answer",
			any:   [][]string{{"upstream prematurely closed connection", "while reading response header"}, {"upstream prematurely closed connection while sending request"}},
			fix:   []string{"Read the application's log at these times: a worker that was killed, timed out or crashed closes like this.", "If it comes only on kept-alive connections, let nginx let go first: keepalive_timeout in upstream {} below the server's own (gunicorn --keep-alive 2s, Node server.keepAliveTimeout 5s, uvicorn --timeout-keep-alive 5s)."},
		},
		{
			id: "nginx-cut", kind: fault.TruncatedBody, cause: fault.Software, server: s, shows: symClosed,
			title: "the upstream closed the connection in the middle of its answer",
			any:   either("upstream prematurely closed connection while reading upstream", "upstream prematurely closed stream"),
			fix:   []string{"Read the application's log at these times: it died, or its own limit ended the answer."},
		},
		{
			id: "nginx-reset", kind: fault.ResetBeforeResponse, cause: fault.Software, server: s, shows: symClosed,
			title: "the upstream reset the connection",
			any:   [][]string{{"recv() failed (104", "upstream"}, {"(32: Broken pipe)", "upstream"}, {"readv() failed (104", "upstream"}},
			fix:   []string{"Read the application's log at these times: it died, or closed with the request unread (a limit on the body does that).", "If it comes only on kept-alive connections, let nginx let go first: keepalive_timeout in upstream {} below the server's own."},
		},
		{
			id: "nginx-none", kind: fault.NoHealthyTarget, cause: fault.Software, server: s, shows: symNone,
			title: "nginx has marked every server of upstream {} as failed",
			any:   either("no live upstreams"),
			fix:   []string{"What made them fail comes before this: see the other causes.", "nginx: max_fails and fail_timeout (1 and 10s) are strict with one or two servers: max_fails=0 for a single one, or more of each."},
		},
		{
			id: "nginx-dns", kind: fault.DNSNotFound, cause: fault.Configuration, server: s, shows: symOther,
			title: "nginx could not resolve the upstream's name",
			any:   either("could not be resolved (3", "could not be resolved (2", "could not be resolved (110", "no resolver defined to resolve", "host not found in upstream"),
			fix:   []string{"nginx: resolver ADDRESS valid=10s; for names in variables, and correct the name in proxy_pass."},
		},
		{
			id: "nginx-unroutable", kind: fault.Unroutable, cause: fault.Network, server: s, shows: symConnect,
			title: "there is no route to the upstream",
			any:   [][]string{{"(113: No route to host)"}, {"(101: Network is unreachable)"}, {"(113: Host is unreachable)"}},
			fix:   []string{"Check the address, routing and the VPN: ip route get ADDRESS on nginx's host. An answer with ICMP prohibited is a firewall's."},
		},
		{
			id: "nginx-tls-verify", kind: fault.TLSCertificateInvalid, cause: fault.Configuration, server: s, shows: symOther,
			title: "nginx does not trust the upstream's certificate",
			any:   either("upstream SSL certificate verify error", "upstream SSL certificate does not match"),
			fix:   []string{"nginx: proxy_ssl_trusted_certificate with its authority, proxy_ssl_name with the name in the certificate, proxy_ssl_server_name on.", "Renew the certificate if it has expired."},
		},
		{
			id: "nginx-tls", kind: fault.TLSProtocolError, cause: fault.Configuration, server: s, shows: symOther,
			title: "the TLS handshake with the upstream failed",
			any:   [][]string{{"SSL_do_handshake() failed", "upstream"}, {"peer closed connection in SSL handshake", "upstream"}},
			fix:   []string{"\"wrong version number\": the port speaks plain HTTP; use http:// in proxy_pass.", "\"unrecognized name\" or \"handshake failure\": proxy_ssl_server_name on, proxy_ssl_protocols TLSv1.2 TLSv1.3."},
		},
		{
			id: "nginx-body-big", kind: fault.BodyTooLarge, cause: fault.Configuration, server: s, shows: symOther,
			title: "the request's body is larger than client_max_body_size",
			any:   either("client intended to send too large body", "client intended to send too large chunked body"),
			fix:   []string{"nginx: raise client_max_body_size (1m by default) in the location that takes uploads, and the application's own limit with it."},
		},
		{
			id: "nginx-client-gone", kind: fault.CallerGone, cause: fault.Caller, server: s, shows: symClient,
			title: "the caller left before the upstream had answered",
			any:   either("client prematurely closed connection", "client closed connection while waiting"),
			fix:   []string{"Callers that leave after always the same time have a timeout of their own: make the answer faster than it, or raise it there.", "nginx: proxy_ignore_client_abort on only where the work must be finished anyway."},
		},
		{
			id: "nginx-loop", kind: fault.LoopDetected, cause: fault.Configuration, server: s, shows: symOther,
			title: "nginx redirects to itself without end",
			any:   either("rewrite or internal redirection cycle"),
			fix:   []string{"nginx: correct try_files, error_page or rewrite: its last part must exist."},
		},
		{
			id: "nginx-worker-died", kind: fault.ClosedBeforeResponse, cause: fault.Software, server: s, level: atApp, explains: symClosed | symRefused | symClient, before: 5,
			title: "a worker of nginx itself was ended by a signal", process: "worker process ",
			any: [][]string{{"worker process ", "exited on signal"}},
			fix: []string{"Look at the kernel's log for the signal's reason (OOM killer, segfault in a module) and update nginx or the module."},
		},
		{
			id: "nginx-reload", kind: fault.ClosedBeforeResponse, cause: fault.Configuration, server: s, level: atChange, explains: symClosed | symRefused, before: 10, quiet: true,
			title: "nginx was reloaded or stopped",
			any:   [][]string{{"(SIGHUP) received from", "reconfiguring"}, {"(SIGTERM) received from"}, {"(SIGQUIT) received from"}},
			fix:   []string{"Reload (nginx -s reload) instead of restarting; worker_shutdown_timeout bounds how long old workers finish their calls."},
		},
	}
}
