package app

import (
	"runtime/debug"
	"sync/atomic"

	"causeway/internal/journey"
)

// Memory that is no longer needed is given back to the host when the process has been quiet for
// quietAfter seconds, using less than quietShare per cent of its CPUs, and has grown by quietGrown since the
// last time. The runtime alone would keep the garbage of a burst, such as ten thousand callers that
// connect, for minutes: nothing allocates any more, so nothing is collected.
const (
	quietShare = 5
	quietAfter = 2
	quietGrown = 4 << 20
)

// thrift gives memory back in quiet moments. Its second is called by one goroutine.
type thrift struct {
	free     func() // nil is debug.FreeOSMemory
	resident atomic.Int64
	busy     atomic.Bool
	quiet    int
	kept     int64 // resident since the last time, at its least
	settle   int   // seconds until what was given back shows
}

// second is told of each second's facts, and begins to give memory back where it is time to.
func (t *thrift) second(h *journey.Host) {
	now := t.resident.Load()
	if t.settle > 0 {
		if t.settle--; t.settle == 0 {
			t.kept = now
		}
		return
	}
	t.kept = min(t.kept, now)
	if h == nil || h.Own >= quietShare {
		t.quiet = 0
		return
	}
	if t.quiet++; t.quiet < quietAfter || now < t.kept+quietGrown || !t.busy.CompareAndSwap(false, true) {
		return
	}
	t.quiet, t.settle = 0, quietAfter
	go t.giveBack()
}

// giveBack collects the garbage, which takes milliseconds of one CPU, and returns what is free.
func (t *thrift) giveBack() {
	defer t.busy.Store(false)
	if t.free != nil {
		t.free()
		return
	}
	debug.FreeOSMemory()
	forgetProgram()
}
