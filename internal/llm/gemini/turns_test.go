package gemini_test

import (
	"testing"

	"causeway/internal/llm"
	"causeway/internal/llm/canon"
	"causeway/internal/llm/gemini"
)

// Google's SDK for Go keeps each chunk of a streamed answer as a content: they are one turn.
func TestContentsOfTheModelInARowAreOneTurn(t *testing.T) {
	req, err := gemini.New().Codec(llm.Chat).ReadRequest(llm.Match{Op: llm.Chat, Model: "m"}, []byte(`{"contents":[{"role":"user","parts":[{"text":"a"}]},
		{"role":"model","parts":[{"functionCall":{"id":"1","name":"f","args":{}}}]},{"role":"model","parts":[{"functionCall":{"id":"2","name":"g","args":{}}}]},{"role":"model","parts":[{"text":""}]},
		{"role":"user","parts":[{"functionResponse":{"id":"1","name":"f","response":{}}},{"functionResponse":{"id":"2","name":"g","response":{}}}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	var roles []canon.Role
	for _, m := range req.Messages {
		roles = append(roles, m.Role)
	}
	if len(roles) != 3 || roles[1] != canon.Assistant || len(req.Messages[1].Parts) != 3 {
		t.Errorf("%v: %+v", roles, req.Messages)
	}
}
