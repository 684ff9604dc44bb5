package diagnose

import (
	"fmt"
	"time"

	"causeway/internal/fault"
	"causeway/internal/journey"
)

// RPCLimit is what an attempt's Limit says where the caller's own deadline fired and none of ours.
const RPCLimit = "grpc-timeout"

// GRPCPassed is the kind read in the status of an upstream's own gRPC answer, "" for a status that
// says no failure of the upstream: OK, and those with which an application answers no in the ordinary
// course of things (NOT_FOUND, ALREADY_EXISTS, INVALID_ARGUMENT, FAILED_PRECONDITION, ABORTED,
// OUT_OF_RANGE, PERMISSION_DENIED, CANCELLED). A code that the specification does not have counts as
// UNKNOWN, as clients take it.
func GRPCPassed(code fault.Code) fault.Kind {
	switch code {
	case fault.CodeUnknown:
		return fault.GRPCUnknown
	case fault.CodeDeadlineExceeded:
		return fault.GRPCDeadline
	case fault.CodeResourceExhausted:
		return fault.GRPCExhausted
	case fault.CodeUnimplemented:
		return fault.GRPCUnimplemented
	case fault.CodeInternal:
		return fault.GRPCInternal
	case fault.CodeUnavailable:
		return fault.GRPCUnavailable
	case fault.CodeDataLoss:
		return fault.GRPCDataLoss
	case fault.CodeUnauthenticated:
		return fault.GRPCUnauthenticated
	}
	if int(code) >= fault.Codes {
		return fault.GRPCUnknown
	}
	return ""
}

// rpc tells the kinds of gRPC calls.
func (t teller) rpc(k fault.Kind) string {
	a := t.c.about
	switch k {
	case fault.GRPCUpstreamHTTP1:
		return fmt.Sprintf("%s agreed to HTTP/1.1 only, and the call is gRPC, which needs HTTP/2.", t.peer())
	case fault.GRPCStatusMissing:
		return fmt.Sprintf("%s ended its answer without a gRPC status, after %s.", t.peer(), bodyProgress(a))
	case fault.DeadlineExceeded:
		within := "the time that its caller gave it"
		if a.LimitValue > 0 && a.Limit == RPCLimit {
			within = "the " + limit(a.LimitValue) + " that its caller gave it"
		}
		return "the call was not done within " + within + " (grpc-timeout); " + deadlineProgress(a)
	}
	return ""
}

// deadlineProgress is where a call was when its deadline passed.
func deadlineProgress(a *journey.Attempt) string {
	switch {
	case a.Phase >= journey.PhaseBody:
		return "its answer had begun, with " + bodyProgress(a) + "."
	case a.Phase == journey.PhaseWait && a.Silence > time.Millisecond:
		return "it passed " + phaseText(a.Phase) + ", " + fault.Span(a.Silence) + " after the last byte."
	default:
		return "it passed " + phaseText(a.Phase) + "."
	}
}

// rpcEvidence shows an upstream's own gRPC status, for the full view.
func rpcEvidence(p *journey.RPC) []string {
	if p == nil || !p.Ended {
		return nil
	}
	line := "gRPC status " + p.Code.Label()
	if p.Message != "" {
		line += ", message " + quote([]byte(p.Message), quoteLimit)
	}
	return []string{line}
}
