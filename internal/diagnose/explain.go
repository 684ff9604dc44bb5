package diagnose

import (
	"time"

	"causeway/internal/fault"
	"causeway/internal/journey"
)

// Explain is the call of a journey as pages and causeway explain tell it. The result shares the
// journey's finding and policies; the journey must not be reset while it is in use.
func Explain(j *journey.Journey) *fault.Call {
	c := &fault.Call{
		ID: j.ID.String(), Time: j.Start, Method: j.Method, Host: j.Host, Path: j.Path, Protocol: j.Protocol,
		Remote: j.Remote, Application: j.Application, Service: j.Service, Route: j.Route, Provider: j.Provider, Model: j.Model,
		Status: j.Status, Cut: j.Cut, FirstByte: j.FirstByte, Total: j.Total, BytesIn: j.BytesIn, BytesOut: j.BytesOut,
		Cache: j.Cache, Policies: j.Policies, Finding: j.Finding,
	}
	if p := j.RPC; p != nil {
		c.RPC = &fault.CallRPC{Form: p.Form, Timeout: p.Timeout, Ended: p.Ended, Code: p.Code, Message: p.Message, Own: p.Own}
	}
	for i := range j.Attempts {
		a := &j.Attempts[i]
		c.Tunnel = tunnelOf(a.Tunnel)
		c.Attempts = append(c.Attempts, fault.CallAttempt{
			Target: cleanTarget(a.Target), Address: a.Address, Start: a.Start, Total: a.Total,
			Kind: kindOf(a), Status: a.Status, Reused: a.Reused, Phases: phases(a), Why: a.Again,
		})
	}
	for _, n := range j.Notes {
		c.Notes = append(c.Notes, fault.Span(n.At)+" "+n.Room+": "+n.Text)
	}
	return c
}

// phases is where an attempt's time went: every phase that took any, and what is left of the
// total as the reading of the answer (or the wait for one that never came).
func phases(a *journey.Attempt) []fault.PhaseTime {
	var list []fault.PhaseTime
	rest := a.Total
	add := func(name string, d time.Duration) {
		if d > 0 {
			list = append(list, fault.PhaseTime{Name: name, Took: d})
			rest -= d
		}
	}
	add("dns", a.DNSTime)
	add("connect", a.ConnectTime)
	add("tls", a.TLSTime)
	add("send", a.SendTime)
	add("wait", a.FirstByte)
	switch {
	case a.Tunnel != nil:
		add("tunnel", rest)
	case a.FirstByte == 0 && a.Phase == journey.PhaseWait:
		add("wait", rest)
	case a.Phase >= journey.PhaseHead:
		add("read", rest)
	}
	return list
}
