package wire

import (
	"io"

	"causeway/internal/journey"
)

// Next returns the next piece of the body, valid until the following call. It returns io.EOF when
// the body is complete; on any other error the facts say what happened.
func (u *Upcall) Next() ([]byte, error) {
	if u.h2 != nil {
		return u.nextH2()
	}
	for {
		if u.done {
			return nil, io.EOF
		}
		if piece, err := u.piece(); piece != nil || err != nil {
			return piece, err
		}
		if u.done {
			return nil, io.EOF
		}
		if err := u.fill(); err != nil {
			return nil, err
		}
	}
}

// Buffered tells whether Next will return without reading from the socket. What stands between two
// chunks does not count: a caller must not wait for the next event to get this one.
func (u *Upcall) Buffered() bool {
	if u.h2 != nil {
		return u.bufferedH2()
	}
	if u.done || u.r == u.w || u.Response.Length != LengthChunked {
		return u.done || u.r < u.w
	}
	look := u.chunked
	var trailer Header
	data, _, err := look.next(u.buf[u.r:u.w], u.w-u.r, false, &trailer)
	return len(data) > 0 || err != nil || look.state == chunkDone
}

// Complete tells whether the body's end is known to have been reached; what Next returned last is
// then its last piece.
func (u *Upcall) Complete() bool { return u.done }

// Trailer is the answer's trailer; empty before Next has returned io.EOF.
func (u *Upcall) Trailer() *Header { return &u.trailer }

// piece takes body bytes out of the buffer.
func (u *Upcall) piece() ([]byte, error) {
	have := u.buf[u.r:u.w]
	a := u.facts
	switch {
	case u.Response.Length == LengthChunked:
		data, n, err := u.chunked.next(have, len(have), false, &u.trailer)
		u.r += n
		if err != nil {
			a.End, a.Fault, a.Offset = journey.EndParse, journey.FaultChunk, a.BytesIn-int64(u.w-u.r)
			if err == errTrailer || err == errTrailerLarge {
				a.Fault = journey.FaultTrailer
			}
			a.Line = clipLine(u.buf[u.r:u.w])
			u.ended()
			return nil, err
		}
		u.done = u.chunked.state == chunkDone
		if len(data) > 0 {
			a.BodyIn += int64(len(data))
			return data, nil
		}
		return nil, nil
	case len(have) == 0:
		return nil, nil
	case u.Response.Length == LengthUntilClose:
		u.r = u.w
	default:
		if int64(len(have)) > u.left {
			have = have[:u.left]
		}
		u.r += len(have)
		u.left -= int64(len(have))
		u.done = u.left == 0
	}
	a.BodyIn += int64(len(have))
	return have, nil
}

// HoldHead keeps Response valid until Release, while the body is read on. What is at hand already costs nothing; a
// read puts the head into memory of its own first.
func (u *Upcall) HoldHead() { u.holdHead = u.h2 == nil }

// fill reads more of the body.
func (u *Upcall) fill() error {
	if u.holdHead {
		u.holdHead = false
		u.Response.detach()
	}
	n, err := u.readMore()
	a := u.facts
	if n > 0 && err == nil {
		u.sock.share()
		u.fit(n)
		u.w += n
		a.BytesIn += int64(n)
		u.lastByte = clock()
		return nil
	}
	if err == nil {
		u.eof = true
		if u.resetWhileSending(a) {
			u.ended()
			return io.ErrUnexpectedEOF
		}
		if u.Response.Length == LengthUntilClose {
			u.done = true
			return nil
		}
		a.End = journey.EndEOF
		u.ended()
		return io.ErrUnexpectedEOF
	}
	u.readFailed(err, a, "idle", u.limits.Idle)
	u.ended()
	return err
}

// readMore reads behind what the buffer has.
func (u *Upcall) readMore() (n int, err error) {
	if u.r < u.w || u.want != smallBuffer {
		u.makeRoom()
		return u.sock.read(u.buf[u.w:], u.by(u.limits.Idle))
	}
	// A stream waits between its events, and needs no buffer meanwhile.
	if len(u.buf) != smallBuffer {
		putBuffer(u.buf)
		u.buf = nil
	}
	u.r, u.w = 0, 0
	if u.buf, n, err = u.sock.readAgain(u.buf, u.by(u.limits.Idle)); u.buf == nil {
		u.buf = getBuffer(smallBuffer)
	}
	return n, err
}

// fit chooses the size of the buffer for the next read by the one that brought n bytes: as large as the body comes
// fast, and small for one that comes in pieces, with a wait before each.
func (u *Upcall) fit(n int) {
	switch {
	case n == len(u.buf)-u.w:
		u.want, u.small = min(4*len(u.buf), largeBuffer), 0
	case n >= smallBuffer || !u.sock.rd.again:
		u.small = 0
	case u.want != smallBuffer:
		if u.small++; u.small > 1 {
			u.want = smallBuffer
		}
	}
}

// makeRoom empties the buffer for the next read; a long body gets a large one.
func (u *Upcall) makeRoom() {
	if u.r == u.w {
		u.r, u.w = 0, 0
		if want := max(u.want, int(min(u.left, largeBuffer))); want > len(u.buf) {
			putBuffer(u.buf)
			u.buf = getBuffer(want)
		}
		return
	}
	if u.r > 0 {
		copy(u.buf, u.buf[u.r:u.w])
		u.r, u.w = 0, u.w-u.r
	}
	if u.w == len(u.buf) {
		bigger := getBuffer(len(u.buf) * 4)
		copy(bigger, u.buf)
		putBuffer(u.buf)
		u.buf = bigger
	}
}
