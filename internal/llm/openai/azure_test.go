package openai_test

import (
	"testing"

	"causeway/internal/llm"
	"causeway/internal/llm/openai"
)

func TestAzureAddresses(t *testing.T) {
	dated, preview := openai.NewAzure("2024-10-21", true), openai.NewAzure("preview", false)
	for _, tc := range []struct {
		name        string
		d           openai.Azure
		op          llm.Operation
		detail      string
		model       string
		path, query string
	}{
		{"chat at a deployment", dated, llm.Chat, "", "my-gpt", "/openai/deployments/my-gpt/chat/completions", "api-version=2024-10-21"},
		{"a name that must be encoded", dated, llm.Embeddings, "", "a/b c?", "/openai/deployments/a%2Fb%20c%3F/embeddings", "api-version=2024-10-21"},
		{"responses name it in the body", dated, llm.Responses, "", "my-gpt", "/openai/responses", "api-version=2024-10-21"},
		{"realtime names it in the query", dated, llm.Realtime, "", "my gpt", "/openai/realtime", "api-version=2024-10-21&deployment=my+gpt"},
		{"the v1 API's preview", preview, llm.Chat, "", "my-gpt", "/chat/completions", "api-version=preview"},
		{"what stands behind the address", preview, llm.Responses, "resp_1/cancel", "", "/responses/resp_1/cancel", "api-version=preview"},
	} {
		if path, query := tc.d.PlaceVariant(tc.op, tc.detail, tc.model, true); path != tc.path || query != tc.query {
			t.Errorf("%s: %s ? %s, want %s ? %s", tc.name, path, query, tc.path, tc.query)
		}
		if tc.detail != "" {
			continue
		}
		if path, query := tc.d.Place(tc.op, tc.model, false); path != tc.path || query != tc.query {
			t.Errorf("%s without a detail: %s ? %s", tc.name, path, query)
		}
	}
	if dated.Name() != "openai" {
		t.Errorf("it is called %s: a caller of OpenAI's dialect must pass through", dated.Name())
	}
}
