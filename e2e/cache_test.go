package e2e

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestCaches has a service and a model whose answers are kept, and a gateway that is started again: what is kept in
// memory is gone then, and what is kept in Redis is not.
func TestCaches(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, "answer %d", n.Add(1)) }))
	defer up.Close()
	for name, storage := range map[string]string{"memory": "memory", "redis": "unix://" + redisServer(t)} {
		config := fmt.Sprintf(`
version: 1
storage: {counters: %q}
services:
  %s:
    access: open
    routes: [{path: /kept/*}]
    upstream: {targets: [{url: %q}]}
    policies: {cache: {ttl: 1h}}
models:
  echo: {targets: [{model: sandbox/echo}], cache: {ttl: 1h}}
applications:
  web: {keys: [e2e-cache-key-0123456789], subscribes: [models/*]}
`, storage, name, up.URL)
		t.Run(name, func(t *testing.T) {
			chat := func(g *gateway, rest string) *answer {
				return fetch(t, client(t), "POST", g.URL+"/v1/chat/completions", strings.NewReader(`{"model":"echo","messages":[{"role":"user","content":"hello"}]`+rest+`}`),
					"Authorization", "Bearer e2e-cache-key-0123456789")
			}
			g := serve(t, config)
			// A server that is slow on a busy machine is a miss: then it is asked again.
			twice := func(call func() *answer) (first, second *answer) {
				for end := time.Now().Add(patience); ; {
					if first, second = call(), call(); strings.Contains(second.header.Get("Cache-Status"), "hit") || time.Now().After(end) {
						return first, second
					}
				}
			}
			first, second := twice(func() *answer { return fetch(t, client(t), "GET", g.URL+"/kept/a", nil) })
			if name == "memory" && string(first.body) != string(second.body) || !strings.HasPrefix(second.header.Get("Cache-Status"), "causeway; hit; ttl=") {
				t.Errorf("%s, then %s (%s)", first.body, second.body, second.header.Get("Cache-Status"))
			}
			said, again := twice(func() *answer { return chat(g, "") })
			stream := chat(g, `,"stream":true`)
			if said.status != 200 || name == "memory" && string(said.body) != string(again.body) || !strings.Contains(again.header.Get("Cache-Status"), "hit") {
				t.Errorf("%s, then %s", said.body, again.body)
			}
			if !strings.Contains(string(stream.body), `"hello"`) || !strings.HasSuffix(string(stream.body), "data: [DONE]\n\n") || !strings.Contains(stream.header.Get("Cache-Status"), "hit") {
				t.Errorf("as a stream: %s", stream.body)
			}
			if told := causeway(t, "explain", again.id, "--data", g.Data); !strings.Contains(told.out, "cache  hit (") {
				t.Errorf("explained as %s%s", told.out, told.err)
			}
			hits := func() float64 {
				return g.metric(t, `causeway_cache_requests_total{model="",outcome="hit",service="`+name+`"}`)
			}
			for end := time.Now().Add(patience); hits() < 1; time.Sleep(5 * time.Millisecond) { // a call is counted behind its last byte
				if time.Now().After(end) {
					t.Fatalf("%v hits counted", hits())
				}
			}
			g.stop(t)
			next := serve(t, config, listenOn(g.Addr)) // the address is a part of what is kept
			third := fetch(t, client(t), "GET", next.URL+"/kept/a", nil)
			kept := string(third.body) == string(second.body)
			if kept != (name == "redis") {
				t.Errorf("another gateway answered %s (%s)", third.body, third.header.Get("Cache-Status"))
			}
		})
	}
}

// redisServer runs a server of its own, and returns its socket.
func redisServer(t *testing.T) string {
	t.Helper()
	dir := shortDir(t)
	socket := filepath.Join(dir, "redis.sock")
	start(t, nil, needs(t, "redis-server"), "--port", "0", "--unixsocket", socket, "--dir", dir, "--save", "", "--appendonly", "no")
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		if c, err := net.Dial("unix", socket); err == nil {
			_ = c.Close()
			return socket
		}
		if time.Now().After(end) {
			t.Fatal("redis-server does not answer")
		}
	}
}
