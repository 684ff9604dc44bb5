package llm

import (
	"time"

	"causeway/internal/llm/jsonscan"
)

// Limit is what a provider says of one limit of a key.
type Limit struct {
	Known     bool
	Remaining int64
	Reset     time.Duration // until it is full again; 0 when not said
}

// Limits are what the fields of an answer say of a key's limits: OpenAI's x-ratelimit-remaining-requests and
// -tokens with their -reset- fields (also Groq, Azure, Mistral, Together), Anthropic's
// anthropic-ratelimit-requests-remaining and the tokens', input-tokens' and output-tokens' (of which the
// one with the least left counts).
type Limits struct {
	Requests, Tokens Limit
}

// Read takes one field of an answer, which says something of a limit or does not. header returns the first
// value of a field; it is asked only where a limit is spent. Nothing is
// allocated while none is.
func (l *Limits) Read(name, value []byte, header func(name string) string, now time.Time) {
	if len(name) < 21 || name[0]|0x20 != 'x' && name[0]|0x20 != 'a' {
		return
	}
	for i := range limitFields {
		f := &limitFields[i]
		if !foldEqual(name, f.remaining) {
			continue
		}
		n := jsonscan.Int(value)
		if n < 0 {
			return
		}
		to := &l.Requests
		if f.tokens {
			to = &l.Tokens
		}
		if to.Known && to.Remaining <= n {
			return
		}
		*to = Limit{Known: true, Remaining: n}
		if n == 0 {
			to.Reset = resetAt(header(f.reset), now)
		}
		return
	}
}

var limitFields = [...]struct {
	remaining, reset string
	tokens           bool
}{
	{"x-ratelimit-remaining-requests", "x-ratelimit-reset-requests", false},
	{"x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens", true},
	{"anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset", false},
	{"anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset", true},
	{"anthropic-ratelimit-input-tokens-remaining", "anthropic-ratelimit-input-tokens-reset", true},
	{"anthropic-ratelimit-output-tokens-remaining", "anthropic-ratelimit-output-tokens-reset", true},
}

// resetAt reads a reset time: as resetIn does, or as a moment (RFC 3339, Anthropic).
func resetAt(v string, now time.Time) time.Duration {
	if at, err := time.Parse(time.RFC3339, v); err == nil {
		return sane(at.Sub(now))
	}
	return resetIn(v, now)
}

// foldEqual compares a name with one in lower case.
func foldEqual(name []byte, lower string) bool {
	if len(name) != len(lower) {
		return false
	}
	for i, c := range name {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}
