package anthropic

import (
	"time"

	"causeway/internal/fault"
	"causeway/internal/llm"
	"causeway/internal/llm/jsonscan"
)

// AppendError appends {"type":"error","error":{"type","message","causeway"},"request_id"}. Anthropic's
// SDKs choose the exception by the status alone (AuthenticationError for 401, NotFoundError for 404,
// RateLimitError for 429, InternalServerError from 500) and give type and body to the program.
func (Dialect) AppendError(dst []byte, f *llm.Failure) []byte {
	dst = append(dst, `{"type":"error","error":{"type":"`...)
	dst = append(dst, errorType(f.Kind, f.Status)...)
	dst = append(dst, `","message":`...)
	dst = jsonscan.Quote(dst, f.Message())
	if f.Param != "" {
		dst = append(dst, `,"param":`...)
		dst = jsonscan.Quote(dst, f.Param)
	}
	if f.Param == "thread" { // Anthropic's SDKs send the whole conversation then
		dst = append(dst, `,"details":{"error_code":"thread_unsupported_request","unsupported":["provider"]}`...)
	}
	if f.Members != nil {
		dst = append(dst, `,"causeway":`...)
		dst = llm.AppendLine(dst, f.Members)
	}
	dst = append(dst, `},"request_id":`...)
	dst = jsonscan.Quote(dst, f.CallID)
	return append(dst, '}')
}

// AppendErrorEvent appends the event "error", which Anthropic's SDKs turn into an APIError.
func (d Dialect) AppendErrorEvent(dst []byte, _ llm.Operation, f *llm.Failure, _ *llm.StreamState) []byte {
	dst = append(dst, "event: error\ndata: "...)
	dst = d.AppendError(dst, f)
	return append(dst, "\n\n"...)
}

// errorType is the word for a failure: by its kind where the API has a word of its own, else by the status.
// Source: docs.claude.com/en/api/errors.
func errorType(kind fault.Kind, status int) string {
	switch kind {
	case fault.KeyMissing, fault.KeyUnknown, fault.KeyExpired:
		return "authentication_error"
	case fault.ModelNotFound, fault.RouteNotFound:
		return "not_found_error"
	case fault.RateLimited, fault.ProviderRateLimited, fault.UpstreamRateLimited:
		return "rate_limit_error"
	case fault.QuotaExhausted:
		return "billing_error"
	case fault.Overloaded, fault.GatewayOverloaded, fault.GatewayMemoryLow:
		return "overloaded_error"
	case fault.FirstByteTimeout, fault.IdleTimeout, fault.TotalTimeout, fault.ConnectTimeout:
		return "timeout_error"
	}
	switch {
	case status == 401:
		return "authentication_error"
	case status == 402:
		return "billing_error"
	case status == 403:
		return "permission_error"
	case status == 404:
		return "not_found_error"
	case status == 413:
		return "request_too_large"
	case status == 429:
		return "rate_limit_error"
	case status == 504:
		return "timeout_error"
	case status == 529:
		return "overloaded_error"
	case status >= 400 && status < 500:
		return "invalid_request_error"
	}
	return "api_error"
}

// AppendModels appends the list of models, all on one page.
func (d Dialect) AppendModels(dst []byte, models []llm.Model) []byte {
	return d.appendPage(dst, models, false)
}

// AppendModel appends one model. A time that is not known is the epoch, as the API writes it.
func (Dialect) AppendModel(dst []byte, m llm.Model) []byte {
	created := m.Created
	if created.IsZero() {
		created = time.Unix(0, 0)
	}
	dst = append(dst, `{"type":"model","id":`...)
	dst = jsonscan.Quote(dst, m.ID)
	dst = append(dst, `,"display_name":`...)
	dst = jsonscan.Quote(dst, m.ID)
	dst = append(dst, `,"created_at":"`...)
	dst = created.UTC().AppendFormat(dst, time.RFC3339)
	return append(dst, `","max_input_tokens":null,"max_tokens":null,"capabilities":null}`...)
}
