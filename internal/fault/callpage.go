package fault

import (
	"strings"
	"time"
)

// callPage is what the template "call" shows.
type callPage struct {
	findingPage
	Request, Who, To, Answer, Took, FirstByte string
	Tunnel, Ended, Cache                      string
	Rows                                      []callRow
	Policies, Notes                           []string
}

type callRow struct {
	Target, Outcome, Took, Why string
	Reused                     bool
	Bars                       []bar
}

// bar is one phase's share of an attempt's time.
type bar struct {
	Name, Took string
	Percent    float64
}

// CallPage appends the page about one call, for CallsPath + id. Without v.Full the targets, the
// notes and the policies are left out, as in Members. v.CallID and v.Time are taken from c.
func CallPage(dst []byte, c *Call, v View) []byte {
	v.CallID, v.Time = c.ID, c.Time
	p := callPage{
		Request: strings.TrimSpace(c.Method + " " + c.Host + c.Path),
		Who:     c.Application, Answer: c.answer(), Took: Span(c.Total),
		To: c.Service,
	}
	if c.Finding != nil {
		p.findingPage = newFindingPage(c.Finding, v)
	} else {
		p.findingPage = findingPage{Heading: "Nothing failed in this call", Reason: statusText(c.Status), Title: "Nothing failed in this call", CallID: c.ID, When: timeText(c.Time)}
	}
	// The rows below tell the attempts with their phases; once is enough.
	p.Attempts = nil
	if c.Model != "" {
		p.To = strings.TrimSpace(p.To + " model " + c.Model)
	}
	if c.FirstByte > 0 {
		p.FirstByte = Span(c.FirstByte)
	}
	p.Cache = c.Cache
	if v.Full {
		p.Policies, p.Notes = c.Policies, c.Notes
		if c.Remote != "" {
			p.Who = strings.TrimSpace(p.Who + " from " + c.Remote)
		}
		if c.Provider != "" {
			p.To += " at " + c.Provider
		}
	}
	if c.Tunnel != nil {
		p.Tunnel, p.Ended = c.Tunnel.flows(), c.Tunnel.ended()
	}
	for i := range c.Attempts {
		p.Rows = append(p.Rows, rowOf(&c.Attempts[i], v.Full))
	}
	return page(dst, "call", p)
}

func rowOf(a *CallAttempt, full bool) callRow {
	r := callRow{Target: "upstream", Outcome: a.outcome(), Took: Span(a.Total), Reused: a.Reused}
	if full {
		r.Target, r.Why = a.Target, a.Why
	}
	var sum time.Duration
	for _, p := range a.Phases {
		sum += p.Took
	}
	for _, p := range a.Phases {
		b := bar{Name: p.Name, Took: Span(p.Took)}
		if sum > 0 {
			b.Percent = float64(p.Took*1000/sum) / 10
		}
		r.Bars = append(r.Bars, b)
	}
	return r
}
