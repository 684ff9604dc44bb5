package mask

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Way says what becomes of what is found.
type Way uint8

// The ways.
const (
	Full       Way = iota // [EMAIL]
	Partial               // j***@example.com, **** **** **** 1111
	Hash                  // [EMAIL:9f86d081]: the same for the same text, so that answers can tell people apart
	Reversible            // [EMAIL_1], and back again on the way home
	Block                 // the call is refused
)

// Rule is what a Masker looks for and what it does with it.
type Rule struct {
	Name        string   // as the configuration has it, for findings
	Detect      []string // names of built-in detectors
	Keywords    []string // matched without regard to case, as whole words
	Expressions []string // RE2
	Paths       []PathRule
	Way         Way
}

// Masker applies rules to texts. It is immutable and safe for concurrent use.
type Masker struct {
	finders []finder
	paths   []jsonPath
	key     []byte
}

type finder struct {
	rule   string
	label  string
	way    Way
	next   func(text string, from int) (start, end int, ok bool)
	window int // how much of a text's end may be the begin of a match, in bytes; 0: up to the last space
}

// New compiles rules. key makes hashes that outsiders cannot make again; it must stay the same for the same
// text to get the same hash.
func New(rules []Rule, key []byte) (*Masker, error) {
	m := &Masker{key: slices.Clone(key)}
	for _, r := range rules {
		for _, name := range r.Detect {
			i := slices.IndexFunc(builtin[:], func(d detector) bool { return d.name == name })
			if i < 0 {
				return nil, fmt.Errorf("rule %s: there is no detector %q; there are %s", r.Name, name, strings.Join(Detectors(), ", "))
			}
			m.finders = append(m.finders, finder{rule: r.Name, label: builtin[i].label, way: r.Way, next: builtin[i].next})
		}
		for _, word := range r.Keywords {
			if word == "" {
				return nil, fmt.Errorf("rule %s: a keyword is empty", r.Name)
			}
			re := regexp.MustCompile(`(?i)` + regexp.QuoteMeta(word))
			m.finders = append(m.finders, finder{rule: r.Name, label: "WORD", way: r.Way, next: wholeWord(re), window: len(word)})
		}
		for _, text := range r.Expressions {
			re, err := regexp.Compile(text)
			if err != nil {
				return nil, fmt.Errorf("rule %s: %w", r.Name, err)
			}
			if re.MatchString("") {
				return nil, fmt.Errorf("rule %s: %q matches the empty text", r.Name, text)
			}
			m.finders = append(m.finders, finder{rule: r.Name, label: "TEXT", way: r.Way, next: expression(re), window: maxWindow})
		}
		for _, p := range r.Paths {
			segments, err := parsePath(p.Path)
			if err != nil {
				return nil, fmt.Errorf("rule %s: %q: %w", r.Name, p.Path, err)
			}
			m.paths = append(m.paths, jsonPath{segments: segments, rule: p, by: finder{rule: r.Name, label: "VALUE", way: r.Way}})
		}
	}
	return m, nil
}

// maxWindow is how much of a stream is held back for an operator's expression, whose matches may be of any length.
const maxWindow = 256

func expression(re *regexp.Regexp) func(text string, from int) (int, int, bool) {
	return func(text string, from int) (int, int, bool) {
		at := re.FindStringIndex(text[from:])
		if at == nil || at[0] == at[1] {
			return 0, 0, false
		}
		return from + at[0], from + at[1], true
	}
}

func wholeWord(re *regexp.Regexp) func(text string, from int) (int, int, bool) {
	return func(text string, from int) (int, int, bool) {
		for from < len(text) {
			at := re.FindStringIndex(text[from:])
			if at == nil {
				return 0, 0, false
			}
			start, end := from+at[0], from+at[1]
			if bounded(text, start, end) || !alnum(text[start]) {
				return start, end, true
			}
			from = end
		}
		return 0, 0, false
	}
}

// Found is one thing that was found, without the thing itself.
type Found struct {
	Rule  string
	Label string
	Way   Way
}

// hit is a match of a finder.
type hit struct {
	from, to int
	by       *finder
}

