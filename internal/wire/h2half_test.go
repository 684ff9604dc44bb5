package wire

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"causeway/internal/journey"
)

// halfClosing is an upstream that closes its WebSocket and then its sending half, and tells all that
// comes after.
func halfClosing(t *testing.T, before string) (g *Origin, came <-chan string) {
	rest := make(chan string, 10)
	url, _ := rawServer(t, false, func(c net.Conn) {
		br := bufio.NewReader(c)
		r, err := http.ReadRequest(br)
		if err != nil {
			return
		}
		fmt.Fprintf(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: %s\r\n\r\n", acceptOf([]byte(r.Header.Get("Sec-WebSocket-Key"))))
		if _, _, err := readFrame(br); err != nil {
			return
		}
		_, _ = c.Write(frame(0x82, []byte(before), nil))
		_, _ = c.Write(frame(0x88, []byte("\x03\xe9away"), nil))
		_ = c.(*net.TCPConn).CloseWrite()
		for {
			first, payload, err := readFrame(br)
			if err != nil {
				rest <- err.Error()
				return
			}
			rest <- fmt.Sprintf("%x %s", first, payload)
		}
	})
	return newOrigin(t, OriginOptions{URL: url}), rest
}

// TestAnUpstreamThatHalfClosesATunnel: its end comes to the caller, who can still send, through every door.
func TestAnUpstreamThatHalfClosesATunnel(t *testing.T) {
	long := strings.Repeat("behind every window ", 20_000)
	for _, k := range doorKinds {
		for name, before := range map[string]string{"short": "one", "long": long} {
			t.Run(k.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				g, came := halfClosing(t, before)
				relay, ends := connectRelay(t, g, 5*time.Second)
				h := k.open(t, DoorOptions{Handler: relay, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 5 * time.Second})
				w := openWebSocket(t, h, "/chat")
				w.say(0x81, "go")
				w.hear(0x82, before)
				w.hear(0x88, "\x03\xe9away")
				w.ends()
				w.say(0x82, "and still")
				w.say(0x88, "\x03\xe9")
				if got := soon(t, "what came behind the end", came); got != "82 and still" {
					t.Errorf("the upstream got %q", got)
				}
				if got := soon(t, "the close behind the end", came); got != "88 \x03\xe9" {
					t.Errorf("the upstream got %q", got)
				}
				if w.conn != nil {
					w.conn.Close()
				}
				if got := soon(t, "the end", came); got != io.EOF.Error() {
					t.Errorf("the upstream got %q", got)
				}
				end := soon(t, "the tunnel's end", ends)
				if f := end.Facts; end.Failed() || f.By != journey.SideUpstream || f.Caller.Code != 1001 || f.Upstream.Code != 1001 || f.MessagesUp != 2 {
					t.Errorf("%+v", end.TunnelEnd)
				}
				if h.h2 { // its connection goes on, and one END_STREAM was all
					w.stream.c.until("the stream's end", func() bool { return w.stream.reset != nil })
					if *w.stream.reset != http2.ErrCodeNo {
						t.Errorf("reset with %v", *w.stream.reset)
					}
					openWebSocket(t, h, "/chat").say(0x81, "x")
				}
			})
		}
	}
}

// TestACallerThatAnswersNoCloseIsCut after a grace, where the upstream has ended.
func TestACallerThatAnswersNoCloseIsCut(t *testing.T) {
	g, _ := halfClosing(t, "one")
	relay, ends := connectRelay(t, g, time.Minute)
	h := doorKinds[3].open(t, DoorOptions{Handler: relay, ReadHeaderTimeout: 5 * time.Second})
	w := openWebSocket(t, h, "/chat")
	w.say(0x81, "go")
	w.hear(0x82, "one")
	w.hear(0x88, "\x03\xe9away")
	w.ends()
	began := time.Now()
	if end := soon(t, "the tunnel's end", ends); end.Failed() || end.Facts.Caller.Code != 0 {
		t.Errorf("%+v", end.TunnelEnd)
	}
	if took := time.Since(began); took < closingGrace/2 {
		t.Errorf("cut after %v", took)
	}
}

// TestACallerThatEndsItsStreamFirst still gets what its upstream says.
func TestACallerThatEndsItsStreamFirst(t *testing.T) {
	eachWay(t, func(t *testing.T, k doorKind, road Protocol) {
		if !k.h2 {
			return // a socket's half is closed in tunnel_test.go
		}
		g, _ := webSocketUpstream(t, road)
		relay, ends := connectRelay(t, g, 5*time.Second)
		h := k.open(t, DoorOptions{Handler: relay, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 5 * time.Second})
		w := openWebSocket(t, h, "/chat")
		w.say(0x81, "x")
		w.write(frame(0x88, []byte("\x03\xe8"), []byte{7, 6, 5, 4}), true)
		w.hear(0x81, "X")
		w.hear(0x88, "\x03\xe8")
		w.ends()
		if end := soon(t, "the tunnel's end", ends); end.Failed() || end.Facts.By != journey.SideCaller {
			t.Errorf("%+v", end.TunnelEnd)
		}
	})
}
