package gateway

import (
	"errors"
	"strings"

	"causeway/internal/coding"
	"causeway/internal/fault"
	"causeway/internal/journey"
	"causeway/internal/llm"
	"causeway/internal/snapshot"
	"causeway/internal/wire"
)

// Answers of providers may come in a content coding. A caller gets the provider's bytes; what is read
// in them is unfolded beside, within bounds. Only a stream of events is asked for without a coding,
// since a break in it must be told by an event, which cannot be put behind compressed bytes.

// The bounds of what is read: of a body that is held, of one that passes, and of a stream.
var (
	heldText   = coding.Limits{Bytes: holdModelBody, Ratio: coding.MaxRatio}
	longText   = coding.Limits{Bytes: 256 << 20, Ratio: coding.MaxRatio}
	streamText = coding.Limits{Ratio: coding.MaxRatio}
)

// unfolding is an answer's text being read beside the answer.
type unfolding struct {
	d     *coding.Decoder
	err   error // why reading ended before the answer did
	stint wire.Stint
}

func (f *unfolding) close() {
	if f.d != nil {
		f.d.Close()
	}
}

// appendAccept writes which codings the provider may use: the caller's, as far as they can be read
// here, and none for a stream.
func (c *call) appendAccept(dst []byte) []byte {
	if c.llmReq.Stream || kept(c.op) && !c.fetchesContent() { // these are read, or made anew
		return append(dst, "Accept-Encoding: identity\r\n"...)
	}
	h := &c.rq.Header
	if !h.Has(wire.AcceptEncoding) {
		return dst
	}
	dst = append(dst, "Accept-Encoding: "...)
	switch v := h.Get(wire.AcceptEncoding); string(v) {
	case "gzip, deflate", "gzip, deflate, br", "gzip, deflate, br, zstd", "gzip, deflate, zstd", "gzip", "gzip,deflate", "identity", "br, gzip, deflate":
		if h.Count(wire.AcceptEncoding) == 1 { // what SDKs send
			return append(append(dst, v...), '\r', '\n')
		}
	}
	begin := len(dst)
	for i := range h.Fields {
		if h.Fields[i].ID != wire.AcceptEncoding {
			continue
		}
		wire.EachToken(h.Fields[i].Value, func(t []byte) bool {
			name, _, _ := strings.Cut(view(t), ";")
			if coding.Known(name) || coding.None(name) && len(t) > 0 {
				if len(dst) > begin {
					dst = append(dst, ", "...)
				}
				dst = append(dst, t...)
			}
			return true
		})
	}
	if len(dst) == begin {
		dst = append(dst, "identity"...)
	}
	return append(dst, '\r', '\n')
}

// deliverCoded is deliverModel for a body in a content coding: it is read, and goes out as it came.
func (c *call) deliverCoded(t snapshot.Chosen, u *wire.Upcall, a *journey.Attempt, encoding string, ok bool) bool {
	if !coding.Known(encoding) {
		c.note("translate", "the answer came in the coding "+clipText(encoding)+", so that it was not read")
		return c.passModel(t, u, a, nil)
	}
	body, whole, err := holdAnswer(u, holdModelBody)
	if whole {
		a.End, a.Phase = journey.EndComplete, journey.PhaseDone
	}
	switch {
	case err != nil:
		c.releaseAnswer()
		return c.broken(t, a)
	case !whole && !ok:
		c.releaseAnswer()
		return c.modelFailed(a, fault.ResponseBodyTooLarge, "an error answer of more than "+snapshotSize(holdModelBody), nil)
	case !whole:
		c.unfold.d, _ = coding.New(encoding, c.sharing(longText))
		return c.passModel(t, u, a, body)
	}
	text, err := coding.Append(nil, encoding, body, c.sharing(heldText))
	switch {
	case !ok:
		if err != nil {
			c.note("translate", "the error's body was not read to its end: "+err.Error())
			c.tellUnread("answer", err)
		}
		return c.providerError(t, u, a, body, text)
	case errors.Is(err, coding.ErrBound):
		c.long = c.dialect.LongAnswer(c.op)
		c.unfold.d, _ = coding.New(encoding, c.sharing(longText))
		if errors.Is(err, coding.ErrRatio) {
			c.unfold.err = err // it would not be read any further
		} else {
			c.feedLong(body)
		}
		return c.hand(t, u, a, body)
	case err != nil:
		evidence := []string{"Content-Encoding: " + clipText(encoding), "the body is " + llm.DescribeBody(body)}
		c.releaseAnswer()
		return c.modelFailed(a, fault.IncompatibleResponse, "the answer's body is not in the coding that it names: "+err.Error(), evidence)
	}
	return c.wholeAnswer(t, u, a, body, text)
}

