package jsontree

import (
	"bytes"
	"strconv"

	"causeway/internal/llm/jsonscan"
)

// Writer appends JSON. It sets the commas; names and values come in the order they are written, and
// each Object and Array has its End. The zero Writer begins with an empty buffer.
type Writer struct {
	Buf   []byte
	comma bool
	stack []byte
}

// Reset begins a new text behind what buf holds, such as the next event of a stream.
func (w *Writer) Reset(buf []byte) { w.Buf, w.comma, w.stack = buf, false, w.stack[:0] }

func (w *Writer) before() {
	if w.comma {
		w.Buf = append(w.Buf, ',')
	}
	w.comma = true
}

// Object begins an object, as the value of the name before it or as an element.
func (w *Writer) Object() {
	w.before()
	w.Buf = append(w.Buf, '{')
	w.stack = append(w.stack, '}')
	w.comma = false
}

// Array begins an array.
func (w *Writer) Array() {
	w.before()
	w.Buf = append(w.Buf, '[')
	w.stack = append(w.stack, ']')
	w.comma = false
}

// End closes the object or array begun last.
func (w *Writer) End() {
	last := len(w.stack) - 1
	w.Buf = append(w.Buf, w.stack[last])
	w.stack = w.stack[:last]
	w.comma = true
}

// Name writes a member's name; its value follows.
func (w *Writer) Name(name string) {
	w.before()
	w.Buf = jsonscan.Quote(w.Buf, name)
	w.Buf = append(w.Buf, ':')
	w.comma = false
}

// Str writes a string.
func (w *Writer) Str(s string) {
	w.before()
	w.Buf = jsonscan.Quote(w.Buf, s)
}

// Int writes a whole number.
func (w *Writer) Int(v int64) {
	w.before()
	w.Buf = strconv.AppendInt(w.Buf, v, 10)
}

// Float writes a number as short as it can be without becoming another.
func (w *Writer) Float(v float64) {
	w.before()
	w.Buf = strconv.AppendFloat(w.Buf, v, 'g', -1, 64)
}

// Bool writes true or false.
func (w *Writer) Bool(v bool) {
	w.before()
	w.Buf = strconv.AppendBool(w.Buf, v)
}

// Null writes null.
func (w *Writer) Null() {
	w.before()
	w.Buf = append(w.Buf, "null"...)
}

// Raw writes a ready JSON value, on one line: line ends between its tokens become spaces, since the value may
// stand in an event of a stream, which they would end.
func (w *Writer) Raw(json []byte) {
	w.before()
	at := len(w.Buf)
	w.Buf = append(w.Buf, json...)
	oneLine(w.Buf[at:])
}

// RawStr writes a ready JSON value as Raw does.
func (w *Writer) RawStr(json string) {
	w.before()
	at := len(w.Buf)
	w.Buf = append(w.Buf, json...)
	oneLine(w.Buf[at:])
}

// oneLine puts spaces for the line ends of JSON, which stand only between tokens.
func oneLine(json []byte) {
	for _, end := range [...]byte{'\n', '\r'} {
		for rest := json; ; {
			i := bytes.IndexByte(rest, end)
			if i < 0 {
				break
			}
			rest[i] = ' '
			rest = rest[i+1:]
		}
	}
}

// StrMember writes a member with a string.
func (w *Writer) StrMember(name, value string) {
	w.Name(name)
	w.Str(value)
}

// IntMember writes a member with a whole number.
func (w *Writer) IntMember(name string, value int64) {
	w.Name(name)
	w.Int(value)
}

// BoolMember writes a member with true or false.
func (w *Writer) BoolMember(name string, value bool) {
	w.Name(name)
	w.Bool(value)
}

// RawMember writes a member with a ready JSON value.
func (w *Writer) RawMember(name string, json []byte) {
	w.Name(name)
	w.Raw(json)
}

// Embed appends ready members, which stand without braces: `"a":1,"b":2`.
func (w *Writer) Embed(members []byte) {
	if len(members) == 0 {
		return
	}
	w.before()
	w.Buf = append(w.Buf, members...)
}
