package wire

import (
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
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

// plainCaller is the connection below TLS to a caller that spoke plain HTTP to it, nil for any other
// failure.
func plainCaller(err error) net.Conn {
	var plain tls.RecordHeaderError
	if !errors.As(err, &plain) || plain.Conn == nil || !looksLikeHTTP(plain.RecordHeader) {
		return nil
	}
	return plain.Conn
}

// plainOnTLS answers a plain HTTP request on a TLS address.
const plainOnTLS = "HTTP/1.1 400 Bad Request (caller_tls_plain_http)\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n" +
	"Proxy-Status: causeway; error=http_request_error\r\nContent-Length: 91\r\n\r\nThis address speaks HTTPS, and the request came as plain HTTP; begin its URL with https://\n"

// looksLikeHTTP tells whether the first bytes of what should be a TLS record begin a request line.
func looksLikeHTTP(first [5]byte) bool {
	for _, b := range first[:3] {
		if b < 'A' || b > 'Z' {
			return false
		}
	}
	return true
}
