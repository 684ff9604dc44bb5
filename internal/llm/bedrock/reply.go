package bedrock

import (
	"causeway/internal/fault"
	"causeway/internal/llm"
	"causeway/internal/llm/jsonscan"
)

// AppendError appends {"__type": the exception, "message": ...}. AWS's SDKs choose the exception by the header
// x-amzn-errortype, else by the member code, else by __type (JavaScript: loadRestJsonErrorCode; botocore, Go and Java alike),
// so that the body alone is enough. Our members stand under error.causeway as in every dialect; the JavaScript SDK shows them
// at the exception as error.error.causeway.
func (Dialect) AppendError(dst []byte, f *llm.Failure) []byte {
	dst = append(dst, `{"__type":"`...)
	dst = append(dst, Exception(f.Kind, f.Status)...)
	dst = append(dst, `",`...)
	return append(appendErrorMembers(dst, f), '}')
}

func appendErrorMembers(dst []byte, f *llm.Failure) []byte {
	dst = append(dst, `"message":`...)
	dst = jsonscan.Quote(dst, f.Message())
	dst = append(dst, `,"error":{"message":`...)
	dst = jsonscan.Quote(dst, f.Message())
	if f.Param != "" {
		dst = append(dst, `,"param":`...)
		dst = jsonscan.Quote(dst, f.Param)
	}
	if f.Members != nil {
		dst = append(dst, `,"causeway":`...)
		dst = llm.AppendLine(dst, f.Members)
	}
	return append(dst, '}')
}

// AppendErrorEvent appends the exception frame that the SDKs throw in the loop over the stream.
func (Dialect) AppendErrorEvent(dst []byte, _ llm.Operation, f *llm.Failure, _ *llm.StreamState) []byte {
	start := len(dst)
	dst = beginFrame(dst, "exception", streamException(f.Kind, f.Status))
	payload := len(dst)
	dst = append(dst, '{')
	dst = append(appendErrorMembers(dst, f), '}')
	return endFrame(dst, start, payload)
}

// Exception is the name of the runtime's exception for a kind, which is also what the header x-amzn-errortype says.
func Exception(kind fault.Kind, status int) string {
	switch kind {
	case fault.QuotaExhausted:
		return "ServiceQuotaExceededException"
	case fault.ContextTooLong, fault.ContentRefused, fault.ParameterRejected, fault.UnsupportedFeature, fault.BadRequest:
		return "ValidationException"
	case fault.FirstByteTimeout, fault.IdleTimeout, fault.TotalTimeout, fault.UpstreamTimeout, fault.DeadlineExceeded:
		return "ModelTimeoutException"
	case fault.ProviderKeyRejected: // the gateway's key, not the caller's
		return "InternalServerException"
	}
	switch {
	case status == 401 || status == 403:
		return "AccessDeniedException"
	case status == 404 || status == 410:
		return "ResourceNotFoundException"
	case status == 408 || status == 504:
		return "ModelTimeoutException"
	case status == 429:
		return "ThrottlingException"
	case status == 503 || status == 529:
		return "ServiceUnavailableException"
	case status >= 400 && status < 500:
		return "ValidationException"
	}
	return "InternalServerException"
}

// streamException is the exception for a frame: a stream has five, and what breaks in its middle is mostly the model's.
func streamException(kind fault.Kind, status int) string {
	switch kind {
	case fault.StreamError, fault.TruncatedStream, fault.MalformedStream, fault.ProviderError:
		return "modelStreamErrorException"
	}
	switch Exception(kind, status) {
	case "ThrottlingException", "ServiceQuotaExceededException":
		return "throttlingException"
	case "ServiceUnavailableException":
		return "serviceUnavailableException"
	case "ValidationException", "AccessDeniedException", "ResourceNotFoundException":
		return "validationException"
	case "ModelTimeoutException":
		return "modelStreamErrorException"
	}
	return "internalServerException"
}

// AppendModels appends a list as ListFoundationModels has it. The runtime has no such address; it is there for whoever
// shows the models of a caller of this dialect.
func (d Dialect) AppendModels(dst []byte, models []llm.Model) []byte {
	dst = append(dst, `{"modelSummaries":[`...)
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
	dst = append(dst, `{"modelId":`...)
	dst = jsonscan.Quote(dst, m.ID)
	dst = append(dst, `,"modelName":`...)
	dst = jsonscan.Quote(dst, m.ID)
	dst = append(dst, `,"providerName":`...)
	dst = jsonscan.Quote(dst, m.OwnedBy)
	return append(dst, `,"responseStreamingSupported":true}`...)
}
