package tokens

import (
	"strings"
	"sync"
	"testing"
)

// The counts are those of OpenAI's own tool (platform.openai.com/tokenizer).
func TestCount(t *testing.T) {
	c := NewCounter()
	for _, tt := range []struct {
		model, text string
		want        int64
	}{
		{"gpt-4o", "", 0},
		{"gpt-4o", "hello world", 2},
		{"gpt-4", "hello world", 2},
		{"openai/gpt-4o-mini", "tiktoken is great!", 6},
		{"gpt-3.5-turbo", "tiktoken is great!", 6},
		{"gpt-4o", "antidisestablishmentarianism", 6},
		{"gpt-4", "antidisestablishmentarianism", 6},
		{"llama3.2:1b", "hello", 1},
	} {
		if got := c.Count(tt.model, tt.text); got != tt.want {
			t.Errorf("%s: %q has %d tokens, want %d", tt.model, tt.text, got, tt.want)
		}
	}
}

func TestALongTextIsCountedInPart(t *testing.T) {
	c := NewCounter()
	text := strings.Repeat("The quick brown fox jumps over the lazy dög. ", 20_000)
	one := c.Count("gpt-4o", text[:len(text)/20_000])
	if got := c.Count("gpt-4o", text); got < one*17_000 || got > one*21_000 {
		t.Errorf("%d tokens, and one sentence has %d", got, one)
	}
}

func TestCountersAreShared(t *testing.T) {
	c := NewCounter()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if c.Count("gpt-4o", "hello world") != 2 || c.Count("gpt-4", "hello world") != 2 {
				t.Error("another count")
			}
		})
	}
	wg.Wait()
}
