package openai

import (
	"slices"
	"strings"

	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsontree"
)

// turns makes messages of items. What the model said in a row (messages, reasoning, calls) is one turn: other
// dialects want a call, and the other calls made with it, in one message, and its results behind it.
type turns struct {
	doc  *jsontree.Doc
	list []canon.Message
	// unplaced tells that the items do not stand in the caller's body: they have no Ref.
	unplaced bool
}

func (t *turns) ref(n jsontree.Node) jsontree.Ref {
	if t.unplaced {
		return 0
	}
	return n.Ref()
}

// said appends parts of the model.
func (t *turns) said(at jsontree.Ref, parts ...canon.Part) {
	if last := len(t.list) - 1; last >= 0 && t.list[last].Role == canon.Assistant {
		t.list[last].Parts = append(t.list[last].Parts, parts...)
		return
	}
	t.list = append(t.list, canon.Message{Role: canon.Assistant, Parts: parts, At: at})
}

// items reads an array of items.
func (t *turns) items(list jsontree.Node) {
	t.list = slices.Grow(t.list, list.Len())
	list.Each(func(_ int, n jsontree.Node) { t.item(n) })
}

// item reads one item.
func (t *turns) item(n jsontree.Node) {
	if !n.IsObject() {
		t.doc.Fail(n, "must be an object")
		return
	}
	kind := n.Get("type").Str()
	if kind == "" {
		switch {
		case n.Get("role").Said() || n.Get("content").Said():
			kind = "message"
		case n.Get("id").Said():
			kind = itemReference
		default:
			t.doc.Missing(n, "type")
			return
		}
	}
	switch kind {
	case "message":
		t.message(n)
	case "reasoning":
		t.reasoning(n)
	case "function_call", "custom_tool_call":
		t.call(n, kind == "custom_tool_call")
	case "function_call_output", "custom_tool_call_output":
		t.result(n, kind == "custom_tool_call_output")
	case itemReference:
		id := n.Get("id").Str()
		if id == "" {
			wrong(t.doc, n, "id", "must not be empty")
		}
		part := canon.Part{Kind: canon.Other, At: t.ref(n), Raw: n.Raw(), SignedBy: dialectName, ID: id}
		t.list = append(t.list, canon.Message{Role: canon.Assistant, Parts: []canon.Part{part}, At: t.ref(n), ID: id})
	default: // a built-in tool's call or result, and what is newer than this
		part := canon.Part{Kind: canon.Other, At: t.ref(n), Raw: n.Raw(), SignedBy: dialectName, ID: n.Get("id").Str()}
		if strings.HasSuffix(kind, "_output") || strings.HasSuffix(kind, "_response") {
			t.list = append(t.list, canon.Message{Role: canon.ToolRole, Parts: []canon.Part{part}, At: t.ref(n)})
			return
		}
		t.said(t.ref(n), part)
	}
}

const itemReference = "item_reference"

// settleStatus passes over the status of an item that is whole, which says nothing.
func settleStatus(n jsontree.Node) {
	if status := n.Get("status"); status.IsString() && status.Str() != "completed" {
		status.Leave()
	}
}

func (t *turns) message(n jsontree.Node) {
	m := canon.Message{At: t.ref(n), ID: n.Get("id").Str()}
	role := n.Get("role")
	switch role.Str() {
	case "user":
		m.Role = canon.User
	case "assistant":
		m.Role = canon.Assistant
	case "system":
		m.Role = canon.System
	case "developer":
		m.Role = canon.Developer
	default:
		wrong(t.doc, n, "role", "must be user, assistant, system or developer")
		return
	}
	settleStatus(n)
	switch content := n.Get("content"); {
	case content.IsString():
		m.Parts = []canon.Part{{At: t.ref(content), Text: content.Str()}}
	case content.IsArray():
		m.Parts = make([]canon.Part, 0, content.Len())
		content.Each(func(_ int, e jsontree.Node) {
			if p, ok := t.content(e, m.Role == canon.Assistant); ok {
				p.Joined = m.Role == canon.Assistant && len(m.Parts) > 0
				m.Parts = append(m.Parts, p)
			}
		})
	default:
		wrong(t.doc, n, "content", "must be a string or an array of parts")
		return
	}
	if m.Role != canon.Assistant {
		t.list = append(t.list, m)
		return
	}
	phase := n.Get("phase").Str()
	for i := range m.Parts {
		m.Parts[i].ID, m.Parts[i].Phase = m.ID, phase
	}
	t.said(m.At, m.Parts...)
}

