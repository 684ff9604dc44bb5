package journey

import (
	"math/rand/v2"
	"time"
)

// ID is a call's identifier: a ULID in its text form (48 bits of milliseconds, then 80 bits in
// Crockford's base 32), so that ids sort by time and cannot be guessed. The first 10 of the 80 bits
// are the fraction of the millisecond, so that calls of one millisecond sort as well; 70 are random.
type ID [26]byte

const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// NewID makes the id of a call that begins at t. It may be called concurrently.
func NewID(t time.Time) (id ID) {
	ms := uint64(t.UnixMilli())
	for i := 9; i >= 0; i-- {
		id[i] = crockford[ms&31]
		ms >>= 5
	}
	fraction := uint32(t.Nanosecond()%1e6) << 10 / 1e6
	id[10], id[11] = crockford[fraction>>5], crockford[fraction&31]
	a, b := rand.Uint64(), rand.Uint64()
	for i := 12; i < 18; i++ {
		id[i] = crockford[a&31]
		a >>= 5
	}
	for i := 18; i < 26; i++ {
		id[i] = crockford[b&31]
		b >>= 5
	}
	return id
}

func (id ID) String() string { return string(id[:]) }

// Time is the millisecond the id was made in; the zero time when id is not one of ours.
func (id ID) Time() time.Time {
	var ms uint64
	for _, c := range id[:10] {
		v := crockfordValue(c)
		if v < 0 {
			return time.Time{}
		}
		ms = ms<<5 | uint64(v)
	}
	return time.UnixMilli(int64(ms)).UTC()
}

// ParseID reads an id in upper or lower case; ok is false when s is not one.
func ParseID(s string) (id ID, ok bool) {
	if len(s) != len(id) {
		return id, false
	}
	for i := range id {
		c := s[i]
		if c >= 'a' && c <= 'z' {
			c -= 'a' - 'A'
		}
		if crockfordValue(c) < 0 {
			return ID{}, false
		}
		id[i] = c
	}
	return id, true
}

func crockfordValue(c byte) int {
	for i := range len(crockford) {
		if crockford[i] == c {
			return i
		}
	}
	return -1
}
