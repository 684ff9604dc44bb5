package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"causeway/internal/fault"
)

// The gateway's own pages, for whoever calls it, and the console's, for whoever runs it.

const browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

// isPage holds an answer to what every HTML page of ours has: nothing from elsewhere, no script.
func isPage(t *testing.T, a *answer, status int) {
	t.Helper()
	want(t, "status", a.status, status)
	want(t, "Content-Type", a.header.Get("Content-Type"), "text/html; charset=utf-8")
	contains(t, "Content-Security-Policy", a.header.Get("Content-Security-Policy"), "default-src 'none'")
	want(t, "X-Content-Type-Options", a.header.Get("X-Content-Type-Options"), "nosniff")
	contains(t, "the page", string(a.body), "<!doctype html>", "<title>", "</html>")
	lacks(t, "the page", string(a.body), "<script", "http-equiv=\"refresh\"", "src=\"http", "%!")
}

func TestFailurePages(t *testing.T) {
	t.Parallel()
	g := serve(t, "")
	c := client(t)
	index := fetch(t, c, "GET", g.URL+"/.causeway/failures/", nil, "Accept", browser)
	isPage(t, index, 200)
	var list struct {
		Failures []struct{ Type, Kind string }
	}
	a := fetch(t, c, "GET", g.URL+"/.causeway/failures/", nil)
	want(t, "the list's Content-Type", a.header.Get("Content-Type"), "application/json")
	decode(t, a.body, &list)
	want(t, "kinds in the list", len(list.Failures), len(fault.All()))
	for i, e := range fault.All() {
		kind := string(e.Kind)
		want(t, "kind in the list", list.Failures[i].Kind, kind)
		want(t, "its address", list.Failures[i].Type, "/.causeway/failures/"+kind)
		contains(t, "the list's page", string(index.body), `href="/.causeway/failures/`+kind+`"`)

		page := fetch(t, c, "GET", g.URL+"/.causeway/failures/"+kind, nil, "Accept", browser)
		isPage(t, page, 200)
		contains(t, kind+"'s page", string(page.body), kind)

		a := fetch(t, c, "GET", g.URL+"/.causeway/failures/"+kind, nil, "Accept", "application/json")
		want(t, kind+": status", a.status, 200)
		var told struct {
			Kind, Title, Cause, Explanation string
			Caller                          []string `json:"caller_advice"`
			Operator                        []string `json:"operator_advice"`
		}
		decode(t, a.body, &told)
		want(t, "kind", told.Kind, kind)
		want(t, kind+": title", told.Title, e.Title)
		want(t, kind+": cause", told.Cause, string(e.Cause))
		if told.Explanation == "" || len(told.Caller) == 0 || len(told.Operator) == 0 {
			t.Errorf("%s: %s", kind, clip(a.body))
		}
	}
	isPage(t, fetch(t, c, "GET", g.URL+"/.causeway/failures/connection_refussed", nil, "Accept", browser), 404)
	a = fetch(t, c, "GET", g.URL+"/.causeway/failures/connection_refussed", nil)
	want(t, "the status of an unknown kind", a.status, 404)
	want(t, "its kind", a.problem(t).Kind, "route_not_found")
	a = fetch(t, c, "POST", g.URL+"/.causeway/failures/connection_refused", nil)
	want(t, "the status of a POST", a.status, 405)
	want(t, "Allow", a.header.Get("Allow"), "GET, HEAD")
	a = fetch(t, c, "HEAD", g.URL+"/.causeway/failures/connection_refused", nil)
	want(t, "the status of a HEAD", a.status, 200)
	want(t, "its body", len(a.body), 0)
}

const (
	shopKey    = "shop-key-0123456789abcdef"
	otherKey   = "other-key-0123456789abcdef"
	farAway    = "203.0.113.9"
	fartherOff = "203.0.113.10"
)

