package openai

import (
	"slices"

	"causeway/internal/llm/canon"
)

// items writes the conversation as input items.
func (o *responsesOut) items(messages []canon.Message) {
	for i := range messages {
		switch m := &messages[i]; m.Role {
		case canon.Assistant:
			o.turn(m)
		case canon.ToolRole:
			for k := range m.Parts {
				o.result(&m.Parts[k])
			}
		default:
			o.input(m)
		}
	}
}

// input writes a message to the model.
func (o *responsesOut) input(m *canon.Message) {
	w := &o.w
	w.Object()
	if m.ID != "" {
		w.StrMember("id", m.ID)
		w.StrMember("type", "message")
	}
	w.StrMember("role", m.Role.String())
	w.Name("content")
	if p := m.Parts; len(p) == 1 && p[0].Kind == canon.Text && p[0].Cache == nil {
		w.Str(p[0].Text)
	} else {
		w.Array()
		for i := range m.Parts {
			o.content(&m.Parts[i])
		}
		w.End()
	}
	w.End()
	o.loseName(m)
}

// loseName tells of a participant's name, which Responses has no place for.
func (o *responsesOut) loseName(m *canon.Message) {
	if m.Name == "" {
		return
	}
	if n := o.req.Doc.At(m.At).Get("name"); n.Exists() {
		o.r.Add(n.Path(), canon.Dropped, "messages have no participant's name")
	}
}

// content writes a part of a message to the model, or of a tool's result.
func (o *responsesOut) content(p *canon.Part) {
	w := &o.w
	switch {
	case p.Kind == canon.Other:
		if fromResponses(o.req) && p.SignedBy == dialectName {
			w.Raw(p.Raw)
		} else {
			o.r.Lose(p.At, canon.Dropped, "")
		}
		return
	case p.Kind == canon.Image && p.Media != nil:
		o.image(p)
		return
	case p.Kind == canon.Document && p.Media != nil:
		o.file(p)
		return
	case p.Kind == canon.Audio && p.Media != nil && fromResponses(o.req):
		w.Object()
		w.StrMember("type", "input_audio")
		w.Name("input_audio")
		w.Object()
		w.StrMember("data", p.Media.Data)
		w.StrMember("format", trimAudio(p.Media.MIME))
		w.End()
		w.End()
		return
	case p.Kind != canon.Text && p.Kind != canon.Refusal:
		o.r.Lose(p.At, canon.Dropped, "Responses takes no "+p.Kind.String()+" here")
		return
	}
	w.Object()
	w.StrMember("type", "input_text")
	w.StrMember("text", p.Text)
	o.mark(p)
	w.End()
}

func trimAudio(mime string) string {
	const prefix = "audio/"
	if len(mime) > len(prefix) {
		return mime[len(prefix):]
	}
	return "wav"
}

// mark carries a mark of the prompt's cache. Providers of this dialect keep prompts by themselves, so that for
// another dialect's mark nothing need be said.
func (o *responsesOut) mark(p *canon.Part) {
	if p.Cache == nil {
		return
	}
	if fromResponses(o.req) {
		o.w.Name("prompt_cache_breakpoint")
		o.w.RawStr(`{"mode":"explicit"}`)
		return
	}
	o.loseMark(p)
}

// loseMark tells of a mark of the prompt's cache where an item has no place for one.
func (o *responsesOut) loseMark(p *canon.Part) {
	if p.Cache == nil {
		return
	}
	at := o.req.Doc.At(p.At)
	if mark := at.Get("cache_control"); mark.Exists() {
		at = mark
	}
	o.r.Lose(at.Ref(), canon.Approximated, "the provider keeps prompts by itself")
}

func (o *responsesOut) image(p *canon.Part) {
	w, m := &o.w, p.Media
	if m.FileID != "" && o.foreignFile(p) {
		return
	}
	w.Object()
	w.StrMember("type", "input_image")
	switch {
	case m.FileID != "":
		w.StrMember("file_id", m.FileID)
	case m.URL != "":
		w.StrMember("image_url", m.URL)
	default:
		w.Name("image_url")
		o.data(m, "image/png")
	}
	if m.Detail != "" {
		w.StrMember("detail", m.Detail)
	} else if !fromResponses(o.req) {
		w.StrMember("detail", "auto") // the description asks for it in a tool's result
	}
	o.mark(p)
	w.End()
}

