package cohere

import (
	"encoding/base64"
	"strconv"
	"strings"

	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsontree"
)

// WriteRequest writes a chat for a model of Cohere's.
func (codec) WriteRequest(req *canon.Request, to *canon.Target, r *canon.Report) ([]byte, error) {
	w := requestWriter{req: req, to: to, r: r}
	if req.Doc != nil {
		w.Buf = make([]byte, 0, len(req.Doc.Root().Copy())+512)
	}
	tools := w.offered()
	w.findDocuments()
	w.Object()
	w.StrMember("model", to.Model)
	w.Name("messages")
	w.Array()
	w.instruction(len(tools) > 0)
	for i := range req.Messages {
		w.message(&req.Messages[i])
	}
	w.End()
	w.tools(tools)
	w.documents()
	w.format(len(tools) > 0)
	w.thinking()
	w.params()
	for _, n := range r.Own(dialectName) {
		w.RawMember(n.Name(), n.Copy())
	}
	w.BoolMember("stream", req.Stream)
	w.End()
	return w.Buf, nil
}

type requestWriter struct {
	jsontree.Writer
	req  *canon.Request
	to   *canon.Target
	r    *canon.Report
	docs []document
	// made are calls that had no id and were given one; answered are the results that have found theirs.
	made     []canon.Call
	answered int
	unnamed  int
}

// document is one that the request brings along.
type document struct {
	raw         []byte // ready JSON
	title, text string
	context, id string
}

// lose notes the loss of the member name of what stands at at, where the caller wrote it so; else of the
// whole.
func (w *requestWriter) lose(at jsontree.Ref, name string, loss canon.Loss, why string) {
	if n := w.req.Doc.At(at).Get(name); n.Exists() {
		at = n.Ref()
	}
	w.r.Lose(at, loss, why)
}

// findDocuments gathers the documents of user messages: Cohere has them beside the messages.
func (w *requestWriter) findDocuments() {
	for i := range w.req.Messages {
		m := &w.req.Messages[i]
		if m.Role != canon.User {
			continue
		}
		for k := range m.Parts {
			if p := &m.Parts[k]; p.Kind == canon.Document {
				if d, ok := w.document(p); ok {
					w.docs = append(w.docs, d)
				}
			}
		}
	}
}

// document is the document of a part; false, with its loss noted, when it has no text to be had.
func (w *requestWriter) document(p *canon.Part) (d document, ok bool) {
	if p.SignedBy == dialectName && p.Raw != nil {
		return document{raw: p.Raw}, true
	}
	m := p.Media
	if m == nil {
		w.r.Lose(p.At, canon.Dropped, "Cohere reads documents that are text")
		return d, false
	}
	d = document{title: m.Name, text: m.Text, context: m.Context, id: m.ID}
	mime, data := m.MIME, m.Data
	if d.text == "" && m.URL != "" && w.to.Fetch != nil {
		var err error
		if mime, data, err = w.to.Fetch(m.URL); err != nil {
			w.r.Lose(p.At, canon.Dropped, "it can't be fetched: "+err.Error())
			return d, false
		}
	}
	if d.text == "" && data != "" && isText(mime) {
		if text, err := base64.StdEncoding.DecodeString(data); err == nil {
			d.text = string(text)
		}
	}
	if d.text == "" {
		w.r.Lose(p.At, canon.Dropped, "Cohere reads documents that are text")
		return d, false
	}
	return d, true
}

func isText(mime string) bool {
	mime, _, _ = strings.Cut(mime, ";")
	return strings.HasPrefix(mime, "text/") || mime == "application/json" || mime == "application/xml" || mime == "application/yaml"
}

func (w *requestWriter) documents() {
	if len(w.docs) == 0 {
		return
	}
	w.Name("documents")
	w.Array()
	for i := range w.docs {
		w.putDocument(&w.docs[i])
	}
	w.End()
}

