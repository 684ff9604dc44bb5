package wire

import (
	"fmt"
	"io"
	"strings"

	"golang.org/x/net/http2"

	"causeway/internal/journey"
)

// protocolOf is the protocol that a fault has to be met with.
func protocolOf(word string) Protocol {
	return map[string]Protocol{"h2c": ProtocolH2C, "h2": ProtocolHTTP2}[word]
}

// signal looks at what the HTTP/2 layer showed.
func signal(want journey.HTTP2Signal, code http2.ErrCode, more ...func(*journey.HTTP2Facts) bool) check {
	return func(o *outcome) error {
		h := o.HTTP2
		if h == nil || h.Signal != want || h.Code != uint32(code) {
			return fmt.Errorf("HTTP2 is %+v, want %q with %s", h, want, code)
		}
		for i, ok := range more {
			if !ok(h) {
				return fmt.Errorf("HTTP2 is %+v: check %d", h, i)
			}
		}
		return nil
	}
}

func unworked(h *journey.HTTP2Facts) bool { return h.Unworked }
func worked(h *journey.HTTP2Facts) bool   { return !h.Unworked && h.Stream == 1 }

func detail(part string) func(*journey.HTTP2Facts) bool {
	return func(h *journey.HTTP2Facts) bool { return strings.Contains(h.Detail, part) }
}

// debug is the last stream and the text of a GOAWAY.
func debug(last uint32, text string) func(*journey.HTTP2Facts) bool {
	return func(h *journey.HTTP2Facts) bool { return h.LastStream == last && string(h.Debug) == text }
}

func brokeH2(f journey.ParseFault, code http2.ErrCode, part string) fact {
	return fact{journey.PhaseWait, journey.EndParse, []check{faultIs(f), signal(journey.HTTP2Error, code, detail(part))}}
}

