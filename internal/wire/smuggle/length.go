package smuggle

import "slices"

// lengthCases are Content-Length fields that can be read as two numbers (RFC 9112 section 6.3,
// RFC 9110 section 8.6). The body is five bytes, then comes the hidden request.
func lengthCases() []Case {
	value := func(text string) string { return post("Content-Length:"+text+crlf, "hello"+hidden) }
	lines := func(text string) string { return post(text, "hello"+hidden) }
	long := 5 + len(hidden)
	return slices.Concat(
		family("cl/value", "RFC 9110 8.6", value, []row{
			{"plain", " 5", MustServe, both},
			{"no space", "5", MustServe, both},
			{"tab before", "\t5", MustServe, both},
			{"white space around", " \t5 \t ", MustServe, both},
			{"leading zero", " 05", MayRefuse, both},
			{"twenty zeros", " 000000000000000000005", MayRefuse, both},
			{"plus", " +5", MustRefuse, nothing},
			{"minus", " -5", MustRefuse, nothing},
			{"minus zero", " -0", MustRefuse, nothing},
			{"hexadecimal", " 0x5", MustRefuse, nothing},
			{"octal", " 0o5", MustRefuse, nothing},
			{"binary", " 0b101", MustRefuse, nothing},
			{"decimal point", " 5.0", MustRefuse, nothing},
			{"exponent", " 5e0", MustRefuse, nothing},
			{"underscore", " 5_", MustRefuse, nothing},
			{"digits apart", " 5 0", MustRefuse, nothing},
			{"letter behind", " 5a", MustRefuse, nothing},
			{"letter before", " a5", MustRefuse, nothing},
			{"word", " five", MustRefuse, nothing},
			{"quoted", ` "5"`, MustRefuse, nothing},
			{"semicolon", " 5;", MustRefuse, nothing},
			{"list of one number twice", " 5, 5", MayRefuse, both},
			{"list that differs", " 5, 6", MustRefuse, nothing},
			{"list with an empty member", " 5,", MustRefuse, nothing},
			{"list of two, the first empty", " ,5", MustRefuse, nothing},
			{"empty", "", MustRefuse, nothing},
			{"white space only", " \t ", MustRefuse, nothing},
			{"2 to the 63rd", " 9223372036854775808", MustRefuse, nothing},
			{"2 to the 64th and five", " 18446744073709551621", MustRefuse, nothing},
			{"2 to the 32nd and five", " 4294967301", MustRefuse, nothing},
			{"twenty digits", " 99999999999999999999", MustRefuse, nothing},
			{"NUL behind", " 5\x00", MustRefuse, nothing},
			{"NUL before", " \x005", MustRefuse, nothing},
			{"vertical tab before", " \x0b5", MustRefuse, nothing},
			{"form feed behind", " 5\x0c", MustRefuse, nothing},
			{"no-break space before", " \xc2\xa05", MustRefuse, nothing},
			{"no-break space in Latin-1", " \xa05", MustRefuse, nothing},
			{"Arabic digit", " \xd9\xa5", MustRefuse, nothing},
			{"full-width digit", " \xef\xbc\x95", MustRefuse, nothing},
			{"carriage return behind", " 5\r", MustRefuse, nothing},
			{"folded", "\r\n 5", MustRefuse, nothing},
			{"folded with a second number", " 5\r\n 0", MustRefuse, nothing},
		}),
		family("cl/twice", "RFC 9112 6.3", lines, []row{
			{"the same", length(5) + length(5), MayRefuse, both},
			{"short, then long", length(5) + length(long), MustRefuse, nothing},
			{"long, then short", length(long) + length(5), MustRefuse, nothing},
			{"zero, then five", length(0) + length(5), MustRefuse, nothing},
			{"five, then zero", length(5) + length(0), MustRefuse, nothing},
			{"spelled in two cases", "content-length: 5\r\nCONTENT-LENGTH: 0\r\n", MustRefuse, nothing},
			{"one of them empty", "Content-Length:\r\n" + length(5), MustRefuse, nothing},
			{"one of them padded with a zero", "Content-Length: 5\r\nContent-Length: 05\r\n", MustRefuse, nothing},
			{"one of them negative", length(5) + "Content-Length: -5\r\n", MustRefuse, nothing},
			{"with fields between", length(5) + "X-A: b\r\nX-C: d\r\n" + length(long), MustRefuse, nothing},
			{"three", length(5) + length(5) + length(0), MustRefuse, nothing},
			{"twenty of the same", repeat(length(5), 20), MayRefuse, both},
		}),
		family("cl/body", "RFC 9112 6", whole, []row{
			{"none, then a request", post("", hidden), MustServe, both},
			{"zero, then a request", post(length(0), hidden), MustServe, both},
			{"a request inside", post(length(len(hidden)), hidden), MustServe, one},
			{"two requests inside", post(length(2*len(hidden)), hidden+hidden), MustServe, one},
			{"a request half inside", post(length(5), hidden), MustRefuse, one},
			{"of a GET", get(length(len(hidden)), hidden), MustServe, one},
			{"of a HEAD", "HEAD " + First + " HTTP/1.1\r\n" + host + length(len(hidden)) + crlf + hidden, MustServe, one},
			{"of a DELETE", "DELETE " + First + " HTTP/1.1\r\n" + host + length(len(hidden)) + crlf + hidden, MustServe, one},
			{"of an OPTIONS", "OPTIONS " + First + " HTTP/1.1\r\n" + host + length(len(hidden)) + crlf + hidden, MustServe, one},
			{"that never comes whole", post(length(1000), hidden), MustRefuse, nothing},
			{"that looks chunked", post(length(len(chunk(hidden)+last)), chunk(hidden)+last), MustServe, one},
		}),
	)
}

func repeat(line string, n int) (s string) {
	for range n {
		s += line
	}
	return s
}
