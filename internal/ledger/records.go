package ledger

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"sync/atomic"
	"unsafe"
)

// records walks over the records of a segment's bytes, those of a living segment as well: it sees
// exactly the records whose mark is stored.
type records struct {
	mem []byte
	pos int64 // the next record's place; all before it has been given out
	// settled says not to wait at a place without mark: because nobody writes to mem any more, so
	// that it is the trace of a call whose process was killed, or because what stands behind it is
	// wanted now. Otherwise the walk ends there, as at a call that will be there in a moment.
	settled bool
}

// next gives the record at pos, a part of mem, and moves on. Without a record it returns nil: done
// tells whether there will be none behind it either. Bytes that cannot be right come back as bad
// with the reason; the walk goes on behind them.
func (r *records) next() (record, bad []byte, reason string, done bool) {
	for {
		size := int64(len(r.mem))
		if r.pos+recordHead > size {
			r.pos = size
			return nil, nil, "", true
		}
		switch mark := loadMark(r.mem, r.pos); mark {
		case endMark:
			return nil, nil, "", true
		case 0:
			if !r.settled {
				return nil, nil, "", false
			}
			if r.pos = r.behind(r.pos); r.pos < 0 {
				r.pos = size
				return nil, nil, "", true
			}
		default:
			record, reason = readRecord(r.mem, r.pos, mark)
			at := r.pos
			if reason == "" {
				r.pos = at + recordSize(len(record))
				return record, nil, "", false
			}
			if to := r.behind(at); to >= 0 {
				r.pos = to
				return nil, r.mem[at:to], reason, false
			}
			if !r.settled { // what comes next will show where the damage ends
				return nil, nil, "", false
			}
			r.pos = size
			return nil, trimZeros(r.mem[at:]), reason, true
		}
	}
}

// behind finds where the records go on behind a place that holds none; -1 when they do not.
func (r *records) behind(at int64) int64 {
	// The length is stored before all else, so it is mostly right, and it leads past bytes that
	// only look like a record. Where a call is not marked yet, neither may the next one be.
	if n := int64(binary.LittleEndian.Uint32(r.mem[at+4:])); n > 0 && n <= MaxRecord {
		to := at + recordSize(int(n))
		if to+recordHead > int64(len(r.mem)) {
			return -1
		}
		mark := loadMark(r.mem, to)
		if mark == recordMark || mark == endMark || mark == 0 && loadMark(r.mem, at) == 0 {
			return to
		}
	}
	for to := at + 8; to+recordHead <= int64(len(r.mem)); to += 8 {
		switch mark := loadMark(r.mem, to); mark {
		case recordMark:
			if _, reason := readRecord(r.mem, to, mark); reason == "" {
				return to
			}
		case endMark:
			return to
		}
	}
	return -1
}

func loadMark(mem []byte, at int64) uint32 {
	return atomic.LoadUint32((*uint32)(unsafe.Pointer(&mem[at])))
}

// readRecord checks the record at a place whose mark was just read.
func readRecord(mem []byte, at int64, mark uint32) (record []byte, reason string) {
	if mark != recordMark {
		return nil, fmt.Sprintf("unknown mark %08x", mark)
	}
	n := int64(binary.LittleEndian.Uint32(mem[at+4:]))
	if n == 0 || n > MaxRecord || at+recordHead+n > int64(len(mem)) {
		return nil, fmt.Sprintf("impossible length %d", n)
	}
	record = mem[at+recordHead : at+recordHead+n : at+recordHead+n]
	want := binary.LittleEndian.Uint32(mem[at+8:])
	if got := crc32.Checksum(record, castagnoli); got != want {
		return nil, fmt.Sprintf("checksum %08x, should be %08x", got, want)
	}
	return record, ""
}

// recordSize is the space that a record of n bytes takes in a segment.
func recordSize(n int) int64 { return int64(recordHead+n+7) &^ 7 }

func trimZeros(b []byte) []byte {
	for len(b) > 0 && b[len(b)-1] == 0 {
		b = b[:len(b)-1]
	}
	return b
}
