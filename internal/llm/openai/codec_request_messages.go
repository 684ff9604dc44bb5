package openai

import (
	"encoding/base64"
	"strconv"
	"strings"

	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsontree"
)

// messages writes the conversation.
func (o *chatOut) messages() {
	if o.notice != "" && (len(o.req.Messages) == 0 || o.req.Messages[0].Role > canon.Developer) {
		o.w.Object()
		o.w.StrMember("role", "system")
		o.w.StrMember("content", o.notice)
		o.w.End()
		o.notice = ""
	}
	for i := range o.req.Messages {
		m := &o.req.Messages[i]
		if m.Role != canon.ToolRole {
			o.follow()
		}
		switch m.Role {
		case canon.Assistant:
			o.assistant(m)
		case canon.ToolRole:
			for k := range m.Parts {
				if p := &m.Parts[k]; p.Kind == canon.ToolResult && p.Result != nil {
					o.result(p)
				} else {
					o.later = append(o.later, *p)
				}
			}
		default:
			o.spokenTo(m)
		}
	}
	o.follow()
}

// follow writes the media that could not stand where they stood: those of tools' results and of the
// assistant's messages, in a message of the user's.
func (o *chatOut) follow() {
	if len(o.later) == 0 {
		return
	}
	parts := o.later
	o.later = nil
	o.w.Object()
	o.w.StrMember("role", "user")
	o.w.Name("content")
	o.content(parts, false)
	o.w.End()
}

// spokenTo writes a message of the system, the developer or the user.
func (o *chatOut) spokenTo(m *canon.Message) {
	role := m.Role.String()
	if m.Role == canon.Developer && !o.v.Developer {
		role = "system"
	}
	o.w.Object()
	o.w.StrMember("role", role)
	o.name(m)
	o.w.Name("content")
	parts := m.Parts
	if o.notice != "" {
		parts = append(parts[:len(parts):len(parts)], canon.Part{Kind: canon.Text, Text: o.notice})
		o.notice = ""
	}
	o.content(parts, false)
	o.w.End()
}

func (o *chatOut) name(m *canon.Message) {
	if m.Name == "" {
		return
	}
	if !o.takes("name") {
		o.loseMember(m.At, canon.Dropped, "", "name")
		return
	}
	o.w.StrMember("name", m.Name)
}

// content writes parts as a string where that says all, else as a list.
func (o *chatOut) content(parts []canon.Part, joined bool) {
	if len(parts) == 0 {
		o.w.Str("")
		return
	}
	plain := true
	for i := range parts {
		if parts[i].Kind != canon.Text || o.marks(parts[i].Cache) {
			plain = false
		}
	}
	switch {
	case plain && len(parts) == 1:
		o.noted(&parts[0])
		o.w.Str(parts[0].Text)
	case plain && (joined && !o.own || o.v.Text), o.v.Text:
		o.w.Str(o.joined(parts))
	default:
		o.list(parts)
	}
}

// joined is all that parts have as one text.
func (o *chatOut) joined(parts []canon.Part) string {
	var b strings.Builder
	for i := range parts {
		p := &parts[i]
		text := p.Text
		switch {
		case p.Kind == canon.Text || p.Kind == canon.Refusal:
			o.noted(p)
		case p.Kind == canon.Document && p.Media != nil && p.Media.Text != "":
			text = documentText(p.Media)
			o.r.Lose(p.At, canon.Emulated, "the document's text is in the prompt")
		default:
			o.r.Lose(p.At, canon.Dropped, "the provider takes text only")
			continue
		}
		if b.Len() > 0 {
			b.WriteString("\n\n")
		}
		b.WriteString(text)
	}
	return b.String()
}

func documentText(m *canon.Media) string {
	if m.Name == "" {
		return m.Text
	}
	return m.Name + ":\n" + m.Text
}

// list writes parts as a list; where none can be said, there is an empty string.
func (o *chatOut) list(parts []canon.Part) {
	o.w.Array()
	before := len(o.w.Buf)
	for i := range parts {
		o.part(&parts[i])
	}
	if len(o.w.Buf) == before {
		o.w.RawStr(`{"type":"text","text":""}`)
	}
	o.w.End()
}

