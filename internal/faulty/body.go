package faulty

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"strings"

	"causeway/internal/fault"
)

// cutBody is ten bytes of a body of a hundred.
const cutBody = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 100\r\n\r\n0123456789"

func bodyFaults() []Fault {
	return []Fault{
		{
			Name: "body_cut_fin", Kind: fault.TruncatedBody, Row: "41",
			About: "ten bytes of a hundred, then FIN", start: tcp(request, send(cutBody), fin),
		},
		{
			Name: "body_missing", Kind: fault.TruncatedBody, Row: "41",
			About: "a head that announces a hundred bytes, then FIN", start: tcp(request, send(strings.TrimSuffix(cutBody, "0123456789")), fin),
		},
		{
			Name: "body_cut_rst", Kind: fault.ResetMidBody, Row: "41",
			About: "ten bytes of a hundred, then RST", start: tcp(request, send(cutBody), settle, rst),
		},
		{
			Name: "body_close_delimited", Status: 200,
			About: "a whole body that ends with the connection (RFC 9112 section 6.3): FIN is its proper end",
			start: tcp(request, send("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nok\n"), fin),
		},
		{
			Name: "body_close_delimited_rst", Kind: fault.ResetMidBody, Row: "41",
			About: "a body that would end with the connection, then RST: nobody knows whether it was whole",
			start: tcp(request, send("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nok\n"), settle, rst),
		},
		{
			Name: "body_too_large", Kind: fault.ResponseBodyTooLarge, Also: []fault.Kind{""}, Row: "83",
			Needs: Needs{BodyLimit: true}, Defaults: Params{Bytes: 64 << 20},
			About: "a chunked body of Bytes bytes, framing included", start: tcp(request, send(chunkedHead), flood(chunk(strings.Repeat("x", 1019))), send(lastChunk), fin),
		},
		{
			Name: "extra_bytes", Row: "29", Status: 200, NoReuse: true,
			About: "a whole answer with a second one behind it, which nobody asked for",
			start: tcp(loop(request, send(text(200, "ok\n", plainText)+poison))),
		},
		{
			Name: "204_with_body", Row: "29", Status: 204, NoReuse: true,
			About: "204, which has no body, with bytes of one behind it",
			start: tcp(loop(request, send("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello"+poison))),
		},
		{
			Name: "304_with_body", Row: "29", Status: 304, NoReuse: true,
			About: "304, which has no body, with bytes of one behind it",
			start: tcp(loop(request, send("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: \"a\"\r\n\r\nhello"+poison))),
		},
		{
			Name: "head_with_body", Row: "29", Status: 200, NoReuse: true, Needs: Needs{Head: true},
			About: "the answer to HEAD, which has no body, with bytes of one behind it",
			start: tcp(loop(request, send(text(200, "hello", plainText)+poison))),
		},
		{
			Name: "gzip_lie", Row: "31", Status: 200, Also: []fault.Kind{fault.IncompatibleResponse},
			About: "Content-Encoding: gzip on a body that is not",
			start: tcp(loop(request, send(text(200, `{"ok":true}`, jsonText, "Content-Encoding: gzip")))),
		},
		{
			Name: "gzip_cut", Row: "31", Status: 200, Also: []fault.Kind{fault.IncompatibleResponse},
			About: "half of a gzip stream under a Content-Length that fits",
			start: tcp(loop(request, write(func(*peer) string {
				z := zipped(strings.Repeat(`{"ok":true}`, 100))
				return text(200, z[:len(z)/2], jsonText, "Content-Encoding: gzip")
			}))),
		},
	}
}

// poison is an answer that must never reach another call.
var poison = fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\npoisoned", len("poisoned"))

func zipped(s string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(s)) // a bytes.Buffer takes everything
	_ = w.Close()
	return b.String()
}
