package wire

import (
	"runtime"
	"sync/atomic"
	"time"
)

// Lane is what long work shares: bodies that come as fast as they are read, small ones that unfold to large ones, heads
// that are no good. Together they get all processors but one, each in its turn. The last one is for calls that are short.
//
// Giving way with runtime.Gosched would not do. Go's scheduler looks at the sockets only when nothing else can run, or
// after ten milliseconds: with as many goroutines busy as there are processors, every other call would wait for that.
//
// Its methods may be called concurrently. A nil Lane lets others run and holds nobody back.
type Lane struct {
	free   atomic.Int64 // the clock's time from which on there is room for more work
	tracks int64        // processors that long work may have
}

// NewLane makes a lane for the processors that the process has now (runtime.GOMAXPROCS).
func NewLane() *Lane { return &Lane{tracks: int64(max(runtime.GOMAXPROCS(0)-1, 1))} }

const (
	// longestTurn is how far work may be put off: what came in at the same time is all let go then.
	longestTurn = int64(250 * time.Millisecond)
	// turnOf is how much work is done in one turn. Work that is shorter does not go through the lane.
	turnOf = int64(500 * time.Microsecond)
	// mostAtOnce is how much of the time between two pieces is taken for work: the rest was waited.
	mostAtOnce = int64(200 * time.Microsecond)
	// refusalCost is about what it takes to tell a caller that its head is no good, and to write that down.
	refusalCost = int64(100 * time.Microsecond)
)

// pass waits until there is room for work of so many nanoseconds.
func (l *Lane) pass(work int64) {
	for {
		now, free := clock(), l.free.Load()
		from := max(now, free)
		if !l.free.CompareAndSwap(free, min(from+work/l.tracks, now+longestTurn)) {
			continue
		}
		if from > now {
			time.Sleep(time.Duration(from - now))
		} else {
			runtime.Gosched()
		}
		return
	}
}

// Stint is the work of one goroutine that may become long. The zero value is ready to use.
type Stint struct {
	from int64 // when it went on after the last turn
	work int64 // not yet taken to the lane
}

// Waited tells that the goroutine has waited for something: the time since its last turn was not work.
func (s *Stint) Waited() { s.from = 0 }

// Share is called between two pieces of work, with nothing held that another goroutine waits for. It returns when it is
// this goroutine's turn to go on.
func (l *Lane) Share(s *Stint) {
	if l == nil {
		runtime.Gosched()
		return
	}
	if s.from != 0 {
		s.work += min(clock()-s.from, mostAtOnce)
	}
	if s.work >= turnOf {
		l.pass(s.work)
		s.work = 0
	}
	s.from = clock()
}

// charge takes work to the lane that is known by its cost, also where its goroutine waits for more of it in between.
func (l *Lane) charge(s *Stint, cost int64) {
	if s.work += cost; l != nil && s.work >= turnOf {
		l.pass(s.work)
		s.work, s.from = 0, 0
	}
}

// refusal waits for the turn of a refusal: whoever sends many broken heads waits for each answer.
func (l *Lane) refusal() {
	if l != nil {
		l.pass(refusalCost)
	}
}
