package e2e

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// h2Upstream is net/http's HTTP/2 server, over TLS or, as h2c, without; its certificate is for
// example.com.
func h2Upstream(t *testing.T, secure bool, h http.HandlerFunc) (s *httptest.Server, tls string) {
	t.Helper()
	s = httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	if !secure {
		s.Config.Protocols = new(http.Protocols)
		s.Config.Protocols.SetUnencryptedHTTP2(true)
		s.Start()
		t.Cleanup(s.Close)
		return s, ""
	}
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	return s, fmt.Sprintf("tls: {ca_file: %q, server_name: example.com}", pemFile(t, s.Certificate().Raw))
}

// pemFile writes a certificate where the gateway can read it.
func pemFile(t *testing.T, der []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// http2Attempt is what the admin API tells of an attempt's HTTP/2.
func (g *gateway) http2Attempt(t *testing.T, id string) (stream int, code string) {
	t.Helper()
	g.record(t, id)
	var c struct {
		Attempts []struct {
			HTTP2 *struct {
				Stream int    `json:"stream"`
				Code   string `json:"code"`
			} `json:"http2"`
		} `json:"attempts"`
	}
	_, body := g.get(t, "/api/v1/calls/"+id, "")
	decode(t, body, &c)
	if len(c.Attempts) == 0 || c.Attempts[0].HTTP2 == nil {
		return 0, ""
	}
	return c.Attempts[0].HTTP2.Stream, c.Attempts[0].HTTP2.Code
}

// TestHTTP2Upstreams: what an HTTP/1.1 caller gets from h2, h2c and auto upstreams is what it gets from
// HTTP/1.1, and each is spoken to as configured.
func TestHTTP2Upstreams(t *testing.T) {
	t.Parallel()
	handler := func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Proto", r.Proto)
		switch {
		case strings.HasSuffix(r.URL.Path, "/healthz"):
		case strings.HasSuffix(r.URL.Path, "/hints"):
			w.Header().Set("Link", "</a.css>")
			w.WriteHeader(103)
			fallthrough
		default:
			w.Header().Set("X-Host", r.Host)
			_, _ = w.Write(bytes.ToUpper(body))
		}
	}
	plain, _ := h2Upstream(t, false, handler)
	secure, trust := h2Upstream(t, true, handler)
	old := httptest.NewUnstartedServer(http.HandlerFunc(handler))
	old.StartTLS()
	t.Cleanup(old.Close)
	oldTrust := fmt.Sprintf("tls: {ca_file: %q, server_name: example.com}", pemFile(t, old.Certificate().Raw))
	health := ", health: {path: /healthz, interval: 50ms, timeout: 10s, unhealthy_after: 1}"
	g := serve(t, "version: 1\nservices:\n"+
		openService("h2c", fmt.Sprintf("targets: [{url: %q}], protocol: h2c", plain.URL)+health)+
		openService("h2", fmt.Sprintf("targets: [{url: %q}], protocol: h2, %s", secure.URL, trust)+health)+
		openService("auto", fmt.Sprintf("targets: [{url: %q}], protocol: auto, %s", secure.URL, trust)+health)+
		openService("old", fmt.Sprintf("targets: [{url: %q}], protocol: auto, %s", old.URL, oldTrust)+health)+
		openService("http1", fmt.Sprintf("targets: [{url: %q}], %s", secure.URL, trust)+health))
	c := client(t)
	big := strings.Repeat("abcdefgh", 512<<10)
	for name, proto := range map[string]string{"h2c": "HTTP/2.0", "h2": "HTTP/2.0", "auto": "HTTP/2.0", "old": "HTTP/1.1", "http1": "HTTP/1.1"} {
		t.Run(name, func(t *testing.T) {
			for path, body := range map[string]string{"": "", "x": "hello", "big": big, "hints": "y"} {
				a := fetch(t, c, "POST", g.URL+"/"+name+"/"+path, strings.NewReader(body))
				want(t, "status", a.status, 200)
				want(t, "protocol", a.header.Get("X-Proto"), proto)
				if string(a.body) != strings.ToUpper(body) {
					t.Errorf("%s: %d bytes for %d", path, len(a.body), len(body))
				}
				stream, _ := g.http2Attempt(t, a.id)
				want(t, "is HTTP/2 in the log", stream > 0, proto == "HTTP/2.0")
			}
			want(t, "healthy", g.metric(t, fmt.Sprintf("causeway_target_healthy{provider=\"\",service=%q,target=%q}", name, map[string]string{"h2c": plain.URL, "old": old.URL}[name]+map[bool]string{true: secure.URL}[name != "h2c" && name != "old"])), 1.0)
		})
	}
	want(t, "connections of h2c", g.targetMetric(t, "target_http2_connections", "h2c", plain.URL), 1.0)
	// A health check may be on its way.
	eventually(t, "no stream of h2c", func() bool { return g.targetMetric(t, "target_http2_streams", "h2c", plain.URL) == 0.0 })
}

