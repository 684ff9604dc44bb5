package wire

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"causeway/internal/journey"
)

// upgradeHead is the head of an upgrade as a room would write it for an upstream.
func upgradeHead(rq *Request) []byte {
	head := []byte("GET " + string(rq.Target) + " HTTP/1.1\r\nHost: up.test\r\n")
	for i := range rq.Header.Fields {
		if f := &rq.Header.Fields[i]; f.ID == Other {
			head = appendField(head, f.Name, f.Value)
		}
	}
	return append(head, "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"...)
}

// joinedEnd is how a tunnel ended, with the facts of its attempt.
type joinedEnd struct {
	TunnelEnd
	attempt journey.Attempt
}

// connectRelay joins every upgrade to g and passes every other answer on.
func connectRelay(t *testing.T, g *Origin, idle time.Duration) (Handler, <-chan joinedEnd) {
	ends := make(chan joinedEnd, 10)
	return handler{serve: func(ex Exchange) {
		rq := ex.Request()
		if string(rq.Method) != "GET" || !rq.Header.Has(Upgrade) || !rq.Header.Has(Connection) || rq.Length != 0 || rq.Minor != 1 {
			reply(ex, 400, "no upgrade")
			return
		}
		call := &Call{Head: upgradeHead(rq), Upgrade: true, WebSocket: true, Limits: patient}
		var a journey.Attempt
		u := g.Try(call, &a, ex)
		if u == nil {
			reply(ex, 502, a.End.String())
			return
		}
		defer u.Release()
		if u.Response.Status != 101 {
			var body []byte
			for {
				p, err := u.Next()
				if err != nil {
					break
				}
				body = append(body, p...)
			}
			reply(ex, u.Response.Status, string(body))
			return
		}
		if !GoodAccept(rq, &u.Response.Header) {
			t.Errorf("the answer's accept does not belong to the key: %v", u.Response.Header.Fields)
		}
		if err := ex.Switch(u.Response.Header.Get(Upgrade), &u.Response.Header); err != nil {
			t.Error(err)
			return
		}
		caller, err := ex.Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		ex.Unwatch()
		j := NewJoint(caller, u.Hijack(), TunnelOptions{
			Idle: idle, Protocol: []byte("websocket"), LastWord: func(TunnelEnd) (int, string) { return 1014, lastWord },
		})
		ex.Watch(j)
		end := j.Run()
		ex.Unwatch()
		ends <- joinedEnd{end, a}
	}}, ends
}

// serverFrames speaks WebSocket as a server: every message comes back in capitals, a close is answered.
// Some messages are orders: "die" ends the connection without a close, "shut" closes with 1011.
func serverFrames(r io.Reader, w func([]byte) error) {
	br := bufio.NewReader(r)
	for {
		first, payload, err := readFrame(br)
		switch {
		case err != nil:
			return
		case first&0xf == opClose:
			_ = w(frame(0x88, payload, nil))
			return
		case string(payload) == "die":
			return
		case string(payload) == "shut":
			_ = w(frame(0x88, []byte("\x03\xf3oops"), nil))
			return
		}
		if w(frame(first, bytes.ToUpper(payload), nil)) != nil {
			return
		}
	}
}

// readFrame reads one frame, unmasked.
func readFrame(br *bufio.Reader) (first byte, payload []byte, err error) {
	head := make([]byte, 2)
	if _, err = io.ReadFull(br, head); err != nil {
		return 0, nil, err
	}
	n := uint64(head[1] & 0x7f)
	more := map[uint64]int{126: 2, 127: 8}[n]
	rest := make([]byte, 8)
	if _, err = io.ReadFull(br, rest[8-more:]); err != nil {
		return 0, nil, err
	}
	if more > 0 {
		n = binary.BigEndian.Uint64(rest)
	}
	var key [4]byte
	if head[1]&0x80 != 0 {
		if _, err = io.ReadFull(br, key[:]); err != nil {
			return 0, nil, err
		}
	}
	payload = make([]byte, n)
	if _, err = io.ReadFull(br, payload); err != nil {
		return 0, nil, err
	}
	for i := range payload {
		payload[i] ^= key[i&3]
	}
	return head[0], payload, nil
}

