package diagnose

import (
	"strings"
	"testing"
	"time"

	"causeway/internal/fault"
	"causeway/internal/journey"
)

// tunnelled is a call whose WebSocket ended so, after one message each way.
func tunnelled(e journey.End, change func(a *journey.Attempt, t *journey.TunnelFacts)) Input {
	a := attempt(func(a *journey.Attempt) {
		a.Phase, a.End, a.Status, a.FirstByte, a.Total = journey.PhaseBody, e, 101, 2*time.Millisecond, time.Minute
		a.BodyOutLen, a.BodyIn, a.BodyInLen = 0, 0, 0
		a.Tunnel = &journey.TunnelFacts{Protocol: "websocket", WebSocket: true, Up: 120, Down: 64, MessagesUp: 3, MessagesDown: 1}
		if change != nil {
			change(a, a.Tunnel)
		}
	})
	in := get(a)
	in.Status = 101
	return in
}

// closedWith is a WebSocket that a side closed with a code; the other one answered with the same.
func closedWith(by journey.Side, code int) Input {
	return tunnelled(journey.EndComplete, func(_ *journey.Attempt, t *journey.TunnelFacts) {
		frame := journey.CloseFrame{Code: code, Reason: "at " + canaryHost}
		t.By, t.Caller, t.Upstream = by, frame, frame
	})
}

// tunnelFacts are the cases of tunnels in testdata/expected.tsv.
func tunnelFacts() map[string]Input {
	by := func(s journey.Side) func(*journey.Attempt, *journey.TunnelFacts) {
		return func(a *journey.Attempt, t *journey.TunnelFacts) {
			t.By = s
			if a.End == journey.EndTimeout {
				a.Limit, a.LimitValue, a.Silence = "idle", time.Minute, time.Minute
			}
		}
	}
	return map[string]Input{
		"a tunnel is reset": tunnelled(journey.EndReset, by(journey.SideUpstream)),
		"a tunnel is reset after a long silence": tunnelled(journey.EndReset, func(a *journey.Attempt, t *journey.TunnelFacts) {
			t.By, a.Silence = journey.SideUpstream, 350*time.Second
		}),
		"a WebSocket ends without a close frame": tunnelled(journey.EndEOF, by(journey.SideUpstream)),
		"a tunnel is silent for too long":        tunnelled(journey.EndTimeout, by(journey.SideGateway)),
		"a tunnel is ended by a stop":            tunnelled(journey.EndCancelled, by(journey.SideGateway)),
		"a WebSocket, closed with 1011":          closedWith(journey.SideUpstream, 1011),
		"a WebSocket, closed with 1012":          closedWith(journey.SideUpstream, 1012),
		"a WebSocket, closed with 1013":          closedWith(journey.SideUpstream, 1013),
		"a WebSocket, closed with 1008":          closedWith(journey.SideUpstream, 1008),
		"a WebSocket, closed with 1009":          closedWith(journey.SideUpstream, 1009),
		"a WebSocket, 1002 from the caller":      closedWith(journey.SideCaller, 1002),
		"a WebSocket without frames": tunnelled(journey.EndComplete, func(_ *journey.Attempt, t *journey.TunnelFacts) {
			t.By, t.BadFrames, t.Problem = journey.SideCaller, journey.SideUpstream, "a frame is masked"
		}),
	}
}

func TestOrdinaryClosesAreNoFailures(t *testing.T) {
	for _, code := range []int{1000, 1001, 1005, 3000, 4999} {
		for _, by := range []journey.Side{journey.SideCaller, journey.SideUpstream} {
			in := closedWith(by, code)
			if f := Judge(in); f != nil {
				t.Errorf("%d from the %s is called %s", code, by, f.Kind)
			}
		}
	}
	// The echo of the other side's code is no statement of one's own.
	for _, code := range []int{1011, 1012, 1008} {
		if f := Judge(closedWith(journey.SideCaller, code)); f != nil {
			t.Errorf("%d that the caller began with is called %s", code, f.Kind)
		}
	}
	if f := Judge(closedWith(journey.SideUpstream, 1002)); f == nil || f.Kind != fault.WebSocketRefused {
		t.Errorf("1002 that the upstream began with: %+v", f)
	}
}

func TestATunnelTellsWhatPassed(t *testing.T) {
	for name, want := range map[string]string{
		"a tunnel is reset":                      "reset the connection of the WebSocket, after 1 message (64 bytes) to the caller and 3 messages (120 bytes) to the upstream.",
		"a WebSocket ends without a close frame": "closed the connection of the WebSocket without a close frame, after 1 message",
		"a tunnel is silent for too long":        "nothing moved in the WebSocket in either direction for 1 min, after 1 message (64 bytes) to the caller and 3 messages (120 bytes) to the upstream; timeouts.idle is 1m.",
		"a WebSocket, closed with 1011":          "closed the WebSocket with 1011 (internal error)",
		"a WebSocket without frames":             "sent bytes that are no WebSocket frames: a frame is masked.",
		"a WebSocket, 1002 from the caller":      "the caller closed the WebSocket with 1002 (protocol error)",
	} {
		f := Judge(tunnelFacts()[name])
		if f == nil || !strings.Contains(f.Detail, want) {
			t.Errorf("%s: got %+v, want %q", name, f, want)
			continue
		}
		all := f.Detail + strings.Join(f.Evidence, "\n")
		if strings.Contains(all, "0 of 0") || strings.Contains(all, "body") {
			t.Errorf("%s is told as a body: %s", name, all)
		}
	}
	f := Judge(tunnelFacts()["a WebSocket, closed with 1011"])
	if !strings.Contains(f.Detail, canaryHost) || strings.Contains(f.SafeDetail, canaryHost) {
		t.Errorf("the reason belongs to the full view: %q and %q", f.Detail, f.SafeDetail)
	}
}
