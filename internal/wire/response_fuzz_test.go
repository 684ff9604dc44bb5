package wire

import "testing"

// FuzzResponse holds the response parser to the same promise towards net/http's transport, for
// answers to GET and to HEAD, interim answers included.
func FuzzResponse(f *testing.F) {
	for _, s := range answers {
		f.Add([]byte(s), false)
		f.Add([]byte(s), true)
	}
	for _, s := range strictResponses {
		f.Add([]byte(s.bytes), s.head)
	}
	f.Fuzz(func(t *testing.T, data []byte, head bool) {
		if end, again := HeadEnd(data, 0), headEndBytewise(data); again != end {
			t.Fatalf("HeadEnd is %d at once and %d byte by byte", end, again)
		}
		ours, ok := ourResponse(data, head)
		if !ok {
			return
		}
		method := "GET"
		if head {
			method = "HEAD"
		}
		theirs, err := theirResponse(data, method)
		if err != nil {
			t.Fatalf("net/http refuses what we accept: %v", err)
		}
		if theirs.start[9:12] == "101" {
			return // what follows is not HTTP any more
		}
		if err := agree(ours, theirs); err != nil {
			t.Fatal(err)
		}
	})
}

// answers are seeds: one of each way to frame an answer, and of the odd things that servers send.
var answers = []string{
	"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\n\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-A\r\n\r\n5;x=y\r\nhello\r\n0\r\nX-A: b\r\n\r\n",
	"HTTP/1.1 200 OK\r\n\r\nuntil the end",
	"HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nhello",
	"HTTP/1.0 200 OK\r\nConnection: close\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello",
	"HTTP/1.1 200 OK\r\nConnection: x, close\r\nContent-Length: 0\r\n\r\n",
	"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello",
	"HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\nETag: \"a\"\r\n\r\n",
	"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
	"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno",
	"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nbytes",
	"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
	"HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n",
	"HTTP/1.1 200 \xc3\xa4\r\nContent-Length: 0\r\n\r\n",
	"HTTP/1.1 200 OK\nContent-Length: 5\nX-A: b\n\nhello",
	"HTTP/1.1 200 OK\r\nX-A: b\r\n c\r\n\td\r\nContent-Length: 0\r\n\r\n",
	"HTTP/1.1 200 OK\r\nX-A:\r\n \r\n  b\r\nContent-Length: 5\r\n\r\nhello",
	"HTTP/1.1 200 OK\r\nContent-Length:\r\n 5\r\n\r\nhello",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n \r\n\r\n0\r\n\r\n", // net/http: "chunked " is unknown
	"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
	"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 05\r\n\r\nhello",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n0\r\n\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5 ;a\r\nhello\r\n0\r\n\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Content-Length\r\n\r\n0\r\n\r\n",
	"HTTP/1.1 500 Internal Server Error\r\nServer: x\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\nPragma: no-cache\r\n\r\n",
}
