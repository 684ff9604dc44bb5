package ollama

import (
	"time"

	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsontree"
)

// ReadAnswer reads a whole answer of chat or generate. How long each step took is the server's own affair
// and says nothing of the answer.
func (c codec) ReadAnswer(body []byte) (*canon.Answer, error) {
	d, err := jsontree.Parse(body, true)
	if err != nil {
		return nil, err
	}
	root := d.Root()
	a := &canon.Answer{Model: root.Get("model").Str(), Created: timeOf(root.Get("created_at")), Usage: usageOf(root)}
	choice := canon.Choice{}
	message := root
	if !c.generate {
		message = root.Get("message")
		message.Get("role").Settle()
	}
	if text := message.Get("thinking").Str(); text != "" {
		choice.Parts = append(choice.Parts, canon.Part{Kind: canon.Thinking, Text: text})
	}
	if text := message.Get(c.textName()).Str(); text != "" {
		choice.Parts = append(choice.Parts, canon.Part{Kind: canon.Text, Text: text})
	}
	message.Get("images").Each(func(_ int, e jsontree.Node) {
		data := e.Str()
		choice.Parts = append(choice.Parts, canon.Part{Kind: canon.Image, Media: &canon.Media{MIME: sniff(data), Data: data}})
	})
	called := false
	message.Get("tool_calls").Each(func(_ int, e jsontree.Node) {
		called = true
		choice.Parts = append(choice.Parts, canon.Part{Kind: canon.ToolCall, Call: callOf(e)})
	})
	root.Get("done").Settle()
	reason := root.Get("done_reason").Str()
	choice.Finish, choice.FinishRaw = finishOf(reason, called), reason
	choice.Logprobs = logprobs(root.Get("logprobs"), nil)
	if n := root.Get("total_duration"); n.Said() {
		v, _ := n.Float()
		a.LatencyMS = int64(v / float64(time.Millisecond))
	}
	for _, name := range [...]string{"load_duration", "prompt_eval_duration", "eval_duration", "context"} {
		root.Get(name).Settle()
	}
	a.Choices = []canon.Choice{choice}
	if f := d.Fault(); f != nil {
		return nil, f
	}
	for _, n := range d.Unused() {
		a.Lost = append(a.Lost, n.Path())
	}
	return a, nil
}

// textName is the member with an answer's text.
func (c codec) textName() string {
	if c.generate {
		return "response"
	}
	return "content"
}

func timeOf(n jsontree.Node) int64 {
	if !n.IsString() {
		return 0
	}
	if t, err := time.Parse(time.RFC3339Nano, n.Str()); err == nil {
		return t.Unix()
	}
	return 0
}

func callOf(e jsontree.Node) *canon.Call {
	e.Get("type").Settle()
	f := e.Get("function")
	f.Get("index").Settle()
	call := &canon.Call{ID: e.Get("id").Str(), Name: f.Get("name").Str()}
	if args := f.Get("arguments"); args.Said() {
		call.Args = string(args.Raw())
	}
	return call
}

func usageOf(root jsontree.Node) canon.Usage {
	u := canon.NoUsage()
	if v, ok := root.Get("prompt_eval_count").Int(); ok && v >= 0 {
		u.Input = v
	}
	if v, ok := root.Get("eval_count").Int(); ok && v >= 0 {
		u.Output = v
	}
	if u.Input >= 0 || u.Output >= 0 {
		u.Source = "reported"
	}
	return u
}

// finishOf is what a reason means: Ollama says stop of calls too.
func finishOf(reason string, called bool) canon.Finish {
	switch {
	case reason == "length":
		return canon.Length
	case called:
		return canon.ToolCalls
	}
	return canon.Stopped
}

func logprobs(n jsontree.Node, list []canon.Logprob) []canon.Logprob {
	n.Each(func(_ int, e jsontree.Node) {
		p := logprob(e)
		p.Top = logprobs(e.Get("top_logprobs"), nil)
		list = append(list, p)
	})
	return list
}

func logprob(e jsontree.Node) canon.Logprob {
	p := canon.Logprob{Token: e.Get("token").Str()}
	p.Logprob, _ = e.Get("logprob").Float()
	if b := e.Get("bytes"); b.IsArray() {
		p.Bytes = make([]byte, 0, b.Len())
		b.Each(func(_ int, v jsontree.Node) {
			x, _ := v.Int()
			p.Bytes = append(p.Bytes, byte(x))
		})
	}
	return p
}

// NewReader reads the lines of a chat or of generate.
func (c codec) NewReader() canon.Reader { return &reader{codec: c, open: -1} }

