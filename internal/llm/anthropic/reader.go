package anthropic

import (
	"bytes"
	"fmt"

	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsontree"
)

// NewReader reads the events of a provider's stream.
func (codec) NewReader() canon.Reader {
	d, _ := jsontree.Parse([]byte("null"), false)
	return &reader{doc: d, tally: noCounts, usage: canon.NoUsage()}
}

// reader is one stream on its way in.
type reader struct {
	doc      *jsontree.Doc
	part     int // the next part's number
	open     bool
	kind     canon.PartKind // of the open part
	held     []byte         // the Other block that is open: it is told when it is whole
	input    []byte         // the arguments of a held block so far
	finished bool
	started  bool
	lent     string // a signature for the next part
	lentBy   string
	skipped  bool // the open block is told by other means
	call     canon.Call
	cite     canon.Citation
	tally    counts
	usage    canon.Usage
}

// Read appends what an event tells.
func (r *reader) Read(ev llm.Event, out []canon.Event) ([]canon.Event, error) {
	if bytes.HasPrefix(ev.Data, []byte("[DONE]")) { // from some compatible servers
		return out, nil
	}
	if err := r.doc.Reset(ev.Data); err != nil {
		return out, err
	}
	root := r.doc.Root()
	kind := root.Get("type").Str()
	var err error
	switch kind {
	case "ping":
		out = append(out, canon.Event{Kind: canon.Beat})
	case "message_start":
		out, err = r.start(root.Get("message"), out)
	case "content_block_start":
		out, err = r.begin(root.Get("content_block"), out)
	case "content_block_delta":
		out, err = r.delta(root.Get("delta"), out)
	case "content_block_stop":
		out = r.close(out)
	case "message_delta":
		out, err = r.end(root, out)
	case "message_stop":
		out = r.stop(out, canon.Stopped, "", "")
	}
	if err == nil && r.doc.Fault() != nil {
		err = r.doc.Fault()
	}
	return out, err
}

// End ends what is open.
func (r *reader) End(out []canon.Event) []canon.Event {
	if !r.started {
		return out
	}
	return r.stop(out, canon.Stopped, "", "")
}

func (r *reader) start(m jsontree.Node, out []canon.Event) ([]canon.Event, error) {
	if r.started || !m.IsObject() {
		return out, fmt.Errorf("message_start comes twice or without its message")
	}
	r.started = true
	usage := m.Get("usage")
	out = append(out, canon.Event{Kind: canon.Start, ID: m.Get("id").Str(), Model: m.Get("model").Str(), ServiceTier: usage.Get("service_tier").Str()})
	return r.used(usage, out), nil
}

func (r *reader) used(n jsontree.Node, out []canon.Event) []canon.Event {
	if !n.IsObject() {
		return out
	}
	readTally(n, &r.tally, &r.usage)
	return append(out, canon.Event{Kind: canon.Used, Usage: &r.usage})
}

func (r *reader) begin(b jsontree.Node, out []canon.Event) ([]canon.Event, error) {
	if !r.started || r.open || r.finished || !b.IsObject() {
		return out, fmt.Errorf("content_block_start comes where no block can begin")
	}
	ev := canon.Event{Kind: canon.Begin, Part: r.part, Signature: r.lent, SignedBy: r.lentBy}
	first := canon.Event{Part: r.part}
	switch kind := b.Get("type").Str(); kind {
	case "text":
		ev.PartKind = canon.Text
		first.Text = b.Get("text").Str()
	case "thinking":
		ev.PartKind = canon.Thinking
		first.Text = b.Get("thinking").Str()
		ev.Signature, ev.SignedBy = canon.UnwrapSignature(b.Get("signature").Str(), name)
	case "redacted_thinking":
		ev.PartKind, ev.Redacted = canon.Thinking, true
		ev.Signature, ev.SignedBy = canon.UnwrapSignature(b.Get("data").Str(), name)
		p := canon.Part{Kind: canon.Thinking, Redacted: true, Signature: ev.Signature, SignedBy: ev.SignedBy}
		if sig, ok := lent(&p, forNext); ok {
			r.lent, r.lentBy, r.open, r.skipped = sig, ev.SignedBy, true, true
			return out, nil
		}
		if _, ok := lent(&p, forLast); ok { // the part it belongs to is told already
			r.open, r.skipped = true, true
			return out, nil
		}
	case "tool_use":
		r.call = canon.Call{ID: unwrapID(b.Get("id").Str()), Name: b.Get("name").Str()}
		if r.call.Name == "" {
			return out, fmt.Errorf("a tool_use block begins without a name")
		}
		ev.PartKind, ev.Call = canon.ToolCall, &r.call
		if input := b.Get("input"); input.Len() > 0 { // some compatible servers have it whole
			first.Text = string(input.Raw())
		}
	default:
		r.held = append(r.held[:0], b.Raw()...)
		r.input = r.input[:0]
		r.open, r.kind = true, canon.Other
		return out, nil
	}
	r.open, r.kind, r.lent, r.lentBy = true, ev.PartKind, "", ""
	out = append(out, ev)
	if first.Text != "" {
		first.Kind, first.PartKind = canon.Delta, ev.PartKind
		out = append(out, first)
	}
	if list := b.Get("citations"); ev.PartKind == canon.Text && list.Len() > 0 {
		for _, c := range citations(list) {
			out = append(out, canon.Event{Kind: canon.Cite, Part: r.part, PartKind: canon.Text, Citation: &c})
		}
	}
	return out, nil
}

