package identity

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strings"
)

// The beginnings of secrets, so that people, scanners and log filters can recognise them.
const (
	TokenPrefix     = "cw_pat_" // a personal access token
	CallerKeyPrefix = "cw_"     // a key of a calling application
)

// secretLength is the length of a token's or key's random part: 52 characters of 5 bits, more than
// 256 bits.
const secretLength = 52

// alphabet has 32 characters, without those that are taken for one another when read aloud.
const alphabet = "abcdefghijkmnpqrstuvwxyz23456789"

// randomText is n random characters of 5 bits each.
func randomText(n int) string {
	b := make([]byte, n)
	// rand.Read never fails since Go 1.24.
	_, _ = rand.Read(b)
	for i, c := range b {
		b[i] = alphabet[c&31]
	}
	return string(b)
}

// NewCallerKey makes a key for a calling application, "cw_" and 52 characters. It is shown once;
// what is kept is HashKey of it.
func NewCallerKey() string { return CallerKeyPrefix + randomText(secretLength) }

// HashKey is what is kept of a caller's key, an access token or a session token: its SHA-256.
func HashKey(key string) [32]byte { return sha256.Sum256([]byte(key)) }

// csrfToken derives a session's CSRF token from its token. A page of another origin can make a
// browser send the session's cookie, and cannot read it, so it cannot know this.
func csrfToken(session string) string {
	mac := hmac.New(sha256.New, []byte(session))
	mac.Write([]byte("causeway csrf token"))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// CSRFValid says whether got is the CSRF token of the principal's session, in constant time. It is
// false for one who did not sign in with a session.
func (p Principal) CSRFValid(got string) bool {
	return p.CSRF != "" && subtle.ConstantTimeCompare([]byte(p.CSRF), []byte(got)) == 1
}

// hint is the part of a token that may be shown.
func hint(token string) string {
	return token[:len(TokenPrefix)+4] + strings.Repeat("*", 4)
}
