package diagnose

import (
	"bytes"
	"fmt"

	"causeway/internal/fault"
	"causeway/internal/journey"
)

// answer tells the kinds of an answer that is not HTTP as it should be.
func (t teller) answer(k fault.Kind) string {
	a, peer := t.c.about, t.peer()
	switch k {
	case fault.NotHTTP:
		if name := banner(firstBytes(a)); name != "" {
			return peer + " does not speak HTTP; its first bytes are those of " + name + "."
		}
		return peer + " does not speak HTTP."
	case fault.MalformedResponse:
		if a.Reused && (a.Fault == journey.FaultNotHTTP || a.Fault == journey.FaultTLSBytes) {
			return peer + " sent bytes beyond the end of its answer before, on a connection that was used again."
		}
		if a.Fault == journey.FaultNotHTTP && strayHTTP(firstBytes(a)) {
			if bytes.HasPrefix(firstBytes(a), []byte("http/")) {
				return peer + " wrote the version in the first line of its answer in small letters."
			}
			if bareStatus(firstBytes(a)) {
				return peer + " wrote the first line of its answer without the HTTP version."
			}
			return peer + " sent something before the first line of its answer, as a program does that prints where its answer goes."
		}
		return peer + " sent an answer that is not valid HTTP: " + faultText(a.Fault) + "."
	case fault.ResponseHeaderTooLarge:
		if a.Fault == journey.FaultHeadTooLarge && a.Offset > 0 {
			return fmt.Sprintf("%s sent an answer with %s: %d bytes had come and it had not ended.", peer, faultText(a.Fault), a.Offset)
		}
		return peer + " sent an answer with " + faultText(a.Fault) + "."
	case fault.FramingConflict:
		return peer + " sent an answer whose length cannot be known: " + faultText(a.Fault) + "."
	case fault.UnknownTransferCoding:
		return peer + " sent an answer in a transfer coding other than chunked."
	case fault.MalformedChunking:
		return fmt.Sprintf("%s sent a chunked body with %s, after %s of it.", peer, faultText(a.Fault), bytesText(a.BodyIn))
	case fault.UnexpectedUpgrade:
		return peer + " switched protocols (101) without being asked to."
	case fault.UpgradeFailed:
		if a.Status == 101 {
			return peer + " switched to another protocol than the one asked for."
		}
		if a.Status != 0 {
			return fmt.Sprintf("%s answered the upgrade with %d instead of switching protocols (101).", peer, a.Status)
		}
		return peer + " did not switch protocols."
	case fault.LoopDetected:
		return "the call came back to this gateway" + t.hide(" by way of "+peer, "") + "."
	}
	return ""
}

// firstBytes are the peer's first bytes, wherever the attempt kept them.
func firstBytes(a *journey.Attempt) []byte {
	if len(a.First) == 0 && a.TLS != nil {
		return a.TLS.First
	}
	return a.First
}

// faultText names what was wrong with the bytes of an answer.
func faultText(f journey.ParseFault) string {
	switch f {
	case journey.FaultStatusLine:
		return "its status line is broken"
	case journey.FaultVersion:
		return "it is of an HTTP version that cannot be spoken here"
	case journey.FaultFieldName:
		return "a header field's name has a character that is not allowed"
	case journey.FaultFieldValue:
		return "a header field's value has a control character"
	case journey.FaultFieldLine:
		return "a line of its header is no header field"
	case journey.FaultHeadTooLarge:
		return "more header bytes than allowed"
	case journey.FaultTooManyFields:
		return "more header fields than allowed"
	case journey.FaultContentLength:
		return "its Content-Length is no number, or there are two that differ"
	case journey.FaultFraming:
		return "it has Content-Length beside Transfer-Encoding"
	case journey.FaultCoding:
		return "its Transfer-Encoding is not chunked"
	case journey.FaultChunk:
		return "a chunk whose size or end is broken"
	case journey.FaultTrailer:
		return "a broken trailer"
	case journey.FaultUpgrade:
		return "it switched protocols without being asked to"
	case journey.FaultInterim:
		return "too many interim (1xx) answers"
	case journey.FaultNotHTTP:
		return "its first bytes are not HTTP"
	case journey.FaultTLSBytes:
		return "its first bytes are TLS"
	case journey.FaultHTTP2:
		return "it is not what HTTP/2 allows"
	default:
		return "its bytes cannot be read"
	}
}

