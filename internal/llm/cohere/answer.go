package cohere

import (
	"causeway/internal/fault"
	"causeway/internal/journey"
	"causeway/internal/llm"
	"causeway/internal/llm/jsonscan"
)

// required is the member without which an SDK can't read the answer to op, and its kind.
func required(op llm.Operation) (name string, kind jsonscan.Kind) {
	switch op {
	case llm.Embeddings:
		return "embeddings", jsonscan.Object
	case llm.Rerank:
		return "results", jsonscan.Array
	}
	return "message", jsonscan.Object
}

// ReadAnswer reads usage and finish reason of an answer, and tells whether it is one. A chat that ended with
// the reason ERROR or TIMEOUT failed, although its status says that it is good.
func (Dialect) ReadAnswer(op llm.Operation, body []byte) llm.Answer {
	answer := llm.Answer{Usage: llm.NoUsage()}
	var scan jsonscan.Scanner
	scan.Reset(body)
	if scan.Peek() != jsonscan.Object {
		return incompatible(answer, llm.DescribeBody(body))
	}
	want, kind := required(op)
	found := false
	var k jsonscan.Key
	for ok := scan.Object(); ok && scan.Member(&k); {
		switch string(k.Raw) {
		case want:
			found = scan.Peek() == kind || found
			scan.Skip()
		case "usage", "meta":
			readUsage(&scan, &answer.Usage)
		case "finish_reason":
			answer.Finish = readReason(&scan)
		default:
			scan.Skip()
		}
	}
	switch {
	case !scan.Finished():
		return incompatible(answer, llm.DescribeBody(body))
	case found && failedBy(answer.Finish):
		answer.Kind, answer.Problem = fault.ProviderError, "an answer that ended with the reason "+answer.Finish
		answer.Error = llm.ProviderError{Kind: fault.ProviderError, Valid: true, Message: answer.Problem, Code: answer.Finish}
	case !found:
		if e := readError(body, 0); e.Valid {
			answer.Kind, answer.Error, answer.Problem = e.Kind, e, "an error in an answer whose status says that it is good"
			return answer
		}
		return incompatible(answer, "a JSON object without \""+want+"\"")
	}
	if said(&answer.Usage) {
		answer.Usage.Source = "reported"
	}
	return answer
}

func incompatible(a llm.Answer, problem string) llm.Answer {
	a.Kind, a.Problem = fault.IncompatibleResponse, problem
	return a
}

// The finish reasons.
const (
	reasonComplete = "COMPLETE"
	reasonStop     = "STOP_SEQUENCE"
	reasonLength   = "MAX_TOKENS"
	reasonTools    = "TOOL_CALL"
	reasonError    = "ERROR"
	reasonTimeout  = "TIMEOUT"
)

// failedBy tells whether an answer that ended for this reason is not whole by the provider's own fault.
func failedBy(reason string) bool { return reason == reasonError || reason == reasonTimeout }

// readReason passes a finish reason; "" when it is none. The known ones cost no allocation.
func readReason(scan *jsonscan.Scanner) string {
	if scan.Peek() != jsonscan.String {
		scan.Skip()
		return ""
	}
	switch raw := scan.Inner(); string(raw) {
	case reasonComplete:
		return reasonComplete
	case reasonStop:
		return reasonStop
	case reasonLength:
		return reasonLength
	case reasonTools:
		return reasonTools
	case reasonError:
		return reasonError
	case reasonTimeout:
		return reasonTimeout
	default:
		return string(raw)
	}
}

// readUsage reads the usage of a chat or the meta of another answer over u. Cohere counts twice: tokens are
// what the model was given and made, with its own preamble and with what came from the cache; billed_units
// are what is charged for. Where there are no tokens (embed), what is billed is all that is known.
func readUsage(scan *jsonscan.Scanner, u *journey.Usage) {
	if scan.Peek() != jsonscan.Object {
		scan.Skip()
		return
	}
	billed := [2]int64{-1, -1}
	var k jsonscan.Key
	for ok := scan.Object(); ok && scan.Member(&k); {
		switch string(k.Raw) {
		case "tokens":
			readCounts(scan, &u.Input, &u.Output, &u.Reasoning)
		case "billed_units":
			readCounts(scan, &billed[0], &billed[1], nil)
		case "cached_tokens":
			u.Cached = count(scan)
		default:
			scan.Skip()
		}
	}
	if u.Input < 0 && u.Output < 0 {
		u.Input, u.Output = billed[0], billed[1]
		return
	}
	if billed[0] != u.Input || billed[1] != u.Output {
		u.BilledInput, u.BilledOutput = max(billed[0], 0), max(billed[1], 0)
	}
}

func readCounts(scan *jsonscan.Scanner, input, output, reasoning *int64) {
	if scan.Peek() != jsonscan.Object {
		scan.Skip()
		return
	}
	var k jsonscan.Key
	for ok := scan.Object(); ok && scan.Member(&k); {
		switch {
		case k.Is("input_tokens"):
			*input = count(scan)
		case k.Is("output_tokens"):
			*output = count(scan)
		case reasoning != nil && k.Is("reasoning_tokens"):
			*reasoning = count(scan)
		default:
			scan.Skip()
		}
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

func said(u *journey.Usage) bool { return u.Input >= 0 || u.Output >= 0 }
