package diagnose

import (
	"time"

	"causeway/internal/fault"
	"causeway/internal/journey"
)

// verdict says whether the caller may repeat the call: "no" when the fault lasts or the caller
// must change something, "safe" when no application can have worked on it or working twice is the
// same as once (contract section 3, Retries), else "may_repeat".
func (c *judgement) verdict() fault.Verdict {
	switch {
	case c.lasts():
		if c.in.LLM && c.entry.Cause != fault.Caller && c.workedBefore() {
			return fault.MayRepeat // a target before the last one may do the next time, and may have done this time
		}
		return fault.No
	case !c.reached(), c.idempotent():
		return fault.Safe
	default:
		return fault.MayRepeat
	}
}

// lasts says whether the same call would fail in the same way until somebody changes something.
func (c *judgement) lasts() bool {
	switch c.kind {
	case fault.TotalTimeout:
		// An answer that was coming all the time takes as long again; a call that waited may not.
		return c.about != nil && c.about.Phase >= journey.PhaseHead
	case fault.IdleTimeout, fault.TruncatedStream, fault.StreamError:
		// Never repeated by us, since the answer had begun; but the next one may well be whole.
		return false
	case fault.DNSNotFound:
		if c.in.History.Known && c.in.History.EverGood {
			return false // the name was there, and may be again
		}
	}
	switch c.entry.Again {
	case fault.Never:
		return true
	case fault.Elsewhere:
		return providersWord(c.kind) || c.in.Targets <= c.tried()
	default:
		return false
	}
}

// providersWord are the kinds in which a provider said that this request, or this account, will
// not do.
func providersWord(k fault.Kind) bool {
	switch k {
	case fault.QuotaExhausted, fault.ProviderKeyRejected, fault.ModelNotFound, fault.ContextTooLong,
		fault.ParameterRejected, fault.RegionBlocked, fault.UnsupportedFeature:
		return true
	}
	return false
}

// tried is the number of different targets of this call's attempts, at least one.
func (c *judgement) tried() int {
	n := 0
	for i := range c.in.Attempts {
		seen := false
		for j := range i {
			seen = seen || c.in.Attempts[j].Target == c.in.Attempts[i].Target
		}
		if !seen {
			n++
		}
	}
	return max(n, 1)
}

// reached says whether an application may have worked on the call in any of its attempts.
func (c *judgement) reached() bool {
	switch c.kind {
	case fault.GatewayKilled:
		return true // its record ends before its attempts
	case fault.Unclassified:
		if len(c.in.Attempts) == 0 {
			return true
		}
	}
	list := c.in.Attempts
	if declined(c.kind) && len(list) > 0 {
		list = list[:len(list)-1] // the last one was turned away unworked
	} else if c.in.Answer != nil && !declined(c.kind) {
		return true
	}
	for i := range list {
		if reachedApplication(&list[i]) && !refusedUnworked(kindOf(&list[i])) {
			return true
		}
	}
	return false
}

// workedBefore says whether an attempt before the last one, at another target, may have been worked on and
// failed in a way that need not last.
func (c *judgement) workedBefore() bool {
	n := len(c.in.Attempts)
	for i := range max(n-1, 0) {
		a := &c.in.Attempts[i]
		k := kindOf(a)
		e := fault.Lookup(k)
		if a.Target == c.in.Attempts[n-1].Target || e == nil || e.Again == fault.Never || e.Again == fault.Elsewhere {
			continue
		}
		if reachedApplication(a) && !refusedUnworked(k) {
			return true
		}
	}
	return false
}

// refusedUnworked are the kinds in which an upstream or a provider said that it would not have the call, so that
// it cannot have worked on it.
func refusedUnworked(k fault.Kind) bool {
	return declined(k) || providersWord(k) || k == fault.ContentRefused
}

// declined are the kinds in which the upstream said that it did not take the call.
func declined(k fault.Kind) bool {
	return k == fault.Overloaded || k == fault.ProviderRateLimited || k == fault.UpstreamRateLimited
}

// reachedApplication says whether any byte of the request may have come to an application.
func reachedApplication(a *journey.Attempt) bool {
	switch {
	case a.HTTP2 != nil && a.HTTP2.Unworked:
		return false
	case a.End == journey.EndTLS && a.Phase <= journey.PhaseWait && (Kind(a) == fault.TLSClientCertificate || Kind(a) == fault.TLSClientCertRejected):
		return false // the server's TLS layer refused us before it read the request
	case a.Phase > journey.PhaseSend:
		return true
	default:
		return a.Phase == journey.PhaseSend && a.BytesOut > 0
	}
}

// idempotent says whether working on the call twice does no harm.
func (c *judgement) idempotent() bool {
	if c.about != nil && c.about.Tunnel != nil {
		return false // whatever the method: the messages in it were work
	}
	switch c.in.Method {
	case "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE":
		return true
	}
	return c.in.Idempotent && !c.in.LLM
}

// retryAfter is the pause to tell in milliseconds, 0 when none is known.
func (c *judgement) retryAfter(v fault.Verdict) int64 {
	d := c.in.RetryAfter
	if d <= 0 && v == fault.Safe && c.entry.Again == fault.Always {
		d = c.in.Backoff
	}
	if d <= 0 {
		return 0
	}
	return int64((d + time.Millisecond - 1) / time.Millisecond)
}
