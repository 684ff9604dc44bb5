package journey

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"causeway/internal/fault"
)

// ErrRecord is the error of a record that cannot be read: cut short, damaged, or of a version
// that this program does not know.
var ErrRecord = errors.New("not a readable call record")

// DecodeRecord reads what AppendRecord wrote. It copies what it needs of b. Every error is an
// ErrRecord. It never panics, and for a byte of b it takes at most some hundred bytes of memory.
func DecodeRecord(b []byte) (Journey, error) {
	r := reader{b: b, text: string(b)}
	var j Journey
	mask, err := r.head(&j.ID)
	if err != nil {
		return Journey{}, err
	}
	r.call(&j, mask)
	if r.bad {
		return Journey{}, fmt.Errorf("%w: cut short or damaged", ErrRecord)
	}
	return j, nil
}

// head reads version, mask and id.
func (r *reader) head(id *ID) (mask uint64, err error) {
	if version := r.byte(); version != recordVersion {
		return 0, fmt.Errorf("%w: version %d, this program reads version %d", ErrRecord, version, recordVersion)
	}
	mask = r.mask(maskBytes)
	if mask&hasTextID != 0 {
		text, _ := r.take(uint64(len(id)))
		copy(id[:], text)
	} else if packed, _ := r.take(16); packed != nil {
		*id = unpackID(packed)
	}
	if r.bad {
		return 0, fmt.Errorf("%w: cut short", ErrRecord)
	}
	return mask, nil
}

// start reads the time a call began at.
func (r *reader) start(id ID) time.Time {
	ms, ns := r.int()+idMillis(id), r.uint()
	if ns >= uint64(time.Millisecond) {
		r.fail()
		return time.Time{}
	}
	return time.UnixMilli(ms).Add(time.Duration(ns)).UTC()
}

func (r *reader) call(j *Journey, mask uint64) {
	o := optional{r, mask}
	if o.has(hasStart) {
		j.Start = r.start(j.ID)
	}
	if o.has(hasMethod) {
		j.Method = r.word(methodWords[:])
	}
	j.Path = o.text(hasPath)
	j.Service = o.text(hasService)
	j.Route = o.text(hasRoute)
	j.Application = o.text(hasApplication)
	j.Provider = o.text(hasProvider)
	j.Model = o.text(hasModel)
	j.TargetModel = o.text(hasTargetModel)
	kind := o.text(hasKind)
	j.Status = int(o.number(hasStatus))
	j.Total = time.Duration(o.number(hasTotal))

	j.Remote = o.text(hasRemote)
	j.Host = o.text(hasHost)
	if o.has(hasProtocol) {
		j.Protocol = r.word(protocolWords[:])
	}
	j.Stream, j.TLS, j.Cut = o.has(hasStream), o.has(hasTLS), o.has(hasCut)
	j.BytesIn = o.number(hasBytesIn)
	j.BytesOut = o.number(hasBytesOut)
	if o.has(hasTrace) {
		trace, _ := r.take(uint64(len(j.Trace)))
		copy(j.Trace[:], trace)
	}
	if o.has(hasGeneration) {
		j.Generation = r.uint()
	}
	j.Routed = time.Duration(o.number(hasRouted))
	j.Admitted = time.Duration(o.number(hasAdmitted))
	j.FirstByte = time.Duration(o.number(hasFirstByte))
	if o.has(hasAttempts) {
		j.Attempts = make([]Attempt, r.attemptCount())
		for i := range j.Attempts {
			r.attempt(&j.Attempts[i])
		}
	}
	j.Usage = noUsage
	if o.has(hasUsage) {
		r.usage(&j.Usage)
	}
	if o.has(hasFinding) {
		j.Finding = &fault.Finding{Kind: fault.Kind(kind)}
		r.finding(j.Finding)
	}
	if o.has(hasNotes) {
		r.notes(j)
	}
	if o.has(hasPolicies) {
		j.Policies = r.strings()
	}
	if o.has(hasRequestBody) {
		j.RequestBody = r.bytes()
	}
	if o.has(hasResponseBody) {
		j.ResponseBody = r.bytes()
	}
	j.Dialect = o.text(hasDialect)
	if o.has(hasRPC) {
		j.RPC = r.rpc()
	}
	if o.has(hasGatewayHost) {
		j.GatewayHost = r.host()
	}
	j.Cache = o.text(hasCache)
	if o.has(hasSent) {
		j.Sent = r.sent()
	}
}

