package smuggle

import "slices"

// connectionCases speak of the connection: which fields belong to it, whether it goes on, and what
// it becomes (RFC 9110 sections 7.6.1 and 7.8, RFC 9112 section 9).
func connectionCases() []Case {
	// A Content-Length covers the hidden request; the field named in Connection must not take it away.
	covered := func(text string) string { return post(text+length(len(hidden)), hidden) }
	coded := func(text string) string { return post(text+chunked, chunk(hidden)+last) }
	old := func(text string) string { return "POST /first HTTP/1.0\r\n" + host + text + hidden }
	return slices.Concat(
		family("connection/names", "RFC 9110 7.6.1", covered, []row{
			{"Content-Length", "Connection: Content-Length\r\n", MayRefuse, one},
			{"Content-Length in small letters", "Connection: keep-alive, content-length\r\n", MayRefuse, one},
			{"Transfer-Encoding", "Connection: Transfer-Encoding\r\n", MustServe, one},
			{"Host", "Connection: Host\r\n", MayRefuse, one},
			{"Connection", "Connection: Connection\r\n", MustServe, one},
			{"nothing", "Connection:\r\n", MustServe, one},
			{"commas", "Connection: ,,,\r\n", MustServe, one},
			{"Expect", "Connection: Expect\r\n", MustServe, one},
			{"behind TE", "TE: trailers\r\nConnection: TE\r\n", MustServe, one},
			{"Proxy-Connection beside it", "Proxy-Connection: Content-Length\r\n", MustServe, one},
			{"Keep-Alive beside it", "Keep-Alive: timeout=5, max=1\r\nConnection: Keep-Alive\r\n", MustServe, one},
		}),
		family("connection/names chunked", "RFC 9110 7.6.1", coded, []row{
			{"Transfer-Encoding", "Connection: Transfer-Encoding\r\n", MayRefuse, one},
			{"Transfer-Encoding and close", "Connection: transfer-encoding, close\r\n", MayRefuse, one},
			{"Trailer", "Connection: Trailer\r\n", MustServe, one},
		}),
		family("connection/ends", "RFC 9112 9.6", whole, []row{
			{"close, then a request", get("Connection: close\r\n", hidden), MustServe, one},
			{"Close in capitals", get("Connection: CLOSE\r\n", hidden), MustServe, one},
			{"keep-alive and close", get("Connection: keep-alive, close\r\n", hidden), MustServe, one},
			{"close and keep-alive", get("Connection: close, keep-alive\r\n", hidden), MustServe, one},
			{"two fields, close first", get("Connection: close\r\nConnection: keep-alive\r\n", hidden), MustServe, one},
			{"two fields, close last", get("Connection: keep-alive\r\nConnection: close\r\n", hidden), MustServe, one},
			{"keep-alive", get("Connection: keep-alive\r\n", hidden), MustServe, both},
			{"close behind a space", get("Connection: x close\r\n", hidden), MustServe, one},
			{"a token that begins with close", get("Connection: closed\r\n", hidden), MustServe, both},
			{"close behind a body", post(length(5)+"Connection: close\r\n", "hello"+hidden), MustServe, one},
			{"close behind chunks", post(chunked+"Connection: close\r\n", chunk("hello")+last+hidden), MustServe, one},
		}),
		family("http10", "RFC 9112 9.3", old, []row{
			{"without keep-alive", crlf, MustServe, one},
			{"keep-alive", "Connection: keep-alive\r\n\r\n", MayRefuse, both},
			{"keep-alive in capitals", "Connection: Keep-Alive\r\n\r\n", MayRefuse, both},
			{"close before keep-alive", "Connection: close\r\nConnection: keep-alive\r\n\r\n", MustServe, one},
			{"close and keep-alive on a line", "Connection: close, keep-alive\r\n\r\n", MustServe, one},
			{"Content-Length and close", length(len(hidden)) + crlf, MustServe, one},
			{"Content-Length and keep-alive", length(len(hidden)) + "Connection: keep-alive\r\n\r\n", MustServe, one},
			{"chunked", chunked + "\r\n" + chunk(hidden) + last, MustRefuse, nothing},
			{"chunked and keep-alive", chunked + "Connection: keep-alive\r\n\r\n" + last, MustRefuse, nothing},
			{"chunked and Content-Length", chunked + length(5) + "\r\n" + last, MustRefuse, nothing},
			{"Content-Length and chunked", length(5) + chunked + "\r\n" + last, MustRefuse, nothing},
			{"chunked behind an unknown coding", "Transfer-Encoding: gzip, chunked\r\n\r\n" + last, MustRefuse, nothing},
		}),
		family("upgrade", "RFC 9110 7.8", whole, []row{
			{"h2c, then a preface", get("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"+hidden), MustRefuse, one},
			{"h2c, then a request", get("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n", hidden), MayRefuse, both},
			{"h2c without Connection", get("Upgrade: h2c\r\n", hidden), MustServe, both},
			{"h2c over a body", post("Connection: Upgrade\r\nUpgrade: h2c\r\n"+length(len(hidden)), hidden), MayRefuse, one},
			{"websocket that is refused, then a request", get("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 777\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", hidden), MayRefuse, both},
			{"websocket without a key, then a request", get("Connection: Upgrade\r\nUpgrade: websocket\r\n", hidden), MayRefuse, both},
			{"TLS/1.0", get("Connection: Upgrade\r\nUpgrade: TLS/1.0\r\n", hidden), MayRefuse, both},
			{"two protocols", get("Connection: Upgrade\r\nUpgrade: h2c, websocket\r\n", hidden), MayRefuse, both},
			{"over chunks", post("Connection: Upgrade\r\nUpgrade: websocket\r\n"+chunked, chunk(hidden)+last), MayRefuse, one},
		}),
		family("connect", "RFC 9110 9.3.6", whole, []row{
			{"authority, then a request", "CONNECT gateway.test:443 HTTP/1.1\r\n" + host + crlf + hidden, MustRefuse, nothing},
			{"origin form", "CONNECT /first HTTP/1.1\r\n" + host + crlf + hidden, MustRefuse, nothing},
			{"absolute form", "CONNECT http://gateway.test/first HTTP/1.1\r\n" + host + crlf + hidden, MustRefuse, nothing},
			{"with a body", "CONNECT gateway.test:443 HTTP/1.1\r\n" + host + length(len(hidden)) + crlf + hidden, MustRefuse, nothing},
		}),
	)
}

