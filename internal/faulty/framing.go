package faulty

import "causeway/internal/fault"

// framingFaults are answers whose length can be read in two ways (RFC 9112 section 6): what one
// reader takes for the body is the next answer for another.
func framingFaults() []Fault {
	conflict := func(name, about, lines, body string, also ...fault.Kind) Fault {
		return Fault{
			Name: name, Kind: fault.FramingConflict, Also: also, Row: "29", About: about, NoReuse: true,
			start: tcp(request, send("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"+lines+"\r\n"+body), fin),
		}
	}
	coding := func(name, about, lines, body string, also ...fault.Kind) Fault {
		f := conflict(name, about, lines, body, also...)
		f.Kind = fault.UnknownTransferCoding
		return f
	}
	const five = "5\r\nhello\r\n0\r\n\r\n"
	return []Fault{
		conflict("cl_and_te", "Content-Length beside Transfer-Encoding: chunked",
			"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", five),
		conflict("cl_two", "two Content-Length that differ",
			"Content-Length: 5\r\nContent-Length: 3\r\n", "hello"),
		conflict("cl_list", "one Content-Length with two numbers that differ",
			"Content-Length: 5, 3\r\n", "hello"),
		conflict("cl_not_a_number", "Content-Length is not a number",
			"Content-Length: five\r\n", "hello", fault.MalformedResponse),
		conflict("cl_negative", "Content-Length is negative",
			"Content-Length: -5\r\n", "hello", fault.MalformedResponse),
		conflict("cl_plus", "Content-Length with a sign",
			"Content-Length: +5\r\n", "hello", fault.MalformedResponse),
		conflict("cl_hex", "Content-Length in hexadecimal",
			"Content-Length: 0x5\r\n", "hello", fault.MalformedResponse),
		conflict("cl_huge", "Content-Length is more than 64 bits hold",
			"Content-Length: 99999999999999999999\r\n", "hello", fault.MalformedResponse),
		conflict("cl_empty", "Content-Length without a value",
			"Content-Length: \r\n", "hello", fault.MalformedResponse),
		coding("te_gzip", "Transfer-Encoding: gzip, chunked",
			"Transfer-Encoding: gzip, chunked\r\n", five),
		coding("te_unknown", "a transfer coding that nobody knows",
			"Transfer-Encoding: xchunked\r\n", five),
		coding("te_identity", "the coding identity, which RFC 7230 removed",
			"Transfer-Encoding: identity\r\n", "hello", fault.FramingConflict),
		coding("te_twice", "chunked twice on one line",
			"Transfer-Encoding: chunked, chunked\r\n", five, fault.FramingConflict),
		coding("te_two_lines", "chunked twice on two lines",
			"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", five, fault.FramingConflict),
		{
			Name: "cl_repeated", NoReuse: false, Also: []fault.Kind{fault.FramingConflict}, Row: "29", Status: 200,
			About: "the same Content-Length twice: it may be read as one (RFC 9110 section 8.6)",
			start: tcp(loop(request, send("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello"))),
		},
	}
}

// chunkFaults are chunked bodies that break (RFC 9112 section 7.1).
func chunkFaults() []Fault {
	bad := func(name, about, body string, also ...fault.Kind) Fault {
		return Fault{
			Name: name, Kind: fault.MalformedChunking, Also: also, Row: "30", About: about,
			start: tcp(request, send(chunkedHead+"5\r\nhello\r\n"+body), fin),
		}
	}
	return []Fault{
		bad("chunk_bad_size", "a chunk's size is not hexadecimal", "zz\r\nworld\r\n0\r\n\r\n"),
		bad("chunk_no_crlf", "the CRLF after a chunk's data is missing", "5\r\nworld0\r\n\r\n"),
		bad("chunk_huge", "a chunk's size is more than 64 bits hold", "fffffffffffffffff\r\nworld\r\n0\r\n\r\n"),
		bad("chunk_negative", "a chunk's size is negative", "-5\r\nworld\r\n0\r\n\r\n"),
		bad("chunk_empty_size", "a chunk without a size", "\r\nworld\r\n0\r\n\r\n"),
		bad("chunk_bad_trailer", "a trailer line without a colon", "0\r\nChecksum 12\r\n\r\n"),
		{
			Name: "chunk_endless_extension", Kind: fault.MalformedChunking, Row: "30", Defaults: Params{Bytes: 1 << 20},
			About: "a chunk's extension of Bytes bytes",
			start: tcp(request, send(chunkedHead+"5;note="), flood("x"), send("\r\nhello\r\n0\r\n\r\n"), fin),
		},
		{
			Name: "chunk_cut_fin", Kind: fault.TruncatedBody, Row: "41",
			About: "ten bytes of a chunk of a hundred, then FIN", start: tcp(request, send(chunkedHead+"64\r\n0123456789"), fin),
		},
		{
			Name: "chunk_cut_rst", Kind: fault.ResetMidBody, Row: "41",
			About: "ten bytes of a chunk of a hundred, then RST", start: tcp(request, send(chunkedHead+"64\r\n0123456789"), settle, rst),
		},
		{
			Name: "chunk_last_missing", Kind: fault.TruncatedBody, Row: "41",
			About: "whole chunks, then FIN without the last chunk", start: tcp(request, send(chunkedHead+"5\r\nhello\r\n"), fin),
		},
	}
}
