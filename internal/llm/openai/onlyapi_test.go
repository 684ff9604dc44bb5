package openai_test

import (
	"testing"
	"time"

	"causeway/internal/llm"
	"causeway/internal/llm/openai"
)

func TestOnlyAPI(t *testing.T) {
	for _, c := range []struct {
		name, message string
		status        int
		op, other     llm.Operation
		ok            bool
	}{
		{"responses alone", "This model is only supported in v1/responses and not in v1/chat/completions.", 404, llm.Chat, llm.Responses, true},
		{"no chat model", "This is not a chat model and thus not supported in the v1/chat/completions endpoint. Did you mean to use v1/completions?", 404, llm.Chat, llm.Responses, true},
		{"chat alone", "The requested model 'm' cannot be used with the Responses API.", 400, llm.Responses, llm.Chat, true},
		{"said of the other", "This model is only supported in v1/responses and not in v1/chat/completions.", 404, llm.Responses, 0, false},
		{"not of a refusal", "This model is only supported in v1/responses and not in v1/chat/completions.", 500, llm.Chat, 0, false},
		{"no such model", "The model `m` does not exist or you do not have access to it.", 404, llm.Chat, 0, false},
		{"another operation", "This model is only supported in v1/responses and not in v1/chat/completions.", 404, llm.Embeddings, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			body := `{"error":{"message":"` + c.message + `","type":"invalid_request_error","param":"model","code":null}}`
			e := openai.New().ReadError(c.status, func(string) string { return "" }, []byte(body), time.Time{})
			other, ok := openai.OnlyAPI(&e, c.op)
			if ok != c.ok || ok && other != c.other {
				t.Errorf("%v, %v", other, ok)
			}
		})
	}
}
