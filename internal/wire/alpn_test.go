package wire

import (
	"crypto/tls"
	"testing"
	"time"
)

// What a caller offers by ALPN (RFC 7301), and what the door takes.
func TestALPN(t *testing.T) {
	h2 := HTTP2Options{}
	for _, c := range []struct {
		name    string
		http2   *HTTP2Options
		offered []string
		taken   string
		refused bool
	}{
		{"a browser", &h2, []string{"h2", "http/1.1"}, "h2", false},
		{"a browser, HTTP/2 off", nil, []string{"h2", "http/1.1"}, "http/1.1", false},
		{"HTTP/1.1 first", &h2, []string{"http/1.1", "h2"}, "h2", false},
		{"HTTP/1.1 alone", &h2, []string{"http/1.1"}, "http/1.1", false},
		{"curl --http1.0", &h2, []string{"http/1.0"}, "http/1.0", false},
		{"curl --http1.0, HTTP/2 off", nil, []string{"http/1.0"}, "http/1.0", false},
		{"no ALPN", &h2, nil, "", false},
		{"another protocol", &h2, []string{"imap"}, "", true},
		{"HTTP/2 alone, HTTP/2 off", nil, []string{"h2"}, "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			server, client := testTLS(t)
			addr, _ := startDoor(t, DoorOptions{Handler: handler{serve: func(Exchange) {}}, ReadHeaderTimeout: time.Second, IdleTimeout: time.Second, TLS: server, HTTP2: c.http2})
			client.NextProtos = c.offered
			conn, err := tls.Dial("tcp", addr, client)
			if err != nil {
				if !c.refused {
					t.Fatal(err)
				}
				return
			}
			defer conn.Close()
			if got := conn.ConnectionState().NegotiatedProtocol; c.refused || got != c.taken {
				t.Errorf("took %q", got)
			}
		})
	}
}
