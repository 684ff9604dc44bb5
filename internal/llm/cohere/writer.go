package cohere

import (
	"strconv"
	"strings"

	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsontree"
)

// NewWriter writes a stream for a caller of Cohere's API.
func (codec) NewWriter(_ *canon.Request, r *canon.Report) canon.Writer {
	w := &writer{r: r, usage: canon.NoUsage()}
	w.state.Sequence, w.state.Usage = -1, llm.NoUsage()
	return w
}

// writer counts content blocks, calls and citations apart, as Cohere does.
type writer struct {
	j     jsontree.Writer
	r     *canon.Report
	state llm.StreamState
	parts []written

	contents, calls, cites int
	finish                 canon.Finish
	timeout                bool
	stopWord               string
	usage                  canon.Usage
}

// written is a part of the answer: how it is written and its index there.
type written struct {
	as    byte // 'c' content, 'p' plan, 't' tool call, 0 not at all
	kind  string
	index int
	text  []byte // what has come of it: citations quote it
	cites []canon.Citation
}

// ContentType is that of server-sent events.
func (w *writer) ContentType() string { return "text/event-stream" }

// State is what AppendErrorEvent may ask for.
func (w *writer) State() *llm.StreamState { return &w.state }

// event begins an event of this type; what Close ends stands in its data.
func (w *writer) event(dst []byte, name string) {
	dst = append(append(append(dst, "event: "...), name...), "\ndata: "...)
	w.j.Reset(dst)
	w.j.Object()
	w.j.StrMember("type", name)
	w.state.Events++
}

// message begins the objects delta and message.
func (w *writer) message() {
	w.j.Name("delta")
	w.j.Object()
	w.j.Name("message")
	w.j.Object()
}

// close ends this many objects and the event.
func (w *writer) close(objects int) []byte {
	for range objects {
		w.j.End()
	}
	return append(w.j.Buf, "\n\n"...)
}

// Write writes one event.
func (w *writer) Write(dst []byte, ev *canon.Event) []byte {
	if ev.Choice != 0 {
		w.r.Add("answer.choices."+strconv.Itoa(ev.Choice), canon.Dropped, "Cohere's answers have one choice")
		return dst
	}
	switch ev.Kind {
	case canon.Start:
		w.event(dst, "message-start")
		w.j.StrMember("id", idOf(ev.ID))
		w.message()
		w.j.Embed([]byte(`"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]`))
		return w.close(3)
	case canon.Beat:
		return append(dst, ": ping\n\n"...)
	case canon.Finished:
		w.finish = ev.Finish
		w.timeout = ev.FinishRaw == reasonTimeout
		w.stopWord = strings.Clone(ev.StopWord)
		return dst
	case canon.Used:
		w.usage = *ev.Usage
		return dst
	case canon.Probs:
		return w.probs(dst, ev.Logprobs)
	case canon.Begin:
		return w.begin(dst, ev)
	}
	if ev.Part >= len(w.parts) {
		return dst
	}
	p := &w.parts[ev.Part]
	switch ev.Kind {
	case canon.Delta:
		return w.delta(dst, p, ev.Text)
	case canon.Sign:
		w.r.Add("answer."+ev.PartKind.String()+".signature", canon.Dropped, "Cohere's answers are not signed")
	case canon.Cite:
		return w.cite(dst, p, ev.Citation)
	case canon.EndPart:
		for i := range p.cites {
			dst = w.citation(dst, p, &p.cites[i])
		}
		p.cites = nil
		switch p.as {
		case 'c':
			w.event(dst, "content-end")
			w.j.IntMember("index", int64(p.index))
			return w.close(1)
		case 't':
			w.event(dst, "tool-call-end")
			w.j.IntMember("index", int64(p.index))
			return w.close(1)
		}
	}
	return dst
}

