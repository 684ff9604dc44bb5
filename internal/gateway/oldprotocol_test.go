package gateway

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/net/http2"

	"causeway/internal/fault"
)

// wantsHTTP1 is an upstream that agrees to HTTP/2 and then asks for HTTP/1.1, by RST_STREAM or by GOAWAY.
type wantsHTTP1 struct {
	url      string
	over2    atomic.Int64 // requests that came over HTTP/2
	over1    atomic.Int64
	byGoAway bool
}

func newWantsHTTP1(t *testing.T, byGoAway bool) *wantsHTTP1 {
	up := &wantsHTTP1{byGoAway: byGoAway}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		up.over1.Add(1)
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s", r.Proto, body)
	}))
	s.TLS = &tls.Config{NextProtos: []string{"h2", "http/1.1"}}
	s.Config.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){
		"h2": func(_ *http.Server, c *tls.Conn, _ http.Handler) { up.refuse(c) },
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	up.url = s.URL
	return up
}

func (up *wantsHTTP1) refuse(c net.Conn) {
	if _, err := io.ReadFull(c, make([]byte, len(http2.ClientPreface))); err != nil {
		return
	}
	fr := http2.NewFramer(c, c)
	_ = fr.WriteSettings()
	for {
		f, err := fr.ReadFrame()
		if err != nil {
			return
		}
		if h, ok := f.(*http2.HeadersFrame); ok {
			up.over2.Add(1)
			if up.byGoAway {
				_ = fr.WriteGoAway(h.StreamID, http2.ErrCodeHTTP11Required, nil)
				return
			}
			_ = fr.WriteRSTStream(h.StreamID, http2.ErrCodeHTTP11Required)
		}
	}
}

// TestAnUpstreamThatAsksForHTTP1 gets it with protocol auto, from the first call on and without a setting
// for retries; with h2 the finding says what to do.
func TestAnUpstreamThatAsksForHTTP1(t *testing.T) {
	for _, byGoAway := range []bool{false, true} {
		t.Run(fmt.Sprintf("by GOAWAY: %v", byGoAway), func(t *testing.T) {
			up := newWantsHTTP1(t, byGoAway)
			config := func(protocol string) string {
				return strings.NewReplacer("URL", up.url, "PROTOCOL", protocol).Replace(`
version: 1
services:
  s: {access: open, routes: [{path: /s/*}], upstream: {protocol: PROTOCOL, retries: {max: 0}, tls: {insecure_skip_verify: true}, targets: [{url: "URL"}]}}
`)
			}
			r := newRig(t, config("auto"))
			a := r.call(t, "POST /s/x HTTP/1.1\nHost: h\nContent-Length: 5\n\nhello")
			if a.status != 200 || a.body != "HTTP/1.1 hello" {
				t.Fatalf("got %d %q", a.status, a.body)
			}
			j := r.record(t, a)
			if n := len(j.Attempts); n != 2 || j.Attempts[0].Kind != "http2_http_1_1_required" || !strings.Contains(j.Attempts[0].Again, "HTTP/1.1") || j.Attempts[1].HTTP2 != nil {
				t.Fatalf("%d attempts: %+v", n, j.Attempts)
			}
			a = r.call(t, "GET /s/x HTTP/1.1\nHost: h\n\n")
			if n := len(r.record(t, a).Attempts); a.status != 200 || n != 1 || up.over2.Load() != 1 || up.over1.Load() != 2 {
				t.Errorf("got %d after %d attempts; %d and %d requests", a.status, n, up.over2.Load(), up.over1.Load())
			}

			r = newRig(t, config("h2"))
			a = r.call(t, "GET /s/x HTTP/1.1\nHost: h\n\n")
			j = r.record(t, a)
			if a.status != 502 || len(j.Attempts) != 1 || j.Attempts[0].Kind != "http2_http_1_1_required" || !strings.Contains(a.body, "http2_http_1_1_required") {
				t.Errorf("got %d %s", a.status, a.body)
			}
			if e := fault.Lookup(j.Attempts[0].Kind); e == nil || !strings.Contains(strings.Join(e.OperatorAdvice, " "), "or to auto") {
				t.Errorf("the advice: %+v", e)
			}
		})
	}
}
