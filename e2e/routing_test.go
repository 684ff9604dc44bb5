package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// routed are services that differ in nothing but their routes; each marks its calls with its name.
var routed = map[string]string{
	"exact":        `{path: /orders/new}`,
	"param":        `{path: "/orders/{id}"}`,
	"params":       `{path: "/orders/{id}/items/{item}"}`,
	"orders":       `{path: /orders/*}`,
	"deep":         `{path: /orders/archive/*}`,
	"reader":       `{path: /doc, methods: [GET]}`,
	"writer":       `{path: /doc, methods: [PUT, DELETE]}`,
	"plain":        `{path: /v}`,
	"version2":     `{path: /v, match_headers: {X-Version: "2"}}`,
	"version2beta": `{path: /v, match_headers: {X-Version: "2", X-Beta: "*"}}`,
	"hosted":       `{path: /orders/*, hosts: [api.example.com]}`,
	"wild":         `{path: /*, hosts: ["*.example.com"]}`,
	"llmhost":      `{path: /v1/*, hosts: [rest.example.org]}`,
	"left":         `{path: /left/*}`,
	"right":        `{path: /right/*}`,
	"stripped":     `{path: /api/v2/*, strip_prefix: true}`,
	"strippedid":   `{path: "/api/user/{id}", strip_prefix: true}`,
}

func TestRouting(t *testing.T) {
	t.Parallel()
	up := mirror(t)
	names := make([]string, 0, len(routed))
	for name := range routed {
		names = append(names, name)
	}
	// The order of the file never decides: it is another one each time.
	rand.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	config := "version: 1\nservices:\n"
	for _, name := range names {
		config += fmt.Sprintf("  %s: {access: open, routes: [%s], upstream: {targets: [{url: %q}], headers: {set: {X-Service: %s}}}}\n", name, routed[name], up.URL, name)
	}
	g := serve(t, config)
	for _, c := range []struct {
		ask     string // METHOD TARGET
		header  string // further lines, separated by |
		service string // or the failure
		target  string // what the upstream got, "" for the same
	}{
		{"GET /orders/new", "", "exact", ""},
		{"GET /orders/17", "", "param", ""},
		{"GET /orders/new/x", "", "orders", ""},
		{"GET /orders/17/items/3", "", "params", ""},
		{"GET /orders/17/items/3/4", "", "orders", ""},
		{"GET /orders", "", "orders", ""},
		{"GET /orders/", "", "orders", ""},
		{"GET /orders/archive/2024", "", "deep", ""},
		{"GET /orders/archive", "", "param", ""},        // a {param} goes before any *
		{"GET /orders/%6eew", "", "ambiguous_path", ""}, // new, or an {id}
		{"GET /orders/%61b%2Dc?x=1&y=%41", "", "param", ""},
		{"GET /Orders/new", "", "route_not_found", ""},
		{"GET /ordersx", "", "route_not_found", ""},
		{"GET /", "", "route_not_found", ""},
		{"GET /doc", "", "reader", ""},
		{"PUT /doc", "", "writer", ""},
		{"POST /doc", "", "method_not_allowed", ""},
		{"GET /v", "", "plain", ""},
		{"GET /v", "X-Version: 1", "plain", ""},
		{"GET /v", "X-Version: 2", "version2", ""},
		{"GET /v", "X-Version: 2|X-Beta: yes", "version2beta", ""},
		{"GET /v", "X-Beta: yes", "plain", ""},
		{"GET /orders/new", "Host: api.example.com", "hosted", ""}, // host before path
		{"GET /orders/new", "Host: API.Example.COM:8080", "hosted", ""},
		{"GET /orders/new", "Host: api.example.com.", "hosted", ""},
		{"GET /doc", "Host: api.example.com", "wild", ""},
		{"GET /orders/new", "Host: a.b.example.com", "wild", ""},
		{"GET /orders/new", "Host: example.com", "exact", ""},
		{"GET /.causeway/failures/", "Host: www.example.com", "wild", ""}, // its host is a service's
		{"POST /v1/chat/completions", "Host: rest.example.org", "llmhost", ""},
		{"GET /left/a", "", "left", ""},
		{"GET /left/a/../b", "", "left", ""}, // both readings are the same service's: the caller's bytes
		{"GET /left//b/./c%2Fd", "", "left", ""},
		{"GET /left/../right/b", "", "ambiguous_path", ""},
		{"GET /left/%2e%2e/right/b", "", "ambiguous_path", ""},
		{"GET /left/..%2fright/b", "", "ambiguous_path", ""},
		{"GET /api/v2/things/7?q", "", "stripped", "/things/7?q"},
		{"GET /api/v2", "", "stripped", "/"},
		{"GET /api/user/9", "", "strippedid", "/9"},
	} {
		name := strings.ReplaceAll(c.ask+" "+c.header, "/", "_")
		t.Run(name, func(t *testing.T) {
			method, target, _ := strings.Cut(c.ask, " ")
			header := strings.ReplaceAll(c.header, "|", "\r\n")
			if !strings.Contains(header, "Host:") {
				header = strings.TrimPrefix(header+"\r\nHost: "+g.Addr, "\r\n")
			}
			conn := dial(t, g.Addr)
			conn.send(t, "%s %s HTTP/1.1\r\n%s\r\nContent-Length: 0\r\n\r\n", method, target, header)
			a := conn.read(t, method)
			if a.status != 200 {
				want(t, "the failure", a.problem(t).Kind, c.service)
				want(t, "the log's kind", g.record(t, a.id).Kind, c.service)
				return
			}
			want(t, "the service", strings.Join(fields(a.body, "X-Service"), ","), c.service)
			want(t, "the service in the log", g.record(t, a.id).Service, c.service)
			if c.target == "" {
				c.target = target
			}
			line, _, _ := strings.Cut(string(a.body), "\n")
			want(t, "what the upstream was asked", line, method+" "+c.target+" HTTP/1.1")
		})
	}
	t.Run("near misses", func(t *testing.T) {
		for _, c := range []struct{ method, path, part string }{
			{"GET", "/ordres/new", "/orders/new"},
			{"GET", "/doc/", "/doc"},
			{"GET", "/DOC", "/doc"},
		} {
			a := fetch(t, client(t), c.method, g.URL+c.path, nil)
			want(t, c.path, a.line, "404 Not Found (route_not_found)")
			p := a.problem(t)
			contains(t, "what is nearly there for "+c.path, strings.Join(p.Evidence, "\n"), c.part)
			want(t, "cause", p.Cause, "caller")
			want(t, "Proxy-Status", strings.HasPrefix(a.header.Get("Proxy-Status"), "causeway; error=http_request_error; status-code=404"), true)
		}
		a := fetch(t, client(t), "POST", g.URL+"/doc", nil)
		want(t, "the status", a.line, "405 Method Not Allowed (method_not_allowed)")
		for _, m := range []string{"GET", "PUT", "DELETE"} {
			contains(t, "Allow", a.header.Get("Allow"), m)
		}
	})
}

