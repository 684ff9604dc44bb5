package gateway

import (
	"fmt"

	"causeway/internal/fault"
	"causeway/internal/wire"
)

// refusalFailure names what the door found. Nothing of the caller's bytes is in it.
func refusalFailure(why *wire.Refusal) failure {
	at := ""
	if why.Head != nil {
		at = fmt.Sprintf("%s: %s", why.Head.Part, why.Head.Reason)
	}
	f := failure{kind: fault.MalformedRequest}
	switch why.Reason {
	case wire.RefuseHeadTooBig:
		f.kind = fault.RequestHeaderTooBig
		f.detail = fmt.Sprintf("The request's header is too large: %s, %s is %s.", why.Seen, why.Limit, why.Value)
		if why.Head != nil {
			f.detail = "The request has too many header fields."
		}
	case wire.RefuseHeadTimeout:
		f.kind = fault.RequestHeaderTimeout
		f.detail = fmt.Sprintf("The request's header was not complete after %s; %s is %s.", fault.Span(why.After), why.Limit, why.Value)
	case wire.RefuseConnections:
		f.kind = fault.TooManyConnections
		f.detail = fmt.Sprintf("This gateway has as many connections as it may: %s is %s.", why.Limit, why.Value)
		f.safe = "This gateway has as many connections as it may."
		f.evidence = []string{"connections: " + why.Seen}
	case wire.RefuseVersion:
		f.kind = fault.VersionNotSupported
		f.detail = "Only HTTP/1.1 and HTTP/1.0 are spoken here."
	case wire.RefuseExpectation:
		f.kind = fault.ExpectationFailed
		f.detail = "The only expectation that is understood is 100-continue."
	case wire.RefuseCoding:
		f.status = 501
		f.detail = "The request's transfer coding is not understood: only chunked is."
	default:
		f.detail = "The request is not valid HTTP/1.1: " + at + "."
	}
	if f.safe == "" {
		f.safe = f.detail
	}
	if why.Head != nil {
		f.evidence = append(f.evidence, fmt.Sprintf("%s, in the line at byte %d", at, why.Head.Offset))
	}
	return f
}
