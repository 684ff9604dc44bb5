package wire

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"causeway/internal/journey"
)

// TestACutAnswerNeverLooksWhole: an answer that its handler did not end is seen as broken by the
// caller, whatever frames it, with TLS and without.
func TestACutAnswerNeverLooksWhole(t *testing.T) {
	ways := map[string]func(Exchange){
		"returns":       func(Exchange) {},
		"aborts":        func(ex Exchange) { ex.Abort() },
		"flushes first": func(ex Exchange) { _ = ex.Flush() },
	}
	server, client := testTLS(t)
	for _, secure := range []bool{false, true} {
		for name, cut := range ways {
			o := DoorOptions{ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 5 * time.Second, Handler: handler{serve: func(ex Exchange) {
				length := int64(LengthChunked)
				if string(ex.Request().Path) == "/declared" {
					length = 100
				}
				_ = ex.Start(200, "", &Header{}, length, -1)
				_ = ex.Write([]byte("hello"))
				cut(ex)
			}}}
			if secure {
				o.TLS = server
			}
			addr, _ := startDoor(t, o)
			for what, request := range map[string]string{
				"chunked":               get("/"),
				"declared":              get("/declared"),
				"declared, to HTTP/1.0": "GET /declared HTTP/1.0\r\n\r\n",
				"until the end":         "GET / HTTP/1.0\r\n\r\n",
			} {
				t.Run(fmt.Sprintf("%s, the handler %s, TLS %v", what, name, secure), func(t *testing.T) {
					c := dial(t, addr)
					if secure {
						c = dialTLS(t, addr, trusting(client))
					}
					c.send("%s", request)
					_, body, err := c.try("GET")
					if err == nil {
						t.Errorf("%q looks whole", body)
					}
				})
			}
		}
	}
}

func trusting(client *tls.Config) *tls.Config {
	client = client.Clone()
	client.ServerName = "localhost"
	return client
}

