package ledger

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"time"

	"causeway/internal/journey"
)

// A chunk's zone says what is to be found in it, so that a search can leave it closed:
//
//	version   1 byte
//	statuses  smallest, largest     varints
//	totals    shortest, longest     varints, nanoseconds
//	failed    calls with a finding  varint
//	names     per field of zoneFields: a varint count, or 1 + that count's complement when there
//	          were too many to list; then each as length and bytes
type zone struct {
	minStatus, maxStatus int
	minTotal, maxTotal   time.Duration
	failed               int
	names                [zoneFields]nameSet
}

const zoneVersion = 1

// The fields whose names a zone lists. Their order is part of the format. The model asked of the
// provider stands among the models.
const (
	zoneService = iota
	zoneRoute
	zoneApplication
	zoneProvider
	zoneModel
	zoneKind
	zoneMethod
	zoneFields
)

// A field with more names, or longer ones, is not listed: then any name may be in the chunk.
const (
	zoneNames = 32
	zoneBytes = 1024
)

// nameSet holds the different names of one field in a chunk.
type nameSet struct {
	list [][]byte
	last int // where the last name stood: neighbours are alike
	size int
	any  bool
}

func (s *nameSet) add(name []byte) {
	if len(name) == 0 || s.any {
		return
	}
	if s.last < len(s.list) && string(s.list[s.last]) == string(name) {
		return
	}
	for i := range s.list {
		if string(s.list[i]) == string(name) {
			s.last = i
			return
		}
	}
	if len(s.list) == zoneNames || s.size+len(name) > zoneBytes {
		s.any, s.list = true, s.list[:0]
		return
	}
	s.last = len(s.list)
	s.size += len(name)
	s.list = append(s.list, slices.Clone(name))
}

// mayHold tells whether a call with this name may be in the chunk.
func (s *nameSet) mayHold(name string) bool {
	return name == "" || s.any || slices.ContainsFunc(s.list, func(b []byte) bool { return string(b) == name })
}

func (z *zone) reset() {
	names := z.names
	*z = zone{minStatus: math.MaxInt, maxStatus: math.MinInt, minTotal: math.MaxInt64, maxTotal: math.MinInt64}
	for i := range names {
		z.names[i].list = names[i].list[:0]
	}
}

func (z *zone) add(s *journey.Summary) {
	z.minStatus, z.maxStatus = min(z.minStatus, s.Status), max(z.maxStatus, s.Status)
	z.minTotal, z.maxTotal = min(z.minTotal, s.Total), max(z.maxTotal, s.Total)
	if s.Failed {
		z.failed++
	}
	z.names[zoneService].add(s.Service)
	z.names[zoneRoute].add(s.Route)
	z.names[zoneApplication].add(s.Application)
	z.names[zoneProvider].add(s.Provider)
	z.names[zoneModel].add(s.Model)
	z.names[zoneModel].add(s.TargetModel)
	z.names[zoneKind].add(s.Kind)
	z.names[zoneMethod].add(s.Method)
}

func (z *zone) append(dst []byte) []byte {
	dst = append(dst, zoneVersion)
	for _, n := range [...]int64{int64(z.minStatus), int64(z.maxStatus), int64(z.minTotal), int64(z.maxTotal), int64(z.failed)} {
		dst = binary.AppendVarint(dst, n)
	}
	for i := range z.names {
		s := &z.names[i]
		if s.any {
			dst = binary.AppendVarint(dst, -1)
			continue
		}
		dst = binary.AppendVarint(dst, int64(len(s.list)))
		for _, name := range s.list {
			dst = append(binary.AppendUvarint(dst, uint64(len(name))), name...)
		}
	}
	return dst
}

var errZone = errors.New("not a readable zone")

// readZone reads what append wrote. The names point into b. A zone of a later version gives an
// error, and a search then has to look inside the chunk.
func readZone(b []byte) (z zone, err error) {
	if len(b) == 0 || b[0] != zoneVersion {
		return z, errZone
	}
	b = b[1:]
	number := func() int64 {
		n, k := binary.Varint(b)
		if k <= 0 {
			err = errZone
			return 0
		}
		b = b[k:]
		return n
	}
	z.minStatus, z.maxStatus = int(number()), int(number())
	z.minTotal, z.maxTotal = time.Duration(number()), time.Duration(number())
	z.failed = int(number())
	for i := range z.names {
		n := number()
		z.names[i].any = n < 0
		for ; n > 0 && err == nil; n-- {
			length, k := binary.Uvarint(b)
			if k <= 0 || length > uint64(len(b)-k) {
				return z, errZone
			}
			z.names[i].list = append(z.names[i].list, b[k:k+int(length)])
			b = b[k+int(length):]
		}
	}
	return z, err
}
