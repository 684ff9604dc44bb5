package ledger

import (
	"encoding/binary"
	"time"
)

// tapTicks is when the tap is due; never where there is none.
func (l *Ledger) tapTicks() *time.Ticker {
	t := time.NewTicker(l.opts.TapEvery)
	if l.opts.Tap == nil {
		t.Stop()
	}
	return t
}

// tapAll shows the tap every record that it has not seen.
func (d *drainer) tapAll() {
	if d.tap == nil {
		return
	}
	for _, seg := range d.spool.segments() {
		d.tapSegment(seg)
	}
}

// tapSegment shows what a segment has that is new. A checksum is not worth its time here: a record is marked
// after all of it is there, and one that the disk has damaged is found when it is taken over. What an earlier
// process wrote is left out: it has shown its calls to its own tap.
func (d *drainer) tapSegment(seg *segment) {
	if d.tap == nil || seg.found || seg.foreign || seg.seq == 0 {
		return
	}
	pos, size := max(seg.tapped, segmentHead), int64(len(seg.mem))
	for n := 1; pos+recordHead <= size && loadMark(seg.mem, pos) == recordMark; n++ {
		length := int64(binary.LittleEndian.Uint32(seg.mem[pos+4:]))
		if length == 0 || length > MaxRecord || pos+recordHead+length > size {
			break
		}
		d.tap(seg.mem[pos+recordHead : pos+recordHead+length : pos+recordHead+length])
		pos += recordSize(int(length))
		if n%yieldEvery == 0 {
			d.yield()
		}
	}
	seg.tapped = pos
}
