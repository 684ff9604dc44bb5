package catalog

import (
	"fmt"
	"strings"
)

// routePath is the path of a route: exact, with {param} for whole segments, or with * at its end.
func routePath() scalar {
	return scalar{
		noun: "a path such as /orders/*", kinds: []nodeKind{stringNode},
		schema: map[string]any{"type": "string", "pattern": `^/[^*]*\*?$`},
		parse: func(s string) (any, *wrong) {
			if w := checkPathPattern(s); w != nil {
				return nil, w
			}
			return s, nil
		},
	}
}

func checkPathPattern(s string) *wrong {
	switch star := strings.IndexByte(s, '*'); {
	case s == "*":
		return &wrong{message: "does not begin with /", fix: "write /*"}
	case !strings.HasPrefix(s, "/"):
		return &wrong{message: "does not begin with /", fix: "write /" + s}
	case unprintable(s) != nil || strings.ContainsAny(s, " \\"):
		return &wrong{message: "has a character that no path can hold", fix: "write it as %XX"}
	case strings.ContainsAny(s, "?#"):
		return &wrong{message: "has a query or fragment", fix: "write the path alone"}
	case star >= 0 && star < len(s)-1:
		return &wrong{message: "has a * before its end", fix: "write {name} for one segment, and * only as the last character"}
	case badEscape(s):
		return &wrong{message: "has a % without two hexadecimal digits", fix: "write %25 for a percent sign"}
	}
	names := map[string]bool{}
	segments := strings.Split(s[1:], "/")
	for i, segment := range segments {
		switch {
		case segment == "" && i < len(segments)-1:
			return &wrong{message: "has an empty segment", fix: "write single slashes: routing sees // as /"}
		case segment == "." || segment == "..":
			return &wrong{message: "has the segment " + segment, fix: "write the path without it: routing sees it resolved"}
		case !strings.ContainsAny(segment, "{}"):
			continue
		}
		name := strings.TrimSuffix(strings.TrimPrefix(segment, "{"), "}")
		switch {
		case len(segment) != len(name)+2 || strings.ContainsAny(name, "{}*"):
			return &wrong{message: "has braces that are not a whole segment", fix: "write {name} between two slashes"}
		case !variableName(strings.ReplaceAll(name, "-", "_")):
			return &wrong{message: "has a parameter without a proper name", fix: "write {name}: letters, digits, - and _, no digit first"}
		case names[name]:
			return &wrong{message: fmt.Sprintf("has the parameter {%s} twice", name), fix: "give each its own name"}
		}
		names[name] = true
	}
	return nil
}

func badEscape(s string) bool {
	for i := range len(s) {
		if s[i] == '%' && (i+2 >= len(s) || unhex(s[i+1]) < 0 || unhex(s[i+2]) < 0) {
			return true
		}
	}
	return false
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// pathPrefix is what stands before the LLM addresses.
func pathPrefix() scalar {
	return scalar{
		noun: "a path such as /ai", kinds: []nodeKind{stringNode},
		schema: map[string]any{"type": "string", "pattern": "^/[^*{}?#]*$"},
		parse: func(s string) (any, *wrong) {
			if strings.ContainsAny(s, "*{}") {
				return nil, &wrong{message: "is a pattern", fix: "write a plain path such as /ai"}
			}
			s = strings.TrimRight(s, "/")
			if s == "" {
				return "", nil
			}
			if w := checkPathPattern(s); w != nil {
				return nil, w
			}
			return s, nil
		},
	}
}

// normal is a pattern in the form that patterns are compared in: parameters without their names,
// and escapes as RFC 3986 section 6.2.2 has them: unreserved characters plain, the others, and
// what may not stand in a path (section 3.3), as escapes in capital letters.
func normal(pattern string) string {
	const pchar = "-._~!$&'()*+,;=:@/"
	var b strings.Builder
	for i := 0; i < len(pattern); i++ {
		c := pattern[i]
		switch {
		case c == '%' && i+2 < len(pattern) && unhex(pattern[i+1]) >= 0 && unhex(pattern[i+2]) >= 0:
			d := byte(unhex(pattern[i+1])<<4 | unhex(pattern[i+2]))
			if alphanumeric(d) || strings.IndexByte("-._~", d) >= 0 {
				b.WriteByte(d)
			} else {
				fmt.Fprintf(&b, "%%%02X", d)
			}
			i += 2
		case c == '{':
			b.WriteString("{}")
			i += strings.IndexByte(pattern[i:], '}')
		case !alphanumeric(c) && strings.IndexByte(pchar, c) < 0:
			fmt.Fprintf(&b, "%%%02X", c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// overlap tells whether some path matches both patterns, given in their normal form. A pattern
// that ends in /* matches the path before the slash, too.
func overlap(a, b string) bool {
	if shortA, cut := strings.CutSuffix(a, "/*"); cut && meet(shortA, b) {
		return true
	}
	if shortB, cut := strings.CutSuffix(b, "/*"); cut && meet(a, shortB) {
		return true
	}
	return meet(a, b)
}

func meet(a, b string) bool {
	for {
		switch {
		case a == "*" || b == "*":
			return true
		case a == "" || b == "":
			return a == b
		case a[0] == '{' && b[0] == '{':
			a, b = a[2:], b[2:]
		case a[0] == '{':
			a, b = b, a
			fallthrough
		case b[0] == '{':
			end := strings.IndexAny(a, "/*")
			switch {
			case end < 0:
				end = len(a)
			case a[end] == '*':
				// The * may take the rest of the segment, and all that follows.
				return true
			}
			if end == 0 {
				return false // a segment can't be empty
			}
			a, b = a[end:], b[2:]
		case a[0] != b[0]:
			return false
		default:
			a, b = a[1:], b[1:]
		}
	}
}
