package wire

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"causeway/internal/journey"
)

func BenchmarkHeadEnd(b *testing.B) {
	head := []byte(browserHead)
	b.SetBytes(int64(len(head)))
	b.ReportAllocs()
	for b.Loop() {
		if HeadEnd(head, 0) != len(head) {
			b.Fatal("not found")
		}
	}
}

func BenchmarkParseRequest(b *testing.B) {
	for name, head := range map[string]string{
		"browser": browserHead,
		"api": "POST /v1/chat/completions HTTP/1.1\r\nHost: api.example.com\r\nAuthorization: Bearer sk-0123456789abcdef0123456789abcdef\r\n" +
			"Content-Type: application/json\r\nAccept: application/json\r\nUser-Agent: OpenAI/Python 1.52.0\r\nContent-Length: 1024\r\n\r\n",
		"least": "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
	} {
		b.Run(name, func(b *testing.B) {
			buf := []byte(head)
			var rq Request
			b.SetBytes(int64(len(buf)))
			b.ReportAllocs()
			for b.Loop() {
				if err := ParseRequest(buf, noLimits, &rq); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkParseResponse(b *testing.B) {
	head := []byte("HTTP/1.1 200 OK\r\nServer: nginx/1.26.0\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\nContent-Type: application/json\r\n" +
		"Content-Length: 1024\r\nConnection: keep-alive\r\nVary: Accept-Encoding\r\nETag: \"0123456789abcdef\"\r\nCache-Control: no-cache\r\n\r\n")
	var res Response
	b.SetBytes(int64(len(head)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseResponse(head, noLimits, false, &res); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkChunked(b *testing.B) {
	for _, size := range []int{1, 100, 4096} {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			var body []byte
			for range 64 {
				body = appendChunkSize(body, size)
				body = append(body, strings.Repeat("x", size)...)
				body = append(body, "\r\n"...)
			}
			body = append(body, "0\r\n\r\n"...)
			var trailer Header
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				var c chunked
				for at := 0; c.state != chunkDone; {
					_, n, err := c.next(body[at:], len(body), true, &trailer)
					if err != nil {
						b.Fatal(err)
					}
					at += n
				}
			}
		})
	}
}

func BenchmarkAppendFields(b *testing.B) {
	var rq Request
	if err := ParseRequest([]byte(browserHead), noLimits, &rq); err != nil {
		b.Fatal(err)
	}
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst = AppendFields(dst[:0], &rq.Header)
	}
}

// BenchmarkExchange is a call at the door alone: the answer comes from the handler.
func BenchmarkExchange(b *testing.B) {
	body := []byte(strings.Repeat("x", 1024))
	fields := header("Content-Type: text/plain", "Server: bench")
	addr := serve(b, func(ex Exchange) {
		_ = ex.Start(200, "", fields, int64(len(body)), -1)
		_ = ex.Write(body)
		_ = ex.End(nil)
	})
	benchCalls(b, addr, get("/", "User-Agent: bench", "Accept: */*"))
}

// BenchmarkRelay is a whole call over loopback: caller, door, pool, upstream and back.
func BenchmarkRelay(b *testing.B) {
	for _, size := range []int{1 << 10, 64 << 10} {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			url := benchServer(b, fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s", size, strings.Repeat("x", size)))
			r := benchRelay{origin: newOrigin(b, OriginOptions{URL: url})}
			addr, _ := startDoor(b, DoorOptions{Handler: &r})
			benchCalls(b, addr, get("/", "User-Agent: bench", "Accept: */*"))
		})
	}
}

// benchRelay is a relay that allocates nothing itself, so that what is counted is the package's.
type benchRelay struct {
	origin *Origin
	head   []byte
	call   Call
	facts  journey.Attempt
}

func (r *benchRelay) Refuse(ex Exchange, why *Refusal) { handler{}.Refuse(ex, why) }

func (r *benchRelay) Serve(ex Exchange) {
	rq := ex.Request()
	r.head = append(r.head[:0], rq.Method...)
	r.head = append(append(r.head, ' '), rq.Path...)
	r.head = append(r.head, " HTTP/1.1\r\n"...)
	r.head = AppendFields(r.head, &rq.Header)
	r.head = append(r.head, "\r\n"...)
	r.call = Call{Head: r.head, Limits: patient}
	r.facts = journey.Attempt{}
	u := r.origin.Try(&r.call, &r.facts, ex)
	if u == nil {
		reply(ex, 502, "")
		return
	}
	res := &u.Response
	_ = ex.Start(res.Status, "", &res.Header, res.Length, res.Declared)
	for {
		p, err := u.Next()
		if err != nil {
			break
		}
		_ = ex.Write(p)
	}
	_ = ex.End(nil)
	u.Release()
}

// benchServer answers every request with the same bytes; it reads heads only.
func benchServer(b *testing.B, answer string) (url string) {
	text := []byte(answer)
	url, _ = rawServer(b, false, func(c net.Conn) {
		buf := make([]byte, 4096)
		for {
			if n, err := c.Read(buf); err != nil || HeadEnd(buf[:n], 0) != n {
				return
			}
			if _, err := c.Write(text); err != nil {
				return
			}
		}
	})
	return url
}

// benchCalls makes one call after the other on one connection, reading each answer whole.
func benchCalls(b *testing.B, addr, request string) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	text := []byte(request)
	if _, err := c.Write(text); err != nil {
		b.Fatal(err)
	}
	br := bufio.NewReader(c)
	res, err := http.ReadResponse(br, nil)
	if err != nil || res.StatusCode != 200 {
		b.Fatal(res, err)
	}
	size, err := io.Copy(io.Discard, res.Body)
	if err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, 128<<10)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Write(text); err != nil {
			b.Fatal(err)
		}
		// The answer is whole when its head has come and so much body behind it.
		for have, end := 0, 0; end == 0 || have < end+int(size); {
			n, err := c.Read(buf[have:])
			if err != nil {
				b.Fatal(err)
			}
			if have += n; end == 0 {
				end = HeadEnd(buf[:have], 0)
			}
		}
	}
}
