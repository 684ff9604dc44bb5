package wire

import (
	"time"

	"golang.org/x/net/http2"

	"causeway/internal/journey"
)

// h2stream is one call on an HTTP/2 connection. Its fields are guarded by the connection's mu, but
// for those that are marked otherwise. The call's goroutine never waits for another one with mu held.
type h2stream struct {
	c      *h2conn
	id     uint32
	facts  *journey.HTTP2Facts // of the call's goroutine; open fills in the stream's number
	gone   bool                // the call has let go of it
	isHead bool                // the method is HEAD
	news   chan struct{}       // one place: something has changed that the call may wait for
	room   chan struct{}       // one place: the same for whoever sends its body
	fail   *h2Failure

	uses      int // calls on the connection before this one
	idle, age time.Duration
	opened    int64
	beside    int // other streams when the connection failed

	// Sending.
	window    int64 // how much of the body the peer takes
	headEnd   int64 // where the head ends among the connection's bytes
	sendEnded bool  // END_STREAM is queued
	endAt     int64 // where the request ends among the connection's bytes
	sentAt    int64 // when the request's last byte was written
	noMore    bool  // the peer wants no more of the body
	queuedFor bool  // it stands in the connection's list of waiting streams

	// Receiving.
	headed      bool // the final head has come
	answer      h2Head
	interim     []h2Head // 1xx answers that were not passed on yet
	interims    int
	trailer     *h2Head
	want        int64 // by Content-Length, -1 when it did not say
	got         int64
	recv        int   // what the peer may still send
	owed        int   // what was taken and not given back to the peer
	ended       bool  // END_STREAM came
	resetByPeer bool  // RST_STREAM came: it needs none of ours
	bytesIn     int64 // with frame headers
	firstIn     int64 // when the first frame came, and the last one
	lastIn      int64

	chunks  []h2Chunk
	filling bool // the reading goroutine writes into the last chunk
}

// h2Head is one field section, in a buffer of its own.
type h2Head struct {
	status int
	h      Header
	buf    []byte // from getBuffer
}

func (h *h2Head) free() {
	if h.buf != nil {
		putBuffer(h.buf)
		h.buf = nil
	}
}

// h2Chunk is a buffer with body bytes in buf[r:w].
type h2Chunk struct {
	buf  []byte
	r, w int
}

func newH2Stream(facts *journey.HTTP2Facts, news chan struct{}, isHead bool) *h2stream {
	return &h2stream{facts: facts, news: news, room: make(chan struct{}, 1), want: -1, isHead: isHead}
}

// over tells whether both sides have ended the stream, or the peer has reset it.
func (s *h2stream) over() bool { return s.resetByPeer || s.ended && s.sendEnded }

// failLocked ends the stream, unless it has ended before.
func (s *h2stream) failLocked(f *h2Failure) {
	if s.fail == nil && !s.ended {
		s.fail = f
	}
	s.stopSending()
	wakeUp(s.news)
}

// stopSending ends the sending of the body; whoever sends looks when it is woken.
func (s *h2stream) stopSending() {
	s.noMore = true
	wakeUp(s.room)
	wakeUp(s.news)
}

// broke ends the stream because its peer broke the protocol on it. The connection goes on.
func (s *h2stream) broke(b *h2Breach) {
	s.failLocked(&h2Failure{end: journey.EndParse, fault: journey.FaultHTTP2, signal: journey.HTTP2Error, code: uint32(b.code), detail: b.detail, err: b})
}

// bad is broke for an answer that HTTP does not allow.
func (s *h2stream) bad(fault journey.ParseFault, detail string) {
	s.failLocked(&h2Failure{end: journey.EndParse, fault: fault, signal: journey.HTTP2Error, code: uint32(http2.ErrCodeProtocol), detail: detail, err: errH2Answer})
}

