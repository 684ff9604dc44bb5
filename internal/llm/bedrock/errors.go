package bedrock

import (
	"cmp"
	"strings"
	"time"

	"causeway/internal/fault"
	"causeway/internal/llm"
	"causeway/internal/llm/jsonscan"
)

// maxMessage bounds what is kept of a provider's message.
const maxMessage = 2 << 10

// ReadError reads {"message": ...}; the exception's name stands in the header x-amzn-errortype, else in the member __type or
// code, each perhaps with a namespace before # and an address behind a colon.
// Source: smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html, "Operation error serialization".
func (Dialect) ReadError(status int, header func(name string) string, body []byte, now time.Time) llm.ProviderError {
	e := readError(body, header("x-amzn-errortype"), status)
	e.ReadHeader(header, now)
	return e
}

// readError reads an error body or the payload of an exception. typ is the exception's name where something other than the
// body says it. status is 0 for one that came inside a 200.
func readError(body []byte, typ string, status int) llm.ProviderError {
	var text, inner, bodyType, code string
	var scan jsonscan.Scanner
	scan.Reset(body)
	object := scan.Peek() == jsonscan.Object
	if object {
		var k jsonscan.Key
		for ok := scan.Object(); ok && scan.Member(&k); {
			switch string(k.Raw) {
			case "message", "Message":
				text = cmp.Or(text, stringOf(&scan))
			case "originalMessage": // of ModelStreamErrorException: what the model said
				inner = stringOf(&scan)
			case "__type":
				bodyType = stringOf(&scan)
			case "code", "Code":
				code = stringOf(&scan)
			default:
				scan.Skip()
			}
		}
	} else {
		scan.Skip()
	}
	whole := object && scan.Finished()
	e := llm.ProviderError{Status: status}
	if whole {
		e.Message, e.Type = cmp.Or(text, inner), exceptionName(cmp.Or(typ, bodyType, code))
		if inner != "" && !strings.Contains(e.Message, inner) {
			e.Message += " (" + inner + ")"
		}
	} else {
		e.Type = exceptionName(typ)
	}
	if e.Valid = whole && (e.Message != "" || e.Type != ""); !e.Valid {
		e.Problem = "no error of this API: " + llm.DescribeBody(body)
	}
	e.Kind = classify(&e)
	if e.Kind == fault.ProviderKeyRejected {
		e.Message = withoutSecrets(e.Message)
	}
	return e
}

// exceptionName takes the name out of com.amazon.coral.service#UnrecognizedClientException:http://internal.amazon.com/...
func exceptionName(s string) string {
	s, _, _ = strings.Cut(s, ",")
	s, _, _ = strings.Cut(s, ":")
	if _, after, found := strings.Cut(s, "#"); found {
		s = after
	}
	return strings.TrimSpace(s)
}

// stringOf passes a value and returns a string's text, cut at maxMessage; "" for anything else.
func stringOf(scan *jsonscan.Scanner) string {
	if scan.Peek() != jsonscan.String {
		scan.Skip()
		return ""
	}
	raw := jsonscan.Unquote(nil, scan.Inner())
	if len(raw) > maxMessage {
		return strings.ToValidUTF8(string(raw[:maxMessage]), "")
	}
	return string(raw)
}

// withoutSecrets takes out of a message what says how the request was signed: InvalidSignatureException quotes the canonical
// request, a session token among it, and other messages the access key.
func withoutSecrets(message string) string {
	if i := strings.Index(message, "The Canonical String"); i >= 0 {
		message = strings.TrimSpace(message[:i])
	}
	words := strings.Fields(message)
	for i, w := range words {
		bare := strings.Trim(w, `'".,:;()`)
		key := len(bare) >= 16 && (strings.HasPrefix(bare, "AKIA") || strings.HasPrefix(bare, "ASIA"))
		if key || strings.HasPrefix(bare, "ABSK") || strings.HasPrefix(bare, "bedrock-api-key-") {
			words[i] = "[key]"
		}
	}
	return strings.Join(words, " ")
}

