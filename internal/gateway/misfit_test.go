package gateway

import (
	"strings"
	"testing"
)

// Mistral refuses a request with a member that it does not have: one that a program for OpenAI sends is written anew,
// any other passes as it came.
func TestARequestThatAStrictVendorWouldRefuseIsWrittenAnew(t *testing.T) {
	up := newOrigin(t)
	r := newRig(t, fill(t, strings.Replace(modelConfig, "kind: openai-compatible, base_url: \"http://UP/v1\"", "kind: mistral, base_url: \"http://UP/v1\"", 1), up))
	body := func(more string) string {
		return chatBody(`{"model":"mock/mistral-small-latest", "messages":[{"role":"user","content":"hi"}]` + more + `}`)
	}
	r.run(t, up, []scenario{
		{name: "nothing of it", request: body(`, "temperature":1.0e0`), answers: []string{completion}, status: 200, calls: 1, sent: []string{`, "messages":[{"role":"user","content":"hi"}], "temperature":1.0e0}`}, lacks: []string{"Causeway-Translation"}},
		{name: "a member that it refuses", request: body(`,"user":"u-1"`), answers: []string{completion}, status: 200, calls: 1, has: []string{"Causeway-Translation: user;dropped"}, unsent: []string{"u-1"}},
		{name: "a length under OpenAI's newer name", request: body(`,"max_completion_tokens":7`), answers: []string{completion}, status: 200, calls: 1, sent: []string{`"max_tokens":7`}, unsent: []string{"max_completion_tokens"}},
		{name: "an effort that it has", request: body(`, "reasoning_effort":"high"`), answers: []string{completion}, status: 200, calls: 1, sent: []string{`, "reasoning_effort":"high"}`}},
		{name: "one that it has not", request: body(`,"reasoning_effort":"low"`), answers: []string{completion}, status: 200, calls: 1, has: []string{"Causeway-Translation: reasoning_effort;approximated"}, sent: []string{`"reasoning_effort":"high"`}},
	})
}