// http2FaultFacts are what one attempt at each HTTP/2 fault must say.
func http2FaultFacts() map[string]fact {
	const wait, body = journey.PhaseWait, journey.PhaseBody
	reset := func(code http2.ErrCode, more func(*journey.HTTP2Facts) bool) fact {
		return fact{wait, journey.EndHTTP2, []check{signal(journey.HTTP2Reset, code, more)}}
	}
	refused := func(end journey.End, more ...check) fact {
		return fact{journey.PhaseTLS, end, append(more, func(o *outcome) error {
			if o.HTTP2 == nil || o.HTTP2.Signal != journey.HTTP2Preface || o.BytesOut != 0 {
				return fmt.Errorf("%d bytes out, %+v", o.BytesOut, o.HTTP2)
			}
			return nil
		})}
	}
	good := fact{journey.PhaseDone, journey.EndComplete, []check{statusIs(200), bodyIs(3, 3)}}
	return map[string]fact{
		"h2c": good, "h2": good, "h2_goaway_behind": good, "h2_reset_behind": good,

		"h2_refused_stream":    reset(http2.ErrCodeRefusedStream, unworked),
		"h2_enhance_your_calm": reset(http2.ErrCodeEnhanceYourCalm, worked),
		"h2_internal_error":    reset(http2.ErrCodeInternal, worked),
		"h2_http11_required":   reset(http2.ErrCodeHTTP11Required, worked),
		"h2_protocol_error":    reset(http2.ErrCodeProtocol, worked),
		"h2_cancel":            reset(http2.ErrCodeCancel, worked),
		"h2_reset_no_error":    reset(http2.ErrCodeNo, worked),
		"h2_reset_unknown":     reset(0x1234, worked),
		"h2_cancel_mid_body":   {body, journey.EndHTTP2, []check{statusIs(200), bodyIs(10, 100), signal(journey.HTTP2Reset, http2.ErrCodeCancel)}},
		"h2_goaway_draining": {wait, journey.EndHTTP2, []check{signal(journey.HTTP2GoAway, http2.ErrCodeNo, unworked, debug(0, "max_age"), func(h *journey.HTTP2Facts) bool {
			return h.Moved == h2MaxMoves
		})}},
		"h2_goaway_calm":     {wait, journey.EndHTTP2, []check{signal(journey.HTTP2GoAway, http2.ErrCodeEnhanceYourCalm, worked, debug(1, "too_many_pings"))}},
		"h2_goaway_internal": {wait, journey.EndHTTP2, []check{signal(journey.HTTP2GoAway, http2.ErrCodeInternal, worked, debug(1, "worker\x00 died"))}},

		"h2_close_before_response": {wait, journey.EndEOF, []check{signal(journey.HTTP2None, 0, worked)}},
		"h2_reset_before_response": {wait, journey.EndReset, []check{signal(journey.HTTP2None, 0, worked)}},
		"h2_body_cut_fin": {body, journey.EndEOF, []check{statusIs(200), bodyIs(10, -1), func(o *outcome) error {
			if o.err != io.ErrUnexpectedEOF { // io.EOF would make it whole
				return fmt.Errorf("the body ends with %v", o.err)
			}
			return nil
		}}},
		"h2_body_cut_rst": {body, journey.EndReset, []check{statusIs(200), bodyIs(10, 100)}},
		"h2_body_short": {body, journey.EndEOF, []check{statusIs(200), bodyIs(10, 100), signal(journey.HTTP2None, 0, func(h *journey.HTTP2Facts) bool {
			return h.Ended
		})}},
		"h2_first_byte": {wait, journey.EndTimeout, []check{limitIs("first_byte", short)}},
		"h2_stall":      {body, journey.EndTimeout, []check{limitIs("idle", short), bodyIs(10, -1)}},

		"h2c_to_http1":    refused(journey.EndParse, faultIs(journey.FaultNotHTTP), firstIs("HTTP/1.1 400 Bad Request\r\n")),
		"h2c_closed":      refused(journey.EndEOF),
		"h2c_silent":      refused(journey.EndTimeout, limitIs("connect", short)),
		"h2c_to_tls":      refused(journey.EndParse, faultIs(journey.FaultTLSBytes), firstIs("\x15\x03\x03")),
		"h2c_to_ssh":      refused(journey.EndParse, faultIs(journey.FaultNotHTTP), firstIs("SSH-2.0-")),
		"h2_alpn_none":    {journey.PhaseTLS, journey.EndHTTP2, []check{signal(journey.HTTP2ALPN, 0)}},
		"h2_alpn_refused": {journey.PhaseTLS, journey.EndTLS, []check{tlsIs("alert", 120)}},
		"h2_client_certificate": {journey.PhaseTLS, journey.EndTLS, []check{tlsIs("alert", 116, func(f *journey.TLSFacts) bool {
			return f.Asked && f.AfterComplete
		})}},

		"h2_data_first":       brokeH2(journey.FaultHTTP2, http2.ErrCodeProtocol, "before the answer's head"),
		"h2_bad_hpack":        brokeH2(journey.FaultHTTP2, http2.ErrCodeCompression, "HPACK"),
		"h2_frame_too_large":  {body, journey.EndParse, []check{faultIs(journey.FaultHTTP2), signal(journey.HTTP2Error, http2.ErrCodeFrameSize, detail("DATA"))}},
		"h2_window_overflow":  brokeH2(journey.FaultHTTP2, http2.ErrCodeFlowControl, "window too large"),
		"h2_push":             brokeH2(journey.FaultHTTP2, http2.ErrCodeProtocol, "PUSH_PROMISE"),
		"h2_connection_field": brokeH2(journey.FaultHTTP2, http2.ErrCodeProtocol, "connection"),
		"h2_body_long":        {body, journey.EndParse, []check{faultIs(journey.FaultHTTP2), signal(journey.HTTP2Error, http2.ErrCodeProtocol, detail("longer"))}},
		"h2_field_upper_case": brokeH2(journey.FaultFieldName, http2.ErrCodeProtocol, "lower case"),
		"h2_field_newline":    brokeH2(journey.FaultFieldValue, http2.ErrCodeProtocol, "x-broken"),
		"h2_status_missing":   brokeH2(journey.FaultStatusLine, http2.ErrCodeProtocol, "no :status"),
		"h2_status_twice":     brokeH2(journey.FaultStatusLine, http2.ErrCodeProtocol, "twice"),
		"h2_lengths_differ":   brokeH2(journey.FaultContentLength, http2.ErrCodeProtocol, ""),
		"h2_header_too_large": brokeH2(journey.FaultHeadTooLarge, http2.ErrCodeProtocol, "limit"),
		"h2_continuation_flood": {wait, journey.EndParse, []check{
			is("Fault", func(o *outcome) journey.ParseFault { return o.Fault }, journey.FaultHeadTooLarge),
			signal(journey.HTTP2Error, http2.ErrCodeEnhanceYourCalm),
		}},
		"h2_interim_endless": brokeH2(journey.FaultInterim, http2.ErrCodeProtocol, ""),
	}
}

// endTheConnection are the faults after which nothing may be left of the connection; the others are of
// one stream.
var endTheConnection = []string{
	"h2_goaway_behind", "h2_goaway_draining", "h2_goaway_calm", "h2_goaway_internal", "h2_close_before_response", "h2_reset_before_response",
	"h2_body_cut_fin", "h2_body_cut_rst", "h2_bad_hpack", "h2_frame_too_large", "h2_push", "h2_continuation_flood",
}
