package jsonscan

import "fmt"

// MaxDepth is how deep objects and arrays may nest. encoding/json allows 10,000, Python's json
// about 1,000; tool schemas seen in the wild stay under 50.
const MaxDepth = 1024

// Kind is the kind of a JSON value, named by its first byte (numbers by '0').
type Kind byte

// The kinds. None is returned where no value stands, and after a fault.
const (
	None   Kind = 0
	Object Kind = '{'
	Array  Kind = '['
	String Kind = '"'
	Number Kind = '0'
	True   Kind = 't'
	False  Kind = 'f'
	Null   Kind = 'n'
)

// Span is a range of bytes of the text: text[From:To].
type Span struct{ From, To int }

// Of returns the bytes of the span in text.
func (s Span) Of(text []byte) []byte { return text[s.From:s.To] }

// Len is the span's length in bytes.
func (s Span) Len() int { return s.To - s.From }

// Key is the name of a member as it stands in the text.
type Key struct {
	Raw     []byte // between the quotes, escapes not resolved
	Escaped bool   // Raw contains a backslash
	At      int    // offset of the opening quote
	Comma   int    // offset of the comma before it, -1 for the first member
}

// SyntaxError says where a text stops being JSON.
type SyntaxError struct {
	Offset  int    // of the first byte that cannot stand where it stands; the length when the text ends too early
	Problem string // "a comma or } was expected"
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("invalid JSON at byte %d: %s", e.Offset, e.Problem)
}

// Scanner walks one JSON text. It is a value to be kept on the stack: Reset it, then walk the text
// by Object and Member, Array and Element, taking each value exactly once with Skip, Text, Object
// or Array, and ask Err at the end. After a fault every method returns at once with a zero value,
// so that a walk needs to look at the error only once. A Scanner must not be used concurrently.
type Scanner struct {
	text  []byte
	pos   int
	depth int
	first bool // the container just entered has given no member yet
	fault string
	at    int
}

// Reset makes s walk text, which must not change until the walk is done.
func (s *Scanner) Reset(text []byte) { *s = Scanner{text: text} }

// Err checks that nothing but white space follows the value that was walked, and returns the first
// fault as a *SyntaxError, or nil.
func (s *Scanner) Err() error {
	if s.Finished() {
		return nil
	}
	return &SyntaxError{Offset: s.at, Problem: s.fault}
}

// Finished is Err() == nil without the allocation that an error costs.
func (s *Scanner) Finished() bool {
	if s.fault == "" {
		if s.pos = space(s.text, s.pos); s.pos < len(s.text) {
			s.fail(s.pos, "the text goes on after its value")
		}
	}
	return s.fault == ""
}

// Failed tells that a fault was met.
func (s *Scanner) Failed() bool { return s.fault != "" }

// Place is Place for the text that is walked.
func (s *Scanner) Place(offset int) string { return Place(s.text, offset) }

// Bytes returns the bytes of at in the text that is walked.
func (s *Scanner) Bytes(at Span) []byte { return s.text[at.From:at.To] }

func (s *Scanner) fail(at int, problem string) {
	if s.fault == "" {
		if at >= len(s.text) {
			at, problem = len(s.text), "the text ends too early"
		}
		s.fault, s.at = problem, at
	}
}

// Peek tells the kind of the value that stands next.
func (s *Scanner) Peek() Kind {
	if s.fault != "" {
		return None
	}
	s.pos = space(s.text, s.pos)
	if s.pos >= len(s.text) {
		return None
	}
	switch c := s.text[s.pos]; c {
	case '{', '[', '"', 't', 'f', 'n':
		return Kind(c)
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return Number
	}
	return None
}

// Offset is the offset of the next value, after Peek has told its kind.
func (s *Scanner) Offset() int { return s.pos }

// Object enters the object that stands next; false, with a fault, when none does.
func (s *Scanner) Object() bool { return s.enter('{', "an object was expected") }

// Array enters the array that stands next; false, with a fault, when none does.
func (s *Scanner) Array() bool { return s.enter('[', "an array was expected") }

