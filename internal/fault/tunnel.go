package fault

import (
	"fmt"
	"strconv"
)

// CallTunnel is what passed in a call after an upgrade.
type CallTunnel struct {
	Protocol                 string // "websocket"
	WebSocket                bool   // messages and close frames are known
	Up, Down                 int64  // bytes towards the upstream and towards the caller
	MessagesUp, MessagesDown int64
	By                       string      // "caller", "upstream" or "gateway": who ended it first
	Caller, Upstream         CallClosing // the close frames that came
	Told                     int         // the close code that the gateway gave the caller, 0 for none
}

// CallClosing is a WebSocket close frame.
type CallClosing struct {
	Code   int // 0 when none came, 1005 for one without a status
	Reason string
}

// Text is a close frame for a reader, "1011 (internal error): the reason"; "none" where none came.
func (c CallClosing) Text() string {
	if c.Code == 0 {
		return "none"
	}
	s := strconv.Itoa(c.Code)
	if name := CloseName(c.Code); name != "" {
		s += " (" + name + ")"
	}
	if c.Reason != "" {
		s += ": " + strconv.QuoteToASCII(c.Reason)
	}
	return s
}

// flow is one direction in words, "3 messages, 1200 bytes".
func (t *CallTunnel) flow(messages, bytes int64) string {
	if !t.WebSocket {
		return count(bytes, "byte")
	}
	return count(messages, "message") + ", " + count(bytes, "byte")
}

func count(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// flows is what passed, in a line.
func (t *CallTunnel) flows() string {
	return t.Protocol + "; to the caller " + t.flow(t.MessagesDown, t.Down) + "; to the upstream " + t.flow(t.MessagesUp, t.Up)
}

// ended is who ended it and how, in a line; "" while nobody has.
func (t *CallTunnel) ended() string {
	if t.By == "" {
		return ""
	}
	s := "first by the " + t.By
	if t.WebSocket {
		s += "; close frame of the caller: " + t.Caller.Text() + "; of the upstream: " + t.Upstream.Text()
	}
	if t.Told != 0 {
		s += "; told the caller " + CallClosing{Code: t.Told}.Text()
	}
	return s
}

func (o *object) tunnel(t *CallTunnel) {
	o.name("tunnel")
	m := object{dst: o.dst}
	m.open()
	m.str("protocol", t.Protocol)
	m.num("bytes_up", t.Up)
	m.num("bytes_down", t.Down)
	if t.WebSocket {
		m.num("messages_up", t.MessagesUp)
		m.num("messages_down", t.MessagesDown)
	}
	m.strIf("ended_by", t.By)
	m.closing("caller_close", t.Caller)
	m.closing("upstream_close", t.Upstream)
	if t.Told != 0 {
		m.num("told_close", int64(t.Told))
	}
	m.close()
	o.dst = m.dst
}

func (o *object) closing(name string, c CallClosing) {
	if c.Code == 0 {
		return
	}
	o.name(name)
	m := object{dst: o.dst}
	m.open()
	m.num("code", int64(c.Code))
	m.strIf("reason", c.Reason)
	m.close()
	o.dst = m.dst
}
