package ledger

import (
	"slices"

	"causeway/internal/journey"
)

// AppendRecord appends the record of a call for Commit to dst. Where it would be larger than
// MaxRecord, it first leaves out the kept bodies, then notes, policies, and the evidence of all but
// the first and last attempt, and at last cuts the texts: a call is never lost for its size.
func AppendRecord(dst []byte, j *journey.Journey) []byte {
	start := len(dst)
	dst = j.AppendRecord(dst)
	if len(dst)-start <= MaxRecord {
		return dst
	}
	small := *j
	for _, lessen := range [...]func(j *journey.Journey){dropBodies, dropNotes, dropAttempts, cutTexts} {
		lessen(&small)
		if dst = small.AppendRecord(dst[:start]); len(dst)-start <= MaxRecord {
			break
		}
	}
	return dst
}

func dropBodies(j *journey.Journey) { j.RequestBody, j.ResponseBody = nil, nil }

func dropNotes(j *journey.Journey) { j.Notes, j.Policies = nil, nil }

func dropAttempts(j *journey.Journey) {
	if n := len(j.Attempts); n > 2 {
		j.Attempts = []journey.Attempt{j.Attempts[0], j.Attempts[n-1]}
	}
}

// cutTexts leaves of every text at most 1 KiB, and of an attempt no more than its plain facts.
func cutTexts(j *journey.Journey) {
	const most = 1 << 10
	for _, s := range [...]*string{
		&j.Remote, &j.Method, &j.Host, &j.Path, &j.Protocol, &j.Service, &j.Route, &j.Application,
		&j.Provider, &j.Model, &j.TargetModel, &j.Dialect, &j.Usage.Source,
	} {
		*s = (*s)[:min(len(*s), most)]
	}
	j.Attempts = slices.Clone(j.Attempts)
	for i := range j.Attempts {
		a := &j.Attempts[i]
		a.Tries, a.DNS, a.TLS, a.First, a.Line = nil, nil, nil, nil, nil
		for _, s := range [...]*string{&a.Target, &a.Address, &a.Limit, &a.Again} {
			*s = (*s)[:min(len(*s), most)]
		}
		a.Fault, a.Kind = a.Fault[:min(len(a.Fault), most)], a.Kind[:min(len(a.Kind), most)]
	}
	if j.Finding == nil {
		return
	}
	f := *j.Finding
	f.Evidence, f.RuledOut, f.Attempts, f.Advice, f.CallerAdvice, f.ProxyParams = nil, nil, nil, nil, nil, nil
	f.Detail, f.SafeDetail = f.Detail[:min(len(f.Detail), most)], f.SafeDetail[:min(len(f.SafeDetail), most)]
	f.Kind, f.Cause = f.Kind[:min(len(f.Kind), most)], f.Cause[:min(len(f.Cause), most)]
	f.Retry, f.Confidence = f.Retry[:min(len(f.Retry), most)], f.Confidence[:min(len(f.Confidence), most)]
	j.Finding = &f
}
