package openai

import (
	"strings"

	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsontree"
)

// jsonEnd finds the end of a JSON object that comes in pieces, so that a call can be ended when the next one
// begins and not only with the answer: a writer for a dialect whose calls follow each other would have to
// hold the next one back.
type jsonEnd struct {
	depth  int
	begun  bool
	text   bool // inside a string
	escape bool
}

// feed takes the next piece.
func (j *jsonEnd) feed(s string) {
	for i := range len(s) {
		c := s[i]
		switch {
		case j.escape:
			j.escape = false
		case j.text:
			j.escape, j.text = c == '\\', c != '"'
		case c == '"':
			j.text = true
		case c == '{' || c == '[':
			j.depth++
			j.begun = true
		case c == '}' || c == ']':
			j.depth--
		}
	}
}

// whole tells whether the object has ended.
func (j *jsonEnd) whole() bool { return j.begun && j.depth <= 0 && !j.text }

// toolCall reads an element of a delta's tool_calls.
func (s *chatStream) toolCall(c *streamChoice, n jsontree.Node, out []canon.Event) []canon.Event {
	id := n.Get("id").Str()
	index := int64(-1)
	if v, said := n.Get("index").Int(); said {
		index = v
	}
	f, args := n.Get("function"), "arguments"
	if custom := n.Get("custom"); custom.IsObject() {
		f, args = custom, "input"
	}
	i := s.callOf(c, index, id, f.Get("name").Str() != "")
	if signature := n.Get("extra_content").Get("google").Get("thought_signature").Str(); signature != "" {
		out = s.piecesOf(c, i, id, f, args, out)
		if k := c.calls[i].part; k >= 0 {
			signature, by := canon.UnwrapSignature(signature, "gemini")
			out = append(out, canon.Event{Kind: canon.Sign, Choice: c.index, Part: k, PartKind: canon.ToolCall, Signature: signature, SignedBy: by})
		}
		return out
	}
	return s.piecesOf(c, i, id, f, args, out)
}

// callOf is the place in c.calls of the call that a piece belongs to: that with its index, unless the piece has
// another id and a name, by which some servers begin each call at index 0; without index the last one.
func (s *chatStream) callOf(c *streamChoice, index int64, id string, named bool) int {
	for i := len(c.calls) - 1; i >= 0; i-- {
		call := &c.calls[i]
		if index >= 0 && call.index != index {
			continue
		}
		if named && id != "" && call.id != "" && call.id != id || named && id == "" && index < 0 && call.name != "" {
			break
		}
		return i
	}
	c.calls = append(c.calls, streamCall{index: index, part: -1, id: strings.Clone(id)})
	return len(c.calls) - 1
}

// piecesOf tells what a piece adds to the call at c.calls[i].
func (s *chatStream) piecesOf(c *streamChoice, i int, id string, f jsontree.Node, member string, out []canon.Event) []canon.Event {
	call := &c.calls[i]
	if call.id == "" && id != "" {
		call.id = strings.Clone(id)
	}
	if name := f.Get("name").Str(); name != "" && call.name == "" {
		call.name = strings.Clone(name)
	}
	call.text = call.text || member == "input"
	args := argsOf(f.Get(member))
	if call.part == ended {
		return out
	}
	if call.part < 0 {
		if call.name == "" {
			call.held += strings.Clone(args)
			return out
		}
		out = s.beginCall(c, i, out)
		if held := call.held; held != "" {
			call.held = ""
			call.args.feed(held)
			out = append(out, canon.Event{Kind: canon.Delta, Choice: c.index, Part: call.part, PartKind: canon.ToolCall, Text: held})
		}
	}
	if args == "" {
		return out
	}
	call.args.feed(args)
	return append(out, canon.Event{Kind: canon.Delta, Choice: c.index, Part: call.part, PartKind: canon.ToolCall, Text: args})
}

// beginCall begins the part of a call whose name has come. Other calls whose arguments are whole end before.
func (s *chatStream) beginCall(c *streamChoice, i int, out []canon.Event) []canon.Event {
	if c.open >= 0 {
		out = append(out, canon.Event{Kind: canon.EndPart, Choice: c.index, Part: c.open, PartKind: c.kind})
		c.open = -1
	}
	for k := range c.calls {
		if other := &c.calls[k]; k != i && other.part >= 0 && !other.text && other.args.whole() {
			out = append(out, canon.Event{Kind: canon.EndPart, Choice: c.index, Part: other.part, PartKind: canon.ToolCall})
			other.part = ended
		}
	}
	call := &c.calls[i]
	call.part = c.parts
	c.parts++
	c.called = true
	begun := &canon.Call{ID: call.id, Name: call.name, Custom: call.text}
	return append(out, canon.Event{Kind: canon.Begin, Choice: c.index, Part: call.part, PartKind: canon.ToolCall, Call: begun})
}

// ended is the part of a call that has ended: what still comes of it is white space.
const ended = -2
