// Package xconnect makes golang.org/x/net/http2 offer the extended CONNECT of RFC 8441 (WebSocket over
// HTTP/2). That package has it behind GODEBUG=http2xconnect=1 alone, which it reads once, in its init.
//
// What initialises this package sets it before: Go initialises packages in the order of their import
// paths as soon as what they import is ready (The Go Programming Language Specification, Program
// initialization), and this one needs os alone. docs/decisions has why; TestExtendedConnectIsOffered
// in internal/wire fails where a new version of Go or of x/net does otherwise.
package xconnect

import (
	"os"
	"strings"
)

// Offered tells whether extended CONNECT is offered: it is, unless GODEBUG says otherwise.
var Offered = offer()

func offer() bool {
	const name = "http2xconnect="
	debug := os.Getenv("GODEBUG")
	if !strings.Contains(debug, name) {
		if debug != "" {
			debug += ","
		}
		debug += name + "1"
		if os.Setenv("GODEBUG", debug) != nil {
			return false
		}
	}
	return strings.Contains(debug, name+"1")
}
