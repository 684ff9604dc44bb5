package journey

import (
	"encoding/binary"
	"slices"
	"time"
)

// reader walks over an encoded value. It never panics and never reads past the end: once
// something is wrong, bad is set and every further read gives zero.
type reader struct {
	b    []byte
	text string // the same bytes, so that the strings of a record share one allocation
	bad  bool
}

func (r *reader) fail() { r.b, r.text, r.bad = nil, "", true }

func (r *reader) take(n uint64) ([]byte, string) {
	if n > uint64(len(r.b)) {
		r.fail()
		return nil, ""
	}
	b := r.b[:n:n]
	r.b = r.b[n:]
	if r.text == "" {
		return b, ""
	}
	s := r.text[:n]
	r.text = r.text[n:]
	return b, s
}

func (r *reader) byte() byte {
	b, _ := r.take(1)
	if len(b) == 0 {
		return 0
	}
	return b[0]
}

func (r *reader) uint() uint64 {
	if len(r.b) > 0 && r.b[0] < 0x80 { // most numbers are lengths of short texts
		n := r.b[0]
		r.b = r.b[1:]
		if r.text != "" {
			r.text = r.text[1:]
		}
		return uint64(n)
	}
	n, k := binary.Uvarint(r.b)
	if k <= 0 {
		r.fail()
		return 0
	}
	r.take(uint64(k))
	return n
}

func (r *reader) int() int64 {
	n := r.uint()
	return int64(n>>1) ^ -int64(n&1)
}

func (r *reader) string() string {
	_, s := r.take(r.uint())
	return s
}

// raw gives the bytes of a string or byte string without copying them.
func (r *reader) raw() []byte {
	b, _ := r.take(r.uint())
	return b
}

func (r *reader) bytes() []byte { return slices.Clone(r.raw()) }

// count reads the length of a list whose entries take at least one byte each.
func (r *reader) count() int {
	n := r.uint()
	if n > maxItems || n > uint64(len(r.b)) {
		r.fail()
		return 0
	}
	return int(n)
}

func (r *reader) strings() []string {
	n := r.count()
	if n == 0 {
		return nil
	}
	list := make([]string, n)
	for i := range list {
		list[i] = r.string()
	}
	return list
}

// nested is a reader of the value that comes next; what the value holds beyond the fields we know
// is skipped with it.
func (r *reader) nested() reader {
	b, s := r.take(r.uint())
	return reader{b: b, text: s, bad: r.bad}
}

// close takes over the verdict on a nested value.
func (r *reader) close(nested *reader) {
	if nested.bad {
		r.fail()
	}
}

func (r *reader) time() time.Time {
	sec, nsec := r.int(), r.uint()
	if nsec >= uint64(time.Second) {
		r.fail()
		return time.Time{}
	}
	return time.Unix(sec, int64(nsec)).UTC()
}

func (r *reader) mask(n uint64) (mask uint64) {
	b, _ := r.take(n)
	for i, c := range b {
		mask |= uint64(c) << (8 * i)
	}
	return mask
}

func (r *reader) duration() time.Duration { return time.Duration(r.int()) }

// word reads what appendWord wrote.
func (r *reader) word(words []string) string {
	n := int(r.byte())
	if n == 0 {
		return r.string()
	}
	if n >= len(words) {
		r.fail()
		return ""
	}
	return words[n]
}

// optional reads what a mask says is there; what is not is the zero value.
type optional struct {
	r    *reader
	mask uint64
}

func (o optional) has(bit uint64) bool { return o.mask&bit != 0 }

func (o optional) text(bit uint64) string {
	if o.has(bit) {
		return o.r.string()
	}
	return ""
}

func (o optional) number(bit uint64) int64 {
	if o.has(bit) {
		return o.r.int()
	}
	return 0
}

func (o optional) list(bit uint64) []string {
	if o.has(bit) {
		return o.r.strings()
	}
	return nil
}
