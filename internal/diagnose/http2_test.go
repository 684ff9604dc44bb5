package diagnose

import (
	"strings"
	"testing"
	"time"

	"causeway/internal/fault"
	"causeway/internal/journey"
)

// overHTTP2 is an attempt on the third stream of a connection that waited for its answer.
func overHTTP2(end journey.End, change func(a *journey.Attempt, h *journey.HTTP2Facts)) journey.Attempt {
	return attempt(func(a *journey.Attempt) {
		a.End = end
		a.HTTP2 = &journey.HTTP2Facts{Stream: 5}
		change(a, a.HTTP2)
	})
}

func rstStream(code uint32) journey.Attempt {
	return overHTTP2(journey.EndHTTP2, func(_ *journey.Attempt, h *journey.HTTP2Facts) {
		h.Signal, h.Code, h.Unworked = journey.HTTP2Reset, code, code == journey.HTTP2RefusedStream
	})
}

func goAway(code, last uint32, debug string) journey.Attempt {
	return overHTTP2(journey.EndHTTP2, func(_ *journey.Attempt, h *journey.HTTP2Facts) {
		h.Signal, h.Code, h.LastStream, h.Debug, h.Unworked = journey.HTTP2GoAway, code, last, []byte(debug), h.Stream > last
	})
}

// noPreface is a connection on which HTTP/2 was not begun.
func noPreface(end journey.End, f journey.ParseFault, first string) journey.Attempt {
	a := overHTTP2(end, func(a *journey.Attempt, h *journey.HTTP2Facts) {
		before(a, journey.PhaseTLS, end)
		a.Fault, a.First = f, []byte(first)
		h.Stream, h.Signal = 0, journey.HTTP2Preface
	})
	if end == journey.EndTimeout {
		a.Limit, a.LimitValue, a.Total = "connect", 2*time.Second, 2*time.Second
	}
	return a
}

func overHTTP2Body(end journey.End, change func(a *journey.Attempt, h *journey.HTTP2Facts)) journey.Attempt {
	a := inBody(end, 10, 100)
	a.HTTP2 = &journey.HTTP2Facts{Stream: 5}
	change(&a, a.HTTP2)
	return a
}

