package price

import "testing"

func builtin(t *testing.T) *Catalogue {
	t.Helper()
	c, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCost(t *testing.T) {
	c := builtin(t)
	for _, tt := range []struct {
		name, vendor, model string
		usage               Usage
		want                float64 // dollars
	}{
		{"plain", "openai", "gpt-4o", Usage{Input: 1_000_000, Output: 1_000_000}, 12.5},
		{"cached", "openai", "gpt-4o", Usage{Input: 1_000_000, Cached: 400_000, Output: 0}, 0.6*2.5 + 0.4*1.25},
		{"batch", "openai", "gpt-4o-mini", Usage{Input: 1_000_000, Output: 1_000_000, Batch: true}, 0.375},
		{"dated", "openai", "gpt-4o-2024-11-20", Usage{Input: 1000, Output: 1000}, 0.0125},
		{"its own date", "openai", "gpt-4o-2024-05-13", Usage{Input: 1000, Output: 1000}, 0.02},
		{"written to the cache", "anthropic", "claude-sonnet-4-5-20250929", Usage{Input: 10_000, CacheWrite: 6000, CacheWrite1h: 2000, Cached: 1000, Output: 100}, (3000*3 + 4000*3.75 + 2000*6 + 1000*0.3 + 100*15) / 1e6},
		{"long", "gemini", "gemini-2.5-pro", Usage{Input: 300_000, Cached: 100_000, Output: 1000}, (200_000*2.5 + 100_000*0.25 + 1000*15) / 1e6},
		{"not long", "gemini", "gemini-2.5-pro", Usage{Input: 200_000, Output: 1000}, (200_000*1.25 + 1000*10) / 1e6},
		{"audio", "openai", "gpt-4o-audio-preview", Usage{Input: 1000, AudioIn: 400, Output: 500, AudioOut: 500}, (600*2.5 + 400*40 + 500*80) / 1e6},
		{"not said", "openai", "gpt-4o", Usage{Input: -1, Output: -1, Cached: -1, CacheWrite: -1, CacheWrite1h: -1}, 0},
		{"searches", "cohere", "rerank-v3.5", Usage{Searches: 3}, 0.006},
		{"free", "openai", "omni-moderation-latest", Usage{Input: 1000}, 0},
		{"latest", "anthropic", "claude-3-5-haiku-latest", Usage{Input: 1_000_000}, 0.8},
	} {
		p, ok := c.Find(tt.vendor, tt.model)
		if !ok {
			t.Errorf("%s: no price", tt.name)
			continue
		}
		if got := p.Cost(tt.usage); got != FromDollars(tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, FromDollars(tt.want))
		}
		if p.Source == "" || p.Date == "" {
			t.Errorf("%s: source %q, date %q", tt.name, p.Source, p.Date)
		}
	}
}

func TestAnOperatorsPriceCounts(t *testing.T) {
	c := builtin(t)
	mine := c.With("openai", map[string]Price{"gpt-4o": {Input: 1, Output: 2, Source: "the configuration"}, "own-model": {Input: 7}})
	if p, _ := mine.Find("openai", "gpt-4o"); p.Cost(Usage{Input: 1e6, Output: 1e6}) != FromDollars(3) {
		t.Errorf("gpt-4o costs %v", p)
	}
	if p, ok := mine.Find("openai", "own-model"); !ok || p.Input != 7 {
		t.Error("own-model has no price")
	}
	if p, _ := c.Find("openai", "gpt-4o"); p.Input != 2.5 {
		t.Error("the catalogue itself has changed")
	}
}

func TestWhatIsNotKnownHasNoPrice(t *testing.T) {
	c := builtin(t)
	for _, m := range [][2]string{{"openai", "gpt-9"}, {"openai", ""}, {"nobody", "gpt-4o"}, {"openai", "-2024-11-20"}, {"bedrock", "us."}} {
		if p, ok := c.Find(m[0], m[1]); ok {
			t.Errorf("%v: %+v", m, p)
		}
	}
}

// Every row makes sense: what is read from a cache costs no more than plain input, what is written no less.
func TestRowsMakeSense(t *testing.T) {
	c := builtin(t)
	if c.Len() < 850 {
		t.Fatalf("%d models", c.Len())
	}
	c.Each(func(vendor, model string, p *Price) {
		switch {
		case !p.Free && p.Input == 0 && p.Output == 0 && p.PerSearch == 0 && p.Minute == 0 && p.PerImage == 0:
			t.Errorf("%s %s has no price", vendor, model)
		case p.Cached > p.Input, p.CacheWrite > 0 && p.CacheWrite < p.Input, p.Batch > 1, p.Input > 200, p.Output > 700:
			t.Errorf("%s %s: %+v", vendor, model, p)
		case p.Source == "":
			t.Errorf("%s %s has no source", vendor, model)
		}
	})
}
