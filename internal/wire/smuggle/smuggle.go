// Package smuggle is a corpus of byte streams in which two readers of HTTP/1.1 could find different
// requests: what one of them takes for a body is the next request for the other (RFC 9112 section
// 11.2). Each is made from a rule of RFC 9110 or RFC 9112 that it bends or breaks; lawful streams
// that look much the same stand between them as controls.
//
// It is data alone: the tests of package wire send it through a relay to a Go server, those of the
// whole program through the gateway to other servers as well.
package smuggle

import (
	"fmt"
	"slices"
)

// Verdict is what must become of a stream.
type Verdict uint8

const (
	// MustRefuse: no upstream sees more whole requests than those of Sees. The one after them is
	// answered with an error by the gateway itself, or cut where its body breaks, and the
	// connection is closed.
	MustRefuse Verdict = iota
	// MayRefuse: refused as above, or read as the requests of Sees. RFC 9112 allows both.
	MayRefuse
	// MustServe: lawful. Every request of Sees is served; what follows them, if anything, is refused.
	MustServe
)

func (v Verdict) String() string { return [...]string{"must refuse", "may refuse", "must serve"}[v] }

// Canary is the target of the request that is hidden in most streams. It reaches an upstream only
// where it is lawfully a request of its own: then it is in Sees.
const Canary = "/smuggled"

// First is the target of the request that a stream begins with, as an upstream sees it.
const First = "/first"

// Host is the host that the requests name.
const Host = "gateway.test"

// Case is one byte stream.
type Case struct {
	Name    string // unique, "te/clte/chunked in quotes"
	Rule    string // the rule it is made from, "RFC 9112 6.1"
	Bytes   string // what a caller sends on one connection
	Verdict Verdict
	// Sees lists the targets of the requests that an upstream may see, in their order: all of them
	// for MustServe, none or the first few otherwise.
	Sees []string
}

// Cases returns the corpus, in a fixed order. Every call makes it anew.
func Cases() []Case {
	cases := slices.Concat(
		lengthCases(),
		codingCases(),
		chunkCases(),
		trailerCases(),
		lineCases(),
		nameCases(),
		hostCases(),
		targetCases(),
		versionCases(),
		connectionCases(),
		expectCases(),
		pipelineCases(),
	)
	return cases
}

const (
	crlf   = "\r\n"
	hidden = "GET " + Canary + " HTTP/1.1" + crlf + "Host: " + Host + crlf + crlf
	host   = "Host: " + Host + crlf
)

// Streams of one or two requests, as an upstream sees them.
var (
	nothing = []string{}
	one     = []string{First}
	both    = []string{First, Canary}
)

// post is a POST whose head has the lines behind Host, and rest behind the head.
func post(lines, rest string) string {
	return "POST " + First + " HTTP/1.1" + crlf + host + lines + crlf + rest
}

// get is a GET with the same.
func get(lines, rest string) string {
	return "GET " + First + " HTTP/1.1" + crlf + host + lines + crlf + rest
}

func length(n int) string { return fmt.Sprintf("Content-Length: %d\r\n", n) }

// chunk is data as one chunk, last the end of a chunked body without trailer.
func chunk(data string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(data), data) }

const (
	chunked = "Transfer-Encoding: chunked" + crlf
	last    = "0" + crlf + crlf
)

// row is one variation on a family's template.
type row struct {
	name    string
	text    string
	verdict Verdict
	sees    []string
}

// family applies a template to its rows.
func family(prefix, rule string, template func(text string) string, rows []row) []Case {
	cases := make([]Case, 0, len(rows))
	for _, r := range rows {
		cases = append(cases, Case{prefix + "/" + r.name, rule, template(r.text), r.verdict, r.sees})
	}
	return cases
}

// whole is the template of rows that are streams already.
func whole(text string) string { return text }

// Check returns an error when the requests that an upstream saw whole, given by their targets in
// their order, are not those that the case allows.
func (c Case) Check(seen []string) error {
	switch {
	case len(seen) > len(c.Sees) || !slices.Equal(seen, c.Sees[:len(seen)]):
		return fmt.Errorf("%s (%s): an upstream saw %q, and may see %q", c.Name, c.Rule, seen, c.Sees)
	case c.Verdict == MustServe && len(seen) < len(c.Sees):
		return fmt.Errorf("%s (%s): an upstream saw %q, and must see %q", c.Name, c.Rule, seen, c.Sees)
	}
	return nil
}
