package route

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// tree holds the patterns of one host. A path is matched against it in the order literal, params,
// star. A node is reached in one way only, so a match visits no node twice.
type tree struct {
	literal map[string]*leaf // patterns without wildcards, by the whole path
	root    *node            // patterns with wildcards
	leaves  map[string]*leaf // by shape
}

type node struct {
	few      []child          // by literal segment, while there are few: quicker than a map
	many     map[string]*node // by literal segment, else
	param    *node
	end      *leaf // a pattern with params ends here
	rest     *leaf // "/*" follows here
	prefixes []prefixed
}

type child struct {
	segment string
	node    *node
}

// fewChildren is how many children are searched one by one.
const fewChildren = 4

// child finds the node below a literal segment, nil when there is none.
func (n *node) child(segment []byte) *node {
	for i := range n.few {
		if c := &n.few[i]; c.segment == string(segment) {
			return c.node
		}
	}
	return n.many[string(segment)]
}

// addChild finds or makes the node below a literal segment.
func (n *node) addChild(segment string) *node {
	if c := n.child([]byte(segment)); c != nil {
		return c
	}
	c := &node{}
	switch {
	case n.many != nil:
		n.many[segment] = c
	case len(n.few) < fewChildren:
		n.few = append(n.few, child{segment, c})
	default:
		n.many = map[string]*node{segment: c}
		for _, old := range n.few {
			n.many[old.segment] = old.node
		}
		n.few = nil
	}
	return c
}

// prefixed is a "/old*".
type prefixed struct {
	prefix string
	leaf   *leaf
}

// leaf is one pattern with the rules that share it.
type leaf struct {
	shape string
	// entries are in the order in which they are tried: more header conditions first, then those
	// that name methods.
	entries []entry
}

// entry is one rule at a leaf. What a match reads comes first.
type entry struct {
	common  uint16 // the common methods it takes, as bits; all for every method
	index   int
	methods []string
	headers []condition // by name
	owner   string
	hosts   []string // canonical, "" for any
}

type condition struct{ name, value string }

func newTree() *tree {
	return &tree{literal: map[string]*leaf{}, root: &node{}, leaves: map[string]*leaf{}}
}

func newEntry(i int, r *Rule, hosts []string) *entry {
	e := &entry{index: i, owner: r.Owner, hosts: hosts, methods: r.Methods, common: everyMethod}
	if len(r.Methods) > 0 {
		e.common = 0
		for _, m := range r.Methods {
			e.common |= methodBit(m)
		}
	}
	for name, value := range r.Headers {
		e.headers = append(e.headers, condition{name, value})
	}
	slices.SortFunc(e.headers, func(a, b condition) int { return cmp.Compare(strings.ToLower(a.name), strings.ToLower(b.name)) })
	return e
}

func (tr *tree) insert(p pattern, e *entry) {
	l := tr.leaves[p.shape()]
	if l == nil {
		l = &leaf{shape: p.shape()}
		tr.leaves[l.shape] = l
		tr.place(p, l)
	}
	l.entries = append(l.entries, *e)
}

func (tr *tree) place(p pattern, l *leaf) {
	if p.whole {
		tr.literal["/"+strings.Join(p.segments, "/")] = l
		return
	}
	n := tr.root
	for _, s := range p.segments {
		switch {
		case s == param && n.param == nil:
			n.param = &node{}
			n = n.param
		case s == param:
			n = n.param
		default:
			n = n.addChild(s)
		}
	}
	switch {
	case !p.star:
		n.end = l
	case p.prefix == "":
		n.rest = l
	default:
		n.prefixes = append(n.prefixes, prefixed{p.prefix, l})
		slices.SortFunc(n.prefixes, func(a, b prefixed) int { return len(b.prefix) - len(a.prefix) })
	}
}

