package gateway

import (
	"sync/atomic"
	"time"

	"causeway/internal/fault"
)

// logLimit lets through a bounded number of lines a second and counts the rest. The first of each kind in a second
// passes always, where they are known: a flood of one failure does not hide another. The zero value knows none.
type logLimit struct {
	second  atomic.Int64
	lines   atomic.Int64
	skipped atomic.Int64
	kinds   map[fault.Kind]*atomic.Int64 // the second in which one passed last; read only
}

func newLogLimit() *logLimit {
	l := &logLimit{kinds: make(map[fault.Kind]*atomic.Int64)}
	for _, e := range fault.All() {
		l.kinds[e.Kind] = new(atomic.Int64)
	}
	return l
}

// allow tells whether a line about a failure of a kind may be written, and how many were not since one that told so.
func (l *logLimit) allow(kind fault.Kind, now time.Time) (ok bool, skipped int64) {
	const most = 20
	s := now.Unix()
	if old := l.second.Load(); old != s && l.second.CompareAndSwap(old, s) {
		l.lines.Store(0)
		skipped = l.skipped.Swap(0)
	}
	first := false
	if last := l.kinds[kind]; last != nil {
		old := last.Load()
		first = old != s && last.CompareAndSwap(old, s)
	}
	if l.lines.Add(1) > most && !first {
		l.skipped.Add(1)
		return false, 0
	}
	return true, skipped
}
