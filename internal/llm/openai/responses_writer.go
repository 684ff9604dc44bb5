package openai

import (
	"bytes"
	"strconv"

	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsontree"
)

// NewWriter writes a stream of events for a caller of Responses.
func (responsesCodec) NewWriter(req *canon.Request, r *canon.Report) canon.Writer {
	return &responsesWriter{req: req, r: r, state: llm.StreamState{Sequence: -1, Usage: llm.NoUsage()}, usage: canon.NoUsage(), held: -1}
}

// responsesWriter writes a streamed response. An item of text or reasoning is held open after its part has ended,
// since another part of it may follow.
type responsesWriter struct {
	req   *canon.Request
	r     *canon.Report
	w     jsontree.Writer
	obj   *responseObject
	state llm.StreamState
	items []writtenItem
	open  []openPart
	held  int // the item whose parts have ended and that has not, -1 when none is
	probs []byte
	usage canon.Usage
	out   outcome
	whole []byte // the response, once it has ended
}

// writtenItem is an output item and, once it is done, its JSON.
type writtenItem struct {
	id     string
	source string // the provider's id
	parts  []canon.Part
	probs  [][]byte
	callID string
	json   []byte
}

// openPart is a part that began and did not end.
type openPart struct {
	part, item, content int
	text                []byte
	probs               []byte
	begun               bool // of reasoning: its first piece has come
}

var _ interface{ Response() []byte } = (*responsesWriter)(nil)

// Response is the whole response as its last event told it, nil before End.
func (s *responsesWriter) Response() []byte { return s.whole }

// State is what is known of the stream.
func (s *responsesWriter) State() *llm.StreamState { return &s.state }

// ContentType is that of server-sent events.
func (s *responsesWriter) ContentType() string { return "text/event-stream" }

// Write appends what ev is as events of a streamed response.
func (s *responsesWriter) Write(dst []byte, ev *canon.Event) []byte {
	s.w.Buf = dst
	if ev.Kind == canon.Beat {
		return append(dst, ": keepalive\n\n"...)
	}
	if s.obj == nil {
		s.begin(ev)
	}
	if ev.Choice > 0 {
		s.r.Add("answer.choices."+strconv.Itoa(ev.Choice), canon.Dropped, "a response is one answer")
		return s.w.Buf
	}
	switch ev.Kind {
	case canon.Begin:
		s.part(ev)
	case canon.Delta:
		s.delta(ev)
	case canon.MediaDelta:
		if p := s.partOf(ev.Part); p != nil {
			m := s.media(p)
			m.Data += ev.Text
			m.Transcript += ev.Transcript
		}
	case canon.Sign:
		if p := s.partOf(ev.Part); p != nil {
			own := s.source(p)
			own.Signature, own.SignedBy = string([]byte(ev.Signature)), string([]byte(ev.SignedBy))
			own.Redacted = own.Redacted || ev.Redacted
		}
	case canon.Cite:
		s.cite(ev)
	case canon.Probs:
		s.probs = appendProbs(s.probs, ev.Logprobs)
	case canon.EndPart:
		s.endPart(ev.Part)
	case canon.Finished:
		s.release()
		refused := false
		for i := range s.items {
			for k := range s.items[i].parts {
				refused = refused || s.items[i].parts[k].Kind == canon.Refusal
			}
		}
		loseOfFinish(ev.Finish, s.r)
		s.out = outcomeOf(ev.Finish, string([]byte(ev.FinishRaw)), refused)
	case canon.Used:
		if s.usage = *ev.Usage; ev.ServiceTier != "" {
			s.obj.setTier(string([]byte(ev.ServiceTier)))
		}
	}
	return s.w.Buf
}

// begin writes the events that a response begins with.
func (s *responsesWriter) begin(ev *canon.Event) {
	var id, model, tier string
	var created int64
	if ev.Kind == canon.Start {
		id, model, created, tier = ev.ID, ev.Model, ev.Created, ev.ServiceTier
		loseOfAnswer(ev.Fingerprint, s.r)
	}
	s.obj = newResponseObject(s.req, string([]byte(id)), string([]byte(model)), created, string([]byte(tier)))
	for _, name := range [...]string{"response.created", "response.in_progress"} {
		s.event(name)
		s.w.Name("response")
		s.obj.write(&s.w, outcome{}, nil)
		s.send()
	}
}

// event begins an event; send ends it.
func (s *responsesWriter) event(name string) {
	s.state.Sequence++
	s.state.Events++
	s.w.Buf = append(s.w.Buf, "event: "...)
	s.w.Buf = append(s.w.Buf, name...)
	s.w.Buf = append(s.w.Buf, "\ndata: "...)
	s.w.Reset(s.w.Buf)
	s.w.Object()
	s.w.StrMember("type", name)
	s.w.IntMember("sequence_number", s.state.Sequence)
}

func (s *responsesWriter) send() {
	s.w.End()
	s.w.Buf = append(s.w.Buf, "\n\n"...)
}

// of begins an event about an item, inPart one about a part of it.
func (s *responsesWriter) of(name string, item int) {
	s.event(name)
	s.w.StrMember("item_id", s.items[item].id)
	s.w.IntMember("output_index", int64(item))
}

