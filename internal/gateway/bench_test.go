package gateway

import (
	"bytes"
	"context"
	"net"
	"strconv"
	"strings"
	"testing"

	"causeway/internal/journey"
)

// nowhere keeps nothing: the benchmark is about the path.
type nowhere struct{ memory }

func (*nowhere) AppendChunks(context.Context, journey.Batch) error { return nil }

// cannedUpstream answers every request that ends with an empty line with the same bytes.
func cannedUpstream(tb testing.TB, answer []byte) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				buf := make([]byte, 16<<10)
				for {
					if _, err := c.Read(buf); err != nil {
						return
					}
					if _, err := c.Write(answer); err != nil {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}

func benchCalls(b *testing.B, addr string, request []byte) { benchAnswers(b, addr, request, "200") }

func benchAnswers(b *testing.B, addr string, request []byte, status string) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	buf := make([]byte, 64<<10)
	read := func() int {
		n := 0
		for {
			m, err := c.Read(buf[n:])
			if err != nil {
				b.Fatal(err)
			}
			n += m
			if i := bytes.Index(buf[:n], []byte("\r\n\r\n")); i >= 0 {
				at := bytes.Index(buf[:i], []byte("Content-Length: "))
				if at < 0 {
					b.Fatalf("no length in %q", buf[:i])
				}
				end := at + 16
				for buf[end] != '\r' {
					end++
				}
				length, _ := strconv.Atoi(string(buf[at+16 : end]))
				if n >= i+4+length {
					return i
				}
			}
		}
	}
	if _, err := c.Write(request); err != nil {
		b.Fatal(err)
	}
	if i := read(); !bytes.HasPrefix(buf[:i], []byte("HTTP/1.1 "+status)) {
		b.Fatalf("answer: %s", buf[:i])
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Write(request); err != nil {
			b.Fatal(err)
		}
		read()
	}
}

var oneKilobyte = bytes.Repeat([]byte("x"), 1000)

const benchConfig = `
version: 1
services:
  rest:
    routes: [{path: "/rest/*"}]
    upstream: {targets: [{url: "http://UP"}]}
    policies:
      rate_limit: {requests: 100000000, per: 1s, by: application}
providers:
  mock: {kind: openai-compatible, base_url: "http://UP/v1", keys: [k-0123456789abcdef]}
models:
  fast: {targets: [{model: mock/gpt-4o-mini}]}
applications:
  web: {keys: ["benchkey-0123456789abcdef"], subscribes: [rest, models/fast]}
`

// BenchmarkREST is one REST call with key check, rate limit, metrics and call log; client and
// upstream are in the process and allocate nothing themselves.
func BenchmarkREST(b *testing.B) {
	up := cannedUpstream(b, append([]byte("HTTP/1.1 200 OK\r\nServer: mock\r\nDate: Mon, 23 Nov 2026 00:00:00 GMT\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"), oneKilobyte...))
	addr := newRigOver(b, strings.ReplaceAll(benchConfig, "UP", up), &nowhere{}, &sandboxes{}).addr
	benchCalls(b, addr, []byte("GET /rest/1k HTTP/1.1\r\nHost: "+addr+"\r\nUser-Agent: bench\r\nAccept: */*\r\napikey: benchkey-0123456789abcdef\r\n\r\n"))
}

// BenchmarkChat is one chat call that passes through.
func BenchmarkChat(b *testing.B) {
	body := `{"id":"c1","object":"chat.completion","created":1,"model":"gpt-4o-mini","choices":[{"index":0,"message":{"role":"assistant","content":"` + string(oneKilobyte[:700]) + `"},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":200,"total_tokens":210}}`
	up := cannedUpstream(b, []byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "+strconv.Itoa(len(body))+"\r\n\r\n"+body))
	addr := newRigOver(b, strings.ReplaceAll(benchConfig, "UP", up), &nowhere{}, &sandboxes{}).addr
	ask := `{"model":"fast","messages":[{"role":"user","content":"` + string(oneKilobyte[:300]) + `"}]}`
	benchCalls(b, addr, []byte("POST /v1/chat/completions HTTP/1.1\r\nHost: "+addr+"\r\nContent-Type: application/json\r\nAuthorization: Bearer benchkey-0123456789abcdef\r\nContent-Length: "+strconv.Itoa(len(ask))+"\r\n\r\n"+ask))
}

// BenchmarkFailures are calls that fail, each with its whole explanation: what many of them at once take from others.
func BenchmarkFailures(b *testing.B) {
	up := closedPort(b)
	addr := newRigOver(b, strings.ReplaceAll(benchConfig, "UP", up), &nowhere{}, &sandboxes{}).addr
	for _, f := range []struct{ name, path, key, status string }{
		{"refused", "/rest/1k", "benchkey-0123456789abcdef", "502"},
		{"no route", "/nowhere", "benchkey-0123456789abcdef", "404"},
		{"unknown key", "/rest/1k", "another-key-of-somebody", "401"},
	} {
		b.Run(f.name, func(b *testing.B) {
			benchAnswers(b, addr, []byte("GET "+f.path+" HTTP/1.1\r\nHost: "+addr+"\r\nUser-Agent: bench\r\nAccept: */*\r\napikey: "+f.key+"\r\n\r\n"), f.status)
		})
	}
}
