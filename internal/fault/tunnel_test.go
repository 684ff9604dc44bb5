package fault

import (
	"strings"
	"testing"
	"time"
)

// webSocketCall is a WebSocket whose upstream closed it with an error.
func webSocketCall() *Call {
	return &Call{
		ID: "01KAPZQ4M8X3V7N2T5R9W6YB1C", Time: time.Date(2026, 11, 23, 4, 5, 6, 0, time.UTC), Method: "GET", Host: "api.test", Path: "/ws", Status: 101,
		Tunnel: &CallTunnel{
			Protocol: "websocket", WebSocket: true, Up: 120, Down: 64, MessagesUp: 3, MessagesDown: 1, By: "upstream",
			Caller: CallClosing{Code: 1005}, Upstream: CallClosing{Code: 1011, Reason: "boom\x1b[2J"}, Told: 1014,
		},
	}
}

func TestATunnelIsToldInEveryForm(t *testing.T) {
	c := webSocketCall()
	text := string(Text(nil, c, false))
	for _, want := range []string{
		"tunnel websocket; to the caller 1 message, 64 bytes; to the upstream 3 messages, 120 bytes",
		`ended  first by the upstream; close frame of the caller: 1005 (no status); of the upstream: 1011 (internal error): "boom\x1b[2J"; told the caller 1014 (bad gateway)`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the text lacks %q:\n%s", want, text)
		}
	}
	page := string(CallPage(nil, c, View{Full: true}))
	if !strings.Contains(page, "websocket; to the caller 1 message") || !strings.Contains(page, "1011 (internal error)") || strings.Contains(page, "\x1b") {
		t.Errorf("the page: %s", page)
	}
	json := string(AppendCall(nil, c, View{Full: true}))
	want := `"tunnel":{"protocol":"websocket","bytes_up":120,"bytes_down":64,"messages_up":3,"messages_down":1,"ended_by":"upstream",` +
		`"caller_close":{"code":1005},"upstream_close":{"code":1011,"reason":"boom\u001b[2J"},"told_close":1014}`
	if !strings.Contains(json, want) {
		t.Errorf("the JSON lacks %s:\n%s", want, json)
	}
}

func TestATunnelThatIsNoWebSocketHasBytesAlone(t *testing.T) {
	c := &Call{Status: 101, Tunnel: &CallTunnel{Protocol: "echo/1", Up: 1, Down: 2, By: "caller"}}
	text := string(Text(nil, c, false))
	if !strings.Contains(text, "echo/1; to the caller 2 bytes; to the upstream 1 byte\n") || !strings.Contains(text, "first by the caller\n") {
		t.Errorf("got %s", text)
	}
	if json := string(AppendCall(nil, c, View{})); strings.Contains(json, "messages") || strings.Contains(json, "close") {
		t.Errorf("got %s", json)
	}
}

func TestCloseName(t *testing.T) {
	for code, want := range map[int]string{1000: "normal closure", 1004: "", 1014: "bad gateway", 1015: "TLS handshake", 1016: "", 999: "", 3000: "", 0: ""} {
		if got := CloseName(code); got != want {
			t.Errorf("%d is %q, want %q", code, got, want)
		}
	}
}
