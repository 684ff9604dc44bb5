package admin

import (
	"io/fs"
	"net"
	"net/http"
	"os"
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
	l, err := Listen(path)
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
	path := serveSocket(t, w)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 || info.Mode().Type() != fs.ModeSocket {
		t.Errorf("the socket is %v, %v", info.Mode(), err)
	}
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

func TestListen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "causeway.sock")
	first, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(path); err == nil || !strings.Contains(err.Error(), "another causeway serves it") {
		t.Errorf("a socket that is served: %v", err)
	}
	if conn, err := net.Dial("unix", path); err != nil {
		t.Errorf("the first is served no more: %v", err)
	} else {
		conn.Close()
	}
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("after closing: %v", err)
	}

	stale, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	stale.(*net.UnixListener).SetUnlinkOnClose(false)
	stale.Close()
	second, err := Listen(path)
	if err != nil {
		t.Fatalf("a socket left behind: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("closing the first again removed the second: %v", err)
	}
	second.Close()

	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(path); err == nil || !strings.Contains(err.Error(), "no socket") {
		t.Errorf("a file: %v", err)
	}
	if b, err := os.ReadFile(path); string(b) != "precious" {
		t.Errorf("the file: %q, %v", b, err)
	}
	if _, err := Listen(filepath.Join(t.TempDir(), strings.Repeat("x", 100))); err == nil || !strings.Contains(err.Error(), "shorter path") {
		t.Errorf("a path too long: %v", err)
	}
	if _, err := Listen(filepath.Join(t.TempDir(), "none", "s")); err == nil {
		t.Error("a folder that is not there: no error")
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
