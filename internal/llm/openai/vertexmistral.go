package openai

import (
	"net/url"
	"strings"

	"causeway/internal/llm"
	"causeway/internal/llm/jsonscan"
)

// VertexMistral is Mistral's API as Vertex AI offers it: the bodies of its chat completions at the addresses of a
// project, whose model stands in the address with its version, and in the body without. It has chat alone.
// Sources: cloud.google.com/vertex-ai/generative-ai/docs/partner-models/mistral, docs.mistral.ai/deployment/cloud/vertex,
// and Mistral's own client for it (npm @mistralai/mistralai, packages/mistralai-gcp).
type VertexMistral struct {
	Dialect
	models string // "/v1/projects/P/locations/L/publishers/mistralai/models/"
}

var (
	_ llm.Placer  = VertexMistral{}
	_ llm.Partial = VertexMistral{}
	_ llm.Reshape = VertexMistral{}
)

// NewVertexMistral returns the dialect for a project and a location such as "europe-west4" or "us-central1".
func NewVertexMistral(project, location string) VertexMistral {
	return VertexMistral{models: "/v1/projects/" + url.PathEscape(project) + "/locations/" + url.PathEscape(location) + "/publishers/mistralai/models/"}
}

// Path is the path of the list of models, which is the publisher's and not the project's.
func (VertexMistral) Path(llm.Operation) string { return "/v1beta1/publishers/mistralai/models" }

// Place is the path below the endpoint's root for a call of op.
func (v VertexMistral) Place(op llm.Operation, model string, stream bool) (path, query string) {
	switch {
	case op != llm.Chat:
		return v.Path(op), ""
	case stream:
		return v.models + url.PathEscape(model) + ":streamRawPredict", ""
	}
	return v.models + url.PathEscape(model) + ":rawPredict", ""
}

// Passes is true of chat.
func (VertexMistral) Passes(op llm.Operation) bool { return op == llm.Chat }

// Model is the name of a model without its publisher.
func (VertexMistral) Model(name string) string { return strings.TrimPrefix(name, "mistralai/") }

// AppendBody appends body with its model's name less the version: "mistral-large" for "mistral-large@2407". Every other
// byte stays as it is.
func (VertexMistral) AppendBody(dst, body []byte, _ llm.Operation) []byte {
	var scan jsonscan.Scanner
	scan.Reset(body)
	if scan.Peek() != jsonscan.Object {
		return append(dst, body...)
	}
	from := 0
	start := len(dst)
	var k jsonscan.Key
	for ok := scan.Object(); ok && scan.Member(&k); {
		kind := scan.Peek()
		at := scan.Skip()
		if !k.Is("model") || kind != jsonscan.String {
			continue
		}
		name, _, versioned := strings.Cut(string(jsonscan.Unquote(nil, body[at.From+1:at.To-1])), "@")
		if !versioned {
			continue
		}
		dst = jsonscan.Quote(append(dst, body[from:at.From]...), name)
		from = at.To
	}
	if !scan.Finished() {
		return append(dst[:start], body...)
	}
	return append(dst, body[from:]...)
}
