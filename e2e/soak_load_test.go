package e2e

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	endian "encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// soakWay is one protocol that callers speak.
type soakWay struct {
	base   string // the gateway's address
	client *http.Client
}

// makeWays makes the four: HTTP/1.1 and HTTP/2, plain and over TLS.
func (s *soak) makeWays(t *testing.T, pool *x509.CertPool) {
	t.Helper()
	for _, name := range []string{"h1", "tls", "h2c", "h2"} {
		protocols := &http.Protocols{}
		protocols.SetHTTP1(name == "h1" || name == "tls")
		protocols.SetHTTP2(name == "h2")
		protocols.SetUnencryptedHTTP2(name == "h2c")
		tr := &http.Transport{Protocols: protocols, TLSClientConfig: &tls.Config{RootCAs: pool}, DisableCompression: true, MaxIdleConnsPerHost: 16}
		t.Cleanup(tr.CloseIdleConnections)
		w := &soakWay{s.g.URL, &http.Client{Transport: tr, Timeout: time.Minute}}
		if name == "tls" || name == "h2" {
			w.base = s.g.Also[0]
		}
		s.ways[name] = w
	}
}

// soakUpstream is a server that can die and come back at its address.
type soakUpstream struct {
	addr string

	mu     sync.Mutex
	server *http.Server
}

func startSoakUpstream(t *testing.T) *soakUpstream {
	t.Helper()
	u := &soakUpstream{addr: freePort(t)}
	if err := u.live(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(u.die)
	return u
}

func (u *soakUpstream) url() string { return "http://" + u.addr }

func (u *soakUpstream) live() error {
	l, err := net.Listen("tcp", u.addr)
	if err != nil {
		return err
	}
	protocols := &http.Protocols{}
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{Handler: soakHandler(), Protocols: protocols}
	u.mu.Lock()
	u.server = server
	u.mu.Unlock()
	go func() { _ = server.Serve(l) }() // until die
	return nil
}

// die closes the listener and every connection in the middle of what it does.
func (u *soakUpstream) die() {
	u.mu.Lock()
	defer u.mu.Unlock()
	_ = u.server.Close()
}

func soakHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		_, _ = w.Write(body) // a caller may have left
	})
	mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		if pause(r.Context(), 30*time.Millisecond) {
			_, _ = io.WriteString(w, "slow")
		}
	})
	mux.HandleFunc("/events", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range 8 {
			fmt.Fprintf(w, "data: %d\n\n", i)
			_ = http.NewResponseController(w).Flush()
			if !pause(r.Context(), 10*time.Millisecond) {
				return
			}
		}
	})
	mux.HandleFunc("/upload", func(w http.ResponseWriter, r *http.Request) {
		sum := newSum()
		n, err := io.Copy(sum, r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		fmt.Fprintf(w, "%d %x", n, sum.Sum(nil))
	})
	mux.HandleFunc("/download", func(w http.ResponseWriter, r *http.Request) {
		size, _ := strconv.ParseInt(r.URL.Query().Get("size"), 10, 64)
		_, _ = io.CopyN(w, &counting{}, size)
	})
	mux.HandleFunc("/socket", soakSocket)
	// What a gRPC server sends, without its library: messages of five bytes of head, then trailers.
	mux.HandleFunc("/soak.Echo/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Trailer", "grpc-status, grpc-message")
		for {
			message, err := grpcMessage(r.Body)
			if err != nil {
				break
			}
			if _, err := w.Write(message); err != nil {
				return
			}
			_ = http.NewResponseController(w).Flush()
		}
		w.Header().Set("grpc-status", "0")
		w.Header().Set("grpc-message", "")
	})
	return mux
}

func grpcMessage(r io.Reader) ([]byte, error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	message := make([]byte, 5+endian.BigEndian.Uint32(head[1:]))
	copy(message, head[:])
	_, err := io.ReadFull(r, message[5:])
	return message, err
}

// soakSocket answers each WebSocket frame with the same one, unmasked, until the close frame.
func soakSocket(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Upgrade") != "websocket" {
		w.WriteHeader(http.StatusUpgradeRequired)
		return
	}
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "+socketAccept+"\r\n\r\n")
	for {
		head := make([]byte, 6) // masked, below 126 bytes
		if _, err := io.ReadFull(rw, head); err != nil {
			return
		}
		data := make([]byte, head[1]&0x7f)
		if _, err := io.ReadFull(rw, data); err != nil {
			return
		}
		for i := range data {
			data[i] ^= head[2+i%4]
		}
		if _, err := conn.Write(append([]byte{head[0], byte(len(data))}, data...)); err != nil || head[0] == 0x88 {
			return
		}
	}
}