// onBlock takes a whole field section: an interim answer, the answer's head or its trailer.
func (s *h2stream) onBlock(b *h2Fields, end bool, size int) {
	s.bytesIn += int64(size)
	if s.lastIn = clock(); s.firstIn == 0 {
		s.firstIn = s.lastIn
	}
	switch {
	case s.fail != nil:
		return
	case s.ended:
		s.broke(breachH2(http2.ErrCodeStreamClosed, "a HEADERS frame comes behind the answer's end"))
		return
	case b.fault != journey.FaultNone:
		s.bad(b.fault, b.detail)
		return
	}
	head := h2Head{status: b.status, buf: getBuffer(max(len(b.arena), 1))}
	b.into(&head.h, head.buf)
	switch {
	case b.trailer:
		if !end {
			head.free()
			s.bad(journey.FaultHTTP2, "a second field section does not end the stream")
			return
		}
		s.trailer = &head
	case b.status < 200:
		s.onInterim(head, end)
		return
	default:
		length, ok := h2Length(&head.h)
		if !ok {
			head.free()
			s.bad(journey.FaultContentLength, "")
			return
		}
		s.headed, s.answer, s.want = true, head, length
	}
	if end {
		s.endLocked()
	}
	wakeUp(s.news)
}

func (s *h2stream) onInterim(head h2Head, end bool) {
	switch {
	case end:
		head.free()
		s.bad(journey.FaultHTTP2, "an interim answer ends the stream")
	case head.status == 101:
		head.free()
		s.bad(journey.FaultUpgrade, "101 (Switching Protocols) is not an answer of HTTP/2 (RFC 9113 section 8.6)")
	case s.interims == maxInterim:
		head.free()
		s.bad(journey.FaultInterim, "")
	default:
		s.interims++
		s.interim = append(s.interim, head)
		wakeUp(s.news)
	}
}

// takeData counts a DATA frame before its bytes are read.
func (s *h2stream) takeData(h *h2Header, size, pad int) {
	s.bytesIn += int64(h2FrameHeader + h.length)
	s.lastIn = clock()
	switch {
	case s.fail != nil:
	case s.ended:
		s.broke(breachH2(http2.ErrCodeStreamClosed, "a DATA frame comes behind the answer's end"))
	case !s.headed:
		s.broke(breachH2(http2.ErrCodeProtocol, "a DATA frame comes before the answer's head"))
	case h.length > s.recv:
		s.broke(breachH2(http2.ErrCodeFlowControl, "it sends more than the window of the stream allows"))
	case s.want >= 0 && s.got+int64(size) > s.want && !s.bodiless():
		s.bad(journey.FaultHTTP2, "the body is longer than its Content-Length")
	case s.bodiless() && size > 0:
		s.bad(journey.FaultHTTP2, "a DATA frame comes for an answer that has no body")
	default:
		s.recv -= h.length
		s.owed += h.length - size // padding is nobody's to take
		s.got += int64(size)
	}
}

// bodiless tells whether the answer can't have a body, whatever its Content-Length says.
func (s *h2stream) bodiless() bool {
	return s.answer.status == 204 || s.answer.status == 304 || s.isHead
}

// space is where the reading goroutine puts the next bytes of the body, nil when nobody wants them.
func (s *h2stream) space(size int) []byte {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	if s.gone || s.fail != nil || s.ended {
		return nil
	}
	n := len(s.chunks)
	if n == 0 || s.chunks[n-1].w == len(s.chunks[n-1].buf) {
		want := smallBuffer
		if size > smallBuffer || n > 0 {
			want = mediumBuffer
		}
		s.chunks = append(s.chunks, h2Chunk{buf: getBuffer(want)})
		n++
	}
	s.filling = true
	last := &s.chunks[n-1]
	return last.buf[last.w:min(len(last.buf), last.w+size)]
}

// filled is called when space has been written to.
func (s *h2stream) filled(n int) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	s.filling = false
	if s.gone {
		s.freeChunks()
		return
	}
	s.chunks[len(s.chunks)-1].w += n
	wakeUp(s.news)
}

// endLocked is END_STREAM.
func (s *h2stream) endLocked() {
	if s.fail != nil || s.ended {
		return
	}
	if !s.headed {
		s.broke(breachH2(http2.ErrCodeProtocol, "the stream ends before the answer's head"))
		return
	}
	if s.want >= 0 && s.got < s.want && !s.bodiless() {
		s.failLocked(&h2Failure{end: journey.EndEOF, err: errH2Answer, ended: true})
		return
	}
	s.ended = true
	wakeUp(s.news)
}