// A call's page is for the key that made the call, and tells as much as the error's body did.
func TestCallPages(t *testing.T) {
	t.Parallel()
	dead := freePort(t)
	service := func(name, more string) string {
		return fmt.Sprintf("  %s: {%s, routes: [{path: /%s/*}], upstream: {targets: [{url: \"http://%s\"}], retries: {max: 0}}}\n", name, more, name, dead)
	}
	g := serve(t, "version: 1\nserver: {trusted_proxies: [\"127.0.0.0/8\"]}\nservices:\n"+
		service("orders", "team: shop")+service("closed", "team: shop, details: safe")+service("open", "access: open")+fmt.Sprintf(`
applications:
  web: {team: shop, keys: [%s], subscribes: [orders, closed]}
  other: {team: elsewhere, keys: [%s], subscribes: [orders, closed]}
`, shopKey, otherKey))
	c := client(t)
	type caller struct{ key, from string }
	fields := func(who caller, more ...string) (h []string) {
		if who.key != "" {
			h = keyed(who.key)
		}
		if who.from != "" {
			h = append(h, "X-Forwarded-For", who.from)
		}
		return append(h, more...)
	}
	for _, r := range []struct {
		name, service string
		who           caller
		full          bool
	}{
		{"on loopback", "orders", caller{otherKey, ""}, true},
		{"from afar, the service's own team", "orders", caller{shopKey, farAway}, true},
		{"from afar, another team", "orders", caller{otherKey, farAway}, false},
		{"details: safe", "closed", caller{shopKey, ""}, false},
		{"without a key, on loopback", "open", caller{"", ""}, true},
		{"without a key, from afar", "open", caller{"", farAway}, false},
	} {
		t.Run(r.name, func(t *testing.T) {
			failed := fetch(t, c, "GET", g.URL+"/"+r.service+"/1", nil, fields(r.who)...)
			p := failed.problem(t)
			want(t, "kind", p.Kind, "connection_refused")
			if p.Help != "/.causeway/calls/"+failed.id {
				t.Fatalf("help is %q", p.Help)
			}
			page := fetch(t, c, "GET", g.URL+p.Help, nil, fields(r.who, "Accept", browser)...)
			isPage(t, page, 200)
			contains(t, "the page", string(page.body), failed.id, "connection_refused", fault.Lookup(fault.ConnectionRefused).Title)
			a := fetch(t, c, "GET", g.URL+p.Help, nil, fields(r.who)...)
			want(t, "status of the JSON", a.status, 200)
			var told struct {
				ID      string
				Status  int
				Finding finding
			}
			decode(t, a.body, &told)
			want(t, "id", told.ID, failed.id)
			want(t, "status in it", told.Status, 502)
			want(t, "kind in it", told.Finding.Kind, "connection_refused")
			want(t, "the detail is the error's", told.Finding.Detail, p.Detail)
			for what, text := range map[string]string{
				"the error": string(failed.body), "its Proxy-Status": failed.header.Get("Proxy-Status"), "the page": string(page.body), "the JSON": string(a.body),
			} {
				if got := strings.Contains(text, dead); got != r.full {
					t.Errorf("%s tells the target's address: %v, want %v\n%s", what, got, r.full, clip([]byte(text)))
				}
				lacks(t, what, text, shopKey, otherKey)
			}

			for _, stranger := range []caller{{otherKey, r.who.from}, {shopKey, r.who.from}, {"", r.who.from}, {"", fartherOff}, {"no-such-key-0123456789", ""}} {
				if stranger.key == r.who.key && (stranger.key != "" || stranger.from == r.who.from) || r.who.key == "" && stranger.from == r.who.from {
					continue
				}
				for _, accept := range []string{browser, "application/json"} {
					a := fetch(t, c, "GET", g.URL+p.Help, nil, fields(stranger, "Accept", accept)...)
					want(t, fmt.Sprintf("status for %+v", stranger), a.status, 404)
					lacks(t, "what a stranger is told", string(a.body), dead, "connection_refused")
				}
			}
		})
	}
	good := fetch(t, c, "GET", g.URL+"/.causeway/failures/", nil)
	a := fetch(t, c, "GET", g.URL+"/.causeway/calls/"+good.id, nil, "Accept", browser)
	isPage(t, a, 200)
	contains(t, "the page of a good call", string(a.body), "Nothing failed")
	for _, id := range []string{noSuchCall, "not-an-id", "", "../failures/"} {
		a := fetch(t, c, "GET", g.URL+"/.causeway/calls/"+id, nil, keyed(shopKey)...)
		want(t, "status of "+id, a.status, 404)
	}
	a = fetch(t, c, "GET", g.URL+"/.causeway/calls/"+noSuchCall, nil, keyed(shopKey)...)
	want(t, "kind of a call that is not there", a.problem(t).Kind, "call_not_found")
}