// soakLoad is one way to use the gateway.
type soakLoad struct {
	name    string
	workers int
	pause   time.Duration // the longest between two calls of a worker
	// call makes one call and tells how it ended. An error is a fault of the gateway.
	call func(context.Context, *soak, *rand.Rand) (how string, err error)
}

func soakLoads() []soakLoad {
	const short, long = 20 * time.Millisecond, 60 * time.Millisecond
	loads := []soakLoad{
		{"REST, dying upstream, h1", 3, short, byWay("h1", (*soak).dying)},
		{"REST, dying upstream, h2", 1, short, byWay("h2", (*soak).dying)},
		{"gRPC, h2c", 1, long, byWay("h2c", (*soak).grpc)},
		{"gRPC, h2", 1, long, byWay("h2", (*soak).grpc)},
		{"WebSocket", 2, long, talkSocket},
		{"nonsense", 1, long, talkNonsense},
	}
	for _, way := range []string{"h1", "tls", "h2c", "h2"} {
		loads = append(
			loads,
			soakLoad{"REST, " + way, 2, short, byWay(way, (*soak).echo)},
			soakLoad{"REST, leaving, " + way, 1, short, byWay(way, (*soak).leaves)},
			soakLoad{"events, " + way, 1, long, byWay(way, (*soak).events)},
			soakLoad{"upload, " + way, 1, 2 * long, byWay(way, (*soak).upload)},
			soakLoad{"download, " + way, 1, 2 * long, byWay(way, (*soak).download)},
			soakLoad{"chat, " + way, 1, long, byWay(way, (*soak).chats)},
		)
	}
	return loads
}

// byWay gives a load its protocol.
func byWay(way string, call func(*soak, context.Context, *soakWay, *rand.Rand) (string, error)) func(context.Context, *soak, *rand.Rand) (string, error) {
	return func(ctx context.Context, s *soak, r *rand.Rand) (string, error) { return call(s, ctx, s.ways[way], r) }
}

// ask makes a call whose answer must be whole.
func (s *soak) ask(ctx context.Context, c *soakWay, method, path string, body io.Reader, header ...string) (*answer, error) {
	a, err := try(ctx, c.client, method, c.base+path, body, header...)
	if err != nil {
		return nil, err
	}
	s.saw(a.id)
	if a.err != nil {
		return a, fmt.Errorf("after %d bytes: %w", len(a.body), a.err)
	}
	return a, nil
}

// idOf is the id of a call that may have got no answer.
func idOf(a *answer) string {
	if a == nil {
		return "without an answer"
	}
	return a.id
}

func (s *soak) echo(ctx context.Context, c *soakWay, r *rand.Rand) (string, error) {
	sent := strings.Repeat("echo ", r.IntN(400))
	a, err := s.ask(ctx, c, "POST", "/steady/echo", strings.NewReader(sent))
	if err != nil {
		return "failed", err
	}
	if a.status != 200 || string(a.body) != sent {
		return "failed", fmt.Errorf("%s with %d bytes for %d: %s", a.line, len(a.body), len(sent), clip(a.body))
	}
	return "good", nil
}

// leaves makes calls whose caller goes away at any moment.
func (s *soak) leaves(ctx context.Context, c *soakWay, r *rand.Rand) (string, error) {
	ctx, leave := context.WithTimeout(ctx, time.Duration(r.Int64N(int64(40*time.Millisecond))))
	defer leave()
	path := []string{"/steady/slow", "/steady/events", "/steady/download?size=3000000", "/shaky/slow"}[r.IntN(4)]
	a, err := s.ask(ctx, c, "GET", path, nil)
	switch {
	case err == nil && a.status != 200 && !strings.HasPrefix(path, "/shaky"):
		return "failed", fmt.Errorf("%s: %s %s", path, a.line, clip(a.body))
	case err == nil:
		return "stayed", nil
	case !left(err) && !strings.HasPrefix(path, "/shaky"):
		return "failed", fmt.Errorf("%s: call %s: %w", path, idOf(a), err)
	}
	return "left", nil
}

// dying calls upstreams that come and go: an answer, or a reason.
func (s *soak) dying(ctx context.Context, c *soakWay, r *rand.Rand) (string, error) {
	path := []string{"/shaky/echo", "/shaky/slow", "/shaky/events", "/shaky/download?size=200000"}[r.IntN(4)]
	a, err := s.ask(ctx, c, "GET", path, nil)
	switch {
	case a == nil:
		return "failed", fmt.Errorf("%s: no answer: %w", path, err)
	case err != nil:
		return "cut", nil // it died in the middle of its answer
	case a.status == 200:
		return "good", nil
	}
	var p problem
	if err := json.Unmarshal(a.body, &p); err != nil || p.Kind == "" || p.CallID != a.id {
		return "failed", fmt.Errorf("%s: %s without a reason: %s", path, a.line, clip(a.body))
	}
	return "told why", nil
}

