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
	w := &contextWatch{ctx: ctx}
	r := upstream.CheckResult{}
	answer := o.Try(&call, &a, w)
	if answer == nil {
		r.Kind = diagnose.Kind(&a)
		r.Took = time.Since(began)
		r.Text = fmt.Sprintf("GET %s: %s", h.Path, r.Kind)
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
	complete := answer.Complete()
	answer.Release()
	r.Took = time.Since(began)
	r.Kind = diagnose.Kind(&a)
	r.OK = complete
	r.Text = fmt.Sprintf("GET %s: %d", h.Path, r.Status)
	return r
}

// contextWatch cancels a check when its context ends.
type contextWatch struct {
	ctx  context.Context
	stop func() bool
}

func (w *contextWatch) Watch(c wire.Canceller) {
	w.stop = context.AfterFunc(w.ctx, func() { c.Cancel(wire.ReasonDrain) })
}

func (w *contextWatch) Unwatch() {
	if w.stop != nil {
		w.stop()
	}
}
