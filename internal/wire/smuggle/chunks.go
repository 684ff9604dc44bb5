package smuggle

import (
	"fmt"
	"slices"
	"strings"
)

// chunkCases are chunked bodies whose end can be found in two places (RFC 9112 section 7.1). Their
// first chunk is "hello"; behind the last one stands the hidden request.
func chunkCases() []Case {
	size := func(text string) string { return post(chunked, text+"\r\nhello\r\n"+last+hidden) }
	end := func(text string) string { return post(chunked, "5\r\nhello"+text+last+hidden) }
	final := func(text string) string { return post(chunked, chunk("hello")+text+hidden) }
	hex := fmt.Sprintf("%x", len(hidden))
	return slices.Concat(
		family("chunk/size", "RFC 9112 7.1", size, []row{
			{"leading zeros", "0005", MustServe, both},
			{"fifteen digits", "000000000000005", MayRefuse, both},
			{"sixteen digits", "0000000000000005", MayRefuse, both},
			{"seventeen digits", "00000000000000005", MayRefuse, both},
			{"a thousand zeros", strings.Repeat("0", 1000) + "5", MayRefuse, both},
			{"2 to the 64th and five", "10000000000000005", MustRefuse, nothing},
			{"2 to the 68th and five", "100000000000000005", MustRefuse, nothing},
			{"2 to the 32nd and five", "100000005", MustRefuse, nothing},
			{"2 to the 63rd", "8000000000000000", MustRefuse, nothing},
			{"all ones", "ffffffffffffffff", MustRefuse, nothing},
			{"minus two in 32 bits", "fffffffe", MustRefuse, nothing},
			{"0x", "0x5", MustRefuse, nothing},
			{"0X", "0X5", MustRefuse, nothing},
			{"x", "x5", MustRefuse, nothing},
			{"h behind", "5h", MustRefuse, nothing},
			{"plus", "+5", MustRefuse, nothing},
			{"minus", "-5", MustRefuse, nothing},
			{"underscore", "0_5", MustRefuse, nothing},
			{"underscore behind", "5_", MustRefuse, nothing},
			{"decimal point", "5.0", MustRefuse, nothing},
			{"comma", "5,5", MustRefuse, nothing},
			{"quoted", `"5"`, MustRefuse, nothing},
			{"empty", "", MustRefuse, nothing},
			{"space before", " 5", MustRefuse, nothing},
			{"tab before", "\t5", MustRefuse, nothing},
			{"space behind", "5 ", MayRefuse, both},
			{"tab behind", "5\t", MayRefuse, both},
			{"two numbers", "5 0", MustRefuse, nothing},
			{"vertical tab behind", "5\x0b", MustRefuse, nothing},
			{"NUL behind", "5\x00", MustRefuse, nothing},
			{"NUL before", "\x005", MustRefuse, nothing},
			{"no-break space behind", "5\xa0", MustRefuse, nothing},
			{"full-width digit", "\xef\xbc\x95", MustRefuse, nothing},
			{"not a digit", "g", MustRefuse, nothing},
			{"a carriage return behind", "5\r", MustRefuse, nothing},
			{"an empty line before", "\r\n5", MustRefuse, nothing},
		}),
		family("chunk/extension", "RFC 9112 7.1.1", size, []row{
			{"a name", "5;a", MustServe, both},
			{"a value", "5;a=b", MustServe, both},
			{"a quoted value", `5;a="b;c"`, MustServe, both},
			{"two", "5;a=b;c=d", MustServe, both},
			{"empty", "5;", MayRefuse, both},
			{"a space before", "5 ;a=b", MayRefuse, both},
			{"a size in it", "5;0", MayRefuse, both},
			{"a space for the semicolon", "5 a=b", MustRefuse, nothing},
			{"a comma for the semicolon", "5,a=b", MustRefuse, nothing},
			{"a NUL in it", "5;a\x00b", MustRefuse, nothing},
			{"a bare LF in it", "5;a\nb", MustRefuse, nothing},
			{"a bare CR in it", "5;a\rb", MustRefuse, nothing},
			{"a bare LF and a size in it", "5;\n0\r\n\r\n" + hidden, MustRefuse, nothing},
			{"a bare CR and a size in it", "5;\r0", MustRefuse, nothing},
			{"a line inside quotes", "5;a=\"\r\nhello\r\n0\r\n\r\n" + hidden + "\"", MayRefuse, both},
			{"8 KiB long", "5;" + strings.Repeat("a", 8<<10), MustRefuse, nothing},
			{"1 MiB long", "5;" + strings.Repeat("a", 1<<20), MustRefuse, nothing},
		}),
		family("chunk/line", "RFC 9112 7.1", whole, []row{
			{"size ends with a bare LF", post(chunked, "5\nhello\r\n"+last+hidden), MustRefuse, nothing},
			{"size ends with a bare CR", post(chunked, "5\rhello\r\n"+last+hidden), MustRefuse, nothing},
			{"every line ends with a bare LF", post(chunked, "5\nhello\n0\n\n"+hidden), MustRefuse, nothing},
			{"last size ends with a bare LF", post(chunked, chunk("hello")+"0\n\r\n"+hidden), MustRefuse, nothing},
			{"size ends with LF CR", post(chunked, "5\n\rhello\r\n"+last+hidden), MustRefuse, nothing},
			{"one terminator hides another", post(chunked, "2;\nxx\r\n"+hex+"\r\n0\r\n\r\n"+hidden), MustRefuse, nothing},
		}),
		family("chunk/end", "RFC 9112 7.1", end, []row{
			{"missing", "", MustRefuse, nothing},
			{"a bare LF", "\n", MustRefuse, nothing},
			{"a bare CR", "\r", MustRefuse, nothing},
			{"LF CR", "\n\r", MustRefuse, nothing},
			{"twice", "\r\n\r\n", MustRefuse, nothing},
			{"two letters", "xx", MustRefuse, nothing},
			{"one byte too many", "x\r\n", MustRefuse, nothing},
			{"CR and a letter", "\rx", MustRefuse, nothing},
			{"a space and CRLF", " \r\n", MustRefuse, nothing},
		}),
		family("chunk/last", "RFC 9112 7.1", final, []row{
			{"three zeros", "000\r\n\r\n", MustServe, both},
			{"an extension", "0;a=b\r\n\r\n", MustServe, both},
			{"a space behind", "0 \r\n\r\n", MayRefuse, both},
			{"minus zero", "-0\r\n\r\n", MustRefuse, nothing},
			{"plus zero", "+0\r\n\r\n", MustRefuse, nothing},
			{"0x0", "0x0\r\n\r\n", MustRefuse, nothing},
			{"seventeen zeros", "00000000000000000\r\n\r\n", MayRefuse, both},
			{"empty line missing", "0\r\n", MustRefuse, nothing},
			{"empty line is a bare LF", "0\r\n\n", MustRefuse, nothing},
			{"empty line is a bare CR", "0\r\n\r", MustRefuse, nothing},
			{"two bare LF", "0\n\n", MustRefuse, nothing},
			{"missing", "", MustRefuse, nothing},
			{"twice", last + last, MustRefuse, one},
			{"an empty line more", last + crlf, MayRefuse, both},
			{"the request as its data", "0\r\n" + hidden, MustRefuse, nothing},
		}),
		family("chunk/body", "RFC 9112 7.1", whole, []row{
			{"a request inside", post(chunked, chunk(hidden)+last), MustServe, one},
			{"a request in two chunks", post(chunked, chunk(hidden[:20])+chunk(hidden[20:])+last), MustServe, one},
			{"an end inside", post(chunked, chunk("0\r\n\r\n"+hidden)+last), MustServe, one},
			{"of a GET", get(chunked, chunk(hidden)+last), MustServe, one},
			{"of a GET, then a request", get(chunked, chunk("hello")+last+hidden), MustServe, both},
			{"without any chunk", post(chunked, last+hidden), MustServe, both},
			{"that is not chunked", post(chunked, hidden), MustRefuse, nothing},
			{"that never ends", post(chunked, chunk(hidden)), MustRefuse, nothing},
			{"cut inside a chunk", post(chunked, "fff\r\n"+hidden), MustRefuse, nothing},
		}),
	)
}