func (s *Scanner) enter(open byte, problem string) bool {
	if s.fault != "" {
		return false
	}
	s.pos = space(s.text, s.pos)
	if s.pos >= len(s.text) || s.text[s.pos] != open {
		s.fail(s.pos, problem)
		return false
	}
	if s.depth == MaxDepth {
		s.fail(s.pos, "the text nests too deep")
		return false
	}
	s.pos++
	s.depth++
	s.first = true
	return true
}

// Member goes on to the next member of the object that was entered and reads its name into k; its
// value stands next. It leaves the object and returns false after the last one, or at a fault.
func (s *Scanner) Member(k *Key) bool {
	if !s.more('}', "a comma or } was expected", &k.Comma) {
		return false
	}
	if s.pos >= len(s.text) || s.text[s.pos] != '"' {
		s.fail(s.pos, "a member's name was expected")
		return false
	}
	k.At = s.pos
	end, escaped, problem := skipString(s.text, s.pos)
	if problem != "" {
		s.fail(end, problem)
		return false
	}
	k.Raw, k.Escaped = s.text[s.pos+1:end-1], escaped
	s.pos = space(s.text, end)
	if s.pos >= len(s.text) || s.text[s.pos] != ':' {
		s.fail(s.pos, "a colon was expected")
		return false
	}
	s.pos = space(s.text, s.pos+1)
	return true
}

// Element goes on to the next element of the array that was entered. It leaves the array and
// returns false after the last one, or at a fault.
func (s *Scanner) Element() bool {
	var comma int
	return s.more(']', "a comma or ] was expected", &comma)
}

// more passes the comma before the next member or element, or the bracket that closes.
func (s *Scanner) more(closing byte, problem string, comma *int) bool {
	if s.fault != "" {
		return false
	}
	s.pos = space(s.text, s.pos)
	if s.pos >= len(s.text) {
		s.fail(s.pos, "")
		return false
	}
	c := s.text[s.pos]
	if c == closing {
		s.pos++
		s.depth--
		s.first = false
		return false
	}
	*comma = -1
	if s.first {
		s.first = false
		return true
	}
	if c != ',' {
		s.fail(s.pos, problem)
		return false
	}
	*comma = s.pos
	s.pos = space(s.text, s.pos+1)
	if s.pos < len(s.text) && s.text[s.pos] == closing {
		s.fail(s.pos, "nothing follows the comma")
		return false
	}
	return true
}

// Skip checks the value that stands next, whatever it is, passes it, and returns where it stood.
func (s *Scanner) Skip() Span {
	if s.fault != "" {
		return Span{}
	}
	from := space(s.text, s.pos)
	end, problem := skipValue(s.text, from, s.depth)
	if problem != "" {
		s.fail(end, problem)
		return Span{}
	}
	s.pos = end
	return Span{from, end}
}

// Text passes the string that stands next and returns its place, quotes included, and whether it
// contains escapes; a fault when it is not a string.
func (s *Scanner) Text() (at Span, escaped bool) {
	if s.fault != "" {
		return Span{}, false
	}
	from := space(s.text, s.pos)
	if from >= len(s.text) || s.text[from] != '"' {
		s.fail(from, "a string was expected")
		return Span{}, false
	}
	end, escaped, problem := skipString(s.text, from)
	if problem != "" {
		s.fail(end, problem)
		return Span{}, false
	}
	s.pos = end
	return Span{from, end}, escaped
}

// Inner passes the string that stands next and returns what is between its quotes, escapes not
// resolved; nil, with a fault, when it is not a string.
func (s *Scanner) Inner() []byte {
	at, _ := s.Text()
	if s.fault != "" {
		return nil
	}
	return s.text[at.From+1 : at.To-1]
}

// Valid tells whether text is one JSON value, nested at most MaxDepth deep.
func Valid(text []byte) bool {
	var s Scanner
	s.Reset(text)
	s.Skip()
	return s.Finished()
}