func http2Facts() map[string]Input {
	type A = journey.Attempt
	type H = journey.HTTP2Facts
	notAgreed := func() journey.Attempt {
		return overHTTP2(journey.EndHTTP2, func(a *journey.Attempt, h *journey.HTTP2Facts) {
			before(a, journey.PhaseTLS, journey.EndHTTP2)
			h.Stream, h.Signal, h.Agreed = 0, journey.HTTP2ALPN, "http/1.1"
		})
	}
	broke := func(f journey.ParseFault, detail string) journey.Attempt {
		return overHTTP2(journey.EndParse, func(a *journey.Attempt, h *journey.HTTP2Facts) {
			a.Fault, h.Signal, h.Code, h.Detail = f, journey.HTTP2Error, journey.HTTP2ProtocolError, detail
		})
	}
	return map[string]Input{
		"HTTP/2, RST_STREAM REFUSED_STREAM, POST":                    post(rstStream(7)),
		"HTTP/2, RST_STREAM ENHANCE_YOUR_CALM, POST":                 post(rstStream(0xb)),
		"HTTP/2, RST_STREAM INTERNAL_ERROR, POST":                    post(rstStream(2)),
		"HTTP/2, RST_STREAM INTERNAL_ERROR, GET":                     get(rstStream(2)),
		"HTTP/2, RST_STREAM HTTP_1_1_REQUIRED":                       get(rstStream(0xd)),
		"HTTP/2, RST_STREAM PROTOCOL_ERROR":                          get(rstStream(1)),
		"HTTP/2, RST_STREAM CANCEL, POST":                            post(rstStream(8)),
		"HTTP/2, RST_STREAM CANCEL in the body, GET":                 get(overHTTP2Body(journey.EndHTTP2, func(_ *A, h *H) { h.Signal, h.Code = journey.HTTP2Reset, 8 })),
		"HTTP/2, RST_STREAM of an unknown code, POST":                post(rstStream(0x1234)),
		"HTTP/2, RST_STREAM REFUSED_STREAM in the body, POST":        post(overHTTP2Body(journey.EndHTTP2, func(_ *A, h *H) { h.Signal, h.Code = journey.HTTP2Reset, 7 })),
		"HTTP/2, GOAWAY NO_ERROR below the stream in the body, POST": post(overHTTP2Body(journey.EndHTTP2, func(_ *A, h *H) { h.Signal, h.LastStream = journey.HTTP2GoAway, 3 })),
		"HTTP/2, a frame out of place where SETTINGS should be": get(overHTTP2(journey.EndParse, func(a *A, h *H) {
			before(a, journey.PhaseTLS, journey.EndParse)
			a.Fault, h.Stream, h.Signal, h.Detail = journey.FaultHTTP2, 0, journey.HTTP2Preface, "its first frame is not SETTINGS"
		})),
		"HTTP/2, no stream is allowed": post(overHTTP2(journey.EndHTTP2, func(a *A, h *H) {
			before(a, journey.PhaseTLS, journey.EndHTTP2)
			h.Stream, h.Signal, h.Code, h.Unworked = 0, journey.HTTP2Reset, 7, true
		})),

		"HTTP/2, GOAWAY NO_ERROR, stream above the last, POST":       post(goAway(0, 3, "")),
		"HTTP/2, GOAWAY ENHANCE_YOUR_CALM too_many_pings, POST":      post(goAway(0xb, 5, "too_many_pings")),
		"HTTP/2, GOAWAY INTERNAL_ERROR, stream above the last, POST": post(goAway(2, 3, "shutting down "+canarySecret[:3])),
		"HTTP/2, GOAWAY INTERNAL_ERROR, stream worked on, POST":      post(goAway(2, 5, "")),
		"HTTP/2, GOAWAY PROTOCOL_ERROR, POST":                        post(goAway(1, 3, "bad frame")),
		"HTTP/2, closed behind GOAWAY NO_ERROR, stream worked on, POST": post(overHTTP2(journey.EndEOF, func(_ *A, h *H) {
			h.Signal, h.LastStream = journey.HTTP2GoAway, 5
		})),

		"HTTP/2, PING without answer, POST": post(overHTTP2(journey.EndHTTP2, func(a *A, h *H) {
			h.Signal, h.Detail, a.Silence = journey.HTTP2Ping, "no answer to PING within 15s", 45*time.Second
		})),
		"HTTP/2, closed before the answer, with other calls, POST": post(overHTTP2(journey.EndEOF, func(a *A, h *H) { *a, h.Streams = reused(*a), 3; a.HTTP2 = h })),
		"HTTP/2, closed before the answer, idle before, GET":       get(overHTTP2(journey.EndEOF, func(a *A, _ *H) { *a = reused(*a) })),
		"HTTP/2, closed in the body, POST":                         post(overHTTP2Body(journey.EndEOF, func(*A, *H) {})),
		"HTTP/2, END_STREAM before the announced length, POST":     post(overHTTP2Body(journey.EndEOF, func(_ *A, h *H) { h.Ended = true })),
		"HTTP/2, reset before the head was sent, POST": post(overHTTP2(journey.EndReset, func(a *A, h *H) {
			a.Phase, a.BytesOut, a.BodyOut, a.SendComplete, h.Unworked = journey.PhaseSend, 0, 0, false, true
		})),

		"HTTP/2, ALPN agrees on HTTP/1.1":                get(notAgreed()),
		"HTTP/2, ALPN agrees on HTTP/1.1, worked before": get(notAgreed()).worked(),
		"HTTP/2, alert no_application_protocol": get(tlsFailed("alert", 120, nil)).with(func(in *Input) {
			in.Attempts[0].HTTP2 = &journey.HTTP2Facts{}
		}),
		"HTTP/2, the preface is answered in HTTP/1.1":        get(noPreface(journey.EndParse, journey.FaultNotHTTP, "HTTP/1.1 400 Bad Request\r\n")),
		"HTTP/2, the connection is closed on the preface":    get(noPreface(journey.EndEOF, "", "")),
		"HTTP/2, the preface is answered by TLS":             get(noPreface(journey.EndParse, journey.FaultTLSBytes, "\x15\x03\x01\x00\x02\x02\x16")),
		"HTTP/2, the preface is answered by SSH":             get(noPreface(journey.EndParse, journey.FaultNotHTTP, "SSH-2.0-OpenSSH_9.2\r\n")),
		"HTTP/2, nothing answers the preface":                post(noPreface(journey.EndTimeout, "", "")).neverWorked(),
		"HTTP/2, nothing answers the preface, worked before": post(noPreface(journey.EndTimeout, "", "")).worked(),
		"HTTP/2, client certificate required, TLS 1.3": post(attempt(refusedAfterHandshake)).with(func(in *Input) {
			a := &in.Attempts[0]
			a.Phase, a.HTTP2 = journey.PhaseTLS, &journey.HTTP2Facts{Signal: journey.HTTP2Preface, Agreed: "h2"}
		}),
		"HTTP/2, a field name in upper case":  get(broke(journey.FaultFieldName, "a field name is not in lower case")),
		"HTTP/2, header list too large":       get(broke(journey.FaultHeadTooLarge, "")),
		"HTTP/2, a frame out of place, POST":  post(broke(journey.FaultHTTP2, "a DATA frame comes before the answer's head")),
		"HTTP/2, a connection-specific field": get(broke(journey.FaultHTTP2, "the field connection belongs to HTTP/1.1 connections")),
	}
}

