// Package sign puts a provider's proof of identity on a request: a signature over it, or a token fetched for it.
//
// A bearer token or an API key is one header line known at startup and needs none of this. What is here is for
// providers whose proof depends on the request (AWS Signature Version 4) or on the hour (Google's access tokens).
package sign

import "time"

// Signer makes the header lines that prove who a request comes from.
//
// It is safe for many goroutines at once. What goes wrong is returned, and neither the error nor the lines' names hold a
// secret; the lines' values do, and belong in no log.
type Signer interface {
	// Append adds the header lines of r in wire form ("Name: value\r\n", one after another) to dst and returns it
	// grown. On an error it returns dst as it was.
	Append(dst []byte, r *Request) ([]byte, error)
}

// Request is what a signature may cover: the request as it will stand on the wire. A Signer reads it during Append only.
type Request struct {
	// Method is the HTTP method ("POST").
	Method string
	// Host is the Host header as sent, with its port where the URL names one that is not the scheme's own.
	Host string
	// Path is the path as sent: percent-encoded, starting with a slash.
	Path string
	// Query is the query string as sent, without the question mark; empty when there is none.
	Query string
	// Header returns the value of one of the headers that will be sent, or nothing; the name is in lower case. It may be
	// nil.
	Header func(name string) string
	// Body is the whole body as sent.
	Body []byte
	// Now is the time to sign for.
	Now time.Time
}
