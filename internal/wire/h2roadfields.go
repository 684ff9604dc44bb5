package wire

import (
	"bytes"
	"strconv"
	"strings"

	"golang.org/x/net/http2/hpack"

	"causeway/internal/journey"
)

// Requests are encoded without HPACK's dynamic table, as HAProxy does it: one connection carries the
// calls of many callers, and what one of them sends must not change how long another's fields are on
// the wire (RFC 7541 section 7.1). It also needs neither a lock nor memory. Names stand by their
// number in the static table where they have one.

// h2Static has the number of each name in HPACK's static table that an ordinary field may have.
var h2Static = map[string]byte{
	"accept-charset": 15, "accept-encoding": 16, "accept-language": 17, "accept-ranges": 18, "accept": 19,
	"access-control-allow-origin": 20, "age": 21, "allow": 22, "authorization": 23, "cache-control": 24,
	"content-disposition": 25, "content-encoding": 26, "content-language": 27, "content-length": 28,
	"content-location": 29, "content-range": 30, "content-type": 31, "cookie": 32, "date": 33, "etag": 34, "expect": 35,
	"expires": 36, "from": 37, "host": 38, "if-match": 39, "if-modified-since": 40, "if-none-match": 41, "if-range": 42,
	"if-unmodified-since": 43, "last-modified": 44, "link": 45, "location": 46, "max-forwards": 47,
	"proxy-authenticate": 48, "proxy-authorization": 49, "range": 50, "referer": 51, "refresh": 52, "retry-after": 53,
	"server": 54, "set-cookie": 55, "strict-transport-security": 56, "transfer-encoding": 57, "user-agent": 58,
	"vary": 59, "via": 60, "www-authenticate": 61,
}

// Numbers of the static table's pseudo-header fields (RFC 7541 appendix A).
const (
	h2Authority   = 1
	h2MethodGet   = 2
	h2MethodPost  = 3
	h2PathSlash   = 4
	h2SchemeHTTP  = 6
	h2SchemeHTTPS = 7
)

// h2NoTable begins a connection's first field block: its dynamic table has the size 0, so that no
// SETTINGS_HEADER_TABLE_SIZE of the peer's asks for an update later (RFC 7541 section 4.2).
const h2NoTable = 0x20

// appendH2Int is HPACK's integer (RFC 7541 section 5.1) with a prefix of so many bits in first.
func appendH2Int(dst []byte, first byte, bits uint, n int) []byte {
	most := 1<<bits - 1
	if n < most {
		return append(dst, first|byte(n))
	}
	dst = append(dst, first|byte(most))
	for n -= most; n >= 0x80; n >>= 7 {
		dst = append(dst, byte(n)|0x80)
	}
	return append(dst, byte(n))
}

func appendH2String(dst, s []byte) []byte {
	dst = appendH2Int(dst, 0, 7, len(s))
	return append(dst, s...)
}

// appendH2Field writes a literal field without indexing, or, where its value is a secret, never to be
// indexed by anybody (RFC 7541 sections 6.2.2 and 6.2.3). The name must be in lower case.
func appendH2Field(dst, name, value []byte, secret bool) []byte {
	first := byte(0)
	if secret {
		first = 0x10
	}
	if n := h2Static[string(name)]; n != 0 {
		dst = appendH2Int(dst, first, 4, int(n))
	} else {
		dst = appendH2String(append(dst, first), name)
	}
	return appendH2String(dst, value)
}

func appendH2Known(dst []byte, number int, value []byte) []byte {
	return appendH2String(appendH2Int(dst, 0, 4, number), value)
}

// h2Secret are the fields whose values no table may hold.
const h2Secret = 1<<Authorization | 1<<Cookie | 1<<ProxyAuthorization | 1<<APIKey | 1<<XAPIKey | 1<<XGoogAPIKey

