package gateway

import "testing"

func TestTheKeyIsTakenOutOfAQuery(t *testing.T) {
	for _, tt := range []struct{ query, key, rest string }{
		{"", "", ""},
		{"alt=sse", "", "alt=sse"},
		{"key=abc", "abc", ""},
		{"alt=sse&key=a%2Bb", "a+b", "alt=sse"},
		{"key=abc&alt=sse&key=other", "abc", "alt=sse"},
		{"k%65y=abc&x=1", "abc", "x=1"},
		{"monkey=1&keys=2&key", "", "monkey=1&keys=2"},
		{"key=&alt=sse", "", "alt=sse"},
	} {
		key, rest := splitKey([]byte(tt.query))
		if string(key) != tt.key || string(rest) != tt.rest {
			t.Errorf("%q: key %q, rest %q", tt.query, key, rest)
		}
	}
}