func (s *responsesWriter) inPart(name string, p *openPart) {
	s.of(name, p.item)
	own := s.source(p)
	if own.Kind != canon.Thinking {
		s.w.IntMember("content_index", int64(p.content))
		return
	}
	at := int64(0) // thoughts and their summaries are counted apart
	for _, before := range s.items[p.item].parts[:p.content] {
		if before.Verbatim == own.Verbatim {
			at++
		}
	}
	if own.Verbatim {
		s.w.IntMember("content_index", at)
	} else {
		s.w.IntMember("summary_index", at)
	}
}

func (s *responsesWriter) partOf(part int) *openPart {
	for i := range s.open {
		if s.open[i].part == part {
			return &s.open[i]
		}
	}
	return nil
}

// source is the canonical part that an open one is.
func (s *responsesWriter) source(p *openPart) *canon.Part {
	parts := s.items[p.item].parts
	return &parts[p.content]
}

func (s *responsesWriter) media(p *openPart) *canon.Media {
	own := s.source(p)
	if own.Media == nil {
		own.Media = &canon.Media{}
	}
	return own.Media
}

// part begins a part, and its item if it does not go on the one held open.
func (s *responsesWriter) part(ev *canon.Event) {
	s.state.Content = true
	p := canon.Part{
		Kind: ev.PartKind, Signature: string([]byte(ev.Signature)), SignedBy: string([]byte(ev.SignedBy)), Redacted: ev.Redacted,
		ID: string([]byte(ev.ID)), Raw: bytes.Clone(ev.Raw), Joined: ev.Joined, Verbatim: ev.Verbatim, Phase: string([]byte(ev.Phase)),
	}
	if c := ev.Call; c != nil {
		p.Call = &canon.Call{ID: string([]byte(c.ID)), Name: string([]byte(c.Name)), Custom: c.Custom}
	}
	if m := ev.Media; m != nil {
		p.Media = &canon.Media{MIME: string([]byte(m.MIME)), URL: string([]byte(m.URL)), Data: string([]byte(m.Data)), Transcript: string([]byte(m.Transcript))}
	}
	item := s.held
	if item >= 0 {
		parts := s.items[item].parts
		if !goesOn(&parts[len(parts)-1], &p) {
			s.release()
			item = -1
		}
	}
	s.held = -1
	if item < 0 {
		item = len(s.items)
		s.items = append(s.items, writtenItem{source: p.ID})
	}
	it := &s.items[item]
	it.parts = append(it.parts, p)
	it.probs = append(it.probs, nil)
	s.open = append(s.open, openPart{part: ev.Part, item: item, content: len(it.parts) - 1})
	if o := &s.open[len(s.open)-1]; len(it.parts) == 1 {
		s.announce(o)
	} else if isText(p.Kind) {
		s.contentPart("response.content_part.added", o)
	}
}

// announce writes that an item begins. Media and what only its own dialect understands have one event pair, at
// their end.
func (s *responsesWriter) announce(o *openPart) {
	it, p := &s.items[o.item], s.source(o)
	switch p.Kind {
	case canon.Text, canon.Refusal:
		it.id = s.obj.itemID(p.ID, "msg_")
		s.added(o.item, func() {
			s.w.Object()
			s.w.StrMember("id", it.id)
			s.w.StrMember("type", "message")
			s.w.StrMember("status", "in_progress")
			s.w.Name("content")
			s.w.Array()
			s.w.End()
			if p.Phase != "" {
				s.w.StrMember("phase", p.Phase)
			}
			s.w.StrMember("role", "assistant")
			s.w.End()
		})
		s.contentPart("response.content_part.added", o)
	case canon.Thinking:
		it.id = s.obj.itemID(p.ID, "rs_")
		s.added(o.item, func() { writeReasoningItem(&s.w, nil, it.id, "", "") })
	case canon.ToolCall:
		it.id = s.obj.itemID(p.ID, callPrefix(p.Call))
		it.callID = s.obj.itemID(p.Call.ID, "call_")
		s.added(o.item, func() { writeCallItem(&s.w, p, it.callID, it.id, "in_progress") })
	}
}

func (s *responsesWriter) added(item int, write func()) {
	s.event("response.output_item.added")
	s.w.IntMember("output_index", int64(item))
	s.w.Name("item")
	write()
	s.send()
}

// contentPart writes that a part of a message begins or ends.
func (s *responsesWriter) contentPart(name string, o *openPart) {
	s.inPart(name, o)
	s.w.Name("part")
	writeOutputContent(&s.w, s.source(o), s.items[o.item].probs[o.content], true)
	s.send()
}

// End ends the response with its terminal event.
func (s *responsesWriter) End(dst []byte) []byte {
	s.w.Buf = dst
	if s.obj == nil {
		s.begin(&canon.Event{Kind: canon.Start})
	}
	for len(s.open) > 0 {
		s.endPart(s.open[0].part)
	}
	s.release()
	if s.out.status == "" {
		s.out = outcome{status: "completed"}
	}
	s.out.usage = &s.usage
	var output []byte
	for i := range s.items {
		if json := s.items[i].json; json != nil {
			if output != nil {
				output = append(output, ',')
			}
			output = append(output, json...)
		}
	}
	s.event("response." + s.out.status)
	s.w.Name("response")
	from := len(s.w.Buf)
	s.obj.write(&s.w, s.out, output)
	s.whole = bytes.Clone(s.w.Buf[from:])
	s.send()
	s.state.Done, s.state.Ended = true, true
	return s.w.Buf
}
