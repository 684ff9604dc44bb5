package cohere

import (
	"strconv"

	"causeway/internal/llm/canon"
)

func (w *requestWriter) message(m *canon.Message) {
	if m.Name != "" {
		w.lose(m.At, "name", canon.Dropped, "Cohere's messages have no names")
	}
	switch m.Role {
	case canon.System, canon.Developer:
		w.turn("system", m)
	case canon.User:
		w.turn("user", m)
	case canon.Assistant:
		w.assistant(m)
	case canon.ToolRole:
		for i := range m.Parts {
			if p := &m.Parts[i]; p.Result != nil {
				w.result(p)
			} else {
				w.r.Lose(p.At, canon.Dropped, "not a tool's result")
			}
		}
	}
}

// turn writes a message of the system or of the user. One that held nothing but documents is left out: they
// stand beside the messages.
func (w *requestWriter) turn(role string, m *canon.Message) {
	if len(m.Parts) > 0 && w.onlyDocuments(m) {
		return
	}
	w.Object()
	w.StrMember("role", role)
	w.Name("content")
	w.Array()
	for i := range m.Parts {
		p := &m.Parts[i]
		w.mark(p)
		switch {
		case p.Kind == canon.Text || p.Kind == canon.Refusal:
			w.text(p.Text)
		case p.Kind == canon.Document && m.Role == canon.User: // gathered before
		case p.Kind == canon.Image && m.Role == canon.User:
			w.image(p)
		default:
			w.r.Lose(p.At, canon.Dropped, "Cohere takes no "+p.Kind.String()+" here")
		}
	}
	w.End()
	w.End()
}

func (w *requestWriter) onlyDocuments(m *canon.Message) bool {
	for i := range m.Parts {
		if m.Parts[i].Kind != canon.Document {
			return false
		}
	}
	return m.Role == canon.User && len(w.docs) > 0
}

// mark tells that the mark of a prompt's cache is lost, and so is what proves another provider's reasoning.
func (w *requestWriter) mark(p *canon.Part) {
	if p.Signature != "" && p.Kind != canon.Thinking {
		w.lose(p.At, "thoughtSignature", canon.Dropped, "only the provider that made it can read it")
	}
	if p.Cache != nil {
		w.lose(p.At, "cache_control", canon.Dropped, "Cohere keeps prompts by itself")
	}
}

func (w *requestWriter) text(s string) {
	w.Object()
	w.StrMember("type", "text")
	w.StrMember("text", s)
	w.End()
}

func (w *requestWriter) image(p *canon.Part) {
	m := p.Media
	url := m.URL
	if m.Data != "" {
		mime := m.MIME
		if mime == "" {
			mime = "image/png"
		}
		url = "data:" + mime + ";base64," + m.Data
	}
	if url == "" {
		w.r.Lose(p.At, canon.Dropped, "a file that another provider keeps")
		return
	}
	w.Object()
	w.StrMember("type", "image_url")
	w.Name("image_url")
	w.Object()
	w.StrMember("url", url)
	if m.Detail != "" {
		w.StrMember("detail", m.Detail)
	}
	w.End()
	w.End()
}

func (w *requestWriter) assistant(m *canon.Message) {
	w.Object()
	w.StrMember("role", "assistant")
	plan, content, cites, calls := "", 0, 0, 0
	begin := func() {
		if content == 0 {
			w.Name("content")
			w.Array()
		}
		content++
	}
	for i := range m.Parts {
		p := &m.Parts[i]
		w.mark(p)
		switch p.Kind {
		case canon.ToolCall:
			calls++
		case canon.Text, canon.Refusal:
			if p.Plan {
				plan += p.Text
				continue
			}
			if p.Kind == canon.Refusal {
				w.r.Lose(p.At, canon.Approximated, "a refusal goes as text")
			}
			begin()
			w.text(p.Text)
			cites += len(p.Citations)
		case canon.Thinking:
			if p.Text == "" {
				w.r.Lose(p.At, canon.Dropped, "thinking that only its own provider can read")
				continue
			}
			if p.Signature != "" {
				w.r.Lose(p.At, canon.Approximated, "its text goes along, its signature is another provider's")
			}
			begin()
			w.Object()
			w.StrMember("type", "thinking")
			w.StrMember("thinking", p.Text)
			w.End()
			cites += len(p.Citations)
		default:
			w.r.Lose(p.At, canon.Dropped, "Cohere's answers have no "+p.Kind.String())
		}
	}
	if content > 0 {
		w.End()
	}
	if cites > 0 {
		w.citations(m.Parts)
	}
	if plan != "" {
		w.StrMember("tool_plan", plan)
	}
	if calls > 0 {
		w.calls(m.Parts)
	} else if content == 0 && plan == "" {
		w.StrMember("content", "")
	}
	w.End()
}

