package coding

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"
)

// Decoder unfolds a text whose bytes come piece by piece. The readers of the codings pull their input,
// so they run as a coroutine that rests whenever it has used up what was fed. A Decoder must not be
// used concurrently, and must be closed.
type Decoder struct {
	coding string
	bound  bound
	in     input // fed, and not read yet
	fed    int   // bytes so far
	ended  bool  // nothing more will be fed
	next   func() ([]byte, bool)
	stop   func()
	over   bool
	err    error
}

// New returns a decoder for a Content-Encoding, or an error where it is not Known.
func New(encoding string, limits Limits) (*Decoder, error) {
	if !Known(encoding) {
		return nil, fmt.Errorf("the coding %.40q is not one that can be read", encoding)
	}
	d := &Decoder{coding: name(encoding), bound: bound{limits: limits}}
	d.next, d.stop = iter.Pull(d.unfold)
	return d, nil
}

// Feed takes the next piece of the body and gives what it unfolds to to take, whose argument is valid
// until it returns. After an error it does nothing but return it again.
func (d *Decoder) Feed(p []byte, take func([]byte)) error {
	if d.err != nil {
		return d.err
	}
	d.in = p
	d.fed += len(p)
	d.run(take)
	return d.err
}

// Finish tells that the body is over, and returns ErrCut when its text is not.
func (d *Decoder) Finish(take func([]byte)) error {
	if d.err != nil {
		return d.err
	}
	d.ended = true
	d.run(take)
	return d.err
}

// Close gives up what the decoder holds. It may be called more than once.
func (d *Decoder) Close() { d.stop() }

// run lets the coroutine work until it rests or is over.
func (d *Decoder) run(take func([]byte)) {
	for !d.over {
		p, ok := d.next()
		if !ok {
			d.over = true
			return
		}
		if p == nil {
			return // it wants more
		}
		d.bound.out += int64(len(p))
		take(p)
		d.bound.limits.share(len(p))
		if d.err = d.bound.check(d.fed - len(d.in)); d.err != nil {
			d.over = true
			d.stop()
			return
		}
	}
	d.in = nil // what follows the text's end is nobody's
}

// pieceSize is how much is unfolded at a time.
const pieceSize = 16 << 10

var pieces = sync.Pool{New: func() any { return new([pieceSize]byte) }}

// unfold is the coroutine. It yields pieces of the text, and nil when it wants more input.
func (d *Decoder) unfold(yield func([]byte) bool) {
	defer func() {
		if p := recover(); p != nil { // a reader that stumbles over hostile bytes ends the reading alone
			d.err = fmt.Errorf("reading %s: %v", d.coding, p)
		}
	}()
	src := &source{d: d, yield: yield}
	r, err := open(d.coding, src)
	var buf []byte
	if err == nil {
		buf = pieces.Get().(*[pieceSize]byte)[:]
		defer pieces.Put((*[pieceSize]byte)(buf))
	}
	for err == nil {
		var n int
		if n, err = r.Read(buf); n > 0 && !yield(buf[:n]) {
			err = errStopped
		}
	}
	src.d, src.yield = &Decoder{ended: true}, nil // whoever keeps the reader keeps nothing of ours
	keep(r)
	if !errors.Is(err, errStopped) && (err != io.EOF || !src.read) {
		d.err = broken(d.coding, err)
	}
}

// source is the coroutine's input.
type source struct {
	d     *Decoder
	yield func([]byte) bool
	read  bool // something has come
}

var errStopped = errors.New("the reading was given up")

func (s *source) Read(p []byte) (int, error) {
	for len(s.d.in) == 0 {
		if s.d.ended {
			return 0, io.EOF
		}
		if !s.yield(nil) {
			s.d = &Decoder{ended: true}
			return 0, errStopped
		}
	}
	s.read = true
	return s.d.in.Read(p)
}
