package ollama

import (
	"strings"
	"time"

	"causeway/internal/fault"
	"causeway/internal/llm"
	"causeway/internal/llm/jsonscan"
)

// maxMessage bounds what is kept of a provider's message.
const maxMessage = 2 << 10

// ReadError says what {"error":"..."} means.
func (Dialect) ReadError(status int, header func(name string) string, body []byte, now time.Time) llm.ProviderError {
	e := readError(body, status)
	e.ReadHeader(header, now)
	return e
}

// readError reads an error body or a line with an error. status is 0 for one that came inside a 200. An object
// under error is what Ollama's OpenAI-compatible addresses send: its message counts, but the clients of
// this API cannot read it.
func readError(body []byte, status int) llm.ProviderError {
	e := llm.ProviderError{Status: status}
	text := false
	var scan jsonscan.Scanner
	scan.Reset(body)
	if scan.Peek() != jsonscan.Object {
		scan.Skip()
	} else {
		var k jsonscan.Key
		for ok := scan.Object(); ok && scan.Member(&k); {
			if !k.Is("error") {
				scan.Skip()
				continue
			}
			if text = scan.Peek() == jsonscan.String; text || scan.Peek() != jsonscan.Object {
				e.Message = valueText(&scan)
				continue
			}
			for ok := scan.Object(); ok && scan.Member(&k); {
				if value := valueText(&scan); k.Is("message") {
					e.Message = value
				}
			}
		}
	}
	if !scan.Finished() {
		e.Message = ""
	}
	if e.Valid = text && e.Message != ""; !e.Valid {
		e.Problem = "no error of this API: " + llm.DescribeBody(body)
	}
	e.Kind = classify(&e)
	return e
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

// classify chooses the kind of an error by its sentence, since that is all there is, and by its status. Each
// sentence has a fixture in testdata/errors.jsonl.
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
	refused := e.Status == 0 || e.Status >= 400 && e.Status < 500
	switch {
	case e.Status == 402 || has("usage limit"): // Ollama's cloud: session, hourly and weekly limits of the plan
		return fault.QuotaExhausted
	case e.Status == 429:
		return fault.ProviderRateLimited
	case e.Status == 401 || e.Status == 403 || refused && has("unauthorized"):
		return fault.ProviderKeyRejected
	case refused && has("context length", "prompt too long", "context window", "input length exceeds"):
		return fault.ContextTooLong
	case has("requires more system memory", "server busy", "server overloaded", "maximum pending requests"):
		return fault.Overloaded
	case refused && has("does not support"): // tools, thinking, images, chat
		return fault.ParameterRejected
	case refused && has("model") && has("not found", "try pulling", "invalid model name", "no longer available", "was retired"):
		return fault.ModelNotFound
	}
	switch s := e.Status; {
	case s == 413:
		return fault.ContextTooLong
	case s == 503 || s == 529:
		return fault.Overloaded
	case s == 0 || s == 408 || s >= 500:
		return fault.ProviderError
	case e.Message == "" || s == 404 && !e.Valid: // not from the API: a wrong base URL, a login page, a firewall
		return fault.IncompatibleResponse
	case s >= 400:
		return fault.ParameterRejected
	}
	return fault.IncompatibleResponse
}

// AppendError appends {"error":"..."}. The message is a text, since the clients show what stands there; the
// gateway's members stand beside it.
func (Dialect) AppendError(dst []byte, f *llm.Failure) []byte {
	dst = append(dst, `{"error":`...)
	dst = jsonscan.Quote(dst, f.Message())
	if f.Members != nil {
		dst = append(dst, `,"causeway":`...)
		dst = llm.AppendLine(dst, f.Members)
	}
	return append(dst, '}')
}

// AppendErrorEvent appends the line with the error, which the clients throw.
func (d Dialect) AppendErrorEvent(dst []byte, _ llm.Operation, f *llm.Failure, _ *llm.StreamState) []byte {
	return append(d.AppendError(dst, f), '\n')
}
