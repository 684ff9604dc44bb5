package gateway

import (
	"fmt"
	"io"

	"causeway/internal/fault"
	"causeway/internal/llm"
	"causeway/internal/wire"
)

// readModelBody holds the whole body.
func (c *call) readModelBody() bool {
	if b, ok := c.ex.Buffered(); ok {
		c.body = b
		return !c.rq.Header.Has(wire.ContentEncoding) || c.unfoldBody()
	}
	limit := min(c.bodyLimit(), maxModelBody)
	if c.rq.Length > limit {
		return c.modelTooLarge(c.rq.Length, limit)
	}
	var buf []byte
	switch {
	case c.rq.Length >= 0 && c.rq.Length <= keepBody:
		c.held = c.g.bodies.Get().(*[keepBody]byte)[:]
		buf = c.held[:0:c.rq.Length]
	default:
		if c.rq.Length > 0 && !c.mayNeedMemory(c.rq.Length) {
			return false
		}
		buf = make([]byte, 0, 16<<10)
	}
	for {
		if len(buf) == cap(buf) {
			if int64(len(buf)) == c.rq.Length {
				break
			}
			if buf = c.moreRoom(buf); buf == nil {
				return false
			}
		}
		n, err := c.ex.ReadBody(buf[len(buf):cap(buf)], c.bodySilence())
		buf = buf[:len(buf)+n]
		if err == io.EOF {
			break
		}
		if err != nil {
			return c.bodyFault(err)
		}
		if int64(len(buf)) > limit {
			return c.modelTooLarge(-1, limit)
		}
	}
	c.body, c.ownBody = buf, c.held == nil
	return !c.rq.Header.Has(wire.ContentEncoding) || c.unfoldBody()
}

// surely is how much of a body must have come for its caller to be believed to send all that it declares.
const surely = 1 << 20

// moreRoom doubles a body's buffer, and asks for the memory: what a caller declares it may never send, until much of it
// has come. It returns nil when the call has failed for want of memory.
func (c *call) moreRoom(buf []byte) []byte {
	more := int64(cap(buf))
	if n := c.rq.Length; n >= 0 {
		if more < surely {
			more = min(more, n-more+nameRoom)
		} else {
			more = n - more + nameRoom
		}
	}
	if cap(buf) >= keepBody && !c.needMemory(more) {
		return nil
	}
	next := make([]byte, len(buf), int64(cap(buf))+more)
	copy(next, buf)
	return next
}

func (c *call) modelTooLarge(declared, limit int64) bool {
	if limit < maxModelBody {
		return c.tooLarge(declared)
	}
	text := fmt.Sprintf("The request's body is too large: a model's call may have %s.", snapshotSize(limit))
	return c.fail(failure{kind: fault.BodyTooLarge, detail: text, safe: text})
}

// longestModel is the longest name of a model, in bytes: longer ones are told of in errors, logs and records as well.
const longestModel = 512

// renamable tells whether the model's name is better changed in the body itself than in a copy of it.
func (c *call) renamable() bool {
	return c.llmReq.Verbatim || len(c.body) > keepBody && len(c.llmReq.Also) == 0
}

// askModel makes the body for the model of this attempt.
func (c *call) askModel() []byte {
	if c.op == llm.Realtime {
		c.askRealtime()
		return nil
	}
	if d := c.provider.Reshape(); d != nil {
		return c.askReshaped(d)
	}
	if c.cross.on {
		c.askedUsage = false
		return c.cross.body
	}
	c.askedUsage = c.llmReq.Stream && !c.llmReq.UsageAsked && (c.llmReq.AskUsage.Text != "" && c.provider.MustAskUsage || c.llmReq.Asked)
	if string(c.llmReq.Model) == c.j.TargetModel && !c.askedUsage || kept(c.op) {
		return c.body
	}
	if c.again == 1 && c.ownBody && c.leg == nil && c.renamable() {
		c.body = c.llmReq.Rename(c.body, c.j.TargetModel, c.askedUsage)
		return c.body
	}
	c.rewrite = c.llmReq.Rewrite(c.rewrite[:0], c.body, c.j.TargetModel, c.askedUsage)
	return c.rewrite
}

// askReshaped makes the body for a provider that takes the dialect's in another form.
func (c *call) askReshaped(d llm.Reshape) []byte {
	c.askedUsage = false
	body, op := c.body, c.op
	if c.cross.on {
		body, op = c.cross.body, c.cross.op
	} else if string(c.llmReq.Model) != c.j.TargetModel {
		body = c.llmReq.Rewrite(nil, c.body, c.j.TargetModel, false)
	}
	c.rewrite = d.AppendBody(c.rewrite[:0], body, op)
	return c.rewrite
}