// citations writes the citations of all parts of an answer.
func (w *requestWriter) citations(parts []canon.Part) {
	w.Name("citations")
	w.Array()
	index := 0
	for i := range parts {
		p := &parts[i]
		switch p.Kind {
		case canon.Text, canon.Refusal, canon.Thinking:
			writeCitations(&w.Writer, p, index)
			if !p.Plan {
				index++
			}
		}
	}
	w.End()
}

func (w *requestWriter) calls(parts []canon.Part) {
	w.Name("tool_calls")
	w.Array()
	for i := range parts {
		c := parts[i].Call
		if parts[i].Kind != canon.ToolCall || c == nil {
			continue
		}
		id := c.ID
		if id == "" {
			w.unnamed++
			id = "call_" + strconv.Itoa(w.unnamed)
			w.made = append(w.made, canon.Call{ID: id, Name: c.Name})
		}
		w.call(id, c)
	}
	w.End()
}

func (w *requestWriter) call(id string, c *canon.Call) {
	w.Object()
	w.StrMember("id", id)
	w.StrMember("type", "function")
	w.Name("function")
	w.Object()
	w.StrMember("name", c.Name)
	w.StrMember("arguments", argsOf(c.Args))
	w.End()
	w.End()
}

func argsOf(args string) string {
	if args == "" {
		return "{}"
	}
	return args
}

// idFor is the id of the call that a result without one answers: the first of that name that is still open.
func (w *requestWriter) idFor(name string) string {
	for i := range w.made {
		if c := &w.made[i]; c.ID != "" && (name == "" || c.Name == name) {
			id := c.ID
			c.ID = ""
			return id
		}
	}
	w.answered++
	return "result_" + strconv.Itoa(w.answered)
}

func (w *requestWriter) result(p *canon.Part) {
	res := p.Result
	w.mark(p)
	id := res.ID
	if id == "" {
		id = w.idFor(res.Name)
	}
	w.Object()
	defer w.End()
	w.StrMember("role", "tool")
	w.StrMember("tool_call_id", id)
	w.Name("content")
	if res.Error {
		w.lose(p.At, "is_error", canon.Approximated, "Cohere has no mark for it: the result stands under the name error")
	}
	switch {
	case res.JSON != nil && !res.Error:
		w.Str(string(res.JSON))
		return
	case len(res.Parts) == 1 && res.Parts[0].Kind == canon.Text && !res.Error:
		w.mark(&res.Parts[0])
		w.Str(res.Parts[0].Text)
		return
	}
	w.Array()
	defer w.End()
	if res.JSON != nil {
		w.failed(string(res.JSON))
	}
	for i := range res.Parts {
		q := &res.Parts[i]
		w.mark(q)
		switch {
		case q.Kind == canon.Text && res.Error:
			w.failed(q.Text)
		case q.Kind == canon.Text:
			w.text(q.Text)
		case q.Kind == canon.Document:
			if d, ok := w.document(q); ok {
				w.Object()
				w.StrMember("type", "document")
				w.Name("document")
				w.putDocument(&d)
				w.End()
			}
		default:
			w.r.Lose(q.At, canon.Dropped, "Cohere's tools give back text")
		}
	}
}

// failed writes what a tool said that failed.
func (w *requestWriter) failed(text string) {
	w.Object()
	w.StrMember("type", "document")
	w.Name("document")
	w.Object()
	w.Name("data")
	w.Object()
	w.StrMember("error", text)
	w.End()
	w.End()
	w.End()
}
