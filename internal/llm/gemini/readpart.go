package gemini

import (
	"encoding/base64"
	"strings"

	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsonscan"
	"causeway/internal/llm/jsontree"
)

// part reads one part and appends it to list.
func (r reader) part(n jsontree.Node, list *[]canon.Part) {
	if !n.IsObject() {
		r.d.Fail(n, "must be an object")
		return
	}
	if n.Len() == 0 {
		r.d.Fail(n, "must have text, inlineData, fileData, functionCall, functionResponse or another kind of data")
		return
	}
	*list = append(*list, readPart(r.d, n, true))
}

// readPart reads a part of a request or of an answer. With check, what the API would refuse is a fault.
func readPart(d *jsontree.Doc, n jsontree.Node, check bool) canon.Part {
	p := canon.Part{At: n.Ref()}
	if sig := n.First("thoughtSignature", "thought_signature"); sig.Said() {
		p.Signature, p.SignedBy, p.Redacted = unpackSignature(sig.Str())
	}
	if thought, _ := n.Get("thought").Bool(); thought {
		p.Kind = canon.Thinking
	}
	signed := p.Signature != ""
	switch text := n.Get("text"); {
	case text.Said():
		p.Text = text.Str()
	case readBlob(d, n.First("inlineData", "inline_data"), &p, check):
	case readFile(d, n.First("fileData", "file_data"), &p, check):
	case readCall(d, n.First("functionCall", "function_call"), &p, check):
	case readResult(d, n.First("functionResponse", "function_response"), &p, check):
	case signed && n.Len() == 1 || signed && n.Len() == 2 && p.Kind == canon.Thinking:
	default:
		// executableCode, codeExecutionResult, and what built-in tools may say in future.
		p.Kind, p.Raw, p.SignedBy, p.Signature = canon.Other, n.Raw(), dialect, ""
	}
	return p
}

// sealed begins the base64 of a signature that another dialect made: thoughtSignature is bytes, so that what
// canon.WrapSignature makes stands in it as base64. It is that of "causeway.".
const sealed = "Y2F1c2V3YXku"

// redacted marks the maker of what it holds back whole.
const redacted = "!"

func packSignature(p *canon.Part) string {
	by := p.SignedBy
	if by == "" || by == dialect {
		return p.Signature
	}
	if p.Redacted {
		by += redacted
	}
	return base64.StdEncoding.EncodeToString([]byte(canon.WrapSignature(p.Signature, by, dialect)))
}

func unpackSignature(s string) (signature, signedBy string, held bool) {
	if strings.HasPrefix(s, sealed) {
		if plain, err := base64.StdEncoding.DecodeString(standardBase64(s)); err == nil {
			signature, signedBy = canon.UnwrapSignature(string(plain), dialect)
			signedBy, held = strings.CutSuffix(signedBy, redacted)
			return signature, signedBy, held
		}
	}
	signature, signedBy = canon.UnwrapSignature(s, dialect)
	return signature, signedBy, false
}

func readBlob(d *jsontree.Doc, n jsontree.Node, p *canon.Part, check bool) bool {
	if !n.Said() {
		return false
	}
	if check && !n.IsObject() {
		d.Fail(n, "must be an object")
		return true
	}
	m := &canon.Media{}
	m.MIME = need(d, n, check, "mimeType", "mime_type")
	m.Data = standardBase64(need(d, n, check, "data"))
	m.Name = n.First("displayName", "display_name").Str()
	p.Kind, p.Media = kindOf(m.MIME), m
	return true
}

func readFile(d *jsontree.Doc, n jsontree.Node, p *canon.Part, check bool) bool {
	if !n.Said() {
		return false
	}
	if check && !n.IsObject() {
		d.Fail(n, "must be an object")
		return true
	}
	m := &canon.Media{MIME: n.First("mimeType", "mime_type").Str()}
	uri := need(d, n, check, "fileUri", "file_uri")
	if strings.HasPrefix(uri, "https://") && !strings.HasPrefix(uri, filesAPI) || strings.HasPrefix(uri, "http://") {
		m.URL = uri
	} else {
		m.FileID = uri
	}
	m.Name = n.First("displayName", "display_name").Str()
	p.Kind, p.Media = kindOf(m.MIME), m
	if m.MIME == "" && isYouTube(uri) {
		p.Kind = canon.Video
	}
	return true
}

// filesAPI begins the names of files that the Gemini API keeps.
const filesAPI = "https://generativelanguage.googleapis.com/"

func isYouTube(uri string) bool {
	return strings.HasPrefix(uri, "https://www.youtube.com/") || strings.HasPrefix(uri, "https://youtu.be/") || strings.HasPrefix(uri, "https://youtube.com/")
}

// need is a string that must be there.
func need(d *jsontree.Doc, n jsontree.Node, check bool, names ...string) string {
	m := n.First(names...)
	if !m.Said() && check {
		d.Missing(n, names[0])
	}
	return m.Str()
}

// standardBase64 turns the URL alphabet, which the API takes as well, into the standard one.
func standardBase64(s string) string {
	if strings.ContainsAny(s, "-_") {
		return strings.NewReplacer("-", "+", "_", "/").Replace(s)
	}
	return s
}

func kindOf(mime string) canon.PartKind {
	switch kind, _, _ := strings.Cut(mime, "/"); kind {
	case "image":
		return canon.Image
	case "audio":
		return canon.Audio
	case "video":
		return canon.Video
	}
	return canon.Document
}

func readCall(d *jsontree.Doc, n jsontree.Node, p *canon.Part, check bool) bool {
	if !n.Said() {
		return false
	}
	if check && !n.IsObject() {
		d.Fail(n, "must be an object")
		return true
	}
	c := &canon.Call{ID: n.Get("id").Str(), Name: need(d, n, check, "name")}
	if args := n.Get("args"); args.IsObject() {
		c.Args = string(args.Raw())
	} else if args.Said() {
		d.Fail(args, "must be an object")
	}
	p.Kind, p.Call = canon.ToolCall, c
	return true
}

func readResult(d *jsontree.Doc, n jsontree.Node, p *canon.Part, check bool) bool {
	if !n.Said() {
		return false
	}
	if check && !n.IsObject() {
		d.Fail(n, "must be an object")
		return true
	}
	res := &canon.Result{ID: n.Get("id").Str(), Name: need(d, n, check, "name")}
	switch body := n.Get("response"); {
	case body.IsObject():
		res.JSON = body.Raw()
		body.Each(func(_ int, m jsontree.Node) {
			if body.Len() == 1 && m.Name() == "error" {
				res.Error = true
			}
		})
		body.Settle()
	case body.Said():
		d.Fail(body, "must be an object")
	case check:
		d.Missing(n, "response")
	}
	if parts := n.Get("parts"); parts.Said() {
		if parts.Kind() != jsonscan.Array {
			d.Fail(parts, "must be an array")
		}
		parts.Each(func(_ int, m jsontree.Node) {
			if !m.IsObject() {
				d.Fail(m, "must be an object")
				return
			}
			res.Parts = append(res.Parts, readPart(d, m, check))
		})
	}
	p.Kind, p.Result = canon.ToolResult, res
	return true
}
