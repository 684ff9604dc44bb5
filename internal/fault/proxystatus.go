package fault

import "strconv"

// detailsLimit keeps the Proxy-Status field well inside the header limits of common clients.
const detailsLimit = 400

// ProxyStatus is the value of the Proxy-Status field (RFC 9209) for f: one member, named
// causeway. details is the sentence that the view may see, cut at 400 bytes. An upstream's own
// Proxy-Status members belong in front of it (RFC 9209 section 2).
func ProxyStatus(f *Finding, v View) string {
	e := entryOf(f.Kind)
	b := make([]byte, 0, 256)
	b = append(b, "causeway"...)
	if e.Proxy != "" {
		b = append(append(b, "; error="...), e.Proxy...)
	}
	if e.Proxy == "http_request_error" && f.Status >= 400 && f.Status < 500 {
		b = strconv.AppendInt(append(b, "; status-code="...), int64(f.Status), 10)
	}
	for _, p := range f.ProxyParams {
		b = appendParam(b, p)
	}
	if f.ReceivedStatus != 0 {
		b = strconv.AppendInt(append(b, "; received-status="...), int64(f.ReceivedStatus), 10)
	}
	b = append(b, "; details="...)
	return string(appendSFString(b, v.detail(f, e), detailsLimit))
}

// appendParam appends one parameter (RFC 8941 section 3.1.2). A name or token that the grammar
// does not allow leaves the parameter out rather than the whole field unreadable.
func appendParam(b []byte, p Param) []byte {
	if !validKey(p.Name) || p.Token && !validToken(p.Str) {
		return b
	}
	b = append(append(append(b, "; "...), p.Name...), '=')
	switch {
	case p.IsInt:
		return strconv.AppendInt(b, p.Int, 10)
	case p.Token:
		return append(b, p.Str...)
	default:
		return appendSFString(b, p.Str, 100)
	}
}

// appendSFString appends s as a structured field's string (RFC 8941 section 3.3.3), which has
// only printable ASCII: anything else becomes a question mark, one for each character.
func appendSFString(b []byte, s string, limit int) []byte {
	b = append(b, '"')
	n := 0
	for _, r := range s {
		if n == limit {
			b = append(b, "..."...)
			break
		}
		n++
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r >= 0x20 && r < 0x7f:
			b = append(b, byte(r))
		default:
			b = append(b, '?')
		}
	}
	return append(b, '"')
}

// validKey says whether s is a key of RFC 8941 section 3.1.2.
func validKey(s string) bool {
	for i := range len(s) {
		c := s[i]
		first := c >= 'a' && c <= 'z' || c == '*'
		if !first && (i == 0 || !(c >= '0' && c <= '9' || c == '_' || c == '-' || c == '.')) {
			return false
		}
	}
	return s != ""
}

// validToken says whether s is a token of RFC 8941 section 3.3.4.
func validToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		alpha := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '*'
		if i == 0 && !alpha {
			return false
		}
		if !alpha && !(c >= '0' && c <= '9') && !contains("!#$%&'*+-.^_`|~:/", c) {
			return false
		}
	}
	return s != ""
}

func contains(set string, c byte) bool {
	for i := range len(set) {
		if set[i] == c {
			return true
		}
	}
	return false
}
