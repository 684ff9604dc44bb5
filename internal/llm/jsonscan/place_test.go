package jsonscan

import (
	"strings"
	"testing"
)

func TestPlaceNamesTheValueInWhichATextBreaks(t *testing.T) {
	for text, want := range map[string]string{
		"":                          "",
		`|{"a":1}`:                  "",
		`{|`:                        "",
		`{"a"|`:                     "/a",
		`{"a":|1}`:                  "/a",
		`{"a":1,|"b":2}`:            "",
		`{"a":1,"b":{"c":[1,2,|`:    "/b/c/2",
		`{"a":[{"x":1},{"y":"te|xt`: "/a/1/y",
		`{"a":[]|,`:                 "/a",
		`{"a":{"b":1}}|x`:           "",
		`[[1],[2,[|`:                "/1/1",
		`{"a":[|`:                   "/a",
		`{"a":[|x`:                  "/a/0",
		`{"a":[ 1|`:                 "/a/0",
		`{"a/b":{"c~d":|`:           "/a~1b/c~0d",
		`{"a":"]}{[,|"`:             "/a",
		`{"\u0061":{"q\"":|`:        `/a/q"`,
	} {
		at := strings.IndexByte(text, '|')
		got := Place([]byte(strings.Replace(text, "|", "", 1)), max(at, 0))
		if got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
	if got := Place([]byte(strings.Repeat("[", 3*MaxDepth)), 3*MaxDepth); got != strings.Repeat("/0", longestPlace/2) {
		t.Errorf("deeply nested: %q", got)
	}
	if got := Place([]byte(`{"a":{"`+strings.Repeat("b", 1000)+`":`), 1010); got != "/a" {
		t.Errorf("a long name: %q", got)
	}
}

// FuzzPlace: any text and any offset have a place.
func FuzzPlace(f *testing.F) {
	f.Add([]byte(`{"a":[{"b":"c\"`), 9)
	f.Add([]byte("]}\"\\"), 4)
	f.Fuzz(func(t *testing.T, text []byte, offset int) {
		if p := Place(text, offset); p != "" && p[0] != '/' || len(p) > longestPlace {
			t.Errorf("%q", p)
		}
	})
}
