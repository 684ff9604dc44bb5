package ledger

import (
	"bytes"
	"strings"
)

// masked stands where a secret stood.
const masked = "[masked]"

// Mask copies a body for keeping: at most limit bytes of it, with what looks like a secret
// replaced by "[masked]":
//
//   - values behind a name that says so (api_key, password, token, client_secret, authorization,
//     cookie ...), in JSON, also escaped inside a JSON string, in forms, headers and YAML;
//   - what follows Bearer or Basic;
//   - keys with a well-known beginning (sk-, AKIA, AIza, ghp_, xoxb- ...) and JSON Web Tokens;
//   - PEM private keys.
//
// It goes by looks and cannot know every secret: bodies are kept only where that is configured.
// It takes one pass and no regular expressions. An empty body gives nil.
func Mask(body []byte, limit int) []byte {
	m := masker{in: body[:min(len(body), max(limit, 0))]}
	m.cut = len(m.in) < len(body)
	if len(m.in) == 0 {
		return nil
	}
	m.out = make([]byte, 0, len(m.in))
	for m.at < len(m.in) {
		switch c := m.in[m.at]; {
		case c == '-' && bytes.HasPrefix(m.in[m.at:], []byte("-----BEGIN ")):
			m.pem()
		case wordByte(c):
			m.word()
		default:
			m.copy(1)
		}
	}
	return m.out
}

type masker struct {
	in, out []byte
	at      int
	cut     bool // the body went on behind in
}

func (m *masker) copy(n int) {
	m.out = append(m.out, m.in[m.at:m.at+n]...)
	m.at += n
}

func (m *masker) mask(n int) {
	m.out = append(m.out, masked...)
	m.at += n
}

// wordByte tells whether c may stand in a name or in a key.
func wordByte(c byte) bool { return wordBytes[c] }

var wordBytes = func() (table [256]bool) {
	for _, c := range "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-" {
		table[c] = true
	}
	return table
}()

// span is the length of the bytes from at on for which f holds.
func (m *masker) span(at int, f func(c byte) bool) int {
	n := 0
	for at+n < len(m.in) && f(m.in[at+n]) {
		n++
	}
	return n
}

func (m *masker) word() {
	n := m.span(m.at, wordByte)
	if n >= 5 && bytes.HasPrefix(m.in[m.at:], []byte("-----")) { // dashes before a BEGIN
		m.copy(1)
		return
	}
	word := m.in[m.at : m.at+n]
	whole := m.at+n < len(m.in) || !m.cut
	switch {
	case looksLikeKey(word, whole):
		m.mask(m.span(m.at, tokenByte))
	case isScheme(word) && m.at+n < len(m.in) && m.in[m.at+n] == ' ':
		m.copy(n + m.span(m.at+n, blank))
		if k := m.span(m.at, tokenByte); k >= 8 || k > 0 && m.cut && m.at+k == len(m.in) {
			m.mask(k)
		}
	case secretName(word):
		m.copy(n)
		m.value(word)
	default:
		m.copy(n)
	}
}

// value masks what stands behind a name that tells of a secret, if something is assigned to it:
// "name": "v", \"name\": \"v\", name=v, name: v.
func (m *masker) value(name []byte) {
	quote := m.quote(m.at)
	at := m.at + len(quote)
	at += m.span(at, blank)
	if at >= len(m.in) || m.in[at] != ':' && m.in[at] != '=' {
		return
	}
	form := m.in[at] == '='
	at++
	at += m.span(at, blank)
	m.copy(at - m.at)
	if m.at < len(m.in) && m.in[m.at] == '[' { // a list of secrets
		m.copy(1 + m.span(m.at+1, blank))
	}
	for {
		open := m.quote(m.at)
		if len(open) == 0 {
			break
		}
		m.copy(len(open))
		n := m.until(open)
		if n > 0 {
			m.mask(n)
		}
		m.copy(min(len(open), len(m.in)-m.at))
		// In a list another one may follow.
		next := m.at + m.span(m.at, func(c byte) bool { return blank(c) || c == ',' })
		if next == m.at || len(m.quote(next)) == 0 || m.assigned(next) {
			return
		}
		m.copy(next - m.at)
	}
	if !form && lineName(name) { // a header: to the end of the line
		if n := m.span(m.at, func(c byte) bool { return c != '\r' && c != '\n' && c != '"' && c != '\\' }); n > 0 {
			m.mask(n)
		}
		return
	}
	bare := m.span(m.at, func(c byte) bool { return strings.IndexByte("&;, \t\r\n\"'{}[]()<>", c) < 0 })
	if value := string(m.in[m.at : m.at+bare]); bare > 0 && value != "null" && value != "true" && value != "false" {
		m.mask(bare)
	}
}

// quote is the quotation mark at a place with the backslashes before it, nothing when there is none.
func (m *masker) quote(at int) []byte {
	n := m.span(at, func(c byte) bool { return c == '\\' })
	if at+n < len(m.in) && (m.in[at+n] == '"' || m.in[at+n] == '\'') {
		return m.in[at : at+n+1]
	}
	return nil
}

