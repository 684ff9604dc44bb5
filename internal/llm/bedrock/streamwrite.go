package bedrock

import (
	"causeway/internal/llm"
	"causeway/internal/llm/canon"
)

// NewWriter writes the frames of ConverseStream.
func (codec) NewWriter(_ *canon.Request, r *canon.Report) canon.Writer {
	return &streamWriter{r: r, usage: canon.NoUsage(), state: llm.StreamState{Sequence: -1}}
}

// streamWriter implements canon.Writer. messageStop and metadata are held back until the answer was whole.
type streamWriter struct {
	w       jsonWriter
	r       *canon.Report
	state   llm.StreamState
	started bool
	blocks  int // written so far
	open    []writtenPart
	stop    canon.Choice
	usage   canon.Usage
	tier    string
	latency int64
}

// writtenPart is a part that has begun. Its block begins with its first frame.
type writtenPart struct {
	part  int
	kind  canon.PartKind
	index int64  // of its block, -1 before that has begun
	mute  bool   // it has no place in an answer of Bedrock
	some  bool   // of a call some input came
	rest  string // base64 that waits for its group of four
}

// frame appends a frame whose payload is written by write.
func (s *streamWriter) frame(dst []byte, event string, write func(w *jsonWriter)) []byte {
	start := len(dst)
	dst = beginFrame(dst, "event", event)
	payload := len(dst)
	s.w.Reset(dst)
	s.w.Object()
	write(&s.w)
	s.w.End()
	dst = endFrame(s.w.Buf, start, payload)
	s.w.Buf = nil
	s.state.Events++
	return dst
}

// Write appends the frames for one event.
func (s *streamWriter) Write(dst []byte, ev *canon.Event) []byte {
	if ev.Choice != 0 {
		if ev.Kind != canon.Beat && ev.Kind != canon.Start && ev.Kind != canon.Used {
			s.r.Add("answer.choices", canon.Dropped, "Bedrock's answers have one choice")
			return dst
		}
	}
	switch ev.Kind {
	case canon.Start:
		if ev.ServiceTier != "" {
			s.tier = string([]byte(ev.ServiceTier))
		}
		return s.begin(dst)
	case canon.Used:
		if ev.Usage != nil {
			s.usage = *ev.Usage
			s.state.Usage = ev.Usage.Usage
		}
		if ev.ServiceTier != "" {
			s.tier = string([]byte(ev.ServiceTier))
		}
		s.latency = max(s.latency, ev.LatencyMS)
		return dst
	case canon.Beat: // the frames have no heartbeat
		return dst
	}
	dst = s.begin(dst)
	switch ev.Kind {
	case canon.Probs:
		s.r.Add("answer.logprobs", canon.Dropped, "Bedrock's answers have none")
	case canon.Finished:
		s.stop = canon.Choice{Finish: ev.Finish, FinishRaw: string([]byte(ev.FinishRaw)), StopWord: string([]byte(ev.StopWord))}
	case canon.Begin:
		return s.beginPart(dst, ev)
	default:
		return s.inPart(dst, ev)
	}
	return dst
}

func (s *streamWriter) begin(dst []byte) []byte {
	if s.started {
		return dst
	}
	s.started = true
	return s.frame(dst, "messageStart", func(w *jsonWriter) { w.StrMember("role", "assistant") })
}

func (s *streamWriter) beginPart(dst []byte, ev *canon.Event) []byte {
	p := writtenPart{part: ev.Part, kind: ev.PartKind, index: -1}
	lostSignature(ev.PartKind, ev.Signature, ev.SignedBy, s.r)
	switch ev.PartKind {
	case canon.Text, canon.Thinking, canon.Refusal:
		loseRefusal(ev.PartKind, s.r)
	case canon.ToolCall:
		p.index = s.next()
		call := ev.Call
		dst = s.frame(dst, "contentBlockStart", func(w *jsonWriter) {
			w.Name("start")
			w.Object()
			w.Name("toolUse")
			w.Object()
			w.StrMember("toolUseId", answerID(call))
			w.StrMember("name", call.Name)
			w.End()
			w.End()
			w.IntMember("contentBlockIndex", p.index)
		})
		s.state.Content = true
	case canon.Image:
		p.index = s.next()
		word := "png"
		if ev.Media != nil {
			if known := wordFor(canon.Image, ev.Media.MIME); known != "" {
				word = known
			}
		}
		dst = s.frame(dst, "contentBlockStart", func(w *jsonWriter) {
			w.Name("start")
			w.Object()
			w.Name("image")
			w.Object()
			w.StrMember("format", word)
			w.End()
			w.End()
			w.IntMember("contentBlockIndex", p.index)
		})
		if ev.Media != nil && ev.Media.Data != "" {
			dst = s.image(dst, &p, ev.Media.Data)
		}
	default:
		p.mute = true
		s.r.Add("answer."+ev.PartKind.String(), canon.Dropped, "Bedrock's streams have no such block")
	}
	s.open = append(s.open, p)
	if ev.PartKind == canon.Thinking && ev.Signature != "" {
		dst = s.sign(dst, &s.open[len(s.open)-1], ev)
	}
	return dst
}

