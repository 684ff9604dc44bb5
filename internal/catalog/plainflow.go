package catalog

import (
	"unicode/utf8"

	"github.com/goccy/go-yaml/token"
)

// wholeScalars returns the tokens with plain text in [ ] made whole. In YAML a colon ends plain text
// only where a space or one of ,[]{} follows it, so that [llama3.2:1b, ::1] holds two texts; inside
// { } the YAML library's scanner ends it at every colon, and its parser would read mappings.
func wholeScalars(tokens token.Tokens) token.Tokens {
	var (
		whole token.Tokens
		lists []bool // of each open bracket, whether it is a [
	)
	for i := 0; i < len(tokens); i++ {
		tk := tokens[i]
		switch tk.Type {
		case token.SequenceStartType, token.MappingStartType:
			lists = append(lists, tk.Type == token.SequenceStartType)
		case token.SequenceEndType, token.MappingEndType:
			lists = lists[:max(len(lists)-1, 0)]
		case token.MappingValueType:
			if len(lists) == 0 || !lists[len(lists)-1] || i+1 == len(tokens) || !plainAfter(tk, tokens[i+1]) {
				break
			}
			begin, text, kept := tk, ":"+tokens[i+1].Value, whole
			if n := len(whole); n > 0 && isPlain(whole[n-1]) && plainAfter(whole[n-1], tk) {
				begin, text, kept = whole[n-1], whole[n-1].Value+text, whole[:n-1]
			}
			if beginsItem(kept) {
				whole = kept
				whole.Add(token.String(text, text, begin.Position))
				i++
				continue
			}
		}
		whole.Add(tk)
	}
	return whole
}

// beginsItem tells whether what follows the tokens begins an item of a list in [ ].
func beginsItem(tokens token.Tokens) bool {
	n := len(tokens)
	for n > 0 && tokens[n-1].Type == token.CommentType {
		n--
	}
	return n > 0 && (tokens[n-1].Type == token.SequenceStartType || tokens[n-1].Type == token.CollectEntryType)
}

// plainAfter tells whether tk is plain text, or a colon, right behind before.
func plainAfter(before, tk *token.Token) bool {
	return (isPlain(tk) || tk.Type == token.MappingValueType) && tk.Position.Line == before.Position.Line &&
		tk.Position.Column == before.Position.Column+utf8.RuneCountInString(before.Value)
}

// isPlain tells whether tk is text, or a number or word, without quotes.
func isPlain(tk *token.Token) bool {
	switch tk.Type {
	case token.StringType, token.IntegerType, token.HexIntegerType, token.OctetIntegerType, token.BinaryIntegerType,
		token.FloatType, token.BoolType, token.NullType, token.InfinityType, token.NanType:
		return true
	}
	return false
}
