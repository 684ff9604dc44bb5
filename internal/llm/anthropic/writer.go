package anthropic

import (
	"strconv"

	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsonscan"
)

// NewWriter writes a stream for a caller.
func (codec) NewWriter(_ *canon.Request, r *canon.Report) canon.Writer {
	w := &writer{used: canon.NoUsage()}
	w.answering.r = r
	w.state.Sequence = -1
	return w
}

// writer is one stream on its way out. Here one block follows the other, so that of several calls that come
// at once the first goes out as it comes and the others wait for its end.
type writer struct {
	answering
	state   llm.StreamState
	started bool // message_start has gone out
	head    head
	block   int       // the next block's index
	live    *opened   // the block that is being written
	waiting []*opened // parts that began behind it
	used    canon.Usage
	finish  canon.Finish
	raw     string
	word    string
	probs   bool
}

// head is what Start said, until the usage that belongs to it has come or anything else does.
type head struct {
	held            bool
	id, model, tier string
}

// opened is a part that has begun.
type opened struct {
	part   int
	kind   canon.PartKind
	custom bool
	whole  bool   // its end has come
	begun  bool   // its content_block_start has gone out
	data   bool   // redacted thinking: nothing but its data
	quiet  bool   // nothing of it goes out
	id     string // of a call
	tool   string
	text   []byte // what came while it waited
	signed string // a signature that it has no member for, to go out behind it
	by     string
}

// ContentType is that of server-sent events.
func (*writer) ContentType() string { return "text/event-stream" }

// State is what is known of the stream.
func (w *writer) State() *llm.StreamState { return &w.state }

// Write appends what an event is here.
func (w *writer) Write(dst []byte, ev *canon.Event) []byte {
	switch ev.Kind {
	case canon.Start:
		w.fingerprint(ev.Fingerprint)
		w.head = head{true, string([]byte(ev.ID)), string([]byte(ev.Model)), string([]byte(ev.ServiceTier))}
		return dst
	case canon.Used:
		if ev.Usage != nil {
			w.used = *ev.Usage
		}
		return w.flush(dst)
	}
	if ev.Kind != canon.Beat || w.head.held {
		dst = w.flush(dst)
	}
	if ev.Choice > 0 {
		w.r.Add("answer.choices.1", canon.Dropped, "Anthropic's answers are one")
		return dst
	}
	switch ev.Kind {
	case canon.Beat:
		return append(dst, "event: ping\ndata: {\"type\":\"ping\"}\n\n"...)
	case canon.Begin:
		return w.begin(dst, ev)
	case canon.Finished:
		w.finish, w.raw, w.word = ev.Finish, string([]byte(ev.FinishRaw)), string([]byte(ev.StopWord))
		return dst
	case canon.Probs:
		if !w.probs {
			w.probs = true
			w.r.Add("answer.choices.0.logprobs", canon.Dropped, "Anthropic's answers have none")
		}
		return dst
	}
	o := w.find(ev.Part)
	if o != nil && o.kind == canon.Refusal && ev.Kind == canon.Delta {
		w.why += ev.Text // it goes out with the reason for which the model stopped
	}
	if o == nil || o.quiet && ev.Kind != canon.EndPart {
		return dst
	}
	switch ev.Kind {
	case canon.Delta:
		return w.delta(dst, o, ev.Text)
	case canon.MediaDelta:
		return w.delta(dst, o, ev.Transcript)
	case canon.Sign:
		return w.sign(dst, o, ev)
	case canon.Cite:
		if o == w.live && o.begun && ev.Citation != nil {
			return w.cite(dst, ev.Citation)
		}
	case canon.EndPart:
		if o.whole = true; o == w.live {
			return w.advance(w.close(dst))
		}
	}
	return dst
}

// flush writes message_start, once.
func (w *writer) flush(dst []byte) []byte {
	if w.started {
		return dst
	}
	w.started = true
	w.head.held = false
	w.Buf = append(dst, "event: message_start\ndata: "...)
	w.Object()
	w.StrMember("type", "message_start")
	w.Name("message")
	w.Object()
	w.StrMember("id", w.head.id)
	w.StrMember("type", "message")
	w.StrMember("role", "assistant")
	w.StrMember("model", w.head.model)
	w.ready("content", "[]")
	w.ready("stop_reason", "null")
	w.ready("stop_sequence", "null")
	w.ready("stop_details", "null")
	w.Name("usage")
	w.usage(&w.used, w.head.tier, true)
	w.ready("container", "null")
	w.answering.End()
	w.answering.End()
	return w.event()
}

// event ends the event that is being written.
func (w *writer) event() []byte {
	out := append(w.Buf, "\n\n"...)
	w.Writer.Reset(nil)
	return out
}

