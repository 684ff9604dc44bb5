package paste

import "causeway/internal/fault"

// causesOf are the causes of a kind, the likeliest first, with what tells one from the other and what to change.
// They hold whoever has said it: the settings of a server that is known come beside them.
func causesOf(k fault.Kind) []Likely {
	switch k {
	case fault.DNSNotFound, fault.DNSNoAddress:
		return []Likely{
			{"the name is misspelt, or belongs to another environment", "dig NAME at another resolver (dig @1.1.1.1 NAME) does not know it either", "Correct the host in the client's base URL, or in the proxy's upstream."},
			{"it is an internal name, and this machine asks a public resolver", "the name works inside the VPN, the cluster or the Docker network, and not here", "Ask the resolver that knows it: /etc/resolv.conf, dns: in compose, the VPN."},
			{"the record was removed, or is not there yet", "it worked before; dig +trace NAME ends at the zone's own servers with NXDOMAIN", "Restore the record; the negative answer is cached for the SOA's last number of seconds."},
		}
	case fault.DNSServerFailure, fault.DNSTimeout, fault.DNSRefused:
		return []Likely{
			{"the resolver is down, or cannot be reached", "dig any other name at the same resolver fails as well", "Name a second resolver in /etc/resolv.conf; in Kubernetes look at CoreDNS's pods."},
			{"the zone's own servers fail, or DNSSEC does not verify", "other names work; dig +cd NAME works where dig NAME says SERVFAIL", "The owner of the zone has to repair it: dnsviz shows the broken link."},
			{"too many lookups at once", "it comes under load, for names without a final dot and with ndots:5", "Write the name with a dot at the end, run a caching resolver (nscd, node-local-dns)."},
		}
	case fault.ConnectionRefused:
		return []Likely{
			{"the server is not running, or is just being restarted", "ss -ltnp on its host shows nobody on the port; its log ends at that time", "Start it, and let systemd or the orchestrator bring it back (Restart=always)."},
			{"the port or the address is wrong", "ss -ltnp shows it on another port", "Correct the port where the client or the proxy names it."},
			{"it listens on 127.0.0.1 and is called from outside: another container, another host", "ss -ltnp shows 127.0.0.1:PORT; from its own host it answers", "Let it listen on 0.0.0.0 (or [::]); from a container call the service's name, not localhost."},
			{"localhost is ::1 first, and it listens on IPv4 only", "curl -4 works and curl -6 does not", "Write 127.0.0.1."},
			{"a firewall rejects", "from the server's own host it works; iptables -L shows REJECT", "Allow the port there."},
		}
	case fault.ConnectTimeout:
		return []Likely{
			{"a firewall or security group drops the packets", "nc -vz HOST PORT hangs as well, from outside and not from the server's own host", "Allow the address of the one who connects on that port."},
			{"the address is wrong, or its host is down", "other ports of it do not answer either; ping is silent", "Correct the address, start the host."},
			{"its queue of new connections is full", "it was slow just before; ss -ltn on its host has Recv-Q at Send-Q", "More workers, a longer backlog (net.core.somaxconn and the server's own)."},
			{"the name has an IPv6 address that cannot be reached", "curl -4 is quick and curl -6 hangs", "Repair IPv6, or take the AAAA record away."},
		}
	case fault.Unroutable:
		return []Likely{
			{"no route: the VPN or the interface is down", "ip route get ADDRESS says unreachable", "Bring it up, or add the route."},
			{"only IPv6 has no route", "curl -4 works", "Call it over IPv4, or give the network IPv6."},
			{"nobody has the address in its network", "No route to host after about 3 s: ARP gets no answer", "The machine is off, or the address is wrong."},
		}
	case fault.ClosedBeforeResponse:
		return []Likely{
			{"the process died or was killed on this request", "its log or dmesg has a crash, an OOM kill or a worker timeout at that second; the same request fails again", "Repair what the traceback names; more memory; a longer worker timeout (gunicorn --timeout)."},
			{"an idle connection was used in the moment the server closed it", "it comes now and then, only on reused connections, after the same idle time; repeated at once it works", "Let the client let go first: its keep-alive below the server's (Node server.keepAliveTimeout 5 s, gunicorn --keep-alive 2 s, uvicorn --timeout-keep-alive 5 s)."},
			{"something between closes after a limit", "the time until it is always the same: 30, 60, 100, 350 s", "Raise that limit, or send something sooner."},
			{"plain HTTP was sent to a TLS port, or the other protocol's client to it", "it fails always, at once, for every request", "Correct the scheme."},
		}
	case fault.ResetBeforeResponse, fault.ConnectReset, fault.ResetMidBody:
		return []Likely{
			{"the process died, or closed with data of the request unread", "its log has a crash at that second; or the request has a large body, and a limit of the server's is below it", "Repair the crash; raise the limit on the body."},
			{"an idle connection was cut by a NAT, a firewall or a load balancer", "only on connections that were idle for long (350 s: AWS NLB and NAT; 240 s: Azure)", "TCP keep-alive below that time, or a shorter keep-alive of the client."},
			{"a firewall or an intrusion filter resets", "it comes within a few ms, always, and not from another network", "Ask for an exception; TLS hides the content from such filters."},
		}
	case fault.StaleConnection:
		return []Likely{{"the client kept a connection for longer than the server does", "it comes after an idle time, and works when it is repeated at once", "Keep-alive of the client below the server's, or retry idempotent calls once."}}
	case fault.FirstByteTimeout, fault.TotalTimeout, fault.UpstreamTimeout:
		return []Likely{
			{"this request takes longer than the limit allows", "the same request alone is slow as well, and other addresses answer at once", "Make it faster, stream it, or raise the limit: of the client and of each proxy on the way, the outermost the longest."},
			{"the server has no worker free", "all requests are slow, also the small ones; its CPU, its pool or its database is full", "More workers or replicas; find what holds them (py-spy dump, jstack, pg_stat_activity)."},
			{"the server waits for something itself: a database, another API, a lock", "its CPU is idle while requests wait", "A limit of its own on each call it makes, below the caller's."},
			{"a deadlock: nothing answers any more", "not even its health page answers, and it does not recover by itself", "A dump of its threads, then a restart."},
		}
	case fault.IdleTimeout:
		return []Likely{
			{"the answer is produced in bursts with pauses longer than the limit", "it stops at the same pause each time; a stream of a model that thinks", "Raise the idle limit (proxy_read_timeout, timeout server), or send a heartbeat."},
			{"the server hangs in the middle", "the bytes end at different places", "Its own log at that time."},
		}
	case fault.TruncatedBody, fault.TruncatedStream, fault.MalformedChunking:
		return []Likely{
			{"the server died, or gave up, in the middle of its answer", "its log has an exception or a worker timeout at that second; the length differs", "Repair what it names."},
			{"a proxy's limit on time or size cut it", "it is always cut after the same time or the same bytes", "Raise that limit (proxy_read_timeout, proxy_max_temp_file_size, a disk that is full)."},
			{"Content-Length says more than the body has", "it happens always, to the byte", "Let the framework set Content-Length."},
		}
	case fault.TLSCertificateExpired:
		return []Likely{
			{"the certificate was not renewed, or the server still serves the old one", "openssl s_client -connect HOST:443 -servername HOST </dev/null | openssl x509 -noout -dates", "Renew it (certbot renew), and reload the server."},
			{"the clock of this machine is wrong", "timedatectl says so; other sites fail too", "Turn NTP on."},
			{"an old authority in this machine's own list (a CA bundle from years ago)", "the leaf is valid and an issuer above it has expired", "Update ca-certificates, certifi."},
		}
	case fault.TLSCertificateNotYet:
		return []Likely{{"the clock of this machine is behind", "timedatectl", "Turn NTP on."}, {"the certificate begins later", "openssl x509 -noout -startdate", "Serve the old one until then."}}
	case fault.TLSUnknownAuthority, fault.TLSIntermediateMissing:
		return []Likely{
			{"the server does not send the intermediate certificate", "browsers work, curl and Python do not; openssl s_client -showcerts shows one certificate", "Serve fullchain.pem, not cert.pem (nginx ssl_certificate, Apache SSLCertificateFile)."},
			{"it is signed by a private authority, or by itself", "the issuer in openssl s_client is your own company's or the server's own name", "Trust that authority: REQUESTS_CA_BUNDLE, SSL_CERT_FILE, NODE_EXTRA_CA_CERTS, curl --cacert, upstream.tls.ca_file."},
			{"a company's proxy opens the connection", "the issuer is the proxy's, for every site", "Trust the proxy's authority in the same way."},
			{"this machine has no list of authorities", "every site fails, in a slim container", "Install ca-certificates."},
		}
	case fault.TLSNameMismatch:
		return []Likely{
			{"another name is called than the certificate is for", "openssl x509 -noout -ext subjectAltName lists the names; an IP address is none of them", "Call it by a name in the certificate, or add the name."},
			{"the server chose another site's certificate", "with -servername it is right, without it is not: SNI is missing or unknown there", "Send the right server name (proxy_ssl_server_name on; upstream.tls.server_name), or correct the server_name block."},
		}
	case fault.TLSToPlainPort:
		return []Likely{
			{"https is written for a port that speaks plain HTTP", "curl http://HOST:PORT answers", "Write http://, or call the TLS port."},
			{"a proxy's environment variable points at an http proxy with https://", "HTTPS_PROXY=https://...", "HTTPS_PROXY=http://HOST:PORT."},
		}
	case fault.PlainToTLSPort:
		return []Likely{{"http is written for a port that speaks TLS", "curl https://HOST:PORT answers", "Write https://."}}
	case fault.TLSVersionMismatch, fault.TLSAlert, fault.TLSProtocolError:
		return []Likely{
			{"one side has no TLS version or cipher in common with the other", "openssl s_client -tls1_2 and -tls1_3 tell which of them it takes", "Update the older side; TLS 1.2 and 1.3 on both."},
			{"the server does not know the name that is asked for", "it works with another -servername", "Correct the name (SNI)."},
			{"it asks for a client certificate", "openssl s_client shows Acceptable client certificate CA names", "Send one (curl --cert, upstream.tls.cert_file)."},
		}
	case fault.TLSHandshakeClosed, fault.TLSHandshakeReset, fault.TLSHandshakeTimeout:
		return []Likely{
			{"the port does not speak TLS, or a balancer has no server behind it", "openssl s_client -connect HOST:PORT ends at once without a certificate", "Correct the port; look at the balancer's health checks."},
			{"a firewall cuts by the server's name", "another name to the same address works", "Ask for an exception."},
			{"packets of full size are lost (MTU)", "small requests work, the handshake hangs; ping -M do -s 1472 fails", "Lower the MTU of the tunnel, or clamp the MSS."},
		}
	case fault.TLSClientCertificate, fault.TLSClientCertRejected:
		return []Likely{{"the server asks for a client certificate that it trusts", "openssl s_client lists the authorities that it accepts", "Send one of theirs, within its dates, with its key (curl --cert --key; upstream.tls.cert_file, key_file)."}}
	case fault.NoHealthyTarget, fault.BreakerOpen, fault.UpstreamUnavailable:
		return []Likely{
			{"every server behind it has failed its health checks", "the proxy's own page of states (HAProxy stats, Envoy /clusters, nginx error.log) tells why each", "Repair what the checks saw first."},
			{"the check is wrong, not the server", "the server answers when it is asked directly; the check's path answers 404, 401 or needs the database", "A check path that answers 200 by itself."},
			{"a deployment is under way, and no new server is ready", "it began with the deployment; readiness probes fail", "Take old ones away only when new ones are ready (maxUnavailable: 0)."},
			{"the server says itself that it is overloaded, or in maintenance", "it has a Retry-After, or a page of the application's", "Wait as long as it says; more capacity."},
		}
	case fault.UpstreamBadGateway:
		return []Likely{
			{"the server behind the proxy is down, or restarting", "the proxy's error log says Connection refused", "Start it."},
			{"it died or closed without an answer", "the proxy's error log says prematurely closed, reset by peer", "The application's log at that second."},
			{"it answered something that is not valid, or too large", "the proxy's error log says invalid header, too big header", "Correct the header; a larger buffer for it."},
			{"the proxy has the wrong address, port or scheme for it", "it has never worked", "Correct the proxy's upstream."},
		}
	case fault.UpstreamError:
		return []Likely{
			{"a bug in the application, on this request", "the same request fails again, others do not; its log has a traceback at that second", "Repair what the last frame of the traceback names."},
			{"something that it needs is missing: the database, a file, memory", "many different requests fail since one moment", "Its log names it."},
			{"a new version", "it began with a deployment", "Roll back."},
		}
	}
	return llmCauses(k)
}
