package gemini

import (
	"unsafe"

	"causeway/internal/llm"
	"causeway/internal/llm/jsonscan"
)

// ReadRequest takes model and stream from the address. Of the body it reads where the model is named a second
// time: "model" itself, and where an operation has them requests[].model and generateContentRequest.model.
func (Dialect) ReadRequest(req *llm.Request, match llm.Match, body []byte) error {
	*req = llm.Request{Op: match.Op, Model: unsafe.Slice(unsafe.StringData(match.Model), len(match.Model)), Stream: match.Stream, UsageAsked: true}
	var scan jsonscan.Scanner
	scan.Reset(body)
	var m llm.Members
	switch match.Op {
	case llm.Embeddings:
		m = llm.Enter(&scan, "", "model", "requests")
	case llm.CountTokens:
		m = llm.Enter(&scan, "", "model", "generateContentRequest", "generate_content_request")
	default:
		m = llm.Enter(&scan, "", "model")
	}
	for {
		index, ok := m.Next(&scan)
		if !ok {
			break
		}
		switch {
		case index == 0:
			if problem := readName(&scan, req); problem != "" {
				m.Fail(index, problem)
			}
		case index > 0 && match.Op == llm.Embeddings && scan.Peek() == jsonscan.Array:
			for ok := scan.Array(); ok && scan.Element(); {
				readNamed(&scan, req)
			}
		case index > 0:
			readNamed(&scan, req)
		default:
			scan.Skip()
		}
	}
	return m.Err(&scan)
}

// readNamed reads the model's name in the object that stands next. Anything else is the provider's to refuse.
func readNamed(scan *jsonscan.Scanner, req *llm.Request) {
	if scan.Peek() != jsonscan.Object {
		scan.Skip()
		return
	}
	var k jsonscan.Key
	for ok := scan.Object(); ok && scan.Member(&k); {
		if !k.Is("model") || readName(scan, req) != "" {
			scan.Skip()
		}
	}
}

// readName notes the place of a name that Rewrite is to change. It passes the value unless it is none.
func readName(scan *jsonscan.Scanner, req *llm.Request) (problem string) {
	switch scan.Peek() {
	case jsonscan.String:
		at, _ := scan.Text()
		req.Also = append(req.Also, at)
	case jsonscan.Null, jsonscan.None:
		scan.Skip()
	default:
		return "must be a string"
	}
	return ""
}
