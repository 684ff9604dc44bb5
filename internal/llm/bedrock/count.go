package bedrock

import (
	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsontree"
)

// ReadCountRequest reads a call of CountTokens whose input is that of Converse. That of InvokeModel is a model's own.
// Source: docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_CountTokens.html
func (Dialect) ReadCountRequest(m llm.Match, body []byte) (*canon.Request, error) {
	doc, err := jsontree.Parse(body, true)
	if err != nil {
		return nil, err
	}
	rd := requestReader{newRequest(m, doc)}
	root := doc.Root()
	if !root.IsObject() {
		doc.Fail(root, "must be a JSON object")
	}
	if input := rd.must(root, "input"); rd.object(input) {
		if c := rd.must(input, "converse"); rd.object(c) {
			rd.conversation(c)
			if f := c.Get(ownFields); rd.object(f) {
				rd.modelFields(f)
			}
		}
	}
	if f := doc.Fault(); f != nil {
		return nil, f
	}
	return rd.req, nil
}

// WriteCountRequest writes a call of CountTokens.
func (Dialect) WriteCountRequest(req *canon.Request, to *canon.Target, r *canon.Report) ([]byte, error) {
	w := newWriting(req, to, r)
	w.Object()
	w.Name("input")
	w.Object()
	w.Name("converse")
	w.Object()
	turns := w.conversation()
	w.toolConfig(turns)
	w.End()
	w.End()
	w.End()
	if w.err != nil {
		return nil, w.err
	}
	return w.Buf, nil
}

// ReadCount reads {"inputTokens": n}.
func (Dialect) ReadCount(body []byte) (int64, error) {
	doc, err := jsontree.Parse(body, true)
	if err != nil {
		return 0, err
	}
	n := doc.Root().Get("inputTokens")
	tokens, ok := n.Int()
	if !ok || tokens < 0 {
		return 0, &jsontree.Fault{Pointer: "/inputTokens", Offset: n.Offset(), Problem: "must be a count"}
	}
	return tokens, nil
}

// WriteCount writes {"inputTokens": n}.
func (Dialect) WriteCount(tokens int64) []byte {
	var w jsontree.Writer
	w.Object()
	w.IntMember("inputTokens", tokens)
	w.End()
	return w.Buf
}
