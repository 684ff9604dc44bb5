package gateway

import (
	"bytes"
	"strings"

	"causeway/internal/journey"
	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/mask"
	"causeway/internal/snapshot"
)

// guardedStream masks the events of a stream between the provider's reader and the caller's writer: each part of each
// choice is a text of its own, and what may be the begin of something is held back.
type guardedStream struct {
	parts  map[partPlace]*guardedPart
	format canon.FormatKind
}

type partPlace struct{ choice, part int }

// guardedPart is a part that has not ended.
type guardedPart struct {
	text interface {
		Feed(piece string) string
		End() string
		Found() []mask.Found
		Blocked() *mask.Found
	}
	kind  canon.PartKind
	told  int           // of text.Found, how many were noted
	later []canon.Event // signatures and citations: they stand behind the text that is held back
}

// remakes gets ready to take a stream apart whose caller and provider speak the same dialect. It returns false where
// the dialect has no canonical form for it.
func (c *call) remakes() bool {
	op := c.op
	if op == llm.Stored {
		op = llm.Responses
	}
	speaker, ok := c.dialect.(canon.Speaker)
	if !ok || speaker.Codec(op) == nil {
		c.note("guard", "the stream is not made of texts: it was not looked at")
		return false
	}
	x := &c.cross
	codec := speaker.Codec(op)
	req := &canon.Request{Dialect: c.dialect.Name(), Op: op, Stream: true, StreamUsage: true}
	if op == c.op {
		var err error
		if req, err = codec.ReadRequest(c.match(), c.body); err != nil {
			c.note("guard", "the stream was not looked at: "+err.Error())
			return false
		}
	}
	x.crossed = &crossed{form: &chatForm{from: codec, to: codec, req: req}, speaks: c.dialect, op: op, report: canon.NewReport(req)}
	x.remade = true
	return true
}

// writeEvent writes an event for the caller.
func (c *call) writeEvent(ev *canon.Event) {
	x := &c.cross
	if !c.guard.answers() {
		x.out = x.writer.Write(x.out, ev)
		return
	}
	if c.guard.blocked == nil {
		c.guardEvent(ev)
	}
}

// guardEvent writes what the caller may see of an event, and what was held back before it.
func (c *call) guardEvent(ev *canon.Event) {
	g := c.guard
	if g.stream == nil {
		g.stream = &guardedStream{parts: map[partPlace]*guardedPart{}}
		if req := c.cross.form.request(); req != nil {
			g.stream.format = req.Format.Kind
		}
	}
	at := partPlace{ev.Choice, ev.Part}
	p := g.stream.parts[at]
	if p == nil {
		switch ev.Kind {
		case canon.Begin, canon.Delta, canon.MediaDelta, canon.Sign, canon.Cite:
			p = c.guardPart(ev)
			g.stream.parts[at] = p
		}
	}
	write := func(ev *canon.Event) { c.cross.out = c.cross.writer.Write(c.cross.out, ev) }
	switch ev.Kind {
	case canon.Begin:
		if len(ev.Raw) > 0 {
			copied := *ev
			copied.Raw = c.guardJSON(ev.Raw)
			ev = &copied
		}
	case canon.Delta:
		copied := *ev
		copied.Text = p.text.Feed(ev.Text)
		g.blocked = p.text.Blocked()
		if copied.Text != "" {
			write(&copied)
		}
		return
	case canon.MediaDelta:
		copied := *ev
		copied.Transcript = p.text.Feed(ev.Transcript)
		g.blocked = p.text.Blocked()
		if !g.unread && copied.Text != "" && g.by.Answer != nil {
			g.unread = true
			c.note("guard", "sound and images of the answer were not looked at")
		}
		ev = &copied
	case canon.Sign, canon.Cite:
		copied := *ev
		copied.Signature, copied.SignedBy, copied.ID = strings.Clone(ev.Signature), strings.Clone(ev.SignedBy), strings.Clone(ev.ID)
		if ev.Citation != nil {
			copied.Citation = c.guardCitation(ev.Citation)
		}
		p.later = append(p.later, copied)
		return
	case canon.EndPart:
		if p != nil {
			c.endPart(at, p)
			delete(g.stream.parts, at)
		}
	case canon.Probs:
		if g.by.Answer != nil {
			if !g.unread {
				g.unread = true
				c.note("guard", "the likelihoods of tokens were left out of the answer, since they spell it out")
			}
			return
		}
	case canon.Finished:
		for place, p := range g.stream.parts {
			if place.choice == ev.Choice {
				c.endPart(place, p)
				delete(g.stream.parts, place)
			}
		}
	}
	if g.blocked == nil {
		write(ev)
	}
}