// data writes bytes as a data: URL.
func (o *responsesOut) data(m *canon.Media, mime string) {
	if m.MIME != "" {
		mime = m.MIME
	}
	o.w.Str("data:" + mime + ";base64," + m.Data)
}

// foreignFile tells of a file that another provider keeps.
func (o *responsesOut) foreignFile(p *canon.Part) bool {
	if o.req.Dialect == dialectName {
		return false
	}
	o.r.Lose(p.At, canon.Dropped, "the file is kept by another provider")
	return true
}

func (o *responsesOut) file(p *canon.Part) {
	w, m := &o.w, p.Media
	if m.FileID != "" && o.foreignFile(p) {
		return
	}
	if m.Context != "" || m.CitedBack {
		n := o.req.Doc.At(p.At)
		for _, name := range [...]string{"context", "citations"} {
			if member := n.Get(name); member.Said() {
				o.r.Add(member.Path(), canon.Dropped, "")
			}
		}
	}
	w.Object()
	if m.Text != "" {
		w.StrMember("type", "input_text")
		text := m.Text
		if m.Name != "" {
			text = m.Name + "\n\n" + text
		}
		w.StrMember("text", text)
		o.r.Lose(p.At, canon.Approximated, "as text")
		o.mark(p)
		w.End()
		return
	}
	w.StrMember("type", "input_file")
	name := m.Name
	switch {
	case m.FileID != "":
		w.StrMember("file_id", m.FileID)
	case m.URL != "":
		w.StrMember("file_url", m.URL)
	case m.MIME == "" && fromResponses(o.req):
		w.StrMember("file_data", m.Data)
	default:
		w.Name("file_data")
		o.data(m, "application/pdf")
		if name == "" && !fromResponses(o.req) { // bytes are refused without a name
			name = "document" + endOf(m.MIME)
		}
	}
	if name != "" {
		w.StrMember("filename", name)
	}
	if m.Detail != "" {
		w.StrMember("detail", m.Detail)
	}
	o.mark(p)
	w.End()
}

// endOf is how the name of a file of this type ends.
func endOf(mime string) string {
	for _, known := range fileTypes {
		if known[1] == mime {
			return known[0]
		}
	}
	return ".pdf"
}

// turn writes what the model said.
func (o *responsesOut) turn(m *canon.Message) {
	for i := 0; i < len(m.Parts); {
		end := i + 1
		for end < len(m.Parts) && m.Parts[end].Joined && sameItem(&m.Parts[i], &m.Parts[end]) {
			end++
		}
		o.outputItem(m.Parts[i:end])
		i = end
	}
	o.loseName(m)
}

// sameItem tells whether two parts can stand in one item.
func sameItem(a, b *canon.Part) bool {
	return isText(a.Kind) && isText(b.Kind) || a.Kind == canon.Thinking && b.Kind == canon.Thinking
}

func isText(k canon.PartKind) bool { return k == canon.Text || k == canon.Refusal }

// outputItem writes one item that the model made, from its parts.
func (o *responsesOut) outputItem(parts []canon.Part) {
	p := &parts[0]
	switch p.Kind {
	case canon.Text, canon.Refusal:
		o.said(parts)
	case canon.Thinking:
		o.thought(parts)
	case canon.ToolCall:
		if p.Call == nil {
			return
		}
		if p.Signature != "" && p.SignedBy != dialectName {
			o.r.Lose(p.At, canon.Approximated, "without the proof of another provider's reasoning")
		}
		o.loseMark(p)
		writeCallItem(&o.w, p, o.callID(p.Call), p.ID, "")
	case canon.Other:
		if fromResponses(o.req) && p.SignedBy == dialectName {
			o.w.Raw(p.Raw)
			return
		}
		o.r.Lose(p.At, canon.Dropped, "")
	default:
		o.r.Lose(p.At, canon.Dropped, "Responses has no "+p.Kind.String()+" of the model's")
	}
}

