package bedrock

import (
	"encoding/base64"
	"hash/fnv"
	"strconv"
	"strings"

	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsonscan"
)

// part writes one content block.
func (w *writing) part(p *canon.Part, assistant bool) {
	if p.Signature != "" && p.Kind != canon.Thinking {
		w.r.Lose(p.At, canon.Approximated, "what proves the reasoning of "+p.SignedBy+" has no place on Bedrock")
	}
	switch {
	case p.Raw != nil && p.SignedBy == name:
		w.own(p)
	case p.Kind == canon.Text:
		w.said(p, assistant)
	case p.Kind == canon.Refusal:
		if strings.TrimSpace(p.Text) == "" {
			return
		}
		w.r.Lose(p.At, canon.Approximated, "Bedrock has no refusals: it is text")
		w.text(p.Text)
	case p.Kind == canon.Thinking:
		if !w.thought(p) {
			return
		}
	case p.Kind == canon.ToolCall:
		w.call(p)
	case p.Kind == canon.ToolResult:
		w.result(p)
	case p.Kind == canon.Other:
		w.r.Lose(p.At, canon.Dropped, "only "+p.SignedBy+" understands it")
		return
	case assistant:
		w.r.Lose(p.At, canon.Dropped, "on Bedrock only the user's messages hold "+p.Kind.String()+"s")
		return
	default:
		if !w.media(p) {
			return
		}
	}
	w.cachePoint(p.Cache, p.At, w.model.caches())
}

// said writes text, with its sources where Bedrock named them.
func (w *writing) said(p *canon.Part, assistant bool) {
	own := len(p.Citations) > 0
	for _, c := range p.Citations {
		own = own && c.SignedBy == name && c.Raw != nil
	}
	if !own || !assistant {
		if len(p.Citations) > 0 {
			w.r.Lose(p.At, canon.Approximated, "its citations stay behind: Bedrock did not make them")
		}
		w.text(p.Text)
		return
	}
	writeCited(&w.Writer, p)
}

// thought writes reasoning. Claude wants its own back with its signature and refuses any other.
func (w *writing) thought(p *canon.Part) bool {
	foreign := p.Signature != "" && p.SignedBy != signer && p.SignedBy != name
	switch {
	case w.model.family == deepSeek:
		w.r.Lose(p.At, canon.Dropped, "this model does not take reasoning back")
		return false
	case foreign && !w.same:
		w.r.Lose(p.At, canon.Dropped, "only "+p.SignedBy+" understands its reasoning")
		return false
	case p.Signature == "" && w.model.family == claude && !w.same:
		w.r.Lose(p.At, canon.Dropped, "Claude takes no reasoning without its signature")
		return false
	case p.Signature == "" && p.Text == "":
		return false
	}
	writeThought(&w.Writer, p)
	return true
}

// writeThought writes a reasoningContent block. A signature that Bedrock did not make is wrapped.
func writeThought(w *jsonWriter, p *canon.Part) {
	w.Object()
	w.Name("reasoningContent")
	w.Object()
	if p.Redacted && p.Text == "" && isRedacted(p.Signature, p.SignedBy) {
		w.StrMember("redactedContent", p.Signature)
	} else {
		w.Name("reasoningText")
		w.Object()
		w.StrMember("text", p.Text)
		if p.Signature != "" {
			w.StrMember("signature", wrapSignature(p.Signature, p.SignedBy))
		}
		w.End()
	}
	w.End()
	w.End()
}

// isRedacted tells whether what proves a thought without text can stand as redactedContent: it is Claude's, and base64.
func isRedacted(signature, by string) bool {
	_, err := base64.StdEncoding.DecodeString(signature)
	return err == nil && (by == signer || by == name || by == "")
}

func wrapSignature(signature, by string) string {
	if by == name {
		by = signer
	}
	return canon.WrapSignature(signature, by, signer)
}

// ids gives the calls of tools ids that Bedrock takes: letters, digits, _ and -, at most 64. Calls and results without ids
// (Gemini's) are paired in their order by the tool's name.
type ids struct {
	made    int
	waiting []waitingCall
}

type waitingCall struct{ name, id string }

func (l *ids) ofCall(c *canon.Call) string {
	if c.ID != "" {
		return validID(c.ID)
	}
	l.made++
	id := "call_" + strconv.Itoa(l.made)
	l.waiting = append(l.waiting, waitingCall{c.Name, id})
	return id
}

