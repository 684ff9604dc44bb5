package main

import (
	"os"
	"strings"
	"testing"
)

func TestTheBaselineNamesAllThatIsCounted(t *testing.T) {
	text, err := os.ReadFile("baseline.txt")
	if err != nil {
		t.Fatal(err)
	}
	list, err := parseBaseline(string(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, what := range counted {
		if list[what.name].instructions == 0 {
			t.Errorf("no figure of %s", what.name)
		}
	}
	if len(list) != len(counted) {
		t.Errorf("%d figures, %d are counted", len(list), len(counted))
	}
}

func TestAWrongBaselineIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		"rest_call 12":              "line 1: NAME INSTRUCTIONS ALLOCATIONS",
		"# one\n\nrest_call x 0":    `line 3: "x" is no number of instructions`,
		"rest_call 0 0":             `"0" is no number of instructions`,
		"rest_call 12 -1 # comment": `"-1" is no number of allocations`,
	} {
		if _, err := parseBaseline(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func TestRead(t *testing.T) {
	profile := "version: 1\nsummary: 7\nfn=(1) main\n1 7\ntotals: 1234\n"
	text := "BenchmarkREST \t    1000\t    391261 ns/op\t       5 B/op\t       2 allocs/op\nPASS\n"
	got, err := read(profile, text)
	if want := (cost{1234, 2}); err != nil || got != want {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
	if _, err := read("summary", text); err == nil {
		t.Error("a profile without totals is taken")
	}
	if _, err := read(profile, "PASS\n"); err == nil {
		t.Error("a run without the benchmark is taken")
	}
	if g := growth(2000, 2050); g != 2.5 {
		t.Errorf("growth %v", g)
	}
}
