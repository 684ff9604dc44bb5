package paste

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"causeway/internal/diagnose"
	"causeway/internal/fault"
)

// mostWords is how much of a text is searched for a status.
const mostWords = 64 << 10

// statusWords are how programs print a status: requests, httpx, urllib, SDKs, axios, curl -f, Go, wget.
var statusWords = regexp.MustCompile(`(?i)(?:\b([45]\d\d) (?:server|client) error\b|\berror '([45]\d\d) |error code: ([45]\d\d)\b|http error ([45]\d\d)\b|status(?: code)?:?,? ?=?\s*([45]\d\d)\b|returned error: ([45]\d\d)\b|\bHTTP ([45]\d\d)\b|^([45]\d\d)(?: [A-Z][A-Za-z ()_-]+)?$|ERROR ([45]\d\d): |<title>([45]\d\d)\b)`)

// ownReason is the kind in a reason phrase of ours: "Bad Gateway (connection_refused)".
var ownReason = regexp.MustCompile(`[A-Z][A-Za-z' -]+ \(([a-z][a-z0-9_]+)\)`)

// statuses finds a status that a client tells of, and the kind in its reason phrase.
func (r *reader) statuses(text string) {
	text = text[:min(len(text), mostWords)]
	if m := ownReason.FindStringSubmatch(text); m != nil && fault.Lookup(fault.Kind(m[1])) != nil {
		r.add(Finding{
			What: "a reason phrase", Who: "a Causeway", Kind: fault.Kind(m[1]), Status: statusIn(text), rank: rankOurs - 10,
			Seen: []string{"the status line says " + strconv.Quote(clip(m[0]))},
		})
		return
	}
	if status := statusIn(text); status != 0 && len(r.r.Findings) == 0 {
		r.status(status, "a status", "a client")
	}
}

func statusIn(text string) int {
	text = text[:min(len(text), mostWords)]
	for _, m := range statusWords.FindAllStringSubmatch(text, 4) {
		for _, digits := range m[1:] {
			if n, err := strconv.Atoi(digits); err == nil {
				return n
			}
		}
	}
	return 0
}

// statusKinds are the kinds of statuses that name their failure by themselves.
var statusKinds = map[int]fault.Kind{
	400: fault.BadRequest, 401: fault.KeyMissing, 404: fault.RouteNotFound, 405: fault.MethodNotAllowed, 408: fault.RequestBodyTimeout, 413: fault.BodyTooLarge,
	431: fault.RequestHeaderTooBig, 494: fault.RequestHeaderTooBig, 417: fault.ExpectationFailed, 460: fault.CallerGone, 499: fault.CallerGone, 505: fault.VersionNotSupported, 529: fault.Overloaded,
	402: fault.QuotaExhausted, 508: fault.LoopDetected, 495: fault.ClientCertInvalid, 496: fault.ClientCertMissing, 497: fault.PlainToTLSPort,
}

// statusSays are statuses with a meaning and without a kind.
var statusSays = map[int]struct{ title, meaning string }{
	403: {"The server understood and refuses", "The caller is known, or needs not be, and may not do this: a permission, an address that is not allowed, a firewall's rule (WAF), or a file's mode."},
	407: {"An outgoing proxy wants a user and password", "The proxy between the caller and the internet refuses without them."},
	409: {"The request conflicts with what is there", "The object was changed or made by another call meanwhile."},
	410: {"The address is gone for good", "It was there, and was taken away: the API's version has ended."},
	411: {"The server wants Content-Length", "The body came chunked, and this server does not take that."},
	412: {"A condition of the request did not hold", "If-Match or If-Unmodified-Since: the object was changed meanwhile."},
	414: {"The URL is too long for the server", "Its query is long: send it as a body, or raise the server's limit (nginx large_client_header_buffers, Apache LimitRequestLine)."},
	415: {"The server does not take this media type", "Content-Type is missing or another than it wants: mostly application/json."},
	421: {"The request came over a connection for another host", "HTTP/2 shared a connection between two names of one certificate: the proxy does not serve this name there."},
	422: {"The body is readable and not valid", "A member is missing or has a wrong value: the answer's body mostly names it."},
	425: {"Too early", "The request came in TLS early data and the server does not take the risk that it is a copy: repeat it."},
	426: {"The server wants another protocol", "Its Upgrade field names it."},
	428: {"The server wants a condition", "Send If-Match with the ETag that was read."},
	444: {"nginx closed without an answer on purpose", "return 444 in its configuration."},
	451: {"Refused for legal reasons", "The address may not be served here."},
	501: {"The server does not know this method", "Or the feature is not built in."},
	507: {"The server's disk is full", "It can't store what the request brings."},
	511: {"A network's login page is in the way", "A hotel's or an office's network wants a login first."},
	561: {"The AWS load balancer got an error from the identity provider", "Its OIDC configuration or the provider's answer is wrong."},
}