// classify chooses the kind of an error: by its exception and, where one exception stands for several things, its message,
// else by its status. Each has a fixture in the tests.
func classify(e *llm.ProviderError) fault.Kind {
	m := strings.ToLower(e.Message)
	name := e.Type
	if name != "" && name[0] >= 'a' && name[0] <= 'z' { // in a stream: throttlingException
		name = string(name[0]-'a'+'A') + name[1:]
	}
	switch name {
	case "ThrottlingException", "TooManyRequestsException", "ProvisionedThroughputExceededException":
		return fault.ProviderRateLimited
	case "ServiceQuotaExceededException":
		return fault.QuotaExhausted
	case "ServiceUnavailableException", "ServiceUnavailable", "ModelNotReadyException":
		return fault.Overloaded
	case "ExpiredTokenException", "ExpiredToken", "UnrecognizedClientException", "InvalidSignatureException", "SignatureDoesNotMatch",
		"IncompleteSignature", "IncompleteSignatureException", "InvalidClientTokenId", "MissingAuthenticationToken",
		"MissingAuthenticationTokenException", "NotAuthorized", "OptInRequired", "RequestExpired":
		return fault.ProviderKeyRejected
	case "AccessDeniedException", "AccessDenied":
		return ofAccess(m)
	case "ResourceNotFoundException":
		return fault.ModelNotFound
	case "ValidationException", "ValidationError":
		return ofValidation(m)
	case "InternalServerException", "InternalFailure", "ModelErrorException", "ModelStreamErrorException", "ModelTimeoutException":
		return fault.ProviderError
	case "UnknownOperationException": // the address is of no operation: a wrong base URL
		return fault.IncompatibleResponse
	}
	switch s := e.Status; {
	case s == 401 || s == 403 && e.Valid:
		return ofAccess(m)
	case s == 404 && e.Valid:
		return fault.ModelNotFound
	case s == 413:
		return fault.ContextTooLong
	case s == 429:
		return fault.ProviderRateLimited
	case s == 503:
		return fault.Overloaded
	case s == 0 || s == 408 || s == 424 || s >= 500:
		return fault.ProviderError
	case s >= 400 && e.Valid:
		return ofValidation(m)
	}
	return fault.IncompatibleResponse // a login page, a firewall
}

// ofAccess reads the sentence of an AccessDeniedException, in lower case.
func ofAccess(m string) fault.Kind {
	switch {
	case has(m, "payment_instrument"): // of the account at the marketplace of models
		return fault.QuotaExhausted
	case has(m, "access to the model") || has(m, "model access is denied"):
		return fault.ModelNotFound
	case has(m, "unsupported countries") || has(m, "unsupported country"):
		return fault.RegionBlocked
	}
	return fault.ProviderKeyRejected
}

// ofValidation reads the sentence of a ValidationException, in lower case.
func ofValidation(m string) fault.Kind {
	switch {
	case has(m, "input is too long") || has(m, "input tokens exceeded") || has(m, "too many input tokens") || has(m, "prompt is too long") ||
		has(m, "context length") || has(m, "context window") || has(m, "exceed context limit") || has(m, "exceeds maximum length"):
		return fault.ContextTooLong
	case has(m, "model identifier is invalid") || has(m, "model id") && has(m, "on-demand throughput") || has(m, "model isn't supported") ||
		has(m, "end of its life"):
		return fault.ModelNotFound
	case has(m, "unsupported countries"):
		return fault.RegionBlocked
	case has(m, "operation not allowed"): // the account may not use Bedrock
		return fault.ProviderKeyRejected
	case has(m, "blocked by our content filters") || has(m, "content filtering policy"):
		return fault.ContentRefused
	}
	return fault.ParameterRejected
}

func has(text, part string) bool { return strings.Contains(text, part) }
