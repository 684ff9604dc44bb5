package journey

import "strconv"

// HTTP2Signal is what ended an attempt on an HTTP/2 connection, where it was neither the socket nor
// one of our limits.
type HTTP2Signal string

// The signals.
const (
	HTTP2None    HTTP2Signal = ""
	HTTP2Reset   HTTP2Signal = "rst_stream" // the peer ended the stream: see Code
	HTTP2GoAway  HTTP2Signal = "goaway"     // the peer ended the connection: see Code, LastStream and Debug
	HTTP2Ping    HTTP2Signal = "ping"       // the peer left our PING unanswered
	HTTP2Error   HTTP2Signal = "error"      // the peer broke the protocol: Code is what we told it
	HTTP2Preface HTTP2Signal = "preface"    // the connection stood, and HTTP/2 was not begun on it
	HTTP2ALPN    HTTP2Signal = "alpn"       // TLS agreed on another protocol: see Agreed
)

// HTTP2Facts are what the HTTP/2 layer of one attempt showed (RFC 9113). They are nil for an attempt
// over HTTP/1.1.
type HTTP2Facts struct {
	Stream  uint32 // the attempt's stream, 0 when none was opened
	Streams int    // streams of other calls on the connection when it was opened
	Signal  HTTP2Signal
	Code    uint32 // the error code of RFC 9113 section 7
	// LastStream is the last stream that a GOAWAY says was, or may have been, worked on.
	LastStream uint32
	Debug      []byte // a GOAWAY's debug data (at most 200 bytes), escaped by whoever shows it
	Detail     string // what was wrong, in our words
	// Unworked is true when the peer can't have worked on the request: it refused the stream, its
	// GOAWAY says so, or the request's head never was on the wire.
	Unworked bool
	Ended    bool // the peer ended the stream with END_STREAM
	// Moved is how often, before this, a connection turned out to be closing and the request, unworked,
	// went to another one.
	Moved  int
	Agreed string // the protocol that ALPN agreed on, "" for none or without TLS
}

// HTTP2Code is the name of an error code (RFC 9113 section 7).
func HTTP2Code(code uint32) string {
	if code < uint32(len(http2Codes)) {
		return http2Codes[code]
	}
	return "0x" + strconv.FormatUint(uint64(code), 16)
}

var http2Codes = [...]string{
	"NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED",
	"FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM",
	"INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED",
}

// Error codes that rules are made of.
const (
	HTTP2NoError         = 0x0
	HTTP2ProtocolError   = 0x1
	HTTP2InternalError   = 0x2
	HTTP2FlowControl     = 0x3
	HTTP2SettingsTimeout = 0x4
	HTTP2StreamClosed    = 0x5
	HTTP2FrameSize       = 0x6
	HTTP2RefusedStream   = 0x7
	HTTP2Cancel          = 0x8
	HTTP2Compression     = 0x9
	HTTP2ConnectError    = 0xa
	HTTP2EnhanceYourCalm = 0xb
	HTTP2InadequateTLS   = 0xc
	HTTP2HTTP11Required  = 0xd
)
