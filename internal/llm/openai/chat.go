package openai

import (
	"bytes"

	"causeway/internal/llm"
	"causeway/internal/llm/jsonscan"
)

// chatJudge decides about the chunks of a chat completion or completion.
type chatJudge struct {
	strip    bool
	seen     uint64 // a bit for each choice that has come, by index
	finished uint64 // a bit for each that has its finish reason
}

// chunk is what one chunk shows.
type chunk struct {
	choices int
	usage   bool          // it has a usage object
	null    jsonscan.Span // its "usage":null with one comma
	failed  bool
}

// Judge reads one chunk. The terminal event is "[DONE]".
func (j *chatJudge) Judge(st *llm.StreamState, ev llm.Event) llm.Action {
	if bytes.HasPrefix(ev.Data, []byte("[DONE]")) {
		st.Done = true
		return llm.Pass
	}
	var scan jsonscan.Scanner
	scan.Reset(ev.Data)
	if scan.Peek() != jsonscan.Object {
		return llm.Malformed
	}
	c := chunk{failed: string(ev.Name) == "error"}
	j.read(&scan, st, &c)
	switch {
	case !scan.Finished():
		return llm.Malformed
	case c.failed:
		st.Error = readError(ev.Data, 0)
		return llm.Fail
	}
	st.Ended = j.seen != 0 && j.seen == j.finished
	switch {
	case j.strip && c.usage && c.choices == 0:
		return llm.Drop
	case j.strip && c.null.To > 0:
		st.CutAt = c.null
		return llm.Cut
	}
	return llm.Pass
}

func (j *chatJudge) read(scan *jsonscan.Scanner, st *llm.StreamState, c *chunk) {
	var k jsonscan.Key
	open := false // a "usage":null came first: it is cut up to the next member's name
	for ok := scan.Object(); ok && scan.Member(&k); {
		if open {
			c.null.To, open = k.At, false
		}
		switch string(k.Raw) {
		case "choices":
			if scan.Peek() != jsonscan.Array {
				scan.Skip()
				continue
			}
			for ok := scan.Array(); ok && scan.Element(); {
				c.choices++
				j.choice(scan, st, c)
			}
		case "usage":
			if scan.Peek() == jsonscan.Null {
				c.null = jsonscan.Span{From: k.Comma, To: scan.Skip().To}
				if k.Comma < 0 {
					c.null.From, open = k.At, true
				}
				continue
			}
			if u := readUsage(scan); said(&u) {
				st.Usage, c.usage = u, true
			}
		case "error":
			c.failed = isError(scan) || c.failed
		case "object": // Mistral and older vLLM send {"object":"error","message":...}
			c.failed = string(scan.Bytes(scan.Skip())) == `"error"` || c.failed
		default:
			scan.Skip()
		}
	}
}

// choice reads one element of choices.
func (j *chatJudge) choice(scan *jsonscan.Scanner, st *llm.StreamState, c *chunk) {
	if scan.Peek() != jsonscan.Object {
		scan.Skip()
		return
	}
	index := int64(0)
	reason := ""
	var k jsonscan.Key
	for ok := scan.Object(); ok && scan.Member(&k); {
		switch string(k.Raw) {
		case "index":
			index = max(count(scan), 0)
		case "finish_reason":
			reason = readReason(scan)
		case "delta", "message":
			if hasContent(scan) {
				st.Content = true
			}
		case "text":
			if kind := scan.Peek(); scan.Skip().Len() > len(`""`) && kind == jsonscan.String {
				st.Content = true
			}
		default:
			scan.Skip()
		}
	}
	bit := uint64(1) << min(index, 63)
	j.seen |= bit
	if reason == "" {
		return
	}
	j.finished |= bit
	if index == 0 || st.Finish == "" {
		st.Finish = reason
	}
	if reason == "error" { // OpenRouter and Mistral: the answer broke off
		c.failed = true
	}
}

// hasContent passes a delta and tells whether it holds anything but a role.
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
			content = content || (at.Len() > 2 && string(k.Raw) != "role")
		}
	}
	return content
}

// readReason passes a finish reason; "" when it is null.
func readReason(scan *jsonscan.Scanner) string {
	if scan.Peek() != jsonscan.String {
		scan.Skip()
		return ""
	}
	raw := scan.Inner()
	switch string(raw) { // the known ones cost no allocation
	case "stop":
		return "stop"
	case "length":
		return "length"
	case "tool_calls":
		return "tool_calls"
	case "content_filter":
		return "content_filter"
	}
	return string(raw)
}

// isError passes the value of a member "error" and tells whether it says that there is one.
func isError(scan *jsonscan.Scanner) bool {
	switch kind := scan.Peek(); kind {
	case jsonscan.Object, jsonscan.String, jsonscan.Array:
		return scan.Skip().Len() > 2
	}
	scan.Skip()
	return false
}
