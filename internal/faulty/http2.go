package faulty

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"strings"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"causeway/internal/fault"
)

// http2Faults are upstreams that speak HTTP/2, frame by frame (RFC 9113), or should and do not.
func http2Faults() []Fault {
	reset := func(name string, kind fault.Kind, code http2.ErrCode, about string) Fault {
		return Fault{Name: name, Kind: kind, Row: "45", About: about, start: h2c(loopH2(call, rstStream(code)))}
	}
	broken := func(name string, kind fault.Kind, row, about string, script ...step) Fault {
		return Fault{Name: name, Kind: kind, Row: row, About: about, start: h2c(loopH2(append([]step{call}, script...)...))}
	}
	return []Fault{
		{Name: "h2c", About: "a healthy HTTP/2 server without TLS", start: h2c(answerWell)},
		{Name: "h2", About: "a healthy HTTP/2 server over TLS", start: h2(answerWell)},
		{
			Name: "h2_goaway_behind", NoReuse: true,
			About: "a whole answer, then GOAWAY NO_ERROR and FIN: the next call needs another connection",
			start: h2c(call, wellDone, goAway(1, http2.ErrCodeNo, ""), fin),
		},
		{
			Name: "h2_reset_behind", About: "a whole answer, then RST_STREAM NO_ERROR, as for a request whose rest nobody wants",
			start: h2c(loopH2(call, wellDone, rstStream(http2.ErrCodeNo))),
		},

		reset("h2_refused_stream", fault.HTTP2StreamRefused, http2.ErrCodeRefusedStream, "RST_STREAM REFUSED_STREAM: too many calls at a time"),
		reset("h2_enhance_your_calm", fault.HTTP2EnhanceYourCalm, http2.ErrCodeEnhanceYourCalm, "RST_STREAM ENHANCE_YOUR_CALM"),
		reset("h2_internal_error", fault.HTTP2InternalError, http2.ErrCodeInternal, "RST_STREAM INTERNAL_ERROR, as Go does for a handler that panics"),
		reset("h2_http11_required", fault.HTTP2HTTP11Required, http2.ErrCodeHTTP11Required, "RST_STREAM HTTP_1_1_REQUIRED"),
		reset("h2_protocol_error", fault.HTTP2Rejected, http2.ErrCodeProtocol, "RST_STREAM PROTOCOL_ERROR, as for a header field that a server will not have"),
		reset("h2_cancel", fault.HTTP2StreamCancelled, http2.ErrCodeCancel, "RST_STREAM CANCEL before an answer"),
		reset("h2_reset_no_error", fault.HTTP2StreamReset, http2.ErrCodeNo, "RST_STREAM NO_ERROR instead of an answer"),
		reset("h2_reset_unknown", fault.HTTP2StreamReset, 0x1234, "RST_STREAM with a code that nobody has given out"),
		{
			Name: "h2_cancel_mid_body", Kind: fault.HTTP2StreamCancelled, Row: "45", About: "Content-Length 100, ten bytes, RST_STREAM CANCEL",
			start: h2c(loopH2(call, headersH2(":status", "200", "content-length", "100"), dataH2("0123456789", false), rstStream(http2.ErrCodeCancel))),
		},
		{
			Name: "h2_goaway_draining", Kind: fault.HTTP2Draining, Row: "46", About: "GOAWAY NO_ERROR with the last stream 0 for every call: a server that never stops draining",
			start: h2c(loopH2(call, goAway(0, http2.ErrCodeNo, "max_age"))),
		},
		{
			Name: "h2_goaway_calm", Kind: fault.HTTP2EnhanceYourCalm, Row: "46", About: "GOAWAY ENHANCE_YOUR_CALM with the debug text too_many_pings, as gRPC servers send it, then FIN",
			start: h2c(call, goAway(1, http2.ErrCodeEnhanceYourCalm, "too_many_pings"), fin),
		},
		{
			Name: "h2_goaway_internal", Kind: fault.HTTP2GoAway, Row: "46", About: "GOAWAY INTERNAL_ERROR with a debug text, then FIN",
			start: h2c(call, goAway(1, http2.ErrCodeInternal, "worker\x00 died"), fin),
		},

		{
			Name: "h2_close_before_response", Kind: fault.ClosedBeforeResponse, Row: "47", About: "the call is read, then FIN without GOAWAY", start: h2c(call, fin),
		},
		{
			Name: "h2_reset_before_response", Kind: fault.ResetBeforeResponse, Row: "47", About: "the call is read, then RST of the connection", start: h2c(call, settle, rst),
		},
		{
			Name: "h2_body_cut_fin", Kind: fault.TruncatedBody, Row: "47", About: "over TLS: an answer without length, ten bytes, FIN without END_STREAM",
			start: h2(call, headersH2(":status", "200"), dataH2("0123456789", false), fin),
		},
		{
			Name: "h2_body_cut_rst", Kind: fault.ResetMidBody, Row: "47", About: "Content-Length 100, ten bytes, RST of the connection",
			start: h2c(call, headersH2(":status", "200", "content-length", "100"), dataH2("0123456789", false), settle, rst),
		},
		{
			Name: "h2_body_short", Kind: fault.TruncatedBody, Row: "47", About: "Content-Length 100, ten bytes, END_STREAM",
			start: h2c(loopH2(call, headersH2(":status", "200", "content-length", "100"), dataH2("0123456789", true))),
		},
		{
			Name: "h2_first_byte", Kind: fault.FirstByteTimeout, Row: "35", About: "the call is read, PINGs are answered, and no answer comes", start: h2c(loopH2(call)),
		},
		{
			Name: "h2_stall", Kind: fault.IdleTimeout, Row: "36", About: "ten bytes of an answer, then nothing",
			start: h2c(loopH2(call, headersH2(":status", "200"), dataH2("0123456789", false))),
		},

		{
			Name: "h2c_to_http1", Kind: fault.NotHTTP2, Row: "48", About: "HTTP/2 to a server of HTTP/1.1: it answers the preface with 400",
			start: spoken("h2c", tcp(something, send(goBadRequest), fin)),
		},
		{
			Name: "h2c_closed", Kind: fault.NotHTTP2, Row: "48", About: "HTTP/2 to a server that closes the connection on its preface", start: spoken("h2c", tcp(something, fin)),
		},
		{
			Name: "h2c_silent", Kind: fault.HTTP2HandshakeTimeout, Row: "48", About: "HTTP/2 to a server that takes the preface and says nothing", start: spoken("h2c", tcp(something, silence)),
		},
		{
			Name: "h2c_to_tls", Kind: fault.PlainToTLSPort, Row: "48", About: "HTTP/2 without TLS to a TLS port: a TLS alert comes", start: spoken("h2c", tcp(something, send(alert(10)), fin)),
		},
		{
			Name: "h2c_to_ssh", Kind: fault.NotHTTP, Row: "48", About: "HTTP/2 to an SSH server", start: spoken("h2c", tcp(send(sshBanner), something, fin)),
		},
		{
			Name: "h2_alpn_none", Kind: fault.HTTP2NotAgreed, Row: "48", About: "a TLS server that knows no ALPN, and so agrees to nothing",
			start: spoken("h2", https(protocols(), serveWell)),
		},
		{
			Name: "h2_alpn_refused", Kind: fault.HTTP2NotAgreed, Row: "48", About: "a TLS server of HTTP/1.1 alone: alert 120, no_application_protocol",
			start: spoken("h2", https(protocols("http/1.1"), serveWell)),
		},
		{
			Name: "h2_client_certificate", Kind: fault.TLSClientCertificate, Row: "18", About: "a client certificate is demanded under TLS 1.3: the alert comes in the place of SETTINGS",
			start: spoken("h2", https(alsoH2(demandClient(tls.VersionTLS13)), serveWell)),
		},

		broken("h2_data_first", fault.MalformedHTTP2, "26", "DATA before the answer's HEADERS", dataH2("0123456789", true)),
		broken("h2_bad_hpack", fault.MalformedHTTP2, "26", "HEADERS whose field block is no HPACK", rawH2(http2.FrameHeaders, http2.FlagHeadersEndHeaders, "\x80\x80")),
		broken("h2_frame_too_large", fault.MalformedHTTP2, "26", "a DATA frame of 1 MiB, which nobody allowed", headersH2(":status", "200"),
			send("\x10\x00\x00\x00\x00\x00\x00\x00\x01"+strings.Repeat("x", 4096))),
		broken("h2_window_overflow", fault.MalformedHTTP2, "26", "two WINDOW_UPDATEs that take the stream's window beyond 2^31-1",
			rawH2(http2.FrameWindowUpdate, 0, "\x7f\xff\xff\xff"), rawH2(http2.FrameWindowUpdate, 0, "\x7f\xff\xff\xff")),
		broken("h2_push", fault.MalformedHTTP2, "26", "PUSH_PROMISE, which the client has switched off",
			rawH2(http2.FramePushPromise, http2.FlagPushPromiseEndHeaders, "\x00\x00\x00\x02\x82\x84\x86")),
		broken("h2_connection_field", fault.MalformedHTTP2, "26", "an answer with Connection, which HTTP/2 does not have", headersH2(":status", "200", "connection", "keep-alive")),
		broken("h2_body_long", fault.MalformedHTTP2, "41", "Content-Length 5 and ten bytes", headersH2(":status", "200", "content-length", "5"), dataH2("0123456789", true)),
		broken("h2_field_upper_case", fault.MalformedResponse, "26", "a field name in upper case", headersH2(":status", "200", "X-Broken", "value")),
		broken("h2_field_newline", fault.MalformedResponse, "26", "a field value with a line break", headersH2(":status", "200", "x-broken", "a\r\nset-cookie: b=c")),
		broken("h2_status_missing", fault.MalformedResponse, "26", "an answer without :status", headersH2("content-type", "text/plain")),
		broken("h2_status_twice", fault.MalformedResponse, "26", "an answer with two :status", headersH2(":status", "200", ":status", "404")),
		broken("h2_lengths_differ", fault.FramingConflict, "29", "two Content-Lengths that differ", headersH2(":status", "200", "content-length", "3", "content-length", "4")),
		{
			Name: "h2_header_too_large", Kind: fault.ResponseHeaderTooLarge, Row: "28", Defaults: Params{Bytes: 512 << 10},
			About: "a field section of Bytes bytes", start: h2c(loopH2(call, longHead)),
		},
		{
			Name: "h2_continuation_flood", Kind: fault.ResponseHeaderTooLarge, Row: "28", Defaults: Params{Bytes: 2 << 20},
			About: "a field block that CONTINUATION frames make longer and longer, Bytes in all", start: h2c(loopH2(call, endlessHead)),
		},
		broken("h2_interim_endless", fault.MalformedResponse, "26", "a hundred answers 103", interimH2(100)),
	}
}

