package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// A WebSocket library must see no difference between a server and the same server behind the
// gateway: the cases below write down what each side saw, direct and through it, and the two
// transcripts are compared. Where the server dies the contract has a difference, and it is the only
// one: the caller is told so by close code 1014.

// wsServer speaks WebSocket in the way its path names.
func wsServer(t *testing.T, options websocket.AcceptOptions) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o := options
		c, err := websocket.Accept(w, r, &o)
		if err != nil {
			return // Accept has answered
		}
		defer c.CloseNow()
		c.SetReadLimit(32 << 20)
		switch r.URL.Path {
		case "/ws/echo":
			echoMessages(r.Context(), c)
		case "/ws/small":
			c.SetReadLimit(1000)
			echoMessages(r.Context(), c)
		case "/ws/close":
			var code int
			_, _ = fmt.Sscan(r.URL.Query().Get("code"), &code)
			_ = c.Close(websocket.StatusCode(code), r.URL.Query().Get("reason"))
		case "/ws/ping":
			reads := c.CloseRead(r.Context())
			for range 3 {
				if c.Ping(reads) != nil {
					return
				}
			}
			_ = c.Close(4100, "pinged")
		case "/ws/die":
			_, _, _ = c.Read(r.Context())
		case "/ws/count":
			n := 0
			for {
				if _, _, err := c.Read(r.Context()); err != nil {
					return
				}
				n++
				if err := c.Write(r.Context(), websocket.MessageText, fmt.Append(nil, n)); err != nil {
					return
				}
			}
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// echoMessages gives every message back as it comes, fragment by fragment.
func echoMessages(ctx context.Context, c *websocket.Conn) {
	for {
		kind, r, err := c.Reader(ctx)
		if err != nil {
			return
		}
		w, err := c.Writer(ctx, kind)
		if err != nil {
			return
		}
		if _, err = io.Copy(w, r); err != nil || w.Close() != nil {
			return
		}
	}
}

// wsCase is one conversation; it returns what the caller saw.
type wsCase struct {
	path    string
	options websocket.DialOptions
	talk    func(ctx context.Context, c *websocket.Conn) []string
}

// saw tells an end as a library reports it.
func saw(err error) string {
	var closed websocket.CloseError
	if errors.As(err, &closed) {
		return fmt.Sprintf("close %d %q", closed.Code, closed.Reason)
	}
	if err == nil {
		return "nothing"
	}
	return "an end without a close frame"
}

func digest(p []byte) string { return fmt.Sprintf("%d bytes %x", len(p), sha256.Sum256(p)) }

func wsCases() map[string]wsCase {
	exchange := func(kind websocket.MessageType, messages ...[]byte) func(context.Context, *websocket.Conn) []string {
		return func(ctx context.Context, c *websocket.Conn) (log []string) {
			c.SetReadLimit(32 << 20)
			for _, m := range messages {
				go func() { _ = c.Write(ctx, kind, m) }()
				got, p, err := c.Read(ctx)
				if err != nil {
					return append(log, saw(err))
				}
				log = append(log, got.String()+" "+digest(p))
			}
			return append(log, saw(c.Close(websocket.StatusNormalClosure, "done")))
		}
	}
	noise := make([]byte, 16<<20)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(noise)
	ends := func(ctx context.Context, c *websocket.Conn) []string {
		_, _, err := c.Read(ctx)
		return []string{saw(err)}
	}
	text := []byte(strings.Repeat("grüße ", 5000))
	compressed := websocket.DialOptions{CompressionMode: websocket.CompressionContextTakeover}
	cases := map[string]wsCase{
		"text":              {path: "/ws/echo", talk: exchange(websocket.MessageText, []byte("hello"), []byte(""), text)},
		"binary":            {path: "/ws/echo", talk: exchange(websocket.MessageBinary, []byte{0, 1, 2, 255}, noise[:65535], noise[:65536], noise[:65537])},
		"16 MiB":            {path: "/ws/echo", talk: exchange(websocket.MessageBinary, noise)},
		"compressed":        {path: "/ws/echo", options: compressed, talk: exchange(websocket.MessageText, text, text, []byte("x"))},
		"compressed 16 MiB": {path: "/ws/echo", options: compressed, talk: exchange(websocket.MessageBinary, bytes.Repeat(noise[:1<<20], 16))},
		"subprotocol":       {path: "/ws/echo", options: websocket.DialOptions{Subprotocols: []string{"none.v9", "chat.v1"}}, talk: exchange(websocket.MessageText, []byte("hi"))},
		"the server pings":  {path: "/ws/ping", talk: ends},
		"the server dies": {path: "/ws/die", talk: func(ctx context.Context, c *websocket.Conn) []string {
			_ = c.Write(ctx, websocket.MessageText, []byte("x"))
			return ends(ctx, c)
		}},
		"too large for it": {path: "/ws/small", talk: func(ctx context.Context, c *websocket.Conn) []string {
			_ = c.Write(ctx, websocket.MessageText, noise[:2000])
			return ends(ctx, c)
		}},
		"the caller pings": {path: "/ws/echo", talk: func(ctx context.Context, c *websocket.Conn) (log []string) {
			reads := c.CloseRead(ctx)
			for range 5 {
				log = append(log, saw(c.Ping(reads)))
			}
			return append(log, saw(c.Close(4001, "enough")))
		}},
		"fragments": {path: "/ws/echo", talk: func(ctx context.Context, c *websocket.Conn) (log []string) {
			c.SetReadLimit(1 << 20)
			w, err := c.Writer(ctx, websocket.MessageText)
			for i := range 200 {
				if err == nil {
					_, err = w.Write(bytes.Repeat([]byte{byte('a' + i%26)}, i*7))
				}
			}
			if err == nil {
				err = w.Close()
			}
			kind, p, rerr := c.Read(ctx)
			return append(log, saw(err), saw(rerr), kind.String()+" "+digest(p), saw(c.Close(websocket.StatusGoingAway, "")))
		}},
	}
	for _, code := range []int{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 4000, 4999} {
		cases[fmt.Sprint("closed with ", code)] = wsCase{path: fmt.Sprint("/ws/close?reason=because&code=", code), talk: ends}
	}
	cases["closed with a long reason"] = wsCase{path: "/ws/close?code=4000&reason=" + strings.Repeat("r", 123), talk: ends}
	return cases
}

func (k wsCase) run(t *testing.T, url string) (log []string, id string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	o := k.options
	c, res, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(url, "http")+k.path, &o)
	if err != nil {
		t.Fatalf("opening %s%s: %v", url, k.path, err)
	}
	defer c.CloseNow()
	log = append(log, "subprotocol "+c.Subprotocol(), "extensions "+res.Header.Get("Sec-WebSocket-Extensions"))
	return append(log, k.talk(ctx, c)...), res.Header.Get("Causeway-Call-Id")
}

