package openai

import (
	"strings"

	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsonscan"
	"causeway/internal/llm/jsontree"
)

// messages reads the conversation.
func (r *chatReader) messages(root jsontree.Node) {
	list := root.Get("messages")
	switch {
	case !list.Said():
		r.doc.Missing(root, "messages")
		return
	case !list.IsArray():
		r.doc.Fail(list, "must be an array")
		return
	case list.Len() == 0:
		r.doc.Fail(list, "must not be empty")
		return
	}
	r.req.Messages = make([]canon.Message, 0, list.Len())
	list.Each(func(_ int, n jsontree.Node) {
		if !n.IsObject() {
			r.doc.Fail(n, "must be an object")
			return
		}
		r.message(n)
	})
}

func (r *chatReader) message(n jsontree.Node) {
	m := canon.Message{At: n.Ref()}
	role := n.Get("role")
	switch role.Str() {
	case "system":
		m.Role = canon.System
	case "developer":
		m.Role = canon.Developer
	case "user":
		m.Role = canon.User
	case "assistant":
		m.Role = canon.Assistant
	case "tool", "function":
		m.Role = canon.ToolRole
	default:
		wrong(r.doc, n, "role", "must be system, developer, user, assistant, tool or function")
		return
	}
	content := n.Get("content")
	if m.Role == canon.ToolRole {
		r.result(&m, n, content, role.Str() == "function")
		r.req.Messages = append(r.req.Messages, m)
		return
	}
	m.Name = n.Get("name").Str()
	if m.Role == canon.Assistant {
		m.Parts = readThoughts(m.Parts, n)
	} else if !content.Said() {
		r.doc.Missing(n, "content")
	}
	m.Parts = r.content(m.Parts, content)
	if m.Role == canon.Assistant {
		r.spoken(&m, n)
	}
	markCache(m.Parts, r.cache(n))
	r.req.Messages = append(r.req.Messages, m)
}

// markCache sets a message's own cache mark at its last part that can have one.
func markCache(parts []canon.Part, c *canon.Cache) {
	if c == nil {
		return
	}
	for i := len(parts) - 1; i >= 0; i-- {
		if parts[i].Kind != canon.Thinking {
			parts[i].Cache = c
			return
		}
	}
}

// cache reads a mark of the prompt's cache: OpenAI's prompt_cache_breakpoint, and cache_control of
// OpenRouter and others, which is Anthropic's.
func (r *chatReader) cache(n jsontree.Node) *canon.Cache {
	if c := n.Get("cache_control"); need(r.doc, c, jsonscan.Object, "must be an object") {
		c.Get("type").Settle()
		return &canon.Cache{TTL: c.Get("ttl").Str()}
	}
	if c := n.Get("prompt_cache_breakpoint"); need(r.doc, c, jsonscan.Object, "must be an object") {
		c.Settle()
		return &canon.Cache{}
	}
	return nil
}

// result reads a tool's result.
func (r *chatReader) result(m *canon.Message, n, content jsontree.Node, function bool) {
	res := &canon.Result{Name: n.Get("name").Str()}
	switch id := n.Get("tool_call_id"); {
	case id.Said():
		if res.ID = id.Str(); res.ID == "" {
			r.doc.Fail(id, "must not be empty")
		}
	case function && res.Name == "":
		r.doc.Missing(n, "name")
	case !function:
		r.doc.Missing(n, "tool_call_id")
	}
	if !content.Said() {
		r.doc.Missing(n, "content")
	}
	res.Parts = r.content(nil, content)
	m.Parts = []canon.Part{{Kind: canon.ToolResult, At: n.Ref(), Result: res, Cache: r.cache(n)}}
}

// content reads a string or a list of parts. An empty string is no part.
func (r *chatReader) content(parts []canon.Part, n jsontree.Node) []canon.Part {
	switch n.Kind() {
	case jsonscan.String:
		if text := n.Str(); text != "" {
			if parts == nil {
				parts = make([]canon.Part, 0, 1)
			}
			parts = append(parts, canon.Part{Kind: canon.Text, At: n.Ref(), Text: text})
		}
	case jsonscan.Array:
		n.Each(func(_ int, e jsontree.Node) {
			if !e.IsObject() {
				r.doc.Fail(e, "must be an object")
				return
			}
			parts = append(parts, r.part(e))
		})
	case jsonscan.Null, jsonscan.None:
	default:
		r.doc.Fail(n, "must be a string or an array of parts")
	}
	return parts
}

