package wire

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"causeway/internal/journey"
)

var quietLog = log.New(io.Discard, "", 0)

// h2Server is net/http's HTTP/2 server, over TLS or, as h2c, without.
func h2Server(t testing.TB, secure bool, h http.HandlerFunc, change ...func(*http.Server)) (*Origin, *httptest.Server) {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = quietLog
	for _, c := range change {
		c(s.Config)
	}
	o := OriginOptions{Protocol: ProtocolH2C}
	if secure {
		s.EnableHTTP2 = true
		s.StartTLS()
		o.Protocol = ProtocolHTTP2
		o.TLS = s.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	} else {
		s.Config.Protocols = new(http.Protocols)
		s.Config.Protocols.SetUnencryptedHTTP2(true)
		s.Config.Protocols.SetHTTP1(true)
		s.Start()
	}
	t.Cleanup(s.Close)
	o.URL = s.URL
	return newOrigin(t, o), s
}

// eachRoad runs a test over h2 and h2c.
func eachRoad(t *testing.T, test func(*testing.T, bool)) {
	for _, secure := range []bool{true, false} {
		t.Run(map[bool]string{true: "h2", false: "h2c"}[secure], func(t *testing.T) {
			t.Parallel()
			test(t, secure)
		})
	}
}

func post(head, body string) *Call {
	return &Call{
		Head: fmt.Appendf(nil, "POST /x HTTP/1.1\r\nHost: orders.test\r\n%sContent-Length: %d\r\n\r\n", head, len(body)),
		Body: []byte(body), Length: int64(len(body)), Limits: patient,
	}
}

