package paste

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"causeway/internal/fault"
	"causeway/internal/logs"
)

// page is an error page of a proxy, a platform or a framework, known by its words. All texts of marks must be in
// it.
type page struct {
	who     string
	marks   []string
	kind    fault.Kind // "" where the status of the page decides
	meaning string     // beside what the kind means
	advice  []string
}

// pagesKnown come in the order in which they are asked: a page that says why before one that only names its maker.
var pagesKnown = []page{
	// Envoy's texts: source/common/http/conn_manager_impl.cc and source/common/router/router.cc.
	{who: "Envoy", marks: []string{"upstream connect error or disconnect/reset before headers", "delayed connect error: 111"}, kind: fault.ConnectionRefused},
	{who: "Envoy", marks: []string{"upstream connect error or disconnect/reset before headers", "delayed connect error: 113"}, kind: fault.Unroutable},
	{who: "Envoy", marks: []string{"upstream connect error or disconnect/reset before headers", "TLS error"}, kind: fault.TLSProtocolError},
	{who: "Envoy", marks: []string{"upstream connect error or disconnect/reset before headers", "TLS_error"}, kind: fault.TLSProtocolError},
	{who: "Envoy", marks: []string{"upstream connect error or disconnect/reset before headers", "connection timeout"}, kind: fault.ConnectTimeout},
	{who: "Envoy", marks: []string{"upstream connect error or disconnect/reset before headers", "connection failure"}, kind: fault.ConnectionRefused},
	{who: "Envoy", marks: []string{"upstream connect error or disconnect/reset before headers", "connection termination"}, kind: fault.ClosedBeforeResponse},
	{who: "Envoy", marks: []string{"upstream connect error or disconnect/reset before headers", "remote reset"}, kind: fault.ResetBeforeResponse},
	{who: "Envoy", marks: []string{"upstream connect error or disconnect/reset before headers", "overflow"}, kind: fault.BreakerOpen},
	{who: "Envoy", marks: []string{"upstream connect error or disconnect/reset before headers", "protocol error"}, kind: fault.MalformedResponse},
	{who: "Envoy", marks: []string{"upstream connect error or disconnect/reset before headers"}, kind: fault.UpstreamBadGateway},
	{who: "Envoy", marks: []string{"no healthy upstream"}, kind: fault.NoHealthyTarget},
	{who: "Envoy", marks: []string{"upstream request timeout"}, kind: fault.FirstByteTimeout},
	{who: "Envoy", marks: []string{"RBAC: access denied"}, kind: fault.AddressNotAllowed, advice: []string{"Istio: an AuthorizationPolicy refuses this caller; its workload's log has rbac_access_denied_matched_policy."}},
	// HAProxy's: src/http.c (http_err_msgs).
	{who: "HAProxy", marks: []string{"No server is available to handle this request"}, kind: fault.NoHealthyTarget},
	{who: "HAProxy", marks: []string{"The server didn't respond in time"}, kind: fault.FirstByteTimeout},
	{who: "HAProxy", marks: []string{"The server returned an invalid or incomplete response"}, kind: fault.ClosedBeforeResponse},
	{who: "HAProxy", marks: []string{"Your browser sent an invalid request"}, kind: fault.MalformedRequest},
	{who: "HAProxy", marks: []string{"Your browser didn't send a complete request in time"}, kind: fault.RequestHeaderTimeout},
	{who: "HAProxy", marks: []string{"Request forbidden by administrative rules"}, kind: fault.AddressNotAllowed},
	// Apache's: modules/http/http_protocol.c (get_canned_error_string), modules/proxy/proxy_util.c.
	{who: "Apache", marks: []string{"Error reading from remote server"}, kind: fault.ClosedBeforeResponse},
	{who: "Apache", marks: []string{"DNS lookup failure for"}, kind: fault.DNSNotFound},
	{who: "Apache", marks: []string{"The proxy server received an invalid", "response from an upstream server"}, kind: fault.UpstreamBadGateway},
	{who: "Apache", marks: []string{"The gateway did not receive a timely response"}, kind: fault.FirstByteTimeout},
	{who: "Apache", marks: []string{"The server is temporarily unable to service your", "Apache"}, kind: fault.NoHealthyTarget},
	{who: "Apache", marks: []string{"You're speaking plain HTTP to an SSL-enabled server port"}, kind: fault.PlainToTLSPort},
	// nginx's: src/http/ngx_http_special_response.c.
	{who: "nginx", marks: []string{"The plain HTTP request was sent to HTTPS port"}, kind: fault.PlainToTLSPort},
	{who: "nginx", marks: []string{"No required SSL certificate was sent"}, kind: fault.TLSClientCertificate},
	{who: "nginx", marks: []string{"Request Header Or Cookie Too Large"}, kind: fault.RequestHeaderTooBig},
	{who: "nginx", marks: []string{"<center>nginx"}},
	{who: "nginx", marks: []string{"<center>openresty"}},
	{who: "Traefik's or another Go server's mux", marks: []string{"404 page not found"}, kind: fault.RouteNotFound, advice: []string{"Traefik: no router's rule matched: Host() and PathPrefix() in the dashboard; a router with an error is left out.", "A Go server: the path is not registered."}},
	{who: "ingress-nginx", marks: []string{"default backend - 404"}, kind: fault.RouteNotFound, advice: []string{"No Ingress has this host and path, or its ingressClassName is another: kubectl get ingress -A."}},
	// Clouds.
	{who: "Azure Application Gateway", marks: []string{"Microsoft-Azure-Application-Gateway"}, advice: []string{"Backend health in the portal tells what its probe saw.", "504, 502 after 20 s: request timeout of the backend settings (20 s by default)."}},
	{who: "Azure Front Door", marks: []string{"Our services aren't available right now"}, kind: fault.UpstreamUnavailable, advice: []string{"Give the X-Azure-Ref to its support; OriginInvalidResponse, OriginTimeout in its access log (ErrorInfo) say what the origin did.", "Origin response timeout of the profile is 30 s by default."}},
	{who: "CloudFront", marks: []string{"The request could not be satisfied", "CloudFront wasn't able to connect to the origin"}, kind: fault.UpstreamBadGateway},
	{who: "CloudFront", marks: []string{"The request could not be satisfied", "CloudFront attempted to establish a connection with the origin"}, kind: fault.ConnectTimeout, advice: []string{"The origin's security group must let CloudFront in (managed prefix list com.amazonaws.global.cloudfront.origin-facing).", "Port and protocol of the origin; origin connection timeout (10 s)."}},
	{who: "CloudFront", marks: []string{"The request could not be satisfied"}, kind: fault.UpstreamBadGateway},
	{who: "a Google load balancer", marks: []string{"The server encountered a temporary error and could not complete your request"}, kind: fault.UpstreamBadGateway, advice: []string{"Its log's statusDetails names it: failed_to_pick_backend (health checks), backend_connection_closed_before_data_sent_to_client (keep-alive of the backend above 600 s), backend_timeout (timeoutSec, 30 s)."}},
	{who: "a Google load balancer", marks: []string{"Error: Server Error"}, kind: fault.UpstreamBadGateway},
	{who: "Heroku's router", marks: []string{"code=H10"}, kind: fault.NoHealthyTarget, meaning: "H10: the app crashed.", advice: []string{"heroku logs --tail has the crash; heroku ps:restart."}},
	{who: "Heroku's router", marks: []string{"code=H12"}, kind: fault.FirstByteTimeout, meaning: "H12: no first byte within 30 s.", advice: []string{"Heroku's 30 s can't be raised: answer at once and work in the background (a worker dyno), or stream a byte early."}},
	{who: "Heroku's router", marks: []string{"code=H13"}, kind: fault.ClosedBeforeResponse, meaning: "H13: the dyno closed without an answer."},
	{who: "Heroku's router", marks: []string{"code=H14"}, kind: fault.NoTarget, meaning: "H14: no web dyno runs.", advice: []string{"heroku ps:scale web=1"}},
	{who: "Heroku's router", marks: []string{"code=H15"}, kind: fault.IdleTimeout, meaning: "H15: nothing was sent for 55 s."},
	{who: "Heroku's router", marks: []string{"code=H18"}, kind: fault.ClosedBeforeResponse, meaning: "H18: the dyno broke the connection off."},
	{who: "Heroku's router", marks: []string{"code=H27"}, kind: fault.CallerGone, meaning: "H27: the client left."},
	{who: "Heroku's router", marks: []string{"www.herokucdn.com/error-pages/"}, kind: fault.UpstreamUnavailable, advice: []string{"heroku logs --tail has the code: H10 crashed, H12 30 s over, H14 no dyno."}},
	{who: "Vercel", marks: []string{"FUNCTION_INVOCATION_TIMEOUT"}, kind: fault.FirstByteTimeout, advice: []string{"maxDuration of the function, as far as the plan allows."}},
	{who: "Vercel", marks: []string{"FUNCTION_INVOCATION_FAILED"}, kind: fault.UpstreamError, advice: []string{"The function's log in the dashboard has the exception."}},
	{who: "Linkerd", marks: []string{"l5d-proxy-error", "fail-fast"}, kind: fault.NoHealthyTarget, meaning: "Linkerd stopped asking the service since it had no endpoint that was ready.", advice: []string{"linkerd viz stat, kubectl get endpoints: are there ready pods?"}},
	{who: "Linkerd", marks: []string{"l5d-proxy-error", "onnection refused"}, kind: fault.ConnectionRefused},
	{who: "Linkerd", marks: []string{"l5d-proxy-error", "timed out"}, kind: fault.ConnectTimeout},
	{who: "Linkerd", marks: []string{"l5d-proxy-error"}, kind: fault.UpstreamBadGateway},
	{who: "Varnish", marks: []string{"Backend fetch failed"}, kind: fault.UpstreamUnavailable, advice: []string{"varnishlog -g request -q 'BerespStatus >= 500 or FetchError' has the reason (no backend connection, first byte timeout).", ".first_byte_timeout and .connect_timeout of the backend; .probe decides whether it is asked."}},
	{who: "Fastly", marks: []string{"Fastly error: unknown domain"}, kind: fault.RouteNotFound, advice: []string{"Add the domain to the service, and activate its version."}},
	{who: "Fastly", marks: []string{"first byte timeout"}, kind: fault.FirstByteTimeout, advice: []string{"first_byte_timeout of the backend (15 s by default)."}},
	{who: "Fastly or Varnish", marks: []string{"Guru Mediation"}, kind: fault.UpstreamUnavailable},
	{who: "Varnish", marks: []string{"Guru Meditation"}, kind: fault.UpstreamUnavailable},
	{who: "Akamai", marks: []string{"AkamaiGHost"}, kind: fault.UpstreamUnavailable},
	{who: "Akamai", marks: []string{"Reference&#32;&#35;"}, kind: fault.UpstreamUnavailable, advice: []string{"Akamai's Edge Diagnostics translates the reference number."}},
	{who: "Squid", marks: []string{"ERR_CONNECT_FAIL"}, kind: fault.ConnectionRefused},
	{who: "Squid", marks: []string{"ERR_DNS_FAIL"}, kind: fault.DNSNotFound},
	{who: "IIS (Application Request Routing)", marks: []string{"Web server received an invalid response while acting as a gateway or proxy server"}, kind: fault.UpstreamBadGateway, advice: []string{"IIS log: 502.3 with sc-win32-status 12002 (time out), 12029 (no connection), 12030 (closed).", "ASP.NET Core: stdoutLogEnabled=\"true\" in web.config; requestTimeout of aspNetCore."}},
	{who: "IIS (ASP.NET Core Module)", marks: []string{"HTTP Error 500.30"}, kind: fault.UpstreamError, meaning: "The application failed to start.", advice: []string{"Event viewer, Application; stdoutLogEnabled=\"true\" in web.config."}},
	{who: "IIS (ASP.NET Core Module)", marks: []string{"HTTP Error 502.5"}, kind: fault.ConnectionRefused, meaning: "The application's process ended at once.", advice: []string{"Run the .exe or dotnet app.dll by hand on the server: it says why."}},
	{who: "IIS", marks: []string{"The service is unavailable"}, kind: fault.NoHealthyTarget, meaning: "The application pool is stopped.", advice: []string{"Start the pool; event viewer, System, source WAS tells why it stopped."}},
	// Applications.
	{who: "Django", marks: []string{"<h1>Server Error (500)</h1>"}, kind: fault.UpstreamError, advice: []string{"Its log has the traceback (logger django.request)."}},
	{who: "Flask (Werkzeug)", marks: []string{"The server encountered an internal error and was unable to complete your request"}, kind: fault.UpstreamError, advice: []string{"Its log has the traceback (app.logger.exception)."}},
	{who: "Express", marks: []string{"<pre>Cannot "}, kind: fault.RouteNotFound, advice: []string{"No handler for this method and path; mind the router's prefix."}},
	{who: "Spring Boot", marks: []string{"Whitelabel Error Page"}, kind: fault.UpstreamError, advice: []string{"The application's log has the exception; server.error.include-message=always shows it in the page while you look for it."}},
	{who: "Tomcat", marks: []string{"<h1>HTTP Status "}, advice: []string{"logs/catalina.out and localhost.*.log have the exception."}},
	{who: "Rails", marks: []string{"We're sorry, but something went wrong"}, kind: fault.UpstreamError, advice: []string{"log/production.log has the exception."}},
	{who: "Phusion Passenger", marks: []string{"Passenger", "could not be started"}, kind: fault.UpstreamUnavailable, advice: []string{"passenger-status, and the web server's error log."}},
	{who: "a sign-in page", marks: []string{"<form", "type=\"password\""}, kind: fault.IncompatibleResponse, meaning: "A web page that asks for a password came where an API's answer was expected.", advice: []string{"The base URL leads to a web site, or a proxy (SSO) stands before the API: send what it wants, or call the API's own address."}},
}

