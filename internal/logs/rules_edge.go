package logs

import (
	"bytes"

	"causeway/internal/fault"
)

// envoyRules are Envoy's response flags, which flagged gives their ids
// (https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage), and its page's text.
func envoyRules() []rule {
	const s = "Envoy"
	return []rule{
		{
			id: "envoy-connect-timeout", kind: fault.ConnectTimeout, cause: fault.Network, server: s, shows: symConnect,
			title: "the upstream did not take Envoy's connection in time",
			any:   [][]string{{"reset reason: connection timeout"}},
			fix:   []string{"Check firewall and address; a full accept queue looks the same.", "Envoy: connect_timeout of the cluster."},
		},
		{
			id: "envoy-tls", kind: fault.TLSProtocolError, cause: fault.Configuration, server: s, shows: symOther,
			title: "the TLS handshake with the upstream failed",
			any:   [][]string{{"transport failure reason: TLS"}, {"TLS_error"}, {"TLS error:"}},
			fix:   []string{"Envoy: the cluster's transport_socket: sni, trusted_ca, and whether the port speaks TLS at all (WRONG_VERSION_NUMBER: it does not).", "Istio: PeerAuthentication STRICT against a side without sidecar looks like this."},
		},
		{
			id: "envoy-refused", kind: fault.ConnectionRefused, cause: fault.Software, server: s, shows: symRefused,
			title: "Envoy could not connect to the upstream (UF)",
			any:   [][]string{{"reset reason: connection failure"}, {"reset reason: remote connection failure"}, {"delayed connect error: 111"}, {"delayed_connect_error:_111"}},
			fix:   []string{"Start the upstream, or correct the endpoint's address and port; in Kubernetes: kubectl get endpoints, and the readiness probe.", "Envoy: retry_on: connect-failure is always safe."},
		},
		{
			id: "envoy-closed", kind: fault.ClosedBeforeResponse, cause: fault.Software, server: s, shows: symClosed,
			title: "the upstream closed the connection without an answer (UC)",
			any:   [][]string{{"reset reason: connection termination"}, {"disconnect/reset before headers"}},
			fix:   []string{"Envoy: idle_timeout of the cluster's common_http_protocol_options below the upstream's keep-alive (Node 5s, gunicorn 2s), and retry_on: reset-before-request.", "Else the application died: its log at these times."},
		},
		{
			id: "envoy-reset", kind: fault.ResetBeforeResponse, cause: fault.Software, server: s, shows: symClosed,
			title: "the upstream reset the call (UR)", fix: []string{"Read the application's log at these times."},
		},
		{
			id: "envoy-timeout", kind: fault.FirstByteTimeout, cause: fault.Overload, server: s, shows: symTimeout,
			title: "the upstream did not answer within the route's timeout (UT)",
			any:   either("upstream request timeout", "upstream_response_timeout", "upstream_per_try_timeout"),
			fix:   []string{"Envoy: timeout of the route (15s by default) and per_try_timeout; Istio: timeout of the VirtualService. First find out what the upstream was busy with."},
		},
		{
			id: "envoy-none", kind: fault.NoHealthyTarget, cause: fault.Software, server: s, shows: symNone,
			title: "the cluster has no healthy upstream (UH)",
			any:   either("no healthy upstream", "no_healthy_upstream"),
			fix:   []string{"/clusters on Envoy's admin port shows each endpoint's health flags; in Kubernetes: the readiness probe and kubectl get endpoints."},
		},
		{
			id: "envoy-overflow", kind: fault.BreakerOpen, cause: fault.Overload, server: s, shows: symNone,
			title: "a circuit breaker's limit of the cluster was reached (UO)",
			any:   either("reset reason: overflow"),
			fix:   []string{"Envoy: circuit_breakers.thresholds: max_connections, max_pending_requests, max_requests (1024 each); Istio: connectionPool of the DestinationRule."},
		},
		{
			id: "envoy-route", kind: fault.RouteNotFound, cause: fault.Configuration, server: s, shows: symOther,
			title: "Envoy has no route, or no cluster, for the call (NR, NC)",
			any:   either("route_not_found", "cluster_not_found"), fix: []string{"Envoy: virtual_hosts' domains and routes; Istio: the VirtualService's hosts and gateways."},
		},
		{
			id: "envoy-protocol", kind: fault.MalformedResponse, cause: fault.Software, server: s, shows: symOther,
			title: "the upstream's answer breaks HTTP (UPE)",
			any:   either("reset reason: protocol error"), fix: []string{"Envoy: http2_protocol_options on a cluster whose upstream speaks HTTP/1.1 looks like this; else correct the answer's header."},
		},
		{
			id: "envoy-client", kind: fault.CallerGone, cause: fault.Caller, server: s, shows: symClient,
			title: "the caller left before the upstream had answered (DC)",
			any:   either("downstream_remote_disconnect"), fix: []string{"Callers that leave after always the same time have a timeout of their own."},
		},
		{
			id: "envoy-rate", kind: fault.RateLimited, cause: fault.Overload, server: s, shows: symOther,
			title: "Envoy's rate limit refused the call (RL, RLSE)", fix: []string{"Envoy: the local_ratelimit filter's token_bucket, or the rate limit service."},
		},
		{
			id: "envoy-idle", kind: fault.IdleTimeout, cause: fault.Overload, server: s, shows: symTimeout,
			title: "the stream was idle for too long (SI), or lasted too long (DT, UMSDR)",
			any:   either("stream_idle_timeout", "stream timeout"), fix: []string{"Envoy: stream_idle_timeout (5m) of the connection manager, idle_timeout of the route, max_stream_duration."},
		},
		{
			id: "envoy-dns", kind: fault.DNSNotFound, cause: fault.Configuration, server: s, shows: symOther,
			title: "Envoy could not resolve the upstream's name (DF)",
			any:   either("dns_resolution_failure"), fix: []string{"Envoy: the cluster's address and dns_lookup_family: V4_ONLY."},
		},
		{
			id: "envoy-overload", kind: fault.Overloaded, cause: fault.Overload, server: s, shows: symOther,
			title: "Envoy's overload manager refused the call (OM)", fix: []string{"Envoy: overload_manager's max_heap_size; raise the container's memory."},
		},
	}
}

