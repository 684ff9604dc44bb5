package anthropic

import "strings"

// traits are what a model can and can't, as far as a request has to be written in another way for it. They
// are read from its name, in which vendors put words around Anthropic's own ("claude-sonnet-4@20250514",
// "anthropic.claude-opus-4-6-v1:0").
// Sources: docs.claude.com/en/docs/about-claude/models, .../build-with-claude/adaptive-thinking,
// .../build-with-claude/effort, .../build-with-claude/structured-outputs.
type traits struct {
	claude  bool
	version int // 407 is 4.7; newest where the name has none
	opus    bool
}

const newest = 1 << 16

// traitsOf reads a model's name.
func traitsOf(model string) (t traits) {
	at := strings.LastIndex(strings.ToLower(model), "claude")
	if at < 0 {
		return t
	}
	t.claude, t.version = true, newest
	major := -1
	for rest := strings.ToLower(model[at+len("claude"):]); rest != ""; {
		var word string
		word, rest = cutWord(rest)
		t.opus = t.opus || word == "opus"
		n, ok := small(word)
		switch {
		case ok && major < 0:
			major, t.version = n, n*100
		case ok && t.version == major*100:
			t.version += n
			return t
		case major >= 0 && word != "":
			t.opus = t.opus || strings.Contains(rest, "opus")
			return t
		}
	}
	return t
}

// cutWord splits a name at its first mark of punctuation.
func cutWord(s string) (word, rest string) {
	if i := strings.IndexAny(s, "-.@:_/"); i >= 0 {
		return s[:i], s[i+1:]
	}
	return s, ""
}

// small reads a number of one or two digits: a version, and not a date.
func small(s string) (n int, ok bool) {
	if s == "" || len(s) > 2 {
		return 0, false
	}
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}

// thinks tells that the model has extended thinking. Of a model that is not Claude, behind an API of
// this dialect, it is supposed.
func (t traits) thinks() bool { return !t.claude || t.version >= 307 }

// adaptive tells that the model decides itself how much it thinks, guided by an effort.
func (t traits) adaptive() bool { return t.claude && t.version >= 406 }

// budgets tells that a thinking budget is taken: models after Opus 4.6 refuse it.
func (t traits) budgets() bool { return t.thinks() && (!t.claude || t.version < 407) }

// structured tells that answers and strict tools are held to a JSON Schema.
func (t traits) structured() bool { return t.claude && t.version >= 405 }

// samples tells that temperature, top_p and top_k are taken: models after Opus 4.6 refuse them.
func (t traits) samples() bool { return !t.claude || t.version < 407 }

// samplesOne tells that temperature and top_p can't both be said (Opus 4.1 and what came after it).
func (t traits) samplesOne() bool { return t.claude && t.version >= 401 }

// longest is the longest answer in tokens.
func (t traits) longest() int64 {
	switch {
	case !t.claude:
		return 8192
	case t.version < 305:
		return 4096
	case t.version < 307:
		return 8192
	case t.version >= 400 && t.version <= 401 && t.opus:
		return 32000
	case t.version >= 406 && t.opus:
		return 128000
	}
	return 64000
}

// usual is the length of an answer, thoughts left out, where the caller names none: this API wants one, and
// the others then give what the model has. It stays below what fits beside a long prompt.
const usual = 32000
