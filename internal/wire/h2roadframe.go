package wire

import (
	"encoding/binary"

	"golang.org/x/net/http2"
)

// The frame layer of the road's HTTP/2 (RFC 9113 section 4): what is read is checked against the
// rules that hold for a frame by itself, and no more is kept of it than its payload.

const (
	h2FrameHeader = 9
	// h2MaxFrame is the largest payload that a peer may send: we announce no other than the default.
	h2MaxFrame = 16 << 10
	// h2Window is how much of one answer a peer may send before the caller has taken some of it.
	h2Window = 512 << 10
	// h2ConnWindow is the same for a connection. It is given back as frames come, not as callers read:
	// a caller that does not read may hold its own stream, but not the others.
	h2ConnWindow = 16 << 20
	// h2DefaultWindow is both windows before a SETTINGS or WINDOW_UPDATE changes them.
	h2DefaultWindow = 65535
	h2MaxWindow     = 1<<31 - 1
)

// h2Header is the header of a frame.
type h2Header struct {
	length int
	kind   http2.FrameType
	flags  http2.Flags
	stream uint32
}

func readH2Header(p []byte) h2Header {
	_ = p[8]
	return h2Header{
		length: int(p[0])<<16 | int(p[1])<<8 | int(p[2]), kind: http2.FrameType(p[3]), flags: http2.Flags(p[4]),
		stream: binary.BigEndian.Uint32(p[5:]) & (1<<31 - 1),
	}
}

func appendH2Header(dst []byte, length int, kind http2.FrameType, flags http2.Flags, stream uint32) []byte {
	dst = append(dst, byte(length>>16), byte(length>>8), byte(length), byte(kind), byte(flags))
	return binary.BigEndian.AppendUint32(dst, stream)
}

func appendH2Reset(dst []byte, stream uint32, code http2.ErrCode) []byte {
	dst = appendH2Header(dst, 4, http2.FrameRSTStream, 0, stream)
	return binary.BigEndian.AppendUint32(dst, uint32(code))
}

func appendH2Window(dst []byte, stream uint32, n int) []byte {
	dst = appendH2Header(dst, 4, http2.FrameWindowUpdate, 0, stream)
	return binary.BigEndian.AppendUint32(dst, uint32(n))
}

func appendH2GoAway(dst []byte, last uint32, code http2.ErrCode) []byte {
	dst = appendH2Header(dst, 8, http2.FrameGoAway, 0, 0)
	dst = binary.BigEndian.AppendUint32(dst, last)
	return binary.BigEndian.AppendUint32(dst, uint32(code))
}

func appendH2Ping(dst []byte, flags http2.Flags, data [8]byte) []byte {
	dst = appendH2Header(dst, 8, http2.FramePing, flags, 0)
	return append(dst, data[:]...)
}

// appendH2Preface is what a client sends first (RFC 9113 section 3.4): its magic, its SETTINGS, and
// the rest of the connection's window.
func appendH2Preface(dst []byte, headLimit int) []byte {
	settings := [...]http2.Setting{
		{ID: http2.SettingEnablePush, Val: 0},
		{ID: http2.SettingInitialWindowSize, Val: h2Window},
		{ID: http2.SettingMaxHeaderListSize, Val: uint32(headLimit)},
	}
	dst = append(dst, http2.ClientPreface...)
	dst = appendH2Header(dst, 6*len(settings), http2.FrameSettings, 0, 0)
	for _, s := range settings {
		dst = binary.BigEndian.AppendUint16(dst, uint16(s.ID))
		dst = binary.BigEndian.AppendUint32(dst, s.Val)
	}
	return appendH2Window(dst, 0, h2ConnWindow-h2DefaultWindow)
}

