package gateway

import (
	"fmt"

	"causeway/internal/fault"
	"causeway/internal/wire"
)

// refusalFailure names what the door found in a call of a protocol. Nothing of the caller's bytes is in it.
func refusalFailure(why *wire.Refusal, protocol string) failure {
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
		f.kind, f.limit = fault.RequestHeaderTimeout, why.After
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
		if why.Head != nil && why.Head.Part == ":protocol" {
			f.detail = "The protocol that CONNECT asks for (:protocol) is not spoken here: only websocket is."
		}
	case wire.RefuseNoPreamble:
		f.kind = fault.ProxyHeaderMissing
		f.detail = "The connection did not begin with the PROXY protocol header that it must begin with (server.proxy_protocol)."
		f.safe = "The connection did not begin with what it must begin with before the gateway."
	case wire.RefusePreamble:
		f.kind = fault.ProxyHeaderMalformed
		f.detail = "The connection's PROXY protocol header is malformed: " + why.Seen + "."
		f.safe = "The connection's PROXY protocol header is malformed."
		f.evidence = []string{"PROXY protocol header: " + why.Seen}
	default:
		if protocol != "HTTP/2" {
			protocol = "HTTP/1.1"
		}
		f.detail = "The request is not valid " + protocol + ": " + at + "."
	}
	if f.safe == "" {
		f.safe = f.detail
	}
	switch {
	case why.Head == nil:
	case why.Head.Offset < 0: // HTTP/2 has no lines
		f.evidence = append(f.evidence, at)
	default:
		f.evidence = append(f.evidence, fmt.Sprintf("%s, in the line at byte %d", at, why.Head.Offset))
	}
	return f
}
