package faulty

import "causeway/internal/fault"

// schemeFaults are ports spoken to in the wrong way: TLS to a plain port, plain to a TLS port.
func schemeFaults() []Fault {
	return []Fault{
		{
			Name: "tls_to_plain", Kind: fault.TLSToPlainPort, Row: "21",
			About: "https to a plain port: a Go server answers the ClientHello with HTTP/1.1 400",
			start: handshake(something, send(goBadRequest), fin),
		},
		{
			Name: "tls_to_plain_nginx", Kind: fault.TLSToPlainPort, Row: "21",
			About: "https to a plain port: nginx answers the ClientHello with its 400 page",
			start: handshake(something, write(func(*peer) string { return nginxPage(400, "400 Bad Request", "") }), fin),
		},
		{
			Name: "tls_to_ssh", Kind: fault.TLSProtocolError, Also: []fault.Kind{fault.TLSToPlainPort, fault.NotHTTP}, Row: "25",
			About: "https to an SSH server: its banner comes before anything was read",
			start: handshake(send(sshBanner), something, fin),
		},
		{
			Name: "plain_to_tls", Kind: fault.PlainToTLSPort, Row: "22", Status: 400,
			About: "http to a TLS port: a Go server says so in a plain 400",
			start: tcp(request, send("HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"), fin),
		},
		{
			Name: "plain_to_tls_nginx", Kind: fault.PlainToTLSPort, Row: "22", Status: 400,
			About: "http to a TLS port: nginx says so in its 400 page",
			start: tcp(request, write(func(*peer) string {
				return nginxPage(400, "400 The plain HTTP request was sent to HTTPS port",
					"<center>The plain HTTP request was sent to HTTPS port</center>\r\n")
			}), fin),
		},
		{
			Name: "plain_to_tls_apache", Kind: fault.PlainToTLSPort, Row: "22", Status: 400,
			About: "http to a TLS port: Apache says so in its 400 page",
			start: tcp(request, write(func(*peer) string { return text(400, apacheSpeakingPlain, html, "Connection: close") }), fin),
		},
		{
			Name: "plain_to_tls_alert", Kind: fault.PlainToTLSPort, Row: "22",
			About: "http to a TLS port: the answer is a TLS alert record, unexpected_message",
			start: tcp(request, send(alert(10)), fin),
		},
	}
}

// goBadRequest is what net/http's server says to a request it cannot parse.
const goBadRequest = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n400 Bad Request"

const apacheSpeakingPlain = `<!DOCTYPE HTML PUBLIC "-//IETF//DTD HTML 2.0//EN">
<html><head>
<title>400 Bad Request</title>
</head><body>
<h1>Bad Request</h1>
<p>Your browser sent a request that this server could not understand.<br />
Reason: You're speaking plain HTTP to an SSL-enabled server port.<br />
 Instead use the HTTPS scheme to access this URL, please.<br />
</p>
</body></html>
`
