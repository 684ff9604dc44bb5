package wire

import (
	"bytes"
	"net/netip"
)

// Request is the head of a call. Its slices point into the connection's buffer and are valid
// until the call has ended.
type Request struct {
	Method []byte
	Target []byte // as sent: origin-form, absolute-form or "*"
	Path   []byte // raw, begins with "/", or is "*"
	Query  []byte // raw, without "?"
	// HasQuery is true when a "?" was there, if only with nothing after it.
	HasQuery  bool
	Authority []byte // of an absolute-form target, else of Host; may be empty
	Minor     int    // 1 for HTTP/1.1, 0 for HTTP/1.0
	Header    Header

	// Length is the body's length: 0 for none, -1 for a chunked one.
	Length int64
	// Close is true when the caller wants the connection closed after the answer, or cannot keep it.
	Close bool
	// Continue is true when the caller waits for 100 (Continue) before it sends the body.
	Continue bool
}

// Chunked tells whether the body comes in chunks.
func (r *Request) Chunked() bool { return r.Length < 0 }

// clear forgets the call before.
func (r *Request) clear() {
	r.Header.Reset()
	r.Length, r.Close, r.Continue, r.HasQuery, r.Minor = 0, false, false, false, 1
	r.Method, r.Target, r.Path, r.Query, r.Authority = nil, nil, nil, nil, nil
}

// ParseRequest reads a whole head, as bounded by HeadEnd, into r. The head's bytes are kept.
// Sources: RFC 9112 sections 2 to 6, RFC 9110 section 7.2.
func ParseRequest(head []byte, limits Limits, r *Request) *HeadError {
	r.clear()
	at, err := parseRequestLine(head, r)
	if err != nil {
		return err
	}
	if err := parseFields(head, at, &r.Header, limits.Fields, true); err != nil {
		return err
	}
	if err := r.checkHost(head, at); err != nil {
		return err
	}
	return r.frame(head)
}

func parseRequestLine(head []byte, r *Request) (int, *HeadError) {
	const part = "request line"
	i := bytes.IndexByte(head, '\n')
	if i < 1 || head[i-1] != '\r' {
		if i == 0 {
			return 0, badHead(0, part, "it is empty")
		}
		return 0, badHead(0, part, "it ends with a bare LF; CRLF is required")
	}
	line := head[:i-1]
	if len(line) == 0 {
		return 0, badHead(0, part, "it is empty")
	}
	sp := bytes.IndexByte(line, ' ')
	if sp <= 0 || !all(line[:sp], isToken) {
		if sp > 0 && line[0] == 0x16 {
			return 0, badHead(0, part, "a TLS handshake came on a plain HTTP address")
		}
		return 0, badHead(0, part, "the method is not a token")
	}
	r.Method = line[:sp:sp]
	rest := line[sp+1:]
	sp = bytes.IndexByte(rest, ' ')
	if sp <= 0 {
		return 0, badHead(0, part, "it is not METHOD TARGET VERSION with single spaces")
	}
	r.Target = rest[:sp:sp]
	switch version := rest[sp+1:]; {
	case string(version) == "HTTP/1.1":
		r.Minor = 1
	case string(version) == "HTTP/1.0":
		r.Minor = 0
	case len(version) == 8 && string(version[:5]) == "HTTP/" && version[5] >= '0' && version[5] <= '9' && version[6] == '.' && version[7] >= '0' && version[7] <= '9':
		return 0, &HeadError{part, "only HTTP/1.0 and HTTP/1.1 are spoken here", 0, 505}
	default:
		return 0, badHead(0, part, "the version is not HTTP/1.1")
	}
	if !all(r.Target, isTarget) {
		return 0, badHead(0, part, "the target holds a byte that no target may hold")
	}
	if err := r.splitTarget(); err != nil {
		return 0, err
	}
	return i + 1, nil
}

// splitTarget reads the target's form (RFC 9112 section 3.2).
func (r *Request) splitTarget() *HeadError {
	const part = "request target"
	path := r.Target
	switch {
	case path[0] == '/':
	case len(path) == 1 && path[0] == '*':
		if string(r.Method) != "OPTIONS" {
			return badHead(0, part, "\"*\" goes with OPTIONS alone")
		}
		r.Path = path
		return nil
	case string(r.Method) == "CONNECT":
		// The authority form: kept whole, so that the refusal can name it.
		if !validAuthority(path) {
			return badHead(0, part, "it is not an authority")
		}
		r.Authority, r.Path = path, path
		return nil
	default:
		n := 0
		if len(path) > 7 && EqualFold(path[:7], "http://") {
			n = 7
		} else if len(path) > 8 && EqualFold(path[:8], "https://") {
			n = 8
		} else {
			return badHead(0, part, "it begins neither with \"/\" nor with http://")
		}
		rest := path[n:]
		end := bytes.IndexAny(rest, "/?")
		if end < 0 {
			end = len(rest)
		}
		r.Authority = rest[:end:end]
		if end == 0 || !validAuthority(r.Authority) {
			return badHead(0, part, "its authority is not a host with an optional port")
		}
		path = rest[end:]
		if len(path) == 0 || path[0] == '?' {
			// http://host and http://host?q have an empty path, which means "/".
			r.Path = slash
			if len(path) > 0 {
				r.Query, r.HasQuery = path[1:], true
			}
			return nil
		}
	}
	if q := bytes.IndexByte(path, '?'); q >= 0 {
		r.Path, r.Query, r.HasQuery = path[:q:q], path[q+1:], true
	} else {
		r.Path = path
	}
	for rest := r.Path; ; rest = rest[3:] {
		i := bytes.IndexByte(rest, '%')
		if i < 0 {
			return nil
		}
		if rest = rest[i:]; len(rest) < 3 || class[rest[1]]&isHex == 0 || class[rest[2]]&isHex == 0 {
			return badHead(0, part, "a percent sign in the path is not followed by two hexadecimal digits")
		}
	}
}