func TestHTTP2CallsAreMade(t *testing.T) {
	eachRoad(t, func(t *testing.T, secure bool) {
		big := bytes.Repeat([]byte("0123456789abcdef"), 200_000)
		g, _ := h2Server(t, secure, func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			w.Header().Set("X-Saw", fmt.Sprintf("%s %s %s %s %s %d %x", r.Proto, r.Method, r.Host, r.RequestURI, r.Header.Get("X-Long-Name"), len(body), sha256.Sum256(body)))
			w.Header().Add("Set-Cookie", "a=1")
			w.Header().Add("Set-Cookie", "b=2")
			switch r.URL.Path {
			case "/big":
				_, _ = w.Write(big)
			case "/none":
				w.WriteHeader(204)
			case "/same":
				w.Header().Set("Content-Length", "10")
				w.WriteHeader(304)
			default:
				w.WriteHeader(201)
				_, _ = w.Write([]byte("ok"))
			}
		})
		saw := func(method, target, x, body string) string {
			return fmt.Sprintf("HTTP/2.0 %s orders.test %s %s %d %x", method, target, x, len(body), sha256.Sum256([]byte(body)))
		}
		long := strings.Repeat("v", 40_000)
		upload := strings.Repeat("u", 3<<20)
		call := func(method, target, fields string) *Call {
			return &Call{Head: []byte(method + " " + target + " HTTP/1.1\r\nHost: orders.test\r\n" + fields + "\r\n"), Limits: patient}
		}
		streamed := uploadCall(1 << 20)
		streamed.Head, streamed.Length = []byte("PUT / HTTP/1.1\r\nHost: orders.test\r\nTransfer-Encoding: chunked\r\n\r\n"), LengthChunked
		for name, c := range map[string]struct {
			call   *Call
			status int
			saw    string
			body   string
			length int64
		}{
			"GET":                    {call("GET", "/", ""), 201, saw("GET", "/", "", ""), "ok", 2},
			"a query":                {call("GET", "/a%2Fb?c=d&e", ""), 201, saw("GET", "/a%2Fb?c=d&e", "", ""), "ok", 2},
			"fields in any case":     {call("GET", "/", "X-LONG-Name:  v \r\nConnection: close\r\nKeep-Alive: 1\r\n"), 201, saw("GET", "/", "v", ""), "ok", 2},
			"a field of 40 KB":       {call("GET", "/", "X-Long-Name: "+long+"\r\n"), 201, saw("GET", "/", long, ""), "ok", 2},
			"another method":         {call("PROPFIND", "/", ""), 201, saw("PROPFIND", "/", "", ""), "ok", 2},
			"POST":                   {post("", "hello"), 201, saw("POST", "/x", "", "hello"), "ok", 2},
			"POST of 3 MiB":          {post("", upload), 201, saw("POST", "/x", "", upload), "ok", 2},
			"a stream of 1 MiB":      {streamed, 201, saw("PUT", "/", "", strings.Repeat("\x00", 1<<20)), "ok", 2},
			"a declared stream":      {uploadCall(100_000), 201, saw("POST", "/x", "", strings.Repeat("\x00", 100_000)), "ok", 2},
			"an answer of 3 MB":      {call("GET", "/big", ""), 200, saw("GET", "/big", "", ""), string(big), LengthChunked},
			"204":                    {call("GET", "/none", ""), 204, saw("GET", "/none", "", ""), "", 0},
			"304 that says how long": {call("GET", "/same", ""), 304, saw("GET", "/same", "", ""), "", 0},
		} {
			t.Run(name, func(t *testing.T) {
				o := &outcome{}
				u := g.Try(c.call, &o.Attempt, nobody{})
				if u == nil {
					t.Fatal(o.show())
				}
				if u.Response.Status != c.status || u.Response.Length != c.length && c.length != LengthChunked {
					t.Errorf("status %d, length %d", u.Response.Status, u.Response.Length)
				}
				if got := string(u.Response.Header.Lookup("x-saw")); got != c.saw {
					t.Errorf("the server saw %.200s, want %.200s", got, c.saw)
				}
				var cookies []string
				for _, f := range u.Response.Header.Fields {
					if EqualFold(f.Name, "set-cookie") {
						cookies = append(cookies, string(f.Value))
					}
				}
				if !slices.Equal(cookies, []string{"a=1", "b=2"}) {
					t.Errorf("cookies %q", cookies)
				}
				for {
					p, err := u.Next()
					if err != nil {
						if err != io.EOF {
							t.Errorf("reading: %v", err)
						}
						break
					}
					o.body = append(o.body, p...)
				}
				u.Release()
				if string(o.body) != c.body {
					t.Errorf("%d bytes of an answer of %d, or others", len(o.body), len(c.body))
				}
				if o.End != journey.EndComplete || o.Phase != journey.PhaseDone || !o.SendComplete || o.HTTP2 == nil || o.HTTP2.Stream == 0 || o.BodyIn != int64(len(c.body)) {
					t.Errorf("%s, %+v", o.show(), o.HTTP2)
				}
			})
		}
		if s := g.Stats(); s.Dials != 1 || s.Open != 1 || s.HTTP2 != 1 || s.Idle != 1 || s.Streams != 0 || s.Reuses != 11 {
			t.Errorf("%+v, want all on one connection", s)
		}
	})
}

// TestHTTP2TrailersPassBothWays is what gRPC needs: TE, request and answer trailers.
func TestHTTP2TrailersPassBothWays(t *testing.T) {
	eachRoad(t, func(t *testing.T, secure bool) {
		g, _ := h2Server(t, secure, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("Trailer", "Grpc-Status, X-Te")
			w.WriteHeader(200)
			_, _ = io.WriteString(w, "body")
			w.Header().Set("Grpc-Status", r.Trailer.Get("X-Sum"))
			w.Header().Set("X-Te", r.Header.Get("Te"))
		})
		call := uploadCall(10)
		call.Head, call.Length = []byte("POST / HTTP/1.1\r\nHost: a\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n"), LengthChunked
		call.Stream = &withTrailer{zeros{left: 10}}
		call.Trailers = true
		o := &outcome{}
		u := g.Try(call, &o.Attempt, nobody{})
		if u == nil {
			t.Fatal(o.show())
		}
		for err := error(nil); err == nil; {
			_, err = u.Next()
		}
		if got := string(u.Trailer().Lookup("grpc-status")); got != "7" {
			t.Errorf("grpc-status %q; trailer %q", got, u.Trailer().Fields)
		}
		if got := string(u.Trailer().Lookup("x-te")); got != "trailers" {
			t.Errorf("te %q", got)
		}
		u.Release()
	})
}

