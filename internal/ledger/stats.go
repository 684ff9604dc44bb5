package ledger

// Stats are the ledger's figures at a moment. Counters count since New.
type Stats struct {
	Open          int64 // calls in flight
	Committed     int64 // calls kept
	Dropped       int64 // calls that found no room, or were too large
	DroppedFailed int64 // of them, calls with a finding
	Refused       int64 // calls turned away by Open
	Unmarked      int64 // calls for which no slot was free: kept, but not known as killed
	Killed        int64 // calls of processes that are gone, found open
	Drained       int64 // calls brought into the store
	Deleted       int64 // chunks deleted by retention
	Damaged       int64 // records, slots and chunks that could not be read
	BacklogBytes  int64 // in the spool and not yet in the store
	Segments      int   // of the spool
	FreeSegments  int
	Full          bool  // only the reserve is left
	StoreBytes    int64 // size of the store's file when retention last looked
	// Failure is why calls stay in the spool at the moment; nil when they do not.
	Failure *Failure
}

// Stats gathers the ledger's figures. It takes a lock that calls rarely need, and is meant for a
// scrape every few seconds.
func (l *Ledger) Stats() Stats {
	s := Stats{
		Refused: l.spool.refused.Load(), Unmarked: l.spool.unmarked.Load(), Killed: l.spool.killed.Load(),
		Drained: l.drained.Load(), Deleted: l.dropped.Load(), Damaged: l.damage.count.Load() + l.badChunks.Load(),
		Full: l.spool.state.Load()&stateTight != 0, StoreBytes: l.storeBytes.Load(), Failure: l.failure.Load(),
	}
	for i := range l.spool.shards {
		sh := &l.spool.shards[i]
		ended, dropped := sh.ended.Load(), sh.dropped.Load()
		s.Open += sh.opened.Load() - ended
		s.Committed += ended - dropped - sh.discarded.Load()
		s.Dropped += dropped
		s.DroppedFailed += sh.droppedFailed.Load()
	}
	l.spool.mu.Lock()
	defer l.spool.mu.Unlock()
	for _, seg := range l.spool.live {
		s.BacklogBytes += max(min(seg.tail.Load(), seg.size)-seg.drained.Load(), 0)
	}
	s.Segments, s.FreeSegments = l.spool.total, len(l.spool.free)
	return s
}
