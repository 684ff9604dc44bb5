package diagnose

import (
	"bytes"
	"fmt"

	"causeway/internal/fault"
	"causeway/internal/journey"
)

// http2Kind names what the HTTP/2 layer of an attempt showed; "" leaves it to the rules of the
// socket, which hold over HTTP/2 as well.
func http2Kind(a *journey.Attempt) fault.Kind {
	h := a.HTTP2
	switch {
	case a.End == journey.EndHTTP2:
		switch h.Signal {
		case journey.HTTP2ALPN:
			return fault.HTTP2NotAgreed
		case journey.HTTP2Ping:
			return fault.HTTP2PingTimeout
		case journey.HTTP2GoAway:
			if h.Code == journey.HTTP2NoError && a.Phase == journey.PhaseBody {
				return fault.HTTP2GoAway // it had begun to answer
			}
			return goAwayKind(h.Code)
		case journey.HTTP2Reset:
			if h.Code == journey.HTTP2RefusedStream && a.Phase == journey.PhaseBody {
				return fault.HTTP2StreamReset // the same
			}
			return resetKind(h.Code)
		}
		return fault.Unclassified
	case a.End == journey.EndTLS && a.TLS != nil && a.TLS.Alert == 120: // no_application_protocol
		return fault.HTTP2NotAgreed
	case h.Signal == journey.HTTP2Preface:
		return prefaceKind(a)
	case a.End == journey.EndParse && a.Fault == journey.FaultHTTP2:
		return fault.MalformedHTTP2
	}
	return ""
}

// prefaceKind is a connection on which HTTP/2 was not begun.
func prefaceKind(a *journey.Attempt) fault.Kind {
	switch a.End {
	case journey.EndTimeout:
		if lastKey(a.Limit) == "connect" {
			return fault.HTTP2HandshakeTimeout
		}
	case journey.EndEOF, journey.EndReset:
		if a.HTTP2.Agreed == "" {
			return fault.NotHTTP2
		}
	case journey.EndParse:
		switch {
		case a.Fault == journey.FaultHTTP2:
			return fault.MalformedHTTP2
		case a.Fault == journey.FaultTLSBytes || isTLSRecord(a.First):
			return fault.PlainToTLSPort
		case answersHTTP1(a.First) || banner(a.First) == "":
			return fault.NotHTTP2
		default:
			return fault.NotHTTP
		}
	}
	return ""
}

func answersHTTP1(first []byte) bool { return bytes.HasPrefix(first, []byte("HTTP/1")) }

// resetKind reads the code of a RST_STREAM (RFC 9113 section 7).
func resetKind(code uint32) fault.Kind {
	switch code {
	case journey.HTTP2RefusedStream:
		return fault.HTTP2StreamRefused
	case journey.HTTP2Cancel:
		return fault.HTTP2StreamCancelled
	case journey.HTTP2InternalError:
		return fault.HTTP2InternalError
	}
	if k := blame(code); k != "" {
		return k
	}
	return fault.HTTP2StreamReset
}

// goAwayKind reads the code of a GOAWAY.
func goAwayKind(code uint32) fault.Kind {
	if code == journey.HTTP2NoError {
		return fault.HTTP2Draining
	}
	if k := blame(code); k != "" {
		return k
	}
	return fault.HTTP2GoAway
}

// blame are the codes that say the same on a stream and on the connection.
func blame(code uint32) fault.Kind {
	switch code {
	case journey.HTTP2EnhanceYourCalm:
		return fault.HTTP2EnhanceYourCalm
	case journey.HTTP2HTTP11Required:
		return fault.HTTP2HTTP11Required
	case journey.HTTP2ProtocolError, journey.HTTP2FlowControl, journey.HTTP2SettingsTimeout, journey.HTTP2StreamClosed,
		journey.HTTP2FrameSize, journey.HTTP2Compression, journey.HTTP2ConnectError, journey.HTTP2InadequateTLS:
		return fault.HTTP2Rejected
	}
	return ""
}