// content reads a part of a message or of a tool's result. ok is false for a part that nothing can be made of.
func (t *turns) content(n jsontree.Node, assistant bool) (p canon.Part, ok bool) {
	if !n.IsObject() {
		t.doc.Fail(n, "must be an object")
		return p, false
	}
	p.At = t.ref(n)
	switch kind := n.Get("type").Str(); kind {
	case "input_text", "output_text", "text", "summary_text", "reasoning_text":
		if text := n.Get("text"); !text.IsString() {
			wrong(t.doc, n, "text", "must be a string")
		} else {
			p.Text = text.Str()
		}
		n.Get("logprobs").Settle() // of what was said before: nobody reads them
		p.Citations = readAnnotations(n.Get("annotations"))
	case "refusal":
		p.Kind, p.Text = canon.Refusal, n.Get("refusal").Str()
	case "input_image":
		p.Kind, p.Media = canon.Image, &canon.Media{FileID: n.Get("file_id").Str(), Detail: n.Get("detail").Str()}
		if url := n.Get("image_url"); url.Said() {
			t.url(url, p.Media)
		} else if p.Media.FileID == "" {
			t.doc.Missing(n, "image_url")
		}
	case "input_file":
		p.Kind, p.Media = canon.Document, &canon.Media{FileID: n.Get("file_id").Str(), Name: n.Get("filename").Str(), Detail: n.Get("detail").Str()}
		t.file(n, p.Media)
	case "input_audio":
		audio := n.Get("input_audio")
		p.Kind, p.Media = canon.Audio, &canon.Media{Data: audio.Get("data").Str()}
		if p.Media.Data == "" {
			wrong(t.doc, n, "input_audio", "must be an object with data and format")
		}
		if format := audio.Get("format").Str(); format != "" {
			p.Media.MIME = "audio/" + format
		}
	case "":
		wrong(t.doc, n, "type", "must not be empty")
		return p, false
	default:
		if assistant {
			n.Leave()
			return p, false
		}
		p.Kind, p.Raw, p.SignedBy = canon.Other, n.Raw(), dialectName
	}
	if mark := n.Get("prompt_cache_breakpoint"); mark.Said() {
		mark.Settle()
		p.Cache = &canon.Cache{}
	}
	return p, true
}

// url reads a URL into m; a data: URL is taken apart.
func (t *turns) url(n jsontree.Node, m *canon.Media) {
	url := n.Str()
	rest, isData := strings.CutPrefix(url, "data:")
	if !isData {
		if m.URL = url; url == "" {
			t.doc.Fail(n, "must not be empty")
		}
		return
	}
	head, data, ok := strings.Cut(rest, ",")
	mime, ok2 := strings.CutSuffix(head, ";base64")
	if !ok || !ok2 {
		t.doc.Fail(n, "must be an http or https URL, or a data: URL in base64")
		return
	}
	m.MIME, _, _ = strings.Cut(mime, ";")
	m.Data = data
}

func (t *turns) file(n jsontree.Node, m *canon.Media) {
	data, url := n.Get("file_data"), n.Get("file_url")
	switch {
	case data.Said() && strings.HasPrefix(data.Str(), "data:"):
		t.url(data, m)
	case data.Said():
		m.Data = data.Str()
	case url.Said():
		t.url(url, m)
	case m.FileID == "":
		t.doc.Missing(n, "file_data")
	}
	if m.MIME == "" {
		m.MIME = typeByName(m.Name)
	}
}

// typeByName is the type of a file by the end of its name, "" when unknown.
func typeByName(name string) string {
	for _, known := range fileTypes {
		if strings.HasSuffix(strings.ToLower(name), known[0]) {
			return known[1]
		}
	}
	return ""
}

