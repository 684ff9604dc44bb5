package gemini

import (
	"causeway/internal/llm/canon"
	"causeway/internal/llm/jsonscan"
)

// readUsage reads the usageMetadata that stands next. The counts of the API stand beside each other: thoughts
// are not in candidatesTokenCount and what built-in tools put into the prompt is not in promptTokenCount, as
// the recorded sums show; cached content is in promptTokenCount. An embedding's has only the prompt's.
func readUsage(scan *jsonscan.Scanner, u *canon.Usage) {
	if scan.Peek() != jsonscan.Object {
		scan.Skip()
		return
	}
	prompt, candidates, thoughts, tool, total := int64(-1), int64(-1), int64(-1), int64(-1), int64(-1)
	var k jsonscan.Key
	for ok := scan.Object(); ok && scan.Member(&k); {
		switch string(k.Raw) {
		case "promptTokenCount":
			prompt = count(scan)
		case "candidatesTokenCount", "responseTokenCount":
			candidates = count(scan)
		case "thoughtsTokenCount":
			thoughts = count(scan)
		case "toolUsePromptTokenCount":
			tool = count(scan)
		case "totalTokenCount":
			total = count(scan)
		case "cachedContentTokenCount":
			u.Cached = count(scan)
		case "promptTokensDetails":
			readDetails(scan, &u.AudioIn, &u.ImageIn)
		case "candidatesTokensDetails":
			readDetails(scan, &u.AudioOut, &u.ImageOut)
		default:
			scan.Skip()
		}
	}
	u.Reasoning, u.ToolPrompt = thoughts, tool
	if prompt >= 0 || tool >= 0 {
		u.Input = max(prompt, 0) + max(tool, 0)
	}
	switch {
	case candidates >= 0 || thoughts >= 0:
		u.Output = max(candidates, 0) + max(thoughts, 0)
	case u.Input >= 0 && total >= u.Input:
		u.Output = total - u.Input
	case u.Input >= 0 && total < 0:
		u.Output = 0
	}
}

// readDetails reads the counts by modality.
func readDetails(scan *jsonscan.Scanner, audio, image *int64) {
	if scan.Peek() != jsonscan.Array {
		scan.Skip()
		return
	}
	for ok := scan.Array(); ok && scan.Element(); {
		if scan.Peek() != jsonscan.Object {
			scan.Skip()
			continue
		}
		var modality []byte
		n := int64(-1)
		var k jsonscan.Key
		for ok := scan.Object(); ok && scan.Member(&k); {
			switch string(k.Raw) {
			case "modality":
				modality = scan.Bytes(scan.Skip())
			case "tokenCount":
				n = count(scan)
			default:
				scan.Skip()
			}
		}
		switch string(modality) {
		case `"AUDIO"`:
			*audio = n
		case `"IMAGE"`:
			*image = n
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