// part reads one part of a message's content.
func (r *chatReader) part(n jsontree.Node) canon.Part {
	p := canon.Part{At: n.Ref()}
	typ := n.Get("type").Str()
	if typ == "" {
		wrong(r.doc, n, "type", "must not be empty")
		return p
	}
	switch typ {
	case "text":
		p.Text = r.text(n, "text")
	case "refusal":
		p.Kind, p.Text = canon.Refusal, r.text(n, "refusal")
	case "image_url":
		p.Kind, p.Media = canon.Image, r.link(n, "image_url")
	case "video_url": // Qwen, OpenRouter, vLLM
		p.Kind, p.Media = canon.Video, r.link(n, "video_url")
	case "audio_url": // vLLM
		p.Kind, p.Media = canon.Audio, r.link(n, "audio_url")
	case "document_url": // Mistral
		p.Kind, p.Media = canon.Document, r.link(n, "document_url")
		p.Media.Name = n.Get("document_name").Str()
	case "input_audio":
		p.Kind, p.Media = canon.Audio, r.audio(n)
	case "file":
		p.Kind, p.Media = canon.Document, r.file(n)
	case "thinking": // Mistral
		p.Kind = canon.Thinking
		n.Get("thinking").Each(func(_ int, e jsontree.Node) {
			e.Get("type").Settle()
			p.Text += e.Get("text").Str()
		})
		n.Get("closed").Settle()
		if p.Signature = n.Get("signature").Str(); p.Signature != "" {
			p.SignedBy = dialectName
		}
	default:
		p.Kind, p.Raw, p.SignedBy = canon.Other, n.Raw(), dialectName
		return p
	}
	p.Cache = r.cache(n)
	return p
}

// text is the member that must be a string.
func (r *chatReader) text(n jsontree.Node, name string) string {
	m := n.Get(name)
	if !m.Said() {
		r.doc.Missing(n, name)
	}
	return m.Str()
}

// link reads {"url":...}, or the URL itself as Mistral has it.
func (r *chatReader) link(n jsontree.Node, name string) *canon.Media {
	m := &canon.Media{}
	o := n.Get(name)
	url := o
	switch {
	case o.IsObject():
		if url = o.Get("url"); !url.Said() {
			r.doc.Missing(o, "url")
		}
		m.Detail = o.Get("detail").Str()
	case !o.Said():
		r.doc.Missing(n, name)
	case !o.IsString():
		r.doc.Fail(o, "must be an object")
		return m
	}
	setURL(m, url.Str())
	if m.URL == "" && m.Data == "" && url.Said() {
		r.doc.Fail(url, "must be a URL, or a data: URL with base64")
	}
	return m
}

// setURL sets the place of a medium; a data: URL is taken apart.
func setURL(m *canon.Media, url string) {
	if len(url) < 5 || !strings.EqualFold(url[:5], "data:") {
		m.URL = url
		return
	}
	head, data, found := strings.Cut(url[5:], ",")
	kind, params, _ := strings.Cut(head, ";")
	if !found || !strings.HasSuffix(";"+params, ";base64") {
		return
	}
	m.MIME, m.Data = kind, data
}

func (r *chatReader) audio(n jsontree.Node) *canon.Media {
	m := &canon.Media{}
	o := n.Get("input_audio")
	if !need(r.doc, o, jsonscan.Object, "must be an object") {
		if !o.Said() {
			r.doc.Missing(n, "input_audio")
		}
		return m
	}
	m.MIME = audioType(o.Get("format").Str())
	if data := r.text(o, "data"); strings.HasPrefix(data, "data:") || strings.HasPrefix(data, "http") { // Qwen
		mime := m.MIME
		setURL(m, data)
		if mime != "" {
			m.MIME = mime
		}
	} else {
		m.Data = data
	}
	return m
}

func audioType(format string) string {
	switch format {
	case "":
		return ""
	case "mp3":
		return "audio/mpeg"
	}
	return "audio/" + format
}

func (r *chatReader) file(n jsontree.Node) *canon.Media {
	m := &canon.Media{}
	o := n.Get("file")
	if !need(r.doc, o, jsonscan.Object, "must be an object") {
		if !o.Said() {
			r.doc.Missing(n, "file")
		}
		return m
	}
	m.FileID, m.Name = o.Get("file_id").Str(), o.Get("filename").Str()
	data := o.Get("file_data")
	switch text := data.Str(); {
	case text == "" && m.FileID == "":
		r.doc.Missing(o, "file_data")
	case strings.HasPrefix(text, "data:"), strings.HasPrefix(text, "http://"), strings.HasPrefix(text, "https://"):
		if setURL(m, text); m.URL == "" && m.Data == "" {
			r.doc.Fail(data, "must be a data: URL with base64")
		}
	default:
		m.Data, m.MIME = text, typeByName(m.Name)
	}
	return m
}

