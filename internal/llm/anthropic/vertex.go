package anthropic

import (
	"encoding/json"
	"net/url"
	"strings"
	"time"

	"causeway/internal/llm"
	"causeway/internal/llm/jsonscan"
)

// VertexVersion is the anthropic_version that Vertex AI asks for in the body, in the place of the header.
const VertexVersion = "vertex-2023-10-16"

// Vertex is Anthropic's API as Vertex AI offers it: the bodies of Messages at the addresses of a project, whose model
// stands in the address in place of the body. Its name is the dialect's, so that calls pass through.
// Source: docs.anthropic.com/en/api/claude-on-vertex-ai.
type Vertex struct {
	Dialect
	models string // "/v1/projects/P/locations/L/publishers/anthropic/models/"
}

var (
	_ llm.Placer  = Vertex{}
	_ llm.Reshape = Vertex{}
)

// NewVertex returns the dialect for a project and a location such as "us-east5" or "global".
func NewVertex(project, location string) Vertex {
	return Vertex{models: "/v1/projects/" + url.PathEscape(project) + "/locations/" + url.PathEscape(location) + "/publishers/anthropic/models/"}
}

// Path is the path of the list of models, which is the publisher's and not the project's.
func (Vertex) Path(llm.Operation) string { return "/v1beta1/publishers/anthropic/models" }

// Place is the path below the endpoint's root for a call of op. Counting has one address for all models.
func (v Vertex) Place(op llm.Operation, model string, stream bool) (path, query string) {
	switch {
	case op == llm.ListModels:
		return v.Path(op), ""
	case op == llm.GetModel:
		return v.Path(op) + "/" + url.PathEscape(model), ""
	case op == llm.CountTokens:
		return v.models + "count-tokens:rawPredict", ""
	case stream:
		return v.models + url.PathEscape(model) + ":streamRawPredict", ""
	}
	return v.models + url.PathEscape(model) + ":rawPredict", ""
}

// Model is the name of a model without its publisher.
func (Vertex) Model(name string) string { return strings.TrimPrefix(name, "anthropic/") }

// AppendBody appends body without its model, which stands in the address, and with the version. A count keeps the
// model. Every other member stays byte for byte as it is; what is no object is appended as it
// stands.
func (Vertex) AppendBody(dst, body []byte, op llm.Operation) []byte {
	var scan jsonscan.Scanner
	scan.Reset(body)
	if scan.Peek() != jsonscan.Object {
		return append(dst, body...)
	}
	start := len(dst)
	dst = append(dst, '{')
	versioned := false
	var k jsonscan.Key
	for ok := scan.Object(); ok && scan.Member(&k); {
		at := scan.Skip()
		name := k.Raw
		if k.Escaped {
			name = jsonscan.Unquote(nil, k.Raw)
		}
		versioned = versioned || string(name) == "anthropic_version"
		if op == llm.CountTokens || string(name) != "model" {
			dst = append(append(dst, body[k.At:at.To]...), ',')
		}
	}
	if !scan.Finished() {
		return append(dst[:start], body...)
	}
	if !versioned {
		return append(dst, `"anthropic_version":"`+VertexVersion+`"}`...)
	}
	dst[len(dst)-1] = '}'
	return dst
}

// googleTypes are this API's words for Google's. Source: cloud.google.com/apis/design/errors.
var googleTypes = map[string]string{
	"NOT_FOUND": "not_found_error", "PERMISSION_DENIED": "permission_error", "UNAUTHENTICATED": "authentication_error",
	"RESOURCE_EXHAUSTED": "rate_limit_error", "INVALID_ARGUMENT": "invalid_request_error", "FAILED_PRECONDITION": "invalid_request_error",
	"UNAVAILABLE": "overloaded_error", "DEADLINE_EXCEEDED": "timeout_error", "INTERNAL": "api_error", "UNKNOWN": "api_error",
}

// ReadError reads an error of this API, or one of Google's own, which answers where the model was not reached. The
// latter is not Valid: a caller of this API would not understand it.
func (d Vertex) ReadError(status int, header func(name string) string, body []byte, now time.Time) llm.ProviderError {
	e := d.Dialect.ReadError(status, header, body, now)
	if e.Valid {
		return e
	}
	var google struct {
		Error struct{ Message, Status string }
	}
	if json.Unmarshal(body, &google) != nil || googleTypes[google.Error.Status] == "" {
		return e
	}
	same := []byte(`{"type":"error","error":{"type":"` + googleTypes[google.Error.Status] + `","message":`)
	same = append(jsonscan.Quote(same, google.Error.Message), "}}"...)
	e = d.Dialect.ReadError(status, header, same, now)
	e.Valid = false
	return e
}
