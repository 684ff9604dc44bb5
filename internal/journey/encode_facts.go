package journey

import (
	"encoding/binary"
	"math"
	"syscall"

	"causeway/internal/fault"
)

func (r *reader) tries(a *Attempt) {
	a.Tries = make([]AddressTry, r.count())
	for i := range a.Tries {
		in := r.nested()
		a.Tries[i] = AddressTry{
			Address: in.string(), Errno: syscall.Errno(in.uint()), Timeout: in.byte() == 1, Took: in.duration(),
		}
		r.close(&in)
	}
}

func (r *reader) dns(a *Attempt) {
	in := r.nested()
	mask := in.mask(1)
	text := func(bit uint64) string {
		if mask&bit != 0 {
			return in.string()
		}
		return ""
	}
	a.DNS = &DNSFacts{
		Name: text(dnsName), Server: text(dnsServer), RCode: text(dnsRCode), Err: text(dnsErr),
		NotFound: mask&dnsNotFound != 0, Timeout: mask&dnsTimeout != 0,
	}
	r.close(&in)
}

func (r *reader) tls(a *Attempt) {
	in := r.nested()
	mask := in.mask(2)
	has := func(bit uint64) bool { return mask&bit != 0 }
	text := func(bit uint64) string {
		if has(bit) {
			return in.string()
		}
		return ""
	}
	number := func(bit uint64) int {
		if has(bit) {
			return int(in.int())
		}
		return 0
	}
	t := &TLSFacts{Asked: has(tlsAsked), AfterComplete: has(tlsAfterComplete)}
	t.ServerName = text(tlsServerName)
	t.Reason = text(tlsReason)
	t.Alert = number(tlsAlert) - 1
	t.AlertText = text(tlsAlertText)
	t.Subject = text(tlsSubject)
	t.Issuer = text(tlsIssuer)
	if has(tlsNames) {
		t.Names = in.strings()
	}
	if has(tlsNotBefore) {
		t.NotBefore = in.time()
	}
	if has(tlsNotAfter) {
		t.NotAfter = in.time()
	}
	t.Chain = number(tlsChain)
	if has(tlsFirst) {
		t.First = in.bytes()
	}
	t.Err = text(tlsErr)
	t.Own = text(tlsOwn)
	a.TLS = t
	r.close(&in)
}

func (r *reader) finding(f *fault.Finding) {
	in := r.nested()
	mask := in.mask(2)
	has := func(bit uint64) bool { return mask&bit != 0 }
	text := func(bit uint64) string {
		if has(bit) {
			return in.string()
		}
		return ""
	}
	number := func(bit uint64) int64 {
		if has(bit) {
			return in.int()
		}
		return 0
	}
	list := func(bit uint64) []string {
		if has(bit) {
			return in.strings()
		}
		return nil
	}
	f.Cause = fault.Cause(text(finCause))
	f.Status = int(number(finStatus))
	f.Detail = text(finDetail)
	f.SafeDetail = text(finSafeDetail)
	f.Retry = fault.Verdict(text(finRetry))
	f.RetryAfterMS = number(finRetryAfter)
	f.Evidence = list(finEvidence)
	f.RuledOut = list(finRuledOut)
	if has(finAttempts) {
		f.Attempts = make([]fault.Attempt, in.count())
		for i := range f.Attempts {
			in.findingAttempt(&f.Attempts[i])
		}
	}
	f.Advice = list(finAdvice)
	f.CallerAdvice = list(finCallerAdvice)
	if has(finProxyParams) {
		f.ProxyParams = make([]fault.Param, in.count())
		for i := range f.ProxyParams {
			in.param(&f.ProxyParams[i])
		}
	}
	f.ReceivedStatus = int(number(finReceivedStatus))
	f.Passed = has(finPassed)
	f.Confidence = text(finConfidence)
	r.close(&in)
}

func appendFindingAttempt(dst []byte, a *fault.Attempt) []byte {
	dst, at := openSized(dst)
	dst = appendString(dst, a.Target)
	dst = appendString(dst, string(a.Kind))
	dst = binary.AppendVarint(dst, int64(a.Status))
	dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(a.MS))
	return closeSized(dst, at)
}

func (r *reader) findingAttempt(a *fault.Attempt) {
	in := r.nested()
	a.Target = in.string()
	a.Kind = fault.Kind(in.string())
	a.Status = int(in.int())
	a.MS = math.Float64frombits(in.mask(8))
	r.close(&in)
}

func appendParam(dst []byte, p *fault.Param) []byte {
	dst, at := openSized(dst)
	dst = append(dst, byte(flag(1, p.IsInt)|flag(2, p.Token)))
	dst = appendString(dst, p.Name)
	dst = appendString(dst, p.Str)
	dst = binary.AppendVarint(dst, p.Int)
	return closeSized(dst, at)
}

func (r *reader) param(p *fault.Param) {
	in := r.nested()
	flags := in.byte()
	p.IsInt, p.Token = flags&1 != 0, flags&2 != 0
	p.Name = in.string()
	p.Str = in.string()
	p.Int = in.int()
	r.close(&in)
}
