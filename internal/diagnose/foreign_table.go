package diagnose

import (
	"strconv"

	"causeway/internal/fault"
)

// vendors are the marks of proxies in a header field, and what its value contains ("" for any). The order
// matters: a field that only one vendor sends stands before Server, which every hop may rewrite.
var vendors = []struct{ field, contains, name string }{
	{"causeway-call-id", "", "another Causeway"},
	{"cf-ray", "", "Cloudflare"},
	{"x-amz-cf-id", "", "Amazon CloudFront"},
	{"server", "awselb/", "an AWS load balancer"},
	{"x-amzn-errortype", "", "Amazon API Gateway"},
	{"apigw-requestid", "", "Amazon API Gateway"},
	{"x-amz-apigw-id", "", "Amazon API Gateway"},
	{"x-azure-ref", "", "Azure Front Door"},
	{"server", "Microsoft-Azure-Application-Gateway", "Azure Application Gateway"},
	{"server", "AkamaiGHost", "Akamai"},
	{"server", "AkamaiNetStorage", "Akamai"},
	{"x-served-by", "cache-", "Fastly"},
	{"x-varnish", "", "Varnish"},
	{"via", "varnish", "Varnish"},
	{"via", "1.1 google", "a Google load balancer"},
	{"via", "heroku", "Heroku's router"},
	{"via", "vegur", "Heroku's router"},
	{"l5d-proxy-error", "", "Linkerd"},
	{"server", "istio-envoy", "Envoy (Istio)"},
	{"server", "envoy", "Envoy"},
	{"x-envoy-upstream-service-time", "", "Envoy"},
	{"x-kong-response-latency", "", "Kong"},
	{"x-kong-upstream-latency", "", "Kong"},
	{"server", "kong/", "Kong"},
	{"server", "Apache-APISIX", "Apache APISIX"},
	{"server", "openresty", "OpenResty (nginx)"},
	{"server", "tengine", "Tengine (nginx)"},
	{"server", "nginx", "nginx"},
	{"x-squid-error", "", "Squid"},
	{"via", "Caddy", "Caddy"},
	{"server", "Caddy", "Caddy"},
	{"server", "Apache", "Apache httpd"},
	{"server", "Varnish", "Varnish"},
	{"server", "Microsoft-IIS", "IIS"},
}

// generic is what 502, 503 and 504 mean when another proxy says them.
var generic = map[int]string{
	502: "it got no valid answer from the server behind it",
	503: "it has no server behind it that can take the call",
	504: "the server behind it did not answer in time",
}

// sayingRow is one sentence, or one field, of a vendor's error.
type sayingRow struct {
	vendor   string
	status   int    // 0 for any
	field    string // the header field that contains it, "" for the body
	contains string
	names    bool // it gives the vendor away by itself
	code     string
	says     string
	hop      Hop
	cause    fault.Cause
	key      string
	advice   string
}

