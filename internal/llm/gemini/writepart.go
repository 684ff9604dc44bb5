package gemini

import (
	"encoding/base64"
	"strings"

	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsonscan"
	"causeway/internal/llm/jsontree"
)

// skipValidation is the signature that stands for none with models that want one on the first call of a
// turn, such as a turn that another model made. Source: ai.google.dev/gemini-api/docs/thought-signatures.
const skipValidation = "skip_thought_signature_validator"

// marks tells what of a part has no place in any part of the API's.
func (w *writer) marks(p *canon.Part) {
	if p.Cache != nil {
		w.lose(p.At, canon.Approximated, "Gemini finds the repeated begin of prompts by itself", "cache_control", "cachePoint")
	}
	if len(p.Citations) > 0 {
		w.lose(p.At, canon.Dropped, "a request has no citations", "citations", "annotations")
	}
}

// part writes one part of a turn. signed tells whether a call of the turn had its signature.
func (w *writer) part(m *canon.Message, p *canon.Part, signed *bool) {
	w.marks(p)
	switch p.Kind {
	case canon.Text:
		if p.Text == "" && p.Signature == "" && !w.own {
			return
		}
		w.Object()
		w.StrMember("text", p.Text)
		w.endPart(p)
	case canon.Refusal:
		w.r.Lose(p.At, canon.Approximated, "a refusal is text with Gemini")
		w.Object()
		w.StrMember("text", p.Text)
		w.endPart(p)
	case canon.Thinking:
		w.thought(p)
	case canon.ToolCall:
		w.call(m, p, signed)
	case canon.ToolResult:
		w.result(p)
	case canon.Other:
		if p.SignedBy != dialect {
			w.r.Lose(p.At, canon.Dropped, "only "+orElse(p.SignedBy, "its own dialect")+" knows it")
			return
		}
		w.Raw(p.Raw)
	default:
		w.media(p)
	}
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// endPart writes what any part may have and ends it.
func (w *writer) endPart(p *canon.Part) {
	if p.Signature != "" {
		if p.SignedBy == "" || p.SignedBy == dialect {
			w.StrMember("thoughtSignature", p.Signature)
		} else {
			w.r.Lose(p.At, canon.Dropped, "only "+p.SignedBy+" can read its signature")
		}
	}
	w.leftovers(w.placeOfPart(p))
	w.End()
}

func (w *writer) placeOfPart(p *canon.Part) string {
	if place := w.place(p.At); place != "" {
		return place
	}
	return "-" // no object's place
}

// thought writes the model's reasoning. Another model's is left out: Gemini would take it for its own.
func (w *writer) thought(p *canon.Part) {
	if p.SignedBy != dialect && !w.own || p.Redacted || p.SignedBy != "" && p.SignedBy != dialect {
		w.r.Lose(p.At, canon.Dropped, "Gemini takes back no reasoning but its own")
		return
	}
	w.Object()
	w.StrMember("text", p.Text)
	w.BoolMember("thought", true)
	w.endPart(p)
}

func (w *writer) call(m *canon.Message, p *canon.Part, signed *bool) {
	c := p.Call
	w.Object()
	w.Name("functionCall")
	w.Object()
	if c.ID != "" && !w.vertex {
		w.StrMember("id", c.ID)
	}
	w.StrMember("name", c.Name)
	w.Name("args")
	if exact := writeArgs(&w.Writer, c); !exact {
		w.r.Lose(p.At, canon.Approximated, "its arguments are no JSON object; they go as the argument input")
	}
	w.End()
	if p.Signature == "" && !*signed && m.Role == canon.Assistant && !w.own && wantsSignatures(w.to.Model) {
		w.StrMember("thoughtSignature", skipValidation)
	}
	*signed = true
	w.endPart(p)
}

// wantsSignatures tells whether a model refuses a turn whose first call has no signature.
func wantsSignatures(model string) bool { return strings.Contains(model, "gemini-3") }

// writeArgs writes a call's arguments as the object that the API wants; exact is false when they are none.
func writeArgs(w *jsontree.Writer, c *canon.Call) (exact bool) {
	args := strings.TrimSpace(c.Args)
	switch {
	case c.Custom:
	case args == "":
		w.RawStr("{}")
		return true
	case args[0] == '{' && jsonscan.Valid([]byte(args)):
		w.RawStr(args)
		return true
	}
	w.Object()
	w.StrMember("input", c.Args)
	w.End()
	return c.Custom
}

func (w *writer) result(p *canon.Part) {
	res := p.Result
	name := orElse(res.Name, w.req.FindCall(res.ID))
	if name == "" {
		w.refuse(p.At, "Gemini wants the function's name with its result, and the call that it answers is not in the conversation")
		return
	}
	w.Object()
	w.Name("functionResponse")
	w.Object()
	if res.ID != "" && !w.vertex {
		w.StrMember("id", res.ID)
	}
	w.StrMember("name", name)
	w.Name("response")
	if res.JSON != nil {
		w.Raw(res.JSON)
	} else {
		w.Object()
		key := "result"
		if res.Error {
			key = "error"
		}
		w.StrMember(key, textOf(res.Parts))
		w.End()
	}
	if w.mediaInside() && hasMedia(res.Parts) {
		w.Name("parts")
		w.Array()
		for i := range res.Parts {
			if isMedia(&res.Parts[i]) {
				w.media(&res.Parts[i])
			}
		}
		w.End()
	}
	for i := range res.Parts {
		if inner := &res.Parts[i]; inner.Kind != canon.Text && !isMedia(inner) {
			w.r.Lose(inner.At, canon.Dropped, "a function's result is text, images and documents")
		}
	}
	w.End()
	w.endPart(p)
}

// mediaInside tells whether the model takes media as parts of a function's result.
// Source: ai.google.dev/gemini-api/docs/function-calling, "Multimodal function responses".
func (w *writer) mediaInside() bool { return w.own || wantsSignatures(w.to.Model) }

// resultMedia writes the media of a result behind all results of the turn, where models do not take them inside.
func (w *writer) resultMedia(p *canon.Part) {
	if p.Kind != canon.ToolResult || w.mediaInside() {
		return
	}
	for i := range p.Result.Parts {
		if inner := &p.Result.Parts[i]; isMedia(inner) {
			w.r.Lose(inner.At, canon.Approximated, "it stands behind the function's result, where this model takes media")
			w.media(inner)
		}
	}
}

func isMedia(p *canon.Part) bool { return p.Media != nil }

func hasMedia(parts []canon.Part) bool {
	for i := range parts {
		if isMedia(&parts[i]) {
			return true
		}
	}
	return false
}

func textOf(parts []canon.Part) string {
	all, n := "", 0
	for i := range parts {
		if parts[i].Kind == canon.Text {
			if n++; n > 1 {
				all += "\n"
			}
			all += parts[i].Text
		}
	}
	return all
}

// media writes an image, audio, video or document.
func (w *writer) media(p *canon.Part) {
	m := p.Media
	if m == nil {
		return
	}
	w.mediaMarks(p)
	switch {
	case m.Data != "":
		w.inline(p, orElse(m.MIME, guessMIME(m.Data)), m.Data)
	case m.Text != "":
		w.inline(p, orElse(m.MIME, "text/plain"), base64.StdEncoding.EncodeToString([]byte(m.Text)))
	case m.FileID != "":
		if !w.own && !strings.HasPrefix(m.FileID, "gs://") && !strings.HasPrefix(m.FileID, filesAPI) {
			w.refuse(p.At, "the file "+m.FileID+" is kept by another provider")
			return
		}
		w.file(p, m.MIME, m.FileID)
	case m.URL != "":
		w.url(p)
	case w.own:
		w.inline(p, m.MIME, "")
	default:
		w.r.Lose(p.At, canon.Dropped, "it is empty")
	}
}

func (w *writer) mediaMarks(p *canon.Part) {
	m := p.Media
	if m.Name != "" && !w.vertex && !w.own {
		w.lose(p.At, canon.Approximated, "Gemini takes the file without its name", "title", "filename", "file_name", "name")
	}
	if m.Context != "" {
		w.lose(p.At, canon.Dropped, "Gemini has no place for it", "context")
	}
	if m.CitedBack {
		w.lose(p.At, canon.Dropped, "Gemini does not cite documents of a request", "citations")
	}
	if m.Detail != "" && m.Detail != "auto" && w.r.Take(canon.MediaDetail) == nil && w.detail() == "" {
		w.lose(p.At, canon.Approximated, "all media of a request have one resolution with Gemini", "detail")
	}
}

// detail is the resolution that all media of the request ask for, "" when they differ or say nothing.
func (w *writer) detail() (word string) {
	for i := range w.req.Messages {
		for k := range w.req.Messages[i].Parts {
			m := w.req.Messages[i].Parts[k].Media
			if m == nil || m.Detail == "" || m.Detail == word {
				continue
			}
			if word != "" {
				return ""
			}
			word = m.Detail
		}
	}
	return word
}

func (w *writer) inline(p *canon.Part, mime, data string) {
	w.Object()
	w.Name("inlineData")
	w.Object()
	w.StrMember("mimeType", mime)
	w.StrMember("data", data)
	w.displayName(p.Media)
	w.End()
	w.endPart(p)
}

func (w *writer) file(p *canon.Part, mime, uri string) {
	w.Object()
	w.Name("fileData")
	w.Object()
	if mime != "" {
		w.StrMember("mimeType", mime)
	}
	w.StrMember("fileUri", uri)
	w.displayName(p.Media)
	w.End()
	w.endPart(p)
}

// displayName is Vertex AI's; what a caller of Gemini's dialect has sent is sent on.
func (w *writer) displayName(m *canon.Media) {
	if m.Name != "" && (w.vertex || w.own) {
		w.StrMember("displayName", m.Name)
	}
}

// url writes media that stand at a URL. Gemini fetches from YouTube, Cloud Storage and its own Files API; anything
// else is fetched for it.
func (w *writer) url(p *canon.Part) {
	m := p.Media
	switch {
	case isYouTube(m.URL) || w.own:
		w.file(p, m.MIME, m.URL)
	case w.to.Fetch == nil:
		w.refuse(p.At, "Gemini does not fetch from URLs, and the gateway does not fetch for it here")
	default:
		mime, data, err := w.to.Fetch(m.URL)
		if err != nil {
			w.refuse(p.At, "what stands at the URL can't be fetched for Gemini: "+err.Error())
			return
		}
		w.r.Lose(p.At, canon.Emulated, "it was fetched for Gemini and goes inline")
		w.inline(p, orElse(m.MIME, mime), data)
	}
}

// guessMIME knows the kinds of file by how their base64 begins.
func guessMIME(data string) string {
	for _, known := range [...]struct{ begin, mime string }{
		{"iVBORw0KGgo", "image/png"},
		{"/9j/", "image/jpeg"},
		{"R0lGOD", "image/gif"},
		{"UklGR", "image/webp"},
		{"JVBERi", "application/pdf"},
		{"T2dnUw", "audio/ogg"},
		{"SUQz", "audio/mpeg"},
		{"ZkxhQ", "audio/flac"},
	} {
		if strings.HasPrefix(data, known.begin) {
			return known.mime
		}
	}
	return "application/octet-stream"
}
