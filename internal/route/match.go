package route

import (
	"bytes"
	"slices"
	"strings"
)

// Status is what Match found.
type Status uint8

// The outcomes of Match.
const (
	Found            Status = iota
	NotFound                // no route has this host, path and headers
	MethodNotAllowed        // the path is there, not for this method: see Allow
	Ambiguous               // different routes, depending on who reads the path: see Rule and Other
	BadPath                 // not a path: see Err
)

// Result is Match's answer.
type Result struct {
	Status Status
	// Rule is the index of the route in Build's rules; for MethodNotAllowed and Ambiguous one of
	// those that the path in normal form fits; else -1.
	Rule int
	// Other is, for Ambiguous, a route that another reading of the path fits, else -1.
	Other int
	// Reading is, for Ambiguous, the other reading.
	Reading []byte
	// Path is the normal form of the path: the argument itself where it was in normal form.
	Path []byte
	// Allow is, for MethodNotAllowed, the value of the Allow header.
	Allow string
	// Err is, for BadPath, ErrNotAPath, ErrBadEscape or ErrNUL.
	Err error
}

// Header gives the value of the first field line of a name, in any case; nil when there is none.
type Header func(name string) []byte

// Match finds the route of a call. host is the Host value with or without port, path the path as
// the caller sent it, without the query. header may be nil where no rule has header conditions.
// A path in normal form costs no allocation.
//
// A path that is not in normal form, or that servers behind us may read in another way (escaped
// slashes, backslashes, ";parameters", double escapes), is matched in its other readings too.
// Where the bytes as sent, with or without their dot segments, and the normal form fit different
// routes, or the laxest reading fits a route of another owner, the answer is Ambiguous: nobody gets past one route's guards to what
// stands behind another. Where only one reading fits a route, the normal form decides.
func (t *Table) Match(method string, host, path []byte, header Header) Result {
	normal, odd, err := scan(path)
	if err != nil {
		return Result{Status: BadPath, Rule: -1, Other: -1, Err: err}
	}
	if !normal || odd {
		return t.matchReadings(method, host, path, header, normal)
	}
	h := t.find(method, host, path, header)
	return h.result(path)
}

// hit is where a search ended: at no leaf, or at a leaf with or without a rule for the method.
type hit struct {
	leaf  *leaf
	entry *entry // nil where the leaf has none for the method
	allow []string
}

func (h hit) result(path []byte) Result {
	switch {
	case h.leaf == nil:
		return Result{Status: NotFound, Rule: -1, Other: -1, Path: path}
	case h.entry == nil:
		return Result{Status: MethodNotAllowed, Rule: h.leaf.entries[0].index, Other: -1, Path: path, Allow: strings.Join(h.allow, ", ")}
	}
	return Result{Status: Found, Rule: h.entry.index, Other: -1, Path: path}
}

func (h hit) any() *entry {
	if h.entry != nil {
		return h.entry
	}
	return &h.leaf.entries[0]
}

func (t *Table) matchReadings(method string, host, path []byte, header Header, normal bool) Result {
	norm := path
	if !normal {
		norm, _, _ = Normalize(nil, path)
	}
	h := t.find(method, host, norm, header)
	res := h.result(norm)
	if h.leaf == nil {
		return res
	}
	var strict [2][]byte
	if !normal {
		strict = [2][]byte{path, rfc(path)}
	}
	for _, reading := range strict {
		if o := t.other(method, host, reading, header, h, norm); o.leaf != nil {
			return ambiguous(res, o, reading)
		}
	}
	for _, keep := range [2]bool{false, true} {
		reading := loose(path, keep)
		if o := t.other(method, host, reading, header, h, norm); o.leaf != nil && o.any().owner != h.any().owner {
			return ambiguous(res, o, reading)
		}
	}
	return res
}

// other finds what another reading of a path fits, when that is not what the normal form fits.
func (t *Table) other(method string, host, reading []byte, header Header, h hit, norm []byte) hit {
	if len(reading) == 0 || bytes.Equal(reading, norm) {
		return hit{}
	}
	if o := t.find(method, host, reading, header); o.leaf != h.leaf {
		return o
	}
	return hit{}
}

func ambiguous(res Result, other hit, reading []byte) Result {
	res.Status, res.Allow = Ambiguous, ""
	res.Other, res.Reading = other.any().index, reading
	return res
}