// marks tells whether a mark of the prompt's cache is to be written.
func (o *chatOut) marks(c *canon.Cache) bool { return c != nil && o.has("cache_control") }

// cache writes a mark behind what stands at at, as OpenRouter has it.
func (o *chatOut) cache(c *canon.Cache, at jsontree.Ref) {
	switch {
	case c == nil:
	case !o.marks(c):
		o.loseMember(at, canon.Approximated, "the provider decides by itself what it caches", "cache_control", "cachePoint", "prompt_cache_breakpoint")
	default:
		o.w.Name("cache_control")
		o.w.Object()
		o.w.StrMember("type", "ephemeral")
		if c.TTL != "" {
			o.w.StrMember("ttl", c.TTL)
		}
		o.w.End()
	}
}

// noted tells what a text loses that is written as no more than text.
func (o *chatOut) noted(p *canon.Part) {
	if len(p.Citations) > 0 {
		o.loseMember(p.At, canon.Dropped, "sources can't be sent back", "citations", "annotations")
	}
	if p.Signature != "" {
		o.loseMember(p.At, canon.Dropped, "a proof that only its maker can read", "thoughtSignature", "thought_signature")
	}
	if p.Cache != nil && !o.marks(p.Cache) {
		o.cache(p.Cache, p.At)
	}
}

// part writes one part of a list.
func (o *chatOut) part(p *canon.Part) {
	w := &o.w
	switch p.Kind {
	case canon.Text:
		w.Object()
		w.StrMember("type", "text")
		w.StrMember("text", p.Text)
		o.noted(p)
	case canon.Refusal:
		w.Object()
		w.StrMember("type", "refusal")
		w.StrMember("refusal", p.Text)
	case canon.Thinking:
		if !o.thought(p) {
			return
		}
	case canon.Image:
		if !o.image(p) {
			return
		}
	case canon.Audio:
		if !o.audio(p) {
			return
		}
	case canon.Video:
		if !o.video(p) {
			return
		}
	case canon.Document:
		if !o.document(p) {
			return
		}
	case canon.Other:
		if !o.own || p.SignedBy != dialectName {
			o.r.Lose(p.At, canon.Dropped, "only the caller's own dialect has it")
			return
		}
		w.Raw(p.Raw)
		return
	default:
		o.r.Lose(p.At, canon.Dropped, "it has no place there")
		return
	}
	if p.Kind != canon.Text || o.marks(p.Cache) {
		o.cache(p.Cache, p.At)
	}
	w.End()
}

// thought writes thinking as a part, for a vendor that has it so.
func (o *chatOut) thought(p *canon.Part) bool {
	if o.v.ThinkingIn != thinkingParts || p.Text == "" {
		o.r.Lose(p.At, canon.Dropped, "the provider takes no thinking back")
		return false
	}
	if p.Signature != "" {
		o.loseProof(p)
	}
	o.w.Object()
	o.w.StrMember("type", "thinking")
	o.w.Name("thinking")
	o.w.Array()
	o.w.Object()
	o.w.StrMember("type", "text")
	o.w.StrMember("text", p.Text)
	o.w.End()
	o.w.End()
	return true
}

// inline gets the bytes of a medium that stands at a URL, when the provider wants them.
func (o *chatOut) inline(p *canon.Part) (m canon.Media, ok bool) {
	m = *p.Media
	if o.to.Fetch == nil {
		o.r.Lose(p.At, canon.Dropped, "the provider takes it inline only, and nothing is fetched for it")
		return m, false
	}
	mime, data, err := o.to.Fetch(m.URL)
	if err != nil {
		o.r.Lose(p.At, canon.Dropped, "the provider takes it inline only, and it could not be fetched: "+err.Error())
		return m, false
	}
	o.r.Lose(p.At, canon.Emulated, "fetched, and sent inline")
	if m.URL, m.Data = "", data; mime != "" {
		m.MIME = mime
	}
	return m, true
}

