package admin

import "causeway/internal/journey"

// HTTP2 is what the HTTP/2 layer of an attempt showed.
type HTTP2 struct {
	Stream     uint32 `json:"stream,omitempty" example:"5" doc:"The call's stream on the connection. Missing: none was opened."`
	Streams    int    `json:"other_streams,omitempty" doc:"Other calls on the connection when it was opened."`
	Signal     string `json:"signal,omitempty" enum:"rst_stream,goaway,ping,error,preface,alpn" doc:"What ended it, where it was neither the socket nor a limit."`
	Code       string `json:"code,omitempty" example:"REFUSED_STREAM" doc:"The error code that came or, with the signal error, that the gateway sent (RFC 9113 section 7)."`
	LastStream uint32 `json:"last_stream,omitempty" doc:"The last stream that the upstream's GOAWAY names."`
	Debug      string `json:"debug,omitempty" example:"too_many_pings" doc:"The GOAWAY's debug data, escaped."`
	Detail     string `json:"detail,omitempty" doc:"What was wrong."`
	Unworked   bool   `json:"unworked,omitempty" doc:"The upstream can't have worked on the call."`
	Moved      int    `json:"moved,omitempty" doc:"How often, before this, a connection that was being closed had turned the call away."`
	Agreed     string `json:"alpn,omitempty" example:"h2" doc:"What TLS agreed on."`
}

func http2View(h *journey.HTTP2Facts) *HTTP2 {
	if h == nil {
		return nil
	}
	v := &HTTP2{
		Stream: h.Stream, Streams: h.Streams, Signal: string(h.Signal), LastStream: h.LastStream, Debug: escaped(h.Debug),
		Detail: h.Detail, Unworked: h.Unworked, Moved: h.Moved, Agreed: h.Agreed,
	}
	switch h.Signal {
	case journey.HTTP2Reset, journey.HTTP2GoAway, journey.HTTP2Error:
		v.Code = journey.HTTP2Code(h.Code)
	}
	return v
}
