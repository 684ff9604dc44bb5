package llm

import (
	"strings"
	"testing"
	"time"
)

func TestLimitsAreReadInTheDialectsOfTheirProviders(t *testing.T) {
	now := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name, fields string
		want         Limits
	}{
		{"none", "Content-Type: application/json", Limits{}},
		{
			"OpenAI", "X-RateLimit-Remaining-Requests: 59\nx-ratelimit-remaining-tokens: 0\nx-ratelimit-reset-tokens: 6m0s\nx-ratelimit-reset-requests: 1s",
			Limits{Requests: Limit{Known: true, Remaining: 59}, Tokens: Limit{Known: true, Reset: 6 * time.Minute}},
		},
		{
			"Anthropic", "anthropic-ratelimit-requests-remaining: 0\nanthropic-ratelimit-requests-reset: 2026-11-23T10:00:30Z\nanthropic-ratelimit-tokens-remaining: 900\nanthropic-ratelimit-input-tokens-remaining: 100\nanthropic-ratelimit-output-tokens-remaining: 400",
			Limits{Requests: Limit{Known: true, Reset: 30 * time.Second}, Tokens: Limit{Known: true, Remaining: 100}},
		},
		{"no number", "x-ratelimit-remaining-requests: many", Limits{}},
		{"no reset", "x-ratelimit-remaining-requests: 0", Limits{Requests: Limit{Known: true}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			header := func(name string) string {
				for line := range strings.Lines(test.fields) {
					if n, v, _ := strings.Cut(strings.TrimSpace(line), ": "); strings.EqualFold(n, name) {
						return v
					}
				}
				return ""
			}
			var got Limits
			for line := range strings.Lines(test.fields) {
				n, v, _ := strings.Cut(strings.TrimSpace(line), ": ")
				got.Read([]byte(n), []byte(v), header, now)
			}
			if got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}
