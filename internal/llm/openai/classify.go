package openai

import (
	"strings"

	"causeway/internal/fault"
	"causeway/internal/llm"
)

// classify chooses the kind of an error: by the word in its code, by what its message says where
// vendors have no word for it, by the word in its type, else by its status. Each word and each
// message has a fixture in testdata/errors.jsonl.
func classify(e *llm.ProviderError) fault.Kind {
	if e.Status == 402 {
		return fault.QuotaExhausted
	}
	if k := byWord(e.Code); k != "" {
		return k
	}
	if k := byMessage(strings.ToLower(e.Message), e.Status); k != "" {
		return k
	}
	if k := byWord(e.Type); k != "" {
		return k
	}
	return byStatus(e)
}

// byWord reads error.code or error.type. Words that say no more than the status does are left out.
func byWord(word string) fault.Kind {
	switch strings.ToLower(word) {
	case "insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "credit_balance_exhausted",
		"organization_spend_limit_exceeded", "project_spend_limit_exceeded", "organization_usage_limit_exceeded",
		"exceeded_current_quota_error", "arrearage", "allocationquota.freetieronly", // Moonshot, DashScope
		"accountoverdueerror", "setlimitexceeded", "1113", "30001": // Volcengine, Zhipu, SiliconFlow
		return fault.QuotaExhausted
	case "rate_limit_exceeded", "rate_limit_error", "rate_limited", "slow_down",
		"ratelimitreached", "resource_exhausted", "rate_limit_reached_error": // Azure, Gemini, Moonshot
		return fault.ProviderRateLimited
	case "server_is_overloaded", "service_unavailable_error", "overloaded_error", "engine_overloaded_error",
		"capacity_exceeded", "unavailable", // Groq's flex tier; Gemini
		"nocapacity", "queue_exceeded", "serveroverloaded", "1305": // Azure, Cerebras, Volcengine, Zhipu
		return fault.Overloaded
	case "invalid_api_key", "authentication_error", "invalid_authentication_error", "permission_denied", "permission_error",
		"organization_restricted": // Groq
		return fault.ProviderKeyRejected
	case "model_not_found", "model_decommissioned", "model_not_supported", "invalid_model", "deploymentnotfound", "notfounderror",
		"modeldeprecated", "model_terms_required", "model_permission_blocked_org", "model_not_available", // Azure, Groq, Together
		"unavailable_model", "no_access", "modelnotopen", "model.accessdenied", "1211", "20012": // GitHub, Volcengine, DashScope, Zhipu, SiliconFlow
		return fault.ModelNotFound
	case "context_length_exceeded", "too_many_prompt_tokens", "exceed_context_size_error", "request_too_large",
		"tokens_limit_reached", "1261": // GitHub, Zhipu
		return fault.ContextTooLong
	case "content_filter", "content_policy_violation", "moderation_blocked", "responsibleaipolicyviolation",
		"invalid_prompt", "data_inspection_failed", "1301", // DashScope, Zhipu
		"sensitivecontentdetected", "inputtextsensitivecontentdetected", "outputtextsensitivecontentdetected": // Volcengine
		return fault.ContentRefused
	case "unsupported_country_region_territory":
		return fault.RegionBlocked
	case "loop_detected": // a Causeway's: the provider's address leads back to a gateway
		return fault.LoopDetected
	case "unsupported_parameter", "unsupported_value", "unknown_parameter", "missing_required_parameter", "invalid_type",
		"invalid_value":
		return fault.ParameterRejected
	}
	return ""
}

// byMessage reads the sentence, in lower case. A sentence counts only with the statuses under which
// vendors send it, 0 being an error inside a 200.
func byMessage(m string, status int) fault.Kind {
	refusal := status == 0 || (status >= 400 && status < 500 && status != 429)
	switch {
	case refusal && (has(m, "context length") || has(m, "context window") || has(m, "context size") || has(m, "prompt too long") ||
		has(m, "prompt is too long") || has(m, "too large for model with") || has(m, "model token limit") || // Moonshot
		has(m, "maximum prompt length") || has(m, "range of input length") || // xAI, DashScope
		has(m, "max_new_tokens") && has(m, "must be <=")): // Text Generation Inference
		return fault.ContextTooLong
	case has(m, "insufficient balance") || has(m, "insufficient credits") || has(m, "credit balance is too low") ||
		has(m, "exceeded your current quota") || has(m, "any credits yet") || has(m, "spending limit") || // xAI; xAI and Fireworks
		has(m, "key limit exceeded"): // OpenRouter
		return fault.QuotaExhausted
	case refusal && (has(m, "incorrect api key") || has(m, "invalid api key") || has(m, "api key not valid")):
		return fault.ProviderKeyRejected
	case has(m, "region, or territory not supported") || has(m, "user location is not supported"):
		return fault.RegionBlocked
	case refusal && has(m, "model") && (has(m, "not found") || has(m, "not exist") || has(m, "decommissioned") ||
		has(m, "not a valid model") || has(m, "invalid model") || has(m, "has been deprecated") || has(m, "end of life")):
		return fault.ModelNotFound
	case refusal && (has(m, "no endpoints found for") || has(m, "no allowed providers") || // OpenRouter
		has(m, "function '") && has(m, "not found for account")): // NVIDIA, of a model that is no longer served
		return fault.ModelNotFound
	case refusal && status != 401 && (has(m, "was flagged") || has(m, "content exists risk") || has(m, "usage guidelines") ||
		has(m, "content management policy")):
		return fault.ContentRefused
	case !refusal && (has(m, "overloaded") || has(m, "capacity exceeded") || has(m, "model too busy")): // the last: Hugging Face
		return fault.Overloaded
	}
	return ""
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
	case s == 498 || s == 503 || s == 529: // 498: Groq's flex tier is full
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