// sayings are read in order; the first that fits its vendor counts. Their sources:
//
//	nginx       src/http/ngx_http_special_response.c and the directives' pages of nginx.org
//	Apache      modules/http/http_protocol.c (canned texts), modules/proxy/proxy_util.c (ap_proxyerror)
//	HAProxy     src/http.c (http_err_msgs)
//	Envoy       source/common/router/router.cc, source/common/stream_info/utility.cc
//	Kong        kong/error_handlers.lua, kong/runloop/balancer
//	Traefik     pkg/server/service/loadbalancer (no available server), pkg/proxy/httputil
//	Caddy       modules/caddyhttp/reverseproxy (Via is set on what it passes on, an error's body is empty)
//	AWS         docs.aws.amazon.com: load-balancer-troubleshooting, CloudFront's troubleshooting pages, API
//	            Gateway's supported gateway response types
//	Google      cloud.google.com/load-balancing/docs/https/https-logging-monitoring and its error pages
//	Azure       learn.microsoft.com: front-door troubleshoot-issues, application-gateway-troubleshooting-502
//	Varnish     bin/varnishd/builtin.vcl (Guru Meditation); Fastly: docs.fastly.com, common-503-errors
//	Akamai      techdocs.akamai.com, reference numbers of error pages
//	Squid       wiki.squid-cache.org, its error pages (src/err_type.h)
//	IIS         learn.microsoft.com: troubleshooting 502 errors in ARR
var sayings = []sayingRow{
	{vendor: "Envoy", contains: "reset reason: overflow", names: true, status: 503, says: "a limit of its own on connections or waiting requests is reached", hop: HopProxy, cause: fault.Overload, key: "circuit_breakers.thresholds (1024)"},
	{vendor: "Envoy", contains: "CERTIFICATE_VERIFY_FAILED", status: 503, says: "it does not trust the certificate of the server behind it", hop: HopBehind, cause: fault.Configuration},
	{vendor: "Envoy", contains: "transport failure reason: TLS", status: 503, says: "its TLS handshake with the server behind it failed", hop: HopBehind, cause: fault.Configuration},
	{vendor: "Envoy", contains: "connect error: 111", status: 503, says: "the server behind it refused the connection", hop: HopBehind, cause: fault.Software},
	{vendor: "Envoy", contains: "connect error: Connection refused", status: 503, says: "the server behind it refused the connection", hop: HopBehind, cause: fault.Software},
	{vendor: "Envoy", contains: "connect error: 113", status: 503, says: "the server behind it cannot be reached", hop: HopBehind, cause: fault.Network},
	{vendor: "Envoy", contains: "reset reason: connection timeout", names: true, says: "the server behind it did not accept a connection in time", hop: HopBehind, cause: fault.Network, key: "the cluster's connect_timeout (5 s)"},
	{vendor: "Envoy", contains: "reset reason: connection termination", names: true, says: "the server behind it ended the connection before an answer", hop: HopBehind, cause: fault.Software, advice: "If it happens now and then, a kept-alive connection went stale: set the cluster's idle_timeout below the keep-alive timeout of the server behind."},
	{vendor: "Envoy", contains: "reset reason: protocol error", names: true, says: "the server behind it answered with something that is not valid HTTP", hop: HopBehind, cause: fault.Software},
	{vendor: "Envoy", contains: "upstream connect error or disconnect/reset before headers", names: true, says: "it could not connect to the server behind it, or lost the connection before an answer", hop: HopBehind},
	{vendor: "Envoy", contains: "no healthy upstream", names: true, says: "none of the servers behind it is healthy", hop: HopBehind, advice: "Ask Envoy's admin port for /clusters: health_flags says why each server is out."},
	{vendor: "Envoy", contains: "upstream request timeout", names: true, status: 504, says: "the server behind it did not answer in time", hop: HopBehind, cause: fault.Overload, key: "the route's timeout (15 s)", advice: "Envoy's route timeout is 15 s unless set: raise RouteAction.timeout if such calls may take longer."},
	{vendor: "Envoy", field: "x-envoy-overloaded", status: 503, says: "its circuit breaker is at its limit of connections, pending requests or retries", hop: HopProxy, cause: fault.Overload, key: "circuit_breakers.thresholds (1024)"},
	{vendor: "Envoy", contains: "stream timeout", says: "nothing came on the stream in time", hop: HopBehind, cause: fault.Overload, key: "stream_idle_timeout (5 min)"},
	{vendor: "Envoy", contains: "local_rate_limited", names: true, status: 429, says: "its own rate limit turns the call away", hop: HopProxy, cause: fault.Overload},
	{vendor: "a Google load balancer", contains: "The server encountered a temporary error and could not complete your request", names: true, status: 502, says: "it could not get an answer from a backend", hop: HopBehind, key: "the backend service's timeout (30 s)"},

	{vendor: "HAProxy", contains: "No server is available to handle this request", names: true, status: 503, says: "none of the servers behind it is available", hop: HopBehind},
	{vendor: "HAProxy", contains: "The server returned an invalid or incomplete response", names: true, status: 502, says: "the server behind it answered with something that is not HTTP, or broke off", hop: HopBehind, cause: fault.Software},
	{vendor: "HAProxy", contains: "The server didn't respond in time", names: true, status: 504, says: "the server behind it did not answer in time", hop: HopBehind, cause: fault.Overload, key: "timeout server"},
	{vendor: "HAProxy", contains: "Your browser didn't send a complete request in time", names: true, status: 408, says: "our request did not come whole in time", hop: HopToProxy, key: "timeout http-request"},
	{vendor: "HAProxy", contains: "Request forbidden by administrative rules", names: true, status: 403, says: "one of its rules denies the call", hop: HopProxy, cause: fault.Configuration},

	{vendor: "Kong", contains: "no Route matched with those values", names: true, status: 404, says: "none of its routes matches", hop: HopProxy, cause: fault.Configuration},
	{vendor: "Kong", contains: "failure to get a peer from the ring-balancer", names: true, status: 503, says: "none of the targets of its upstream is healthy", hop: HopBehind},
	{vendor: "Kong", contains: "name resolution failed", names: true, status: 503, says: "it could not resolve the name of the server behind it", hop: HopBehind, cause: fault.Configuration},
	{vendor: "Kong", contains: "An invalid response was received from the upstream server", names: true, status: 502, says: "it got no valid answer from the server behind it", hop: HopBehind},
	{vendor: "Kong", contains: "The upstream server is timing out", names: true, status: 504, says: "the server behind it did not answer in time", hop: HopBehind, cause: fault.Overload, key: "the service's read_timeout (60 s)"},
	{vendor: "Kong", contains: "The upstream server is currently unavailable", names: true, status: 503, says: "the server behind it is not available", hop: HopBehind},
	{vendor: "Kong", contains: "API rate limit exceeded", names: true, status: 429, says: "its rate-limiting plugin turns the call away", hop: HopProxy, cause: fault.Overload},
	{vendor: "Traefik", contains: "no available server", names: true, status: 503, says: "none of the servers behind it is healthy", hop: HopBehind},

	{vendor: "nginx", contains: "413 Request Entity Too Large", status: 413, says: "the request's body is larger than it takes", hop: HopToProxy, cause: fault.Configuration, key: "client_max_body_size (1m)", advice: "Raise client_max_body_size in nginx's http, server or location block: it is 1 MiB unless set."},
	{vendor: "nginx", contains: "Request Header Or Cookie Too Large", status: 400, says: "the request's header is larger than it takes", hop: HopToProxy, cause: fault.Configuration, key: "large_client_header_buffers (4 8k)"},
	{vendor: "nginx", contains: "414 Request-URI Too Large", status: 414, says: "the request's address is longer than it takes", hop: HopToProxy, cause: fault.Configuration, key: "large_client_header_buffers (4 8k)"},
	{vendor: "nginx", contains: "<center>nginx", names: true, status: 504, says: "the server behind it did not answer in time", hop: HopBehind, key: "proxy_read_timeout (60 s)"},
	{vendor: "OpenResty (nginx)", contains: "<center>openresty", names: true, status: 504, says: "the server behind it did not answer in time", hop: HopBehind, key: "proxy_read_timeout (60 s)"},
	{vendor: "nginx", contains: "<center>nginx", names: true, status: 502, says: "it got no valid answer from the server behind it", hop: HopBehind},
	{vendor: "OpenResty (nginx)", contains: "<center>openresty", names: true, status: 502, says: "it got no valid answer from the server behind it", hop: HopBehind},
	{vendor: "nginx", contains: "<center>nginx", names: true, status: 503, says: "it turns the call away: a limit of its own (limit_req, limit_conn), or no server behind it", hop: HopUnknown},
	{vendor: "nginx", contains: "<center>nginx", names: true, status: 429, says: "a limit of its own turns the call away (limit_req, limit_conn)", hop: HopProxy, cause: fault.Overload},
	{vendor: "OpenResty (nginx)", contains: "<center>openresty", names: true, status: 429, says: "a limit of its own turns the call away (limit_req, limit_conn)", hop: HopProxy, cause: fault.Overload},
	{vendor: "nginx", contains: "<center>nginx", names: true, status: 500, says: "it failed itself: a loop of rewrites, a file that it may not read, or no descriptors left", hop: HopProxy, cause: fault.Configuration, advice: "nginx's error log names it: \"rewrite or internal redirection cycle\", \"Permission denied\", \"Too many open files\"."},
	{vendor: "OpenResty (nginx)", contains: "<center>openresty", names: true, status: 500, says: "it failed itself: an error in its Lua, a loop of rewrites, or a file that it may not read", hop: HopProxy, cause: fault.Configuration, advice: "OpenResty's error log names it, a Lua error with its traceback."},
	{vendor: "Tengine (nginx)", contains: "<center>tengine", names: true, status: 504, says: "the server behind it did not answer in time", hop: HopBehind, key: "proxy_read_timeout (60 s)"},
	{vendor: "Tengine (nginx)", contains: "<center>tengine", names: true, status: 502, says: "it got no valid answer from the server behind it", hop: HopBehind},
	{vendor: "Tengine (nginx)", contains: "<center>tengine", names: true},
	{vendor: "OpenResty (nginx)", contains: "<center>openresty", names: true},
	{vendor: "nginx", contains: "<center>nginx", names: true},

	{vendor: "Apache httpd", contains: "Error reading from remote server", names: true, status: 502, says: "the server behind it closed the connection without a whole answer", hop: HopBehind, key: "ProxyPass ... ttl, and KeepAliveTimeout of the server behind", advice: "If it happens now and then, a kept-alive connection went stale: set ttl= on ProxyPass below the keep-alive timeout of the server behind."},
	{vendor: "Apache httpd", contains: "DNS lookup failure for", names: true, status: 502, says: "it could not resolve the name of the server behind it", hop: HopBehind, cause: fault.Configuration},
	{vendor: "Apache httpd", contains: "The proxy server received an invalid", names: true, status: 502, says: "it got no valid answer from the server behind it", hop: HopBehind},
	{vendor: "Apache httpd", contains: "The gateway did not receive a timely response", names: true, status: 504, says: "the server behind it did not answer in time", hop: HopBehind, cause: fault.Overload, key: "ProxyTimeout (the Timeout of the server, 60 s)"},
	{vendor: "Apache httpd", contains: "The server encountered an internal error or", status: 500, says: "it failed itself, or a script or module that it runs (CGI, mod_wsgi, .htaccess)", hop: HopProxy, advice: "Apache's error log names it: a directive in .htaccess that it does not know, \"End of script output before headers\", or the traceback of mod_wsgi."},
	{vendor: "Apache httpd", contains: "The server is temporarily unable to service your", status: 503, says: "it could not connect to the server behind it, or leaves it alone after an error", hop: HopBehind, key: "ProxyPass ... retry (60 s)", advice: "After one failure mod_proxy leaves a worker alone for retry=60 seconds: retry=0 on ProxyPass asks it again at once."},

	{vendor: "Amazon CloudFront", contains: "CloudFront wasn't able to resolve the origin domain name", says: "it could not resolve the name of the origin", hop: HopBehind, cause: fault.Configuration},
	{vendor: "Amazon CloudFront", contains: "CloudFront attempted to establish a connection with the origin, but either the attempt failed or the origin closed the connection", says: "it could not connect to the origin, or the origin closed the connection", hop: HopBehind},
	{vendor: "Amazon CloudFront", contains: "CloudFront wasn't able to connect to the origin", says: "it could not connect to the origin", hop: HopBehind, advice: "Check the origin's certificate and TLS versions against the distribution's origin protocol policy, and that the origin's security group admits CloudFront's addresses."},
	{vendor: "Amazon CloudFront", contains: "We can't connect to the server for this app or website at this time", status: 504, says: "the origin did not answer in time", hop: HopBehind, key: "the origin's response timeout (30 s)"},
	{vendor: "Amazon CloudFront", contains: "We can't connect to the server for this app or website at this time", says: "it could not get an answer from the origin", hop: HopBehind},
	{vendor: "Amazon CloudFront", contains: "Generated by cloudfront", names: true, status: 403, says: "it denies the call: a rule, a signed URL, or the method", hop: HopProxy, cause: fault.Configuration},
	{vendor: "Amazon CloudFront", contains: "Generated by cloudfront", names: true},
	{vendor: "Amazon API Gateway", contains: "Endpoint request timed out", names: true, status: 504, says: "the integration did not answer in time", hop: HopBehind, cause: fault.Overload, key: "the integration's timeout (29 s)"},
	{vendor: "Amazon API Gateway", field: "x-amzn-errortype", contains: "InternalServerErrorException", status: 502, says: "the integration answered in a form that it cannot use", hop: HopBehind, cause: fault.Software, advice: "A Lambda behind it must return {\"statusCode\", \"headers\", \"body\"} with a string as body; execution logs show \"Malformed Lambda proxy response\"."},
	{vendor: "Amazon API Gateway", field: "x-amzn-errortype", contains: "MissingAuthenticationTokenException", says: "no route of its stages has this path and method", hop: HopProxy, cause: fault.Configuration},
	{vendor: "Amazon API Gateway", field: "x-amzn-errortype", contains: "LimitExceededException", status: 429, says: "the quota of its usage plan is spent", hop: HopProxy, cause: fault.Overload},
	{vendor: "Amazon API Gateway", field: "x-amzn-errortype", contains: "TooManyRequestsException", status: 429, says: "its throttling turns the call away", hop: HopProxy, cause: fault.Overload},
	{vendor: "Amazon API Gateway", field: "x-amzn-errortype", contains: "ForbiddenException", says: "it denies the call: the API key, an authorizer, or a firewall rule", hop: HopProxy, cause: fault.Configuration},
	{vendor: "an AWS load balancer", status: 504, field: "server", contains: "awselb/", says: "the server behind it did not answer in time", hop: HopBehind, key: "idle_timeout.timeout_seconds (60 s), and 10 s to connect"},
	{vendor: "an AWS load balancer", status: 503, field: "server", contains: "awselb/", says: "its target group has no registered target", hop: HopProxy, cause: fault.Configuration},
	{vendor: "an AWS load balancer", status: 502, field: "server", contains: "awselb/", says: "it got no valid answer from the server behind it", hop: HopBehind, advice: "Set the keep-alive timeout of the targets above the load balancer's idle timeout (60 s): a connection closed first by the target is its commonest 502."},
	{vendor: "an AWS load balancer", status: 460, field: "server", contains: "awselb/", says: "whoever called it left before its idle timeout", hop: HopToProxy, cause: fault.Caller},

	{vendor: "Azure Front Door", field: "x-azure-externalerror", contains: "OriginTimeout", code: "OriginTimeout", says: "the origin did not answer in time", hop: HopBehind, key: "the profile's origin response timeout (30 s)"},
	{vendor: "Azure Front Door", contains: "OriginTimeout", code: "OriginTimeout", says: "the origin did not answer in time", hop: HopBehind, key: "the profile's origin response timeout (30 s)"},
	{vendor: "Azure Front Door", field: "x-azure-externalerror", contains: "OriginConnectionAborted", code: "OriginConnectionAborted", says: "the origin broke the connection off", hop: HopBehind},
	{vendor: "Azure Front Door", field: "x-azure-externalerror", contains: "OriginCertificate", code: "OriginCertificate", says: "the origin's certificate is not accepted", hop: HopBehind, cause: fault.Configuration},
	{vendor: "Azure Front Door", contains: "Our services aren't available right now", names: true, says: "it could not get an answer from the origin", hop: HopBehind},
	{vendor: "Azure Application Gateway", contains: "Microsoft-Azure-Application-Gateway", names: true, status: 502, says: "none of its backend pool is healthy, or the backend gave no valid answer", hop: HopBehind, key: "the backend setting's request timeout (20 s)"},
	{vendor: "Azure Application Gateway", contains: "Microsoft-Azure-Application-Gateway", names: true, status: 504, says: "the server behind it did not answer in time", hop: HopBehind, key: "the backend setting's request timeout (20 s)"},

	{vendor: "Fastly", contains: "Fastly error: unknown domain", names: true, says: "no service of its has this host name", hop: HopProxy, cause: fault.Configuration},
	{vendor: "Fastly", contains: "first byte timeout", status: 503, says: "the origin sent no byte in time", hop: HopBehind, cause: fault.Overload, key: "first_byte_timeout (15 s)"},
	{vendor: "Fastly", contains: "between bytes timeout", status: 503, says: "the origin stopped in the middle of its answer", hop: HopBehind, cause: fault.Overload, key: "between_bytes_timeout (10 s)"},
	{vendor: "Fastly", contains: "connection timed out", status: 503, says: "the origin did not accept the connection in time", hop: HopBehind, cause: fault.Network, key: "connect_timeout (1 s)"},
	{vendor: "Fastly", contains: "no healthy backends", status: 503, says: "none of its origins is healthy", hop: HopBehind},
	{vendor: "Fastly", contains: "connection refused", status: 503, says: "the origin refused the connection", hop: HopBehind, cause: fault.Software},
	{vendor: "Varnish", contains: "Backend fetch failed", names: true, status: 503, says: "it could not get an answer from its backend", hop: HopBehind, key: "first_byte_timeout (60 s), connect_timeout (3.5 s)"},
	{vendor: "Varnish", contains: "Guru Meditation", names: true, says: "it could not get an answer from its backend", hop: HopBehind},
	{vendor: "Akamai", contains: "Access Denied", status: 403, says: "one of its rules denies the call", hop: HopProxy, cause: fault.Configuration},
	{vendor: "Akamai", contains: "An error occurred while processing your request", names: true, says: "it could not get an answer from the origin", hop: HopBehind},
	{vendor: "Cloudflare", contains: "<center>cloudflare", names: true, status: 504, says: "the origin, or Cloudflare's way to it, did not answer in time", hop: HopBehind},
	{vendor: "Cloudflare", contains: "<center>cloudflare", names: true, status: 502, says: "it got no valid answer from the origin", hop: HopBehind},
	{vendor: "Heroku's router", contains: "herokucdn.com/error-pages/application-error.html", names: true, says: "the application crashed or did not answer in time", hop: HopBehind},
	{vendor: "Heroku's router", contains: "herokucdn.com/error-pages/no-such-app.html", names: true, says: "there is no application of this name", hop: HopProxy, cause: fault.Configuration},
	{vendor: "Heroku's router", contains: "herokucdn.com/error-pages/maintenance-mode.html", names: true, says: "the application is in maintenance mode", hop: HopProxy, cause: fault.Configuration},
	{vendor: "Squid", field: "x-squid-error", contains: "ERR_CONNECT_FAIL", names: true, says: "it could not connect to the server behind it", hop: HopBehind},
	{vendor: "Squid", field: "x-squid-error", contains: "ERR_DNS_FAIL", names: true, says: "it could not resolve the name of the server behind it", hop: HopBehind, cause: fault.Configuration},
	{vendor: "Squid", field: "x-squid-error", contains: "ERR_READ_TIMEOUT", names: true, says: "the server behind it did not answer in time", hop: HopBehind, cause: fault.Overload, key: "read_timeout (15 min)"},
	{vendor: "Squid", field: "x-squid-error", contains: "ERR_ZERO_SIZE_OBJECT", names: true, says: "the server behind it closed the connection without an answer", hop: HopBehind, cause: fault.Software},
	{vendor: "Squid", field: "x-squid-error", contains: "ERR_ACCESS_DENIED", names: true, says: "one of its rules denies the call", hop: HopProxy, cause: fault.Configuration},
	{vendor: "Linkerd", field: "l5d-proxy-error", contains: "refused", hop: HopBehind, cause: fault.Software},
	{vendor: "Linkerd", field: "l5d-proxy-error", contains: "fail-fast", hop: HopBehind, cause: fault.Overload, advice: "Fail-fast means that no endpoint was available for a while: see linkerd viz stat on the workload behind it, and its readiness."},
	{vendor: "Linkerd", field: "l5d-proxy-error", contains: "timed out", hop: HopBehind},
	{vendor: "IIS", contains: "502.3", status: 502, says: "Application Request Routing got no valid answer from the server behind it", hop: HopBehind, key: "proxy.timeout (120 s)"},
	{vendor: "IIS", contains: "Web server received an invalid response while acting as a gateway or proxy server", names: true, status: 502, says: "Application Request Routing got no valid answer from the server behind it", hop: HopBehind, key: "proxy.timeout (120 s)"},
	{vendor: "IIS", contains: "500.30", status: 500, says: "the ASP.NET Core application failed to start", hop: HopBehind, cause: fault.Software},
	{vendor: "IIS", contains: "502.5", status: 502, says: "the ASP.NET Core process failed to start", hop: HopBehind, cause: fault.Software},
}

