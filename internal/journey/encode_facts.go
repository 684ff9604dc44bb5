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
	o := optional{&in, mask}
	a.DNS = &DNSFacts{
		Name: o.text(dnsName), Server: o.text(dnsServer), RCode: o.text(dnsRCode), Err: o.text(dnsErr),
		NotFound: mask&dnsNotFound != 0, Timeout: mask&dnsTimeout != 0,
	}
	r.close(&in)
}

func (r *reader) tls(a *Attempt) {
	in := r.nested()
	mask := in.mask(2)
	o := optional{&in, mask}
	t := &TLSFacts{Asked: o.has(tlsAsked), AfterComplete: o.has(tlsAfterComplete)}
	t.ServerName = o.text(tlsServerName)
	t.Reason = o.text(tlsReason)
	t.Alert = int(o.number(tlsAlert)) - 1
	t.AlertText = o.text(tlsAlertText)
	t.Subject = o.text(tlsSubject)
	t.Issuer = o.text(tlsIssuer)
	if o.has(tlsNames) {
		t.Names = in.strings()
	}
	if o.has(tlsNotBefore) {
		t.NotBefore = in.time()
	}
	if o.has(tlsNotAfter) {
		t.NotAfter = in.time()
	}
	t.Chain = int(o.number(tlsChain))
	if o.has(tlsFirst) {
		t.First = in.bytes()
	}
	t.Err = o.text(tlsErr)
	t.Own = o.text(tlsOwn)
	a.TLS = t
	r.close(&in)
}

func (r *reader) finding(f *fault.Finding) {
	in := r.nested()
	mask := in.mask(2)
	o := optional{&in, mask}
	f.Cause = fault.Cause(o.text(finCause))
	f.Status = int(o.number(finStatus))
	f.Detail = o.text(finDetail)
	f.SafeDetail = o.text(finSafeDetail)
	f.Retry = fault.Verdict(o.text(finRetry))
	f.RetryAfterMS = o.number(finRetryAfter)
	f.Evidence = o.list(finEvidence)
	f.RuledOut = o.list(finRuledOut)
	if o.has(finAttempts) {
		f.Attempts = make([]fault.Attempt, in.count())
		for i := range f.Attempts {
			in.findingAttempt(&f.Attempts[i])
		}
	}
	f.Advice = o.list(finAdvice)
	f.CallerAdvice = o.list(finCallerAdvice)
	if o.has(finProxyParams) {
		f.ProxyParams = make([]fault.Param, in.count())
		for i := range f.ProxyParams {
			in.param(&f.ProxyParams[i])
		}
	}
	f.ReceivedStatus = int(o.number(finReceivedStatus))
	f.Passed = o.has(finPassed)
	f.Confidence = o.text(finConfidence)
	if o.has(finMore) {
		in.findingMore(f)
	}
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