// tunnelRecord is what the admin API tells of a tunnel.
type tunnelRecord struct {
	Kind   string `json:"kind"`
	Tunnel *struct {
		Protocol      string              `json:"protocol"`
		BytesUp       int64               `json:"bytes_up"`
		BytesDown     int64               `json:"bytes_down"`
		MessagesUp    int64               `json:"messages_up"`
		MessagesDown  int64               `json:"messages_down"`
		EndedBy       string              `json:"ended_by"`
		CallerClose   *struct{ Code int } `json:"caller_close"`
		UpstreamClose *struct{ Code int } `json:"upstream_close"`
		ToldClose     int                 `json:"told_close"`
	} `json:"tunnel"`
}

func (g *gateway) tunnel(t *testing.T, id string) (r tunnelRecord) {
	t.Helper()
	g.record(t, id) // waits for it
	_, body := g.get(t, "/api/v1/calls/"+id, "")
	decode(t, body, &r)
	if r.Tunnel == nil {
		t.Fatalf("call %s has no tunnel: %s", id, body)
	}
	return r
}

func TestAWebSocketLibrarySeesNoDifference(t *testing.T) {
	t.Parallel()
	up := wsServer(t, websocket.AcceptOptions{Subprotocols: []string{"chat.v1"}, CompressionMode: websocket.CompressionContextTakeover})
	g := serve(t, fmt.Sprintf("version: 1\nservices:\n  ws: {access: open, routes: [{path: /ws/*}], upstream: {targets: [{url: %q}]}}\n", up.URL))
	for name, k := range wsCases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			direct, _ := k.run(t, up.URL)
			through, id := k.run(t, g.URL)
			r := g.tunnel(t, id)
			if name == "the server dies" {
				want(t, "what the caller sees of a dead server", direct[2], "an end without a close frame")
				want(t, "what it sees behind the gateway", through[2], fmt.Sprintf("close 1014 %q", "tunnel_closed, call "+id))
				want(t, "kind", r.Kind, "tunnel_closed")
				want(t, "told", r.Tunnel.ToldClose, 1014)
				return
			}
			want(t, "the transcript", strings.Join(through, "\n"), strings.Join(direct, "\n"))
			want(t, "told", r.Tunnel.ToldClose, 0)
			switch {
			case strings.HasPrefix(name, "closed with"), name == "the server pings", name == "too large for it":
				want(t, "ended by", r.Tunnel.EndedBy, "upstream")
				if r.Tunnel.UpstreamClose == nil || r.Tunnel.CallerClose == nil || r.Tunnel.UpstreamClose.Code != r.Tunnel.CallerClose.Code {
					t.Errorf("the close frames: %+v", r.Tunnel)
				}
			default:
				want(t, "ended by", r.Tunnel.EndedBy, "caller")
				want(t, "kind", r.Kind, "")
			}
			if name == "16 MiB" && (r.Tunnel.MessagesUp != 1 || r.Tunnel.MessagesDown != 1 || r.Tunnel.BytesUp < 16<<20 || r.Tunnel.BytesDown < 16<<20) {
				t.Errorf("what passed: %+v", r.Tunnel)
			}
			kinds := map[string]string{
				"closed with 1002": "websocket_refused", "closed with 1003": "websocket_refused", "closed with 1007": "websocket_refused",
				"closed with 1008": "websocket_refused", "closed with 1009": "websocket_refused", "closed with 1010": "websocket_refused", "too large for it": "websocket_refused",
				"closed with 1011": "websocket_upstream_error", "closed with 1012": "websocket_unavailable", "closed with 1013": "websocket_unavailable", "closed with 1014": "websocket_unavailable",
			}
			want(t, "kind", r.Kind, kinds[name])
		})
	}
}