var (
	pageStatus = regexp.MustCompile(`(?i)<(?:title|h1|h2)[^>]*>\s*(?:error |http status |<b>)?([45]\d\d)\b`)
	cfCode     = regexp.MustCompile(`(?i)(?:error code:? |Error code |cf-error-code">|\| ?)(5[23]\d|1[0-2]\d\d)\b`)
	rayID      = regexp.MustCompile(`(?i)(?:Ray ID:? ?(?:<[^>]*>)*|cf-ray: ?)([0-9a-f]{16})`)
	titleText  = regexp.MustCompile(`(?is)<title[^>]*>(.{0,200}?)</title>`)
)

// pages reads the page of another proxy, of a platform or of a framework.
func (r *reader) pages(body []byte, h *head) {
	text := string(body[:min(len(body), 64<<10)])
	status := 0
	if m := pageStatus.FindStringSubmatch(text); m != nil {
		status, _ = strconv.Atoi(m[1])
	}
	if h != nil {
		status = h.status
	}
	if r.ofCloudflare(text, h) {
		return
	}
	for _, p := range pagesKnown {
		if !hasAll(text, p.marks) {
			continue
		}
		f := Finding{What: "an error page", Who: p.who, Kind: p.kind, Status: status, Meaning: p.meaning, Advice: p.advice, Seen: []string{"it says " + quoteAround(text, p.marks[0])}, rank: rankPage}
		if f.Kind == "" && !r.byStatus(&f, status) {
			continue
		}
		if f.Meaning != "" && f.Kind != "" {
			f.Meaning += " " + or(outside[f.Kind].meaning, fault.Lookup(f.Kind).Explain)
		}
		if known := r.server(p.who); known != "" && (p.kind == "" || p.kind == fault.UpstreamBadGateway) {
			f.Likely = r.ofServer(known, or0(status, 502))
		} else if known != "" && len(f.Advice) == 0 {
			f.Advice = r.adviceOf(known, f.Kind)
		}
		r.add(f)
		return
	}
	low := strings.ToLower(text[:min(len(text), 512)])
	if strings.Contains(low, "<!doctype html") || strings.Contains(low, "<html") {
		f := Finding{What: "a web page", Who: "a web server that is not known by its page", Status: status, rank: rankStatus + 1}
		if !r.byStatus(&f, status) {
			f.Kind = fault.IncompatibleResponse
		}
		if m := titleText.FindStringSubmatch(text); m != nil {
			f.Seen = append(f.Seen, "its title is "+strconv.Quote(clip(m[1])))
		}
		r.add(f)
	}
}

