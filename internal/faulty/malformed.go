package faulty

import "causeway/internal/fault"

// malformedFaults are answers that begin as HTTP and break its grammar (RFC 9112 sections 4 and 5).
func malformedFaults() []Fault {
	bad := func(name, about, answer string, also ...fault.Kind) Fault {
		return Fault{
			Name: name, Kind: fault.MalformedResponse, Also: also, Row: "26", About: about,
			start: tcp(request, send(answer), fin),
		}
	}
	// Each of these would be a good answer but for one line.
	with := func(line string) string { return "HTTP/1.1 200 OK\r\n" + line + "Content-Length: 3\r\n\r\nok\n" }
	return []Fault{
		bad("status_not_a_number", "the status code is a word", "HTTP/1.1 abc OK\r\nContent-Length: 3\r\n\r\nok\n"),
		bad("status_two_digits", "the status code has two digits", "HTTP/1.1 20 OK\r\nContent-Length: 3\r\n\r\nok\n"),
		bad("status_four_digits", "the status code has four digits", "HTTP/1.1 2000 OK\r\nContent-Length: 3\r\n\r\nok\n"),
		bad("status_missing", "the status line ends after the version", "HTTP/1.1\r\nContent-Length: 3\r\n\r\nok\n"),
		bad("version_unknown", "the version is HTTP/3.7", "HTTP/3.7 200 OK\r\nContent-Length: 3\r\n\r\nok\n"),
		bad("version_two", "HTTP/2 in a status line of HTTP/1", "HTTP/2 200 OK\r\nContent-Length: 3\r\n\r\nok\n"),
		bad("version_garbled", "the version is no number", "HTTP/one.one 200 OK\r\nContent-Length: 3\r\n\r\nok\n"),
		bad("header_without_colon", "a header line without a colon", with("X-Broken value\r\n")),
		bad("header_space_before_colon", "a space between a header's name and its colon", with("X-Broken : value\r\n"), ""),
		bad("header_bad_name", "a header's name with a byte that no name may have", with("X-(Broken): value\r\n")),
		bad("header_empty_name", "a header without a name", with(": value\r\n")),
		bad("header_nul", "a NUL byte in a header's value", with("X-Broken: a\x00b\r\n")),
		bad("header_control", "a control byte in a header's value", with("X-Broken: a\x01b\r\n"), ""),
		bad("header_bare_cr", "a carriage return alone in a header's value", with("X-Broken: a\rX-Smuggled: b\r\n")),
		bad("header_newline", "a newline in a header's value: the rest of an exception's text stands as a line of its own",
			with("X-Error: could not save\n  Traceback (most recent call last)\nValueError\r\n")),
		bad("header_folded_first", "a folded line before any header", with(" X-Broken: value\r\n")),
	}
}

// headFaults are heads that stop before their end, or never do.
func headFaults() []Fault {
	const half = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-Reque"
	return []Fault{
		{
			Name: "header_cut_fin", Kind: fault.TruncatedHeader, Row: "27",
			About: "the head stops inside a header's name, then FIN", start: tcp(request, send(half), fin),
		},
		{
			Name: "header_cut_rst", Kind: fault.TruncatedHeader, Row: "27",
			About: "the head stops inside a header's name, then RST", start: tcp(request, send(half), settle, rst),
		},
		{
			Name: "status_line_cut_fin", Kind: fault.TruncatedHeader, Row: "27",
			About: "the status line stops after HTTP/1.1 2, then FIN", start: tcp(request, send("HTTP/1.1 2"), fin),
		},
		{
			Name: "status_line_cut_rst", Kind: fault.TruncatedHeader, Row: "27",
			About: "the status line stops after HTTP/1.1 2, then RST", start: tcp(request, send("HTTP/1.1 2"), settle, rst),
		},
		{
			Name: "header_end_missing", Kind: fault.TruncatedHeader, Row: "27",
			About: "every header line is whole, the empty line after them never comes, then FIN",
			start: tcp(request, send("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"), fin),
		},
		{
			Name: "header_too_large", Kind: fault.ResponseHeaderTooLarge, Row: "28", Defaults: Params{Bytes: 1 << 20},
			About: "one header of Bytes bytes, such as a cookie that grew",
			start: tcp(request, send("HTTP/1.1 200 OK\r\nSet-Cookie: session="), flood("x"), send("\r\nContent-Length: 3\r\n\r\nok\n"), fin),
		},
		{
			Name: "header_too_many", Kind: fault.ResponseHeaderTooLarge, Row: "28", Defaults: Params{Count: 20_000},
			About: "Count short headers",
			start: tcp(request, send("HTTP/1.1 200 OK\r\n"), drip("X-Trace: hop\r\n"), send("Content-Length: 3\r\n\r\nok\n"), fin),
		},
		{
			Name: "header_endless", Kind: fault.ResponseHeaderTooLarge, Row: "28", Defaults: Params{Bytes: 64 << 20},
			About: "headers without end, Bytes in all, then FIN",
			start: tcp(request, send("HTTP/1.1 200 OK\r\n"), flood("X-Trace: hop\r\n"), fin),
		},
	}
}
