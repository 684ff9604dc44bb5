package bedrock

import (
	"bytes"
	"encoding/base64"

	"causeway/internal/journey"
	"causeway/internal/llm"
	"causeway/internal/llm/jsonscan"
)

// converseJudge decides about the frames of ConverseStream. messageStop says why the model stopped; metadata, with the
// usage, is the last frame.
type converseJudge struct{ frames }

// Judge reads one frame.
func (j *converseJudge) Judge(st *llm.StreamState, ev llm.Event) llm.Action {
	if j.kind != eventMessage {
		return fail(st, ev, j.kind)
	}
	var scan jsonscan.Scanner
	scan.Reset(ev.Data)
	if scan.Peek() != jsonscan.Object {
		return llm.Malformed
	}
	event := string(ev.Name)
	var usage journey.Usage
	reason, content := "", false
	var k jsonscan.Key
	for ok := scan.Object(); ok && scan.Member(&k); {
		switch {
		case event == "metadata" && k.Is("usage"):
			usage = readUsage(&scan)
		case event == "messageStop" && k.Is("stopReason"):
			reason = readReason(&scan)
		case k.Is("delta") || k.Is("start"):
			content = scan.Skip().Len() > len("{}")
		default:
			scan.Skip()
		}
	}
	if !scan.Finished() {
		return llm.Malformed
	}
	switch event {
	case "contentBlockDelta", "contentBlockStart":
		st.Content = st.Content || content
	case "messageStop":
		if reason == "" {
			st.Problem = "messageStop has no stopReason"
			return llm.Malformed
		}
		st.Finish, st.Ended = reason, true
	case "metadata":
		if said(&usage) {
			st.Usage = usage
		}
		st.Done = st.Ended
	}
	return llm.Pass
}

// fail notes what an exception or error frame says.
func fail(st *llm.StreamState, ev llm.Event, kind message) llm.Action {
	st.Error = readError(ev.Data, string(ev.Name), 0)
	if kind == errorMessage {
		st.Error.Code, st.Error.Type = st.Error.Type, ""
	}
	return llm.Fail
}

// invokeJudge decides about the frames of InvokeModelWithResponseStream. A chunk holds, as base64, an event of the model's
// own API. Which of them is the last one only the model's own dialect says, except that Bedrock adds its measurements to it.
type invokeJudge struct {
	frames
	plain []byte
}

// metricsMember is what Bedrock adds to the last chunk.
const metricsMember = `"amazon-bedrock-invocationMetrics"`

// Judge reads one frame.
func (j *invokeJudge) Judge(st *llm.StreamState, ev llm.Event) llm.Action {
	if j.kind != eventMessage {
		return fail(st, ev, j.kind)
	}
	var scan jsonscan.Scanner
	scan.Reset(ev.Data)
	if scan.Peek() != jsonscan.Object {
		return llm.Malformed
	}
	var raw []byte
	var k jsonscan.Key
	for ok := scan.Object(); ok && scan.Member(&k); {
		if k.Is("bytes") && scan.Peek() == jsonscan.String {
			raw = scan.Inner()
			continue
		}
		scan.Skip()
	}
	if !scan.Finished() {
		return llm.Malformed
	}
	if string(ev.Name) != "chunk" {
		return llm.Pass
	}
	// Whether more must come is not known: an end of the connection after a chunk is the answer's.
	st.Content, st.Ended = true, true
	plain, err := base64.StdEncoding.AppendDecode(j.plain[:0], raw)
	if err != nil {
		st.Problem = "a chunk's bytes are not base64"
		return llm.Malformed
	}
	if j.plain = plain; !bytes.Contains(plain, []byte(metricsMember)) {
		return llm.Pass
	}
	st.Done = true
	if u := readMetrics(plain); said(&u) {
		st.Usage = u
	}
	return llm.Pass
}

// readMetrics reads the measurements in the last chunk.
func readMetrics(chunk []byte) journey.Usage {
	u := llm.NoUsage()
	var scan jsonscan.Scanner
	scan.Reset(chunk)
	if scan.Peek() != jsonscan.Object {
		return u
	}
	var k jsonscan.Key
	for ok := scan.Object(); ok && scan.Member(&k); {
		if !k.Is("amazon-bedrock-invocationMetrics") || scan.Peek() != jsonscan.Object {
			scan.Skip()
			continue
		}
		var inner tokenCounts
		inner.none()
		for ok := scan.Object(); ok && scan.Member(&k); {
			switch string(k.Raw) {
			case "inputTokenCount":
				inner.input = count(&scan)
			case "outputTokenCount":
				inner.output = count(&scan)
			case "cacheReadInputTokenCount":
				inner.read = count(&scan)
			case "cacheWriteInputTokenCount":
				inner.written = count(&scan)
			default:
				scan.Skip()
			}
		}
		u = inner.usage()
	}
	return u
}