type withTrailer struct{ zeros }

func (*withTrailer) Trailer() *Header {
	h := &Header{}
	h.AddString("X-Sum", "7")
	h.AddString("Content-Length", "1") // no trailer may hold it
	return h
}

// TestHTTP2IsFullDuplex: the answer comes while the request is still being sent, both ways in turns.
func TestHTTP2IsFullDuplex(t *testing.T) {
	eachRoad(t, func(t *testing.T, secure bool) {
		g, _ := h2Server(t, secure, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(200)
			_ = http.NewResponseController(w).Flush()
			buf := make([]byte, 100)
			for {
				n, err := r.Body.Read(buf)
				if err != nil {
					return
				}
				_, _ = w.Write(bytes.ToUpper(buf[:n]))
				_ = http.NewResponseController(w).Flush()
			}
		})
		said := make(chan string)
		call := &Call{
			Head:   []byte("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"),
			Length: LengthChunked, Stream: &spoken{said}, Limits: patient,
		}
		o := &outcome{}
		u := g.Try(call, &o.Attempt, nobody{})
		if u == nil {
			t.Fatal(o.show())
		}
		for _, word := range []string{"ping", "pong", strings.Repeat("long", 25)} {
			said <- word
			var got []byte
			for len(got) < len(word) {
				p, err := u.Next()
				if err != nil {
					t.Fatalf("reading the answer to %q: %v", word, err)
				}
				got = append(got, p...)
			}
			if string(got) != strings.ToUpper(word) {
				t.Errorf("got %q", got)
			}
		}
		close(said)
		if _, err := u.Next(); err != io.EOF || !u.Complete() {
			t.Errorf("the end: %v", err)
		}
		u.Release()
		if o.End != journey.EndComplete || o.BodyOut != 108 {
			t.Error(o.show())
		}
	})
}

// spoken is a body of pieces that come one by one.
type spoken struct{ ch chan string }

func (s *spoken) ReadBody(p []byte, _ time.Duration) (int, error) {
	word, ok := <-s.ch
	if !ok {
		return 0, io.EOF
	}
	return copy(p, word), nil
}
func (*spoken) StopReading()     {}
func (*spoken) Trailer() *Header { return &Header{} }

func TestHTTP2InterimAnswersPass(t *testing.T) {
	eachRoad(t, func(t *testing.T, secure bool) {
		g, _ := h2Server(t, secure, func(w http.ResponseWriter, _ *http.Request) {
			for i := range 3 {
				w.Header().Set("Link", fmt.Sprint(i))
				w.WriteHeader(103)
			}
			w.WriteHeader(200)
		})
		call := getCall()
		in := &informed{}
		call.Inform = in
		if o := attempt(g, call); o.Status != 200 || !slices.Equal(in.got, []string{"103 0", "103 1", "103 2"}) {
			t.Errorf("%s; informed of %q", o.show(), in.got)
		}
	})
}

type informed struct{ got []string }

func (i *informed) Inform(status int, h *Header) error {
	i.got = append(i.got, fmt.Sprintf("%d %s", status, h.Lookup("link")))
	return nil
}

