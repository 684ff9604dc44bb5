package admin

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestPagesAndProbes(t *testing.T) {
	run(t, []row{
		{
			name: "the first page says what is where", request: request{path: "/"}, status: 200,
			contains: []string{"<!doctype html>", "http://127.0.0.1:8080/v1", "/api/openapi.json", "/metrics", "causeway explain ID", "https://docs.example.com", "width=device-width"},
			without:  []string{"<script", "src=", "<link", "@import", "url("},
			answer:   map[string]string{"Content-Type": "text/html", "Content-Security-Policy": "default-src 'none'", "X-Content-Type-Options": "nosniff"},
			check:    pagePolicyAllowsItsStyle,
		},
		{name: "the process is alive", request: request{path: "/healthz"}, status: 200, contains: []string{`"status":"ok"`}},
		{name: "a probe with a parameter of its own", request: request{path: "/healthz?verbose"}, status: 200},
		{name: "a probe with HEAD", request: request{method: "HEAD", path: "/healthz"}, status: 200},
		{
			name: "the metrics are the meter's", request: request{path: "/metrics"}, status: 200,
			contains: []string{"causeway_config_generation 3"},
			answer:   map[string]string{"Content-Type": "version=0.0.4", "X-Content-Type-Options": "nosniff"},
		},
		{
			name: "ready", request: request{path: "/readyz"}, status: 200,
			contains: []string{`"ready":true`, `"hash":"c0ffee"`, `"generation":3`, `"reachable":true`, `"backlog_bytes":12`},
			without:  []string{"reasons", "detail"},
			answer:   map[string]string{"Content-Type": "application/json"},
		},
		{
			name: "not ready: the store cannot be reached", request: request{path: "/readyz"}, status: 503,
			set:      func(w *world) { w.ready.StoreError = "disk I/O error" },
			contains: []string{`"ready":false`, "the store cannot be reached: disk I/O error", `"reachable":false`},
		},
		{
			name: "not ready: no configuration", request: request{path: "/readyz"}, status: 503,
			set:      func(w *world) { w.ready.Generation = 0 },
			contains: []string{"no configuration is loaded", `"loaded":false`},
		},
		{
			name: "not ready: shutting down", request: request{path: "/readyz"}, status: 503,
			set:      func(w *world) { w.ready.Draining = true },
			contains: []string{"shutting down"},
		},
		{
			name: "ready, though a reload was refused", request: request{path: "/readyz"}, status: 200,
			set:      func(w *world) { w.ready.ConfigError = "causeway.yaml:3:1: unknown key" },
			contains: []string{`"ready":true`, "causeway.yaml:3:1: unknown key"},
		},
		{
			name: "what runs here", request: request{as: "viewer", path: "/api/v1/status"}, status: 200,
			contains: []string{`"version":"1.2.3"`, `"generation":3`, `"config_hash":"c0ffee"`, `"uptime_seconds":3600`, `"started":"2026-11-23T04:05:06.789Z"`},
		},
		{
			name: "an address that is not there", request: request{as: "session", path: "/api/v2/calls"}, status: 404,
			contains: []string{"/api/v2/calls", "/api/openapi.json"},
		},
		{name: "an address below a page", request: request{path: "/metrics/x"}, status: 404},
		{
			name: "a method that is not there", request: request{as: "token", method: "PUT", path: "/api/v1/session"}, status: 405,
			contains: []string{"PUT is not served at /api/v1/session"},
			answer:   map[string]string{"Allow": "DELETE, GET, HEAD, POST"},
		},
	})
}

// The policy of the page must name the page's own style, or browsers would show it without.
func pagePolicyAllowsItsStyle(t *testing.T, _ *world, body string, r *http.Response) {
	style := regexp.MustCompile(`(?s)<style>(.*?)</style>`).FindAllStringSubmatch(body, -1)
	if len(style) != 1 {
		t.Fatalf("%d style elements", len(style))
	}
	sum := sha256.Sum256([]byte(style[0][1]))
	if want := "style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !strings.Contains(r.Header.Get("Content-Security-Policy"), want) {
		t.Errorf("policy %q, want %s", r.Header.Get("Content-Security-Policy"), want)
	}
	if strings.Contains(body, "style=") {
		t.Error("a style attribute, which the policy forbids")
	}
}

