package ledger

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"causeway/internal/journey"
)

const (
	maxShards = 8
	// keepFree is how many segments are made ahead, keepReserve how many of the free ones are the
	// last: for calls with a finding, or under Refuse for the calls in flight.
	keepFree    = 4
	keepReserve = 2
	// growAgain is how long a failed attempt to make a file keeps others from trying.
	growAgain = 250 * time.Millisecond
)

// spool is the folder of segments and tables. Open, Commit and what they call may run on any
// number of goroutines; draining is for one.
type spool struct {
	dir  string
	opts *Options
	lim  *limits
	log  *slog.Logger

	shards []shard
	tables atomic.Pointer[[]*table]
	state  atomic.Uint32 // stateClosed, stateTight
	wake   chan struct{} // a segment is full

	mu          sync.Mutex       // what follows; taken when a segment is full, never per call
	process     int              // this process's number; constant
	claims      map[int]*os.File // locks of the numbers whose files are this process's to drain
	free        []*segment
	live        []*segment // with records that the store may not have, oldest first
	total       int        // segments, live and free
	most        int        // segments that SpoolSize allows
	nextFile    int
	lastSeq     int64
	growAfter   time.Time // no attempt to make a file before
	growError   error
	forget      []int64 // numbers of recycled segments, to be forgotten by the store
	tablesAfter time.Time

	// maps is held for reading by whoever reads mapped records outside the drainer, and for
	// writing while a segment is cleared or unmapped. Calls never take it.
	maps sync.RWMutex

	refused, unmarked atomic.Int64
	killed            atomic.Int64 // calls of processes that are gone, found open
}

const (
	stateClosed uint32 = 1 << iota
	stateTight         // no segment to be had but the reserve
)

// shard is one of the places to append to, each on cache lines of its own.
type shard struct {
	active atomic.Pointer[segment]
	slots  atomic.Uint64 // the top of a stack of free slots: a counter against ABA, and the slot
	opened atomic.Int64
	ended  atomic.Int64 // committed, dropped, discarded or turned away
	_      [64]byte

	dropped, droppedFailed, discarded atomic.Int64
	_                                 [64]byte
}

func shardCount() int {
	n := 1
	for n < runtime.GOMAXPROCS(0) && n < maxShards {
		n *= 2
	}
	return n
}

// openSpool takes over what processes that are gone left in the folder (see recover.go) and makes the
// first files. marks reads the store's.
func openSpool(dir string, opts *Options, lim *limits, marks func() ([]journey.SpoolMark, error), damage *damaged) (_ *spool, others bool, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, false, fmt.Errorf("making the spool's folder: %w", err)
	}
	s := &spool{
		claims: map[int]*os.File{},
		dir:    dir, opts: opts, lim: lim, log: opts.Log, shards: make([]shard, shardCount()), wake: make(chan struct{}, 1),
	}
	s.most = max(int(opts.SpoolSize/opts.SegmentSize), len(s.shards)+keepFree+keepReserve)
	s.tables.Store(&[]*table{})
	defer func() {
		if err != nil {
			s.unmapAll()
			s.release()
		}
	}()
	if err := s.enter(); err != nil {
		return nil, false, err
	}
	gone, others, err := s.claimAbandoned()
	if err != nil {
		return nil, false, err
	}
	if err := s.inherit(append(gone, s.process), marks, damage); err != nil {
		return nil, false, err
	}
	if err := s.firstFiles(); err != nil {
		return nil, false, err
	}
	return s, others, nil
}

// inherit takes over the files of processes that are gone, whose locks are held.
func (s *spool) inherit(processes []int, marks func() ([]journey.SpoolMark, error), damage *damaged) error {
	list, err := marks()
	if err != nil {
		return err
	}
	e, err := s.inspect(processes, list, damage)
	if err != nil {
		return err
	}
	if err := s.settle(e); err != nil {
		e.unmap()
		return err
	}
	s.accept(e)
	return nil
}

