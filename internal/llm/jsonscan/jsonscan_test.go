package jsonscan_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"causeway/internal/llm/jsonscan"
)

// texts are JSON and nearly JSON; each is also a seed of the fuzz targets.
var texts = []string{
	`null`, `true`, `false`, `0`, `-0`, `-1.5e+10`, `1E5`, `12.50`, `""`, `"a"`, `[]`, `{}`, ` {} `, "\t\r\n[ ]\n",
	`{"a":1}`, `{"a":1,"a":2}`, `{"a":{"b":[1,2,{"c":null}]}}`, `[1,2,3]`, `[[],[[]],{}]`, `{"":""}`,
	`"\"\\\/\b\f\n\r\t\u0041"`, `"\ud83d\ude00"`, `"\ud83d"`, `"\ud83dx"`, `"\ud83d\u0041"`, `"\ude00"`, `"é漢😀"`, "\"\xff\xfe\"", "\"\xe2\x82\"",
	`"12345678"`, `"1234567\""`, `"123456789\\"`, `"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\u00e9aaaaaaaaaaaaaaaaaaa"`,
	"\"\x7f\"", "\"\u2028\"",
	``, ` `, `{`, `}`, `[`, `]`, `{]`, `[}`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a":1,}`, `[1,]`, `[,1]`, `{,}`, `{"a" 1}`, `{"a":1 "b":2}`, `[1 2]`,
	`{a:1}`, `{'a':1}`, `{1:2}`, `tru`, `trux`, `nul`, `falsy`, `True`, `00`, `01`, `-`, `+1`, `.5`, `1.`, `1e`, `1e+`, `0x1`, `NaN`, `Infinity`,
	`"`, `"\`, `"\u`, `"\u12`, `"\u123g"`, `"\x"`, "\"a\nb\"", "\"aaaaaaaa\x00\"", "\"aaaaaaaaaaaa\x1f\"", `{} {}`, `1 2`, `[] x`, "\ufeff{}", `{"a":1}` + "\x00",
	`[1,[2,[3,[4,[5,[6]]]]],{"x":{"y":{"z":[{}]}}}]`, `{"a":[}`, `[{"a":1]`, `{"a":{"b":1}`, `//`, `[1,2]//`, `{"model":"a","\u006dodel":"b"}`,
	strings.Repeat("[", 64) + strings.Repeat("]", 64), strings.Repeat(`{"a":`, 65) + "1" + strings.Repeat("}", 65), strings.Repeat("[", 63) + "{}" + strings.Repeat("]", 63),
}

func TestValidAgreesWithEncodingJSON(t *testing.T) {
	for _, text := range texts {
		if got, want := jsonscan.Valid([]byte(text)), json.Valid([]byte(text)); got != want {
			t.Errorf("Valid(%q) = %v, encoding/json says %v", text, got, want)
		}
	}
}

func TestWalkGivesTheValuesOfEncodingJSON(t *testing.T) {
	for _, text := range texts {
		compareWalk(t, []byte(text))
	}
}

// TestEveryOneByteChange breaks a body at every place in many ways; both readers must agree on all of them.
func TestEveryOneByteChange(t *testing.T) {
	body := []byte(`{"model":"gpt-4o","n":-1.5e3,"s":[true,false,null,"\u00e9\n"],"o":{"a":{},"b":[ ]} }`)
	for i := range body {
		for _, c := range []byte("\x00 \"\\{}[],:0-.eEtnaf\x1f\xff") {
			changed := bytes.Clone(body)
			changed[i] = c
			if got, want := jsonscan.Valid(changed), json.Valid(changed); got != want {
				t.Fatalf("Valid(%q) = %v, encoding/json says %v", changed, got, want)
			}
		}
		if cut := body[:i]; jsonscan.Valid(cut) {
			t.Fatalf("a text cut at %d is not valid: %q", i, cut)
		}
	}
}

func TestDepthIsBounded(t *testing.T) {
	nest := func(n int) []byte { return []byte(strings.Repeat("[", n) + strings.Repeat("]", n)) }
	if !jsonscan.Valid(nest(jsonscan.MaxDepth)) {
		t.Errorf("%d levels are refused", jsonscan.MaxDepth)
	}
	if jsonscan.Valid(nest(jsonscan.MaxDepth + 1)) {
		t.Errorf("%d levels are accepted", jsonscan.MaxDepth+1)
	}
	// The same bound when the walk entered some levels itself.
	var s jsonscan.Scanner
	s.Reset(nest(jsonscan.MaxDepth + 1))
	for range 10 {
		if !s.Array() || !s.Element() {
			t.Fatal(s.Err())
		}
	}
	s.Skip()
	if err := s.Err(); err == nil || !strings.Contains(err.Error(), "nests too deep") {
		t.Errorf("got %v, want a fault about nesting", err)
	}
	s.Reset(nest(jsonscan.MaxDepth + 1))
	for s.Array() && s.Element() {
		continue
	}
	if err := s.Err(); err == nil || !strings.Contains(err.Error(), "nests too deep") {
		t.Errorf("entering level by level: got %v, want a fault about nesting", err)
	}
}

func TestFaultsNameTheirPlace(t *testing.T) {
	for _, c := range []struct {
		text    string
		offset  int
		problem string
	}{
		{`{"a":1 "b":2}`, 7, "a comma or } was expected"},
		{`[1 2]`, 3, "a comma or ] was expected"},
		{`{"a":1,}`, 7, "nothing follows the comma"},
		{`{"a":tru}`, 8, "true, false or null was expected"},
		{`{"a":"x`, 7, "the text ends too early"},
		{`{"a":01}`, 6, "a comma or } was expected"},
		{`{"a":"\q"}`, 7, "an unknown escape stands in a string"},
		{"{\"a\":\"x\ny\"}", 7, "a control character stands in a string"},
		{`{a:1}`, 1, "a member's name was expected"},
		{`{"a"=1}`, 4, "a colon was expected"},
		{`{"a":}`, 5, "a value was expected"},
		{`{} x`, 3, "the text goes on after its value"},
		{``, 0, "the text ends too early"},
	} {
		var s jsonscan.Scanner
		s.Reset([]byte(c.text))
		var k jsonscan.Key
		if s.Peek() == jsonscan.Object {
			s.Object()
			for s.Member(&k) {
				s.Skip()
			}
		} else {
			s.Skip()
		}
		var fault *jsonscan.SyntaxError
		if !errors.As(s.Err(), &fault) {
			t.Errorf("%q: no fault", c.text)
			continue
		}
		if fault.Offset != c.offset || fault.Problem != c.problem {
			t.Errorf("%q: got byte %d %q, want byte %d %q", c.text, fault.Offset, fault.Problem, c.offset, c.problem)
		}
	}
}

func TestKeysThatCouldBeTakenForAnother(t *testing.T) {
	for _, c := range []struct {
		key       string // as written, between the quotes
		is, looks bool
	}{
		{`stream`, true, false},
		{`Stream`, false, true},
		{`STREAM`, false, true},
		{`\u0073tream`, false, true},
		{`\u0053tream`, false, true},
		{"\u017ftream", false, true},
		{`\u017ftream`, false, true},
		{`\u0073\u0074\u0072\u0065\u0061\u006d`, false, true},
		{`streams`, false, false},
		{`strea`, false, false},
		{`stream\u0000`, false, false},
		{`stre\u0000m`, false, false},
		{"strea\xff", false, false},
		{`stream_options`, false, false},
		{``, false, false},
	} {
		var s jsonscan.Scanner
		var k jsonscan.Key
		s.Reset([]byte(`{"` + c.key + `":1}`))
		if !s.Object() || !s.Member(&k) {
			t.Fatalf("%q: %v", c.key, s.Err())
		}
		if got := k.Is("stream"); got != c.is {
			t.Errorf("%q: Is = %v", c.key, got)
		}
		if got := k.Resembles("stream"); got != c.looks {
			t.Errorf("%q: Resembles = %v", c.key, got)
		}
	}
}

func TestQuoteIsReadBackTheSame(t *testing.T) {
	for _, s := range []string{"", "gpt-4o", `a"b\c/d`, "tab\tnl\ncr\rnul\x00del\x7f", "é漢😀\u2028\u2029", "openai/gpt"} {
		quoted := jsonscan.Quote(nil, s)
		var back string
		if err := json.Unmarshal(quoted, &back); err != nil || back != s {
			t.Errorf("%q: quoted as %s, read as %q, %v", s, quoted, back, err)
		}
		if got := string(jsonscan.Unquote(nil, quoted[1:len(quoted)-1])); got != s {
			t.Errorf("%q: unquoted as %q", s, got)
		}
	}
	if got := string(jsonscan.Quote(nil, "a\xffb")); got != "\"a\ufffdb\"" {
		t.Errorf("invalid UTF-8 was quoted as %q", got)
	}
}

func TestInt(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "12": 12, "12.0": 12, "12.5": -1, "-1": -1, "1e3": -1, "9223372036854775807": -1,
		"999999999999999999": 999999999999999999, "99999999999999999999999": -1,
	} {
		if got := jsonscan.Int([]byte(text)); got != want {
			t.Errorf("Int(%s) = %d, want %d", text, got, want)
		}
	}
}

func TestScanAllocatesNothing(t *testing.T) {
	body := chatBody(1024)
	if n := testing.AllocsPerRun(100, func() { scanModel(body) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// compareWalk walks text by Scanner alone, builds its value, and compares it with encoding/json's.
func compareWalk(t *testing.T, text []byte) {
	t.Helper()
	var s jsonscan.Scanner
	s.Reset(text)
	got := build(&s)
	err := s.Err()
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var want any
	if !json.Valid(text) {
		if err == nil {
			t.Fatalf("%q is walked without a fault, encoding/json refuses it", text)
		}
		return
	}
	if err != nil {
		if strings.Contains(err.Error(), "nests too deep") {
			return
		}
		t.Fatalf("%q: %v, encoding/json accepts it", text, err)
	}
	if err := dec.Decode(&want); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%q: walked to %#v, encoding/json says %#v", text, got, want)
	}
}

func build(s *jsonscan.Scanner) any {
	switch s.Peek() {
	case jsonscan.Object:
		m := map[string]any{}
		var k jsonscan.Key
		for ok := s.Object(); ok && s.Member(&k); {
			name := string(jsonscan.Unquote(nil, k.Raw))
			m[name] = build(s)
		}
		return m
	case jsonscan.Array:
		a := []any{}
		for ok := s.Array(); ok && s.Element(); {
			a = append(a, build(s))
		}
		return a
	case jsonscan.String:
		at, escaped := s.Text()
		if s.Failed() {
			return nil
		}
		raw := s.Bytes(jsonscan.Span{From: at.From + 1, To: at.To - 1})
		if !escaped && bytes.IndexByte(raw, '\\') >= 0 {
			panic("a string with escapes was called plain")
		}
		return string(jsonscan.Unquote(nil, raw))
	case jsonscan.Number:
		return json.Number(s.Bytes(s.Skip()))
	case jsonscan.True:
		s.Skip()
		return true
	case jsonscan.False:
		s.Skip()
		return false
	}
	s.Skip()
	return nil
}

func FuzzValid(f *testing.F) {
	for _, text := range texts {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if got, want := jsonscan.Valid(text), json.Valid(text); got != want && !deep(text) {
			t.Fatalf("Valid(%q) = %v, encoding/json says %v", text, got, want)
		}
		compareWalk(t, text)
	})
}

// deep tells that text has so many brackets that only MaxDepth may explain a difference.
func deep(text []byte) bool {
	return bytes.Count(text, []byte("["))+bytes.Count(text, []byte("{")) > jsonscan.MaxDepth
}

// chatBody is a chat request of about n bytes.
func chatBody(n int) []byte {
	b := []byte(`{"model":"gpt-4o-mini","temperature":0.7,"stream":true,"messages":[{"role":"system","content":"You are helpful."}`)
	const text = `Tell me, in a few sentences, what an API gateway does and why a 502 can have so many causes. `
	for len(b) < n {
		b = append(b, `,{"role":"user","content":"`+text+text+text+`"}`...)
	}
	return append(b, `],"max_tokens":256,"stream_options":{"include_usage":true}}`...)
}

func scanModel(body []byte) (model jsonscan.Span) {
	var s jsonscan.Scanner
	var k jsonscan.Key
	s.Reset(body)
	for ok := s.Object(); ok && s.Member(&k); {
		if k.Is("model") {
			model = s.Skip()
			continue
		}
		s.Skip()
	}
	if !s.Finished() {
		panic(s.Err())
	}
	return model
}

func BenchmarkChatBody(b *testing.B) {
	long, _ := json.Marshal(map[string]any{"model": "m", "input": strings.Repeat("0123456789abcdef", 1<<16)})
	numbers := []byte(`{"data":[{"embedding":[` + strings.Repeat("0.0123456789,", 100000) + `0.5]}]}`)
	for name, body := range map[string][]byte{"1KB": chatBody(1000), "64KB": chatBody(64 << 10), "1MB-string": long, "numbers": numbers} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				scanModel(body)
			}
		})
	}
	b.Run("1KB-encoding/json.Valid", func(b *testing.B) {
		body := chatBody(1000)
		b.SetBytes(int64(len(body)))
		for b.Loop() {
			json.Valid(body)
		}
	})
}
