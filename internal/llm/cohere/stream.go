package cohere

import (
	"bytes"

	"causeway/internal/fault"
	"causeway/internal/llm"
	"causeway/internal/llm/jsonscan"
)

// judge decides about the events of a chat. They are told apart by their member type, which the name of the
// event repeats. message-end carries finish reason and usage; "[DONE]" follows it, but not at every host.
type judge struct{}

// Judge reads one event.
func (*judge) Judge(st *llm.StreamState, ev llm.Event) llm.Action {
	if bytes.HasPrefix(ev.Data, []byte("[DONE]")) {
		st.Done = true
		return llm.Pass
	}
	var scan jsonscan.Scanner
	scan.Reset(ev.Data)
	if scan.Peek() != jsonscan.Object {
		return llm.Malformed
	}
	var kind []byte
	reason, failed, problem := "", false, false
	var k jsonscan.Key
	for ok := scan.Object(); ok && scan.Member(&k); {
		switch string(k.Raw) {
		case "type":
			kind = scan.Bytes(scan.Skip())
		case "delta":
			if scan.Peek() != jsonscan.Object {
				scan.Skip()
				continue
			}
			for ok := scan.Object(); ok && scan.Member(&k); {
				switch string(k.Raw) {
				case "finish_reason":
					reason = readReason(&scan)
				case "usage":
					readUsage(&scan, &st.Usage)
				case "error":
					failed = isError(&scan) || failed
				default:
					scan.Skip()
				}
			}
		case "error":
			problem = isError(&scan) || problem
		default:
			scan.Skip()
		}
	}
	if !scan.Finished() {
		return llm.Malformed
	}
	switch string(kind) {
	case `"message-end"`:
		if failed || problem || failedBy(reason) {
			return fail(st, ev)
		}
		st.Finish, st.Ended, st.Done = reason, true, true
	case `"content-delta"`, `"tool-plan-delta"`, `"tool-call-start"`, `"tool-call-delta"`:
		st.Content = true
	default:
		if problem || string(ev.Name) == "error" || kind == nil && readError(ev.Data, 0).Valid {
			return fail(st, ev)
		}
	}
	return llm.Pass
}

func fail(st *llm.StreamState, ev llm.Event) llm.Action {
	st.Error = readError(ev.Data, 0)
	st.Error.Valid, st.Error.Problem = true, ""
	if st.Error.Kind == "" {
		st.Error.Kind = fault.ProviderError
	}
	return llm.Fail
}

// isError passes the value of a member "error" and tells whether it says that there is one.
func isError(scan *jsonscan.Scanner) bool {
	switch scan.Peek() {
	case jsonscan.Object, jsonscan.String, jsonscan.Array:
		return scan.Skip().Len() > 2
	}
	scan.Skip()
	return false
}