// broken tells the kinds of a request or an answer that broke off or did not come.
func (t teller) broken(k fault.Kind) string {
	a, peer := t.c.about, t.peer()
	switch k {
	case fault.TruncatedHeader:
		return fmt.Sprintf("%s began its answer and %s the connection in its header, after %s.", peer, endVerb(a), bytesText(a.BytesIn))
	case fault.ClosedBeforeResponse:
		return peer + " closed the connection without an answer, " + t.afterSending() + "."
	case fault.ResetBeforeResponse:
		return peer + " reset the connection without an answer, " + t.afterSending() + "."
	case fault.StaleConnection:
		s := peer + " closed a kept-alive connection in the moment it was used again"
		if a.ConnIdle > 0 {
			s += ", after " + fault.Span(a.ConnIdle) + " of idleness"
		}
		return s + "."
	case fault.FirstByteTimeout:
		if t.kernelGaveUp() {
			return peer + " did not acknowledge the request" + t.byKernel()
		}
		if a.Phase == journey.PhaseBody {
			return fmt.Sprintf("%s began a stream and sent none of its content within %s.", peer, t.firedLimit("first_byte"))
		}
		return fmt.Sprintf("%s sent no byte of an answer within %s; nothing came for %s after the last request byte.", peer, t.firedLimit("first_byte"), silence(a))
	case fault.IdleTimeout:
		if t.kernelGaveUp() {
			return peer + " was no longer there in the middle of its answer" + t.byKernel()
		}
		return fmt.Sprintf("%s stalled for %s, after %s; %s.", peer, silence(a), bodyProgress(a), t.limitIs("idle"))
	case fault.TotalTimeout:
		return fmt.Sprintf("the call was not done within %s: it was ended %s, with %s.", t.firedLimit("total"), phaseText(a.Phase), bodyProgress(a))
	case fault.SendTimeout:
		if t.kernelGaveUp() {
			return peer + " did not acknowledge the request while it was being sent" + t.byKernel()
		}
		return fmt.Sprintf("%s took no more of the request for %s: %s; %s.", peer, silence(a), sentProgress(a), t.limitIs("send"))
	case fault.ResetDuringUpload:
		return fmt.Sprintf("%s reset the connection while the request was being sent; %s.", peer, sentProgress(a))
	case fault.TruncatedBody:
		if s := t.tlsCut(); s != "" {
			return s
		}
		return fmt.Sprintf("%s closed the connection in the middle of its answer, after %s.", peer, bodyProgress(a))
	case fault.ResetMidBody:
		return fmt.Sprintf("%s reset the connection in the middle of its answer, after %s.", peer, bodyProgress(a))
	case fault.CallerGone:
		return "the caller left after " + fault.Span(a.Total) + ", " + phaseText(a.Phase) + "."
	case fault.RequestBodyAborted:
		return "the caller broke its upload off; " + sentProgress(a) + "."
	case fault.Unclassified:
		return fmt.Sprintf("the attempt ended in a way that has no name (%s %s%s).", a.End, phaseText(a.Phase), errnoText(a))
	}
	return ""
}

func errnoText(a *journey.Attempt) string {
	if a.Errno == 0 {
		return ""
	}
	return ", " + errnoName(a.Errno)
}

func endVerb(a *journey.Attempt) string {
	if a.End == journey.EndEOF {
		return "closed"
	}
	return "reset"
}

// afterSending is how much had been sent, and how long ago.
func (t teller) afterSending() string {
	a := t.c.about
	if !a.SendComplete && a.Phase == journey.PhaseSend {
		return "while the request was being sent"
	}
	return silence(a) + " after the request was sent"
}

// bodyProgress is how much of the answer had come.
func bodyProgress(a *journey.Attempt) string {
	switch {
	case a.Phase < journey.PhaseHead:
		return "no byte of an answer"
	case a.Phase == journey.PhaseHead:
		return bytesText(a.BytesIn) + " of its header"
	case a.BodyInLen >= 0:
		return fmt.Sprintf("%d of %s of its body", a.BodyIn, plural(a.BodyInLen, "byte"))
	default:
		return bytesText(a.BodyIn) + " of its body"
	}
}

// sentProgress is how much of the request had been sent.
func sentProgress(a *journey.Attempt) string {
	switch {
	case a.BodyOutLen > 0:
		return fmt.Sprintf("%d of %s of its body had been sent", a.BodyOut, plural(a.BodyOutLen, "byte"))
	case a.BodyOut > 0:
		return bytesText(a.BodyOut) + " of its body had been sent"
	default:
		return bytesText(a.BytesOut) + " had been sent"
	}
}

func phaseText(p journey.Phase) string {
	switch p {
	case journey.PhaseDNS:
		return "while the name was being looked up"
	case journey.PhaseConnect:
		return "while the connection was being made"
	case journey.PhaseTLS:
		return "during the TLS handshake"
	case journey.PhaseSend:
		return "while the request was being sent"
	case journey.PhaseWait:
		return "while the answer was awaited"
	case journey.PhaseHead:
		return "in the header of the answer"
	case journey.PhaseBody:
		return "in the body of the answer"
	case journey.PhaseDone:
		return "after the answer"
	default:
		return "before it began"
	}
}