// feedLong reads a piece of an answer that passes.
func (c *call) feedLong(p []byte) {
	if c.unfold.d == nil {
		c.long.Feed(p)
		return
	}
	if c.unfold.err == nil {
		c.unfold.err = c.unfold.d.Feed(p, c.longText)
	}
}

// longText reads a piece of an answer's text.
func (c *call) longText(p []byte) { c.long.Feed(p) }

// sharing are limits of a text whose reading takes turns with that of others.
func (c *call) sharing(l coding.Limits) coding.Limits {
	l.Share = func() { c.g.lane.Share(&c.unfold.stint, wire.WorkText, c) }
	return l
}

// finishUnfold ends the reading of an answer that passed, and notes why it ended early.
func (c *call) finishUnfold(clean bool) {
	if c.unfold.d == nil {
		return
	}
	if c.unfold.err == nil && clean {
		c.unfold.err = c.unfold.d.Finish(c.longText)
	}
	if err := c.unfold.err; err != nil {
		c.note("translate", "the answer passed and was not read to its end: "+err.Error())
		c.tellUnread("answer", err)
	}
}

// openStream gets ready to read a stream of events that came in a coding although none was asked for:
// its text goes to the caller instead, so that all that holds for streams holds for it. It returns
// false when the coding is not known.
func (c *call) openStream(u *wire.Upcall) bool {
	encoding := string(u.Response.Header.Get(wire.ContentEncoding))
	if coding.None(encoding) {
		return true
	}
	d, err := coding.New(encoding, c.sharing(streamText))
	if err != nil {
		c.note("translate", "the stream came in the coding "+clipText(encoding)+", so that it was not read")
		return false
	}
	c.note("translate", "the stream came in the coding "+encoding+", which nobody asked for; its text was passed on")
	c.unfold.d = d
	u.Response.Header.DelName([]byte("Content-Encoding"))
	return true
}

// feedStream takes a piece of a stream and sends what passes of it. It returns false when the caller
// has gone.
func (c *call) feedStream(s *llm.Stream, p []byte) (sent bool) {
	if c.unfold.d == nil {
		c.takeHead(p)
		c.pieces = s.Feed(p, c.pieces[:0])
		return c.sendPieces()
	}
	sent = true
	c.pieces = c.pieces[:0]
	before := c.j.BytesOut
	c.unfold.err = c.unfold.d.Feed(p, func(text []byte) { sent = sent && c.feedText(s, text) })
	return sent && (c.j.BytesOut == before || c.ex.Flush() == nil)
}

// finishStream takes the end of a stream's body.
func (c *call) finishStream(s *llm.Stream) (sent bool) {
	if c.unfold.d == nil {
		return true
	}
	sent = true
	c.unfold.err = c.unfold.d.Finish(func(text []byte) { sent = sent && c.feedText(s, text) })
	return sent
}

func (c *call) feedText(s *llm.Stream, text []byte) bool {
	c.takeHead(text)
	c.pieces = s.Feed(text, c.pieces[:0])
	return c.sendPieces()
}

// takeHead keeps how a stream began.
func (c *call) takeHead(p []byte) {
	if len(c.streamHead) == 0 {
		c.streamHead = append(c.streamHead, p[:min(len(p), 512)]...)
	}
}

// peekText is the begin of an answer's text, from its first piece.
func peekText(u *wire.Upcall, first []byte) []byte {
	const most = 1024
	if len(first) > 0 && u.Response.Header.Has(wire.ContentEncoding) {
		if encoding := view(u.Response.Header.Get(wire.ContentEncoding)); coding.Known(encoding) {
			text, _ := coding.Append(nil, encoding, first, coding.Limits{Bytes: most})
			return text
		}
	}
	return first[:min(len(first), most)]
}

// clipText bounds a text of a peer's.
func clipText(s string) string { return s[:min(len(s), 60)] }
