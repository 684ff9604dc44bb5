package ledger

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"sync/atomic"
	"unsafe"

	"causeway/internal/journey"
)

// A table of open calls is a file of 4096 slots of 256 bytes. The first one is the file's head:
//
//	magic 8, version 4, slots 4, crc 4 (CRC-32C of the above)
//
// A slot:
//
//	state    4  slotFree, slotOpen, slotCommitting; stored atomically after what it speaks of
//	lengths  4  method | service<<8 | path<<16; stored atomically after the service
//	start    8  Unix nanoseconds
//	segment  8  where its record will stand, valid in slotCommitting
//	offset   8
//	id      26
//	method  14
//	service 56
//	path   128
const (
	tableMagic   = "CWOPEN\n\x00"
	tableVersion = 1
	tableSlots   = 4096
	slotSize     = 256
	tableSize    = tableSlots * slotSize
	maxTables    = 64 // 262,080 calls in flight; more go without a slot, counted

	slotFree       uint32 = 0
	slotOpen       uint32 = 1
	slotCommitting uint32 = 2

	slotLengths, slotStart, slotSegment, slotOffset = 4, 8, 16, 24
	slotID, slotMethod, slotService, slotPath       = 32, 58, 72, 128
)

// table is one file of slots. next links the free ones of each stack.
type table struct {
	path string
	mem  []byte
	next [tableSlots]atomic.Uint32
}

func newTable(path string) (*table, error) {
	mem, err := createMapped(path, tableSize)
	if err != nil {
		return nil, err
	}
	copy(mem, tableMagic)
	binary.LittleEndian.PutUint32(mem[8:], tableVersion)
	binary.LittleEndian.PutUint32(mem[12:], tableSlots)
	binary.LittleEndian.PutUint32(mem[16:], crc32.Checksum(mem[:16], castagnoli))
	return &table{path: path, mem: mem}, nil
}

// slotMem is the memory of one slot.
type slotMem []byte

func (s slotMem) word(at int) *uint32 { return (*uint32)(unsafe.Pointer(&s[at])) }

// open writes what is known of a call that begins.
func (s slotMem) open(id *journey.ID, start int64, method, path string) {
	binary.LittleEndian.PutUint64(s[slotStart:], uint64(start))
	copy(s[slotID:], id[:])
	m := copy(s[slotMethod:slotService], method)
	p := copy(s[slotPath:], path)
	atomic.StoreUint32(s.word(slotLengths), uint32(m)|uint32(p)<<16)
	atomic.StoreUint32(s.word(0), slotOpen)
}

// setService adds the service once the call was routed.
func (s slotMem) setService(name string) {
	n := copy(s[slotService:slotPath], name)
	lengths := atomic.LoadUint32(s.word(slotLengths))
	atomic.StoreUint32(s.word(slotLengths), lengths&^0xff00|uint32(n)<<8)
}

// committing tells where the record will be marked in a moment.
func (s slotMem) committing(segment, offset int64) {
	binary.LittleEndian.PutUint64(s[slotSegment:], uint64(segment))
	binary.LittleEndian.PutUint64(s[slotOffset:], uint64(offset))
	atomic.StoreUint32(s.word(0), slotCommitting)
}

func (s slotMem) free() { atomic.StoreUint32(s.word(0), slotFree) }

// openCall is what a slot says of a call that was open when its process ended.
type openCall struct {
	id              journey.ID
	start           int64
	method, path    string
	service         string
	committing      bool
	segment, offset int64
	at              int // of the slot in its table, in bytes
}

// readTable lists the open calls of a table's bytes; damaged counts slots that cannot be right.
// An error means that the whole file is none of ours (or ErrNewer).
func readTable(path string, mem []byte) (open []openCall, damaged int, err error) {
	if len(mem) < slotSize || string(mem[:8]) != tableMagic ||
		binary.LittleEndian.Uint32(mem[16:]) != crc32.Checksum(mem[:16], castagnoli) {
		return nil, 0, fmt.Errorf("%s is not a table of open calls, or its head is damaged", path)
	}
	if v := binary.LittleEndian.Uint32(mem[8:]); v != tableVersion {
		return nil, 0, newerSpool(path, v)
	}
	for at := slotSize; at+slotSize <= len(mem); at += slotSize {
		s := slotMem(mem[at : at+slotSize])
		state := *s.word(0)
		if state == slotFree {
			continue
		}
		c, ok := s.read(state)
		if !ok {
			damaged++
			continue
		}
		c.at = at
		open = append(open, c)
	}
	return open, damaged, nil
}

func (s slotMem) read(state uint32) (c openCall, ok bool) {
	lengths := *s.word(slotLengths)
	m, v, p := int(lengths&0xff), int(lengths>>8&0xff), int(lengths>>16)
	if state > slotCommitting || m > slotService-slotMethod || v > slotPath-slotService || p > slotSize-slotPath {
		return c, false
	}
	id, ok := journey.ParseID(string(s[slotID : slotID+len(c.id)]))
	if !ok {
		return c, false
	}
	return openCall{
		id: id, start: int64(binary.LittleEndian.Uint64(s[slotStart:])),
		method: string(s[slotMethod : slotMethod+m]), service: string(s[slotService : slotService+v]), path: string(s[slotPath : slotPath+p]),
		committing: state == slotCommitting,
		segment:    int64(binary.LittleEndian.Uint64(s[slotSegment:])), offset: int64(binary.LittleEndian.Uint64(s[slotOffset:])),
	}, true
}
