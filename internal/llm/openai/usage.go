package openai

import (
	"causeway/internal/journey"
	"causeway/internal/llm"
	"causeway/internal/llm/jsonscan"
)

// readUsage reads the usage object that stands next, in the words of chat completions or of
// responses. Anything else that stands there is skipped and says nothing.
func readUsage(scan *jsonscan.Scanner) journey.Usage {
	u := llm.NoUsage()
	if scan.Peek() != jsonscan.Object {
		scan.Skip()
		return u
	}
	total := int64(-1)
	var k jsonscan.Key
	for ok := scan.Object(); ok && scan.Member(&k); {
		switch string(k.Raw) {
		case "prompt_tokens", "input_tokens":
			u.Input = count(scan)
		case "completion_tokens", "output_tokens":
			u.Output = count(scan)
		case "total_tokens":
			total = count(scan)
		case "prompt_tokens_details", "input_tokens_details", "completion_tokens_details", "output_tokens_details":
			readDetails(scan, &u)
		case "prompt_cache_hit_tokens": // DeepSeek, beside or instead of the details
			if n := count(scan); u.Cached < 0 {
				u.Cached = n
			}
		case "cache_creation_input_tokens": // Vercel's gateway, of Anthropic's models
			if n := count(scan); u.CacheWrite < 0 && n > 0 {
				u.CacheWrite = n
			}
		default:
			scan.Skip()
		}
	}
	switch {
	case u.Output < 0 && u.Input >= 0 && total >= u.Input: // embeddings
		u.Output = total - u.Input
	case u.Reasoning > 0 && u.Input >= 0 && total == u.Input+u.Output+u.Reasoning:
		// xAI counts reasoning beside completion_tokens, everybody else inside.
		u.Output += u.Reasoning
	}
	return u
}

func readDetails(scan *jsonscan.Scanner, u *journey.Usage) {
	if scan.Peek() != jsonscan.Object {
		scan.Skip()
		return
	}
	var k jsonscan.Key
	for ok := scan.Object(); ok && scan.Member(&k); {
		switch string(k.Raw) {
		case "cached_tokens":
			u.Cached = count(scan)
		case "cache_write_tokens": // OpenRouter
			u.CacheWrite = count(scan)
		case "reasoning_tokens":
			u.Reasoning = count(scan)
		default:
			scan.Skip()
		}
	}
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
