package gemini

import (
	"strconv"
	"strings"

	"causeway/internal/fault"
	"causeway/internal/llm"
	"causeway/internal/llm/jsonscan"
)

// AppendError appends {"error":{"code","message","status","details","causeway"}}. Google's SDKs raise an ApiError (or
// APIError) with the HTTP status, and give code and status to the program; the details hold our kind as a
// google.rpc.ErrorInfo and the parameter at fault as a google.rpc.BadRequest.
func (Dialect) AppendError(dst []byte, f *llm.Failure) []byte {
	dst = append(dst, `{"error":{"code":`...)
	dst = strconv.AppendInt(dst, int64(f.Status), 10)
	dst = append(dst, `,"message":`...)
	dst = jsonscan.Quote(dst, f.Message())
	dst = append(dst, `,"status":"`...)
	dst = append(dst, statusWord(f.Kind, f.Status)...)
	dst = append(dst, `","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"`...)
	dst = append(dst, reason(f.Kind)...)
	dst = append(dst, `","domain":"causeway","metadata":{"call":`...)
	dst = jsonscan.Quote(dst, f.CallID)
	dst = append(dst, "}}"...)
	if f.Param != "" {
		dst = append(dst, `,{"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[{"field":`...)
		dst = jsonscan.Quote(dst, f.Param)
		dst = append(dst, `,"description":`...)
		dst = jsonscan.Quote(dst, f.Sentence)
		dst = append(dst, "}]}"...)
	}
	dst = append(dst, ']')
	if f.Members != nil {
		dst = append(dst, `,"causeway":`...)
		dst = llm.AppendLine(dst, f.Members)
	}
	return append(dst, "}}"...)
}

// reason is a kind as google.rpc.ErrorInfo has its reasons.
func reason(kind fault.Kind) string {
	switch kind {
	case fault.KeyMissing:
		return "CREDENTIALS_MISSING"
	case fault.KeyUnknown, fault.KeyExpired:
		return "API_KEY_INVALID"
	}
	return strings.ToUpper(string(kind))
}

// statusWord is the google.rpc.Code that goes with a kind and its HTTP status.
func statusWord(kind fault.Kind, status int) string {
	switch kind {
	case fault.RegionBlocked:
		return "FAILED_PRECONDITION"
	case fault.QuotaExhausted, fault.RateLimited, fault.ProviderRateLimited, fault.UpstreamRateLimited:
		return "RESOURCE_EXHAUSTED"
	}
	switch {
	case status == 401:
		return "UNAUTHENTICATED"
	case status == 403:
		return "PERMISSION_DENIED"
	case status == 404:
		return "NOT_FOUND"
	case status == 409:
		return "ABORTED"
	case status == 429:
		return "RESOURCE_EXHAUSTED"
	case status == 499:
		return "CANCELLED"
	case status >= 400 && status < 500:
		return "INVALID_ARGUMENT"
	case status == 501:
		return "UNIMPLEMENTED"
	case status == 502 || status == 503:
		return "UNAVAILABLE"
	case status == 504:
		return "DEADLINE_EXCEEDED"
	}
	return "INTERNAL"
}

// AppendErrorEvent appends the error body as Google's own servers end a stream that fails. In a stream of
// events it stands alone, without "data:" and without a blank line behind it: Google's SDKs for JavaScript, Go and
// Python read it so and raise it, and take an event with an error in it for an empty chunk. In an array it is the
// last element. state.Framed tells which; state.Sequence counts the elements that went out.
func (d Dialect) AppendErrorEvent(dst []byte, _ llm.Operation, f *llm.Failure, state *llm.StreamState) []byte {
	if !state.Framed {
		return append(d.AppendError(dst, f), '\n')
	}
	if state.Sequence < 0 {
		dst = append(dst, '[')
	} else {
		dst = append(dst, ",\n"...)
	}
	return append(d.AppendError(dst, f), "]\n"...)
}

// AppendModels appends the list of models. Its one page has no nextPageToken.
func (d Dialect) AppendModels(dst []byte, models []llm.Model) []byte {
	dst = append(dst, `{"models":[`...)
	for i, m := range models {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = d.AppendModel(dst, m)
	}
	return append(dst, "]}"...)
}

// AppendModel appends one model. What it can do and how long its context is, is not known here.
func (Dialect) AppendModel(dst []byte, m llm.Model) []byte {
	dst = append(dst, `{"name":`...)
	dst = jsonscan.Quote(dst, "models/"+m.ID)
	dst = append(dst, `,"baseModelId":`...)
	dst = jsonscan.Quote(dst, m.ID)
	dst = append(dst, `,"version":"","displayName":`...)
	dst = jsonscan.Quote(dst, m.ID)
	if m.OwnedBy != "" {
		dst = append(dst, `,"description":`...)
		dst = jsonscan.Quote(dst, "Served by "+m.OwnedBy+".")
	}
	return append(dst, `,"supportedGenerationMethods":["generateContent","streamGenerateContent","countTokens"]}`...)
}
