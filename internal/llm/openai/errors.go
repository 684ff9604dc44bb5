package openai

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

// ReadError says what a provider's error means. It reads OpenAI's shape and those of the vendors
// that call themselves compatible: Mistral's and FastAPI's {"detail"}, {"object":"error"}, a bare
// {"error":"text"}, and Gemini's array of one error.
func (Dialect) ReadError(status int, header func(name string) string, body []byte, now time.Time) llm.ProviderError {
	e := readError(body, status)
	e.ReadHeader(header, now)
	return e
}

// readError reads an error body or error event. status is 0 for one that came inside a 200; then
// the status that the body names counts.
func readError(body []byte, status int) llm.ProviderError {
	var r errorReader
	var scan jsonscan.Scanner
	scan.Reset(body)
	array := scan.Peek() == jsonscan.Array
	switch scan.Peek() {
	case jsonscan.Object:
		r.body(&scan)
	case jsonscan.Array: // Gemini's compatible API
		for ok := scan.Array(); ok && scan.Element(); {
			if scan.Peek() == jsonscan.Object {
				r.body(&scan)
			} else {
				scan.Skip()
			}
		}
	default:
		scan.Skip()
	}
	if !scan.Finished() {
		r = errorReader{}
	}
	e := llm.ProviderError{
		Status:  cmp.Or(status, r.status),
		Message: cmp.Or(r.inside.message, r.outside.message, r.detail),
		Type:    cmp.Or(r.inside.typ, r.inside.status, r.outside.typ, r.outside.status),
		Code:    cmp.Or(r.innerCode, r.inside.code, r.outside.code),
		Param:   cmp.Or(r.inside.param, r.outside.param),
		Valid:   r.object && r.inside.message != "" && !array,
	}
	if !e.Valid {
		e.Problem = "no error of this API: " + llm.DescribeBody(body)
	}
	if e.Kind = r.base; e.Kind == "" {
		e.Kind = classify(&e)
	}
	if e.Kind == fault.ProviderKeyRejected {
		e.Message = withoutKeys(e.Message)
	}
	return e
}

// errorReader gathers what an error says.
type errorReader struct {
	inside    errorWords // of the object "error", OpenAI's shape
	outside   errorWords // of the outermost object, Mistral's and xAI's
	object    bool       // "error" is an object
	innerCode string     // Azure: error.innererror.code says it more exactly
	detail    string     // FastAPI
	status    int        // the HTTP status that a numeric code names
	base      fault.Kind // what MiniMax's base_resp says
}

type errorWords struct{ message, typ, status, code, param string }

// body reads the outermost object.
func (r *errorReader) body(scan *jsonscan.Scanner) {
	var k jsonscan.Key
	for ok := scan.Object(); ok && scan.Member(&k); {
		switch {
		case k.Is("error"):
			r.errorMember(scan)
		case k.Is("response") && scan.Peek() == jsonscan.Object: // response.failed: the error is the response's
			for ok := scan.Object(); ok && scan.Member(&k); {
				if k.Is("error") {
					r.errorMember(scan)
				} else {
					scan.Skip()
				}
			}
		case k.Is("detail"):
			r.detail = valueText(scan)
		case k.Is("base_resp"): // MiniMax
			r.baseMember(scan)
		default:
			r.word(&r.outside, scan, &k)
		}
	}
}

// baseMember reads MiniMax's base_resp: {"status_code":1008,"status_msg":"insufficient balance"}, mostly inside a 200. Other
// vendors give the same numbers other meanings. It returns false for the code 0, which is no error.
// Source: platform.minimax.io/docs/api-reference/errorcode.
func (r *errorReader) baseMember(scan *jsonscan.Scanner) bool {
	if scan.Peek() != jsonscan.Object {
		scan.Skip()
		return false
	}
	var code, message string
	var k jsonscan.Key
	for ok := scan.Object(); ok && scan.Member(&k); {
		switch value := valueText(scan); {
		case k.Is("status_code"):
			code = value
		case k.Is("status_msg"):
			message = value
		}
	}
	if code == "" || code == "0" {
		return false
	}
	r.outside.code, r.outside.message = code, message
	switch code {
	case "1002", "2045", "2056":
		r.base = fault.ProviderRateLimited
	case "1004", "2049":
		r.base = fault.ProviderKeyRejected
	case "1008":
		r.base = fault.QuotaExhausted
	case "1026", "1027":
		r.base = fault.ContentRefused
	case "1039":
		r.base = fault.ContextTooLong
	case "2013":
		r.base = fault.ParameterRejected
	default:
		r.base = fault.ProviderError
	}
	return true
}

// errorMember reads the value of "error": an object, or a bare text.
func (r *errorReader) errorMember(scan *jsonscan.Scanner) {
	if scan.Peek() != jsonscan.Object {
		r.inside.message = valueText(scan)
		return
	}
	r.object = true
	var k jsonscan.Key
	for ok := scan.Object(); ok && scan.Member(&k); {
		if !k.Is("innererror") || scan.Peek() != jsonscan.Object {
			r.word(&r.inside, scan, &k)
			continue
		}
		for ok := scan.Object(); ok && scan.Member(&k); {
			if code := valueText(scan); k.Is("code") {
				r.innerCode = code
			}
		}
	}
}

// word reads one member into w.
func (r *errorReader) word(w *errorWords, scan *jsonscan.Scanner, k *jsonscan.Key) {
	switch string(k.Raw) {
	case "message":
		w.message = valueText(scan)
	case "type":
		w.typ = valueText(scan)
	case "status":
		kind := scan.Peek()
		if text := valueText(scan); kind == jsonscan.String { // Gemini's word; a number elsewhere
			w.status = text
		}
	case "param":
		w.param = valueText(scan)
	case "code":
		kind := scan.Peek()
		w.code = valueText(scan)
		if n := jsonscan.Int([]byte(w.code)); kind == jsonscan.Number && n >= 400 && n <= 599 {
			r.status = int(n)
		}
	default:
		scan.Skip()
	}
}

// valueText passes a value and returns a string's text, "" for null, and the JSON of anything
// else, cut at maxMessage.
func valueText(scan *jsonscan.Scanner) string {
	var raw []byte
	switch scan.Peek() {
	case jsonscan.String:
		raw = jsonscan.Unquote(nil, scan.Inner())
	case jsonscan.Null:
		scan.Skip()
		return ""
	default:
		raw = scan.Bytes(scan.Skip())
	}
	if len(raw) > maxMessage {
		return strings.ToValidUTF8(string(raw[:maxMessage]), "")
	}
	return string(raw)
}

// withoutKeys takes out of a message the words that quote a credential: OpenAI writes "Incorrect
// API key provided: sk-ab***yz.", and a short key whole.
func withoutKeys(message string) string {
	words := strings.Split(message, " ")
	for i, w := range words {
		quoted := i > 0 && (strings.HasSuffix(words[i-1], "provided:") || strings.HasSuffix(words[i-1], "key:"))
		if quoted || strings.Contains(w, "**") || strings.HasPrefix(w, "sk-") {
			words[i] = "[key]"
		}
	}
	return strings.Join(words, " ")
}
