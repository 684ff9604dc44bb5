package anthropic

import (
	"causeway/internal/fault"
	"causeway/internal/llm"
	"causeway/internal/llm/jsonscan"
)

// ReadAnswer reads usage and stop reason of an answer, and tells whether it is one.
func (Dialect) ReadAnswer(op llm.Operation, body []byte) llm.Answer {
	answer := llm.Answer{Usage: llm.NoUsage()}
	var scan jsonscan.Scanner
	scan.Reset(body)
	if scan.Peek() != jsonscan.Object {
		return incompatible(answer, llm.DescribeBody(body))
	}
	want, kind := "content", jsonscan.Array
	switch op {
	case llm.CountTokens:
		want, kind = "input_tokens", jsonscan.Number
	case llm.ListModels:
		want = "data"
	case llm.GetModel:
		want, kind = "id", jsonscan.String
	}
	c := noCounts
	found, failed := false, false
	var k jsonscan.Key
	for ok := scan.Object(); ok && scan.Member(&k); {
		if k.Is(want) && scan.Peek() == kind {
			found = true
		}
		switch string(k.Raw) {
		case "usage":
			readUsage(&scan, &c)
		case "stop_reason":
			answer.Finish = readReason(&scan)
		case "error":
			failed = scan.Peek() == jsonscan.Object || failed
			scan.Skip()
		default:
			scan.Skip()
		}
	}
	switch {
	case !scan.Finished():
		return incompatible(answer, llm.DescribeBody(body))
	case failed:
		answer.Error = readError(body, 0)
		answer.Kind = answer.Error.Kind
		answer.Problem = "an error in an answer whose status says that it is good"
		return answer
	case !found:
		return incompatible(answer, "a JSON object without \""+want+"\"")
	}
	if answer.Usage = c.usage(); said(&answer.Usage) {
		answer.Usage.Source = "reported"
	}
	return answer
}

func incompatible(a llm.Answer, problem string) llm.Answer {
	a.Kind, a.Problem = fault.IncompatibleResponse, problem
	return a
}

// readReason passes a stop reason; "" when it is null.
func readReason(scan *jsonscan.Scanner) string {
	if scan.Peek() != jsonscan.String {
		scan.Skip()
		return ""
	}
	raw := scan.Inner()
	switch string(raw) { // the known ones cost no allocation
	case "end_turn":
		return "end_turn"
	case "max_tokens":
		return "max_tokens"
	case "stop_sequence":
		return "stop_sequence"
	case "tool_use":
		return "tool_use"
	case "pause_turn":
		return "pause_turn"
	case "refusal":
		return "refusal"
	}
	return string(raw)
}
