package gateway

import (
	"strconv"
	"strings"
	"testing"

	"causeway/internal/journey"
)

// key is the key of the application web in the tests' configurations, providerKey the provider's.
const (
	key         = "callerkey-0123456789abcdef"
	providerKey = "sk-provider-0123456789wxyz"
)

// fill puts an upstream's address into a configuration, and one that nobody listens on.
func fill(tb testing.TB, config string, up *origin) string {
	tb.Helper()
	return strings.NewReplacer("UP", up.addr, "DOWN", closedPort(tb), "PROVIDERKEY", providerKey, "KEY", key).Replace(config)
}

const signpostConfig = `
version: 1
services:
  orders:
    access: open
    routes:
      - {path: "/orders/{id}", methods: [GET, PUT]}
      - {path: "/shop/*", strip_prefix: true}
      - {path: "/a/{x}"}
    upstream: {targets: [{url: "http://UP/base"}]}
  other:
    access: open
    routes: [{path: "/a/b/c"}]
    upstream: {targets: [{url: "http://UP"}]}
  hosted:
    access: open
    routes: [{path: "/*", hosts: [api.example.com, "*.wild.example.com"]}]
    upstream: {targets: [{url: "http://UP"}]}
providers:
  mock: {kind: openai-compatible, base_url: "http://UP/v1", keys: [PROVIDERKEY]}
applications:
  web: {keys: [KEY], subscribes: [models/*]}
`

func TestSignpost(t *testing.T) {
	up := newOrigin(t)
	r := newRig(t, fill(t, signpostConfig, up))
	r.run(t, up, []scenario{
		{
			name: "a route leads to its service, the target's own path before the call's", request: "GET /orders/7?b=2&a=1 HTTP/1.1\nHost: h\n\n",
			status: 200, calls: 1, sent: []string{"GET /base/orders/7?b=2&a=1 HTTP/1.1\r\n"},
			record: func(t *testing.T, j *journey.Journey) {
				if j.Service != "orders" || j.Route != "/orders/{id}" || j.Path != "/orders/7" {
					t.Errorf("service %s, route %s, path %s", j.Service, j.Route, j.Path)
				}
			},
		},
		{
			name: "the caller's bytes go on, whatever the path means", request: "GET /orders/%37%2F HTTP/1.1\nHost: h\n\n",
			status: 200, calls: 1, sent: []string{"GET /base/orders/%37%2F HTTP/1.1\r\n"},
		},
		{
			name: "a stripped prefix does not go on", request: "GET /shop/x/y HTTP/1.1\nHost: h\n\n",
			status: 200, calls: 1, sent: []string{"GET /base/x/y HTTP/1.1\r\n"},
		},
		{
			name: "a wrong method is told with those that would do", request: "DELETE /orders/7 HTTP/1.1\nHost: h\n\n",
			status: 405, has: []string{"Allow: GET, PUT", `"kind":"method_not_allowed"`, "405 Method Not Allowed (method_not_allowed)"},
		},
		{
			name: "no route is told with those that nearly match", request: "GET /order/7 HTTP/1.1\nHost: h\n\n",
			status: 404, has: []string{`"kind":"route_not_found"`, "/orders/{id}"},
		},
		{
			name: "a path of two readings goes nowhere", request: "GET /a/b%2Fc HTTP/1.1\nHost: h\n\n",
			status: 400, has: []string{`"kind":"ambiguous_path"`},
		},
		{
			name: "a question about the server as a whole is lawful, and nobody's", request: "OPTIONS * HTTP/1.1\nHost: h\n\n",
			status: 404, has: []string{`"kind":"route_not_found"`, "OPTIONS *"},
		},
		{
			name: "this is no forward proxy", request: "CONNECT example.com:443 HTTP/1.1\nHost: example.com:443\n\n",
			status: 405, has: []string{`"kind":"method_not_allowed"`, "Connection: close"},
		},
		{
			name: "a call that comes back is a loop", request: "GET /orders/7 HTTP/1.1\nHost: h\nVia: 1.1 edge, 1.1 " + pseudonym(r, "orders") + "\n\n",
			status: 502, has: []string{`"kind":"loop_detected"`}, record: advises("services.orders.upstream.targets"),
		},
		{
			name: "another service of this gateway may have called", request: "GET /orders/7 HTTP/1.1\nHost: h\nVia: 1.1 " + pseudonym(r, "hosted") + "\n\n",
			status: 200, calls: 1, sent: []string{"Via: 1.1 " + pseudonym(r, "hosted") + "\r\n", "Via: 1.1 " + pseudonym(r, "orders") + "\r\n"},
		},
		{
			name: "a model's call that comes back is a loop", request: chat("mock/m", "Via: 1.1 "+pseudonym(r, "mock")),
			status: 502, has: []string{`"code":"loop_detected"`}, record: advises("providers.mock.base_url"),
		},
		{
			name: "on a host that a service names its routes win", request: "GET /.causeway/failures/ HTTP/1.1\nHost: api.example.com\n\n",
			status: 200, calls: 1, sent: []string{"GET /.causeway/failures/ HTTP/1.1\r\n"},
		},
		{
			name: "and before the LLM addresses", request: "POST /v1/chat/completions HTTP/1.1\nHost: x.wild.example.com:8080\nContent-Length: 2\n\n{}",
			status: 200, calls: 1,
		},
		{
			name: "an LLM address with a wrong method is told in its dialect", request: "GET /v1/chat/completions HTTP/1.1\nHost: h\n\n",
			status: 405, has: []string{"Allow: POST", `{"error":{"message":"This address takes POST, not GET.`},
		},
		{
			name: "an OpenAI address that is not served is told in the dialect too", request: "POST /v1/fine_tuning/jobs HTTP/1.1\nHost: h\nContent-Length: 2\n\n{}",
			status: 404, has: []string{`{"error":{"message":"This version of the gateway does not serve POST /v1/fine_tuning/jobs`, `"code":"route_not_found"`},
		},
	})
}