var slash = []byte("/")

// checkHost holds the request to one Host (RFC 9112 section 3.2). An absolute-form target's
// authority wins over it. at is where the fields begin.
func (r *Request) checkHost(head []byte, at int) *HeadError {
	switch n := r.Header.Count(Host); {
	case n > 1:
		return badHead(lineOf(head, r.Header.Get(Host)), "Host", "there is more than one")
	case n == 0:
		if r.Minor == 1 {
			return badHead(at, "Host", "it is missing")
		}
		return nil
	}
	host := r.Header.Get(Host)
	if len(host) > 0 && !validAuthority(host) {
		return badHead(lineOf(head, host), "Host", "it is not a host with an optional port")
	}
	if r.Authority == nil {
		r.Authority = host
	}
	return nil
}

// validAuthority accepts host[:port], where host is a name, an IPv4 address or a bracketed IP literal.
func validAuthority(a []byte) bool {
	if !all(a, isHost) || len(a) == 0 {
		return false
	}
	host, port := a, []byte(nil)
	if a[0] == '[' {
		end := bytes.IndexByte(a, ']')
		if end < 2 {
			return false
		}
		// "%25zone" and "v1." forms have no place in a Host.
		if ip, err := netip.ParseAddr(string(a[1:end])); err != nil || !ip.Is6() || ip.Zone() != "" {
			return false
		}
		port = a[end+1:]
		if len(port) > 0 && port[0] != ':' {
			return false
		}
	} else {
		if i := bytes.IndexByte(a, ':'); i >= 0 {
			host, port = a[:i], a[i:]
		}
		if len(host) == 0 || bytes.IndexByte(host, '[') >= 0 || bytes.IndexByte(host, ']') >= 0 {
			return false
		}
	}
	if len(port) > 6 {
		return false
	}
	for i, b := range port {
		if i > 0 && (b < '0' || b > '9') {
			return false
		}
	}
	return true
}

// frame finds the body's length (RFC 9112 section 6.3) and what becomes of the connection.
func (r *Request) frame(head []byte) *HeadError {
	h := &r.Header
	if h.Has(TransferEncoding) {
		at := lineOf(head, h.Get(TransferEncoding))
		switch {
		case r.Minor == 0:
			return badHead(at, "Transfer-Encoding", "HTTP/1.0 has none")
		case h.Has(ContentLength):
			return badHead(at, "Transfer-Encoding", "Content-Length stands beside it")
		case h.Count(TransferEncoding) > 1:
			return badHead(at, "Transfer-Encoding", "there is more than one")
		case !EqualFold(h.Get(TransferEncoding), "chunked"):
			return &HeadError{"Transfer-Encoding", "only chunked is understood", at, 501}
		case h.announcesFraming():
			return badHead(lineOf(head, h.Get(Trailer)), "Trailer", "it announces a field that frames messages")
		}
		r.Length = -1
	} else if h.Has(ContentLength) {
		first := h.Get(ContentLength)
		if h.Count(ContentLength) > 1 {
			return badHead(lineOf(head, first), "Content-Length", "there is more than one")
		}
		if r.Length = parseDecimal(first); r.Length < 0 {
			r.Length = 0
			return badHead(lineOf(head, first), "Content-Length", "it is not a number")
		}
	}
	// What follows a CONNECT may be meant for the tunnel that it asks for: it is never read as a call.
	r.Close = h.closes(r.Minor) || string(r.Method) == "CONNECT"
	if h.Has(Expect) {
		if !EqualFold(h.Get(Expect), "100-continue") || h.Count(Expect) > 1 {
			return &HeadError{"Expect", "only 100-continue is understood", lineOf(head, h.Get(Expect)), 417}
		}
		// RFC 9110 section 10.1.1: without a body, or from HTTP/1.0, the expectation is void.
		r.Continue = r.Minor == 1 && r.Length != 0
	}
	return nil
}
