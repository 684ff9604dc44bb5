package route

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// reference is the slow, obvious matcher: it tries every rule and compares ranks. It looks at
// one reading of the path only and speaks like show.
func reference(rules []Rule, method, host, path string, header Header) string {
	host = strings.ToLower(host)
	var best []int // rules of equal host and path rank whose headers hold
	var bestRank []int
	for i := range rules {
		rank, ok := referenceRank(&rules[i], host, path)
		if !ok || !(&entry{headers: newEntry(i, &rules[i], nil).headers}).holds(header) {
			continue
		}
		switch c := slices.Compare(rank, bestRank); {
		case best == nil || c > 0:
			best, bestRank = []int{i}, rank
		case c == 0:
			best = append(best, i)
		}
	}
	if best == nil {
		return "404"
	}
	winner, winnerRank := -1, []int(nil)
	var allow []string
	for _, i := range best {
		allow = append(allow, rules[i].Methods...)
		if len(rules[i].Methods) > 0 && !slices.Contains(rules[i].Methods, method) {
			continue
		}
		if rank := []int{len(rules[i].Headers), min(1, len(rules[i].Methods))}; winner < 0 || slices.Compare(rank, winnerRank) > 0 {
			winner, winnerRank = i, rank
		}
	}
	if winner >= 0 {
		return fmt.Sprint(winner)
	}
	slices.Sort(allow)
	return "405 " + strings.Join(slices.Compact(allow), ", ")
}

// referenceRank is how specific a rule is for this host and path: a longer or larger list wins.
func referenceRank(r *Rule, host, path string) (rank []int, ok bool) {
	hostRank := -1
	if len(r.Hosts) == 0 {
		hostRank = 0
	}
	for _, h := range r.Hosts {
		switch suffix, wild := strings.CutPrefix(h, "*"); {
		case wild && strings.HasSuffix(host, suffix) && len(host) > len(suffix):
			hostRank = max(hostRank, len(suffix))
		case h == host:
			hostRank = 1000
		}
	}
	if hostRank < 0 {
		return nil, false
	}
	pattern, star := strings.CutSuffix(r.Path, "*")
	want, have := strings.Split(pattern[1:], "/"), strings.Split(path[1:], "/")
	prefix := ""
	if star {
		prefix, want = want[len(want)-1], want[:len(want)-1]
		none := prefix == "" && len(have) == len(want)
		if !none && (len(have) <= len(want) || !strings.HasPrefix(have[len(want)], prefix)) {
			return nil, false
		}
	} else if len(want) != len(have) {
		return nil, false
	}
	class, lefts := 2, []int(nil)
	for i, w := range want {
		isParam := strings.HasPrefix(w, "{")
		if isParam && have[i] == "" || !isParam && w != have[i] {
			return nil, false
		}
		if isParam {
			class = 1
			lefts = append(lefts, 0)
		} else {
			lefts = append(lefts, 1)
		}
	}
	if star {
		return append([]int{hostRank, 0, len(want), len(prefix)}, lefts...), true
	}
	return append([]int{hostRank, class, 0, 0}, lefts...), true
}

func TestMatchEqualsTheReference(t *testing.T) {
	segment := rapid.SampledFrom([]string{"a", "b", "ab", "{x}", "{y}"})
	path := rapid.Custom(func(t *rapid.T) string {
		p := ""
		for _, s := range rapid.SliceOfN(segment, 0, 3).Draw(t, "segments") {
			p += "/" + s
		}
		switch tail := rapid.SampledFrom([]string{"", "/", "/*", "/a*", "/ab*"}).Draw(t, "tail"); {
		case p+tail == "":
			return "/"
		default:
			return p + tail
		}
	})
	rule := rapid.Custom(func(t *rapid.T) Rule {
		return Rule{
			Path:    path.Draw(t, "path"),
			Methods: rapid.SampledFrom([][]string{nil, {"GET"}, {"POST"}, {"GET", "PUT"}}).Draw(t, "methods"),
			Hosts:   rapid.SampledFrom([][]string{nil, nil, {"h.x.y"}, {"*.x.y"}, {"*.y"}, {"h.x.y", "*.y"}}).Draw(t, "hosts"),
			Headers: rapid.SampledFrom([]map[string]string{nil, nil, {"A": "1"}, {"A": "2"}, {"A": "1", "B": "*"}}).Draw(t, "headers"),
		}
	})
	callSegment := rapid.SampledFrom([]string{"a", "b", "ab", "abc", "c", ""})
	rapid.Check(t, func(t *rapid.T) {
		var rules []Rule
		for _, r := range rapid.SliceOfN(rule, 1, 14).Draw(t, "rules") {
			if table, _ := Build(append(rules, r)); table != nil { // leave out what conflicts
				rules = append(rules, r)
			}
		}
		table, _ := Build(rules)
		for range 12 {
			method := rapid.SampledFrom([]string{"GET", "POST", "PUT", "DELETE"}).Draw(t, "method")
			host := rapid.SampledFrom([]string{"h.x.y", "g.x.y", "H.z.y", "other"}).Draw(t, "host")
			header := headers(rapid.SampledFrom([][]string{nil, {"A=1"}, {"a=2"}, {"A=1", "b=7"}}).Draw(t, "header")...)
			p := "/" + strings.Join(rapid.SliceOfN(callSegment, 0, 4).Draw(t, "call"), "/")
			h := table.find(method, []byte(host), []byte(p), header)
			got, want := show(h.result(nil)), reference(rules, method, host, p, header)
			if got != want {
				t.Fatalf("%s %s%s: got %s, want %s of %+v", method, host, p, got, want, rules)
			}
		}
	})
}

