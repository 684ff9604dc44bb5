package bedrock

import (
	"slices"
	"strings"

	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsontree"
)

// WriteRequest writes a call of Converse; that of ConverseStream has the same body. What a model does not take is left to the
// table in models.go.
func (codec) WriteRequest(req *canon.Request, to *canon.Target, r *canon.Report) ([]byte, error) {
	w := newWriting(req, to, r)
	w.Object()
	turns := w.conversation()
	w.inference()
	w.toolConfig(turns)
	w.outputConfig()
	w.modelFields()
	w.around()
	w.End()
	if w.err != nil {
		return nil, w.err
	}
	return w.Buf, nil
}

// writing is one request being written.
type writing struct {
	jsontree.Writer
	req   *canon.Request
	to    *canon.Target
	r     *canon.Report
	model model
	same  bool // the caller's dialect is Bedrock too
	plan  plan
	told  []string // instructions that stand in for what Bedrock has no member for

	documents map[string]int // names in use
	ids       ids
	err       error // a *canon.Unsupported
}

func newWriting(req *canon.Request, to *canon.Target, r *canon.Report) *writing {
	w := &writing{req: req, to: to, r: r, model: modelOf(to.Model), same: req.Dialect == name}
	size := 1024
	if req.Doc != nil {
		size += len(req.Doc.Root().Copy())
	}
	w.Buf = make([]byte, 0, size)
	w.instruct()
	w.think()
	return w
}

// refuse notes that the call can't be made.
func (w *writing) refuse(at jsontree.Ref, why string) {
	if w.err == nil {
		w.err = &canon.Unsupported{Field: w.req.Doc.At(at).Path(), Why: why}
	}
}

// loseIn notes a loss of a member of what stands at at.
func (w *writing) loseIn(at jsontree.Ref, member string, loss canon.Loss, why string) {
	if n := w.req.Doc.At(at); n.Exists() {
		w.r.Add(n.Path()+"."+member, loss, why)
	}
}

// turn is a message as Bedrock has it: what several in a row of one side say.
type turn struct {
	assistant bool
	parts     []*canon.Part
	at        jsontree.Ref // of its first message
}

// turns joins messages of one side, since the two must alternate, and leaves out empty texts, which are refused.
func (w *writing) turns() (list []turn, system []*canon.Message) {
	begun := false
	for i := range w.req.Messages {
		m := &w.req.Messages[i]
		if m.Name != "" {
			w.loseIn(m.At, "name", canon.Dropped, "Bedrock has no names of participants")
		}
		if m.Role == canon.System || m.Role == canon.Developer {
			if begun {
				w.r.Lose(m.At, canon.Approximated, "Bedrock's system prompt stands before the conversation")
			}
			system = append(system, m)
			continue
		}
		begun = true
		assistant := m.Role == canon.Assistant
		for k := range m.Parts {
			p := &m.Parts[k]
			if p.Kind == canon.Text && strings.TrimSpace(p.Text) == "" && p.Raw == nil {
				continue
			}
			if last := len(list) - 1; last < 0 || list[last].assistant != assistant {
				list = append(list, turn{assistant: assistant, at: m.At})
			}
			t := &list[len(list)-1]
			t.parts = append(t.parts, p)
		}
	}
	for i := range list {
		w.resultsFirst(&list[i])
	}
	return list, system
}

// resultsFirst moves the results of tools to the begin of a turn, where Claude wants them.
func (w *writing) resultsFirst(t *turn) {
	if w.same {
		return
	}
	for i, p := range t.parts {
		if p.Kind != canon.ToolResult || i == 0 || t.parts[i-1].Kind == canon.ToolResult {
			continue
		}
		w.r.Lose(p.At, canon.Approximated, "results of tools stand first in their turn")
		slices.SortStableFunc(t.parts, func(a, b *canon.Part) int {
			return order(a) - order(b)
		})
		return
	}
}

func order(p *canon.Part) int {
	if p.Kind == canon.ToolResult {
		return 0
	}
	return 1
}

// filler is the text of a message or block that must be there and has nothing to say.
const filler = "."

