package ollama

import (
	"encoding/base64"
	"strconv"
	"strings"

	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsonscan"
	"causeway/internal/llm/jsontree"
)

// WriteRequest writes a chat for a model of Ollama's. One for generate is possible where the request is no more than
// a prompt.
func (c codec) WriteRequest(req *canon.Request, to *canon.Target, r *canon.Report) ([]byte, error) {
	w := requestWriter{req: req, to: to, r: r}
	if req.Doc != nil {
		w.Buf = make([]byte, 0, len(req.Doc.Root().Copy())+512)
	}
	w.Object()
	w.StrMember("model", to.Model)
	if c.generate {
		if err := w.prompt(); err != nil {
			return nil, err
		}
	} else {
		w.Name("messages")
		w.Array()
		for i := range req.Messages {
			w.message(&req.Messages[i])
		}
		w.End()
		w.tools()
	}
	w.format()
	w.think()
	for _, n := range w.options(r.Own(dialectName, "options")) {
		w.RawMember(n.Name(), n.Copy())
	}
	w.copy("logprobs", canon.Logprobs)
	w.copy("top_logprobs", canon.TopLogprobs)
	w.BoolMember("stream", req.Stream)
	w.End()
	return w.Buf, nil
}

type requestWriter struct {
	jsontree.Writer
	req *canon.Request
	to  *canon.Target
	r   *canon.Report
}

func (w *requestWriter) copy(name string, id canon.ParamID) {
	if json := w.r.Take(id); json != nil {
		w.RawMember(name, json)
	}
}

// lose notes the loss of the member name of what stands at at, where the caller wrote it so; else of the
// whole.
func (w *requestWriter) lose(at jsontree.Ref, name string, loss canon.Loss, why string) {
	if n := w.req.Doc.At(at).Get(name); n.Exists() {
		at = n.Ref()
	}
	w.r.Lose(at, loss, why)
}

// prompt writes what generate is asked.
func (w *requestWriter) prompt() error {
	system, user := "", -1
	for i := range w.req.Messages {
		switch m := &w.req.Messages[i]; {
		case user < 0 && (m.Role == canon.System || m.Role == canon.Developer):
			system = strings.TrimPrefix(system+"\n"+w.text(m.Parts, "\n"), "\n")
		case user < 0 && m.Role == canon.User:
			user = i
		default:
			return &canon.Unsupported{Why: "generate takes one prompt and no conversation"}
		}
	}
	if user < 0 || len(w.req.Tools) > 0 {
		return &canon.Unsupported{Why: "generate takes one prompt and no tools"}
	}
	if system != "" {
		w.StrMember("system", system)
	}
	w.StrMember("prompt", w.text(w.req.Messages[user].Parts, "\n"))
	w.images(w.req.Messages[user].Parts)
	return nil
}

func (w *requestWriter) message(m *canon.Message) {
	if m.Name != "" {
		w.lose(m.At, "name", canon.Dropped, "Ollama's messages have no names")
	}
	role := "system"
	switch m.Role {
	case canon.User:
		role = "user"
	case canon.Assistant:
		role = "assistant"
	case canon.ToolRole:
		for i := range m.Parts {
			if p := &m.Parts[i]; p.Result != nil {
				w.mark(p)
				w.result(p)
			} else {
				w.r.Lose(p.At, canon.Dropped, "not a tool's result")
			}
		}
		return
	}
	w.Object()
	w.StrMember("role", role)
	between := "\n"
	if m.Role == canon.Assistant { // its texts are pieces of one answer
		between = ""
	}
	w.StrMember("content", w.text(m.Parts, between))
	w.thinking(m)
	w.images(m.Parts)
	w.calls(m.Parts)
	w.End()
}

