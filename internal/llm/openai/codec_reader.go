package openai

import (
	"bytes"
	"strings"

	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsonscan"
	"causeway/internal/llm/jsontree"
)

// NewReader reads the chunks of a provider's stream.
func (chatCodec) NewReader() canon.Reader { return newChatReader(false) }

func newChatReader(completions bool) *chatStream {
	doc, _ := jsontree.Parse([]byte("{}"), true) // strings are views of the chunk at hand: what is kept is cloned
	return &chatStream{doc: doc, completions: completions}
}

// chatStream turns chunks into canonical events. The wild ways of vendors that it knows: a role in every chunk,
// reasoning under three names, content as a list of pieces, calls whole or in pieces and without index or with
// the same one for all, usage in the last chunk with content, choices that are null, empty or missing, sources
// in every chunk. A choice's Finished is told at the end, since some go on after their finish reason.
type chatStream struct {
	doc         *jsontree.Doc
	completions bool // the chunks are those of legacy completions
	started     bool
	ended       bool
	choices     []streamChoice
	usage       canon.Usage
	sources     int // told so far
}

// streamChoice is what is known of one choice.
type streamChoice struct {
	index    int
	parts    int
	open     int // the part that is open and no call; -1 when none is
	kind     canon.PartKind
	plain    bool  // the open thinking came without reasoning_details
	detail   int64 // the index in reasoning_details of the open thinking
	calls    []streamCall
	finish   canon.Finish
	raw      string
	stopWord string
	called   bool
}

// streamCall is a tool's call that has not ended.
type streamCall struct {
	index int64
	part  int // -1 until its name has come
	id    string
	name  string
	held  string // arguments that came before the name
	args  jsonEnd
	text  bool // its arguments are no JSON: a custom tool's
}

// Read reads one chunk.
func (s *chatStream) Read(ev llm.Event, out []canon.Event) ([]canon.Event, error) {
	if bytes.HasPrefix(ev.Data, []byte("[DONE]")) {
		return out, nil
	}
	if err := s.doc.Reset(ev.Data); err != nil {
		return out, err
	}
	root := s.doc.Root()
	choices := root.Get("choices")
	if !s.started {
		if choices.Len() == 0 && root.Get("id").Str() == "" { // Azure tells first what its filter says of the prompt
			return out, s.fault()
		}
		s.started = true
		start := canon.Event{
			Kind: canon.Start, ID: root.Get("id").Str(), Model: root.Get("model").Str(),
			Fingerprint: root.Get("system_fingerprint").Str(), ServiceTier: tierOf(root.Get("service_tier").Str()),
		}
		if created := root.Get("created"); created.Kind() == jsonscan.Number {
			v, _ := created.Float()
			start.Created = int64(v)
		}
		out = append(out, start)
	}
	count := 0
	if choices.IsArray() {
		choices.Each(func(i int, n jsontree.Node) {
			count++
			out = s.choice(n, out)
		})
	}
	if count > 0 {
		out = s.cite(root, out)
	}
	if usage := root.Get("usage"); usage.IsObject() {
		out = s.used(usage, out)
	} else if usage := root.Get("x_groq").Get("usage"); usage.IsObject() { // Groq, unasked
		out = s.used(usage, out)
	}
	return out, s.fault()
}

func (s *chatStream) fault() error {
	if f := s.doc.Fault(); f != nil {
		return f
	}
	return nil
}

func (s *chatStream) used(n jsontree.Node, out []canon.Event) []canon.Event {
	u, said := readChatUsage(n)
	if !said {
		return out
	}
	s.usage = u
	return append(out, canon.Event{Kind: canon.Used, Usage: &s.usage})
}

// of is the state of the choice with this index.
func (s *chatStream) of(index int) *streamChoice {
	for i := range s.choices {
		if s.choices[i].index == index {
			return &s.choices[i]
		}
	}
	s.choices = append(s.choices, streamChoice{index: index, open: -1})
	return &s.choices[len(s.choices)-1]
}

// choice reads one element of choices.
func (s *chatStream) choice(n jsontree.Node, out []canon.Event) []canon.Event {
	index, _ := n.Get("index").Int()
	c := s.of(int(index))
	if s.completions {
		out = s.text(c, canon.Text, n.Get("text").Str(), out)
		out = s.probs(c, readOldProbs(n.Get("logprobs")), out)
	} else {
		out = s.delta(c, n.Get("delta"), out)
		if probs := n.Get("logprobs"); probs.IsObject() {
			out = s.probs(c, append(readProbs(probs.Get("content")), readProbs(probs.Get("refusal"))...), out)
		}
	}
	if reason := n.Get("finish_reason").Str(); reason != "" {
		c.finish, c.raw = finishOf(reason), strings.Clone(reason)
	}
	if word := n.First("stop_reason", "matched_stop"); word.IsString() && word.Str() != "" {
		c.stopWord = strings.Clone(word.Str())
	}
	return out
}

