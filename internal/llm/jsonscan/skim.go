package jsonscan

// maxKept bounds what a Skimmer keeps of one member's value.
const maxKept = 64 << 10

// Skimmer checks a JSON text that arrives in pieces and is too long to be kept, and keeps the
// values of a few members of its outermost object. Its memory does not grow with the text. It
// accepts what Valid accepts. It must not be used concurrently.
type Skimmer struct {
	names []string
	kept  [][]byte

	state skimState
	level int
	open  [MaxDepth / 64]uint64 // a bit for each open level, set for an object
	isKey bool                  // the string being read is a member's name
	hex   int                   // hexadecimal digits still to come after \u
	word  string                // what must still come of true, false or null
	key   [32]byte              // the name being read, when the outermost object is the only one open
	keyN  int                   // its length; past len(key) it is none of names
	keep  int                   // index of the member whose value is being kept, -1 for none
	total int64
	fault string
	at    int64
}

type skimState uint8

const (
	skimValue       skimState = iota // a value must begin
	skimFirstMember                  // after {
	skimMember                       // after a comma in an object
	skimColon
	skimFirstElement // after [
	skimAfter        // a value has ended
	skimString
	skimEscape
	skimHex
	skimMinus
	skimZero
	skimInteger
	skimPoint
	skimFraction
	skimE
	skimSign
	skimExponent
	skimWord
)

// NewSkimmer returns a Skimmer that keeps the values of the members with these names. Of a name
// that occurs twice the last value is kept; a value longer than 64 KiB is not kept.
func NewSkimmer(names ...string) *Skimmer {
	return &Skimmer{names: names, kept: make([][]byte, len(names)), keep: -1}
}

// Value returns the value of the member with the index that its name has in NewSkimmer's list, as
// it stood in the text, or nil when it has not come (whole) yet. It is valid until the next Feed.
func (s *Skimmer) Value(index int) []byte {
	if index == s.keep {
		return nil
	}
	return s.kept[index]
}

// Err checks that the text is complete; it returns the first fault as a *SyntaxError, or nil.
func (s *Skimmer) Err() error {
	if s.fault == "" && s.level == 0 {
		switch s.state {
		case skimAfter, skimZero, skimInteger, skimFraction, skimExponent:
			return nil
		}
	}
	if s.fault == "" {
		return &SyntaxError{Offset: int(s.total), Problem: "the text ends too early"}
	}
	return &SyntaxError{Offset: int(s.at), Problem: s.fault}
}

// Feed reads the next piece of the text; p is not kept. It returns false once a fault was met, and
// then reads no further.
func (s *Skimmer) Feed(p []byte) bool {
	from := 0 // where the value that is being kept begins in p
	for i := 0; i < len(p) && s.fault == ""; i++ {
		// The long runs of a text, digits and plain characters, are passed without a step for each.
		switch s.state {
		case skimInteger, skimFraction, skimExponent:
			for i < len(p) && p[i]-'0' <= 9 {
				i++
			}
		case skimString:
			end := plain(p, i)
			if s.isKey && s.level == 1 {
				s.addKey(p[i:end])
			}
			i = end
		}
		if i == len(p) {
			break
		}
		level, state, keep := s.level, s.state, s.keep
		again := s.step(p[i], s.total+int64(i))
		if keep < 0 && s.keep >= 0 {
			from = i // the value's first byte has just been read
		}
		// A kept value ends where the state returns to its own level.
		if keep >= 0 && s.state == skimAfter && s.level == 1 && (level > 1 || state != skimAfter) {
			end := i + 1
			if again {
				end = i
			}
			s.addKept(p[from:end])
			s.keep = -1
		}
		if again {
			i--
		}
	}
	if s.keep >= 0 && s.fault == "" {
		s.addKept(p[from:])
	}
	s.total += int64(len(p))
	return s.fault == ""
}

func (s *Skimmer) addKey(b []byte) {
	if s.keyN+len(b) <= len(s.key) {
		copy(s.key[s.keyN:], b)
	}
	s.keyN = min(s.keyN+len(b), len(s.key)+1)
}

func (s *Skimmer) addKept(b []byte) {
	if len(s.kept[s.keep])+len(b) > maxKept {
		s.kept[s.keep] = nil
		s.keep = -1
		return
	}
	s.kept[s.keep] = append(s.kept[s.keep], b...)
}

func (s *Skimmer) fail(at int64, problem string) { s.fault, s.at = problem, at }

