package snapshot

import (
	"context"
	"fmt"
	"time"

	"causeway/internal/catalog"
	"causeway/internal/diagnose"
	"causeway/internal/journey"
	"causeway/internal/upstream"
	"causeway/internal/wire"
)

// checkHealth makes one health check: a GET over the road that calls take, so that it fails as they
// would and its failure has a kind.
func checkHealth(ctx context.Context, u *Upstream, h *catalog.Health, target int) upstream.CheckResult {
	began := time.Now()
	o := u.origins[target]
	if h.Type == "tcp" || h.Type == "tls" {
		return checkConnection(ctx, o, h)
	}
	if h.Type == "grpc" {
		return checkGRPC(ctx, u, o, h)
	}
	host := u.Host
	if host == "" || host == "caller" {
		host = o.Host
	}
	call := wire.Call{
		Head: []byte("GET " + o.Prefix + h.Path + " HTTP/1.1\r\nHost: " + host + "\r\nUser-Agent: causeway-health\r\nAccept: */*\r\n\r\n"),
		Limits: wire.AttemptLimits{
			Connect: h.Timeout, Send: h.Timeout, FirstByte: h.Timeout, Idle: h.Timeout, Total: h.Timeout,
			Until: wire.Now() + int64(h.Timeout),
		},
	}
	var a journey.Attempt
	w := &wire.ContextWatch{Context: ctx}
	r := upstream.CheckResult{}
	answer := o.Try(&call, &a, w)
	if answer == nil {
		late := ranOut(&a)
		r.Kind = diagnose.Kind(&a)
		r.Took = time.Since(began)
		r.Text = fmt.Sprintf("GET %s: %s", h.Path, r.Kind)
		if late {
			r.Text += fmt.Sprintf(" (health.timeout is %s)", h.Timeout)
		}
		return r
	}
	r.Status = answer.Response.Status
	for n := 0; n < 1<<20; {
		p, err := answer.Next()
		n += len(p)
		if err != nil {
			break
		}
	}
	// An answer that is longer than anybody would wait for is as good as a whole one.
	r.OK = answer.Complete() || a.End == journey.EndOpen
	answer.Release()
	r.Took = time.Since(began)
	if !r.OK {
		ranOut(&a)
		r.Kind = diagnose.Kind(&a)
		r.Text = fmt.Sprintf("GET %s: %d, and then %s", h.Path, r.Status, r.Kind)
	}
	return r
}

// ranOut tells whether a check took too long. It has one limit for all of its phases: that of the
// phase in which it ended says more than "total", which nobody has set.
func ranOut(a *journey.Attempt) bool {
	if a.End != journey.EndTimeout {
		return false
	}
	switch {
	case a.Limit != "total":
	case a.Phase <= journey.PhaseTLS:
		a.Limit = "connect"
	case a.Phase == journey.PhaseSend:
		a.Limit = "send"
	case a.Phase == journey.PhaseWait:
		a.Limit = "first_byte"
	default:
		a.Limit = "idle"
	}
	return true
}
