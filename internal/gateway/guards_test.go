package gateway

import (
	"net/netip"
	"strings"
	"testing"

	"causeway/internal/journey"
)

const guardsConfig = `
version: 1
server: {trusted_proxies: ["127.0.0.0/8", "10.0.0.0/8"], max_body: 1KiB}
services:
  keyed:
    team: shop
    routes: [{path: "/keyed/*"}]
    upstream: {targets: [{url: "http://UP"}]}
  other:
    routes: [{path: "/other/*"}]
    upstream: {targets: [{url: "http://UP"}]}
  open:
    access: open
    routes: [{path: "/open/*"}]
    upstream: {targets: [{url: "http://UP"}]}
    policies: {ip_allow: ["127.0.0.0/8"], body_limit: 16MiB}
  small:
    access: open
    routes: [{path: "/small/*"}]
    upstream: {targets: [{url: "http://UP"}]}
    policies: {body_limit: 10B}
  once:
    access: open
    routes: [{path: "/once/*"}]
    upstream: {targets: [{url: "http://UP"}]}
    policies: {rate_limit: {requests: 1, per: 1h, by: "header:X-Who"}}
  down:
    team: shop
    routes: [{path: "/down/*"}]
    upstream: {targets: [{url: "http://DOWN"}], retries: {max: 0}}
  secret:
    details: safe
    access: open
    routes: [{path: "/secret/*"}]
    upstream: {targets: [{url: "http://DOWN"}], retries: {max: 0}}
providers:
  mock: {kind: openai-compatible, base_url: "http://UP/v1", keys: [PROVIDERKEY], models: [listed]}
  spare: {kind: openai-compatible, base_url: "http://DOWN/v1", models: [twice], retries: {max: 0}}
  third: {kind: openai-compatible, base_url: "http://DOWN/v1", models: [twice], retries: {max: 0}}
models:
  fast: {targets: [{model: mock/gpt-4o-mini}]}
  gone: {targets: [{model: spare/x}]}
applications:
  web: {team: shop, keys: [KEY], subscribes: [keyed, down, models/fast, models/gone, models/mock/listed]}
  old: {keys: [{value: "oldkey-0123456789abcdef", expires: 2020-01-01}], subscribes: [keyed]}
  full: {details: full, keys: ["fullkey-0123456789abcdef"], subscribes: [down, models/gone]}
  safe: {team: shop, details: safe, keys: ["safekey-0123456789abcdef"], subscribes: [down, models/gone]}
`

// far makes a call come from elsewhere, by the word of a trusted proxy.
const far = "X-Forwarded-For: 203.0.113.7"

func get(path string, lines ...string) string {
	return "GET " + path + " HTTP/1.1\nHost: h\n" + strings.Join(append(lines, ""), "\n") + "\n"
}

