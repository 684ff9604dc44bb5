package diagnose

import (
	"fmt"
	"strings"
	"syscall"
	"time"

	"causeway/internal/fault"
	"causeway/internal/journey"
)

// detailLimit is the longest detail, in bytes.
const detailLimit = 1000

// detail fills in the sentence in both tellings. The room's own comes first; ours is written once
// and told twice, with every address, host name and certificate name behind a teller.
func (c *judgement) detail(f *fault.Finding) {
	f.Detail, f.SafeDetail = c.in.Detail, c.in.SafeDetail
	if f.Detail == "" {
		f.Detail = c.tell(true)
	}
	if f.SafeDetail == "" {
		f.SafeDetail = c.tell(false)
	}
	if c.behind != nil {
		f.Detail, f.SafeDetail = withBehind(f.Detail, c.behind), withBehind(f.SafeDetail, c.behind)
	}
	if c.in.Detail == "" {
		if also := c.second(true); also != "" {
			f.Detail = strings.TrimSuffix(f.Detail, ".") + "; " + also + "."
			f.SafeDetail = strings.TrimSuffix(f.SafeDetail, ".") + "; " + c.second(false) + "."
		}
	}
	if full := c.childSentence(true); full != "" {
		f.Detail = strings.TrimSuffix(f.Detail, ".") + "; " + full + "."
		f.SafeDetail = strings.TrimSuffix(f.SafeDetail, ".") + "; " + c.childSentence(false) + "."
	}
	if before := c.earlier(true); before != "" {
		f.Detail, f.SafeDetail = f.Detail+" "+before, f.SafeDetail+" "+c.earlier(false)
	}
	f.Detail, f.SafeDetail = clip(f.Detail, detailLimit), clip(f.SafeDetail, detailLimit)
}

