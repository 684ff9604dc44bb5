package smuggle

import (
	"slices"
	"strings"
	"testing"
)

func TestCorpusIsWellMade(t *testing.T) {
	cases := Cases()
	if len(cases) < 220 {
		t.Errorf("%d cases, want at least 220", len(cases))
	}
	names, streams := map[string]bool{}, map[string]string{}
	verdicts := map[Verdict]int{}
	for _, c := range cases {
		if names[c.Name] {
			t.Errorf("two cases are called %q", c.Name)
		}
		names[c.Name] = true
		if twin := streams[c.Bytes]; twin != "" {
			t.Errorf("%q and %q are the same bytes", twin, c.Name)
		}
		streams[c.Bytes] = c.Name
		verdicts[c.Verdict]++
		if !strings.HasPrefix(c.Rule, "RFC 91") || c.Bytes == "" {
			t.Errorf("%q: rule %q, %d bytes", c.Name, c.Rule, len(c.Bytes))
		}
		if c.Verdict == MustServe && len(c.Sees) == 0 {
			t.Errorf("%q must be served, and nobody sees it", c.Name)
		}
	}
	// A corpus without controls would be passed by a gateway that refuses everything.
	if verdicts[MustRefuse] < 200 || verdicts[MustServe] < 50 || verdicts[MayRefuse] < 20 {
		t.Errorf("must refuse, may refuse, must serve: %v", verdicts)
	}
	t.Logf("%d cases: %v", len(cases), verdicts)
}

func TestCasesAreMadeAnew(t *testing.T) {
	a := Cases()
	a[0] = Case{}
	if b := Cases(); b[0].Name == "" {
		t.Error("changing one corpus changed the next")
	}
	if !slices.EqualFunc(Cases(), Cases(), func(a, b Case) bool { return a.Name == b.Name && a.Bytes == b.Bytes }) {
		t.Error("the corpus is not the same every time")
	}
}

func TestCheckHoldsAnUpstreamToWhatItMaySee(t *testing.T) {
	serve := Case{Verdict: MustServe, Sees: both}
	refuse := Case{Verdict: MustRefuse, Sees: one}
	for _, c := range []struct {
		c    Case
		seen []string
		good bool
	}{
		{serve, both, true},
		{serve, one, false},
		{serve, nil, false},
		{serve, []string{Canary}, false},
		{serve, []string{First, Canary, Canary}, false},
		{refuse, one, true},
		{refuse, nil, true},
		{refuse, both, false},
		{Case{Verdict: MustRefuse}, []string{Canary}, false},
		{Case{Verdict: MayRefuse, Sees: both}, one, true},
	} {
		if err := c.c.Check(c.seen); (err == nil) != c.good {
			t.Errorf("%v, sees %q, seen %q: %v", c.c.Verdict, c.c.Sees, c.seen, err)
		}
	}
}
