package incident

import (
	"slices"
	"strings"
	"time"

	"causeway/internal/fault"
	"causeway/internal/journey"
)

// occurrence is one failure of one call.
type occurrence struct {
	j        *journey.Journey
	at       time.Time
	attempt  int // that it is of, -1 for none
	kind     fault.Kind
	cause    fault.Cause
	target   string
	absorbed bool // the call went well in the end
	finding  *fault.Finding

	side        Side
	provider    string
	model       string
	caller      string
	fingerprint string
}

// describe finds out what the failure is about; false where it is of no incident.
func (o *occurrence) describe() bool {
	e := fault.Lookup(o.kind)
	if e == nil {
		e = fault.Lookup(fault.Unclassified)
	}
	if o.cause = e.Cause; o.finding != nil && o.finding.Cause != "" {
		o.cause = o.finding.Cause
	}
	switch {
	case slices.Contains(never, o.kind):
		return false
	case o.cause == fault.Caller || ofCaller(e):
		if !slices.Contains(refusals, o.kind) {
			return false
		}
		o.side, o.caller, o.target, o.cause = Caller, callerOf(o.j), "", fault.Caller
	case e.At == fault.AtGateway && o.target == "" && o.cause == fault.Gateway:
		o.side = Gateway
	default:
		o.side = Upstream
		if o.provider = o.j.Provider; o.provider != "" {
			switch {
			case slices.Contains(ofProvider, o.kind):
				o.target = ""
			case slices.Contains(ofModel, o.kind):
				o.model = o.j.TargetModel
			}
		}
	}
	i := o.incident()
	o.fingerprint = fingerprintOf(&i)
	return true
}

func callerOf(j *journey.Journey) string {
	if j.Application != "" {
		return j.Application
	}
	return j.Remote
}

// incident is what a first occurrence makes.
func (o *occurrence) incident() Incident {
	i := Incident{
		Kind: o.kind, Cause: o.cause, Side: o.side, Target: o.target, Provider: o.provider, Model: o.model, Caller: o.caller,
		Onset: o.at, LastSeen: o.at,
	}
	if o.side != Gateway {
		i.Services = serviceOf(o.j)
	}
	return i
}

// serviceOf is the service, or the name of the model, that a call was for.
func serviceOf(j *journey.Journey) []string {
	switch {
	case j.Service != "":
		return []string{j.Service}
	case j.Model != "" && len(j.Model) <= 200: // callers choose it
		return []string{j.Model}
	}
	return nil
}

// scopes are the places where a cause of the failure may be found.
func (o *occurrence) scopes() []string {
	var list []string
	if o.side == Caller {
		return nil
	}
	if o.target != "" {
		list = append(list, "t:"+o.target)
	}
	if o.j.Service != "" {
		list = append(list, "s:"+o.j.Service)
	}
	if o.j.Provider != "" {
		list = append(list, "p:"+o.j.Provider)
	}
	return append(list, "g:")
}

// fingerprintOf is what failures of one incident have in common. The cause does not tell them apart: of the same
// refusals one call's rules may have said another than those of the next, which knew more; an incident has that of
// its first finding. The service belongs to it where the failure
// is an answer or has no target: a server that does not listen is one trouble for all services that use it.
func fingerprintOf(i *Incident) string {
	service := ""
	if e := fault.Lookup(i.Kind); i.Side == Upstream && i.Provider == "" && len(i.Services) > 0 && (i.Target == "" || e == nil || e.At != fault.AtUpstreamLink && e.Status == 0) {
		service = i.Services[0]
	}
	return strings.Join([]string{string(i.Side), string(i.Kind), i.Target, service, i.Provider, i.Model, i.Caller}, "\x1f")
}
