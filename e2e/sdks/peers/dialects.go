package peers

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"causeway/internal/llm/llmtest/spec"
)

func dialects(t testing.TB) map[string]dialect {
	t.Helper()
	return map[string]dialect{
		"openai":    &compatible{vendor: "openai", spec: described(spec.OpenLoose(t, "openai-openapi.yaml.gz")), root: ""},
		"mistral":   &compatible{vendor: "mistral", spec: described(spec.OpenLoose(t, "mistral-openapi.json.gz")), root: "/v1"},
		"ollama":    &compatible{vendor: "ollama"},
		"anthropic": anthropic{described(spec.Open(t, "anthropic-openapi.yaml.gz"))},
		"cohere":    cohere{described(spec.OpenLoose(t, "cohere-openapi.yaml.gz"))},
		"gemini":    gemini{spec.OpenProtos(t, "../internal/llm/gemini/testdata/proto/*.proto")},
		"bedrock":   bedrock{},
	}
}

// description is a provider's description of its API, for many requests at once.
type description struct {
	mu sync.Mutex
	s  *spec.Spec
}

func described(s *spec.Spec) *description { return &description{s: s} }

func (d *description) fault(path string, body []byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.s.RequestFault(http.MethodPost, path, body)
}

func bearer(r *http.Request) error {
	if r.Header.Get("Authorization") != "Bearer "+Key {
		return refused("Incorrect API key provided")
	}
	return nil
}

// list, object and text read what JSON was decoded into, leniently: shapes are the descriptions' business.
func list(v any) []any { l, _ := v.([]any); return l }

func object(v any) map[string]any { m, _ := v.(map[string]any); return m }

func text(v any) string { s, _ := v.(string); return s }

// calls follows the calls of a conversation: each must be answered before anybody speaks again, and nothing else
// may be answered.
type calls struct{ open []string }

func (c *calls) made(id string) { c.open = append(c.open, id) }

func (c *calls) answered(id string) error {
	i := slices.Index(c.open, id)
	if i < 0 {
		return refused("the result of %q answers no call of the turn before", id)
	}
	c.open = slices.Delete(c.open, i, i+1)
	return nil
}

func (c *calls) settled() error {
	if len(c.open) > 0 {
		return refused("the calls %q have no result", c.open)
	}
	return nil
}

// pick is the case of a request: what is asked for last decides.
func pick(results, tools, schema, image, thinking bool) string {
	switch {
	case results:
		return "after"
	case tools && thinking:
		return "thinking-tools"
	case tools:
		return "tools"
	case schema:
		return "schema"
	case image:
		return "image"
	case thinking:
		return "thinking"
	}
	return "text"
}

// anthropic is the Messages API.
type anthropic struct{ *description }

func (anthropic) find(r *http.Request) (form, model string, stream bool) {
	switch r.URL.Path {
	case "/v1/messages":
		return "anthropic", "", false
	case "/v1/messages/count_tokens":
		return "count", "", false
	}
	return "", "", false
}

func (anthropic) key(r *http.Request, _ []byte) error {
	if r.Header.Get("X-Api-Key") != Key {
		return refused("invalid x-api-key")
	}
	if r.Header.Get("Anthropic-Version") == "" {
		return refused("anthropic-version: header is required")
	}
	return nil
}

