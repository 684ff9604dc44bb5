package openai

import (
	"slices"

	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsontree"
)

// delta writes a piece of a part.
func (s *responsesWriter) delta(ev *canon.Event) {
	o := s.partOf(ev.Part)
	if o == nil {
		return
	}
	p := s.source(o)
	o.text = append(o.text, ev.Text...)
	switch p.Kind {
	case canon.Text:
		s.inPart("response.output_text.delta", o)
		s.w.StrMember("delta", ev.Text)
		writeProbsMember(&s.w, s.probs)
		o.probs = joinProbs(o.probs, s.probs)
		s.probs = s.probs[:0]
	case canon.Refusal:
		s.inPart("response.refusal.delta", o)
		s.w.StrMember("delta", ev.Text)
	case canon.Thinking:
		s.beginThought(o)
		s.inPart(thoughtEvent(p, "delta"), o)
		s.w.StrMember("delta", ev.Text)
	case canon.ToolCall:
		s.of(callEvent(p, "delta"), o.item)
		s.w.StrMember("delta", ev.Text)
	default:
		return
	}
	s.send()
}

func joinProbs(dst, more []byte) []byte {
	if len(dst) > 0 && len(more) > 0 {
		dst = append(dst, ',')
	}
	return append(dst, more...)
}

func thoughtEvent(p *canon.Part, what string) string {
	switch {
	case p.Verbatim && what == "delta":
		return "response.reasoning_text.delta"
	case p.Verbatim:
		return "response.reasoning_text.done"
	case what == "delta":
		return "response.reasoning_summary_text.delta"
	}
	return "response.reasoning_summary_text.done"
}

func callEvent(p *canon.Part, what string) string {
	switch {
	case p.Call.Custom && what == "delta":
		return "response.custom_tool_call_input.delta"
	case p.Call.Custom:
		return "response.custom_tool_call_input.done"
	case what == "delta":
		return "response.function_call_arguments.delta"
	}
	return "response.function_call_arguments.done"
}

// beginThought writes, before the first piece of a thought, that its part begins: one without text has none.
func (s *responsesWriter) beginThought(o *openPart) {
	if !o.begun {
		o.begun = true
		s.thoughtPart(o, "added", "")
	}
}

func (s *responsesWriter) thoughtPart(o *openPart, what, text string) {
	kind, name := "summary_text", "response.reasoning_summary_part."+what
	if s.source(o).Verbatim {
		kind, name = "reasoning_text", "response.content_part."+what
	}
	s.inPart(name, o)
	s.w.Name("part")
	writeThought(&s.w, kind, text)
	s.send()
}

// cite writes a source of a text.
func (s *responsesWriter) cite(ev *canon.Event) {
	o := s.partOf(ev.Part)
	if o == nil || ev.Citation == nil {
		return
	}
	p := s.source(o)
	c := *ev.Citation
	for _, text := range [...]*string{&c.URL, &c.Title, &c.Cited, &c.FileID, &c.SignedBy} {
		*text = string([]byte(*text))
	}
	if c.Raw != nil {
		c.Raw = llm.AppendLine(nil, c.Raw)
	}
	p.Citations = append(p.Citations, c)
	if p.Kind != canon.Text {
		return
	}
	s.inPart("response.output_text.annotation.added", o)
	s.w.IntMember("annotation_index", int64(len(p.Citations)-1))
	s.w.Name("annotation")
	writeAnnotation(&s.w, &c, len(o.text))
	s.send()
}

