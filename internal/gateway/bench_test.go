package gateway

import (
	"bytes"
	"context"
	"net"
	"strconv"
	"testing"
	"time"

	"causeway/internal/catalog"
	"causeway/internal/fault"
	"causeway/internal/journey"
	"causeway/internal/ledger"
	"causeway/internal/llm"
	"causeway/internal/llm/openai"
	"causeway/internal/meter"
	"causeway/internal/snapshot"
	"causeway/internal/wire"
)

// noStore keeps nothing: the benchmark is about the path.
type noStore struct{}

func (noStore) Chunks(context.Context, journey.ChunkPage) ([]journey.Chunk, error) { return nil, nil }

func (noStore) ChunkData(context.Context, int64) ([]byte, error)         { return nil, nil }
func (noStore) AppendChunks(context.Context, journey.Batch) error        { return nil }
func (noStore) SpoolMarks(context.Context) ([]journey.SpoolMark, error)  { return nil, nil }
func (noStore) DropChunks(context.Context, journey.ID, int) (int, error) { return 0, nil }
func (noStore) Size(context.Context) (used, free int64, err error)       { return 0, 0, nil }
func (noStore) Shrink(context.Context, int64) error                      { return nil }

type noSandbox struct{}

func (noSandbox) Upstream(string) (*snapshot.Upstream, fault.Kind, bool) { return nil, "", false }

// startGateway serves a configuration on a loopback port.
func startGateway(tb testing.TB, config string) string {
	tb.Helper()
	c, faults := catalog.Parse("bench.yaml", []byte(config), func(string) (string, bool) { return "", false })
	if len(faults) > 0 {
		tb.Fatal(faults)
	}
	m, err := meter.New(meter.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	gen, err := snapshot.Compile(c, nil, snapshot.Deps{
		Meter: m, Instance: "bench", SandboxURL: "http://127.0.0.1:1/v1", Dialects: []llm.Dialect{openai.New()}, Speaks: openai.New(),
	})
	if err != nil {
		tb.Fatal(err)
	}
	l, err := ledger.New(tb.Context(), ledger.Options{Dir: tb.TempDir(), Store: noStore{}})
	if err != nil {
		tb.Fatal(err)
	}
	g, err := New(Options{Ledger: l, Sandbox: noSandbox{}}, gen)
	if err != nil {
		tb.Fatal(err)
	}
	door, err := wire.NewDoor(wire.DoorOptions{Handler: g, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute})
	if err != nil {
		tb.Fatal(err)
	}
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	go func() { _ = door.Serve(lis) }()
	tb.Cleanup(func() {
		_ = door.Shutdown(context.Background())
		gen.Retire(nil)
		_ = l.Close()
	})
	return lis.Addr().String()
}

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

func benchCalls(b *testing.B, addr string, request []byte) {
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
	if i := read(); !bytes.HasPrefix(buf[:i], []byte("HTTP/1.1 200")) {
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
	addr := startGateway(b, string(bytes.ReplaceAll([]byte(benchConfig), []byte("UP"), []byte(up))))
	benchCalls(b, addr, []byte("GET /rest/1k HTTP/1.1\r\nHost: "+addr+"\r\nUser-Agent: bench\r\nAccept: */*\r\napikey: benchkey-0123456789abcdef\r\n\r\n"))
}

// BenchmarkChat is one chat call that passes through.
func BenchmarkChat(b *testing.B) {
	body := `{"id":"c1","object":"chat.completion","created":1,"model":"gpt-4o-mini","choices":[{"index":0,"message":{"role":"assistant","content":"` + string(oneKilobyte[:700]) + `"},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":200,"total_tokens":210}}`
	up := cannedUpstream(b, []byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "+strconv.Itoa(len(body))+"\r\n\r\n"+body))
	addr := startGateway(b, string(bytes.ReplaceAll([]byte(benchConfig), []byte("UP"), []byte(up))))
	ask := `{"model":"fast","messages":[{"role":"user","content":"` + string(oneKilobyte[:300]) + `"}]}`
	benchCalls(b, addr, []byte("POST /v1/chat/completions HTTP/1.1\r\nHost: "+addr+"\r\nContent-Type: application/json\r\nAuthorization: Bearer benchkey-0123456789abcdef\r\nContent-Length: "+strconv.Itoa(len(ask))+"\r\n\r\n"+ask))
}
