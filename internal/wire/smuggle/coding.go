package smuggle

import "fmt"

// means is what a line that speaks of a transfer coding is to a reader who follows the rules.
type means uint8

const (
	isChunked means = iota // the coding is chunked
	isBroken               // no rule gives it a meaning, or the coding is none that we know
	isOther                // a field of another name, without a meaning for framing
)

// coding is one way to write Transfer-Encoding.
type coding struct {
	name  string
	line  string // without the CRLF at its end
	means means
}

// codings vary the value, then the name, then the line (RFC 9112 sections 5.1, 6.1 and 7).
var codings = []coding{
	{"plain", "Transfer-Encoding: chunked", isChunked},
	{"in capitals", "Transfer-Encoding: CHUNKED", isChunked},
	{"in mixed case", "transfer-ENCODING: chunKed", isChunked},
	{"without a space", "Transfer-Encoding:chunked", isChunked},
	{"behind a tab", "Transfer-Encoding:\tchunked", isChunked},
	{"white space behind", "Transfer-Encoding: chunked \t", isChunked},

	{"identity", "Transfer-Encoding: identity", isBroken},
	{"chunked, identity", "Transfer-Encoding: chunked, identity", isBroken},
	{"identity, chunked", "Transfer-Encoding: identity, chunked", isBroken},
	{"gzip", "Transfer-Encoding: gzip", isBroken},
	{"gzip, chunked", "Transfer-Encoding: gzip, chunked", isBroken},
	{"chunked, gzip", "Transfer-Encoding: chunked, gzip", isBroken},
	{"chunked twice", "Transfer-Encoding: chunked, chunked", isBroken},
	{"comma behind", "Transfer-Encoding: chunked,", isBroken},
	{"comma before", "Transfer-Encoding: ,chunked", isBroken},
	{"empty", "Transfer-Encoding:", isBroken},
	{"white space only", "Transfer-Encoding: \t ", isBroken},
	{"xchunked", "Transfer-Encoding: xchunked", isBroken},
	{"x-chunked", "Transfer-Encoding: x-chunked", isBroken},
	{"chunkedx", "Transfer-Encoding: chunkedx", isBroken},
	{"chunke", "Transfer-Encoding: chunke", isBroken},
	{"chunked in quotes", `Transfer-Encoding: "chunked"`, isBroken},
	{"chunked in apostrophes", "Transfer-Encoding: 'chunked'", isBroken},
	{"chunked in parentheses", "Transfer-Encoding: (chunked)", isBroken},
	{"a parameter", "Transfer-Encoding: chunked;q=1", isBroken},
	{"an empty parameter", "Transfer-Encoding: chunked;", isBroken},
	{"a weight", "Transfer-Encoding: chunked;q=0", isBroken},
	{"a space inside", "Transfer-Encoding: chun ked", isBroken},
	{"a colon before", "Transfer-Encoding:: chunked", isBroken},
	{"cow", "Transfer-Encoding: cow", isBroken},
	{"a number", "Transfer-Encoding: 0", isBroken},
	{"vertical tab before", "Transfer-Encoding: \x0bchunked", isBroken},
	{"form feed before", "Transfer-Encoding: \x0cchunked", isBroken},
	{"vertical tab behind", "Transfer-Encoding: chunked\x0b", isBroken},
	{"NUL before", "Transfer-Encoding: \x00chunked", isBroken},
	{"NUL behind", "Transfer-Encoding: chunked\x00", isBroken},
	{"DEL behind", "Transfer-Encoding: chunked\x7f", isBroken},
	{"no-break space before", "Transfer-Encoding: \xc2\xa0chunked", isBroken},
	{"byte order mark before", "Transfer-Encoding: \xef\xbb\xbfchunked", isBroken},
	{"0x85 behind", "Transfer-Encoding: chunked\x85", isBroken},
	{"Kelvin sign for k", "Transfer-Encoding: chun\xe2\x84\xaaed", isBroken},
	{"Cyrillic c", "Transfer-Encoding: \xd1\x81hunked", isBroken},

	{"two lines, both chunked", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", isBroken},
	{"two lines, then identity", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", isBroken},
	{"two lines, then cow", "Transfer-Encoding: chunked\r\nTransfer-Encoding: cow", isBroken},
	{"two lines, cow first", "Transfer-Encoding: cow\r\nTransfer-Encoding: chunked", isBroken},
	{"two lines, the second empty", "Transfer-Encoding: chunked\r\nTransfer-Encoding:", isBroken},
	{"two lines in two cases", "Transfer-Encoding: chunked\r\ntransfer-encoding: identity", isBroken},

	{"space before the colon", "Transfer-Encoding : chunked", isBroken},
	{"tab before the colon", "Transfer-Encoding\t: chunked", isBroken},
	{"space in the name", "Transfer -Encoding: chunked", isBroken},
	{"vertical tab before the colon", "Transfer-Encoding\x0b: chunked", isBroken},
	{"NUL before the colon", "Transfer-Encoding\x00: chunked", isBroken},
	{"NUL before the name", "\x00Transfer-Encoding: chunked", isBroken},
	{"carriage return before the colon", "Transfer-Encoding\r: chunked", isBroken},
	{"carriage return before the name", "\rTransfer-Encoding: chunked", isBroken},
	{"a Latin-1 letter in the name", "Tr\xe4nsfer-Encoding: chunked", isBroken},
	{"equals for the colon", "Transfer-Encoding= chunked", isBroken},
	{"no colon", "Transfer-Encoding chunked", isBroken},

	{"folded before the value", "Transfer-Encoding:\r\n chunked", isBroken},
	{"folded with a tab", "Transfer-Encoding:\r\n\tchunked", isBroken},
	{"folded inside the value", "Transfer-Encoding: chun\r\n ked", isBroken},
	{"folded behind the value", "Transfer-Encoding: chunked\r\n ", isBroken},
	{"folded with a second coding", "Transfer-Encoding: chunked\r\n , identity", isBroken},
	{"folded into another field", "X-Folded: a\r\n Transfer-Encoding: chunked", isBroken},
	{"folded into another field with a tab", "X-Folded: a\r\n\tTransfer-Encoding: chunked", isBroken},
	{"behind a bare LF", "X-Line: a\nTransfer-Encoding: chunked", isBroken},
	{"behind a bare CR", "X-Line: a\rTransfer-Encoding: chunked", isBroken},
	{"behind a CR CR LF", "X-Line: a\r\r\nTransfer-Encoding: chunked", isBroken},
	{"folded by a bare LF", "Transfer-Encoding:\n chunked", isBroken},
	{"a bare CR behind", "Transfer-Encoding: chunked\r", isBroken},
	{"a bare CR before", "Transfer-Encoding: \rchunked", isBroken},

	{"underscore", "Transfer_Encoding: chunked", isOther},
	{"dot", "Transfer.Encoding: chunked", isOther},
	{"one word", "TransferEncoding: chunked", isOther},
	{"two hyphens", "Transfer--Encoding: chunked", isOther},
	{"a hyphen behind", "Transfer-Encoding-: chunked", isOther},
	{"X before", "X-Transfer-Encoding: chunked", isOther},
	{"an apostrophe before", "'Transfer-Encoding: chunked", isOther},
	{"Content-Transfer-Encoding", "Content-Transfer-Encoding: chunked", isOther},
	{"Content-Encoding", "Content-Encoding: chunked", isOther},
	{"TE", "TE: chunked", isOther},
	{"in another field's value", "X-Value: a, Transfer-Encoding: chunked", isOther},
}

// codingCases put every way to write the coding beside a Content-Length that hides the canary in
// the body (CL.TE), beside one that leaves it out (TE.CL), and alone.
func codingCases() []Case {
	inside := last + hidden
	size := fmt.Sprintf("%x\r\n", len(hidden))
	var cases []Case
	add := func(kind string, c coding, bytes string, verdict Verdict, sees []string) {
		cases = append(cases, Case{"te/" + kind + "/" + c.name, "RFC 9112 6.1", bytes, verdict, sees})
	}
	for _, c := range codings {
		clte := post(length(len(inside))+c.line+crlf, inside)
		tecl := post(c.line+crlf+length(len(size)), chunk(hidden)+last)
		alone := post(c.line+crlf, chunk("hello")+last+hidden)
		switch c.means {
		case isChunked:
			add("CL.TE", c, clte, MustRefuse, nothing)
			add("TE.CL", c, tecl, MustRefuse, nothing)
			add("alone", c, alone, MustServe, both)
		case isBroken:
			add("CL.TE", c, clte, MustRefuse, nothing)
			add("TE.CL", c, tecl, MustRefuse, nothing)
			add("alone", c, alone, MustRefuse, nothing)
		case isOther:
			// Content-Length alone frames the body; without one there is none, and the chunks
			// are a malformed next request.
			add("CL.TE", c, clte, MustServe, one)
			add("TE.CL", c, tecl, MustServe, both)
			add("alone", c, alone, MustServe, one)
		}
	}
	return cases
}