// TestAThousandWebSocketsAtOnce: all of them work, an idle one costs little, and nothing is left.
func TestAThousandWebSocketsAtOnce(t *testing.T) {
	const sockets, rounds = 1000, 3
	up := wsServer(t, websocket.AcceptOptions{})
	g := serve(t, fmt.Sprintf("version: 1\nservices:\n  ws: {access: open, routes: [{path: /ws/*}], upstream: {targets: [{url: %q}]}}\n", up.URL))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	open := func(n int) []*websocket.Conn {
		list := make([]*websocket.Conn, n)
		var all sync.WaitGroup
		gate := make(chan struct{}, 64)
		for i := range list {
			all.Go(func() {
				gate <- struct{}{}
				defer func() { <-gate }()
				c, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(g.URL, "http")+"/ws/count", nil)
				if err != nil {
					t.Error(err)
					return
				}
				list[i] = c
			})
		}
		all.Wait()
		if t.Failed() {
			t.FailNow()
		}
		return list
	}
	talk := func(list []*websocket.Conn) {
		var all sync.WaitGroup
		for i, c := range list {
			all.Go(func() {
				for n := 1; n <= rounds; n++ {
					if err := c.Write(ctx, websocket.MessageText, make([]byte, 10+i)); err != nil {
						t.Error(err)
						return
					}
					if _, p, err := c.Read(ctx); err != nil || string(p) != fmt.Sprint(n) {
						t.Errorf("got %q, %v, want %d", p, err, n)
						return
					}
				}
			})
		}
		all.Wait()
	}
	closeAll := func(list []*websocket.Conn) {
		var all sync.WaitGroup
		for _, c := range list {
			all.Go(func() { _ = c.Close(websocket.StatusNormalClosure, "") })
		}
		all.Wait()
	}
	warm := open(100)
	talk(warm)
	closeAll(warm)
	before := g.resident(t)
	list := open(sockets)
	talk(list)
	open1000 := g.metric(t, `causeway_tunnels_open{model="",provider="",service="ws"}`)
	want(t, "causeway_tunnels_open", open1000, float64(sockets))
	each := float64(g.resident(t)-before) / sockets
	t.Logf("%.1f KiB of memory for each open WebSocket", each)
	if each > 64 {
		t.Errorf("an open WebSocket costs %.1f KiB", each)
	}
	closeAll(list)
	deadline := time.Now().Add(patience)
	for g.metric(t, `causeway_tunnels_open{model="",provider="",service="ws"}`) != 0 {
		if time.Now().After(deadline) {
			t.Fatal("tunnels are left open")
		}
		time.Sleep(5 * time.Millisecond)
	}
	want(t, "messages up", g.metric(t, `causeway_websocket_messages_total{direction="up",model="",provider="",service="ws"}`), float64(rounds*(sockets+100)))
	want(t, "closes", g.metric(t, `causeway_websocket_closes_total{code="1000",model="",provider="",service="ws"}`), float64(sockets+100))
}

