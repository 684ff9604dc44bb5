package gateway

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	"causeway/internal/coding"
	"causeway/internal/fault"
	"causeway/internal/wire"
)

// A model's call may come in a content coding: Codex sends zstd, others gzip. Its text is read here, since the model
// stands in it, and goes to the provider as it is: most take no coding. What it unfolds to is bounded in size and in
// proportion, and its memory asked for as it grows, as that of any other body is.

// unfoldAtOnce is how much of a coded body is fed at a time.
const unfoldAtOnce = 16 << 10

// unfoldBody puts the text of a coded body in its place. It returns false when the call has failed.
func (c *call) unfoldBody() bool {
	encoding := string(c.rq.Header.Get(wire.ContentEncoding))
	if coding.None(encoding) {
		return true
	}
	if c.rq.Header.Count(wire.ContentEncoding) > 1 || !coding.Known(encoding) {
		text := fmt.Sprintf("The request's body comes in the Content-Encoding %q: one of gzip, deflate, br, zstd is taken, or none.", clipText(encoding))
		return c.fail(failure{kind: fault.BadRequest, status: http.StatusUnsupportedMediaType, detail: text, safe: text})
	}
	limit := min(c.bodyLimit(), maxModelBody)
	d, err := coding.New(encoding, c.sharing(coding.Limits{Bytes: limit, Ratio: coding.MaxRatio}))
	if err != nil {
		return c.fail(failure{kind: fault.GatewayBug})
	}
	defer d.Close()
	text := make([]byte, 0, min(4*int64(len(c.body))+512, limit)+nameRoom)
	full := false // the memory for more is not there
	if cap(text) > keepBody && !c.needMemory(int64(cap(text))) {
		return false
	}
	take := func(p []byte) {
		if full || int64(len(text)+len(p)) > limit {
			return // the decoder ends at the limit by itself
		}
		if len(text)+len(p) > cap(text) {
			more := min(cap(text), int(limit)+nameRoom-cap(text))
			if full = !c.needMemory(int64(more)); full {
				return
			}
			text = slices.Grow(text, cap(text)+more-len(text))
		}
		text = append(text, p...)
	}
	for rest := c.body; err == nil && !full && len(rest) > 0; {
		n := min(len(rest), unfoldAtOnce)
		err = d.Feed(rest[:n], take)
		rest = rest[n:]
	}
	if err == nil && !full {
		err = d.Finish(take)
	}
	switch {
	case full:
		return false
	case errors.Is(err, coding.ErrBound):
		c.tellUnread("request", err)
		what := fmt.Sprintf("The request's body is too large: %d bytes of %s unfold to more than is taken (at most %s, and %d times as many).", len(c.body), encoding, snapshotSize(limit), coding.MaxRatio)
		return c.fail(failure{kind: fault.BodyTooLarge, detail: what, safe: what, evidence: []string{err.Error()}})
	case err != nil:
		what := "The request's body is not in the coding that its Content-Encoding names: " + err.Error() + "."
		return c.fail(failure{kind: fault.BadRequest, detail: what, safe: what})
	}
	c.note("translate", fmt.Sprintf("the body came in %s: %d bytes of %d", encoding, len(text), len(c.body)))
	c.body, c.ownBody = text, true
	c.dropped |= 1 << wire.ContentEncoding
	return true
}
