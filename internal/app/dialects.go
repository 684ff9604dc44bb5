package app

import (
	"causeway/internal/llm"
	"causeway/internal/llm/anthropic"
	"causeway/internal/llm/bedrock"
	"causeway/internal/llm/cohere"
	"causeway/internal/llm/gemini"
	"causeway/internal/llm/openai"
)

// dialects are those that callers may speak; the first is that of addresses which several share.
func dialects() []llm.Dialect {
	return []llm.Dialect{openai.New(), anthropic.New(), gemini.New(), bedrock.New(), cohere.New()}
}

// speak is what providers are spoken to in, by name.
func speak() map[string]llm.Dialect {
	m := map[string]llm.Dialect{}
	for _, d := range dialects() {
		m[d.Name()] = d
	}
	return m
}
