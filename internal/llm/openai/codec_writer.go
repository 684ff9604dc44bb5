package openai

import (
	"strings"
	"unicode/utf8"

	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsontree"
)

// NewWriter writes the chunks of a stream for the caller of req.
func (chatCodec) NewWriter(req *canon.Request, r *canon.Report) canon.Writer {
	s := &chunks{req: req, r: r, legacy: legacy(req)}
	s.state.Sequence, s.state.Usage = -1, llm.NoUsage()
	return s
}

// chunks writes chat completion chunks. The role goes out with a choice's first piece; finish reasons, usage
// and [DONE] are held until the provider's answer is known to be whole.
type chunks struct {
	req     *canon.Request
	r       *canon.Report
	w       jsontree.Writer
	legacy  bool
	head    []byte // of each chunk, up to its choices
	foot    []byte // behind them
	choices []chunkChoice
	usage   canon.Usage
	used    bool
	state   llm.StreamState
}

// chunkChoice is what was written of one choice.
type chunkChoice struct {
	index    int
	begun    bool
	calls    int
	details  int // entries of reasoning_details
	before   int // characters of the texts before the open one
	length   int // of the open one
	parts    []chunkPart
	finished canon.Choice
}

// chunkPart is a part that is open.
type chunkPart struct {
	part     int
	kind     canon.PartKind
	call     int  // its place among the calls
	hold     bool // its arguments are written at its end
	custom   bool
	media    canon.Media
	text     []byte // of thinking, of arguments and pictures that are held
	lost     bool
	ended    bool
	cites    []canon.Citation // of the whole of a text
	id       string
	redacted bool
}

// ContentType is that of server-sent events.
func (s *chunks) ContentType() string { return "text/event-stream" }

// State is what AppendErrorEvent needs to know.
func (s *chunks) State() *llm.StreamState { return &s.state }

func (s *chunks) of(index int) *chunkChoice {
	for i := range s.choices {
		if s.choices[i].index == index {
			return &s.choices[i]
		}
	}
	s.choices = append(s.choices, chunkChoice{index: index})
	return &s.choices[len(s.choices)-1]
}

func (c *chunkChoice) find(part int) *chunkPart {
	for i := range c.parts {
		if c.parts[i].part == part {
			return &c.parts[i]
		}
	}
	return nil
}

// Write appends what ev is.
func (s *chunks) Write(dst []byte, ev *canon.Event) []byte {
	switch ev.Kind {
	case canon.Start:
		s.start(ev)
		return dst
	case canon.Beat:
		return append(dst, ": ping\n\n"...)
	case canon.Used:
		s.usage, s.used = *ev.Usage, true
		s.state.Usage = ev.Usage.Usage
		return dst
	}
	if s.head == nil {
		s.start(&canon.Event{})
	}
	c := s.of(ev.Choice)
	switch ev.Kind {
	case canon.Finished:
		c.finished = canon.Choice{Index: c.index, Finish: ev.Finish, StopWord: strings.Clone(ev.StopWord)}
		return dst
	case canon.Probs:
		s.open(dst, c)
		return s.close(ev.Logprobs, nil)
	case canon.Begin:
		return s.begin(dst, c, ev)
	}
	p := c.find(ev.Part)
	if p == nil || p.lost {
		return dst
	}
	switch ev.Kind {
	case canon.Delta:
		return s.delta(dst, c, p, ev.Text)
	case canon.Sign:
		return s.sign(dst, c, p, ev)
	case canon.Cite:
		return s.cite(dst, c, p, ev.Citation)
	case canon.MediaDelta:
		return s.media(dst, c, p, ev)
	case canon.EndPart:
		return s.end(dst, c, p)
	}
	return dst
}

// start keeps what stands in each chunk.
func (s *chunks) start(ev *canon.Event) {
	a := canon.Answer{ID: ev.ID, Model: ev.Model, Created: ev.Created}
	s.w.Reset(s.head[:0])
	s.w.Object()
	head(&s.w, &a, s.req, "chat.completion.chunk", "chatcmpl-")
	s.head = append(s.w.Buf, `,"choices":[`...)
	var w jsontree.Writer
	w.Buf = append(w.Buf, ']')
	if ev.ServiceTier != "" {
		w.Buf = append(w.Buf, `,"service_tier":`...)
		w.Str(tierOf(ev.ServiceTier))
	}
	if ev.Fingerprint != "" {
		var f jsontree.Writer
		f.Str(ev.Fingerprint)
		w.Buf = append(append(w.Buf, `,"system_fingerprint":`...), f.Buf...)
	}
	s.foot = w.Buf
	s.w.Reset(nil)
}

// open begins a chunk behind dst for a choice, up to the members of its delta, which are written to s.w.
func (s *chunks) open(dst []byte, c *chunkChoice) {
	dst = append(dst, "data: "...)
	dst = append(dst, s.head...)
	s.w.Reset(dst)
	s.w.Object()
	s.w.IntMember("index", int64(c.index))
	s.w.Name("delta")
	s.w.Object()
	if !c.begun {
		c.begun = true
		s.w.StrMember("role", "assistant")
	}
}

