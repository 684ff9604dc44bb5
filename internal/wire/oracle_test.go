package wire

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// noLimits are limits that no input of a test reaches: sizes are not grammar.
var noLimits = Limits{Head: 1 << 30, Fields: 1 << 20}

// message is what a reader understood of one message.
type message struct {
	start   string // the start line, with single spaces
	host    string
	header  http.Header
	body    []byte
	trailer http.Header
	close   bool
	whole   bool // the body's end was found
	end     int  // where the next message begins, if whole
}

// theirRequest reads the first request of data as net/http's server does: http.ReadRequest and
// the checks that server.go makes behind it.
func theirRequest(data []byte) (m message, err error) {
	src := bytes.NewReader(data)
	br := bufio.NewReaderSize(src, 1<<20)
	rq, err := http.ReadRequest(br)
	if err != nil {
		return m, err
	}
	if rq.ProtoMajor != 1 {
		return m, errors.New("unsupported protocol version")
	}
	hosts := hostFields(data) // http.ReadRequest has taken them out
	switch {
	case rq.ProtoAtLeast(1, 1) && len(hosts) == 0 && rq.Method != http.MethodConnect:
		return m, errors.New("missing required Host header")
	case len(hosts) == 1 && !httpguts.ValidHostHeader(hosts[0]):
		return m, errors.New("malformed Host header")
	}
	for name, values := range rq.Header {
		if !httpguts.ValidHeaderFieldName(name) {
			return m, errors.New("invalid header name")
		}
		if slices.ContainsFunc(values, func(v string) bool { return !httpguts.ValidHeaderFieldValue(v) }) {
			return m, errors.New("invalid header value")
		}
	}
	m = message{
		start:  fmt.Sprintf("%s %s HTTP/1.%d", rq.Method, rq.RequestURI, rq.ProtoMinor),
		host:   rq.Host,
		header: rq.Header,
		close:  rq.Close,
	}
	m.readBody(rq.Body, func() int { return len(data) - src.Len() - br.Buffered() })
	m.trailer = rq.Trailer
	return m, nil
}

func hostFields(data []byte) []string {
	tp := textproto.NewReader(bufio.NewReader(bytes.NewReader(data)))
	_, _ = tp.ReadLine()
	h, _ := tp.ReadMIMEHeader()
	return h["Host"]
}

// theirResponse reads an answer as net/http's transport does: interim answers are passed over.
func theirResponse(data []byte, method string) (m message, err error) {
	src := bytes.NewReader(data)
	br := bufio.NewReaderSize(src, 1<<20)
	for {
		res, err := http.ReadResponse(br, &http.Request{Method: method})
		if err != nil {
			return m, err
		}
		if res.StatusCode/100 == 1 && res.StatusCode != http.StatusSwitchingProtocols {
			continue
		}
		m = message{
			start:  fmt.Sprintf("HTTP/%d.%d %s", res.ProtoMajor, res.ProtoMinor, res.Status),
			header: res.Header,
			close:  res.Close,
		}
		m.readBody(res.Body, func() int { return len(data) - src.Len() - br.Buffered() })
		m.trailer = res.Trailer
		return m, nil
	}
}

func (m *message) readBody(body io.Reader, at func() int) {
	var err error
	m.body, err = io.ReadAll(body)
	m.whole, m.end = err == nil, at()
}

// ourRequest reads the first request of data with our codec. accepted says that the head is good.
func ourRequest(data []byte) (m message, accepted bool) {
	data = bytes.Clone(data)
	end := HeadEnd(data, 0)
	if end == 0 {
		return m, false
	}
	var rq Request
	if ParseRequest(data[:end:end], noLimits, &rq) != nil {
		return m, false
	}
	m = message{
		start:  fmt.Sprintf("%s %s HTTP/1.%d", rq.Method, rq.Target, rq.Minor),
		host:   string(rq.Authority),
		header: asNetHTTP(&rq.Header, rq.Chunked(), true),
		close:  rq.Close,
	}
	m.ourBody(data, end, rq.Length, true)
	return m, true
}

