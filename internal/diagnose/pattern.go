package diagnose

import (
	"fmt"

	"causeway/internal/fault"
	"causeway/internal/journey"
)

// pattern is what tells a failure from its twins, which look alike on the socket: found in what is remembered of
// the target and of everybody else.
type pattern struct {
	word       string
	cause      fault.Cause // "" leaves that of the kind
	confidence string      // "" leaves that of the kind
	because    string
	check      string
	advice     []string
}

// patterns are asked in this order; the first that finds something counts. What everybody shares comes before what
// one target shows, what changed before what merely fits, and what rests on many facts before what rests on few.
var patterns = []func(*judgement, *journey.Past, *journey.Attempt) *pattern{
	(*judgement).ourNetwork,
	(*judgement).wrongClock,
	(*judgement).money,
	(*judgement).modelName,
	(*judgement).configChanged,
	(*judgement).neverWorked,
	(*judgement).keepAlive,
	(*judgement).hostDown,
	(*judgement).wentAway,
	(*judgement).upstreamChanged,
	(*judgement).hiddenLimit,
	(*judgement).oneShape,
	(*judgement).noAccept,
	(*judgement).climbed,
	(*judgement).limitTooLow,
	(*judgement).hiddenTimeout,
	(*judgement).theirTimeout,
	(*judgement).stoppedAnswering,
	(*judgement).providerOutage,
	(*judgement).everyRequest,
}

// byPast asks the patterns, where the failure is the upstream's or on the way to it.
func (c *judgement) byPast(f *fault.Finding) {
	p, a := c.in.Past, c.about
	if p == nil || a == nil || c.entry.At != fault.AtUpstream && c.entry.At != fault.AtUpstreamLink && c.kind != fault.StaleConnection && c.kind != fault.ModelNotFound {
		return
	}
	f.RuledOut = append(f.RuledOut, c.pastRuledOut(p)...)
	for _, find := range patterns {
		x := find(c, p, a)
		if x == nil {
			continue
		}
		c.found = x
		f.Pattern, f.Because, f.Check = x.word, x.because, x.check
		if x.cause != "" {
			f.Cause = x.cause
		}
		if x.confidence != "" {
			f.Confidence = x.confidence
		}
		return
	}
}

// pastRuledOut is what others show that this failure is not.
func (c *judgement) pastRuledOut(p *journey.Past) (lines []string) {
	if networkKind(c.kind) && p.Others.Well > 0 && p.Others.Ago < p.RunAgo+fresh {
		lines = append(lines, fmt.Sprintf("the gateway's own network: %s answered %s", cleanTarget(p.Others.Name), agoText(p.Others.Ago)))
	}
	if reachKind(c.kind) && p.SameHost.Well > 0 && p.SameHost.Ago <= max(p.RunAgo, fresh) {
		lines = append(lines, fmt.Sprintf("the whole host: %s answered %s", cleanTarget(p.SameHost.Name), agoText(p.SameHost.Ago)))
	}
	if dateKind(c.kind) && p.ClockSeen > 0 && p.ClockOff.Abs() < clockWrong {
		lines = append(lines, fmt.Sprintf("a wrong clock on this host: it agrees to %s with the Date of %s", fault.Span(p.ClockOff.Abs()), plural(int64(p.ClockSeen), "other upstream")))
	}
	if p.Streak > 2 && p.Shape.OthersBad > 0 && p.Shape.OthersGood == 0 && servingKind(c.kind) {
		lines = append(lines, "one request that it cannot cope with: requests of other shapes fail as well")
	}
	return lines
}

// The groups of kinds that patterns are about.

// networkKind are those that a network shows which is broken for all alike.
func networkKind(k fault.Kind) bool {
	switch k {
	case fault.DNSServerFailure, fault.DNSTimeout, fault.ConnectTimeout, fault.ConnectReset, fault.Unroutable,
		fault.TLSHandshakeClosed, fault.TLSHandshakeReset, fault.TLSHandshakeTimeout:
		return true
	}
	return false
}

