package anthropic

import (
	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsontree"
)

// ReadCountRequest reads a request whose tokens are to be counted.
func (Dialect) ReadCountRequest(m llm.Match, body []byte) (*canon.Request, error) {
	return readRequest(m, body, false)
}

// WriteCountRequest writes a request whose tokens are to be counted: what a message's request has that
// counts.
func (Dialect) WriteCountRequest(req *canon.Request, to *canon.Target, r *canon.Report) ([]byte, error) {
	return writeRequest(req, to, r, false)
}

// ReadCount reads how many tokens were counted.
func (Dialect) ReadCount(body []byte) (tokens int64, err error) {
	d, err := jsontree.Parse(body, true)
	if err != nil {
		return 0, err
	}
	n := d.Root().Get("input_tokens")
	tokens, ok := n.Int()
	if !ok && d.Fault() == nil {
		d.Missing(d.Root(), "input_tokens")
	}
	if f := d.Fault(); f != nil {
		return 0, f
	}
	return tokens, nil
}

// WriteCount writes how many tokens were counted.
func (Dialect) WriteCount(tokens int64) []byte {
	var w jsontree.Writer
	w.Object()
	w.IntMember("input_tokens", max(tokens, 0))
	w.End()
	return w.Buf
}
