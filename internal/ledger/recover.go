package ledger

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"causeway/internal/fault"
	"causeway/internal/journey"
)

// estate is what processes that are gone have left in the spool.
type estate struct {
	segments []*segment // with records, oldest first
	tables   []oldTable
	lastFile map[int]int   // the highest number of a file, by process
	lastSeq  map[int]int64 // the highest number of a segment, by process
	forget   []int64       // marks of segments that are gone
}

// oldTable is a table of open calls of a process that is gone.
type oldTable struct {
	path    string
	process int
	open    []openCall
}

// inspect looks at the files of processes that are gone, whose locks are held, and changes nothing but
// that files without calls are removed. marks are the store's, read since the locks are held.
func (s *spool) inspect(processes []int, marks []journey.SpoolMark, damage *damaged) (_ *estate, err error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, fmt.Errorf("reading the spool: %w", err)
	}
	drained := make(map[int64]int64, len(marks))
	for _, m := range marks {
		drained[m.Segment] = m.Offset
	}
	e := &estate{lastFile: map[int]int{}, lastSeq: map[int]int64{}}
	defer func() {
		if err != nil {
			e.unmap()
		}
	}()
	for _, entry := range entries {
		path := filepath.Join(s.dir, entry.Name())
		kind, process, number, ok := fileName(entry.Name())
		if !ok || !entry.Type().IsRegular() {
			if !isLock(entry.Name()) {
				s.log.Warn("a file in the spool's folder is not of the spool; it is left alone", "file", path)
			}
			continue
		}
		if !slices.Contains(processes, process) {
			continue
		}
		e.lastFile[process] = max(e.lastFile[process], number)
		if kind == "segment" {
			err = s.inspectSegment(e, path, process, drained)
		} else {
			err = e.addTable(path, process, damage)
		}
		if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(e.segments, func(a, b *segment) int { return int(min(max(a.seq-b.seq, -1), 1)) })
	for _, seg := range e.segments {
		e.lastSeq[seg.process] = max(e.lastSeq[seg.process], seg.seq)
		delete(drained, seg.seq)
	}
	for gone := range drained {
		if slices.Contains(processes, seqProcess(gone)) {
			e.forget = append(e.forget, gone)
		}
	}
	return e, nil
}

func (s *spool) inspectSegment(e *estate, path string, process int, drained map[int64]int64) error {
	mem, err := openMapped(path)
	if err != nil {
		return err
	}
	seq, err := checkSegment(path, mem, int64(len(mem)))
	if errors.Is(err, ErrNewer) {
		_ = unmap(mem)
		return err
	}
	if err == nil && seq == 0 || err != nil && len(trimZeros(mem)) == 0 {
		// Free, or not yet ready when the process ended.
		return errors.Join(unmap(mem), os.Remove(path))
	}
	seg := &segment{path: path, process: process, size: int64(len(mem)), mem: mem, seq: seq, found: true}
	seg.foreign = int64(len(mem)) != s.opts.SegmentSize || process != s.process
	if err != nil {
		seg.foreign, seg.reason = true, err.Error()
	}
	seg.sealed.Store(true)
	seg.tail.Store(seg.size + 1)
	seg.drained.Store(segmentHead)
	if at, ok := drained[seq]; ok && err == nil && at >= segmentHead && at <= int64(len(mem)) {
		seg.drained.Store(at)
	}
	e.segments = append(e.segments, seg)
	return nil
}

func (e *estate) addTable(path string, process int, damage *damaged) error {
	mem, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("reading a table of open calls: %w", err)
	}
	t := oldTable{path: path, process: process}
	if len(trimZeros(mem)) > 0 {
		open, bad, err := readTable(path, mem)
		if errors.Is(err, ErrNewer) {
			return err
		}
		if err != nil {
			damage.add(path, 0, err.Error(), nil)
		}
		if bad > 0 {
			damage.add(path, 0, fmt.Sprintf("%d slots of open calls cannot be right", bad), nil)
		}
		t.open = open
	}
	e.tables = append(e.tables, t)
	return nil
}

func (e *estate) unmap() {
	for _, seg := range e.segments {
		_ = unmap(seg.mem)
		seg.mem = nil
	}
}

// settle writes a record of kind gateway_killed for every call that was open when its process ended,
// and removes the tables that told of them. The records stand beside the process's own, and the slots
// say where, as in Commit: so whoever finds this work half done goes on where it ended.
func (s *spool) settle(e *estate) error {
	now := time.Now()
	writer := estateWriter{spool: s, estate: e, old: slices.Clone(e.segments)}
	for i := range e.tables {
		if err := writer.settleTable(&e.tables[i], now); err != nil {
			writer.end()
			return fmt.Errorf("keeping the calls that were open when the process ended: %w", err)
		}
	}
	writer.end()
	for _, t := range e.tables {
		if err := os.Remove(t.path); err != nil {
			return fmt.Errorf("removing a table of open calls: %w", err)
		}
	}
	return nil
}

