package gateway

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"

	"causeway/internal/fault"
	"causeway/internal/journey"
	"causeway/internal/wire"
)

const (
	webFrameHead   = 5    // flags, length
	webTrailerFlag = 0x80 // the frame holds the trailer
	webTrailerMost = 16 << 10
)

// webTap reads a gRPC-Web answer as it passes: where its frames end, and the status in its last one.
// It changes nothing, and holds no more than a trailer's frame.
type webTap struct {
	text    bool
	quantum [4]byte // of base64, not complete yet
	n       int

	head [webFrameHead]byte
	got  int    // bytes of head that are there
	left uint32 // bytes of the frame's content that are still to come
	tail []byte // the trailer's content
	lost bool   // what came can't be read as frames; nothing more is looked at
}

// feed takes the next piece of the body.
func (t *webTap) feed(p []byte) {
	if t.lost {
		return
	}
	if !t.text {
		t.frames(p)
		return
	}
	var out [3 * 256]byte
	in := make([]byte, 0, 4*256)
	for _, b := range p {
		if b == '\r' || b == '\n' {
			continue
		}
		t.quantum[t.n] = b
		if t.n++; t.n < 4 {
			continue
		}
		t.n = 0
		// Servers encode message by message, so that padding may stand in the middle.
		if in = append(in, t.quantum[:]...); b == '=' || len(in) == cap(in) {
			t.decode(out[:], in)
			in = in[:0]
		}
	}
	t.decode(out[:], in)
}

func (t *webTap) decode(out, in []byte) {
	n, err := base64.StdEncoding.Decode(out, in)
	if err != nil {
		t.lost = true
		return
	}
	t.frames(out[:n])
}

func (t *webTap) frames(p []byte) {
	for len(p) > 0 && !t.lost {
		if t.got < webFrameHead {
			n := copy(t.head[t.got:], p)
			t.got += n
			p = p[n:]
			if t.got < webFrameHead {
				return
			}
			t.left = binary.BigEndian.Uint32(t.head[1:])
			t.lost = t.head[0]&^(webTrailerFlag|1) != 0 || t.trailer() && t.left > webTrailerMost
		}
		n := int(min(int64(len(p)), int64(t.left)))
		if t.trailer() {
			t.tail = append(t.tail, p[:n]...)
		}
		t.left -= uint32(n)
		p = p[n:]
		if t.left == 0 && !t.trailer() {
			t.got = 0
		}
	}
}

func (t *webTap) trailer() bool { return t.got == webFrameHead && t.head[0]&webTrailerFlag != 0 }

// between tells whether the last frame that came is whole, so that another one can follow.
func (t *webTap) between() bool { return !t.lost && t.got == 0 && t.n == 0 }

// status is what the trailer's frame says; ok is false when none has come, or when it is compressed.
func (t *webTap) status() (code fault.Code, message string, ok bool) {
	if t.lost || !t.trailer() || t.left > 0 || t.head[0]&1 != 0 {
		return 0, "", false
	}
	var h wire.Header
	for line := range bytes.SplitSeq(t.tail, []byte("\n")) {
		name, value, found := bytes.Cut(line, []byte(":"))
		if found {
			h.Add(wire.Other, bytes.TrimSpace(name), bytes.TrimSpace(value))
		}
	}
	return readStatus(&h)
}

// tapWeb begins to read the answer of a gRPC-Web call, if it is one.
func (c *call) tapWeb(u *wire.Upcall, a *journey.Attempt) {
	res := &u.Response
	form := rpcFormOf(res.Header.Get(wire.ContentType))
	if form < rpcWeb {
		return
	}
	if code, message, ok := readStatus(&res.Header); ok {
		c.upstreamStatus(u, a, code, message) // a status without a body may stand in the head
	} else if !res.Header.Has(wire.ContentEncoding) {
		c.rpc.web = &webTap{text: form == rpcWebText}
		u.HoldHead() // it is judged with the status, which comes last
	}
}

// finishWeb notes the status of an answer that has ended. Its head has gone, so that the caller is not
// told what we read in it.
func (c *call) finishWeb(a *journey.Attempt) {
	if code, message, ok := c.rpc.web.status(); ok && c.reply != nil {
		c.upstreamStatus(c.reply, a, code, message)
	}
}

// cutWeb ends an answer that broke between two frames by a status of our own, as a gRPC-Web client
// expects it.
func (c *call) cutWeb(a *journey.Attempt) bool {
	c.j.Cut = true
	c.judge(a)
	c.ownStatus(c.finding)
	frame := c.webTrailer(c.finding, c.faultView())
	c.j.BytesOut += int64(len(frame))
	c.commit()
	c.logFailure()
	if c.ex.Write(frame) != nil || c.ex.End(nil) != nil {
		c.ex.Abort()
	}
	return true
}