func FuzzNormalize(f *testing.F) {
	for _, s := range []string{"/", "/a/b", "/a/../b", "/%2e%2e/%2F", "//a///b/", "/a;b/..;/c", `/a\..\b`, "/%25%32%65", "/é/%c3%a9", "/.", "/..", "/a/.", "/a/..", "/%", "/%0", "/%zz", "/%00", "x", ""} {
		f.Add([]byte(s), "/a/*")
		f.Add([]byte("/or"+strings.TrimPrefix(s, "/")), "/or*")
	}
	f.Fuzz(func(t *testing.T, raw []byte, pattern string) {
		before := bytes.Clone(raw)
		norm, same, err := Normalize(nil, raw)
		if !bytes.Equal(raw, before) {
			t.Fatal("the caller's bytes were changed")
		}
		if err != nil {
			return
		}
		if same && !bytes.Equal(norm, raw) {
			t.Fatalf("%q is said to be normal, got %q", raw, norm)
		}
		again, same, err := Normalize(nil, norm)
		if err != nil || !same || !bytes.Equal(again, norm) {
			t.Fatalf("%q -> %q -> %q, same %v, %v: not idempotent", raw, norm, again, same, err)
		}
		for segment := range strings.SplitSeq(string(norm[1:]), "/") {
			if segment == "." || segment == ".." {
				t.Fatalf("%q -> %q has a dot segment", raw, norm)
			}
		}
		if norm[0] != '/' || bytes.Contains(norm, []byte("//")) {
			t.Fatalf("%q -> %q", raw, norm)
		}
		for _, reading := range [][]byte{loose(raw, false), loose(raw, true), rfc(raw)} {
			if len(reading) == 0 || reading[0] != '/' {
				t.Fatalf("%q is read as %q", raw, reading)
			}
		}
		checkStrip(t, raw, norm, pattern)
	})
}

// checkStrip: what Strip leaves is, in normal form, what follows the prefix in normal form.
func checkStrip(t *testing.T, raw, norm []byte, pattern string) {
	table, conflicts := Build([]Rule{{Path: pattern}})
	if conflicts != nil {
		return
	}
	if r := table.Match("GET", nil, raw, nil); r.Status != Found {
		return
	}
	left := table.Strip(0, raw)
	literal := table.patterns[0].literal
	if left == nil {
		t.Fatalf("%q: nothing left of %q", pattern, raw)
	}
	got, _, err := Normalize(nil, left)
	want := string(norm[len(literal):])
	if table.patterns[0].whole || !strings.HasPrefix(want, "/") {
		want = "/" + want
	}
	if table.patterns[0].whole {
		want = "/"
	}
	if err != nil || string(got) != want {
		t.Fatalf("%q: %q left of %q is %q in normal form, want %q (%v)", pattern, left, raw, got, want, err)
	}
}

// FuzzMatch: no input makes Match panic, a found route's normal path fits it, and a path in
// normal form is never ambiguous for its own bytes.
func FuzzMatch(f *testing.F) {
	f.Add([]byte("/orders/1"), []byte("api.example.com:80"), "GET")
	f.Add([]byte("/public/..%2fadmin/x"), []byte("[::1]:8080"), "POST")
	f.Add([]byte("/%61dmin//x"), []byte("."), "")
	table := build(f, "GET,POST /orders/{id}", "- /orders/*", "- *.example.com/a*", "- api.example.com/{x}/b", "- /admin/*", "- /public/*")
	f.Fuzz(func(t *testing.T, path, host []byte, method string) {
		r := table.Match(method, host, path, nil)
		switch r.Status {
		case BadPath:
			if r.Err == nil || r.Rule != -1 {
				t.Fatalf("%+v", r)
			}
			return
		case Ambiguous:
			if r.Rule == r.Other || r.Other < 0 {
				t.Fatalf("%+v", r)
			}
		case Found, MethodNotAllowed, NotFound:
			again := table.Match(method, host, r.Path, nil)
			if again.Rule != r.Rule {
				t.Fatalf("%q is rule %d, its normal form %q rule %d", path, r.Rule, r.Path, again.Rule)
			}
		}
		table.NearMisses(method, host, path, nil, 3)
	})
}
