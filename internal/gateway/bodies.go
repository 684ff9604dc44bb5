package gateway

import (
	"bytes"
	"sync"

	"causeway/internal/coding"
	"causeway/internal/ledger"
	"causeway/internal/wire"
)

// mostKept is how much of a body the call log keeps.
const mostKept = 16 << 10

// keepBodies is whether the call log keeps bodies of this call, when the service, or llm.keep_bodies for one to a model, says so.
func (c *call) keepBodies(failed bool) bool {
	var keep string
	switch {
	case c.svc != nil:
		keep = c.svc.KeepBodies
	case c.model != nil:
		keep = c.gen.KeepModelBodies
	}
	return keep == "true" || keep == "failures" && failed
}

// loggedBody is the begin of a body that is passed on while it comes, for the call log. The upload
// may still be running when the call is committed.
type loggedBody struct {
	mu  sync.Mutex
	buf []byte
}

func (l *loggedBody) add(p []byte) {
	l.mu.Lock()
	if room := mostKept - len(l.buf); room > 0 {
		l.buf = append(l.buf, p[:min(len(p), room)]...)
	}
	l.mu.Unlock()
}

func (l *loggedBody) bytes() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Clone(l.buf)
}

// keepRequest is the request's body as the call log keeps it, nil where there is none.
func (c *call) keepRequest() []byte {
	body := c.body
	if body == nil && c.limit.log != nil {
		body = c.limit.log.bytes()
	}
	return clipBody(body, view(c.rq.Header.Get(wire.ContentEncoding)))
}

// clipBody is the begin of a body, masked. One in a content coding is kept as text, since no secret can
// be masked in it otherwise; for the same reason one in a coding that is not known is not kept.
func clipBody(b []byte, encoding string) []byte {
	if len(b) == 0 {
		return nil
	}
	if !coding.None(encoding) {
		if !coding.Known(encoding) {
			return nil
		}
		// What was kept may be its begin alone: as far as it goes.
		if text, _ := coding.Append(nil, encoding, b[:min(len(b), mostKept)], coding.Limits{Bytes: mostKept}); len(text) > 0 {
			b = text
		}
	}
	return ledger.Mask(b, mostKept)
}

func (c *call) keepAnswer(p []byte) {
	if room := mostKept - len(c.j.ResponseBody); room > 0 {
		c.j.ResponseBody = append(c.j.ResponseBody, p[:min(len(p), room)]...)
	}
}