// reader makes a part of each run of lines with the same kind of content. A call comes whole in one line.
type reader struct {
	codec
	doc     jsontree.Doc
	started bool
	done    bool
	called  bool
	parts   int
	open    int // the part that is open, -1 for none
	kind    canon.PartKind
	calls   []canon.Call
	media   []canon.Media
	probs   []canon.Logprob
	usage   canon.Usage
}

// Read reads one line.
func (r *reader) Read(ev llm.Event, out []canon.Event) ([]canon.Event, error) {
	if len(ev.Data) == 0 {
		return out, nil
	}
	if err := r.doc.Reset(ev.Data); err != nil {
		return out, err
	}
	root := r.doc.Root()
	if !r.started {
		r.started = true
		out = append(out, canon.Event{Kind: canon.Start, Model: root.Get("model").Str(), Created: timeOf(root.Get("created_at"))})
	}
	if r.done {
		return out, nil
	}
	message := root
	if !r.generate {
		message = root.Get("message")
	}
	out = r.text(canon.Thinking, message.Get("thinking").Str(), out)
	out = r.text(canon.Text, message.Get(r.textName()).Str(), out)
	if list := root.Get("logprobs"); list.Len() > 0 {
		r.probs = logprobs(list, r.probs[:0])
		out = append(out, canon.Event{Kind: canon.Probs, Logprobs: r.probs})
	}
	if list := message.Get("images"); list.Len() > 0 {
		out = r.images(list, out)
	}
	if list := message.Get("tool_calls"); list.Len() > 0 {
		out = r.toolCalls(list, out)
	}
	if done, _ := root.Get("done").Bool(); done {
		out = r.finish(root, out)
	}
	if f := r.doc.Fault(); f != nil {
		return out, f
	}
	return out, nil
}

func (r *reader) end(out []canon.Event) []canon.Event {
	if r.open < 0 {
		return out
	}
	at := r.open
	r.open = -1
	return append(out, canon.Event{Kind: canon.EndPart, Part: at, PartKind: r.kind})
}

func (r *reader) text(kind canon.PartKind, text string, out []canon.Event) []canon.Event {
	if text == "" {
		return out
	}
	if r.open < 0 || r.kind != kind {
		out = r.end(out)
		r.open, r.kind = r.parts, kind
		r.parts++
		out = append(out, canon.Event{Kind: canon.Begin, Part: r.open, PartKind: kind})
	}
	return append(out, canon.Event{Kind: canon.Delta, Part: r.open, PartKind: kind, Text: text})
}

func (r *reader) images(list jsontree.Node, out []canon.Event) []canon.Event {
	out = r.end(out)
	r.media = r.media[:0]
	list.Each(func(_ int, e jsontree.Node) {
		data := e.Str()
		r.media = append(r.media, canon.Media{MIME: sniff(data), Data: data})
	})
	for i := range r.media {
		at := r.parts
		r.parts++
		out = append(out,
			canon.Event{Kind: canon.Begin, Part: at, PartKind: canon.Image, Media: &r.media[i]},
			canon.Event{Kind: canon.EndPart, Part: at, PartKind: canon.Image})
	}
	return out
}

func (r *reader) toolCalls(list jsontree.Node, out []canon.Event) []canon.Event {
	out = r.end(out)
	r.calls = r.calls[:0]
	list.Each(func(_ int, e jsontree.Node) {
		if call := callOf(e); call.Name != "" {
			r.calls = append(r.calls, *call)
		}
	})
	for i := range r.calls {
		at := r.parts
		r.parts++
		r.called = true
		args := r.calls[i].Args
		r.calls[i].Args = ""
		out = append(out, canon.Event{Kind: canon.Begin, Part: at, PartKind: canon.ToolCall, Call: &r.calls[i]})
		if args != "" {
			out = append(out, canon.Event{Kind: canon.Delta, Part: at, PartKind: canon.ToolCall, Text: args})
		}
		out = append(out, canon.Event{Kind: canon.EndPart, Part: at, PartKind: canon.ToolCall})
	}
	return out
}

func (r *reader) finish(root jsontree.Node, out []canon.Event) []canon.Event {
	r.done = true
	out = r.end(out)
	reason := root.Get("done_reason").Str()
	out = append(out, canon.Event{Kind: canon.Finished, Finish: finishOf(reason, r.called), FinishRaw: reason})
	if r.usage = usageOf(root); r.usage.Source == "" {
		return out
	}
	v, _ := root.Get("total_duration").Float()
	return append(out, canon.Event{Kind: canon.Used, Usage: &r.usage, LatencyMS: int64(v / float64(time.Millisecond))})
}

// End has nothing to add: a whole stream had its last line.
func (r *reader) End(out []canon.Event) []canon.Event { return out }
