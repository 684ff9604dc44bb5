package canon

import (
	"strings"

	"causeway/internal/llm"
	"causeway/internal/llm/jsontree"
)

// Check looks for what no provider can use in a request that is to cross: media that are no base64 or have no address,
// and in a chat completion the result of a call that nobody made. The error is a *jsontree.Fault that names the caller's
// member. A request that passes through is the provider's own to judge.
func (r *Request) Check() error {
	calls := map[string]bool{}
	for i := range r.Messages {
		for k := range r.Messages[i].Parts {
			if err := r.checkPart(&r.Messages[i].Parts[k], calls); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *Request) checkPart(p *Part, calls map[string]bool) error {
	switch {
	case p.Call != nil:
		calls[p.Call.ID] = true
	case p.Result != nil:
		// Of Responses the call may be in what was kept, and Gemini's functions go by their names.
		if r.Op == llm.Chat && r.Dialect == "openai" && p.Result.ID != "" && !calls[p.Result.ID] {
			return r.faultAt(p.At, "is the id of no tool call in an earlier message", "tool_call_id")
		}
		for i := range p.Result.Parts {
			if err := r.checkPart(&p.Result.Parts[i], calls); err != nil {
				return err
			}
		}
	case p.Media != nil:
		switch m := p.Media; {
		case m.Data != "" && !isBase64(m.Data):
			return r.faultAt(p.At, "is not base64", "image_url.url", "image_url", "source.data", "inlineData.data", "inline_data.data", "input_audio.data", "file.file_data", "file_data")
		case m.URL != "" && !strings.Contains(m.URL, "://"):
			return r.faultAt(p.At, "is no URL", "image_url.url", "image_url", "source.url", "fileData.fileUri", "file_data.file_uri", "file_url")
		}
	}
	return nil
}

// faultAt is a fault at the first of these members of what stands at at, or at all of it.
func (r *Request) faultAt(at jsontree.Ref, problem string, members ...string) error {
	n := r.Doc.At(at)
	for _, path := range members {
		m := n
		for _, name := range strings.Split(path, ".") {
			m = m.Get(name)
		}
		if m.IsString() {
			n = m
			break
		}
	}
	return &jsontree.Fault{Pointer: n.Pointer(), Offset: n.Offset(), Problem: problem}
}

// isBase64 tells whether a text may be base64 of either alphabet, with padding or without, on one line or more.
func isBase64(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '+', c == '/', c == '-', c == '_', c == '=', c == '\n', c == '\r':
		default:
			return false
		}
	}
	return true
}
