package mask

import "strings"

// JSONStream is a Stream for a text that is JSON, such as the arguments of a tool's call: it masks what its strings
// say and leaves it JSON. A text that does not begin as an object or an array is masked as it is. It must not be used
// concurrently.
type JSONStream struct {
	m            *Masker
	hide, reveal *Vault

	text   *Stream // of the string at hand, or of the whole when it is no JSON
	begun  bool
	plain  bool   // it is no JSON
	open   []byte // the objects and arrays that are open
	key    bool   // the next string is a name
	inName bool
	esc    bool // in a name, behind a backslash
	inText bool
	un     unescaper
	word   []byte // a number or a word outside strings
	buf    []byte
	found  []Found
	block  *Found
}

// NewJSONStream is NewStream for a text that is JSON.
func NewJSONStream(m *Masker, hide, reveal *Vault) *JSONStream {
	return &JSONStream{m: m, hide: hide, reveal: reveal}
}

// Found lists what was found so far.
func (j *JSONStream) Found() []Found {
	if j.text != nil {
		return append(j.found[:len(j.found):len(j.found)], j.text.Found()...)
	}
	return j.found
}

// Blocked is what a rule with Block has found; nothing is returned from then on.
func (j *JSONStream) Blocked() *Found { return j.block }

// Feed takes the next piece and returns what may go on.
func (j *JSONStream) Feed(piece string) string {
	if !j.begun {
		t := strings.TrimLeft(piece, " \n\t\r")
		if t == "" {
			return piece
		}
		j.begun = true
		if j.plain = t[0] != '{' && t[0] != '['; j.plain {
			j.text = NewStream(j.m, j.hide, j.reveal)
		}
	}
	if j.plain {
		out := j.text.Feed(piece)
		j.block = j.text.Blocked()
		return out
	}
	var out []byte
	for i := 0; i < len(piece) && j.block == nil; i++ {
		out = j.step(out, piece[i])
	}
	if j.inText {
		out = j.flush(out)
	}
	return string(out)
}

// End returns what was held back.
func (j *JSONStream) End() string {
	switch {
	case j.block != nil:
		return ""
	case j.plain:
		out := j.text.End()
		j.block = j.text.Blocked()
		return out
	}
	var out []byte
	if j.inText {
		out = j.closeText(out)
	}
	return string(j.endWord(out))
}

// step takes one byte.
func (j *JSONStream) step(out []byte, c byte) []byte {
	switch {
	case j.inName:
		if out = append(out, c); j.esc {
			j.esc = false
		} else if c == '\\' {
			j.esc = true
		} else if c == '"' {
			j.inName = false
		}
		return out
	case j.inText && c == '"' && len(j.un.esc) == 0:
		if out = j.closeText(out); j.block == nil {
			out = append(out, '"')
		}
		return out
	case j.inText:
		j.buf = j.un.add(j.buf, c)
		return out
	}
	if strings.IndexByte("{}[],:\" \n\t\r", c) < 0 {
		j.word = append(j.word, c)
		return out
	}
	out = j.endWord(out)
	switch c {
	case '{', '[':
		j.open = append(j.open, c)
		j.key = c == '{'
	case '}', ']':
		j.open = j.open[:max(len(j.open)-1, 0)]
		j.key = false
	case ',':
		j.key = len(j.open) > 0 && j.open[len(j.open)-1] == '{'
	case ':':
		j.key = false
	case '"':
		if j.key {
			j.inName = true
		} else {
			j.inText, j.text = true, NewStream(j.m, j.hide, j.reveal)
		}
	}
	return append(out, c)
}

// flush gives the decoded text to the string's stream.
func (j *JSONStream) flush(out []byte) []byte {
	if len(j.buf) == 0 {
		return out
	}
	out = escape(out, j.text.Feed(string(j.buf)))
	j.buf, j.block = j.buf[:0], j.text.Blocked()
	return out
}

func (j *JSONStream) closeText(out []byte) []byte {
	j.buf = j.un.end(j.buf)
	if out = j.flush(out); j.block == nil {
		out = escape(out, j.text.End())
		j.block = j.text.Blocked()
	}
	j.found = append(j.found, j.text.Found()...)
	j.inText, j.text = false, nil
	return out
}

// endWord writes what stood outside of strings: a number may be one that is looked for.
func (j *JSONStream) endWord(out []byte) []byte {
	if len(j.word) == 0 {
		return out
	}
	word := string(j.word)
	j.word = j.word[:0]
	if j.m != nil && len(word) > 7 {
		masked, found, blocked := j.m.Text(word, j.hide)
		j.found = append(j.found, found...)
		if blocked != nil {
			j.block = blocked
			return out
		}
		if masked != word {
			return quote(out, masked)
		}
	}
	return append(out, word...)
}