// next is the index of a new block.
func (s *streamWriter) next() int64 {
	s.blocks++
	return int64(s.blocks - 1)
}

// inPart writes what belongs to an open part.
func (s *streamWriter) inPart(dst []byte, ev *canon.Event) []byte {
	at := -1
	for i := range s.open {
		if s.open[i].part == ev.Part {
			at = i
		}
	}
	if at < 0 {
		return dst
	}
	p := &s.open[at]
	if ev.Kind == canon.EndPart {
		dst = s.endPart(dst, p)
		s.open = append(s.open[:at], s.open[at+1:]...)
		return dst
	}
	if p.mute {
		return dst
	}
	switch ev.Kind {
	case canon.Delta:
		if ev.Text == "" {
			return dst
		}
		s.state.Content = true
		p.some = true
		return s.delta(dst, p, func(w *jsonWriter) {
			switch p.kind {
			case canon.ToolCall:
				w.Name("toolUse")
				w.Object()
				w.StrMember("input", ev.Text)
				w.End()
			case canon.Thinking:
				w.Name("reasoningContent")
				w.Object()
				w.StrMember("text", ev.Text)
				w.End()
			default:
				w.StrMember("text", ev.Text)
			}
		})
	case canon.Sign:
		return s.sign(dst, p, ev)
	case canon.Cite:
		if ev.Citation == nil {
			return dst
		}
		return s.delta(dst, p, func(w *jsonWriter) {
			w.Name("citation")
			writeCitation(w, ev.Citation)
		})
	case canon.MediaDelta:
		if ev.Text != "" && p.kind == canon.Image {
			s.state.Content = true
			return s.image(dst, p, ev.Text)
		}
	}
	return dst
}

// delta writes a contentBlockDelta whose delta has the members that write writes.
func (s *streamWriter) delta(dst []byte, p *writtenPart, write func(w *jsonWriter)) []byte {
	if p.index < 0 {
		p.index = s.next()
	}
	return s.frame(dst, "contentBlockDelta", func(w *jsonWriter) {
		w.Name("delta")
		w.Object()
		write(w)
		w.End()
		w.IntMember("contentBlockIndex", p.index)
	})
}

// sign writes what proves a thought.
func (s *streamWriter) sign(dst []byte, p *writtenPart, ev *canon.Event) []byte {
	if p.kind != canon.Thinking {
		lostSignature(p.kind, ev.Signature, ev.SignedBy, s.r)
		return dst
	}
	if ev.Signature == "" {
		return dst
	}
	return s.delta(dst, p, func(w *jsonWriter) {
		w.Name("reasoningContent")
		w.Object()
		if ev.Redacted && !p.some && isRedacted(ev.Signature, ev.SignedBy) {
			w.StrMember("redactedContent", ev.Signature)
		} else {
			w.StrMember("signature", wrapSignature(ev.Signature, ev.SignedBy))
		}
		w.End()
	})
}

// image writes a piece of an image. A frame holds base64 of its own, so that what is left over of a group of four waits.
func (s *streamWriter) image(dst []byte, p *writtenPart, data string) []byte {
	data = p.rest + data
	whole := len(data) / 4 * 4
	p.rest = string([]byte(data[whole:]))
	if whole == 0 {
		return dst
	}
	return s.delta(dst, p, func(w *jsonWriter) {
		w.Name("image")
		w.Object()
		w.Name("source")
		w.Object()
		w.StrMember("bytes", data[:whole])
		w.End()
		w.End()
	})
}

// endPart ends a block; one that never began has nothing to say. A call without arguments gets {}, which clients parse.
func (s *streamWriter) endPart(dst []byte, p *writtenPart) []byte {
	if p.kind == canon.ToolCall && !p.some {
		dst = s.delta(dst, p, func(w *jsonWriter) {
			w.Name("toolUse")
			w.Object()
			w.StrMember("input", "{}")
			w.End()
		})
	}
	if p.index < 0 {
		return dst
	}
	return s.frame(dst, "contentBlockStop", func(w *jsonWriter) { w.IntMember("contentBlockIndex", p.index) })
}

// End appends messageStop and metadata.
func (s *streamWriter) End(dst []byte) []byte {
	dst = s.begin(dst)
	for i := range s.open {
		dst = s.endPart(dst, &s.open[i])
	}
	s.open = s.open[:0]
	dst = s.frame(dst, "messageStop", func(w *jsonWriter) { writeStop(w, &s.stop) })
	s.state.Ended, s.state.Done = true, true
	return s.frame(dst, "metadata", func(w *jsonWriter) {
		w.Name("usage")
		writeUsage(w, &s.usage)
		loseUsage(&s.usage, s.r)
		w.Name("metrics")
		w.Object()
		w.IntMember("latencyMs", s.latency)
		w.End()
		writeTier(w, s.tier, s.r)
	})
}

// State tells how far the stream is.
func (s *streamWriter) State() *llm.StreamState { return &s.state }

// ContentType is application/vnd.amazon.eventstream.
func (s *streamWriter) ContentType() string { return streamType }