func (w *writer) begin(dst []byte, ev *canon.Event) []byte {
	p := written{}
	switch {
	case ev.Plan:
		p.as = 'p'
	case ev.PartKind == canon.ToolCall:
		p.as, p.index = 't', w.calls
		w.calls++
		w.event(dst, "tool-call-start")
		w.j.IntMember("index", int64(p.index))
		w.message()
		w.j.Name("tool_calls")
		w.j.Object()
		id := ev.Call.ID
		if id == "" {
			id = "call_" + strconv.Itoa(w.calls)
		}
		w.j.StrMember("id", id)
		w.j.StrMember("type", "function")
		w.j.Name("function")
		w.j.Object()
		w.j.StrMember("name", ev.Call.Name)
		w.j.StrMember("arguments", "")
		dst = w.close(5)
	case ev.PartKind == canon.Text, ev.PartKind == canon.Thinking, ev.PartKind == canon.Refusal:
		p.as, p.kind, p.index = 'c', "text", w.contents
		if ev.PartKind == canon.Thinking {
			p.kind = "thinking"
		}
		if ev.PartKind == canon.Refusal {
			w.r.Add("answer.refusal", canon.Approximated, "as text")
		}
		w.contents++
		w.event(dst, "content-start")
		w.j.IntMember("index", int64(p.index))
		w.message()
		w.j.Name("content")
		w.j.Object()
		w.j.StrMember("type", p.kind)
		w.j.StrMember(p.kind, "")
		dst = w.close(4)
	default:
		w.r.Add("answer."+ev.PartKind.String(), canon.Dropped, "Cohere's answers have none")
	}
	w.parts = append(w.parts, p)
	return dst
}

func (w *writer) delta(dst []byte, p *written, text string) []byte {
	switch p.as {
	case 'c':
		w.event(dst, "content-delta")
		w.j.IntMember("index", int64(p.index))
		w.message()
		w.j.Name("content")
		w.j.Object()
		w.j.StrMember(p.kind, text)
		p.text = append(p.text, text...)
		w.state.Content = true
		return w.close(4)
	case 'p':
		w.event(dst, "tool-plan-delta")
		w.message()
		w.j.StrMember("tool_plan", text)
		w.state.Content = true
		return w.close(3)
	case 't':
		w.event(dst, "tool-call-delta")
		w.j.IntMember("index", int64(p.index))
		w.message()
		w.j.Name("tool_calls")
		w.j.Object()
		w.j.Name("function")
		w.j.Object()
		w.j.StrMember("arguments", text)
		w.state.Content = true
		return w.close(5)
	}
	return dst
}

// cite writes a citation of Cohere's own at once. Another's waits for the end of its part: it may come before the text
// that it is of, and quotes it here.
func (w *writer) cite(dst []byte, p *written, c *canon.Citation) []byte {
	if c.SignedBy == dialectName {
		return w.citation(dst, p, c)
	}
	held := canon.Citation{Start: c.Start, End: c.End}
	held.URL, held.Title = strings.Clone(c.URL), strings.Clone(c.Title)
	held.Cited, held.FileID = strings.Clone(c.Cited), strings.Clone(c.FileID)
	p.cites = append(p.cites, held)
	return dst
}

// citation writes the two events of a citation.
func (w *writer) citation(dst []byte, p *written, c *canon.Citation) []byte {
	if p.as != 'c' && p.as != 'p' || c.SignedBy == dialectName && c.Raw == nil {
		return dst
	}
	index := int64(w.cites)
	w.cites++
	w.event(dst, "citation-start")
	w.j.IntMember("index", index)
	w.message()
	w.j.Name("citations")
	writeCitation(&w.j, c, string(p.text), p.index)
	dst = w.close(3)
	w.event(dst, "citation-end")
	w.j.IntMember("index", index)
	return w.close(1)
}

// probs writes each as the delta of an empty text: canonical deltas and logprobs need not go together.
func (w *writer) probs(dst []byte, list []canon.Logprob) []byte {
	for i := range list {
		w.event(dst, "content-delta")
		w.j.IntMember("index", int64(max(w.contents-1, 0)))
		w.message()
		w.j.Embed([]byte(`"content":{"text":""}`))
		w.j.End()
		w.j.End()
		w.j.Name("logprobs")
		writeLogprob(&w.j, &list[i], w.r)
		dst = w.close(1)
	}
	return dst
}

// End writes message-end and "[DONE]".
func (w *writer) End(dst []byte) []byte {
	raw := ""
	if w.timeout {
		raw = reasonTimeout
	}
	reason, exact := reasonOf(w.finish, raw)
	if !exact {
		w.r.Add("answer.finish_reason", canon.Approximated, "Cohere has no word for it")
	}
	w.event(dst, "message-end")
	w.j.Name("delta")
	w.j.Object()
	w.j.StrMember("finish_reason", reason)
	loseOfEnd(w.stopWord, &w.usage, w.r)
	writeUsage(&w.j, &w.usage)
	dst = w.close(2)
	w.state.Ended, w.state.Done = true, true
	return append(dst, "data: [DONE]\n\n"...)
}
