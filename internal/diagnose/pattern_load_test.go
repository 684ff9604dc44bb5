package diagnose

import (
	"testing"
	"time"

	"causeway/internal/journey"
)

func TestSlownessAgainstTheLimit(t *testing.T) {
	const ms = time.Millisecond
	for name, c := range map[string]struct {
		before, p50, p95 time.Duration // p50 before; just before the failures
		limit            time.Duration
		climbs, flat     bool
	}{
		"as ever":                       {13 * ms, 13 * ms, 16 * ms, 250 * ms, false, true},
		"a little more of a long limit": {13 * ms, 32 * ms, 39 * ms, 250 * ms, false, true},
		"half of the limit":             {13 * ms, 90 * ms, 130 * ms, 250 * ms, true, false},
		"manifold, of a long limit":     {100 * ms, 3 * time.Second, 5 * time.Second, time.Minute, true, false},
		"no limit passed":               {13 * ms, 32 * ms, 39 * ms, 0, true, false},
	} {
		l := journey.PastLatency{Samples: 8, Recent: 4, P50: c.before, P95: c.before + 3*ms, NewP50: c.p50, NewP95: c.p95}
		if got := climbs(l, c.limit); got != c.climbs {
			t.Errorf("%s: climbs is %v", name, got)
		}
		if got := flat(l, c.limit); got != c.flat {
			t.Errorf("%s: flat is %v", name, got)
		}
	}
}