// close ends the delta and the chunk.
func (s *chunks) close(probs []canon.Logprob, finish *canon.Choice) []byte {
	w := &s.w
	w.End()
	if len(probs) > 0 {
		w.Name("logprobs")
		writeLogprobs(w, probs)
	}
	w.Name("finish_reason")
	if finish == nil {
		w.Null()
	} else {
		w.Str(finishWord(finish, s.legacy))
		if finish.StopWord != "" {
			w.StrMember("stop_reason", finish.StopWord)
		}
	}
	w.End()
	dst := append(w.Buf, s.foot...)
	w.Buf = nil
	return append(dst, "}\n\n"...)
}

func (s *chunks) begin(dst []byte, c *chunkChoice, ev *canon.Event) []byte {
	c.parts = append(c.parts, chunkPart{part: ev.Part, kind: ev.PartKind, id: strings.Clone(ev.ID), redacted: ev.Redacted})
	p := &c.parts[len(c.parts)-1]
	switch ev.PartKind {
	case canon.Text, canon.Refusal, canon.Thinking:
		s.state.Content = true
		return dst
	case canon.ToolCall:
		s.state.Content = true
		return s.beginCall(dst, c, p, ev.Call)
	case canon.Audio, canon.Image:
		if ev.Media != nil {
			p.media = *ev.Media
			for _, f := range [...]*string{&p.media.ID, &p.media.MIME, &p.media.URL, &p.media.Data, &p.media.Transcript} {
				*f = strings.Clone(*f)
			}
		}
		if p.kind == canon.Audio {
			return s.beginAudio(dst, c, p)
		}
		return dst
	}
	p.lost = true
	losePart(s.r, c.index, ev.Part, &canon.Part{Kind: ev.PartKind})
	return dst
}

func (s *chunks) beginCall(dst []byte, c *chunkChoice, p *chunkPart, call *canon.Call) []byte {
	p.call = c.calls
	c.calls++
	if s.legacy {
		if p.call > 0 {
			p.lost = true
			losePart(s.r, c.index, p.part, &canon.Part{Kind: canon.ToolCall})
			return dst
		}
		s.open(dst, c)
		s.w.Name("function_call")
		writeNamed(&s.w, call.Name)
		return s.close(nil, nil)
	}
	p.custom = call.Custom || isCustom(s.req, call.Name)
	p.hold = p.custom && !call.Custom
	s.open(dst, c)
	w := &s.w
	w.Name("tool_calls")
	w.Array()
	w.Object()
	w.IntMember("index", int64(p.call))
	w.StrMember("id", answerID(call.ID, "call_"))
	if p.custom {
		w.StrMember("type", "custom")
		w.Name("custom")
		w.Object()
		w.StrMember("name", call.Name)
		w.StrMember("input", "")
		w.End()
	} else {
		w.StrMember("type", "function")
		w.Name("function")
		writeNamed(w, call.Name)
	}
	w.End()
	w.End()
	return s.close(nil, nil)
}

// writeNamed begins a function's call.
func writeNamed(w *jsontree.Writer, name string) {
	w.Object()
	w.StrMember("name", name)
	w.StrMember("arguments", "")
	w.End()
}

// delta writes a piece of a part.
func (s *chunks) delta(dst []byte, c *chunkChoice, p *chunkPart, text string) []byte {
	switch p.kind {
	case canon.ToolCall:
		if p.hold {
			p.text = append(p.text, text...)
			return dst
		}
		return s.args(dst, c, p, text)
	case canon.Thinking:
		p.text = append(p.text, text...)
		return s.member(dst, c, "reasoning_content", text)
	case canon.Refusal:
		return s.member(dst, c, "refusal", text)
	case canon.Text:
		c.length += utf8.RuneCountInString(text)
		return s.member(dst, c, "content", text)
	}
	return dst
}

// member writes a delta with one text.
func (s *chunks) member(dst []byte, c *chunkChoice, name, text string) []byte {
	s.open(dst, c)
	s.w.StrMember(name, text)
	return s.close(nil, nil)
}

// args writes a piece of a call's arguments.
func (s *chunks) args(dst []byte, c *chunkChoice, p *chunkPart, text string) []byte {
	s.open(dst, c)
	w := &s.w
	if s.legacy {
		w.Name("function_call")
		w.Object()
		w.StrMember("arguments", text)
		w.End()
		return s.close(nil, nil)
	}
	w.Name("tool_calls")
	w.Array()
	w.Object()
	w.IntMember("index", int64(p.call))
	if p.custom {
		w.Name("custom")
		w.Object()
		w.StrMember("input", text)
	} else {
		w.Name("function")
		w.Object()
		w.StrMember("name", "") // Mistral's SDK wants it in each piece, and the others take it for nothing new
		w.StrMember("arguments", text)
	}
	w.End()
	w.End()
	w.End()
	return s.close(nil, nil)
}