// byStatus gives a finding the kind of its status.
func (r *reader) byStatus(f *Finding, status int) bool {
	before := r.r.Findings
	if status < 400 {
		return false
	}
	r.status(status, f.What, f.Who)
	last := r.r.Findings[len(r.r.Findings)-1]
	r.r.Findings = before
	f.Kind, f.Title, f.Cause, f.Retry = last.Kind, last.Title, last.Cause, last.Retry
	f.Meaning = or(f.Meaning, last.Meaning)
	f.Seen = append([]string{fmt.Sprintf("the status is %d", status)}, f.Seen...)
	if status >= 500 && r.server(f.Who) != "" {
		f.Title = fmt.Sprintf("%s answered %d in the place of the server behind it", f.Who, status)
		f.Meaning = f.Title + ": " + proxyMeaning(status)
	}
	return true
}

// ofCloudflare reads Cloudflare's pages and its short "error code: 1016".
func (r *reader) ofCloudflare(text string, h *head) bool {
	low := strings.ToLower(text[:min(len(text), 16<<10)])
	named := strings.Contains(low, "cloudflare") || h != nil && h.fields.Get("Cf-Ray") != ""
	short := strings.HasPrefix(strings.TrimSpace(low), "error code: ")
	if !named && !short {
		return false
	}
	code := 0
	if m := cfCode.FindStringSubmatch(text); m != nil {
		code, _ = strconv.Atoi(m[1])
	}
	if code == 0 && h != nil && h.status >= 520 {
		code = h.status
	}
	if code == 0 || !r.cloudflare(code, true) {
		return false
	}
	f := &r.r.Findings[len(r.r.Findings)-1]
	f.What = "an error page"
	if m := rayID.FindStringSubmatch(text); m != nil {
		f.Seen = append(f.Seen, "Ray ID "+m[1])
	}
	if h != nil && h.fields.Get("Cf-Ray") != "" {
		f.Seen = append(f.Seen, "CF-Ray: "+clip(h.fields.Get("Cf-Ray")))
	}
	return true
}