// resident is the gateway's memory in KiB, 0 where the system does not say.
func (g *gateway) resident(t *testing.T) int64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", g.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	for line := range strings.SplitSeq(string(b), "\n") {
		var n int64
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			_, _ = fmt.Sscan(rest, &n)
			return n
		}
	}
	return 0
}

// The same from two other libraries: Node's undici, which speaks as browsers do, and Python's aiohttp.
func TestOtherWebSocketLibrariesSeeNoDifference(t *testing.T) {
	t.Parallel()
	up := wsServer(t, websocket.AcceptOptions{Subprotocols: []string{"chat.v1"}, CompressionMode: websocket.CompressionContextTakeover})
	g := serve(t, fmt.Sprintf("version: 1\nservices:\n  ws: {access: open, routes: [{path: /ws/*}], upstream: {targets: [{url: %q}]}}\n", up.URL))
	bases := strings.ReplaceAll(up.URL+"\n"+g.URL, "http:", "ws:")
	for name, run := range map[string][]string{
		"undici":  {needs(t, "node"), "testdata/websocket/undici.mjs"},
		"aiohttp": {python(t), "testdata/websocket/aiohttp_client.py"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := command(t, bases, run[0], run[1:]...)
			if r.code != 0 {
				t.Fatalf("exit code %d: %s", r.code, r.err)
			}
			var saw [][]string
			decode(t, []byte(r.out), &saw)
			if len(saw) != 2 || len(saw[0]) < 6 {
				t.Fatalf("it saw %q", saw)
			}
			want(t, "the transcript", strings.Join(saw[1], "\n"), strings.Join(saw[0], "\n"))
		})
	}
}

// A realtime session of OpenAI's dialect, with the sandbox as the provider.
func TestRealtimeSession(t *testing.T) {
	t.Parallel()
	const key = "e2e-realtime-key-0123456789"
	g := serve(t, "version: 1\nmodels:\n  voice: {targets: [{model: sandbox/echo}]}\napplications:\n  web: {keys: ["+key+"], subscribes: [models/voice]}\n")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	url := "ws" + strings.TrimPrefix(g.URL, "http") + "/v1/realtime?model=voice"
	for name, o := range map[string]*websocket.DialOptions{
		"a program": {HTTPHeader: http.Header{"Authorization": {"Bearer " + key}}, Subprotocols: []string{"realtime"}},
		"a browser": {Subprotocols: []string{"realtime", "openai-insecure-api-key." + key}},
	} {
		t.Run(name, func(t *testing.T) {
			c, res, err := websocket.Dial(ctx, url, o)
			if err != nil {
				t.Fatal(err)
			}
			defer c.CloseNow()
			want(t, "subprotocol", c.Subprotocol(), "realtime")
			for _, event := range []string{
				`{"type":"conversation.item.create","item":{"type":"message","role":"user","content":[{"type":"input_text","text":"is anybody there"}]}}`,
				`{"type":"response.create"}`,
			} {
				if err := c.Write(ctx, websocket.MessageText, []byte(event)); err != nil {
					t.Fatal(err)
				}
			}
			text := ""
			for {
				var ev struct{ Type, Delta string }
				_, p, err := c.Read(ctx)
				if err != nil {
					t.Fatal(err)
				}
				decode(t, p, &ev)
				if text += ev.Delta; ev.Type == "response.done" {
					break
				}
			}
			want(t, "the text", text, "is anybody there")
			want(t, "the close", saw(c.Close(websocket.StatusNormalClosure, "bye")), "nothing")
			id := res.Header.Get("Causeway-Call-Id")
			rec := g.record(t, id)
			want(t, "model", rec.Model+" is "+rec.Provider+"/"+rec.TargetModel, "voice is sandbox/echo")
			r := g.tunnel(t, id)
			if r.Kind != "" || r.Tunnel.EndedBy != "caller" || r.Tunnel.MessagesUp != 2 || r.Tunnel.CallerClose == nil || r.Tunnel.CallerClose.Code != 1000 {
				t.Errorf("the tunnel: %+v", r)
			}
		})
	}
	_, res, err := websocket.Dial(ctx, url, nil)
	if err == nil || res == nil || res.StatusCode != 401 {
		t.Fatalf("without a key: %v", err)
	}
	lacks(t, "standard error", g.errs.all(), key)
}

