package cohere

import (
	"bytes"

	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsontree"
)

// NewReader reads the events of a chat.
func (codec) NewReader() canon.Reader { return &reader{open: -1} }

// reader numbers the parts in the order in which they begin: Cohere counts content blocks and calls apart, and
// the plan not at all. A content block stays open until the next part begins, because citations of it may come
// after its end.
type reader struct {
	doc     jsontree.Doc
	parts   []begun
	open    int // the text that is open, -1 for none
	done    bool
	call    canon.Call
	cite    []canon.Citation
	usage   canon.Usage
	probs   []canon.Logprob
	started bool
}

// begun is a part that has begun: its own name at Cohere's is the list that it stands in and its index there.
type begun struct {
	list  byte // 'c' content, 'p' plan, 't' tool call
	index int64
	kind  canon.PartKind
	ended bool
}

var names = struct{ start, contentStart, contentDelta, plan, callStart, callDelta, callEnd, citation, end []byte }{
	[]byte(`"message-start"`), []byte(`"content-start"`), []byte(`"content-delta"`), []byte(`"tool-plan-delta"`),
	[]byte(`"tool-call-start"`), []byte(`"tool-call-delta"`), []byte(`"tool-call-end"`), []byte(`"citation-start"`), []byte(`"message-end"`),
}

// Read reads one event.
func (r *reader) Read(ev llm.Event, out []canon.Event) ([]canon.Event, error) {
	if len(ev.Data) == 0 || ev.Data[0] == '[' { // [DONE]
		return out, nil
	}
	if err := r.doc.Reset(ev.Data); err != nil {
		return out, err
	}
	root := r.doc.Root()
	kind := root.Get("type").Raw()
	if !r.started {
		r.started = true
		out = append(out, canon.Event{Kind: canon.Start, ID: root.Get("id").Str()})
	}
	delta := root.Get("delta")
	message := delta.Get("message")
	switch {
	case bytes.Equal(kind, names.contentDelta):
		out = r.content(root, message.Get("content"), out)
		if probs := root.Get("logprobs"); probs.Said() {
			r.probs = append(r.probs[:0], logprobs(probs)...)
			out = append(out, canon.Event{Kind: canon.Probs, Logprobs: r.probs})
		}
	case bytes.Equal(kind, names.contentStart):
		out = r.content(root, message.Get("content"), out)
	case bytes.Equal(kind, names.plan):
		if text := message.Get("tool_plan").Str(); text != "" {
			out = r.text('p', 0, canon.Text, text, out)
		}
	case bytes.Equal(kind, names.callStart):
		out = r.startCall(indexOf(root), message.Get("tool_calls"), out)
	case bytes.Equal(kind, names.callDelta):
		if i := r.find('t', indexOf(root)); i >= 0 {
			out = r.args(i, message.Get("tool_calls").Get("function").Get("arguments").Str(), out)
		}
	case bytes.Equal(kind, names.callEnd):
		if i := r.find('t', indexOf(root)); i >= 0 {
			out = r.end(i, out)
		}
	case bytes.Equal(kind, names.citation):
		out = r.citation(message.Get("citations"), out)
	case bytes.Equal(kind, names.end):
		out = r.finish(delta, out)
	}
	if f := r.doc.Fault(); f != nil {
		return out, f
	}
	return out, nil
}

func indexOf(root jsontree.Node) int64 {
	v, _ := root.Get("index").Int()
	return v
}

// find is the part that a list has at index and that is open, -1 for none.
func (r *reader) find(list byte, index int64) int {
	for i := len(r.parts) - 1; i >= 0; i-- {
		if p := &r.parts[i]; p.list == list && p.index == index && !p.ended {
			return i
		}
	}
	return -1
}

func (r *reader) end(i int, out []canon.Event) []canon.Event {
	r.parts[i].ended = true
	if r.open == i {
		r.open = -1
	}
	return append(out, canon.Event{Kind: canon.EndPart, Part: i, PartKind: r.parts[i].kind})
}