// TestDrainingHTTP2UpstreamsLoseNothing: a server that is replaced again and again, gracefully, while
// callers who repeat nothing send calls that may not be made twice.
func TestDrainingHTTP2UpstreamsLoseNothing(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	addr := l.Addr().String()
	seen := sync.Map{}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if n, twice := seen.LoadOrStore(string(body), 1); twice {
			t.Errorf("the call %s was worked on twice (%v)", body, n)
		}
		time.Sleep(time.Duration(len(body)%3) * time.Millisecond)
		_, _ = w.Write(body)
	})
	begin := func() *http.Server {
		s := &http.Server{Handler: handler, Protocols: new(http.Protocols), ErrorLog: log.New(io.Discard, "", 0)}
		s.Protocols.SetUnencryptedHTTP2(true)
		// Every server accepts from the one queue, so that none is refused between two of them.
		f, err := l.(*net.TCPListener).File()
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		shared, err := net.FileListener(f)
		if err != nil {
			t.Fatal(err)
		}
		go func() { _ = s.Serve(shared) }()
		return s
	}
	now := begin()
	g := serve(t, "version: 1\nservices:\n"+openService("s", fmt.Sprintf("targets: [{url: \"http://%s\"}], protocol: h2c, retries: {max: 0}", addr)))
	c := client(t)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	var calls atomic.Int64
	for i := range 8 {
		wg.Go(func() {
			for j := 0; ; j++ {
				select {
				case <-stop:
					return
				default:
				}
				body := fmt.Sprintf("%d of %d", j, i)
				a, err := try(t.Context(), c, "POST", g.URL+"/s/x", strings.NewReader(body))
				if err != nil || a.status != 200 || string(a.body) != body {
					t.Errorf("call %s: %v", body, err)
					if a != nil {
						t.Errorf("%s %s", a.line, clip(a.body))
					}
					return
				}
				calls.Add(1)
			}
		})
	}
	for range 6 {
		time.Sleep(80 * time.Millisecond)
		before := calls.Load()
		eventually(t, "some calls at this server", func() bool { return calls.Load() >= before+5 })
		old := now
		now = begin()
		if err := old.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	wg.Wait()
	_ = now.Close()
	t.Logf("%d calls, %v moved", calls.Load(), g.targetMetric(t, "target_http2_moved_total", "s", "http://"+addr))
}

// TestProvidersSpeakHTTP2: streams of a provider that agrees to HTTP/2 share one connection.
func TestProvidersSpeakHTTP2(t *testing.T) {
	t.Parallel()
	gate := make(chan struct{})
	var now atomic.Int64
	s, trust := h2Upstream(t, true, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		chunk := func(delta, finish string) {
			fmt.Fprintf(w, "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{%s},\"finish_reason\":%s}]}\n\n", delta, finish)
			_ = http.NewResponseController(w).Flush()
		}
		chunk(`"role":"assistant","content":"`+r.Proto+`"`, "null")
		now.Add(1)
		<-gate
		chunk("", `"stop"`)
		_, _ = io.WriteString(w, "data: [DONE]\n\n")
	})
	const key = "e2e-http2-key-0123456789"
	g := serve(t, fmt.Sprintf("version: 1\nproviders:\n  p: {kind: openai-compatible, base_url: \"%s/v1\", keys: [sk-upstream-0123456789], %s}\napplications:\n  a: {keys: [%s], subscribes: [models/*]}\n", s.URL, trust, key))
	c := client(t)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			a, err := try(t.Context(), c, "POST", g.URL+"/v1/chat/completions", strings.NewReader(`{"model":"p/m","stream":true,"messages":[{"role":"user","content":"x"}]}`),
				"Authorization", "Bearer "+key, "Content-Type", "application/json")
			if err != nil {
				t.Error(err)
				return
			}
			if a.status != 200 || !bytes.HasSuffix(a.body, []byte("data: [DONE]\n\n")) || !bytes.Contains(a.body, []byte("HTTP/2.0")) {
				t.Errorf("%d %s", a.status, clip(a.body))
			}
		})
	}
	for deadline := time.Now().Add(patience); now.Load() < 20; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Errorf("%d of 20 streams have begun", now.Load())
			break
		}
	}
	metric := func(name string) float64 {
		return g.metric(t, fmt.Sprintf("causeway_target_http2_%s{provider=\"p\",service=\"\",target=%q}", name, s.URL+"/v1"))
	}
	want(t, "streams", metric("streams"), 20.0)
	want(t, "connections", metric("connections"), 1.0)
	close(gate)
	wg.Wait()
	want(t, "streams at the end", metric("streams"), 0.0)
}

// TestExplainsHTTP2: the explanation of a call that an upstream reset names code and stream.
func TestExplainsHTTP2(t *testing.T) {
	t.Parallel()
	s, _ := h2Upstream(t, false, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	g := serve(t, "version: 1\nservices:\n"+openService("s", fmt.Sprintf("targets: [{url: %q}], protocol: h2c, retries: {max: 0}", s.URL)))
	a := fetch(t, client(t), "POST", g.URL+"/s/x", strings.NewReader("x"), "Accept", "application/json")
	want(t, "status", a.status, 502)
	var p struct {
		Kind     string   `json:"kind"`
		Evidence []string `json:"evidence"`
	}
	if err := json.Unmarshal(a.body, &p); err != nil {
		t.Fatal(err)
	}
	want(t, "kind", p.Kind, "http2_internal_error")
	contains(t, "evidence", strings.Join(p.Evidence, "\n"), "RST_STREAM received: INTERNAL_ERROR (0x2)")
	stream, code := g.http2Attempt(t, a.id)
	want(t, "stream and code", fmt.Sprintf("%d %s", stream, code), "1 INTERNAL_ERROR")
	out := causeway(t, "explain", a.id, "--data", g.Data)
	contains(t, "explain", out.out, "HTTP/2 stream 1")
}
