package mask

import (
	"strings"
	"unicode/utf8"
)

// Stream masks a text that comes in pieces, and puts back what a Vault has hidden. What may be the begin of
// something is held back until more of the text shows what it is, so that no part of it leaves too early: of
// detectors' forms as far back as the last word reaches, of an operator's expressions 256 bytes. It must not be used
// concurrently.
type Stream struct {
	m      *Masker // nil masks nothing
	vault  *Vault  // hides into
	reveal *Vault  // puts back from
	held   string
	found  []Found
	block  *Found
}

// NewStream returns a Stream. m masks, hiding into hide where a rule is reversible; what reveal has hidden is put
// back. Either may be nil.
func NewStream(m *Masker, hide, reveal *Vault) *Stream {
	return &Stream{m: m, vault: hide, reveal: reveal}
}

// Found lists what was found so far.
func (s *Stream) Found() []Found { return s.found }

// Blocked is what a rule with Block has found; nothing is returned from then on.
func (s *Stream) Blocked() *Found { return s.block }

// Feed takes the next piece and returns what may go on.
func (s *Stream) Feed(piece string) string {
	if s.block != nil {
		return ""
	}
	if s.held == "" {
		piece = strings.Clone(piece) // it may be a view of what is read next
	}
	s.held += piece
	return s.release(s.safe())
}

// End returns what was held back.
func (s *Stream) End() string {
	if s.block != nil {
		return ""
	}
	return s.release(len(s.held))
}

// release masks what is held and gives out what comes from its first n bytes.
func (s *Stream) release(n int) string {
	if n == 0 {
		return ""
	}
	text := s.held
	if s.m == nil {
		s.held = text[n:]
		return s.reveal.Reveal(text[:n])
	}
	var b strings.Builder
	from := 0
	for _, h := range s.m.hits(text) {
		if h.from >= n {
			break
		}
		if h.to > n { // it reaches into what is held back: all of it stays
			n = max(s.whole(text, h.from), from)
			break
		}
		f := Found{Rule: h.by.rule, Label: h.by.label, Way: h.by.way}
		s.found = append(s.found, f)
		if h.by.way == Block {
			s.block = &f
			s.held = ""
			return s.reveal.Reveal(b.String() + text[from:h.from])
		}
		b.WriteString(text[from:h.from])
		b.WriteString(s.m.instead(text[h.from:h.to], h.by, s.vault))
		from = h.to
	}
	if from < n {
		b.WriteString(text[from:n])
	}
	s.held = text[n:]
	return s.reveal.Reveal(b.String())
}

// mostHeld bounds what is held back: a word longer than that is no address, number or credential.
const mostHeld = 4096

// safe is how many bytes of what is held nothing can begin in that has not ended.
func (s *Stream) safe() int {
	text := s.held
	n := len(text)
	if s.m != nil {
		n = s.tail(text)
		for i := range s.m.finders {
			if w := s.m.finders[i].window; w > 0 {
				n = min(n, max(len(text)-w, 0))
			}
		}
		if i := strings.LastIndex(text, "-----BEGIN "); i >= 0 && !strings.Contains(text[i:], "-----END ") && len(text)-i < mostHeld {
			n = min(n, i)
		}
	}
	for n > 0 && n < len(text) && alnum(text[n-1]) && alnum(text[n]) {
		n-- // what follows must not look like the begin of a word
	}
	if len(text)-n > mostHeld {
		n = len(text) - mostHeld/2
	}
	for n > 0 && n < len(text) && !utf8.RuneStart(text[n]) {
		n--
	}
	return s.whole(text, n)
}

// whole is n, or where a placeholder begins that n cuts.
func (s *Stream) whole(text string, n int) int {
	if s.reveal.Empty() {
		return n
	}
	if i := strings.LastIndexByte(text[:n], '['); i >= 0 && n-i < maxToken && strings.IndexByte(text[i:n], ']') < 0 {
		return i
	}
	return n
}

// tail is where the last word begins, and the numbers in groups before it: "+49 30 901820", "4111 1111 1111 1".
func (s *Stream) tail(text string) int {
	i := len(text)
	for i > 0 && text[i-1] != ' ' && text[i-1] != '\n' && text[i-1] != '\t' && text[i-1] < utf8.RuneSelf {
		i--
	}
	for i > 0 {
		k := i
		for k > 0 && strings.IndexByte(" -.()/", text[k-1]) >= 0 && i-k < 2 {
			k--
		}
		word := k
		for word > 0 && (alnum(text[word-1]) || text[word-1] == '+' || text[word-1] == '(' || text[word-1] == ')') {
			word--
		}
		if k == i || word == k || k-word > 8 || !groups(text[word:k]) {
			return i
		}
		i = word
	}
	return i
}

// groups tells whether a word may be a group of a number in groups.
func groups(word string) bool {
	for i := range len(word) {
		if digit(word[i]) {
			return true
		}
	}
	return word == "+" || word == "("
}
