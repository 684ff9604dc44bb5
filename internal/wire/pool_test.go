package wire

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"causeway/internal/journey"
)

// answersWith answers every request of a connection with the same text.
func answersWith(text string) func(net.Conn) {
	return func(c net.Conn) {
		br := bufio.NewReader(c)
		for {
			rq, err := http.ReadRequest(br)
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, rq.Body)
			_, _ = io.WriteString(c, text)
		}
	}
}

func TestConnectionsAreKeptWhereBothSidesCan(t *testing.T) {
	for name, c := range map[string]struct {
		answer string
		kept   bool
	}{
		"declared":                    {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", true},
		"empty":                       {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true},
		"chunked":                     {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", true},
		"chunked with a trailer":      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-A: b\r\n\r\n", true},
		"204":                         {"HTTP/1.1 204 No Content\r\n\r\n", true},
		"304":                         {"HTTP/1.1 304 Not Modified\r\nETag: a\r\n\r\n", true},
		"behind interim answers":      {"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true},
		"HTTP/1.0 with keep-alive":    {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", true},
		"HTTP/1.0":                    {"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", false},
		"HTTP/1.0, close wins":        {"HTTP/1.0 200 OK\r\nConnection: close\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", false},
		"close":                       {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", false},
		"Keep-Alive of no time":       {"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=0\r\nContent-Length: 2\r\n\r\nok", false},
		"Keep-Alive of a long time":   {"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=100\r\nContent-Length: 2\r\n\r\nok", true},
		"more than the answer":        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n", false},
		"an answer that is malformed": {"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", false},
	} {
		for _, secure := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, TLS %v", name, secure), func(t *testing.T) {
				t.Parallel()
				url, client := rawServer(t, secure, answersWith(c.answer))
				g := newOrigin(t, OriginOptions{URL: url, TLS: client})
				for i := range 5 {
					if o := attempt(g, getCall()); o.Reused != (c.kept && i > 0) || c.kept && o.ConnUses != i {
						t.Fatalf("call %d: %s, %d uses", i, o.show(), o.ConnUses)
					}
				}
				want := OriginStats{Open: 0, Idle: 0, Dials: 5}
				if c.kept {
					want = OriginStats{Open: 1, Idle: 1, Dials: 1, Reuses: 4}
				} else if name == "Keep-Alive of no time" {
					want.Open, want.Idle = 1, 1 // it is thrown away when it is looked at
				}
				if got := g.Stats(); got != want {
					t.Errorf("%+v, want %+v", got, want)
				}
			})
		}
	}
}

func TestAConnectionWhoseAnswerWasNotReadIsNotKept(t *testing.T) {
	url, _ := rawServer(t, false, answersWith("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
	g := newOrigin(t, OriginOptions{URL: url})
	var a journey.Attempt
	g.Try(getCall(), &a, nobody{}).Release()
	if s := g.Stats(); s.Open != 0 || s.Idle != 0 || a.End != journey.EndOpen {
		t.Errorf("%+v, end %s", s, a.End)
	}
}

func TestThePoolKeepsNoMoreThanItMay(t *testing.T) {
	url, _ := rawServer(t, false, answersWith("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
	g := newOrigin(t, OriginOptions{URL: url, MaxIdle: 3})
	var held []*Upcall
	for range 5 {
		var a journey.Attempt
		u := g.Try(getCall(), &a, nobody{})
		if _, err := u.Next(); err != nil {
			t.Fatal(err)
		}
		held = append(held, u)
	}
	for _, u := range held {
		u.Release()
	}
	if s := g.Stats(); s.Open != 3 || s.Idle != 3 {
		t.Errorf("%+v, want 3 kept", s)
	}
}

func TestIdleConnectionsOfThePoolAreClosedInTime(t *testing.T) {
	closed := make(chan struct{}, 1)
	url, _ := rawServer(t, false, func(c net.Conn) {
		answersWith("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")(c)
		closed <- struct{}{}
	})
	g := newOrigin(t, OriginOptions{URL: url, IdleFor: 60 * time.Millisecond})
	attempt(g, getCall())
	began := time.Now()
	soon(t, "the idle connection's end", closed)
	if took := time.Since(began); took < 50*time.Millisecond {
		t.Errorf("closed after %v, may be idle for 60 ms", took)
	}
	if s := g.Stats(); s.Open != 0 || s.Idle != 0 {
		t.Errorf("%+v", s)
	}
}

func TestAClosedOriginKeepsNothing(t *testing.T) {
	url, _ := rawServer(t, false, answersWith("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
	g := newOrigin(t, OriginOptions{URL: url})
	attempt(g, getCall())
	g.Close()
	g.Close()
	if s := g.Stats(); s.Open != 0 || s.Idle != 0 {
		t.Errorf("closed: %+v", s)
	}
	if o := attempt(g, getCall()); o.Status != 200 || g.Stats().Open != 0 {
		t.Errorf("an attempt on a closed origin: %s, %+v", o.show(), g.Stats())
	}
}

// TestHTTPSOriginsResumeSessions: the second connection to an upstream does not shake hands anew.
func TestHTTPSOriginsResumeSessions(t *testing.T) {
	resumed := make(chan bool, 10)
	up := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		resumed <- r.TLS.DidResume
		w.Header().Set("Connection", "close")
		_, _ = io.WriteString(w, strings.Repeat("x", 100_000))
	}))
	defer up.Close()
	g := newOrigin(t, OriginOptions{URL: up.URL, TLS: up.Client().Transport.(*http.Transport).TLSClientConfig})
	for i, want := range []bool{false, true, true} {
		o := attempt(g, getCall())
		if o.Status != 200 || len(o.body) != 100_000 || o.TLSTime <= 0 || o.ConnectTime <= 0 {
			t.Fatalf("%s, TLS %v, connect %v", o.show(), o.TLSTime, o.ConnectTime)
		}
		if got := <-resumed; got != want {
			t.Errorf("connection %d: resumed is %v", i, got)
		}
	}
}

func TestATLSDoorServesCalls(t *testing.T) {
	server, client := testTLS(t)
	up := newEchoServer(t)
	r, err := newRelay(up.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.origin.Close)
	bad := make(chan error, 10)
	addr, _ := startDoor(t, DoorOptions{
		Handler: r, TLS: server, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 5 * time.Second,
		OnHandshake: func(f HandshakeFailure) { bad <- f.Err },
	})
	tr := &http.Transport{TLSClientConfig: trusting(client)}
	defer tr.CloseIdleConnections()
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for j := range 10 {
				body := strings.Repeat("x", []int{0, 10, 5000, 200_000}[(i+j)%4])
				res, err := (&http.Client{Transport: tr}).Post("https://"+addr+"/x", "text/plain", strings.NewReader(body))
				if err != nil {
					t.Error(err)
					return
				}
				got, err := io.ReadAll(res.Body)
				res.Body.Close()
				if want := fmt.Sprintf("POST /x %d ", len(body)); !strings.HasPrefix(string(got), want) || err != nil {
					t.Errorf("got %q, %v, want %q", got, err, want)
				}
			}
		})
	}
	wg.Wait()
	plain := dial(t, addr)
	plain.send("%s", get("/"))
	if err := soon(t, "the failed handshake", bad); err == nil {
		t.Error("a plain request shook hands")
	}
	stranger, err := tls.Dial("tcp", addr, &tls.Config{ServerName: "localhost"})
	if err == nil {
		stranger.Close()
		t.Error("an unknown certificate was accepted")
	}
	soon(t, "the handshake that the caller broke off", bad)
}

func TestATLSCallerWhoSaysNothingIsClosed(t *testing.T) {
	server, client := testTLS(t)
	bad := make(chan error, 1)
	addr, _ := startDoor(t, DoorOptions{
		Handler: handler{serve: func(ex Exchange) {
			if ex.TLS() == nil || !ex.TLS().HandshakeComplete {
				t.Error("the exchange does not know of TLS")
			}
			reply(ex, 200, "ok")
		}}, TLS: server, ReadHeaderTimeout: 80 * time.Millisecond, IdleTimeout: 80 * time.Millisecond,
		OnHandshake: func(f HandshakeFailure) { bad <- f.Err },
	})
	silent := dial(t, addr)
	silent.wantEnd("FIN")
	if err := soon(t, "the handshake's end", bad); !isTimeout(err) {
		t.Errorf("the handshake ended with %v", err)
	}
	c := dialTLS(t, addr, trusting(client))
	c.send("%s", get("/"))
	c.want("GET", 200, "ok")
	c.wantEnd("FIN")
}

func TestUnixTargets(t *testing.T) {
	path := t.TempDir() + "/app.sock"
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Host) })}
	var wg sync.WaitGroup
	wg.Go(func() { _ = srv.Serve(l) })
	defer wg.Wait()
	defer srv.Close()
	g := newOrigin(t, OriginOptions{URL: "unix:" + path})
	for i := range 3 {
		if o := attempt(g, getCall()); o.Status != 200 || string(o.body) != "orders.test" || o.Address != path || o.Reused != (i > 0) {
			t.Errorf("%s from %q: %q", o.show(), o.Address, o.body)
		}
	}
}

func TestURLsOfTargets(t *testing.T) {
	for url, want := range map[string]string{
		"http://a":              "http a  80",
		"http://a:8080/":        "http a:8080  8080",
		"https://a/api/v1/":     "https a /api/v1 443",
		"http://[::1]:80/x%2Fy": "http [::1]:80 /x%2Fy 80",
		"unix:/run/a.sock":      "http localhost  /run/a.sock",
		"unix:/run/a.sock:/x/":  "http localhost /x /run/a.sock",
	} {
		g, err := NewOrigin(OriginOptions{URL: url})
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		where := g.port
		if g.unix {
			where = g.name
		}
		if got := fmt.Sprintf("%s %s %s %s", g.Scheme, g.Host, g.Prefix, where); got != want {
			t.Errorf("%s is %q, want %q", url, got, want)
		}
	}
	for _, url := range []string{"", "a:80", "ftp://a", "http://", "unix:", "unix::/x", "http://a:b", "//a"} {
		if g, err := NewOrigin(OriginOptions{URL: url}); err == nil {
			t.Errorf("%q was taken for %s %s", url, g.Scheme, g.Host)
		}
	}
}
