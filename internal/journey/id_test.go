package journey

import (
	"testing"
	"time"
)

func TestIDsSortByTime(t *testing.T) {
	at := time.Date(2026, 11, 23, 5, 0, 0, 0, time.UTC)
	for _, step := range []time.Duration{time.Microsecond, 7 * time.Microsecond, time.Millisecond, time.Hour} {
		a, b := NewID(at), NewID(at.Add(step))
		if a.String() >= b.String() {
			t.Errorf("the id made %s later does not sort behind: %s, %s", step, a, b)
		}
	}
	last := NewID(at.Add(999_999 * time.Nanosecond))
	if next := NewID(at.Add(time.Millisecond)); last.String() >= next.String() || last.Time() != at {
		t.Errorf("the end of a millisecond: %s (%s), then %s", last, last.Time(), next)
	}
	if a, b := NewID(at), NewID(at); a == b {
		t.Error("two ids of one moment are the same")
	}
}