// said writes a message of the model: in the short form where it is one text, else as the item that the
// provider itself would have made.
func (o *responsesOut) said(parts []canon.Part) {
	w, p := &o.w, &parts[0]
	whole := p.ID != "" || p.Phase != ""
	for i := range parts {
		whole = whole || parts[i].Kind == canon.Refusal || len(parts[i].Citations) > 0
		if parts[i].Signature != "" && parts[i].SignedBy != dialectName {
			o.r.Lose(parts[i].At, canon.Approximated, "without the proof of another provider's reasoning")
		}
	}
	w.Object()
	if whole {
		w.StrMember("type", "message")
		id := p.ID
		if id == "" {
			id = "msg_" + hashOf(p.Text)
		}
		w.StrMember("id", id)
	}
	w.StrMember("role", "assistant")
	w.Name("content")
	if len(parts) == 1 && !whole {
		w.Str(p.Text)
		w.End()
		return
	}
	w.Array()
	for i := range parts {
		writeOutputContent(w, &parts[i], nil, whole)
	}
	w.End()
	if whole {
		if p.Phase != "" {
			w.StrMember("phase", p.Phase)
		}
		w.StrMember("status", "completed")
	}
	w.End()
}

// thought writes reasoning where the provider can know it again.
func (o *responsesOut) thought(parts []canon.Part) {
	last := &parts[len(parts)-1]
	if last.SignedBy != dialectName || last.Signature == "" && last.ID == "" && !fromResponses(o.req) {
		for i := range parts {
			o.r.Lose(parts[i].At, canon.Dropped, "another provider's reasoning")
		}
		return
	}
	id := last.ID
	if id == "" && !fromResponses(o.req) {
		id = "rs_" + hashOf(last.Signature)
	}
	writeReasoningItem(&o.w, parts, id, last.Signature, "")
}

// result writes what a tool gave back.
func (o *responsesOut) result(p *canon.Part) {
	w := &o.w
	if p.Kind == canon.Other && fromResponses(o.req) && p.SignedBy == dialectName {
		w.Raw(p.Raw)
		return
	}
	res := p.Result
	if p.Kind != canon.ToolResult || res == nil {
		o.r.Lose(p.At, canon.Dropped, "")
		return
	}
	o.loseMark(p)
	w.Object()
	if res.Custom || o.isCustom(res.ID) {
		w.StrMember("type", "custom_tool_call_output")
	} else {
		w.StrMember("type", "function_call_output")
	}
	if p.ID != "" {
		w.StrMember("id", p.ID)
	}
	w.StrMember("call_id", o.resultID(res))
	w.Name("output")
	switch {
	case res.JSON != nil:
		w.Str(string(res.JSON))
	case len(res.Parts) == 0:
		w.Str("")
	case len(res.Parts) == 1 && res.Parts[0].Kind == canon.Text && res.Parts[0].Cache == nil:
		w.Str(res.Parts[0].Text)
	default:
		w.Array()
		for i := range res.Parts {
			o.content(&res.Parts[i])
		}
		w.End()
	}
	w.End()
	if res.Error {
		at := o.req.Doc.At(p.At).Get("is_error")
		if at.Exists() {
			o.r.Add(at.Path(), canon.Dropped, "results have no error flag")
		} else {
			o.r.Lose(p.At, canon.Approximated, "results have no error flag")
		}
	}
}

// isCustom tells whether the call with this id was one of a custom tool.
func (o *responsesOut) isCustom(id string) bool {
	if !slices.ContainsFunc(o.req.Tools, func(t canon.Tool) bool { return t.Custom }) {
		return false
	}
	for i := range o.req.Messages {
		for k := range o.req.Messages[i].Parts {
			if c := o.req.Messages[i].Parts[k].Call; c != nil && c.Custom && c.ID == id {
				return true
			}
		}
	}
	return false
}