// takeOver takes over the files of processes that have ended since this one began. It belongs to the
// drainer. others tells whether there is another one that lives.
func (s *spool) takeOver(marks func() ([]journey.SpoolMark, error), damage *damaged) (found int, others bool, err error) {
	gone, others, err := s.claimAbandoned()
	if len(gone) > 0 && err == nil {
		err = s.inherit(gone, marks, damage)
	}
	if err != nil {
		s.release(gone...)
		return 0, true, err
	}
	return len(gone), others, nil
}

func (s *spool) firstFiles() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	// Without asking canGrow: a spool that is full of calls from before must still have room for
	// those that were open.
	for len(s.free) < keepFree+keepReserve {
		if err := s.grow(); err != nil {
			return err
		}
	}
	return s.addTable(0)
}

// grow makes one more segment; that it fails is logged once in a row. s.mu is held.
func (s *spool) grow() error {
	s.nextFile++
	seg, err := newSegment(filepath.Join(s.dir, segmentName(s.process, s.nextFile)), s.opts.SegmentSize)
	if err != nil {
		if s.growError == nil {
			s.log.Error("the call log's spool cannot grow", "error", err)
		}
		s.growError, s.growAfter = err, time.Now().Add(growAgain)
		return err
	}
	s.growError = nil
	seg.process = s.process
	s.free = append(s.free, seg)
	s.total++
	return nil
}

// addTable makes one more table of slots. While it is the only one they are shared out to all
// shards, later the one that ran out gets all. s.mu is held.
func (s *spool) addTable(shard int) error {
	tables := *s.tables.Load()
	s.nextFile++
	t, err := newTable(filepath.Join(s.dir, tableName(s.process, s.nextFile)))
	if err != nil {
		s.tablesAfter = time.Now().Add(growAgain)
		return err
	}
	n := uint32(len(tables))
	next := append(slices.Clone(tables), t)
	s.tables.Store(&next)
	for slot := uint32(tableSlots - 1); slot > 0; slot-- { // downwards: low slots end up on top
		if n == 0 {
			shard = int(slot) % len(s.shards)
		}
		s.push(shard, n*tableSlots+slot)
	}
	return nil
}

// take finds a free segment for a shard, or makes one. s.mu is held. ErrDropped when there is none
// for a call of this kind.
func (s *spool) take(mayReserve bool) (*segment, error) {
	if len(s.free) <= keepReserve && s.canGrow() {
		_ = s.grow() // what it means is seen below
	}
	last := len(s.free) <= keepReserve
	if len(s.free) == 0 || last && !mayReserve {
		return nil, ErrDropped
	}
	seg := s.free[len(s.free)-1]
	s.free = s.free[:len(s.free)-1]
	s.lastSeq = newSeq(s.process, s.lastSeq) // new each time, also after the files were lost
	seg.activate(s.lastSeq, last)
	s.live = append(s.live, seg)
	return seg, nil
}

func (s *spool) canGrow() bool { return s.total < s.most && !time.Now().Before(s.growAfter) }

// measure notes whether only the reserve is left. s.mu is held.
func (s *spool) measure() {
	if len(s.free) <= keepReserve && !s.canGrow() {
		s.state.Or(stateTight)
	} else {
		s.state.And(^stateTight)
	}
}

