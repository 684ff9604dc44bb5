package wire

import (
	"encoding/binary"
	"slices"

	"golang.org/x/net/http2"
)

// h2Out changes what x/net sends where x/net can't: a malformed request is answered, and then reset as
// RFC 9113 section 8.1.1 asks for; and a tunnel is ended in one direction alone. It is used under
// h2Peer.wmu.
type h2Out struct {
	head  [9]byte // of a frame, held back until it is whole
	n     int
	left  int    // of the payload
	block bool   // a field block has begun and not ended: nothing may come between its frames
	after []byte // goes out behind the frame, or the field block
	out   []byte
}

// h2Stream is what is to be changed on one stream; guarded by h2Peer.mu.
type h2Stream struct {
	reset bool // with PROTOCOL_ERROR, behind END_STREAM

	half  bool  // a tunnel: it may be ended by us while the caller goes on
	sent  int64 // bytes of DATA
	want  int64 // after so many comes END_STREAM; -1 while it does not
	ended bool  // it has come: x/net's own is left out
}

// rewrite returns what goes out for b: b itself where nothing is changed.
func (o *h2Out) rewrite(p *h2Peer, b []byte) []byte {
	o.out = o.out[:0]
	from, plain := 0, o.n == 0
	for i := 0; i < len(b); {
		if o.left > 0 {
			k := min(o.left, len(b)-i)
			i += k
			if o.left -= k; o.left == 0 && !o.block && len(o.after) > 0 {
				o.out = append(append(o.out, b[from:i]...), o.after...)
				o.after, from, plain = nil, i, false
			}
			continue
		}
		begin := i
		held := o.n
		k := copy(o.head[o.n:], b[i:])
		i += k
		if o.n += k; o.n < len(o.head) {
			// The rest of it comes with the next write.
			o.out = append(o.out, b[from:begin]...)
			return o.out
		}
		o.n = 0
		h := readFrameHead(o.head[:])
		drop := p.sends(h, &o.after)
		if drop || held > 0 {
			o.out = append(o.out, b[from:begin]...)
			if !drop {
				o.out = append(o.out, o.head[:]...)
			}
			from, plain = i, false
		}
		if h.kind == http2.FrameHeaders || h.kind == http2.FrameContinuation {
			o.block = !h.flags.Has(http2.FlagHeadersEndHeaders)
		}
		if o.left = h.length; o.left == 0 && !o.block && len(o.after) > 0 {
			o.out = append(append(o.out, b[from:i]...), o.after...)
			o.after, from, plain = nil, i, false
		}
	}
	if plain {
		return b
	}
	return append(o.out, b[from:]...)
}

// sends looks at a frame that is about to go out, adds what must follow it, and tells whether it is
// left out.
func (p *h2Peer) sends(h h2FrameHead, after *[]byte) (drop bool) {
	switch h.kind {
	case http2.FrameRSTStream:
		p.forget(h.id)
		p.wasReset(h.id)
		return false
	case http2.FrameGoAway:
		p.mu.Lock()
		p.goneAway = true
		p.mu.Unlock()
		return false
	case http2.FrameData, http2.FrameHeaders:
	default:
		return false
	}
	if p.special.Load() == 0 {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.streams[h.id]
	if s == nil {
		return false
	}
	ends := h.flags.Has(http2.FlagDataEndStream)
	switch {
	case ends && s.ended && h.length == 0:
		p.dropStream(h.id)
		return true
	case ends && s.reset:
		*after = appendH2Frame(*after, http2.FrameRSTStream, 0, h.id, byte(http2.ErrCodeProtocol))
		p.dropStream(h.id)
	case ends:
		p.dropStream(h.id)
	case s.half && h.kind == http2.FrameData:
		s.sent += int64(h.length)
		if s.want >= 0 && s.sent >= s.want && !s.ended {
			s.ended = true
			*after = appendH2Frame(*after, http2.FrameData, http2.FlagDataEndStream, h.id)
		}
	}
	return false
}

// wasReset remembers a stream that we reset.
func (p *h2Peer) wasReset(id uint32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if most := 2 * p.door.o.MaxStreams; len(p.resetByUs) >= most {
		p.resetByUs = append(p.resetByUs[:0], p.resetByUs[most/2:]...)
	}
	p.resetByUs = append(p.resetByUs, id)
}

// late tells whether a trailer comes for a stream that we have reset, as an early answer does: its caller sent
// it before it could know. It is to be ignored (RFC 9113 section 5.1), while x/net ends the connection, and
// with it every other call, for a field section on a stream that it has forgotten. There is one for a stream.
func (p *h2Peer) late(id uint32) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.Index(p.resetByUs, id)
	if i < 0 {
		return false
	}
	p.resetByUs = slices.Delete(p.resetByUs, i, i+1)
	return true
}

// appendH2Frame appends a frame without a payload, or with a code of 32 bits.
func appendH2Frame(b []byte, kind http2.FrameType, flags http2.Flags, id uint32, code ...byte) []byte {
	n := byte(4 * len(code))
	b = append(b, 0, 0, n, byte(kind), byte(flags))
	b = binary.BigEndian.AppendUint32(b, id)
	if n > 0 {
		b = append(b, 0, 0, 0, code[0])
	}
	return b
}

// change notes what is to be changed on a stream.
func (p *h2Peer) change(id uint32, s *h2Stream) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.streams == nil {
		p.streams = map[uint32]*h2Stream{}
	}
	if _, there := p.streams[id]; !there {
		p.special.Add(1)
	}
	p.streams[id] = s
}

// dropStream ends the changes of a stream; the caller has p.mu.
func (p *h2Peer) dropStream(id uint32) {
	if _, there := p.streams[id]; there {
		p.special.Add(-1)
		delete(p.streams, id)
	}
}

// halfClose sends END_STREAM behind the given number of bytes of DATA, while x/net holds the stream open.
// It tells whether the stream is one that can be ended like this.
func (p *h2Peer) halfClose(id uint32, given int64) bool {
	p.wmu.Lock()
	defer p.wmu.Unlock()
	p.mu.Lock()
	s := p.streams[id]
	if s == nil || !s.half || s.want >= 0 {
		p.mu.Unlock()
		return s != nil && s.half
	}
	s.want = given
	now := s.sent >= given
	s.ended = now
	p.mu.Unlock()
	if !now {
		return true // behind the DATA that is on its way
	}
	end := appendH2Frame(nil, http2.FrameData, http2.FlagDataEndStream, id)
	if p.outgoing.left > 0 || p.outgoing.block { // another stream's frame or field block is half out
		p.outgoing.after = append(p.outgoing.after, end...)
		return true
	}
	_, err := p.c.sock.write(end, nil, p.door.stalled(), 0)
	return err == nil
}