// text joins the texts of a message: its content is one string. Documents that are text stand among them.
func (w *requestWriter) text(parts []canon.Part, between string) string {
	text, found := "", 0
	var b strings.Builder
	add := func(s string) {
		if found++; found == 1 {
			text = s
			return
		}
		if b.Len() == 0 {
			b.WriteString(text)
		}
		b.WriteString(between)
		b.WriteString(s)
	}
	for i := range parts {
		p := &parts[i]
		w.mark(p)
		if p.Signature != "" && p.Kind != canon.Thinking {
			w.lose(p.At, "thoughtSignature", canon.Dropped, "only the provider that made it can read it")
		}
		if len(p.Citations) > 0 {
			w.loseCitations(p)
		}
		switch p.Kind {
		case canon.Text, canon.Refusal:
			if p.Kind == canon.Refusal {
				w.r.Lose(p.At, canon.Approximated, "a refusal goes as text")
			}
			add(p.Text)
		case canon.Document:
			if s, ok := w.document(p); ok {
				add(s)
			}
		case canon.Audio, canon.Video, canon.Other, canon.ToolResult:
			w.r.Lose(p.At, canon.Dropped, "Ollama takes no "+p.Kind.String()+" here")
		}
	}
	if found > 1 {
		return b.String()
	}
	return text
}

// mark tells that the mark of a prompt's cache is lost.
func (w *requestWriter) mark(p *canon.Part) {
	if p.Cache != nil {
		w.lose(p.At, "cache_control", canon.Dropped, "Ollama keeps prompts by itself")
	}
}

// loseCitations tells that the sources of a text stay behind: by the name that the caller has for them, where it
// stands at the part.
func (w *requestWriter) loseCitations(p *canon.Part) {
	at := w.req.Doc.At(p.At)
	if n := at.First("citations", "annotations"); n.Exists() {
		at = n
	}
	w.r.Lose(at.Ref(), canon.Dropped, "Ollama's messages have no sources")
}

// document is a document's text, where it is one.
func (w *requestWriter) document(p *canon.Part) (text string, ok bool) {
	m := p.Media
	if m == nil {
		w.r.Lose(p.At, canon.Dropped, "Ollama takes no documents")
		return "", false
	}
	text, data, mime := m.Text, m.Data, m.MIME
	if text == "" && m.URL != "" && w.to.Fetch != nil {
		var err error
		if mime, data, err = w.to.Fetch(m.URL); err != nil {
			w.r.Lose(p.At, canon.Dropped, "it can't be fetched: "+err.Error())
			return "", false
		}
	}
	if text == "" && (strings.HasPrefix(mime, "text/") || strings.HasPrefix(mime, "application/json")) {
		if raw, err := base64.StdEncoding.DecodeString(data); err == nil {
			text = string(raw)
		}
	}
	if text == "" {
		w.r.Lose(p.At, canon.Dropped, "Ollama takes no documents but as text")
		return "", false
	}
	w.r.Lose(p.At, canon.Approximated, "as text of the message")
	if m.Name != "" {
		text = m.Name + "\n\n" + text
	}
	return text, true
}

func (w *requestWriter) thinking(m *canon.Message) {
	text := ""
	for i := range m.Parts {
		p := &m.Parts[i]
		if p.Kind != canon.Thinking {
			continue
		}
		switch {
		case p.Text == "":
			w.r.Lose(p.At, canon.Dropped, "thinking that only its own provider can read")
		case p.Signature != "":
			w.r.Lose(p.At, canon.Approximated, "its text goes along, its signature is another provider's")
		}
		text += p.Text
	}
	if text != "" {
		w.StrMember("thinking", text)
	}
}

// images writes the images of a message, each in base64: Ollama fetches nothing.
func (w *requestWriter) images(parts []canon.Part) {
	begun := false
	for i := range parts {
		p := &parts[i]
		if p.Kind != canon.Image {
			continue
		}
		data := w.image(p)
		if data == "" {
			continue
		}
		if !begun {
			begun = true
			w.Name("images")
			w.Array()
		}
		w.Str(data)
	}
	if begun {
		w.End()
	}
}