// With public_url the addresses in errors are absolute, so that they work wherever they are read.
func TestPublicURL(t *testing.T) {
	t.Parallel()
	g := serve(t, "version: 1\nserver: {public_url: \"https://api.example.com\"}\n")
	a := fetch(t, client(t), "GET", g.URL+"/nowhere", nil)
	p := a.problem(t)
	want(t, "type", p.Type, "https://api.example.com/.causeway/failures/route_not_found")
	want(t, "help", p.Help, "https://api.example.com/.causeway/calls/"+a.id)
}

func TestConsole(t *testing.T) {
	t.Parallel()
	g := serve(t, "")
	c := client(t)
	index := fetch(t, c, "GET", g.Console+"/", nil, "Accept", browser)
	want(t, "status", index.status, 200)
	want(t, "Content-Type", index.header.Get("Content-Type"), "text/html; charset=utf-8")
	contains(t, "the page", string(index.body), g.URL, "/api/openapi.json", "/metrics", "/healthz", "/readyz")
	lacks(t, "the page", string(index.body), "<script", adminPassword, g.sandboxKey(t))

	var health struct{ Status string }
	decode(t, fetch(t, c, "GET", g.Console+"/healthz", nil).body, &health)
	want(t, "health", health.Status, "ok")
	var ready struct {
		Ready         bool
		Configuration struct {
			Loaded     bool
			Generation int
		}
		Store struct{ Reachable bool }
	}
	decode(t, fetch(t, c, "GET", g.Console+"/readyz", nil).body, &ready)
	want(t, "readiness", fmt.Sprintf("%+v", ready), "{Ready:true Configuration:{Loaded:true Generation:1} Store:{Reachable:true}}")
	var api struct{ OpenAPI string }
	decode(t, fetch(t, c, "GET", g.Console+"/api/openapi.json", nil).body, &api)
	want(t, "OpenAPI's version", strings.HasPrefix(api.OpenAPI, "3.1"), true)

	const body = "application/json"
	sign := func(password string, more ...string) *answer {
		b, _ := json.Marshal(map[string]string{"username": "admin", "password": password})
		return fetch(t, c, "POST", g.Console+"/api/v1/session", strings.NewReader(string(b)), append([]string{"Content-Type", body}, more...)...)
	}
	a := fetch(t, c, "GET", g.Console+"/api/v1/calls", nil)
	want(t, "calls without signing in", a.status, 401)
	want(t, "its Content-Type", a.header.Get("Content-Type"), "application/problem+json")
	want(t, "a wrong password", sign("wrong").status, 401)
	want(t, "a page of another origin", sign(adminPassword, "Origin", "https://evil.example.com").status, 403)
	a = sign(adminPassword, "Origin", g.Console)
	want(t, "the right password", a.status, 200)
	cookie := a.header.Get("Set-Cookie")
	contains(t, "the cookie", cookie, "causeway_session=", "HttpOnly", "SameSite=Strict")
	cookie, _, _ = strings.Cut(cookie, ";")
	want(t, "calls once signed in", fetch(t, c, "GET", g.Console+"/api/v1/calls", nil, "Cookie", cookie).status, 200)
	want(t, "a change asked for by another origin", fetch(t, c, "DELETE", g.Console+"/api/v1/session", nil, "Cookie", cookie, "Origin", "https://evil.example.com").status, 403)
	want(t, "signing out", fetch(t, c, "DELETE", g.Console+"/api/v1/session", nil, "Cookie", cookie, "Origin", g.Console).status, 204)
	want(t, "calls after that", fetch(t, c, "GET", g.Console+"/api/v1/calls", nil, "Cookie", cookie).status, 401)
	want(t, "another name for this machine", fetch(t, c, "GET", g.Console+"/healthz", nil, "Host", "rebound.example.com").status, 421)

	token := g.token(t)
	want(t, "calls with a token", fetch(t, c, "GET", g.Console+"/api/v1/calls", nil, keyed(token)...).status, 200)
	lacks(t, "the log", g.errs.all(), adminPassword, token)
}

