package llm

import (
	"slices"
	"strconv"
	"strings"

	"causeway/internal/llm/jsonscan"
)

// Edit replaces the bytes At of a body by Text; an empty At inserts.
type Edit struct {
	At   jsonscan.Span
	Text string
}

// Request is what we read of a request. Its slices alias the body it was read from.
type Request struct {
	Op      Operation
	Model   []byte        // the model's name, unescaped
	ModelAt jsonscan.Span // the place of its value in the body, quotes included; zero when the address names it
	Stream  bool
	// UsageAsked tells that a stream will report its usage to the caller without our doing: the
	// caller asked for it, or the dialect always reports it.
	UsageAsked bool
	// AskUsage is the change that makes a stream report its usage. Its Text is empty where nothing
	// need be changed, or where what the caller wrote leaves no place for it.
	AskUsage Edit
	// Asked tells that Rename has made that change in the body itself.
	Asked bool
	// Also are the places of more strings that name the model, in order, each as Gemini's bodies do:
	// "models/NAME". With them ModelAt and AskUsage are zero.
	Also []jsonscan.Span
	// Verbatim: the model stands in a form, where it is not quoted. Model does not alias the body then.
	Verbatim bool
}

// Rewrite appends to dst the body with the model named model and, with ask, with the request for
// usage; every other byte stays as it was. body must be the one that r was read from. Where nothing
// changes it appends body itself. It allocates only when dst has no room.
func (r *Request) Rewrite(dst, body []byte, model string, ask bool) []byte {
	if len(r.Also) > 0 {
		return r.renameAll(dst, body, model)
	}
	ask = ask && r.AskUsage.Text != ""
	rename := r.ModelAt.To > 0 && string(r.Model) != model
	from := 0
	if ask && r.AskUsage.At.From < r.ModelAt.From {
		dst, from = r.AskUsage.apply(dst, body, from), r.AskUsage.At.To
		ask = false
	}
	if rename {
		dst = append(dst, body[from:r.ModelAt.From]...)
		if from = r.ModelAt.To; r.Verbatim {
			dst = append(dst, model...)
		} else {
			dst = jsonscan.Quote(dst, model)
		}
	}
	if ask {
		dst, from = r.AskUsage.apply(dst, body, from), r.AskUsage.At.To
	}
	return append(dst, body[from:]...)
}

// Rename writes the model's new name, and with ask the request for usage, into a body in place: what is moved is the
// shorter of what stands before and behind, so that a file of megabytes stays where it is. It returns the body as it is
// now, a part of the old one's memory or, where that has no room for what comes in addition, a copy; r tells of the
// new one. Whatever else aliases the body is wrong afterwards.
func (r *Request) Rename(body []byte, model string, ask bool) []byte {
	if string(r.Model) != model && r.ModelAt.To > 0 {
		text := []byte(model)
		if !r.Verbatim {
			text = jsonscan.Quote(nil, model)
		}
		more := len(text) - r.ModelAt.Len()
		body = splice(body, r.ModelAt, text)
		if r.AskUsage.At.From > r.ModelAt.From {
			r.AskUsage.At.From += more
			r.AskUsage.At.To += more
		}
		r.ModelAt.To += more
		r.Model = []byte(model)
	}
	if ask && r.AskUsage.Text != "" {
		at := r.AskUsage.At
		body = splice(body, at, []byte(r.AskUsage.Text))
		if more := len(r.AskUsage.Text) - at.Len(); at.From < r.ModelAt.From {
			r.ModelAt.From += more
			r.ModelAt.To += more
		}
		r.AskUsage, r.Asked = Edit{}, true
	}
	return body
}

// splice puts text in the place of at.
func splice(body []byte, at jsonscan.Span, text []byte) []byte {
	size := len(body)
	less := at.Len() - len(text)
	switch {
	case less >= 0 && at.From < size-at.To:
		copy(body[less:], body[:at.From])
		body = body[less:]
	case less >= 0:
		copy(body[at.To-less:], body[at.To:])
		body = body[:size-less]
	default:
		body = slices.Grow(body, -less)[:size-less]
		copy(body[at.To-less:], body[at.To:size])
	}
	copy(body[at.From:], text)
	return body
}

func (r *Request) renameAll(dst, body []byte, model string) []byte {
	if !strings.HasPrefix(model, "models/") && !strings.HasPrefix(model, "tunedModels/") {
		model = "models/" + model
	}
	from := 0
	for _, at := range r.Also {
		dst = jsonscan.Quote(append(dst, body[from:at.From]...), model)
		from = at.To
	}
	return append(dst, body[from:]...)
}

func (e *Edit) apply(dst, body []byte, from int) []byte {
	dst = append(dst, body[from:e.At.From]...)
	return append(dst, e.Text...)
}

// RequestError says what keeps a request from being understood. It is the caller's to mend: 400.
type RequestError struct {
	Pointer string // RFC 6901 pointer to the member at fault, "" for the whole body
	Offset  int    // of the byte in the body
	Problem string // "is missing", "must be a string"
}

func (e *RequestError) Error() string {
	what := "the body"
	if e.Pointer != "" {
		what = e.Pointer
	}
	return what + " " + e.Problem + " (at byte " + strconv.Itoa(e.Offset) + ")"
}

// Param is the pointer as OpenAI's errors write a parameter: "stream_options.include_usage".
func (e *RequestError) Param() string {
	return strings.ReplaceAll(strings.TrimPrefix(e.Pointer, "/"), "/", ".")
}
