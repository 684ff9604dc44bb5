package sandbox

import (
	"strings"
	"unicode"
)

// longestToken is the most characters of a word that are one token: text without spaces streams too.
const longestToken = 12

// split cuts text into tokens. Joined they are text.
func split(text string) (tokens []string) {
	from, letters := 0, 0
	for i, r := range text {
		if space := unicode.IsSpace(r); space && letters > 0 || letters == longestToken {
			tokens = append(tokens, text[from:i])
			from, letters = i, 0
		}
		if !unicode.IsSpace(r) {
			letters++
		}
	}
	if from < len(text) {
		tokens = append(tokens, text[from:])
	}
	return tokens
}

// count is the number of tokens of all texts.
func count(texts ...string) (n int) {
	for _, t := range texts {
		n += len(split(t))
	}
	return n
}

// cut returns the first n tokens of text, all for 0, and whether that is less than all.
func cut(text string, n int) (string, bool) {
	tokens := split(text)
	if n <= 0 || len(tokens) <= n {
		return text, false
	}
	return strings.Join(tokens[:n], ""), true
}