func (w *writer) find(part int) *opened {
	if w.live != nil && w.live.part == part {
		return w.live
	}
	for _, o := range w.waiting {
		if o.part == part {
			return o
		}
	}
	return nil
}

func (w *writer) begin(dst []byte, ev *canon.Event) []byte {
	o := &opened{part: ev.Part, kind: ev.PartKind}
	switch ev.PartKind {
	case canon.ToolCall:
		w.called = true
		if ev.Call != nil {
			o.id, o.tool, o.custom = string([]byte(ev.Call.ID)), string([]byte(ev.Call.Name)), ev.Call.Custom
		}
	case canon.Thinking:
		o.data = ev.Redacted
	case canon.Refusal:
		w.refused, o.quiet = true, true
		if w.why != "" {
			w.why += "\n"
		}
	case canon.Other:
		if ev.SignedBy == name {
			dst = w.closeAll(dst)
			return w.whole(dst, ev.Raw, o)
		}
		o.quiet = true
		w.lost("part", "Anthropic has no such part")
	case canon.Image, canon.Video, canon.Document:
		o.quiet = true
		w.lost(ev.PartKind.String(), "Anthropic's answers are text")
	case canon.Audio:
		w.r.Add("answer.audio", canon.Approximated, "Anthropic's answers are text: what is heard is written")
	}
	if w.live != nil && !w.live.whole && !(w.live.kind == canon.ToolCall && o.kind == canon.ToolCall) {
		dst = w.closeAll(dst) // a part whose end was not told
	}
	if w.live != nil {
		w.waiting = append(w.waiting, o)
		if ev.Signature != "" && o.kind != canon.Thinking {
			o.signed, o.by = string([]byte(ev.Signature)), string([]byte(ev.SignedBy))
		}
		return dst
	}
	if ev.Signature != "" && o.kind != canon.Thinking && ev.SignedBy != name && !o.quiet {
		dst = w.lendEvent(dst, ev.Signature, ev.SignedBy, forNext)
	}
	w.live = o
	dst = w.open(dst, o)
	if ev.Signature != "" && o.kind == canon.Thinking {
		dst = w.sign(dst, o, ev)
	}
	return dst
}

// index begins an event about the block that is open.
func (w *writer) index(dst []byte, event string) []byte {
	dst = append(dst, "event: "...)
	dst = append(dst, event...)
	dst = append(dst, "\ndata: {\"type\":\""...)
	dst = append(dst, event...)
	dst = append(dst, `","index":`...)
	return strconv.AppendInt(dst, int64(w.block), 10)
}

// open writes content_block_start. Thinking waits for its text, or for the data that stands in its place.
func (w *writer) open(dst []byte, o *opened) []byte {
	if o.quiet || o.kind == canon.Thinking {
		return dst
	}
	o.begun = true
	dst = w.index(dst, "content_block_start")
	if o.kind == canon.ToolCall {
		dst = append(dst, `,"content_block":{"type":"tool_use","id":`...)
		dst = jsonscan.Quote(dst, w.callID(o.id))
		dst = append(dst, `,"name":`...)
		dst = jsonscan.Quote(dst, o.tool)
		dst = append(dst, ",\"input\":{},\"caller\":{\"type\":\"direct\"}}}\n\n"...)
		if o.custom {
			dst = w.piece(dst, "input_json_delta", "partial_json", `{"input":"`)
		}
		return dst
	}
	return append(dst, ",\"content_block\":{\"type\":\"text\",\"text\":\"\",\"citations\":[]}}\n\n"...)
}

// think writes the content_block_start of thinking that is told.
func (w *writer) think(dst []byte, o *opened) []byte {
	o.begun = true
	dst = w.index(dst, "content_block_start")
	return append(dst, ",\"content_block\":{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}}\n\n"...)
}

func (w *writer) delta(dst []byte, o *opened, text string) []byte {
	switch {
	case text == "":
		return dst
	case o != w.live:
		o.text = append(o.text, text...)
		return dst
	case !o.begun && (o.kind != canon.Thinking || o.data):
		return dst
	case !o.begun:
		dst = w.think(dst, o)
	}
	w.state.Content = true
	switch {
	case o.kind == canon.Thinking:
		return w.piece(dst, "thinking_delta", "thinking", text)
	case o.kind == canon.ToolCall && o.custom:
		quoted := jsonscan.Quote(nil, text)
		return w.piece(dst, "input_json_delta", "partial_json", string(quoted[1:len(quoted)-1]))
	case o.kind == canon.ToolCall:
		return w.piece(dst, "input_json_delta", "partial_json", text)
	}
	return w.piece(dst, "text_delta", "text", text)
}

