package wire

import (
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

// h2Body is how far the request's body has been read.
type h2Body struct {
	src  io.Reader
	head *h2Opened // has the trailer, when the body ends

	length  int64 // declared, -1 when not
	left    int64 // of it
	done    bool
	read    atomic.Int64
	failed  atomic.Bool
	stopped atomic.Bool
	err     *BodyError

	answered atomic.Bool // the answer to a body of unknown length has begun: it may be a conversation
	pace     pace

	first *h2First
	ahead []byte        // what the first read brought and is not taken yet
	stop  chan struct{} // holds a token when StopReading wants the first read's wait ended
}

// h2First is the first read of a body. It runs on a goroutine of its own, because a read of x/net's
// can be ended only for good: a caller that has sent nothing yet may be asked again by another attempt.
type h2First struct {
	buf  []byte
	done chan struct{} // closed when n and err are there
	n    int
	err  error
}

func (b *h2Body) begin(length int64) {
	b.length, b.left = length, length
	if b.done = length == 0; !b.done {
		b.stop = make(chan struct{}, 1)
	}
}

// leave is called when nothing reads any more.
func (b *h2Body) leave() {
	if b.first == nil || b.first.buf == nil {
		return
	}
	select {
	case <-b.first.done:
		b.spent()
	default: // it ends with the stream, and its buffer with it
	}
}

// spent gives the first read's buffer back.
func (b *h2Body) spent() {
	putBuffer(b.first.buf)
	b.first.buf, b.ahead = nil, nil
}

// beginBody begins the first read, which makes x/net send 100 (Continue) to a caller that waits for
// it; but not behind another interim answer: then it is sent here, and to those who do not wait for
// it as well, which does no harm (RFC 9110 section 15.2).
func (x *h2Exchange) beginBody() {
	b := &x.body
	if x.informed && !x.started {
		x.w.WriteHeader(http.StatusContinue)
	}
	f := &h2First{buf: getBuffer(mediumBuffer), done: make(chan struct{})}
	src, buf := b.src, f.buf
	go func() {
		f.n, f.err = src.Read(buf)
		close(f.done)
	}()
	b.first = f
}

// Continue implements Exchange.
func (x *h2Exchange) Continue() error {
	if !x.body.done && x.body.first == nil && !x.started {
		x.beginBody()
	}
	return nil
}

// Buffered implements Exchange: only x/net knows what has come of a body.
func (x *h2Exchange) Buffered() ([]byte, bool) { return nil, x.body.done && x.body.read.Load() == 0 }

// Malformed implements Exchange: frames have no framing of their own to break.
func (x *h2Exchange) Malformed() error { return nil }

// ReadBody implements Exchange.
func (x *h2Exchange) ReadBody(p []byte, limit time.Duration) (int, error) {
	b := &x.body
	if b.done {
		return 0, io.EOF
	}
	if b.err != nil && b.failed.Load() {
		return 0, b.err
	}
	if b.read.Load() > 0 && b.stopped.Load() {
		return 0, x.bodyFailed("stopped", "", limit)
	}
	began := clock()
	n, err := x.nextBytes(p, limit)
	if took := clock() - began; n > 0 && took > int64(time.Millisecond) {
		b.pace.add(took, int64(n))
		if limit != Unhurried && b.pace.tooSlow(x.p.c.o) && !(b.length < 0 && b.answered.Load()) {
			return 0, x.bodyFailed("slow", "", limit)
		}
	}
	if n == 0 {
		return 0, x.bodyEnded(err, limit)
	}
	b.read.Add(int64(n))
	if b.length >= 0 {
		if b.left -= int64(n); b.left == 0 {
			// The last of a declared body is handed on when it is known to be the last: an upstream must
			// not take for a whole request what is none (RFC 9113 section 8.1.1).
			var more [1]byte
			m, err := x.nextBytes(more[:], limit)
			if m > 0 {
				err = errTooMuchBody
			}
			if err := x.bodyEnded(err, limit); err != io.EOF {
				return 0, err
			}
		}
	}
	return n, nil
}

// bodyEnded says how a body ended that x/net gave no more bytes of.
func (x *h2Exchange) bodyEnded(err error, limit time.Duration) error {
	b := &x.body
	switch {
	case err == nil:
		return nil
	case b.head.broke.Load() != nil:
		x.resetBehind()
		return x.bodyFailed("malformed", b.head.broke.Load().why, limit)
	case err == io.EOF:
		b.done = true
		x.keepTrailer()
		return io.EOF
	case err == errNudged:
		return &BodyError{Reason: "stopped", Want: b.length, Limit: limit}
	case b.stopped.Load():
		return x.bodyFailed("stopped", "", limit)
	case err == errTimeout, errors.Is(err, os.ErrDeadlineExceeded):
		return x.bodyFailed("timeout", "", limit)
	case strings.Contains(err.Error(), "Content-Length"):
		return x.bodyFailed("malformed", "it is not as long as its Content-Length says", limit)
	}
	return x.bodyFailed("aborted", "", limit)
}

// nextBytes reads what there is, and ends with errTimeout, errNudged or x/net's error.
func (x *h2Exchange) nextBytes(p []byte, limit time.Duration) (int, error) {
	b := &x.body
	if len(b.ahead) > 0 {
		n := copy(p, b.ahead)
		if b.ahead = b.ahead[n:]; len(b.ahead) == 0 {
			b.spent()
		}
		return n, nil
	}
	if b.read.Load() == 0 {
		return x.firstBytes(p, limit)
	}
	if b.first != nil && b.first.err != nil {
		return 0, b.first.err
	}
	x.arm(&x.reading, limit, x.silent)
	n, err := b.src.Read(p)
	if x.disarm(&x.reading) && n == 0 {
		err = errTimeout
	}
	return n, err
}

func (x *h2Exchange) firstBytes(p []byte, limit time.Duration) (int, error) {
	b := &x.body
	if b.first == nil {
		x.beginBody()
	}
	select {
	case <-b.stop:
		b.stopped.Store(false)
		return 0, errNudged
	default:
	}
	f := b.first
	var late <-chan time.Time
	if limit > 0 {
		t := time.NewTimer(limit)
		defer t.Stop()
		late = t.C
	}
	select {
	case <-f.done:
	case <-b.stop:
		b.stopped.Store(false)
		return 0, errNudged
	case <-late:
		return 0, errTimeout
	}
	if f.n == 0 {
		return 0, f.err
	}
	n := copy(p, f.buf[:f.n])
	if b.ahead = f.buf[n:f.n]; len(b.ahead) == 0 {
		b.spent()
	}
	return n, nil
}

// keepTrailer takes over the trailer, less the fields that may not be there.
func (x *h2Exchange) keepTrailer() {
	for _, f := range x.head.trailer {
		name := []byte(f.Name)
		if id := Identify(name); !ForbiddenTrailer(id) {
			x.trailer.Add(id, name, []byte(strings.Trim(f.Value, " \t")))
		}
	}
}

func (x *h2Exchange) bodyFailed(reason, detail string, limit time.Duration) error {
	b := &x.body
	b.err = &BodyError{Reason: reason, Detail: detail, Got: b.read.Load(), Want: b.length, Limit: limit, Waited: time.Duration(b.pace.waited), Rate: x.p.c.o.MinRate}
	b.failed.Store(true)
	return b.err
}

// BodyError implements Exchange.
func (x *h2Exchange) BodyError() *BodyError {
	if x.body.failed.Load() {
		return x.body.err
	}
	return nil
}

// StopReading implements Exchange.
func (x *h2Exchange) StopReading() {
	b := &x.body
	b.stopped.Store(true)
	select {
	case b.stop <- struct{}{}: // nil where there is no body
	default:
	}
	if b.read.Load() > 0 {
		x.mu.Lock()
		if !x.over {
			_ = x.w.SetReadDeadline(time.Unix(1, 0))
		}
		x.mu.Unlock()
	}
}
