package logs

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// secretWords are names whose value behind "=", ":" or a blank is never shown.
var secretWords = []string{"bearer ", "basic ", "api_key=", "api-key: ", "apikey=", "apikey: ", "token=", "password=", "passwd=", "secret=", "x-api-key: ", "authorization: "}

// shorten makes a line fit to be shown: without queries, whose values may be keys, without what
// stands behind the names of secrets, without control characters, and not longer than mostText.
func shorten(b []byte) string {
	cut := len(b) > mostText
	if cut {
		b = b[:mostText]
		for len(b) > 0 && !utf8.RuneStart(b[len(b)-1]) {
			b = b[:len(b)-1]
		}
	}
	s := string(b)
	var out strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '?' && i > 0 && s[i-1] != ' ' && i+1 < len(s) && s[i+1] != ' ' && s[i+1] != '"':
			out.WriteString("?...")
			i++
			for i < len(s) && s[i] != ' ' && s[i] != '"' && s[i] != '\t' && s[i] != '\\' {
				i++
			}
			continue
		case r == '\t':
			out.WriteByte(' ')
		case r == utf8.RuneError && n == 1:
			out.WriteString(`\x` + strconv.FormatUint(uint64(s[i]), 16))
		case !unicode.IsPrint(r):
			out.WriteString(strconv.QuoteRuneToASCII(r)[1 : len(strconv.QuoteRuneToASCII(r))-1])
		default:
			out.WriteString(s[i : i+n])
		}
		i += n
	}
	s = masked(out.String())
	if cut {
		s += " ..."
	}
	return s
}

// masked takes secrets out of a text.
func masked(s string) string {
	lower := asciiLower(s)
	for _, w := range secretWords {
		from := 0
		for {
			i := strings.Index(lower[from:], w)
			if i < 0 {
				break
			}
			begin := from + i + len(w)
			end := begin
			for end < len(s) && !strings.ContainsRune(" \"'&,;", rune(s[end])) {
				end++
			}
			if end > begin && lower[begin:end] != "bearer" && lower[begin:end] != "basic" {
				s = s[:begin] + "..." + s[end:]
				lower = asciiLower(s)
				end = begin + 3
			}
			from = end
		}
	}
	for from := 0; ; {
		i := strings.Index(s[from:], "sk-")
		if i < 0 {
			return s
		}
		begin := from + i
		end := begin + 3
		for end < len(s) && (s[end] == '-' || s[end] == '_' || s[end] >= '0' && s[end] <= '9' || s[end]|0x20 >= 'a' && s[end]|0x20 <= 'z') {
			end++
		}
		if end-begin >= 20 && (begin == 0 || !isLetter(s[begin-1])) {
			s = s[:begin] + "sk-..." + s[end:]
			end = begin + 6
		}
		from = end
	}
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// asciiLower keeps the length of the text, which strings.ToLower does not promise.
func asciiLower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 32
		}
	}
	return string(b)
}
