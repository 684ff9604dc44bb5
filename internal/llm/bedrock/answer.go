package bedrock

import (
	"causeway/internal/fault"
	"causeway/internal/journey"
	"causeway/internal/llm"
	"causeway/internal/llm/jsonscan"
)

// ReadAnswer reads usage and stop reason of an answer, and tells whether it is one: Converse needs output.message, whose
// members the SDKs read, CountTokens inputTokens, and InvokeModel any JSON, which is the model's own.
func (Dialect) ReadAnswer(op llm.Operation, body []byte) llm.Answer {
	answer := llm.Answer{Usage: llm.NoUsage()}
	var scan jsonscan.Scanner
	scan.Reset(body)
	if scan.Peek() != jsonscan.Object {
		return incompatible(answer, llm.DescribeBody(body))
	}
	found, failed := op == llm.Invoke, false
	message := false // there is a message, which is how an error that came with status 200 is told
	var k jsonscan.Key
	for ok := scan.Object(); ok && scan.Member(&k); {
		switch string(k.Raw) {
		case "output":
			found = hasMessage(&scan) || found
		case "inputTokens":
			found = scan.Peek() == jsonscan.Number && op == llm.CountTokens || found
			scan.Skip()
		case "usage":
			answer.Usage = readUsage(&scan)
		case "stopReason":
			answer.Finish = readReason(&scan)
		case "__type":
			failed = scan.Peek() == jsonscan.String
			scan.Skip()
		case "message", "Message":
			message = scan.Peek() == jsonscan.String || message
			scan.Skip()
		default:
			scan.Skip()
		}
	}
	switch {
	case !scan.Finished():
		return incompatible(answer, llm.DescribeBody(body))
	case failed && message:
		answer.Error = readError(body, "", 0)
		answer.Kind = answer.Error.Kind
		answer.Problem = "an error in an answer whose status says that it is good"
		return answer
	case !found && op == llm.CountTokens:
		return incompatible(answer, `a JSON object without "inputTokens"`)
	case !found:
		return incompatible(answer, `a JSON object without "output.message"`)
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

// hasMessage passes the value of output and tells whether it holds a message with content.
func hasMessage(scan *jsonscan.Scanner) (found bool) {
	if scan.Peek() != jsonscan.Object {
		scan.Skip()
		return false
	}
	var k, inner jsonscan.Key
	for ok := scan.Object(); ok && scan.Member(&k); {
		if !k.Is("message") || scan.Peek() != jsonscan.Object {
			scan.Skip()
			continue
		}
		for ok := scan.Object(); ok && scan.Member(&inner); {
			found = inner.Is("content") && scan.Peek() == jsonscan.Array || found
			scan.Skip()
		}
	}
	return found
}

// readReason passes a stop reason; "" when it is none. The known ones cost no allocation.
func readReason(scan *jsonscan.Scanner) string {
	if scan.Peek() != jsonscan.String {
		scan.Skip()
		return ""
	}
	raw := scan.Inner()
	for _, r := range reasons {
		if string(raw) == r.word {
			return r.word
		}
	}
	return string(jsonscan.Unquote(nil, raw))
}

// tokenCounts are the counts as Bedrock tells them; -1 is not said.
type tokenCounts struct{ input, output, total, read, written int64 }

func (c *tokenCounts) none() { *c = tokenCounts{-1, -1, -1, -1, -1} }

// usage brings the counts to their common meaning. Beside inputTokens Bedrock counts what the cache gave and took
// ("inputTokens ... not including cached tokens"); a few models count it inside. The total tells which,
// unless more came from the cache than could be inside.
func (c *tokenCounts) usage() journey.Usage {
	u := llm.NoUsage()
	u.Input, u.Output, u.Cached, u.CacheWrite = c.input, c.output, c.read, c.written
	cached := max(c.read, 0) + max(c.written, 0)
	if c.input >= 0 && (c.total < 0 || c.output < 0 || c.total != c.input+c.output || cached > c.input) {
		u.Input += cached
	}
	return u
}

// readUsage passes a TokenUsage, or the usage that a model's own answer has (Anthropic's, OpenAI's, Nova's). Anything else
// that stands there is skipped and says nothing.
func readUsage(scan *jsonscan.Scanner) journey.Usage {
	var c tokenCounts
	c.none()
	if scan.Peek() != jsonscan.Object {
		scan.Skip()
		return c.usage()
	}
	var k jsonscan.Key
	for ok := scan.Object(); ok && scan.Member(&k); {
		switch string(k.Raw) {
		case "inputTokens", "input_tokens", "prompt_tokens":
			c.input = count(scan)
		case "outputTokens", "output_tokens", "completion_tokens":
			c.output = count(scan)
		case "totalTokens", "total_tokens":
			c.total = count(scan)
		case "cacheReadInputTokens", "cache_read_input_tokens":
			c.read = count(scan)
		case "cacheWriteInputTokens", "cache_creation_input_tokens":
			c.written = count(scan)
		default:
			scan.Skip()
		}
	}
	return c.usage()
}

// count passes the value that stands next and returns it when it is a count, else -1.
func count(scan *jsonscan.Scanner) int64 {
	if scan.Peek() != jsonscan.Number {
		scan.Skip()
		return -1
	}
	return jsonscan.Int(scan.Bytes(scan.Skip()))
}

// said tells whether u says anything.
func said(u *journey.Usage) bool { return u.Input >= 0 || u.Output >= 0 }
