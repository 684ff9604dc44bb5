package gemini

import (
	"strings"

	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsontree"
)

// streamWriter implements canon.Writer: one chunk for each piece of text, one for each whole call, since the API
// has no calls in pieces, and at the end one with the finish reasons and the usage. Heartbeats are left out:
// Google's SDKs for Go and Python fail at a comment.
type streamWriter struct {
	w        jsontree.Writer
	r        *canon.Report
	framed   bool
	state    llm.StreamState
	id       string
	model    string
	created  int64
	tier     string
	usage    canon.Usage
	parts    []heldPart
	finished []heldFinish
	choices  []heldChoice
}

// heldPart is a part that is written when it is whole.
type heldPart struct {
	choice, part int
	p            canon.Part
	call         canon.Call
	media        canon.Media
	text         []byte // of arguments or of base64
}

type heldFinish struct {
	choice int
	word   string
}

// heldChoice is what is kept of a candidate for the last chunk.
type heldChoice struct {
	index int
	parts int  // as the caller counts them: pieces of one text are one
	wide  bool // the text so far is not ASCII, so that places in it can't be counted in bytes
	cites []citation
}

// NewWriter writes chunks: as events, or as the elements of an array for a caller that did not ask for events.
func (codec) NewWriter(req *canon.Request, r *canon.Report) canon.Writer {
	s := &streamWriter{r: r, framed: req.Framed, model: req.Model, usage: canon.NoUsage()}
	s.state.Framed, s.state.Sequence = req.Framed, -1
	return s
}

// State tells of the stream; its Sequence counts chunks.
func (s *streamWriter) State() *llm.StreamState { return &s.state }

// ContentType is that of events or of JSON.
func (s *streamWriter) ContentType() string {
	if s.framed {
		return "application/json"
	}
	return "text/event-stream"
}

// Write appends the chunk that ev makes, if it makes one.
func (s *streamWriter) Write(dst []byte, ev *canon.Event) []byte {
	switch ev.Kind {
	case canon.Start:
		s.id, s.tier, s.created = strings.Clone(ev.ID), strings.Clone(ev.ServiceTier), ev.Created
		if ev.Model != "" {
			s.model = strings.Clone(ev.Model)
		}
	case canon.Begin:
		return s.begin(dst, ev)
	case canon.Delta, canon.MediaDelta:
		if h := s.held(ev); h != nil {
			h.text = append(h.text, ev.Text...)
			h.media.Transcript += ev.Transcript
			return dst
		}
		s.choice(ev.Choice).wide = s.choice(ev.Choice).wide || !ascii(ev.Text)
		return s.chunk(dst, ev.Choice, &canon.Part{Kind: ev.PartKind, Text: ev.Text})
	case canon.Sign:
		return s.sign(dst, ev)
	case canon.Cite:
		s.cite(ev)
	case canon.EndPart:
		return s.endPart(dst, ev)
	case canon.Probs:
		s.open(dst)
		writeNothing(&s.w)
		s.w.IntMember("index", int64(ev.Choice))
		writeLogprobs(&s.w, ev.Logprobs)
		return s.close()
	case canon.Finished:
		loseStopWord(ev.StopWord, s.r)
		s.finished = append(s.finished, heldFinish{ev.Choice, finishWord(ev.Finish, strings.Clone(ev.FinishRaw))})
	case canon.Used:
		s.usage = *ev.Usage
		if ev.ServiceTier != "" {
			s.tier = strings.Clone(ev.ServiceTier)
		}
	}
	return dst
}

func (s *streamWriter) choice(index int) *heldChoice {
	for i := range s.choices {
		if s.choices[i].index == index {
			return &s.choices[i]
		}
	}
	s.choices = append(s.choices, heldChoice{index: index})
	return &s.choices[len(s.choices)-1]
}

func (s *streamWriter) held(ev *canon.Event) *heldPart {
	for i := range s.parts {
		if h := &s.parts[i]; h.choice == ev.Choice && h.part == ev.Part {
			return h
		}
	}
	return nil
}

func (s *streamWriter) begin(dst []byte, ev *canon.Event) []byte {
	c := s.choice(ev.Choice)
	if len(c.cites) > 0 { // the sources of a text stand in the last chunk of it
		s.open(dst)
		writeNothing(&s.w)
		s.w.IntMember("index", int64(ev.Choice))
		writeCitations(&s.w, c.cites)
		dst, c.cites = s.close(), nil
	}
	c.parts++
	switch {
	case ev.PartKind == canon.ToolCall && ev.Call != nil:
		s.hold(ev)
	case ev.PartKind == canon.Other:
		if ev.SignedBy == dialect && ev.Raw != nil {
			return s.chunk(dst, ev.Choice, &canon.Part{Kind: canon.Other, Raw: ev.Raw, SignedBy: dialect})
		}
		s.r.Add("answer."+orElse(ev.SignedBy, "other")+"_part", canon.Dropped, "only its own dialect knows it")
	case isMediaKind(ev.PartKind):
		s.hold(ev)
	case ev.Signature != "":
		return s.sign(dst, ev)
	}
	return dst
}

func isMediaKind(k canon.PartKind) bool {
	return k == canon.Image || k == canon.Audio || k == canon.Video || k == canon.Document
}