func TestKeys(t *testing.T) {
	up := newOrigin(t)
	r := newRig(t, fill(t, guardsConfig, up))
	unknown := "unknown-0123456789abcdef"
	r.run(t, up, []scenario{
		{
			name: "apikey lets in, and it alone is taken out", request: get("/keyed/x", "apikey: "+key, "Authorization: Bearer of-the-upstream", "x-api-key: of-the-upstream-too"),
			status: 200, calls: 1, sent: []string{"Authorization: Bearer of-the-upstream\r\n", "x-api-key: of-the-upstream-too\r\n"}, unsent: []string{key},
			record: func(t *testing.T, j *journey.Journey) {
				if j.Application != "web" {
					t.Errorf("the application is %q", j.Application)
				}
			},
		},
		{
			name: "with apikey present nothing else is looked at", request: get("/keyed/x", "apikey: "+unknown, "Authorization: Bearer "+key),
			status: 401, has: []string{`"kind":"key_unknown"`}, lacks: []string{unknown, key},
		},
		{
			name: "Authorization before x-api-key", request: get("/keyed/x", "x-api-key: "+unknown, "authorization: bearer "+key),
			status: 200, calls: 1, sent: []string{"x-api-key: " + unknown}, unsent: []string{key},
		},
		{
			name: "an Authorization of the upstream's does not stand in the way", request: get("/keyed/x", "Authorization: Bearer "+unknown, "X-API-Key: "+key),
			status: 200, calls: 1, sent: []string{"Authorization: Bearer " + unknown}, unsent: []string{key},
		},
		{
			name: "no key", request: get("/keyed/x?key=hidden"),
			status: 401, has: []string{`"kind":"key_missing"`, "curl 'http://h/keyed/x' -H 'apikey: YOUR_KEY'", "WWW-Authenticate: Bearer", "401 Unauthorized (key_missing)"}, lacks: []string{"hidden"},
		},
		{
			name: "an expired key", request: get("/keyed/x", "apikey: oldkey-0123456789abcdef"),
			status: 401, has: []string{`"kind":"key_expired"`}, lacks: []string{"oldkey-"},
		},
		{
			name: "a model takes no apikey", request: strings.Replace(chat("fast"), "Authorization: Bearer", "apikey:", 1),
			status: 401, has: []string{`"code":"invalid_api_key"`, "curl 'http://h/v1/chat/completions' -H 'Authorization: Bearer YOUR_KEY'", `"type":"authentication_error"`, `"kind":"key_missing"`},
		},
		{
			name: "no key of ours goes to a provider, nor what else is the caller's", request: chat("fast", "x-api-key: "+unknown, "apikey: "+unknown, "Cookie: session=1"),
			answers: []string{completion}, status: 200, calls: 1,
			sent: []string{"Authorization: Bearer " + providerKey + "\r\n"}, unsent: []string{key, unknown, "session=1"}, lacks: []string{providerKey},
		},
		{
			name: "everything passes to an open service", request: get("/open/x", "apikey: "+unknown, "Authorization: Basic eDp5"),
			status: 200, calls: 1, sent: []string{"apikey: " + unknown, "Authorization: Basic eDp5"},
		},
	})
	for _, secret := range []string{key, providerKey, unknown, "hidden", "oldkey-0123456789abcdef"} {
		if strings.Contains(r.log.String(), secret) {
			t.Errorf("the log has %s", secret)
		}
	}
}

func TestSubscriptions(t *testing.T) {
	up := newOrigin(t)
	r := newRig(t, fill(t, guardsConfig, up))
	r.run(t, up, []scenario{
		{name: "a service without subscription", request: get("/other/x", "apikey: "+key), status: 403, has: []string{`"kind":"not_subscribed"`}, record: advises(`"other"`)},
		{name: "a configured model", request: chat("fast"), answers: []string{completion}, status: 200, calls: 1, sent: []string{`{"model":"gpt-4o-mini","messages"`}},
		{name: "what it stands for is not granted directly", request: chat("mock/gpt-4o-mini"), status: 403, has: []string{`"code":"not_subscribed"`}, record: advises(`"models/mock/gpt-4o-mini"`)},
		{name: "a provider's model by its subscription", request: chat("mock/listed"), answers: []string{completion}, status: 200, calls: 1, sent: []string{`{"model":"listed","messages"`}},
		{name: "its bare name, which one provider lists, is the same", request: chat("listed"), answers: []string{completion}, status: 200, calls: 1, record: func(t *testing.T, j *journey.Journey) {
			if j.Model != "mock/listed" || j.TargetModel != "listed" || j.Provider != "mock" {
				t.Errorf("model %s, target %s, provider %s", j.Model, j.TargetModel, j.Provider)
			}
		}},
		{name: "a bare name of two providers, of which it may use none", request: chat("twice"), status: 404, has: []string{`There is no model \"twice\" here.`, `"param":"model"`}, lacks: []string{"spare", "third"}},
		{name: "a model that is not there, with what it may have meant", request: chat("fats"), status: 404, has: []string{`There is no model \"fats\" here. Did you mean fast?`, `"code":"model_not_found"`}},
		{name: "only what may be used is suggested", request: chat("lost"), status: 404, lacks: []string{"twice"}},
		{
			name: "the list has what may be used, and no more", request: get("/v1/models", "Authorization: Bearer "+key),
			status: 200, has: []string{`"id":"fast"`, `"id":"mock/listed"`}, lacks: []string{"twice", "gpt-4o-mini"},
		},
		{name: "one model of it", request: get("/v1/models/mock/listed", "Authorization: Bearer "+key), status: 200, has: []string{`"id":"mock/listed"`, "Proxy-Status: causeway\r\n"}},
	})
}