// codeRow is a code that a vendor has documented.
type codeRow struct {
	vendor string
	code   string
	status int      // that is the code by itself, 0 for none
	forms  []string // how the body names it
	says   string
	hop    Hop
	cause  fault.Cause
	key    string
	advice string
}

// codes are Cloudflare's (developers.cloudflare.com/support/troubleshooting/http-status-codes) and Heroku's
// (devcenter.heroku.com/articles/error-codes).
var codes = []codeRow{
	cf1xxx("1000", "the name leads to an address of Cloudflare's own: a loop", HopProxy, fault.Configuration),
	cf1xxx("1001", "it cannot resolve the name", HopProxy, fault.Configuration),
	cf1xxx("1003", "it was called by its address and not by a name", HopToProxy, fault.Configuration),
	cf1xxx("1006", "its rules ban the caller's address", HopProxy, fault.Configuration),
	cf1xxx("1009", "its rules ban the caller's country", HopProxy, fault.Configuration),
	cf1xxx("1010", "its rules ban the caller's client signature", HopProxy, fault.Configuration),
	cf1xxx("1012", "its rules deny the call", HopProxy, fault.Configuration),
	cf1xxx("1015", "its rate limit turns the call away", HopProxy, fault.Overload),
	cf1xxx("1016", "it cannot resolve the origin's name", HopBehind, fault.Configuration),
	cf1xxx("1018", "it does not know this host", HopProxy, fault.Configuration),
	cf1xxx("1020", "a firewall rule denies the call", HopProxy, fault.Configuration),
	cf1xxx("1033", "the tunnel to the origin is down", HopBehind, fault.Network),
	cf1xxx("1101", "its Worker threw an exception", HopBehind, fault.Software),
	cf1xxx("1102", "its Worker used more CPU time than it may", HopBehind, fault.Software),
	cf52x("520", 520, "its origin answered with something empty, unknown or broken", fault.Software, "", "Look for a crash at the origin at that time, and for response headers beyond 128 KiB."),
	cf52x("521", 521, "its origin refused the connection", fault.Software, "", "Check that the origin's web server runs and admits Cloudflare's addresses (cloudflare.com/ips)."),
	cf52x("522", 522, "its connection to the origin timed out", fault.Network, "19 s for the connection, 90 s for an acknowledgement", "Check that the origin's firewall does not drop Cloudflare's addresses (cloudflare.com/ips), and the origin's load."),
	cf52x("523", 523, "its origin cannot be reached", fault.Network, "", "Check the origin's address in Cloudflare's DNS settings."),
	cf52x("524", 524, "its origin accepted the connection and did not answer in time", fault.Overload, "Proxy Read Timeout (100 s, 120 s on newer plans)", "Have calls that take longer answer at once and be polled, or stream; only an Enterprise plan can raise the limit."),
	cf52x("525", 525, "the TLS handshake with its origin failed", fault.Configuration, "", "Check that the origin has a certificate for this name, and shares a cipher and TLS version."),
	cf52x("526", 526, "the certificate of its origin is not valid", fault.Configuration, "", "Renew the origin's certificate, or use an Origin CA certificate with Full (strict)."),
	cf52x("527", 527, "the connection to the origin's Railgun failed", fault.Network, "", ""),
	cf52x("530", 530, "it could not resolve or reach its origin", fault.Configuration, "", "The page's own code of 1xxx says more."),
	heroku("H10", "the application crashed", fault.Software, "", "heroku logs --tail shows why the dyno ended."),
	heroku("H11", "too many calls wait for the application", fault.Overload, "", "Add dynos, or make the calls faster."),
	heroku("H12", "the application did not answer in time", fault.Overload, "30 s, which cannot be changed", "Do work that takes longer in a worker dyno; the first byte must come within 30 s."),
	heroku("H13", "the application closed the connection without an answer", fault.Software, "", "Look for a crash or a worker's timeout in the application's log."),
	heroku("H14", "no web dyno runs", fault.Configuration, "", "heroku ps:scale web=1 starts one."),
	heroku("H15", "the connection was silent for too long", fault.Overload, "55 s", ""),
	heroku("H18", "the application broke the connection in the middle of the request", fault.Software, "", ""),
	heroku("H19", "the connection to the application timed out", fault.Overload, "5 s to connect", ""),
	heroku("H20", "the application did not boot in time", fault.Software, "75 s", ""),
	heroku("H21", "the application refused the connection", fault.Software, "", ""),
	heroku("H27", "the caller left before the answer", fault.Caller, "", ""),
	heroku("H80", "the application is in maintenance mode", fault.Configuration, "", "heroku maintenance:off ends it."),
	heroku("H99", "Heroku's platform failed", fault.Network, "", "See status.heroku.com."),
}