func (c *judgement) tell(full bool) string {
	t := teller{c: c, full: full}
	s := t.sentence()
	if s == "" {
		s = lowerFirst(c.entry.Title) + "."
	}
	if who := t.subject(); who != "" {
		return who + ": " + s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// teller writes a sentence for one of the two views.
type teller struct {
	c    *judgement
	full bool
}

// subject is what the sentence is about: the service, or the model and its provider.
func (t teller) subject() string {
	in := t.c.in
	switch {
	case in.Service != "":
		return in.Service
	case in.Provider != "" && t.full:
		return in.Provider
	default:
		return in.Model
	}
}

// hide shows a name only in the full view.
func (t teller) hide(name, instead string) string {
	if t.full && name != "" {
		return name
	}
	return instead
}

// peer is the upstream: its address, its target's host and port, or "the upstream".
func (t teller) peer() string {
	if t.c.about == nil {
		return "the upstream"
	}
	return t.hide(address(t.c.about), "the upstream")
}

// address is the address of the connection used, or else the last one tried, or the target's.
func address(a *journey.Attempt) string {
	switch {
	case a.Address != "":
		return a.Address
	case len(a.Tries) > 0:
		return a.Tries[len(a.Tries)-1].Address
	default:
		return authority(a.Target)
	}
}

// host is the name that was looked up.
func (t teller) host() string {
	a := t.c.about
	name := hostOf(a.Target)
	if a.DNS != nil && a.DNS.Name != "" {
		name = a.DNS.Name
	}
	if t.full && name != "" {
		return "the host name " + name
	}
	return "the upstream's host name"
}

// firedLimit is the limit that fired, as "timeouts.connect (2s)".
func (t teller) firedLimit(key string) string {
	a := t.c.about
	if a.Limit != "" {
		key = lastKey(a.Limit)
	}
	if a.LimitValue <= 0 {
		return "timeouts." + key
	}
	return "timeouts." + key + " (" + limit(a.LimitValue) + ")"
}

// limitIs is the limit that fired, as "timeouts.idle is 1m".
func (t teller) limitIs(key string) string {
	if t.c.about.LimitValue <= 0 {
		return "timeouts." + key + " fired"
	}
	return "timeouts." + key + " is " + limit(t.c.about.LimitValue)
}

// byKernel is how a sentence goes on when the operating system gave up before any limit of ours.
func (t teller) byKernel() string {
	return "; the operating system gave up after " + fault.Span(t.c.about.Total) + "."
}

func (t teller) kernelGaveUp() bool {
	return t.c.about.End == journey.EndErrno && t.c.about.Errno == syscall.ETIMEDOUT
}

// sentence is what happened, without the subject; "" leaves it to the kind's title.
func (t teller) sentence() string {
	if t.c.in.Answer != nil {
		if t.c.in.Passed {
			return t.passedOn()
		}
		return fmt.Sprintf("%s (it answered %d).", lowerFirst(t.c.entry.Title), t.c.in.Answer.Status)
	}
	if s := t.unavailable(); s != "" {
		return s
	}
	if t.c.about == nil {
		return ""
	}
	for _, tell := range []func(fault.Kind) string{t.tunnel, t.http2, t.road, t.handshake, t.answer, t.broken, t.rpc} {
		if s := tell(t.c.kind); s != "" {
			return s
		}
	}
	return ""
}

func (t teller) passedOn() string {
	a := t.c.in.Answer
	if t.c.kind == fault.PlainToTLSPort {
		return fmt.Sprintf("%s answered %d and says that its port wants HTTPS; the target says http.", t.peer(), a.Status)
	}
	if t.c.entry.Status != 0 { // a provider that says in its own dialect what is wrong
		return fmt.Sprintf("%s (%s answered %d; its answer was passed on unchanged).", lowerFirst(t.c.entry.Title), t.peer(), a.Status)
	}
	if a.RPC != nil {
		return fmt.Sprintf("%s answered with gRPC status %s itself; its answer was passed on unchanged.", t.peer(), a.RPC.Code.Label())
	}
	s := fmt.Sprintf("%s answered %d itself; its answer was passed on unchanged.", t.peer(), a.Status)
	if p := nested(a); p != nil && t.full && p.Says != "" {
		s += " It was made by " + p.Vendor + ": " + p.Says + "."
	}
	return s
}

// unavailable tells why no target was tried, with the trouble beneath.
func (t teller) unavailable() string {
	in := t.c.in
	var s string
	switch t.c.kind {
	case fault.NoHealthyTarget:
		s = "no target is healthy"
		if n := max(in.Targets, len(in.HealthReasons)); n > 0 {
			s = fmt.Sprintf("none of %s is healthy", plural(int64(n), "target"))
		}
	case fault.BreakerOpen:
		s = "too many calls failed, so the upstream is being left alone for a while"
	case fault.NoSlot:
		s = "every target has as many calls in flight as it may have"
	default:
		return ""
	}
	e, n := t.c.beneath()
	switch {
	case e == nil:
		return s + "."
	case n == 1 && len(in.HealthReasons) > 1 && t.each() != "":
		return s + "; behind it: " + t.each() + "."
	case n > 1 && n == len(in.HealthReasons):
		return fmt.Sprintf("%s; behind it, at all of them: %s (%s).", s, lowerFirst(e.Title), e.Kind)
	case n > 1:
		return fmt.Sprintf("%s; behind it, at %d of them: %s (%s).", s, n, lowerFirst(e.Title), e.Kind)
	default:
		return fmt.Sprintf("%s; behind it: %s (%s).", s, lowerFirst(e.Title), e.Kind)
	}
}

// each tells every target's own trouble where they differ, "" where one of them has no name or there are too many.
func (t teller) each() string {
	const most = 5
	list := t.c.in.HealthReasons
	if len(list) > most {
		return ""
	}
	var all []string
	for i, r := range list {
		if r.Kind == "" {
			return ""
		}
		all = append(all, t.hide(authority(r.Target), fmt.Sprintf("target %d", i+1))+" "+string(r.Kind))
	}
	return strings.Join(all, ", ")
}

// lowerFirst makes a title part of a sentence; an abbreviation at its begin stays.
func lowerFirst(s string) string {
	if len(s) < 2 || s[1] >= 'A' && s[1] <= 'Z' {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}

// road tells the kinds before a connection stands.
func (t teller) road(k fault.Kind) string {
	a, peer := t.c.about, t.peer()
	took := fault.Span(connectTook(a))
	switch k {
	case fault.DNSNotFound:
		return t.host() + " does not exist."
	case fault.DNSNoAddress:
		return t.host() + " exists, but has no IPv4 or IPv6 address."
	case fault.DNSServerFailure:
		return "the resolver could not look up " + t.host() + t.rcode() + "."
	case fault.DNSRefused:
		return "the resolver refused to look up " + t.host() + "."
	case fault.DNSTimeout:
		if a.End == journey.EndTimeout && !resolverGaveUp(a) {
			return "the lookup of " + t.host() + " got no answer within " + t.firedLimit("connect") + "."
		}
		return "the lookup of " + t.host() + " got no answer; the resolver gave up after " + fault.Span(a.DNSTime) + "."
	case fault.ConnectionRefused:
		switch {
		case a.Errno == syscall.EAGAIN:
			return peer + " did not take the connection: its queue is full."
		case a.Errno == syscall.EPROTOTYPE:
			return peer + " is a socket for datagrams, and HTTP needs one for streams."
		case isUnix(a):
			return peer + " refused the connection after " + took + "; no process listens on the socket."
		case len(a.Tries) > 1:
			return fmt.Sprintf("%s refused the TCP connection after %s, the last of %d addresses; nothing listens there.", peer, took, len(a.Tries))
		default:
			return peer + " refused the TCP connection after " + took + "; nothing listens there."
		}
	case fault.SocketMissing:
		if a.Errno == syscall.ELOOP {
			return t.hide("the Unix socket "+peer, "the upstream's Unix socket") + " is not found: its path leads through symbolic links without end."
		}
		return t.hide("the Unix socket "+peer, "the upstream's Unix socket") + " does not exist."
	case fault.SocketDenied:
		return "the gateway may not open " + t.hide("the Unix socket "+peer, "the upstream's Unix socket") + "."
	case fault.ConnectTimeout:
		if t.kernelGaveUp() {
			return peer + " did not answer the connection attempt" + t.byKernel()
		}
		return peer + " did not answer the connection attempt within " + t.firedLimit("connect") + "."
	case fault.ConnectReset:
		return peer + " reset the connection after " + took + ", while it was being made."
	case fault.Unroutable:
		return peer + " cannot be reached from the gateway's host (" + errnoName(a.Errno) + ")."
	case fault.AddressProhibited:
		return peer + " is not an address that the gateway may call."
	case fault.EgressDenied:
		return "the gateway's host does not let it connect to " + peer + " (" + errnoName(a.Errno) + ")."
	case fault.GatewayPortsExhausted:
		return "the gateway has no local port left for " + peer + "."
	case fault.GatewayFilesExhausted:
		return "the gateway has no file descriptor left to connect to " + peer + "."
	}
	return ""
}

// resolverGaveUp says whether a lookup ended before any limit of ours.
func resolverGaveUp(a *journey.Attempt) bool {
	return a.DNS != nil && a.DNS.Timeout && a.DNSTime > 0 && a.DNSTime < a.LimitValue*9/10
}

func (t teller) rcode() string {
	if d := t.c.about.DNS; d != nil && d.RCode != "" {
		return " (" + d.RCode + ")"
	}
	return ""
}

// connectTook is how long the last connection attempt ran.
func connectTook(a *journey.Attempt) time.Duration {
	switch {
	case len(a.Tries) > 0 && a.Tries[len(a.Tries)-1].Took > 0:
		return a.Tries[len(a.Tries)-1].Took
	case a.ConnectTime > 0:
		return a.ConnectTime
	default:
		return a.Total
	}
}

// handshake tells the kinds of TLS.
func (t teller) handshake(k fault.Kind) string {
	a, peer := t.c.about, t.peer()
	facts := a.TLS
	if facts == nil {
		facts = &journey.TLSFacts{Alert: -1}
	}
	if s := t.certificate(k, facts); s != "" {
		return s
	}
	switch k {
	case fault.TLSClientCertificate:
		return peer + " wants a client certificate" + t.alert() + "."
	case fault.TLSClientCertRejected:
		return peer + " does not accept the gateway's client certificate" + t.alert() + "."
	case fault.TLSVersionMismatch:
		return peer + " accepts none of the TLS versions, ciphers and protocols that the gateway offered" + t.alert() + "."
	case fault.TLSUnrecognizedName:
		return peer + " does not know the server name it was asked for" + t.named(", ", facts.ServerName) + t.alert() + "."
	case fault.TLSAlert:
		if a.Phase >= journey.PhaseSend {
			return peer + " ended the TLS connection" + t.alert() + "."
		}
		return peer + " ended the TLS handshake" + t.alert() + "."
	case fault.TLSToPlainPort:
		return peer + " answered the TLS handshake in plain HTTP: the target says https, its port serves http."
	case fault.PlainToTLSPort:
		return peer + " answered plain HTTP with TLS: the target says http, its port serves https."
	case fault.TLSHandshakeClosed:
		return peer + " closed the connection during the TLS handshake, after " + fault.Span(a.TLSTime) + "."
	case fault.TLSHandshakeReset:
		return peer + " reset the connection during the TLS handshake, after " + fault.Span(a.TLSTime) + "."
	case fault.TLSHandshakeTimeout:
		if t.kernelGaveUp() {
			return peer + " accepted the connection and did not finish the TLS handshake" + t.byKernel()
		}
		return peer + " accepted the connection and did not finish the TLS handshake within " + t.firedLimit("connect") + "."
	case fault.TLSProtocolError:
		if brokenLater(a) {
			return peer + " broke the TLS connection " + phaseText(a.Phase) + t.tlsError(facts) + "."
		}
		return peer + " sent bytes that are neither TLS nor HTTP."
	}
	return ""
}

// tlsCut tells of a body that TLS's end or failure cut, "" for another one.
func (t teller) tlsCut() string {
	a := t.c.about
	if !brokenLater(a) {
		return ""
	}
	return t.peer() + " broke the TLS connection in the middle of its answer" + t.tlsError(a.TLS) + ", after " + bodyProgress(a) + "."
}

// tlsError is crypto/tls's own word for what a peer did; it may have a name in it, so that only operators see it.
func (t teller) tlsError(facts *journey.TLSFacts) string {
	s := strings.TrimPrefix(strings.TrimPrefix(facts.Err, "local error: "), "tls: ")
	if s == "" || strings.ContainsAny(s, "/\n") || len(s) > 80 {
		return ""
	}
	if s = t.hide(s, ""); s == "" {
		return ""
	}
	return " (" + s + ")"
}

func (t teller) named(before, name string) string {
	if s := t.hide(name, ""); s != "" {
		return before + s
	}
	return ""
}

func (t teller) date(before string, at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return before + at.UTC().Format("2006-01-02 15:04 UTC")
}

func (t teller) alert() string {
	facts := t.c.about.TLS
	if facts == nil || facts.Alert < 0 {
		return ""
	}
	return fmt.Sprintf(" (alert %d, %s)", facts.Alert, alertName(facts.Alert))
}
