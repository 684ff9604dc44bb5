package app

import (
	"causeway/internal/llm"
	"causeway/internal/llm/anthropic"
	"causeway/internal/llm/bedrock"
	"causeway/internal/llm/cohere"
	"causeway/internal/llm/gemini"
	"causeway/internal/llm/ollama"
	"causeway/internal/llm/openai"
)

// dialects are those that callers may speak, in the order in which they are asked whose an address is: Gemini's
// begin as OpenAI's models do.
func dialects() []llm.Dialect {
	return []llm.Dialect{gemini.New(), openai.New(), anthropic.New(), bedrock.New(), cohere.New(), ollama.New()}
}

// speak is what providers are spoken to in, by name.
func speak() map[string]llm.Dialect {
	m := map[string]llm.Dialect{}
	for _, d := range dialects() {
		m[d.Name()] = d
	}
	return m
}
