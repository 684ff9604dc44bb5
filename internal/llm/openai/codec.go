package openai

import (
	"causeway/internal/llm"
	"causeway/internal/llm/canon"
)

// Codec is the codec for op; nil for what does not cross to other dialects.
func (Dialect) Codec(op llm.Operation) canon.Codec {
	switch op {
	case llm.Chat:
		return chatCodec{}
	case llm.Completions:
		return completionsCodec{}
	case llm.Responses:
		return responsesCodec{}
	}
	return nil
}
