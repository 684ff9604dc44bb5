package cohere

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

// ReadError says what an error of Cohere's means: {"id","message"}, of some with an error_type.
func (Dialect) ReadError(status int, header func(name string) string, body []byte, now time.Time) llm.ProviderError {
	e := readError(body, status)
	id := e.RequestID
	e.ReadHeader(header, now)
	e.RequestID = cmp.Or(id, header("x-debug-trace-id"), e.RequestID)
	return e
}

// readError reads an error body, or the message-end of a stream that failed. status is 0 for one that came
// inside a 200.
func readError(body []byte, status int) llm.ProviderError {
	e := llm.ProviderError{Status: status}
	inner, delta := "", ""
	var scan jsonscan.Scanner
	scan.Reset(body)
	if scan.Peek() != jsonscan.Object {
		scan.Skip()
	} else {
		var k jsonscan.Key
		for ok := scan.Object(); ok && scan.Member(&k); {
			switch string(k.Raw) {
			case "message":
				e.Message = valueText(&scan)
			case "id":
				e.RequestID = valueText(&scan)
			case "error_type":
				e.Type = valueText(&scan)
			case "error":
				inner = messageIn(&scan, "message")
			case "delta":
				delta = messageIn(&scan, "error")
			default:
				scan.Skip()
			}
		}
	}
	valid := scan.Finished()
	if !valid {
		e = llm.ProviderError{Status: status}
	} else if e.Message = cmp.Or(e.Message, inner, delta); e.Message == "" {
		valid = false
	}
	if e.Valid = valid; !valid {
		e.Problem = "no error of this API: " + llm.DescribeBody(body)
	}
	e.Kind = classify(&e)
	if e.Kind == fault.ProviderKeyRejected {
		e.Message = withoutKeys(e.Message)
	}
	return e
}

// messageIn passes a value: of an object it returns the text of the member name, else its own text.
func messageIn(scan *jsonscan.Scanner, name string) (text string) {
	if scan.Peek() != jsonscan.Object {
		return valueText(scan)
	}
	var k jsonscan.Key
	for ok := scan.Object(); ok && scan.Member(&k); {
		if k.Is(name) {
			text = valueText(scan)
			continue
		}
		scan.Skip()
	}
	return text
}

// valueText passes a value and returns a string's text, cut at maxMessage; "" for anything else.
func valueText(scan *jsonscan.Scanner) string {
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

// withoutKeys takes out of a message the words that quote a credential: "Incorrect API key provided: x."
func withoutKeys(message string) string {
	words := strings.Split(message, " ")
	for i, w := range words {
		if i > 0 && strings.HasSuffix(words[i-1], "provided:") || strings.Contains(w, "**") {
			words[i] = "[key]"
		}
	}
	return strings.Join(words, " ")
}

// classify chooses the kind of an error by its error_type, by its sentence and by its status. The sentences
// are those of docs.cohere.com/reference/errors and of recorded answers; each has a fixture in
// testdata/errors.jsonl.
func classify(e *llm.ProviderError) fault.Kind {
	m := strings.ToLower(e.Message)
	has := func(parts ...string) bool {
		for _, part := range parts {
			if strings.Contains(m, part) {
				return true
			}
		}
		return false
	}
	switch {
	case e.Status == 402:
		return fault.QuotaExhausted
	case e.Type == "TOO_MANY_TOKENS":
		return fault.ContextTooLong
	case e.Status == 429:
		// "... a Trial key, which is limited to 1000 API calls / month": waiting a minute does not help.
		if has("/ month", "per month", "monthly") {
			return fault.QuotaExhausted
		}
		return fault.ProviderRateLimited
	case e.Status == 498: // the documentation calls it both invalid token and unsafe request: a blocked word
		return fault.ContentRefused
	case e.Status == 401:
		return fault.ProviderKeyRejected
	case refused(e.Status) && has("max tokens must be less than", "max_tokens"):
		return fault.ParameterRejected
	case refused(e.Status) && has("too many tokens", "context length", "maximum context"):
		return fault.ContextTooLong
	case refused(e.Status) && has("api key", "api token", "no api token"):
		return fault.ProviderKeyRejected
	case refused(e.Status) && has("model") && has("not found", "was removed", "not exist", "is not available", "deprecated"):
		return fault.ModelNotFound
	case refused(e.Status) && has("blocked", "usage guidelines", "unsafe"):
		return fault.ContentRefused
	}
	return byStatus(e)
}

func refused(status int) bool { return status == 0 || status >= 400 && status < 500 }

// byStatus is the rule where nothing more is known.
func byStatus(e *llm.ProviderError) fault.Kind {
	switch s := e.Status; {
	case s == 413:
		return fault.ContextTooLong
	case s == 503 || s == 529:
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

// AppendError appends {"id","message"} with the members of the gateway under error.causeway. Cohere's SDKs
// choose the exception by the status alone and give the body to the program.
func (Dialect) AppendError(dst []byte, f *llm.Failure) []byte {
	dst = append(dst, `{"id":`...)
	dst = jsonscan.Quote(dst, f.CallID)
	dst = append(dst, `,"message":`...)
	dst = jsonscan.Quote(dst, f.Message())
	return append(appendDetails(dst, f), '}')
}

func appendDetails(dst []byte, f *llm.Failure) []byte {
	dst = append(dst, `,"error":{"message":`...)
	dst = jsonscan.Quote(dst, f.Message())
	dst = append(dst, `,"type":"`...)
	dst = append(dst, f.Kind...)
	dst = append(dst, `","param":`...)
	if f.Param == "" {
		dst = append(dst, "null"...)
	} else {
		dst = jsonscan.Quote(dst, f.Param)
	}
	if f.Members != nil {
		dst = append(dst, `,"causeway":`...)
		dst = llm.AppendLine(dst, f.Members)
	}
	return append(dst, '}')
}

// AppendErrorEvent appends the message-end of an answer that failed: finish reason ERROR, and the message in
// delta.error. That is the API's one word for it; no "[DONE]" follows.
func (Dialect) AppendErrorEvent(dst []byte, _ llm.Operation, f *llm.Failure, _ *llm.StreamState) []byte {
	dst = append(dst, "event: message-end\ndata: {\"type\":\"message-end\",\"delta\":{\"error\":"...)
	dst = jsonscan.Quote(dst, f.Message())
	dst = append(dst, `,"finish_reason":"ERROR"}`...)
	return append(appendDetails(dst, f), "}\n\n"...)
}

// AppendModels appends the list of models, as GET /v1/models has it.
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

// AppendModel appends one model.
func (Dialect) AppendModel(dst []byte, m llm.Model) []byte {
	dst = append(dst, `{"name":`...)
	dst = jsonscan.Quote(dst, m.ID)
	return append(dst, `,"endpoints":["chat"],"features":null,"default_endpoints":[]}`...)
}
