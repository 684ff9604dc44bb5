package cache

import (
	"encoding/binary"
	"math"
	"time"
)

// Field is one field of an answer's head.
type Field struct{ Name, Value []byte }

// Answer is an answer as it is kept.
type Answer struct {
	Status int
	Fields []Field
	Body   []byte
	// Lifetime is how long it is fresh, from when it was stored; StaleFor how much longer it may serve where a fresh
	// one can't be got.
	Lifetime, StaleFor time.Duration
	// Age is how old it was when it was stored.
	Age time.Duration
	// Vary are the names of the request's fields that choose between several answers, each with a key of its own;
	// nothing else is set then.
	Vary []string
	Model
}

// Model is what is kept beside a model's answer.
type Model struct {
	Stream bool // Body is a stream's events
	// Tokens that the answer had used: input, output, read from the provider's cache, written to it, of reasoning; -1
	// where that was not said.
	Usage [5]int64
	// Who made it, and in which call.
	Provider, TargetModel, Call string
}

// answerVersion is the first byte of an encoded Answer; what begins with another is a miss.
const answerVersion = 1

// Append appends the encoded form of a.
func (a *Answer) Append(dst []byte) []byte {
	dst = append(dst, answerVersion)
	dst = binary.AppendUvarint(dst, uint64(a.Status))
	for _, d := range [...]time.Duration{a.Lifetime, a.StaleFor, a.Age} {
		dst = binary.AppendUvarint(dst, uint64(max(d, 0)))
	}
	dst = binary.AppendUvarint(dst, uint64(len(a.Vary)))
	for _, name := range a.Vary {
		dst = appendText(dst, name)
	}
	dst = binary.AppendUvarint(dst, uint64(len(a.Fields)))
	for _, f := range a.Fields {
		dst = appendText(appendText(dst, f.Name), f.Value)
	}
	stream := byte(0)
	if a.Stream {
		stream = 1
	}
	dst = append(dst, stream)
	for _, n := range a.Usage {
		dst = binary.AppendVarint(dst, n)
	}
	dst = appendText(appendText(appendText(dst, a.Provider), a.TargetModel), a.Call)
	return appendText(dst, a.Body)
}

func appendText[T ~string | ~[]byte](dst []byte, s T) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// mostFields bounds what is believed of an encoded head.
const mostFields = 1000

// ReadAnswer reads an encoded Answer, whose slices are parts of b; nil where b is none.
func ReadAnswer(b []byte) *Answer {
	if len(b) == 0 || b[0] != answerVersion {
		return nil
	}
	r := answerReader{b: b[1:]}
	a := &Answer{Status: int(r.number(999))}
	a.Lifetime, a.StaleFor, a.Age = r.span(), r.span(), r.span()
	for range r.number(mostFields) {
		a.Vary = append(a.Vary, string(r.text()))
		if r.bad {
			return nil
		}
	}
	for range r.number(mostFields) {
		a.Fields = append(a.Fields, Field{r.text(), r.text()})
		if r.bad {
			return nil
		}
	}
	a.Stream = r.number(1) == 1
	for i := range a.Usage {
		a.Usage[i] = r.signed()
	}
	a.Provider, a.TargetModel, a.Call = string(r.text()), string(r.text()), string(r.text())
	a.Body = r.text()
	if r.bad || len(r.b) > 0 {
		return nil
	}
	return a
}

type answerReader struct {
	b   []byte
	bad bool
}

func (r *answerReader) number(most uint64) uint64 {
	n, size := binary.Uvarint(r.b)
	if size <= 0 || n > most {
		r.b, r.bad = nil, true
		return 0
	}
	r.b = r.b[size:]
	return n
}

func (r *answerReader) signed() int64 {
	n, size := binary.Varint(r.b)
	if size <= 0 {
		r.b, r.bad = nil, true
		return 0
	}
	r.b = r.b[size:]
	return n
}

func (r *answerReader) span() time.Duration { return time.Duration(r.number(math.MaxInt64)) }

func (r *answerReader) text() []byte {
	n := r.number(math.MaxInt64)
	if n > uint64(len(r.b)) {
		r.b, r.bad = nil, true
		return nil
	}
	t := r.b[:n:n]
	r.b = r.b[n:]
	return t
}

// AgeNow is how old the answer is; stored is how long ago it was stored.
func (a *Answer) AgeNow(stored time.Duration) time.Duration { return a.Age + stored }

// FreshFor is how much longer the answer is fresh, negative where it is stale; stored is how long ago it was stored.
func (a *Answer) FreshFor(stored time.Duration) time.Duration { return a.Lifetime - stored }

// Get is the first value of a field, nil where there is none.
func (a *Answer) Get(name string) []byte {
	for _, f := range a.Fields {
		if equalFold(f.Name, name) {
			return f.Value
		}
	}
	return nil
}

func equalFold(a []byte, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(b byte) byte {
	if b >= 'A' && b <= 'Z' {
		return b + 'a' - 'A'
	}
	return b
}
