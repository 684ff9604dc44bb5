package openai

import (
	"strconv"

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
		case "prompt_tokens_details", "input_tokens_details", "input_token_details":
			readDetails(scan, &u, true)
		case "completion_tokens_details", "output_tokens_details", "output_token_details":
			readDetails(scan, &u, false)
		case "seconds": // of a transcription that is charged by its length
			if ms := milliseconds(scan); ms > 0 {
				extra(&u).Milliseconds = ms
			}
		case "prompt_token_details": // Mistral, which has both spellings, and either may be null
			if u.Cached < 0 {
				readDetails(scan, &u, true)
			} else {
				scan.Skip()
			}
		case "prompt_cache_hit_tokens", "cached_tokens", "num_cached_tokens": // DeepSeek; Moonshot and Together; Mistral: beside or instead of the details
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
	case u.Reasoning > 0 && u.Input >= 0 && total == u.Input+u.Output+u.Reasoning, u.Output >= 0 && u.Reasoning > u.Output:
		// xAI counts reasoning beside completion_tokens, and Vercel's gateway does for some models; everybody else inside.
		u.Output += u.Reasoning
	}
	return u
}

// readDetails reads the parts of the input's or the output's tokens.
func readDetails(scan *jsonscan.Scanner, u *journey.Usage, input bool) {
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
		case "audio_tokens":
			if n := count(scan); n > 0 && input {
				extra(u).AudioIn = n
			} else if n > 0 {
				extra(u).AudioOut = n
			}
		case "image_tokens":
			if n := count(scan); n > 0 && input {
				extra(u).ImageIn = n
			} else if n > 0 {
				extra(u).ImageOut = n
			}
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

// extra is where the counts of a usage stand that few have.
func extra(u *journey.Usage) *journey.UsageExtra {
	if u.Extra == nil {
		u.Extra = new(journey.UsageExtra)
	}
	return u.Extra
}

// milliseconds passes a length in seconds.
func milliseconds(scan *jsonscan.Scanner) int64 {
	if scan.Peek() != jsonscan.Number {
		scan.Skip()
		return 0
	}
	s, err := strconv.ParseFloat(string(scan.Bytes(scan.Skip())), 64)
	if err != nil || s < 0 || s > 1e9 {
		return 0
	}
	return int64(s*1000 + 0.5)
}

// said tells whether u says anything.
func said(u *journey.Usage) bool { return u.Input >= 0 || u.Output >= 0 || u.Extra != nil }
