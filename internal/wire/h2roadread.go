package wire

import (
	"encoding/binary"
	"io"

	"golang.org/x/net/http2"

	"causeway/internal/journey"
)

// read is the reading goroutine: frame by frame until the connection ends.
func (c *h2conn) read() {
	defer c.done.Done()
	for {
		f := c.readFrame()
		if f == nil {
			continue
		}
		c.mu.Lock()
		if !c.begun && c.fail == nil {
			f = c.notBegun(f)
		}
		c.failLocked(f)
		c.mu.Unlock()
		close(c.heardAll)
		return
	}
}

// notBegun is the failure of a connection on which HTTP/2 was not begun: its peer sent something
// else, or left.
func (c *h2conn) notBegun(f *h2Failure) *h2Failure {
	f.signal, f.first = journey.HTTP2Preface, clip(c.first)
	begins := len(c.first) > 3 && http2.FrameType(c.first[3]) == http2.FrameSettings
	switch {
	case len(c.first) == 0 || f.end != journey.EndParse && begins:
		return f
	case begins: // it does speak HTTP/2, wrongly
		f.fault = journey.FaultHTTP2
	case c.first[0] == 0x15 || c.first[0] == 0x16:
		f.end, f.fault = journey.EndParse, journey.FaultTLSBytes
	default:
		f.end, f.fault = journey.EndParse, journey.FaultNotHTTP
	}
	return f
}

