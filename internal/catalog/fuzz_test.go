package catalog

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// Whatever the bytes, Parse returns a catalogue or faults, in bounded time, and each fault is a
// printable line with a place that the file has.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/*.yaml", "testdata/faults/*.yaml", "../../docs/examples/*.yaml"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			f.Fatalf("no seeds in %s: %v", pattern, err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, faults := Parse("fuzz.yaml", data, testEnv)
		if (c == nil) != (len(faults) > 0) {
			t.Fatalf("catalogue %v with faults %v", c, faults)
		}
		lines := bytes.Count(data, []byte("\n")) + bytes.Count(data, []byte("\r")) + 2
		for i, fault := range faults {
			if fault.Line < 1 || fault.Line > lines || fault.Column < 1 || fault.Column > len(data)+2 {
				t.Errorf("%s: the file has %d lines", fault, lines)
			}
			if text := fault.String(); !utf8.ValidString(text) || strings.ContainsAny(text, "\n\r\x00") || fault.Message == "" || fault.Fix == "" {
				t.Errorf("not a printable fault with a way out: %q", text)
			}
			if i > 0 && faults[i-1].Line > fault.Line {
				t.Errorf("faults are not in the order of the file: %s", faults)
			}
		}
		if again, faults := Parse("fuzz.yaml", data, testEnv); c != nil && (len(faults) > 0 || fmt.Sprint(again) == "") {
			t.Errorf("valid once and not twice: %v", faults)
		}
	})
}

// A configuration of 10,000 services, as a large user has, must load without a pause to notice.
func BenchmarkParseTenThousandServices(b *testing.B) {
	var text strings.Builder
	text.WriteString("version: 1\nservices:\n")
	for i := range 10_000 {
		fmt.Fprintf(&text, "  service-%d:\n    team: t%d\n    routes:\n      - {path: /service-%d/*, methods: [GET, POST]}\n    upstream:\n      targets: [{url: \"http://127.0.0.1:9001\"}, {url: \"http://127.0.0.1:9002\", weight: 2}]\n      timeouts: {first_byte: 5s}\n    policies: {rate_limit: {requests: 100, per: 1s}}\n", i, i%10, i)
	}
	data := []byte(text.String())
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, faults := Parse("bench.yaml", data, noEnv); len(faults) > 0 {
			b.Fatal(faults)
		}
	}
}

func BenchmarkDefault(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Default()
	}
}
