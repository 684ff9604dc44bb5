package wire

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestContinueIsSentWhenTheBodyIsFirstRead(t *testing.T) {
	addr := serve(t, func(ex Exchange) {
		// The interim answer shows when: 100 comes behind it, with the first read.
		_ = ex.Inform(102, &Header{})
		body, err := readAll(ex)
		reply(ex, 200, fmt.Sprint(body, err))
	})
	for name, framing := range map[string][2]string{
		"declared": {"Content-Length: 5\r\n", "hello"},
		"chunked":  {"Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			c := dial(t, addr)
			c.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\n%s\r\n", framing[0])
			c.want("POST", 102, "")
			if got := c.raw(len(continueLine)); got != string(continueLine) {
				t.Fatalf("got %q", got)
			}
			c.send("%s", framing[1])
			c.want("POST", 200, "hello<nil>")
			c.send("%s", get("/"))
			c.want("GET", 102, "")
			c.want("GET", 200, "<nil>")
		})
	}
}

func TestContinueIsNotSentToThoseWhoAreRefused(t *testing.T) {
	addr := serve(t, func(ex Exchange) { reply(ex, 401, "no") })
	c := dial(t, addr)
	c.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
	if res := c.want("POST", 401, "no"); !res.Close {
		t.Error("the answer does not say that the connection ends: the body may or may not follow")
	}
	c.wantEnd("FIN")
}

func TestContinueIsNotSentWithoutABodyOrToHTTP10OrToThoseWhoDidNotWait(t *testing.T) {
	addr := serve(t, func(ex Exchange) {
		body, _ := readAll(ex)
		reply(ex, 200, body)
	})
	for _, request := range []string{
		"GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n",
		"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nab",
	} {
		c := dial(t, addr)
		c.send("%s", request)
		if res, _ := c.answer("POST"); res.StatusCode != 200 {
			t.Errorf("%q: %s", request, res.Status)
		}
	}
}

func TestBufferedTakesABodyThatIsThereAndAsksForNone(t *testing.T) {
	addr := serve(t, func(ex Exchange) {
		body, ok := ex.Buffered()
		reply(ex, 200, fmt.Sprintf("%s %v %d", body, ok, ex.BytesIn()))
	})
	c := dial(t, addr)
	c.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello%s", get("/"))
	c.want("POST", 200, "hello true 5")
	c.want("GET", 200, " true 0")
	c.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
	c.want("POST", 200, " false 0")
}

func TestAnswersWithoutABodySayWhatTheyMust(t *testing.T) {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/declared":
			w.Header().Set("Content-Length", "1000")
			if r.Method != http.MethodHead {
				_, _ = io.WriteString(w, strings.Repeat("x", 1000))
			}
		case "/chunked":
			_, _ = io.WriteString(w, "hello")
			w.(http.Flusher).Flush()
		case "/204":
			w.WriteHeader(204)
		case "/304":
			w.Header().Set("ETag", `"a"`)
			w.WriteHeader(304)
		}
	}))
	defer up.Close()
	addr, _ := relayTo(t, OriginOptions{URL: up.URL}, nil)
	c := dial(t, addr)
	for range 2 {
		c.send("HEAD /declared HTTP/1.1\r\nHost: a\r\n\r\n")
		if res := c.want("HEAD", 200, ""); res.ContentLength != 1000 {
			t.Errorf("HEAD: Content-Length %d", res.ContentLength)
		}
		c.send("HEAD /chunked HTTP/1.1\r\nHost: a\r\n\r\n")
		c.want("HEAD", 200, "")
		c.send("%s", get("/204"))
		if res := c.want("GET", 204, ""); res.Header.Get("Content-Length") != "" || res.Header.Get("Transfer-Encoding") != "" {
			t.Errorf("204 with %v", res.Header)
		}
		c.send("%s", get("/304"))
		if res := c.want("GET", 304, ""); res.Header.Get("ETag") != `"a"` {
			t.Errorf("304 with %v", res.Header)
		}
		c.send("%s", get("/chunked"))
		c.want("GET", 200, "hello")
	}
}