func TestReadinessWaitsNoLongerThanTwoSeconds(t *testing.T) {
	w := newWorld(t, func(d *Deps) {
		d.Ready = func(ctx context.Context) Readiness {
			deadline, ok := ctx.Deadline()
			if !ok || time.Until(deadline) > 2*time.Second {
				t.Errorf("the store may be asked until %v", deadline)
			}
			return Readiness{Generation: 1}
		}
	})
	w.do(request{path: "/readyz"})
}

func TestEveryAnswerTellsBrowsersToBeCareful(t *testing.T) {
	w := newWorld(t)
	for _, x := range []request{
		{path: "/"},
		{path: "/healthz"},
		{path: "/metrics"},
		{path: "/api/openapi.json"},
		{path: "/nowhere"},
		{path: "/api/v1/calls"},
		{as: "session", path: "/api/v1/calls"},
		{path: "/", host: "evil.example"},
	} {
		_, r := w.do(x)
		for name, part := range map[string]string{
			"Content-Security-Policy":      "frame-ancestors 'none'",
			"X-Content-Type-Options":       "nosniff",
			"Cache-Control":                "no-store",
			"Referrer-Policy":              "no-referrer",
			"Cross-Origin-Resource-Policy": "same-origin",
		} {
			if got := r.Header.Get(name); !strings.Contains(got, part) {
				t.Errorf("GET %s (host %q): %s is %q", x.path, x.host, name, got)
			}
		}
		if got := r.Header.Get("Access-Control-Allow-Origin"); got != "" {
			t.Errorf("GET %s: other origins may read it: %q", x.path, got)
		}
	}
}

func TestOnALoopbackConsoleOnlyLoopbackHostsAreAnswered(t *testing.T) {
	w := newWorld(t)
	for host, want := range map[string]int{
		"127.0.0.1":           200,
		"127.0.0.1:8090":      200,
		"127.8.9.10:8090":     200,
		"localhost":           200,
		"LOCALHOST:8090":      200,
		"localhost.:8090":     200,
		"console.localhost":   200,
		"[::1]:8090":          200,
		"[::1]":               200,
		"[::ffff:127.0.0.1]":  200,
		"console.example.com": 200, // configured
		"Console.Example.com": 200,

		"evil.example":                   421,
		"evil.example:8090":              421,
		"127.0.0.1.evil.example":         421,
		"localhost.evil.example":         421,
		"evillocalhost":                  421,
		"console.example.com.evil.org":   421,
		"192.0.2.1":                      421,
		"10.0.0.1:8090":                  421,
		"0.0.0.0:8090":                   421,
		"[2001:db8::1]:8090":             421,
		"causeway_session.example:65536": 421,
	} {
		for _, path := range []string{"/", "/healthz", "/metrics", "/api/v1/calls?failed=true"} {
			body, r := w.do(request{as: "token", host: host, path: path})
			if r.StatusCode != want {
				t.Errorf("%s of host %q: %d, want %d\n%s", path, host, r.StatusCode, want, body)
			}
			if want != 200 {
				isProblem(t, body, r)
			}
		}
	}
	w = newWorld(t, func(d *Deps) { d.Info.ConsoleURL = "http://gateway.test:8090" })
	if _, r := w.do(request{host: "gateway.test:8090", path: "/healthz"}); r.StatusCode != 200 {
		t.Errorf("the console refuses its own name: %d", r.StatusCode)
	}
	w = newWorld(t, func(d *Deps) { d.Loopback = false })
	if _, r := w.do(request{host: "gateway.example.com", path: "/healthz"}); r.StatusCode != 200 {
		t.Errorf("a console that listens for others refuses their host: %d", r.StatusCode)
	}
}

func TestNewSaysWhatIsMissing(t *testing.T) {
	if _, err := New(Deps{}); err == nil || !strings.Contains(err.Error(), "Deps.Calls") {
		t.Errorf("got %v", err)
	}
}

func TestAPanicIsOneProblemAndALogLine(t *testing.T) {
	w := newWorld(t, func(d *Deps) { d.Status = func() Status { panic("canary of a panic") } })
	body, r := w.do(request{as: "token", path: "/api/v1/status"})
	if r.StatusCode != 500 || strings.Contains(body, "canary") {
		t.Errorf("status %d: %s", r.StatusCode, body)
	}
	isProblem(t, body, r)
	if log := w.log.String(); !strings.Contains(log, "canary of a panic") || !strings.Contains(log, "status.go") {
		t.Errorf("the log lacks the panic or its stack: %s", log)
	}
}