// finish orders the entries of every leaf and reports the pairs that can't be told apart.
func (tr *tree) finish(t *Table) (conflicts []Conflict) {
	for _, l := range tr.leaves {
		slices.SortStableFunc(l.entries, func(a, b entry) int {
			if d := len(b.headers) - len(a.headers); d != 0 {
				return d
			}
			return byte01(len(a.methods) == 0) - byte01(len(b.methods) == 0)
		})
		for i := range l.entries {
			for j := i + 1; j < len(l.entries); j++ {
				a, b := &l.entries[i], &l.entries[j]
				if why := undecided(l, a, b); why != "" {
					conflicts = append(conflicts, Conflict{
						A: min(a.index, b.index), B: max(a.index, b.index),
						Text: fmt.Sprintf("routes %s and %s can't be told apart: %s; change the path, methods, hosts or match_headers of one",
							t.describe(min(a.index, b.index)), t.describe(max(a.index, b.index)), why),
					})
				}
			}
		}
	}
	return conflicts
}

func byte01(b bool) int {
	if b {
		return 1
	}
	return 0
}

// undecided describes a call that a and b fit equally well, "" when there is none. Two rules with
// different header conditions are told apart when a third decides for calls that meet both.
func undecided(l *leaf, a, b *entry) string {
	if len(a.headers) != len(b.headers) || (len(a.methods) == 0) != (len(b.methods) == 0) {
		return ""
	}
	both, ok := union(a.headers, b.headers)
	if !ok {
		return ""
	}
	shared := a.methods // nil: every method
	if len(a.methods) > 0 {
		shared = nil
		for _, m := range a.methods {
			if slices.Contains(b.methods, m) && !decided(l, len(a.headers), both, m) {
				shared = append(shared, m)
			}
		}
		if len(shared) == 0 {
			return ""
		}
	} else if decided(l, len(a.headers), both, "") {
		return ""
	}
	what := "every call"
	if len(shared) > 0 {
		what = "a " + strings.Join(shared, " or ")
	}
	for i, c := range both {
		what += [2]string{" and ", " with "}[byte01(i == 0)] + c.name + ": " + c.value
	}
	return what + " fits both"
}

// decided reports whether a rule with more than n conditions, all of them among both, takes the
// method ("" for every method).
func decided(l *leaf, n int, both []condition, method string) bool {
	for _, c := range l.entries {
		if len(c.headers) <= n || (len(c.methods) > 0 && !slices.Contains(c.methods, method)) {
			continue
		}
		if u, ok := union(c.headers, both); ok && len(u) == len(both) {
			return true
		}
	}
	return false
}

// union joins two sorted lists of conditions; ok is false when no call meets both.
func union(a, b []condition) (u []condition, ok bool) {
	u = append(u, a...)
	for _, c := range b {
		i := slices.IndexFunc(u, func(d condition) bool { return strings.EqualFold(c.name, d.name) })
		switch {
		case i < 0:
			u = append(u, c)
		case u[i].value == "*":
			u[i].value = c.value
		case c.value != "*" && c.value != u[i].value:
			return nil, false
		}
	}
	return u, true
}

// everyMethod stands for all methods, also those without a bit.
const everyMethod = 0xffff

// methodBit is the bit of a common method (RFC 9110 section 9.3, RFC 5789), 0 for others.
func methodBit(m string) uint16 {
	switch m {
	case "GET":
		return 1 << 0
	case "POST":
		return 1 << 1
	case "PUT":
		return 1 << 2
	case "DELETE":
		return 1 << 3
	case "PATCH":
		return 1 << 4
	case "HEAD":
		return 1 << 5
	case "OPTIONS":
		return 1 << 6
	}
	return 0
}

// takes reports whether the rule takes a method; bit is the method's methodBit.
func (e *entry) takes(method string, bit uint16) bool {
	if bit != 0 || e.common == everyMethod {
		return e.common&bit != 0 || e.common == everyMethod
	}
	return slices.Contains(e.methods, method)
}
