// Package exchanges makes the same exchanges with every client, once straight with a server and
// once through the gateway, and compares what both ends saw, field by field.
//
// List has the exchanges: what a client is told to send and what the Origin answers. A Client is a
// driver for one program or library that people call with (curl, Node, Python, Go, nghttp,
// Chromium), with the Columns that it can speak. Compare finds the differences; Rules are the ones
// that have a reason, and everything else is a defect. Document writes the rules for
// docs/protocols.md.
//
// A new exchange is one row in a list_*.go file. A new client is one script in clients/ that reads a
// Job as JSON from standard input and prints a list of Seen, and one row in Clients.
package exchanges
