package llm

import (
	"bytes"
	"mime"
	"strings"
	"unicode/utf8"

	"causeway/internal/llm/jsonscan"
)

// FormPart is one part of a form's body.
type FormPart struct {
	Name   string        // of its field, "" when it has none
	File   bool          // it has a file name
	Header jsonscan.Span // its header lines
	Value  jsonscan.Span // where what it holds stands in the body
}

// IsForm tells whether a body of this Content-Type is a form of parts.
func IsForm(contentType string) bool {
	const form = "multipart/form-data"
	return len(contentType) >= len(form) && strings.EqualFold(contentType[:len(form)], form)
}

// EachPart walks the parts of a multipart/form-data body (RFC 7578) until each returns an error. Nothing of the body
// is copied, and what stands in the parts is not looked at. It is stricter than most readers: a line that some would take for a delimiter and others
// would not is an error, since they would then see different fields. The error is a *RequestError, or each's.
func EachPart(contentType string, body []byte, each func(p FormPart) error) error {
	_, params, err := mime.ParseMediaType(contentType)
	boundary := params["boundary"]
	if err != nil || boundary == "" || len(boundary) > 200 {
		return &RequestError{Problem: "is a form whose Content-Type names no boundary"}
	}
	f := formReader{body: body, mark: []byte("--" + boundary)}
	if err := f.delimiter(); err != nil {
		return err
	}
	for !f.over {
		p, err := f.part()
		if err != nil {
			return err
		}
		if err := each(p); err != nil {
			return err
		}
	}
	return nil
}

// formReader goes through a form from delimiter to delimiter.
type formReader struct {
	body []byte
	mark []byte // "--" and the boundary
	at   int    // behind the last delimiter's line
	end  int    // where what stood before that delimiter ends
	over bool   // it was the last
}

func (f *formReader) fail(at int, problem string) error {
	return &RequestError{Offset: at, Problem: "is not a valid form: " + problem}
}

// delimiter finds the next one.
func (f *formReader) delimiter() error {
	for from := f.at; ; {
		i := bytes.Index(f.body[from:], f.mark)
		if i < 0 {
			return f.fail(len(f.body), "its last delimiter is missing")
		}
		i += from
		from = i + len(f.mark)
		// The delimiter of a part without content stands right behind its header.
		begin := i == 0 || i == f.at && f.at > 0
		if !begin && f.body[i-1] != '\n' {
			continue // in the middle of a line
		}
		if !begin && (i < 2 || f.body[i-2] != '\r') {
			return f.fail(i, "a delimiter does not stand behind CRLF")
		}
		rest := f.body[from:]
		if bytes.HasPrefix(rest, []byte("--")) {
			f.over = true
		} else {
			n := 0
			for n < len(rest) && (rest[n] == ' ' || rest[n] == '\t') {
				n++
			}
			if !bytes.HasPrefix(rest[n:], []byte("\r\n")) {
				return f.fail(i, "a line begins as its delimiter does, and is none")
			}
			f.at = from + n + 2
		}
		if f.end = i - 2; begin {
			f.end = i
		}
		return nil
	}
}

// part reads the part that begins at the last delimiter, up to the next.
func (f *formReader) part() (p FormPart, err error) {
	start := f.at
	n := bytes.Index(f.body[start:], []byte("\r\n\r\n"))
	if n < 0 || n > maxPartHeader || bytes.HasPrefix(f.body[start:], []byte("\r\n")) || bytes.Contains(f.body[start:start+n], f.mark) {
		return p, f.fail(start, "a part has no header")
	}
	p.Header = jsonscan.Span{From: start, To: start + n}
	if p.Name, p.File, err = f.disposition(p.Header); err != nil {
		return p, err
	}
	f.at = start + n + 4
	p.Value.From = f.at
	if err := f.delimiter(); err != nil {
		return p, err
	}
	p.Value.To = max(f.end, p.Value.From)
	return p, nil
}

