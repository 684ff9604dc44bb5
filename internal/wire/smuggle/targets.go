package smuggle

import "slices"

// hostCases make it unclear which host a request is for (RFC 9112 section 3.2, RFC 9110 section 7.2).
func hostCases() []Case {
	lines := func(text string) string { return "GET /first HTTP/1.1\r\n" + text + crlf + hidden }
	value := func(text string) string { return "GET /first HTTP/1.1\r\nHost:" + text + crlf + crlf + hidden }
	return slices.Concat(
		family("host", "RFC 9112 3.2", lines, []row{
			{"missing", "X-A: b\r\n", MustRefuse, nothing},
			{"twice the same", "Host: gateway.test\r\nHost: gateway.test\r\n", MustRefuse, nothing},
			{"twice", "Host: gateway.test\r\nHost: other.test\r\n", MustRefuse, nothing},
			{"twice in two cases", "Host: gateway.test\r\nhOST: other.test\r\n", MustRefuse, nothing},
			{"twice, one empty", "Host: gateway.test\r\nHost:\r\n", MustRefuse, nothing},
			{"twice with fields between", "Host: gateway.test\r\nX-A: b\r\nHost: other.test\r\n", MustRefuse, nothing},
			{"folded", "Host: gateway.test\r\n other.test\r\n", MustRefuse, nothing},
			{"folded value", "Host:\r\n gateway.test\r\n", MustRefuse, nothing},
			{"space before the colon", "Host : gateway.test\r\n", MustRefuse, nothing},
			{"a second with a space before the colon", "Host: gateway.test\r\nHost : other.test\r\n", MustRefuse, nothing},
			{"a second with white space before it", "Host: gateway.test\r\n Host: other.test\r\n", MustRefuse, nothing},
			{"X-Forwarded-Host beside it", "Host: gateway.test\r\nX-Forwarded-Host: other.test\r\n", MustServe, both},
		}),
		family("host/value", "RFC 9110 7.2", value, []row{
			{"a port", " gateway.test:8080", MustServe, both},
			{"an IPv4 address", " 127.0.0.1:80", MustServe, both},
			{"an IPv6 address", " [::1]:80", MustServe, both},
			{"empty", "", MayRefuse, both},
			{"an empty port", " gateway.test:", MayRefuse, both},
			{"a port of letters", " gateway.test:http", MustRefuse, nothing},
			{"two ports", " gateway.test:80:81", MustRefuse, nothing},
			{"a signed port", " gateway.test:+80", MustRefuse, nothing},
			{"a port alone", " :80", MustRefuse, nothing},
			{"a list", " gateway.test, other.test", MustRefuse, nothing},
			{"a space", " gateway.test other.test", MustRefuse, nothing},
			{"a tab", " gateway.test\tother.test", MustRefuse, nothing},
			{"a path", " gateway.test/first", MustRefuse, nothing},
			{"a query", " gateway.test?a", MustRefuse, nothing},
			{"a fragment", " gateway.test#a", MustRefuse, nothing},
			{"a user", " user@gateway.test", MustRefuse, nothing},
			{"a scheme", " http://gateway.test", MustRefuse, nothing},
			{"a backslash", ` gateway.test\other.test`, MustRefuse, nothing},
			{"a NUL", " gateway.test\x00other.test", MustRefuse, nothing},
			{"a Latin-1 letter", " g\xe4teway.test", MustRefuse, nothing},
			{"an IPv6 address without brackets", " ::1", MustRefuse, nothing},
			{"half a bracket", " [::1", MustRefuse, nothing},
			{"a name behind a bracket", " [::1]gateway.test", MustRefuse, nothing},
			{"a name in brackets", " [gateway.test]", MustRefuse, nothing},
			{"quoted", ` "gateway.test"`, MustRefuse, nothing},
			{"a pipe", " gateway.test|other", MustRefuse, nothing},
		}),
	)
}