// until is the length up to the quotation mark that closes one. Where that has s backslashes before
// it (JSON inside a JSON string: 1, inside that once more: 3), the closing one has s as well, and
// every backslash of the text itself stands there 2(s+1) times for one.
func (m *masker) until(open []byte) int {
	mark, s := open[len(open)-1], len(open)-1
	for at := m.at; at < len(m.in); at++ {
		if m.in[at] != mark {
			continue
		}
		n := 0
		for at-n > m.at && m.in[at-n-1] == '\\' {
			n++
		}
		if n < s || n%(2*(s+1)) == s {
			return at - min(n, s) - m.at
		}
	}
	return len(m.in) - m.at
}

// assigned tells whether the quoted text at a place is itself a name with a value.
func (m *masker) assigned(at int) bool {
	open := m.quote(at)
	inner := masker{in: m.in, at: at + len(open)}
	end := inner.at + inner.until(open) + len(open)
	end += m.span(end, blank)
	return end < len(m.in) && m.in[end] == ':'
}

// pem masks a private key's lines; certificates and public keys are let through.
func (m *masker) pem() {
	head := m.in[m.at:min(m.at+64, len(m.in))]
	if !bytes.Contains(head, []byte("PRIVATE KEY")) {
		m.copy(5)
		return
	}
	n := len(m.in) - m.at
	if end := bytes.Index(m.in[m.at:], []byte("-----END ")); end >= 0 {
		n = end
	}
	m.mask(n)
	m.copy(min(5, len(m.in)-m.at))
}

func blank(c byte) bool { return c == ' ' || c == '\t' }

// tokenByte tells whether c may stand in a credential (RFC 9110 section 11.2, token68, and the
// dots of a JSON Web Token).
func tokenByte(c byte) bool {
	return wordByte(c) || c == '.' || c == '~' || c == '+' || c == '/' || c == '='
}

// isScheme tells whether a word is an authentication scheme that a credential follows.
func isScheme(word []byte) bool {
	return bytes.EqualFold(word, []byte("bearer")) || bytes.EqualFold(word, []byte("basic"))
}

// secretEnds are how names end behind which secrets stand, in lower case and without - and _.
var secretEnds = [...]string{
	"apikey", "password", "passwd", "pwd", "passphrase", "secret", "token", "authorization", "cookie", "privatekey",
	"accesskey", "secretkey", "credential", "credentials", "signature",
}

// secretName tells whether a member, parameter or header of this name holds a secret.
func secretName(word []byte) bool {
	if len(word) < 3 || len(word) > 64 {
		return false
	}
	if len(word) == 4 && bytes.EqualFold(word, []byte("auth")) {
		return true
	}
	for _, end := range secretEnds {
		if endsIn(word, end) {
			return true
		}
	}
	return false
}

func endsIn(word []byte, end string) bool {
	at := len(word) - 1
	for i := len(end) - 1; i >= 0; i-- {
		for at >= 0 && (word[at] == '-' || word[at] == '_') {
			at--
		}
		if at < 0 || word[at]|0x20 != end[i] {
			return false
		}
		at--
	}
	return true
}

// lineName tells whether a header of this name is a secret to the end of its line.
func lineName(name []byte) bool {
	return len(name) >= 6 && (bytes.EqualFold(name[len(name)-6:], []byte("cookie")) ||
		len(name) >= 13 && bytes.EqualFold(name[len(name)-13:], []byte("authorization")))
}

// keyBeginnings are how well-known keys begin, with the length that the whole key has at least.
var keyBeginnings = [...]struct {
	begin string
	least int
}{
	{"sk-", 16},
	{"pk-", 24},
	{"rk-", 24},
	{"sk_live_", 16},
	{"sk_test_", 16},
	{"rk_live_", 16},
	{"gsk_", 20},
	{"xai-", 20},
	{"hf_", 20},
	{"AKIA", 20},
	{"ASIA", 20},
	{"AIza", 30},
	{"ya29", 20},
	{"ghp_", 20},
	{"gho_", 20},
	{"ghs_", 20},
	{"ghu_", 20},
	{"github_pat_", 20},
	{"glpat-", 20},
	{"xoxb-", 20},
	{"xoxp-", 20},
	{"xoxa-", 20},
	{"eyJ", 16},
}

const shortestKey = 16

// looksLikeKey tells whether a word begins as a well-known key does. Where the body was cut in the
// middle of it, the beginning is enough.
func looksLikeKey(word []byte, whole bool) bool {
	if whole && len(word) < shortestKey {
		return false
	}
	for _, k := range keyBeginnings {
		if len(word) > len(k.begin) && string(word[:len(k.begin)]) == k.begin && (len(word) >= k.least || !whole) {
			return true
		}
	}
	return false
}