func (s *chatStream) probs(c *streamChoice, list []canon.Logprob, out []canon.Event) []canon.Event {
	if len(list) == 0 {
		return out
	}
	return append(out, canon.Event{Kind: canon.Probs, Choice: c.index, Logprobs: list})
}

// delta reads what a chunk adds to a choice.
func (s *chatStream) delta(c *streamChoice, d jsontree.Node, out []canon.Event) []canon.Event {
	if !d.IsObject() {
		return out
	}
	out = s.thinking(c, d, out)
	switch content := d.Get("content"); content.Kind() {
	case jsonscan.String:
		out = s.text(c, canon.Text, content.Str(), out)
	case jsonscan.Array:
		content.Each(func(_ int, e jsontree.Node) { out = s.piece(c, e, out) })
	}
	out = s.text(c, canon.Refusal, d.Get("refusal").Str(), out)
	if notes := d.Get("annotations"); notes.IsArray() {
		out = s.cited(c, chatCitations(notes), out)
	}
	if audio := d.Get("audio"); audio.IsObject() {
		out = s.audio(c, audio, out)
	}
	d.Get("images").Each(func(_ int, e jsontree.Node) { out = s.picture(c, e, out) })
	d.Get("tool_calls").Each(func(_ int, e jsontree.Node) { out = s.toolCall(c, e, out) })
	if f := d.Get("function_call"); f.IsObject() {
		out = s.piecesOf(c, s.callOf(c, -1, "", f.Get("name").Str() != ""), "", f, "arguments", out)
	}
	return out
}

// piece reads one of several pieces of content, as Mistral sends them.
func (s *chatStream) piece(c *streamChoice, e jsontree.Node, out []canon.Event) []canon.Event {
	switch e.Get("type").Str() {
	case "text", "output_text":
		return s.text(c, canon.Text, e.Get("text").Str(), out)
	case "thinking":
		return s.text(c, canon.Thinking, thinkingText(e), out)
	case "image_url":
		return s.picture(c, e, out)
	}
	out = s.close(c, out)
	out = append(out,
		canon.Event{Kind: canon.Begin, Choice: c.index, Part: c.parts, PartKind: canon.Other, Raw: e.Raw(), SignedBy: dialectName},
		canon.Event{Kind: canon.EndPart, Choice: c.index, Part: c.parts, PartKind: canon.Other})
	c.parts++
	return out
}

// text goes on with a part of this kind, or begins one.
func (s *chatStream) text(c *streamChoice, kind canon.PartKind, text string, out []canon.Event) []canon.Event {
	if text == "" {
		return out
	}
	out = s.ensure(c, kind, "", out)
	return append(out, canon.Event{Kind: canon.Delta, Choice: c.index, Part: c.open, PartKind: kind, Text: text})
}

// ensure makes a part of this kind the open one.
func (s *chatStream) ensure(c *streamChoice, kind canon.PartKind, id string, out []canon.Event) []canon.Event {
	if c.open >= 0 && c.kind == kind {
		return out
	}
	out = s.close(c, out)
	c.open, c.kind, c.detail, c.plain = c.parts, kind, 0, false
	c.parts++
	return append(out, canon.Event{Kind: canon.Begin, Choice: c.index, Part: c.open, PartKind: kind, ID: id})
}

// close ends what is open in a choice.
func (s *chatStream) close(c *streamChoice, out []canon.Event) []canon.Event {
	if c.open >= 0 {
		out = append(out, canon.Event{Kind: canon.EndPart, Choice: c.index, Part: c.open, PartKind: c.kind})
		c.open = -1
	}
	for i := range c.calls {
		if part := c.calls[i].part; part >= 0 {
			out = append(out, canon.Event{Kind: canon.EndPart, Choice: c.index, Part: part, PartKind: canon.ToolCall})
		}
	}
	c.calls = c.calls[:0]
	return out
}

