package paste

import "causeway/internal/fault"

// outside tells kinds as one sees them who has nothing but a text: the catalogue's own words are those of a
// gateway that has seen the connection. "The server" is whoever was asked.
var outside = map[fault.Kind]struct{ title, meaning string }{
	fault.ConnectionRefused:    {"The server refused the connection", "Its host is there and answered at once that nobody listens on that port. The request was not sent."},
	fault.ConnectTimeout:       {"The server did not accept the connection in time", "No answer came to the attempt to connect, neither yes nor no: packets are dropped on the way, the host is down, or its queue of new connections is full. The request was not sent."},
	fault.ClosedBeforeResponse: {"The server closed the connection without an answer", "The request was sent, and the connection was closed before the first byte of an answer. Whether the connection was new or had been used before, the text does not say: both have causes of their own."},
	fault.ResetBeforeResponse:  {"The connection was reset", "The other side, or something on the way, ended the connection hard. Whether the request was worked on can't be told from here."},
	fault.ResetMidBody:         {"The connection was reset in the middle of the answer", "What came of the answer is not whole."},
	fault.ResetDuringUpload:    {"The connection broke while the request was being sent", "The server closed without reading all of it: a limit on the body's size does that, a crash too. It may have sent an answer that nobody read."},
	fault.FirstByteTimeout:     {"No answer came in time", "The connection stood and the request was sent; the one who says this stopped waiting. The server may still be working on it."},
	fault.IdleTimeout:          {"The answer stopped in the middle", "It had begun, and then nothing came for longer than the limit allows."},
	fault.TruncatedBody:        {"The answer broke off", "It had begun, and the connection ended before all of it was there. What came must not be taken for the whole."},
	fault.DNSNotFound:          {"The name was not found", "The resolver that was asked says that there is no such name. Nothing was sent to anybody."},
	fault.DNSServerFailure:     {"The name could not be looked up", "The resolver failed or could not be asked: whether the name exists is not known. Nothing was sent to anybody."},
	fault.Unroutable:           {"There is no way to the address", "The system, or a router on the way, says that the address can't be reached. The request was not sent."},
	fault.TLSCertificateExpired: {
		"The certificate has expired", "The handshake ended at the server's certificate, whose time, or that of one of its issuers, is over. The request was not sent.",
	},
	fault.TLSNameMismatch:        {"The certificate is for another name", "The handshake ended at the server's certificate, which does not name the host that was asked for. The request was not sent."},
	fault.TLSUnknownAuthority:    {"The certificate is not trusted", "The handshake ended at the server's certificate: no issuer of it is among those that this client trusts. The request was not sent."},
	fault.TLSIntermediateMissing: {"The server does not send its intermediate certificate", "The client can't find the way from the server's certificate to an authority that it trusts. The request was not sent."},
	fault.TLSToPlainPort:         {"The port does not speak TLS", "The client began a TLS handshake, and what came back is none. The request was not sent."},
	fault.PlainToTLSPort:         {"The port wants TLS", "The request came in plain HTTP to a port that speaks TLS."},
	fault.NotHTTP:                {"What answered is not HTTP", "The first bytes of the answer are no status line."},
	fault.MalformedResponse:      {"The answer is not valid HTTP", "A part of it breaks the protocol's rules, so that the client stopped reading."},
	fault.IncompatibleResponse:   {"The answer is not what the client can read", "Something else came than the JSON that was expected: a page, an empty body, another API's form."},
	fault.UpstreamBadGateway:     {"A proxy got no valid answer from the server behind it", "502: the one who answered is not the one who failed. Its error log says what it met."},
	fault.UpstreamTimeout:        {"A proxy waited in vain for the server behind it", "504: the one who answered is not the one who was slow."},
	fault.UpstreamUnavailable:    {"There is nobody to take the call at this moment", "503: a proxy without a healthy server behind it, or a server that is overloaded, starting or in maintenance."},
	fault.UpstreamError:          {"The server failed on the request", "500: an error in the application; its own log says which."},
	fault.NoHealthyTarget:        {"The proxy has no healthy server behind it", "Its health checks have taken every one of them out."},
}