// appendH2Request writes the field block of a request whose head is written as for HTTP/1.1: the
// method, target and Host become pseudo-header fields, names lower case, and what belongs to an
// HTTP/1.1 connection is left out (RFC 9113 section 8.2.2); TE stays where it is "trailers".
func appendH2Request(dst, head []byte, secure bool) []byte {
	line, rest, _ := bytes.Cut(head, crlf)
	method, target, _ := bytes.Cut(line, space)
	target = target[:max(bytes.LastIndexByte(target, ' '), 0)]
	switch string(method) {
	case "GET":
		dst = append(dst, 0x80|h2MethodGet)
	case "POST":
		dst = append(dst, 0x80|h2MethodPost)
	default:
		dst = appendH2Known(dst, h2MethodGet, method)
	}
	if secure {
		dst = append(dst, 0x80|h2SchemeHTTPS)
	} else {
		dst = append(dst, 0x80|h2SchemeHTTP)
	}
	dst = appendH2Target(dst, target)
	// Pseudo-header fields come before all others, and the gateway writes Host first.
	var name [64]byte
	for first := true; ; {
		line, rest, _ = bytes.Cut(rest, crlf)
		if len(line) == 0 {
			return dst
		}
		field, value, _ := bytes.Cut(line, colon)
		value = trim(value)
		id := Identify(field)
		switch {
		case id == Host:
			if first {
				dst = appendH2Known(dst, h2Authority, value)
			}
			first = false
			continue
		case id == TE:
			if !EqualFold(value, "trailers") {
				continue
			}
		case id != Other && uint64(hopByHop)&(1<<id) != 0 && id != ContentLength:
			continue
		}
		secret := id != Other && uint64(h2Secret)&(1<<id) != 0
		dst = appendH2Field(dst, lowerName(name[:0], field), value, secret)
	}
}

var (
	crlf  = []byte("\r\n")
	colon = []byte(":")
	space = []byte(" ")
)

// appendH2Target writes :path. OPTIONS * is the same here (RFC 9113 section 8.3.1).
func appendH2Target(dst, target []byte) []byte {
	if len(target) == 1 && target[0] == '/' {
		return append(dst, 0x80|h2PathSlash)
	}
	return appendH2Known(dst, h2PathSlash, target)
}

// lowerName is a field name in lower case.
func lowerName(dst, name []byte) []byte {
	for _, b := range name {
		if b >= 'A' && b <= 'Z' {
			b += 'a' - 'A'
		}
		dst = append(dst, b)
	}
	return dst
}

// appendH2Trailer writes the field block of a trailer, less what no trailer may hold.
func appendH2Trailer(dst []byte, h *Header) []byte {
	var name [64]byte
	for i := range h.Fields {
		f := &h.Fields[i]
		if ForbiddenTrailer(f.ID) || f.ID != Other && uint64(hopByHop)&(1<<f.ID) != 0 {
			continue
		}
		secret := f.ID != Other && uint64(h2Secret)&(1<<f.ID) != 0
		dst = appendH2Field(dst, lowerName(name[:0], f.Name), f.Value, secret)
	}
	return dst
}

// h2Fields takes the fields of one block out of the HPACK decoder and holds them to the rules for an
// answer (RFC 9113 sections 8.2 and 8.3).
type h2Fields struct {
	limits  Limits
	trailer bool

	arena  []byte   // names and values
	spans  []h2Span // in arena
	status int
	size   int
	fault  journey.ParseFault // the first thing that was wrong
	detail string
}

type h2Span struct{ name, value, end int }

func (b *h2Fields) reset(limits Limits, trailer bool) {
	*b = h2Fields{limits: limits, trailer: trailer, arena: b.arena[:0], spans: b.spans[:0]}
}

func (b *h2Fields) bad(f journey.ParseFault, detail string) {
	if b.fault == journey.FaultNone {
		b.fault, b.detail = f, detail
	}
}

