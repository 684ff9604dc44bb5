package diagnose

import (
	"fmt"
	"strings"
	"time"

	"causeway/internal/fault"
	"causeway/internal/journey"
)

// owners are timeouts that programs and middleboxes come with, by their value in seconds, the likeliest owner
// first. Sources are the vendors' own pages on their defaults.
var owners = []struct {
	seconds int
	who     string
}{
	{5, "Node's server.keepAliveTimeout, or uvicorn's --timeout-keep-alive"},
	{10, "an AWS load balancer's time to connect"},
	{15, "Envoy's route timeout, or Fastly's first_byte_timeout"},
	{20, "Azure Application Gateway's request timeout"},
	{29, "Amazon API Gateway's integration timeout"},
	{30, "gunicorn's --timeout, Heroku's router, a Google load balancer's or CloudFront's origin timeout"},
	{55, "Heroku's limit on silence"},
	{60, "nginx's proxy_read_timeout, an AWS load balancer's idle timeout, or Apache's Timeout"},
	{75, "nginx's keepalive_timeout"},
	{90, "a vendor's read timeout of 90 s (Cloudflare waits so long for an acknowledgement)"},
	{100, "Cloudflare's limit on an answer (524)"},
	{120, "Cloudflare's or IIS's limit on an answer, or Node's old server.timeout"},
	{125, "Cloudflare's limit on an answer (524)"},
	{180, "a read timeout of 3 min, as of many ingress controllers"},
	{230, "Azure's front end for App Service"},
	{240, "Azure's load balancer's idle timeout"},
	{300, "Node's server.requestTimeout, or an ingress or proxy set to 5 min"},
	{350, "the idle timeout of an AWS network load balancer or NAT gateway"},
	{600, "a load balancer's idle timeout of 10 min (Google's TCP default)"},
	{900, "AWS Lambda's longest run"},
	{3600, "a firewall's or kernel's idle timeout of an hour"},
}

// ownerOf names whose timeout a time looks like; "" for no usual value.
func ownerOf(d time.Duration) (seconds int, who string) {
	for _, o := range owners {
		at := time.Duration(o.seconds) * time.Second
		if d >= at-at/200 && d < at+at/50+50*time.Millisecond {
			return o.seconds, o.who
		}
	}
	return 0, ""
}

// hiddenTimeout: failures come after the same time, and it is none of ours.
func (c *judgement) hiddenTimeout(p *journey.Past, a *journey.Attempt) *pattern {
	if a.End == journey.EndTimeout || !brokeKind(c.kind) && !statusKind(c.kind) && c.kind != fault.TunnelReset && c.kind != fault.TunnelClosed {
		return nil
	}
	e := time.Duration(p.Elapsed.Value)
	if e < time.Second || p.Elapsed.Count < 1 {
		return nil
	}
	seconds, who := ownerOf(e)
	if p.Elapsed.Count < 3 && (seconds == 0 || seconds < 15) || p.Elapsed.Count*2 < p.Elapsed.Of {
		return nil
	}
	x := &pattern{word: "hidden_timeout", cause: fault.Configuration, confidence: "possible"}
	if p.Elapsed.Count >= 3 {
		x.confidence = "likely"
	}
	x.because = fmt.Sprintf("%s ended %s after the request was sent", plural(int64(p.Elapsed.Count), "call"), fault.Span(e))
	if p.Elapsed.Count > 1 {
		x.because = fmt.Sprintf("%d of the last %d failures of this kind came %s after the request was sent", p.Elapsed.Count, p.Elapsed.Of, fault.Span(e))
	}
	x.because += ", and no limit of ours fired: somebody behind us has a limit of that length."
	if who != "" {
		x.because += " It is as long as " + who + "."
		x.advice = []string{"Raise that limit, or have the answer begin sooner: " + who + "."}
	} else {
		x.advice = []string{"Look for a timeout of " + fault.Span(e) + " in the settings of the upstream's server and of every proxy before it."}
	}
	x.check = "A request that takes longer than " + fault.Span(e) + ", sent straight to the program behind: whether it ends there as well."
	return x
}

// tooSoon is what no limit on an answer is below: who gives up before that has not waited.
const tooSoon = 50 * time.Millisecond

