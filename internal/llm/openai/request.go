package openai

import (
	"causeway/internal/llm"
	"causeway/internal/llm/jsonscan"
)

// The members that are read of a request, by their index in the walk.
const (
	memberModel         = iota // "model"
	memberStream               // "stream"
	memberStreamOptions        // "stream_options"
)

// ReadRequest reads model and stream, and for chat and completions whether stream_options asks for usage.
func (Dialect) ReadRequest(req *llm.Request, match llm.Match, body []byte) error {
	op := match.Op
	*req = llm.Request{Op: op}
	switch {
	case op == llm.Speech:
		return readSpeech(req, body)
	case llm.IsForm(match.ContentType):
		return llm.ReadFormRequest(req, match.ContentType, body)
	}
	var scan jsonscan.Scanner
	scan.Reset(body)
	var m llm.Members
	switch op {
	case llm.Responses, llm.Images, llm.Transcriptions, llm.Translations:
		m = llm.Enter(&scan, "", "model", "stream")
	case llm.Embeddings, llm.Moderations, llm.Rerank, llm.CountTokens:
		m = llm.Enter(&scan, "", "model")
	default:
		m = llm.Enter(&scan, "", "model", "stream", "stream_options")
	}
	var afterStream int
	var ask llm.Edit
	var inner error
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
			var at jsonscan.Span
			req.Stream, at = m.Flag(&scan, index)
			afterStream = at.To
		case memberStreamOptions:
			req.UsageAsked, ask, inner = readStreamOptions(&scan)
			if inner != nil {
				return inner
			}
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
	switch {
	case op != llm.Chat && op != llm.Completions:
		req.UsageAsked = true // the last event always has it, or never
	case !req.Stream || req.UsageAsked:
	case m.Saw(memberStreamOptions):
		req.AskUsage = ask
	default:
		req.AskUsage = llm.Edit{
			At:   jsonscan.Span{From: afterStream, To: afterStream},
			Text: `,"stream_options":{"include_usage":true}`,
		}
	}
	return nil
}

// readStreamOptions reads the value of stream_options: whether it asks for usage, and if it does
// not, the change that makes it ask. A value of another type than the API allows is left for the
// provider to refuse.
func readStreamOptions(scan *jsonscan.Scanner) (asked bool, ask llm.Edit, err error) {
	switch scan.Peek() {
	case jsonscan.Null:
		return false, llm.Edit{At: scan.Skip(), Text: `{"include_usage":true}`}, nil
	case jsonscan.Object:
	default:
		scan.Skip()
		return false, llm.Edit{}, nil
	}
	open := scan.Offset()
	m := llm.Enter(scan, "/stream_options", "include_usage")
	ask = llm.Edit{At: jsonscan.Span{From: open + 1, To: open + 1}, Text: `"include_usage":true`}
	empty := true
	for {
		index, ok := m.Next(scan)
		if !ok {
			break
		}
		empty = false
		if index != 0 {
			scan.Skip()
			continue
		}
		kind := scan.Peek()
		at := scan.Skip()
		switch kind {
		case jsonscan.True:
			asked = true
		case jsonscan.False, jsonscan.Null:
			ask = llm.Edit{At: at, Text: "true"}
		default:
			ask = llm.Edit{}
		}
	}
	if err := m.Err(scan); err != nil {
		return false, llm.Edit{}, err
	}
	if !m.Saw(0) && !empty {
		ask.Text += ","
	}
	if asked {
		ask = llm.Edit{}
	}
	return asked, ask, nil
}