// estateWriter appends records to new segments of processes that are gone.
type estateWriter struct {
	spool  *spool
	estate *estate
	old    []*segment // what there was before
	seg    *segment   // the one in work
}

func (w *estateWriter) settleTable(t *oldTable, now time.Time) error {
	if len(t.open) == 0 {
		return nil
	}
	mem, err := openMapped(t.path)
	if err != nil {
		return err
	}
	defer func() { _ = unmap(mem) }()
	for i := range t.open {
		c := &t.open[i]
		if c.committing && wasMarked(w.old, c) {
			continue
		}
		slot := slotMem(mem[c.at : c.at+slotSize])
		if err := w.append(t.process, slot, killedCall(c, now).AppendRecord(nil)); err != nil {
			return err
		}
		w.spool.killed.Add(1)
	}
	return nil
}

func (w *estateWriter) append(process int, slot slotMem, record []byte) error {
	for {
		if w.seg != nil && w.seg.process == process {
			if at, ok := w.seg.reserve(recordSize(len(record))); ok {
				w.seg.write(at, record)
				slot.committing(w.seg.seq, at)
				w.seg.mark(at, recordMark)
				return nil
			}
		}
		w.end()
		e := w.estate
		e.lastFile[process]++
		e.lastSeq[process] = newSeq(process, e.lastSeq[process])
		seg, err := newSegment(filepath.Join(w.spool.dir, segmentName(process, e.lastFile[process])), w.spool.opts.SegmentSize)
		if err != nil {
			return err
		}
		seg.process, seg.found, seg.foreign = process, true, process != w.spool.process
		seg.activate(e.lastSeq[process], false)
		e.segments = append(e.segments, seg)
		w.seg = seg
	}
}

// end closes the segment in work.
func (w *estateWriter) end() {
	if w.seg != nil {
		w.seg.close()
		w.seg.sealed.Store(true)
		w.seg = nil
	}
}

// accept makes what was left this process's to bring into the store.
func (s *spool) accept(e *estate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.live = append(e.segments, s.live...)
	s.total += len(e.segments)
	s.forget = append(s.forget, e.forget...)
	s.nextFile = max(s.nextFile, e.lastFile[s.process])
	s.lastSeq = max(s.lastSeq, e.lastSeq[s.process])
}

// wasMarked tells whether the record that a call was about to mark has been marked. A segment that
// is gone was taken over by the store to its end, which no record without mark lets happen.
func wasMarked(segments []*segment, c *openCall) bool {
	for _, seg := range segments {
		if seg.seq != c.segment {
			continue
		}
		if c.offset < segmentHead || c.offset+recordHead > int64(len(seg.mem)) {
			return false
		}
		record, reason := readRecord(seg.mem, c.offset, loadMark(seg.mem, c.offset))
		var sum journey.Summary
		return reason == "" && journey.ReadSummary(record, &sum) == nil && sum.ID == c.id
	}
	return true
}

// killedCall is what can be said of a call whose process ended before it.
func killedCall(c *openCall, now time.Time) *journey.Journey {
	start := time.Unix(0, c.start).UTC()
	j := &journey.Journey{}
	j.Reset()
	j.ID, j.Start, j.Method, j.Path, j.Service = c.id, start, c.method, c.path, c.service
	said := fmt.Sprintf("The gateway's process ended while this call was in progress; it had begun at %s.", start.Format(time.RFC3339Nano))
	j.Finding = &fault.Finding{
		Kind: fault.GatewayKilled, Cause: fault.Gateway, Detail: said, SafeDetail: said, Retry: fault.MayRepeat, Confidence: "high",
		Evidence: []string{
			"the call was found open in the call log by the gateway's next process at " + now.UTC().Format(time.RFC3339),
			"how far the call had come is not known: it may have reached the upstream",
		},
	}
	return j
}

// setAside removes a segment that will not be used again; one with a damaged head goes to damaged/.
// Nobody may be reading it.
func (s *spool) setAside(seg *segment) {
	var err error
	if seg.reason != "" {
		err = errors.Join(unmap(seg.mem), moveTo(filepath.Join(filepath.Dir(s.dir), damagedDir), seg.path))
		seg.mem = nil
	} else {
		err = seg.remove()
	}
	if err != nil {
		s.log.Warn("a spool file cannot be set aside", "file", seg.path, "error", err)
	}
}

func moveTo(dir, path string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return os.Rename(path, filepath.Join(dir, fmt.Sprintf("%d-%s", time.Now().UnixNano(), filepath.Base(path))))
}
