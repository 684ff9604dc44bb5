package gateway

import (
	"bytes"
	"net"
	"strconv"
	"strings"
	"testing"
)

// What `make count` counts besides BenchmarkREST and BenchmarkChat: an event of a stream, and the client and the
// upstream of each alone, talking to each other with nothing between them, so that their part can be taken off.

// benchEvent is an event as providers send them, in a chunk of its own.
const benchEvent = `data: {"id":"chatcmpl-A1b2C3d4","object":"chat.completion.chunk","created":1764000000,"model":"gpt-4o-mini","service_tier":"default","system_fingerprint":"fp_1a2b3c","choices":[{"index":0,"delta":{"content":" word"},"logprobs":null,"finish_reason":null}],"usage":null}` + "\n\n"

// steppedUpstream answers a request with a stream that sends one event for each value in next.
func steppedUpstream(tb testing.TB, next <-chan struct{}) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = l.Close() })
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		if _, err := c.Read(make([]byte, 16<<10)); err != nil {
			return
		}
		if _, err := c.Write([]byte("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")); err != nil {
			return
		}
		chunk := []byte(strconv.FormatInt(int64(len(benchEvent)), 16) + "\r\n" + benchEvent + "\r\n")
		for range next {
			if _, err := c.Write(chunk); err != nil {
				return
			}
		}
	}()
	return l.Addr().String()
}

// benchEvents asks addr for a stream and takes its events one by one: the next is sent when the one before has come.
func benchEvents(b *testing.B, addr string, next chan<- struct{}) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	defer close(next)
	if _, err := c.Write(benchAsk(addr, `,"stream":true,"stream_options":{"include_usage":true}`)); err != nil {
		b.Fatal(err)
	}
	buf, end := make([]byte, 16<<10), []byte("\n\n\r\n")
	read := func() []byte {
		for n := 0; ; {
			m, err := c.Read(buf[n:])
			if err != nil {
				b.Fatal(err)
			}
			if n += m; bytes.HasSuffix(buf[:n], end) {
				return buf[:n]
			}
		}
	}
	for range 2 { // the first leaves with the head
		next <- struct{}{}
		if p := read(); !bytes.Contains(p, []byte(`"content":" word"`)) {
			b.Fatalf("no event: %s", p)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		next <- struct{}{}
		read()
	}
}

// benchAsk is a chat request with more members after its messages.
func benchAsk(host, more string) []byte {
	ask := `{"model":"fast","messages":[{"role":"user","content":"` + string(oneKilobyte[:300]) + `"}]` + more + `}`
	return []byte("POST /v1/chat/completions HTTP/1.1\r\nHost: " + host + "\r\nContent-Type: application/json\r\nAuthorization: Bearer benchkey-0123456789abcdef\r\nContent-Length: " + strconv.Itoa(len(ask)) + "\r\n\r\n" + ask)
}

// BenchmarkEvent is one event of a stream that passes through.
func BenchmarkEvent(b *testing.B) {
	next := make(chan struct{})
	up := steppedUpstream(b, next)
	addr := newRigOver(b, strings.ReplaceAll(benchConfig, "UP", up), &nowhere{}, &sandboxes{}).addr
	benchEvents(b, addr, next)
}

// BenchmarkPeersREST is BenchmarkREST without the gateway.
func BenchmarkPeersREST(b *testing.B) {
	up := cannedUpstream(b, append([]byte("HTTP/1.1 200 OK\r\nServer: mock\r\nDate: Mon, 23 Nov 2026 00:00:00 GMT\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"), oneKilobyte...))
	benchCalls(b, up, []byte("GET /rest/1k HTTP/1.1\r\nHost: "+up+"\r\nUser-Agent: bench\r\nAccept: */*\r\napikey: benchkey-0123456789abcdef\r\n\r\n"))
}

// BenchmarkPeersChat is BenchmarkChat without the gateway.
func BenchmarkPeersChat(b *testing.B) {
	up := cannedUpstream(b, []byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"+string(oneKilobyte)))
	benchCalls(b, up, benchAsk(up, ""))
}

// BenchmarkPeersEvent is BenchmarkEvent without the gateway.
func BenchmarkPeersEvent(b *testing.B) {
	next := make(chan struct{})
	benchEvents(b, steppedUpstream(b, next), next)
}