func cf1xxx(code, says string, hop Hop, cause fault.Cause) codeRow {
	return codeRow{vendor: "Cloudflare", code: code, forms: []string{"error code: " + code, "Error " + code, "Error</span> <span class=\"cf-error-code\">" + code, "\"error_code\":" + code}, says: says, hop: hop, cause: cause}
}

func cf52x(code string, status int, says string, cause fault.Cause, key, advice string) codeRow {
	return codeRow{vendor: "Cloudflare", code: code, status: status, forms: []string{"error code: " + code}, says: says, hop: HopBehind, cause: cause, key: key, advice: advice}
}

func heroku(code, says string, cause fault.Cause, key, advice string) codeRow {
	return codeRow{vendor: "Heroku's router", code: code, forms: []string{"code=" + code, "\"code\":\"" + code}, says: says, hop: HopBehind, cause: cause, key: key, advice: advice}
}

// lookers are where each vendor keeps what it knows; {status} is the answer's.
var lookers = []struct{ vendor, id, where string }{
	{"another Causeway", "causeway-call-id", "The {status} came from another Causeway behind us: ask it with causeway explain ID."},
	{"Cloudflare", "cf-ray", "The {status} came from Cloudflare, not from the origin: look at the origin's log for this time, and search the Ray ID in Cloudflare's dashboard (Security events, or Instant Logs)."},
	{"Amazon CloudFront", "x-amz-cf-id", "The {status} came from CloudFront: x-edge-detailed-result-type in its access log says why."},
	{"an AWS load balancer", "x-amzn-trace-id", "The {status} came from an AWS load balancer: in its access log elb_status_code beside target_status_code (\"-\" when the target gave none) and the three processing times say at which step."},
	{"Amazon API Gateway", "apigw-requestid", "The {status} came from Amazon API Gateway: its execution log in CloudWatch says why (log $context.integration.error)."},
	{"Azure Front Door", "x-azure-ref", "The {status} came from Azure Front Door: its access log has the reason in errorInfo."},
	{"Azure Application Gateway", "", "The {status} came from Azure Application Gateway: see its Backend health page, and serverStatus and error_info in its access log."},
	{"Akamai", "", "The {status} came from Akamai: translate the page's Reference number in Akamai Control Center (Diagnostics, or edgerc tools)."},
	{"Fastly", "x-served-by", "The {status} came from Fastly: its real-time log (fastly.error, beresp) says why."},
	{"Varnish", "x-varnish", "The {status} came from Varnish: varnishlog -q 'RespStatus >= 500' -g request shows the FetchError of this call."},
	{"a Google load balancer", "", "The {status} came from a Google load balancer: statusDetails in its Cloud Logging entry names the reason (failed_to_connect_to_backend, backend_timeout, ...)."},
	{"Heroku's router", "x-request-id", "The {status} came from Heroku's router: its log line (heroku logs --source heroku --dyno router) has the H-code."},
	{"Linkerd", "", "The {status} came from a Linkerd proxy: linkerd viz tap, and the log of the linkerd-proxy container of the workload behind it."},
	{"Kong", "x-kong-request-id", "The {status} came from Kong behind us: look in its error log for this time."},
	{"Apache APISIX", "", "The {status} came from Apache APISIX behind us: look in its error.log for this time."},
	{"Envoy", "x-request-id", "The {status} came from Envoy behind us: response_flags (UF, UH, UT, UC, URX ...) and response_code_details in its access log say why."},
	{"nginx", "", "The {status} came from nginx behind us: look in its error log for this time, for \"while connecting to upstream\", \"upstream timed out\" or \"upstream prematurely closed connection\"."},
	{"Squid", "", "The {status} came from Squid behind us: its access.log and cache.log have the error that its header X-Squid-Error names."},
	{"Caddy", "", "The {status} came from Caddy behind us: look in its log for http.log.error at this time."},
	{"Traefik", "", "The {status} came from Traefik behind us: its access log has OriginStatus beside DownstreamStatus; run it with log.level=DEBUG to see the dial error."},
	{"HAProxy", "", "The {status} came from HAProxy behind us: the termination state in its log (SC, sH, SH, sC ...) says who ended it, and when."},
	{"Apache httpd", "", "The {status} came from Apache httpd behind us: look in its error log for AH01114 (no connection), AH01102 (no status line) or AH00898 at this time."},
	{"IIS", "", "The {status} came from IIS behind us: sc-substatus and sc-win32-status in its log, and Failed Request Tracing, say why."},
}

func statusWord(status int) string {
	if status == 0 {
		return "answer"
	}
	return strconv.Itoa(status)
}