func (s *h2stream) freeChunks() {
	for i := range s.chunks {
		putBuffer(s.chunks[i].buf)
	}
	s.chunks = nil
}

// release gives back what the stream holds; the caller holds mu, and has dropped the stream.
func (s *h2stream) release() {
	s.answer.free()
	for i := range s.interim {
		s.interim[i].free()
	}
	s.interim = nil
	if s.trailer != nil {
		s.trailer.free()
		s.trailer = nil
	}
	if !s.filling {
		s.freeChunks()
	}
}

// next is a piece of the body, valid until the following call; nil when none is there. An empty
// buffer is given back at once: a stream that is silent holds none.
func (s *h2stream) next() []byte {
	for len(s.chunks) > 0 {
		first := &s.chunks[0]
		if first.r < first.w {
			piece := first.buf[first.r:first.w]
			first.r = first.w
			return piece
		}
		if len(s.chunks) == 1 && s.filling {
			return nil
		}
		putBuffer(first.buf)
		s.chunks = s.chunks[1:]
	}
	return nil
}

// unread tells whether next has anything to give.
func (s *h2stream) unread() bool {
	for i := range s.chunks {
		if s.chunks[i].r < s.chunks[i].w {
			return true
		}
	}
	return false
}

// giveBack lets the peer send as much again as was taken. An answer that has ended needs no more.
func (s *h2stream) giveBack(n int) {
	if s.owed += n; s.owed < h2Window/4 || s.ended || s.fail != nil || s.gone {
		return
	}
	n = s.owed
	s.owed = 0
	s.recv += n
	s.c.queue(func(p []byte) []byte { return appendH2Window(p, s.id, n) })
}

// send queues as much of a body as the windows and the queue allow, and returns how much. end is set
// for the body's last part. With 0 and more left, the stream waits in room.
func (s *h2stream) send(p []byte, end bool) (n int) {
	c := s.c
	for !s.noMore && c.fail == nil && !s.sendEnded {
		room := int64(len(p) - n)
		room = min(room, s.window, c.window, int64(c.maxFrame), int64(max(h2Queue-len(c.out), 0)))
		last := end && n+int(max(room, 0)) == len(p)
		if room <= 0 && !(last && len(p) == n) {
			break
		}
		room = max(room, 0)
		s.window -= room
		c.window -= room
		var flags http2.Flags
		if last {
			flags = http2.FlagDataEndStream
		}
		part := p[n : n+int(room)]
		c.queue(func(out []byte) []byte {
			return append(appendH2Header(out, len(part), http2.FrameData, flags, s.id), part...)
		})
		n += int(room)
		if last {
			s.sendEnded = true
			s.mark()
		}
		if n == len(p) {
			break
		}
	}
	if n < len(p) && !s.queuedFor && !s.noMore {
		s.queuedFor = true
		c.waiting = append(c.waiting, s)
	}
	return n
}

// mayTrail tells whether the body may end with a trailer, which is a second field section of the request.
// One that meets a stream that its server has just ended (an answer that does not wait for the body, and
// RST_STREAM behind it) makes the servers of Go and gRPC-Go end the connection, and with it every other
// call on it; a caller could do that on purpose. So a trailer goes out on a connection that no other call
// shares, then or later: one that was announced has got it from the start, any other one is sent where there
// happens to be no other call, and left out else, as RFC 9110 section 6.5.1 allows it. Nothing reads a
// trailer behind the end of its answer. The caller holds mu.
func (s *h2stream) mayTrail() bool {
	c := s.c
	if s.ended || s.gone || len(c.streams)+c.booked > 1 {
		return false
	}
	c.retired = true
	return true
}

// sendTrailer ends the body with a trailer.
func (s *h2stream) sendTrailer(block []byte) {
	c := s.c
	if s.noMore || c.fail != nil || s.sendEnded {
		return
	}
	s.sendEnded = true
	c.queue(func(p []byte) []byte { return appendH2Headers(p, block, s.id, true, c.maxFrame) })
	s.mark()
}

// mark notes that what is queued now ends the request.
func (s *h2stream) mark() {
	s.endAt = s.c.queued
	s.c.marks = append(s.c.marks, h2Mark{s.endAt, s})
}
