package faulty

import "causeway/internal/fault"

const sshBanner = "SSH-2.0-OpenSSH_9.6\r\n"

// bannerFaults are servers that speak something else than HTTP/1.1.
func bannerFaults() []Fault {
	return []Fault{
		{
			Name: "banner_ssh", Kind: fault.NotHTTP, Row: "25",
			About: "an SSH server: its banner comes before the request is read", start: tcp(send(sshBanner), something, fin),
		},
		{
			Name: "banner_smtp", Kind: fault.NotHTTP, Row: "25",
			About: "a mail server: 220 before the request is read, 500 after it",
			start: tcp(send("220 mail.example.test ESMTP Postfix\r\n"), something, send("500 5.5.2 Error: command not recognized\r\n"), fin),
		},
		{
			Name: "banner_mysql", Kind: fault.NotHTTP, Row: "25",
			About: "MySQL's handshake packet before the request is read", start: tcp(send(mysqlGreeting), something, fin),
		},
		{
			Name: "banner_redis", Kind: fault.NotHTTP, Row: "25",
			About: "Redis answers the request line with -ERR", start: tcp(something, send("-ERR unknown command 'GET', with args beginning with: '/' 'HTTP/1.1' \r\n"), fin),
		},
		{
			Name: "http_09", Kind: fault.NotHTTP, Row: "25",
			About: "HTTP/0.9: a page without status line or headers, ended by FIN",
			start: tcp(request, send("<html><head><title>hello</title></head><body>It works</body></html>\n"), fin),
		},
		{
			Name: "empty_lines", Kind: fault.NotHTTP, Also: []fault.Kind{fault.MalformedResponse, ""}, Row: "25",
			About: "two empty lines before a good answer", start: tcp(request, send("\r\n\r\n"+text(200, "ok\n", plainText)), fin),
		},
		{
			Name: "h2_only", Kind: fault.NotHTTP, Row: "48",
			About: "an HTTP/2 server without HTTP/1.1: SETTINGS, then GOAWAY with PROTOCOL_ERROR",
			start: tcp(something, send(h2Settings+h2GoAway), fin),
		},
	}
}

// mysqlGreeting is a version 10 handshake packet: length, sequence number, protocol version, server version,
// connection id, first part of the challenge, capabilities and the rest.
const mysqlGreeting = "\x4a\x00\x00\x00\x0a8.0.36\x00\x2a\x00\x00\x00" + "salt-one\x00" +
	"\xff\xff\xff\x02\x00\xff\xdf\x15" + "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" +
	"salt-two-abc\x00" + "caching_sha2_password\x00"

// Frames of RFC 9113: an empty SETTINGS, and GOAWAY with last stream 0 and error 1.
const (
	h2Settings = "\x00\x00\x00\x04\x00\x00\x00\x00\x00"
	h2GoAway   = "\x00\x00\x08\x07\x00\x00\x00\x00\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x01"
)