func (w *requestWriter) putDocument(d *document) {
	if d.raw != nil {
		w.Raw(d.raw)
		return
	}
	w.Object()
	if d.id != "" {
		w.StrMember("id", d.id)
	}
	w.Name("data")
	w.Object()
	if d.title != "" {
		w.StrMember("title", d.title)
	}
	if d.context != "" {
		w.StrMember("context", d.context)
	}
	w.StrMember("text", d.text)
	w.End()
	w.End()
}

// withoutFormat tells that Cohere takes no response_format for this request: not with tools, not with
// documents.
func (w *requestWriter) withoutFormat(tools bool) bool {
	return w.req.Format.Kind != canon.AnyText && (tools || len(w.docs) > 0) && w.req.Dialect != dialectName
}

// instruction takes the place of a response_format that can't be sent.
func (w *requestWriter) instruction(tools bool) {
	f := &w.req.Format
	if !w.withoutFormat(tools) {
		return
	}
	w.r.Lose(f.At, canon.Emulated, "with tools or documents Cohere takes no response_format: the system message asks for it")
	text := "When you give your final answer, answer with one JSON object and nothing else."
	if f.Kind == canon.JSONSchema {
		text += " It must follow this JSON Schema: " + string(f.Schema)
	}
	w.Object()
	w.StrMember("role", "system")
	w.StrMember("content", text)
	w.End()
}

func (w *requestWriter) format(tools bool) {
	f := &w.req.Format
	if f.Kind == canon.AnyText && f.At == 0 || w.withoutFormat(tools) {
		return
	}
	w.Name("response_format")
	w.Object()
	switch f.Kind {
	case canon.AnyText:
		w.StrMember("type", "text")
	default:
		w.StrMember("type", "json_object")
	}
	if f.Kind == canon.JSONSchema {
		w.RawMember("json_schema", f.Described())
	}
	w.End()
}

// offered are the tools that go along: those with a function, and of a choice that names some only these.
func (w *requestWriter) offered() (list []*canon.Tool) {
	c := &w.req.Choice
	for i := range w.req.Tools {
		t := &w.req.Tools[i]
		switch {
		case t.BuiltIn != "":
			w.r.Lose(t.At, canon.Dropped, "a tool that another provider runs itself")
			continue
		case t.Custom:
			w.r.Lose(t.At, canon.Dropped, "Cohere has no tools that take free text")
			continue
		}
		if t.Cache != nil {
			w.lose(t.At, "cache_control", canon.Dropped, "Cohere keeps prompts by itself")
		}
		if len(c.Names) > 0 && (c.Mode == canon.ToolsNamed || c.Mode == canon.ToolsAny) && !has(c.Names, t.Name) {
			continue
		}
		list = append(list, t)
	}
	return list
}

func has(list []string, s string) bool {
	for _, e := range list {
		if e == s {
			return true
		}
	}
	return false
}

func (w *requestWriter) tools(list []*canon.Tool) {
	if w.req.ParallelTools.Said && !w.req.ParallelTools.On {
		w.r.Lose(w.req.ParallelTools.At, canon.Dropped, "Cohere may call several tools at once")
	}
	if len(list) == 0 {
		w.r.Lose(w.req.Choice.At, canon.Dropped, "there are no tools")
		return
	}
	w.Name("tools")
	w.Array()
	strict, loose := false, false
	for _, t := range list {
		w.Object()
		w.StrMember("type", "function")
		w.Name("function")
		w.Object()
		w.StrMember("name", t.Name)
		if t.Description != "" {
			w.StrMember("description", t.Description)
		}
		if t.Schema != nil {
			w.RawMember("parameters", t.Schema)
		} else {
			w.RawMember("parameters", []byte(`{"type":"object","properties":{}}`))
		}
		w.End()
		w.End()
		strict, loose = strict || t.Strict.On, loose || !t.Strict.On
	}
	w.End()
	switch {
	case strict:
		w.BoolMember("strict_tools", true)
	case w.req.Dialect == dialectName && list[0].Strict.Said:
		w.BoolMember("strict_tools", false)
	}
	if strict && loose {
		for _, t := range list {
			if t.Strict.On {
				w.r.Lose(t.Strict.At, canon.Approximated, "strict_tools holds for all tools")
			}
		}
	}
	c := &w.req.Choice
	switch c.Mode {
	case canon.ToolsNone:
		w.StrMember("tool_choice", "NONE")
	case canon.ToolsAny, canon.ToolsNamed:
		w.StrMember("tool_choice", "REQUIRED")
		if len(c.Names) > 0 {
			w.r.Lose(c.At, canon.Emulated, "only what it names is offered, and one of it is required")
		}
	}
}

