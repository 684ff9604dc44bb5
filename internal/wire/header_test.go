package wire

import (
	"fmt"
	"strings"
	"testing"
)

// alternate writes every second letter in the other case.
func alternate(s string) string {
	b := []byte(s)
	for i := 0; i < len(b); i += 2 {
		if b[i]|0x20 >= 'a' && b[i]|0x20 <= 'z' {
			b[i] ^= 0x20
		}
	}
	return string(b)
}

func TestIdentifyKnowsEveryNameInAnyCase(t *testing.T) {
	if numIDs > 64 {
		t.Fatalf("%d names do not fit the bits of Header", numIDs)
	}
	for id := Host; id < numIDs; id++ {
		name := id.String()
		if name == "" {
			t.Fatalf("ID %d has no name", id)
		}
		for _, s := range []string{name, strings.ToLower(name), strings.ToUpper(name), alternate(name)} {
			if got := Identify([]byte(s)); got != id {
				t.Errorf("Identify(%q) = %v, want %v", s, got, id)
			}
		}
	}
}

func TestIdentifyKnowsNoOtherName(t *testing.T) {
	isKnown := func(s string) bool {
		for id := Host; id < numIDs; id++ {
			if len(s) == len(id.String()) && strings.EqualFold(s, id.String()) {
				return true
			}
		}
		return false
	}
	var names []string
	for id := Host; id < numIDs; id++ {
		name := id.String()
		names = append(names, name+"s", "x"+name, name[1:], name[:len(name)-1], strings.ReplaceAll(name, "-", "_"), name+"\x00", " "+name)
		for i := range name {
			// Each bit of each byte the other way: 0x20 is what tells the cases of a letter apart, and
			// makes CR of a hyphen.
			for bit := range 8 {
				b := []byte(name)
				b[i] ^= 1 << bit
				names = append(names, string(b))
			}
		}
	}
	names = append(names, "", "-", "coo\xe2\x84\xaaie") // with the Kelvin sign, which Unicode folds to k
	for _, s := range names {
		if id := Identify([]byte(s)); id != Other && !isKnown(s) {
			t.Errorf("Identify(%q) = %v", s, id)
		} else if id == Other && isKnown(s) {
			t.Errorf("Identify(%q) does not know it", s)
		}
	}
}

func TestKnownNamesShareBucketsFairly(t *testing.T) {
	deepest, used := 0, 0
	for _, bucket := range known {
		n := 0
		for _, id := range bucket {
			if id != Other {
				n++
			}
		}
		deepest = max(deepest, n)
		if n > 0 {
			used++
		}
	}
	if deepest > 3 || used < int(numIDs)/2 {
		t.Errorf("%d names in %d buckets, %d in the fullest", numIDs-1, used, deepest)
	}
}

func header(lines ...string) *Header {
	h := &Header{}
	for _, l := range lines {
		name, value, _ := strings.Cut(l, ": ")
		h.AddString(name, value)
	}
	return h
}

func (h *Header) text() string {
	var b strings.Builder
	for _, f := range h.Fields {
		fmt.Fprintf(&b, "%s: %s|", f.Name, f.Value)
	}
	return b.String()
}

func TestHeaderKeepsOrderAndCase(t *testing.T) {
	h := header("x-B: 1", "HOST: a", "Cookie: b", "X-a: 2", "cookie: c")
	if want := "x-B: 1|HOST: a|Cookie: b|X-a: 2|cookie: c|"; h.text() != want {
		t.Fatalf("got %s", h.text())
	}
	if h.Count(Cookie) != 2 || string(h.Get(Cookie)) != "b" || string(h.Lookup("X-A")) != "2" || !h.Has(Host) {
		t.Errorf("the fields are not found in %s", h.text())
	}
	h.Del(Cookie)
	if want := "x-B: 1|HOST: a|X-a: 2|"; h.text() != want || h.Has(Cookie) || h.Count(Cookie) != 0 || h.Get(Cookie) != nil {
		t.Errorf("without Cookie: %s", h.text())
	}
	h.Del(Cookie)
	h.DelName([]byte("X-A"))
	h.DelName([]byte("host"))
	h.DelName([]byte("x-none"))
	if want := "x-B: 1|"; h.text() != want || h.Has(Host) {
		t.Errorf("without X-A and Host: %s", h.text())
	}
	h.Reset()
	if len(h.Fields) != 0 || h.Has(Host) || h.Lookup("x-b") != nil {
		t.Errorf("after Reset: %s", h.text())
	}
}

func TestGetTellsAnEmptyFieldFromNone(t *testing.T) {
	h := header("Accept: ")
	if h.Get(Accept) == nil || len(h.Get(Accept)) != 0 || h.Get(Host) != nil {
		t.Errorf("empty %v, missing %v", h.Get(Accept), h.Get(Host))
	}
}

func TestAddStringCopies(t *testing.T) {
	h := header("X-A: b")
	h.Fields[0].Name[0] = 'Y'
	if again := header("X-A: b"); again.text() != "X-A: b|" {
		t.Errorf("a literal was changed: %s", again.text())
	}
}

func TestClosesFollowsRFC9112(t *testing.T) {
	for _, c := range []struct {
		lines []string
		minor int
		want  bool
	}{
		{nil, 1, false},
		{nil, 0, true},
		{[]string{"Connection: close"}, 1, true},
		{[]string{"Connection: keep-alive"}, 1, false},
		{[]string{"Connection: keep-alive"}, 0, false},
		{[]string{"connection: Keep-Alive"}, 0, false},
		{[]string{"Connection: x, CLOSE"}, 1, true},
		{[]string{"Connection: closed"}, 1, false},
		{[]string{"Connection: x close"}, 1, true},
		{[]string{"Connection: \t close\tx"}, 1, true},
		{[]string{"Connection: x closed close-x"}, 1, false},
		{[]string{"Connection: x keep-alive"}, 0, true},
		{[]string{"Connection: close, keep-alive"}, 0, true},
		{[]string{"Connection: keep-alive, close"}, 0, true},
		{[]string{"Connection: close", "Connection: keep-alive"}, 0, true},
		{[]string{"Connection: keep-alive", "Connection: close"}, 0, true},
		{[]string{"Connection: close", "Connection: keep-alive"}, 1, true},
		{[]string{"Connection: ", "Connection: keep-alive"}, 0, true}, // net/http looks at the first
		{[]string{"Connection: "}, 1, false},
		{[]string{"Connection: "}, 0, true},
		{[]string{"Keep-Alive: timeout=5"}, 0, true},
	} {
		if got := header(c.lines...).closes(c.minor); got != c.want {
			t.Errorf("HTTP/1.%d with %q: closes is %v", c.minor, c.lines, got)
		}
	}
}

func TestKeepAliveTimeoutLeavesAMargin(t *testing.T) {
	for value, want := range map[string]string{
		"timeout=5":           "4s",
		"timeout=5, max=100":  "4s",
		"max=100, TIMEOUT=75": "1m14s",
		"timeout=1":           "500ms",
		"timeout=0":           "1ns",
		"timeout=":            "0s",
		"timeout=-5":          "0s",
		"timeout=5s":          "0s",
		"max=5":               "0s",
		"":                    "0s",
	} {
		if got := keepAliveTimeout([]byte(value)); got.String() != want {
			t.Errorf("Keep-Alive: %s is %v, want %s", value, got, want)
		}
	}
	if d := keepAliveTimeout([]byte("timeout=999999999999999999")); d < 0 {
		t.Errorf("a number too large for a duration became %v", d)
	}
}
