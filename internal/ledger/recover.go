package ledger

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"causeway/internal/fault"
	"causeway/internal/journey"
)

// oldTable is a table of open calls of an earlier process.
type oldTable struct {
	path string
	open []openCall
}

// takeOver looks at the files that an earlier process left. Segments with records become live, so
// that the drainer takes their calls over; free ones are removed. Nothing else is changed yet.
func (s *spool) takeOver(marks []journey.SpoolMark, damage *damaged) ([]oldTable, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, fmt.Errorf("reading the spool: %w", err)
	}
	drained := make(map[int64]int64, len(marks))
	for _, m := range marks {
		drained[m.Segment] = m.Offset
	}
	var tables []oldTable
	for _, entry := range entries {
		path := filepath.Join(s.dir, entry.Name())
		kind, number, ok := fileName(entry.Name())
		if !ok || !entry.Type().IsRegular() {
			s.log.Warn("a file in the spool's folder is not of the spool; it is left alone", "file", path)
			continue
		}
		s.nextFile = max(s.nextFile, number)
		if kind == "segment" {
			err = s.takeOverSegment(path, drained)
		} else {
			var t oldTable
			t, err = takeOverTable(path, damage)
			tables = append(tables, t)
		}
		if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(s.live, func(a, b *segment) int { return int(min(max(a.seq-b.seq, -1), 1)) })
	for _, seg := range s.live {
		s.lastSeq = max(s.lastSeq, seg.seq)
		delete(drained, seg.seq)
	}
	for gone := range drained {
		s.forget = append(s.forget, gone)
	}
	return tables, nil
}

// fileName reads "segment-000001.log" and "open-000001.table".
func fileName(name string) (kind string, number int, ok bool) {
	kind, rest, _ := strings.Cut(name, "-")
	digits, suffix, _ := strings.Cut(rest, ".")
	number, err := strconv.Atoi(digits)
	return kind, number, err == nil && number >= 0 && (kind == "segment" && suffix == "log" || kind == "open" && suffix == "table")
}

func (s *spool) takeOverSegment(path string, drained map[int64]int64) error {
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
	seg := &segment{path: path, size: int64(len(mem)), mem: mem, seq: seq, found: true}
	seg.foreign = int64(len(mem)) != s.opts.SegmentSize
	if err != nil {
		seg.foreign, seg.reason = true, err.Error()
	}
	seg.sealed.Store(true)
	seg.tail.Store(seg.size + 1)
	seg.drained.Store(segmentHead)
	if at, ok := drained[seq]; ok && err == nil && at >= segmentHead && at <= int64(len(mem)) {
		seg.drained.Store(at)
	}
	s.live = append(s.live, seg)
	s.total++
	return nil
}

func takeOverTable(path string, damage *damaged) (oldTable, error) {
	mem, err := os.ReadFile(path)
	if err != nil {
		return oldTable{}, fmt.Errorf("reading a table of open calls: %w", err)
	}
	t := oldTable{path: path}
	if len(trimZeros(mem)) == 0 {
		return t, nil
	}
	open, bad, err := readTable(path, mem)
	if errors.Is(err, ErrNewer) {
		return t, err
	}
	if err != nil {
		damage.add(path, 0, err.Error(), nil)
	}
	if bad > 0 {
		damage.add(path, 0, fmt.Sprintf("%d slots of open calls cannot be right", bad), nil)
	}
	t.open = open
	return t, nil
}

// settleOpenCalls writes a record of kind gateway_killed for every call that was open when the
// earlier process ended, and removes the tables that told of them.
func (s *spool) settleOpenCalls(tables []oldTable) error {
	now := time.Now()
	for _, t := range tables {
		for i := range t.open {
			c := &t.open[i]
			if c.committing && s.wasMarked(c) {
				continue
			}
			if err := s.put(Slot{spool: s}, killedCall(c, now).AppendRecord(nil), true); err != nil {
				return fmt.Errorf("keeping the calls that were open when the process ended: %w", err)
			}
			s.killed++
		}
	}
	for _, t := range tables { // only now: should this process end before, the next one finds them again
		if err := os.Remove(t.path); err != nil {
			return fmt.Errorf("removing a table of open calls: %w", err)
		}
	}
	return nil
}

// wasMarked tells whether the record that a call was about to mark has been marked. A segment that
// is gone was taken over by the store to its end, which no record without mark lets happen.
func (s *spool) wasMarked(c *openCall) bool {
	for _, seg := range s.live {
		if seg.seq != c.segment || !seg.found {
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
			"the call was found open in the call log when the gateway started again at " + now.UTC().Format(time.RFC3339),
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
