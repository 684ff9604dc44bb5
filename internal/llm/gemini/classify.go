package gemini

import (
	"strings"

	"causeway/internal/fault"
	"causeway/internal/llm"
)

// classify chooses the kind of an error: by the reason in its details, by the quota that it names, by what its
// message says where Google has no word for it, by its status word, else by the HTTP status. Each word and each
// message has a fixture in testdata/errors.jsonl or was recorded.
func classify(e *llm.ProviderError, r *refusal) fault.Kind {
	if k := byReason(e.Code); k != "" {
		return k
	}
	m := strings.ToLower(e.Message)
	if e.Status == 402 || has(m, "requires billing to be enabled") || has(m, "credits are depleted") ||
		has(m, "monthly spending cap") {
		return fault.QuotaExhausted
	}
	if e.Status == 429 || e.Type == "RESOURCE_EXHAUSTED" {
		// A day's quota comes back tomorrow and one of nothing never; one of a minute is a rate.
		if has(r.quotas, "perday") || r.spent {
			return fault.QuotaExhausted
		}
		return fault.ProviderRateLimited
	}
	if k := byMessage(m, e); k != "" {
		return k
	}
	return byStatus(e)
}

// byReason reads google.rpc.ErrorInfo.reason.
func byReason(reason string) fault.Kind {
	switch reason {
	case "API_KEY_INVALID", "API_KEY_SERVICE_BLOCKED", "API_KEY_IP_ADDRESS_BLOCKED", "API_KEY_HTTP_REFERRER_BLOCKED",
		"ACCESS_TOKEN_EXPIRED", "ACCESS_TOKEN_TYPE_UNSUPPORTED", "CREDENTIALS_MISSING", "SERVICE_DISABLED", "CONSUMER_SUSPENDED",
		"IAM_PERMISSION_DENIED":
		return fault.ProviderKeyRejected
	case "BILLING_DISABLED":
		return fault.QuotaExhausted
	}
	return ""
}

// byMessage reads the sentence, in lower case.
func byMessage(m string, e *llm.ProviderError) fault.Kind {
	asked := e.Status >= 400 && e.Status < 500 || e.Type == "INVALID_ARGUMENT"
	switch {
	case asked && (has(m, "token count") && has(m, "exceeds the maximum") || has(m, "request payload size exceeds")):
		return fault.ContextTooLong
	case has(m, "user location is not supported") || has(m, "not available in your country"):
		return fault.RegionBlocked
	case asked && has(m, "api key not valid"):
		return fault.ProviderKeyRejected
	case e.Status == 404 && has(m, "model") && (has(m, "not found") || has(m, "not supported") || has(m, "no longer available")):
		return fault.ModelNotFound
	case has(m, "model is overloaded"):
		return fault.Overloaded
	}
	return ""
}

func has(text, part string) bool { return strings.Contains(text, part) }

// byStatus is the rule where nothing more is known.
func byStatus(e *llm.ProviderError) fault.Kind {
	switch e.Type {
	case "UNAUTHENTICATED", "PERMISSION_DENIED":
		return fault.ProviderKeyRejected
	case "UNAVAILABLE":
		return fault.Overloaded
	}
	switch s := e.Status; {
	case s == 401:
		return fault.ProviderKeyRejected
	case s == 413:
		return fault.ContextTooLong
	case s == 503:
		return fault.Overloaded
	case s == 0 || s == 408 || s == 499 || s >= 500:
		return fault.ProviderError
	case e.Message == "" || s == 404 && !e.Valid: // not from the API: a wrong base URL, a login page, a firewall
		return fault.IncompatibleResponse
	case s == 403:
		return fault.ProviderKeyRejected
	case s >= 400:
		return fault.ParameterRejected
	}
	return fault.IncompatibleResponse
}