// TestManyCallsShareFewConnections: 64 callers at once need one connection, and what each sends and
// gets is its own.
func TestManyCallsShareFewConnections(t *testing.T) {
	eachRoad(t, func(t *testing.T, secure bool) {
		g, _ := h2Server(t, secure, func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			_, _ = w.Write(bytes.Repeat(body, 10))
		})
		var wg sync.WaitGroup
		for i := range 64 {
			wg.Go(func() {
				for j := range 20 {
					body := strings.Repeat(fmt.Sprintf("<%d/%d>", i, j), 1+i*j)
					o := attempt(g, post("", body))
					if string(o.body) != strings.Repeat(body, 10) || o.End != journey.EndComplete {
						t.Errorf("call %d/%d: %s", i, j, o.show())
					}
				}
			})
		}
		wg.Wait()
		if s := g.Stats(); s.Dials > 2 || s.Open > 2 || s.Streams != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// TestAPeerThatAllowsFewStreamsGetsMoreConnections: no call is refused where the peer says how many
// streams it takes.
func TestAPeerThatAllowsFewStreamsGetsMoreConnections(t *testing.T) {
	eachRoad(t, func(t *testing.T, secure bool) {
		var now, most atomic.Int64
		gate := make(chan struct{})
		g, _ := h2Server(t, secure, func(http.ResponseWriter, *http.Request) {
			most.Store(max(most.Load(), now.Add(1)))
			<-gate
			now.Add(-1)
		}, func(s *http.Server) { s.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: 4} })
		var wg sync.WaitGroup
		for range 32 {
			wg.Go(func() {
				if o := attempt(g, getCall()); o.Status != 200 {
					t.Error(o.show())
				}
			})
		}
		deadline := time.Now().Add(5 * time.Second)
		for now.Load() < 32 && time.Now().Before(deadline) {
			time.Sleep(time.Millisecond)
		}
		s := g.Stats()
		close(gate)
		wg.Wait()
		if most.Load() != 32 || s.Streams != 32 || s.HTTP2 < 8 || s.HTTP2 > 12 {
			t.Errorf("%d at once, %+v, want 32 on 8 connections or a few more", most.Load(), s)
		}
	})
}

// watching cancels what it watches when told to.
type watching struct {
	mu sync.Mutex
	c  Canceller
}

func (l *watching) Watch(c Canceller) { l.mu.Lock(); l.c = c; l.mu.Unlock() }
func (l *watching) Unwatch()          { l.mu.Lock(); l.c = nil; l.mu.Unlock() }
func (l *watching) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.c != nil {
		l.c.Cancel(ReasonCallerGone)
	}
}

// TestACallerWhoLeavesResetsOneStream: the upstream learns of it within 100 ms, and the connection
// and the other calls on it go on.
func TestACallerWhoLeavesResetsOneStream(t *testing.T) {
	eachRoad(t, func(t *testing.T, secure bool) {
		in, gone := make(chan string, 10), make(chan time.Time, 10)
		g, _ := h2Server(t, secure, func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/quick":
				return
			case "/head":
				w.WriteHeader(200)
				_ = http.NewResponseController(w).Flush()
			case "/upload":
				_, _ = r.Body.Read(make([]byte, 10))
			}
			in <- r.URL.Path
			<-r.Context().Done()
			gone <- time.Now()
		})
		for _, path := range []string{"/wait", "/head", "/upload"} {
			l := &watching{}
			o := &outcome{}
			done := make(chan struct{})
			call := &Call{Head: []byte("GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n"), Limits: patient}
			var said chan string
			if path == "/upload" {
				said = make(chan string, 1)
				said <- "0123456789"
				call = &Call{
					Head: []byte("POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"), Length: LengthChunked,
					Stream: &stopping{spoken: spoken{said}}, Limits: patient,
				}
			}
			go func() {
				defer close(done)
				if u := g.Try(call, &o.Attempt, l); u != nil {
					_, _ = u.Next()
					u.Release()
				}
			}()
			soon(t, path, in)
			left := time.Now()
			l.leave()
			at := soon(t, "the reset of "+path, gone)
			if took := at.Sub(left); took > 2*time.Second { // on a busy machine
				t.Errorf("%s: the upstream learned of it after %v", path, took)
			}
			<-done
			if o.End != journey.EndCaller {
				t.Errorf("%s: %s", path, o.show())
			}
		}
		if o := attempt(g, &Call{Head: []byte("GET /quick HTTP/1.1\r\nHost: a\r\n\r\n"), Limits: patient}); o.Status != 200 || o.ConnUses != 3 {
			t.Errorf("the connection did not survive: %s", o.show())
		}
		if s := g.Stats(); s.Dials != 1 {
			t.Errorf("%+v", s)
		}
	})
}

// stopping is a spoken body that ends when it is told to.
type stopping struct{ spoken }

func (s *stopping) StopReading() { close(s.ch) }

