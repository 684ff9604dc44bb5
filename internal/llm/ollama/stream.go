package ollama

import (
	"bytes"

	"causeway/internal/fault"
	"causeway/internal/journey"
	"causeway/internal/llm"
	"causeway/internal/llm/jsonscan"
)

// lines is the framing: a JSON object a line.
type lines struct {
	searched int // of the data at hand: no line ends there
}

// Cut finds the end of the first line.
func (f *lines) Cut(data []byte) (end int, err error) {
	from := min(f.searched, len(data))
	i := bytes.IndexByte(data[from:], '\n')
	if i < 0 {
		f.searched = len(data)
		return -1, nil
	}
	f.searched = 0
	return from + i + 1, nil
}

// Event is the line without white space around it; an empty one says nothing.
func (f *lines) Event(frame []byte) (llm.Event, error) {
	return llm.Event{Data: bytes.TrimSpace(frame)}, nil
}

// judge decides about lines. The last one says "done":true; a line with an error ends what was begun.
type judge struct{}

// Judge reads one line.
func (judge) Judge(st *llm.StreamState, ev llm.Event) llm.Action {
	var scan jsonscan.Scanner
	scan.Reset(ev.Data)
	if scan.Peek() != jsonscan.Object {
		return llm.Malformed
	}
	var line line
	line.read(&scan, &st.Usage)
	switch {
	case !scan.Finished():
		return llm.Malformed
	case line.failed:
		st.Error = readError(ev.Data, 0)
		if st.Error.Kind == "" {
			st.Error.Kind = fault.ProviderError
		}
		return llm.Fail
	}
	st.Content = st.Content || line.content
	if line.done {
		st.Done, st.Ended, st.Finish = true, true, line.reason
	}
	return llm.Pass
}

// line is what a line, or an answer that is not streamed, shows.
type line struct {
	failed, done, content bool
	answer                bool // it has message, response, embeddings or embedding
	reason                string
}

func (l *line) read(scan *jsonscan.Scanner, u *journey.Usage) {
	var k jsonscan.Key
	for ok := scan.Object(); ok && scan.Member(&k); {
		switch string(k.Raw) {
		case "error":
			kind := scan.Peek()
			if at := scan.Skip(); kind == jsonscan.Object || kind == jsonscan.String {
				l.failed = l.failed || at.Len() > 2
			}
		case "done":
			l.done = scan.Peek() == jsonscan.True || l.done
			scan.Skip()
		case "done_reason":
			l.reason = readReason(scan)
		case "message":
			l.answer = scan.Peek() == jsonscan.Object || l.answer
			l.content = hasContent(scan) || l.content
		case "response", "thinking":
			l.answer = l.answer || k.Is("response")
			kind := scan.Peek()
			l.content = scan.Skip().Len() > 2 && kind == jsonscan.String || l.content
		case "embeddings", "embedding":
			l.answer = scan.Peek() == jsonscan.Array || l.answer
			scan.Skip()
		case "prompt_eval_count":
			u.Input = count(scan)
		case "eval_count":
			u.Output = count(scan)
		default:
			scan.Skip()
		}
	}
}

// hasContent passes a message and tells whether it holds anything but a role.
func hasContent(scan *jsonscan.Scanner) (content bool) {
	if scan.Peek() != jsonscan.Object {
		scan.Skip()
		return false
	}
	var k jsonscan.Key
	for ok := scan.Object(); ok && scan.Member(&k); {
		kind := scan.Peek()
		at := scan.Skip()
		switch kind {
		case jsonscan.String, jsonscan.Array, jsonscan.Object:
			content = content || at.Len() > 2 && string(k.Raw) != "role"
		}
	}
	return content
}

// readReason passes a reason; the known ones cost no allocation.
func readReason(scan *jsonscan.Scanner) string {
	if scan.Peek() != jsonscan.String {
		scan.Skip()
		return ""
	}
	switch raw := scan.Inner(); string(raw) {
	case "stop":
		return "stop"
	case "length":
		return "length"
	case "load":
		return "load"
	case "unload":
		return "unload"
	default:
		return string(raw)
	}
}

// count passes a value and returns it when it is a number of tokens, else -1.
func count(scan *jsonscan.Scanner) int64 {
	if scan.Peek() != jsonscan.Number {
		scan.Skip()
		return -1
	}
	return jsonscan.Int(scan.Bytes(scan.Skip()))
}

// ReadAnswer reads usage and reason of an answer, and tells whether it is one.
func (Dialect) ReadAnswer(_ llm.Operation, body []byte) llm.Answer {
	answer := llm.Answer{Usage: llm.NoUsage()}
	var scan jsonscan.Scanner
	scan.Reset(body)
	if scan.Peek() != jsonscan.Object {
		answer.Kind, answer.Problem = fault.IncompatibleResponse, llm.DescribeBody(body)
		return answer
	}
	var l line
	l.read(&scan, &answer.Usage)
	answer.Finish = l.reason
	switch {
	case !scan.Finished():
		answer.Kind, answer.Problem = fault.IncompatibleResponse, llm.DescribeBody(body)
	case l.failed:
		answer.Error = readError(body, 0)
		answer.Kind, answer.Problem = answer.Error.Kind, "an error in an answer whose status says that it is good"
	case !l.answer:
		answer.Kind, answer.Problem = fault.IncompatibleResponse, "a JSON object without message, response or embeddings"
	}
	if answer.Usage.Input >= 0 || answer.Usage.Output >= 0 {
		answer.Usage.Source = "reported"
	}
	return answer
}
