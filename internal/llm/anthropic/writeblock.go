package anthropic

import (
	"encoding/base64"
	"strconv"
	"strings"
	"unicode/utf8"

	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsonscan"
	"causeway/internal/llm/jsontree"
)

// maxMarks is how many cache marks a request may have.
const maxMarks = 4

// part writes one block, with what the caller's own block has beyond it.
func (w *writing) part(p *canon.Part) {
	if p.Kind == canon.Other {
		w.Raw(p.Raw)
		return
	}
	own := w.own(p)
	if p.Kind == canon.Document && own.Get("type").Exists() && (own.Get("type").Str() == "search_result" || own.Get("source").Get("type").Str() == "content") {
		w.Raw(own.Raw()) // canon has their text alone
		return
	}
	if p.SignedBy != "" && p.SignedBy != name && p.Kind != canon.Thinking {
		w.r.Lose(p.At, canon.Approximated, "its signature is left out: only "+p.SignedBy+" can read it")
	}
	w.Object()
	switch p.Kind {
	case canon.Thinking:
		w.thought(p)
	case canon.ToolCall:
		w.call(p)
	case canon.ToolResult:
		w.result(p)
	case canon.Image:
		w.StrMember("type", "image")
		w.source(p, own, "image")
	case canon.Document:
		w.document(p, own)
	case canon.Text, canon.Refusal:
		w.StrMember("type", "text")
		w.StrMember("text", p.Text)
		w.citations(p)
	default:
		w.refuse(p.At, "Claude takes no "+p.Kind.String())
		w.StrMember("type", "text")
		w.StrMember("text", "")
	}
	w.cache(p.Cache, p.At)
	if own.Exists() {
		w.rest(own, "type", "cache_control", "text", "citations", "source", "title", "context", "thinking", "signature", "data",
			"id", "name", "input", "tool_use_id", "content", "is_error")
	}
	w.End()
}

// own is the caller's own block of a part, where the caller speaks this dialect.
func (w *writing) own(p *canon.Part) jsontree.Node {
	if n := w.at(p.At); w.same && n.IsObject() {
		return n
	}
	return jsontree.Node{}
}

func (w *writing) cache(c *canon.Cache, at jsontree.Ref) {
	if c == nil {
		return
	}
	if w.marks == maxMarks && !w.same {
		w.loseIn(at, canon.Dropped, "Anthropic takes four cache marks", "cache_control", "cachePoint")
		return
	}
	w.marks++
	w.Name("cache_control")
	w.Object()
	w.StrMember("type", "ephemeral")
	if c.TTL != "" {
		w.StrMember("ttl", c.TTL)
	}
	w.End()
}

func (w *writing) thought(p *canon.Part) {
	signature := canon.WrapSignature(p.Signature, p.SignedBy, name)
	if p.Redacted {
		w.StrMember("type", "redacted_thinking")
		w.StrMember("data", signature)
		return
	}
	w.StrMember("type", "thinking")
	w.StrMember("thinking", p.Text)
	w.StrMember("signature", signature)
}

func (w *writing) citations(p *canon.Part) {
	open := false
	for i := range p.Citations {
		c := &p.Citations[i]
		if c.SignedBy != name || c.Raw == nil {
			w.loseIn(p.At, canon.Dropped, "Anthropic takes back only its own citations", "annotations", "citations")
			continue
		}
		if !open {
			open = true
			w.Name("citations")
			w.Array()
		}
		w.Raw(c.Raw)
	}
	if open {
		w.End()
	} else if own := w.own(p).Get("citations"); own.Exists() {
		w.RawMember("citations", own.Raw())
	}
}

// call writes a tool's call. Arguments that are no JSON object, which models do make, stand in one.
func (w *writing) call(p *canon.Part) {
	c := p.Call
	if !isName(c.Name, 128) {
		w.refuse(p.At, "Anthropic's tools have names of letters, digits, _ and -, at most 128")
	}
	id := c.ID
	if id == "" {
		w.calls++
		id = "toolu_" + strconv.Itoa(w.calls)
		w.open = append(w.open, openCall{id, c.Name})
	}
	w.StrMember("type", "tool_use")
	w.StrMember("id", wrapID(id))
	w.StrMember("name", c.Name)
	w.Name("input")
	switch args := strings.TrimSpace(c.Args); {
	case c.Custom:
		w.Object()
		w.StrMember("input", c.Args)
		w.End()
	case args == "":
		w.RawStr("{}")
	case args[0] == '{' && jsonscan.Valid([]byte(args)):
		w.RawStr(args)
	default:
		w.Object()
		w.StrMember("arguments", c.Args)
		w.End()
		w.r.Lose(p.At, canon.Approximated, "the arguments are no JSON object: they stand in one")
	}
}

