package openai

import (
	"strconv"

	"causeway/internal/fault"
	"causeway/internal/llm"
	"causeway/internal/llm/jsonscan"
)

// AppendError appends {"error":{"message","type","param","code","causeway"}}. OpenAI's SDKs choose
// the exception by the status alone (AuthenticationError for 401, NotFoundError for 404,
// RateLimitError for 429, InternalServerError from 500) and give code, type and param to the
// program.
func (Dialect) AppendError(dst []byte, f *llm.Failure) []byte {
	dst = append(dst, `{"error":`...)
	dst = appendErrorObject(dst, f)
	return append(dst, '}')
}

func appendErrorObject(dst []byte, f *llm.Failure) []byte {
	typ, code := words(f.Kind, f.Status)
	dst = append(dst, `{"message":`...)
	dst = jsonscan.Quote(dst, f.Message())
	dst = append(dst, `,"type":"`...)
	dst = append(dst, typ...)
	dst = append(dst, `","param":`...)
	dst = appendParam(dst, f.Param)
	dst = append(dst, `,"code":"`...)
	dst = append(dst, code...)
	dst = append(dst, '"')
	if f.Members != nil {
		dst = append(dst, `,"causeway":`...)
		dst = llm.AppendLine(dst, f.Members)
	}
	return append(dst, '}')
}

func appendParam(dst []byte, param string) []byte {
	if param == "" {
		return append(dst, "null"...)
	}
	return jsonscan.Quote(dst, param)
}

// AppendErrorEvent appends the event that OpenAI's SDKs turn into an APIError. Of chat and
// completions that is any chunk with an error object; in a stream of responses it is the event
// "error", with its members outside as the API description has them and again inside "error",
// where the SDKs look.
func (Dialect) AppendErrorEvent(dst []byte, op llm.Operation, f *llm.Failure, state *llm.StreamState) []byte {
	if op != llm.Responses {
		dst = append(dst, `data: {"error":`...)
		dst = appendErrorObject(dst, f)
		return append(dst, "}\n\n"...)
	}
	_, code := words(f.Kind, f.Status)
	dst = append(dst, "event: error\ndata: {\"type\":\"error\",\"sequence_number\":"...)
	dst = strconv.AppendInt(dst, state.Sequence+1, 10)
	dst = append(dst, `,"code":"`...)
	dst = append(dst, code...)
	dst = append(dst, `","message":`...)
	dst = jsonscan.Quote(dst, f.Message())
	dst = append(dst, `,"param":`...)
	dst = appendParam(dst, f.Param)
	dst = append(dst, `,"error":`...)
	dst = appendErrorObject(dst, f)
	return append(dst, "}\n\n"...)
}

// words are an error's type and code: OpenAI's own code where it has one for the kind, so that
// programs written against it understand, else our kind.
func words(kind fault.Kind, status int) (typ, code string) {
	switch kind {
	case fault.KeyMissing, fault.KeyUnknown, fault.KeyExpired:
		return "authentication_error", "invalid_api_key"
	case fault.ModelNotFound:
		return "invalid_request_error", "model_not_found"
	case fault.RateLimited, fault.ProviderRateLimited, fault.UpstreamRateLimited:
		return "rate_limit_error", "rate_limit_exceeded"
	case fault.QuotaExhausted:
		return "insufficient_quota", "insufficient_quota"
	case fault.ContextTooLong:
		return "invalid_request_error", "context_length_exceeded"
	case fault.ContentRefused:
		return "invalid_request_error", "content_filter"
	case fault.RegionBlocked:
		return "request_forbidden", "unsupported_country_region_territory"
	case fault.Overloaded, fault.GatewayOverloaded, fault.GatewayMemoryLow:
		return "service_unavailable_error", "server_is_overloaded"
	}
	code = string(kind)
	switch {
	case status == 401:
		return "authentication_error", code
	case status == 403:
		return "permission_error", code
	case status == 429:
		return "rate_limit_error", code
	case status >= 400 && status < 500:
		return "invalid_request_error", code
	}
	return "server_error", code
}

// AppendModels appends the list of models.
func (d Dialect) AppendModels(dst []byte, models []llm.Model) []byte {
	dst = append(dst, `{"object":"list","data":[`...)
	for i, m := range models {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = d.AppendModel(dst, m)
	}
	return append(dst, "]}"...)
}

// AppendModel appends one model.
func (Dialect) AppendModel(dst []byte, m llm.Model) []byte {
	dst = append(dst, `{"id":`...)
	dst = jsonscan.Quote(dst, m.ID)
	dst = append(dst, `,"object":"model","created":`...)
	created := int64(0)
	if !m.Created.IsZero() {
		created = m.Created.Unix()
	}
	dst = strconv.AppendInt(dst, created, 10)
	dst = append(dst, `,"owned_by":`...)
	dst = jsonscan.Quote(dst, m.OwnedBy)
	return append(dst, '}')
}
