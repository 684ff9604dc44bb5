package gemini

import (
	"bytes"

	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsonscan"
)

// judge decides about the chunks of one streamed answer. The API has no terminal event: an answer is whole
// when the stream ends and each candidate had its finishReason, or when the prompt was blocked.
type judge struct {
	seen, finished uint64       // candidates by index, bit 63 for all from there
	blocked        bool         // promptFeedback told that there will be no answer
	frames         *arrayFrames // of a JSON array
}

// Judge reads one chunk.
func (j *judge) Judge(st *llm.StreamState, ev llm.Event) llm.Action {
	if j.frames != nil && bytes.Equal(ev.Data, closing) {
		if !j.whole() {
			return llm.Drop // so that an error can still follow in the array
		}
		st.Ended, st.Done = true, true
		return llm.Pass
	}
	var scan jsonscan.Scanner
	scan.Reset(ev.Data)
	switch scan.Peek() {
	case jsonscan.Object:
	case jsonscan.Array:
		return j.Bare(st, ev.Data)
	default:
		return llm.Malformed
	}
	failed := false
	var k jsonscan.Key
	for ok := scan.Object(); ok && scan.Member(&k); {
		switch string(k.Raw) {
		case "candidates":
			if scan.Peek() != jsonscan.Array {
				scan.Skip()
				continue
			}
			for ok := scan.Array(); ok && scan.Element(); {
				j.candidate(&scan, st)
			}
		case "usageMetadata":
			u := canon.NoUsage()
			if readUsage(&scan, &u); u.Input >= 0 || u.Output >= 0 {
				st.Usage = u.Usage
			}
		case "promptFeedback":
			if reason := readFeedback(&scan); reason != "" {
				j.blocked = true
				if st.Finish == "" {
					st.Finish = reason
				}
			}
		case "error":
			failed = isError(&scan) || failed
		default:
			scan.Skip()
		}
	}
	if !scan.Finished() {
		return llm.Malformed
	}
	if failed {
		st.Error = readError(ev.Data, 0)
		return llm.Fail
	}
	if j.frames == nil || j.frames.lone {
		st.Ended = j.whole()
	}
	st.Sequence++
	return llm.Pass
}

func (j *judge) whole() bool { return j.blocked || j.seen != 0 && j.seen == j.finished }

// Bare reads text that stands in a stream of events without being one. A stream that fails on the way ends
// with the error body as it would stand alone, over several lines or in an array: all SDKs of Google read it so.
func (j *judge) Bare(st *llm.StreamState, text []byte) llm.Action {
	if e := readError(text, 0); e.Type != "" || e.Valid {
		st.Error = e
		return llm.Fail
	}
	return llm.Malformed
}

// candidate reads one element of candidates.
func (j *judge) candidate(scan *jsonscan.Scanner, st *llm.StreamState) {
	if scan.Peek() != jsonscan.Object {
		scan.Skip()
		return
	}
	index, reason := int64(0), ""
	var k jsonscan.Key
	for ok := scan.Object(); ok && scan.Member(&k); {
		switch string(k.Raw) {
		case "index":
			index = max(count(scan), 0)
		case "finishReason":
			reason = readReason(scan)
		case "content":
			if hasContent(scan) {
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
}

// hasContent passes a content and tells whether a part of it says anything.
func hasContent(scan *jsonscan.Scanner) (content bool) {
	if scan.Peek() != jsonscan.Object {
		scan.Skip()
		return false
	}
	var k, part jsonscan.Key
	for ok := scan.Object(); ok && scan.Member(&k); {
		if !k.Is("parts") || scan.Peek() != jsonscan.Array {
			scan.Skip()
			continue
		}
		for ok := scan.Array(); ok && scan.Element(); {
			if scan.Peek() != jsonscan.Object {
				scan.Skip()
				continue
			}
			for ok := scan.Object(); ok && scan.Member(&part); {
				switch scan.Peek() {
				case jsonscan.String, jsonscan.Object:
					content = scan.Skip().Len() > 2 || content
				default:
					scan.Skip()
				}
			}
		}
	}
	return content
}

// readReason passes a finish reason; "" when there is none.
func readReason(scan *jsonscan.Scanner) string {
	if scan.Peek() != jsonscan.String {
		scan.Skip()
		return ""
	}
	raw := scan.Inner()
	switch string(raw) { // the known ones cost no allocation
	case "STOP":
		return "STOP"
	case "MAX_TOKENS":
		return "MAX_TOKENS"
	case "SAFETY":
		return "SAFETY"
	case "", "FINISH_REASON_UNSPECIFIED", "BLOCK_REASON_UNSPECIFIED", "BLOCKED_REASON_UNSPECIFIED":
		return ""
	}
	return string(raw)
}

// readFeedback passes promptFeedback and returns why the prompt was blocked, "" when it was not.
func readFeedback(scan *jsonscan.Scanner) (reason string) {
	if scan.Peek() != jsonscan.Object {
		scan.Skip()
		return ""
	}
	var k jsonscan.Key
	for ok := scan.Object(); ok && scan.Member(&k); {
		if k.Is("blockReason") {
			reason = readReason(scan)
			continue
		}
		scan.Skip()
	}
	return reason
}

// isError passes the value of a member "error" and tells whether it says that there is one.
func isError(scan *jsonscan.Scanner) bool {
	switch scan.Peek() {
	case jsonscan.Object, jsonscan.String:
		return scan.Skip().Len() > 2
	}
	scan.Skip()
	return false
}
