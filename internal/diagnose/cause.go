package diagnose

import (
	"fmt"
	"syscall"
	"time"

	"causeway/internal/fault"
	"causeway/internal/journey"
)

// refinements say how a target's past moves the cause of a kind: never is for a target that has
// not answered under this configuration, ever for one that has.
var refinements = []struct {
	kind        fault.Kind
	never, ever fault.Cause
}{
	{fault.DNSNotFound, fault.Configuration, fault.Network},
	{fault.DNSNoAddress, fault.Configuration, fault.Configuration},
	{fault.ConnectionRefused, fault.Configuration, fault.Software},
	{fault.SocketMissing, fault.Configuration, fault.Software},
	{fault.ConnectTimeout, fault.Configuration, fault.Network},
	{fault.TLSUnknownAuthority, fault.Configuration, fault.Configuration},
	{fault.TLSNameMismatch, fault.Configuration, fault.IncompatibleChange},
	{fault.TLSPinMismatch, fault.Configuration, fault.IncompatibleChange},
	{fault.TLSClientCertificate, fault.Configuration, fault.IncompatibleChange},
	{fault.TLSVersionMismatch, fault.Configuration, fault.IncompatibleChange},
	{fault.TLSUnrecognizedName, fault.Configuration, fault.IncompatibleChange},
	{fault.TLSToPlainPort, fault.Configuration, fault.IncompatibleChange},
	{fault.PlainToTLSPort, fault.Configuration, fault.IncompatibleChange},
	{fault.TLSHandshakeClosed, fault.Configuration, fault.Network},
	{fault.TLSHandshakeReset, fault.Configuration, fault.Network},
	{fault.TLSHandshakeTimeout, fault.Configuration, fault.Overload},
	{fault.NotHTTP, fault.Configuration, fault.IncompatibleChange},
	{fault.NotHTTP2, fault.Configuration, fault.IncompatibleChange},
	{fault.HTTP2NotAgreed, fault.Configuration, fault.IncompatibleChange},
	{fault.HTTP2HandshakeTimeout, fault.Configuration, fault.Overload},
}

// certain are the kinds that say their cause by themselves; for the others the catalogue's cause
// is only what they usually mean.
var certain = map[fault.Kind]bool{
	fault.DNSNoAddress: true, fault.DNSRefused: true, fault.SocketDenied: true, fault.AddressProhibited: true, fault.EgressDenied: true,
	fault.GatewayPortsExhausted: true, fault.GatewayFilesExhausted: true,
	fault.TLSIntermediateMissing: true, fault.TLSPinMismatch: true, fault.TLSClientCertRejected: true,
	fault.TLSUnknownAuthority: true, fault.TLSCertificateExpired: true, fault.TLSCertificateNotYet: true, fault.TLSNameMismatch: true,
	fault.TLSCertificateInvalid: true, fault.TLSClientCertificate: true, fault.TLSUnrecognizedName: true, fault.TLSToPlainPort: true,
	fault.PlainToTLSPort: true, fault.NotHTTP: true, fault.MalformedResponse: true, fault.ResponseHeaderTooLarge: true,
	fault.FramingConflict: true, fault.UnknownTransferCoding: true, fault.LoopDetected: true, fault.ResponseBodyTooLarge: true,
	fault.NoTarget: true, fault.NoSlot: true, fault.UpstreamError: true, fault.UpstreamRateLimited: true,
	fault.Overloaded: true, fault.QuotaExhausted: true, fault.ProviderRateLimited: true, fault.ProviderKeyRejected: true,
	fault.GRPCUpstreamHTTP1: true, fault.GRPCExhausted: true, fault.GRPCInternal: true, fault.GRPCDataLoss: true,
	fault.WebSocketUpstreamError: true, fault.WebSocketUnavailable: true, fault.WebSocketRefused: true, fault.WebSocketProtocolError: true,
	fault.NotHTTP2: true, fault.HTTP2NotAgreed: true, fault.HTTP2StreamRefused: true, fault.HTTP2EnhanceYourCalm: true,
	fault.HTTP2HTTP11Required: true, fault.MalformedHTTP2: true,
	fault.ProviderError: true, fault.ContextTooLong: true, fault.ContentRefused: true, fault.RegionBlocked: true, fault.UnsupportedFeature: true,
}

// likely are the kinds whose usual cause is the only common one.
var likely = map[fault.Kind]bool{
	fault.TruncatedHeader: true, fault.MalformedChunking: true, fault.UnexpectedUpgrade: true, fault.ClosedBeforeResponse: true,
	fault.HTTP2InternalError: true, fault.HTTP2Draining: true,
	fault.TruncatedBody: true, fault.TunnelClosed: true, fault.TunnelIdleTimeout: true, fault.StaleConnection: true, fault.TLSVersionMismatch: true, fault.UpstreamUnavailable: true,
}

// forgotten is the silence after which an RST in the body is a middlebox that has forgotten the
// connection rather than a program that died.
const forgotten = 30 * time.Second