// take is the decoder's callback. After a fault the fields are still decoded, as the table that they
// change is the connection's, but not kept.
func (b *h2Fields) take(f hpack.HeaderField) {
	b.size += len(f.Name) + len(f.Value) + 4 // as the lines of HTTP/1.1
	switch {
	case b.fault != journey.FaultNone:
		return
	case b.size > b.limits.Head:
		b.bad(journey.FaultHeadTooLarge, "the field section is larger than the limit that the upstream was told")
		return
	case len(b.spans) >= b.limits.Fields:
		b.bad(journey.FaultTooManyFields, "")
		return
	case len(f.Name) > 0 && f.Name[0] == ':':
		b.pseudo(f)
		return
	}
	if !h2Name(f.Name) {
		b.bad(journey.FaultFieldName, "a field name is empty, not in lower case or holds a byte that no name may hold")
		return
	}
	start := len(b.arena)
	b.arena = append(b.arena, f.Name...)
	mid := len(b.arena)
	if f.Name == grpcMessage {
		b.arena = appendGRPCMessage(b.arena, f.Value)
	} else {
		b.arena = append(b.arena, f.Value...)
	}
	value := b.arena[mid:]
	if !validValue(value) {
		b.bad(journey.FaultFieldValue, "the value of "+f.Name+" holds a control byte")
		return
	}
	switch id := Identify(b.arena[start:mid]); {
	case id == TransferEncoding, id == Connection, id == KeepAlive, id == ProxyConnection, id == Upgrade:
		b.bad(journey.FaultHTTP2, "the field "+f.Name+" belongs to HTTP/1.1 connections and may not stand in HTTP/2 (RFC 9113 section 8.2.2)")
		return
	}
	b.spans = append(b.spans, h2Span{start, mid, len(b.arena)})
}

// grpcMessage is the one field whose white space at the ends is its sender's words, such as "no order ".
const grpcMessage = "grpc-message"

// appendGRPCMessage writes a grpc-message with the spaces at its ends percent-encoded: gRPC lets them
// stand bare (PROTOCOL-HTTP2, Percent-Encoded), and as a field's value they would be lost (RFC 9113
// section 8.2.1), here or at a client that takes that section at its word.
func appendGRPCMessage(dst []byte, v string) []byte {
	words := strings.Trim(v, " ")
	if words == "" {
		return appendSpaces(dst, len(v))
	}
	before := strings.Index(v, words)
	dst = append(appendSpaces(dst, before), words...)
	return appendSpaces(dst, len(v)-before-len(words))
}

func appendSpaces(dst []byte, n int) []byte {
	for range n {
		dst = append(dst, "%20"...)
	}
	return dst
}

func (b *h2Fields) pseudo(f hpack.HeaderField) {
	switch {
	case b.trailer:
		b.bad(journey.FaultHTTP2, "a trailer holds a pseudo-header field")
	case len(b.spans) > 0:
		b.bad(journey.FaultHTTP2, "a pseudo-header field stands behind an ordinary one")
	case f.Name != ":status":
		b.bad(journey.FaultHTTP2, "an answer has a pseudo-header field other than :status")
	case b.status != 0:
		b.bad(journey.FaultStatusLine, "the answer has :status twice")
	default:
		n, err := strconv.Atoi(f.Value)
		if len(f.Value) != 3 || err != nil || n < 100 {
			b.bad(journey.FaultStatusLine, ":status is not three digits")
			return
		}
		b.status = n
	}
}

// done is called behind the block's last byte.
func (b *h2Fields) done() {
	if !b.trailer && b.status == 0 {
		b.bad(journey.FaultStatusLine, "the answer has no :status")
	}
}

// into writes the fields into h. Their slices point into buf, which gets the block's bytes.
func (b *h2Fields) into(h *Header, buf []byte) {
	buf = buf[:copy(buf, b.arena)]
	h.Reset()
	for _, s := range b.spans {
		name, value := buf[s.name:s.value:s.value], trim(buf[s.value:s.end:s.end])
		h.Add(Identify(name), name, value)
	}
}

func h2Name(name string) bool {
	if name == "" {
		return false
	}
	for i := range len(name) {
		if c := name[i]; class[c]&isToken == 0 || c >= 'A' && c <= 'Z' {
			return false
		}
	}
	return true
}

// h2Length reads an answer's Content-Length: -1 for none.
func h2Length(h *Header) (int64, bool) {
	if !h.Has(ContentLength) {
		return -1, true
	}
	first := h.Get(ContentLength)
	for i := range h.Fields {
		if f := &h.Fields[i]; f.ID == ContentLength && !bytes.Equal(f.Value, first) {
			return 0, false
		}
	}
	n := parseDecimal(first)
	return n, n >= 0
}
