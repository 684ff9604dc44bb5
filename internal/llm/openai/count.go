package openai

import (
	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsontree"
)

// countPath is the address at which the tokens of a request for a response are counted.
//
// Source: platform.openai.com/docs/api-reference/responses/input-tokens.
const countPath = "/v1/responses/input_tokens"

var _ canon.CountReader = Dialect{}

// ReadCountRequest reads a request for a response whose tokens are to be counted.
func (d Dialect) ReadCountRequest(m llm.Match, body []byte) (*canon.Request, error) {
	m.Op = llm.Responses
	return d.Codec(llm.Responses).ReadRequest(m, body)
}

// WriteCount writes how many tokens were counted.
func (Dialect) WriteCount(tokens int64) []byte {
	var w jsontree.Writer
	w.Object()
	w.StrMember("object", "response.input_tokens")
	w.IntMember("input_tokens", max(tokens, 0))
	w.End()
	return w.Buf
}
