package gemini

import (
	"strings"
	"time"

	"causeway/internal/fault"
	"causeway/internal/llm"
	"causeway/internal/llm/jsonscan"
)

// maxMessage bounds what is kept of a provider's message.
const maxMessage = 2 << 10

// ReadError says what a provider's error means: {"error":{"code","message","status","details"}}, alone or, where a
// stream of JSON was asked for, in an array of one. The longer of Retry-After and google.rpc.RetryInfo counts.
// Source: cloud.google.com/apis/design/errors, google/rpc/error_details.proto.
func (Dialect) ReadError(status int, header func(name string) string, body []byte, now time.Time) llm.ProviderError {
	e := readError(body, status)
	wait := e.RetryAfter
	e.ReadHeader(header, now)
	e.RetryAfter = max(e.RetryAfter, wait)
	return e
}

// refusal is what an error says.
type refusal struct {
	object  bool // "error" is an object
	code    int
	message string
	status  string // google.rpc.Code by name
	reason  string // of google.rpc.ErrorInfo
	field   string // of google.rpc.BadRequest
	quotas  string // the ids of google.rpc.QuotaFailure, in lower case, each with a blank behind it
	spent   bool   // a quota of nothing: the project has no such quota at all
	wait    time.Duration
}

// readError reads an error body or the error event of a stream. status is 0 for one that came inside a 200; then
// the status that the body names counts.
func readError(body []byte, status int) llm.ProviderError {
	var r refusal
	var scan jsonscan.Scanner
	scan.Reset(body)
	array := scan.Peek() == jsonscan.Array
	if array {
		for ok := scan.Array(); ok && scan.Element(); {
			r.body(&scan)
		}
	} else {
		r.body(&scan)
	}
	if !scan.Finished() {
		r = refusal{}
	}
	e := llm.ProviderError{
		Status: status, Message: r.message, Type: r.status, Code: r.reason, Param: r.field, RetryAfter: r.wait,
		Valid: r.object && r.message != "" && !array,
	}
	if status == 0 {
		e.Status = r.code
	}
	if !e.Valid {
		e.Problem = "no error of this API: " + llm.DescribeBody(body)
	}
	if e.Kind = classify(&e, &r); e.Kind == fault.ProviderKeyRejected {
		e.Message = withoutKeys(e.Message)
	}
	return e
}

// body reads the object that stands next.
func (r *refusal) body(scan *jsonscan.Scanner) {
	eachMember(scan, func(name string) bool {
		if name != "error" {
			return false
		}
		if scan.Peek() != jsonscan.Object {
			r.message = text(scan)
			return true
		}
		r.object = true
		eachMember(scan, r.word(scan))
		return true
	})
}

// word reads the members of "error".
func (r *refusal) word(scan *jsonscan.Scanner) func(name string) bool {
	return func(name string) bool {
		switch name {
		case "code":
			if n := count(scan); n >= 400 && n <= 599 {
				r.code = int(n)
			}
		case "message":
			r.message = text(scan)
		case "status":
			r.status = text(scan)
		case "details":
			eachElement(scan, func() { eachMember(scan, r.detail(scan)) })
		default:
			return false
		}
		return true
	}
}

// detail reads the members of one element of details. Their names do not repeat among the types that are
// known, so that the type need not be.
func (r *refusal) detail(scan *jsonscan.Scanner) func(name string) bool {
	return func(name string) bool {
		switch name {
		case "reason":
			r.reason = text(scan)
		case "retryDelay":
			if d, err := time.ParseDuration(text(scan)); err == nil && d > 0 && d <= 7*24*time.Hour {
				r.wait = d
			}
		case "violations":
			eachElement(scan, func() {
				eachMember(scan, func(name string) bool {
					switch name {
					case "quotaId", "subject":
						r.quotas += strings.ToLower(text(scan)) + " "
					case "quotaValue":
						r.spent = r.spent || text(scan) == "0"
					default:
						return false
					}
					return true
				})
			})
		case "fieldViolations":
			eachElement(scan, func() {
				eachMember(scan, func(name string) bool {
					if name != "field" || r.field != "" {
						return false
					}
					r.field = text(scan)
					return true
				})
			})
		default:
			return false
		}
		return true
	}
}

// eachMember calls read for each member of the object that stands next; read returns false for a member
// whose value it has not taken. A value of another kind is passed.
func eachMember(scan *jsonscan.Scanner, read func(name string) bool) {
	if scan.Peek() != jsonscan.Object {
		scan.Skip()
		return
	}
	var k jsonscan.Key
	for ok := scan.Object(); ok && scan.Member(&k); {
		if !read(string(k.Raw)) {
			scan.Skip()
		}
	}
}

// eachElement calls read for each element of the array that stands next, which it must pass.
func eachElement(scan *jsonscan.Scanner, read func()) {
	if scan.Peek() != jsonscan.Array {
		scan.Skip()
		return
	}
	for ok := scan.Array(); ok && scan.Element(); {
		read()
	}
}

// text passes a value and returns a string's text, "" for anything else, cut at maxMessage.
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

// withoutKeys takes the words out of a message that look like a credential of Google's: API keys begin with
// AIza, access tokens with ya29.
func withoutKeys(message string) string {
	words := strings.Split(message, " ")
	for i, w := range words {
		if strings.Contains(w, "AIza") || strings.Contains(w, "ya29.") || strings.Contains(w, "**") {
			words[i] = "[key]"
		}
	}
	return strings.Join(words, " ")
}
