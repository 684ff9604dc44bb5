package anthropic

import (
	"strings"

	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsontree"
)

// block reads one content block; role is that of its message.
func (r *reading) block(n jsontree.Node, role canon.Role) (p canon.Part, ok bool) {
	if !r.object(n) {
		return p, false
	}
	kind := r.needed(n, "type")
	switch kind {
	case "":
		return p, false
	case "text":
		return r.text(n), true
	case "image":
		p = canon.Part{Kind: canon.Image, At: n.Ref(), Media: r.image(n), Cache: r.cache(n)}
	case "document":
		p = r.document(n)
	case "search_result":
		p = r.searchResult(n)
	case "thinking", "redacted_thinking":
		if role != canon.Assistant {
			r.d.Fail(n, "can only stand in a message of the assistant")
			return p, false
		}
		p = r.thinking(n, kind)
	case "tool_use":
		if role != canon.Assistant {
			r.d.Fail(n, "can only stand in a message of the assistant")
			return p, false
		}
		p = r.call(n)
	case "tool_result":
		if role != canon.User {
			r.d.Fail(n, "can only stand in a message of the user")
			return p, false
		}
		p = r.result(n)
	default:
		p = other(n)
	}
	return p, true
}

// other is a block that only this dialect understands.
func other(n jsontree.Node) canon.Part {
	return canon.Part{Kind: canon.Other, At: n.Ref(), Raw: n.Raw(), SignedBy: name}
}

func (r *reading) text(n jsontree.Node) canon.Part {
	return canon.Part{Text: r.words(n, "text"), At: n.Ref(), Cache: r.cache(n), Citations: citations(n.Get("citations"))}
}

// cache reads a block's or a tool's cache_control.
func (r *reading) cache(n jsontree.Node) *canon.Cache {
	c := n.Get("cache_control")
	if !c.Said() || !r.object(c) {
		return nil
	}
	if kind := c.Get("type"); kind.Str() != "ephemeral" {
		r.d.Fail(kind, `must be "ephemeral"`)
	}
	ttl := c.Get("ttl")
	switch s := ttl.Str(); s {
	case "", "5m", "1h":
		return &canon.Cache{TTL: s}
	}
	r.d.Fail(ttl, `must be "5m" or "1h"`)
	return nil
}

// citations reads the sources of a text. Their places are in the documents and not in the text.
func citations(list jsontree.Node) (all []canon.Citation) {
	if !list.IsArray() {
		return nil
	}
	list.Each(func(_ int, e jsontree.Node) {
		if e.IsObject() {
			all = append(all, citation(e))
		}
	})
	return all
}

func citation(n jsontree.Node) canon.Citation {
	c := canon.Citation{Start: -1, End: -1, Raw: n.Raw(), SignedBy: name}
	for _, m := range [...]struct {
		name string
		to   *string
	}{{"url", &c.URL}, {"source", &c.URL}, {"title", &c.Title}, {"document_title", &c.Title}, {"cited_text", &c.Cited}, {"file_id", &c.FileID}} {
		if v := n.Get(m.name); v.IsString() {
			*m.to = v.Str()
		}
	}
	return c
}

// source is a block's source and its type.
func (r *reading) source(n jsontree.Node) (source jsontree.Node, kind string) {
	source = n.Get("source")
	switch {
	case !source.Exists():
		r.d.Missing(n, "source")
	case r.object(source):
		return source, r.needed(source, "type")
	}
	return jsontree.Node{}, ""
}

func (r *reading) image(n jsontree.Node) *canon.Media {
	m := &canon.Media{}
	switch source, kind := r.source(n); kind {
	case "base64":
		m.MIME, m.Data = r.needed(source, "media_type"), r.needed(source, "data")
	case "url":
		m.URL = r.needed(source, "url")
	case "file":
		m.FileID = r.needed(source, "file_id")
	case "":
	default:
		r.d.Fail(source.Get("type"), `must be "base64", "url" or "file"`)
	}
	return m
}

func (r *reading) document(n jsontree.Node) canon.Part {
	m := &canon.Media{Name: n.Get("title").Str(), Context: n.Get("context").Str()}
	if cited := n.Get("citations"); cited.Said() && r.object(cited) {
		m.CitedBack, _ = cited.Get("enabled").Bool()
	}
	switch source, kind := r.source(n); kind {
	case "base64":
		m.MIME, m.Data = r.needed(source, "media_type"), r.needed(source, "data")
	case "text":
		m.MIME, m.Text = "text/plain", r.words(source, "data")
		source.Get("media_type").Settle()
	case "url":
		m.MIME, m.URL = "application/pdf", r.needed(source, "url")
	case "file":
		m.FileID = r.needed(source, "file_id")
	case "content":
		m.MIME, m.Text = "text/plain", r.texts(source, "content")
	case "":
	default:
		r.d.Fail(source.Get("type"), `must be "base64", "text", "url", "content" or "file"`)
	}
	return canon.Part{Kind: canon.Document, At: n.Ref(), Media: m, Cache: r.cache(n)}
}