// expectCases delay the body, or would make one reader wait for it (RFC 9110 section 10.1.1).
func expectCases() []Case {
	expect := func(text string) string { return post("Expect:"+text+crlf+length(len(hidden)), hidden) }
	return slices.Concat(
		family("expect", "RFC 9110 10.1.1", expect, []row{
			{"100-continue, the body sent at once", " 100-continue", MustServe, one},
			{"in capitals", " 100-CONTINUE", MustServe, one},
			{"another number", " 200-ok", MayRefuse, one},
			{"a list", " 100-continue, 100-continue", MayRefuse, one},
			{"a list with another", " 100-continue, x", MayRefuse, one},
			{"a value", " 100-continue=1", MayRefuse, one},
			{"a parameter", " 100-continue;a", MayRefuse, one},
			{"empty", "", MayRefuse, one},
			{"letters behind", " 100-continuex", MayRefuse, one},
			{"a space inside", " 100 -continue", MayRefuse, one},
			{"vertical tab before", " \x0b100-continue", MustRefuse, nothing},
			{"folded", "\r\n 100-continue", MustRefuse, nothing},
			{"twice", " 100-continue\r\nExpect: 100-continue", MayRefuse, one},
		}),
		family("expect/body", "RFC 9110 10.1.1", whole, []row{
			{"none, then a request", get("Expect: 100-continue\r\n", hidden), MustServe, both},
			{"empty, then a request", post("Expect: 100-continue\r\n"+length(0), hidden), MustServe, both},
			{"chunked", post("Expect: 100-continue\r\n"+chunked, chunk(hidden)+last), MustServe, one},
			{"chunked, then a request", post("Expect: 100-continue\r\n"+chunked, chunk("hello")+last+hidden), MustServe, both},
			{"HTTP/1.0", "POST /first HTTP/1.0\r\n" + host + "Expect: 100-continue\r\n" + length(len(hidden)) + crlf + hidden, MayRefuse, one},
			{"beside CL and TE", post("Expect: 100-continue\r\n"+length(5)+chunked, last+hidden), MustRefuse, nothing},
			{"space before the colon", post("Expect : 100-continue\r\n"+length(len(hidden)), hidden), MustRefuse, nothing},
		}),
	)
}

// pipelineCases send several requests at once, lawful ones and one that is not (RFC 9112 section 9.3.2).
func pipelineCases() []Case {
	simple := "GET /first HTTP/1.1\r\n" + host + crlf
	return family("pipeline", "RFC 9112 9.3.2", whole, []row{
		{"two", simple + hidden, MustServe, both},
		{"three", simple + simple + hidden, MustServe, []string{First, First, Canary}},
		{"thirty", repeat(simple, 30), MustServe, slices.Repeat(one, 30)},
		{"a body between", simple + post(length(5), "hello") + hidden, MustServe, []string{First, First, Canary}},
		{"chunks between", simple + post(chunked, chunk("hello")+last) + hidden, MustServe, []string{First, First, Canary}},
		{"HEAD first", "HEAD /first HTTP/1.1\r\n" + host + crlf + hidden, MustServe, both},
		{"the second malformed", simple + "BROKEN\r\n\r\n" + hidden, MustRefuse, one},
		{"the second with CL and TE", simple + post(length(5)+chunked, last+hidden), MustRefuse, one},
		{"the second without Host", simple + "GET /smuggled HTTP/1.1\r\n\r\n" + hidden, MustRefuse, one},
		{"the second folded", simple + "GET /smuggled HTTP/1.1\r\nHost: a\r\n b\r\n\r\n" + hidden, MustRefuse, one},
		{"the second cut", simple + hidden[:len(hidden)-2], MustRefuse, one},
		{"an empty line between", simple + crlf + hidden, MayRefuse, both},
		{"a length that is too short by one, so that the method is oGET", post(length(4), "hello"+hidden), MustServe, both},
		{"a length that is too long by one, so that the method is ET", post(length(6), "hello"+hidden), MustServe, both},
	})
}