// cause fills in cause, confidence and what was ruled out. The causes are asked in this order:
// what lies beneath the symptom, what the kernel saw, what the proxy behind us said, what this
// target did before, and only then what the kind usually means.
func (c *judgement) cause(f *fault.Finding) {
	f.Cause, f.Confidence = c.entry.Cause, "possible"
	if likely[c.kind] {
		f.Confidence = "likely"
	}
	if certain[c.kind] || c.entry.Cause == fault.Caller || c.entry.Cause == fault.Gateway && c.kind != fault.Unclassified {
		f.Confidence = "high"
	}
	if beneath, _ := c.beneath(); beneath != nil {
		f.Cause, f.Confidence = beneath.Cause, "likely"
		if c.neverGood(beneath.Kind) {
			for _, r := range refinements {
				if r.kind == beneath.Kind {
					f.Cause = r.never
				}
			}
		}
		return
	}
	if c.byChild(f) {
		f.Pattern = "process_ended"
		return
	}
	if c.behind != nil {
		f.Cause, f.Confidence, f.Pattern = fault.Gateway, "likely", "gateway_host"
		return
	}
	f.RuledOut = append(f.RuledOut, c.hostRuledOut()...)
	if c.kind == fault.ModelNotFound && len(c.in.Attempts) == 0 {
		f.Cause, f.Confidence = fault.Caller, "high" // no provider was asked: the name is not ours
		return
	}
	if c.about != nil && c.about.End == journey.EndErrno && c.about.Errno == syscall.ETIMEDOUT {
		f.Cause, f.Confidence = fault.Network, "likely"
		f.RuledOut = append(f.RuledOut, "a limit of ours: the operating system gave up, because nobody acknowledged its packets")
		return
	}
	if p := nested(c.in.Answer); p != nil && p.Cause != "" {
		f.Cause, f.Confidence = p.Cause, "likely"
		c.byPast(f)
		return
	}
	c.byAnswer(f)
	if (c.kind == fault.ResetMidBody || c.kind == fault.TunnelReset) && c.about != nil && c.about.Silence >= forgotten {
		f.Cause, f.Confidence = fault.Network, "likely"
	}
	c.byHistory(f)
	c.ruleOut(f)
	c.byPast(f)
}

// byAnswer moves what a status commonly means by what the answer shows besides. A 503 is a server that is too busy
// where it says when to come again; made by a proxy that got no answer behind it, it is that server's absence.
func (c *judgement) byAnswer(f *fault.Finding) {
	a := c.in.Answer
	if a == nil {
		return
	}
	switch c.kind {
	case fault.UpstreamUnavailable:
		if p := nested(a); p != nil && p.Hop == HopBehind && !p.Through {
			f.Cause, f.Confidence = fault.Software, "possible"
		} else if a.header("retry-after") == "" {
			f.Confidence = "possible"
		}
	case fault.UpstreamError:
		if a.Status != 500 {
			f.Confidence = "possible"
		}
	}
}

// byHistory applies the table of refinements.
func (c *judgement) byHistory(f *fault.Finding) {
	h := c.in.History
	if !h.Known {
		return
	}
	for _, r := range refinements {
		if r.kind != c.kind {
			continue
		}
		f.Cause = r.never
		if h.EverGood {
			f.Cause = r.ever
			f.RuledOut = append(f.RuledOut, "a wrong address from the start: this target has answered before")
		}
		if f.Confidence == "possible" {
			f.Confidence = "likely"
		}
		return
	}
}

// ruleOut adds what the facts of the attempt exclude.
func (c *judgement) ruleOut(f *fault.Finding) {
	a := c.about
	if a == nil || c.entry.At != fault.AtUpstream && c.entry.At != fault.AtUpstreamLink {
		return
	}
	if a.Phase >= journey.PhaseSend {
		f.RuledOut = append(f.RuledOut, "name, route and port: the connection stood")
	}
	if c.kind == fault.ConnectionRefused && !isUnix(a) {
		f.RuledOut = append(f.RuledOut, "a host that is down or a dropped packet: something answered the connection attempt")
	}
	if (c.kind == fault.ClosedBeforeResponse || c.kind == fault.ResetBeforeResponse) && !a.Reused {
		f.RuledOut = append(f.RuledOut, "a stale kept-alive connection: it was a new one")
	}
	if c.kind == fault.FirstByteTimeout && a.SendComplete {
		f.RuledOut = append(f.RuledOut, "a slow upload: the whole request had been sent")
	}
	if n := c.in.Healthy; n > 0 && c.in.Targets > n && !c.in.Unjudged {
		f.RuledOut = append(f.RuledOut, fmt.Sprintf("the whole service: %d of %d targets are healthy", n, c.in.Targets))
	}
}

// beneath is the catalogue's row of the commonest failure beneath a symptom such as
// no_healthy_target, the earliest of equals, and how many targets have it. It is nil when the
// kind depends on nothing or nothing is known.
func (c *judgement) beneath() (*fault.Entry, int) {
	var best *fault.Entry
	most := 0
	for i, r := range c.in.HealthReasons {
		if !dependsOn(c.entry, r.Kind) {
			continue
		}
		n := 0
		for _, other := range c.in.HealthReasons[i:] {
			if other.Kind == r.Kind {
				n++
			}
		}
		if n > most {
			best, most = fault.Lookup(r.Kind), n
		}
	}
	return best, most
}

// neverGood says whether none of the targets with this trouble has ever given a good answer.
func (c *judgement) neverGood(k fault.Kind) bool {
	for _, r := range c.in.HealthReasons {
		if r.Kind == k && !r.Never {
			return false
		}
	}
	return true
}

func dependsOn(e *fault.Entry, k fault.Kind) bool {
	for _, d := range e.DependsOn {
		if d == k {
			return true
		}
	}
	return false
}
