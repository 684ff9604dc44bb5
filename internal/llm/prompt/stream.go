package prompt

import (
	"strings"

	"causeway/internal/fault"
	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsonscan"
	"causeway/internal/llm/jsontree"
)

// NewWriter writes a stream: an event delta with {"text"} for each piece of the output, and at its end the event
// done, whose data is the whole answer as WriteAnswer has it.
func (k codec) NewWriter(req *canon.Request, r *canon.Report) canon.Writer {
	w := &writer{c: k.c, r: r}
	w.o.model, w.o.usage = req.Model, canon.NoUsage()
	w.state.Usage, w.state.Sequence = llm.NoUsage(), -1
	return w
}

var _ canon.CheckedWriter = (*writer)(nil)

// writer writes one stream.
type writer struct {
	c     *Call
	r     *canon.Report
	o     outcome
	text  strings.Builder
	state llm.StreamState
}

// Write appends a delta for a piece of the first choice's text.
func (w *writer) Write(dst []byte, ev *canon.Event) []byte {
	switch ev.Kind {
	case canon.Start:
		if ev.Model != "" {
			w.o.model = strings.Clone(ev.Model)
		}
	case canon.Begin:
		if ev.Choice == 0 && ev.PartKind != canon.Text && ev.PartKind != canon.Refusal {
			w.r.Add("answer."+ev.PartKind.String(), canon.Dropped, "a prompt's answer is its output")
		}
	case canon.Delta:
		if ev.Choice != 0 || ev.PartKind != canon.Text && ev.PartKind != canon.Refusal || ev.Text == "" {
			return dst
		}
		if ev.PartKind == canon.Refusal {
			w.o.finish = canon.Refused
		}
		w.text.WriteString(ev.Text)
		w.state.Content = true
		dst = append(dst, "event: delta\ndata: {\"text\":"...)
		return append(jsonscan.Quote(dst, ev.Text), "}\n\n"...)
	case canon.Finished:
		if ev.Choice == 0 && w.o.finish != canon.Refused {
			w.o.finish = ev.Finish
		}
	case canon.Used:
		if ev.Usage != nil {
			w.o.usage = *ev.Usage
			w.state.Usage = ev.Usage.Usage
		}
	case canon.Beat:
		return append(dst, ": still there\n\n"...)
	}
	return dst
}

// CheckEnd holds the whole output to the prompt's schema.
func (w *writer) CheckEnd() error {
	w.o.text = w.text.String()
	return w.c.check(&w.o)
}

// End appends the event done.
func (w *writer) End(dst []byte) []byte {
	w.o.text = w.text.String()
	w.state.Done, w.state.Ended = true, true
	dst = append(dst, "event: done\ndata: "...)
	return append(w.c.appendResult(dst, &w.o), "\n\n"...)
}

// State is what the stream has told.
func (w *writer) State() *llm.StreamState { return &w.state }

// ContentType is that of server-sent events.
func (w *writer) ContentType() string { return "text/event-stream" }

// reader reads the events of a writer.
type reader struct {
	doc   jsontree.Doc
	begun bool
}

// Read reads delta and done.
func (r *reader) Read(ev llm.Event, out []canon.Event) ([]canon.Event, error) {
	if err := r.doc.Reset(ev.Data); err != nil {
		return out, err
	}
	root := r.doc.Root()
	switch string(ev.Name) {
	case "delta":
		if !r.begun {
			r.begun = true
			out = append(out, canon.Event{Kind: canon.Start}, canon.Event{Kind: canon.Begin, PartKind: canon.Text})
		}
		out = append(out, canon.Event{Kind: canon.Delta, PartKind: canon.Text, Text: root.Get("text").Str()})
	case "done":
		if r.begun {
			out = append(out, canon.Event{Kind: canon.EndPart, PartKind: canon.Text})
		} else {
			out = append(out, canon.Event{Kind: canon.Start})
		}
		usage := canon.NoUsage()
		usage.Usage = readUsage(root.Get("usage"))
		out = append(out,
			canon.Event{Kind: canon.Finished, Finish: finishOf(root.Get("finish_reason").Str())},
			canon.Event{Kind: canon.Used, Usage: &usage})
	default:
		return out, &canon.Unfit{Kind: fault.MalformedStream, Problem: "an event that this dialect does not have"}
	}
	return out, nil
}

// End has nothing to add: done is the last event.
func (r *reader) End(out []canon.Event) []canon.Event { return out }
