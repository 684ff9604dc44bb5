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

// kinds are the kinds of the values that begin with each byte; None for a byte that begins none.
var kinds = [256]Kind{
	'{': Object, '[': Array, '"': String, 't': True, 'f': False, 'n': Null,
	'-': Number, '0': Number, '1': Number, '2': Number, '3': Number, '4': Number,
	'5': Number, '6': Number, '7': Number, '8': Number, '9': Number,
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
	return kinds[s.text[s.pos]]
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
	if s.fault != "" {
		return false
	}
	text := s.text
	pos := space(text, s.pos)
	if pos >= len(text) {
		return s.stop(pos, "")
	}
	comma := -1
	if c := text[pos]; c == '}' {
		s.leave(pos)
		return false
	} else if !s.first {
		if c != ',' {
			return s.stop(pos, "a comma or } was expected")
		}
		comma = pos
		if pos = space(text, pos+1); pos < len(text) && text[pos] == '}' {
			return s.stop(pos, nothingFollows)
		}
	}
	if pos >= len(text) || text[pos] != '"' {
		return s.stop(pos, "a member's name was expected")
	}
	end, escaped, problem := skipString(text, pos)
	if problem != "" {
		return s.stop(end, problem)
	}
	k.Raw, k.Escaped, k.At, k.Comma = text[pos+1:end-1], escaped, pos, comma
	if pos = space(text, end); pos >= len(text) || text[pos] != ':' {
		return s.stop(pos, "a colon was expected")
	}
	s.pos, s.first = space(text, pos+1), false
	return true
}

// Element goes on to the next element of the array that was entered. It leaves the array and
// returns false after the last one, or at a fault.
func (s *Scanner) Element() bool {
	if s.fault != "" {
		return false
	}
	text := s.text
	pos := space(text, s.pos)
	if pos >= len(text) {
		return s.stop(pos, "")
	}
	if c := text[pos]; c == ']' {
		s.leave(pos)
		return false
	} else if !s.first {
		if c != ',' {
			return s.stop(pos, "a comma or ] was expected")
		}
		if pos = space(text, pos+1); pos < len(text) && text[pos] == ']' {
			return s.stop(pos, nothingFollows)
		}
	}
	s.pos, s.first = pos, false
	return true
}

const nothingFollows = "nothing follows the comma"

// leave passes the bracket at pos, which closes what was entered last.
func (s *Scanner) leave(pos int) { s.pos, s.depth, s.first = pos+1, s.depth-1, false }

// stop is fail for a walk that ends there.
func (s *Scanner) stop(at int, problem string) bool {
	s.pos = min(at, len(s.text))
	s.fail(at, problem)
	return false
}

// Skip checks the value that stands next, whatever it is, passes it, and returns where it stood.
func (s *Scanner) Skip() Span {
	if s.fault != "" {
		return Span{}
	}
	var end int
	var problem string
	from := space(s.text, s.pos)
	if from < len(s.text) && s.text[from] == '"' {
		end, _, problem = skipString(s.text, from)
	} else {
		end, problem = skipValue(s.text, from, s.depth)
	}
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
