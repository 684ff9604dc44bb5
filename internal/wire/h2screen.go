package wire

import (
	"encoding/binary"
	"strconv"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// h2HeaderFlood and h2BrokenFraming are two more reasons for which the door ends a connection.
const (
	h2HeaderFlood   = "header_flood"   // a field block, or heads that no call has taken, far above server.max_header
	h2BrokenFraming = "broken_framing" // HEADERS and CONTINUATION that are not as RFC 9113 section 6 has them
)

// h2Screen reads the field blocks that a caller sends before x/net does. x/net answers a head that it does
// not like by itself, without a kind, a call id and a record, and drops trailers that were not announced.
// So it is shown a plain head for each stream, which only names the stream, its length and that it expects
// 100 (Continue); the caller's fields, in its order, go to the call, which refuses what is malformed in the
// gateway's own words. Every other frame passes as it came.
//
// It is x/net's reading goroutine's.
type h2Screen struct {
	p   *h2Peer
	dec *hpack.Decoder
	max int // bytes of one field block

	head [9]byte // of the frame at hand
	n    int     // bytes of it that are there
	pass int     // bytes that pass as they are
	out  []byte  // bytes for x/net, before those that pass
	at   int     // of out that were handed on

	need    int    // bytes of a payload that is taken
	payload []byte // what of it has come, where it did not come at once
	block   []byte // what earlier frames of the field block brought
	open    bool   // a field block has begun and not ended
	first   h2FrameHead
	prio    []byte // the priority of its HEADERS frame

	last uint32 // the newest stream

	// Of the calls that were refused: how many there were when the second began that they are counted in, and how
	// many such seconds in a row had too many.
	refused, refusedSince int64
	slowedFor             int
	err                   error // ends the connection, once out has been handed on
}

type h2FrameHead struct {
	kind   http2.FrameType
	flags  http2.Flags
	id     uint32
	length int
}

func readFrameHead(b []byte) h2FrameHead {
	return h2FrameHead{
		http2.FrameType(b[3]), http2.Flags(b[4]), binary.BigEndian.Uint32(b[5:]) &^ (1 << 31),
		int(b[0])<<16 | int(b[1])<<8 | int(b[2]),
	}
}

// h2MostFrame is the largest frame that x/net takes; it says itself what is wrong with a larger one.
const h2MostFrame = 1 << 20

func newH2Screen(p *h2Peer) *h2Screen {
	l := p.c.o.Limits
	return &h2Screen{
		p: p, dec: hpack.NewDecoder(4096, nil), // the size of the table that x/net's SETTINGS offer
		max: max(4*l.Head+32*l.Fields, 256<<10), pass: len(h2Preface),
	}
}

// consume takes bytes from b until there are some to hand on, and tells how many it took.
func (s *h2Screen) consume(b []byte) (taken int) {
	for taken < len(b) && len(s.out) == 0 && s.pass == 0 && s.err == nil {
		rest := b[taken:]
		if s.need > 0 {
			n := min(s.need, len(rest))
			s.payload = append(s.payload, rest[:n]...)
			taken += n
			if s.need -= n; s.need == 0 {
				s.taken(s.payload)
				s.payload = nil
			}
			continue
		}
		n := copy(s.head[s.n:], rest)
		taken += n
		if s.n += n; s.n < len(s.head) {
			continue
		}
		s.n = 0
		h := readFrameHead(s.head[:])
		if !s.takes(h) {
			continue
		}
		if rest = b[taken:]; len(rest) >= h.length {
			taken += h.length
			s.taken(rest[:h.length])
		} else {
			s.need = h.length
			s.payload = append(make([]byte, 0, h.length), rest...)
			s.need -= len(rest)
			taken = len(b)
		}
	}
	return taken
}

// takes decides whether a frame is read here. One that is not passes.
func (s *h2Screen) takes(h h2FrameHead) bool {
	switch {
	case s.open && (h.kind != http2.FrameContinuation || h.id != s.first.id):
		// RFC 9113 section 6.10: nothing comes between the frames of a field block.
		s.fail(h2BrokenFraming, http2.ErrCodeProtocol)
		return false
	case s.open, h.kind == http2.FrameHeaders && h.id != 0 && h.length <= h2MostFrame:
		if len(s.block)+h.length > s.max {
			s.p.kill(h2HeaderFlood)
			s.err = http2.ConnectionError(http2.ErrCodeEnhanceYourCalm)
			return false
		}
		if !s.open {
			s.first, s.open = h, true
		} else if h.flags.Has(http2.FlagContinuationEndHeaders) {
			s.first.flags |= http2.FlagHeadersEndHeaders
		}
		return true
	case h.kind == http2.FrameRSTStream:
		s.p.forget(h.id)
	}
	s.out, s.pass = append(s.out, s.head[:]...), h.length
	return false
}

func (s *h2Screen) fail(why string, code http2.ErrCode) {
	s.p.note(why)
	s.err = http2.ConnectionError(code)
}

// taken takes the payload of a frame of the field block.
func (s *h2Screen) taken(p []byte) {
	if s.block == nil && s.prio == nil { // it is that of HEADERS
		var ok bool
		if p, ok = s.unpad(p); !ok {
			return
		}
	}
	if !s.first.flags.Has(http2.FlagHeadersEndHeaders) {
		s.block = append(s.block, p...)
		if s.block == nil {
			s.block = []byte{}
		}
		return
	}
	if s.block != nil {
		p = append(s.block, p...)
	}
	s.decode(p)
	s.block, s.prio, s.open = nil, nil, false
}

// unpad takes off padding and priority (RFC 9113 section 6.2).
func (s *h2Screen) unpad(p []byte) ([]byte, bool) {
	pad := 0
	if s.first.flags.Has(http2.FlagHeadersPadded) {
		if len(p) < 1 {
			s.fail(h2BrokenFraming, http2.ErrCodeFrameSize)
			return nil, false
		}
		pad, p = int(p[0]), p[1:]
	}
	if s.first.flags.Has(http2.FlagHeadersPriority) {
		if len(p) < 5 {
			s.fail(h2BrokenFraming, http2.ErrCodeFrameSize)
			return nil, false
		}
		s.prio, p = append([]byte(nil), p[:5]...), p[5:]
	}
	if pad > len(p) {
		s.fail(h2BrokenFraming, http2.ErrCodeProtocol)
		return nil, false
	}
	return p[:len(p)-pad], true
}

// decode reads a whole field block: a head, or a trailer section.
func (s *h2Screen) decode(block []byte) {
	id, ended := s.first.id, s.first.flags.Has(http2.FlagHeadersEndStream)
	h := &h2Opened{id: id, ended: ended}
	trailer := id <= s.last
	limits := s.p.c.o.Limits
	if trailer {
		limits = Limits{Head: maxTrailer, Fields: maxTrailerFields}
	}
	reader := h2FieldReader{h: h, limits: limits, trailer: trailer}
	s.dec.SetEmitEnabled(true)
	s.dec.SetEmitFunc(func(f hpack.HeaderField) {
		if !reader.field(f) {
			s.dec.SetEmitEnabled(false)
		}
	})
	_, err := s.dec.Write(block)
	if err == nil {
		err = s.dec.Close()
	}
	if err != nil {
		s.fail("bad_hpack", http2.ErrCodeCompression)
		return
	}
	reader.end()
	if trailer {
		s.trailer(h)
		return
	}
	s.last = id
	if !s.bears() {
		return
	}
	if id%2 == 1 && !s.p.keep(h) {
		s.p.kill(h2HeaderFlood)
		s.err = http2.ConnectionError(http2.ErrCodeEnhanceYourCalm)
		return
	}
	s.plain(h)
}

// bears lets a caller wait that has had many calls refused in this second, before its next one becomes a call: what is in
// the buffer may be hundreds. It returns false when the connection ends for that.
func (s *h2Screen) bears() bool {
	n := s.p.refused.Load()
	if n-s.refused <= h2Patience {
		return true
	}
	now := clock()
	since := now - s.refusedSince
	if since < 1e9 {
		s.p.tellSlowed()
		s.p.pause(h2Pause)
		return true
	}
	if s.slowedFor++; since >= 2e9 {
		s.slowedFor = 0
	}
	s.refused, s.refusedSince = n, now
	if s.slowedFor < h2SlowedFor {
		return true
	}
	s.p.kill(h2BrokenRequests)
	s.err = http2.ConnectionError(http2.ErrCodeEnhanceYourCalm)
	return false
}

// h2Pause is how long such a caller waits for each of its calls.
const h2Pause = 100 * time.Millisecond

// plain writes the head that x/net is shown.
func (s *h2Screen) plain(h *h2Opened) {
	b := s.begin()
	if h.method == "HEAD" { // its answer has no body
		b = append(append(b, 0x02, 4), "HEAD"...)
	} else {
		b = append(b, 0x82) // :method GET, whatever it is
	}
	b = append(b, 0x86) // :scheme http
	b = appendH2Short(append(b, 0x04), "/"+strconv.FormatUint(uint64(h.id), 10))
	if h.refusal == nil {
		if n := h.declared(); n >= 0 {
			b = appendH2Short(append(b, 0x0f, 28-15), strconv.FormatInt(n, 10))
		}
		if h.expects {
			b = appendH2Short(append(b, 0x0f, 35-15), "100-continue")
		}
		if h.priority != "" {
			b = appendH2Short(appendH2Short(append(b, 0), "priority"), h.priority)
		}
		if h.forwarded { // then x/net serves the streams of this connection in turn
			b = appendH2Short(append(b, 0x0f, 60-15), "1.1 x")
		}
	}
	s.finish(b, h.ended)
}

// trailer hands on a field block on a stream that is there, or was.
func (s *h2Screen) trailer(t *h2Opened) {
	if s.p.late(t.id) {
		return
	}
	b := s.begin()
	h := s.p.head(t.id)
	switch {
	case h == nil || h.ended || h.trailed: // x/net knows what it is
	case !t.ended:
		h.broke.Store(&h2Break{"a field block stands in the middle of it"})
	default:
		h.trailed = true
		if t.refusal != nil {
			// The body ends here for x/net, and as a malformed one for the call, which can still say so.
			h.broke.Store(&h2Break{"its trailer is malformed: " + t.refusal.Head.Part + ": " + t.refusal.Head.Reason})
		} else {
			h.trailer = t.fields
		}
	}
	s.finish(b, t.ended)
}

// begin leaves room for a frame's head.
func (s *h2Screen) begin() []byte {
	b := append(s.out[:0], make([]byte, 9)...)
	return append(b, s.prio...)
}

func (s *h2Screen) finish(b []byte, ended bool) {
	n := len(b) - 9
	flags := http2.FlagHeadersEndHeaders
	if ended {
		flags |= http2.FlagHeadersEndStream
	}
	if s.prio != nil {
		flags |= http2.FlagHeadersPriority
	}
	b[0], b[1], b[2], b[3], b[4] = byte(n>>16), byte(n>>8), byte(n), byte(http2.FrameHeaders), byte(flags)
	binary.BigEndian.PutUint32(b[5:], s.first.id)
	s.out, s.at = b, 0
}

// appendH2Short appends a string literal of less than 127 bytes (RFC 7541 section 5.2).
func appendH2Short(b []byte, s string) []byte { return append(append(b, byte(len(s))), s...) }