func dataURL(mime, data string) string { return "data:" + mime + ";base64," + data }

func (o *chatOut) image(p *canon.Part) bool {
	m := *p.Media
	if m.URL != "" && o.v.NoImageURL {
		var ok bool
		if m, ok = o.inline(p); !ok {
			return false
		}
	}
	url := m.URL
	if m.Data != "" {
		url = dataURL(withDefault(m.MIME, "image/png"), m.Data)
	}
	if url == "" {
		o.r.Lose(p.At, canon.Dropped, "an image that another provider keeps")
		return false
	}
	o.w.Object()
	o.w.StrMember("type", "image_url")
	o.w.Name("image_url")
	o.w.Object()
	o.w.StrMember("url", url)
	if m.Detail == "" {
		m.Detail = o.detail()
	}
	if m.Detail != "" {
		o.w.StrMember("detail", m.Detail)
	}
	o.w.End()
	return true
}

// detail is the detail of all images where Gemini's mediaResolution says it.
func (o *chatOut) detail() string {
	p := &o.req.Params[canon.MediaDetail]
	if p.JSON == nil {
		return ""
	}
	word := o.req.Word(canon.MediaDetail)
	for _, known := range [...]string{"low", "high"} {
		if strings.HasSuffix(strings.ToLower(word), known) {
			o.r.Take(canon.MediaDetail)
			o.r.Lose(p.At, canon.Approximated, "told as the detail of each image")
			return known
		}
	}
	return ""
}

