package bedrock

import (
	"strings"

	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsontree"
)

// NewReader reads the frames of ConverseStream.
func (codec) NewReader() canon.Reader { return &streamReader{doc: &jsontree.Doc{}} }

// streamReader implements canon.Reader. Blocks come one after another, each ended by contentBlockStop; only calls of tools
// have a contentBlockStart, other blocks are known by their first delta.
type streamReader struct {
	doc     *jsontree.Doc
	started bool
	parts   int         // begun so far
	open    []openBlock // mostly one
	mime    string      // of the image that is open
	thought bool        // of the open reasoning some text came
}

type openBlock struct {
	index int64
	part  int
	kind  canon.PartKind
	deaf  bool // what it holds only Bedrock understands
}

// Read reads one frame.
func (s *streamReader) Read(ev llm.Event, out []canon.Event) ([]canon.Event, error) {
	if err := s.doc.Reset(ev.Data); err != nil {
		return out, err
	}
	root := s.doc.Root()
	if !s.started {
		s.started = true
		out = append(out, canon.Event{Kind: canon.Start})
	}
	switch string(ev.Name) {
	case "contentBlockStart":
		out = s.start(root, out)
	case "contentBlockDelta":
		out = s.delta(root, out)
	case "contentBlockStop":
		index, _ := root.Get("contentBlockIndex").Int()
		out = s.close(out, func(b *openBlock) bool { return b.index == index })
	case "messageStop":
		out = s.close(out, func(*openBlock) bool { return true })
		word := root.Get("stopReason").Str()
		out = append(out, canon.Event{
			Kind: canon.Finished, Finish: finishOf(word), FinishRaw: word, StopWord: stopWord(root.Get("additionalModelResponseFields")),
		})
	case "metadata":
		if u := root.Get("usage"); u.IsObject() {
			usage := usageOf(u)
			ms, _ := root.Get("metrics").Get("latencyMs").Int()
			out = append(out, canon.Event{
				Kind: canon.Used, Usage: &usage, ServiceTier: root.Get("serviceTier").Get("type").Str(), LatencyMS: ms,
			})
		}
	}
	if f := s.doc.Fault(); f != nil {
		return out, f
	}
	return out, nil
}

// End ends what is open: nothing, after a messageStop.
func (s *streamReader) End(out []canon.Event) []canon.Event {
	return s.close(out, func(*openBlock) bool { return true })
}

// close ends the open blocks that match.
func (s *streamReader) close(out []canon.Event, match func(*openBlock) bool) []canon.Event {
	rest := s.open[:0]
	for i := range s.open {
		b := s.open[i]
		if !match(&b) {
			rest = append(rest, b)
			continue
		}
		if !b.deaf {
			out = append(out, canon.Event{Kind: canon.EndPart, Part: b.part, PartKind: b.kind})
		}
	}
	s.open = rest
	return out
}

// begin ends what can't be open beside a part of this kind and begins the part.
func (s *streamReader) begin(index int64, ev canon.Event, out []canon.Event) []canon.Event {
	out = s.close(out, func(b *openBlock) bool {
		return b.index == index || b.kind != canon.ToolCall || ev.PartKind != canon.ToolCall
	})
	ev.Kind, ev.Part = canon.Begin, s.parts
	s.open = append(s.open, openBlock{index: index, part: s.parts, kind: ev.PartKind})
	s.parts++
	s.thought = false
	return append(out, ev)
}

func (s *streamReader) start(root jsontree.Node, out []canon.Event) []canon.Event {
	index, _ := root.Get("contentBlockIndex").Int()
	start := root.Get("start")
	call, result, image := start.Get("toolUse"), start.Get("toolResult"), start.Get("image")
	switch {
	case call.IsObject() && call.Get("type").Str() != serverTool:
		c := &canon.Call{ID: call.Get("toolUseId").Str(), Name: call.Get("name").Str()}
		if c.Name == "" {
			s.doc.Missing(call, "name")
		}
		return s.begin(index, canon.Event{PartKind: canon.ToolCall, Call: c}, out)
	case call.IsObject() || result.IsObject():
		// A tool that Bedrock runs itself: what it is asked and answers is not the caller's to act on.
		out = s.close(out, func(*openBlock) bool { return true })
		s.open = append(s.open, openBlock{index: index, kind: canon.Other, deaf: true})
	case image.IsObject():
		s.mime = strings.Clone(mimeOf(canon.Image, image.Get("format").Str()))
		return s.begin(index, canon.Event{PartKind: canon.Image, Media: &canon.Media{MIME: s.mime}}, out)
	}
	return out
}

func (s *streamReader) delta(root jsontree.Node, out []canon.Event) []canon.Event {
	index, _ := root.Get("contentBlockIndex").Int()
	d := root.Get("delta")
	for i := range s.open {
		if s.open[i].index == index && s.open[i].deaf {
			return out
		}
	}
	if text := d.Get("text"); text.IsString() {
		b, out := s.at(index, canon.Text, out)
		return append(out, canon.Event{Kind: canon.Delta, Part: b, PartKind: canon.Text, Text: text.Str()})
	}
	if call := d.Get("toolUse"); call.IsObject() {
		for i := range s.open {
			if b := &s.open[i]; b.index == index && b.kind == canon.ToolCall {
				return append(out, canon.Event{Kind: canon.Delta, Part: b.part, PartKind: canon.ToolCall, Text: call.Get("input").Str()})
			}
		}
		s.doc.Fail(call, "is input for a call that did not begin")
		return out
	}
	if r := d.Get("reasoningContent"); r.IsObject() {
		return s.reasoning(index, r, out)
	}
	if c := d.Get("citation"); c.IsObject() {
		b, out := s.at(index, canon.Text, out)
		citation := readCitation(c)
		return append(out, canon.Event{Kind: canon.Cite, Part: b, PartKind: canon.Text, Citation: &citation})
	}
	if data := d.Get("image").Get("source").Get("bytes"); data.IsString() {
		b, out := s.at(index, canon.Image, out)
		return append(out, canon.Event{Kind: canon.MediaDelta, Part: b, PartKind: canon.Image, Text: data.Str()})
	}
	return out
}

// at is the part for a delta of this kind; it begins when it is not open.
func (s *streamReader) at(index int64, kind canon.PartKind, out []canon.Event) (int, []canon.Event) {
	for i := range s.open {
		if b := &s.open[i]; b.index == index && b.kind == kind {
			return b.part, out
		}
	}
	part := s.parts
	return part, s.begin(index, canon.Event{PartKind: kind}, out)
}

func (s *streamReader) reasoning(index int64, r jsontree.Node, out []canon.Event) []canon.Event {
	part, out := s.at(index, canon.Thinking, out)
	if text := r.Get("text"); text.IsString() {
		s.thought = s.thought || text.Str() != ""
		out = append(out, canon.Event{Kind: canon.Delta, Part: part, PartKind: canon.Thinking, Text: text.Str()})
	}
	if word := r.Get("signature").Str(); word != "" {
		signature, by := canon.UnwrapSignature(word, signer)
		out = append(out, canon.Event{
			Kind: canon.Sign, Part: part, PartKind: canon.Thinking, Signature: signature, SignedBy: by, Redacted: !s.thought && by != signer,
		})
	}
	if data := r.Get("redactedContent").Str(); data != "" {
		out = append(out, canon.Event{Kind: canon.Sign, Part: part, PartKind: canon.Thinking, Signature: data, SignedBy: signer, Redacted: true})
	}
	return out
}