func TestCallsAreFound(t *testing.T) {
	t.Parallel()
	up := startGo(t)
	g := serve(t, fmt.Sprintf(`
version: 1
services:
  go: {access: open, routes: [{path: /go/*, strip_prefix: true}], upstream: {targets: [{url: %q}]}}
  orders: {routes: [{path: /orders/*}], upstream: {targets: [{url: "http://%s"}], retries: {max: 0}}}
applications:
  web: {keys: [%s], subscribes: [orders, models/sandbox/*]}
`, up.URL, freePort(t), shopKey))
	c := client(t)
	begun := time.Now().Add(-time.Second)
	var all []string // the newest first
	add := func(a *answer) string {
		all = append([]string{a.id}, all...)
		time.Sleep(2 * time.Millisecond) // calls of one millisecond have no order
		return a.id
	}
	ok := add(fetch(t, c, "GET", g.URL+"/go/echo", nil))
	teapot := add(fetch(t, c, "GET", g.URL+"/go/status/418", nil))
	refused := add(fetch(t, c, "GET", g.URL+"/orders/1", nil, keyed(shopKey)...))
	keyless := add(fetch(t, c, "GET", g.URL+"/orders/1", nil))
	echo := add(g.chat(t, c, shopKey, chatBody("sandbox/echo", "hello", true)))
	slow := add(g.chat(t, c, shopKey, chatBody("sandbox/fault-first_byte_timeout", "hello", false)))
	nowhere := add(fetch(t, c, "GET", g.URL+"/nowhere", nil))
	for query, want := range map[string][]string{
		"":                           all,
		"service=go":                 {teapot, ok},
		"service=orders":             {keyless, refused},
		"service=nothing":            nil,
		"application=web":            {slow, echo, refused},
		"model=sandbox/echo":         {echo},
		"provider=sandbox":           {slow, echo},
		"status=502":                 {refused},
		"status=4xx":                 {nowhere, keyless, teapot},
		"status=200":                 {echo, ok},
		"kind=connection_refused":    {refused},
		"kind=key_missing":           {keyless},
		"failed=true":                {nowhere, slow, keyless, refused},
		"failed=false":               {echo, teapot, ok},
		"min_ms=1500":                {slow},
		"max_ms=1500&service=orders": {keyless, refused},
		"from=" + url.QueryEscape(begun.Format(time.RFC3339)): all,
		"to=" + url.QueryEscape(begun.Format(time.RFC3339)):   nil,
		"from=1h&service=go&status=2xx":                       {ok},
		"limit=2":                                             all[:2],
	} {
		var got []string
		for _, rec := range g.calls(t, query) {
			got = append(got, rec.ID)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q finds %v, want %v", query, got, want)
		}
	}
	var paged []string
	for cursor := ""; ; {
		status, body := g.get(t, "/api/v1/calls?limit=2"+cursor, "")
		want(t, "status of a page", status, 200)
		var page struct {
			Calls []callRecord
			Next  string `json:"next_cursor"`
		}
		decode(t, body, &page)
		for _, rec := range page.Calls {
			paged = append(paged, rec.ID)
		}
		if page.Next == "" {
			break
		}
		cursor = "&cursor=" + url.QueryEscape(page.Next)
	}
	if !slices.Equal(paged, all) {
		t.Errorf("the pages have %v, want %v", paged, all)
	}
	for query, pointer := range map[string]string{
		"status=9xx": "#/status", "kind=connection_refussed": "#/kind", "from=yesterday": "#/from", "failed=maybe": "#/failed", "min_ms=-1": "#/min_ms", "sevice=go": "sevice", "limit=0": "limit", "cursor=x": "cursor",
	} {
		status, body := g.get(t, "/api/v1/calls?"+query, "")
		want(t, query+": status", status, 400, 422)
		contains(t, query, string(body), pointer)
	}

	status, text := g.get(t, "/api/v1/calls/"+refused+"/explanation", "text/plain")
	want(t, "status of an explanation", status, 200)
	contains(t, "the explanation", string(text), "(connection_refused)", refused, "web")
	_, asJSON := g.get(t, "/api/v1/calls/"+refused+"/explanation", "")
	var x struct {
		CallID  string `json:"call_id"`
		Finding finding
	}
	decode(t, asJSON, &x)
	want(t, "its id", x.CallID, refused)
	want(t, "its kind", x.Finding.Kind, "connection_refused")
	status, _ = g.get(t, "/api/v1/calls/"+noSuchCall, "")
	want(t, "status of a call that is not there", status, 404)
}

