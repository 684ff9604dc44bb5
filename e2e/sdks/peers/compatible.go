package peers

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// compatible is OpenAI's API, by itself or as another vendor has it.
type compatible struct {
	vendor string
	spec   *description // nil where the vendor has none of this API
	root   string       // before the description's paths
}

func (d *compatible) find(r *http.Request) (form, model string, stream bool) {
	switch r.URL.Path {
	case "/v1/chat/completions":
		return "chat", "", false
	case "/v1/embeddings":
		return "embeddings", "", false
	case "/v1/responses":
		if d.vendor != "mistral" {
			return "responses", "", false
		}
	}
	return "", "", false
}

func (d *compatible) key(r *http.Request, _ []byte) error {
	if d.vendor == "ollama" {
		return nil
	}
	return bearer(r)
}

// theirs are the members of OpenAI's requests for a chat; it refuses others ("Unrecognized request argument").
const theirs = "audio frequency_penalty function_call functions logit_bias logprobs max_completion_tokens max_tokens messages metadata modalities model moderation n " +
	"parallel_tool_calls prediction presence_penalty prompt_cache_key prompt_cache_options prompt_cache_retention reasoning_effort response_format safety_identifier seed " +
	"service_tier stop store stream stream_options temperature tool_choice tools top_logprobs top_p user verbosity web_search_options"

// shortID is what Mistral takes for the id of a call.
var shortID = regexp.MustCompile(`^[a-zA-Z0-9]{9}$`)

func (d *compatible) look(q *ask) error {
	if d.spec != nil {
		path := map[string]string{"chat": "/chat/completions", "embeddings": "/embeddings", "responses": "/responses"}[q.form]
		if err := d.spec.fault(d.root+path, asDescribed(q)); err != nil {
			return err
		}
	}
	switch q.form {
	case "chat":
		return d.chat(q)
	case "responses":
		return responses(q)
	}
	return nil
}

// asDescribed is the request with what OpenAI's description requires and its service does not: in Responses, strict of a
// function and detail of an image.
func asDescribed(q *ask) []byte {
	changed := false
	for _, t := range list(q.body["tools"]) {
		if t := object(t); q.form == "responses" && text(t["type"]) == "function" && t["strict"] == nil {
			t["strict"], changed = false, true
		}
	}
	for _, item := range list(q.body["input"]) {
		for _, c := range list(object(item)["content"]) {
			if c := object(c); text(c["type"]) == "input_image" && c["detail"] == nil {
				c["detail"], changed = "auto", true
			}
		}
	}
	if !changed {
		return q.raw
	}
	body, _ := json.Marshal(q.body)
	return body
}

func (d *compatible) chat(q *ask) error {
	if d.vendor == "openai" {
		for name := range q.body {
			if !slices.Contains(strings.Fields(theirs), name) {
				return refusal("Unrecognized request argument supplied: " + name)
			}
		}
	}
	if len(list(q.body["messages"])) == 0 {
		return refused("[] is too short - 'messages'")
	}
	var open calls
	results, image := false, false
	for n, m := range list(q.body["messages"]) {
		m := object(m)
		role := text(m["role"])
		if role != "tool" {
			if err := open.settled(); err != nil {
				return refused("messages[%d]: %v", n, err)
			}
		}
		results = role == "tool"
		if results {
			if err := open.answered(text(m["tool_call_id"])); err != nil {
				return err
			}
		}
		for _, c := range list(m["tool_calls"]) {
			id := text(object(c)["id"])
			if d.vendor == "mistral" && !shortID.MatchString(id) {
				return refused("Tool call id was %s but must be a-z, A-Z, 0-9, with a length of 9.", id)
			}
			open.made(id)
		}
		for _, c := range list(m["content"]) {
			c := object(c)
			if text(c["type"]) != "image_url" {
				continue
			}
			image = true
			at := text(c["image_url"])
			if at == "" {
				at = text(object(c["image_url"])["url"])
			}
			if d.vendor == "ollama" && !strings.HasPrefix(at, "data:") {
				return refused("invalid image input")
			}
		}
	}
	if d.vendor == "mistral" && !results && text(object(list(q.body["messages"])[len(list(q.body["messages"]))-1])["role"]) == "assistant" {
		return refused("Expected last role User or Tool (or Assistant with prefix True) for serving but got assistant")
	}
	format := text(object(q.body["response_format"])["type"])
	effort := text(q.body["reasoning_effort"])
	thinking := effort != "" && effort != "none"
	tools := len(list(q.body["tools"])) > 0 && text(q.body["tool_choice"]) != "none"
	if q.kase = pick(results, tools, format == "json_schema" || format == "json_object", image, thinking); q.kase == "thinking-tools" {
		q.kase = "tools"
	}
	return nil
}

// responses reads a request of OpenAI's Responses.
func responses(q *ask) error {
	var open calls
	results, image := false, false
	for _, item := range list(q.body["input"]) {
		item := object(item)
		results = false
		switch text(item["type"]) {
		case "function_call":
			open.made(text(item["call_id"]))
		case "function_call_output":
			results = true
			if err := open.answered(text(item["call_id"])); err != nil {
				return refused("No tool call found for function call output: %v", err)
			}
		}
		for _, c := range list(item["content"]) {
			image = image || text(object(c)["type"]) == "input_image"
		}
	}
	if err := open.settled(); err != nil {
		return err
	}
	format := text(object(object(q.body["text"])["format"])["type"])
	tools := len(list(q.body["tools"])) > 0 && text(q.body["tool_choice"]) != "none"
	if q.kase = pick(results, tools, format == "json_schema" || format == "json_object", false, false); image && q.kase == "text" {
		q.kase = "text" // what it answers is of no matter
	}
	return nil
}

func (d *compatible) fail(status int, why string) (string, []string) {
	type fault struct {
		Object  string  `json:"object,omitempty"`
		Message string  `json:"message"`
		Type    string  `json:"type"`
		Param   *string `json:"param"`
		Code    *string `json:"code"`
	}
	f := fault{Message: why, Type: "invalid_request_error"}
	code := func(s string) { f.Code = &s }
	header := []string{"x-request-id", "req_of_the_provider"}
	if d.vendor == "ollama" && status == http.StatusNotFound {
		return "404 page not found", append(header, "Content-Type", "text/plain")
	}
	switch status {
	case http.StatusUnauthorized:
		code("invalid_api_key")
	case http.StatusTooManyRequests:
		f.Message, f.Type = "Rate limit reached for gpt-4o-mini in organization org-peer on requests per min (RPM): Limit 3, Used 3, Requested 1. Please try again in 20s.", "requests"
		code("rate_limit_exceeded")
		header = append(header, "retry-after", "20")
		if d.vendor == "mistral" {
			f.Message, f.Type = "Requests rate limit exceeded", "rate_limited"
			code("1300")
		}
	case http.StatusInternalServerError:
		f.Message, f.Type = "The server had an error while processing your request. Sorry about that!", "server_error"
	case http.StatusServiceUnavailable:
		f.Message, f.Type = "The engine is currently overloaded, please try again later.", "server_error"
		if d.vendor == "ollama" {
			f.Message, f.Type = "server busy, please try again.  maximum pending requests exceeded", "api_error"
		}
	}
	var body []byte
	if d.vendor == "mistral" { // its errors stand by themselves
		f.Object = "error"
		body, _ = json.Marshal(f)
	} else {
		body, _ = json.Marshal(map[string]any{"error": f})
	}
	return string(body), header
}