func (w *writing) result(p *canon.Part) {
	res := p.Result
	id := res.ID
	if id == "" {
		id = w.answered(res.Name)
	}
	if id == "" {
		w.refuse(p.At, "the result belongs to no call of an earlier message")
	}
	w.StrMember("type", "tool_result")
	w.StrMember("tool_use_id", wrapID(id))
	own := w.own(p)
	switch {
	case len(res.JSON) > 0:
		w.StrMember("content", string(res.JSON))
	case len(res.Parts) > 0:
		parts := make([]*canon.Part, 0, len(res.Parts))
		for i := range res.Parts {
			if w.taken(&res.Parts[i]) {
				parts = append(parts, &res.Parts[i])
			}
		}
		if len(parts) > 0 {
			w.Name("content")
			w.content(parts, false)
		}
	case own.Get("content").Exists():
		w.RawMember("content", own.Get("content").Raw())
	}
	if said := own.Get("is_error"); res.Error || said.Exists() {
		w.BoolMember("is_error", res.Error)
	}
}

// answered is the id of the first call of a tool that has no result yet, where the caller's dialect knows
// calls by their tool alone.
func (w *writing) answered(tool string) string {
	for i, c := range w.open {
		if c.name == tool {
			w.open = append(w.open[:i], w.open[i+1:]...)
			return c.id
		}
	}
	return ""
}

// imageTypes are the images that Claude sees, by how their base64 begins.
var imageTypes = [...]struct{ mime, begin string }{
	{"image/jpeg", "/9j/"}, {"image/png", "iVBOR"}, {"image/gif", "R0lGOD"}, {"image/webp", "UklGR"},
}

// source writes the source of an image or a document.
func (w *writing) source(p *canon.Part, own jsontree.Node, what string) {
	m := p.Media
	if m.Detail != "" && m.Detail != "auto" {
		w.loseIn(p.At, canon.Dropped, "Anthropic has one resolution", "image_url.detail", "detail")
	}
	mime, data, url := m.MIME, m.Data, m.URL
	if url != "" && w.to.Fetch != nil && (strings.HasPrefix(url, "http://") || w.to.Vendor != nil && w.to.Vendor.NoImageURL) {
		got, fetched, err := w.to.Fetch(url)
		if err != nil {
			w.refuse(p.At, "what stands at the URL can't be fetched: "+err.Error())
		}
		if mime == "" || got != "" {
			mime = got
		}
		data, url = fetched, ""
	}
	w.Name("source")
	w.Object()
	switch {
	case url != "":
		w.StrMember("type", "url")
		w.StrMember("url", url)
	case m.FileID != "":
		if !w.same {
			w.refuse(p.At, "a file kept by one provider can't be read by another: send what is in it")
		}
		w.StrMember("type", "file")
		w.StrMember("file_id", m.FileID)
	case what == "image":
		w.StrMember("type", "base64")
		w.StrMember("media_type", w.imageType(p, mime, data))
		w.StrMember("data", data)
	default:
		w.documentData(p, mime, data)
	}
	if from := own.Get("source"); from.IsObject() {
		w.rest(from, "type", "url", "file_id", "media_type", "data")
	}
	w.End()
}

func (w *writing) imageType(p *canon.Part, mime, data string) string {
	if mime == "image/jpg" {
		mime = "image/jpeg"
	}
	for _, t := range imageTypes {
		if mime == t.mime || mime == "" && strings.HasPrefix(data, t.begin) {
			return t.mime
		}
	}
	if !w.same {
		w.refuse(p.At, "Claude sees JPEG, PNG, GIF and WebP, and no "+strconv.Quote(mime))
	}
	return mime
}

// documentData writes a document that came inline: a PDF as it is, text as text.
func (w *writing) documentData(p *canon.Part, mime, data string) {
	if mime == "" && strings.HasPrefix(data, "JVBERi") {
		mime = "application/pdf"
	}
	text := p.Media.Text
	switch {
	case data == "":
	case mime == "application/pdf" || w.same:
		w.StrMember("type", "base64")
		w.StrMember("media_type", mime)
		w.StrMember("data", data)
		return
	case strings.HasPrefix(mime, "text/") || mime == "application/json" || mime == "application/xml" || mime == "application/x-yaml":
		raw, err := base64.StdEncoding.DecodeString(data)
		if err != nil || !utf8.Valid(raw) {
			w.refuse(p.At, "the document is no text in base64")
		}
		text = string(raw)
	default:
		w.refuse(p.At, "Claude reads PDF and text, and no "+strconv.Quote(mime))
	}
	w.StrMember("type", "text")
	w.StrMember("media_type", "text/plain")
	w.StrMember("data", text)
}

func (w *writing) document(p *canon.Part, own jsontree.Node) {
	m := p.Media
	w.StrMember("type", "document")
	w.source(p, own, "document")
	if title := m.Name; title != "" {
		w.StrMember("title", strings.ToValidUTF8(title[:min(len(title), 500)], ""))
	}
	if m.Context != "" {
		w.StrMember("context", m.Context)
	}
	if cited := own.Get("citations"); m.CitedBack || cited.Exists() {
		w.Name("citations")
		w.Object()
		w.BoolMember("enabled", m.CitedBack)
		w.End()
	}
}