func TestHTTP2IsTold(t *testing.T) {
	for name, c := range map[string]struct{ detail, evidence string }{
		"HTTP/2, RST_STREAM INTERNAL_ERROR, POST":               {"reset the call's stream with INTERNAL_ERROR, while the answer was awaited.", "RST_STREAM received: INTERNAL_ERROR (0x2)"},
		"HTTP/2, RST_STREAM CANCEL in the body, GET":            {"reset the call's stream with CANCEL, after 10 of 100 bytes of its body.", "got 10 of 100 body bytes, then RST_STREAM, CANCEL"},
		"HTTP/2, RST_STREAM of an unknown code, POST":           {"with 0x1234", "RST_STREAM received: 0x1234 (0x1234)"},
		"HTTP/2, GOAWAY ENHANCE_YOUR_CALM too_many_pings, POST": {"ended the connection with GOAWAY, ENHANCE_YOUR_CALM", `GOAWAY received: ENHANCE_YOUR_CALM (0xb), last stream 5, debug text "too_many_pings"`},
		"HTTP/2, GOAWAY NO_ERROR, stream above the last, POST":  {"is closing its connections (GOAWAY) and did not work on the call.", "the upstream did not work on the call"},
		"HTTP/2, the preface is answered in HTTP/1.1":           {"it answered in HTTP/1.1.", `first bytes: "HTTP/1.1 400 Bad Request"`},
		"HTTP/2, the connection is closed on the preface":       {"closed the connection instead of beginning HTTP/2.", "no SETTINGS frame came, nor any other byte"},
		"HTTP/2, ALPN agrees on HTTP/1.1":                       {`it chose "http/1.1".`, `ALPN: offered h2, agreed on "http/1.1"`},
		"HTTP/2, END_STREAM before the announced length, POST":  {"ended its answer before the length that it had announced, after 10 of 100 bytes of its body.", "got 10 of 100 body bytes, then END_STREAM"},
		"HTTP/2, a connection-specific field":                   {"broke the HTTP/2 protocol, while the answer was awaited.", "the field connection belongs to HTTP/1.1 connections"},
		"HTTP/2, PING without answer, POST":                     {"nothing came for 45.0 s, and no answer to a PING", "no answer to PING within 15s"},
		"HTTP/2, nothing answers the preface":                   {"did not begin HTTP/2 within timeouts.connect (2s).", "timeouts.connect: 2s"},
	} {
		in, ok := http2Facts()[name]
		if !ok {
			t.Fatalf("no case %q", name)
		}
		f := Judge(in)
		if !strings.Contains(f.Detail, c.detail) {
			t.Errorf("%s: detail %q, want %q in it", name, f.Detail, c.detail)
		}
		if all := strings.Join(f.Evidence, "\n"); !strings.Contains(all, c.evidence) {
			t.Errorf("%s: evidence\n%s\nwant %q in it", name, all, c.evidence)
		}
	}
}

// TestARefusedStreamIsSafeToRepeat also for a call that may not be made twice.
func TestARefusedStreamIsSafeToRepeat(t *testing.T) {
	if f := Judge(post(rstStream(journey.HTTP2RefusedStream))); f.Retry != fault.Safe {
		t.Errorf("%+v", f)
	}
}