// piece writes a content_block_delta of one string.
func (w *writer) piece(dst []byte, kind, member, text string) []byte {
	dst = w.index(dst, "content_block_delta")
	dst = append(dst, `,"delta":{"type":"`...)
	dst = append(dst, kind...)
	dst = append(dst, `","`...)
	dst = append(dst, member...)
	dst = append(dst, `":`...)
	dst = jsonscan.Quote(dst, text)
	return append(dst, "}}\n\n"...)
}

func (w *writer) sign(dst []byte, o *opened, ev *canon.Event) []byte {
	if ev.Signature == "" {
		return dst
	}
	if o.kind != canon.Thinking {
		if ev.SignedBy != name {
			o.signed, o.by = string([]byte(ev.Signature)), string([]byte(ev.SignedBy))
		}
		return dst
	}
	signature := canon.WrapSignature(ev.Signature, ev.SignedBy, name)
	switch {
	case !o.begun && !o.data && !ev.Redacted && ev.SignedBy == name:
		dst = w.think(dst, o)
		fallthrough
	case o.begun && !o.data:
		return w.piece(dst, "signature_delta", "signature", signature)
	case o.begun:
		return dst
	}
	o.begun, o.data = true, true
	dst = w.index(dst, "content_block_start")
	dst = append(dst, `,"content_block":{"type":"redacted_thinking","data":`...)
	dst = jsonscan.Quote(dst, signature)
	return append(dst, "}}\n\n"...)
}

func (w *writer) cite(dst []byte, c *canon.Citation) []byte {
	w.Buf = append(w.index(dst, "content_block_delta"), `,"delta":{"type":"citations_delta","citation":`...)
	w.citation(c)
	w.Buf = append(w.Buf, "}}"...)
	return w.event()
}

// close writes content_block_stop for the live block, and the signature that goes behind it.
func (w *writer) close(dst []byte) []byte {
	o := w.live
	if w.live = nil; o.begun {
		if o.custom {
			dst = w.piece(dst, "input_json_delta", "partial_json", `"}`)
		}
		dst = append(w.index(dst, "content_block_stop"), "}\n\n"...)
		w.block++
	}
	if o.signed != "" {
		dst = w.lendEvent(dst, o.signed, o.by, forLast)
	}
	return dst
}

// advance writes the parts that waited, up to the first that is not whole.
func (w *writer) advance(dst []byte) []byte {
	for w.live == nil && len(w.waiting) > 0 {
		w.live, w.waiting = w.waiting[0], w.waiting[1:]
		dst = w.open(dst, w.live)
		text := w.live.text
		w.live.text = nil
		if dst = w.delta(dst, w.live, string(text)); w.live.whole {
			dst = w.close(dst)
		}
	}
	return dst
}

// closeAll closes what is open and what waits.
func (w *writer) closeAll(dst []byte) []byte {
	for w.live != nil || len(w.waiting) > 0 {
		if w.live != nil {
			dst = w.close(dst)
		}
		dst = w.advance(dst)
	}
	return dst
}

// lendEvent writes a signature as a block of its own.
func (w *writer) lendEvent(dst []byte, signature, by, mark string) []byte {
	if by == "" {
		return dst
	}
	w.Buf = append(w.index(dst, "content_block_start"), `,"content_block":`...)
	w.lend(signature, by, mark)
	w.Buf = append(w.Buf, '}')
	dst = append(w.index(w.event(), "content_block_stop"), "}\n\n"...)
	w.block++
	return dst
}

// whole writes a block that is ready.
func (w *writer) whole(dst, raw []byte, o *opened) []byte {
	dst = w.index(dst, "content_block_start")
	dst = append(dst, `,"content_block":`...)
	dst = llm.AppendLine(dst, raw)
	dst = append(dst, "}\n\n"...)
	w.state.Content = true
	o.begun, w.live = true, o
	return dst
}

// End closes what is open and writes message_delta and message_stop.
func (w *writer) End(dst []byte) []byte {
	dst = w.closeAll(w.flush(dst))
	reason := stopReason(w.finish, w.raw, w.called, w.refused)
	w.brokeOff(w.finish, w.raw)
	w.Buf = append(dst, "event: message_delta\ndata: "...)
	w.Object()
	w.StrMember("type", "message_delta")
	w.Name("delta")
	w.Object()
	w.StrMember("stop_reason", reason)
	w.stopped(reason, w.word, w.why)
	w.ready("container", "null")
	w.answering.End()
	w.Name("usage")
	w.usage(&w.used, "", false)
	w.answering.End()
	dst = w.event()
	w.state.Done, w.state.Finish = true, reason
	return append(dst, "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"...)
}