// TestASlowReaderHoldsBackItsUpstreamAlone: not more than a stream's window is taken for it, and other
// calls on the connection go on.
func TestASlowReaderHoldsBackItsUpstreamAlone(t *testing.T) {
	eachRoad(t, func(t *testing.T, secure bool) {
		var wrote atomic.Int64
		g, _ := h2Server(t, secure, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/quick" {
				_, _ = w.Write(make([]byte, 2<<20))
				return
			}
			buf := make([]byte, 16<<10)
			for range 40 << 20 / len(buf) {
				n, err := w.Write(buf)
				wrote.Add(int64(n))
				if err != nil {
					return
				}
			}
		})
		o := &outcome{}
		u := g.Try(getCall(), &o.Attempt, nobody{})
		if u == nil {
			t.Fatal(o.show())
		}
		for range 5 {
			if o := attempt(g, &Call{Head: []byte("GET /quick HTTP/1.1\r\nHost: a\r\n\r\n"), Limits: patient}); len(o.body) != 2<<20 {
				t.Fatal(o.show())
			}
		}
		if n := wrote.Load(); n > h2Window+64<<10 {
			t.Errorf("%d bytes were taken for a caller who reads none", n)
		}
		n := 0
		for {
			p, err := u.Next()
			n += len(p)
			if err != nil {
				break
			}
		}
		u.Release()
		if n != 40<<20 || o.End != journey.EndComplete {
			t.Errorf("%d bytes: %s", n, o.show())
		}
	})
}

func TestHTTP2LimitsFire(t *testing.T) {
	eachRoad(t, func(t *testing.T, secure bool) {
		g, _ := h2Server(t, secure, func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/body":
				_, _ = io.WriteString(w, "begun")
				_ = http.NewResponseController(w).Flush()
			case "/x":
				_, _ = r.Body.Read(make([]byte, 1))
			}
			<-r.Context().Done()
		})
		short := 60 * time.Millisecond
		for name, c := range map[string]struct {
			call  *Call
			phase journey.Phase
			limit string
		}{
			"first_byte": {&Call{Head: []byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), Limits: AttemptLimits{FirstByte: short}}, journey.PhaseWait, "first_byte"},
			"idle":       {&Call{Head: []byte("GET /body HTTP/1.1\r\nHost: a\r\n\r\n"), Limits: AttemptLimits{Idle: short}}, journey.PhaseBody, "idle"},
			"send":       {&Call{Head: []byte("POST /x HTTP/1.1\r\nHost: a\r\n\r\n"), Body: make([]byte, 8<<20), Length: 8 << 20, Limits: AttemptLimits{Send: short}}, journey.PhaseSend, "send"},
			"total":      {&Call{Head: []byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), Limits: AttemptLimits{Total: short, Until: clock() + int64(short)}}, journey.PhaseWait, "total"},
		} {
			t.Run(name, func(t *testing.T) {
				if name == "total" {
					c.call.Limits.Until = clock() + int64(short)
				}
				began := time.Now()
				o := attempt(g, c.call)
				if o.Phase != c.phase || o.End != journey.EndTimeout || o.Limit != c.limit || o.LimitValue != short {
					t.Errorf("%s", o.show())
				}
				if took := time.Since(began); took < short || took > short+time.Second {
					t.Errorf("took %v", took)
				}
			})
		}
		if s := g.Stats(); s.Dials != 1 || s.Streams != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// TestAutoAgreesByALPN: HTTP/2 where the upstream has it, HTTP/1.1 where not, and nothing is dialled
