package openai_test

import (
	"testing"

	"causeway/internal/llm"
	"causeway/internal/llm/openai"
)

// TestCachedTokensStandInManyPlaces holds both readers, the one of answers that pass and the one of translated ones, to the
// names under which vendors tell how much of the prompt came from their cache. Sources: OpenAI's, DeepSeek's, Moonshot's and
// Together's API references, Mistral's UsageInfo.
func TestCachedTokensStandInManyPlaces(t *testing.T) {
	for _, c := range []struct {
		name, usage string
		cached      int64
	}{
		{"OpenAI", `"prompt_tokens_details":{"cached_tokens":64}`, 64},
		{"DeepSeek", `"prompt_cache_hit_tokens":64,"prompt_cache_miss_tokens":36`, 64},
		{"DeepSeek, beside the details", `"prompt_tokens_details":{"cached_tokens":64},"prompt_cache_hit_tokens":64,"prompt_cache_miss_tokens":36`, 64},
		{"Moonshot and Together", `"cached_tokens":64`, 64},
		{"Mistral", `"num_cached_tokens":64`, 64},
		{"Mistral, a second spelling", `"prompt_token_details":{"cached_tokens":64},"num_cached_tokens":64`, 64},
		{"Mistral, both spellings", `"prompt_tokens_details":{"cached_tokens":64},"prompt_token_details":{"cached_tokens":64}`, 64},
		{"Mistral, nothing of a cache", `"num_cached_tokens":null,"prompt_tokens_details":null,"prompt_token_details":null`, -1},
		{"a cache that had nothing", `"cached_tokens":0`, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			body := []byte(`{"id":"c","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"x"},"finish_reason":"stop"}],` +
				`"usage":{"prompt_tokens":100,"completion_tokens":10,"total_tokens":110,` + c.usage + `}}`)
			if u := openai.New().ReadAnswer(llm.Chat, body).Usage; u.Cached != c.cached || u.Input != 100 || u.Output != 10 {
				t.Errorf("passed: %+v", u)
			}
			a, err := openai.New().Codec(llm.Chat).ReadAnswer(body)
			if err != nil || a.Usage.Cached != c.cached || a.Usage.Input != 100 || a.Usage.Output != 10 {
				t.Errorf("translated: %+v, %v", a.Usage, err)
			}
			for _, lost := range a.Lost {
				t.Errorf("told as lost: %s", lost)
			}
		})
	}
}