// TestACutUpstreamAnswerNeverLooksWholeToTheCaller: through the relay, an answer that the upstream
// breaks is broken for the caller too; and one that ends with its connection is whole.
func TestACutUpstreamAnswerNeverLooksWholeToTheCaller(t *testing.T) {
	for name, c := range map[string]struct {
		answer string
		end    func(net.Conn)
		whole  bool
	}{
		"declared, closed":         {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", closes, false},
		"declared, reset":          {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", resets, false},
		"chunked, closed":          {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", closes, false},
		"chunked, reset":           {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", resets, false},
		"chunked, last CRLF gone":  {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n", closes, false},
		"until the end, closed":    {"HTTP/1.1 200 OK\r\n\r\nhello", closes, true},
		"until the end, reset":     {"HTTP/1.1 200 OK\r\n\r\nhello", resets, false},
		"HTTP/1.0, closed":         {"HTTP/1.0 200 OK\r\n\r\nhello", closes, true},
		"HTTP/1.0, reset":          {"HTTP/1.0 200 OK\r\n\r\nhello", resets, false},
		"until the end, in record": {"HTTP/1.1 200 OK\r\n\r\nhello", cutRecord, false},
		"until the end, at record": {"HTTP/1.1 200 OK\r\n\r\nhello", closesBelow, true},
		"HTTP/1.0, at record":      {"HTTP/1.0 200 OK\r\n\r\nhello", closesBelow, true},
		"declared, in record":      {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", cutRecord, false},
	} {
		for _, secure := range []bool{false, true} {
			if !secure && name[len(name)-6:] == "record" {
				continue
			}
			for what, request := range map[string]string{"HTTP/1.1": get("/"), "HTTP/1.0": "GET / HTTP/1.0\r\nHost: a\r\n\r\n"} {
				t.Run(fmt.Sprintf("%s, TLS %v, to %s", name, secure, what), func(t *testing.T) {
					t.Parallel()
					seen := make(chan struct{})
					url, client := rawServer(t, secure, func(conn net.Conn) {
						if _, err := http.ReadRequest(bufio.NewReader(conn)); err != nil {
							return
						}
						_, _ = io.WriteString(conn, c.answer)
						<-seen // what came before has arrived when the end comes
						c.end(conn)
					})
					addr, _ := relayTo(t, OriginOptions{URL: url, TLS: client}, nil)
					conn := dial(t, addr)
					conn.send("%s", request)
					res, err := readResponse(conn)
					if err != nil {
						t.Fatal(err)
					}
					got := make([]byte, 5)
					if _, err := io.ReadFull(res.Body, got); err != nil || string(got) != "hello" {
						t.Fatalf("got %q, %v", got, err)
					}
					close(seen)
					rest, err := io.ReadAll(res.Body)
					if (err == nil) != c.whole || len(rest) > 0 {
						t.Errorf("after %q came %q and %v, whole should be %v", got, rest, err, c.whole)
					}
				})
			}
		}
	}
}

func closes(c net.Conn) { _ = c.Close() }

func resets(c net.Conn) { reset(c) }

// closesBelow ends TCP where a record ends, without TLS saying so: only the missing close_notify tells it from an end.
func closesBelow(c net.Conn) { _ = c.(*secureConn).below.Conn.Close() }

// TestAnEndWithoutCloseNotifyIsTold: it is where nothing but the connection's end says how long the body is.
func TestAnEndWithoutCloseNotifyIsTold(t *testing.T) {
	for _, c := range []struct {
		answer      string
		end         func(net.Conn)
		unannounced bool
	}{
		{"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello", closesBelow, true},
		{"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello", closes, false},
		{"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello", closesBelow, false},
	} {
		url, client := rawServer(t, true, func(conn net.Conn) {
			if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				_, _ = io.WriteString(conn, c.answer)
				c.end(conn)
			}
		})
		g, err := NewOrigin(OriginOptions{URL: url, TLS: client})
		if err != nil {
			t.Fatal(err)
		}
		var a journey.Attempt
		u := g.Try(getCall(), &a, nobody{})
		if u == nil {
			t.Fatalf("%q: no answer: %+v", c.answer, a)
		}
		var body []byte
		err = nil
		for err == nil {
			var p []byte
			p, err = u.Next()
			body = append(body, p...)
		}
		if got := u.Unannounced(); err != io.EOF || string(body) != "hello" || got != c.unannounced {
			t.Errorf("%q: %q, %v, unannounced %v", c.answer, body, err, got)
		}
		u.Release()
		g.Close()
	}
}

// cutRecord sends half a TLS record and closes below TLS: an attacker's cut, not the peer's end.
func cutRecord(c net.Conn) {
	s := c.(*secureConn)
	hold(c, true)
	_, _ = io.WriteString(c, " and much more")
	s.below.mu.Lock()
	defer s.below.mu.Unlock()
	half := s.below.kept.Bytes()
	_, _ = s.below.Conn.Write(half[:len(half)/2])
	s.below.kept.Reset()
	_ = s.below.Conn.Close()
}

// TestEveryByteArrivesUnderLoad: many answers of changing sizes and framings over few connections.
func TestEveryByteArrivesUnderLoad(t *testing.T) {
	up := newSizedServer(t)
	addr, r := relayTo(t, OriginOptions{URL: up}, nil)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			tr := &http.Transport{}
			defer tr.CloseIdleConnections()
			for j := range 60 {
				n := []int{0, 1, 100, 4000, 16_320, 16_384, 16_400, 70_000, 300_000}[(i+j)%9]
				url := fmt.Sprintf("http://%s/%d?chunked=%v", addr, n, j%2 == 0)
				res, err := (&http.Client{Transport: tr}).Get(url)
				if err != nil {
					t.Error(err)
					return
				}
				got, err := io.Copy(io.Discard, res.Body)
				res.Body.Close()
				if got != int64(n) || err != nil {
					t.Errorf("%s: %d bytes, %v", url, got, err)
				}
			}
		})
	}
	wg.Wait()
	if s := r.origin.Stats(); s.Dials > 16 {
		t.Errorf("%d connections for 8 callers", s.Dials)
	}
}

// newSizedServer answers /N with N bytes.
func newSizedServer(t *testing.T) (url string) {
	url, _ = rawServer(t, false, func(c net.Conn) {
		br := bufio.NewReader(c)
		for {
			rq, err := http.ReadRequest(br)
			if err != nil {
				return
			}
			var n int
			_, _ = fmt.Sscanf(rq.URL.Path, "/%d", &n)
			body := make([]byte, n)
			w := bufio.NewWriter(c)
			if rq.URL.Query().Get("chunked") != "true" {
				fmt.Fprintf(w, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", n, body)
			} else {
				fmt.Fprint(w, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
				for len(body) > 0 {
					piece := body[:min(len(body), 1+n/3)]
					body = body[len(piece):]
					fmt.Fprintf(w, "%x\r\n%s\r\n", len(piece), piece)
				}
				fmt.Fprint(w, "0\r\n\r\n")
			}
			_ = w.Flush()
		}
	})
	return url
}