// ourResponse reads an answer with our codec, interim answers passed over.
func ourResponse(data []byte, head bool) (m message, accepted bool) {
	data = bytes.Clone(data)
	at := 0
	for {
		end := HeadEnd(data[at:], 0)
		if end == 0 {
			return m, false
		}
		var res Response
		line, _, _ := bytes.Cut(data[at:at+end], []byte("\n"))
		line = bytes.Clone(bytes.TrimSuffix(line, []byte("\r")))
		if _, err := ParseResponse(data[at:at+end:at+end], noLimits, head, &res); err != nil {
			return m, false
		}
		at += end
		if res.Status/100 == 1 && res.Status != http.StatusSwitchingProtocols {
			continue
		}
		m = message{
			start:  string(line),
			header: asNetHTTP(&res.Header, res.Header.Has(TransferEncoding), false),
			close:  res.Close,
		}
		m.ourBody(data, at, res.Length, false)
		return m, true
	}
}

// ourBody reads a body at data[at:].
func (m *message) ourBody(data []byte, at int, length int64, strict bool) {
	rest := data[at:]
	switch {
	case length == LengthChunked:
		d := dechunk(rest, nil, len(rest)+1, strict)
		m.body, m.trailer, m.whole, m.end = d.body, d.trailer, d.done, at+d.end
	case length == LengthUntilClose:
		m.body, m.whole, m.end = rest, true, len(data)
	case length <= int64(len(rest)):
		m.body, m.whole, m.end = rest[:length], true, at+int(length)
	default:
		m.body = rest
	}
}

// asNetHTTP makes of our fields the map that net/http makes: canonical names, and without the
// fields that it takes out once it has read them.
func asNetHTTP(h *Header, chunked, request bool) http.Header {
	got := http.Header{}
	for _, f := range h.Fields {
		name := textproto.CanonicalMIMEHeaderKey(string(f.Name))
		got[name] = append(got[name], squeeze(string(f.Value)))
	}
	if n := got["Content-Length"]; len(n) > 1 {
		got["Content-Length"] = n[:1]
	}
	got.Del("Transfer-Encoding")
	if request {
		got.Del("Host")
	}
	if chunked {
		got.Del("Trailer")
	}
	if !request && httpguts.HeaderValuesContainsToken(got["Connection"], "close") {
		got.Del("Connection") // HTTP/1.1; for HTTP/1.0 the comparison leaves the field out
	}
	return got
}

// squeeze makes one space of many, as net/http's joining of folded lines does for their ends.
func squeeze(v string) string { return strings.Join(strings.Fields(v), " ") }

// sameHeader compares what our reader and net/http made of the fields, and says where they differ.
func sameHeader(ours, theirs http.Header) error {
	theirs = theirs.Clone()
	if _, ok := ours["Cache-Control"]; !ok && ours.Get("Pragma") == "no-cache" {
		delete(theirs, "Cache-Control") // which net/http adds
	}
	for _, h := range []http.Header{ours, theirs} {
		delete(h, "Connection")
	}
	for name, values := range theirs {
		for i, v := range values {
			theirs[name][i] = squeeze(v)
		}
		if !slices.Equal(ours[name], theirs[name]) {
			return fmt.Errorf("field %q: ours %q, theirs %q", name, ours[name], theirs[name])
		}
	}
	for name := range ours {
		if _, ok := theirs[name]; !ok {
			return fmt.Errorf("field %q: ours %q, theirs none", name, ours[name])
		}
	}
	return nil
}

