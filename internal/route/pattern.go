package route

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"unique"

	"golang.org/x/net/idna"
)

// pattern is a compiled Path.
type pattern struct {
	text string // as configured
	// segments are the literal segments in normal form; param segments are "{}", which no literal
	// can be since braces are escaped. A "*" is not among them.
	segments []string
	params   int
	star     bool
	prefix   string // the literal text between the last "/" and the "*"
	// literal is the normal form of everything before the first wildcard, without the slash
	// before it: what strip_prefix takes off. whole says that there is no wildcard.
	literal string
	whole   bool
	display string // what near misses compare and show
}

const param = "{}"

// compile reads a Path.
func compile(path string) (pattern, error) {
	p := pattern{text: path, display: path}
	if path == "" || path[0] != '/' {
		return p, errors.New(`the path must begin with "/"`)
	}
	if i := strings.IndexAny(path, "?#"); i >= 0 {
		return p, fmt.Errorf("a path has no %q; the query is not part of routing", path[i:i+1])
	}
	body := path
	if i := strings.IndexByte(path, '*'); i >= 0 {
		if i != len(path)-1 {
			return p, errors.New(`"*" stands for the rest of the path and can only be its last character; {name} stands for one segment`)
		}
		p.star, body = true, path[:i]
	}
	raw := strings.Split(body[1:], "/")
	literals := len(raw) // segments before the first wildcard
	for i, s := range raw {
		if strings.HasPrefix(s, "{") && strings.HasSuffix(s, "}") && !strings.ContainsAny(s[1:len(s)-1], "{}") {
			if s == "{}" {
				return p, errors.New("a parameter needs a name, such as {id}")
			}
			if p.star && i == len(raw)-1 {
				return p, fmt.Errorf(`"/" is missing between %s and "*"`, s)
			}
			literals = min(literals, i)
			p.segments = append(p.segments, param)
			p.params++
			continue
		}
		if strings.ContainsAny(s, "{}") {
			return p, fmt.Errorf("%q: a parameter stands for a whole segment, as in /orders/{id}", s)
		}
		p.segments = append(p.segments, s)
	}
	if err := p.normalize(); err != nil {
		return p, err
	}
	if p.star {
		last := len(p.segments) - 1
		p.prefix, p.segments = p.segments[last], p.segments[:last]
		literals = min(literals, last)
	}
	p.whole = !p.star && p.params == 0
	p.literal = ""
	for _, s := range p.segments[:literals] {
		p.literal += "/" + s
	}
	if p.params == 0 && p.prefix != "" {
		p.literal += "/" + p.prefix
	}
	return p, nil
}

// normalize brings the literal segments into normal form, so that a path written with an umlaut
// or an escape is found, and refuses those that no normal form has.
func (p *pattern) normalize() error {
	for i, s := range p.segments {
		if s == param {
			continue
		}
		last := i == len(p.segments)-1
		if s == "" && !last {
			return errors.New(`"//" is never found: runs of slashes count as one`)
		}
		norm, _, err := Normalize(nil, []byte("/x"+s)) // x: a prefix such as "." is no dot segment
		if err != nil {
			return err
		}
		p.segments[i] = unique.Make(string(norm[2:])).Value() // many routes share segments: one copy stays in the cache
		if d := p.segments[i]; (d == "." || d == "..") && !(last && p.star) {
			return fmt.Errorf("%q is never found: dot segments are taken out of a path", s)
		}
	}
	return nil
}

// shape is equal for two patterns that match the same paths.
func (p *pattern) shape() string {
	s := "/" + strings.Join(p.segments, "/")
	if p.star {
		if len(p.segments) > 0 {
			s += "/"
		}
		s += p.prefix + "*"
	}
	return s
}

// checkConditions looks at what a rule asks of method and headers.
func checkConditions(r *Rule) error {
	for _, m := range r.Methods {
		if !isToken(m) {
			return fmt.Errorf("%q is not a method", m)
		}
	}
	for name := range r.Headers {
		if !isToken(name) {
			return fmt.Errorf("%q is not a header name", name)
		}
	}
	return nil
}

// canonicalHosts brings hosts into the form in which they are looked up, each once; "" is any.
func canonicalHosts(hosts []string) ([]string, error) {
	if len(hosts) == 0 {
		return []string{""}, nil
	}
	var out []string
	for _, h := range hosts {
		c, err := canonicalHost(h)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(out, c) {
			out = append(out, c)
		}
	}
	return out, nil
}

func canonicalHost(h string) (string, error) {
	if h == "*" {
		return "", nil
	}
	name := strings.ToLower(string(trimHost([]byte(h))))
	wild := strings.HasPrefix(name, "*.")
	name = strings.TrimPrefix(name, "*.")
	if addr, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil && !wild {
		if addr.Is6() {
			return "[" + addr.String() + "]", nil
		}
		return addr.String(), nil
	}
	if ascii, err := idna.Lookup.ToASCII(name); err == nil && !isHostName(name) {
		name = ascii // bücher.example is asked for as xn--bcher-kva.example
	}
	if !isHostName(name) {
		return "", fmt.Errorf("%q is not a host name; allowed are api.example.com, *.example.com and *", h)
	}
	if wild {
		name = "*." + name
	}
	return name, nil
}

// isHostName allows what is found in Host headers: letters, digits, "-", "_" and dots between.
func isHostName(s string) bool {
	for label := range strings.SplitSeq(s, ".") {
		for i := range len(label) {
			c := label[i]
			if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
				return false
			}
		}
		if label == "" {
			return false
		}
	}
	return len(s) <= maxHost
}

// maxHost is the longest name, RFC 1035 section 2.3.4.
const maxHost = 255

// trimHost takes port and trailing dot off a Host value.
func trimHost(h []byte) []byte {
	for i := len(h) - 1; i >= 0; i-- {
		c := h[i]
		if c == ':' {
			h = h[:i]
			break
		}
		if c < '0' || c > '9' {
			break
		}
	}
	if n := len(h); n > 1 && h[n-1] == '.' {
		h = h[:n-1]
	}
	return h
}

// isToken is RFC 9110 section 5.6.2.
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0) {
			return false
		}
	}
	return s != ""
}
