package openai

import (
	"causeway/internal/journey"
	"causeway/internal/llm"
	"causeway/internal/llm/jsonscan"
)

// RealtimeUsage is what an event of a realtime session says that an answer used; ok is false for an event that says
// nothing of it (platform.openai.com/docs/api-reference/realtime-server-events/response/done). Transcriptions of what
// the caller said are made by another model and count for nothing here.
func RealtimeUsage(event []byte) (u journey.Usage, ok bool) {
	var scan jsonscan.Scanner
	scan.Reset(event)
	if scan.Peek() != jsonscan.Object {
		return llm.NoUsage(), false
	}
	u = llm.NoUsage()
	done := false
	var k jsonscan.Key
	for more := scan.Object(); more && scan.Member(&k); {
		switch string(k.Raw) {
		case "type":
			if scan.Peek() != jsonscan.String {
				return u, false
			}
			if done = string(scan.Inner()) == "response.done"; !done {
				return u, false
			}
		case "response":
			if scan.Peek() != jsonscan.Object {
				return u, false
			}
			var member jsonscan.Key
			for more := scan.Object(); more && scan.Member(&member); {
				if string(member.Raw) == "usage" {
					u = readUsage(&scan)
				} else {
					scan.Skip()
				}
			}
		default:
			scan.Skip()
		}
	}
	return u, done && (u.Input >= 0 || u.Output >= 0)
}