// agree compares two readings of the same bytes, ours having been accepted.
func agree(ours, theirs message) error {
	switch {
	case ours.start != theirs.start:
		return fmt.Errorf("start line: ours %q, theirs %q", ours.start, theirs.start)
	case ours.host != theirs.host:
		return fmt.Errorf("host: ours %q, theirs %q", ours.host, theirs.host)
	case !ours.close && theirs.close:
		return errors.New("we keep the connection, they close it")
	case ours.whole && !theirs.whole:
		return fmt.Errorf("we read a body of %d bytes to its end, they do not", len(ours.body))
	case ours.whole && !bytes.Equal(ours.body, theirs.body):
		return fmt.Errorf("body: ours %q, theirs %q", ours.body, theirs.body)
	case ours.whole && ours.end != theirs.end:
		return fmt.Errorf("the next message begins at %d for us, at %d for them", ours.end, theirs.end)
	case !bytes.HasPrefix(theirs.body, ours.body) && !ours.whole && theirs.whole:
		return fmt.Errorf("body before a fault: ours %q, theirs %q", ours.body, theirs.body)
	}
	if err := sameHeader(ours.header, theirs.header); err != nil {
		return err
	}
	for name, values := range ours.trailer {
		if ours.whole && !slices.Equal(values, theirs.trailer[name]) {
			return fmt.Errorf("trailer %q: ours %q, theirs %q", name, values, theirs.trailer[name])
		}
	}
	return nil
}

// dechunked is what the decoder made of a chunked body.
type dechunked struct {
	body    []byte
	trailer http.Header
	done    bool
	err     error
	end     int // how many bytes were spent
}

// dechunk drives the decoder as a connection does: the bytes arrive in pieces, cut at the given
// places, and what is not spent stays in front of the next piece. most is how much data is taken
// at a time.
func dechunk(data []byte, cuts []int, most int, strict bool) (d dechunked) {
	var c chunked
	var fields Header
	cuts = append(slices.Clone(cuts), len(data))
	r, w := 0, 0
	for _, cut := range cuts {
		w = cut
		for {
			piece, n, err := c.next(data[r:w], most, strict, &fields)
			if n > w-r || len(piece) > n || len(piece) > most {
				panic(fmt.Sprintf("%d bytes of data from %d spent of %d, at most %d asked for", len(piece), n, w-r, most))
			}
			d.body = append(d.body, piece...)
			r += n
			if err != nil {
				d.err, d.end = err, r
				return d
			}
			if c.state == chunkDone {
				d.done, d.end = true, r
				d.trailer = http.Header{}
				for _, f := range fields.Fields {
					name := textproto.CanonicalMIMEHeaderKey(string(f.Name))
					d.trailer[name] = append(d.trailer[name], string(f.Value))
				}
				return d
			}
			if len(piece) == 0 {
				if n != 0 && r < w && c.state == chunkData {
					panic("data is at hand and was not given")
				}
				break
			}
		}
	}
	d.end = r
	return d
}

// everySplit decodes data in every way that its bytes can arrive (sampled where there are many),
// and returns an error if one of them differs from the decoding in one piece.
func everySplit(data []byte, strict bool) error {
	want := dechunk(data, nil, len(data)+1, strict)
	check := func(how string, got dechunked) error {
		if got.done != want.done || (got.err == nil) != (want.err == nil) || !bytes.Equal(got.body, want.body) || got.done && got.end != want.end {
			return fmt.Errorf("%s: %q, done %v at %d, %v; in one piece: %q, done %v at %d, %v",
				how, got.body, got.done, got.end, got.err, want.body, want.done, want.end, want.err)
		}
		return nil
	}
	step := max(1, len(data)/64)
	for i := 0; i <= len(data); i += step {
		if err := check(fmt.Sprintf("cut at %d", i), dechunk(data, []int{i}, len(data)+1, strict)); err != nil {
			return err
		}
	}
	if len(data) > 2000 {
		return nil
	}
	var each []int
	for i := range data {
		each = append(each, i)
	}
	if err := check("byte by byte", dechunk(data, each, len(data)+1, strict)); err != nil {
		return err
	}
	return check("data taken byte by byte", dechunk(data, nil, 1, strict))
}