// begin begins a part, and ends those that can't be open beside it: all of them, or for a call all but calls.
func (r *reader) begin(list byte, index int64, kind canon.PartKind, out []canon.Event) (int, []canon.Event) {
	for i := range r.parts {
		if p := &r.parts[i]; !p.ended && (kind != canon.ToolCall || p.kind != canon.ToolCall) {
			out = r.end(i, out)
		}
	}
	r.parts = append(r.parts, begun{list: list, index: index, kind: kind})
	i := len(r.parts) - 1
	ev := canon.Event{Kind: canon.Begin, Part: i, PartKind: kind, Plan: list == 'p'}
	if kind == canon.ToolCall {
		ev.Call = &r.call
	} else {
		r.open = i
	}
	return i, append(out, ev)
}

// content reads the content of content-start or content-delta, whichever it is: some hosts leave the start out.
func (r *reader) content(root, content jsontree.Node, out []canon.Event) []canon.Event {
	index := indexOf(root)
	if text := content.Get("thinking"); text.Said() {
		return r.text('c', index, canon.Thinking, text.Str(), out)
	}
	if text := content.Get("text"); text.Said() {
		return r.text('c', index, canon.Text, text.Str(), out)
	}
	return out
}

func (r *reader) text(list byte, index int64, kind canon.PartKind, text string, out []canon.Event) []canon.Event {
	if r.done {
		return out
	}
	i := r.open
	if i < 0 || r.parts[i].list != list || r.parts[i].index != index || r.parts[i].kind != kind {
		i, out = r.begin(list, index, kind, out)
	}
	if text == "" {
		return out
	}
	return append(out, canon.Event{Kind: canon.Delta, Part: i, PartKind: kind, Text: text})
}

func (r *reader) startCall(index int64, n jsontree.Node, out []canon.Event) []canon.Event {
	f := n.Get("function")
	r.call = canon.Call{ID: n.Get("id").Str(), Name: f.Get("name").Str()}
	if r.done || r.call.Name == "" {
		return out
	}
	var i int
	i, out = r.begin('t', index, canon.ToolCall, out)
	return r.args(i, f.Get("arguments").Str(), out)
}

func (r *reader) args(i int, text string, out []canon.Event) []canon.Event {
	if text == "" {
		return out
	}
	return append(out, canon.Event{Kind: canon.Delta, Part: i, PartKind: canon.ToolCall, Text: text})
}

// citation tells the citations of the text that is open: those of a part that has ended can't be told any more.
func (r *reader) citation(list jsontree.Node, out []canon.Event) []canon.Event {
	if r.open < 0 {
		return out
	}
	at := r.open
	if v, ok := list.Get("content_index").Int(); ok && r.parts[at].list == 'c' && r.parts[at].index != v {
		return out
	}
	r.cite = appendCitations(r.cite[:0], list)
	for i := range r.cite {
		out = append(out, canon.Event{Kind: canon.Cite, Part: at, PartKind: r.parts[at].kind, Citation: &r.cite[i]})
	}
	return out
}

func (r *reader) finish(delta jsontree.Node, out []canon.Event) []canon.Event {
	if r.done {
		return out
	}
	out = r.endAll(out)
	reason := delta.Get("finish_reason").Str()
	out = append(out, canon.Event{Kind: canon.Finished, Finish: finishOf(reason), FinishRaw: reason})
	if usage := delta.Get("usage"); usage.IsObject() {
		r.usage = canon.NoUsage()
		usageOf(usage, &r.usage)
		out = append(out, canon.Event{Kind: canon.Used, Usage: &r.usage})
	}
	return out
}

func (r *reader) endAll(out []canon.Event) []canon.Event {
	r.done = true
	for i := range r.parts {
		if !r.parts[i].ended {
			out = r.end(i, out)
		}
	}
	return out
}

// End tells what message-end would have, where only "[DONE]" came.
func (r *reader) End(out []canon.Event) []canon.Event {
	if !r.started {
		r.started = true
		out = append(out, canon.Event{Kind: canon.Start})
	}
	if r.done {
		return out
	}
	out = r.endAll(out)
	return append(out, canon.Event{Kind: canon.Finished, Finish: canon.Stopped})
}
