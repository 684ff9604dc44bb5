package gateway

import (
	"bytes"
	"strings"

	"causeway/internal/journey"
	"causeway/internal/ledger"
	"causeway/internal/wire"
)

// mostKeptFields is how much of a caller's header and of its query the call log keeps, each.
const mostKeptFields = 8 << 10

// keepSent is what the caller sent beside the body, as the call log keeps it: without what belongs to its connection,
// and with credentials masked.
func (c *call) keepSent() *journey.Sent {
	s := &journey.Sent{HasQuery: c.rq.HasQuery, Query: keptQuery(c.rq.Query)}
	for i := range c.rq.Header.Fields {
		f := &c.rq.Header.Fields[i]
		switch f.ID {
		case wire.Host, wire.ContentLength, wire.TransferEncoding, wire.Connection, wire.KeepAlive, wire.ProxyConnection, wire.TE,
			wire.Trailer, wire.Upgrade, wire.Expect, wire.Via, wire.Forwarded, wire.XForwardedFor, wire.XForwardedProto, wire.XForwardedHost,
			wire.XForwardedPort, wire.XRealIP:
			continue
		}
		value := f.Value
		if secretWord(string(f.Name)) {
			value = []byte(journey.MaskedValue)
		}
		if len(s.Header)+len(f.Name)+len(value)+4 > mostKeptFields {
			s.Left++
			continue
		}
		if secretWord(string(f.Name)) {
			s.Header = append(append(append(append(s.Header, f.Name...), ": "...), value...), "\r\n"...)
			continue
		}
		line := append(append(bytes.Clone(f.Name), ": "...), value...)
		s.Header = append(append(s.Header, ledger.Mask(line, mostKeptFields)...), "\r\n"...)
	}
	return s
}

// keptQuery is a raw query with the values masked that can be a credential.
func keptQuery(query []byte) string {
	if len(query) == 0 {
		return ""
	}
	var out []byte
	for pair := range bytes.SplitSeq(query[:min(len(query), mostKeptFields)], []byte{'&'}) {
		if out != nil {
			out = append(out, '&')
		}
		name, _, assigned := bytes.Cut(pair, []byte{'='})
		if assigned && secretWord(string(name)) {
			out = append(append(append(out, name...), '='), journey.MaskedValue...)
			continue
		}
		out = append(out, ledger.Mask(pair, mostKeptFields)...)
	}
	return string(out)
}

// secretParts are what the names of fields and parameters have in them whose value can be a credential.
var secretParts = [...]string{"auth", "token", "secret", "passw", "pwd", "session", "credential", "signature", "cookie", "jwt", "apikey", "api-key", "api_key", "access_key", "accesskey"}

// secretWord tells whether a field or parameter of this name can hold a credential.
func secretWord(name string) bool {
	name = strings.ToLower(name)
	switch name {
	case "key", "sig", "code", "pass", "otp", "x-key":
		return true
	case "idempotency-key", "x-idempotency-key", "sec-websocket-key":
		return false
	}
	for _, part := range secretParts {
		if strings.Contains(name, part) {
			return true
		}
	}
	return strings.HasSuffix(name, "-key") || strings.HasSuffix(name, "_key")
}