func (w *requestWriter) thinking() {
	t := &w.req.Reasoning
	if !t.Said {
		return
	}
	w.Name("thinking")
	w.Object()
	defer w.End()
	if t.Off || t.Effort == "none" {
		w.StrMember("type", "disabled")
		return
	}
	w.StrMember("type", "enabled")
	budget := t.Budget
	if budget == 0 && t.Effort != "" {
		if budget = canon.BudgetOf(t.Effort); budget > 0 {
			w.r.Lose(t.At, canon.Approximated, "Cohere counts thinking in tokens: "+t.Effort+" is "+strconv.FormatInt(budget, 10))
		}
	}
	if budget > 0 {
		w.IntMember("token_budget", budget)
	}
}

func (w *requestWriter) params() {
	w.copy("max_tokens", canon.MaxTokens)
	w.within("temperature", canon.Temperature, 0, 1)
	w.within("p", canon.TopP, 0.01, 0.99)
	w.within("k", canon.TopK, 0, 500)
	w.penalties()
	if json := w.r.Take(canon.Seed); json != nil {
		if json[0] == '-' {
			w.r.Lose(w.req.Params[canon.Seed].At, canon.Dropped, "Cohere's seeds are not negative")
		} else {
			w.RawMember("seed", json)
		}
	}
	w.copy("logprobs", canon.Logprobs)
	if w.r.Take(canon.Stop) == nil {
		return
	}
	words := w.req.Words(canon.Stop)
	if len(words) > 5 {
		words = words[:5]
		w.r.Lose(w.req.Params[canon.Stop].At, canon.Approximated, "Cohere takes five of them")
	}
	w.Name("stop_sequences")
	w.Array()
	for _, word := range words {
		w.Str(word)
	}
	w.End()
}

// penalties writes one of the two penalties: models refuse a request that has both.
func (w *requestWriter) penalties() {
	zero := func(json []byte) bool {
		v, err := strconv.ParseFloat(string(json), 64)
		return json == nil || err == nil && v == 0
	}
	f, p := w.req.Params[canon.FrequencyPenalty], w.req.Params[canon.PresencePenalty]
	if !zero(f.JSON) && !zero(p.JSON) && w.req.Dialect != dialectName {
		w.r.Take(canon.PresencePenalty)
		w.r.Lose(p.At, canon.Dropped, "Cohere takes one penalty of the two")
	} else {
		w.within("presence_penalty", canon.PresencePenalty, 0, 1)
	}
	w.within("frequency_penalty", canon.FrequencyPenalty, 0, 1)
}

func (w *requestWriter) copy(name string, id canon.ParamID) {
	if json := w.r.Take(id); json != nil {
		w.RawMember(name, json)
	}
}

// within writes a number, brought into the range that Cohere allows.
func (w *requestWriter) within(name string, id canon.ParamID, low, high float64) {
	json := w.r.Take(id)
	if json == nil {
		return
	}
	v, err := strconv.ParseFloat(string(json), 64)
	if err == nil && (v < low || v > high) {
		near := min(max(v, low), high)
		w.r.Lose(w.req.Params[id].At, canon.Approximated, "Cohere's goes from "+strconv.FormatFloat(low, 'g', -1, 64)+" to "+strconv.FormatFloat(high, 'g', -1, 64))
		w.Name(name)
		w.Float(near)
		return
	}
	w.RawMember(name, json)
}
