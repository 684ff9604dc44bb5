package openai

import (
	"bytes"
	"strings"

	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsontree"
)

// NewReader reads the events of a provider's stream.
func (responsesCodec) NewReader() canon.Reader {
	doc, _ := jsontree.Parse([]byte("{}"), true) // strings are views of the event at hand: what is kept is cloned
	return &responsesReader{doc: doc, usage: canon.NoUsage()}
}

// responsesReader turns the events of a streamed response into canonical ones. Servers leave events out: what
// an item holds when it is done and was not told before is told then.
type responsesReader struct {
	doc      *jsontree.Doc
	started  bool
	parts    int // that have begun
	calls    bool
	refused  bool
	finished bool
	items    []readItem // that are open
	usage    canon.Usage
	call     canon.Call // of the event at hand
	cite     canon.Citation
}

// readItem is an output item that has not been done.
type readItem struct {
	index int64
	kind  string
	id    string
	phase string
	call  canon.Call
	part  int // its open part, -1 when none is
	of    canon.PartKind
	count int    // parts that it had
	place string // which content or summary the open part is
	told  int    // bytes of the open part that were told
}

// Read reads one event.
func (s *responsesReader) Read(ev llm.Event, out []canon.Event) ([]canon.Event, error) {
	if bytes.HasPrefix(ev.Data, []byte("[DONE]")) {
		return out, nil
	}
	if err := s.doc.Reset(ev.Data); err != nil {
		return out, err
	}
	root := s.doc.Root()
	kind, found := strings.CutPrefix(root.Get("type").Str(), "response.")
	if !found {
		if kind == "keepalive" || kind == "ping" {
			out = append(out, canon.Event{Kind: canon.Beat})
		}
		return out, s.fault()
	}
	switch kind {
	case "created", "in_progress", "queued":
		out = s.start(root.Get("response"), out)
	case "completed", "incomplete", "failed":
		out = s.end(root.Get("response"), s.start(root.Get("response"), out))
	case "output_item.added":
		out = s.start(jsontree.Node{}, out)
		s.added(root)
		if it := s.item(root); it != nil && it.of == canon.ToolCall {
			out = s.begin(it, canon.ToolCall, "", out)
			out = s.delta(it, root.Get("item").Get(argsMember(it)).Str(), out)
		}
	case "output_item.done":
		out = s.done(root, s.start(jsontree.Node{}, out))
	default:
		if it := s.item(root); it != nil {
			out = s.inside(it, kind, root, out)
		}
	}
	return out, s.fault()
}

func (s *responsesReader) fault() error {
	if f := s.doc.Fault(); f != nil {
		return f
	}
	return nil
}

// start tells the answer's name once. Some servers begin with their first item.
func (s *responsesReader) start(response jsontree.Node, out []canon.Event) []canon.Event {
	if s.started {
		return out
	}
	s.started = true
	ev := canon.Event{Kind: canon.Start, ServiceTier: response.Get("service_tier").Str()}
	if ev.ServiceTier == "auto" {
		ev.ServiceTier = "" // it is not decided yet
	}
	readResponseHead(response, &ev.ID, &ev.Model, &ev.Created)
	return append(out, ev)
}

// end tells usage and why the model stopped.
func (s *responsesReader) end(response jsontree.Node, out []canon.Event) []canon.Event {
	out = s.closeAll(out)
	if output := response.Get("output"); s.parts == 0 && output.Len() > 0 { // nothing was streamed
		output.Each(func(_ int, n jsontree.Node) {
			it := readItem{index: -1, kind: strings.Clone(n.Get("type").Str()), id: strings.Clone(n.Get("id").Str()), part: -1}
			out = s.whole(&it, n, out)
		})
	}
	readResponsesUsage(response, &s.usage)
	if s.usage.Input >= 0 || s.usage.Output >= 0 {
		out = append(out, canon.Event{Kind: canon.Used, Usage: &s.usage, ServiceTier: response.Get("service_tier").Str()})
	}
	status, reason := response.Get("status").Str(), response.Get("incomplete_details").Get("reason").Str()
	s.finished = true
	raw := status
	if reason != "" {
		raw = reason
	}
	return append(out, canon.Event{Kind: canon.Finished, Finish: responseFinish(status, reason, s.calls, s.refused), FinishRaw: raw})
}

