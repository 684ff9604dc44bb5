package gemini

import (
	"bytes"
	"strings"

	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsontree"
)

// streamReader implements canon.Reader. Some models say finishReason in every chunk: what counts is the last,
// so that it is told at the end.
type streamReader struct {
	doc     *jsontree.Doc
	started bool
	choices []choice
	usage   canon.Usage
	blocked string
}

// choice is how far a candidate has come.
type choice struct {
	index  int
	parts  int // that have begun
	open   bool
	kind   canon.PartKind // of the open part
	wide   bool           // the open part has text that is not ASCII
	calls  bool
	finish string
}

// NewReader reads chunks, of a stream of events or of a JSON array.
func (codec) NewReader() canon.Reader {
	doc, _ := jsontree.Parse(nil, true) // strings are views: what an event holds is valid until the next call
	return &streamReader{doc: doc}
}

// Read appends what a chunk tells.
func (s *streamReader) Read(ev llm.Event, out []canon.Event) ([]canon.Event, error) {
	if bytes.Equal(ev.Data, closing) {
		return out, nil
	}
	if err := s.doc.Reset(ev.Data); err != nil {
		return out, err
	}
	root := s.doc.Root()
	meta := root.Get("usageMetadata")
	if !s.started {
		s.started = true
		out = append(out, canon.Event{
			Kind: canon.Start, ID: root.Get("responseId").Str(), Model: root.Get("modelVersion").Str(), Created: created(root),
			ServiceTier: meta.Get("serviceTier").Str(),
		})
	}
	root.Get("candidates").Each(func(i int, n jsontree.Node) { out = s.candidate(n, i, out) })
	if reason := root.Get("promptFeedback").Get("blockReason").Str(); reason != "" && s.blocked == "" {
		s.blocked = strings.Clone(reason)
	}
	if meta.IsObject() {
		u, tier := canon.NoUsage(), ""
		if readMetadata(meta, &u, &tier); u.Input >= 0 || u.Output >= 0 {
			s.usage = u
			out = append(out, canon.Event{Kind: canon.Used, Usage: &s.usage, ServiceTier: tier})
		}
	}
	if f := s.doc.Fault(); f != nil {
		return out, f
	}
	return out, nil
}

func (s *streamReader) choiceOf(index int) *choice {
	for i := range s.choices {
		if s.choices[i].index == index {
			return &s.choices[i]
		}
	}
	s.choices = append(s.choices, choice{index: index})
	return &s.choices[len(s.choices)-1]
}

func (s *streamReader) candidate(n jsontree.Node, i int, out []canon.Event) []canon.Event {
	if v, ok := n.Get("index").Int(); ok {
		i = int(v)
	}
	c := s.choiceOf(i)
	n.Get("content").Get("parts").Each(func(_ int, p jsontree.Node) {
		if p.IsObject() && p.Len() > 0 {
			part := readPart(s.doc, p, false)
			out = c.part(&part, out)
		}
	})
	if probs := readLogprobs(n.Get("logprobsResult")); probs != nil {
		out = append(out, canon.Event{Kind: canon.Probs, Choice: c.index, Logprobs: probs})
	}
	if c.open && c.kind == canon.Text {
		for _, cite := range readCitations(n) {
			if c.wide {
				cite.Start, cite.End = -1, -1 // they count bytes, and the text is gone
			}
			out = append(out, canon.Event{Kind: canon.Cite, Choice: c.index, Part: c.parts - 1, PartKind: canon.Text, Citation: &cite.Citation})
		}
	}
	if reason := n.Get("finishReason").Str(); reason != "" && reason != "FINISH_REASON_UNSPECIFIED" && reason != c.finish {
		c.finish = strings.Clone(reason)
	}
	return out
}

// part appends the events of a part, or of a piece of one.
func (c *choice) part(p *canon.Part, out []canon.Event) []canon.Event {
	switch p.Kind {
	case canon.Text, canon.Thinking:
		if p.Text == "" && p.Signature == "" {
			return out
		}
		out = c.begin(p, out)
		at := c.parts - 1
		if p.Text != "" {
			c.wide = c.wide || !ascii(p.Text)
			out = append(out, canon.Event{Kind: canon.Delta, Choice: c.index, Part: at, PartKind: p.Kind, Text: p.Text})
		}
		if p.Signature != "" {
			out = append(out, canon.Event{
				Kind: canon.Sign, Choice: c.index, Part: at, PartKind: p.Kind, Signature: p.Signature, SignedBy: p.SignedBy, Redacted: p.Redacted,
			})
			if p.Kind == canon.Thinking {
				out = c.end(out)
			}
		}
		return out
	}
	out = c.end(out)
	out = c.begin(p, out)
	at := c.parts - 1
	switch {
	case p.Call != nil:
		c.calls = true
		if p.Call.Args != "" {
			out = append(out, canon.Event{Kind: canon.Delta, Choice: c.index, Part: at, PartKind: p.Kind, Text: p.Call.Args})
		}
	case p.Media != nil && p.Media.Data != "":
		out = append(out, canon.Event{Kind: canon.MediaDelta, Choice: c.index, Part: at, PartKind: p.Kind, Text: p.Media.Data})
	}
	if p.Signature != "" {
		out = append(out, canon.Event{Kind: canon.Sign, Choice: c.index, Part: at, PartKind: p.Kind, Signature: p.Signature, SignedBy: p.SignedBy})
	}
	return c.end(out)
}

// begin opens a part, unless text goes on in the open one.
func (c *choice) begin(p *canon.Part, out []canon.Event) []canon.Event {
	if c.open && c.kind == p.Kind {
		return out
	}
	out = c.end(out)
	ev := canon.Event{Kind: canon.Begin, Choice: c.index, Part: c.parts, PartKind: p.Kind}
	switch {
	case p.Call != nil:
		ev.Call = &canon.Call{ID: p.Call.ID, Name: p.Call.Name}
	case p.Media != nil:
		m := *p.Media
		m.Data = ""
		ev.Media = &m
	case p.Kind == canon.Other:
		ev.Raw, ev.SignedBy = p.Raw, p.SignedBy
	}
	c.parts++
	c.open, c.kind, c.wide = true, p.Kind, false
	return append(out, ev)
}

func (c *choice) end(out []canon.Event) []canon.Event {
	if !c.open {
		return out
	}
	c.open = false
	return append(out, canon.Event{Kind: canon.EndPart, Choice: c.index, Part: c.parts - 1, PartKind: c.kind})
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// End ends the parts and tells why each candidate stopped.
func (s *streamReader) End(out []canon.Event) []canon.Event {
	if s.blocked != "" && len(s.choices) == 0 {
		s.choices = append(s.choices, choice{finish: s.blocked})
	}
	for i := range s.choices {
		c := &s.choices[i]
		out = c.end(out)
		finish, _ := finishOf(c.finish)
		switch {
		case finish == canon.Stopped && c.calls:
			finish = canon.ToolCalls
		case s.blocked != "" && (c.finish == "" || c.finish == s.blocked):
			c.finish, finish = s.blocked, canon.Filtered
		case finish == canon.Unfinished:
			finish = canon.Failed
		}
		out = append(out, canon.Event{Kind: canon.Finished, Choice: c.index, Finish: finish, FinishRaw: c.finish})
	}
	return out
}
