package faulty

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// text builds a complete answer: status line, the lines given, Content-Length, body. A status
// without a standard phrase gets "Unknown", as vendors with codes of their own do it.
func text(status int, body string, lines ...string) string {
	reason := http.StatusText(status)
	if reason == "" {
		reason = "Unknown"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\n", status, reason)
	for _, l := range lines {
		b.WriteString(l)
		b.WriteString("\r\n")
	}
	if status != http.StatusNoContent && status != http.StatusNotModified {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(body))
	}
	b.WriteString("\r\n")
	b.WriteString(body)
	return b.String()
}

const (
	plainText = "Content-Type: text/plain; charset=utf-8"
	html      = "Content-Type: text/html"
	jsonText  = "Content-Type: application/json"
)

// good answers as a healthy upstream would: "ok" for REST, a completion for a chat call, and a
// finished stream where the call asked for one.
func good(c *peer) error { return c.put(goodText(c)) }

// serveWell answers every request of a connection well.
func serveWell(c *peer) error { return loop(request, good)(c) }

func goodText(c *peer) string {
	switch {
	case c.req.Method == http.MethodHead:
		return headOnly(text(http.StatusOK, "ok\n", plainText))
	case !strings.HasSuffix(c.req.URL.Path, "/chat/completions"):
		return text(http.StatusOK, "ok\n", plainText)
	}
	var ask struct {
		Model  string `json:"model"`
		Stream bool   `json:"stream"`
	}
	_ = json.Unmarshal(c.body, &ask) // a body that is not JSON gets the plain completion
	if ask.Stream {
		return streamHead + chunks(token(true, "ok"), finished, done) + lastChunk
	}
	return text(http.StatusOK, completion("ok"), jsonText)
}

// complete is a fault whose answer is complete: Params.Status, Header and Body, after Delay, to
// every request of the connection, until the answer itself says "Connection: close".
func complete(c *peer) error {
	closes := slices.ContainsFunc(c.p.Header, func(l string) bool { return strings.EqualFold(l, "connection: close") })
	return loop(request, pause, write(func(c *peer) string {
		t := text(c.p.Status, c.p.Body, c.p.Header...)
		if c.req.Method == http.MethodHead {
			return headOnly(t)
		}
		return t
	}), func(c *peer) error {
		if closes {
			return fin(c)
		}
		return nil
	})(c)
}

// headOnly cuts the body off.
func headOnly(answer string) string {
	head, _, _ := strings.Cut(answer, "\r\n\r\n")
	return head + "\r\n\r\n"
}

// chunk frames s as one chunk (RFC 9112 section 7.1).
func chunk(s string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(s), s) }

const lastChunk = "0\r\n\r\n"

const chunkedHead = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
