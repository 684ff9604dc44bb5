package anthropic

import (
	"causeway/internal/llm"
	"causeway/internal/llm/jsonscan"
)

// judge decides about the events of a streamed message. Each has a type, which its name repeats: message_start;
// for each block content_block_start, its deltas and content_block_stop; message_delta with the stop reason
// and the usage; message_stop. Between them pings, and in the place of what is left an error.
// Source: docs.claude.com/en/api/messages-streaming.
type judge struct {
	counts counts
	told   counts // as st.Usage has them
}

// Judge reads one event. Types that are not known pass: the API's versioning policy allows new ones.
func (j *judge) Judge(st *llm.StreamState, ev llm.Event) llm.Action {
	if st.Done {
		return llm.Pass // some compatible servers add OpenAI's "[DONE]"
	}
	var scan jsonscan.Scanner
	scan.Reset(ev.Data)
	if scan.Peek() != jsonscan.Object {
		return llm.Malformed
	}
	var kind []byte
	failed, block := string(ev.Name) == "error", false
	var k jsonscan.Key
	for ok := scan.Object(); ok && scan.Member(&k); {
		switch string(k.Raw) {
		case "type":
			kind = scan.Bytes(scan.Skip())
		case "usage":
			readUsage(&scan, &j.counts)
		case "message":
			j.message(&scan)
		case "delta":
			readDelta(&scan, st)
		case "content_block":
			block = isContent(&scan)
		case "error":
			failed = scan.Peek() == jsonscan.Object || failed
			scan.Skip()
		default:
			scan.Skip()
		}
	}
	if !scan.Finished() {
		return llm.Malformed
	}
	if j.counts != j.told {
		j.told, st.Usage = j.counts, j.counts.usage()
	}
	switch string(kind) {
	case `"content_block_delta"`:
		st.Content = true
	case `"content_block_start"`:
		st.Content = st.Content || block
	case `"message_stop"`:
		st.Done = true
	case `"error"`:
		failed = true
	case "":
		if !failed {
			return llm.Malformed
		}
	}
	if failed {
		st.Error = readError(ev.Data, 0)
		return llm.Fail
	}
	return llm.Pass
}

// message reads the message of message_start.
func (j *judge) message(scan *jsonscan.Scanner) {
	if scan.Peek() != jsonscan.Object {
		scan.Skip()
		return
	}
	var k jsonscan.Key
	for ok := scan.Object(); ok && scan.Member(&k); {
		if k.Is("usage") {
			readUsage(scan, &j.counts)
			continue
		}
		scan.Skip()
	}
}

// readDelta reads the stop reason of a message_delta.
func readDelta(scan *jsonscan.Scanner, st *llm.StreamState) {
	if scan.Peek() != jsonscan.Object {
		scan.Skip()
		return
	}
	var k jsonscan.Key
	for ok := scan.Object(); ok && scan.Member(&k); {
		if k.Is("stop_reason") {
			if reason := readReason(scan); reason != "" {
				st.Finish = reason
			}
			continue
		}
		scan.Skip()
	}
}

// isContent passes a block that begins and tells whether it holds anything yet: text and thinking begin
// empty, a tool's call has its name.
func isContent(scan *jsonscan.Scanner) bool {
	if scan.Peek() != jsonscan.Object {
		scan.Skip()
		return false
	}
	empty := false
	var k jsonscan.Key
	for ok := scan.Object(); ok && scan.Member(&k); {
		at := scan.Skip()
		if k.Is("type") {
			kind := string(scan.Bytes(at))
			empty = kind == `"text"` || kind == `"thinking"`
		}
	}
	return !empty
}
