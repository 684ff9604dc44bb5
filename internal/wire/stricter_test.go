package wire

import "testing"

// This package is never laxer than net/http: what it accepts net/http accepts, and both read it
// alike (the fuzzers hold it to that). The tables below are the other direction, one row for each
// place where net/http accepts what this package refuses.
//
// Beside the grammar a few things differ on purpose:
//
//   - Sizes: a head has the limits of the configuration (net/http: 1 MiB, any number of fields), a
//     Content-Length at most 18 digits, a chunk size at most 15, a chunk's line 4096 bytes, the
//     extensions of a body 16 KiB together without credit for data, a trailer 4 KiB.
//   - Trailer fields that frame, route or authenticate are taken out (net/http keeps them).
//   - A connection ends behind CONNECT, whatever it is answered.
//   - Expect is ignored in HTTP/1.0 and without a body.
//   - A caller who closes its side of the connection has left: its call is cancelled.
//   - An answer may be preceded by 20 interim answers (net/http: as many as fit the limit of a head).

// strictRequests are the places where net/http's server is laxer than this package: it accepts
// them, we refuse, because each leniency is one half of a smuggling pair or of a confusion.
var strictRequests = []struct{ name, bytes string }{
	{"a bare LF ends a line", "GET / HTTP/1.1\nHost: a\n\n"},
	{"a bare LF ends one field", "GET / HTTP/1.1\r\nHost: a\nX-A: b\r\n\r\n"},
	{"obs-fold", "GET / HTTP/1.1\r\nHost: a\r\nX-A: b\r\n c\r\n\r\n"},
	{"Content-Length beside chunked", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
	{"the same Content-Length twice", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nab"},
	{"Content-Length of more than 18 digits", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0000000000000000002\r\n\r\nab"},
	{"Transfer-Encoding in HTTP/1.0", "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"},
	{"an HTTP/1 version other than 1.0 and 1.1", "GET / HTTP/1.2\r\nHost: a\r\n\r\n"},
	{"Host that is no host", "GET / HTTP/1.1\r\nHost: a:b:c\r\n\r\n"},
	{"Host with a port of letters", "GET / HTTP/1.1\r\nHost: a:http\r\n\r\n"},
	{"Host with half a bracket", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"},
	{"Host with an escaped byte", "GET / HTTP/1.1\r\nHost: a%2eb\r\n\r\n"},
	{"absolute form of another scheme", "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n"},
	{"absolute form with a user", "GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n"},
	{"absolute form without a host", "GET http:///a HTTP/1.1\r\nHost: a\r\n\r\n"},
	{"a target with a fragment", "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n"},
	{"* for another method than OPTIONS", "GET * HTTP/1.1\r\nHost: a\r\n\r\n"},
	{"Expect that is not 100-continue", "POST / HTTP/1.1\r\nHost: a\r\nExpect: 200-ok\r\nContent-Length: 1\r\n\r\na"},
	{"a space behind a chunk's size", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1 \r\na\r\n0\r\n\r\n"},
	{"a chunk's size of sixteen digits", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0000000000000001\r\na\r\n0\r\n\r\n"},
	{"a control byte in a chunk's extension", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;\x01\r\na\r\n0\r\n\r\n"},
	{"obs-fold in a trailer", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-A: b\r\n c\r\n\r\n"},
	{"a bare LF in a trailer", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-A: b\nX-C: d\r\n\r\n"},
}

func TestWhereNetHTTPIsLaxerWithRequests(t *testing.T) {
	for _, c := range strictRequests {
		t.Run(c.name, func(t *testing.T) {
			if ours, ok := ourRequest([]byte(c.bytes)); ok && ours.whole {
				t.Error("we accept it")
			}
			if theirs, err := theirRequest([]byte(c.bytes)); err != nil || !theirs.whole {
				t.Errorf("net/http refuses it as well: %v", err)
			}
		})
	}
}

// strictResponses are the same for answers.
var strictResponses = []struct {
	name, bytes string
	head        bool
}{
	{"Content-Length beside chunked", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", false},
	{"Content-Length beside chunked, to HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", true},
	{"Transfer-Encoding in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", false},
	{"a version that is not 1.0 or 1.1", "HTTP/1.2 200 OK\r\nContent-Length: 0\r\n\r\n", false},
	{"HTTP/2.0 in a status line", "HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n", false},
	{"a status of letters and a sign", "HTTP/1.1 +20 OK\r\nContent-Length: 0\r\n\r\n", false},
	{"a status below 100", "HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n", false},
	{"two spaces before the status", "HTTP/1.1  200 OK\r\nContent-Length: 0\r\n\r\n", false},
	{"a control byte in the reason", "HTTP/1.1 200 O\x01K\r\nContent-Length: 0\r\n\r\n", false},
	{"a space before a colon", "HTTP/1.1 200 OK\r\nX-A : b\r\nContent-Length: 0\r\n\r\n", false},
	{"Content-Length folded", "HTTP/1.1 200 OK\r\nContent-Length:\r\n 2\r\n\r\nok", false},
	{"Transfer-Encoding folded", "HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", false},
	{"a bare LF in a trailer", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-A: b\nX-C: d\r\n\r\n", false},
	{"obs-fold in a trailer", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-A: b\r\n c\r\n\r\n", false},
}

func TestWhereNetHTTPIsLaxerWithAnswers(t *testing.T) {
	for _, c := range strictResponses {
		t.Run(c.name, func(t *testing.T) {
			method := "GET"
			if c.head {
				method = "HEAD"
			}
			if ours, ok := ourResponse([]byte(c.bytes), c.head); ok && ours.whole {
				t.Error("we accept it")
			}
			if theirs, err := theirResponse([]byte(c.bytes), method); err != nil || !theirs.whole {
				t.Errorf("net/http refuses it as well: %v", err)
			}
		})
	}
}

// TestWhereNetHTTPsServerIsLaxerBetweenRequests: it skips empty lines behind a POST, for the sake
// of browsers that have been gone for long.
func TestWhereNetHTTPsServerIsLaxerBetweenRequests(t *testing.T) {
	ours, theirs := newStreamDoor(t), newStreamServer(t)
	const stream = "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n"
	a, b := newScript([]byte(stream), 0), newScript([]byte(stream), 0)
	ours(a)
	theirs(b)
	if len(a.seen) != 1 || len(b.seen) != 2 {
		t.Errorf("we serve %d requests, net/http %d", len(a.seen), len(b.seen))
	}
}