// conversation is what the steps of HTTP/2 know of their connection.
type conversation struct {
	fr     *http2.Framer
	enc    *hpack.Encoder
	block  bytes.Buffer
	stream uint32   // the call being answered
	whole  []uint32 // calls that have come whole and are not answered yet
}

// spoken makes a fault one that has to be met with a protocol.
func spoken(protocol string, start func(*site) error) func(*site) error {
	return func(s *site) error {
		s.up.Protocol = protocol
		return start(s)
	}
}

// h2c is the start of a fault of an HTTP/2 server without TLS.
func h2c(script ...step) func(*site) error {
	return spoken("h2c", tcp(append([]step{preface}, script...)...))
}

// h2 is the same over TLS.
func h2(script ...step) func(*site) error {
	return spoken("h2", https(protocols("h2"), append([]step{preface}, script...)...))
}

// protocols serves one of the lab's leaves and agrees to these protocols; none: no ALPN at all.
func protocols(names ...string) tlsConfig {
	return func(s *site, ca *authority) (*tls.Config, error) {
		cfg, err := certificate(nil)(s, ca)
		if cfg.NextProtos = names; names == nil {
			cfg.NextProtos = []string{} // https takes nil for http/1.1
		}
		return cfg, err
	}
}

func alsoH2(config tlsConfig) tlsConfig {
	return func(s *site, ca *authority) (*tls.Config, error) {
		cfg, err := config(s, ca)
		cfg.NextProtos = []string{"h2"}
		return cfg, err
	}
}