// texts joins the text blocks of a member that is a string or an array of blocks. Blocks of another kind
// are not looked at: they are told as lost.
func (r *reading) texts(n jsontree.Node, name string) string {
	content := n.Get(name)
	switch {
	case !content.Exists():
		r.d.Missing(n, name)
	case content.IsString():
		return content.Str()
	case !content.IsArray():
		r.d.Fail(content, "must be a string or an array of blocks")
	}
	var all []string
	content.Each(func(_ int, e jsontree.Node) {
		if !r.object(e) {
			return
		}
		if e.Get("type").Str() != "text" {
			e.Leave()
			return
		}
		all = append(all, r.words(e, "text"))
	})
	return strings.Join(all, "\n\n")
}

// searchResult reads a search result as the document that it is: its text, its title, and where it is
// from as what the document is.
func (r *reading) searchResult(n jsontree.Node) canon.Part {
	m := &canon.Media{MIME: "text/plain", Name: r.words(n, "title"), Context: r.words(n, "source"), Text: r.texts(n, "content")}
	if cited := n.Get("citations"); cited.Said() && r.object(cited) {
		m.CitedBack, _ = cited.Get("enabled").Bool()
	}
	return canon.Part{Kind: canon.Document, At: n.Ref(), Media: m, Cache: r.cache(n)}
}

func (r *reading) thinking(n jsontree.Node, kind string) canon.Part {
	p := canon.Part{Kind: canon.Thinking, At: n.Ref()}
	if kind == "redacted_thinking" {
		p.Redacted = true
		p.Signature, p.SignedBy = canon.UnwrapSignature(r.needed(n, "data"), name)
		return p
	}
	p.Text = r.words(n, "thinking")
	p.Signature, p.SignedBy = canon.UnwrapSignature(r.words(n, "signature"), name)
	return p
}

func (r *reading) call(n jsontree.Node) canon.Part {
	c := &canon.Call{ID: unwrapID(r.needed(n, "id")), Name: r.needed(n, "name")}
	input := n.Get("input")
	switch {
	case !input.Exists():
		r.d.Missing(n, "input")
	case r.object(input):
		c.Args = string(input.Raw())
	}
	settleCaller(n)
	if r.calls == nil {
		r.calls = map[string]bool{}
	}
	r.calls[c.ID] = true
	return canon.Part{Kind: canon.ToolCall, At: n.Ref(), Call: c, Cache: r.cache(n)}
}

// settleCaller passes over a caller that is the model itself, which is so anywhere.
func settleCaller(n jsontree.Node) {
	if caller := n.Get("caller"); caller.Get("type").IsString() && caller.Get("type").Str() == "direct" {
		caller.Settle()
	} else {
		caller.Leave()
	}
}

func (r *reading) result(n jsontree.Node) canon.Part {
	res := &canon.Result{ID: unwrapID(r.needed(n, "tool_use_id"))}
	if res.ID != "" && !r.calls[res.ID] {
		r.d.Fail(n.Get("tool_use_id"), "is the id of no tool_use block in an earlier message")
	}
	res.Error, _ = n.Get("is_error").Bool()
	content := n.Get("content")
	switch {
	case !content.Said():
	case content.IsString():
		res.Parts = []canon.Part{{Text: content.Str(), At: content.Ref()}}
	case content.IsArray():
		res.Parts = make([]canon.Part, 0, content.Len())
		content.Each(func(_ int, e jsontree.Node) {
			if p, ok := r.block(e, canon.ToolRole); ok {
				res.Parts = append(res.Parts, p)
			}
		})
	default:
		r.d.Fail(content, "must be a string or an array of blocks")
	}
	return canon.Part{Kind: canon.ToolResult, At: n.Ref(), Result: res, Cache: r.cache(n)}
}

// A signature that another dialect put on a tool's call or a text (Gemini's thoughtSignature) has no member
// here. It travels as redacted thinking, which callers send back as it came: forNext before the block that it
// belongs to, forLast behind it.
const (
	forNext = ">"
	forLast = "<"
)

// carry appends a part, and gives a signature that travelled on its own back to the part it belongs to.
func carry(parts []canon.Part, p canon.Part) []canon.Part {
	last := len(parts) - 1
	if last >= 0 {
		if sig, ok := lent(&parts[last], forNext); ok {
			p.Signature, p.SignedBy = sig, parts[last].SignedBy
			parts[last] = p
			return parts
		}
		if sig, ok := lent(&p, forLast); ok {
			parts[last].Signature, parts[last].SignedBy = sig, p.SignedBy
			return parts
		}
	}
	return append(parts, p)
}

// lent tells whether p holds the signature of another part.
func lent(p *canon.Part, mark string) (string, bool) {
	if p.Kind != canon.Thinking || !p.Redacted || p.SignedBy == name || p.SignedBy == "" {
		return "", false
	}
	return strings.CutPrefix(p.Signature, mark)
}
