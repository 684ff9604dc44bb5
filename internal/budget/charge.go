package budget

import (
	"context"
	"errors"
	"time"
)

// Charge counts against all limits what was used without a reservation: what turns out only afterwards, such as the
// cost of a batch. id names it. The error is of the limits that could not be reached.
func Charge(ctx context.Context, c Counters, limits []Limit, id string, tokens, nano int64) (err error) {
	for i := range limits {
		l := &limits[i]
		used := tokens
		if l.Unit == Nanodollars {
			used = nano
		}
		key, to := l.Window(time.Now())
		err = errors.Join(err, c.Settle(ctx, key, id, max(used, 0), to))
	}
	return err
}