var fileTypes = [...][2]string{
	{".pdf", "application/pdf"},
	{".txt", "text/plain"},
	{".md", "text/markdown"},
	{".csv", "text/csv"},
	{".html", "text/html"},
	{".json", "application/json"},
	{".docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
	{".xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
	{".pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"},
}

// readAnnotations reads the sources of a text.
func readAnnotations(list jsontree.Node) (all []canon.Citation) {
	list.Each(func(_ int, n jsontree.Node) { all = append(all, readAnnotation(n)) })
	return all
}

func readAnnotation(n jsontree.Node) canon.Citation {
	c := canon.Citation{Start: -1, End: -1, SignedBy: dialectName}
	if v, ok := n.Get("start_index").Int(); ok {
		c.Start = int(v)
	}
	if v, ok := n.Get("end_index").Int(); ok {
		c.End = int(v)
	}
	if c.URL = n.Get("url").Str(); c.URL == "" {
		c.FileID, c.Title = n.Get("file_id").Str(), n.Get("filename").Str()
		c.Raw = n.Raw() // it has members that URLs do not have
		return c
	}
	c.Title = n.Get("title").Str()
	n.Get("type").Settle()
	c.SignedBy = ""
	return c
}

func (t *turns) call(n jsontree.Node, custom bool) {
	call := &canon.Call{Custom: custom}
	if call.ID = n.Get("call_id").Str(); call.ID == "" {
		wrong(t.doc, n, "call_id", "must not be empty")
	}
	if call.Name = n.Get("name").Str(); call.Name == "" {
		wrong(t.doc, n, "name", "must not be empty")
	}
	args := "arguments"
	if custom {
		args = "input"
	}
	if text := n.Get(args); text.IsString() {
		call.Args = text.Str()
	} else {
		wrong(t.doc, n, args, "must be a string")
	}
	settleStatus(n)
	n.Get("output_index").Settle() // Bedrock's gpt-oss has the members of an event in it
	t.said(t.ref(n), canon.Part{Kind: canon.ToolCall, At: t.ref(n), Call: call, ID: n.First("id", "item_id").Str()})
}

func (t *turns) result(n jsontree.Node, custom bool) {
	res := &canon.Result{Custom: custom, Name: n.Get("name").Str()}
	if res.ID = n.Get("call_id").Str(); res.ID == "" {
		wrong(t.doc, n, "call_id", "must not be empty")
	}
	switch output := n.Get("output"); {
	case output.IsString():
		res.Parts = []canon.Part{{At: t.ref(output), Text: output.Str()}}
	case output.IsArray():
		output.Each(func(_ int, e jsontree.Node) {
			if p, ok := t.content(e, false); ok {
				res.Parts = append(res.Parts, p)
			}
		})
	default:
		wrong(t.doc, n, "output", "must be a string or an array of parts")
	}
	settleStatus(n)
	part := canon.Part{Kind: canon.ToolResult, At: t.ref(n), Result: res, ID: n.Get("id").Str()}
	t.list = append(t.list, canon.Message{Role: canon.ToolRole, Parts: []canon.Part{part}, At: t.ref(n)})
}

// reasoning reads a reasoning item: a part for each piece of its text and of its summary, the last of them
// with what proves it. One that we made to carry the proof of a call or a text gives it back to that.
func (t *turns) reasoning(n jsontree.Node) {
	settleStatus(n)
	parts := readReasoning(t, n)
	last := &parts[len(parts)-1]
	if mark := sealOf(last); mark.kind != "" {
		if t.giveBack(mark) {
			n.Settle()
			return
		}
		last.Signature, last.SignedBy = "", ""
	}
	t.said(t.ref(n), parts...)
}

// readReasoning reads the parts of a reasoning item; there is at least one. The encrypted content stands in the
// last one as it came.
func readReasoning(t *turns, n jsontree.Node) (parts []canon.Part) {
	id := n.Get("id").Str()
	add := func(verbatim bool) func(int, jsontree.Node) {
		return func(_ int, e jsontree.Node) {
			p := canon.Part{Kind: canon.Thinking, At: t.ref(n), ID: id, SignedBy: dialectName, Verbatim: verbatim, Joined: len(parts) > 0}
			e.Get("type").Settle()
			if text := e.Get("text"); text.IsString() {
				p.Text = text.Str()
			} else {
				wrong(t.doc, e, "text", "must be a string")
			}
			parts = append(parts, p)
		}
	}
	for _, list := range [...]string{"content", "summary"} {
		switch l := n.Get(list); {
		case l.IsArray():
			l.Each(add(list == "content"))
		case l.Said():
			t.doc.Fail(l, "must be an array")
		}
	}
	if parts == nil {
		parts = []canon.Part{{Kind: canon.Thinking, At: t.ref(n), ID: id, SignedBy: dialectName}}
	}
	last := &parts[len(parts)-1]
	last.Signature = n.Get("encrypted_content").Str()
	unseal(last, parts)
	return parts
}