// maker is who answered, by the fields of the head and the body; "" when nothing tells.
func maker(h *head, body []byte) string {
	for _, m := range []struct{ field, has, who string }{
		{"Cf-Ray", "", "Cloudflare"},
		{"X-Amz-Cf-Id", "", "CloudFront"},
		{"Server", "awselb", "AWS ALB"},
		{"X-Azure-Ref", "", "Azure Front Door"},
		{"Server", "Microsoft-Azure-Application-Gateway", "Azure Application Gateway"},
		{"Via", "1.1 google", "a Google load balancer"},
		{"Via", "heroku", "Heroku's router"},
		{"Via", "vegur", "Heroku's router"},
		{"L5d-Proxy-Error", "", "Linkerd"},
		{"X-Kong-Response-Latency", "", "Kong"},
		{"Server", "kong", "Kong"},
		{"Server", "envoy", "Envoy"},
		{"X-Varnish", "", "Varnish"},
		{"Server", "AkamaiGHost", "Akamai"},
		{"Server", "openresty", "nginx"},
		{"Server", "nginx", "nginx"},
		{"Server", "Apache", "Apache"},
		{"Server", "Caddy", "Caddy"},
		{"Via", "Caddy", "Caddy"},
		{"Server", "Microsoft-IIS", "IIS"},
		{"Server", "gunicorn", "gunicorn"},
		{"Server", "uvicorn", "uvicorn"},
		{"Server", "Werkzeug", "Flask (Werkzeug)"},
		{"X-Powered-By", "Express", "Express"},
	} {
		if v := h.fields.Get(m.field); v != "" && strings.Contains(strings.ToLower(v), strings.ToLower(m.has)) {
			return m.who
		}
	}
	for _, p := range pagesKnown {
		if hasAll(string(body[:min(len(body), 16<<10)]), p.marks) {
			return p.who
		}
	}
	return ""
}

