package doctor

import (
	"net/url"
	"strings"
	"testing"
	"time"
)

const twoServices = `
services:
  orders:
    access: open
    routes: [{path: "/orders/*", methods: [GET, POST]}, {path: "/orders/{id}", methods: [GET]}]
    upstream:
      targets: [{url: "http://127.0.0.1:9001"}, {url: "http://localhost:443"}]
      timeouts: {connect: 2s, first_byte: 30s, total: 40s}
      retries: {max: 2, backoff: 50ms}
      health: {path: /healthz, interval: 1s, timeout: 3s}
`

func TestRemarksAboutTheFile(t *testing.T) {
	t.Parallel()
	d := &doctor{o: Options{Config: configOf(t, twoServices), CallerTimeout: 10 * time.Second}}
	d.configuration(&subject{service: d.o.Config.Services["orders"]})
	var all strings.Builder
	for _, s := range d.steps {
		all.WriteString(string(s.Result) + " " + s.Name + ": " + s.Text + "\n")
	}
	for _, want := range []string{
		"fault timeouts: callers wait 10s, and upstream.timeouts.first_byte is 30s",
		"warning timeouts: the attempts do not fit into upstream.timeouts.total of 40s: 3 attempts of up to 32s (connect 2s + first_byte 30s) and 150ms of backoff are 1m36.15s",
		"warning health check: upstream.health.timeout of 3s is no shorter than its interval of 1s",
		"warning address: http with the port 443",
		"warning routes: POST /orders/1 is answered with 405: the route /orders/{id} of orders",
	} {
		if !strings.Contains(all.String(), want) {
			t.Errorf("no %q in\n%s", want, all.String())
		}
	}
}

func TestNothingIsSaidOfAGoodFile(t *testing.T) {
	t.Parallel()
	d := &doctor{o: Options{Config: configOf(t, `
services:
  orders:
    access: open
    routes: [{path: "/orders/*"}, {path: "/orders/special"}]
    upstream: {targets: [{url: "http://127.0.0.1:9001"}], timeouts: {first_byte: 5s}, retries: {max: 1}}
`)}}
	d.configuration(&subject{service: d.o.Config.Services["orders"]})
	if len(d.steps) != 1 || d.steps[0].Result != OK {
		t.Errorf("%+v", d.steps)
	}
}

func TestDeadFallbacks(t *testing.T) {
	t.Parallel()
	c := configOf(t, `
providers:
  one: {kind: openai-compatible, base_url: "http://127.0.0.1:1/v1", keys: [sk-0123456789abcdef]}
  two: {kind: openai-compatible, base_url: "http://127.0.0.1:2/v1", keys: [sk-0123456789abcdef]}
models:
  same: {targets: [{model: one/a}], fallback: [one/a]}
  near: {targets: [{model: one/a}], fallback: [one/b]}
  good: {targets: [{model: one/a}], fallback: [two/a]}
`)
	for name, want := range map[string]string{"same": "asked in vain", "near": "not when one does", "good": ""} {
		list := deadFallbacks(c, c.Models[name])
		if len(list) > 0 != (want != "") || want != "" && !strings.Contains(list[0].Text, want) {
			t.Errorf("%s: %+v, want %q", name, list, want)
		}
	}
}

func TestSpellings(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"http://api.test:443/":   "speak TLS",
		"https://api.test:80/":   "speak plain HTTP",
		"http://localhost:8000/": "::1 and 127.0.0.1",
		"http://0.0.0.0:8000/":   "an address to listen on",
		"https://api.test/":      "",
		"http://127.0.0.1:8000/": "",
	} {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		list := spelling(u, text)
		if len(list) > 0 != (want != "") || want != "" && !strings.Contains(list[0].Text, want) {
			t.Errorf("%s: %+v, want %q", text, list, want)
		}
	}
}
