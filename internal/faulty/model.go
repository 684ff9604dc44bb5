package faulty

import (
	"encoding/json"
	"fmt"
	"strings"

	"causeway/internal/fault"
)

// modelFaults are a model provider's answers in the OpenAI dialect, whole and unstreamed. Bodies
// and headers are made after https://platform.openai.com/docs/guides/error-codes and
// https://platform.openai.com/docs/guides/rate-limits; the identifiers are invented.
func modelFaults() []Fault {
	refuse := func(name, row string, kind fault.Kind, about string, status int, e apiError, header ...string) Fault {
		return Fault{
			Name: name, Kind: kind, Row: row, Status: status, About: about, LLM: true,
			Defaults: Params{Status: status, Body: e.body(), Header: providerHeader(header...)},
			start:    tcp(complete),
		}
	}
	// Answers that are not what a model's route may pass on, whatever their status says.
	odd := func(name, row, about string, status int, body, contentType string) Fault {
		return Fault{
			Name: name, Kind: fault.IncompatibleResponse, Row: row, Status: status, About: about, LLM: true,
			Defaults: Params{Status: status, Body: body, Header: []string{contentType}},
			start:    tcp(complete),
		}
	}
	const invalid = "invalid_request_error"
	return []Fault{
		refuse("llm_invalid_api_key", "68", fault.ProviderKeyRejected, "401 invalid_api_key", 401, apiError{
			Type: invalid, Code: "invalid_api_key",
			Message: "Incorrect API key provided: sk-inval***********test. You can find your API key at https://platform.openai.com/account/api-keys.",
		}, `WWW-Authenticate: Bearer realm="OpenAI API"`),
		refuse("llm_forbidden", "68", fault.ProviderKeyRejected, "403: the key may not use this project or model", 403, apiError{
			Type: invalid, Code: "insufficient_permissions",
			Message: "You have insufficient permissions for this operation. Missing scopes: model.request.",
		}),
		refuse("llm_region", "73", fault.RegionBlocked, "403 unsupported_country_region_territory", 403, apiError{
			Type: "request_forbidden", Code: "unsupported_country_region_territory",
			Message: "Country, region, or territory not supported",
		}),
		refuse("llm_model_not_found", "69", fault.ModelNotFound, "404 model_not_found", 404, apiError{
			Type: invalid, Code: "model_not_found",
			Message: "The model `gpt-gone` does not exist or you do not have access to it.",
		}),
		refuse("llm_rate_limit", "64", fault.ProviderRateLimited, "429 rate_limit_exceeded with reset times", 429, apiError{
			Type: "requests", Code: "rate_limit_exceeded",
			Message: "Rate limit reached for gpt-4o in organization org-test on requests per min (RPM): Limit 500, Used 500, Requested 1. Please try again in 7s.",
		},
			"Retry-After: 7",
			"x-ratelimit-limit-requests: 500", "x-ratelimit-remaining-requests: 0", "x-ratelimit-reset-requests: 7s",
			"x-ratelimit-limit-tokens: 30000", "x-ratelimit-remaining-tokens: 29000", "x-ratelimit-reset-tokens: 2s"),
		refuse("llm_quota", "65", fault.QuotaExhausted, "429 insufficient_quota: waiting does not help", 429, apiError{
			Type: "insufficient_quota", Code: "insufficient_quota",
			Message: "You exceeded your current quota, please check your plan and billing details.",
		}),
		refuse("llm_context_length", "70", fault.ContextTooLong, "400 context_length_exceeded", 400, apiError{
			Type: invalid, Code: "context_length_exceeded", Param: "messages",
			Message: "This model's maximum context length is 8192 tokens. However, your messages resulted in 9001 tokens. Please reduce the length of the messages.",
		}),
		refuse("llm_content_filter", "71", fault.ContentRefused, "400 content_filter", 400, apiError{
			Type: invalid, Code: "content_filter", Param: "prompt",
			Message: "The response was filtered due to the prompt triggering the content management policy.",
		}),
		refuse("llm_unsupported_parameter", "72", fault.ParameterRejected, "400 unsupported_parameter", 400, apiError{
			Type: invalid, Code: "unsupported_parameter", Param: "max_tokens",
			Message: "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
		}),
		refuse("llm_server_error", "67", fault.ProviderError, "500 server_error", 500, apiError{
			Type: "server_error", Message: "The server had an error while processing your request. Sorry about that!",
		}),
		refuse("llm_overloaded", "66", fault.Overloaded, "503 of a provider without capacity", 503, apiError{
			Type: "service_unavailable_error", Code: "server_is_overloaded",
			Message: "The engine is currently overloaded, please try again later.",
		}, "Retry-After: 20"),
		odd("llm_html", "76", "200 with a login page instead of JSON", 200,
			"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>Sign in to continue</body></html>\n", "Content-Type: text/html; charset=utf-8"),
		{
			Name: "llm_error_in_200", Kind: fault.ProviderError, Row: "43", Status: 200, LLM: true,
			Also:  []fault.Kind{fault.IncompatibleResponse},
			About: "200 whose body is an error object",
			Defaults: Params{
				Status: 200, Header: providerHeader(),
				Body: apiError{Type: "server_error", Code: "internal_error", Message: "The model produced no output."}.body(),
			},
			start: tcp(complete),
		},
		odd("llm_bad_gateway_page", "62", "502 with nginx's page on a model's route", 502, nginxBody("502 Bad Gateway", ""), html),
		odd("llm_empty", "76", "200 with an empty body", 200, "", jsonText),
		odd("llm_truncated_json", "75", "200 with half a completion under a Content-Length that fits", 200,
			completion("half of this is missing")[:120], jsonText),
		odd("llm_wrong_shape", "75", "200 with JSON that is no completion: choices is an object", 200,
			`{"id":"chatcmpl-test","object":"chat.completion","created":1,"model":"gpt-test","choices":{"text":"ok"}}`, jsonText),
	}
}

// apiError is the error object of the OpenAI dialect. Code and Param are null when empty.
type apiError struct {
	Message, Type, Param, Code string
}

func (e apiError) body() string {
	orNull := func(s string) *string {
		if s == "" {
			return nil
		}
		return &s
	}
	type object struct {
		Message string  `json:"message"`
		Type    string  `json:"type"`
		Param   *string `json:"param"`
		Code    *string `json:"code"`
	}
	b, _ := json.Marshal(struct { // strings alone always marshal
		Error object `json:"error"`
	}{object{e.Message, e.Type, orNull(e.Param), orNull(e.Code)}})
	return string(b)
}

// providerHeader is what the provider sends beside every answer.
func providerHeader(more ...string) []string {
	return append([]string{
		jsonText, "openai-version: 2020-10-01", "openai-processing-ms: 12", "x-request-id: req_faulty0001",
	}, more...)
}

// completion is a whole chat completion with one choice.
func completion(content string) string {
	quoted, _ := json.Marshal(content)
	n := len(strings.Fields(content))
	return fmt.Sprintf(`{"id":"chatcmpl-faulty","object":"chat.completion","created":1700000000,"model":"gpt-test",`+
		`"choices":[{"index":0,"message":{"role":"assistant","content":%s,"refusal":null},"logprobs":null,"finish_reason":"stop"}],`+
		`"usage":{"prompt_tokens":3,"completion_tokens":%d,"total_tokens":%d}}`, quoted, n, n+3)
}