// readFrame reads one frame and does what it says. nil means that the connection goes on.
func (c *h2conn) readFrame() *h2Failure {
	head, err := c.br.Peek(h2FrameHeader)
	if !c.begun {
		// The buffer holds at least what was peeked at, and often a whole answer of another protocol.
		have, _ := c.br.Peek(min(c.br.Buffered(), 200))
		c.first = append(c.first[:0], have...)
	}
	if err != nil {
		return c.socketFailure(err)
	}
	h := readH2Header(head)
	_, _ = c.br.Discard(h2FrameHeader)
	c.mu.Lock()
	c.lastRead, c.pinged = clock(), 0
	if h.kind == http2.FrameHeaders || h.kind == http2.FrameData {
		c.heard, c.pings = c.lastRead, 0
	}
	c.mu.Unlock()
	if !c.begun && (h.kind != http2.FrameSettings || h.flags.Has(http2.FlagSettingsAck)) {
		return c.broke(breachH2(http2.ErrCodeProtocol, "its first frame is not SETTINGS"))
	}
	if b := h.check(h2MaxFrame); b != nil {
		return c.broke(b)
	}
	switch h.kind {
	case http2.FrameData:
		return c.onData(&h)
	case http2.FrameHeaders:
		return c.onHeaders(&h)
	case http2.FrameContinuation:
		return c.broke(breachH2(http2.ErrCodeProtocol, "a CONTINUATION frame continues nothing"))
	}
	p, f := c.payload(&h)
	if f != nil {
		return f
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var b *h2Breach
	switch h.kind {
	case http2.FrameSettings:
		b = c.onSettings(&h, p)
	case http2.FrameRSTStream:
		b = c.onReset(&h, p)
	case http2.FrameGoAway:
		c.onGoAway(p)
	case http2.FramePing:
		if !h.flags.Has(http2.FlagPingAck) {
			c.queue(func(out []byte) []byte { return appendH2Ping(out, http2.FlagPingAck, [8]byte(p)) })
		}
	case http2.FrameWindowUpdate:
		b = c.onWindow(&h, p)
	}
	if b != nil {
		return c.broke(b)
	}
	return nil
}

// payload reads a control frame's payload. It is valid until the next read.
func (c *h2conn) payload(h *h2Header) ([]byte, *h2Failure) {
	p, err := c.br.Peek(h.length)
	if err != nil {
		return nil, c.socketFailure(err)
	}
	_, _ = c.br.Discard(h.length)
	return p, nil
}

// onSettings applies the peer's settings (RFC 9113 section 6.5.2) and acknowledges them.
func (c *h2conn) onSettings(h *h2Header, p []byte) *h2Breach {
	if h.flags.Has(http2.FlagSettingsAck) {
		return nil
	}
	for ; len(p) >= 6; p = p[6:] {
		id, v := http2.SettingID(binary.BigEndian.Uint16(p)), binary.BigEndian.Uint32(p[2:])
		if err := (http2.Setting{ID: id, Val: v}).Valid(); err != nil {
			code := http2.ErrCodeProtocol
			if id == http2.SettingInitialWindowSize {
				code = http2.ErrCodeFlowControl
			}
			return breachH2(code, "a SETTINGS frame has an impossible value for "+id.String())
		}
		switch id {
		case http2.SettingMaxConcurrentStreams:
			c.most = int(min(v, h2MaxStreams))
		case http2.SettingMaxFrameSize:
			c.maxFrame = int(min(v, 64<<10))
		case http2.SettingInitialWindowSize:
			change := int64(v) - c.initial
			c.initial = int64(v)
			for _, s := range c.streams {
				if s.window += change; s.window > h2MaxWindow {
					return breachH2(http2.ErrCodeFlowControl, "a SETTINGS frame makes a stream's window too large")
				}
			}
			c.wakeWaiting()
		case settingConnect:
			c.connect = v == 1
		}
	}
	c.queue(func(out []byte) []byte { return appendH2Header(out, 0, http2.FrameSettings, http2.FlagSettingsAck, 0) })
	c.begun, c.first = true, nil
	c.setReady()
	return nil
}

func (c *h2conn) onReset(h *h2Header, p []byte) *h2Breach {
	if h.stream >= c.next {
		return breachH2(http2.ErrCodeProtocol, "a RST_STREAM frame is on a stream that was never opened")
	}
	s := c.streams[h.stream]
	if s == nil {
		return nil
	}
	code := binary.BigEndian.Uint32(p)
	s.resetByPeer, s.lastIn = true, clock()
	s.bytesIn += int64(h2FrameHeader + h.length)
	if s.ended && code == uint32(http2.ErrCodeNo) {
		// The answer is whole; it only does not want the rest of the request (RFC 9113 section 8.1).
		s.stopSending()
		return nil
	}
	s.failLocked(&h2Failure{end: journey.EndHTTP2, signal: journey.HTTP2Reset, code: code, err: errH2Reset})
	return nil
}

// onGoAway notes that the peer takes no new streams. Those above the last one that it names were not
// worked on; the others go on (RFC 9113 section 6.8).
func (c *h2conn) onGoAway(p []byte) {
	g := &h2GoAway{
		last: binary.BigEndian.Uint32(p) & (1<<31 - 1), code: binary.BigEndian.Uint32(p[4:]), debug: clip(p[8:]),
	}
	if len(g.debug) == 0 {
		g.debug = nil
	}
	if old := c.goAway; old != nil && old.code != 0 && g.code == 0 {
		g.code, g.debug = old.code, old.debug
	}
	c.goAway = g
	f := &h2Failure{end: journey.EndHTTP2, signal: journey.HTTP2GoAway, code: g.code, goAway: g, err: errH2GoAway}
	for id, s := range c.streams {
		if id > g.last {
			s.failLocked(f)
		}
	}
	c.retireLocked()
}

func (c *h2conn) onWindow(h *h2Header, p []byte) *h2Breach {
	n := int64(binary.BigEndian.Uint32(p) & (1<<31 - 1))
	if h.stream == 0 {
		if n == 0 {
			return breachH2(http2.ErrCodeProtocol, "a WINDOW_UPDATE frame adds nothing to the connection")
		}
		if c.window += n; c.window > h2MaxWindow {
			return breachH2(http2.ErrCodeFlowControl, "a WINDOW_UPDATE frame makes the connection's window too large")
		}
		c.wakeWaiting()
		return nil
	}
	if h.stream >= c.next {
		return breachH2(http2.ErrCodeProtocol, "a WINDOW_UPDATE frame is on a stream that was never opened")
	}
	s := c.streams[h.stream]
	if s == nil {
		return nil
	}
	if n == 0 {
		s.broke(breachH2(http2.ErrCodeProtocol, "a WINDOW_UPDATE frame adds nothing to the stream"))
		return nil
	}
	if s.window += n; s.window > h2MaxWindow {
		s.broke(breachH2(http2.ErrCodeFlowControl, "a WINDOW_UPDATE frame makes the stream's window too large"))
		return nil
	}
	wakeUp(s.room)
	return nil
}

// onHeaders reads a field block with what continues it, and gives it to its stream.
func (c *h2conn) onHeaders(h *h2Header) *h2Failure {
	p, f := c.payload(h)
	if f != nil {
		return f
	}
	p, b := h.unpad(p)
	if b != nil {
		return c.broke(b)
	}
	c.mu.Lock()
	s := c.streams[h.stream]
	never := h.stream >= c.next
	trailer := s != nil && s.headed
	c.mu.Unlock()
	if never {
		return c.broke(breachH2(http2.ErrCodeProtocol, "a HEADERS frame is on a stream that was never opened"))
	}
	limits := c.pool.origin.o.Limits
	c.block.reset(limits, trailer)
	total, frames := 0, 1
	for ended := h.flags.Has(http2.FlagHeadersEndHeaders); ; frames++ {
		if total += len(p); total > 4*limits.Head || frames > 1000 {
			// What a block does to the decoder's table cannot be left out: the connection is lost with it.
			f := c.broke(breachH2(http2.ErrCodeEnhanceYourCalm, "a field block does not end"))
			own := *f
			own.fault = journey.FaultHeadTooLarge
			c.mu.Lock()
			if s != nil {
				s.failLocked(&own)
			}
			c.failLocked(f)
			c.mu.Unlock()
			return f
		}
		if _, err := c.hdec.Write(p); err != nil {
			return c.broke(breachH2(http2.ErrCodeCompression, "a field block cannot be decoded (HPACK)"))
		}
		if ended {
			break
		}
		var next h2Header
		if p, next, f = c.continuation(h.stream); f != nil {
			return f
		}
		ended = next.flags.Has(http2.FlagContinuationEndHeaders)
	}
	if c.hdec.Close() != nil {
		return c.broke(breachH2(http2.ErrCodeCompression, "a field block ends within a field (HPACK)"))
	}
	c.block.done()
	c.mu.Lock()
	defer c.mu.Unlock()
	// A caller that has left took the stream out of the connection meanwhile.
	if s != nil && !s.gone {
		s.onBlock(&c.block, h.flags.Has(http2.FlagHeadersEndStream), total+frames*h2FrameHeader)
	}
	return nil
}

// continuation reads the frame that continues a field block: nothing else may come (section 6.10).
func (c *h2conn) continuation(stream uint32) ([]byte, h2Header, *h2Failure) {
	head, err := c.br.Peek(h2FrameHeader)
	if err != nil {
		return nil, h2Header{}, c.socketFailure(err)
	}
	h := readH2Header(head)
	_, _ = c.br.Discard(h2FrameHeader)
	if h.kind != http2.FrameContinuation || h.stream != stream {
		return nil, h, c.broke(breachH2(http2.ErrCodeProtocol, "a field block is not continued, but another frame comes"))
	}
	if b := h.check(h2MaxFrame); b != nil {
		return nil, h, c.broke(b)
	}
	p, f := c.payload(&h)
	return p, h, f
}

// onData reads a DATA frame into its stream's buffers.
func (c *h2conn) onData(h *h2Header) *h2Failure {
	size, pad := h.length, 0
	if h.flags.Has(http2.FlagDataPadded) {
		if size == 0 {
			return c.broke(breachH2(http2.ErrCodeFrameSize, "a padded frame is empty"))
		}
		n, err := c.br.ReadByte()
		if err != nil {
			return c.socketFailure(err)
		}
		if pad, size = int(n), size-1; pad > size {
			return c.broke(breachH2(http2.ErrCodeProtocol, "a frame's padding is longer than the frame"))
		}
		size -= pad
	}
	c.mu.Lock()
	s := c.streams[h.stream]
	if h.stream >= c.next {
		c.mu.Unlock()
		return c.broke(breachH2(http2.ErrCodeProtocol, "a DATA frame is on a stream that was never opened"))
	}
	if c.spent += h.length; c.spent > h2ConnWindow/4 {
		n := c.spent
		c.spent = 0
		c.queue(func(p []byte) []byte { return appendH2Window(p, 0, n) })
	}
	if s != nil {
		s.takeData(h, size, pad)
	}
	c.mu.Unlock()
	for size > 0 {
		var p []byte
		if s != nil {
			p = s.space(size)
		}
		if p == nil { // nobody wants it
			if _, err := c.br.Discard(size); err != nil {
				return c.socketFailure(err)
			}
			break
		}
		n, err := io.ReadFull(c.br, p)
		s.filled(n)
		if err != nil {
			if err == io.ErrUnexpectedEOF {
				err = io.EOF
			}
			return c.socketFailure(err)
		}
		size -= n
	}
	if _, err := c.br.Discard(pad); err != nil {
		return c.socketFailure(err)
	}
	if s != nil && h.flags.Has(http2.FlagDataEndStream) {
		c.mu.Lock()
		s.endLocked()
		c.mu.Unlock()
	}
	return nil
}