// flagged is the id of the rule for Envoy's response flags, of which the first that is known counts;
// details tell UF's reasons apart.
func flagged(flags, details []byte) string {
	if bytes.Contains(details, []byte("TLS_error")) || bytes.Contains(details, []byte("TLS error")) {
		return "envoy-tls"
	}
	for _, f := range bytes.Split(flags, []byte{','}) {
		switch string(f) {
		case "UF", "UpstreamConnectionFailure":
			if bytes.Contains(details, []byte("timeout")) {
				return "envoy-connect-timeout"
			}
			return "envoy-refused"
		case "UC", "UpstreamConnectionTermination":
			return "envoy-closed"
		case "UR", "LR":
			return "envoy-reset"
		case "UT":
			return "envoy-timeout"
		case "UH", "LH":
			return "envoy-none"
		case "UO":
			return "envoy-overflow"
		case "NR", "NC", "NFCF":
			return "envoy-route"
		case "UPE":
			return "envoy-protocol"
		case "DC", "DR":
			return "envoy-client"
		case "RL", "RLSE":
			return "envoy-rate"
		case "SI", "DT", "UMSDR":
			return "envoy-idle"
		case "DF":
			return "envoy-dns"
		case "OM", "DO", "UDO":
			return "envoy-overload"
		case "URX":
			continue // only says that retries are spent
		}
	}
	return ""
}

