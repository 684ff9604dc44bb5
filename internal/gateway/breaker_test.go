package gateway

import (
	"testing"
	"time"

	"causeway/internal/fault"
	"causeway/internal/journey"
	"causeway/internal/upstream"
)

// TestWhatAnAttemptSaysOfItsTarget: what a caller can bring about alone must not have a target left alone
// for all others.
func TestWhatAnAttemptSaysOfItsTarget(t *testing.T) {
	const well, bad, away = upstream.WentWell, upstream.WentBad, upstream.WentAway
	whole := func(status int, kind fault.Kind) journey.Attempt {
		return journey.Attempt{End: journey.EndComplete, Status: status, Kind: kind, FirstByte: time.Millisecond}
	}
	timeout := func(kind fault.Kind, first, total time.Duration) journey.Attempt {
		return journey.Attempt{End: journey.EndTimeout, Kind: kind, FirstByte: first, Total: total}
	}
	tunnel := func(kind fault.Kind, facts journey.TunnelFacts) journey.Attempt {
		return journey.Attempt{End: journey.EndComplete, Status: 101, Kind: kind, Tunnel: &facts}
	}
	hour := time.Hour
	for _, test := range []struct {
		name     string
		a        journey.Attempt
		form     rpcForm
		deadline bool
		stream   bool
		want     upstream.Outcome
	}{
		{name: "200", a: whole(200, ""), want: well},
		{name: "404", a: whole(404, ""), want: well},
		{name: "429", a: whole(429, fault.UpstreamRateLimited), want: well},
		{name: "500", a: whole(500, fault.UpstreamError), want: bad},
		{name: "an upstream's gRPC UNAVAILABLE", a: whole(200, fault.GRPCUnavailable), form: rpcGRPC, want: bad},
		{name: "its INTERNAL", a: whole(200, fault.GRPCInternal), form: rpcGRPC, want: bad},
		{name: "its UNKNOWN", a: whole(200, fault.GRPCUnknown), form: rpcGRPC, want: bad},
		{name: "its DATA_LOSS", a: whole(200, fault.GRPCDataLoss), form: rpcGRPC, want: bad},
		{name: "its UNAUTHENTICATED", a: whole(200, fault.GRPCUnauthenticated), form: rpcGRPC, want: well},
		{name: "its UNIMPLEMENTED", a: whole(200, fault.GRPCUnimplemented), form: rpcGRPC, want: well},
		{name: "its RESOURCE_EXHAUSTED", a: whole(200, fault.GRPCExhausted), form: rpcGRPC, want: well},
		{name: "its DEADLINE_EXCEEDED without a deadline", a: whole(200, fault.GRPCDeadline), form: rpcGRPC, want: bad},
		{name: "its DEADLINE_EXCEEDED at the caller's", a: whole(200, fault.GRPCDeadline), form: rpcGRPC, deadline: true, want: away},
		{name: "no status from a gRPC server", a: whole(200, fault.GRPCStatusMissing), form: rpcGRPC, want: bad},
		{name: "404 from a web server", a: whole(404, fault.GRPCStatusMissing), form: rpcGRPC, want: well},
		{name: "503 from a web server", a: whole(503, fault.UpstreamUnavailable), form: rpcGRPC, want: bad},
		{name: "a short deadline", a: timeout(fault.DeadlineExceeded, 0, time.Millisecond), form: rpcGRPC, deadline: true, want: away},
		{name: "a fair deadline without an answer", a: timeout(fault.DeadlineExceeded, 0, 2*time.Second), form: rpcGRPC, deadline: true, want: bad},
		{name: "a fair deadline in an answer", a: timeout(fault.DeadlineExceeded, time.Millisecond, 2*time.Second), form: rpcGRPC, deadline: true, want: away},
		{name: "a short deadline, not named yet", a: journey.Attempt{End: journey.EndTimeout, Limit: "total", Total: time.Millisecond}, form: rpcGRPC, deadline: true, want: away},
		{name: "timeouts.total", a: journey.Attempt{End: journey.EndTimeout, Limit: "total", Total: time.Millisecond}, want: bad},
		{name: "no first byte", a: timeout(fault.FirstByteTimeout, 0, time.Second), want: bad},
		{name: "silence in an answer", a: timeout(fault.IdleTimeout, 1, time.Second), want: bad},
		{name: "silence of both sides of a gRPC stream", a: timeout(fault.IdleTimeout, 1, time.Second), form: rpcGRPC, stream: true, want: away},
		{name: "a silent tunnel", a: tunnel(fault.TunnelIdleTimeout, journey.TunnelFacts{}), want: away},
		{name: "a tunnel that the upstream broke", a: tunnel(fault.TunnelReset, journey.TunnelFacts{}), want: bad},
		{name: "a tunnel that the upstream ended over what is no frame", a: tunnel(fault.TunnelClosed, journey.TunnelFacts{BadFrames: journey.SideCaller}), want: away},
		{name: "a caller that closes with 1002", a: tunnel(fault.WebSocketProtocolError, journey.TunnelFacts{Caller: journey.CloseFrame{Code: 1002}}), want: away},
		{name: "frames of the upstream that are none", a: tunnel(fault.WebSocketProtocolError, journey.TunnelFacts{BadFrames: journey.SideUpstream, Caller: journey.CloseFrame{Code: 1002}}), want: bad},
		{name: "an upstream that refuses what it got (1009)", a: tunnel(fault.WebSocketRefused, journey.TunnelFacts{Upstream: journey.CloseFrame{Code: 1009}}), want: away},
		{name: "a caller that left", a: journey.Attempt{End: journey.EndCaller, Total: hour}, want: away},
		{name: "a gRPC caller that left at its deadline", a: journey.Attempt{End: journey.EndCaller, Total: 2 * time.Second}, form: rpcGRPC, deadline: true, want: bad},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := &call{facts: facts{began: time.Now().Add(-2 * time.Second)}}
			c.rpc.form, c.rpc.deadline = test.form, test.deadline
			if test.deadline {
				c.j.RPC = &journey.RPC{Timeout: 2 * time.Second}
			}
			if test.stream {
				c.stream = &c.limit
			}
			if got, kind, _ := c.outcome(&test.a); got != test.want {
				t.Errorf("it is %v (%s), want %v", got, kind, test.want)
			}
		})
	}
}