func (d anthropic) look(q *ask) error {
	if q.body["thread"] != nil {
		return errThread
	}
	path := "/v1/messages"
	if q.form == "count" {
		path += "/count_tokens"
	}
	if err := d.fault(path, q.raw); err != nil {
		return err
	}
	thinks := text(object(q.body["thinking"])["type"])
	thinking := thinks == "enabled" || thinks == "adaptive"
	if thinking && text(object(q.body["tool_choice"])["type"]) != "auto" && q.body["tool_choice"] != nil {
		if kind := text(object(q.body["tool_choice"])["type"]); kind != "none" {
			return refused("Thinking may not be enabled when tool_choice forces tool use.")
		}
	}
	var open calls
	results, image := false, false
	for n, m := range list(q.body["messages"]) {
		role := text(object(m)["role"])
		results = false
		for i, b := range list(object(m)["content"]) {
			b := object(b)
			switch text(b["type"]) {
			case "tool_use":
				open.made(text(b["id"]))
			case "tool_result":
				results = true
				if err := open.answered(text(b["tool_use_id"])); err != nil {
					return refused("messages.%d: %v", n, err)
				}
			case "image":
				image = true
			case "thinking":
				if !strings.HasPrefix(text(b["signature"]), "EqoDCkYICxgC") && !strings.HasPrefix(text(b["signature"]), "E") {
					return refused("messages.%d.content.%d: Invalid `signature` in `thinking` block", n, i)
				}
			}
		}
		if role == "assistant" && thinking && len(open.open) > 0 {
			if first := text(object(list(object(m)["content"])[0])["type"]); first != "thinking" && first != "redacted_thinking" {
				return refused("messages.%d.content.0.type: Expected `thinking` or `redacted_thinking`, but found `%s`.", n, first)
			}
		}
		if role == "user" {
			if err := open.settled(); err != nil {
				return refused("messages.%d: %v", n, err)
			}
		}
	}
	tools := len(list(q.body["tools"])) > 0 && text(object(q.body["tool_choice"])["type"]) != "none"
	q.kase = pick(results, tools, object(q.body["output_config"])["format"] != nil, image, thinking)
	return nil
}

// errThread is why a request with a thread is refused: the description has none yet, and an account may be without them.
var errThread = refused("thread: message threads are not available for this request")

func (anthropic) fail(status int, why string) (string, []string) {
	kind, message, header := "invalid_request_error", why, []string{"request-id", "req_011CSHoEeqs5C35K2UUqR7Fy"}
	switch status {
	case http.StatusUnauthorized:
		kind = "authentication_error"
	case http.StatusNotFound:
		kind = "not_found_error"
	case http.StatusTooManyRequests:
		kind, message = "rate_limit_error", "This request would exceed the rate limit for your organization of 50,000 input tokens per minute."
		header = append(header, "retry-after", "17")
	case http.StatusInternalServerError:
		kind, message = "api_error", "Internal server error"
	case http.StatusServiceUnavailable:
		kind, message = "overloaded_error", "Overloaded"
		header = append(header, ":status", "529")
	}
	e := map[string]any{"type": kind, "message": message}
	if why == errThread.Error() {
		e["details"] = map[string]any{"error_code": "thread_unsupported_request", "unsupported": []string{"account"}}
	}
	body, _ := json.Marshal(map[string]any{"type": "error", "error": e, "request_id": header[1]})
	return string(body), header
}

// cohere is Cohere's API, version 2.
type cohere struct{ *description }

func (cohere) find(r *http.Request) (form, model string, stream bool) {
	switch r.URL.Path {
	case "/v2/chat":
		return "cohere", "", false
	case "/v2/embed":
		return "cohere-embed", "", false
	case "/v2/rerank":
		return "cohere-rerank", "", false
	}
	return "", "", false
}

func (cohere) key(r *http.Request, _ []byte) error { return bearer(r) }