// advises looks for a word in the advice of the record's finding.
func advises(word string) func(*testing.T, *journey.Journey) {
	return func(t *testing.T, j *journey.Journey) {
		if all := strings.Join(j.Finding.Advice, " "); !strings.Contains(all, word) {
			t.Errorf("the advice is %s", all)
		}
	}
}

// pseudonym is our name in Via for a service or provider.
func pseudonym(r *rig, name string) string {
	gen := r.gateway.Generation()
	if s := gen.Services[name]; s != nil {
		return string(s.Upstream.Pseudonym)
	}
	return string(gen.Providers[name].Upstream.Pseudonym)
}

func TestLLMAddressesMove(t *testing.T) {
	up := newOrigin(t)
	r := newRig(t, fill(t, strings.Replace(signpostConfig, "services:", `llm: {prefix: /ai, hosts: [llm.example.com, "*.llm.example.com"]}
services:`, 1), up))
	models := func(host, path string) string {
		return "GET " + path + " HTTP/1.1\nHost: " + host + "\nAuthorization: Bearer " + key + "\n\n"
	}
	r.run(t, up, []scenario{
		{name: "to a host and under a prefix", request: models("llm.example.com", "/ai/v1/models"), status: 200, has: []string{`"object":"list"`}},
		{name: "a port and the host's case do not matter", request: models("LLM.Example.com:8080", "/ai/v1/models"), status: 200},
		{name: "every name under a wildcard", request: models("a.b.llm.example.com", "/ai/v1/models"), status: 200},
		{name: "not elsewhere", request: models("h", "/ai/v1/models"), status: 404, has: []string{"application/problem+json"}},
		{name: "not without the prefix", request: models("llm.example.com", "/v1/models"), status: 404},
	})
}

// chat is a call of a model, with more header lines.
func chat(model string, lines ...string) string {
	return chatBody(`{"model":"`+model+`","messages":[{"role":"user","content":"hi"}]}`, lines...)
}

func chatBody(body string, lines ...string) string {
	head := "POST /v1/chat/completions HTTP/1.1\nHost: h\nContent-Type: application/json\nAuthorization: Bearer " + key + "\n"
	for _, l := range lines {
		head += l + "\n"
	}
	return head + "Content-Length: " + strconv.Itoa(len(body)) + "\n\n" + body
}
