package diagnose

import (
	"bytes"
	"fmt"
	"strings"

	"causeway/internal/fault"
)

// Passed is the kind read in the status of an upstream's own complete answer, "" for an answer
// that says no failure. h returns a header field's value by its lower-case name; it is asked only
// for statuses that mean something else from vendor to vendor, and may be nil. It runs on every
// good call and allocates nothing.
func Passed(status int, h func(name string) string) fault.Kind {
	if status < 429 {
		return ""
	}
	switch status {
	case 429:
		return fault.UpstreamRateLimited
	case 500:
		return fault.UpstreamError
	case 502:
		return fault.UpstreamBadGateway
	case 503:
		return fault.UpstreamUnavailable
	case 504:
		return fault.UpstreamTimeout
	}
	if status >= 520 && status <= 530 && h != nil && h("cf-ray") != "" {
		if status == 522 || status == 524 {
			return fault.UpstreamTimeout
		}
		return fault.UpstreamBadGateway
	}
	return ""
}

// plainToTLS are the sentences with which servers say that HTTP came to their HTTPS port: nginx,
// Go's net/http, Apache httpd.
var plainToTLS = []string{
	"The plain HTTP request was sent to HTTPS port",
	"Client sent an HTTP request to an HTTPS server.",
	"You're speaking plain HTTP to an SSL-enabled server port.",
}

// SaysPlainToTLS says whether an upstream's answer to a plain HTTP request complains that its
// port wants TLS: fault.PlainToTLSPort, in an answer that is passed on. body is its beginning.
func SaysPlainToTLS(status int, body []byte) bool {
	if status != 400 {
		return false
	}
	for _, s := range plainToTLS {
		if bytes.Contains(body, []byte(s)) {
			return true
		}
	}
	return false
}

// proxy is another proxy that answered in the upstream's place.
type proxy struct {
	name    string
	meaning string      // what its status means, "" when it says nothing more
	cause   fault.Cause // "" when it does not say
	field   string      // the header field that gave it away, "" for its body
}

// vendors are the marks of proxies: a header field, and what its value contains ("" for any).
var vendors = []struct{ field, contains, name string }{
	{"causeway-call-id", "", "another Causeway"},
	{"cf-ray", "", "Cloudflare"},
	{"x-amz-cf-id", "", "Amazon CloudFront"},
	{"server", "awselb/", "an AWS load balancer"},
	{"x-azure-ref", "", "Azure Front Door"},
	{"server", "Microsoft-Azure-Application-Gateway", "Azure Application Gateway"},
	{"server", "AkamaiGHost", "Akamai"},
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
	{"server", "nginx", "nginx"},
	{"via", "Caddy", "Caddy"},
	{"server", "Caddy", "Caddy"},
	{"server", "Apache", "Apache httpd"},
	{"server", "Varnish", "Varnish"},
}

// bodies are the sentences of proxies that do not name themselves in a header.
var bodies = []struct{ contains, name, meaning string }{
	{"upstream connect error or disconnect/reset before headers", "Envoy", "it could not connect to the server behind it"},
	{"no healthy upstream", "Envoy", "none of the servers behind it is healthy"},
	{"No server is available to handle this request", "HAProxy", "none of the servers behind it is available"},
	{"The server returned an invalid or incomplete response", "HAProxy", "the server behind it answered with something that is not HTTP"},
	{"The server didn't respond in time", "HAProxy", "the server behind it did not answer in time"},
	{"<center>nginx", "nginx", ""},
	{"<center>openresty", "OpenResty (nginx)", ""},
}

// cloudflare is what Cloudflare's own statuses mean
// (https://developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-5xx-errors/).
var cloudflare = map[int]struct {
	meaning string
	cause   fault.Cause
}{
	520: {"its origin answered with something empty, unknown or broken", fault.Software},
	521: {"its origin refused the connection", fault.Software},
	522: {"its connection to the origin timed out", fault.Network},
	523: {"its origin cannot be reached", fault.Network},
	524: {"its origin accepted the connection and did not answer in time", fault.Overload},
	525: {"the TLS handshake with its origin failed", fault.Configuration},
	526: {"the certificate of its origin is not valid", fault.Configuration},
	530: {"it could not resolve or reach its origin", fault.Configuration},
}

// generic is what 502, 503 and 504 mean when another proxy says them.
var generic = map[int]string{
	502: "it got no valid answer from the server behind it",
	503: "it has no server behind it that can take the call",
	504: "the server behind it did not answer in time",
}

// nested finds the proxy that made the answer, nil when nothing tells of one.
func nested(a *Answer) *proxy {
	if a == nil || a.Status < 500 {
		return nil
	}
	for _, v := range vendors {
		value := a.header(v.field)
		if value == "" || !strings.Contains(strings.ToLower(value), strings.ToLower(v.contains)) {
			continue
		}
		p := &proxy{name: v.name, meaning: generic[a.Status], field: v.field}
		if cf, ok := cloudflare[a.Status]; ok && v.field == "cf-ray" {
			p.meaning, p.cause = cf.meaning, cf.cause
		}
		if v.field == "l5d-proxy-error" {
			p.meaning = "it says " + quote([]byte(value), quoteLimit)
		}
		return p
	}
	for _, b := range bodies {
		if bytes.Contains(a.Body, []byte(b.contains)) {
			p := &proxy{name: b.name, meaning: b.meaning}
			if p.meaning == "" {
				p.meaning = generic[a.Status]
			}
			return p
		}
	}
	return nil
}

// traces are the marks of an application's own stack trace.
var traces = []struct{ contains, what string }{
	{"Traceback (most recent call last)", "a Python traceback"},
	{"goroutine 1 [", "a Go panic"},
	{"panic: ", "a Go panic"},
	{"Exception in thread", "a Java exception"},
	{"java.lang.", "a Java exception"},
	{"at Object.<anonymous>", "a Node.js stack"},
	{"Fatal error: Uncaught", "a PHP error"},
	{"ActionController::", "a Rails exception"},
	{"System.NullReferenceException", "a .NET exception"},
}

// answerEvidence tells what an upstream's own answer shows, for the full view. A body is named,
// never quoted.
func answerEvidence(a *Answer) []string {
	if a == nil {
		return nil
	}
	lines := []string{fmt.Sprintf("the upstream sent a complete answer with status %d", a.Status)}
	lines = append(lines, rpcEvidence(a.RPC)...)
	if p := nested(a); p != nil {
		by := "its body"
		if p.field != "" {
			by = "its header " + p.field + ": " + quote([]byte(a.header(p.field)), quoteLimit)
		}
		line := "the answer was made by " + p.name + " (" + by + ")"
		if p.meaning != "" {
			line += ": " + p.meaning
		}
		lines = append(lines, line)
	} else if s := a.header("server"); s != "" {
		lines = append(lines, "Server: "+quote([]byte(s), quoteLimit))
	}
	for _, name := range []string{"proxy-status", "retry-after"} {
		if v := a.header(name); v != "" {
			lines = append(lines, name+": "+quote([]byte(v), quoteLimit))
		}
	}
	for _, t := range traces {
		if bytes.Contains(a.Body, []byte(t.contains)) {
			lines = append(lines, "its body looks like "+t.what)
			break
		}
	}
	return lines
}
