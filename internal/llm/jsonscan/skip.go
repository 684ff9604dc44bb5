package jsonscan

import (
	"encoding/binary"
	"math/bits"
)

// space returns the offset of the first byte at or after pos that is not white space.
func space(text []byte, pos int) int {
	for pos < len(text) {
		// One comparison for the common case: everything above ' ' is not white space.
		c := text[pos]
		if c > ' ' || (c != ' ' && c != '\n' && c != '\t' && c != '\r') {
			break
		}
		pos++
	}
	return pos
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// special marks, by the high bit of each byte of x, the bytes that can't stand in a string as they
// are: quotes, backslashes and control characters. The other bits say nothing. Only the lowest mark
// is exact (a borrow may mark a byte above it), and only the lowest is used.
func special(x uint64) uint64 {
	quote, backslash, control := (x^ones*'"')-ones, (x^ones*'\\')-ones, x-ones*0x20
	return (quote | backslash | control) &^ x
}

// plain passes the bytes from pos on that can stand in a string as they are. It returns the offset
// of the first that cannot, or the text's length.
func plain(text []byte, pos int) int {
	rest, i := text[pos:], 0
	for ; i <= len(rest)-16; i += 16 { // most names and many values are shorter than this
		m := special(binary.LittleEndian.Uint64(rest[i:]))
		n := special(binary.LittleEndian.Uint64(rest[i+8:]))
		if (m|n)&highs != 0 {
			if m &= highs; m != 0 {
				return pos + i + bits.TrailingZeros64(m)>>3
			}
			return pos + i + 8 + bits.TrailingZeros64(n&highs)>>3
		}
	}
	if i <= len(rest)-8 {
		if m := special(binary.LittleEndian.Uint64(rest[i:])) & highs; m != 0 {
			return pos + i + bits.TrailingZeros64(m)>>3
		}
		i += 8
	}
	for ; i < len(rest); i++ {
		if c := rest[i]; c == '"' || c == '\\' || c < 0x20 {
			break
		}
	}
	return pos + i
}

// skipString passes the string that begins with the quote at pos. It returns the offset after the
// closing quote, or of the fault with what is wrong.
func skipString(text []byte, pos int) (end int, escaped bool, problem string) {
	pos++
	for {
		if pos = plain(text, pos); pos >= len(text) {
			return len(text), escaped, "the text ends inside a string"
		}
		switch text[pos] {
		case '"':
			return pos + 1, escaped, ""
		case '\\':
			escaped = true
			if pos, problem = skipEscape(text, pos); problem != "" {
				return pos, escaped, problem
			}
		default:
			return pos, escaped, "a control character stands in a string"
		}
	}
}

// skipEscape passes the escape that begins with the backslash at pos.
func skipEscape(text []byte, pos int) (end int, problem string) {
	if pos+1 >= len(text) {
		return len(text), "the text ends inside a string"
	}
	switch text[pos+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return pos + 2, ""
	case 'u':
		for i := pos + 2; i < pos+6; i++ {
			if i >= len(text) {
				return len(text), "the text ends inside a string"
			}
			if hexValue(text[i]) < 0 {
				return i, "four hexadecimal digits were expected after \\u"
			}
		}
		return pos + 6, ""
	}
	return pos + 1, "an unknown escape stands in a string"
}

func hexValue(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// skipNumber passes the number that begins at pos (RFC 8259 section 6).
func skipNumber(text []byte, pos int) (end int, problem string) {
	if text[pos] == '-' {
		pos++
	}
	if pos < len(text) && text[pos] == '0' {
		pos++
	} else if pos, problem = skipDigits(text, pos); problem != "" {
		return pos, problem
	}
	if pos < len(text) && text[pos] == '.' {
		if pos, problem = skipDigits(text, pos+1); problem != "" {
			return pos, problem
		}
	}
	if pos < len(text) && (text[pos] == 'e' || text[pos] == 'E') {
		pos++
		if pos < len(text) && (text[pos] == '+' || text[pos] == '-') {
			pos++
		}
		return skipDigits(text, pos)
	}
	return pos, ""
}

func skipDigits(text []byte, pos int) (end int, problem string) {
	from := pos
	for pos < len(text) && text[pos]-'0' <= 9 {
		pos++
	}
	if pos == from {
		return pos, "a digit was expected"
	}
	return pos, ""
}

// skipScalar passes a number, string, true, false or null.
func skipScalar(text []byte, pos int) (end int, problem string) {
	if pos >= len(text) {
		return len(text), "the text ends too early"
	}
	switch c := text[pos]; c {
	case '"':
		end, _, problem = skipString(text, pos)
		return end, problem
	case 't':
		return skipWord(text, pos, "true")
	case 'f':
		return skipWord(text, pos, "false")
	case 'n':
		return skipWord(text, pos, "null")
	default:
		if c == '-' || c-'0' <= 9 {
			return skipNumber(text, pos)
		}
	}
	return pos, "a value was expected"
}

func skipWord(text []byte, pos int, word string) (end int, problem string) {
	if len(text)-pos >= len(word) && string(text[pos:pos+len(word)]) == word {
		return pos + len(word), ""
	}
	for i := range len(word) {
		if pos+i >= len(text) {
			return len(text), "the text ends too early"
		}
		if text[pos+i] != word[i] {
			return pos + i, "true, false or null was expected"
		}
	}
	return pos, "" // not reached: a difference was found above
}

// skipValue passes the value that begins at pos, inside depth open objects and arrays.
func skipValue(text []byte, pos, depth int) (end int, problem string) {
	if pos < len(text) && (text[pos] == '{' || text[pos] == '[') {
		return skipNested(text, pos, depth)
	}
	return skipScalar(text, pos)
}

// skipNested passes the object or array that begins at pos. It keeps a bit for each level that is
// open, set for an object, so that no input can make it recurse.
func skipNested(text []byte, pos, outer int) (end int, problem string) {
	var open [MaxDepth / 64]uint64
	level := 0
	for {
		// A value stands at pos.
		c := text[pos]
		if c == '{' || c == '[' {
			if outer+level >= MaxDepth {
				return pos, "the text nests too deep"
			}
			bit := uint64(1) << (level & 63)
			if c == '{' {
				open[level>>6] |= bit
			} else {
				open[level>>6] &^= bit
			}
			level++
			if pos = space(text, pos+1); pos >= len(text) {
				return pos, "the text ends too early"
			}
			if c == '{' && text[pos] != '}' {
				if pos, problem = skipName(text, pos); problem != "" {
					return pos, problem
				}
				continue
			}
			if c == '[' && text[pos] != ']' {
				continue
			}
		} else {
			if c == '"' {
				pos, _, problem = skipString(text, pos)
			} else {
				pos, problem = skipScalar(text, pos)
			}
			if problem != "" {
				return pos, problem
			}
		}
		// A value has ended: pass what closes, up to the next comma.
		for {
			if pos = space(text, pos); pos >= len(text) {
				return pos, "the text ends too early"
			}
			c = text[pos]
			object := open[(level-1)>>6]>>((level-1)&63)&1 == 1
			if (c == '}' && object) || (c == ']' && !object) {
				pos++
				if level--; level == 0 {
					return pos, ""
				}
				continue
			}
			if c != ',' {
				if object {
					return pos, "a comma or } was expected"
				}
				return pos, "a comma or ] was expected"
			}
			if pos = space(text, pos+1); pos >= len(text) {
				return pos, "the text ends too early"
			}
			if object {
				if pos, problem = skipName(text, pos); problem != "" {
					return pos, problem
				}
			}
			break
		}
	}
}

// skipName passes a member's name and its colon, up to its value.
func skipName(text []byte, pos int) (end int, problem string) {
	if text[pos] != '"' {
		return pos, "a member's name was expected"
	}
	if pos, _, problem = skipString(text, pos); problem != "" {
		return pos, problem
	}
	if pos = space(text, pos); pos >= len(text) || text[pos] != ':' {
		return pos, "a colon was expected"
	}
	if pos = space(text, pos+1); pos >= len(text) {
		return pos, "the text ends too early"
	}
	return pos, ""
}
