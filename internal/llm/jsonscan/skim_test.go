package jsonscan_test

import (
	"bytes"
	"strings"
	"testing"

	"causeway/internal/llm/jsonscan"
)

func TestSkimmerAgreesWithScannerAtEverySplit(t *testing.T) {
	more := []string{
		`{"usage":{"a":1},"error":null}`, `{"data":[1,2],"usage":12}`, `{"usage":"x\"y","usage":[1]}`, `{"o":{"usage":1}}`, `[{"usage":1}]`,
		`{ "usage" : -1.5e3 , "b":true}`, `{"\u0075sage":1}`, `{"usage":{}}`, `{"usage":true}`, `{"usage":7}`, `{"error":{"message":"m"}, "usage" : { } }`,
		`{"` + strings.Repeat("u", 40) + `":1,"usage":2}`,
	}
	for _, text := range append(more, texts...) {
		for split := range len(text) + 1 {
			compareSkim(t, []byte(text), split, split)
		}
		compareSkim(t, []byte(text), len(text)/3, 2*len(text)/3)
	}
}

func TestSkimmerDropsAnOversizedValueAndGoesOn(t *testing.T) {
	s := jsonscan.NewSkimmer("usage", "error")
	s.Feed([]byte(`{"usage":"`))
	for range 100 {
		s.Feed(bytes.Repeat([]byte("x"), 1000))
	}
	s.Feed([]byte(`","error":1}`))
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	if s.Value(0) != nil || string(s.Value(1)) != "1" {
		t.Errorf("kept %.20q and %q", s.Value(0), s.Value(1))
	}
}

// compareSkim feeds text in three pieces and compares verdict and kept value with the Scanner's.
func compareSkim(t *testing.T, text []byte, a, b int) {
	t.Helper()
	s := jsonscan.NewSkimmer("usage", "error")
	for _, piece := range [][]byte{text[:a], text[a:b], text[b:]} {
		s.Feed(bytes.Clone(piece))
	}
	err := s.Err()
	if valid := jsonscan.Valid(text); valid != (err == nil) {
		t.Fatalf("%q split at %d, %d: Valid says %v, the Skimmer %v", text, a, b, valid, err)
	}
	if err != nil {
		return
	}
	want := map[string]string{}
	var sc jsonscan.Scanner
	var k jsonscan.Key
	if sc.Reset(text); sc.Peek() == jsonscan.Object && sc.Object() {
		for sc.Member(&k) {
			value := sc.Bytes(sc.Skip())
			if !k.Escaped {
				want[string(k.Raw)] = string(value)
			}
		}
	}
	for i, name := range []string{"usage", "error"} {
		if got := string(s.Value(i)); got != want[name] {
			t.Fatalf("%q split at %d, %d: kept %s %q, want %q", text, a, b, name, got, want[name])
		}
	}
}

func FuzzSkimmer(f *testing.F) {
	for _, text := range texts {
		f.Add([]byte(text), 1, 2)
	}
	f.Add([]byte(`{"usage":{"prompt_tokens":1},"error":null}`), 9, 20)
	f.Fuzz(func(t *testing.T, text []byte, a, b int) {
		a = min(max(a, 0), len(text))
		b = min(max(b, a), len(text))
		compareSkim(t, text, a, b)
	})
}

func BenchmarkSkimmer(b *testing.B) {
	body := chatBody(64 << 10)
	numbers := []byte(`{"data":[{"embedding":[` + strings.Repeat("0.0123456789,", 10000) + `0.5]}]}`)
	for name, body := range map[string][]byte{"chat": body, "numbers": numbers} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				s := jsonscan.NewSkimmer("usage")
				s.Feed(body)
			}
		})
	}
}