func (s *soak) events(ctx context.Context, c *soakWay, r *rand.Rand) (string, error) {
	return s.stream(ctx, c, r, "GET", "/steady/events", "", "data: 7")
}

// chats asks the sandbox's models, whole and streamed, and models that fail.
func (s *soak) chats(ctx context.Context, c *soakWay, r *rand.Rand) (string, error) {
	header := []string{"Authorization", "Bearer " + s.key, "Content-Type", "application/json"}
	switch r.IntN(4) {
	case 0:
		return s.stream(ctx, c, r, "POST", "/v1/chat/completions", chatBody("sandbox/echo", "one two three four", true), "[DONE]", header...)
	case 1:
		kind := []string{"connection_refused", "overloaded", "truncated_stream"}[r.IntN(3)]
		a, err := s.ask(ctx, c, "POST", "/v1/chat/completions", strings.NewReader(chatBody("sandbox/fault-"+kind, "hello", kind == "truncated_stream")), header...)
		if err != nil || !bytes.Contains(a.body, []byte("error")) {
			return "failed", fmt.Errorf("the fault %s: %v %w", kind, a, err)
		}
		return "told why", nil
	}
	a, err := s.ask(ctx, c, "POST", "/v1/chat/completions", strings.NewReader(chatBody("sandbox/echo", "hello", false)), header...)
	if err != nil || a.status != 200 {
		return "failed", fmt.Errorf("chat: %v %w", a, err)
	}
	return "good", nil
}

// stream reads a stream to its end, or leaves in its middle.
func (s *soak) stream(ctx context.Context, c *soakWay, r *rand.Rand, method, path, body, last string, header ...string) (string, error) {
	ctx, leave := context.WithCancel(ctx)
	defer leave()
	rq, err := http.NewRequestWithContext(ctx, method, c.base+path, strings.NewReader(body))
	if err != nil {
		return "failed", err
	}
	for i := 0; i+1 < len(header); i += 2 {
		rq.Header.Set(header[i], header[i+1])
	}
	res, err := c.client.Do(rq)
	if err != nil {
		return "failed", err
	}
	defer res.Body.Close()
	s.saw(res.Header.Get("Causeway-Call-Id"))
	if r.IntN(2) == 0 {
		if _, err := io.ReadFull(res.Body, make([]byte, 9)); err != nil {
			return "failed", fmt.Errorf("the begin of %s: %w", path, err)
		}
		return "left", nil
	}
	all, err := io.ReadAll(res.Body)
	if err != nil || !bytes.Contains(all, []byte(last)) {
		return "failed", fmt.Errorf("%s: %w after %s", path, err, clip(all))
	}
	return "good", nil
}