// Metrics are in the Prometheus text format, and whatever callers invent, the values of their labels
// are configured names.
func TestMetricsHaveOnlyConfiguredNames(t *testing.T) {
	t.Parallel()
	up := startGo(t)
	g := serve(t, fmt.Sprintf(`
version: 1
services:
  go: {access: open, routes: [{path: /go/*, strip_prefix: true}], upstream: {targets: [{url: %q}]}}
models:
  fast: {targets: [{model: sandbox/echo}]}
applications:
  web: {keys: [%s], subscribes: [models/*, models/fast]}
`, up.URL, shopKey))
	c := client(t)
	const odd = "inv3nted"
	for i := range 5 {
		name := fmt.Sprintf("%s%d", odd, i)
		fetch(t, c, "GET", g.URL+"/"+name, nil, "Host", name+".example.com")
		fetch(t, c, strings.ToUpper(name), g.URL+"/go/echo", nil)
		fetch(t, c, "GET", g.URL+"/go/"+name+"?"+name+"=1", nil, "User-Agent", name)
		fetch(t, c, "GET", fmt.Sprintf("%s/go/status/%d", g.URL, 590+i), nil)
		g.chat(t, c, name+"-key-0123456789", chatBody("fast", "hello", false))
		g.chat(t, c, shopKey, chatBody(name, "hello", false))
		g.chat(t, c, shopKey, chatBody(name+"/"+name, "hello", false))
		g.chat(t, c, shopKey, chatBody("sandbox/"+name, "hello", false))
		g.chat(t, c, shopKey, chatBody("sandbox/fault-"+name, "hello", false))
		g.chat(t, c, shopKey, chatBody("fast", "hello", i%2 == 0))
		g.chat(t, c, shopKey, chatBody("sandbox/fault-connection_refused", "hello", false))
	}
	a := fetch(t, c, "GET", g.Console+"/metrics", nil)
	want(t, "status", a.status, 200)
	contains(t, "Content-Type", a.header.Get("Content-Type"), "text/plain; version=0.0.4")
	lacks(t, "the metrics", string(a.body), odd, strings.ToUpper(odd))
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(string(a.body)))
	if err != nil {
		t.Fatal(err)
	}
	allowed := map[string][]string{
		"service": {"", "go", "none", "other"}, "model": {"", "fast", "echo", "none", "other"}, "provider": {"", "sandbox", "none", "other"}, "application": {"", "web", "sandbox", "none", "other"},
	}
	for name, f := range families {
		if !strings.HasPrefix(name, "causeway_") {
			continue
		}
		if f.GetHelp() == "" {
			t.Errorf("%s has no help", name)
		}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if values := allowed[l.GetName()]; values != nil && !slices.Contains(values, l.GetValue()) {
					t.Errorf("%s has %s=%q", name, l.GetName(), l.GetValue())
				}
				if l.GetName() == "kind" && fault.Lookup(fault.Kind(l.GetValue())) == nil {
					t.Errorf("%s has kind=%q", name, l.GetValue())
				}
			}
		}
	}
	for _, name := range []string{
		"causeway_calls_total", "causeway_failures_total", "causeway_call_duration_seconds", "causeway_first_byte_seconds", "causeway_tokens_total",
		"causeway_target_healthy", "causeway_ledger_kept_calls_total", "causeway_config_generation", "causeway_build_info",
	} {
		if families[name] == nil {
			t.Errorf("there is no %s among %v", name, slices.Sorted(maps.Keys(families)))
		}
	}
	want(t, "good calls of the model fast", sum(families["causeway_calls_total"], "model", "fast", "application", "web", "code", "200"), 5)
	want(t, "calls that no route took", sum(families["causeway_failures_total"], "kind", "route_not_found"), 5)
	want(t, "calls of models that are not there", sum(families["causeway_failures_total"], "kind", "model_not_found"), 4*5)
	want(t, "calls with a key of nobody's", sum(families["causeway_failures_total"], "kind", "key_unknown"), 5)
	if http.DetectContentType(a.body) != "text/plain; charset=utf-8" {
		t.Error("the metrics are not text")
	}
}

// sum adds up the samples that have these labels.
func sum(f *dto.MetricFamily, labels ...string) (total float64) {
	for _, m := range f.GetMetric() {
		match := 0
		for _, l := range m.GetLabel() {
			for i := 0; i+1 < len(labels); i += 2 {
				if l.GetName() == labels[i] && l.GetValue() == labels[i+1] {
					match++
				}
			}
		}
		if match == len(labels)/2 {
			total += m.GetCounter().GetValue()
		}
	}
	return total
}