// http2 tells the kinds of HTTP/2.
func (t teller) http2(k fault.Kind) string {
	a, peer := t.c.about, t.peer()
	h := a.HTTP2
	if h == nil {
		return ""
	}
	code := journey.HTTP2Code(h.Code)
	how := "reset the call's stream with " + code
	if h.Signal == journey.HTTP2GoAway {
		how = "ended the connection with GOAWAY, " + code
	}
	when := ", " + phaseText(a.Phase)
	switch a.Phase {
	case journey.PhaseTLS: // there may be none
		when = ", as HTTP/2 was being begun"
	case journey.PhaseBody:
		when = ", after " + bodyProgress(a)
	}
	switch k {
	case fault.NotHTTP2:
		switch {
		case answersHTTP1(a.First):
			return peer + " does not speak HTTP/2: it answered in HTTP/1.1."
		case len(a.First) > 0:
			return peer + " does not speak HTTP/2; its first bytes are something else."
		default:
			return peer + " " + endVerb(a) + " the connection instead of beginning HTTP/2."
		}
	case fault.HTTP2NotAgreed:
		if h.Agreed != "" {
			return peer + " did not agree to HTTP/2 in the TLS handshake; it chose " + quote([]byte(h.Agreed), bannerLimit) + "."
		}
		return peer + " did not agree to HTTP/2 in the TLS handshake" + t.alert() + "."
	case fault.HTTP2HandshakeTimeout:
		return peer + " accepted the connection and did not begin HTTP/2 within " + t.firedLimit("connect") + "."
	case fault.HTTP2StreamRefused:
		if h.Stream == 0 {
			return peer + " lets the gateway begin no further call (SETTINGS_MAX_CONCURRENT_STREAMS)."
		}
		return peer + " refused the call's stream (REFUSED_STREAM): it has not worked on it."
	case fault.HTTP2Draining:
		return peer + " is closing its connections (GOAWAY) and did not work on the call."
	case fault.HTTP2PingTimeout:
		return fmt.Sprintf("%s was no longer there: nothing came for %s, and no answer to a PING%s.", peer, fault.Span(a.Silence), when)
	case fault.MalformedHTTP2:
		return peer + " broke the HTTP/2 protocol" + when + "."
	case fault.HTTP2EnhanceYourCalm, fault.HTTP2HTTP11Required, fault.HTTP2StreamCancelled, fault.HTTP2InternalError,
		fault.HTTP2Rejected, fault.HTTP2StreamReset, fault.HTTP2GoAway:
		return peer + " " + how + when + "."
	case fault.TruncatedBody:
		if h.Ended {
			return fmt.Sprintf("%s ended its answer before the length that it had announced, after %s.", peer, bodyProgress(a))
		}
	}
	return ""
}

// http2Lines tell the stream and how it, or its connection, was ended.
func http2Lines(a *journey.Attempt) []string {
	h := a.HTTP2
	if h == nil {
		return nil
	}
	var lines []string
	if h.Moved > 0 {
		lines = append(lines, plural(int64(h.Moved), "time")+" before, a connection that was closing had turned the call away unworked")
	}
	if h.Stream != 0 {
		line := fmt.Sprintf("HTTP/2 stream %d", h.Stream)
		if h.Streams > 0 {
			line += " beside " + plural(int64(h.Streams), "other call")
		}
		lines = append(lines, line)
	}
	code := fmt.Sprintf("%s (0x%x)", journey.HTTP2Code(h.Code), h.Code)
	switch h.Signal {
	case journey.HTTP2Reset:
		lines = append(lines, "RST_STREAM received: "+code)
	case journey.HTTP2GoAway:
		lines = append(lines, fmt.Sprintf("GOAWAY received: %s, last stream %d%s", code, h.LastStream, debugText(h.Debug)))
	case journey.HTTP2Error:
		lines = append(lines, "ended by the gateway with "+code)
	case journey.HTTP2ALPN:
		lines = append(lines, "ALPN: offered h2, agreed on "+quote([]byte(h.Agreed), bannerLimit))
	case journey.HTTP2Preface:
		if len(a.First) > 0 && a.Fault != journey.FaultNotHTTP && a.Fault != journey.FaultTLSBytes {
			lines = append(lines, "first bytes: "+quote(a.First, bannerLimit))
		} else if len(a.First) == 0 {
			lines = append(lines, "no SETTINGS frame came, nor any other byte")
		}
	}
	if h.Detail != "" {
		lines = append(lines, h.Detail)
	}
	if h.Ended {
		lines = append(lines, "END_STREAM came before the length that Content-Length says")
	}
	if h.Unworked && h.Stream != 0 {
		lines = append(lines, "the upstream did not work on the call")
	}
	return lines
}

func debugText(debug []byte) string {
	if len(debug) == 0 {
		return ""
	}
	return ", debug text " + quote(debug, quoteLimit)
}

// http2End is what ended an answer's body over HTTP/2.
func http2End(a *journey.Attempt) string {
	h := a.HTTP2
	switch {
	case h == nil:
		return ""
	case h.Ended:
		return "END_STREAM"
	case a.End != journey.EndHTTP2:
		return ""
	case h.Signal == journey.HTTP2Reset:
		return "RST_STREAM, " + journey.HTTP2Code(h.Code)
	case h.Signal == journey.HTTP2GoAway:
		return "GOAWAY, " + journey.HTTP2Code(h.Code)
	case h.Signal == journey.HTTP2Ping:
		return "no answer to a PING"
	}
	return ""
}
