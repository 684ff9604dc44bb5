package openai

import (
	"net/http"
	"strings"

	"causeway/internal/llm"
)

// OnlyAPI tells by which other operation a model can be asked, when e says that it has none for op: some models have
// only the Responses API, others only chat completions. ok is false when e says nothing of the kind.
//
// Sources: github.com/n8n-io/n8n/issues/18352 and github.com/micz/ThunderAI/issues/570 (OpenAI's two sentences for
// models that have Responses alone).
func OnlyAPI(e *llm.ProviderError, op llm.Operation) (other llm.Operation, ok bool) {
	if e.Status != http.StatusBadRequest && e.Status != http.StatusNotFound {
		return 0, false
	}
	m := strings.ToLower(e.Message)
	switch op {
	case llm.Chat:
		// The second is also said of the models that have completions alone, which are no more.
		return llm.Responses, has(m, "only supported in v1/responses") || has(m, "not a chat model")
	case llm.Responses:
		return llm.Chat, has(m, "only supported in v1/chat/completions") || has(m, "cannot be used with the responses api")
	}
	return 0, false
}
