package ledger

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/klauspost/compress/s2"

	"causeway/internal/journey"
)

// The contents of a chunk: CRC-32C of the records (4 bytes, little endian), then the records,
// each with a varint length before it, as one s2 block. s2 and not zstd: a seventh more bytes for
// a fifth of the time (docs/decisions/0002-call-log.md).
const (
	// chunkTarget is the size in bytes, before compression, at which a chunk is closed: some 700
	// good calls, whose compression takes a tenth of a millisecond, which is how long the drainer
	// keeps a processor from calls at most.
	chunkTarget = 128 << 10
	chunkMost   = chunkTarget + MaxRecord + 16
)

// lengthClasses part calls by how long they took, because a chunk is looked up by the times at
// which its calls began: one call of an hour would make its chunk cover that hour.
var lengthClasses = [...]time.Duration{time.Second, time.Minute}

// builder collects one chunk.
type builder struct {
	first, last journey.ID
	count       int
	zone        zone
	raw         []byte
}

func (b *builder) reset() {
	b.first, b.last, b.count, b.raw = journey.ID{}, journey.ID{}, 0, b.raw[:0]
	b.zone.reset()
}

func (b *builder) add(record []byte, s *journey.Summary) {
	if b.count == 0 || bytes.Compare(s.ID[:], b.first[:]) < 0 {
		b.first = s.ID
	}
	if b.count == 0 || bytes.Compare(s.ID[:], b.last[:]) > 0 {
		b.last = s.ID
	}
	b.count++
	b.zone.add(s)
	b.raw = append(binary.AppendUvarint(b.raw, uint64(len(record))), record...)
}

// chunk makes the chunk, using the memory of an earlier one's Zone and Data.
func (b *builder) chunk(reuse journey.Chunk) journey.Chunk {
	need := 4 + s2.MaxEncodedLen(len(b.raw))
	data := reuse.Data[:0]
	if cap(data) < need {
		data = make([]byte, 0, need)
	}
	data = binary.LittleEndian.AppendUint32(data, crc32.Checksum(b.raw, castagnoli))
	data = data[:4+len(s2.Encode(data[4:cap(data)], b.raw))]
	return journey.Chunk{
		First: b.first, Last: b.last, Count: b.count, Failed: b.zone.failed,
		Zone: b.zone.append(reuse.Zone[:0]), Data: data,
	}
}

var errChunk = errors.New("a chunk of calls is damaged")

// openChunk gives the records of a chunk to f until it returns false. raw is memory to use, and is
// returned for the next time; records are parts of it. An error means that nothing was given out.
func openChunk(data, raw []byte, f func(record []byte) bool) ([]byte, error) {
	if len(data) < 4 {
		return raw, fmt.Errorf("%w: it has %d bytes", errChunk, len(data))
	}
	n, err := s2.DecodedLen(data[4:])
	if err != nil || n > chunkMost {
		return raw, fmt.Errorf("%w: it says to hold %d bytes (%w)", errChunk, n, err)
	}
	if cap(raw) < n {
		raw = make([]byte, n)
	}
	raw, err = s2.Decode(raw[:cap(raw)], data[4:])
	if err != nil {
		return raw, fmt.Errorf("%w: %w", errChunk, err)
	}
	if crc32.Checksum(raw, castagnoli) != binary.LittleEndian.Uint32(data) {
		return raw, fmt.Errorf("%w: wrong checksum", errChunk)
	}
	for rest := raw; len(rest) > 0; {
		n, k := binary.Uvarint(rest)
		if k <= 0 || n > uint64(len(rest)-k) {
			return raw, fmt.Errorf("%w: impossible length", errChunk)
		}
		if !f(rest[k : k+int(n)]) {
			break
		}
		rest = rest[k+int(n):]
	}
	return raw, nil
}