func (r *reader) delta(n jsontree.Node, out []canon.Event) ([]canon.Event, error) {
	if !r.open || !n.IsObject() {
		return out, fmt.Errorf("content_block_delta comes where no block is open")
	}
	if r.skipped {
		return out, nil
	}
	ev := canon.Event{Kind: canon.Delta, Part: r.part, PartKind: r.kind}
	want := canon.Text
	switch kind := n.Get("type").Str(); kind {
	case "text_delta":
		ev.Text = n.Get("text").Str()
	case "thinking_delta":
		want, ev.Text = canon.Thinking, n.Get("thinking").Str()
	case "input_json_delta":
		want, ev.Text = canon.ToolCall, n.Get("partial_json").Str()
		if r.kind == canon.Other {
			r.input = append(r.input, ev.Text...)
			return out, nil
		}
	case "signature_delta":
		want, ev.Kind = canon.Thinking, canon.Sign
		ev.Signature, ev.SignedBy = canon.UnwrapSignature(n.Get("signature").Str(), name)
	case "citations_delta":
		ev.Kind = canon.Cite
		r.cite = citation(n.Get("citation"))
		ev.Citation = &r.cite
	default:
		return out, nil // a kind that is newer than this
	}
	if want != r.kind {
		return out, fmt.Errorf("a delta of %s comes in a block of %s", want, r.kind)
	}
	if ev.Kind == canon.Delta && ev.Text == "" {
		return out, nil
	}
	return append(out, ev), nil
}

// close ends the open block; one that is held is told here.
func (r *reader) close(out []canon.Event) []canon.Event {
	if !r.open {
		return out
	}
	r.open = false
	if r.skipped {
		r.skipped = false
		return out
	}
	if r.kind == canon.Other {
		if len(r.input) > 0 && validJSON(string(r.input)) {
			r.held = withInput(r.held, r.input)
		}
		out = append(out, canon.Event{Kind: canon.Begin, Part: r.part, PartKind: canon.Other, Raw: r.held, SignedBy: name})
	}
	out = append(out, canon.Event{Kind: canon.EndPart, Part: r.part, PartKind: r.kind})
	r.part++
	return out
}

// withInput is a block of a server's tool with the arguments that came after it.
func withInput(block, input []byte) []byte {
	d, err := jsontree.Parse(block, false)
	if err != nil {
		return block
	}
	var w jsontree.Writer
	w.Buf = make([]byte, 0, len(block)+len(input))
	w.Object()
	had := false
	d.Root().Each(func(_ int, m jsontree.Node) {
		if m.Name() == "input" {
			had = true
			w.RawMember("input", input)
			return
		}
		w.RawMember(m.Name(), m.Raw())
	})
	if !had {
		w.RawMember("input", input)
	}
	w.End()
	return w.Buf
}

// end reads message_delta: why the model stopped, and what it used.
func (r *reader) end(root jsontree.Node, out []canon.Event) ([]canon.Event, error) {
	if !r.started {
		return out, fmt.Errorf("message_delta comes before message_start")
	}
	delta := root.Get("delta")
	if reason := delta.Get("stop_reason").Str(); reason != "" {
		if why := delta.Get("stop_details").Get("explanation"); why.IsString() && why.Str() != "" && !r.finished {
			out = r.close(out)
			ev := canon.Event{Kind: canon.Begin, Part: r.part, PartKind: canon.Refusal}
			out = append(out, ev)
			ev.Kind, ev.Text = canon.Delta, why.Str()
			out = append(out, ev)
			ev.Kind, ev.Text = canon.EndPart, ""
			out = append(out, ev)
			r.part++
		}
		out = r.stop(out, finishOf(reason), reason, delta.Get("stop_sequence").Str())
	}
	return r.used(root.Get("usage"), out), nil
}

// stop finishes the choice, once.
func (r *reader) stop(out []canon.Event, finish canon.Finish, raw, word string) []canon.Event {
	if r.finished || !r.started {
		return out
	}
	out = r.close(out)
	r.finished = true
	return append(out, canon.Event{Kind: canon.Finished, Finish: finish, FinishRaw: raw, StopWord: word})
}