// conversation writes messages and system.
func (w *writing) conversation() []turn {
	turns, system := w.turns()
	var before []string // a system prompt for a model that takes none
	if w.model.noSystem() {
		before = w.systemTexts(system)
		system = nil
	}
	w.Name("messages")
	w.Array()
	if len(turns) == 0 || turns[0].assistant {
		at := jsontree.Ref(0)
		if len(w.req.Messages) > 0 {
			at = w.req.Messages[0].At
		}
		w.r.Lose(at, canon.Approximated, "on Bedrock a conversation begins with the user: a message was put before it")
		w.Object()
		w.StrMember("role", "user")
		w.Name("content")
		w.Array()
		for _, text := range before {
			w.text(text)
		}
		if len(before) == 0 {
			w.text(filler)
		}
		w.End()
		w.End()
		before = nil
	}
	for i := range turns {
		w.turn(&turns[i], before)
		before = nil
	}
	w.End()
	w.system(system)
	return turns
}

func (w *writing) turn(t *turn, before []string) {
	w.Object()
	if t.assistant {
		w.StrMember("role", "assistant")
	} else {
		w.StrMember("role", "user")
	}
	w.Name("content")
	w.Array()
	from := len(w.Buf)
	for _, text := range before {
		w.text(text)
	}
	texts, documents := len(before) > 0, false
	for _, p := range t.parts {
		w.part(p, t.assistant)
		texts = texts || p.Kind == canon.Text
		documents = documents || p.Kind == canon.Document
	}
	switch {
	case len(w.Buf) == from: // all of it is left out
		w.text(filler)
	case documents && !texts:
		w.r.Lose(t.at, canon.Approximated, "Bedrock wants a text beside a document: one was added")
		w.text(filler)
	}
	w.End()
	w.End()
}

func (w *writing) text(text string) {
	w.Object()
	w.StrMember("text", text)
	w.End()
}

// cachePoint writes the mark behind a part or tool.
func (w *writing) cachePoint(c *canon.Cache, at jsontree.Ref, known bool) {
	switch {
	case c == nil:
		return
	case !known:
		w.r.Lose(at, canon.Approximated, "this model has no cache points here")
		return
	}
	w.Object()
	w.Name("cachePoint")
	w.Object()
	w.StrMember("type", "default")
	if c.TTL != "" {
		w.StrMember("ttl", c.TTL)
	}
	w.End()
	w.End()
}

// system writes the system prompt.
func (w *writing) system(messages []*canon.Message) {
	from := len(w.Buf)
	any := false
	begin := func() {
		if !any {
			any = true
			w.Name("system")
			w.Array()
		}
	}
	for _, m := range messages {
		for i := range m.Parts {
			p := &m.Parts[i]
			switch {
			case p.Raw != nil && p.SignedBy == name && (p.Kind == canon.Text || p.Kind == canon.Other):
				begin()
				w.own(p)
			case p.Kind != canon.Text:
				w.r.Lose(p.At, canon.Dropped, "Bedrock's system prompt is text")
				continue
			case strings.TrimSpace(p.Text) == "":
				continue
			default:
				begin()
				w.text(p.Text)
			}
			w.cachePoint(p.Cache, p.At, w.model.caches())
		}
	}
	if !w.model.noSystem() {
		for _, text := range w.told {
			begin()
			w.text(text)
		}
	}
	if len(w.Buf) > from {
		w.End()
	}
}

// systemTexts is the system prompt as texts to stand at the begin of the user's first message.
func (w *writing) systemTexts(messages []*canon.Message) (texts []string) {
	for _, m := range messages {
		said := false
		for i := range m.Parts {
			switch p := &m.Parts[i]; {
			case p.Kind != canon.Text:
				w.r.Lose(p.At, canon.Dropped, "Bedrock's system prompt is text")
			case strings.TrimSpace(p.Text) != "":
				texts, said = append(texts, p.Text), true
			}
		}
		if said {
			w.r.Lose(m.At, canon.Approximated, "this model has no system prompt: it stands in the user's first message")
		}
	}
	return append(texts, w.told...)
}

// own writes a block as its caller wrote it for Bedrock.
func (w *writing) own(p *canon.Part) {
	w.Raw(p.Raw)
	w.req.Doc.At(p.At).Settle()
}
