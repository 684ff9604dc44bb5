package bedrock

import (
	"strings"

	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsontree"
)

// blocks are the members of a content block that are known; a block has one of them.
var blocks = [...]string{
	"text", "image", "document", "video", "audio", "toolUse", "toolResult", "guardContent", "cachePoint", "reasoningContent",
	"citationsContent", "searchResult", "json",
}

// block reads a content block of a message, a system prompt or a tool's result and appends it to parts.
func (rd *requestReader) block(b jsontree.Node, parts *[]canon.Part) {
	if part, ok := readBlock(b, rd.req.Doc); ok {
		*parts = append(*parts, part)
		return
	}
	mark := b.Get("cachePoint")
	switch last := len(*parts) - 1; {
	case !mark.Said():
		rd.fail(b, "is an empty content block")
	case last < 0:
		b.Leave()
	case rd.object(mark):
		(*parts)[last].Cache = rd.cache(mark)
	}
}

// blockReader reads content blocks of requests and of answers. doc takes the faults.
type blockReader struct{ doc *jsontree.Doc }

// readBlock reads a block. It returns false for an empty one and for a cache point, which is no part of its own.
func readBlock(b jsontree.Node, doc *jsontree.Doc) (p canon.Part, ok bool) {
	var n jsontree.Node
	kind := ""
	for _, word := range blocks {
		m := b.Get(word)
		if !m.Said() {
			continue
		}
		if kind != "" {
			doc.Fail(b, "has both "+kind+" and "+word)
			return p, true
		}
		n, kind = m, word
	}
	p.At = b.Ref()
	rd := blockReader{doc}
	switch kind {
	case "":
		if b.Len() == 0 {
			return p, false
		}
		// A kind of block that is younger than this: toolAddition, toolRemoval, ...
		p.Kind, p.Raw, p.SignedBy = canon.Other, b.Raw(), name
		return p, true
	case "cachePoint":
		return p, false
	case "text":
		p.Text = n.Str()
		return p, true
	case "json":
		p.Text = string(n.Raw())
		return p, true
	}
	if !n.IsObject() {
		doc.Fail(n, "must be an object")
		return p, true
	}
	switch kind {
	case "image":
		rd.media(n, canon.Image, &p)
	case "video":
		rd.media(n, canon.Video, &p)
	case "audio":
		rd.media(n, canon.Audio, &p)
	case "document":
		rd.document(n, &p)
	case "toolUse":
		rd.toolUse(n, &p)
	case "toolResult":
		rd.toolResult(n, &p)
	case "reasoningContent":
		rd.reasoning(n, &p)
	case "citationsContent":
		rd.cited(n, &p)
	case "guardContent":
		// The text counts like any other; that a guardrail is to look at it is Bedrock's alone.
		text, image := n.Get("text"), n.Get("image")
		switch {
		case text.IsObject():
			p.Text = text.Get("text").Str()
		case image.IsObject():
			rd.media(image, canon.Image, &p)
		default:
			doc.Fail(n, "must have one of text and image")
		}
		p.Raw, p.SignedBy = b.Copy(), name
	case "searchResult":
		p.Kind = canon.Document
		p.Media = &canon.Media{MIME: "text/plain", Name: n.Get("title").Str(), Text: rd.texts(n.Get("content"))}
		p.Media.CitedBack, _ = n.Get("citations").Get("enabled").Bool()
		p.Raw, p.SignedBy = b.Copy(), name
	}
	return p, true
}

func (rd *blockReader) must(n jsontree.Node, name string) jsontree.Node {
	m := n.Get(name)
	if !m.Said() {
		rd.doc.Missing(n, name)
	}
	return m
}

// texts joins the texts of a list of {text}.
func (rd *blockReader) texts(list jsontree.Node) string {
	if list.Said() && !list.IsArray() {
		rd.doc.Fail(list, "must be an array")
		return ""
	}
	var all []string
	list.Each(func(_ int, e jsontree.Node) {
		if e.IsObject() {
			all = append(all, e.Get("text").Str())
		} else {
			rd.doc.Fail(e, "must be an object")
		}
	})
	if len(all) == 1 {
		return all[0]
	}
	return strings.Join(all, "\n\n")
}

// media reads {format, source: {bytes | s3Location}}.
func (rd *blockReader) media(n jsontree.Node, kind canon.PartKind, p *canon.Part) {
	p.Kind = kind
	p.Media = &canon.Media{MIME: mimeOf(kind, n.Get("format").Str())}
	rd.source(n, p)
}