// withDefault is s, or other where s is empty.
func withDefault(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func (o *chatOut) audio(p *canon.Part) bool {
	m := *p.Media
	if m.URL != "" && m.Data == "" {
		if o.own {
			o.link("audio_url", m.URL)
			return true
		}
		var ok bool
		if m, ok = o.inline(p); !ok {
			return false
		}
	}
	if m.Data == "" {
		o.r.Lose(p.At, canon.Dropped, "audio that another provider keeps")
		return false
	}
	o.w.Object()
	o.w.StrMember("type", "input_audio")
	o.w.Name("input_audio")
	o.w.Object()
	o.w.StrMember("data", m.Data)
	if format := audioFormat(m.MIME); format != "" {
		o.w.StrMember("format", format)
	}
	o.w.End()
	return true
}

// audioFormat is OpenAI's word for a type of audio.
func audioFormat(mime string) string {
	format := strings.TrimPrefix(mime, "audio/")
	switch format, _, _ = strings.Cut(format, ";"); format {
	case "mpeg", "mpga":
		return "mp3"
	case "x-wav", "wave", "vnd.wave":
		return "wav"
	}
	return strings.TrimPrefix(format, "x-")
}

func (o *chatOut) link(kind, url string) {
	o.w.Object()
	o.w.StrMember("type", kind)
	o.w.Name(kind)
	o.w.Object()
	o.w.StrMember("url", url)
	o.w.End()
}

// video writes a video as Qwen, OpenRouter and vLLM have it.
func (o *chatOut) video(p *canon.Part) bool {
	m := p.Media
	url := m.URL
	if m.Data != "" {
		url = dataURL(withDefault(m.MIME, "video/mp4"), m.Data)
	}
	if url == "" || !o.own && !o.has("video_url") {
		o.r.Lose(p.At, canon.Dropped, "the provider takes no video")
		return false
	}
	o.link("video_url", url)
	return true
}

func (o *chatOut) document(p *canon.Part) bool {
	m := *p.Media
	if m.Text != "" {
		o.w.Object()
		o.w.StrMember("type", "text")
		o.w.StrMember("text", documentText(&m))
		o.r.Lose(p.At, canon.Emulated, "the document's text is in the prompt")
		return true
	}
	if m.Context != "" {
		o.loseMember(p.At, canon.Dropped, "", "context")
	}
	if m.CitedBack {
		o.loseMember(p.At, canon.Dropped, "the provider cites no documents", "citations")
	}
	if m.URL != "" && m.Data == "" && !o.own {
		var ok bool
		if m, ok = o.inline(p); !ok {
			return false
		}
	}
	if isTextType(m.MIME) && m.Data != "" && !o.own {
		if text, err := base64.StdEncoding.DecodeString(m.Data); err == nil {
			m.Text = string(text)
			o.w.Object()
			o.w.StrMember("type", "text")
			o.w.StrMember("text", documentText(&m))
			o.r.Lose(p.At, canon.Emulated, "the document's text is in the prompt")
			return true
		}
	}
	if m.Data == "" && m.URL == "" && (m.FileID == "" || o.req.Dialect != dialectName) {
		o.r.Lose(p.At, canon.Dropped, "a file that another provider keeps")
		return false
	}
	o.w.Object()
	o.w.StrMember("type", "file")
	o.w.Name("file")
	o.w.Object()
	switch {
	case m.FileID != "":
		o.w.StrMember("file_id", m.FileID)
		if m.Name != "" {
			o.w.StrMember("filename", m.Name)
		}
	default:
		name, mime := m.Name, withDefault(m.MIME, "application/pdf")
		if name == "" && !o.own {
			name = "document" + endOf(mime)
		}
		if name != "" {
			o.w.StrMember("filename", name)
		}
		if m.Data == "" {
			o.w.StrMember("file_data", m.URL)
		} else {
			o.w.StrMember("file_data", dataURL(mime, m.Data))
		}
	}
	o.w.End()
	return true
}

func isTextType(mime string) bool { return strings.HasPrefix(mime, "text/") }

// result writes a tool's result.
func (o *chatOut) result(p *canon.Part) {
	res := p.Result
	if res.Error {
		o.loseMember(p.At, canon.Approximated, "only its text tells that it failed", "is_error", "status")
	}
	w := &o.w
	w.Object()
	w.StrMember("role", "tool")
	w.StrMember("tool_call_id", o.ids.ofResult(res))
	if o.own && res.Name != "" {
		w.StrMember("name", res.Name)
	}
	w.Name("content")
	if res.JSON != nil {
		w.Str(string(res.JSON))
	} else {
		text := make([]canon.Part, 0, len(res.Parts))
		for _, part := range res.Parts {
			if part.Kind == canon.Text || o.own {
				text = append(text, part)
				continue
			}
			o.r.Lose(part.At, canon.Emulated, "a result is text there: it follows in a message of the user's")
			o.later = append(o.later, part)
		}
		o.content(text, true)
	}
	o.cache(p.Cache, p.At)
	w.End()
}

// callIDs gives ids to calls and results that have none, and fits those of other dialects.
type callIDs struct {
	nine bool // nine letters and digits, as Mistral wants them
	made int
	open []canon.Call // calls that got an id here and have no result yet
}

func (c *callIDs) fit(id string) string {
	if c.nine && !isNine(id) {
		return hashOf(id)[:9]
	}
	return shortID(id)
}

func isNine(id string) bool {
	for i := range len(id) {
		if b := id[i] | 0x20; (b < 'a' || b > 'z') && (id[i] < '0' || id[i] > '9') {
			return false
		}
	}
	return len(id) == 9
}

func (c *callIDs) ofCall(call *canon.Call) string {
	if call.ID != "" {
		return c.fit(call.ID)
	}
	id := c.next()
	c.open = append(c.open, canon.Call{ID: id, Name: call.Name})
	return id
}

func (c *callIDs) next() string {
	c.made++
	n := strconv.Itoa(c.made)
	return "call" + "00000"[:max(5-len(n), 0)] + n
}

// ofResult is the id of the first call with the result's name that has none yet.
func (c *callIDs) ofResult(res *canon.Result) string {
	if res.ID != "" {
		return c.fit(res.ID)
	}
	for i := range c.open {
		if c.open[i].Name == res.Name || res.Name == "" {
			id := c.open[i].ID
			c.open = append(c.open[:i], c.open[i+1:]...)
			return id
		}
	}
	return c.next()
}
