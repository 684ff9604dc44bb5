package fault

import "strings"

// PrefersHTML says whether an Accept header (RFC 9110 section 12.5.1) ranks text/html above both
// JSON (application/json or application/problem+json) and anything else (*/*). So a browser
// gets a page, and curl, SDKs and callers without Accept get JSON. It allocates nothing.
func PrefersHTML(accept string) bool {
	html, problem, plain, any := rank{}, rank{}, rank{}, rank{}
	for accept != "" {
		var part string
		part, accept = nextRange(accept)
		media, q, ok := parseRange(part)
		if !ok {
			continue
		}
		html.see(media, "text", "html", q)
		problem.see(media, "application", "problem+json", q)
		plain.see(media, "application", "json", q)
		if media == "*/*" {
			any.q = max(any.q, q)
		}
	}
	return html.q > 0 && html.q > problem.q && html.q > plain.q && html.q > any.q
}

// rank is the quality of one media type: the one of the most specific range that matches it.
type rank struct {
	q           int // in thousandths
	specificity int // 1: */*, 2: type/*, 3: type/subtype
}

func (r *rank) see(media, kind, sub string, q int) {
	s := 0
	t, u, _ := strings.Cut(media, "/")
	switch {
	case t == "*" && u == "*":
		s = 1
	case strings.EqualFold(t, kind) && u == "*":
		s = 2
	case strings.EqualFold(t, kind) && strings.EqualFold(u, sub):
		s = 3
	}
	if s == 0 || s < r.specificity {
		return
	}
	if s == r.specificity {
		q = max(q, r.q)
	}
	r.q, r.specificity = q, s
}

// nextRange cuts the first member off a list, minding commas inside quoted parameters.
func nextRange(list string) (part, rest string) {
	quoted := false
	for i := 0; i < len(list); i++ {
		switch c := list[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case c == ',' && !quoted:
			return list[:i], list[i+1:]
		}
	}
	return list, ""
}

// parseRange reads "text/html;q=0.8". A range with a parameter other than q and charset asks for
// a variant that we do not have, and one with a broken q asks for nothing that can be ranked.
func parseRange(s string) (media string, q int, ok bool) {
	media, params, _ := strings.Cut(s, ";")
	media = strings.TrimSpace(media)
	q = 1000
	for params != "" {
		var p string
		p, params, _ = strings.Cut(params, ";")
		name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		switch {
		case strings.EqualFold(name, "q"):
			// Whatever follows q is an extension of Accept (RFC 7231), not a parameter of the type.
			q, ok = parseQ(strings.TrimSpace(value))
			return media, q, ok && media != ""
		case name == "" || strings.EqualFold(name, "charset"):
		default:
			return "", 0, false
		}
	}
	return media, q, media != ""
}

// parseQ reads a weight, 0 to 1 with at most three decimals, as thousandths.
func parseQ(s string) (q int, ok bool) {
	if s == "" || s[0] != '0' && s[0] != '1' || len(s) > 5 {
		return 0, false
	}
	q = int(s[0]-'0') * 1000
	if len(s) == 1 {
		return q, true
	}
	if s[1] != '.' {
		return 0, false
	}
	unit := 100
	for i := 2; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		q += int(s[i]-'0') * unit
		unit /= 10
	}
	return q, q <= 1000
}
