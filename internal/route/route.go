// Package route decides which route a call belongs to. Build compiles routes into an immutable
// Table; Table.Match finds the one route of a call without allocating, at a cost that does not
// grow with the number of routes; Table.NearMisses explains afterwards why none was found.
//
// How one route is chosen among several that fit, in this order:
//
//  1. The host: an exact name, then "*.example.com" (the longest first, any number of labels),
//     then routes without hosts.
//  2. The path: a literal path, then one with {param}, then the longest "*". Between two with
//     params the one with a literal further left wins.
//  3. The headers: more conditions before fewer. A route whose conditions do not hold does not
//     fit at all; the search goes on with less specific paths and hosts.
//  4. The method: a route that names it before one that takes every method. Where a path fits
//     and none of its routes takes the method the answer is 405: a call never slips past a
//     path that fits to a less specific one because of its method.
//
// The order of the routes never decides. Two routes for which one call would be undecided after
// these four steps are a Conflict, and no table is built.
//
// Paths are matched in their normal form (see Normalize).
package route

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Rule is one route to compile.
type Rule struct {
	// Owner is who the route belongs to, such as a service's name. It appears in texts, and two
	// routes of one owner are never confused at the owner's cost (see Match).
	Owner string
	// Path is the pattern: literal segments, {param} for one whole non-empty segment, and one "*"
	// at the end for the rest, "/" included, or nothing. "/orders/*" matches "/orders/",
	// "/orders/1/2" and "/orders"; "/orders*" also "/orders-old", but not "/orders../x".
	Path string
	// Methods are the methods taken, compared exactly as RFC 9110 section 9.1 has it; none
	// stands for all. GET does not include HEAD.
	Methods []string
	// Hosts are names ("api.example.com") or wildcards ("*.example.com"), in any case, with or
	// without port and trailing dot; "*" and no hosts at all stand for every host.
	Hosts []string
	// Headers are conditions, all of which must hold: the first field line of that name has
	// exactly this value, or, for the value "*", any.
	Headers map[string]string
}

// Conflict is a reason why no table can be built: two rules that can't be told apart, or, with
// B -1, one rule that can't be understood.
type Conflict struct {
	A, B int    // indexes into Build's rules
	Text string // one sentence that names the rules and says what would be right
}

// Table is a set of compiled routes. It is immutable and may be used concurrently.
type Table struct {
	rules    []Rule
	patterns []pattern // by rule
	entries  []*entry  // by rule
	any      *tree
	exact    map[string]*tree // by host
	suffix   map[string]*tree // by ".example.com"
}

// Build compiles rules. With any conflict the table is nil. The rules are kept and must not be
// changed afterwards.
func Build(rules []Rule) (*Table, []Conflict) {
	t := &Table{rules: rules, any: newTree(), exact: map[string]*tree{}, suffix: map[string]*tree{}}
	var conflicts []Conflict
	for i := range rules {
		p, err := compile(rules[i].Path)
		t.patterns = append(t.patterns, p)
		if err == nil {
			err = checkConditions(&rules[i])
		}
		var hosts []string
		if err == nil {
			hosts, err = canonicalHosts(rules[i].Hosts)
		}
		if err != nil {
			t.entries = append(t.entries, nil)
			conflicts = append(conflicts, Conflict{A: i, B: -1, Text: fmt.Sprintf("route %s: %v", t.describe(i), err)})
			continue
		}
		e := newEntry(i, &rules[i], hosts)
		t.entries = append(t.entries, e)
		for _, h := range hosts {
			t.treeFor(h).insert(p, e)
		}
	}
	for _, tr := range t.trees() {
		conflicts = append(conflicts, tr.finish(t)...)
	}
	if len(conflicts) > 0 {
		slices.SortFunc(conflicts, func(a, b Conflict) int { return cmp.Or(a.A-b.A, a.B-b.B, cmp.Compare(a.Text, b.Text)) })
		return nil, dedupe(conflicts)
	}
	return t, nil
}

// Len is the number of rules.
func (t *Table) Len() int { return len(t.rules) }

// Rule returns the rule with this index.
func (t *Table) Rule(i int) *Rule { return &t.rules[i] }

func (t *Table) describe(i int) string {
	r := &t.rules[i]
	var b strings.Builder
	if r.Owner != "" {
		b.WriteString(r.Owner + ": ")
	}
	if len(r.Methods) > 0 {
		b.WriteString(strings.Join(r.Methods, ",") + " ")
	}
	b.WriteString(r.Path)
	if len(r.Hosts) > 0 {
		b.WriteString(" on " + strings.Join(r.Hosts, ", "))
	}
	return b.String()
}

func (t *Table) treeFor(host string) *tree {
	switch {
	case host == "":
		return t.any
	case host[0] == '*':
		return treeIn(t.suffix, host[1:])
	default:
		return treeIn(t.exact, host)
	}
}

func treeIn(m map[string]*tree, key string) *tree {
	tr := m[key]
	if tr == nil {
		tr = newTree()
		m[key] = tr
	}
	return tr
}

func (t *Table) trees() []*tree {
	all := []*tree{t.any}
	for _, tr := range t.exact {
		all = append(all, tr)
	}
	for _, tr := range t.suffix {
		all = append(all, tr)
	}
	return all
}

// dedupe drops a pair of rules that meet on a second host.
func dedupe(in []Conflict) []Conflict {
	type pair struct{ a, b int }
	seen := map[pair]bool{}
	var out []Conflict
	for _, c := range in {
		if k := (pair{c.A, c.B}); !seen[k] {
			seen[k] = true
			out = append(out, c)
		}
	}
	return out
}
