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
	// OnTurn, when not nil, is told of turns that are worth a word: of work that waited for CrowdedFrom or longer, of
	// each turn of chunks, and of a text that has taken many. It must be set before the lane is used, and is called often: it must be quick.
	OnTurn func(work Work, by Worker, waited time.Duration)

	free   atomic.Int64 // the clock's time from which on there is room for more work
	tracks int64        // processors that long work may have
	counts [works]struct{ turns, waited atomic.Int64 }
}

// Work is a kind of long work.
type Work uint8

// The kinds of long work.
const (
	WorkBody    Work = iota // a request's body that comes as fast as it is read
	WorkAnswer              // an answer's
	WorkChunks              // a request's body in very small chunks
	WorkText                // a text that unfolds
	WorkRefusal             // a head that is no good
	WorkLookUp              // a call that is looked up for the one who made it

	works
)

// String is the word for it in metrics and the log.
func (w Work) String() string {
	switch w {
	case WorkBody:
		return "request_body"
	case WorkAnswer:
		return "answer"
	case WorkChunks:
		return "tiny_chunks"
	case WorkText:
		return "coded_text"
	case WorkRefusal:
		return "refusal"
	case WorkLookUp:
		return "look_up"
	}
	return "other"
}

// Worker is whose work it is.
type Worker interface {
	// Works names it for the log: the address of a caller or of an upstream.
	Works() string
}

// LaneCount is how much long work of a kind there was.
type LaneCount struct {
	Turns  int64
	Waited time.Duration
}

// Counts returns what there was since the start, by the name of its kind.
func (l *Lane) Counts() map[string]LaneCount {
	counts := make(map[string]LaneCount, works)
	for w := range works {
		c := &l.counts[w]
		counts[w.String()] = LaneCount{c.turns.Load(), time.Duration(c.waited.Load())}
	}
	return counts
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
	// lookUpCost is about what it takes to find a call in the call log, or to find that it is not there.
	lookUpCost = int64(400 * time.Microsecond)
	// CrowdedFrom is how long long work waits for its turn where there is a word to be said about it.
	CrowdedFrom = 5 * time.Millisecond
	// longText is how many turns one text takes that is worth a word.
	longText = 32
)

// turn waits until there is room for work of so many nanoseconds, and counts it.
func (l *Lane) turn(s *Stint, work Work, by Worker, cost int64) {
	waited := l.pass(cost)
	c := &l.counts[work]
	c.turns.Add(1)
	s.turns++
	if waited > 0 {
		c.waited.Add(int64(waited))
	}
	if l.OnTurn != nil && (waited >= CrowdedFrom || work == WorkChunks || work == WorkText && s.turns == longText) {
		l.OnTurn(work, by, waited)
	}
}

// pass waits until there is room for work of so many nanoseconds, and returns how long it waited.
func (l *Lane) pass(work int64) time.Duration {
	for {
		now, free := clock(), l.free.Load()
		from := max(now, free)
		if !l.free.CompareAndSwap(free, min(from+work/l.tracks, now+longestTurn)) {
			continue
		}
		if from > now {
			time.Sleep(time.Duration(from - now))
			return time.Duration(clock() - now)
		}
		runtime.Gosched()
		return 0
	}
}

// Stint is the work of one goroutine that may become long. The zero value is ready to use.
type Stint struct {
	from int64 // when it went on after the last turn
	work int64 // not yet taken to the lane

	turns int // so far
}

// Waited tells that the goroutine has waited for something: the time since its last turn was not work.
func (s *Stint) Waited() { s.from = 0 }

// Share is called between two pieces of work, with nothing held that another goroutine waits for. It returns when it is
// this goroutine's turn to go on.
func (l *Lane) Share(s *Stint, work Work, by Worker) {
	if l == nil {
		runtime.Gosched()
		return
	}
	if s.from != 0 {
		s.work += min(clock()-s.from, mostAtOnce)
	}
	if s.work >= turnOf {
		l.turn(s, work, by, s.work)
		s.work = 0
	}
	s.from = clock()
}

// charge takes work to the lane that is known by its cost, also where its goroutine waits for more of it in between.
func (l *Lane) charge(s *Stint, work Work, by Worker, cost int64) {
	if s.work += cost; l != nil && s.work >= turnOf {
		l.turn(s, work, by, s.work)
		s.work, s.from = 0, 0
	}
}

// refusal waits for the turn of a refusal: whoever sends many broken heads waits for each answer.
func (l *Lane) refusal(by Worker) {
	if l != nil {
		l.turn(&Stint{}, WorkRefusal, by, refusalCost)
	}
}

// LookUp waits for the turn of one who looks into the call log: an id is quickly made up.
func (l *Lane) LookUp(by Worker) {
	if l != nil {
		l.turn(&Stint{}, WorkLookUp, by, lookUpCost)
	}
}