// spoken reads what an assistant's message has beside its content.
func (r *chatReader) spoken(m *canon.Message, n jsontree.Node) {
	if notes := n.Get("annotations"); notes.IsArray() {
		for i := range m.Parts {
			if m.Parts[i].Kind == canon.Text {
				m.Parts[i].Citations = chatCitations(notes)
				break
			}
		}
	}
	if refusal := n.Get("refusal"); refusal.Said() {
		m.Parts = append(m.Parts, canon.Part{Kind: canon.Refusal, At: refusal.Ref(), Text: refusal.Str()})
	}
	if audio := n.Get("audio"); need(r.doc, audio, jsonscan.Object, "must be an object") {
		m.Parts = append(m.Parts, canon.Part{Kind: canon.Audio, At: audio.Ref(), Media: spokenAudio(audio)})
	}
	n.Get("images").Each(func(_ int, e jsontree.Node) { m.Parts = append(m.Parts, imagePart(e)) })
	calls := n.Get("tool_calls")
	if need(r.doc, calls, jsonscan.Array, "must be an array") {
		calls.Each(func(_ int, e jsontree.Node) {
			if !e.IsObject() {
				r.doc.Fail(e, "must be an object")
				return
			}
			m.Parts = append(m.Parts, r.toolCall(e))
		})
	}
	if f := n.Get("function_call"); need(r.doc, f, jsonscan.Object, "must be an object") {
		m.Parts = append(m.Parts, canon.Part{Kind: canon.ToolCall, At: f.Ref(), Call: &canon.Call{Name: r.text(f, "name"), Args: argsOf(f.Get("arguments"))}})
	}
}

// spokenAudio is audio that a model made.
func spokenAudio(n jsontree.Node) *canon.Media {
	m := &canon.Media{ID: n.Get("id").Str(), Data: n.Get("data").Str(), Transcript: n.Get("transcript").Str()}
	m.Expires, _ = n.Get("expires_at").Int()
	return m
}

// imagePart is an image that a model made, as OpenRouter and Vercel have it.
func imagePart(n jsontree.Node) canon.Part {
	p := canon.Part{Kind: canon.Image, At: n.Ref(), Media: &canon.Media{}}
	n.Get("type").Settle()
	n.Get("index").Settle()
	setURL(p.Media, n.Get("image_url").Get("url").Str())
	return p
}

func (r *chatReader) toolCall(n jsontree.Node) canon.Part {
	p := canon.Part{Kind: canon.ToolCall, At: n.Ref(), Call: &canon.Call{}, Cache: r.cache(n)}
	if p.Call.ID = r.text(n, "id"); p.Call.ID == "" {
		wrong(r.doc, n, "id", "must not be empty")
	}
	kind, name := n.Get("type").Str(), "function"
	if kind == "custom" {
		name, p.Call.Custom = "custom", true
	} else if kind != "" && kind != "function" {
		r.doc.Fail(n.Get("type"), "must be function or custom")
	}
	n.Get("index").Settle()
	f := n.Get(name)
	if !need(r.doc, f, jsonscan.Object, "must be an object") {
		if !f.Said() {
			r.doc.Missing(n, name)
		}
		return p
	}
	if p.Call.Name = r.text(f, "name"); p.Call.Name == "" {
		wrong(r.doc, f, "name", "must not be empty")
	}
	if p.Call.Custom {
		p.Call.Args = r.text(f, "input")
	} else {
		p.Call.Args = argsOf(f.Get("arguments"))
	}
	signCall(&p, n)
	return p
}

// signCall reads the thought signature of a call where Gemini's OpenAI-compatible API puts it.
func signCall(p *canon.Part, n jsontree.Node) {
	if s := n.Get("extra_content").Get("google").Get("thought_signature").Str(); s != "" {
		p.Signature, p.SignedBy = canon.UnwrapSignature(s, "gemini")
	}
}

// argsOf are a call's arguments: JSON in a string, or as some servers have it the object itself.
func argsOf(n jsontree.Node) string {
	if n.IsObject() {
		return string(n.Raw())
	}
	return n.Str()
}

// chatCitations reads annotations: of chat completions the citation is one level down.
func chatCitations(list jsontree.Node) (all []canon.Citation) {
	list.Each(func(_ int, n jsontree.Node) {
		n.Get("type").Settle()
		u := n.Get("url_citation")
		if !u.IsObject() {
			if !n.Get("url").Exists() {
				return
			}
			u = n // one level higher, as in Responses
		}
		c := canon.Citation{Start: -1, End: -1, URL: u.Get("url").Str(), Title: u.Get("title").Str(), Cited: u.Get("content").Str()}
		if v, ok := u.Get("start_index").Int(); ok {
			c.Start = int(v)
		}
		if v, ok := u.Get("end_index").Int(); ok {
			c.End = int(v)
		}
		all = append(all, c)
	})
	return all
}