// A browser puts its WebSockets on the HTTP/2 connection that the page came by (RFC 8441); to the same
// upstream over HTTP/1.1 that is no different from a gateway that speaks HTTP/1.1 alone.
func TestABrowsersWebSocketsOverHTTP2(t *testing.T) {
	t.Parallel()
	up := wsServer(t, websocket.AcceptOptions{Subprotocols: []string{"chat.v1"}, InsecureSkipVerify: true})
	pages := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<!doctype html><title>page</title>")
	}))
	t.Cleanup(pages.Close)
	cert := newCertificate(t, "127.0.0.1")
	config := func(http2 string) string {
		return "version: 1\n" + strings.TrimSuffix(tlsConfig(cert), "}\n") + http2 + "}\n" + fmt.Sprintf(`services:
  ws: {access: open, routes: [{path: /ws/*}], upstream: {targets: [{url: %q}]}}
  page: {access: open, routes: [{path: /page}], upstream: {targets: [{url: %q}]}}
`, up.URL, pages.URL)
	}
	two, one := serve(t, config("")), serve(t, config(", http2: {enabled: false}"))
	r := command(t, two.URL+"\n"+one.URL, needs(t, "node"), "testdata/websocket/chromium.mjs", needs(t, "chromium", "google-chrome"))
	if r.code != 0 {
		t.Fatalf("exit code %d: %s", r.code, r.err)
	}
	var saw [][]string
	decode(t, []byte(r.out), &saw)
	if len(saw) != 2 || len(saw[0]) != 9 || saw[0][0] != "protocol chat.v1" || saw[0][5] != "binary 5242880" {
		t.Fatalf("it saw %q", saw)
	}
	want(t, "the transcript", strings.Join(saw[0], "\n"), strings.Join(saw[1], "\n"))
	for g, protocol := range map[*gateway]string{two: "HTTP/2", one: "HTTP/1.1"} {
		found := 0
		for _, c := range g.calls(t, "service=ws") {
			var full struct {
				Protocol string `json:"protocol"`
			}
			_, body := g.get(t, "/api/v1/calls/"+c.ID, "")
			decode(t, body, &full)
			want(t, "the protocol of "+c.Path, full.Protocol, protocol)
			found++
		}
		want(t, "WebSockets in the log", found, 3)
	}
}

// An upstream that takes WebSockets over HTTP/2 alone: Node's server, by extended CONNECT.
func TestAWebSocketToAnHTTP2Upstream(t *testing.T) {
	t.Parallel()
	node := start(t, nil, needs(t, "node"), absolute(t, "testdata/websocket/http2_server.mjs"))
	port, ok := node.out.find(patience, func(string) bool { return true })
	if !ok {
		t.Fatalf("node does not listen: %s", node.errs.all())
	}
	g := serve(t, "version: 1\nservices:\n  ws: {access: open, routes: [{path: /ws/*}], upstream: {protocol: h2c, targets: [{url: \"http://127.0.0.1:"+port+"\"}]}}\n")
	for _, name := range []string{"text", "binary", "the caller pings", "fragments"} {
		t.Run(name, func(t *testing.T) {
			c := wsCases()[name]
			c.options = websocket.DialOptions{Subprotocols: []string{"chat.v1"}}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			conn, res, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(g.URL, "http")+c.path, &c.options)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.CloseNow()
			want(t, "subprotocol", conn.Subprotocol(), "chat.v1")
			want(t, "fields of HTTP/1.1 that the upstream saw", res.Header.Get("X-Strange"), "")
			for _, line := range c.talk(ctx, conn) {
				if strings.HasPrefix(line, "close") || strings.HasPrefix(line, "an end") {
					t.Errorf("it ended: %s", line)
				}
			}
			r := g.tunnel(t, res.Header.Get("Causeway-Call-Id"))
			if r.Kind != "" || r.Tunnel.EndedBy != "caller" || r.Tunnel.CallerClose == nil || r.Tunnel.UpstreamClose == nil || r.Tunnel.CallerClose.Code != r.Tunnel.UpstreamClose.Code {
				t.Errorf("the tunnel: %+v", r)
			}
		})
	}
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}