// trailerCases are fields behind the last chunk (RFC 9110 section 6.5, RFC 9112 section 7.1.2).
func trailerCases() []Case {
	trailer := func(text string) string { return post(chunked, chunk("hello")+"0\r\n"+text+crlf+hidden) }
	return slices.Concat(
		family("trailer", "RFC 9110 6.5.1", trailer, []row{
			{"plain", "X-Checksum: 1\r\n", MustServe, both},
			{"Content-Length", length(len(hidden)), MayRefuse, both},
			{"Transfer-Encoding", chunked, MayRefuse, both},
			{"Host", "Host: other.test\r\n", MayRefuse, both},
			{"Connection", "Connection: close\r\n", MayRefuse, both},
			{"Expect", "Expect: 100-continue\r\n", MayRefuse, both},
			{"Authorization", "Authorization: Basic YTpi\r\n", MayRefuse, both},
			{"folded", "X-A: b\r\n c\r\n", MustRefuse, nothing},
			{"folded first", " X-A: b\r\n", MustRefuse, nothing},
			{"space before the colon", "X-A : b\r\n", MustRefuse, nothing},
			{"no colon", "X-A\r\n", MustRefuse, nothing},
			{"no name", ": b\r\n", MustRefuse, nothing},
			{"a NUL", "X-A: b\x00\r\n", MustRefuse, nothing},
			{"a bare LF", "X-A: b\nX-C: d\r\n", MustRefuse, nothing},
			{"a bare CR", "X-A: b\rX-C: d\r\n", MustRefuse, nothing},
			{"ends with two bare LF", "X-A: b\n\n", MustRefuse, nothing},
			{"a request line", "GET /smuggled HTTP/1.1\r\n", MustRefuse, nothing},
			{"64 KiB long", "X-A: " + strings.Repeat("b", 64<<10) + crlf, MustRefuse, nothing},
		}),
		family("trailer/announced", "RFC 9110 6.6.2", func(text string) string {
			return post(chunked+"Trailer: "+text+crlf, chunk("hello")+last+hidden)
		}, []row{
			{"plain", "X-Checksum", MustServe, both},
			{"Content-Length", "Content-Length", MustRefuse, nothing},
			{"Transfer-Encoding", "X-A, transfer-encoding", MustRefuse, nothing},
			{"Trailer", "Trailer", MustRefuse, nothing},
		}),
	)
}