func (rd *blockReader) source(n jsontree.Node, p *canon.Part) {
	source := rd.must(n, "source")
	if source.Said() && !source.IsObject() {
		rd.doc.Fail(source, "must be an object")
		return
	}
	bytes, place, text, content := source.Get("bytes"), source.Get("s3Location"), source.Get("text"), source.Get("content")
	m := p.Media
	switch {
	case bytes.Said():
		m.Data = bytes.Str()
	case place.IsObject():
		// A place in S3 is a file that only this provider can read.
		m.FileID = rd.must(place, "uri").Str()
		if place.Len() > 1 { // bucketOwner: not looked at, so that elsewhere it is told as lost
			p.Raw, p.SignedBy = rd.doc.At(p.At).Copy(), name
		}
	case p.Kind == canon.Document && text.Said():
		m.Text = text.Str()
	case p.Kind == canon.Document && content.Said():
		m.Text = rd.texts(content)
		p.Raw, p.SignedBy = rd.doc.At(p.At).Copy(), name
	case source.Said():
		rd.doc.Fail(source, "must have bytes or s3Location")
	}
	if p.Kind == canon.Document && m.Text != "" && m.MIME == "" {
		m.MIME = "text/plain"
	}
}

func (rd *blockReader) document(n jsontree.Node, p *canon.Part) {
	p.Kind = canon.Document
	p.Media = &canon.Media{MIME: mimeOf(canon.Document, n.Get("format").Str()), Name: rd.must(n, "name").Str(), Context: n.Get("context").Str()}
	p.Media.CitedBack, _ = n.Get("citations").Get("enabled").Bool()
	rd.source(n, p)
}

// serverTool is the type of a call that the provider itself answers.
const serverTool = "server_tool_use"

func (rd *blockReader) toolUse(n jsontree.Node, p *canon.Part) {
	if n.Get("type").Str() == serverTool {
		p.Kind, p.Raw, p.SignedBy = canon.Other, rd.doc.At(p.At).Raw(), name
		return
	}
	p.Kind = canon.ToolCall
	p.Call = &canon.Call{ID: rd.must(n, "toolUseId").Str(), Name: rd.must(n, "name").Str()}
	if input := rd.must(n, "input"); input.Said() {
		if !input.IsObject() {
			rd.doc.Fail(input, "must be an object")
		}
		p.Call.Args = string(input.Raw())
	}
	if p.Call.ID == "" || p.Call.Name == "" {
		rd.doc.Fail(n, "has an empty toolUseId or name")
	}
}

func (rd *blockReader) toolResult(n jsontree.Node, p *canon.Part) {
	p.Kind = canon.ToolResult
	p.Result = &canon.Result{ID: rd.must(n, "toolUseId").Str(), Error: n.Get("status").Str() == "error"}
	content := rd.must(n, "content")
	if content.Said() && !content.IsArray() {
		rd.doc.Fail(content, "must be an array")
		return
	}
	content.Each(func(_ int, e jsontree.Node) {
		if !e.IsObject() {
			rd.doc.Fail(e, "must be an object")
			return
		}
		if json := e.Get("json"); json.IsObject() && content.Len() == 1 {
			p.Result.JSON = json.Raw()
			return
		}
		if part, ok := readBlock(e, rd.doc); ok {
			p.Result.Parts = append(p.Result.Parts, part)
		} else {
			rd.doc.Fail(e, "is an empty content block")
		}
	})
}

func (rd *blockReader) reasoning(n jsontree.Node, p *canon.Part) {
	p.Kind = canon.Thinking
	text, redacted := n.Get("reasoningText"), n.Get("redactedContent")
	switch {
	case text.IsObject():
		p.Text = rd.must(text, "text").Str()
		p.Signature, p.SignedBy = canon.UnwrapSignature(text.Get("signature").Str(), signer)
		p.Redacted = p.Text == "" && p.SignedBy != signer && p.SignedBy != ""
	case redacted.Said():
		p.Redacted, p.Signature, p.SignedBy = true, redacted.Str(), signer
	default:
		rd.doc.Fail(n, "must have one of reasoningText and redactedContent")
	}
}

// cited reads text with its sources.
func (rd *blockReader) cited(n jsontree.Node, p *canon.Part) {
	content := n.Get("content")
	content.Each(func(_ int, e jsontree.Node) { p.Text += e.Get("text").Str() })
	list := n.Get("citations")
	if list.Said() && !list.IsArray() {
		rd.doc.Fail(list, "must be an array")
	}
	list.Each(func(_ int, e jsontree.Node) { p.Citations = append(p.Citations, readCitation(e)) })
}

// readCitation reads a Citation or CitationsDelta.
func readCitation(n jsontree.Node) canon.Citation {
	c := canon.Citation{Start: -1, End: -1, Title: n.Get("title").Str(), SignedBy: name}
	if source := n.Get("sourceContent"); source.IsArray() {
		source.Each(func(_ int, e jsontree.Node) { c.Cited += e.Get("text").Str() })
	}
	c.URL = n.Get("location").Get("web").Get("url").Str()
	if source := n.Get("source").Str(); c.URL == "" && (strings.HasPrefix(source, "https://") || strings.HasPrefix(source, "http://")) {
		c.URL = source
	}
	c.Raw = n.Raw()
	return c
}
