package wire

import (
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// readHead makes the call's head of what x/net understood, and holds it to the same rules as a head
// of HTTP/1.1: an upstream may be told it in those words, and must not read another request in them
// (RFC 9113 sections 8.2.1, 8.3.1 and 10.3). It returns why the call is refused, nil if it is not.
//
// The order of fields and what x/net takes out itself (the crumbs of Cookie are joined, Host is
// :authority, Expect is answered) are gone when it comes here: fields are in the order of their
// names, which are in lower case, as HTTP/2 has them.
func (x *h2Exchange) readHead(r *http.Request) *Refusal {
	limits := x.p.c.o.Limits
	x.req.clear()
	notConnect := x.readConnect(r)
	b := h2Bytes(make([]byte, 0, len(r.Method)+len(r.RequestURI)+len(r.Host)))
	if err := x.readTarget(r, &b); err != nil || notConnect != nil {
		if notConnect != nil {
			err = notConnect
		}
		return x.refuse(refusalOf(err))
	}
	names := make([]string, 0, len(r.Header))
	size, fields := len(r.Method)+len(r.RequestURI)+len("  HTTP/1.1\r\n")+len("host: \r\n")+len(r.Host)+len("\r\n"), 1
	for name, values := range r.Header {
		if name[0] == ':' {
			continue // :protocol, of an extended CONNECT
		}
		names = append(names, name)
		fields += len(values)
		for _, v := range values {
			size += len(name) + len(v) + len(": \r\n")
		}
	}
	if size > limits.Head {
		return x.refuse(Refusal{Reason: RefuseHeadTooBig, Limit: "server.max_header", Value: sizeText(limits.Head), Seen: sizeText(size)})
	}
	if fields > limits.Fields {
		return x.refuse(refusalOf(&HeadError{"fields", "there are too many", noOffset, 431}))
	}
	slices.Sort(names)
	b = make([]byte, 0, size)
	x.req.Header.Fields = make([]Field, 0, fields+1)
	x.req.Header.Add(Host, hostName, x.req.Authority)
	for _, name := range names {
		lower := b.lower(name)
		id := Identify(lower)
		for _, v := range r.Header[name] {
			if v != strings.Trim(v, " \t") {
				return x.refuse(refusalOf(&HeadError{"field value", "white space stands before or after it", noOffset, 400}))
			}
			x.req.Header.Add(id, lower, b.copy(v))
		}
	}
	if len(r.Trailer) > 0 {
		announced := slices.Sorted(maps.Keys(r.Trailer))
		x.req.Header.Add(Trailer, trailerName, []byte(strings.ToLower(strings.Join(announced, ", "))))
	}
	if err := x.frame(r); err != nil {
		return x.refuse(refusalOf(err))
	}
	x.asUpgrade()
	return nil
}

// noOffset is a HeadError's offset where there are no bytes to count.
const noOffset = -1

// readTarget reads the pseudo-fields.
func (x *h2Exchange) readTarget(r *http.Request, b *h2Bytes) *HeadError {
	rq := &x.req
	rq.Method, rq.Target = b.copy(r.Method), b.copy(r.RequestURI)
	if len(rq.Method) == 0 || !all(rq.Method, isToken) {
		rq.Method = getMethod // for whoever answers: what came is no method
		return &HeadError{":method", "it is not a token", noOffset, 400}
	}
	if len(rq.Target) == 0 || !all(rq.Target, isTarget) {
		rq.Target, rq.Path = slash, slash
		return &HeadError{":path", "it holds a byte that no target may hold", noOffset, 400}
	}
	if err := rq.splitTarget(); err != nil {
		rq.Path = slash
		return &HeadError{":path", err.Reason, noOffset, err.Status}
	}
	host := b.copy(r.Host)
	switch {
	case len(host) == 0:
		return &HeadError{":authority", "it is missing, and so is Host", noOffset, 400}
	case !validAuthority(host):
		return &HeadError{":authority", "it is not a host with an optional port", noOffset, 400}
	}
	rq.Authority = host
	return nil
}

var (
	getMethod   = []byte("GET")
	hostName    = []byte("host")
	trailerName = []byte("trailer")
)

// frame finds the body's length. x/net takes a Content-Length for the body's length where a body
// follows, and looks at the first alone.
func (x *h2Exchange) frame(r *http.Request) *HeadError {
	h := &x.req.Header
	x.req.Length = r.ContentLength
	if h.Has(ContentLength) {
		if h.Count(ContentLength) > 1 {
			return &HeadError{"Content-Length", "there is more than one", noOffset, 400}
		}
		switch n := parseDecimal(h.Get(ContentLength)); {
		case n < 0:
			return &HeadError{"Content-Length", "it is not a number", noOffset, 400}
		case n != r.ContentLength:
			return &HeadError{"Content-Length", "the stream ends before that many bytes have come", noOffset, 400}
		}
	}
	if h.Has(Expect) {
		return &HeadError{"Expect", "only 100-continue is understood", noOffset, 417}
	}
	x.body.begin(x.req.Length)
	if x.req.Length == 0 && h.Has(ContentLength) {
		// Nothing may come, but the end of the stream may still be on its way.
		x.body.begin(-1)
		var more [1]byte
		if n, err := x.ReadBody(more[:], x.p.c.o.ReadHeaderTimeout); n > 0 || err != io.EOF {
			return &HeadError{"Content-Length", "a body follows that it says is none", noOffset, 400}
		}
		x.body.length = 0
	}
	return nil
}

// refuse notes why the call is turned away. Its body is not read.
func (x *h2Exchange) refuse(why Refusal) *Refusal {
	x.refusal = why
	x.req.Length = 0
	x.body.done = true
	return &x.refusal
}

// h2Bytes is memory for a head's bytes. It is made large enough, so that it does not move.
type h2Bytes []byte

func (b *h2Bytes) copy(s string) []byte {
	n := len(*b)
	*b = append(*b, s...)
	return (*b)[n:len(*b):len(*b)]
}

func (b *h2Bytes) lower(s string) []byte {
	p := b.copy(s)
	for i, c := range p {
		if c >= 'A' && c <= 'Z' {
			p[i] = c | 0x20
		}
	}
	return p
}
