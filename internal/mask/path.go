package mask

import (
	"fmt"
	"strconv"
	"strings"
)

// PathRule is a place of a JSON body that a rule names.
type PathRule struct {
	Path   string // $.metadata.email, $.messages[*].name, $..ssn
	Remove bool   // take it out, in place of masking what stands there
}

// segment is one step of a path.
type segment struct {
	name  string
	index int
	kind  segmentKind
	deep  bool // any number of steps may stand before it
}

type segmentKind uint8

const (
	byName segmentKind = iota
	byIndex
	byAny
)

// jsonPath is a compiled PathRule.
type jsonPath struct {
	segments []segment
	rule     PathRule
	by       finder
}

// step is where a value stands in its object or array.
type step struct {
	name  string
	index int
	array bool
}

// CheckPath tells what is wrong with a JSON path: names ($.a.b, $['a b']), places ($.a[0]), all of them ($.a[*]) and
// names at any depth ($..a) of RFC 9535.
func CheckPath(path string) error {
	_, err := parsePath(path)
	return err
}

func parsePath(path string) (list []segment, err error) {
	rest, ok := strings.CutPrefix(path, "$")
	if !ok {
		return nil, fmt.Errorf("a JSON path begins with $, as in $.metadata.email")
	}
	for rest != "" {
		var s segment
		if after, deep := strings.CutPrefix(rest, ".."); deep {
			s.deep = true
			if rest = "." + after; strings.HasPrefix(after, "[") {
				rest = after
			}
		}
		switch {
		case strings.HasPrefix(rest, "."):
			end := strings.IndexAny(rest[1:], ".[") + 1
			if end == 0 {
				end = len(rest)
			}
			if s.name = rest[1:end]; s.name == "" {
				return nil, fmt.Errorf("a name is missing after a point")
			}
			if s.name == "*" {
				s.kind = byAny
			}
			rest = rest[end:]
		case strings.HasPrefix(rest, "['") || strings.HasPrefix(rest, `["`):
			name, after, ok := strings.Cut(rest[2:], rest[1:2]+"]")
			if !ok || name == "" {
				return nil, fmt.Errorf("a name in brackets is not closed")
			}
			s.name, rest = name, after
		case strings.HasPrefix(rest, "["):
			inner, after, ok := strings.Cut(rest[1:], "]")
			if !ok {
				return nil, fmt.Errorf("a bracket is not closed")
			}
			if rest, s.kind = after, byAny; inner != "*" {
				if s.index, err = strconv.Atoi(inner); err != nil || s.index < 0 {
					return nil, fmt.Errorf("[%s] is no place in a list: write a number from 0, or *", inner)
				}
				s.kind = byIndex
			}
		default:
			return nil, fmt.Errorf("a . or a [ is missing before %q", rest)
		}
		list = append(list, s)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("it names the whole body")
	}
	return list, nil
}

func (s *segment) takes(t step) bool {
	switch s.kind {
	case byIndex:
		return t.array && t.index == s.index
	case byAny:
		return true
	}
	return !t.array && t.name == s.name
}

func matches(path []segment, trail []step) bool {
	if len(path) == 0 {
		return len(trail) == 0
	}
	if len(trail) == 0 {
		return false
	}
	if path[0].takes(trail[0]) && matches(path[1:], trail[1:]) {
		return true
	}
	return path[0].deep && matches(path, trail[1:])
}

// path is the rule that names the value at hand, nil when none does.
func (w *walker) path() *jsonPath {
	if w.r.Mask == nil || len(w.r.Mask.paths) == 0 || len(w.trail) == 0 {
		return nil
	}
	for i := range w.r.Mask.paths {
		if p := &w.r.Mask.paths[i]; matches(p.segments, w.trail) {
			return p
		}
	}
	return nil
}

// remove takes a value out.
func (w *walker) remove(p *jsonPath) bool {
	mark := len(w.out)
	ok := w.skip()
	w.out = w.out[:mark]
	w.changed = true
	w.found(p)
	return ok
}

func (w *walker) found(p *jsonPath) {
	f := Found{Rule: p.by.rule, Label: p.by.label, Way: p.by.way}
	var blocked *Found
	if f.Way == Block {
		blocked = &f
	}
	w.r.note([]Found{f}, blocked)
}

// atPath masks a value that a rule names; null is nothing to be masked.
func (w *walker) atPath(p *jsonPath) bool {
	mark, from := len(w.out), w.at
	if !w.skip() {
		return false
	}
	raw := strings.TrimRight(string(w.in[from:w.at]), " \n\t\r")
	if raw == "null" || raw == `""` {
		return true
	}
	w.found(p)
	if p.by.way == Block {
		return true
	}
	text := raw
	if raw[0] == '"' {
		text = unquote([]byte(raw[1 : len(raw)-1]))
	}
	w.out = quote(w.out[:mark], w.r.Mask.instead(text, &p.by, w.r.Hide))
	w.changed = true
	return true
}
