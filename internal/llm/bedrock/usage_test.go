package bedrock_test

import (
	"testing"

	"causeway/internal/llm"
	"causeway/internal/llm/bedrock"
)

// TestCachedTokensBesideAndInside holds what inputTokens means to the total and to what can be.
func TestCachedTokensBesideAndInside(t *testing.T) {
	for _, c := range []struct {
		name, usage string
		input       int64
	}{
		{"beside, as Claude counts", `{"inputTokens":10,"outputTokens":5,"totalTokens":18,"cacheReadInputTokens":3,"cacheWriteInputTokens":0}`, 13},
		{"inside", `{"inputTokens":10,"outputTokens":5,"totalTokens":15,"cacheReadInputTokens":3,"cacheWriteInputTokens":0}`, 10},
		{"more than could be inside, and a total without it", `{"inputTokens":123,"outputTokens":321,"totalTokens":444,"cacheReadInputTokens":5,"cacheWriteInputTokens":2500}`, 2628},
	} {
		t.Run(c.name, func(t *testing.T) {
			body := []byte(`{"output":{"message":{"role":"assistant","content":[{"text":"x"}]}},"stopReason":"end_turn","usage":` + c.usage + `}`)
			if u := bedrock.New().ReadAnswer(llm.Chat, body).Usage; u.Input != c.input {
				t.Errorf("passed: %+v", u)
			}
			if a, err := bedrock.New().Codec(llm.Chat).ReadAnswer(body); err != nil || a.Usage.Input != c.input {
				t.Errorf("translated: %+v, %v", a, err)
			}
		})
	}
}
