package wire

import (
	"crypto/tls"
	"errors"
	"net"
	"net/netip"

	"causeway/internal/journey"
)

// HandshakeFailure is a TLS handshake with a caller that did not end well.
type HandshakeFailure struct {
	Remote     netip.AddrPort // the zero value for a Unix socket
	ServerName string         // what the caller asked for, "" when it got not that far or named nothing
	Err        error
	// First is how the connection began, when that was no TLS record.
	First []byte
}

// handshakeFailure is what is known of a handshake that failed with err.
func (c *conn) handshakeFailure(tc *tls.Conn, err error) HandshakeFailure {
	f := HandshakeFailure{Remote: c.remote, Err: err, ServerName: tc.ConnectionState().ServerName}
	var plain tls.RecordHeaderError
	if errors.As(err, &plain) {
		f.First = plain.RecordHeader[:]
	}
	return f
}

// saidWhy tells whether crypto/tls answered what a caller did with an alert.
func saidWhy(err error) bool {
	var op *net.OpError
	var plain tls.RecordHeaderError
	switch {
	case isEOF(err), isReset(err), isTimeout(err), errors.Is(err, net.ErrClosed), errors.As(err, &plain):
		return false
	}
	return !errors.As(err, &op) || op.Op == "local error"
}

// plainCaller is the connection below TLS to a caller that spoke plain HTTP to it, nil for any other
// failure.
func plainCaller(err error) net.Conn {
	var plain tls.RecordHeaderError
	if !errors.As(err, &plain) || plain.Conn == nil || !journey.BeginsRequest(plain.RecordHeader) {
		return nil
	}
	return underlying(plain.Conn)
}

// plainOnTLS answers a plain HTTP request on a TLS address. No call begins with it, so that there is no call's id.
const plainOnTLS = "HTTP/1.1 400 Bad Request (caller_tls_plain_http)\r\nContent-Type: application/problem+json\r\nCache-Control: no-store\r\n" +
	"Proxy-Status: causeway; error=http_request_error\r\nConnection: close\r\nContent-Length: 483\r\n\r\n" + plainOnTLSBody

const plainOnTLSBody = `{"type": "/.causeway/failures/caller_tls_plain_http", "title": "Plain HTTP came to an address that speaks HTTPS", "status": 400,
 "detail": "This address speaks HTTPS, and the request came as plain HTTP; begin its URL with https://",
 "kind": "caller_tls_plain_http", "cause": "caller", "retry": "no", "retryable": false,
 "evidence": ["the connection began with a plain HTTP request in place of a TLS handshake"],
 "attempts": [], "advice": ["Write https:// in place of http://."]}
`