// twice to find out.
func TestAutoAgreesByALPN(t *testing.T) {
	for name, http2on := range map[string]bool{"h2": true, "http/1.1": false} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				_, _ = io.WriteString(w, r.Proto)
			}))
			s.EnableHTTP2 = http2on
			s.StartTLS()
			defer s.Close()
			g := newOrigin(t, OriginOptions{URL: s.URL, Protocol: ProtocolAuto, TLS: s.Client().Transport.(*http.Transport).TLSClientConfig.Clone()})
			want := map[bool]string{true: "HTTP/2.0", false: "HTTP/1.1"}[http2on]
			for i := range 5 {
				o := attempt(g, post("", "hello"))
				if string(o.body) != want || (o.HTTP2 != nil) != http2on || o.ConnUses != i || o.End != journey.EndComplete {
					t.Errorf("call %d: %s %q", i, o.show(), o.body)
				}
			}
			if s := g.Stats(); s.Dials != 1 || s.Open != 1 || s.Idle != 1 {
				t.Errorf("%+v", s)
			}
			// Calls that come together find out together.
			g2 := newOrigin(t, g.o)
			var wg sync.WaitGroup
			for range 20 {
				wg.Go(func() {
					if o := attempt(g2, post("", "hello")); string(o.body) != want {
						t.Error(o.show())
					}
				})
			}
			wg.Wait()
			if s := g2.Stats(); http2on && s.Dials > 1 || s.Dials > 20 {
				t.Errorf("%+v", s)
			}
		})
	}
	t.Run("plain", func(t *testing.T) {
		url, _ := rawServer(t, false, answersWith("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
		g := newOrigin(t, OriginOptions{URL: url, Protocol: ProtocolAuto})
		if o := attempt(g, getCall()); o.Status != 200 || o.HTTP2 != nil {
			t.Error(o.show())
		}
	})
}

// TestAnUpgradeGoesOverHTTP1: an upstream of HTTP/2 may well have WebSockets, which it takes over
// HTTP/1.1.
func TestAnUpgradeGoesOverHTTP1(t *testing.T) {
	g, _ := h2Server(t, true, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Proto", r.Proto)
		w.WriteHeader(400)
	})
	call := &Call{Head: []byte("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"), Upgrade: true, Limits: patient}
	if o := attempt(g, call); o.Status != 400 || o.HTTP2 != nil {
		t.Error(o.show())
	}
}

// TestIdleHTTP2ConnectionsAreClosedInTime and with a GOAWAY.
func TestIdleHTTP2ConnectionsAreClosedInTime(t *testing.T) {
	closed := make(chan struct{}, 10)
	g0, s := h2Server(t, false, func(http.ResponseWriter, *http.Request) {}, func(s *http.Server) {
		s.ConnState = func(_ net.Conn, st http.ConnState) {
			if st == http.StateClosed {
				closed <- struct{}{}
			}
		}
	})
	_ = g0
	g := newOrigin(t, OriginOptions{URL: s.URL, Protocol: ProtocolH2C, IdleFor: 60 * time.Millisecond})
	attempt(g, getCall())
	soon(t, "the idle connection's end", closed)
	if s := g.Stats(); s.Open != 0 || s.HTTP2 != 0 {
		t.Errorf("%+v", s)
	}
	g = newOrigin(t, OriginOptions{URL: s.URL, Protocol: ProtocolH2C})
	attempt(g, getCall())
	g.Close()
	soon(t, "the closed origin's connection's end", closed)
	if o := attempt(g, getCall()); o.Status != 200 {
		t.Errorf("an attempt on a closed origin: %s", o.show())
	}
	soon(t, "the end of a connection that a closed origin made", closed)
}