// status explains a status when nothing else is known.
func (r *reader) status(status int, what, who string) {
	f := Finding{What: what, Who: who, Status: status, Kind: statusKinds[status], rank: rankStatus, Seen: []string{fmt.Sprintf("the status is %d", status)}}
	if f.Kind == "" {
		f.Kind = diagnose.Passed(status, nil)
	}
	says, ok := statusSays[status]
	switch {
	case ok:
		f.Title, f.Meaning, f.Cause, f.Retry = says.title, says.meaning, fault.Caller, fault.No
		if status >= 500 {
			f.Cause = fault.Configuration
		}
	case f.Kind == "" && status >= 520 && status <= 530:
		r.cloudflare(status, false)
		return
	case f.Kind == "" && status >= 500:
		f.Kind = fault.UpstreamError
	case f.Kind == "" && status >= 400:
		f.Title, f.Meaning, f.Cause, f.Retry = "The server refused the request", "The status alone does not say why: the body mostly does.", fault.Caller, fault.No
	}
	if f.Kind == "" {
		f.Advice = []string{"The answer's body and the server's own log say which: paste the whole answer (curl -si URL)."}
	}
	if status == 401 {
		f.Title, f.Meaning = "The server wants a key or a login, or does not take the one that came", "WWW-Authenticate in the answer says which."
	}
	if status == 404 {
		f.Title, f.Meaning = "The server has nothing at this address", "It is there and answered: the path, the host or the object's name is wrong."
	}
	if status == 400 {
		f.Title, f.Meaning = "The server could not read the request", "Its body mostly says what was wrong."
	}
	r.add(f)
}