// cloudRules are what the fields of ALB, IIS, CloudFront and Google's balancers say.
func cloudRules() []rule {
	return []rule{
		{
			id: "alb-undispatched", kind: fault.ConnectionRefused, cause: fault.Software, server: "AWS ALB", shows: symRefused | symNone | symConnect,
			title: "the balancer could not hand the call to a target: none registered and healthy, or no connection within 10 s",
			fix:   []string{"Look at the target group's health and reasons; check the target's security group and port.", "A deregistration delay that ends while calls run looks like this in a deployment."},
		},
		{
			id: "alb-unanswered", kind: fault.ClosedBeforeResponse, cause: fault.Software, server: "AWS ALB", shows: symClosed,
			title: "the target closed the connection, or sent no valid answer",
			fix:   []string{"Give the target a longer keep-alive than the balancer's idle timeout (60 s): gunicorn --keep-alive 75, Node server.keepAliveTimeout = 65000, uvicorn --timeout-keep-alive 75, nginx keepalive_timeout 75s.", "Else the application died: its log at these times."},
		},
		{
			id: "alb-timeout", kind: fault.FirstByteTimeout, cause: fault.Overload, server: "AWS ALB", shows: symTimeout,
			title: "the target did not answer within the balancer's idle timeout",
			fix:   []string{"Raise idle_timeout.timeout_seconds (60) of the load balancer if such calls are meant to take so long; first find out what the target was busy with."},
		},
		{
			id: "alb-target", kind: fault.UpstreamError, cause: fault.Software, server: "AWS ALB", shows: symApp,
			title: "the target answered so itself", fix: []string{"The application's own log says why: give it to this command as well."},
		},
		{
			id: "alb-client", kind: fault.CallerGone, cause: fault.Caller, server: "AWS ALB", shows: symClient,
			title: "the caller left before the target had answered (460)", fix: []string{"The caller's timeout is shorter than the balancer's idle timeout: make the answer faster, or raise the caller's."},
		},
		{
			id: "iis-refused", kind: fault.ConnectionRefused, cause: fault.Software, server: "IIS", shows: symRefused,
			title: "IIS could not connect to the server behind it (502.3 12029, 502.5)",
			fix:   []string{"Start the application; ASP.NET Core: stdoutLogEnabled=\"true\" in web.config shows why it did not start."},
		},
		{
			id: "iis-timeout", kind: fault.FirstByteTimeout, cause: fault.Overload, server: "IIS", shows: symTimeout,
			title: "the server behind IIS did not answer in time (502.3 12002)",
			fix:   []string{"Application Request Routing: raise the proxy's time-out (30 s by default; requestTimeout of aspNetCore, 2 minutes)."},
		},
		{
			id: "iis-closed", kind: fault.ClosedBeforeResponse, cause: fault.Software, server: "IIS", shows: symClosed,
			title: "the server behind IIS closed the connection (502.3 12030, 12152)", fix: []string{"Read the application's log at these times."},
		},
		{
			id: "iis-pool", kind: fault.NoHealthyTarget, cause: fault.Software, server: "IIS", shows: symNone,
			title: "the application pool was stopped, or its queue is full (503)",
			fix:   []string{"Event viewer, System, source WAS: why the pool stopped (rapid-fail protection after 5 crashes in 5 minutes).", "queueLength of the pool (1000) bounds the queue."},
		},
		{
			id: "iis-app", kind: fault.UpstreamError, cause: fault.Software, server: "IIS", shows: symApp,
			title: "the application failed by itself", fix: []string{"Failed Request Tracing, or the application's own log."},
		},
		{
			id: "cloudfront-origin", kind: fault.UpstreamBadGateway, cause: fault.Software, server: "CloudFront", shows: symClosed | symRefused | symTimeout,
			title: "CloudFront got no valid answer from the origin",
			fix:   []string{"x-edge-detailed-result-type names it: OriginConnectError, OriginCommError, OriginDnsError, OriginReadTimeout (raise Response timeout, 30 s)."},
		},
		{
			id: "google-timeout", kind: fault.FirstByteTimeout, cause: fault.Overload, server: "Google load balancer", shows: symTimeout,
			title: "the backend did not answer in time", any: either("backend_timeout"), fix: []string{"Raise timeoutSec of the backend service (30 s by default)."},
		},
		{
			id: "google-closed", kind: fault.ClosedBeforeResponse, cause: fault.Software, server: "Google load balancer", shows: symClosed,
			title: "the backend closed the connection", any: either("backend_connection_closed_before_data_sent_to_client", "backend_connection_closed_after_partial_response_sent"),
			fix: []string{"Give the backend a keep-alive above the balancer's 600 s: nginx keepalive_timeout 620s, Node server.keepAliveTimeout = 620000."},
		},
		{
			id: "google-refused", kind: fault.ConnectionRefused, cause: fault.Software, server: "Google load balancer", shows: symRefused | symConnect,
			title: "the balancer could not connect to the backend", any: either("failed_to_connect_to_backend"), fix: []string{"Allow 130.211.0.0/22 and 35.191.0.0/16 in the firewall, and check the port of the instance group."},
		},
		{
			id: "google-none", kind: fault.NoHealthyTarget, cause: fault.Software, server: "Google load balancer", shows: symNone,
			title: "the balancer has no healthy backend", any: either("failed_to_pick_backend"), fix: []string{"Look at the backend service's health checks."},
		},
	}
}

