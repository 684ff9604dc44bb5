package wire

import "sync"

// Buffers are pooled in three sizes. A connection holds one only while it has bytes in it or a
// call in progress: an idle connection has none.
const (
	smallBuffer  = 4 << 10
	mediumBuffer = 16 << 10
	largeBuffer  = 64 << 10
)

var (
	smallPool  = sync.Pool{New: func() any { return new([smallBuffer]byte) }}
	mediumPool = sync.Pool{New: func() any { return new([mediumBuffer]byte) }}
	largePool  = sync.Pool{New: func() any { return new([largeBuffer]byte) }}
)

// getBuffer returns a buffer of at least n bytes; one above largeBuffer is not pooled.
func getBuffer(n int) []byte {
	switch {
	case n <= smallBuffer:
		return smallPool.Get().(*[smallBuffer]byte)[:]
	case n <= mediumBuffer:
		return mediumPool.Get().(*[mediumBuffer]byte)[:]
	case n <= largeBuffer:
		return largePool.Get().(*[largeBuffer]byte)[:]
	}
	return make([]byte, n)
}

// putBuffer gives a buffer back; b may have been sliced shorter, but must begin where it began.
func putBuffer(b []byte) {
	switch cap(b) {
	case smallBuffer:
		smallPool.Put((*[smallBuffer]byte)(b[:smallBuffer]))
	case mediumBuffer:
		mediumPool.Put((*[mediumBuffer]byte)(b[:mediumBuffer]))
	case largeBuffer:
		largePool.Put((*[largeBuffer]byte)(b[:largeBuffer]))
	}
}