// theirTimeout: another proxy gave up on the server behind it.
func (c *judgement) theirTimeout(p *journey.Past, a *journey.Attempt) *pattern {
	n := nested(c.in.Answer)
	if n == nil || n.Through || c.kind != fault.UpstreamTimeout {
		return nil
	}
	x := &pattern{word: "their_timeout", confidence: "likely"}
	if a.FirstByte < tooSoon {
		x.confidence = "possible"
		x.because = fmt.Sprintf("The %d was made by %s, but only %s after the request was sent: nothing was waited for so long. It knew already that the server behind it does not answer, its limit is very short, or the %[1]d is from further behind.", c.in.Answer.Status, n.Vendor, fault.Span(a.FirstByte))
		x.check = "The log of " + n.Vendor + " at the time of this call."
		return x
	}
	x.because = fmt.Sprintf("The %d was made by %s, %s after the request was sent: its limit on the server behind it passed, not one of ours", c.in.Answer.Status, n.Vendor, fault.Span(a.FirstByte))
	if n.Key != "" {
		x.because += " (" + n.Key + ")"
	}
	x.because += "."
	x.check = "The log of " + n.Vendor + " at the time of this call."
	return x
}

// hiddenLimit: bodies break at the same size.
func (c *judgement) hiddenLimit(p *journey.Past, a *journey.Attempt) *pattern {
	switch c.kind {
	case fault.TruncatedBody, fault.ResetMidBody, fault.ResetDuringUpload, fault.SendTimeout:
	default:
		return nil
	}
	n := p.Size.Value
	if p.Size.Count < 3 || n < 512 || p.Size.Count*2 < p.Size.Of || a.BodyInLen == n {
		return nil
	}
	if !p.Good && !p.GoodBefore {
		return nil // a limit lets what is smaller through: where nothing ever was whole, a program breaks off
	}
	x := &pattern{word: "hidden_limit", cause: fault.Configuration, confidence: "likely"}
	way, whose := "answers break", "a buffer or a limit on answers"
	if a.Phase <= journey.PhaseSend {
		way, whose = "uploads break", "a limit on request bodies (nginx client_max_body_size, Express's or Django's body limits, a WAF)"
	}
	x.because = fmt.Sprintf("%d of the last %d %s at exactly %s: that is somebody's limit, and no accident.", p.Size.Count, p.Size.Of, way, bytesText(n))
	x.check = "A body just below and one just above that size, straight to the program behind."
	x.advice = []string{"Look for " + whose + " of " + bytesText(n) + " at the upstream and every proxy before it."}
	return x
}

// portOf is an address's port.
func portOf(addr string) string {
	if i := strings.LastIndexByte(addr, ':'); i >= 0 {
		return addr[i+1:]
	}
	return addr
}

// pastLines are the evidence of what was before: numbers, beside what they are compared with.
func (c *judgement) pastLines() []string {
	p := c.in.Past
	if p == nil || c.about == nil || c.entry.At == fault.AtCaller {
		return nil
	}
	var lines []string
	if p.Streak > 1 {
		lines = append(lines, fmt.Sprintf("failed in a row at this target: %s, the first %s (%s)", plural(int64(p.Streak), "attempt"), agoText(p.RunAgo), p.RunKind))
	}
	slow := waitKind(c.kind) || statusKind(c.kind) || c.kind == fault.ConnectTimeout
	if slow && p.Latency.Samples+p.Latency.Recent >= 4 {
		lines = append(lines, "before: "+latencyText(p.Latency))
	}
	if slow && p.Busy > 1 {
		lines = append(lines, fmt.Sprintf("calls in flight at the target: %d; usual: %d", p.Busy, p.Usual))
	}
	if s := p.Shape; servingKind(c.kind) && s.Failed > 0 && s.OthersGood+s.OthersBad > 0 {
		lines = append(lines, fmt.Sprintf("requests of this shape: %d failed in a row; of other shapes meanwhile: %d good, %d failed", s.Failed, s.OthersGood, s.OthersBad))
	}
	if p.Idle.Count > 1 {
		lines = append(lines, fmt.Sprintf("reused connections that were dead: %d after %s of idleness, of %d", p.Idle.Count, fault.Span(time.Duration(p.Idle.Value)), p.Idle.Of))
	}
	for i, ch := range p.Changes {
		if i == 3 || ch.Ago > time.Hour {
			break
		}
		line := "changed " + agoText(ch.Ago) + ": " + ch.What
		if ch.To != "" {
			line += " " + quote([]byte(ch.From), quoteLimit) + " -> " + quote([]byte(ch.To), quoteLimit)
		}
		lines = append(lines, line)
	}
	if s := p.Siblings; s.Well+s.Failing > 0 {
		lines = append(lines, fmt.Sprintf("other targets of the same upstream, called in the last minute: %d answer, %d cannot be reached", s.Well, s.Failing))
	}
	if o := p.Others; networkKind(c.kind) && o.Well+o.Failing > 0 {
		lines = append(lines, fmt.Sprintf("upstreams on other hosts, called in the last minute: %d answer, %d cannot be reached", o.Well, o.Failing))
	}
	if p.Revised && !p.Good {
		lines = append(lines, "the settings of this upstream were changed "+agoText(p.RevisedAgo)+"; it has not answered since")
	}
	return lines
}
