package gateway

import (
	"strconv"
	"time"

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
	o, kind, text := c.outcome(a)
	took := a.FirstByte
	if took == 0 {
		took = a.Total
	}
	t.Tell(o, took, kind, text)
}

// outcome is what an attempt says of its target. What a caller can bring about by itself, with a bad
// token, a name that is not there, a message too long, a silent stream or a deadline too short, is not
// held against the target: else one caller could have it left alone for all others.
func (c *call) outcome(a *journey.Attempt) (o upstream.Outcome, kind fault.Kind, text string) {
	kind = a.Kind
	switch a.End {
	case journey.EndCancelled, journey.EndHedged:
		return upstream.WentAway, "", ""
	case journey.EndCaller:
		if kind = c.goneKind(); kind == fault.CallerGone {
			return upstream.WentAway, "", ""
		}
	}
	if a.Status >= 500 {
		if kind == "" {
			kind = diagnose.Passed(a.Status, nil)
		}
		return upstream.WentBad, kind, "it answered " + strconv.Itoa(a.Status)
	}
	if kind == "" && a.End != journey.EndComplete {
		// The record is closed later: what it says then is found here the same way.
		if kind = diagnose.Kind(a); c.metDeadline(a) {
			kind = fault.DeadlineExceeded
		}
	}
	switch kind {
	case "", fault.UpstreamRateLimited, fault.GRPCUnauthenticated, fault.GRPCUnimplemented, fault.GRPCExhausted:
		return upstream.WentWell, "", ""
	case fault.GRPCStatusMissing:
		if a.Status != 200 { // 404 of a web server, say
			return upstream.WentWell, "", ""
		}
	case fault.DeadlineExceeded, fault.GRPCDeadline:
		if c.rpc.deadline && (a.FirstByte > 0 || min(a.Total, c.j.RPC.Timeout) < fairWait) {
			return upstream.WentAway, "", ""
		}
	case fault.IdleTimeout, fault.TunnelIdleTimeout:
		if a.Tunnel != nil || c.rpc.form == rpcGRPC && c.stream != nil && !c.limit.whole.Load() {
			return upstream.WentAway, "", "" // it may be the caller who had nothing to say
		}
	case fault.WebSocketProtocolError:
		if t := a.Tunnel; t != nil && t.BadFrames != journey.SideUpstream {
			return upstream.WentAway, "", "" // it is the caller's word alone
		}
	case fault.TunnelClosed, fault.TunnelReset:
		if t := a.Tunnel; t != nil && t.BadFrames == journey.SideCaller {
			return upstream.WentAway, "", "" // servers hang up on what is no frame
		}
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

// fairWait is the shortest time without a byte of an answer that says something of a target, where it was
// the caller's deadline that ended it.
const fairWait = time.Second
