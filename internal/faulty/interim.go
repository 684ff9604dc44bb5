package faulty

import (
	"crypto/sha1"
	"encoding/base64"
	"io"
	"net/http"
	"strings"

	"causeway/internal/fault"
)

// interimFaults are about 1xx answers (RFC 9110 section 15.2).
func interimFaults() []Fault {
	const hints = "HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"
	return []Fault{
		{
			Name: "interim_flood", Kind: fault.MalformedResponse, Row: "26", Defaults: Params{Count: 10_000},
			About: "Count answers 103, then a good one", start: tcp(request, drip(hints), good, fin),
		},
		{
			Name: "interim_100", Status: 200,
			About: "100 Continue that nobody asked for, then a good answer", start: tcp(loop(request, send("HTTP/1.1 100 Continue\r\n\r\n"), good)),
		},
		{
			Name: "interim_102", Status: 200,
			About: "102 Processing, then a good answer", start: tcp(loop(request, send("HTTP/1.1 102 Processing\r\n\r\n"), good)),
		},
		{
			Name: "interim_103", Status: 200,
			About: "103 Early Hints, then a good answer", start: tcp(loop(request, send(hints), good)),
		},
		{
			Name: "interim_cut", Kind: fault.ClosedBeforeResponse, Also: []fault.Kind{fault.TruncatedHeader}, Row: "32",
			About: "103 Early Hints, then FIN without an answer", start: tcp(request, send(hints), fin),
		},
		{
			Name: "switch_unasked", Kind: fault.UnexpectedUpgrade, Row: "49",
			About: "101 Switching Protocols that nobody asked for",
			start: tcp(request, send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x02hi"), fin),
		},
	}
}

// upgradeFaults answer a request for an upgrade (RFC 9110 section 7.8).
func upgradeFaults() []Fault {
	upgrade := Needs{Upgrade: true}
	return []Fault{
		{
			Name: "upgrade_refused", Kind: fault.UpgradeFailed, Row: "49", Status: 403, Needs: upgrade,
			About: "403 instead of 101", start: tcp(loop(request, send(text(403, "no websockets here\n", plainText)))),
		},
		{
			Name: "upgrade_ignored", Kind: fault.UpgradeFailed, Row: "49", Status: 200, Needs: upgrade,
			About: "200 and a page instead of 101", start: tcp(loop(request, send(text(200, "<html><body>app</body></html>\n", html)))),
		},
		{
			Name: "upgrade_other", Kind: fault.UpgradeFailed, Also: []fault.Kind{fault.UnexpectedUpgrade}, Row: "49", Needs: upgrade,
			About: "101 to another protocol than the one asked for",
			start: tcp(request, send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: smoke-signals/1\r\n\r\n"), fin),
		},
		{
			Name: "upgrade_reset", Kind: fault.TunnelReset, Row: "49", Needs: upgrade,
			About: "101, eight bytes of a tunnel, then RST", start: tcp(request, write(switched), send("tunneled"), settle, rst),
		},
		{
			Name: "upgrade_stall", Kind: fault.TunnelIdleTimeout, Row: "36", Needs: upgrade,
			About: "101, then nothing in either direction", start: tcp(request, write(switched), silence),
		},
		{
			Name: "websocket_unclosed", Kind: fault.TunnelClosed, Row: "49", Needs: upgrade,
			About: "a WebSocket with one message, then FIN without a close frame", start: tcp(request, write(switched), send(hello), fin),
		},
		{
			Name: "websocket_1011", Kind: fault.WebSocketUpstreamError, Row: "49", Needs: upgrade,
			About: "a WebSocket with one message, closed with 1011 (internal error)",
			start: tcp(request, write(switched), send(hello+"\x88\x06\x03\xf3oops"), fin),
		},
		{
			Name: "websocket_1013", Kind: fault.WebSocketUnavailable, Row: "49", Needs: upgrade,
			About: "a WebSocket that is closed at once with 1013 (try again later)", start: tcp(request, write(switched), send("\x88\x02\x03\xf5"), fin),
		},
		{
			Name: "websocket_1008", Kind: fault.WebSocketRefused, Row: "49", Needs: upgrade,
			About: "a WebSocket that is closed at once with 1008 (policy violation)",
			start: tcp(request, write(switched), send("\x88\x0a\x03\xf0no token"), fin),
		},
		{
			Name: "websocket_masked", Kind: fault.WebSocketProtocolError, Row: "49", Needs: upgrade,
			About: "a WebSocket whose server masks its frames, which only clients may", start: tcp(request, write(switched), send("\x81\x82abcd\x09\x0b"), fin),
		},
		{
			Name: "upgrade", Status: 101, Needs: upgrade,
			About: "101, then every byte is echoed until the caller ends its side", start: tcp(request, write(switched), echo, fin),
		},
	}
}

// hello is a text frame.
const hello = "\x81\x05hello"

// switched agrees to the protocol asked for, with the proof that WebSocket wants (RFC 6455 section 4.2.2).
func switched(c *peer) string {
	var b strings.Builder
	b.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ")
	protocol := c.req.Header.Get("Upgrade")
	if protocol == "" {
		protocol = "websocket"
	}
	b.WriteString(protocol + "\r\n")
	if key := c.req.Header.Get("Sec-Websocket-Key"); key != "" {
		sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
		b.WriteString(http.CanonicalHeaderKey("Sec-Websocket-Accept") + ": " + base64.StdEncoding.EncodeToString(sum[:]) + "\r\n")
	}
	b.WriteString("\r\n")
	return b.String()
}

func echo(c *peer) error {
	c.hold()
	_, err := io.Copy(c.Conn, c.br)
	return err
}
