package gemini

import (
	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsonscan"
	"causeway/internal/llm/jsontree"
)

// ReadCountRequest reads the body of countTokens: contents alone (with Vertex AI's members beside them), or a whole
// generateContentRequest.
func (Dialect) ReadCountRequest(m llm.Match, body []byte) (*canon.Request, error) {
	d, err := jsontree.Parse(body, true)
	if err != nil {
		return nil, err
	}
	if err := mustBeObject(d); err != nil {
		return nil, err
	}
	req := newRequest(m, d)
	root := d.Root()
	root.Get("model").Settle()
	whole := root.First("generateContentRequest", "generate_content_request")
	switch {
	case whole.Said() && root.Get("contents").Said():
		d.Fail(whole, "can't stand beside contents")
	case (reader{req, d}).is(whole, jsonscan.Object):
		readGenerate(req, whole)
	case !whole.Said():
		readGenerate(req, root)
	}
	if f := d.Fault(); f != nil {
		return nil, f
	}
	return req, nil
}

// WriteCountRequest writes contents alone where the request has nothing else that counts, else the whole request.
func (Dialect) WriteCountRequest(req *canon.Request, to *canon.Target, r *canon.Report) ([]byte, error) {
	w := codec{}.newWriter(req, to, r)
	w.Object()
	if onlyContents(req) {
		w.keep()
		w.Name("contents")
		w.contents()
		w.leftovers("")
	} else {
		w.Name("generateContentRequest")
		w.Object()
		w.StrMember("model", resource(to.Model))
		w.generate()
		w.End()
	}
	w.End()
	return w.Buf, w.err
}

// onlyContents tells whether a request is but its turns.
func onlyContents(req *canon.Request) bool {
	for i := range req.Messages {
		if role := req.Messages[i].Role; role == canon.System || role == canon.Developer {
			return false
		}
	}
	for id := range req.Params {
		if req.Params[id].JSON != nil {
			return false
		}
	}
	return len(req.Tools) == 0 && req.Choice.Mode == canon.ToolsUnsaid && req.Format.Kind == canon.AnyText && !req.Reasoning.Said
}

// ReadCount reads the answer of countTokens.
func (Dialect) ReadCount(body []byte) (tokens int64, err error) {
	d, err := jsontree.Parse(body, true)
	if err != nil {
		return 0, err
	}
	n := d.Root().Get("totalTokens")
	tokens, ok := n.Int()
	if !ok && d.Fault() == nil && d.Root().IsObject() && d.Root().Len() > 0 {
		d.Missing(d.Root(), "totalTokens")
	}
	if f := d.Fault(); f != nil {
		return 0, f
	}
	return tokens, mustBeObject(d) // protocol buffers leave a count of 0 out
}

// WriteCount writes the answer of countTokens.
func (Dialect) WriteCount(tokens int64) []byte {
	var w jsontree.Writer
	w.Object()
	w.IntMember("totalTokens", tokens)
	w.End()
	return w.Buf
}
