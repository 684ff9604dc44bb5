package llm

import (
	"errors"
	"unicode/utf8"

	"causeway/internal/llm/jsonscan"
)

// Members walks the members of one object of a request and holds it to the rule for the members
// that we read: each at most once, and written so that every reader reads the same name. With
// {"model":"a","model":"b"} we would grant the use of one model and the provider would run another.
//
// The scanner is passed to each method and not kept, and names are kept by value, so that both
// stay on the stack of the reader.
type Members struct {
	key     jsonscan.Key
	names   [8]string
	n       int
	seen    uint32
	pointer string
	err     *RequestError
}

// NotAnObject is the problem of a value, or a whole body, that is none.
const NotAnObject = "must be a JSON object"

// Enter begins the walk over the object that stands next. pointer is the object's own JSON pointer,
// "" for the body; names are the members that are read, at most eight.
func Enter(scan *jsonscan.Scanner, pointer string, names ...string) Members {
	m := Members{pointer: pointer}
	m.n = copy(m.names[:], names)
	if scan.Peek() != jsonscan.Object && !scan.Failed() {
		m.err = &RequestError{Pointer: pointer, Offset: scan.Offset(), Problem: NotAnObject}
		return m
	}
	scan.Object()
	return m
}

// Next goes on to the next member. It returns its index in names, -1 for a member that is not read,
// and false at the object's end or at a fault.
func (m *Members) Next(scan *jsonscan.Scanner) (index int, ok bool) {
	if m.err != nil || !scan.Member(&m.key) {
		return -1, false
	}
	for i, name := range m.names[:m.n] {
		if m.key.Is(name) {
			if m.seen&(1<<i) != 0 {
				m.Fail(i, "stands twice, and which of the two counts is not defined")
				return -1, false
			}
			m.seen |= 1 << i
			return i, true
		}
		if m.key.Resembles(name) {
			m.Fail(i, "is written in a way that some readers take for \""+name+"\" and others do not")
			return -1, false
		}
	}
	return -1, true
}

// Saw tells whether the member with this index has come.
func (m *Members) Saw(index int) bool { return m.seen&(1<<index) != 0 }

// Fail stops the walk: the member at hand, which has this index, is not what it must be.
func (m *Members) Fail(index int, problem string) {
	if m.err == nil {
		m.err = &RequestError{Pointer: m.pointer + "/" + m.names[index], Offset: m.key.At, Problem: problem}
	}
}

// Err returns the first fault of the walk, and for the outermost object (pointer "") those of the
// text as a whole; nil when there is none.
func (m *Members) Err(scan *jsonscan.Scanner) error {
	if m.err != nil {
		return m.err
	}
	if scan.Failed() || (m.pointer == "" && !scan.Finished()) {
		var syntax *jsonscan.SyntaxError
		errors.As(scan.Err(), &syntax)
		return &RequestError{Pointer: scan.Place(syntax.Offset), Offset: syntax.Offset, Problem: "is not valid JSON: " + syntax.Problem}
	}
	return nil
}

// Flag reads the value of the member with this index, a true, false or null (false), and tells
// where it stands.
func (m *Members) Flag(scan *jsonscan.Scanner, index int) (value bool, at jsonscan.Span) {
	switch kind := scan.Peek(); kind {
	case jsonscan.True, jsonscan.False, jsonscan.Null, jsonscan.None:
		return kind == jsonscan.True, scan.Skip()
	}
	m.Fail(index, "must be true or false")
	return false, jsonscan.Span{}
}

// ReadModel reads the value that stands next, the model's name, into req. It returns what is wrong
// with it, "" when nothing is.
func ReadModel(scan *jsonscan.Scanner, req *Request) (problem string) {
	if kind := scan.Peek(); kind != jsonscan.String && kind != jsonscan.None {
		return "must be a string"
	}
	at, escaped := scan.Text()
	if scan.Failed() {
		return ""
	}
	raw := scan.Bytes(jsonscan.Span{From: at.From + 1, To: at.To - 1})
	switch {
	case len(raw) == 0:
		return "is empty"
	case !utf8.Valid(raw):
		return "is not valid UTF-8"
	case escaped:
		raw = jsonscan.Unquote(nil, raw)
	}
	req.Model, req.ModelAt = raw, at
	return ""
}