func TestAddressesSizesAndRates(t *testing.T) {
	up := newOrigin(t)
	r := newRig(t, fill(t, guardsConfig, up))
	post := func(path string, n int, lines ...string) string { return post(path, strings.Repeat("x", n), lines...) }
	chunked := "POST /small/x HTTP/1.1\nHost: h\nTransfer-Encoding: chunked\n\n8\r\n01234567\r\n8\r\n01234567\r\n0\r\n\r\n"
	r.run(t, up, []scenario{
		{name: "an address that may call", request: get("/open/x"), status: 200, calls: 1},
		{name: "one that may not", request: get("/open/x", far), status: 403, has: []string{`"kind":"address_not_allowed"`}, lacks: []string{"203.0.113.7", "127.0.0.0"}},
		{name: "by the last proxy's word, not the caller's", request: get("/open/x", "X-Forwarded-For: 127.0.0.1, 203.0.113.7, 10.1.2.3"), status: 403},
		{name: "a body at the limit", request: post("/small/x", 10), status: 200, calls: 1},
		{name: "a body above it", request: post("/small/x", 11), status: 413, has: []string{`"kind":"body_too_large"`, "policies.body_limit of small"}},
		{name: "a body of unknown length above it", request: chunked, status: 413, has: []string{`"kind":"body_too_large"`, "the body grew past 10 bytes"}},
		{name: "server.max_body bounds a larger body_limit", request: post("/open/x", 1025), status: 413, has: []string{"server.max_body is 1KiB"}},
		{name: "and a model's call", request: strings.Replace(chat("fast"), "Content-Length: ", "Content-Length: 9999", 1), status: 413, has: []string{`{"error":{`}},
		{name: "nothing is asked for that will be refused", request: post("/small/x", 11, "Expect: 100-continue"), status: 413, has: []string{"Connection: close"}, lacks: []string{"100 Continue"}},
		{
			name: "a limited route says what is left", request: get("/once/x", "X-Who: a"),
			status: 200, calls: 1, has: []string{"RateLimit-Policy: \"default\";q=1;w=3600\r\n", "RateLimit: \"default\";r=0;t=3600\r\n"}, lacks: []string{"Retry-After"},
		},
		{
			name: "and above it when it is free again", request: get("/once/x", "X-Who: a"),
			status: 429, has: []string{"RateLimit-Policy: \"default\";q=1;w=3600\r\n", "RateLimit: \"default\";r=0;t=", "Retry-After: 3", `"kind":"rate_limited"`},
			record: func(t *testing.T, j *journey.Journey) {
				if len(j.Policies) != 1 || !strings.HasPrefix(j.Policies[0], "rate_limit: 1 request per 1h") {
					t.Errorf("policies %q", j.Policies)
				}
			},
		},
		{name: "for each value of its header", request: get("/once/x", "X-Who: b"), status: 200, calls: 1},
	})
}

