package wire

import (
	"bytes"

	"causeway/internal/journey"
)

// Response is the head of an upstream's answer. Its slices point into the connection's buffer
// and are valid until the answer's body is read on or released; with Upcall.HoldHead, until it is released.
type Response struct {
	Status int
	Reason []byte
	Minor  int
	Header Header
	// Length is the body's declared length; LengthChunked or LengthUntilClose otherwise.
	Length int64
	// Declared is the Content-Length that was sent, -1 for none; in an answer without a body (to
	// HEAD, 304) it is not the body's length but still the caller's to see.
	Declared int64
	// Close is true when the connection cannot be used again.
	Close bool
	// Withheld is true when the head speaks of a body that the answer must not have: one to HEAD, or a 204 or 304
	// with a length. Some servers send that body all the same.
	Withheld bool
}

// detach copies what points into the connection's buffer.
func (r *Response) detach() {
	size := len(r.Reason)
	for i := range r.Header.Fields {
		size += len(r.Header.Fields[i].Name) + len(r.Header.Fields[i].Value)
	}
	own := make([]byte, 0, size)
	keep := func(p []byte) []byte {
		if p == nil {
			return nil
		}
		n := len(own)
		own = append(own, p...)
		return own[n:len(own):len(own)]
	}
	r.Reason = keep(r.Reason)
	for i := range r.Header.Fields {
		f := &r.Header.Fields[i]
		f.Name, f.Value = keep(f.Name), keep(f.Value)
	}
}

// Lengths that are not numbers of bytes.
const (
	LengthChunked    = -1
	LengthUntilClose = -2
)

// ParseResponse reads a whole head, as bounded by HeadEnd, into r. head reports whether the
// request was HEAD. The bytes may be changed in place (obs-fold becomes spaces).
// Sources: RFC 9112 sections 4 to 6.
func ParseResponse(buf []byte, limits Limits, head bool, r *Response) (journey.ParseFault, *HeadError) {
	r.Header.Reset()
	r.Status, r.Length, r.Declared, r.Close, r.Withheld, r.Reason = 0, 0, -1, false, false, nil
	at, fault, err := parseStatusLine(buf, r)
	if err != nil {
		return fault, err
	}
	if err := parseFields(buf, at, &r.Header, limits.Fields, false); err != nil {
		switch err.Part {
		case "field name":
			return journey.FaultFieldName, err
		case "field value":
			return journey.FaultFieldValue, err
		case "fields":
			return journey.FaultTooManyFields, err
		}
		return journey.FaultFieldLine, err
	}
	return r.frame(buf, head)
}

func parseStatusLine(buf []byte, r *Response) (int, journey.ParseFault, *HeadError) {
	const part = "status line"
	if !bytes.HasPrefix(buf, httpSlash) {
		return 0, journey.FaultNotHTTP, badHead(0, part, "it does not begin with HTTP/")
	}
	i := bytes.IndexByte(buf, '\n')
	if i < 0 {
		return 0, journey.FaultStatusLine, badHead(0, part, "it does not end")
	}
	line := buf[:i]
	if line[i-1] == '\r' {
		line = line[:i-1]
	}
	if len(line) < 12 {
		return 0, journey.FaultStatusLine, badHead(0, part, "it is too short")
	}
	switch string(line[:9]) {
	case "HTTP/1.1 ":
		r.Minor = 1
	case "HTTP/1.0 ":
		r.Minor = 0
	default:
		return 0, journey.FaultVersion, badHead(0, part, "the version is neither HTTP/1.1 nor HTTP/1.0")
	}
	for _, b := range line[9:12] {
		if b < '0' || b > '9' {
			return 0, journey.FaultStatusLine, badHead(0, part, "the status is not three digits")
		}
		r.Status = r.Status*10 + int(b-'0')
	}
	if r.Status < 100 || r.Status > 999 {
		return 0, journey.FaultStatusLine, badHead(0, part, "the status is below 100")
	}
	if len(line) > 12 {
		if line[12] != ' ' {
			return 0, journey.FaultStatusLine, badHead(0, part, "the status is not three digits")
		}
		r.Reason = line[13:]
		if !validValue(r.Reason) {
			return 0, journey.FaultStatusLine, badHead(0, part, "the reason holds a control byte")
		}
	}
	return i + 1, journey.FaultNone, nil
}

var httpSlash = []byte("HTTP/")

// frame finds the body's length (RFC 9112 section 6.3).
func (r *Response) frame(buf []byte, head bool) (journey.ParseFault, *HeadError) {
	h := &r.Header
	length := int64(LengthUntilClose)
	if h.Has(TransferEncoding) {
		at := lineOf(buf, h.Get(TransferEncoding))
		switch {
		case h.Has(ContentLength):
			return journey.FaultFraming, badHead(at, "Transfer-Encoding", "Content-Length stands beside it")
		case h.Count(TransferEncoding) > 1 || !EqualFold(h.Get(TransferEncoding), "chunked"):
			return journey.FaultCoding, badHead(at, "Transfer-Encoding", "only chunked, once, is understood")
		case r.Minor == 0:
			return journey.FaultFraming, badHead(at, "Transfer-Encoding", "HTTP/1.0 has none")
		}
		if h.announcesFraming() {
			return journey.FaultFraming, badHead(lineOf(buf, h.Get(Trailer)), "Trailer", "it announces a field that frames messages")
		}
		length = LengthChunked
	} else if h.Has(ContentLength) {
		first := h.Get(ContentLength)
		for i := range h.Fields {
			if f := &h.Fields[i]; f.ID == ContentLength && !bytes.Equal(f.Value, first) {
				return journey.FaultContentLength, badHead(lineOf(buf, f.Value), "Content-Length", "there are two that differ")
			}
		}
		if length = parseDecimal(first); length < 0 {
			return journey.FaultContentLength, badHead(lineOf(buf, first), "Content-Length", "it is not a number")
		}
		r.Declared = length
	}
	r.Length = length
	if head || r.Status < 200 || r.Status == 204 || r.Status == 304 {
		r.Length = 0
		r.Withheld = head && length != 0 || length > 0 || length == LengthChunked
	}
	r.Close = h.closes(r.Minor) || r.Length == LengthUntilClose
	return journey.FaultNone, nil
}