// reachKind are those in which no connection came about.
func reachKind(k fault.Kind) bool {
	return k == fault.ConnectionRefused || k == fault.ConnectTimeout || k == fault.Unroutable || k == fault.ConnectReset
}

// dateKind are those that a clock can cause.
func dateKind(k fault.Kind) bool {
	return k == fault.TLSCertificateExpired || k == fault.TLSCertificateNotYet
}

// brokeKind are those in which a server that had the request broke off.
func brokeKind(k fault.Kind) bool {
	switch k {
	case fault.StaleConnection, fault.ClosedBeforeResponse, fault.ResetBeforeResponse, fault.TruncatedHeader, fault.TruncatedBody, fault.ResetMidBody,
		fault.TruncatedStream, fault.HTTP2StreamReset, fault.HTTP2InternalError:
		return true
	}
	return false
}

// waitKind are those in which a server took too long.
func waitKind(k fault.Kind) bool {
	switch k {
	case fault.FirstByteTimeout, fault.IdleTimeout, fault.TotalTimeout, fault.SendTimeout, fault.DeadlineExceeded:
		return true
	}
	return false
}

// statusKind are those in which a server said itself that it is in trouble.
func statusKind(k fault.Kind) bool {
	switch k {
	case fault.UpstreamError, fault.UpstreamBadGateway, fault.UpstreamUnavailable, fault.UpstreamTimeout,
		fault.ProviderError, fault.Overloaded, fault.GRPCInternal, fault.GRPCUnavailable, fault.GRPCUnknown:
		return true
	}
	return false
}

// servingKind are those in which the server had the request.
func servingKind(k fault.Kind) bool { return brokeKind(k) || waitKind(k) || statusKind(k) }

// check is the one thing that would settle the verdict: the pattern's, else what the kind suggests.
func (c *judgement) check(f *fault.Finding) string {
	a := c.about
	if f.Check != "" || a == nil || f.Confidence == "high" {
		return f.Check
	}
	addr, target := address(a), cleanTarget(a.Target)
	switch c.kind {
	case fault.ConnectionRefused:
		if isUnix(a) {
			return "On this host: ss -lx | grep " + addr + " shows whether a process listens."
		}
		return "On the upstream's host: ss -ltnp shows who listens on port " + portOf(addr) + "."
	case fault.ConnectTimeout:
		return "On the upstream's host, while it happens: ss -ltn for port " + portOf(addr) + ". Recv-Q above Send-Q is a full accept queue; no such line is a wrong port; an empty queue is a dropped packet."
	case fault.DNSNotFound, fault.DNSNoAddress, fault.DNSServerFailure, fault.DNSTimeout, fault.DNSRefused:
		return "On the gateway's host: getent hosts " + hostOf(a.Target)
	}
	switch {
	case brokeKind(c.kind):
		return "The upstream's own log at the moment of this call: a crash, a worker's timeout or an out-of-memory kill is named there. With none, repeat the request with curl -v " + target + " from the gateway's host."
	case waitKind(c.kind):
		return "The same request with curl -v -m 120 " + target + " from the gateway's host: it shows how long the upstream itself takes."
	case statusKind(c.kind):
		return "The upstream's own log at the moment of this call."
	}
	return ""
}

// warning is what repeating a call may do twice. It holds no address: callers are told.
func (c *judgement) warning(v fault.Verdict) string {
	if v != fault.MayRepeat {
		return ""
	}
	if c.in.LLM {
		return "The provider may have worked on this call already and may bill it: repeated, it may be billed twice."
	}
	what := "the request"
	if m := c.in.Method; m != "" {
		what = "the " + clip(m, 16)
	}
	return "The upstream may have done the work of " + what + " already: repeated, it may be done twice. An Idempotency-Key that the upstream honours makes it safe."
}

// foreignAdvice is where to look when another proxy has made the answer.
func (c *judgement) foreignAdvice() []string {
	if p := nested(c.in.Answer); p != nil {
		return clipped(p.Advice)
	}
	return nil
}
