package admin

import (
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// serveSocket serves the world over a socket and makes w.do ask over it.
func serveSocket(t *testing.T, w *world) string {
	t.Helper()
	handler, err := New(w.deps)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "causeway.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: Trusted(handler)}
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	t.Cleanup(func() {
		server.Close()
		<-done
	})
	w.socket = path
	return path
}

func TestOverTheSocketNoProofIsNeeded(t *testing.T) {
	w := newWorld(t)
	serveSocket(t, w)
	if body, r := w.do(request{path: signIn}); r.StatusCode != 200 || !strings.Contains(body, `"via":"socket"`) || !strings.Contains(body, `"role":"admin"`) {
		t.Errorf("who am I: %d %s", r.StatusCode, body)
	}
	if body, r := w.do(request{path: "/api/v1/calls/" + refused + "/explanation", host: "causeway"}); r.StatusCode != 200 {
		t.Errorf("an explanation, under any host: %d %s", r.StatusCode, body)
	}
	if body, r := w.do(request{method: "POST", path: "/api/v1/tokens", body: `{"name":"from the command line"}`}); r.StatusCode != 201 {
		t.Errorf("a token: %d %s", r.StatusCode, body)
	}
	if body, r := w.do(request{path: "/api/v1/calls?status=x"}); r.StatusCode != 422 {
		t.Errorf("a fault is one here too: %d %s", r.StatusCode, body)
	}
	w.socket = ""
	if _, r := w.do(request{path: signIn}); r.StatusCode != 401 {
		t.Errorf("the same handler over TCP lets anyone in: %d", r.StatusCode)
	}
}
