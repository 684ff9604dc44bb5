package smuggle

import "slices"

// lineCases break the lines of a head (RFC 9112 sections 2.2, 5.1 and 5.2). A Content-Length covers
// the hidden request, so that it shows only if the line makes a reader lose that field.
func lineCases() []Case {
	line := func(text string) string { return post(text+length(len(hidden)), hidden) }
	behind := func(text string) string { return post(length(len(hidden))+text, hidden) }
	return slices.Concat(
		family("line", "RFC 9112 5", line, []row{
			{"plain", "X-A: b\r\n", MustServe, one},
			{"empty value", "X-A:\r\n", MustServe, one},
			{"Latin-1 in the value", "X-A: \xe4\xf6\xfc\r\n", MustServe, one},
			{"tab in the value", "X-A: a\tb\r\n", MustServe, one},
			{"colon in the value", "X-A: b: c\r\n", MustServe, one},
			{"obs-fold", "X-A: b\r\n c\r\n", MustRefuse, nothing},
			{"obs-fold with a tab", "X-A: b\r\n\tc\r\n", MustRefuse, nothing},
			{"obs-fold of nothing", "X-A: b\r\n \r\n", MustRefuse, nothing},
			{"obs-fold of an empty value", "X-A:\r\n b\r\n", MustRefuse, nothing},
			{"obs-fold by a bare LF", "X-A: b\n c\r\n", MustRefuse, nothing},
			{"obs-fold of a field", "X-A: b\r\n Content-Length: 0\r\n", MustRefuse, nothing},
			{"bare LF", "X-A: b\n", MustRefuse, nothing},
			{"bare LF twice", "X-A: b\n\n", MustRefuse, nothing},
			{"bare CR", "X-A: b\r", MustRefuse, nothing},
			{"bare CR in the value", "X-A: b\rc\r\n", MustRefuse, nothing},
			{"bare CR and a field", "X-A: b\rX-C: d\r\n", MustRefuse, nothing},
			{"CR CR LF", "X-A: b\r\r\n", MustRefuse, nothing},
			{"LF CR", "X-A: b\n\rX-C: d\r\n", MustRefuse, nothing},
			{"CR alone on a line", "\r\r\n", MustRefuse, nothing},
			{"white space alone on a line", " \r\n", MustRefuse, nothing},
			{"tab alone on a line", "\t\r\n", MustRefuse, nothing},
			{"NUL in the value", "X-A: b\x00c\r\n", MustRefuse, nothing},
			{"NUL alone on a line", "\x00\r\n", MustRefuse, nothing},
			{"escape in the value", "X-A: \x1b[0m\r\n", MustRefuse, nothing},
			{"backspace in the value", "X-A: b\x08\r\n", MustRefuse, nothing},
			{"DEL in the value", "X-A: b\x7f\r\n", MustRefuse, nothing},
			{"vertical tab in the value", "X-A: b\x0bc\r\n", MustRefuse, nothing},
			{"no colon", "X-A b\r\n", MustRefuse, nothing},
			{"a name alone", "X-A\r\n", MustRefuse, nothing},
			{"no name", ": b\r\n", MustRefuse, nothing},
			{"a colon alone", ":\r\n", MustRefuse, nothing},
			{"a request line", "GET /smuggled HTTP/1.1\r\n", MustRefuse, nothing},
		}),
		family("line/last", "RFC 9112 5", behind, []row{
			{"obs-fold behind Content-Length", " 0\r\n", MustRefuse, nothing},
			{"tab behind Content-Length", "\t0\r\n", MustRefuse, nothing},
			{"bare LF ends the head", "X-A: b\n", MustRefuse, nothing},
		}),
		family("line/first", "RFC 9112 2.2", whole, []row{
			{"white space before the first field", "POST /first HTTP/1.1\r\n X-A: b\r\n" + host + length(len(hidden)) + crlf + hidden, MustRefuse, nothing},
			{"white space before Host", "POST /first HTTP/1.1\r\n " + host + length(len(hidden)) + crlf + hidden, MustRefuse, nothing},
			{"every line ends with a bare LF", "POST /first HTTP/1.1\nHost: gateway.test\nContent-Length: 0\n\n" + hidden, MustRefuse, nothing},
			{"the request line ends with a bare LF", "POST /first HTTP/1.1\n" + host + crlf + hidden, MustRefuse, nothing},
			{"the request line ends with a bare CR", "POST /first HTTP/1.1\r" + host + crlf + hidden, MustRefuse, nothing},
			{"the head ends with LF LF", "POST /first HTTP/1.1\r\n" + host + "X-A: b\n\n" + hidden, MustRefuse, nothing},
			{"the head ends with LF CRLF", "POST /first HTTP/1.1\r\n" + host + "X-A: b\n\r\n" + hidden, MustRefuse, nothing},
			{"the head ends with CRLF LF", "POST /first HTTP/1.1\r\n" + host + "\n" + hidden, MustRefuse, nothing},
			{"the head ends with CR CR LF", "POST /first HTTP/1.1\r\n" + host + "\r\r\n" + hidden, MustRefuse, nothing},
			{"an empty line before", crlf + post("", hidden), MayRefuse, both},
			{"a bare LF before", "\n" + post("", hidden), MayRefuse, both},
			{"three empty lines before", "\r\n\r\n\r\n" + post("", hidden), MayRefuse, both},
			{"a NUL before", "\x00" + post("", hidden), MustRefuse, nothing},
			{"a byte order mark before", "\xef\xbb\xbf" + post("", hidden), MustRefuse, nothing},
		}),
	)
}

