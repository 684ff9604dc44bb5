package ledger

import (
	"sync/atomic"
	"time"

	"causeway/internal/journey"
)

// Slot is the place of one call that was opened. It is used by the call's one goroutine, which
// ends it with exactly one Commit or Discard. The zero Slot does nothing.
type Slot struct {
	spool *spool
	index uint32 // of the slot in the tables, 0: none was free
	shard uint32
}

// open is Ledger.Open.
func (s *spool) open(id journey.ID, start int64, method, path string) (Slot, error) {
	n := uint32(id[24]^id[25]) & uint32(len(s.shards)-1) // random letters
	sh := &s.shards[n]
	sh.opened.Add(1) // before state is read: close looks at them in the other order
	if state := s.state.Load(); state != 0 {
		if state&stateClosed != 0 {
			sh.discarded.Add(1)
			sh.ended.Add(1)
			return Slot{}, ErrClosed
		}
		if s.lim.get().WhenFull == Refuse {
			sh.discarded.Add(1)
			sh.ended.Add(1)
			s.refused.Add(1)
			return Slot{}, ErrFull
		}
	}
	slot := Slot{spool: s, index: s.pop(int(n)), shard: n}
	if slot.index == 0 {
		slot.index = s.moreSlots(int(n))
	}
	if slot.index != 0 {
		slot.mem().open(&id, start, method, path)
	}
	return slot, nil
}

func (sl Slot) mem() slotMem {
	t := (*sl.spool.tables.Load())[sl.index/tableSlots]
	at := int(sl.index%tableSlots) * slotSize
	return slotMem(t.mem[at : at+slotSize : at+slotSize])
}

// SetService adds the service that the call was routed to, for the case that the process is killed
// before Commit.
func (sl Slot) SetService(name string) {
	if sl.index != 0 {
		sl.mem().setService(name)
	}
}

// Commit keeps the call's record (see AppendRecord): once it has returned nil, the record outlives
// the process. The bytes are copied. ErrDropped when the spool is full, ErrTooLarge above
// MaxRecord, ErrClosed after Close; the call is then counted as dropped, except after Close, where
// its slot stays open for the next process to find.
func (sl Slot) Commit(record []byte) error {
	if sl.spool == nil {
		return nil
	}
	failed := journey.RecordFailed(record)
	err := ErrTooLarge
	if len(record) > 0 && len(record) <= MaxRecord {
		err = sl.spool.put(sl, record, failed)
	}
	sh := &sl.spool.shards[sl.shard]
	if err == ErrClosed {
		return err
	}
	if err != nil {
		sh.dropped.Add(1)
		if failed {
			sh.droppedFailed.Add(1)
		}
	}
	sl.end()
	return err
}

// Discard ends a call without keeping it.
func (sl Slot) Discard() {
	if sl.spool == nil {
		return
	}
	sl.spool.shards[sl.shard].discarded.Add(1)
	sl.end()
}

func (sl Slot) end() {
	if sl.index != 0 {
		sl.mem().free()
		sl.spool.push(int(sl.shard), sl.index)
	}
	sl.spool.shards[sl.shard].ended.Add(1)
}

// put appends a record to the shard's segment.
func (s *spool) put(sl Slot, record []byte, failed bool) error {
	sh := &s.shards[sl.shard]
	need := recordSize(len(record))
	for {
		seg := sh.active.Load()
		if seg != nil && (!seg.reserved.Load() || failed || s.lim.get().WhenFull == Refuse) {
			if at, ok := seg.reserve(need); ok {
				seg.write(at, record)
				if sl.index != 0 {
					sl.mem().committing(seg.use(), at)
				}
				seg.mark(at, recordMark)
				return nil
			}
		}
		if err := s.roll(int(sl.shard), seg, failed); err != nil {
			return err
		}
	}
}

// pop takes a free slot from a shard's stack; 0 when it has none.
func (s *spool) pop(n int) uint32 {
	top := &s.shards[n].slots
	for {
		old := top.Load()
		index := uint32(old)
		if index == 0 {
			return 0
		}
		if top.CompareAndSwap(old, old>>32<<32+1<<32|uint64(s.link(index).Load())) {
			return index
		}
	}
}

// push gives a slot back, on top, so that few pages of the table are in use.
func (s *spool) push(n int, index uint32) {
	top, link := &s.shards[n].slots, s.link(index)
	for {
		old := top.Load()
		link.Store(uint32(old))
		if top.CompareAndSwap(old, old>>32<<32+1<<32|uint64(index)) {
			return
		}
	}
}

func (s *spool) link(index uint32) *atomic.Uint32 {
	return &(*s.tables.Load())[index/tableSlots].next[index%tableSlots]
}

// moreSlots finds a slot for a shard that has none: another shard's, or one of a new table. 0 when
// there is none to be had; the call then goes on without.
func (s *spool) moreSlots(n int) uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.shards {
		if index := s.pop((n + i) % len(s.shards)); index != 0 {
			return index
		}
	}
	if len(*s.tables.Load()) < maxTables && !time.Now().Before(s.tablesAfter) && s.state.Load()&stateClosed == 0 {
		if err := s.addTable(n); err != nil {
			s.log.Error("the table of open calls cannot grow", "error", err)
		} else if index := s.pop(n); index != 0 {
			return index
		}
	}
	s.unmarked.Add(1)
	return 0
}