func TestTrailersPassBothWays(t *testing.T) {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Trailer", "X-Out")
		_, _ = io.WriteString(w, r.Trailer.Get("X-In")+"|"+r.Trailer.Get("Authorization")+"|"+r.Trailer.Get("Host"))
		w.Header().Set("X-Out", "there")
	}))
	defer up.Close()
	addr, _ := relayTo(t, OriginOptions{URL: up.URL}, nil)
	c := dial(t, addr)
	for range 2 {
		c.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-In\r\n\r\n5\r\nhello\r\n0\r\nX-In: here\r\nAuthorization: no\r\nHost: no\r\n\r\n")
		if res := c.want("POST", 200, "here||"); res.Trailer.Get("X-Out") != "there" {
			t.Errorf("trailer %v", res.Trailer)
		}
	}
}

func TestForbiddenTrailersOfAnAnswerAreLeftOut(t *testing.T) {
	url, _ := rawServer(t, false, func(c net.Conn) {
		skipRequest(c)
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nContent-Length: 5\r\nTransfer-Encoding: x\r\nX-A: b\r\n\r\n")
	})
	addr, _ := relayTo(t, OriginOptions{URL: url}, nil)
	c := dial(t, addr)
	c.send("%s", get("/"))
	if res := c.want("GET", 200, "ok"); res.Trailer.Get("X-A") != "b" || len(res.Trailer) != 1 {
		t.Errorf("trailer %v", res.Trailer)
	}
}

func TestInterimAnswersPassToHTTP11Only(t *testing.T) {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</a.css>")
		w.WriteHeader(103)
		w.WriteHeader(103)
		w.Header().Del("Link")
		_, _ = io.WriteString(w, "ok")
	}))
	defer up.Close()
	addr, _ := relayTo(t, OriginOptions{URL: up.URL}, nil)
	c := dial(t, addr)
	for range 2 {
		c.send("%s", get("/"))
		for range 2 {
			if res := c.want("GET", 103, ""); res.Header.Get("Link") != "</a.css>" {
				t.Errorf("103 with %v", res.Header)
			}
		}
		c.want("GET", 200, "ok")
	}
	old := dial(t, addr)
	old.send("GET / HTTP/1.0\r\nHost: a\r\n\r\n")
	old.want("GET", 200, "ok")
	old.wantEnd("FIN")
}

func TestHTTP10KeepsTheConnectionOnlyIfAsked(t *testing.T) {
	addr := serve(t, func(ex Exchange) { reply(ex, 200, string(ex.Request().Path)) })
	c := dial(t, addr)
	for i := range 3 {
		c.send("GET /%d HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", i)
		if res := c.want("GET", 200, fmt.Sprintf("/%d", i)); res.Header.Get("Connection") != "keep-alive" {
			t.Errorf("the answer says Connection: %q", res.Header.Get("Connection"))
		}
	}
	c.send("GET /last HTTP/1.0\r\n\r\n")
	c.want("GET", 200, "/last")
	c.wantEnd("FIN")
}

func TestHTTP10GetsABodyOfUnknownLengthUntilTheEnd(t *testing.T) {
	addr := serve(t, func(ex Exchange) {
		_ = ex.Start(200, "", &Header{}, LengthChunked, -1)
		_ = ex.Write([]byte("hello "))
		_ = ex.Flush()
		_ = ex.Write([]byte("world"))
		_ = ex.End(nil)
	})
	c := dial(t, addr)
	c.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
	res := c.want("GET", 200, "hello world")
	if !res.Close || len(res.TransferEncoding) > 0 {
		t.Errorf("close %v, coding %v", res.Close, res.TransferEncoding)
	}
	c.wantEnd("FIN")
}

func TestConnectionEndsWhereEitherSideSaysSo(t *testing.T) {
	addr := serve(t, func(ex Exchange) {
		if string(ex.Request().Path) == "/close" {
			ex.Close()
		}
		reply(ex, 200, "ok")
	})
	byCaller := dial(t, addr)
	byCaller.send("%s%s", get("/", "Connection: close"), get("/"))
	if res := byCaller.want("GET", 200, "ok"); !res.Close {
		t.Error("the answer does not say that the connection ends")
	}
	byCaller.wantEnd("FIN")
	byHandler := dial(t, addr)
	byHandler.send("%s%s", get("/close"), get("/"))
	if res := byHandler.want("GET", 200, "ok"); !res.Close {
		t.Error("the answer does not say that the connection ends")
	}
	byHandler.wantEnd("FIN")
}