// server is the name that internal/logs has for a proxy, "" for one whose log it does not read.
func (r *reader) server(who string) string {
	switch who {
	case "nginx", "Apache", "HAProxy", "Envoy", "AWS ALB", "CloudFront", "IIS":
		return who
	case "a Google load balancer":
		return "Google load balancer"
	case "Caddy", "Traefik":
		return "the Go proxy (Caddy, Traefik)"
	case "IIS (Application Request Routing)":
		return "IIS"
	}
	return ""
}

// ofServer is what the log of a server can say of a status: each is a cause, and its words in the log tell it
// apart.
func (r *reader) ofServer(server string, status int) (list []Likely) {
	known := r.known.OfServer(server, status)
	slices.SortStableFunc(known, func(a, b *logs.Known) int { return commonness(a.Kind) - commonness(b.Kind) })
	for _, k := range known {
		l := Likely{Cause: k.Title, Tell: "other causes are ruled out", Do: strings.Join(k.Advice, " ")}
		if len(k.Says) > 0 {
			l.Tell = "its error log says " + strconv.Quote(k.Says[0])
		}
		if list = append(list, l); len(list) == 6 {
			break
		}
	}
	return list
}

// commonness orders what proxies meet by how often they do.
func commonness(k fault.Kind) int {
	common := []fault.Kind{
		fault.ConnectionRefused, fault.FirstByteTimeout, fault.NoHealthyTarget, fault.BodyTooLarge, fault.ClosedBeforeResponse, fault.ConnectTimeout, fault.ResetBeforeResponse,
		fault.ResponseHeaderTooLarge, fault.MalformedResponse, fault.SocketMissing, fault.SocketDenied,
	}
	if i := slices.Index(common, k); i >= 0 {
		return i
	}
	return len(common)
}