// endPart writes that a part is whole, and its item if nothing can follow in it.
func (s *responsesWriter) endPart(part int) {
	i := slices.IndexFunc(s.open, func(o openPart) bool { return o.part == part })
	if i < 0 {
		return
	}
	o := s.open[i]
	s.open = slices.Delete(s.open, i, i+1)
	p := s.source(&o)
	text := string(o.text)
	switch p.Kind {
	case canon.Text:
		p.Text = text
		if len(s.probs) > 0 { // told behind the last piece of text
			s.inPart("response.output_text.delta", &o)
			s.w.StrMember("delta", "")
			writeProbsMember(&s.w, s.probs)
			s.send()
		}
		o.probs = joinProbs(o.probs, s.probs)
		s.probs = s.probs[:0]
		s.items[o.item].probs[o.content] = o.probs
		s.inPart("response.output_text.done", &o)
		s.w.StrMember("text", text)
		writeProbsMember(&s.w, o.probs)
		s.send()
		s.contentPart("response.content_part.done", &o)
		s.held = o.item
	case canon.Refusal:
		p.Text = text
		s.inPart("response.refusal.done", &o)
		s.w.StrMember("refusal", text)
		s.send()
		s.contentPart("response.content_part.done", &o)
		s.held = o.item
	case canon.Thinking:
		p.Text = text
		if o.begun {
			s.inPart(thoughtEvent(p, "done"), &o)
			s.w.StrMember("text", text)
			s.send()
			s.thoughtPart(&o, "done", text)
		}
		s.held = o.item
	case canon.ToolCall:
		s.endCall(&o, p, text)
	default:
		s.endOther(&o, p)
	}
}

func (s *responsesWriter) endCall(o *openPart, p *canon.Part, args string) {
	it := &s.items[o.item]
	if args == "" && !p.Call.Custom {
		args = "{}"
	}
	p.Call.Args = args
	s.of(callEvent(p, "done"), o.item)
	if p.Call.Custom {
		s.w.StrMember("input", args)
	} else {
		s.w.StrMember("name", p.Call.Name)
		s.w.StrMember("arguments", args)
	}
	s.send()
	s.done(o.item, func(w *jsontree.Writer) { writeCallItem(w, p, it.callID, it.id, "completed") })
	s.seal(p, callMark(it.callID))
}

// endOther writes an item that came whole.
func (s *responsesWriter) endOther(o *openPart, p *canon.Part) {
	var w jsontree.Writer
	x := itemsOut{w: &w, o: s.obj, r: s.r}
	x.item([]canon.Part{*p}, "completed")
	if len(w.Buf) == 0 {
		// Nothing of it can be said: the item does not come. It is the last one, since no part is open
		// beside it.
		s.items = s.items[:o.item]
		return
	}
	ready := func(w2 *jsontree.Writer) { w2.Raw(w.Buf) }
	s.added(o.item, func() { ready(&s.w) })
	s.done(o.item, ready)
}

// done writes that an item is whole and keeps it for the last event.
func (s *responsesWriter) done(item int, write func(*jsontree.Writer)) {
	s.event("response.output_item.done")
	s.w.IntMember("output_index", int64(item))
	s.w.Name("item")
	from := len(s.w.Buf)
	write(&s.w)
	s.items[item].json = slices.Clone(s.w.Buf[from:])
	s.send()
}

// release ends the item that was held open.
func (s *responsesWriter) release() {
	if s.held < 0 {
		return
	}
	item := s.held
	s.held = -1
	it := &s.items[item]
	last := it.parts[len(it.parts)-1]
	if last.Kind == canon.Thinking {
		mark := ""
		if last.Redacted {
			mark = sealRedacted
		}
		s.done(item, func(w *jsontree.Writer) {
			writeReasoningItem(w, it.parts, it.id, sealed(last.SignedBy, last.Signature, mark), "")
		})
		return
	}
	s.done(item, func(w *jsontree.Writer) {
		w.Object()
		w.StrMember("id", it.id)
		w.StrMember("type", "message")
		w.StrMember("status", "completed")
		w.Name("content")
		w.Array()
		for i := range it.parts {
			writeOutputContent(w, &it.parts[i], it.probs[i], true)
		}
		w.End()
		if it.parts[0].Phase != "" {
			w.StrMember("phase", it.parts[0].Phase)
		}
		w.StrMember("role", "assistant")
		w.End()
	})
	s.seal(&last, sealText)
}

// seal writes the item that carries the proof of a call or a text.
func (s *responsesWriter) seal(p *canon.Part, mark string) {
	if p.Signature == "" || p.SignedBy == dialectName || p.SignedBy == "" {
		return
	}
	item := len(s.items)
	s.items = append(s.items, writtenItem{id: s.obj.itemID("", "rs_")})
	id := s.items[item].id
	s.added(item, func() { writeReasoningItem(&s.w, nil, id, "", "") })
	s.done(item, func(w *jsontree.Writer) { writeReasoningItem(w, nil, id, sealed(p.SignedBy, p.Signature, mark), "") })
}
