package gateway

import (
	"strconv"

	"causeway/internal/diagnose"
	"causeway/internal/fault"
	"causeway/internal/journey"
	"causeway/internal/upstream"
)

// tell lets a target's breaker know how the attempt went that has ended.
func (c *call) tell(t *upstream.Target) {
	n := len(c.j.Attempts)
	if n == 0 {
		t.Tell(upstream.WentAway, 0, "", "")
		return
	}
	a := &c.j.Attempts[n-1]
	o, kind, text := outcome(a)
	took := a.FirstByte
	if took == 0 {
		took = a.Total
	}
	t.Tell(o, took, kind, text)
}

// outcome is what an attempt says of its target.
func outcome(a *journey.Attempt) (o upstream.Outcome, kind fault.Kind, text string) {
	switch a.End {
	case journey.EndCaller, journey.EndCancelled, journey.EndHedged:
		return upstream.WentAway, "", ""
	}
	if a.Status >= 500 {
		if kind = a.Kind; kind == "" {
			kind = diagnose.Passed(a.Status, nil)
		}
		return upstream.WentBad, kind, "it answered " + strconv.Itoa(a.Status)
	}
	if kind = a.Kind; kind == "" && a.End != journey.EndComplete {
		kind = diagnose.Kind(a)
	}
	if kind == "" {
		return upstream.WentWell, "", ""
	}
	e := fault.Lookup(kind)
	if e == nil || e.At != fault.AtCaller && e.At != fault.AtGateway {
		title := string(kind)
		if e != nil {
			title = e.Title
		}
		return upstream.WentBad, kind, title
	}
	return upstream.WentAway, "", ""
}