// Two routes that cannot be told apart, and a route on the gateway's own paths, are faults of the file.
func TestRouteConflicts(t *testing.T) {
	t.Parallel()
	up := `upstream: {targets: [{url: "http://127.0.0.1:1"}]}`
	for name, c := range map[string]struct {
		services string
		parts    []string
	}{
		"the same path":       {"  one: {routes: [{path: /a}], " + up + "}\n  two: {routes: [{path: /a}], " + up + "}\n", []string{"one", "two", "/a"}},
		"params of two names": {"  one: {routes: [{path: \"/a/{x}\"}], " + up + "}\n  two: {routes: [{path: \"/a/{y}\"}], " + up + "}\n", []string{"one", "two"}},
		"overlapping methods": {"  one: {routes: [{path: /a, methods: [GET, PUT]}], " + up + "}\n  two: {routes: [{path: /a, methods: [PUT]}], " + up + "}\n", []string{"one", "two"}},
		"an LLM address":      {"  one: {routes: [{path: /v1/chat/completions}], " + up + "}\n", []string{"one", "/v1/chat/completions", "hosts"}},
		"everything":          {"  one: {routes: [{path: /*}], " + up + "}\n", []string{"one", "/*", "own path", "hosts"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "causeway.yaml")
			if err := os.WriteFile(file, []byte("version: 1\nservices:\n"+c.services), 0o600); err != nil {
				t.Fatal(err)
			}
			r := causeway(t, "validate", file)
			want(t, "exit code", r.code, 1)
			contains(t, "the fault", r.out, append(c.parts, file+":")...)
		})
	}
}