// hits finds what is in text, in order and without overlaps. Of two that begin at the same place the longer
// counts, else the first rule's.
func (m *Masker) hits(text string) (list []hit) {
	for i := range m.finders {
		f := &m.finders[i]
		for from := 0; from < len(text); {
			start, end, ok := f.next(text, from)
			if !ok {
				break
			}
			list = append(list, hit{start, end, f})
			from = max(end, start+1)
		}
	}
	slices.SortStableFunc(list, func(a, b hit) int {
		if a.from != b.from {
			return a.from - b.from
		}
		return (b.to - b.from) - (a.to - a.from)
	})
	kept := list[:0]
	last := 0
	for _, h := range list {
		if h.from >= last {
			kept = append(kept, h)
			last = h.to
		}
	}
	return kept
}

// Text masks a text. found is empty when nothing was there, and the text is then as it was; blocked names
// what a rule with Block found.
func (m *Masker) Text(text string, v *Vault) (masked string, found []Found, blocked *Found) {
	hits := m.hits(text)
	if len(hits) == 0 {
		return text, nil, nil
	}
	var b strings.Builder
	from := 0
	for _, h := range hits {
		f := Found{Rule: h.by.rule, Label: h.by.label, Way: h.by.way}
		found = append(found, f)
		if h.by.way == Block {
			return text, found, &f
		}
		b.WriteString(text[from:h.from])
		b.WriteString(m.instead(text[h.from:h.to], h.by, v))
		from = h.to
	}
	b.WriteString(text[from:])
	return b.String(), found, nil
}

// instead is what stands in the place of what was found.
func (m *Masker) instead(s string, f *finder, v *Vault) string {
	switch f.way {
	case Partial:
		return partly(s, f.label)
	case Hash:
		h := hmac.New(sha256.New, m.key)
		h.Write([]byte(s))
		return "[" + f.label + ":" + hex.EncodeToString(h.Sum(nil)[:4]) + "]"
	case Reversible:
		return v.hide(s, f.label)
	}
	return "[" + f.label + "]"
}

// partly leaves enough to know what it was: the first letter and the domain of an address, the last four digits of a
// number, the first and last characters of anything else.
func partly(s, label string) string {
	if label == "EMAIL" {
		at := strings.IndexByte(s, '@')
		return s[:1] + "***" + s[at:]
	}
	if label == "CARD" || label == "PHONE" || label == "IBAN" || label == "ID" {
		keep, b := 4, []byte(s)
		for i := len(b) - 1; i >= 0; i-- {
			switch {
			case !alnum(b[i]):
			case keep > 0:
				keep--
			default:
				b[i] = '*'
			}
		}
		return string(b)
	}
	if utf8.RuneCountInString(s) < 5 {
		return "***"
	}
	_, first := utf8.DecodeRuneInString(s)
	_, last := utf8.DecodeLastRuneInString(s)
	return s[:first] + "***" + s[len(s)-last:]
}

// Vault keeps what one call has hidden. It must not be used concurrently. A nil Vault hides for good.
type Vault struct {
	// From is the number before the first placeholder's of each kind.
	From int

	byToken map[string]string
	byText  map[string]string
	next    map[string]int
}

// Empty tells whether nothing is hidden.
func (v *Vault) Empty() bool { return v == nil || len(v.byToken) == 0 }

func (v *Vault) hide(s, label string) string {
	if v == nil {
		return "[" + label + "]"
	}
	if t := v.byText[label+s]; t != "" {
		return t
	}
	if v.byToken == nil {
		v.byToken, v.byText, v.next = map[string]string{}, map[string]string{}, map[string]int{}
	}
	v.next[label]++
	t := "[" + label + "_" + strconv.Itoa(v.From+v.next[label]) + "]"
	v.byToken[t], v.byText[label+s] = s, t
	return t
}

// Reveal puts back what was hidden. A token that this vault did not make stays as it is.
func (v *Vault) Reveal(text string) string {
	if v.Empty() || !strings.Contains(text, "[") {
		return text
	}
	var b strings.Builder
	for {
		i := strings.IndexByte(text, '[')
		if i < 0 {
			break
		}
		b.WriteString(text[:i])
		text = text[i:]
		end := strings.IndexByte(text, ']')
		if s, ok := v.byToken[text[:max(end, 0)+1]]; end > 0 && ok {
			b.WriteString(s)
			text = text[end+1:]
			continue
		}
		b.WriteByte('[')
		text = text[1:]
	}
	b.WriteString(text)
	return b.String()
}

// maxToken is the longest token: "[SECRET_" and digits.
const maxToken = 24
