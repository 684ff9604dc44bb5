package e2e

import (
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// `causeway proxy URL` before Python's http.server, which is then killed: whoever calls sees why.
func TestProxyCommand(t *testing.T) {
	t.Parallel()
	py, curl := python(t), needs(t, "curl")
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "hello.txt"), []byte("hello from Python\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	addr := freePort(t)
	host, port, _ := net.SplitHostPort(addr)
	server := start(t, nil, py, "-m", "http.server", "--bind", host, "--directory", folder, port)
	awaitListener(t, server, addr)
	g := serve(t, "", proxying("http://"+addr))
	url := g.URL + "/hello.txt"

	a := fetch(t, client(t), "GET", url, nil)
	want(t, "status", a.status, 200)
	want(t, "body", string(a.body), "hello from Python\n")
	contains(t, "Server", a.header.Get("Server"), "SimpleHTTP")
	want(t, "Causeway-Attempts", a.header.Get("Causeway-Attempts"), "1")
	a = fetch(t, client(t), "GET", g.URL+"/v1/models", nil)
	want(t, "the status of a path that serve would take for itself", a.status, 404)
	contains(t, "its body", string(a.body), "Error code: 404")

	server.kill(t)

	t.Run("curl", func(t *testing.T) {
		r := command(t, "", curl, "-sSi", url)
		want(t, "exit code", r.code, 0)
		contains(t, "what curl shows", r.out, "HTTP/1.1 502 Bad Gateway (connection_refused)\r\n", "application/problem+json",
			`"kind":"connection_refused"`, `"cause":"software"`, "refused the TCP connection", addr, "Proxy-Status: causeway; error=connection_refused;")
	})
	t.Run("requests", func(t *testing.T) {
		r := command(t, "", py, "-c", "import requests, sys; requests.get(sys.argv[1]).raise_for_status()", url)
		if strings.Contains(r.err, "No module named") {
			t.Fatal("Python's package requests is not installed: scripts/need.sh python3-requests")
		}
		want(t, "exit code", r.code, 1)
		contains(t, "the exception", r.err, "requests.exceptions.HTTPError: 502 Server Error: Bad Gateway (connection_refused) for url: "+url)
	})
	t.Run("browser", func(t *testing.T) {
		a := fetch(t, client(t), "GET", url, nil, "Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
		want(t, "status", a.line, "502 Bad Gateway (connection_refused)")
		want(t, "Content-Type", a.header.Get("Content-Type"), "text/html; charset=utf-8")
		contains(t, "Content-Security-Policy", a.header.Get("Content-Security-Policy"), "default-src 'none'")
		contains(t, "the page", string(a.body), "connection_refused", "The upstream refused the connection", addr, a.id)
		lacks(t, "the page", string(a.body), "<script", "http-equiv=\"refresh\"")
	})
	t.Run("explain", func(t *testing.T) {
		a := fetch(t, client(t), "GET", url, nil)
		r := causeway(t, "explain", a.id, "--data", g.Data)
		contains(t, "the explanation", r.out, "502 Bad Gateway (connection_refused)", addr, "this target has answered before")
		running := members(t, causeway(t, "explain", "--json", a.id, "--data", g.Data).out)
		want(t, "exit code of the gateway", g.stop(t), 0)
		after := causeway(t, "explain", a.id, "--data", g.Data)
		want(t, "what explain says once the gateway has stopped", after.out, r.out)
		want(t, "its exit code", after.code, 0)
		// A script reads the same members whether the instance runs or not.
		want(t, "the members of explain --json", members(t, causeway(t, "explain", "--json", a.id, "--data", g.Data).out), running)
	})
}

// members are the names of a JSON object's members, in alphabetical order.
func members(t *testing.T, object string) string {
	t.Helper()
	var m map[string]any
	decode(t, []byte(object), &m)
	return strings.Join(slices.Sorted(maps.Keys(m)), " ")
}
