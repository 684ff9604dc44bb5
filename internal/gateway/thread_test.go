package gateway

import (
	"fmt"
	"strings"
	"testing"
)

// TestAThreadOfTheProvidersIsNobodys: with a key that applications share, none may go on from a message of another; with
// its own key it may. What only begins a thread, and what merely looks like one, passes.
func TestAThreadOfTheProvidersIsNobodys(t *testing.T) {
	up := newOrigin(t)
	up.replies(reply(200, `{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":1}}`, asJSON))
	r := newRigWith(t, strings.ReplaceAll(strings.Replace(badConfig, "  gemini:", "  theirs: {kind: anthropic, base_url: \"UP\", keys: caller}\n  gemini:", 1), "UP", "http://"+up.addr), withAllDialects)
	for _, c := range []struct {
		model, more string
		status      int
	}{
		{"anthropic/m", `,"thread":{"type":"continue","previous_message_id":"msg_of_somebody"}`, 400},
		{"anthropic/m", `,"thread":{"type":"create"}`, 200},
		{"anthropic/m", `,"thread":null`, 200},
		{"anthropic/m", `,"metadata":{"thread":{"id":"x"}}`, 200},
		{"theirs/m", `,"thread":{"type":"continue","previous_message_id":"msg_of_mine"}`, 200},
	} {
		body := `{"model":"` + c.model + `","max_tokens":1,"messages":[{"role":"user","content":"x"}]` + c.more + `}`
		a := r.call(t, fmt.Sprintf("POST /v1/messages HTTP/1.1\nHost: h\nAuthorization: Bearer web-key-0123456789\nX-Provider-Key: own-key\nContent-Length: %d\n\n%s", len(body), body))
		if a.status != c.status {
			t.Errorf("%s%s: %s", c.model, c.more, a.whole())
		}
		if c.status == 400 && !strings.Contains(a.body, `"error_code":"thread_unsupported_request"`) {
			t.Errorf("the SDK is not told to send all: %s", a.body)
		}
	}
}