func TestBodyThatNobodyReadIsSkippedIfShort(t *testing.T) {
	addr := serve(t, func(ex Exchange) { reply(ex, 200, string(ex.Request().Path)) })
	c := dial(t, addr)
	c.send("POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n%5000s", "")
	c.send("POST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n%s", get("/3"))
	for _, path := range []string{"/1", "/2", "/3"} {
		c.want("POST", 200, path)
	}
	c.send("POST /4 HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n")
	c.want("POST", 200, "/4")
	c.wantEnd("FIN")
}

func TestWithdrawTakesBackWhatHasNotBeenSent(t *testing.T) {
	addr := serve(t, func(ex Exchange) {
		_ = ex.Start(200, "", &Header{}, 100, -1)
		_ = ex.Write([]byte("of a hundred bytes"))
		if string(ex.Request().Path) == "/flushed" {
			_ = ex.Flush()
		}
		if !ex.Withdraw() {
			return // and the answer is cut
		}
		if ex.Started() || ex.BytesOut() != 0 {
			t.Errorf("withdrawn, but started %v with %d bytes", ex.Started(), ex.BytesOut())
		}
		reply(ex, 502, "sorry")
	})
	c := dial(t, addr)
	for range 2 {
		c.send("%s", get("/"))
		c.want("GET", 502, "sorry")
	}
	c.send("%s", get("/flushed"))
	if _, body, err := c.try("GET"); err == nil || body != "of a hundred bytes" {
		t.Errorf("a flushed answer: %q, %v", body, err)
	}
}

func TestAnswersAreHeldToTheirLength(t *testing.T) {
	errs := make(chan error, 4)
	addr := serve(t, func(ex Exchange) {
		_ = ex.Start(200, "", &Header{}, 5, -1)
		errs <- ex.Write([]byte("too long"))
		errs <- ex.Write([]byte("four"))
		errs <- ex.End(nil)
	})
	c := dial(t, addr)
	c.send("%s", get("/"))
	if _, body, err := c.try("GET"); err == nil || body != "four" {
		t.Errorf("got %q, %v; want four of five bytes and a cut", body, err)
	}
	for _, want := range []error{errTooMuchBody, nil, errTooLittle} {
		if got := <-errs; got != want {
			t.Errorf("got %v, want %v", got, want)
		}
	}
}

func TestHopByHopFieldsStayOnTheirConnection(t *testing.T) {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, name := range []string{"Connection", "Keep-Alive", "Proxy-Connection", "Te", "Upgrade", "Transfer-Encoding"} {
			if v := r.Header.Get(name); v != "" {
				t.Errorf("%s: %s reached the upstream", name, v)
			}
		}
		w.Header().Set("Keep-Alive", "timeout=7")
		w.Header().Set("Proxy-Connection", "keep-alive")
		_, _ = io.WriteString(w, "ok")
	}))
	defer up.Close()
	addr, _ := relayTo(t, OriginOptions{URL: up.URL}, nil)
	c := dial(t, addr)
	c.send("%s", get("/", "Connection: keep-alive, upgrade", "Keep-Alive: 300", "Proxy-Connection: x", "TE: trailers", "Upgrade: h2c"))
	if res := c.want("GET", 200, "ok"); res.Header.Get("Keep-Alive") != "" || res.Header.Get("Proxy-Connection") != "" {
		t.Errorf("the caller got %v", res.Header)
	}
}

func TestTheDateIsAddedOnlyWhereItIsMissing(t *testing.T) {
	addr := serve(t, func(ex Exchange) {
		h := &Header{}
		if string(ex.Request().Path) == "/dated" {
			h.AddString("Date", "Mon, 01 Jan 2024 00:00:00 GMT")
		}
		_ = ex.Start(200, "", h, 0, -1)
		_ = ex.End(nil)
	})
	c := dial(t, addr)
	c.send("%s%s", get("/"), get("/dated"))
	res, _ := c.answer("GET")
	if at, err := http.ParseTime(res.Header.Get("Date")); err != nil || time.Since(at).Abs() > time.Minute {
		t.Errorf("Date %q: %v", res.Header.Get("Date"), err)
	}
	res, _ = c.answer("GET")
	if got := res.Header.Values("Date"); len(got) != 1 || got[0] != "Mon, 01 Jan 2024 00:00:00 GMT" {
		t.Errorf("Date %q", got)
	}
}
