package anthropic

import (
	"strings"

	"causeway/internal/fault"
	"causeway/internal/llm"
)

// classify chooses the kind of an error: by its code, by what its message says where the type is
// invalid_request_error for everything, by its type, else by its status. Each word and each message has a
// fixture in testdata/errors.jsonl or testdata/recorded.jsonl.
func classify(e *llm.ProviderError) fault.Kind {
	m := strings.ToLower(e.Message)
	switch {
	case e.Status == 402 || e.Code == "enforced_spend_limit_reached" || has(m, "credit balance is too low") || has(m, "api usage limits"):
		return fault.QuotaExhausted
	case has(m, "prompt is too long") || has(m, "exceed context limit") || has(m, "context window"):
		return fault.ContextTooLong
	case has(m, "content filtering policy"):
		return fault.ContentRefused
	case has(m, "unsupported countries, regions, or territories"):
		return fault.RegionBlocked
	case has(m, "organization has been disabled"):
		return fault.ProviderKeyRejected
	}
	switch e.Type {
	case "authentication_error", "permission_error":
		return fault.ProviderKeyRejected
	case "billing_error":
		return fault.QuotaExhausted
	case "not_found_error":
		if has(m, "model") {
			return fault.ModelNotFound
		}
		return fault.ParameterRejected
	case "request_too_large":
		return fault.ContextTooLong
	case "rate_limit_error":
		return fault.ProviderRateLimited
	case "overloaded_error":
		return fault.Overloaded
	case "timeout_error", "api_error":
		return fault.ProviderError
	case "invalid_request_error", "conflict_error":
		return fault.ParameterRejected
	}
	return byStatus(e)
}

func has(text, part string) bool { return strings.Contains(text, part) }

// byStatus is the rule where nothing more is known.
func byStatus(e *llm.ProviderError) fault.Kind {
	switch s := e.Status; {
	case s == 401:
		return fault.ProviderKeyRejected
	case s == 413:
		return fault.ContextTooLong
	case s == 429:
		return fault.ProviderRateLimited
	case s == 503 || s == 529:
		return fault.Overloaded
	case s == 0 || s == 408 || s >= 500:
		return fault.ProviderError
	case e.Message == "" || (s == 404 && !e.Valid): // not from the API: a wrong base URL, a login page, a firewall
		return fault.IncompatibleResponse
	case s == 403:
		return fault.ProviderKeyRejected
	case s >= 400:
		return fault.ParameterRejected
	}
	return fault.IncompatibleResponse
}
