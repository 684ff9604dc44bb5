package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// What a failure tells, in every form it has: to whom it may be told everything, and to whom not.
func TestDetails(t *testing.T) {
	t.Parallel()
	dead := freePort(t)
	config := "version: 1\nserver: {trusted_proxies: [127.0.0.9]}\nservices:\n"
	for _, details := range []string{"auto", "full", "safe"} {
		for _, access := range []string{"key", "open"} {
			config += fmt.Sprintf("  %[1]s-%[2]s:\n    team: shop\n    details: %[1]s\n    access: %[2]s\n    routes: [{path: /%[1]s-%[2]s/*}]\n    upstream: {targets: [{url: \"http://%[3]s/\"}], retries: {max: 0}}\n", details, access, dead)
		}
	}
	broken := listenRaw(t, func(c *rawConn) { // a stream that ends before its time
		if rq, _ := c.request(); rq != nil {
			c.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n" +
				"data: {\"id\":\"1\",\"object\":\"chat.completion.chunk\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hel\"}}]}\n\n")
		}
	})
	const provider = "{kind: openai-compatible, base_url: \"http://%s/v1\", keys: [sk-e2e-upstream-0123456789], retries: {max: 0}}\n"
	config += fmt.Sprintf("providers:\n  gone: "+provider+"  cut: "+provider+"applications:\n", dead, hostPort(broken.URL))
	key := func(app string) string { return "e2e-" + app + "-key-0123456789" }
	for app, rest := range map[string]string{
		"shop": "team: shop, ", "bank": "team: bank, ", "none": "", "shopsafe": "team: shop, details: safe, ", "bankfull": "team: bank, details: full, ",
	} {
		config += fmt.Sprintf("  %s: {%skeys: [%q], subscribes: [auto-key, full-key, safe-key, models/*]}\n", app, rest, key(app))
	}
	g := serve(t, config)
	here, proxy := client(t), clientFrom(t, "127.0.0.9")
	elsewhere := []string{"X-Forwarded-For", "203.0.113.7"}
	as := func(app string, more ...string) []string { return append([]string{"apikey", key(app)}, more...) }
	far := func(app string) []string { return as(app, elsewhere...) }
	for _, k := range []struct {
		name, service string
		from          *http.Client
		header        []string
		full          bool
	}{
		{"on loopback", "auto-open", here, nil, true},
		{"on loopback with another team's key", "auto-key", here, as("bank"), true},
		{"loopback, but it speaks for somebody", "auto-open", here, elsewhere, false},
		{"loopback, in Forwarded", "auto-open", here, []string{"Forwarded", "for=127.0.0.1"}, false},
		{"loopback, in X-Real-IP", "auto-open", here, []string{"X-Real-IP", "127.0.0.1"}, false},
		{"loopback, with a Via", "auto-open", here, []string{"Via", "1.1 cdn"}, false},
		{"loopback, claims to be loopback", "auto-open", here, []string{"X-Forwarded-For", "127.0.0.1"}, false},
		{"elsewhere, the service's team", "auto-key", here, far("shop"), true},
		{"elsewhere, another team", "auto-key", here, far("bank"), false},
		{"elsewhere, no team", "auto-key", here, far("none"), false},
		{"elsewhere, the team's own wish is safe", "auto-key", here, far("shopsafe"), false},
		{"elsewhere, another team that may know", "auto-key", here, far("bankfull"), true},
		{"behind a trusted proxy", "auto-open", proxy, elsewhere, false},
		{"behind a trusted proxy that speaks Forwarded", "auto-open", proxy, []string{"Forwarded", "for=203.0.113.7"}, false},
		{"behind a trusted proxy that hides who calls", "auto-open", proxy, []string{"Forwarded", "for=_hidden"}, false},
		{"behind a trusted proxy with a field that can't be read", "auto-open", proxy, []string{"X-Forwarded-For", "unknown"}, false},
		{"behind a trusted proxy that has only X-Real-IP", "auto-open", proxy, []string{"X-Real-IP", "203.0.113.7"}, false},
		{"behind a trusted proxy, claims to be loopback", "auto-open", proxy, []string{"X-Forwarded-For", "127.0.0.1, 203.0.113.7"}, false},
		{"behind a trusted proxy, from its own host", "auto-open", proxy, []string{"X-Forwarded-For", "127.0.0.1"}, true},
		{"behind a trusted proxy, the service's team", "auto-key", proxy, far("shop"), true},
		{"full for everybody", "full-open", here, elsewhere, true},
		{"full, another team", "full-key", proxy, far("bank"), true},
		{"safe on loopback", "safe-open", here, nil, false},
		{"safe for its own team", "safe-key", here, as("shop"), false},
		{"safe for who may know elsewhere", "safe-key", here, as("bankfull"), false},
	} {
		url := g.URL + "/" + k.service + "/x"
		told := func(form, text string) {
			t.Helper()
			if k.full {
				contains(t, k.name+": "+form, text, dead)
			} else {
				lacks(t, k.name+": "+form, text, dead, portOf("http://"+dead), "127.0.0.1", "ECONNREFUSED", "ss -ltnp")
			}
			contains(t, k.name+": "+form, text, "connection_refused", "refused the TCP connection")
		}
		a := fetch(t, k.from, "GET", url, nil, k.header...)
		want(t, k.name+": status", a.status, 502)
		told("JSON", string(a.body))
		p := a.problem(t)
		want(t, k.name+": has evidence and attempts", fmt.Sprint(len(p.Evidence) > 0, len(p.Attempts) > 0), fmt.Sprint(k.full, k.full))
		want(t, k.name+": has advice", len(p.Advice) > 0, true)
		if p.Cause == "" || p.CallID != a.id || p.Retry != "safe" || p.Help != "/.causeway/calls/"+a.id {
			t.Errorf("%s: what everybody may know is missing: %s", k.name, a.body)
		}
		told("Proxy-Status", a.header.Get("Proxy-Status"))
		page := fetch(t, k.from, "GET", url, nil, append([]string{"Accept", "text/html"}, k.header...)...)
		contains(t, k.name+": Content-Type", page.header.Get("Content-Type"), "text/html")
		told("HTML", string(page.body))
		told("the page's Proxy-Status", page.header.Get("Proxy-Status"))
	}
	for _, k := range []struct {
		name   string
		header []string
		full   bool
	}{
		{"on loopback", as("none"), true},
		{"elsewhere", far("none"), false},
		{"elsewhere, safe", far("shopsafe"), false},
		{"on loopback, safe", as("shopsafe"), false},
		{"elsewhere, full", far("bankfull"), true},
	} {
		k.header[0], k.header[1] = "Authorization", "Bearer "+k.header[1]
		a := fetch(t, here, "POST", g.URL+"/v1/chat/completions", strings.NewReader(`{"model":"gone/m","messages":[{"role":"user","content":"x"}]}`), k.header...)
		want(t, "a model, "+k.name+": status", a.status, 502)
		text := string(a.body) + a.header.Get("Proxy-Status")
		contains(t, "a model, "+k.name, text, "connection_refused")
		if k.full {
			contains(t, "a model, "+k.name, text, dead)
		} else {
			lacks(t, "a model, "+k.name, text, dead, portOf("http://"+dead), "127.0.0.1")
		}

		a = fetch(t, here, "POST", g.URL+"/v1/chat/completions", strings.NewReader(`{"model":"cut/m","stream":true,"messages":[{"role":"user","content":"x"}]}`), k.header...)
		want(t, "a stream, "+k.name+": status", a.status, 200)
		_, last, _ := strings.Cut(string(a.body), "\n\ndata: ")
		var e struct{ Error struct{ Causeway problem } }
		decode(t, []byte(last), &e)
		want(t, "a stream, "+k.name+": kind", e.Error.Causeway.Kind, "truncated_stream")
		want(t, "a stream, "+k.name+": has evidence and attempts", fmt.Sprint(len(e.Error.Causeway.Evidence) > 0, len(e.Error.Causeway.Attempts) > 0), fmt.Sprint(k.full, k.full))
		if !k.full {
			lacks(t, "a stream, "+k.name, last, portOf(broken.URL), "127.0.0.1")
		}
	}
	// Where no service is known the caller's address decides.
	for name, k := range map[string]struct {
		header []string
		full   bool
	}{"on loopback": {nil, true}, "elsewhere": {elsewhere, false}} {
		a := fetch(t, here, "GET", g.URL+"/auto-opem/x", nil, k.header...)
		want(t, "no route, "+name, a.status, 404)
		want(t, "no route, "+name+": the nearest routes are told", strings.Contains(string(a.body), "/auto-open/"), k.full)
	}
}