// nameCases write Content-Length under names that some readers take for it (RFC 9112 section 5.1).
// A lawful Content-Length covers the hidden request.
func nameCases() []Case {
	line := func(text string) string { return post(text+": 0\r\n"+length(len(hidden)), hidden) }
	return family("name", "RFC 9112 5.1", line, []row{
		{"underscore", "Content_Length", MustServe, one},
		{"dot", "Content.Length", MustServe, one},
		{"one word", "ContentLength", MustServe, one},
		{"X before", "X-Content-Length", MustServe, one},
		{"a hyphen behind", "Content-Length-", MustServe, one},
		{"every lawful sign", "X!#$%&'*+-.^_`|~9", MustServe, one},
		{"space before the colon", "Content-Length ", MustRefuse, nothing},
		{"tab before the colon", "Content-Length\t", MustRefuse, nothing},
		{"space before the colon of another", "X-A ", MustRefuse, nothing},
		{"space inside", "Content Length", MustRefuse, nothing},
		{"NUL behind", "Content-Length\x00", MustRefuse, nothing},
		{"NUL inside", "Content-\x00Length", MustRefuse, nothing},
		{"a carriage return behind", "Content-Length\r", MustRefuse, nothing},
		{"a soft hyphen", "Content\xc2\xadLength", MustRefuse, nothing},
		{"a Unicode hyphen", "Content\xe2\x80\x90Length", MustRefuse, nothing},
		{"a Latin-1 letter", "C\xf6ntent-Length", MustRefuse, nothing},
		{"a slash", "Content/Length", MustRefuse, nothing},
		{"quoted", `"Content-Length"`, MustRefuse, nothing},
		{"in parentheses", "(Content-Length)", MustRefuse, nothing},
		{"in brackets", "[Content-Length]", MustRefuse, nothing},
		{"a comma", "Content-Length,X-A", MustRefuse, nothing},
		{"a semicolon", "Content-Length;a", MustRefuse, nothing},
		{"an equals sign", "Content-Length=0;a", MustRefuse, nothing},
		{"an at sign", "X@A", MustRefuse, nothing},
		{"DEL", "Content-Length\x7f", MustRefuse, nothing},
	})
}