func (d cohere) look(q *ask) error {
	path := map[string]string{"cohere": "/v2/chat", "cohere-embed": "/v2/embed", "cohere-rerank": "/v2/rerank"}[q.form]
	if err := d.fault(path, q.raw); err != nil {
		return err
	}
	var open calls
	results, image := false, false
	for n, m := range list(q.body["messages"]) {
		m := object(m)
		if text(m["role"]) != "tool" {
			if err := open.settled(); err != nil {
				return refused("messages[%d]: %v", n, err)
			}
		}
		results = text(m["role"]) == "tool"
		if results {
			if err := open.answered(text(m["tool_call_id"])); err != nil {
				return err
			}
		}
		for _, c := range list(m["tool_calls"]) {
			open.made(text(object(c)["id"]))
		}
		for _, c := range list(m["content"]) {
			image = image || text(object(c)["type"]) == "image_url"
		}
	}
	format := object(q.body["response_format"])
	tools := len(list(q.body["tools"])) > 0 && text(q.body["tool_choice"]) != "NONE"
	thinking := text(object(q.body["thinking"])["type"]) == "enabled"
	if q.kase = pick(results, tools, text(format["type"]) == "json_object", image, thinking); q.kase == "thinking-tools" {
		q.kase = "tools"
	}
	return nil
}

func (cohere) fail(status int, why string) (string, []string) {
	var header []string
	switch status {
	case http.StatusTooManyRequests:
		why, header = "You are using a Trial key, which is limited to 40 API calls / minute.", []string{"retry-after", "17"}
	case http.StatusInternalServerError:
		why = "internal server error, this has been reported to our developers."
	case http.StatusServiceUnavailable:
		why = "The server is overloaded, please try again later."
	}
	body, _ := json.Marshal(map[string]string{"id": "7f9c2b1e-52b8-4c11-a09d-15f8f7f1a2c3", "message": why})
	return string(body), header
}

// gemini is Google's Gemini API.
type gemini struct{ protos *spec.Protos }

func (gemini) find(r *http.Request) (form, model string, stream bool) {
	rest, ok := strings.CutPrefix(r.URL.Path, "/v1beta/models/")
	cut := strings.LastIndexByte(rest, ':')
	if !ok || cut < 0 {
		return "", "", false
	}
	switch model = rest[:cut]; rest[cut+1:] {
	case "generateContent":
		return "gemini", model, false
	case "streamGenerateContent":
		if r.URL.Query().Get("alt") == "sse" {
			return "gemini", model, true
		}
	case "embedContent":
		return "gemini-embed", model, false
	case "batchEmbedContents":
		return "gemini-embeds", model, false
	case "countTokens":
		return "count", model, false
	}
	return "", "", false
}

func (gemini) key(r *http.Request, _ []byte) error {
	if r.Header.Get("X-Goog-Api-Key") != Key {
		return refused("API key not valid. Please pass a valid API key.")
	}
	return nil
}

func (d gemini) look(q *ask) error {
	var v any
	exact := json.NewDecoder(strings.NewReader(string(q.raw)))
	exact.UseNumber()
	if err := exact.Decode(&v); err != nil {
		return err
	}
	message := map[string]string{"gemini": "GenerateContentRequest", "gemini-embed": "EmbedContentRequest", "gemini-embeds": "BatchEmbedContentsRequest", "count": "CountTokensRequest"}[q.form]
	faults := slices.DeleteFunc(d.protos.Faults(message, v), func(fault string) bool {
		_, word, found := strings.Cut(fault, "/type is no Type: ") // the service takes the types' names in any case
		return found && word == strings.ToLower(word)
	})
	if len(faults) > 0 {
		return refusal("Invalid JSON payload received. " + strings.Join(faults, "; "))
	}
	results, image, waiting, model := false, false, 0, false
	for n, c := range list(q.body["contents"]) {
		results = false
		made, answered := 0, 0
		if model = text(object(c)["role"]) == "model" && model; model {
			made, waiting = waiting, 0 // contents of one turn in a row
		}
		model = text(object(c)["role"]) == "model"
		if len(list(object(c)["parts"])) == 0 {
			return refused("* GenerateContentRequest.contents[%d].parts: contents.parts must not be empty.", n)
		}
		for _, p := range list(object(c)["parts"]) {
			p := object(p)
			if p["functionCall"] != nil {
				if made == 0 && strings.HasPrefix(q.model, "gemini-3") && text(p["thoughtSignature"]) == "" {
					return refused("Function call is missing a thought_signature in functionCall parts. Function call `default_api:%s`, position %d.", object(p["functionCall"])["name"], n)
				}
				made++
			}
			if p["functionResponse"] != nil {
				results, answered = true, answered+1
			}
			image = image || p["inlineData"] != nil || p["fileData"] != nil
		}
		if answered != waiting {
			return refused("Please ensure that the number of function response parts is equal to the number of function call parts of the function call turn.")
		}
		waiting = made
	}
	config := object(q.body["generationConfig"])
	schema := config["responseSchema"] != nil || config["responseJsonSchema"] != nil
	if schema && text(config["responseMimeType"]) != "application/json" {
		return refused("response_mime_type must be application/json for a response schema")
	}
	mode := text(object(object(q.body["toolConfig"])["functionCallingConfig"])["mode"])
	thinking, _ := object(config["thinkingConfig"])["includeThoughts"].(bool)
	if q.kase = pick(results, len(list(q.body["tools"])) > 0 && mode != "NONE", schema, image, thinking); q.kase == "thinking-tools" {
		q.kase = "tools"
	}
	return nil
}

