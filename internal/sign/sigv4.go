package sign

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
)

// AWS are the credentials and the scope of AWS Signature Version 4.
type AWS struct {
	Region  string // "us-east-1"
	Service string // "bedrock"
	Key     AWSKey
}

// AWSKey is one access key.
type AWSKey struct {
	AccessKey string // "AKIA..."
	Secret    string
	Session   string // the token of temporary credentials, "" when the key is a lasting one
}

// NewAWS returns a Signer that adds x-amz-date, x-amz-content-sha256, x-amz-security-token where there is one, and
// Authorization. Host and content-type are signed as well. Its error says which part of a is missing.
//
// Source: docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
func NewAWS(a AWS) (Signer, error) {
	switch {
	case a.Region == "":
		return nil, errors.New("AWS Signature Version 4 needs a region")
	case a.Service == "":
		return nil, errors.New("AWS Signature Version 4 needs a service")
	case a.Key.AccessKey == "" || a.Key.Secret == "":
		return nil, errors.New("AWS Signature Version 4 needs an access key and its secret")
	}
	for _, s := range []string{a.Region, a.Service, a.Key.AccessKey, a.Key.Session} {
		if strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c >= 0x7f }) {
			return nil, errors.New("AWS Signature Version 4: region, access key and session token are plain ASCII without spaces")
		}
	}
	return &awsSigner{aws: a, hashBody: true}, nil
}

type awsSigner struct {
	aws      AWS
	hashBody bool // send x-amz-content-sha256; off only in the published test vectors, which lack it
	day      atomic.Pointer[dayKey]
}

// dayKey is the signing key of one day (UTC): it is derived by four HMACs, which need not be done for each call.
type dayKey struct {
	date string
	key  []byte
}

// Append implements Signer. A request is signed when it is sent: AWS takes a signature for five minutes.
func (s *awsSigner) Append(dst []byte, r *Request) ([]byte, error) {
	if r.Host == "" {
		return dst, errors.New("signing for AWS: the request has no host")
	}
	stamp := r.Now.UTC().Format("20060102T150405Z")
	body := sha256.Sum256(r.Body)
	bodyHash := hex.EncodeToString(body[:])

	// The signed headers in the order of their names.
	type field struct{ name, value string }
	var signed []field
	if r.Header != nil {
		if v := r.Header("content-type"); v != "" {
			signed = append(signed, field{"content-type", v})
		}
	}
	signed = append(signed, field{"host", r.Host})
	if s.hashBody {
		signed = append(signed, field{"x-amz-content-sha256", bodyHash})
	}
	signed = append(signed, field{"x-amz-date", stamp})
	if s.aws.Key.Session != "" {
		signed = append(signed, field{"x-amz-security-token", s.aws.Key.Session})
	}

	var text, names []byte // the canonical request
	text = append(append(text, r.Method...), '\n')
	text = append(appendPath(text, r.Path), '\n')
	text = append(appendQuery(text, r.Query), '\n')
	for i, f := range signed {
		text = append(append(append(text, f.name...), ':'), strings.Join(strings.Fields(f.value), " ")...)
		text = append(text, '\n')
		if i > 0 {
			names = append(names, ';')
		}
		names = append(names, f.name...)
	}
	text = append(append(append(text, '\n'), names...), '\n')
	text = append(text, bodyHash...)

	scope := stamp[:8] + "/" + s.aws.Region + "/" + s.aws.Service + "/aws4_request"
	hashed := sha256.Sum256(text)
	toSign := "AWS4-HMAC-SHA256\n" + stamp + "\n" + scope + "\n" + hex.EncodeToString(hashed[:])
	signature := hex.EncodeToString(mac(s.key(stamp[:8]), toSign))

	for _, f := range signed {
		if strings.HasPrefix(f.name, "x-amz-") {
			dst = append(append(append(append(dst, f.name...), ": "...), f.value...), "\r\n"...)
		}
	}
	dst = append(dst, "Authorization: AWS4-HMAC-SHA256 Credential="...)
	dst = append(append(append(dst, s.aws.Key.AccessKey...), '/'), scope...)
	dst = append(append(dst, ", SignedHeaders="...), names...)
	dst = append(append(dst, ", Signature="...), signature...)
	return append(dst, "\r\n"...), nil
}

// key is the signing key of a day.
func (s *awsSigner) key(date string) []byte {
	if k := s.day.Load(); k != nil && k.date == date {
		return k.key
	}
	key := []byte("AWS4" + s.aws.Key.Secret)
	for _, part := range []string{date, s.aws.Region, s.aws.Service, "aws4_request"} {
		key = mac(key, part)
	}
	s.day.Store(&dayKey{date, key})
	return key
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// appendPath appends the canonical path: that of the request encoded once more, since every AWS service but S3 signs it so.
// A model's name that stands as anthropic.claude%3A0 is signed as anthropic.claude%253A0.
func appendPath(dst []byte, path string) []byte {
	if path == "" {
		return append(dst, '/')
	}
	for i := range len(path) {
		if c := path[i]; c == '/' {
			dst = append(dst, c)
		} else {
			dst = appendEncoded(dst, c)
		}
	}
	return dst
}

// appendQuery appends the canonical query: names and values encoded in one way, sorted.
func appendQuery(dst []byte, query string) []byte {
	if query == "" {
		return dst
	}
	type pair struct{ name, value string }
	var pairs []pair
	for part := range strings.SplitSeq(query, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		pairs = append(pairs, pair{encodeAgain(name), encodeAgain(value)})
	}
	slices.SortFunc(pairs, func(a, b pair) int {
		if c := strings.Compare(a.name, b.name); c != 0 {
			return c
		}
		return strings.Compare(a.value, b.value)
	})
	for i, p := range pairs {
		if i > 0 {
			dst = append(dst, '&')
		}
		dst = append(append(append(dst, p.name...), '='), p.value...)
	}
	return dst
}

// encodeAgain brings a piece of a query to the one way in which AWS encodes. What is no valid encoding is encoded as it is.
func encodeAgain(s string) string {
	if plain, err := url.PathUnescape(s); err == nil {
		s = plain
	}
	var b []byte
	for i := range len(s) {
		b = appendEncoded(b, s[i])
	}
	return string(b)
}

func appendEncoded(dst []byte, c byte) []byte {
	if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || isDigit(c) || c == '-' || c == '.' || c == '_' || c == '~' {
		return append(dst, c)
	}
	const digits = "0123456789ABCDEF"
	return append(dst, '%', digits[c>>4], digits[c&15])
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

var _ Signer = (*awsSigner)(nil)
