package jsonscan

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// Is tells whether the member's name is name, written without escapes.
func (k *Key) Is(name string) bool { return !k.Escaped && string(k.Raw) == name }

// Resembles tells whether the member could be taken for name by another reader although Is says
// no: the name written with escapes, or in other letters that fold to the same (Go's encoding/json
// matches so, and with it every provider that is written with it). name must be ASCII.
func (k *Key) Resembles(name string) bool {
	if !k.Escaped {
		// Two letters that fold to ASCII are longer than it: U+017F (s) and U+212A (k).
		if len(k.Raw) < len(name) || len(k.Raw) > 3*len(name) || string(k.Raw) == name {
			return false
		}
		return bytes.EqualFold(k.Raw, []byte(name))
	}
	var room [64]byte
	if len(k.Raw) > 6*len(name) {
		return false
	}
	return bytes.EqualFold(Unquote(room[:0], k.Raw), []byte(name))
}

// Unquote appends the value of a string to dst. raw is what stands between the quotes of a string
// that was found valid. Lone surrogates and invalid UTF-8 become U+FFFD, as in encoding/json.
func Unquote(dst, raw []byte) []byte {
	for i := 0; i < len(raw); {
		c := raw[i]
		switch {
		case c == '\\' && raw[i+1] == 'u':
			r := hex4(raw[i+2:])
			i += 6
			if utf16.IsSurrogate(r) {
				low := rune(-1)
				if len(raw)-i >= 6 && raw[i] == '\\' && raw[i+1] == 'u' {
					low = hex4(raw[i+2:])
				}
				if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
					i += 6
				}
			}
			dst = utf8.AppendRune(dst, r)
		case c == '\\':
			dst = append(dst, unescaped(raw[i+1]))
			i += 2
		case c < utf8.RuneSelf:
			dst = append(dst, c)
			i++
		default:
			r, n := utf8.DecodeRune(raw[i:])
			dst = utf8.AppendRune(dst, r)
			i += n
		}
	}
	return dst
}

func hex4(b []byte) rune {
	var r rune
	for _, c := range b[:4] {
		r = r<<4 | rune(hexValue(c))
	}
	return r
}

func unescaped(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return c
}

// Quote appends s as a JSON string, quotes included. Control characters, quotes and backslashes
// are escaped, and so are U+2028 and U+2029 (line ends to a JavaScript reader); invalid UTF-8
// becomes U+FFFD.
func Quote(dst []byte, s string) []byte {
	const digits = "0123456789abcdef"
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			i++
			switch {
			case c == '"' || c == '\\':
				dst = append(dst, '\\', c)
			case c >= ' ' && c != 0x7f:
				dst = append(dst, c)
			case c == '\n':
				dst = append(dst, '\\', 'n')
			case c == '\r':
				dst = append(dst, '\\', 'r')
			case c == '\t':
				dst = append(dst, '\\', 't')
			default:
				dst = append(dst, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
			}
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		switch r {
		case '\u2028', '\u2029':
			dst = append(dst, '\\', 'u', '2', '0', '2', digits[r&15])
		default:
			dst = utf8.AppendRune(dst, r)
		}
		i += n
	}
	return append(dst, '"')
}

// Int reads a number that was found valid as a count: its integer part when it is not negative
// and fits, else -1. A fraction of zeros and no exponent is allowed, as in "12.0".
func Int(number []byte) int64 {
	var n int64
	for i, c := range number {
		if c == '.' && i > 0 {
			for _, c := range number[i+1:] {
				if c != '0' {
					return -1
				}
			}
			return n
		}
		if c-'0' > 9 || n > (1<<63-10)/10 {
			return -1
		}
		n = n*10 + int64(c-'0')
	}
	return n
}
