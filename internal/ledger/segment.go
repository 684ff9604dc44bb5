package ledger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"sync/atomic"
	"unsafe"
)

// The head of a segment's file. All but the number is written once and covered by the checksum;
// the number is stored atomically when the segment is taken into use, 0 while it is free.
//
//	magic    8 bytes
//	version  4
//	size     4
//	crc      4, CRC-32C of the above
//	zero     4
//	number   8
const (
	segmentMagic   = "CWSPOOL\n"
	segmentVersion = 1
	segmentHead    = 64
	segmentSeqAt   = 24
)

// The head of a record; see doc.go.
const (
	recordMark uint32 = 'C' | 'A'<<8 | 'L'<<16 | 'L'<<24
	endMark    uint32 = 'E' | 'N'<<8 | 'D'<<16 | 'S'<<24 // behind the last record of a full segment
	recordHead        = 16
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// segment is one file of records. Space in it is taken by adding to tail; whoever got a part is
// the only one to write there.
type segment struct {
	path    string
	process int // whose file it is; constant
	size    int64
	mem     []byte // the mapping; nil after the file was removed
	seq     int64  // the number of this use; constant from activation until recycling

	tail     atomic.Int64 // the next free byte; above size while nobody may append
	reserved atomic.Bool  // only calls with a finding, and under Refuse those in flight
	sealed   atomic.Bool  // no longer anybody's active segment: can be recycled once read to its end
	drained  atomic.Int64 // up to where the store has it
	tapped   int64        // up to where Options.Tap has seen it; belongs to the drainer

	found   bool // from an earlier process: nobody writes to it
	foreign bool // found, and not to be recycled: another process's, of another size, or to be moved to damaged/
	reason  string
}

// newSegment makes a file and leaves it free.
func newSegment(path string, size int64) (*segment, error) {
	mem, err := createMapped(path, size)
	if err != nil {
		return nil, err
	}
	copy(mem, segmentMagic)
	binary.LittleEndian.PutUint32(mem[8:], segmentVersion)
	binary.LittleEndian.PutUint32(mem[12:], uint32(size))
	binary.LittleEndian.PutUint32(mem[16:], crc32.Checksum(mem[:16], castagnoli))
	s := &segment{path: path, size: size, mem: mem}
	s.tail.Store(size + 1)
	return s, nil
}

// checkSegment judges the head of a segment's file of size bytes; seq is 0 for one that was free.
// ErrNewer is for the operator; any other error means that the head is damaged.
func checkSegment(path string, mem []byte, size int64) (seq int64, err error) {
	switch {
	case len(mem) < segmentHead:
		return 0, fmt.Errorf("it has only %d bytes", len(mem))
	case string(mem[:8]) != segmentMagic:
		return 0, errors.New("it does not begin as a spool segment")
	case binary.LittleEndian.Uint32(mem[16:]) != crc32.Checksum(mem[:16], castagnoli):
		return 0, errors.New("its head has a wrong checksum")
	}
	if v := binary.LittleEndian.Uint32(mem[8:]); v != segmentVersion {
		return 0, newerSpool(path, v)
	}
	if should := int64(binary.LittleEndian.Uint32(mem[12:])); size != should {
		return 0, fmt.Errorf("it has %d bytes and should have %d", size, should)
	}
	return int64(binary.LittleEndian.Uint64(mem[segmentSeqAt:])), nil
}

func newerSpool(path string, version uint32) error {
	return fmt.Errorf("%w: %s has version %d, this program knows %d: start the version that wrote it once, or move the folder's spool aside",
		ErrNewer, path, version, segmentVersion)
}

// activate opens a free segment for appending.
func (s *segment) activate(seq int64, reserved bool) {
	s.seq = seq
	s.reserved.Store(reserved)
	s.sealed.Store(false)
	s.drained.Store(segmentHead)
	atomic.StoreInt64((*int64)(unsafe.Pointer(&s.mem[segmentSeqAt])), seq)
	s.tail.Store(segmentHead) // from here on there may be appending
}

// reserve takes n bytes, a multiple of 8; ok is false when the segment has not that many left.
func (s *segment) reserve(n int64) (at int64, ok bool) {
	at = s.tail.Add(n) - n
	if at+n <= s.size {
		return at, true
	}
	if at+8 <= s.size { // exactly one reservation is the first that does not fit
		s.mark(at, endMark)
	}
	return 0, false
}

// use is seq for those who append: between reserve and mark it stands. It is read where the marks are, which order
// it before the recycling; the race detector does not see that of memory that is no Go memory.
func (s *segment) use() int64 {
	return atomic.LoadInt64((*int64)(unsafe.Pointer(&s.mem[segmentSeqAt])))
}

// write puts a record where reserve said, all but its mark. The length comes first: should the
// process end in here, it shows where the next record is.
func (s *segment) write(at int64, record []byte) {
	binary.LittleEndian.PutUint32(s.mem[at+4:], uint32(len(record)))
	copy(s.mem[at+recordHead:], record)
	binary.LittleEndian.PutUint32(s.mem[at+8:], crc32.Checksum(record, castagnoli))
}

// close ends appending to a segment that still has room.
func (s *segment) close() { s.reserve(s.size + 8) }

func (s *segment) mark(at int64, mark uint32) {
	atomic.StoreUint32((*uint32)(unsafe.Pointer(&s.mem[at])), mark)
}

// clear makes a segment free whose records are all in the store. Nobody may be reading it.
func (s *segment) clear() {
	atomic.StoreInt64((*int64)(unsafe.Pointer(&s.mem[segmentSeqAt])), 0) // first: half cleared it is nothing
	clear(s.mem[segmentHead:])
	s.seq, s.found = 0, false
	s.tail.Store(s.size + 1)
}

// remove deletes the file and the mapping. Nobody may be reading it.
func (s *segment) remove() error {
	mem := s.mem
	s.mem = nil
	return errors.Join(os.Remove(s.path), unmap(mem))
}