func (s *streamWriter) hold(ev *canon.Event) {
	h := heldPart{choice: ev.Choice, part: ev.Part}
	h.p.Kind, h.p.Redacted = ev.PartKind, ev.Redacted
	h.p.Signature, h.p.SignedBy = strings.Clone(ev.Signature), strings.Clone(ev.SignedBy)
	if ev.Call != nil {
		h.call = canon.Call{ID: strings.Clone(ev.Call.ID), Name: strings.Clone(ev.Call.Name), Custom: ev.Call.Custom}
	}
	if m := ev.Media; m != nil {
		h.media = canon.Media{MIME: strings.Clone(m.MIME), URL: strings.Clone(m.URL), FileID: strings.Clone(m.FileID), Transcript: strings.Clone(m.Transcript)}
		h.text = append(h.text, m.Data...)
	}
	s.parts = append(s.parts, h)
}

func (s *streamWriter) sign(dst []byte, ev *canon.Event) []byte {
	if h := s.held(ev); h != nil {
		h.p.Signature, h.p.SignedBy = strings.Clone(ev.Signature), strings.Clone(ev.SignedBy)
		return dst
	}
	if ev.Signature == "" || ev.PartKind == canon.Other {
		return dst
	}
	return s.chunk(dst, ev.Choice, &canon.Part{Kind: ev.PartKind, Signature: ev.Signature, SignedBy: ev.SignedBy, Redacted: ev.Redacted})
}

func (s *streamWriter) cite(ev *canon.Event) {
	c := s.choice(ev.Choice)
	cite := citation{Citation: *ev.Citation, part: c.parts - 1}
	cite.URL, cite.FileID = strings.Clone(cite.URL), strings.Clone(cite.FileID)
	cite.Title, cite.Cited, cite.Raw = strings.Clone(cite.Title), strings.Clone(cite.Cited), nil
	tellCitation(&cite.Citation, s.r)
	if c.wide {
		cite.Start, cite.End = -1, -1
	}
	c.cites = append(c.cites, cite)
}

func (s *streamWriter) endPart(dst []byte, ev *canon.Event) []byte {
	for i := range s.parts {
		h := &s.parts[i]
		if h.choice != ev.Choice || h.part != ev.Part {
			continue
		}
		if h.p.Kind == canon.ToolCall {
			h.call.Args = string(h.text)
			h.p.Call = &h.call
		} else {
			h.media.Data = string(h.text)
			h.p.Media = &h.media
		}
		dst = s.chunk(dst, h.choice, &h.p)
		s.parts = append(s.parts[:i], s.parts[i+1:]...)
		break
	}
	return dst
}

// chunk appends a chunk with one part.
func (s *streamWriter) chunk(dst []byte, choice int, p *canon.Part) []byte {
	s.open(dst)
	s.w.Name("content")
	s.w.Object()
	s.w.Name("parts")
	s.w.Array()
	writeAnswerPart(&s.w, p, s.r)
	s.w.End()
	s.w.StrMember("role", "model")
	s.w.End()
	s.w.IntMember("index", int64(choice))
	return s.close()
}

// open begins a chunk up to the inside of its one candidate.
func (s *streamWriter) open(dst []byte) {
	s.frame(dst)
	s.w.Object()
	s.w.Name("candidates")
	s.w.Array()
	s.w.Object()
}

// frame writes what stands before a chunk.
func (s *streamWriter) frame(dst []byte) {
	switch {
	case !s.framed:
		dst = append(dst, "data: "...)
	case s.state.Sequence < 0:
		dst = append(dst, '[')
	default:
		dst = append(dst, ",\r\n"...)
	}
	s.state.Sequence++
	s.state.Content = true
	s.w.Reset(dst)
}

// close ends the candidate and the chunk.
func (s *streamWriter) close() []byte {
	s.w.End()
	s.w.End()
	writeFrame(&s.w, s.id, s.model, s.created)
	return s.seal()
}

func (s *streamWriter) seal() []byte {
	s.w.End()
	if !s.framed {
		s.w.Buf = append(s.w.Buf, "\n\n"...)
	}
	return s.w.Buf
}

// writeNothing writes a content with an empty text, as the API does in chunks that say nothing: Google's SDKs leave a
// turn out of a chat's history when one of its chunks has no content.
func writeNothing(w *jsontree.Writer) {
	w.Name("content")
	w.Object()
	w.Name("parts")
	w.Array()
	w.Object()
	w.StrMember("text", "")
	w.End()
	w.End()
	w.StrMember("role", "model")
	w.End()
}

// End appends the last chunk: why each candidate stopped, its sources, and the usage.
func (s *streamWriter) End(dst []byte) []byte {
	if len(s.finished) == 0 {
		s.finished = append(s.finished, heldFinish{0, finishWord(canon.Failed, "")})
	}
	s.frame(dst)
	w := &s.w
	w.Object()
	w.Name("candidates")
	w.Array()
	for _, f := range s.finished {
		w.Object()
		writeNothing(w)
		w.StrMember("finishReason", f.word)
		w.IntMember("index", int64(f.choice))
		writeCitations(w, s.choice(f.choice).cites)
		w.End()
	}
	w.End()
	writeMetadata(w, &s.usage, s.tier)
	loseUsage(&s.usage, s.r)
	writeFrame(w, s.id, s.model, s.created)
	dst = s.seal()
	if s.framed {
		dst = append(dst, "]\n"...)
	}
	s.state.Ended, s.state.Done = true, true
	return dst
}