// cloudflareCodes are Cloudflare's own statuses (https://developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-5xx-errors/)
// and its 1xxx codes (https://developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-1xxx-errors/).
var cloudflareCodes = map[int]struct {
	title  string
	kind   fault.Kind
	cause  fault.Cause
	advice []string
}{
	520:  {"The origin answered Cloudflare with something empty, unknown or broken", fault.UpstreamBadGateway, fault.Software, []string{"Origin's error log at that second: a crash, a header above 128 KiB, an empty answer.", "Origin: keep-alive longer than Cloudflare's 900 s of reuse, or no reuse of what it has closed."}},
	521:  {"The origin refused Cloudflare's connection", fault.ConnectionRefused, fault.Software, []string{"Start the origin's web server on 443 (80 with SSL mode Flexible).", "Its firewall must let Cloudflare's addresses in: https://www.cloudflare.com/ips/ (fail2ban and rate limits see Cloudflare as one caller)."}},
	522:  {"Cloudflare's connection to the origin timed out", fault.ConnectTimeout, fault.Network, []string{"Allow Cloudflare's addresses in the origin's firewall and host: https://www.cloudflare.com/ips/.", "Is the A record in Cloudflare's DNS the origin's present address?", "If it is overloaded: ss -ltn shows Recv-Q at Send-Q; more workers, net.core.somaxconn."}},
	523:  {"Cloudflare cannot reach the origin's address", fault.Unroutable, fault.Network, []string{"The A or AAAA record in Cloudflare's DNS is wrong, or the host's network has no route: mtr from outside.", "Look at the origin's provider's status."}},
	524:  {"The origin took the request and did not answer Cloudflare within 100 s", fault.FirstByteTimeout, fault.Overload, []string{"Make the request faster, or answer at once and let the caller ask for the result.", "Send a first byte early (a stream), or put long requests on a name that is not proxied (grey cloud). The limit can be raised in the Enterprise plan only (Proxy Read Timeout)."}},
	525:  {"The TLS handshake between Cloudflare and the origin failed", fault.TLSProtocolError, fault.Configuration, []string{"Origin: a certificate on 443 for this name (SNI), TLS 1.2 or 1.3 with a cipher that Cloudflare takes.", "Without TLS at the origin: SSL mode Flexible, or better an Origin CA certificate."}},
	526:  {"The origin's certificate is not valid for Cloudflare (SSL mode Full (strict))", fault.TLSCertificateInvalid, fault.Configuration, []string{"Renew it, or install an Origin CA certificate of Cloudflare's; it must be for this name and not be signed by itself."}},
	527:  {"Railgun, between Cloudflare and the origin, failed", fault.UpstreamBadGateway, fault.Configuration, []string{"Railgun has ended: turn it off."}},
	530:  {"Cloudflare could not resolve or reach the origin; a code of 1xxx beside it says which", fault.UpstreamBadGateway, fault.Configuration, []string{"The page has a second code: mostly 1016 (the origin's name is not found) or 1033 (the tunnel is down)."}},
	1000: {"The DNS record points at an address of Cloudflare's own", fault.LoopDetected, fault.Configuration, []string{"Let the A record name the origin's own address."}},
	1001: {"Cloudflare cannot resolve the name", fault.DNSNotFound, fault.Configuration, []string{"Correct the CNAME; wait for a new zone to be active."}},
	1003: {"The address was called instead of a name", fault.BadRequest, fault.Caller, []string{"Call it by its name: Host must be a zone of Cloudflare's."}},
	1006: {"The caller's address is banned by the site's owner", fault.AddressNotAllowed, fault.Configuration, []string{"Site's owner: Security, WAF, Tools (IP access rules)."}},
	1010: {"The site's owner refuses this client by its signature (Browser Integrity Check)", "", fault.Configuration, []string{"Site's owner: a WAF rule that skips the check for the API.", "Caller: a plain User-Agent of urllib is refused; name your program."}},
	1012: {"The site's owner refuses the caller", fault.AddressNotAllowed, fault.Configuration, []string{"Site's owner: Security, Events has the rule."}},
	1015: {"Cloudflare limits the caller's rate, by a rule of the site's owner", fault.UpstreamRateLimited, fault.Caller, []string{"Fewer calls; wait as long as Retry-After says.", "Site's owner: Security, WAF, Rate limiting rules."}},
	1016: {"Cloudflare cannot resolve the origin's name", fault.DNSNotFound, fault.Configuration, []string{"The CNAME in Cloudflare's DNS names something that is not there: a removed load balancer, a tunnel that was deleted. dig the target.", "With a tunnel: cloudflared tunnel route dns TUNNEL NAME."}},
	1018: {"Cloudflare does not know the host yet", fault.RouteNotFound, fault.Configuration, []string{"The zone was just added or is paused; wait, or turn the record's proxy off and on."}},
	1020: {"A firewall rule of the site's owner refuses the call", "", fault.Configuration, []string{"Site's owner: Security, Events, search for the Ray ID; correct the WAF rule.", "Caller: send the site's owner the Ray ID."}},
	1033: {"The Cloudflare tunnel is down", fault.NoHealthyTarget, fault.Software, []string{"Start cloudflared on the origin's host: systemctl status cloudflared, cloudflared tunnel info TUNNEL."}},
	1101: {"The Worker threw an exception", fault.UpstreamError, fault.Software, []string{"wrangler tail shows it."}},
	1102: {"The Worker used more CPU time than its plan allows", fault.Overloaded, fault.Overload, []string{"Make it lighter, or raise limits.cpu_ms in wrangler.toml."}},
	1200: {"Cloudflare has too many requests waiting for this origin", fault.Overloaded, fault.Overload, []string{"The origin is slow: see 524."}},
}

// cloudflare explains a code of Cloudflare's; sure is false where it was said by nobody known.
func (r *reader) cloudflare(code int, sure bool) bool {
	c, ok := cloudflareCodes[code]
	if !ok {
		return false
	}
	f := Finding{
		What: fmt.Sprintf("Cloudflare's code %d", code), Who: "Cloudflare", Kind: c.kind, Cause: c.cause, Title: c.title,
		Meaning: c.title + ". Caller and Cloudflare have met; what failed is behind it.", Advice: c.advice, rank: rankPage + 1,
		Seen: []string{fmt.Sprintf("the code is %d", code)},
	}
	if code < 1100 && code >= 1000 && code != 1000 && code != 1001 && code != 1016 && code != 1033 {
		f.Meaning = c.title + "."
	}
	if c.kind == "" {
		f.Retry = fault.No
	}
	if !sure {
		f.Seen = append(f.Seen, "only Cloudflare uses this status")
	}
	r.add(f)
	return true
}

// isStatus tells a status from other numbers.
func isStatus(s string) (int, bool) {
	n, err := strconv.Atoi(strings.TrimSpace(s))
	return n, err == nil && n >= 400 && n <= 599
}