// targetCases bend the request target and the spaces around it (RFC 9112 sections 3 and 3.2).
func targetCases() []Case {
	target := func(text string) string { return "GET " + text + " HTTP/1.1\r\n" + host + crlf + hidden }
	request := func(text string) string { return text + crlf + host + crlf + hidden }
	return slices.Concat(
		family("target/absolute", "RFC 9112 3.2.2", target, []row{
			{"the same host", "http://gateway.test/first", MustServe, both},
			{"another host than Host", "http://other.test/first", MayRefuse, both},
			{"scheme in capitals", "HTTP://gateway.test/first", MustServe, both},
			{"https", "https://gateway.test/first", MayRefuse, both},
			{"another scheme", "ftp://gateway.test/first", MustRefuse, nothing},
			{"file", "file:///first", MustRefuse, nothing},
			{"no authority", "http:///first", MustRefuse, nothing},
			{"one slash", "http:/first", MustRefuse, nothing},
			{"no slash", "http:first", MustRefuse, nothing},
			{"a user", "http://user@gateway.test/first", MustRefuse, nothing},
			{"a user that looks like a host", "http://other.test:80@gateway.test/first", MustRefuse, nothing},
			{"a port of letters", "http://gateway.test:http/first", MustRefuse, nothing},
			{"an escaped byte in the host", "http://gateway%2etest/first", MayRefuse, both},
			{"a backslash", `http://gateway.test\@other.test/first`, MustRefuse, nothing},
			{"a fragment", "http://gateway.test/first#/smuggled", MustRefuse, nothing},
			{"no scheme", "gateway.test/first", MustRefuse, nothing},
			{"authority alone", "gateway.test:80", MustRefuse, nothing},
			{"an address that is none", "http://[gateway.test]/first", MustRefuse, nothing},
			{"an address that is none, of hexadecimal digits", "http://[1]/first", MustRefuse, nothing},
		}),
		family("target/origin", "RFC 9112 3.2.1", target, []row{
			{"a query", "/first?a=b", MustServe, []string{"/first?a=b", Canary}},
			{"a fragment", "/first#a", MustRefuse, nothing},
			{"two slashes", "//first", MayRefuse, []string{"//first", Canary}},
			{"no slash", "first", MustRefuse, nothing},
			{"asterisk", "*", MustRefuse, nothing},
			{"a NUL", "/first\x00", MustRefuse, nothing},
			{"a tab", "/first\ta", MustRefuse, nothing},
			{"a space", "/first a", MustRefuse, nothing},
			{"a version inside", "/first HTTP/1.1 a", MustRefuse, nothing},
			{"a bare CR", "/first\r", MustRefuse, nothing},
			{"a bare LF", "/first\n", MustRefuse, nothing},
			{"DEL", "/first\x7f", MustRefuse, nothing},
			{"half an escape", "/first%2", MustRefuse, nothing},
			{"an escape that is none", "/first%zz", MustRefuse, nothing},
			{"an escaped CRLF", "/first%0d%0aHost:%20other.test", MayRefuse, []string{"/first%0d%0aHost:%20other.test", Canary}},
			{"an escaped request", "/first%20HTTP/1.1%0d%0a", MayRefuse, []string{"/first%20HTTP/1.1%0d%0a", Canary}},
		}),
		family("request line", "RFC 9112 3", request, []row{
			{"two spaces before the target", "GET  /first HTTP/1.1", MustRefuse, nothing},
			{"two spaces behind the target", "GET /first  HTTP/1.1", MustRefuse, nothing},
			{"a space before the method", " GET /first HTTP/1.1", MustRefuse, nothing},
			{"a space behind the version", "GET /first HTTP/1.1 ", MustRefuse, nothing},
			{"tabs for spaces", "GET\t/first\tHTTP/1.1", MustRefuse, nothing},
			{"a tab behind the version", "GET /first HTTP/1.1\t", MustRefuse, nothing},
			{"vertical tab for a space", "GET\x0b/first HTTP/1.1", MustRefuse, nothing},
			{"no target", "GET HTTP/1.1", MustRefuse, nothing},
			{"an empty target", "GET  HTTP/1.1", MustRefuse, nothing},
			{"a method alone", "GET", MustRefuse, nothing},
			{"no method", " /first HTTP/1.1", MustRefuse, nothing},
			{"a colon in the method", "GET: /first HTTP/1.1", MustRefuse, nothing},
			{"a parenthesis in the method", "G(ET /first HTTP/1.1", MustRefuse, nothing},
			{"a NUL in the method", "GET\x00 /first HTTP/1.1", MustRefuse, nothing},
			{"a Latin-1 letter in the method", "G\xc4T /first HTTP/1.1", MustRefuse, nothing},
			{"a method in small letters", "get /first HTTP/1.1", MayRefuse, both},
			{"a method of signs", "!#$ /first HTTP/1.1", MayRefuse, both},
			{"a carriage return before the CRLF", "GET /first HTTP/1.1\r", MustRefuse, nothing},
		}),
	)
}