func (w *requestWriter) image(p *canon.Part) string {
	m := p.Media
	if m.Detail != "" && m.Detail != "auto" {
		n := w.req.Doc.At(p.At)
		if inner := n.Get("image_url"); inner.IsObject() {
			n = inner
		}
		w.lose(n.Ref(), "detail", canon.Dropped, "Ollama has one way to look at an image")
	}
	switch {
	case m.Data != "":
	case m.URL != "" && w.to.Fetch != nil:
		_, data, err := w.to.Fetch(m.URL)
		if err != nil {
			w.r.Lose(p.At, canon.Dropped, "it can't be fetched: "+err.Error())
			return ""
		}
		w.r.Lose(p.At, canon.Emulated, "fetched by the gateway")
		return data
	case m.URL != "":
		w.r.Lose(p.At, canon.Dropped, "Ollama takes images as bytes, and this gateway does not fetch them")
		return ""
	default:
		w.r.Lose(p.At, canon.Dropped, "a file that another provider keeps")
		return ""
	}
	return m.Data
}

func (w *requestWriter) calls(parts []canon.Part) {
	begun := false
	for i := range parts {
		c := parts[i].Call
		if parts[i].Kind != canon.ToolCall || c == nil {
			continue
		}
		if !begun {
			begun = true
			w.Name("tool_calls")
			w.Array()
		}
		if !writeCall(&w.Writer, c, -1) {
			w.r.Lose(parts[i].At, canon.Approximated, "its arguments are no JSON object: they stand under input")
		}
	}
	if begun {
		w.End()
	}
}

// writeCall writes a call; false when its arguments were no object.
func writeCall(w *jsontree.Writer, c *canon.Call, index int) (exact bool) {
	w.Object()
	if c.ID != "" && !strings.HasPrefix(c.ID, madeID) {
		w.StrMember("id", c.ID)
	}
	w.Name("function")
	w.Object()
	if index >= 0 {
		w.IntMember("index", int64(index))
	}
	w.StrMember("name", c.Name)
	w.Name("arguments")
	exact = true
	args := strings.TrimSpace(c.Args)
	switch {
	case args == "":
		w.RawStr("{}")
	case args[0] == '{' && jsonscan.Valid([]byte(args)):
		w.RawStr(args)
	default:
		exact = false
		w.Object()
		w.StrMember("input", c.Args)
		w.End()
	}
	w.End()
	w.End()
	return exact
}

func (w *requestWriter) result(p *canon.Part) {
	res := p.Result
	w.Object()
	defer w.End()
	w.StrMember("role", "tool")
	if res.JSON != nil {
		w.StrMember("content", string(res.JSON))
	} else {
		w.StrMember("content", w.text(res.Parts, "\n"))
	}
	if res.Error {
		w.lose(p.At, "is_error", canon.Dropped, "Ollama has no mark for it")
	}
	name := res.Name
	if name == "" {
		name = w.req.FindCall(res.ID)
	}
	if name != "" {
		w.StrMember("tool_name", name)
	}
	if res.ID != "" && !strings.HasPrefix(res.ID, madeID) {
		w.StrMember("tool_call_id", res.ID)
	}
	w.images(res.Parts)
}

