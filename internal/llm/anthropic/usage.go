package anthropic

import (
	"causeway/internal/journey"
	"causeway/internal/llm"
	"causeway/internal/llm/jsonscan"
)

// counts are a usage object as it is written: input_tokens is what the prompt's cache neither gave nor
// took, so that all input is the sum of three. -1 is not said.
type counts struct {
	input, output, read, written, thinking int64
	// hour is the part of written that is kept for an hour, searches the calls of the web search: both have
	// prices of their own.
	hour, searches int64
}

var noCounts = counts{-1, -1, -1, -1, -1, -1, -1}

// usage brings counts to the meaning of journey.Usage.
func (c *counts) usage() journey.Usage {
	u := llm.NoUsage()
	if c.input >= 0 {
		u.Input = c.input + max(c.read, 0) + max(c.written, 0)
	}
	u.Output, u.Cached, u.CacheWrite, u.Reasoning = c.output, c.read, c.written, c.thinking
	if c.hour > 0 || c.searches > 0 {
		u.Extra = &journey.UsageExtra{CacheWrite1h: max(c.hour, 0), Searches: max(c.searches, 0)}
	}
	return u
}

// readUsage reads the usage object that stands next over c: message_delta repeats what message_start said,
// or only a part of it. Anything else that stands there is skipped and says nothing.
func readUsage(scan *jsonscan.Scanner, c *counts) {
	if scan.Peek() != jsonscan.Object {
		scan.Skip()
		return
	}
	var k jsonscan.Key
	for ok := scan.Object(); ok && scan.Member(&k); {
		switch string(k.Raw) {
		case "input_tokens":
			readCount(scan, &c.input)
		case "output_tokens":
			readCount(scan, &c.output)
		case "cache_read_input_tokens":
			readCount(scan, &c.read)
		case "cache_creation_input_tokens":
			readCount(scan, &c.written)
		case "output_tokens_details":
			readInner(scan, "thinking_tokens", &c.thinking)
		case "cache_creation":
			readInner(scan, "ephemeral_1h_input_tokens", &c.hour)
		case "server_tool_use":
			readInner(scan, "web_search_requests", &c.searches)
		default:
			scan.Skip()
		}
	}
}

// readInner passes an object and reads the count that is its member name.
func readInner(scan *jsonscan.Scanner, name string, to *int64) {
	if scan.Peek() != jsonscan.Object {
		scan.Skip()
		return
	}
	var k jsonscan.Key
	for ok := scan.Object(); ok && scan.Member(&k); {
		if k.Is(name) {
			readCount(scan, to)
			continue
		}
		scan.Skip()
	}
}

// readCount passes the value that stands next; a count is noted, anything else changes nothing.
func readCount(scan *jsonscan.Scanner, to *int64) {
	if scan.Peek() != jsonscan.Number {
		scan.Skip()
		return
	}
	if n := jsonscan.Int(scan.Bytes(scan.Skip())); n >= 0 {
		*to = n
	}
}

// said tells whether u says anything.
func said(u *journey.Usage) bool { return u.Input >= 0 || u.Output >= 0 }
