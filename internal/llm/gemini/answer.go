package gemini

import (
	"causeway/internal/fault"
	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsonscan"
)

// required are the members of which an answer to op must have one.
func required(op llm.Operation) (a, b, c string) {
	switch op {
	case llm.Embeddings:
		return "embeddings", "embedding", "predictions" // the last: Vertex AI
	case llm.CountTokens:
		return "totalTokens", "", ""
	case llm.ListModels:
		return "models", "publisherModels", ""
	case llm.GetModel:
		return "name", "", ""
	}
	return "candidates", "promptFeedback", ""
}

// ReadAnswer reads usage and finish reason of an answer, and tells whether it is one. A prompt that was
// blocked is an answer whose finish reason is why.
func (Dialect) ReadAnswer(op llm.Operation, body []byte) llm.Answer {
	answer := llm.Answer{Usage: llm.NoUsage()}
	var scan jsonscan.Scanner
	scan.Reset(body)
	if scan.Peek() != jsonscan.Object {
		return incompatible(answer, llm.DescribeBody(body))
	}
	a, b, c := required(op)
	found, failed := false, false
	u := canon.NoUsage()
	var k jsonscan.Key
	for ok := scan.Object(); ok && scan.Member(&k); {
		name := string(k.Raw)
		found = found || name == a || name == b && b != "" || name == c && c != ""
		switch name {
		case "candidates":
			if reason := readCandidates(&scan); reason != "" {
				answer.Finish = reason
			}
		case "promptFeedback":
			if reason := readFeedback(&scan); answer.Finish == "" {
				answer.Finish = reason
			}
		case "usageMetadata":
			readUsage(&scan, &u)
		case "predictions":
			readStatistics(&scan, &u)
		case "error":
			failed = isError(&scan) || failed
		default:
			scan.Skip()
		}
	}
	answer.Usage = u.Usage
	switch {
	case !scan.Finished():
		return incompatible(answer, llm.DescribeBody(body))
	case failed:
		answer.Error = readError(body, 0)
		answer.Kind = answer.Error.Kind
		answer.Problem = "an error in an answer whose status says that it is good"
	case !found:
		return incompatible(answer, "a JSON object without \""+a+"\"")
	}
	if u.Input >= 0 || u.Output >= 0 {
		answer.Usage.Source = "reported"
	}
	return answer
}

func incompatible(a llm.Answer, problem string) llm.Answer {
	a.Kind, a.Problem = fault.IncompatibleResponse, problem
	return a
}

// readCandidates passes the candidates and returns the finish reason of the first that has one.
func readCandidates(scan *jsonscan.Scanner) (reason string) {
	if scan.Peek() != jsonscan.Array {
		scan.Skip()
		return ""
	}
	var k jsonscan.Key
	for ok := scan.Array(); ok && scan.Element(); {
		if scan.Peek() != jsonscan.Object {
			scan.Skip()
			continue
		}
		for ok := scan.Object(); ok && scan.Member(&k); {
			if k.Is("finishReason") && reason == "" {
				reason = readReason(scan)
				continue
			}
			scan.Skip()
		}
	}
	return reason
}

// readStatistics adds up the tokens of Vertex AI's embeddings.
func readStatistics(scan *jsonscan.Scanner, u *canon.Usage) {
	if scan.Peek() != jsonscan.Array {
		scan.Skip()
		return
	}
	for ok := scan.Array(); ok && scan.Element(); {
		if n := countAt(scan, "embeddings", "statistics", "token_count"); n >= 0 {
			u.Input, u.Output = max(u.Input, 0)+n, 0
		}
	}
}

// countAt passes the value that stands next and returns the count that stands in it at this path, -1 when
// there is none.
func countAt(scan *jsonscan.Scanner, path ...string) (n int64) {
	if len(path) == 0 {
		return count(scan)
	}
	n = -1
	if scan.Peek() != jsonscan.Object {
		scan.Skip()
		return n
	}
	var k jsonscan.Key
	for ok := scan.Object(); ok && scan.Member(&k); {
		if k.Is(path[0]) {
			n = countAt(scan, path[1:]...)
			continue
		}
		scan.Skip()
	}
	return n
}
