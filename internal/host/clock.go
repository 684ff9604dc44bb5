package host

import "time"

// leastStep is the smallest step of the wall clock that is noted: a daemon that keeps the time slews it
// by less.
const leastStep = 500 * time.Millisecond

// wallClock notices when the wall clock is set, by holding it against the monotonic one.
type wallClock struct {
	mono time.Time // with its monotonic reading
	wall time.Time // without
}

func newWallClock() *wallClock {
	now := time.Now()
	return &wallClock{now, now.Round(0)}
}

// step returns by how much the wall clock was set since the last call, 0 when it was not. now must have
// a monotonic reading.
func (c *wallClock) step(now time.Time) time.Duration {
	passed := now.Sub(c.mono)
	step := now.Round(0).Sub(c.wall) - passed
	c.mono, c.wall = now, now.Round(0)
	if step.Abs() < leastStep {
		return 0
	}
	return step
}
