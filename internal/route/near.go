package route

import (
	"fmt"
	"slices"
	"strings"
)

// Why says in what a route differs from a call that it nearly fits.
type Why uint8

// The ways to miss a route; a NearMiss may have several.
const (
	WhyMethod   Why = 1 << iota // the route takes other methods
	WhyHost                     // the route is for other hosts
	WhyHeader                   // a header condition does not hold
	WhySlash                    // a slash at the end too many or too few
	WhyCase                     // upper and lower case differ
	WhySpelling                 // a segment is spelled slightly differently
)

// NearMiss is a route that a call nearly fits.
type NearMiss struct {
	Rule int
	Why  Why
	Text string // one line for an explanation; shows routes, hosts and header names, no header values of the call
}

// How much work NearMisses may do: a flood of unknown paths must stay cheap.
const (
	maxSpellings = 400 // segments compared letter by letter
	maxCost      = 6
)

// NearMisses explains why Match found no route: the routes that the call fits but for a little,
// nearest first, at most limit. It is for the failure path: it looks at every route, though in
// bounded time for each.
func (t *Table) NearMisses(method string, host, path []byte, header Header, limit int) []NearMiss {
	norm, _, err := Normalize(nil, path)
	if err != nil {
		return nil
	}
	segments := strings.Split(string(norm[1:]), "/")
	name := string(lowerHost(make([]byte, 0, maxHost), host))
	type candidate struct{ rule, cost int }
	var near []candidate
	whys := map[int]Why{}
	budget := maxSpellings
	for i := range t.rules {
		why, cost, ok := t.patterns[i].compare(segments, &budget)
		if !ok || cost > maxCost {
			continue
		}
		r := t.entries[i]
		if len(r.methods) > 0 && !slices.Contains(r.methods, method) {
			why, cost = why|WhyMethod, cost+2
		}
		if !r.onHost(name) {
			why, cost = why|WhyHost, cost+3
		}
		if !r.holds(header) {
			why, cost = why|WhyHeader, cost+1
		}
		if why != 0 && cost <= maxCost {
			near, whys[i] = append(near, candidate{i, cost}), why
		}
	}
	slices.SortStableFunc(near, func(a, b candidate) int { return a.cost - b.cost })
	var out []NearMiss
	for _, c := range near[:min(limit, len(near))] {
		out = append(out, NearMiss{Rule: c.rule, Why: whys[c.rule], Text: t.missText(c.rule, whys[c.rule], method, name, header)})
	}
	return out
}

// compare matches a path's segments against a pattern with tolerance. cost grows with distance.
func (p *pattern) compare(segments []string, budget *int) (why Why, cost int, ok bool) {
	want := p.segments
	if !p.star {
		if a, b := trailingSlash(len(want), func(i int) bool { return want[i] == "" }), trailingSlash(len(segments), func(i int) bool { return segments[i] == "" }); a != b {
			why, cost = WhySlash, 1
			want, segments = want[:len(want)-byte01(a)], segments[:len(segments)-byte01(b)]
		}
		if len(want) != len(segments) {
			return 0, 0, false
		}
	} else if len(segments) < len(want) {
		return 0, 0, false
	} else if p.prefix != "" && (len(segments) == len(want) || !strings.HasPrefix(segments[len(want)], p.prefix)) {
		return 0, 0, false
	} else if len(want) == 0 {
		cost = 2 // a route for everything is not very near
	}
	for i, w := range want {
		s := segments[i]
		switch {
		case w == param:
			if s == "" {
				return 0, 0, false
			}
			cost++ // a literal that fits is nearer
		case w == s:
		case strings.EqualFold(w, s):
			why, cost = why|WhyCase, cost+1
		default:
			if min(len(w), len(s)) < 3 || *budget <= 0 {
				return 0, 0, false
			}
			*budget--
			d := distance(w, s, 1+byte01(len(w) > 5))
			if d < 0 {
				return 0, 0, false
			}
			why, cost = why|WhySpelling, cost+1+d
		}
	}
	return why, cost, true
}

func trailingSlash(n int, empty func(i int) bool) bool { return n > 1 && empty(n-1) }

// distance is the number of letters to change, insert, drop or swap with their neighbour to make
// b of a, -1 when it is more than limit.
func distance(a, b string, limit int) int {
	if len(a)-len(b) > limit || len(b)-len(a) > limit || len(a) > 64 || len(b) > 64 {
		return -1
	}
	var rows [3][65]int
	for j := range len(b) + 1 {
		rows[1][j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, prev, row := &rows[(i-1)%3], &rows[i%3], &rows[(i+1)%3]
		row[0] = i
		least := i
		for j := 1; j <= len(b); j++ {
			row[j] = min(prev[j]+1, row[j-1]+1, prev[j-1]+byte01(a[i-1] != b[j-1]))
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
			least = min(least, row[j])
		}
		if least > limit {
			return -1
		}
	}
	if d := rows[(len(a)+1)%3][len(b)]; d <= limit {
		return d
	}
	return -1
}

// onHost reports whether a rule is for this host, given in its canonical form.
func (e *entry) onHost(name string) bool {
	for _, h := range e.hosts {
		if h == "" || h == name || h[0] == '*' && strings.HasSuffix(name, h[1:]) && len(name) > len(h)-1 {
			return true
		}
	}
	return false
}

func (t *Table) missText(i int, why Why, method, host string, header Header) string {
	r := &t.rules[i]
	var parts []string
	add := func(w Why, format string, args ...any) {
		if why&w != 0 {
			parts = append(parts, fmt.Sprintf(format, args...))
		}
	}
	add(WhySpelling, "the path is spelled %s there", r.Path)
	add(WhyCase, "upper and lower case of the path differ")
	add(WhySlash, "the slash at the end of the path differs")
	add(WhyMethod, "it takes %s, not %.40q", strings.Join(r.Methods, ", "), method)
	add(WhyHost, "it is for host %s, not %.100q", strings.Join(r.Hosts, ", "), host)
	if why&WhyHeader != 0 {
		for _, c := range t.entries[i].headers {
			if one := (&entry{headers: []condition{c}}); !one.holds(header) {
				state := "has another value"
				if header == nil || header(c.name) == nil {
					state = "is missing"
				}
				add(WhyHeader, "it needs the header %s: %s, which %s", c.name, c.value, state)
			}
		}
	}
	return t.describe(i) + ": " + strings.Join(parts, "; ")
}