// guardPart begins a part.
func (c *call) guardPart(ev *canon.Event) *guardedPart {
	g := c.guard
	p := &guardedPart{kind: ev.PartKind}
	switch {
	case ev.PartKind == canon.ToolCall && (ev.Call == nil || !ev.Call.Custom),
		ev.PartKind == canon.Text && g.stream.format != canon.AnyText:
		p.text = mask.NewJSONStream(g.by.Answer, nil, &g.vault)
	case ev.PartKind == canon.Thinking:
		p.text = mask.NewStream(g.by.Answer, nil, nil) // it may be signed, and comes back as it went
	default:
		p.text = mask.NewStream(g.by.Answer, nil, &g.vault)
	}
	return p
}

// endPart writes what was held back of a part.
func (c *call) endPart(at partPlace, p *guardedPart) {
	g := c.guard
	ev := canon.Event{Kind: canon.Delta, Choice: at.choice, Part: at.part, PartKind: p.kind, Text: p.text.End()}
	if p.kind == canon.Audio || p.kind == canon.Image || p.kind == canon.Video {
		ev.Kind, ev.Text, ev.Transcript = canon.MediaDelta, "", ev.Text
	}
	if ev.Text+ev.Transcript != "" {
		c.cross.out = c.cross.writer.Write(c.cross.out, &ev)
	}
	g.add(p.text.Found()[p.told:])
	p.told = len(p.text.Found())
	if g.blocked = p.text.Blocked(); g.blocked != nil {
		return
	}
	for i := range p.later {
		c.cross.out = c.cross.writer.Write(c.cross.out, &p.later[i])
	}
	p.later = nil
}

// endGuarded writes what was held back of parts that the provider did not end.
func (c *call) endGuarded() {
	if c.guard == nil || c.guard.stream == nil {
		return
	}
	for at, p := range c.guard.stream.parts {
		if c.guard.blocked == nil {
			c.endPart(at, p)
		}
	}
}

// collect notes what parts have found that did not end.
func (s *guardedStream) collect(g *guarding) {
	for _, p := range s.parts {
		g.add(p.text.Found()[p.told:])
		p.told = len(p.text.Found())
	}
}

// guardJSON masks a piece of JSON of a streamed answer.
func (c *call) guardJSON(json []byte) []byte {
	r := mask.Rewrite{Mask: c.guard.by.Answer, Reveal: &c.guard.vault, Answer: true}
	out, err := r.JSON(json)
	if err != nil {
		return json
	}
	c.guardTook(&r)
	return out
}

func (c *call) guardTook(r *mask.Rewrite) {
	c.guard.add(r.Found)
	if c.guard.blocked == nil {
		c.guard.blocked = r.Blocked
	}
}

// guardCitation masks a citation, and copies it out of the reader's memory.
func (c *call) guardCitation(cited *canon.Citation) *canon.Citation {
	r := mask.Rewrite{Mask: c.guard.by.Answer, Reveal: &c.guard.vault, Answer: true}
	out := *cited
	out.URL, out.FileID, out.SignedBy = strings.Clone(cited.URL), strings.Clone(cited.FileID), strings.Clone(cited.SignedBy)
	out.Title, out.Cited = strings.Clone(r.Text(cited.Title)), strings.Clone(r.Text(cited.Cited))
	if len(cited.Raw) > 0 {
		out.Raw = bytes.Clone(c.guardJSON(cited.Raw))
	}
	c.guardTook(&r)
	return &out
}

// streamBlocked ends a stream in which a guardrail found what must not go on: with the call's failure while nothing
// has left us, else with the dialect's error event. It returns true: the call is over.
func (c *call) streamBlocked(t snapshot.Chosen, a *journey.Attempt) bool {
	c.noteFound("answer")
	if a.End == journey.EndOpen {
		a.End = journey.EndCancelled // we gave it up
	}
	state := c.cross.writer.State()
	c.releaseAnswer()
	t.MarkGood(c.at(c.since())) // the provider did its part
	f := c.blockedFailure()
	if c.ex.Withdraw() {
		c.j.Status, c.j.BytesOut, c.j.FirstByte = 0, 0, 0
		c.fail(f)
		return c.explained()
	}
	if !c.sendPieces() {
		return c.callerLeft()
	}
	c.j.Cut = true
	f.status = 200
	c.fail(f)
	event := c.dialect.AppendErrorEvent(nil, c.op, c.modelFailure(c.finding, c.faultView()), state)
	c.j.BytesOut += int64(len(event))
	c.commit()
	c.logFailure()
	if c.ex.Write(event) != nil || c.ex.End(nil) != nil {
		c.ex.Abort()
	}
	return true
}
