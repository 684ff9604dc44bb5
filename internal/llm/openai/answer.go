package openai

import (
	"causeway/internal/fault"
	"causeway/internal/llm"
	"causeway/internal/llm/jsonscan"
)

// required is the member, an array, without which an SDK can't read the answer to op.
func required(op llm.Operation) string {
	switch op {
	case llm.Chat, llm.Completions:
		return "choices"
	case llm.Responses:
		return "output"
	case llm.Moderations:
		return "results"
	case llm.Stored, llm.Files, llm.Batches, llm.CountTokens: // an object, a list of them, or that one was deleted
		return ""
	case llm.Transcriptions, llm.Translations: // a text, and more by the format that was asked for
		return ""
	}
	return "data"
}

// ReadAnswer reads usage and finish reason of an answer, and tells whether it is one.
func (Dialect) ReadAnswer(op llm.Operation, body []byte) llm.Answer {
	answer := llm.Answer{Usage: llm.NoUsage()}
	var scan jsonscan.Scanner
	scan.Reset(body)
	if scan.Peek() != jsonscan.Object {
		return incompatible(answer, llm.DescribeBody(body))
	}
	want, found, failed := required(op), false, false
	images := int64(0)
	var k jsonscan.Key
	for ok := scan.Object(); ok && scan.Member(&k); {
		if k.Is(want) && scan.Peek() == jsonscan.Array {
			found = true
			if want == "choices" && answer.Finish == "" {
				answer.Finish = readChoices(&scan)
				continue
			}
			if op == llm.Images {
				images = elements(&scan)
				continue
			}
		}
		switch string(k.Raw) {
		case "usage":
			answer.Usage = readUsage(&scan)
		case "error":
			failed = isError(&scan) || failed
		case "base_resp": // MiniMax's place for an error
			failed = new(errorReader).baseMember(&scan) || failed
		case "incomplete_details":
			answer.Finish = readIncomplete(&scan)
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
		if op == llm.Responses { // a response that failed is an answer of its own kind, which SDKs read; an error alone is none
			answer.Error.Valid = found
		}
	case !found && want != "":
		return incompatible(answer, "a JSON object without \""+want+"\"")
	}
	if images > 0 && !said(&answer.Usage) {
		extra(&answer.Usage).Images = images
	}
	if said(&answer.Usage) {
		answer.Usage.Source = "reported"
	}
	return answer
}

// elements passes an array and counts what stands in it.
func elements(scan *jsonscan.Scanner) (n int64) {
	if !scan.Array() {
		return 0
	}
	for scan.Element() {
		scan.Skip()
		n++
	}
	return n
}

func incompatible(a llm.Answer, problem string) llm.Answer {
	a.Kind, a.Problem = fault.IncompatibleResponse, problem
	return a
}

// readChoices passes the choices and returns the finish reason of the first that has one.
func readChoices(scan *jsonscan.Scanner) (reason string) {
	var k jsonscan.Key
	for ok := scan.Array(); ok && scan.Element(); {
		if scan.Peek() != jsonscan.Object {
			scan.Skip()
			continue
		}
		for ok := scan.Object(); ok && scan.Member(&k); {
			if k.Is("finish_reason") && reason == "" {
				reason = readReason(scan)
				continue
			}
			scan.Skip()
		}
	}
	return reason
}