// maxPartHeader is the longest header of a part.
const maxPartHeader = 16 << 10

// disposition reads the one Content-Disposition of a part.
func (f *formReader) disposition(header jsonscan.Span) (name string, file bool, err error) {
	seen := false
	for line := range bytes.SplitSeq(f.body[header.From:header.To], []byte("\r\n")) {
		field, value, ok := bytes.Cut(line, []byte{':'})
		if bytes.IndexByte(line, '\n') >= 0 || bytes.IndexByte(line, '\r') >= 0 {
			return "", false, f.fail(header.From, "a line of a part's header does not end with CRLF")
		}
		if !ok || !strings.EqualFold(string(bytes.TrimSpace(field)), "content-disposition") {
			continue
		}
		if seen {
			return "", false, f.fail(header.From, "a part has two Content-Disposition lines")
		}
		seen = true
		if name, file, ok = formName(string(value)); !ok {
			return "", false, f.fail(header.From, "the Content-Disposition of a part can be read in several ways")
		}
	}
	return name, file, nil
}

// formName reads the parameters name and filename. ok is false when the name can't be told for sure.
func formName(value string) (name string, file, ok bool) {
	_, rest, _ := strings.Cut(value, ";")
	named := false
	for rest != "" {
		key, after, has := strings.Cut(rest, "=")
		if !has {
			break
		}
		key = strings.ToLower(strings.TrimSpace(key))
		text := strings.TrimLeft(after, " \t")
		if strings.HasPrefix(text, `"`) {
			var whole bool
			if text, rest, whole = quoted(text[1:]); !whole {
				return "", false, false
			}
			_, rest, _ = strings.Cut(rest, ";")
		} else {
			text, rest, _ = strings.Cut(text, ";")
			text = strings.TrimSpace(text)
		}
		switch key {
		case "name":
			if named {
				return "", false, false
			}
			name, named = text, true
		case "filename", "filename*":
			file = true
		case "name*":
			return "", false, false
		}
	}
	return name, file, true
}

// quoted reads a quoted string behind its first mark. A backslash escapes a quotation mark or a backslash.
func quoted(s string) (text, rest string, ok bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return b.String(), s[i+1:], true
		case s[i] == '\\' && i+1 < len(s) && (s[i+1] == '"' || s[i+1] == '\\'):
			i++
			b.WriteByte(s[i])
		default:
			b.WriteByte(s[i])
		}
	}
	return "", "", false
}

// maxName is the longest name of a model in a form.
const maxName = 1024

// ReadFormRequest reads the fields model and stream of a form into req. The model may stand behind a file of many
// megabytes. req.Model does not alias the body, so that it can be changed in place.
func ReadFormRequest(req *Request, contentType string, body []byte) error {
	*req = Request{Op: req.Op, Verbatim: true}
	seen := map[string]bool{}
	err := EachPart(contentType, body, func(p FormPart) error {
		if p.Name != "model" && p.Name != "stream" {
			return nil
		}
		fail := func(problem string) error {
			return &RequestError{Pointer: "/" + p.Name, Offset: p.Value.From, Problem: problem}
		}
		value := body[p.Value.From:p.Value.To]
		switch {
		case seen[p.Name]:
			return fail("stands twice, and which of the two counts is not defined")
		case p.File:
			return fail("must be a field, not a file")
		case p.Name == "stream":
			req.Stream = strings.EqualFold(string(value), "true") || string(value) == "1"
		case len(value) == 0:
			return fail("is empty")
		case len(value) > maxName || bytes.ContainsAny(value, "\r\n\x00") || !utf8.Valid(value):
			return fail("must be one line of text")
		default:
			req.Model, req.ModelAt = bytes.Clone(value), p.Value
		}
		seen[p.Name] = true
		return nil
	})
	if err == nil && !seen["model"] {
		err = &RequestError{Pointer: "/model", Offset: len(body), Problem: "is missing"}
	}
	return err
}