// appendH2Headers frames a field block as HEADERS and, where it is longer than the peer's frames may
// be, CONTINUATION.
func appendH2Headers(dst, block []byte, stream uint32, end bool, maxFrame int) []byte {
	kind, flags := http2.FrameHeaders, http2.Flags(0)
	if end {
		flags = http2.FlagHeadersEndStream
	}
	for {
		n := min(len(block), maxFrame)
		if n == len(block) {
			flags |= http2.FlagHeadersEndHeaders
		}
		dst = appendH2Header(dst, n, kind, flags, stream)
		dst = append(dst, block[:n]...)
		if block = block[n:]; len(block) == 0 {
			return dst
		}
		kind, flags = http2.FrameContinuation, 0
	}
}

// h2Breach is how a peer broke the protocol.
type h2Breach struct {
	code   http2.ErrCode // what it is told
	detail string        // without its bytes
}

func (e *h2Breach) Error() string { return e.code.String() + ": " + e.detail }

func breachH2(code http2.ErrCode, detail string) *h2Breach { return &h2Breach{code, detail} }

// check holds a frame's header to the rules of its type (RFC 9113 section 6). maxFrame is the largest
// payload that was allowed.
func (h *h2Header) check(maxFrame int) *h2Breach {
	if h.length > maxFrame {
		return breachH2(http2.ErrCodeFrameSize, "a "+h.kind.String()+" frame is longer than the limit that it was told")
	}
	length, size, onStream := -1, h.length, true
	switch h.kind {
	case http2.FrameData, http2.FrameHeaders, http2.FrameContinuation:
	case http2.FramePriority:
		length = 5
	case http2.FrameRSTStream:
		length = 4
	case http2.FrameSettings:
		onStream = false
		if size%6 != 0 || h.flags.Has(http2.FlagSettingsAck) && size != 0 {
			return breachH2(http2.ErrCodeFrameSize, "a SETTINGS frame has an impossible length")
		}
	case http2.FramePing:
		length, onStream = 8, false
	case http2.FrameGoAway:
		onStream = false
		if size < 8 {
			return breachH2(http2.ErrCodeFrameSize, "a GOAWAY frame is too short")
		}
	case http2.FrameWindowUpdate:
		if size != 4 {
			return breachH2(http2.ErrCodeFrameSize, "a WINDOW_UPDATE frame has an impossible length")
		}
		return nil // on a stream or on the connection
	case http2.FramePushPromise:
		return breachH2(http2.ErrCodeProtocol, "it pushes (PUSH_PROMISE), which it was told not to do")
	default:
		return nil // unknown types are ignored (section 4.1)
	}
	switch {
	case length >= 0 && size != length:
		return breachH2(http2.ErrCodeFrameSize, "a "+h.kind.String()+" frame has an impossible length")
	case onStream && h.stream == 0:
		return breachH2(http2.ErrCodeProtocol, "a "+h.kind.String()+" frame is not on a stream")
	case !onStream && h.stream != 0:
		return breachH2(http2.ErrCodeProtocol, "a "+h.kind.String()+" frame is on a stream")
	case onStream && h.stream%2 == 0:
		return breachH2(http2.ErrCodeProtocol, "a "+h.kind.String()+" frame is on a stream that only a server could have opened")
	}
	return nil
}

// unpad takes padding and, of HEADERS, the priority fields out of a payload.
func (h *h2Header) unpad(p []byte) ([]byte, *h2Breach) {
	pad := 0
	if h.flags.Has(http2.FlagDataPadded) { // the same bit in HEADERS
		if len(p) == 0 {
			return nil, breachH2(http2.ErrCodeFrameSize, "a padded frame is empty")
		}
		pad, p = int(p[0]), p[1:]
	}
	if h.kind == http2.FrameHeaders && h.flags.Has(http2.FlagHeadersPriority) {
		if len(p) < 5 {
			return nil, breachH2(http2.ErrCodeFrameSize, "a HEADERS frame is too short for its priority")
		}
		p = p[5:]
	}
	if pad > len(p) {
		return nil, breachH2(http2.ErrCodeProtocol, "a frame's padding is longer than the frame")
	}
	return p[:len(p)-pad], nil
}
