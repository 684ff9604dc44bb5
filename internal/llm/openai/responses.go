package openai

import (
	"bytes"

	"causeway/internal/llm"
	"causeway/internal/llm/jsonscan"
)

// responsesJudge decides about the events of a streamed response. They carry their type and a
// sequence number; the last one is response.completed or response.incomplete with the whole
// response, or response.failed.
type responsesJudge struct{}

// Judge reads one event.
func (responsesJudge) Judge(st *llm.StreamState, ev llm.Event) llm.Action {
	if bytes.HasPrefix(ev.Data, []byte("[DONE]")) { // some compatible servers end so
		st.Done = true
		return llm.Pass
	}
	var scan jsonscan.Scanner
	scan.Reset(ev.Data)
	if scan.Peek() != jsonscan.Object {
		return llm.Malformed
	}
	var kind []byte
	incomplete := ""
	failed, delta := string(ev.Name) == "error", false
	var k jsonscan.Key
	for ok := scan.Object(); ok && scan.Member(&k); {
		switch string(k.Raw) {
		case "type":
			kind = scan.Bytes(scan.Skip())
		case "sequence_number":
			st.Sequence = count(&scan)
		case "delta":
			delta = scan.Skip().Len() > len(`""`)
		case "response":
			incomplete = readResponse(&scan, st)
		case "error":
			failed = isError(&scan) || failed
		default:
			scan.Skip()
		}
	}
	if !scan.Finished() {
		return llm.Malformed
	}
	st.Content = st.Content || delta
	switch string(kind) {
	case `"response.completed"`:
		st.Done, st.Finish = true, "completed"
	case `"response.incomplete"`:
		if st.Done, st.Finish = true, incomplete; incomplete == "" {
			st.Finish = "incomplete"
		}
	case `"response.failed"`, `"error"`:
		failed = true
	}
	if failed {
		st.Error = readError(ev.Data, 0)
		return llm.Fail
	}
	return llm.Pass
}

// readResponse reads the response object that stands next: its usage, and the reason for which it
// is incomplete.
func readResponse(scan *jsonscan.Scanner, st *llm.StreamState) (incomplete string) {
	if scan.Peek() != jsonscan.Object {
		scan.Skip()
		return ""
	}
	var k jsonscan.Key
	for ok := scan.Object(); ok && scan.Member(&k); {
		switch string(k.Raw) {
		case "usage":
			if u := readUsage(scan); said(&u) {
				st.Usage = u
			}
		case "incomplete_details":
			incomplete = readIncomplete(scan)
		default:
			scan.Skip()
		}
	}
	return incomplete
}

// readIncomplete passes incomplete_details and returns its reason.
func readIncomplete(scan *jsonscan.Scanner) (reason string) {
	if scan.Peek() != jsonscan.Object {
		scan.Skip()
		return ""
	}
	var k jsonscan.Key
	for ok := scan.Object(); ok && scan.Member(&k); {
		if k.Is("reason") {
			reason = readReason(scan)
			continue
		}
		scan.Skip()
	}
	return reason
}