// preface reads the client's preface and sends the server's (RFC 9113 section 3.4).
func preface(c *peer) error {
	c.hold()
	magic := make([]byte, len(http2.ClientPreface))
	if _, err := io.ReadFull(c.br, magic); err != nil {
		return err
	}
	if string(magic) != http2.ClientPreface {
		return errors.New("not HTTP/2")
	}
	h := &conversation{fr: http2.NewFramer(c.Conn, c.br)}
	h.fr.AllowIllegalWrites = true
	h.enc = hpack.NewEncoder(&h.block)
	c.h2 = h
	// One call at a time: it is the call that goes wrong, and not another one of its connection.
	return h.fr.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 1})
}

// call reads frames to the end of a call: its body is thrown away. Calls that come beside it on the
// same connection have their turn after it.
func call(c *peer) error {
	for len(c.h2.whole) == 0 {
		f, err := c.frame()
		if err != nil {
			return err
		}
		switch f := f.(type) {
		case *http2.HeadersFrame:
			c.served++
			c.site.tally.add(func(n *Counts) { n.Requests++ })
			if c.h2.stream = f.StreamID; f.StreamEnded() {
				c.h2.whole = append(c.h2.whole, f.StreamID)
			}
		case *http2.DataFrame:
			if n := uint32(f.Length); n > 0 {
				_ = c.h2.fr.WriteWindowUpdate(0, n)
				_ = c.h2.fr.WriteWindowUpdate(f.StreamID, n)
			}
			if f.StreamEnded() {
				c.h2.whole = append(c.h2.whole, f.StreamID)
			}
		}
	}
	c.h2.stream, c.h2.whole = c.h2.whole[0], c.h2.whole[1:]
	return nil
}