func (gemini) fail(status int, why string) (string, []string) {
	word := "INVALID_ARGUMENT"
	switch status {
	case http.StatusUnauthorized:
		word, status = "INVALID_ARGUMENT", http.StatusBadRequest
	case http.StatusNotFound:
		word = "NOT_FOUND"
	case http.StatusTooManyRequests:
		return `{"error":{"code":429,"message":"You exceeded your current quota, please check your plan and billing details.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaMetric":"generativelanguage.googleapis.com/generate_content_free_tier_requests","quotaId":"GenerateRequestsPerMinutePerProjectPerModel-FreeTier","quotaValue":"10"}]},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"17s"}]}}`, nil
	case http.StatusInternalServerError:
		word, why = "INTERNAL", "An internal error has occurred. Please retry or report in https://developers.generativeai.google/guide/troubleshooting"
	case http.StatusServiceUnavailable:
		word, why = "UNAVAILABLE", "The model is overloaded. Please try again later."
	}
	body, _ := json.Marshal(map[string]any{"error": map[string]any{"code": status, "message": why, "status": word}})
	return string(body), []string{":status", fmt.Sprint(status)}
}

// bedrock is Amazon Bedrock's runtime: Converse, ConverseStream and CountTokens. AWS publishes no description of it
// beyond the reference, so the members that it knows stand here (docs.aws.amazon.com/bedrock/latest/APIReference).
type bedrock struct{}

func (bedrock) find(r *http.Request) (form, model string, stream bool) {
	rest, ok := strings.CutPrefix(r.URL.EscapedPath(), "/model/")
	name, verb, found := strings.Cut(rest, "/")
	model, err := url.PathUnescape(name)
	if !ok || !found || err != nil {
		return "", "", false
	}
	switch verb {
	case "converse":
		return "bedrock", model, false
	case "converse-stream":
		return "bedrock", model, true
	case "count-tokens":
		return "count", model, false
	}
	return "", "", false
}

func (bedrock) key(r *http.Request, body []byte) error { return signed(r, body) }

// members are what Bedrock's structures may have.
var members = map[string]string{
	"":                "additionalModelRequestFields additionalModelResponseFieldPaths guardrailConfig inferenceConfig messages outputConfig performanceConfig promptVariables requestMetadata serviceTier system toolConfig",
	"inferenceConfig": "maxTokens stopSequences temperature topP",
	"message":         "role content",
	"content":         "text image document video audio toolUse toolResult guardContent cachePoint reasoningContent citationsContent searchResult",
	"toolConfig":      "tools toolChoice",
	"toolUse":         "toolUseId name input type",
	"toolResult":      "toolUseId content status type",
	"image":           "format source error",
}

func known(of string, m map[string]any) error {
	for name := range m {
		if !slices.Contains(strings.Fields(members[of]), name) {
			return refused("The model returned the following errors: extraneous key [%s] is not permitted in %s", name, of)
		}
	}
	return nil
}