// thinking reads reasoning under any of its names.
func (s *chatStream) thinking(c *streamChoice, d jsontree.Node, out []canon.Event) []canon.Event {
	plain := d.First("reasoning_content", "reasoning")
	text := ""
	if plain.IsString() {
		text = plain.Str()
	}
	told := false
	d.Get("reasoning_details").Each(func(_ int, e jsontree.Node) {
		t := readDetail(e)
		proof := t.signature + t.data
		if t.text == "" && proof == "" {
			return
		}
		if t.text != "" && text == "" && c.open >= 0 && c.kind == canon.Thinking && c.plain {
			t.text = "" // it was told in pieces before, and stands here for its proof
		}
		told = told || t.text != ""
		if t.text == "" && text != "" && !told { // the text stands in the other member
			out = s.text(c, canon.Thinking, text, out)
			told = true
		}
		if c.open >= 0 && c.kind == canon.Thinking && t.index != c.detail {
			out = s.close(c, out)
		}
		out = s.ensure(c, canon.Thinking, t.id, out)
		c.detail = t.index
		out = s.text(c, canon.Thinking, t.text, out)
		if proof != "" {
			out = append(out, canon.Event{
				Kind: canon.Sign, Choice: c.index, Part: c.open, PartKind: canon.Thinking, Signature: proof, SignedBy: t.by,
				Redacted: t.data != "" && t.by == "anthropic",
			})
			out = s.close(c, out)
		}
	})
	if told || text == "" {
		return out
	}
	out = s.text(c, canon.Thinking, text, out)
	c.plain = true
	return out
}

// cited gives sources to the text that is open.
func (s *chatStream) cited(c *streamChoice, list []canon.Citation, out []canon.Event) []canon.Event {
	if len(list) == 0 {
		return out
	}
	out = s.ensure(c, canon.Text, "", out)
	for i := range list {
		out = append(out, canon.Event{Kind: canon.Cite, Choice: c.index, Part: c.open, PartKind: canon.Text, Citation: &list[i]})
	}
	return out
}

// cite tells the sources of the whole answer that are new, once its text has begun.
func (s *chatStream) cite(root jsontree.Node, out []canon.Event) []canon.Event {
	c := &s.choices[0]
	if c.open < 0 || c.kind != canon.Text {
		return out
	}
	list := sources(root)
	if len(list) <= s.sources {
		return out
	}
	news := list[s.sources:]
	s.sources = len(list)
	return s.cited(c, news, out)
}

func (s *chatStream) audio(c *streamChoice, n jsontree.Node, out []canon.Event) []canon.Event {
	if c.open < 0 || c.kind != canon.Audio {
		out = s.close(c, out)
		c.open, c.kind = c.parts, canon.Audio
		c.parts++
		out = append(out, canon.Event{Kind: canon.Begin, Choice: c.index, Part: c.open, PartKind: canon.Audio, Media: &canon.Media{ID: n.Get("id").Str()}})
	}
	data, transcript := n.Get("data").Str(), n.Get("transcript").Str()
	if data != "" || transcript != "" {
		out = append(out, canon.Event{Kind: canon.MediaDelta, Choice: c.index, Part: c.open, PartKind: canon.Audio, Text: data, Transcript: transcript})
	}
	if expires, said := n.Get("expires_at").Int(); said {
		out = append(out, canon.Event{
			Kind: canon.MediaDelta, Choice: c.index, Part: c.open, PartKind: canon.Audio, Media: &canon.Media{Expires: expires},
		})
	}
	return out
}

func (s *chatStream) picture(c *streamChoice, e jsontree.Node, out []canon.Event) []canon.Event {
	out = s.close(c, out)
	p := imagePart(e)
	out = append(out,
		canon.Event{Kind: canon.Begin, Choice: c.index, Part: c.parts, PartKind: canon.Image, Media: p.Media},
		canon.Event{Kind: canon.EndPart, Choice: c.index, Part: c.parts, PartKind: canon.Image})
	c.parts++
	return out
}

// End ends what is open and tells why each choice ended.
func (s *chatStream) End(out []canon.Event) []canon.Event {
	if s.ended {
		return out
	}
	s.ended = true
	if !s.started {
		out = append(out, canon.Event{Kind: canon.Start})
	}
	for i := range s.choices {
		c := &s.choices[i]
		out = s.close(c, out)
		switch {
		case c.stopWord != "":
			c.finish = canon.StopSequence
		case c.finish == canon.Unfinished || c.finish == canon.Stopped:
			if c.finish = canon.Stopped; c.called {
				c.finish = canon.ToolCalls
			}
		}
		out = append(out, canon.Event{Kind: canon.Finished, Choice: c.index, Finish: c.finish, FinishRaw: c.raw, StopWord: c.stopWord})
	}
	return out
}
