package anthropic

import (
	"strings"
	"time"

	"causeway/internal/fault"
	"causeway/internal/llm"
	"causeway/internal/llm/jsonscan"
)

// maxMessage bounds what is kept of a provider's message.
const maxMessage = 2 << 10

// ReadError says what a provider's error means: {"type":"error","error":{"type","message","details"},
// "request_id"}, or another shape from what stands before it.
func (Dialect) ReadError(status int, header func(name string) string, body []byte, now time.Time) llm.ProviderError {
	e := readError(body, status)
	named := e.RequestID
	e.ReadHeader(header, now)
	if id := header("request-id"); id != "" {
		e.RequestID = id
	} else if named != "" {
		e.RequestID = named
	}
	if e.RetryAfter == 0 {
		e.RetryAfter = resetAfter(header, now)
	}
	return e
}

// limits are what Anthropic limits, as its header fields name it.
// Source: docs.claude.com/en/api/rate-limits#response-headers.
var limits = [...]string{"requests", "tokens", "input-tokens", "output-tokens"}

// resetAfter is the time to the last reset, an RFC 3339 time, of the limits that are spent; 0 when none is.
func resetAfter(header func(name string) string, now time.Time) (wait time.Duration) {
	for _, limit := range limits {
		if header("anthropic-ratelimit-"+limit+"-remaining") != "0" {
			continue
		}
		at, err := time.Parse(time.RFC3339, header("anthropic-ratelimit-"+limit+"-reset"))
		if err != nil {
			continue
		}
		if d := at.Sub(now); d > wait && d <= 7*24*time.Hour {
			wait = d
		}
	}
	return wait
}

// readError reads an error body or error event. status is 0 for one that came inside a 200.
func readError(body []byte, status int) llm.ProviderError {
	e := llm.ProviderError{Status: status}
	var outer, id, code string
	var scan jsonscan.Scanner
	scan.Reset(body)
	object := scan.Peek() == jsonscan.Object
	if !object {
		scan.Skip()
	} else {
		var k jsonscan.Key
		for ok := scan.Object(); ok && scan.Member(&k); {
			switch string(k.Raw) {
			case "type":
				outer = text(&scan)
			case "request_id":
				id = text(&scan)
			case "error":
				code = readErrorObject(&scan, &e)
			default:
				scan.Skip()
			}
		}
	}
	if !scan.Finished() {
		e, outer, id, code = llm.ProviderError{Status: status}, "", "", ""
	}
	e.RequestID, e.Code = id, code
	e.Valid = outer == "error" && e.Type != "" && e.Message != ""
	if !e.Valid {
		e.Problem = "no error of this API: " + llm.DescribeBody(body)
	}
	if e.Kind = classify(&e); e.Kind == fault.ProviderKeyRejected {
		e.Message = withoutKeys(e.Message)
	}
	return e
}

// readErrorObject reads the value of "error" into e and returns the code in its details.
func readErrorObject(scan *jsonscan.Scanner, e *llm.ProviderError) (code string) {
	if scan.Peek() != jsonscan.Object {
		e.Message = text(scan)
		return ""
	}
	var k jsonscan.Key
	for ok := scan.Object(); ok && scan.Member(&k); {
		switch string(k.Raw) {
		case "type":
			e.Type = text(scan)
		case "message":
			e.Message = text(scan)
		case "details":
			code = readErrorCode(scan)
		default:
			scan.Skip()
		}
	}
	return code
}

func readErrorCode(scan *jsonscan.Scanner) (code string) {
	if scan.Peek() != jsonscan.Object {
		scan.Skip()
		return ""
	}
	var k jsonscan.Key
	for ok := scan.Object(); ok && scan.Member(&k); {
		if k.Is("error_code") {
			code = text(scan)
			continue
		}
		scan.Skip()
	}
	return code
}

// text passes a value and returns a string's text, cut at maxMessage; "" for anything else.
func text(scan *jsonscan.Scanner) string {
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

// withoutKeys takes out of a message the words that look like a credential.
func withoutKeys(message string) string {
	words := strings.Split(message, " ")
	for i, w := range words {
		if strings.Contains(w, "sk-") || strings.Contains(w, "**") {
			words[i] = "[key]"
		}
	}
	return strings.Join(words, " ")
}
