package gateway

import (
	"bytes"
	"net/url"
	"strings"
)

// Google's clients may send their key in the query (?key=KEY). On the paths of the Gemini dialect it counts as
// the field x-goog-api-key where that is missing, and never goes upstream.

// queryKeys is the dialect whose callers may do so.
const queryKeys = "gemini"

// queryLookup finds fields as keys are looked for, the query's key among them.
func (c *call) queryLookup(name string) []byte {
	v := c.rq.Header.Lookup(name)
	if v != nil || !strings.EqualFold(name, "x-goog-api-key") {
		return v
	}
	key, _ := splitKey(c.rq.Query)
	return key
}

// splitKey takes the parameter key out of a raw query: its value, nil when there is none, and the rest.
// Of several the first counts.
func splitKey(query []byte) (key, rest []byte) {
	if !bytes.Contains(query, []byte("key=")) && !bytes.Contains(query, []byte("%")) {
		return nil, query
	}
	for pair := range bytes.SplitSeq(query, []byte{'&'}) {
		name, value, _ := bytes.Cut(pair, []byte{'='})
		plain, err := url.QueryUnescape(string(name))
		if err == nil && plain == "key" {
			if v, err := url.QueryUnescape(string(value)); err == nil && key == nil && v != "" {
				key = []byte(v)
			}
			continue
		}
		if len(rest) > 0 {
			rest = append(rest, '&')
		}
		rest = append(rest, pair...)
	}
	if rest == nil {
		rest = []byte{}
	}
	return key, rest
}
