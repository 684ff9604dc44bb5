package anthropic

import (
	"causeway/internal/llm"
	"causeway/internal/llm/jsonscan"
)

// The members that are read of a request, by their index in the walk.
const (
	memberModel  = iota // "model"
	memberStream        // "stream"
)

// ReadRequest reads model and stream. A stream always reports its usage.
func (Dialect) ReadRequest(req *llm.Request, match llm.Match, body []byte) error {
	*req = llm.Request{Op: match.Op, UsageAsked: true}
	var scan jsonscan.Scanner
	scan.Reset(body)
	m := llm.Enter(&scan, "", "model", "stream")
	for {
		index, ok := m.Next(&scan)
		if !ok {
			break
		}
		switch index {
		case memberModel:
			if problem := llm.ReadModel(&scan, req); problem != "" {
				m.Fail(index, problem)
			}
		case memberStream:
			req.Stream, _ = m.Flag(&scan, index)
		default:
			scan.Skip()
		}
	}
	if err := m.Err(&scan); err != nil {
		return err
	}
	if !m.Saw(memberModel) {
		return &llm.RequestError{Pointer: "/model", Offset: len(body), Problem: "is missing"}
	}
	return nil
}