// TestACallOutlivesItsOrigin: calls that began under a configuration end under it, also those that have
// yet to get a connection.
func TestACallOutlivesItsOrigin(t *testing.T) {
	eachRoad(t, func(t *testing.T, secure bool) {
		g, _ := h2Server(t, secure, func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(time.Millisecond)
			_, _ = io.WriteString(w, "ok")
		})
		var wg sync.WaitGroup
		for i := range 16 {
			wg.Go(func() {
				for range 10 {
					if o := attempt(g, post("", "x")); string(o.body) != "ok" || o.End != journey.EndComplete {
						t.Errorf("%s %+v", o.show(), o.HTTP2)
					}
				}
				if i == 3 {
					g.Close()
				}
			})
		}
		wg.Wait()
		if o := attempt(g, getCall()); o.Status != 200 {
			t.Error(o.show())
		}
		for deadline := time.Now().Add(time.Second); g.Stats().Open > 0 && time.Now().Before(deadline); {
			time.Sleep(time.Millisecond)
		}
		if s := g.Stats(); s.Open != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// TestOldHTTP2ConnectionsAreReplaced while calls go on.
func TestOldHTTP2ConnectionsAreReplaced(t *testing.T) {
	_, s := h2Server(t, false, func(_ http.ResponseWriter, r *http.Request) { time.Sleep(5 * time.Millisecond) })
	g := newOrigin(t, OriginOptions{URL: s.URL, Protocol: ProtocolH2C, MaxAge: 40 * time.Millisecond, PingAfter: 10 * time.Millisecond, PingTimeout: 10 * time.Second})
	var wg sync.WaitGroup
	stop := time.Now().Add(400 * time.Millisecond)
	for range 4 {
		wg.Go(func() {
			for time.Now().Before(stop) {
				if o := attempt(g, getCall()); o.Status != 200 {
					t.Error(o.show())
				}
			}
		})
	}
	wg.Wait()
	if s := g.Stats(); s.Dials < 3 {
		t.Errorf("%+v, want a new connection every 40 ms or so", s)
	}
}

// TestADrainingUpstreamLosesNothing: a server that is shut down under load, again and again, finishes
// what it has begun and turns the rest away, and every call is answered.
func TestADrainingUpstreamLosesNothing(t *testing.T) {
	eachRoad(t, func(t *testing.T, secure bool) {
		// The connections of one address go to the server that is up now.
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		server, client := testTLS(t)
		server.NextProtos = []string{"h2"}
		relay := &turnout{conns: make(chan net.Conn), addr: l.Addr()}
		handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			time.Sleep(time.Duration(len(body)%5) * time.Millisecond)
			_, _ = w.Write(body)
		})
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					close(relay.conns)
					return
				}
				relay.conns <- c
			}
		}()
		start := func() *http.Server {
			s := &http.Server{Handler: handler, ErrorLog: quietLog, Protocols: new(http.Protocols), TLSConfig: server.Clone()}
			s.Protocols.SetHTTP2(true)
			s.Protocols.SetUnencryptedHTTP2(true)
			one := &oneOf{turnout: relay, done: make(chan struct{})}
			go func() {
				if secure {
					_ = s.ServeTLS(one, "", "")
				} else {
					_ = s.Serve(one)
				}
			}()
			return s
		}
		o := OriginOptions{URL: "http://" + l.Addr().String(), Protocol: ProtocolH2C}
		if secure {
			o = OriginOptions{URL: "https://" + l.Addr().String(), Protocol: ProtocolHTTP2, TLS: client}
		}
		g := newOrigin(t, o)
		now := start()
		var wg sync.WaitGroup
		var calls atomic.Int64
		stop := make(chan struct{})
		for i := range 16 {
			wg.Go(func() {
				for j := 0; ; j++ {
					select {
					case <-stop:
						return
					default:
					}
					body := fmt.Sprintf("call %d of %d", j, i)
					if o := attempt(g, post("", body)); string(o.body) != body || o.End != journey.EndComplete {
						t.Errorf("%s: %s %+v", body, o.show(), o.HTTP2)
						return
					}
					calls.Add(1)
				}
			})
		}
		for range 10 {
			time.Sleep(20 * time.Millisecond)
			old := now
			now = start()
			if err := old.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
		}
		close(stop)
		wg.Wait()
		g.Close()
		_ = now.Close()
		l.Close()
		t.Logf("%d calls, %+v", calls.Load(), g.Stats())
		if g.Stats().Dials < 5 {
			t.Errorf("%+v: the servers did not drain", g.Stats())
		}
	})
}

// turnout hands connections to the listener that asks.
type turnout struct {
	conns chan net.Conn
	addr  net.Addr
}

type oneOf struct {
	*turnout
	done chan struct{}
	once sync.Once
}

func (o *oneOf) Accept() (net.Conn, error) {
	select {
	case <-o.done:
		return nil, net.ErrClosed
	case c, ok := <-o.conns:
		if !ok {
			return nil, net.ErrClosed
		}
		return c, nil
	}
}
func (o *oneOf) Close() error   { o.once.Do(func() { close(o.done) }); return nil }
func (o *oneOf) Addr() net.Addr { return o.addr }
