package openai

import (
	"net/url"

	"causeway/internal/llm"
)

// Vertex is the OpenAI-compatible endpoint of Vertex AI, at which a project asks for open models of other publishers:
// "meta/llama-3.3-70b-instruct-maas". It has chat completions alone.
// Source: cloud.google.com/vertex-ai/generative-ai/docs/maas/call-open-model-apis.
type Vertex struct {
	Dialect
	chat string
}

var (
	_ llm.Placer  = Vertex{}
	_ llm.Partial = Vertex{}
)

// NewVertex returns the dialect for a project and a location such as "us-central1" or "global".
func NewVertex(project, location string) Vertex {
	return Vertex{chat: "/v1/projects/" + url.PathEscape(project) + "/locations/" + url.PathEscape(location) + "/endpoints/openapi/chat/completions"}
}

// Path is the path of the list of Google's own models: those of other publishers have none for all of them.
func (Vertex) Path(llm.Operation) string { return "/v1beta1/publishers/google/models" }

// Place is the path below the endpoint's root for a call of op.
func (v Vertex) Place(op llm.Operation, _ string, _ bool) (path, query string) {
	if op == llm.Chat {
		return v.chat, ""
	}
	return v.Path(op), ""
}

// Passes is true of chat.
func (Vertex) Passes(op llm.Operation) bool { return op == llm.Chat }
