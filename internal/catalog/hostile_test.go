package catalog

import (
	"strings"
	"testing"
	"time"
)

// A reload must be quick to refuse what was made to be slow.
func TestHostileFilesAreRefusedQuickly(t *testing.T) {
	repeat := strings.Repeat
	bomb := "version: 1\nserver: &a0 {x: [1, 2, 3, 4, 5, 6, 7, 8, 9]}\n"
	for i := range 9 {
		bomb += "a" + string(rune('1'+i)) + ": &a" + string(rune('1'+i)) + " [" + repeat("*a"+string(rune('0'+i))+", ", 9) + "]\n"
	}
	var wide, nested, aliases strings.Builder
	for i := range 30_000 {
		wide.WriteString("k" + repeat("x", i%7) + string(rune('a'+i%26)) + hexOf(i) + ": v\n")
	}
	for i := range 1000 {
		nested.WriteString(repeat(" ", i) + "k:\n")
	}
	aliases.WriteString("version: 1\nmodels:\n  m: &m {targets: [" + repeat("{model: a/b}, ", 5000) + "]}\n")
	for i := range 40 {
		aliases.WriteString("  m" + hexOf(i) + ": *m\n")
	}
	for _, tc := range []struct{ name, text, want string }{
		{"aliases of aliases", bomb, "aliases stand for more than"},
		{"many aliases of much", aliases.String(), "aliases stand for more than"},
		{"a mapping of many keys", wide.String(), "too many keys"},
		{"open brackets", repeat("[", 1<<17), "nested more than"},
		{"open braces", repeat("{a: ", 1<<15), "nested more than"},
		{"indentation", nested.String(), "nested more than"},
		{"lists in lists on one line", repeat("- ", 1<<17), "nested more than"},
		{"a long key", repeat("k", 1<<16) + ": 1", "longer than"},
		{"tags", repeat("! ", 1<<16), "tags"},
		{"anchors", repeat("&a ", 1<<14), ""},
		{"question marks", repeat("? ", 1<<17), "? keys"},
		{"tabs in quotes", `version: "` + repeat("\t", 1<<21), "tabs"},
		{"one long line", "version: " + repeat("x", 1<<17), ""},
		{"colons", repeat(":", 1<<17), ""},
		{"unknown keys", "version: 1\nserver: {" + strings.ReplaceAll(wide.String()[:100_000], "\n", ", ") + "}", "unknown key"},
		{"unknown names", "version: 1\napplications: {a: {keys: [k], subscribes: [" + repeat("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaab, ", 5000) + "]}}", "not under services"},
		{"the same path", "version: 1\nservices: {a: {upstream: {targets: [{url: http://127.0.0.1:1}]}, routes: [" + repeat("{path: /a}, ", 3000) + "]}}", "can't be told|more than 1000 routes"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			began := time.Now()
			_, faults := Parse("f.yaml", []byte(tc.text), noEnv)
			// Generous: a shared machine with the race detector on. Without its bound each of
			// these takes minutes or all memory.
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("took %v", took)
			}
			if len(faults) == 0 || len(faults) > maxFaults+1 {
				t.Fatalf("%d faults", len(faults))
			}
			all := faults.String()
			for _, want := range strings.Split(tc.want, "|") {
				if strings.Contains(all, want) {
					return
				}
			}
			t.Errorf("no fault says %q; the first is %s", tc.want, faults[0])
		})
	}
}

func TestTokensAreBounded(t *testing.T) {
	var faults faultList
	if _, ok := tokenize(&faults, "[a, b, c, d]", 9); !ok || len(faults.list) > 0 {
		t.Errorf("nine tokens were refused: %v", faults.list)
	}
	if _, ok := tokenize(&faults, "[a, b, c, d]", 8); ok || len(faults.list) != 1 || faults.list[0].Column != 12 {
		t.Errorf("the ninth token was admitted: %v", faults.list)
	}
}

func hexOf(i int) string {
	const digits = "0123456789abcdef"
	return string([]byte{digits[i>>16&15], digits[i>>12&15], digits[i>>8&15], digits[i>>4&15], digits[i&15]})
}