// roll gives a shard another segment in place of a full one.
func (s *spool) roll(n int, full *segment, failed bool) error {
	mayReserve := failed || s.lim.get().WhenFull == Refuse
	if !mayReserve && s.state.Load()&stateTight != 0 {
		return ErrDropped
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	sh := &s.shards[n]
	if sh.active.Load() != full {
		return nil // somebody else was here first
	}
	if s.state.Load()&stateClosed != 0 {
		return ErrClosed
	}
	seg, err := s.take(mayReserve)
	s.measure()
	if err != nil && mayReserve {
		if seg = s.sharedReserve(full); seg != nil {
			err = nil
		}
	}
	if err != nil {
		return err
	}
	sh.active.Store(seg)
	if full != nil && full != seg { // the same when another shard had sealed it and it has come back empty
		full.close() // it may have room yet: a reserved segment that is given up, since there are others again
		full.sealed.Store(true)
		s.notify()
	}
	return nil
}

// sharedReserve finds a part of the reserve that another shard has taken and that has room: there
// may be more shards than reserved segments. Any number may append to a segment. Where one seals
// it, the others find it full, as they would without, and take another. s.mu is held.
func (s *spool) sharedReserve(full *segment) *segment {
	for _, seg := range s.live {
		if seg != full && seg.reserved.Load() && !seg.sealed.Load() && seg.tail.Load() < seg.size {
			return seg
		}
	}
	return nil
}

func (s *spool) notify() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// keepAhead makes segments before they are needed, gives back those of a backlog that is gone, and
// looks again whether there is room. It belongs to the drainer.
func (s *spool) keepAhead() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.free) < keepFree+keepReserve && s.canGrow() && s.state.Load()&stateClosed == 0 {
		_ = s.grow() // then canGrow is false for a while
	}
	for len(s.free) > 2*(keepFree+keepReserve) {
		seg := s.free[len(s.free)-1]
		s.free = s.free[:len(s.free)-1]
		s.total--
		if err := seg.remove(); err != nil {
			s.log.Warn("a spool file cannot be removed", "error", err)
		}
	}
	s.measure()
}

// recycle makes a segment free whose calls are all in the store.
func (s *spool) recycle(seg *segment) {
	s.maps.Lock()
	defer s.maps.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.live = slices.DeleteFunc(s.live, func(other *segment) bool { return other == seg })
	s.forget = append(s.forget, seg.seq)
	if seg.foreign {
		s.total--
		s.setAside(seg)
		return
	}
	seg.clear()
	s.free = append(s.free, seg)
	s.measure()
}

// segments lists those with records, oldest first.
func (s *spool) segments() []*segment {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.live)
}

// each gives every record that the store may not have yet to f, until f returns false. The record
// is valid during the call.
func (s *spool) each(f func(record []byte) bool) {
	s.maps.RLock()
	defer s.maps.RUnlock()
	for _, seg := range s.segments() {
		if seg.mem == nil {
			continue
		}
		// Up to what is taken now, and also what stands behind a call that is just being written.
		walk := records{mem: seg.mem[:min(seg.tail.Load(), seg.size)], pos: seg.drained.Load(), settled: true}
		for done := false; !done; {
			var record []byte
			if record, _, _, done = walk.next(); record != nil && !f(record) {
				return
			}
		}
	}
}

// close ends appending. Files with calls that the store has not are left, the others removed.
func (s *spool) close() error {
	s.state.Or(stateClosed)
	s.maps.Lock()
	defer s.maps.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	var open int64
	for i := range s.shards {
		open += s.shards[i].opened.Load() - s.shards[i].ended.Load()
	}
	if open > 0 {
		// Their goroutines may still write, so the mappings and locks stay until the process ends.
		// Their slots tell the next process about them.
		return nil
	}
	var errs []error
	for _, seg := range s.live {
		walk := records{mem: seg.mem, pos: seg.drained.Load(), settled: true}
		if record, bad, _, _ := walk.next(); record == nil && bad == nil && !seg.foreign {
			errs = append(errs, os.Remove(seg.path))
		}
	}
	for _, seg := range s.free {
		errs = append(errs, os.Remove(seg.path))
	}
	for _, t := range *s.tables.Load() {
		errs = append(errs, os.Remove(t.path))
	}
	s.unmapAll()
	for n, f := range s.claims {
		errs = append(errs, f.Close())
		delete(s.claims, n)
	}
	return errors.Join(errs...)
}

func (s *spool) unmapAll() {
	for _, seg := range append(slices.Clone(s.live), s.free...) {
		_ = unmap(seg.mem)
		seg.mem = nil
	}
	for _, t := range *s.tables.Load() {
		_ = unmap(t.mem)
	}
	s.live, s.free = nil, nil
	s.tables.Store(&[]*table{})
}
