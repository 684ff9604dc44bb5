package gateway

import (
	"log/slog"
	"sync/atomic"
	"time"

	"causeway/internal/budget"
)

// purse keeps what applications have used. Counters outside that can't be reached are left alone for a while,
// and this process counts for itself: a limit then holds for each gateway alone.
type purse struct {
	main      budget.Counters
	spare     *budget.Memory
	estimates *budget.Estimates
	awayUntil atomic.Int64 // Unix nanoseconds
	log       *slog.Logger
	told      logLimit
}

// awayFor is how long counters that failed are left alone.
const awayFor = 5 * time.Second

func newPurse(main budget.Counters, log *slog.Logger) *purse {
	p := &purse{main: main, spare: budget.NewMemory(), estimates: budget.NewEstimates(), log: log}
	if main == nil {
		p.main = p.spare
	}
	return p
}

// counters are those to ask now.
func (p *purse) counters() budget.Counters {
	if p.awayUntil.Load() > time.Now().UnixNano() {
		return p.spare
	}
	return p.main
}

// lost notes that the counters could not be reached.
func (p *purse) lost(err error) {
	now := time.Now()
	p.awayUntil.Store(now.Add(awayFor).UnixNano())
	if ok, skipped := p.told.allow("", now); ok {
		p.log.Error("the counters of limits can't be reached: this gateway counts for itself", "error", err.Error(), "lines_left_out", skipped)
	}
}

// Away tells whether the shared counters of limits could not be reached of late.
func (g *Gateway) Away() bool { return g.money.awayUntil.Load() > time.Now().UnixNano() }