// adviceOf is what to change in a server's own settings for a kind.
func (r *reader) adviceOf(server string, kind fault.Kind) []string {
	for _, status := range []int{502, 503, 504, 413, 499} {
		for _, k := range r.known.OfServer(server, status) {
			if k.Kind == kind {
				return k.Advice
			}
		}
	}
	return nil
}

func hasAll(text string, marks []string) bool {
	for _, m := range marks {
		if !strings.Contains(text, m) {
			return false
		}
	}
	return true
}

func or0(n, other int) int {
	if n == 0 {
		return other
	}
	return n
}

// mostLines is how many lines of a text are read as a log's.
const mostLines = 2000

// lines reads lines of logs. It returns the text without those that a server has written: in their place
// stand zeros.
func (r *reader) lines(text []byte) (rest []byte) {
	n, found, from := 0, 0, 0
	rest = text
	for line := range bytes.Lines(text) {
		at := from
		from += len(line)
		if n++; n > mostLines {
			r.r.Notes = append(r.r.Notes, fmt.Sprintf("of its lines the first %d were read as a log's: causeway doctor logs FILE reads whole files", mostLines))
			return rest
		}
		line = bytes.TrimRight(line, "\r\n")
		l, ok := r.known.Line(line)
		if !ok || l.Known == nil && (!l.Access || l.Status < 400) {
			continue
		}
		if l.Form == "application log" || l.Form == "stack traces" {
			// Without a head of its own a line is a log's only where nothing else was recognised.
			if l.Known == nil || len(r.r.Findings) > 0 && r.r.Findings[0].rank > rankTrouble {
				continue
			}
		}
		f := Finding{What: "an access log's line", Who: "a web server", Status: l.Status, rank: rankStatus + 2}
		if l.Known != nil {
			f = ofKnown(l.Known)
			f.What, f.Status, f.rank = "a line of the "+l.Form, l.Status, rankLine-found
			if l.Form == "application log" || l.Form == "stack traces" {
				f.rank = rankTrouble - 1
				f.What = "a line of an application's log"
			} else {
				// The words of a server's own line are not those of an exception as well.
				if len(rest) == 0 || &rest[0] == &text[0] {
					rest = bytes.Clone(text)
				}
				clear(rest[at : at+len(line)])
			}
		} else if !r.byStatus(&f, l.Status) {
			continue
		}
		f.Seen = append(f.Seen, "line "+strconv.Itoa(n)+": "+strconv.Quote(clip(masked(strings.ToValidUTF8(string(line), "?")))))
		for _, part := range []struct{ name, value string }{{"upstream", l.Upstream}, {"request", l.Target}, {"flags", l.Flags}} {
			if part.value != "" {
				f.Seen = append(f.Seen, part.name+" "+clip(part.value))
			}
		}
		if l.Took > 0 {
			f.Seen = append(f.Seen, "it took "+fault.Span(l.Took))
		}
		r.add(f)
		if found++; found == 6 {
			return rest
		}
	}
	return rest
}
