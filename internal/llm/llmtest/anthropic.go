package llmtest

import (
	"bytes"
	"net/http"
	"time"

	"causeway/internal/fault"
	"causeway/internal/journey"
	"causeway/internal/llm"
	"causeway/internal/llm/jsonscan"
)

// Anthropic is a test double: as much of Anthropic's Messages API as the suite touches (requests,
// answers, named events, errors). It differs from OpenAI's dialect in all that a design could
// mistake for common: events have names, usage comes in two parts and is never asked for, and the
// answer is whole only with its terminal event.
// Source: docs.anthropic.com, API reference, "Messages", "Streaming messages" and "Errors".
type Anthropic struct{}

var _ llm.Dialect = Anthropic{}

// Name is "anthropic".
func (Anthropic) Name() string { return "anthropic" }

// Routes has the one address.
func (Anthropic) Routes() []llm.Route {
	return []llm.Route{{Method: http.MethodPost, Path: "/v1/messages", Op: llm.Chat}}
}

// Lookup finds the operation of method and path.
func (Anthropic) Lookup(method, path string) (llm.Match, bool) {
	if path != "/v1/messages" {
		return llm.Match{}, false
	}
	if method != http.MethodPost {
		return llm.Match{Allow: http.MethodPost}, false
	}
	return llm.Match{Op: llm.Chat}, true
}

// Path is op's path below the root.
func (Anthropic) Path(llm.Operation) string { return "/v1/messages" }

// ReadRequest reads model and stream.
func (Anthropic) ReadRequest(req *llm.Request, match llm.Match, body []byte) error {
	*req = llm.Request{Op: match.Op, UsageAsked: true}
	var scan jsonscan.Scanner
	scan.Reset(body)
	m := llm.Enter(&scan, "", "model", "stream")
	for {
		index, ok := m.Next(&scan)
		if !ok {
			break
		}
		switch index {
		case 0:
			if problem := llm.ReadModel(&scan, req); problem != "" {
				m.Fail(index, problem)
			}
		case 1:
			req.Stream, _ = m.Flag(&scan, index)
		default:
			scan.Skip()
		}
	}
	if err := m.Err(&scan); err != nil {
		return err
	}
	if !m.Saw(0) {
		return &llm.RequestError{Pointer: "/model", Offset: len(body), Problem: "is missing"}
	}
	return nil
}

// object walks the object that stands next and calls read for each member; read returns false for
// a member that it has not taken. A value of another kind is skipped.
func object(scan *jsonscan.Scanner, read func(key []byte) bool) {
	if scan.Peek() != jsonscan.Object {
		scan.Skip()
		return
	}
	var k jsonscan.Key
	for ok := scan.Object(); ok && scan.Member(&k); {
		if !read(k.Raw) {
			scan.Skip()
		}
	}
}

func text(scan *jsonscan.Scanner) string {
	if scan.Peek() != jsonscan.String {
		scan.Skip()
		return ""
	}
	return string(jsonscan.Unquote(nil, scan.Inner()))
}

// usage reads a usage object over u: message_delta repeats only what has changed.
func usage(scan *jsonscan.Scanner, u *journey.Usage) {
	input, number := int64(-1), func() int64 { return jsonscan.Int(scan.Bytes(scan.Skip())) }
	object(scan, func(key []byte) bool {
		switch string(key) {
		case "input_tokens":
			input = number()
		case "output_tokens":
			u.Output = number()
		case "cache_read_input_tokens":
			u.Cached = number()
		case "cache_creation_input_tokens":
			u.CacheWrite = number()
		default:
			return false
		}
		return true
	})
	if input >= 0 { // Anthropic counts what its cache gave and took beside input_tokens
		u.Input = input + max(u.Cached, 0) + max(u.CacheWrite, 0)
	}
}

// ReadAnswer reads a message.
func (Anthropic) ReadAnswer(_ llm.Operation, body []byte) llm.Answer {
	a := llm.Answer{Usage: llm.NoUsage(), Kind: fault.IncompatibleResponse}
	var scan jsonscan.Scanner
	scan.Reset(body)
	object(&scan, func(key []byte) bool {
		switch string(key) {
		case "content":
			a.Kind = ""
			return false
		case "usage":
			usage(&scan, &a.Usage)
		case "stop_reason":
			a.Finish = reason(&scan)
		default:
			return false
		}
		return true
	})
	if !scan.Finished() || a.Kind != "" {
		return llm.Answer{Usage: a.Usage, Kind: fault.IncompatibleResponse, Problem: llm.DescribeBody(body)}
	}
	a.Usage.Source = "reported"
	return a
}

func reason(scan *jsonscan.Scanner) string {
	if scan.Peek() != jsonscan.String {
		scan.Skip()
		return ""
	}
	switch raw := scan.Inner(); string(raw) {
	case "end_turn":
		return "end_turn"
	case "tool_use":
		return "tool_use"
	default:
		return string(raw)
	}
}