func (bedrock) look(q *ask) error {
	if q.form == "count" {
		if object(object(q.body["input"])["converse"])["messages"] == nil {
			return refused("input.converse.messages is required")
		}
		return nil
	}
	tools := object(q.body["toolConfig"])
	if err := errors.Join(known("", q.body), known("inferenceConfig", object(q.body["inferenceConfig"])), known("toolConfig", tools)); err != nil {
		return err
	}
	if q.body["toolConfig"] != nil && len(list(tools["tools"])) == 0 {
		return refused("toolConfig.tools must have at least 1 item")
	}
	thinking := text(object(object(q.body["additionalModelRequestFields"])["thinking"])["type"])
	thinks := thinking == "enabled" || thinking == "adaptive"
	var open calls
	results, image, last := false, false, "assistant"
	for n, m := range list(q.body["messages"]) {
		m := object(m)
		if err := known("message", m); err != nil {
			return err
		}
		role := text(m["role"])
		if role == last || role != "user" && role != "assistant" {
			return refused("messages.%d: a conversation must alternate between user and assistant roles", n)
		}
		if last = role; len(list(m["content"])) == 0 {
			return refused("The content field in the Message object at messages.%d is empty.", n)
		}
		results = false
		for i, b := range list(m["content"]) {
			b := object(b)
			if err := errors.Join(known("content", b), known("toolUse", object(b["toolUse"])), known("toolResult", object(b["toolResult"])), known("image", object(b["image"]))); err != nil {
				return err
			}
			if s, ok := b["text"].(string); ok && strings.TrimSpace(s) == "" {
				return refused("The text field in the ContentBlock object at messages.%d.content.%d is blank.", n, i)
			}
			if b["toolUse"] != nil {
				if tools == nil {
					return refused("The toolConfig field must be defined when using toolUse and toolResult content blocks.")
				}
				open.made(text(object(b["toolUse"])["toolUseId"]))
			}
			if b["toolResult"] != nil {
				results = true
				if err := open.answered(text(object(b["toolResult"])["toolUseId"])); err != nil {
					return err
				}
			}
			image = image || b["image"] != nil
		}
		if role == "assistant" && thinks && len(open.open) > 0 && object(list(m["content"])[0])["reasoningContent"] == nil {
			return refused("messages.%d.content.0.type: Expected `thinking` or `redacted_thinking`, but found `tool_use`.", n)
		}
		if role == "user" {
			if err := open.settled(); err != nil {
				return err
			}
		}
	}
	if last != "user" && len(list(q.body["messages"])) == 0 {
		return refused("messages must have at least 1 item")
	}
	q.kase = pick(results, tools != nil, object(q.body["outputConfig"])["textFormat"] != nil, image, thinks)
	return nil
}

func (bedrock) fail(status int, why string) (string, []string) {
	kind := "ValidationException"
	switch status {
	case http.StatusUnauthorized:
		kind, status = "UnrecognizedClientException", http.StatusForbidden
	case http.StatusNotFound:
		kind = "ResourceNotFoundException"
	case http.StatusTooManyRequests:
		kind, why = "ThrottlingException", "Too many requests, please wait before trying again."
	case http.StatusInternalServerError:
		kind, why = "InternalServerException", "The system encountered an unexpected error during processing. Try your request again."
	case http.StatusServiceUnavailable:
		kind, why = "ServiceUnavailableException", "Bedrock is unable to process your request."
	}
	body, _ := json.Marshal(map[string]string{"message": why})
	return string(body), []string{"x-amzn-ErrorType", kind + ":http://internal.amazon.com/coral/com.amazon.bedrock/", "x-amzn-RequestId", "9f1b7b52-7c1c-4a41-9b12-6a4a5b3d1f2e", ":status", fmt.Sprint(status)}
}
