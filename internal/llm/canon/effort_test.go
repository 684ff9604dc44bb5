package canon_test

import (
	"testing"

	"causeway/internal/llm/canon"
)

func TestAnEffortThatCrossesTwiceIsTheSame(t *testing.T) {
	for _, effort := range []string{"", "minimal", "low", "medium", "high", "xhigh"} {
		if got := canon.EffortOf(canon.BudgetOf(effort)); got != effort {
			t.Errorf("%q became %q", effort, got)
		}
	}
	for budget, want := range map[int64]string{-1: "medium", 1: "minimal", 2000: "low", 4097: "medium", 16384: "medium", 20000: "high", 64000: "xhigh"} {
		if got := canon.EffortOf(budget); got != want {
			t.Errorf("%d tokens: %q, want %q", budget, got, want)
		}
	}
}

func TestASignatureComesBackToWhoMadeIt(t *testing.T) {
	for _, c := range []struct{ signature, by, own, carried string }{
		{"abc", "anthropic", "anthropic", "abc"},
		{"a.b=", "gemini", "anthropic", "causeway.gemini.a.b="},
		{"", "gemini", "anthropic", ""},
	} {
		carried := canon.WrapSignature(c.signature, c.by, c.own)
		if carried != c.carried {
			t.Errorf("%q by %s for %s is carried as %q", c.signature, c.by, c.own, carried)
		}
		if signature, by := canon.UnwrapSignature(carried, c.own); signature != c.signature || c.signature != "" && by != c.by {
			t.Errorf("%q comes back as %q by %q", carried, signature, by)
		}
	}
}