// LongAnswer reads the member usage of the body.
func (Anthropic) LongAnswer(llm.Operation) *llm.LongAnswer {
	return llm.NewLongAnswer("usage", func(value []byte) journey.Usage {
		var scan jsonscan.Scanner
		scan.Reset(value)
		u := llm.NoUsage()
		usage(&scan, &u)
		return u
	})
}

// ReadError reads {"type":"error","error":{"type","message"}}.
func (Anthropic) ReadError(status int, header func(name string) string, body []byte, now time.Time) llm.ProviderError {
	e := readError(body)
	e.Status = status
	e.ReadHeader(header, now)
	return e
}

func readError(body []byte) (e llm.ProviderError) {
	var scan jsonscan.Scanner
	scan.Reset(body)
	object(&scan, func(key []byte) bool {
		if string(key) != "error" {
			return false
		}
		object(&scan, func(key []byte) bool {
			switch string(key) {
			case "type":
				e.Type = text(&scan)
			case "message":
				e.Message = text(&scan)
			default:
				return false
			}
			return true
		})
		return true
	})
	e.Valid = scan.Finished() && e.Type != "" && e.Message != ""
	if !e.Valid {
		e.Problem = llm.DescribeBody(body)
	}
	switch e.Type {
	case "overloaded_error":
		e.Kind = fault.Overloaded
	case "rate_limit_error":
		e.Kind = fault.ProviderRateLimited
	case "authentication_error", "permission_error":
		e.Kind = fault.ProviderKeyRejected
	case "not_found_error":
		e.Kind = fault.ModelNotFound
	case "invalid_request_error":
		if e.Kind = fault.ParameterRejected; bytes.Contains([]byte(e.Message), []byte("prompt is too long")) {
			e.Kind = fault.ContextTooLong
		}
	default:
		e.Kind = fault.ProviderError
	}
	return e
}

type judge struct{}

// Judge reads one event by its type, which its name repeats.
func (judge) Judge(st *llm.StreamState, ev llm.Event) llm.Action {
	var scan jsonscan.Scanner
	scan.Reset(ev.Data)
	if scan.Peek() != jsonscan.Object {
		return llm.Malformed
	}
	var kind []byte
	object(&scan, func(key []byte) bool {
		switch string(key) {
		case "type":
			kind = scan.Bytes(scan.Skip())
		case "usage":
			usage(&scan, &st.Usage)
		case "message":
			object(&scan, func(key []byte) bool {
				if string(key) == "usage" {
					usage(&scan, &st.Usage)
				}
				return string(key) == "usage"
			})
		case "delta":
			object(&scan, func(key []byte) bool {
				if string(key) == "stop_reason" {
					st.Finish = reason(&scan)
				}
				return string(key) == "stop_reason"
			})
		default:
			return false
		}
		return true
	})
	switch {
	case !scan.Finished():
		return llm.Malformed
	case string(kind) == `"error"`:
		st.Error = readError(ev.Data)
		return llm.Fail
	case string(kind) == `"message_stop"`:
		st.Done = true
	case string(kind) == `"content_block_delta"`:
		st.Content = true
	}
	return llm.Pass
}

// NewStream follows a streamed message; there is nothing to strip.
func (Anthropic) NewStream(llm.Operation, bool) *llm.Stream { return llm.NewStream(judge{}, 0) }

// AppendError appends an error body.
func (Anthropic) AppendError(dst []byte, f *llm.Failure) []byte {
	dst = append(dst, `{"type":"error","error":{"type":"api_error","message":`...)
	dst = jsonscan.Quote(dst, f.Message())
	dst = append(dst, `,"causeway":`...)
	dst = llm.AppendLine(dst, f.Members)
	return append(dst, `}}`...)
}

// AppendErrorEvent appends the event "error".
func (d Anthropic) AppendErrorEvent(dst []byte, _ llm.Operation, f *llm.Failure, _ *llm.StreamState) []byte {
	dst = append(dst, "event: error\ndata: "...)
	dst = d.AppendError(dst, f)
	return append(dst, "\n\n"...)
}

// AppendModels appends the list of models.
func (d Anthropic) AppendModels(dst []byte, models []llm.Model) []byte {
	dst = append(dst, `{"data":[`...)
	for i, m := range models {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = d.AppendModel(dst, m)
	}
	return append(dst, `],"has_more":false}`...)
}

// AppendModel appends one model.
func (Anthropic) AppendModel(dst []byte, m llm.Model) []byte {
	dst = append(dst, `{"type":"model","id":`...)
	dst = jsonscan.Quote(dst, m.ID)
	return append(dst, '}')
}