// find searches the trees that serve a host, most specific first, for a path in one reading.
func (t *Table) find(method string, host, path []byte, header Header) (h hit) {
	if len(t.exact)+len(t.suffix) > 0 {
		var buf [maxHost]byte
		name := lowerHost(buf[:0], host)
		if tr := t.exact[string(name)]; tr != nil {
			if h = tr.find(method, path, header); h.leaf != nil {
				return h
			}
		}
		for i := 1; i < len(name) && len(t.suffix) > 0; i++ {
			if name[i] != '.' {
				continue
			}
			if tr := t.suffix[string(name[i:])]; tr != nil {
				if h = tr.find(method, path, header); h.leaf != nil {
					return h
				}
			}
		}
	}
	return t.any.find(method, path, header)
}

// lowerHost gives the form of a Host value in which hosts are looked up; nil for one that is too
// long to be a name.
func lowerHost(buf, host []byte) []byte {
	host = trimHost(host)
	if len(host) > cap(buf) {
		return nil
	}
	for _, c := range host {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		buf = append(buf, c)
	}
	return buf
}

func (tr *tree) find(method string, path []byte, header Header) hit {
	if l := tr.literal[string(path)]; l != nil {
		if h := l.pick(method, header); h.leaf != nil {
			return h
		}
	}
	s := search{method: method, header: header, depth: -1}
	s.walk(tr.root, path[1:], true, 0)
	return s.best
}

// search is one walk over the patterns with wildcards of a tree.
type search struct {
	method string
	header Header
	best   hit
	depth  int // of best, a pattern with "*": whole segments before it
	prefix int // and bytes after them
}

// walk looks below n for what is left of the path; more is false when the path ended before n's
// slash. It returns true when the answer is final: a pattern without "*" fits.
func (s *search) walk(n *node, left []byte, more bool, depth int) bool {
	if !more {
		if n.end != nil {
			if h := n.end.pick(s.method, s.header); h.leaf != nil {
				s.best = h
				return true
			}
		}
		s.star(n.rest, depth, 0)
		return false
	}
	s.star(n.rest, depth, 0)
	for i := range n.prefixes {
		p := &n.prefixes[i]
		if len(left) < len(p.prefix) || string(left[:len(p.prefix)]) != p.prefix {
			continue
		}
		// What "/orders*" leaves of "/orders../x" would be a dot segment once the prefix is stripped.
		if after := left[len(p.prefix):]; len(after) == 0 || after[0] != '.' || !isDots(after) {
			s.star(p.leaf, depth, len(p.prefix))
		}
	}
	if n.few == nil && n.many == nil && n.param == nil {
		return false
	}
	segment, rest, more := left, []byte(nil), false
	if i := bytes.IndexByte(left, '/'); i >= 0 {
		segment, rest, more = left[:i], left[i+1:], true
	}
	if c := n.child(segment); c != nil && s.walk(c, rest, more, depth+1) {
		return true
	}
	return n.param != nil && len(segment) > 0 && s.walk(n.param, rest, more, depth+1)
}

// star takes l when it is a longer "*" than what was found before.
func (s *search) star(l *leaf, depth, prefix int) {
	if l == nil || depth < s.depth || depth == s.depth && prefix <= s.prefix {
		return
	}
	if h := l.pick(s.method, s.header); h.leaf != nil {
		s.best, s.depth, s.prefix = h, depth, prefix
	}
}

// pick chooses among the rules of a leaf. The hit has no leaf when no rule's headers hold, and no
// entry when none of those whose headers hold takes the method.
func (l *leaf) pick(method string, header Header) (h hit) {
	bit := methodBit(method)
	for i := range l.entries {
		e := &l.entries[i]
		if !e.holds(header) {
			continue
		}
		h.leaf = l
		if e.takes(method, bit) {
			h.entry = e
			return h
		}
	}
	if h.leaf != nil {
		h.allow = l.allow(header)
	}
	return h
}

func (e *entry) holds(header Header) bool {
	for i := range e.headers {
		c := &e.headers[i]
		if header == nil {
			return false
		}
		if v := header(c.name); v == nil || c.value != "*" && string(v) != c.value {
			return false
		}
	}
	return true
}

// allow lists the methods of the rules whose headers hold, sorted.
func (l *leaf) allow(header Header) (methods []string) {
	for i := range l.entries {
		if e := &l.entries[i]; e.holds(header) {
			methods = append(methods, e.methods...)
		}
	}
	slices.Sort(methods)
	return slices.Compact(methods)
}