// webSocketUpstream is a WebSocket server of one protocol, and what it saw of each request.
func webSocketUpstream(t *testing.T, protocol Protocol) (*Origin, <-chan http.Header) {
	t.Helper()
	saw := make(chan http.Header, 10)
	note := func(r *http.Request) {
		h := r.Header.Clone()
		h[":method"], h[":host"], h[":path"] = []string{r.Method}, []string{r.Host}, []string{r.URL.RequestURI()}
		saw <- h
	}
	if protocol == ProtocolHTTP1 {
		url, _ := rawServer(t, false, func(c net.Conn) {
			br := bufio.NewReader(c)
			r, err := http.ReadRequest(br)
			if err != nil {
				return
			}
			note(r)
			if r.URL.Path == "/refused" {
				_, _ = io.WriteString(c, "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
				return
			}
			fmt.Fprintf(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: %s\r\nSec-WebSocket-Protocol: chat\r\n\r\n", acceptOf([]byte(r.Header.Get("Sec-WebSocket-Key"))))
			serverFrames(br, func(p []byte) error { _, err := c.Write(p); return err })
		})
		return newOrigin(t, OriginOptions{URL: url}), saw
	}
	g, _ := h2Server(t, protocol == ProtocolHTTP2, func(w http.ResponseWriter, r *http.Request) {
		note(r)
		if r.URL.Path == "/refused" || r.Method != http.MethodConnect {
			w.WriteHeader(403)
			_, _ = io.WriteString(w, "no")
			return
		}
		w.Header().Set("Sec-WebSocket-Protocol", "chat")
		w.WriteHeader(200)
		rc := http.NewResponseController(w)
		_ = rc.Flush()
		serverFrames(r.Body, func(p []byte) error {
			if _, err := w.Write(p); err != nil {
				return err
			}
			return rc.Flush()
		})
	})
	return g, saw
}

// wsCaller is a WebSocket client at a door of any kind.
type wsCaller struct {
	t      *testing.T
	status int
	header http.Header
	body   string // of an answer that is no upgrade
	br     *bufio.Reader
	write  func(p []byte, end bool)
	stream *h2Asked
	conn   *caller
}

const clientKey = "dGhlIHNhbXBsZSBub25jZQ=="

// openWebSocket asks a door for a WebSocket, in the way of its protocol.
func openWebSocket(t *testing.T, h *house, path string) *wsCaller {
	t.Helper()
	if !h.h2 {
		var c *caller
		if h.secure {
			c = dialTLS(t, h.addr, trusting(h.client))
		} else {
			c = dial(t, h.addr)
		}
		c.send("GET %s HTTP/1.1\r\nHost: gateway.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\nSec-WebSocket-Protocol: chat\r\n\r\n", path, clientKey)
		res, err := http.ReadResponse(c.br, &http.Request{Method: "GET"})
		if err != nil {
			t.Fatal(err)
		}
		w := &wsCaller{t: t, status: res.StatusCode, header: res.Header, br: c.br, conn: c}
		if res.StatusCode != 101 {
			b, _ := io.ReadAll(res.Body)
			w.body = string(b)
		}
		w.write = func(p []byte, end bool) {
			_, _ = c.Write(p)
			if half, ok := c.Conn.(interface{ CloseWrite() error }); ok && end {
				_ = half.CloseWrite()
			}
		}
		return w
	}
	if h.conn == nil {
		h.conn = dialH2(t, h.addr, h.client)
	}
	h.conn.until("SETTINGS", func() bool { return len(h.conn.set) > 0 })
	s := h.conn.ask(false, "CONNECT", path, ":protocol", "websocket", "sec-websocket-version", "13", "sec-websocket-protocol", "chat")
	h.conn.until("an answer", func() bool { return len(s.heads) > 0 || s.reset != nil })
	w := &wsCaller{t: t, stream: s, br: bufio.NewReader(&streamReader{s: s}), write: func(p []byte, end bool) {
		for len(p) > 16<<10 {
			s.sendData(string(p[:16<<10]), false)
			p = p[16<<10:]
		}
		s.sendData(string(p), end)
	}}
	_, _ = fmt.Sscan(s.field(":status"), &w.status)
	h.conn.mu.Lock()
	if len(s.heads) > 0 {
		w.header = canonical(s.heads[0])
	}
	h.conn.mu.Unlock()
	if w.status != 200 {
		_, w.body, _ = s.answer()
	}
	return w
}

// streamReader reads what comes on a stream.
type streamReader struct {
	s  *h2Asked
	at int
}

func (r *streamReader) Read(p []byte) (int, error) {
	s := r.s
	if !s.c.until("bytes of the stream", func() bool { return len(s.data) > r.at || s.over || s.reset != nil }) {
		return 0, io.ErrUnexpectedEOF
	}
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	if n := copy(p, s.data[r.at:]); n > 0 {
		r.at += n
		return n, nil
	}
	if s.over {
		return 0, io.EOF
	}
	return 0, fmt.Errorf("reset with %v", *s.reset)
}

// say sends a message; hear reads a frame.
func (w *wsCaller) say(first byte, text string) {
	w.write(frame(first, []byte(text), []byte{7, 6, 5, 4}), false)
}

func (w *wsCaller) hear(first byte, text string) {
	w.t.Helper()
	got, payload, err := readFrame(w.br)
	if err != nil || got != first || string(payload) != text {
		w.t.Fatalf("heard %x %.60q, %v; want %x %.60q", got, payload, err, first, text)
	}
}

// ends waits for the clean end of the upstream's side.
func (w *wsCaller) ends() {
	w.t.Helper()
	if b, err := w.br.ReadByte(); err != io.EOF {
		w.t.Errorf("after the close came %x, %v", b, err)
	}
}

var roads = map[string]Protocol{"http1": ProtocolHTTP1, "h2c": ProtocolH2C, "h2": ProtocolHTTP2}

func eachWay(t *testing.T, test func(t *testing.T, k doorKind, road Protocol)) {
	for _, k := range doorKinds {
		for name, road := range roads {
			t.Run(k.name+" to "+name, func(t *testing.T) {
				t.Parallel()
				test(t, k, road)
			})
		}
	}
}

// TestWebSocketIsTheSameOverEveryDoorAndRoad: whichever protocol either side speaks, the same frames
// pass, and each side gets the handshake of its own protocol.
func TestWebSocketIsTheSameOverEveryDoorAndRoad(t *testing.T) {
	eachWay(t, func(t *testing.T, k doorKind, road Protocol) {
		g, saw := webSocketUpstream(t, road)
		relay, ends := connectRelay(t, g, 5*time.Second)
		h := k.open(t, DoorOptions{Handler: relay, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 5 * time.Second})
		w := openWebSocket(t, h, "/chat?room=1")
		wantStatus, wantAccept := 101, acceptOf([]byte(clientKey))
		if k.h2 {
			wantStatus, wantAccept = 200, ""
		}
		if w.status != wantStatus || w.header.Get("Sec-Websocket-Accept") != wantAccept || w.header.Get("Sec-Websocket-Protocol") != "chat" || w.header.Get("Content-Length") != "" {
			t.Fatalf("got %d %v", w.status, w.header)
		}
		seen := soon(t, "the request", saw)
		if road == ProtocolHTTP1 {
			if seen[":method"][0] != "GET" || seen.Get("Upgrade") != "websocket" || len(seen.Get("Sec-Websocket-Key")) != 24 {
				t.Errorf("the upstream saw %v", seen)
			}
		} else if seen[":method"][0] != "CONNECT" || seen[":protocol"] == nil || seen[":protocol"][0] != "websocket" || seen.Get("Sec-Websocket-Key") != "" || seen.Get("Connection") != "" {
			t.Errorf("the upstream saw %v", seen)
		}
		if seen[":path"][0] != "/chat?room=1" || seen.Get("Sec-Websocket-Version") != "13" || seen[":host"][0] != "up.test" {
			t.Errorf("the upstream saw %v", seen)
		}
		w.say(0x81, "hello")
		w.hear(0x81, "HELLO")
		long := strings.Repeat("long message ", 40_000) // half a mebibyte: above every window
		go w.say(0x82, long)
		w.hear(0x82, strings.ToUpper(long))
		w.say(0x88, "\x03\xe8bye")
		w.hear(0x88, "\x03\xe8bye")
		w.ends()
		w.write(nil, true)
		end := soon(t, "the tunnel's end", ends)
		f := end.Facts
		if f.By != journey.SideCaller || f.Caller.Code != 1000 || f.Upstream.Code != 1000 || f.MessagesUp != 2 || f.MessagesDown != 2 || f.BadFrames != "" || end.Failed() {
			t.Errorf("%+v", end.TunnelEnd)
		}
		if over2 := end.attempt.HTTP2 != nil; over2 != (road != ProtocolHTTP1) {
			t.Errorf("the attempt: %+v", end.attempt)
		}
	})
}

// TestARefusedWebSocketIsAnOrdinaryAnswer over every door and road.
func TestARefusedWebSocketIsAnOrdinaryAnswer(t *testing.T) {
	eachWay(t, func(t *testing.T, k doorKind, road Protocol) {
		g, _ := webSocketUpstream(t, road)
		relay, _ := connectRelay(t, g, 5*time.Second)
		h := k.open(t, DoorOptions{Handler: relay, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 5 * time.Second})
		if w := openWebSocket(t, h, "/refused"); w.status != 403 || w.body != "no" {
			t.Errorf("got %d %q", w.status, w.body)
		}
	})
}

// TestABrokenWebSocketIsToldOverEveryDoorAndRoad: the upstream's and the caller's breaks.
func TestABrokenWebSocketIsToldOverEveryDoorAndRoad(t *testing.T) {
	eachWay(t, func(t *testing.T, k doorKind, road Protocol) {
		g, _ := webSocketUpstream(t, road)
		relay, ends := connectRelay(t, g, 5*time.Second)
		h := k.open(t, DoorOptions{Handler: relay, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 5 * time.Second})
		w := openWebSocket(t, h, "/chat")
		w.say(0x81, "die")
		w.hear(0x88, "\x03\xf6"+lastWord)
		w.ends()
		if end := soon(t, "the tunnel's end", ends); !end.Failed() || end.Facts.By != journey.SideUpstream {
			t.Errorf("%+v", end)
		}
		w = openWebSocket(t, h, "/chat")
		w.say(0x81, "shut")
		w.hear(0x88, "\x03\xf3oops")
		w.ends()
		if w.conn != nil {
			w.conn.Close()
		}
		if end := soon(t, "the tunnel's end", ends); end.Failed() || end.Facts.Upstream.Code != 1011 || end.Facts.By != journey.SideUpstream {
			t.Errorf("%+v", end)
		}
		w = openWebSocket(t, h, "/chat")
		w.say(0x81, "x")
		w.hear(0x81, "X")
		if w.stream != nil {
			w.stream.cancel(http2.ErrCodeCancel)
		} else {
			reset(underlying(w.conn.Conn))
		}
		if end := soon(t, "the tunnel's end", ends); end.Failed() || end.Facts.By != journey.SideCaller {
			t.Errorf("%+v", end)
		}
	})
}

// TestAStopEndsWebSocketsOverHTTP2: the caller is told before its stream ends.
func TestAStopEndsWebSocketsOverHTTP2(t *testing.T) {
	eachWay(t, func(t *testing.T, k doorKind, road Protocol) {
		g, _ := webSocketUpstream(t, road)
		relay, ends := connectRelay(t, g, time.Minute)
		h := k.open(t, DoorOptions{Handler: relay, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 5 * time.Second})
		w := openWebSocket(t, h, "/chat")
		w.say(0x81, "x")
		w.hear(0x81, "X")
		now, cancel := context.WithCancel(t.Context())
		cancel()
		_ = h.door.Shutdown(now)
		w.hear(0x88, "\x03\xf6"+lastWord)
		if end := soon(t, "the tunnel's end", ends); !end.Drained || end.Facts.By != journey.SideGateway {
			t.Errorf("%+v", end)
		}
	})
}

// TestASilentWebSocketOverHTTP2ReachesTheIdleLimit, and bytes in one direction keep both open.
func TestASilentWebSocketOverHTTP2ReachesTheIdleLimit(t *testing.T) {
	eachWay(t, func(t *testing.T, k doorKind, road Protocol) {
		g, _ := webSocketUpstream(t, road)
		relay, ends := connectRelay(t, g, 400*time.Millisecond)
		h := k.open(t, DoorOptions{Handler: relay, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 5 * time.Second})
		w := openWebSocket(t, h, "/chat")
		began := time.Now()
		for range 4 {
			time.Sleep(110 * time.Millisecond)
			w.say(0x81, "x")
			w.hear(0x81, "X")
		}
		w.hear(0x88, "\x03\xf6"+lastWord)
		if took := time.Since(began); took < 800*time.Millisecond {
			t.Errorf("closed after %v, with the last byte after 440 ms and a limit of 400 ms", took)
		}
		if end := soon(t, "the tunnel's end", ends); !end.Idle {
			t.Errorf("%+v", end)
		}
	})
}

// TestExtendedConnectIsOffered by the door, which depends on the order in which packages are
// initialised: see package xconnect.
func TestExtendedConnectIsOffered(t *testing.T) {
	if !ExtendedConnect() {
		t.Skip("GODEBUG says that it is not")
	}
	h := doorKinds[3].open(t, DoorOptions{Handler: handler{serve: func(ex Exchange) { reply(ex, 200, "ok") }}})
	c := dialH2(t, h.addr, nil)
	c.until("SETTINGS", func() bool { return len(c.set) > 0 })
	if c.set[settingConnect] != 1 {
		t.Errorf("SETTINGS_ENABLE_CONNECT_PROTOCOL is not there: %v", c.set)
	}
}

func TestWhatIsNoExtendedConnectIsRefused(t *testing.T) {
	h := doorKinds[3].open(t, DoorOptions{Handler: handler{serve: func(ex Exchange) { reply(ex, 200, "served") }}, ReadHeaderTimeout: 5 * time.Second})
	c := dialH2(t, h.addr, nil)
	for name, k := range map[string]struct {
		method, status string
		fields         []string
	}{
		"another protocol":       {"CONNECT", "501", []string{":protocol", "connect-udp"}},
		"an empty one":           {"CONNECT", "501", []string{":protocol", ""}},
		"beside another method":  {"GET", "400", []string{":protocol", "websocket"}},
		"with a declared length": {"CONNECT", "400", []string{":protocol", "websocket", "content-length", "0"}},
	} {
		// The pseudo-header fields come before the others.
		fields := append([]string{":method", k.method, ":scheme", "http", ":authority", "a", ":path", "/x"}, k.fields...)
		s := c.open(true, fields...)
		status, body, _ := s.answer()
		if s.reset == nil && status != k.status || strings.Contains(body, "served") {
			t.Errorf("%s: got %s %q", name, status, body)
		}
	}
	if s := c.open(true, ":method", "CONNECT", ":authority", "example.com:443"); true {
		if status, body, _ := s.answer(); body != "served" {
			t.Errorf("a plain CONNECT is the handler's to refuse: %s %q", status, body)
		}
	}
}

// TestAnUpstreamWithoutExtendedConnectIsAskedOverHTTP1: one port that speaks both.
func TestAnUpstreamWithoutExtendedConnectIsAskedOverHTTP1(t *testing.T) {
	url, _ := rawServer(t, false, func(c net.Conn) {
		br := bufio.NewReader(c)
		if p, err := br.Peek(3); err != nil || string(p) == "PRI" {
			_ = http2.NewFramer(c, br).WriteSettings()
			_, _ = io.Copy(io.Discard, br)
			return
		}
		r, err := http.ReadRequest(br)
		if err != nil {
			return
		}
		fmt.Fprintf(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: %s\r\n\r\n", acceptOf([]byte(r.Header.Get("Sec-WebSocket-Key"))))
		serverFrames(br, func(p []byte) error { _, err := c.Write(p); return err })
	})
	g := newOrigin(t, OriginOptions{URL: url, Protocol: ProtocolH2C})
	relay, ends := connectRelay(t, g, 5*time.Second)
	h := doorKinds[3].open(t, DoorOptions{Handler: relay, ReadHeaderTimeout: 5 * time.Second})
	w := openWebSocket(t, h, "/chat")
	w.say(0x81, "x")
	w.hear(0x81, "X")
	w.say(0x88, "\x03\xe8")
	w.hear(0x88, "\x03\xe8")
	if end := soon(t, "the tunnel's end", ends); end.attempt.HTTP2 != nil || end.Facts.Caller.Code != 1000 {
		t.Errorf("%+v", end)
	}
}

// TestAResetOfTheUpstreamsStreamIsKept: its code is a fact of the attempt.
func TestAResetOfTheUpstreamsStreamIsKept(t *testing.T) {
	url, _ := rawServer(t, false, func(c net.Conn) {
		if _, err := io.ReadFull(c, make([]byte, len(http2.ClientPreface))); err != nil {
			return
		}
		s := &h2Script{nc: c, fr: http2.NewFramer(c, c)}
		s.enc = hpack.NewEncoder(&s.block)
		_ = s.fr.WriteSettings(http2.Setting{ID: settingConnect, Val: 1})
		id := s.call()
		s.head(id, false, ":status", "200")
		_ = s.fr.WriteData(id, false, frame(0x81, []byte("hi"), nil))
		s.next(http2.FrameData)
		_ = s.fr.WriteRSTStream(id, http2.ErrCodeInternal)
		s.next(http2.FrameGoAway)
	})
	g := newOrigin(t, OriginOptions{URL: url, Protocol: ProtocolH2C})
	relay, ends := connectRelay(t, g, 5*time.Second)
	h := doorKinds[0].open(t, DoorOptions{Handler: relay, ReadHeaderTimeout: 5 * time.Second})
	w := openWebSocket(t, h, "/chat")
	w.hear(0x81, "hi")
	w.say(0x81, "x")
	w.hear(0x88, "\x03\xf6"+lastWord)
	end := soon(t, "the tunnel's end", ends)
	if facts := end.attempt.HTTP2; !end.Reset || facts == nil || facts.Signal != journey.HTTP2Reset || facts.Code != uint32(http2.ErrCodeInternal) {
		t.Errorf("%+v with %+v", end, facts)
	}
}

func TestAppendH2Connect(t *testing.T) {
	head := "GET /a?b HTTP/1.1\r\nHost: h\r\nSec-WebSocket-Key: k\r\nX-A: b\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
	var got []string
	dec := hpack.NewDecoder(0, func(f hpack.HeaderField) { got = append(got, f.Name+"="+f.Value) })
	if _, err := dec.Write(append([]byte{h2NoTable}, appendH2Connect(nil, []byte(head), true)...)); err != nil {
		t.Fatal(err)
	}
	if s := strings.Join(got, " "); s != ":method=CONNECT :protocol=websocket :scheme=https :path=/a?b :authority=h x-a=b" {
		t.Errorf("got %s", s)
	}
	if key := headField([]byte(head), "sec-websocket-key"); string(key) != "k" {
		t.Errorf("the key is %q", key)
	}
	if v := headField([]byte(head), "x-b"); v != nil {
		t.Errorf("got %q", v)
	}
}