// End ends what is open, and the choice where the server did not.
func (s *responsesReader) End(out []canon.Event) []canon.Event {
	out = s.closeAll(out)
	if !s.finished && s.started {
		s.finished = true
		out = append(out, canon.Event{Kind: canon.Finished, Finish: responseFinish("", "", s.calls, s.refused)})
	}
	return out
}

func (s *responsesReader) closeAll(out []canon.Event) []canon.Event {
	for i := range s.items {
		out = s.endPart(&s.items[i], out)
	}
	s.items = s.items[:0]
	return out
}

// added notes an item that begins.
func (s *responsesReader) added(root jsontree.Node) {
	n := root.Get("item")
	index, _ := root.Get("output_index").Int()
	it := readItem{index: index, kind: strings.Clone(n.Get("type").Str()), id: strings.Clone(n.Get("id").Str()), phase: strings.Clone(n.Get("phase").Str()), part: -1}
	it.of = canon.Other
	switch it.kind {
	case "message":
		it.of = canon.Text
	case "reasoning":
		it.of = canon.Thinking
	case "function_call", "custom_tool_call":
		it.of = canon.ToolCall
		it.call = canon.Call{ID: strings.Clone(n.Get("call_id").Str()), Name: strings.Clone(n.Get("name").Str()), Custom: it.kind == "custom_tool_call"}
		if it.call.Name == "" {
			it.of = canon.Other // nothing can be told of it until it is done
		}
	}
	s.items = append(s.items, it)
}

// item is the open item that an event is about.
func (s *responsesReader) item(root jsontree.Node) *readItem {
	index, ok := root.Get("output_index").Int()
	if !ok {
		return nil
	}
	for i := range s.items {
		if s.items[i].index == index {
			return &s.items[i]
		}
	}
	return nil
}

func argsMember(it *readItem) string {
	if it.call.Custom {
		return "input"
	}
	return "arguments"
}

// begin tells that a part of an item begins, and ends the one before it.
func (s *responsesReader) begin(it *readItem, kind canon.PartKind, place string, out []canon.Event) []canon.Event {
	out = s.endPart(it, out)
	if kind != canon.ToolCall { // calls may stay open beside each other, nothing else
		for i := range s.items {
			if other := &s.items[i]; other.index != it.index {
				out = s.endPart(other, out)
			}
		}
	} else {
		for i := range s.items {
			if other := &s.items[i]; other.index != it.index && other.of != canon.ToolCall {
				out = s.endPart(other, out)
			}
		}
	}
	it.part, it.of, it.place, it.told = s.parts, kind, place, 0
	s.parts++
	ev := canon.Event{Kind: canon.Begin, Part: it.part, PartKind: kind, ID: it.id, Joined: it.count > 0, Phase: it.phase}
	switch kind {
	case canon.ToolCall:
		s.calls = true
		s.call = it.call
		ev.Call = &s.call
	case canon.Thinking:
		ev.SignedBy, ev.Verbatim, ev.Phase = dialectName, strings.HasPrefix(place, "c"), ""
	case canon.Refusal:
		s.refused = true
	}
	it.count++
	return append(out, ev)
}

func (s *responsesReader) endPart(it *readItem, out []canon.Event) []canon.Event {
	if it.part < 0 {
		return out
	}
	ev := canon.Event{Kind: canon.EndPart, Part: it.part, PartKind: it.of}
	it.part = -1
	return append(out, ev)
}

// delta tells a piece of the open part.
func (s *responsesReader) delta(it *readItem, text string, out []canon.Event) []canon.Event {
	if text == "" || it.part < 0 {
		return out
	}
	it.told += len(text)
	return append(out, canon.Event{Kind: canon.Delta, Part: it.part, PartKind: it.of, Text: text})
}

// rest tells what of a part was not told when it is whole.
func (s *responsesReader) rest(it *readItem, text string, out []canon.Event) []canon.Event {
	if it.told >= len(text) {
		return out
	}
	return s.delta(it, text[it.told:], out)
}

// at makes the part at a place of its item the open one.
func (s *responsesReader) at(it *readItem, kind canon.PartKind, letter string, index jsontree.Node, out []canon.Event) []canon.Event {
	place := letter
	if i, ok := index.Int(); ok && i > 0 {
		place += itoa(i)
	}
	if it.part >= 0 && it.place == place {
		return out
	}
	return s.begin(it, kind, place, out)
}
