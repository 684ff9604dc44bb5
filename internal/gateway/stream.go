package gateway

import (
	"errors"
	"io"

	"causeway/internal/diagnose"
	"causeway/internal/fault"
	"causeway/internal/journey"
	"causeway/internal/llm"
	"causeway/internal/snapshot"
	"causeway/internal/wire"
)

// deliverStream passes a stream of events on as they come, each sent at once. What the caller gets
// ends as the provider's answer ended: a break is told by the dialect's error event, and no
// terminal event leaves that did not come in.
func (c *call) deliverStream(t snapshot.Chosen, u *wire.Upcall, a *journey.Attempt, s *llm.Stream) bool {
	if u.Response.Header.Has(wire.ContentEncoding) && !c.openStream(u) {
		return c.passModel(t, u, a, nil)
	}
	c.j.Stream = true
	if c.cross.on || c.guard.answers() && c.remakes() {
		c.beginCrossed(s)
		c.crossedHead(u, c.cross.writer.ContentType())
	} else {
		c.watchPassed(s)
		c.answerHead(u)
	}
	if c.recall != nil {
		c.beginEvents()
	}
	c.j.Status = u.Response.Status
	if c.ex.Start(u.Response.Status, view(u.Response.Reason), &c.answer, wire.LengthChunked, -1) != nil {
		c.releaseAnswer()
		return c.callerLeft()
	}
	for {
		p, err := c.nextEvents(u, s, a)
		if err == io.EOF {
			if !c.finishStream(s) {
				c.takeUsage(s)
				c.releaseAnswer()
				return c.callerLeft()
			}
			return c.streamOver(t, u, a, s, c.unfold.err == nil)
		}
		if err != nil {
			return c.streamOver(t, u, a, s, false)
		}
		if !c.feedStream(s, p) || len(c.pieces) > 0 && !u.Buffered() && !c.holdEvents(s) && c.ex.Flush() != nil {
			c.takeUsage(s)
			c.releaseAnswer()
			return c.callerLeft()
		}
		if s.Stopped() || c.unfold.err != nil || c.through() && c.cross.err != nil || c.guard.stopped() || c.noContent(s, a) {
			return c.streamOver(t, u, a, s, false)
		}
	}
}

// through tells whether the events of a stream go through the canonical form.
func (c *call) through() bool { return c.cross.on || c.cross.remade }

func (c *call) sendPieces() bool {
	if c.through() {
		return c.sendCrossed()
	}
	for _, p := range c.pieces {
		if c.j.FirstByte == 0 {
			c.j.FirstByte = c.since()
		}
		c.j.BytesOut += int64(len(p))
		if c.recall != nil {
			c.recall.addEvents(p)
		}
		if c.ex.Write(p) != nil {
			return false
		}
	}
	return true
}

// takeUsage notes what the stream said it used.
func (c *call) takeUsage(s *llm.Stream) {
	c.j.Usage = s.State().Usage
	if u := &c.j.Usage; u.Source == "" && s.State().Content {
		if u.Input < 0 && u.Output < 0 {
			c.countMissing(nil, s.State().Events)
		}
		u.Source = "partial" // whoever saw its end knows better
	}
	c.model.Meter(c.j.Provider).Events(s.State().Events)
}

// streamOver ends a stream that has ended, failed or broken.
func (c *call) streamOver(t snapshot.Chosen, u *wire.Upcall, a *journey.Attempt, s *llm.Stream, clean bool) bool {
	var end llm.End
	c.pieces, end = s.Finish(clean, c.pieces[:0])
	c.takeUsage(s)
	if c.guard.stopped() {
		return c.streamBlocked(t, a)
	}
	if c.through() && c.cross.err != nil {
		s.State().Problem = "an event could not be translated: " + c.cross.err.Error()
		end = llm.End{Kind: fault.MalformedStream, Problem: s.State().Problem}
		if errors.Is(c.cross.err, errLongStream) {
			s.State().Problem = "the stream is cut: " + c.cross.err.Error()
			end = llm.End{Kind: fault.ResponseBodyTooLarge, Problem: s.State().Problem}
		}
	}
	if end.Complete && c.j.Usage.Source == "partial" {
		c.j.Usage.Source = "counted"
	}
	var broken []string // what was promised and is not so
	if end.Complete && c.cross.on {
		if kind, problem, evidence := c.checkStreamed(); kind != "" {
			end, broken = llm.End{Kind: kind, Problem: problem}, append([]string{problem}, evidence...)
		}
	}
	if end.Complete {
		if c.through() {
			c.endCrossed()
			c.noteLosses()
			if c.guard.stopped() {
				return c.streamBlocked(t, a)
			}
			c.noteFound("answer")
		}
		if !c.sendPieces() {
			c.releaseAnswer()
			return c.callerLeft()
		}
		if c.recall != nil {
			c.keepStreamReply()
		}
		return c.complete(t, u, a)
	}
	if a.End == journey.EndCaller || a.End == journey.EndHedged {
		c.releaseAnswer()
		return c.callerLeft()
	}
	if c.unfold.err != nil && end.Kind == "" {
		end.Kind, end.Problem = fault.MalformedStream, "its compressed bytes could not be read on: "+c.unfold.err.Error()
		s.State().Problem = end.Problem
		c.tellUnread("answer", c.unfold.err)
	}
	if a.Kind = end.Kind; a.Kind == "" {
		a.Kind = diagnose.Kind(a)
	}
	if frame := s.State().Error; !s.State().Content && frame.Kind != "" && frame.Kind != fault.ProviderError {
		// Before any of the answer, and it says what is wrong: it failed as a refusal would have.
		a.Kind = frame.Kind
	}
	c.noteFound("answer")
	evidence := append(streamEvidence(s), broken...)
	if s.State().Events == 0 && a.Kind == fault.TruncatedStream && len(c.streamHead) > 0 && c.streamHead[0] == '<' {
		a.Kind = fault.MalformedStream
		end.Problem = "instead of events came " + llm.DescribeBody(c.streamHead)
	}
	c.releaseAnswer()
	// Tokens that came are the caller's, also when nothing has left us yet.
	if !s.State().Content && c.ex.Withdraw() {
		c.j.Status, c.j.BytesOut, c.j.FirstByte = 0, 0, 0
		return c.modelFailed(a, a.Kind, end.Problem, evidence)
	}
	if !c.sendPieces() {
		return c.callerLeft()
	}
	c.j.Cut = true
	c.failWith(diagnose.Input{Kind: a.Kind, Attempts: c.j.Attempts, Evidence: evidence, Status: 200})
	state := s.State()
	if c.through() {
		state = c.cross.writer.State()
	}
	event := c.dialect.AppendErrorEvent(nil, c.op, c.modelFailure(c.finding, c.faultView()), state)
	c.j.BytesOut += int64(len(event))
	c.commit()
	c.logFailure()
	// In a write of its own: Google's client takes for an error only what comes alone.
	if c.ex.Flush() != nil || c.ex.Write(event) != nil || c.ex.End(nil) != nil {
		c.ex.Abort()
	}
	return true
}

func streamEvidence(s *llm.Stream) (lines []string) {
	st := s.State()
	lines = append(lines, plural(st.Events, "event")+" had come")
	if st.Finish == "" {
		lines = append(lines, "no finish reason had come")
	}
	if !st.Done {
		lines = append(lines, "the stream's end mark had not come")
	}
	if st.Problem != "" {
		lines = append(lines, st.Problem)
	}
	return append(lines, st.Error.Evidence()...)
}
