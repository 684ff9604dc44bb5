package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/validation"

	"causeway/internal/identity"
)

// Problem is an error answer, RFC 9457.
type Problem struct {
	Type   string       `json:"type" example:"about:blank" doc:"What kind of problem this is. about:blank means that the status says it all."`
	Title  string       `json:"title" example:"Unprocessable Entity" doc:"The status in words."`
	Status int          `json:"status" example:"422" doc:"The HTTP status."`
	Detail string       `json:"detail" example:"status: must be a status such as 502, or a class such as 5xx" doc:"What is wrong with this request."`
	Errors []FieldError `json:"errors,omitempty" nullable:"false" doc:"The members and parameters that are wrong."`
	Advice []string     `json:"advice,omitempty" nullable:"false" doc:"What to do about it."`

	headers http.Header
}

// FieldError is one member or parameter that is wrong.
type FieldError struct {
	In      string `json:"in" enum:"body,query,path,header,cookie" example:"query" doc:"Which part of the request it is in."`
	Pointer string `json:"pointer" example:"#/status" doc:"JSON pointer (RFC 6901, as a URI fragment) to it within that part; parameters are the members of their part."`
	Detail  string `json:"detail" example:"must be a status such as 502, or a class such as 5xx" doc:"What is wrong, and what would be right."`
}

func (p *Problem) Error() string { return p.Detail }

// GetStatus implements huma.StatusError.
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders implements huma.HeadersError.
func (p *Problem) GetHeaders() http.Header { return p.headers }

// ContentType implements huma.ContentTypeFilter.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// complete fills in the members that follow from the others.
func (p *Problem) complete() *Problem {
	p.Type = "about:blank"
	p.Title = http.StatusText(p.Status)
	if p.Detail == "" {
		var b strings.Builder
		for i, e := range p.Errors {
			if i > 0 {
				b.WriteString("; ")
			}
			if name := strings.TrimPrefix(e.Pointer, "#/"); name != "#" {
				b.WriteString(name + ": ")
			}
			b.WriteString(e.Detail)
		}
		p.Detail = b.String()
	}
	return p
}

// writeProblem answers with p, for what stands before or beside huma.
func writeProblem(w http.ResponseWriter, p *Problem) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(p.complete()); err != nil {
		panic(err) // strings and numbers cannot fail to encode
	}
	h := w.Header()
	for name, values := range p.headers {
		h[name] = values
	}
	h.Set("Content-Type", p.ContentType(""))
	w.WriteHeader(p.Status)
	// An error here means that the client has left, and there is no one else to tell.
	_, _ = w.Write(b.Bytes())
}

// invalid is the problem of parameters or members that are wrong.
func invalid(errs ...FieldError) *Problem {
	return (&Problem{Status: http.StatusUnprocessableEntity, Errors: errs}).complete()
}

func notFound(detail string, advice ...string) *Problem {
	return (&Problem{Status: http.StatusNotFound, Detail: detail, Advice: advice}).complete()
}

// problem turns what a handler returned into what the client is told. What has no row here is a
// fault of ours: it is logged, and the client learns only that.
func (a *api) problem(ctx context.Context, err error) *Problem {
	var p *Problem
	var field *identity.InvalidError
	var throttled *identity.ThrottledError
	switch {
	case errors.As(err, &p):
		return p.complete()
	case errors.As(err, &field):
		return invalid(FieldError{In: "body", Pointer: pointer(field.Field), Detail: field.Text})
	case errors.As(err, &throttled):
		seconds := int64((throttled.RetryAfter + time.Second - 1) / time.Second)
		p = &Problem{
			Status:  http.StatusTooManyRequests,
			Detail:  "Too many failed sign-ins of this account from this address; the next one is allowed in " + strconv.FormatInt(seconds, 10) + " s.",
			headers: http.Header{"Retry-After": {strconv.FormatInt(seconds, 10)}},
		}
	case errors.Is(err, identity.ErrBusy):
		p = &Problem{
			Status:  http.StatusServiceUnavailable,
			Detail:  "Too many sign-ins are being checked at this moment; try again in a second.",
			headers: http.Header{"Retry-After": {"1"}},
		}
	case errors.Is(err, identity.ErrCredentials):
		p = &Problem{
			Status:  http.StatusUnauthorized,
			Detail:  "The user name or the password is wrong.",
			headers: http.Header{"Www-Authenticate": {challenge}},
			Advice: []string{
				"The first start of causeway created the account \"admin\": its password is the one in CAUSEWAY_ADMIN_PASSWORD at that time, or else was printed once.",
			},
		}
	case ctx.Err() != nil:
		// The client has left; the answer is for the log of a proxy between us at most.
		p = &Problem{Status: http.StatusServiceUnavailable, Detail: "The request was cancelled."}
	default:
		a.Log.ErrorContext(ctx, "admin request failed", "route", visitOf(ctx).route, "error", err)
		p = &Problem{
			Status: http.StatusInternalServerError,
			Detail: "Causeway could not do this; its log says why.",
			Advice: []string{"GET /readyz says whether the store can be reached."},
		}
	}
	return p.complete()
}

// transform is the huma transformer that turns the library's own error answers, which are made
// before a handler runs, into ours. The values that the library echoes are left out: one of them
// may be a password.
func transform(_ huma.Context, _ string, v any) (any, error) {
	e, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	p := &Problem{Status: e.Status}
	for _, d := range e.Errors {
		if d != nil {
			p.Errors = append(p.Errors, fieldError(d))
		}
	}
	switch {
	case e.Status == http.StatusUnsupportedMediaType:
		p.Errors = nil
		p.Detail = "The body must be JSON: send it with Content-Type: application/json."
	case len(p.Errors) == 0:
		p.Detail = e.Detail
	}
	return p.complete(), nil
}

// requiredBefore and requiredAfter are what stands round the name in the library's message about a
// missing member, whose location is that of the object it is missing in.
var requiredBefore, requiredAfter, _ = strings.Cut(validation.MsgExpectedRequiredProperty, "%s")

// fieldError translates "body.items[3].name" into {"in": "body", "pointer": "#/items/3/name"}.
func fieldError(d *huma.ErrorDetail) FieldError {
	in, path, _ := strings.Cut(d.Location, ".")
	e := FieldError{In: in, Pointer: pointer(path), Detail: d.Message}
	if what, ok := strings.CutPrefix(d.Message, "jsontext: "); ok {
		e.Detail = "The body is not valid JSON: " + what + "."
	}
	if name, ok := strings.CutPrefix(d.Message, requiredBefore); ok {
		if name, ok = strings.CutSuffix(name, requiredAfter); ok {
			e.Pointer += "/" + escapePointer(name)
			e.Detail = "is missing"
		}
	}
	return e
}

// pointer translates "items[3].name" into "#/items/3/name", and "" into "#", the whole.
func pointer(path string) string {
	if path == "" {
		return "#"
	}
	var b strings.Builder
	b.WriteByte('#')
	for part := range strings.SplitSeq(path, ".") {
		name, index, indexed := strings.Cut(part, "[")
		b.WriteByte('/')
		b.WriteString(escapePointer(name))
		for indexed {
			var n string
			n, index, indexed = strings.Cut(index, "[")
			b.WriteByte('/')
			b.WriteString(strings.TrimSuffix(n, "]"))
		}
	}
	return b.String()
}

// escapePointer escapes one reference token (RFC 6901 section 3).
func escapePointer(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "~", "~0"), "/", "~1")
}