// step reads one byte. It returns true when c only ended a number, and must be read again.
func (s *Skimmer) step(c byte, at int64) (again bool) {
	switch s.state {
	case skimString:
		s.inString(c, at)
		return false
	case skimEscape:
		s.inEscape(c, at)
		return false
	case skimHex:
		if hexValue(c) < 0 {
			s.fail(at, "four hexadecimal digits were expected after \\u")
		} else if s.hex--; s.hex == 0 {
			s.state = skimString
		}
		return false
	case skimWord:
		if c != s.word[0] {
			s.fail(at, "true, false or null was expected")
		} else if s.word = s.word[1:]; s.word == "" {
			s.state = skimAfter
		}
		return false
	case skimMinus, skimZero, skimInteger, skimPoint, skimFraction, skimE, skimSign, skimExponent:
		return s.inNumber(c, at)
	}
	if c == ' ' || c == '\n' || c == '\t' || c == '\r' {
		return false
	}
	switch s.state {
	case skimFirstElement:
		if c == ']' {
			s.close()
			return false
		}
		s.begin(c, at)
	case skimValue:
		s.begin(c, at)
	case skimFirstMember, skimMember:
		switch {
		case c == '"':
			s.state, s.isKey, s.keyN = skimString, true, 0
		case c == '}' && s.state == skimFirstMember:
			s.close()
		default:
			s.fail(at, "a member's name was expected")
		}
	case skimColon:
		if c != ':' {
			s.fail(at, "a colon was expected")
			return false
		}
		s.state = skimValue
	case skimAfter:
		s.after(c, at)
	}
	return false
}

// begin reads the first byte of a value.
func (s *Skimmer) begin(c byte, at int64) {
	if s.level == 1 && s.open[0]&1 == 1 {
		s.choose()
	}
	switch c {
	case '{', '[':
		if s.level == MaxDepth {
			s.fail(at, "the text nests too deep")
			return
		}
		bit := uint64(1) << (s.level & 63)
		if s.state = skimFirstElement; c == '{' {
			s.open[s.level>>6] |= bit
			s.state = skimFirstMember
		} else {
			s.open[s.level>>6] &^= bit
		}
		s.level++
	case '"':
		s.state, s.isKey = skimString, false
	case 't':
		s.state, s.word = skimWord, "rue"
	case 'f':
		s.state, s.word = skimWord, "alse"
	case 'n':
		s.state, s.word = skimWord, "ull"
	case '-':
		s.state = skimMinus
	case '0':
		s.state = skimZero
	default:
		if s.state = skimInteger; c-'0' > 9 {
			s.fail(at, "a value was expected")
		}
	}
}

// choose starts to keep the value that begins when its name is among those asked for.
func (s *Skimmer) choose() {
	if s.keyN > len(s.key) {
		return
	}
	for i, name := range s.names {
		if string(s.key[:s.keyN]) == name {
			s.keep = i
			s.kept[i] = s.kept[i][:0]
		}
	}
}

// after reads the byte that follows a value.
func (s *Skimmer) after(c byte, at int64) {
	if s.level == 0 {
		s.fail(at, "the text goes on after its value")
		return
	}
	object := s.inObject()
	switch {
	case c == ',' && object:
		s.state = skimMember
	case c == ',':
		s.state = skimValue
	case (c == '}' && object) || (c == ']' && !object):
		s.close()
	case object:
		s.fail(at, "a comma or } was expected")
	default:
		s.fail(at, "a comma or ] was expected")
	}
}

func (s *Skimmer) inObject() bool { return s.open[(s.level-1)>>6]>>((s.level-1)&63)&1 == 1 }

func (s *Skimmer) close() {
	s.level--
	s.state = skimAfter
}

func (s *Skimmer) inString(c byte, at int64) {
	switch {
	case c == '"' && s.isKey:
		s.state = skimColon
	case c == '"':
		s.state = skimAfter
	case c == '\\':
		s.state = skimEscape
		// A name with escapes is none of those we look for.
		s.keyN = len(s.key) + 1
	default:
		s.fail(at, "a control character stands in a string")
	}
}

func (s *Skimmer) inEscape(c byte, at int64) {
	switch c {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.state = skimString
	case 'u':
		s.state, s.hex = skimHex, 4
	default:
		s.fail(at, "an unknown escape stands in a string")
	}
}

// inNumber reads one byte of a number; true when c no longer belongs to it.
func (s *Skimmer) inNumber(c byte, at int64) (ended bool) {
	digit := c-'0' <= 9
	exponent := c == 'e' || c == 'E'
	switch s.state {
	case skimMinus:
		if s.state = skimInteger; c == '0' {
			s.state = skimZero
		}
	case skimZero, skimInteger:
		switch {
		case digit && s.state == skimInteger:
			return false
		case c == '.':
			s.state = skimPoint
			return false
		case exponent:
			s.state = skimE
			return false
		}
		s.state = skimAfter
		return true
	case skimPoint:
		s.state = skimFraction
	case skimFraction:
		switch {
		case digit:
			return false
		case exponent:
			s.state = skimE
			return false
		}
		s.state = skimAfter
		return true
	case skimE:
		if c == '+' || c == '-' {
			s.state = skimSign
			return false
		}
		s.state = skimExponent
	case skimSign:
		s.state = skimExponent
	case skimExponent:
		if digit {
			return false
		}
		s.state = skimAfter
		return true
	}
	if !digit {
		s.fail(at, "a digit was expected")
	}
	return false
}
