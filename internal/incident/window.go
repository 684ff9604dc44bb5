package incident

import (
	"time"

	"causeway/internal/fault"
)

type kind = fault.Kind

const parts = 12

// window counts over a sliding span, in parts. The zero value is empty.
type window struct {
	n  [parts]int
	at int64 // the newest part: time / (span / parts)
}

func (w *window) add(n int, now time.Time, span time.Duration) {
	if at := w.turn(now, span); w.at-at < parts {
		w.n[((at%parts)+parts)%parts] += n
	}
}

// turn empties the parts that are older than the span, and returns the one that a time falls into.
func (w *window) turn(now time.Time, span time.Duration) int64 {
	at := now.UnixNano() / max(int64(span)/parts, 1)
	if at-w.at >= parts {
		w.n, w.at = [parts]int{}, at
	}
	for w.at < at {
		w.at++
		w.n[((w.at%parts)+parts)%parts] = 0
	}
	return at
}

func (w *window) sum(now time.Time, span time.Duration) (sum int) {
	w.turn(now, span)
	for _, n := range w.n {
		sum += n
	}
	return sum
}
