package wire

import (
	"encoding/binary"

	"golang.org/x/net/http2"
)

// Reasons for which the door itself ends a connection of HTTP/2.
const (
	h2RapidReset     = "rapid_reset"     // more calls given up at once, in a second, than MaxResets
	h2BrokenRequests = "broken_requests" // more requests in a second that are none
	h2ControlFlood   = "control_flood"   // more frames in a second that carry nothing than MaxControl
	h2Slowed         = "slowed_down"     // so many calls given up or broken that it is read more slowly: it does not end
	h2HeaderTimeout  = "header_timeout"  // a head, or the preface, was not complete within ReadHeaderTimeout
	h2WriteStall     = "write_stall"     // the connection took no byte while a call had something to send
)

// h2Guard follows the frames that a caller sends, and those that it is sent, by their nine bytes of
// head. x/net bounds the memory that a flood takes; the guard bounds how much work of ours it can ask
// for in a second.
type h2Guard struct {
	most    int // MaxControl
	preface int // bytes of the preface that are still to come

	head  [9]byte
	n     int   // bytes of head that are there
	left  int   // bytes of the payload that are still to come
	kind  byte  // of the frame whose payload is read
	block bool  // a header block has begun and not ended
	since int64 // when the preface, the frame or the header block began that is not whole yet

	last   uint32 // the newest stream
	opened int64  // streams
	// Streams above older were opened less than two times h2Young ago; newer becomes older next.
	older, newer uint32
	turned       int64 // when that was

	second  int64 // when the counts began
	control int   // frames that carried nothing since then
	resets  int   // young streams that the caller reset, or made us reset, less those that ended well
}

// feed takes bytes that came at a time. tally is what h2Sent has counted since the last call.
func (g *h2Guard) feed(p []byte, now int64, tally h2Tally) {
	if now-g.second >= 1e9 {
		g.second, g.control, g.resets = now, 0, 0
	}
	if age := now - g.turned; age >= int64(h2Young) {
		if g.older = g.newer; age >= 2*int64(h2Young) {
			g.older = g.last
		}
		g.turned, g.newer = now, g.last
	}
	g.count(tally.control)
	g.resets = max(g.resets+tally.provoked-tally.ends, -mostEarned)
	for len(p) > 0 {
		switch {
		case g.preface > 0:
			n := min(g.preface, len(p))
			g.preface -= n
			p = p[n:]
		case g.left > 0:
			n := min(g.left, len(p))
			g.left -= n
			p = p[n:]
		default:
			if g.n == 0 && !g.block {
				g.since = now
			}
			n := copy(g.head[g.n:], p)
			g.n += n
			p = p[n:]
			if g.n == len(g.head) {
				g.n = 0
				g.frame()
			}
		}
	}
}

// flooded tells whether the caller sends too much that carries nothing.
func (g *h2Guard) flooded() bool { return g.control > g.most }

// waiting tells whether a part of a head is there and the rest is not: that may last no longer than
// the head of HTTP/1.1.
func (g *h2Guard) waiting() bool {
	return g.preface > 0 || g.n > 0 || g.block || g.left > 0 && http2.FrameType(g.kind) != http2.FrameData
}

// frame looks at the head of a frame.
func (g *h2Guard) frame() {
	g.left = int(g.head[0])<<16 | int(g.head[1])<<8 | int(g.head[2])
	g.kind = g.head[3]
	flags := http2.Flags(g.head[4])
	id := binary.BigEndian.Uint32(g.head[5:]) &^ (1 << 31)
	switch http2.FrameType(g.kind) {
	case http2.FrameData:
		// One that is nothing but padding is empty as well, but for its length.
		if !flags.Has(http2.FlagDataEndStream) && (g.left == 0 || flags.Has(http2.FlagDataPadded) && g.left <= 256) {
			g.count(1)
		}
	case http2.FrameHeaders:
		if id > g.last {
			g.last = id
			g.opened++
			g.count(-controlPerCall)
		}
		g.block = !flags.Has(http2.FlagHeadersEndHeaders)
	case http2.FrameContinuation:
		g.block = !flags.Has(http2.FlagContinuationEndHeaders)
		g.count(1)
	case http2.FrameRSTStream:
		if id > g.older && id <= g.last {
			g.resets++
		}
		g.count(1)
	default:
		g.count(1)
	}
}

// Frames that a caller may send for others: a call of its own, and a DATA frame that it got. Most
// clients open both windows for each. One that keeps its window so small that we can send only a few
// bytes at a time gets nothing for them.
const (
	controlPerCall  = 4
	controlPerFrame = 2
	smallestFrame   = 32
	mostEarned      = 5000 // enough for the frames on the way, and no licence for a flood
)

func (g *h2Guard) count(n int) { g.control = max(g.control+n, -mostEarned) }

// h2Tally is what a caller was sent, as it counts for the guard.
type h2Tally struct {
	control  int // less for what it was sent, more for streams that it made us reset
	provoked int // of them, those that it broke
	ends     int // streams that ended with END_STREAM
}

// h2Sent follows the frames that we send.
type h2Sent struct {
	head  [13]byte // a frame's head, and the error code of RST_STREAM
	n     int
	left  int
	tally h2Tally
}

func (s *h2Sent) feed(p []byte) {
	for len(p) > 0 {
		if s.left > 0 {
			n := min(s.left, len(p))
			s.left -= n
			p = p[n:]
			continue
		}
		want := 9
		if s.n >= 9 {
			want = 13
		}
		n := copy(s.head[s.n:want], p)
		s.n += n
		p = p[n:]
		switch {
		case s.n == 13:
			s.n = 0
			// Not those that are our own doing: a complete answer to half a request, and a cut one.
			code := http2.ErrCode(s.head[12])
			if code != http2.ErrCodeNo && code != http2.ErrCodeInternal {
				s.tally.control++
				if code != http2.ErrCodeStreamClosed { // there are many where an upload is answered early
					s.tally.provoked++
				}
			}
		case s.n == 9 && http2.FrameType(s.head[3]) == http2.FrameRSTStream:
		case s.n == 9:
			s.n, s.left = 0, int(s.head[0])<<16|int(s.head[1])<<8|int(s.head[2])
			kind, flags := http2.FrameType(s.head[3]), http2.Flags(s.head[4])
			if kind == http2.FrameData && s.left >= smallestFrame {
				s.tally.control -= controlPerFrame + s.left>>10
			}
			if (kind == http2.FrameData || kind == http2.FrameHeaders) && flags.Has(http2.FlagDataEndStream) {
				s.tally.ends++
			}
		}
	}
}