// windows is the id of the rule for IIS's substatus and Win32 status.
func windows(status int, sub, win32 []byte) string {
	switch {
	case status == 502 && (string(win32) == "12002" || string(win32) == "258" || string(win32) == "121"):
		return "iis-timeout"
	case status == 502 && (string(win32) == "12029" || string(win32) == "10061" || string(win32) == "1225" || string(sub) == "5"):
		return "iis-refused"
	case status == 502:
		return "iis-closed"
	case status == 503:
		return "iis-pool"
	case status >= 500:
		return "iis-app"
	}
	return ""
}

// caddyRules are the errors of Go programs that proxy: Caddy, Traefik, Go's own reverse proxy.
func caddyRules() []rule {
	const s = "the Go proxy (Caddy, Traefik)"
	return []rule{
		{
			id: "go-refused", proxies: true, kind: fault.ConnectionRefused, cause: fault.Software, server: s, shows: symRefused,
			title: "the upstream refused the connection: nothing listened there",
			any:   [][]string{{"dial tcp", "connect: connection refused"}, {"dial unix", "connect: "}},
			fix:   []string{"Start the upstream, or correct its address.", "Caddy: lb_try_duration 5s in reverse_proxy bridges a restart."},
		},
		{
			id: "go-connect-timeout", proxies: true, kind: fault.ConnectTimeout, cause: fault.Network, server: s, shows: symConnect,
			title: "the upstream did not take the connection in time",
			any:   [][]string{{"dial tcp", "i/o timeout"}, {"dial tcp", "no route to host"}}, fix: []string{"Check firewall and address.", "Caddy: transport http { dial_timeout 2s }; Traefik: serversTransport.forwardingTimeouts.dialTimeout."},
		},
		{
			id: "go-dns", proxies: true, kind: fault.DNSNotFound, cause: fault.Configuration, server: s, shows: symOther,
			title: "the upstream's name could not be resolved", any: [][]string{{"dial tcp: lookup ", "no such host"}, {"dial tcp: lookup ", "server misbehaving"}}, fix: []string{"Correct the name, or the resolver."},
		},
		{
			id: "go-timeout", proxies: true, kind: fault.FirstByteTimeout, cause: fault.Overload, server: s, shows: symTimeout,
			title: "the upstream did not answer in time",
			any:   either("timeout awaiting response headers"), fix: []string{"Caddy: transport http { response_header_timeout }; Traefik: forwardingTimeouts.responseHeaderTimeout. First find out what the upstream was busy with."},
		},
		{
			id: "go-closed", proxies: true, kind: fault.ClosedBeforeResponse, cause: fault.Software, server: s, shows: symClosed,
			title: "the upstream closed or reset the connection without an answer",
			any:   [][]string{{"read tcp", "connection reset by peer"}, {"\"msg\":\"EOF\""}, {"error: EOF"}, {"server closed idle connection"}, {"transport connection broken"}, {"unexpected EOF"}, {"proxy error"}},
			fix:   []string{"Read the application's log at these times.", "If it comes only on kept-alive connections: Caddy: transport http { keepalive 4s } below the server's own; Traefik: forwardingTimeouts.idleConnTimeout."},
		},
		{
			id: "go-client", proxies: true, kind: fault.CallerGone, cause: fault.Caller, server: s, shows: symClient,
			title: "the caller left", any: either("context canceled"), fix: []string{"Callers that leave after always the same time have a timeout of their own."},
		},
		{
			id: "go-none", proxies: true, kind: fault.NoHealthyTarget, cause: fault.Software, server: s, shows: symNone,
			title: "no upstream was available", any: either("no upstreams available", "no available server"), fix: []string{"What made them fail comes before this; look at the health checks."},
		},
		{
			id: "go-tls", proxies: true, kind: fault.TLSProtocolError, cause: fault.Configuration, server: s, shows: symOther,
			title: "the TLS handshake with the upstream failed",
			any:   either("tls: failed to verify certificate", "x509: certificate", "server gave HTTP response to HTTPS client", "remote error: tls:"), fix: []string{"Trust its authority (Caddy: tls_trust_pool; Traefik: serversTransport.rootCAs), or use http:// for a plain port."},
		},
	}
}
