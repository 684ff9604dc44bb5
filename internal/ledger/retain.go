package ledger

import (
	"context"
	"time"

	"causeway/internal/journey"
)

const (
	// dropStep and shrinkStep bound what one step of retention does, some milliseconds.
	dropStep   = 8
	shrinkStep = 1 << 20
	// retainSteps are taken after each batch while there is more to delete: together they delete
	// more chunks than a batch brings.
	retainSteps = 2
	// Unused space below this, or an eighth of what is in use, is left for the chunks to come.
	shrinkFrom = 16 << 20
)

// retain takes one small step towards the limits; more tells that another one is due. dropped is
// the number of chunks deleted.
func (d *drainer) retain(ctx context.Context, lim Limits, now time.Time) (dropped int, more bool, err error) {
	if lim.Keep > 0 {
		dropped, err = d.store.DropChunks(ctx, journey.MinID(now.Add(-lim.Keep)), dropStep)
		if err != nil || dropped == dropStep {
			return dropped, err == nil, err
		}
	}
	used, free, err := d.store.Size(ctx)
	if err != nil {
		return dropped, false, err
	}
	if lim.MaxSize > 0 && used > lim.MaxSize {
		n, err := d.store.DropChunks(ctx, maxID, dropStep)
		return dropped + n, err == nil && n > 0, err
	}
	if free > max(shrinkFrom, used/8) {
		return dropped, true, d.store.Shrink(ctx, shrinkStep)
	}
	return dropped, false, nil
}

// maxID is above every id.
var maxID = journey.ID([]byte("~~~~~~~~~~~~~~~~~~~~~~~~~~"))
