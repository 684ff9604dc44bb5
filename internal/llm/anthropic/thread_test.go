package anthropic_test

import (
	"strings"
	"testing"

	"causeway/internal/fault"
	"causeway/internal/llm"
	"causeway/internal/llm/anthropic"
)

// A conversation that Anthropic itself is to keep crosses to nobody else. Anthropic's SDKs read in the error's details
// that they are to send all of it.
func TestAThreadIsRefusedSoThatTheWholeConversationIsSent(t *testing.T) {
	codec := anthropic.New().Codec(llm.Chat)
	for _, thread := range []string{`{"type":"create"}`, `{"type":"continue","previous_message_id":"msg_1"}`} {
		_, err := codec.ReadRequest(llm.Match{Op: llm.Chat}, []byte(`{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"x"}],"thread":`+thread+`}`))
		if err == nil || !strings.Contains(err.Error(), "/thread") {
			t.Errorf("%s: %v", thread, err)
		}
	}
	if _, err := codec.ReadRequest(llm.Match{Op: llm.Chat}, []byte(`{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"x"}],"thread":null}`)); err != nil {
		t.Error(err)
	}
	body := string(anthropic.New().AppendError(nil, &llm.Failure{Kind: fault.BadRequest, Status: 400, Param: "thread"}))
	if !strings.Contains(body, `"details":{"error_code":"thread_unsupported_request","unsupported":["provider"]}`) {
		t.Errorf("%s", body)
	}
}
