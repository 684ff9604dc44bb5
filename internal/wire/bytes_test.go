package wire

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// validReference is RFC 9110 section 5.5 word for word.
func validReference(p []byte) bool {
	for _, b := range p {
		vchar, obsText := b >= 0x21 && b <= 0x7e, b >= 0x80
		if !vchar && !obsText && b != ' ' && b != '\t' {
			return false
		}
	}
	return true
}

func TestValidValueIsTheGrammar(t *testing.T) {
	t.Run("every byte at every place", func(t *testing.T) {
		for n := 1; n <= 25; n++ {
			for at := range n {
				for _, ground := range []byte{'a', ' ', '\t', 0xff, 0x80} {
					p := bytes.Repeat([]byte{ground}, n)
					for b := range 256 {
						p[at] = byte(b)
						if validValue(p) != validReference(p) {
							t.Fatalf("%q: %v", p, validValue(p))
						}
					}
				}
			}
		}
	})
	t.Run("any bytes", rapid.MakeCheck(func(t *rapid.T) {
		p := rapid.SliceOf(rapid.OneOf(
			rapid.Byte(),
			rapid.SampledFrom([]byte{0, 1, '\t', '\n', 0x1f, ' ', '!', 0x7e, 0x7f, 0x80, 0x81, 0x9f, 0xa0, 0xff}),
			rapid.ByteRange(' ', 0x7e),
		)).Draw(t, "value")
		if validValue(p) != validReference(p) {
			t.Fatalf("%q: %v", p, validValue(p))
		}
	}))
}

func TestTrimTakesSpacesAndTabsOff(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.SliceOf(rapid.SampledFrom([]byte(" \t\r\na"))).Draw(t, "p")
		if got, want := trim(p), bytes.Trim(p, " \t"); !bytes.Equal(got, want) {
			t.Fatalf("trim(%q) = %q", p, got)
		}
	})
}

func TestParseDecimalIsStrict(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(
			rapid.StringMatching(`[0-9]{0,25}`), rapid.StringMatching(`[-+ 0-9a-fx._]{0,8}`), rapid.String(),
		).Draw(t, "s")
		want := int64(-1)
		if len(s) <= 18 && strings.Trim(s, "0123456789") == "" {
			if n, err := strconv.ParseInt(s, 10, 64); err == nil {
				want = n
			}
		}
		if got := parseDecimal([]byte(s)); got != want {
			t.Fatalf("parseDecimal(%q) = %d, want %d", s, got, want)
		}
	})
}

func TestChunkSizesAreReadAsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.OneOf(rapid.IntRange(0, 1<<59), rapid.IntRange(0, 70000)).Draw(t, "n")
		line := appendChunkSize([]byte("x"), n)
		if want := "x" + strconv.FormatInt(int64(n), 16) + "\r\n"; string(line) != want {
			t.Fatalf("%d is written %q", n, line)
		}
		var c chunked
		size, used, err := c.line(line[1:], true)
		if size != int64(n) || used != len(line)-1 || err != nil {
			t.Fatalf("%q is read as %d, %d bytes, %v", line, size, used, err)
		}
	})
}

func TestEachTokenReadsLists(t *testing.T) {
	for list, want := range map[string][]string{
		"":                 nil,
		"a":                {"a"},
		"a, b":             {"a", "b"},
		"a,b ,\tc":         {"a", "b", "c"},
		", ,a,,b,":         {"a", "b"},
		" \t ":             nil,
		"a b, c;q=1":       {"a b", "c;q=1"},
		`"a, b"`:           {`"a`, `b"`}, // no field that we read has quoted members
		"keep-alive,close": {"keep-alive", "close"},
	} {
		var got []string
		EachToken([]byte(list), func(t []byte) bool { got = append(got, string(t)); return true })
		if !slices.Equal(got, want) {
			t.Errorf("%q is %q, want %q", list, got, want)
		}
	}
	n := 0
	EachToken([]byte("a,b,c"), func([]byte) bool { n++; return n < 2 })
	if n != 2 {
		t.Errorf("%d tokens after the callback said stop at 2", n)
	}
}

func TestEqualFoldIsASCIIOnly(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"chunked", "CHUNKED", true},
		{"chunked", "chunke", false},
		{"chunked", "chun\xe2\x84\xaaed", false}, // the Kelvin sign, which Unicode folds to k
		{"@", "`", false},
		{"[", "{", false},
		{"-", "\r", false},
		{"", "", true},
		{"\xe4", "\xc4", false},
	} {
		if EqualFold([]byte(c.a), c.b) != c.want || EqualFold([]byte(c.b), c.a) != c.want {
			t.Errorf("EqualFold(%q, %q) is not %v", c.a, c.b, c.want)
		}
	}
}
