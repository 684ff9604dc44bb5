package meter

import (
	"testing"

	"causeway/internal/journey"
)

func TestCostsAreCountedByApplicationModelAndProvider(t *testing.T) {
	m, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	set := m.NewSet()
	web, series := set.Application("web"), set.Model("fast", "openai")
	m.Install(set, 1)
	for _, u := range []journey.Usage{{Source: "reported", Cost: 1_500_000, Priced: true}, {Source: "reported", Cost: 500_000, Priced: true}, {Source: "reported"}} {
		series.Call(web, &journey.Journey{Status: 200, Usage: u})
	}
	series.Call(nil, &journey.Journey{Status: 200, Usage: journey.Usage{Source: "reported", Cost: 1_000_000_000, Priced: true}})
	p := scrape(t, m)
	for sample, want := range map[string]float64{
		`causeway_cost_dollars_total{application="web",model="fast",provider="openai"}`: 0.002,
		`causeway_cost_dollars_total{application="",model="fast",provider="openai"}`:    1,
	} {
		if got := p.samples[sample]; got != want {
			t.Errorf("%s: %v, want %v\n%s", sample, got, want, p.text)
		}
	}
}
