package gateway

import (
	"strings"
	"testing"

	"causeway/internal/wire"
)

// What the call log keeps of a header and a query has no credential in it.
func TestKeptHeaderAndQuery(t *testing.T) {
	c := &call{facts: facts{rq: &wire.Request{HasQuery: true, Query: []byte("page=2&token=canary-1&X-Amz-Signature=canary-2&q=sk-canary0123456789abcdef&empty")}}}
	for _, f := range []struct {
		id          wire.ID
		name, value string
	}{
		{wire.Host, "Host", "h"},
		{wire.ContentLength, "Content-Length", "3"},
		{wire.XForwardedFor, "X-Forwarded-For", "192.0.2.7"},
		{wire.Authorization, "Authorization", "Bearer canary-3"},
		{wire.APIKey, "apikey", "canary-4"},
		{wire.Cookie, "Cookie", "a=canary-5"},
		{wire.Other, "X-Session-Id", "canary-6"},
		{wire.Other, "X-Note", "Bearer canary-7-of-some-length"},
		{wire.Accept, "Accept", "text/csv"},
		{wire.IdempotencyKey, "Idempotency-Key", "order-7"},
		{wire.Other, "X-Long", strings.Repeat("x", mostKeptFields)},
		{wire.Other, "X-Last", "1"},
	} {
		c.rq.Header.Add(f.id, []byte(f.name), []byte(f.value))
	}
	s := c.keepSent()
	const header = "Authorization: [masked]\r\napikey: [masked]\r\nCookie: [masked]\r\nX-Session-Id: [masked]\r\nX-Note: Bearer [masked]\r\nAccept: text/csv\r\nIdempotency-Key: order-7\r\nX-Last: 1\r\n"
	if string(s.Header) != header || s.Left != 1 {
		t.Errorf("%q, %d left out", s.Header, s.Left)
	}
	if s.Query != "page=2&token=[masked]&X-Amz-Signature=[masked]&q=[masked]&empty" || !s.HasQuery {
		t.Errorf("%q", s.Query)
	}
}
