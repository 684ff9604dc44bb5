package gemini

import (
	"bytes"
	"errors"

	"causeway/internal/llm"
)

// arrayFrames cuts a streamed JSON array into its elements, each with the bracket or comma before it, and the
// bracket at the end. A lone object counts as a stream of one element: errors come so.
type arrayFrames struct {
	at       int  // bytes of the frame at hand that were looked at
	depth    int  // of brackets in the element
	text     bool // inside a string
	escaped  bool // behind a backslash
	begun    bool // the array has begun
	comma    bool // a comma has come and its element has not
	elements int
	lone     bool // it is an object and no array
	over     bool // its end has come
}

var (
	errNoArray   = errors.New("the stream is no JSON array of objects")
	errUnstarted = errors.New("the stream ended before an element")
)

// Cut finds the end of the next element. It goes on where the last call for the same frame ended.
func (f *arrayFrames) Cut(data []byte) (end int, err error) {
	for i := f.at; i < len(data); i++ {
		c := data[i]
		if f.text {
			switch {
			case f.escaped:
				f.escaped = false
			case c == '\\':
				f.escaped = true
			case c == '"':
				f.text = false
			}
			continue
		}
		if f.depth > 0 {
			switch c {
			case '"':
				f.text = true
			case '{', '[':
				f.depth++
			case '}', ']':
				if f.depth--; f.depth == 0 {
					f.at, f.over = 0, f.lone
					return i + 1, nil
				}
			}
			continue
		}
		switch {
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
		case f.over:
			return 0, errors.New("the stream goes on after its end")
		case c == '[' && !f.begun:
			f.begun = true
		case c == '{' && (!f.begun || f.elements == 0 || f.comma):
			f.lone, f.begun, f.comma = !f.begun, true, false
			f.elements++
			f.depth = 1
		case c == ',' && f.elements > 0 && !f.comma:
			f.comma = true
		case c == ']' && f.begun && !f.comma:
			f.at, f.over = 0, true
			return i + 1, nil
		default:
			return 0, errNoArray
		}
	}
	f.at = len(data)
	return -1, nil
}

// closing is the data of the array's end.
var closing = []byte("]")

// Event is the element in a frame; of the array's end the bracket alone.
func (f *arrayFrames) Event(frame []byte) (llm.Event, error) {
	element := bytes.TrimLeft(frame, " \t\r\n[,")
	if len(element) == 0 {
		return llm.Event{}, errUnstarted
	}
	return llm.Event{Data: element}, nil
}