// frame reads one frame, and answers SETTINGS and PING as a server has to.
func (c *peer) frame() (http2.Frame, error) {
	c.hold()
	f, err := c.h2.fr.ReadFrame()
	if err != nil {
		return nil, err
	}
	switch f := f.(type) {
	case *http2.SettingsFrame:
		if !f.IsAck() {
			err = c.h2.fr.WriteSettingsAck()
		}
	case *http2.PingFrame:
		if !f.IsAck() {
			err = c.h2.fr.WritePing(true, f.Data)
		}
	}
	return f, err
}

// headersH2 sends a field section: names and values in turns.
func headersH2(fields ...string) step {
	return func(c *peer) error { return c.headers(false, fields...) }
}

func (c *peer) headers(end bool, fields ...string) error {
	c.h2.block.Reset()
	for i := 0; i < len(fields); i += 2 {
		_ = c.h2.enc.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	return c.h2.fr.WriteHeaders(http2.HeadersFrameParam{
		StreamID: c.h2.stream, BlockFragment: c.h2.block.Bytes(), EndHeaders: true, EndStream: end,
	})
}

func dataH2(text string, end bool) step {
	return func(c *peer) error { return c.h2.fr.WriteData(c.h2.stream, end, []byte(text)) }
}

func rstStream(code http2.ErrCode) step {
	return func(c *peer) error { return c.h2.fr.WriteRSTStream(c.h2.stream, code) }
}

func goAway(last uint32, code http2.ErrCode, debug string) step {
	return func(c *peer) error { return c.h2.fr.WriteGoAway(last, code, []byte(debug)) }
}

// rawH2 sends a frame on the call's stream as it is.
func rawH2(kind http2.FrameType, flags http2.Flags, payload string) step {
	return func(c *peer) error { return c.h2.fr.WriteRawFrame(kind, flags, c.h2.stream, []byte(payload)) }
}

// wellDone is a whole answer.
func wellDone(c *peer) error {
	if err := c.headers(false, ":status", "200", "content-type", "text/plain", "content-length", "3"); err != nil {
		return err
	}
	return c.h2.fr.WriteData(c.h2.stream, true, []byte("ok\n"))
}

// answerWell answers every call.
func answerWell(c *peer) error { return loopH2(call, wellDone)(c) }

// loopH2 runs the steps for one call after the other.
func loopH2(steps ...step) step {
	return func(c *peer) error {
		for {
			if err := all(steps)(c); err != nil {
				return err
			}
		}
	}
}

// longHead is one field section of Params.Bytes bytes, in as many fields as it takes.
func longHead(c *peer) error {
	fields := []string{":status", "200"}
	for left := c.p.Bytes; left > 0; left -= 4096 {
		fields = append(fields, "x-trace", strings.Repeat("x", 4096))
	}
	c.h2.block.Reset()
	for i := 0; i < len(fields); i += 2 {
		_ = c.h2.enc.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1], Sensitive: true})
	}
	return c.writeBlock(c.h2.block.Bytes())
}

// endlessHead goes on without an end until Params.Bytes are out or the peer has had enough.
func endlessHead(c *peer) error {
	c.h2.block.Reset()
	_ = c.h2.enc.WriteField(hpack.HeaderField{Name: ":status", Value: "200"})
	first := http2.HeadersFrameParam{StreamID: c.h2.stream, BlockFragment: c.h2.block.Bytes(), EndStream: true}
	if err := c.h2.fr.WriteHeaders(first); err != nil {
		return err
	}
	c.h2.block.Reset()
	_ = c.h2.enc.WriteField(hpack.HeaderField{Name: "x-trace", Value: strings.Repeat("x", 4096), Sensitive: true})
	for left := c.p.Bytes; left > 0; left -= int64(c.h2.block.Len()) {
		if err := c.h2.fr.WriteContinuation(c.h2.stream, false, c.h2.block.Bytes()); err != nil {
			return err
		}
	}
	return nil
}

// writeBlock sends a field block in as many frames as it takes.
func (c *peer) writeBlock(block []byte) error {
	const most = 16 << 10
	first := true
	for len(block) > 0 {
		n := min(len(block), most)
		last := n == len(block)
		var err error
		if first {
			err = c.h2.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: c.h2.stream, BlockFragment: block[:n], EndHeaders: last, EndStream: true})
		} else {
			err = c.h2.fr.WriteContinuation(c.h2.stream, last, block[:n])
		}
		if err != nil {
			return err
		}
		block, first = block[n:], false
	}
	return nil
}

func interimH2(n int) step {
	return func(c *peer) error {
		for range n {
			if err := c.headers(false, ":status", "103", "link", "</a.css>; rel=preload"); err != nil {
				return err
			}
		}
		return nil
	}
}