func (l *ids) ofResult(r *canon.Result) string {
	if r.ID != "" {
		return validID(r.ID)
	}
	for i, c := range l.waiting {
		if c.name == r.Name {
			l.waiting = append(l.waiting[:i:i], l.waiting[i+1:]...)
			return c.id
		}
	}
	l.made++
	return "call_" + strconv.Itoa(l.made)
}

// validID is an id as it is, or one made of it that stays the same wherever it stands.
func validID(id string) string {
	good := len(id) <= 64
	for i := 0; good && i < len(id); i++ {
		good = isIDByte(id[i])
	}
	if good {
		return id
	}
	h := fnv.New64a()
	h.Write([]byte(id))
	b := make([]byte, 0, 64)
	for i := 0; i < len(id) && len(b) < 40; i++ {
		if isIDByte(id[i]) {
			b = append(b, id[i])
		} else {
			b = append(b, '_')
		}
	}
	return string(strconv.AppendUint(append(b, '_'), h.Sum64(), 36))
}

func isIDByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-'
}

func (w *writing) call(p *canon.Part) {
	c := p.Call
	if c.Custom {
		w.r.Lose(p.At, canon.Emulated, "Bedrock's tools take an object: the free text is its member input")
	} else if c.Args != "" && !isObject([]byte(c.Args)) {
		w.r.Lose(p.At, canon.Approximated, "the arguments are no JSON object: they stand as text in the member arguments")
	}
	writeCall(&w.Writer, w.ids.ofCall(c), c)
}

// writeCall writes a toolUse block.
func writeCall(w *jsonWriter, id string, c *canon.Call) {
	w.Object()
	w.Name("toolUse")
	w.Object()
	w.StrMember("toolUseId", id)
	w.StrMember("name", c.Name)
	w.Name("input")
	switch {
	case c.Custom:
		w.Object()
		w.StrMember("input", c.Args)
		w.End()
	case c.Args == "":
		w.RawStr("{}")
	case isObject([]byte(c.Args)):
		w.RawStr(c.Args)
	default:
		w.Object()
		w.StrMember("arguments", c.Args)
		w.End()
	}
	w.End()
	w.End()
}

func (w *writing) result(p *canon.Part) {
	res := p.Result
	w.Object()
	w.Name("toolResult")
	w.Object()
	w.StrMember("toolUseId", w.ids.ofResult(res))
	w.Name("content")
	w.Array()
	switch {
	case isObject(res.JSON):
		w.Object()
		w.RawMember("json", res.JSON)
		w.End()
	case res.JSON != nil:
		w.text(string(res.JSON))
	}
	for i := range res.Parts {
		switch inner := &res.Parts[i]; {
		case inner.Raw != nil && inner.SignedBy == name:
			w.own(inner)
		case inner.Kind == canon.Text || inner.Kind == canon.Refusal:
			if strings.TrimSpace(inner.Text) != "" {
				w.text(inner.Text)
			}
		case inner.Kind == canon.Image || inner.Kind == canon.Document || inner.Kind == canon.Video:
			w.media(inner)
		default:
			w.r.Lose(inner.At, canon.Dropped, "the results of tools on Bedrock hold text, images, documents and videos")
		}
		if c := res.Parts[i].Cache; c != nil {
			w.r.Lose(res.Parts[i].At, canon.Approximated, "Bedrock has no cache points inside a tool's result")
		}
	}
	w.End()
	if res.Error {
		w.StrMember("status", "error")
	}
	w.End()
	w.End()
}

// writeCited writes a citationsContent block.
func writeCited(w *jsonWriter, p *canon.Part) {
	w.Object()
	w.Name("citationsContent")
	w.Object()
	w.Name("content")
	w.Array()
	w.Object()
	w.StrMember("text", p.Text)
	w.End()
	w.End()
	w.Name("citations")
	w.Array()
	for i := range p.Citations {
		writeCitation(w, &p.Citations[i])
	}
	w.End()
	w.End()
	w.End()
}

// writeCitation writes one source.
func writeCitation(w *jsonWriter, c *canon.Citation) {
	if c.SignedBy == name && jsonscan.Valid(c.Raw) {
		w.Raw(c.Raw)
		return
	}
	w.Object()
	switch {
	case c.Title != "":
		w.StrMember("title", c.Title)
	case c.URL == "" && c.FileID != "":
		w.StrMember("title", c.FileID)
	}
	if c.Cited != "" {
		w.Name("sourceContent")
		w.Array()
		w.Object()
		w.StrMember("text", c.Cited)
		w.End()
		w.End()
	}
	if c.URL != "" {
		w.Name("location")
		w.Object()
		w.Name("web")
		w.Object()
		w.StrMember("url", c.URL)
		w.End()
		w.End()
	}
	w.End()
}