// upload sends up to 1 MiB, with its length or without, and breaks off now and then.
func (s *soak) upload(ctx context.Context, c *soakWay, r *rand.Rand) (string, error) {
	size := r.Int64N(1 << 20)
	if r.IntN(3) == 0 {
		broken := errors.New("broken off")
		_, err := s.ask(ctx, c, "POST", "/steady/upload", io.MultiReader(io.LimitReader(&counting{}, size), failing{broken}))
		if err == nil {
			return "failed", fmt.Errorf("an upload that was broken off has an answer")
		}
		return "left", nil
	}
	body := io.LimitReader(&counting{}, size)
	if r.IntN(2) == 0 {
		all, err := io.ReadAll(body)
		if err != nil {
			return "failed", err
		}
		body = bytes.NewReader(all)
	}
	a, err := s.ask(ctx, c, "POST", "/steady/upload", body)
	if err != nil {
		return "failed", err
	}
	if sum := fmt.Sprintf("%d %08x", size, sumOf(size)); a.status != 200 || string(a.body) != sum {
		return "failed", fmt.Errorf("an upload of %s: %s %s", sum, a.line, clip(a.body))
	}
	return "good", nil
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func (s *soak) download(ctx context.Context, c *soakWay, r *rand.Rand) (string, error) {
	size := r.Int64N(2 << 20)
	a, err := s.ask(ctx, c, "GET", fmt.Sprintf("/steady/download?size=%d", size), nil)
	if err != nil {
		return "failed", err
	}
	sum := newSum()
	_, _ = sum.Write(a.body) // a hash takes all
	if got, right := fmt.Sprintf("%d %x", len(a.body), sum.Sum(nil)), fmt.Sprintf("%d %08x", size, sumOf(size)); got != right {
		return "failed", fmt.Errorf("a download of %s: %s with %s", right, a.line, got)
	}
	return "good", nil
}

// grpc is a stream in both directions: a message goes out when the one before has come back.
func (s *soak) grpc(ctx context.Context, c *soakWay, r *rand.Rand) (string, error) {
	ctx, leave := context.WithCancel(ctx)
	defer leave()
	in, out := io.Pipe()
	defer out.Close()
	rq, err := http.NewRequestWithContext(ctx, "POST", c.base+"/soak.Echo/Talk", in)
	if err != nil {
		return "failed", err
	}
	rq.Header.Set("Content-Type", "application/grpc")
	rq.Header.Set("TE", "trailers")
	message := func(n int) []byte {
		text := strings.Repeat("m", n)
		return append(endian.BigEndian.AppendUint32([]byte{0}, uint32(n)), text...)
	}
	turns := 1 + r.IntN(5)
	first := message(r.IntN(300))
	go func() { _, _ = out.Write(first) }() // a call that fails closes the pipe
	res, err := c.client.Do(rq)
	if err != nil {
		return "failed", err
	}
	defer res.Body.Close()
	s.saw(res.Header.Get("Causeway-Call-Id"))
	for i := range turns {
		back, err := grpcMessage(res.Body)
		if err != nil {
			return "failed", fmt.Errorf("message %d: %w, status %s, trailer %v", i, err, res.Status, res.Trailer)
		}
		if i == 0 && !bytes.Equal(back, first) {
			return "failed", fmt.Errorf("%d bytes came back for %d", len(back), len(first))
		}
		if r.IntN(8) == 0 {
			return "left", nil
		}
		if i+1 < turns {
			if _, err := out.Write(message(r.IntN(300))); err != nil {
				return "failed", err
			}
		}
	}
	out.Close()
	if rest, err := io.ReadAll(res.Body); err != nil || len(rest) > 0 || res.Trailer.Get("grpc-status") != "0" {
		return "failed", fmt.Errorf("the end: %d bytes, %w, trailer %v", len(rest), err, res.Trailer)
	}
	return "good", nil
}

// The key of RFC 6455 section 1.3 and the answer to it.
const (
	socketKey    = "dGhlIHNhbXBsZSBub25jZQ=="
	socketAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
)

// talkSocket talks over a WebSocket and closes it, or just goes.
func talkSocket(ctx context.Context, s *soak, r *rand.Rand) (string, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", s.g.Addr)
	if err != nil {
		return "failed", err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	br := bufio.NewReader(conn)
	fmt.Fprintf(conn, "GET /steady/socket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n", socketKey)
	if r.IntN(4) == 0 { // while the upstream switches
		pause(ctx, time.Duration(r.Int64N(int64(2*time.Millisecond))))
		return "left", nil
	}
	res, err := http.ReadResponse(br, nil)
	if err != nil {
		return "failed", err
	}
	s.saw(res.Header.Get("Causeway-Call-Id"))
	if res.StatusCode != http.StatusSwitchingProtocols || res.Header.Get("Sec-WebSocket-Accept") != socketAccept {
		return "failed", fmt.Errorf("no WebSocket but %s", res.Status)
	}
	say := func(first byte, text string) error {
		if _, err := io.WriteString(conn, masked(first, text)); err != nil {
			return err
		}
		got := make([]byte, 2+len(text))
		if _, err := io.ReadFull(br, got); err != nil {
			return err
		}
		if string(got) != frame(first, text) {
			return fmt.Errorf("%q came back for %q", got, text)
		}
		return nil
	}
	for i := range 1 + r.IntN(5) {
		if err := say(0x81, fmt.Sprint("message ", i)); err != nil {
			return "failed", err
		}
	}
	if r.IntN(3) == 0 {
		return "left", nil
	}
	if err := say(0x88, "\x03\xe8"); err != nil {
		return "failed", fmt.Errorf("closing: %w", err)
	}
	return "good", nil
}

// masked is a WebSocket frame of a client.
func masked(first byte, text string) string {
	mask := []byte{1, 2, 3, 4}
	b := append([]byte{first, 0x80 | byte(len(text))}, mask...)
	for i := range len(text) {
		b = append(b, text[i]^mask[i%4])
	}
	return string(b)
}

// talkNonsense is what comes to every open port.
func talkNonsense(ctx context.Context, s *soak, r *rand.Rand) (string, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", s.g.Addr)
	if err != nil {
		return "failed", err
	}
	defer conn.Close()
	_, err = io.WriteString(conn, []string{
		"", "GET /steady/echo HTTP/1.1\r\nHost: a\r\nX-Half", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "EHLO there\r\n\r\n",
		"POST /steady/upload HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nhalf", "POST /steady/upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nnot a size\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x64\xff\xff\xff\xff",
	}[r.IntN(8)])
	pause(ctx, time.Duration(r.Int64N(int64(5*time.Millisecond))))
	return "left", err
}