// attemptCount reads how many attempts follow. An Attempt is large beside the few bytes it may be
// encoded in, so the count must fit the bytes that are left.
func (r *reader) attemptCount() int {
	n := r.count()
	if n*(1+maskBytes) > len(r.b) {
		r.fail()
		return 0
	}
	return n
}

func (r *reader) usage(u *Usage) {
	in := r.nested()
	for _, n := range [...]*int64{&u.Input, &u.Output, &u.Cached, &u.CacheWrite, &u.Reasoning} {
		*n = in.int()
	}
	u.Source = in.string()
	if len(in.b) > 0 {
		u.BilledInput, u.BilledOutput = in.int(), in.int()
	}
	if len(in.b) > 0 {
		u.Priced, u.Cost = in.uint() == 1, in.int()
	}
	if len(in.b) > 0 {
		x := &UsageExtra{}
		for _, n := range x.counts() {
			*n = in.int()
		}
		x.Batch = in.uint() == 1
		u.Extra = x
	}
	r.close(&in)
}

func (r *reader) notes(j *Journey) {
	j.Notes = make([]Note, r.count())
	for i := range j.Notes {
		in := r.nested()
		j.Notes[i] = Note{At: in.duration(), Room: in.string(), Text: in.string()}
		r.close(&in)
	}
}

func (r *reader) attempt(a *Attempt) {
	in := r.nested()
	mask := in.mask(maskBytes)
	o := optional{&in, mask}
	time := func(bit uint64) time.Duration { return time.Duration(o.number(bit)) }

	a.Target = o.text(attTarget)
	if o.has(attSameAddress) {
		a.Address = targetHost(a.Target)
	}
	if o.has(attAddress) {
		a.Address = in.string()
	}
	a.Start = time(attStart)
	a.Reused = o.has(attReused)
	a.ConnUses = int(o.number(attConnUses))
	a.ConnIdle = time(attConnIdle)
	a.ConnAge = time(attConnAge)
	if o.has(attGood) {
		a.Phase, a.End = PhaseDone, EndComplete
	}
	if o.has(attPhaseEnd) {
		a.Phase, a.End = knownPhase(in.byte()), knownEnd(in.byte())
	}
	a.Errno = syscall.Errno(o.number(attErrno))
	a.Limit = o.text(attLimit)
	a.LimitValue = time(attLimitValue)
	a.DNSTime = time(attDNSTime)
	a.ConnectTime = time(attConnectTime)
	a.TLSTime = time(attTLSTime)
	a.SendTime = time(attSendTime)
	a.FirstByte = time(attFirstByte)
	a.Total = time(attTotal)
	a.BytesOut = o.number(attBytesOut)
	a.BodyOut = o.number(attBodyOut)
	if o.has(attSameOutLen) {
		a.BodyOutLen = a.BodyOut
	}
	if o.has(attBodyOutLen) {
		a.BodyOutLen = in.int()
	}
	a.BytesIn = o.number(attBytesIn)
	a.BodyIn = o.number(attBodyIn)
	if o.has(attSameInLen) {
		a.BodyInLen = a.BodyIn
	}
	if o.has(attBodyInLen) {
		a.BodyInLen = in.int()
	}
	a.Silence = time(attSilence)
	a.SendComplete = o.has(attSendComplete)
	a.Status = int(o.number(attStatus))
	a.Fault = ParseFault(o.text(attFault))
	a.Offset = o.number(attOffset)
	if o.has(attFirst) {
		a.First = in.bytes()
	}
	if o.has(attLine) {
		a.Line = in.bytes()
	}
	if o.has(attTries) {
		in.tries(a)
	}
	if o.has(attDNS) {
		in.dns(a)
	}
	if o.has(attTLS) {
		in.tls(a)
	}
	a.Kind = fault.Kind(o.text(attKind))
	a.Again = o.text(attAgain)
	if o.has(attMore) {
		in.more(a)
	}
	r.close(&in)
}

// knownPhase keeps a phase of a later version from reaching Phase.String, which has no name for it.
func knownPhase(b byte) Phase {
	if int(b) < len(phaseNames) {
		return Phase(b)
	}
	return PhaseNone
}

func knownEnd(b byte) End {
	if int(b) < len(endNames) {
		return End(b)
	}
	return EndOpen
}
