package wire

import (
	"io"
	"net/http"
	"strings"
)

// readHead makes the call's head of its stream's, and holds it to the same rules as a head of HTTP/1.1:
// an upstream may be told it in those words, and must not read another request in them (RFC 9113
// sections 8.2.1, 8.3.1 and 10.3). It returns why the call is refused, nil if it is not.
//
// The fields are in the caller's order, in lower case as HTTP/2 has them; Host is :authority, the
// crumbs of Cookie are joined (section 8.2.3), and an Expect that x/net answers is left out.
func (x *h2Exchange) readHead() *Refusal {
	h := x.head
	x.req.clear()
	b := h2Bytes(make([]byte, 0, h.size+32))
	target := x.readTarget(&b)
	if h.refusal != nil {
		return x.refuse(*h.refusal)
	}
	if err := x.readConnect(); err != nil {
		return x.refuse(refusalOf(err))
	}
	if target != nil {
		return x.refuse(refusalOf(target))
	}
	x.req.Header.Fields = make([]Field, 0, len(h.fields)+4)
	x.req.Header.Add(Host, hostName, x.req.Authority)
	if err := x.readFields(&b); err != nil {
		return x.refuse(refusalOf(err))
	}
	if err := x.frame(); err != nil {
		return x.refuse(refusalOf(err))
	}
	return nil
}

// noOffset is a HeadError's offset where there are no bytes to count.
const noOffset = -1

// readTarget reads the pseudo-fields. What it can't read it replaces, for whoever answers.
func (x *h2Exchange) readTarget(b *h2Bytes) *HeadError {
	h, rq := x.head, &x.req
	target, connect := h.path, h.method == http.MethodConnect && h.has&hasProtocol == 0
	if connect {
		target = h.authority
	}
	rq.Method, rq.Target = b.copy(h.method), b.copy(target)
	if len(rq.Method) == 0 || !all(rq.Method, isToken) {
		rq.Method, rq.Target, rq.Path = getMethod, slash, slash
		return &HeadError{":method", "it is missing, or not a token", noOffset, 400}
	}
	if len(rq.Target) == 0 || !all(rq.Target, isTarget) || !connect && target[0] != '/' && target != "*" {
		rq.Target, rq.Path = slash, slash
		if connect {
			return &HeadError{":authority", "it is missing, or not a host with a port", noOffset, 400}
		}
		return &HeadError{":path", "it is missing, does not begin with a slash, or holds a byte that no target may hold", noOffset, 400}
	}
	if h.method == http.MethodConnect && !connect {
		rq.Method = getMethod // the form of its target is that of a GET
	}
	if err := rq.splitTarget(); err != nil {
		rq.Path = slash
		return &HeadError{":path", err.Reason, noOffset, err.Status}
	}
	switch {
	case connect && h.has&(hasScheme|hasPath) != 0:
		return &HeadError{"pseudo-field", "a CONNECT has neither :scheme nor :path", noOffset, 400}
	case !connect && h.scheme != "http" && h.scheme != "https":
		return &HeadError{":scheme", "it is missing, or neither http nor https", noOffset, 400}
	}
	return x.readAuthority(b)
}

// readAuthority finds the host: Host says the same where there is one (RFC 9113 section 8.3.1).
func (x *h2Exchange) readAuthority(b *h2Bytes) *HeadError {
	h := x.head
	host, seen := h.authority, false
	for i := range h.fields {
		if h.fields[i].Name != "host" {
			continue
		}
		switch v := h.fields[i].Value; {
		case seen:
			return &HeadError{"Host", "there is more than one", noOffset, 400}
		case host == "":
			host = v
		case host != v:
			return &HeadError{"Host", "it is not :authority", noOffset, 400}
		}
		seen = true
	}
	authority := b.copy(host)
	switch {
	case len(authority) == 0:
		return &HeadError{":authority", "it is missing, and so is Host", noOffset, 400}
	case !validAuthority(authority):
		return &HeadError{":authority", "it is not a host with an optional port", noOffset, 400}
	}
	x.req.Authority = authority
	return nil
}

var (
	getMethod = []byte("GET")
	hostName  = []byte("host")
)

// readFields takes over the fields.
func (x *h2Exchange) readFields(b *h2Bytes) *HeadError {
	h, to := x.head, &x.req.Header
	var crumbs []string
	for i := range h.fields {
		f := &h.fields[i]
		if f.Value != "" && (white(f.Value[0]) || white(f.Value[len(f.Value)-1])) {
			return &HeadError{"field value", "white space stands before or after it", noOffset, 400}
		}
		name := b.copy(f.Name)
		id := Identify(name)
		switch id {
		case Connection, KeepAlive, ProxyConnection, TransferEncoding, Upgrade: // RFC 9113 section 8.2.2
			return &HeadError{id.String(), "HTTP/2 has no such field", noOffset, 400}
		case TE:
			if f.Value != "trailers" && f.Value != "" || to.Has(TE) {
				return &HeadError{"TE", "it may only be trailers in HTTP/2", noOffset, 400}
			}
		case Host:
			continue
		case Expect:
			if strings.EqualFold(f.Value, "100-continue") {
				continue // x/net sends the answer when the body is first read
			}
		case Cookie:
			if crumbs = append(crumbs, f.Value); len(crumbs) > 1 {
				continue
			}
		}
		to.Add(id, name, b.copy(f.Value))
	}
	if len(crumbs) > 1 {
		whole := []byte(strings.Join(crumbs, "; "))
		for i := range to.Fields {
			if to.Fields[i].ID == Cookie {
				to.Fields[i].Value = whole
			}
		}
	}
	return nil
}

func white(c byte) bool { return c == ' ' || c == '\t' }

// frame finds the body's length.
func (x *h2Exchange) frame() *HeadError {
	h := &x.req.Header
	x.req.Length = x.head.length()
	if h.Has(ContentLength) {
		if h.Count(ContentLength) > 1 {
			return &HeadError{"Content-Length", "there is more than one", noOffset, 400}
		}
		switch n := parseDecimal(h.Get(ContentLength)); {
		case n < 0:
			return &HeadError{"Content-Length", "it is not a number", noOffset, 400}
		case n != x.req.Length:
			return &HeadError{"Content-Length", "the stream ends before that many bytes have come", noOffset, 400}
		}
	}
	if h.Has(Expect) {
		return &HeadError{"Expect", "only 100-continue is understood", noOffset, 417}
	}
	if x.asUpgrade(); x.key != "" {
		x.req.Length = 0 // what follows is the tunnel's
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