// versionCases name versions and protocols that are not HTTP/1.1 (RFC 9112 section 2.3).
func versionCases() []Case {
	version := func(text string) string { return "GET /first " + text + crlf + host + crlf + hidden }
	return slices.Concat(
		family("version", "RFC 9112 2.3", version, []row{
			{"HTTP/0.9", "HTTP/0.9", MustRefuse, nothing},
			{"HTTP/1.2", "HTTP/1.2", MayRefuse, both},
			{"HTTP/1.9", "HTTP/1.9", MayRefuse, both},
			{"HTTP/2.0", "HTTP/2.0", MustRefuse, nothing},
			{"HTTP/3.0", "HTTP/3.0", MustRefuse, nothing},
			{"HTTP/1.10", "HTTP/1.10", MustRefuse, nothing},
			{"HTTP/11.1", "HTTP/11.1", MustRefuse, nothing},
			{"HTTP/01.1", "HTTP/01.1", MustRefuse, nothing},
			{"HTTP/1", "HTTP/1", MustRefuse, nothing},
			{"HTTP/1.", "HTTP/1.", MustRefuse, nothing},
			{"HTTP/.1", "HTTP/.1", MustRefuse, nothing},
			{"HTTP/1.1.1", "HTTP/1.1.1", MustRefuse, nothing},
			{"HTTP/1,1", "HTTP/1,1", MustRefuse, nothing},
			{"HTTP/+1.1", "HTTP/+1.1", MustRefuse, nothing},
			{"HTTP/-1.1", "HTTP/-1.1", MustRefuse, nothing},
			{"HTTP/a.b", "HTTP/a.b", MustRefuse, nothing},
			{"in small letters", "http/1.1", MustRefuse, nothing},
			{"HTTP 1.1", "HTTP 1.1", MustRefuse, nothing},
			{"a space inside", "HTTP/ 1.1", MustRefuse, nothing},
			{"a backslash", `HTTP\1.1`, MustRefuse, nothing},
			{"HTTPS/1.1", "HTTPS/1.1", MustRefuse, nothing},
			{"ICY", "ICY/1.1", MustRefuse, nothing},
			{"a NUL behind", "HTTP/1.1\x00", MustRefuse, nothing},
		}),
		family("protocol", "RFC 9112 2.3", whole, []row{
			{"HTTP/0.9 simple request", "GET /first\r\n" + hidden, MustRefuse, nothing},
			{"HTTP/0.9 simple request with fields", "GET /first\r\n" + host + crlf + hidden, MustRefuse, nothing},
			{"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + hidden, MustRefuse, nothing},
			{"HTTP/2 preface in HTTP/1.1", "PRI * HTTP/1.1\r\n" + host + "\r\nSM\r\n\r\n" + hidden, MustRefuse, nothing},
			{"TLS ClientHello", "\x16\x03\x01\x00\x05hello" + hidden, MustRefuse, nothing},
			{"TLS record of SSL 2", "\x80\x2e\x01\x03\x01" + hidden, MustRefuse, nothing},
			{"PROXY protocol 1", "PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n" + hidden, MustRefuse, nothing},
			{"PROXY protocol 2", "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c" + hidden, MustRefuse, nothing},
			{"an answer", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" + hidden, MustRefuse, nothing},
			{"SMTP", "HELO gateway.test\r\n" + hidden, MustRefuse, nothing},
		}),
	)
}
