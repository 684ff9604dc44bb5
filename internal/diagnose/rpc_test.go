package diagnose

import (
	"slices"
	"strings"
	"testing"
	"time"

	"causeway/internal/fault"
	"causeway/internal/journey"
)

// ended is a gRPC call whose upstream's answer ended with a status, passed on.
func ended(code fault.Code) Input {
	in := answered(200, "", "content-type", "application/grpc")
	in.Answer.RPC = &journey.RPC{Form: "grpc", Ended: true, Code: code, Message: "at " + canaryAddress}
	in.Kind = GRPCPassed(code)
	return in
}

// rpcFacts are the cases of gRPC in testdata/expected.tsv.
func rpcFacts() map[string]Input {
	all := map[string]Input{
		"gRPC, the deadline passes while waiting":   post(limited(journey.PhaseWait, RPCLimit, time.Second)),
		"gRPC, the deadline passes in the answer":   post(fires(inBody(journey.EndTimeout, 4096, -1), RPCLimit, time.Second)),
		"gRPC, the deadline passes in connecting":   post(limited(journey.PhaseConnect, RPCLimit, time.Second)),
		"gRPC, the answer ends without a status":    post(withKind(inBody(journey.EndComplete, 4096, -1), fault.GRPCStatusMissing)),
		"gRPC, the upstream agrees to HTTP/1.1":     post(withKind(inBody(journey.EndOpen, 0, -1), fault.GRPCUpstreamHTTP1)),
		"gRPC, the upstream is no HTTP/2 one":       room(fault.GRPCUpstreamHTTP1),
		"gRPC, the call came over HTTP/1.1":         room(fault.GRPCOverHTTP1),
		"gRPC, a web server answers a call":         answered(404, "", "content-type", "text/html").with(func(in *Input) { in.Kind = fault.GRPCStatusMissing }),
		"gRPC, a code that the specification lacks": ended(99),
	}
	for _, code := range []fault.Code{
		fault.CodeUnknown, fault.CodeDeadlineExceeded, fault.CodeResourceExhausted, fault.CodeUnimplemented, fault.CodeInternal,
		fault.CodeUnavailable, fault.CodeDataLoss, fault.CodeUnauthenticated,
	} {
		all["gRPC, the upstream answers "+code.String()] = ended(code)
	}
	return all
}

func withKind(a journey.Attempt, k fault.Kind) journey.Attempt {
	a.Kind = k
	return a
}

func TestGRPCPassed(t *testing.T) {
	for code := range fault.Code(fault.Codes) {
		kind := GRPCPassed(code)
		switch code {
		case fault.CodeOK, fault.CodeCancelled, fault.CodeInvalidArgument, fault.CodeNotFound, fault.CodeAlreadyExists, fault.CodePermissionDenied,
			fault.CodeFailedPrecondition, fault.CodeAborted, fault.CodeOutOfRange:
			if kind != "" {
				t.Errorf("%s is no failure of the upstream, but is called %s", code, kind)
			}
		default:
			// What the upstream said is what our own status would be, had we to give one.
			if got := fault.GRPCCode(kind); got != code {
				t.Errorf("%s is called %s, whose code is %s", code, kind, got)
			}
		}
	}
}

func TestGRPCTelling(t *testing.T) {
	tests := []struct{ name, detail, evidence string }{
		{"gRPC, the deadline passes while waiting", "orders: the call was not done within the 1s that its caller gave it (grpc-timeout); it passed while the answer was awaited, 1.0 s after the last byte.", "the caller's grpc-timeout: 1s; not done 1.0 s after the call's start"},
		{"gRPC, the deadline passes in the answer", "orders: the call was not done within the 1s that its caller gave it (grpc-timeout); its answer had begun, with 4096 bytes of its body.", "got 4096 bytes of a body without declared length, then the call's time was over"},
		{"gRPC, the answer ends without a status", "orders: 10.66.77.88:59001 ended its answer without a gRPC status, after 4096 bytes of its body.", "status 200 received, first byte after 2.0 ms"},
		{"gRPC, the upstream answers UNAVAILABLE", "orders: 10.66.77.88:59001 answered with gRPC status UNAVAILABLE (14) itself; its answer was passed on unchanged.", `gRPC status UNAVAILABLE (14), message "at 10.66.77.88"`},
		{"gRPC, a code that the specification lacks", "orders: 10.66.77.88:59001 answered with gRPC status 99 itself; its answer was passed on unchanged.", `gRPC status 99, message "at 10.66.77.88"`},
	}
	for _, test := range tests {
		f := Judge(rpcFacts()[test.name])
		if f.Detail != test.detail {
			t.Errorf("%s: %q", test.name, f.Detail)
		}
		if !slices.Contains(f.Evidence, test.evidence) {
			t.Errorf("%s: no line %q in\n%s", test.name, test.evidence, strings.Join(f.Evidence, "\n"))
		}
	}
}