func TestDetails(t *testing.T) {
	up := newOrigin(t)
	r := newRig(t, fill(t, guardsConfig, up))
	refused := []string{`"kind":"connection_refused"`, "Proxy-Status: causeway; error=connection_refused; details="}
	tells, hides := append(refused, `"evidence":["`, `"attempts":[{`, "127.0.0.1"), refused
	address := []string{"127.0.0.1:", `"evidence"`, `"attempts"`, "ECONNREFUSED"}
	app := func(key string) string { return "Authorization: Bearer " + key }
	r.run(t, up, []scenario{
		{name: "full on loopback", request: get("/down/x", app(key)), status: 502, has: tells},
		{name: "full for the service's own team", request: get("/down/x", app(key), far), status: 502, has: tells},
		{name: "full for an application that may know", request: get("/down/x", app("fullkey-0123456789abcdef"), far), status: 502, has: tells},
		{name: "safe for one that may not, on loopback too", request: get("/down/x", app("safekey-0123456789abcdef")), status: 502, has: hides, lacks: address},
		{name: "safe by the service, on loopback too", request: get("/secret/x"), status: 502, has: hides, lacks: address},
		{name: "safe for strangers", request: get("/secret/x", far), status: 502, has: hides, lacks: address},
		{name: "safe in HTML", request: get("/secret/x", "Accept: text/html"), status: 502, has: []string{"text/html"}, lacks: []string{"127.0.0.1", "ECONNREFUSED"}},
		{name: "full on a model for an application that may know", request: strings.Replace(chat("gone", far), key, "fullkey-0123456789abcdef", 1), status: 502, has: []string{`"evidence":["`, "127.0.0.1"}},
		{name: "safe on a model for one that may not", request: strings.Replace(chat("gone"), key, "safekey-0123456789abcdef", 1), status: 502, lacks: address},
		{name: "safe on a model from afar", request: chat("gone", far), status: 502, lacks: address},
		{name: "a proxy that does not say for whom is nobody's loopback", request: get("/down/x", app("safekey-0123456789abcdef"), "X-Forwarded-For: unknown"), status: 502, lacks: address},
	})
	for _, spoken := range []string{"X-Forwarded-For: unknown", "Via: 1.1 edge", "Forwarded: for=203.0.113.9", `Forwarded: for="[2001:db8::1]:80"`, "X-Real-IP: 203.0.113.9"} {
		a := r.call(t, get("/nowhere", spoken))
		if strings.Contains(a.body, "evidence") {
			t.Errorf("%s: a proxy's caller is told what only loopback may know", spoken)
		}
	}
}

func TestForwardedNodes(t *testing.T) {
	for value, want := range map[string]string{
		"for=192.0.2.1":                               "192.0.2.1",
		`For="[2001:db8::1]:47011";proto=https`:       "[2001:db8::1]:47011",
		"for=192.0.2.1, for=198.51.100.2;by=10.0.0.1": "192.0.2.1 198.51.100.2",
		"proto=http;host=a, by=x ; for = 192.0.2.9":   " 192.0.2.9",
		`for="1, for=2";host="a\"b;c", for=_hidden`:   "1, for=2 _hidden",
		`for=192.0.2.1, for="192.0.2.2`:               "192.0.2.1 ",
		"":                                            "",
	} {
		var nodes []string
		for _, h := range appendHops(nil, value) {
			nodes = append(nodes, h.node)
		}
		if got := strings.Join(nodes, " "); got != want {
			t.Errorf("%s: %q, want %q", value, got, want)
		}
	}
}

func TestParseAddress(t *testing.T) {
	for text, want := range map[string]string{
		" 192.0.2.1 ": "192.0.2.1", "192.0.2.1:80": "192.0.2.1", "2001:db8::1": "2001:db8::1", "[2001:db8::1]": "2001:db8::1",
		"[2001:db8::1]:80": "2001:db8::1", "::ffff:192.0.2.1": "192.0.2.1", "unknown": "", "_x": "", "": "",
	} {
		a, err := parseAddress([]byte(text))
		if want == "" && err == nil || want != "" && a != netip.MustParseAddr(want) {
			t.Errorf("%q: %v, %v", text, a, err)
		}
	}
}
