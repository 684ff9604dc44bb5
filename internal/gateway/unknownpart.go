package gateway

import (
	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/openai"
)

// unknownPart finds what the caller wrote into a chat that no dialect but its own could understand, and that the provider
// does not get: a part or an item of a type that is not known. Without it the model would answer another question. What a
// model made itself before, such as the calls of a provider's own tools, is left out and reported instead: the rest of
// the conversation says what came of it.
func (x *crossed) unknownPart() *canon.Unsupported {
	f, ok := x.form.(*chatForm)
	if !ok {
		return nil
	}
	req := f.req
	for i := range req.Messages {
		m := &req.Messages[i]
		if u := x.unknownIn(req, m.Parts, m.Role != canon.Assistant && m.Role != canon.ToolRole); u != nil {
			return u
		}
	}
	return nil
}

func (x *crossed) unknownIn(req *canon.Request, parts []canon.Part, callers bool) *canon.Unsupported {
	for i := range parts {
		p := &parts[i]
		if p.Kind == canon.Other && !(p.SignedBy == x.speaks.Name() && req.Op == x.op) && isUnknown(req, p, callers) {
			return &canon.Unsupported{Field: req.Doc.At(p.At).Path(), Why: "its type is not known, and only a provider of the caller's own dialect could understand it"}
		}
		if p.Result != nil {
			if u := x.unknownIn(req, p.Result.Parts, false); u != nil {
				return u
			}
		}
	}
	return nil
}

// isUnknown tells whether a part is what the caller wrote, and not what a model or a provider's tool made.
func isUnknown(req *canon.Request, p *canon.Part, callers bool) bool {
	if req.Dialect != "openai" || callers {
		return callers
	}
	return req.Op != llm.Responses || !openai.IsKnownItem(req.Doc.At(p.At).Get("type").Str())
}