// tools writes the tools. Ollama's models call them when they like: of a choice, only none can be had, and which
// of them may be called, by what is offered.
func (w *requestWriter) tools() {
	c := &w.req.Choice
	if p := w.req.ParallelTools; p.Said && !p.On {
		w.r.Lose(p.At, canon.Dropped, "Ollama's models may call several tools at once")
	}
	switch c.Mode {
	case canon.ToolsNone:
		if len(w.req.Tools) > 0 {
			w.r.Lose(c.At, canon.Emulated, "no tool is offered")
		}
		return
	case canon.ToolsNamed, canon.ToolsAny:
		why := "Ollama can't make a model call a tool"
		if len(c.Names) > 0 {
			why += ": only what it names is offered"
		}
		w.r.Lose(c.At, canon.Approximated, why)
	}
	begun := false
	for i := range w.req.Tools {
		t := &w.req.Tools[i]
		switch {
		case t.BuiltIn != "":
			w.r.Lose(t.At, canon.Dropped, "a tool that another provider runs itself")
			continue
		case t.Custom:
			w.r.Lose(t.At, canon.Dropped, "Ollama has no tools that take free text")
			continue
		case len(c.Names) > 0 && (c.Mode == canon.ToolsNamed || c.Mode == canon.ToolsAny) && !has(c.Names, t.Name):
			continue
		}
		if t.Cache != nil {
			w.lose(t.At, "cache_control", canon.Dropped, "Ollama keeps prompts by itself")
		}
		if t.Strict.On {
			w.r.Lose(t.Strict.At, canon.Dropped, "Ollama does not hold a model to a tool's schema")
		}
		if !begun {
			begun = true
			w.Name("tools")
			w.Array()
		}
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
	}
	if begun {
		w.End()
	}
}

func has(list []string, s string) bool {
	for _, e := range list {
		if e == s {
			return true
		}
	}
	return false
}

func (w *requestWriter) format() {
	switch f := &w.req.Format; f.Kind {
	case canon.JSONObject:
		w.StrMember("format", "json")
	case canon.JSONSchema:
		w.RawMember("format", f.Described())
	}
}

func (w *requestWriter) think() {
	t := &w.req.Reasoning
	if !t.Said {
		return
	}
	if t.Off || t.Effort == "none" {
		w.BoolMember("think", false)
		return
	}
	switch t.Effort {
	case "low", "medium", "high":
		w.StrMember("think", t.Effort)
	case "xhigh":
		w.StrMember("think", "max")
	case "minimal":
		w.r.Lose(t.At, canon.Approximated, "as low")
		w.StrMember("think", "low")
	default:
		w.BoolMember("think", true)
	}
	if t.Budget > 0 {
		at := t.BudgetAt
		if at == 0 {
			at = t.At
		}
		w.r.Lose(at, canon.Dropped, "Ollama does not count thinking")
	}
}

// options writes the member options, with what of it only Ollama has. It returns what of own stands outside.
func (w *requestWriter) options(own []jsontree.Node) (rest []jsontree.Node) {
	begun := false
	begin := func(name string) {
		if !begun {
			begun = true
			w.Name("options")
			w.Object()
		}
		w.Name(name)
	}
	for _, p := range optionParams {
		json := w.r.Take(p.id)
		if json == nil {
			continue
		}
		if _, err := strconv.ParseInt(string(json), 10, 64); p.whole && err != nil {
			w.r.Lose(w.req.Params[p.id].At, canon.Dropped, "Ollama's whole numbers have 64 bits")
			continue
		}
		begin(p.name)
		w.Raw(json)
	}
	if json := w.r.Take(canon.MaxTokens); json != nil {
		begin("num_predict")
		w.Raw(json)
	} else if n := w.req.Doc.At(w.ownOption("num_predict")); n.Said() {
		begin("num_predict")
		w.Raw(n.Copy())
	}
	if json := w.r.Take(canon.Stop); json != nil {
		begin("stop")
		w.Raw(json)
	}
	for _, n := range own {
		if strings.HasPrefix(n.Path(), "options.") {
			begin(n.Name())
			w.Raw(n.Copy())
		} else {
			rest = append(rest, n)
		}
	}
	if begun {
		w.End()
	}
	return rest
}

// ownOption finds an option of the caller's that was read and means nothing to others.
func (w *requestWriter) ownOption(name string) jsontree.Ref {
	if w.req.Dialect != dialectName || w.req.Doc == nil {
		return 0
	}
	return w.req.Doc.Root().Get("options").Get(name).Ref()
}
