package gateway

import (
	"encoding/json"
	"strings"
	"testing"

	"causeway/internal/fault"
	"causeway/internal/journey"
	"causeway/internal/snapshot"
)

const explainConfig = `
version: 1
server: {public_url: "https://api.example.com/gw", max_header: 2KiB}
services:
  down:
    access: open
    routes: [{path: "/down/*"}]
    upstream: {targets: [{url: "http://DOWN"}], retries: {max: 0}}
  slow:
    access: open
    routes: [{path: "/slow/*"}]
    upstream: {targets: [{url: "http://UP"}]}
  keyed:
    routes: [{path: "/keyed/*"}]
    upstream: {targets: [{url: "http://UP"}]}
providers:
  mock: {kind: openai-compatible, base_url: "http://UP/v1"}
applications:
  web: {keys: [KEY], subscribes: [models/*]}
`

func TestFailuresAreToldInTheCallersFormat(t *testing.T) {
	up := newOrigin(t)
	r := newRig(t, fill(t, explainConfig, up))
	html := []string{"Content-Type: text/html; charset=utf-8\r\n", "Content-Security-Policy: default-src 'none'", "<!doctype html>"}
	problem := []string{"Content-Type: application/problem+json\r\n"}
	for _, s := range []struct {
		accept string
		want   []string
	}{
		{"", problem},
		{"*/*", problem},
		{"application/json", problem},
		{"text/html, application/json", problem},
		{"text/html;q=0", problem},
		{"text/html", html},
		{"text/html,application/xhtml+xml,*/*;q=0.8", html},
		{"application/json;q=0.5, text/html", html},
	} {
		request := get("/down/x", "Accept: "+s.accept)
		if s.accept == "" {
			request = get("/down/x")
		}
		r.run(t, up, []scenario{{
			name: "Accept: " + s.accept, request: request, status: 502,
			has: append(s.want, "HTTP/1.1 502 Bad Gateway (connection_refused)\r\n", "Cache-Control: no-store\r\n", "Vary: Accept\r\n", "X-Content-Type-Options: nosniff\r\n", "Causeway-Attempts: 1\r\n", "Causeway-Call-Id: "),
		}})
	}
	r.run(t, up, []scenario{
		{
			name: "HEAD gets the head", request: "HEAD /down/x HTTP/1.1\nHost: h\n\n", status: 502, has: []string{"Content-Length: "},
		},
		{
			name: "links are absolute where the gateway's address is known", request: get("/down/x"), status: 502,
			has: []string{`"type":"https://api.example.com/gw/.causeway/failures/connection_refused"`, `"help":"https://api.example.com/gw/.causeway/calls/`},
		},
		{
			name: "as is the address in the curl", request: "GET /keyed/x HTTP/1.1\nHost: api.example.com\n\n", status: 401, has: []string{"curl 'https://api.example.com/gw/keyed/x' -H 'apikey: YOUR_KEY'"},
		},
		{
			name: "on another host it is what was called", request: get("/keyed/x"), status: 401, has: []string{"curl 'http://h/keyed/x'"},
		},
		{
			name: "without a host the public one", request: "GET /keyed/x HTTP/1.0\n\n", status: 401, has: []string{"curl 'https://api.example.com/gw/keyed/x'"},
		},
		{
			name: "what is no HTTP", request: "GET /x HTTP/1.1\nHost: h\nBad Name: x\n\n", status: 400,
			has: []string{`"kind":"malformed_request"`, "Proxy-Status: causeway; error=http_request_error; status-code=400", "Connection: close"}, lacks: []string{"Bad Name"},
		},
		{
			name: "a head that is too large", request: get("/x", "X: "+strings.Repeat("x", 3000)), status: 431, has: []string{`"kind":"request_header_too_large"`, "server.max_header is 2KiB"},
		},
		{
			name: "an LLM call that the door turns away, in its dialect", request: chat("fast", "Expect: a miracle"), status: 417, has: []string{`{"error":{"message":"The only expectation`, `"kind":"expectation_failed"`, "x-should-retry: false"},
		},
	})
}

func TestEveryFailureIsOneJSONObject(t *testing.T) {
	up := newOrigin(t)
	r := newRig(t, fill(t, explainConfig, up))
	a := r.call(t, get("/down/x"))
	var p struct {
		Type, Title, Detail, Kind, Cause, Retry, Help string
		CallID                                        string `json:"call_id"`
		Status                                        int
		Retryable                                     *bool
		Evidence, Advice                              []string
		Attempts                                      []struct {
			Target, Kind string
			MS           *float64
		}
	}
	if err := json.Unmarshal([]byte(a.body), &p); err != nil {
		t.Fatal(err)
	}
	if p.Kind != "connection_refused" || p.Status != 502 || p.CallID != a.header.Get("Causeway-Call-Id") || p.Retry != "safe" || p.Retryable == nil || !*p.Retryable || len(p.Attempts) != 1 || p.Attempts[0].MS == nil {
		t.Errorf("%s", a.body)
	}
	j := r.record(t, a)
	if j.Finding.Detail != p.Detail || string(j.Finding.Cause) != p.Cause || !strings.Contains(r.log.String(), "kind=connection_refused") || !strings.Contains(r.log.String(), p.CallID) {
		t.Errorf("body, record and log differ: %s; %+v; %s", a.body, j.Finding, r.log.String())
	}
}

// TestMoreCallsThanTheGatewayCarries are turned away, with a record, in the caller's dialect.
func TestMoreCallsThanTheGatewayCarries(t *testing.T) {
	up := newOrigin(t)
	r := newRig(t, fill(t, strings.Replace(explainConfig, "max_header: 2KiB", "max_calls: 1", 1), up))
	up.replies("")
	c := dial(t, r.addr)
	c.send(t, get("/slow/x"))
	eventually(t, "a call in flight", func() bool { return len(up.got()) == 1 })
	r.run(t, up, []scenario{
		{
			name: "a service's", request: get("/down/x"), status: 503, has: []string{`"kind":"gateway_overloaded"`, "already carries 1 call; server.max_calls is 1"}, lacks: []string{"Retry-After"},
			record: func(t *testing.T, j *journey.Journey) {
				if kindOf(j) != fault.GatewayOverloaded {
					t.Errorf("kind %s", kindOf(j))
				}
			},
		},
		{name: "a model's", request: chat("mock/m"), status: 503, has: []string{`{"error":{"message":`, `"kind":"gateway_overloaded"`, "x-should-retry: true"}},
	})
}

// TestALongAddressDoesNotLoseTheRecord: a record has a largest size, and a call never is lost for it.
func TestALongAddressDoesNotLoseTheRecord(t *testing.T) {
	up := newOrigin(t)
	r := newRig(t, fill(t, strings.Replace(explainConfig, "max_header: 2KiB", "max_header: 1MiB", 1), up))
	c := dial(t, r.addr)
	c.send(t, get("/down/"+strings.Repeat("x", 600<<10)))
	a := c.read(t, "GET")
	if j := r.record(t, a); a.status != 502 || j.Status != 502 || kindOf(j) != fault.ConnectionRefused {
		t.Errorf("status %d, on record %d, %s", a.status, j.Status, kindOf(j))
	}
}

// TestARefusedUploadEndsItsConnection: what is left of the body is not read, and the caller is told.
func TestARefusedUploadEndsItsConnection(t *testing.T) {
	up := newOrigin(t)
	r := newRig(t, fill(t, explainConfig, up))
	for name, head := range map[string]string{
		"a long body":              "PUT %s HTTP/1.1\nHost: h\nContent-Length: 100000\n\nbegin",
		"a body of no end":         "PUT %s HTTP/1.1\nHost: h\nTransfer-Encoding: chunked\n\n5\r\nbegin\r\n",
		"a short one is no reason": "PUT %s HTTP/1.1\nHost: h\nContent-Length: 5\n\nbegin",
	} {
		for _, path := range []string{"/nowhere", "/down/x"} {
			c := dial(t, r.addr)
			c.send(t, strings.Replace(head, "%s", path, 1))
			a := c.read(t, "PUT")
			if closes := strings.Contains(a.head, "Connection: close\r\n"); closes != (name != "a short one is no reason") {
				t.Errorf("%s to %s: %s", name, path, a.head)
			}
		}
	}
}

// TestTheLogIsBounded: a flood of failures writes some lines a second and counts the rest.
func TestTheLogIsBounded(t *testing.T) {
	up := newOrigin(t)
	r := newRig(t, fill(t, explainConfig, up))
	c := dial(t, r.addr)
	for range 500 {
		c.send(t, get("/nowhere"))
		c.read(t, "GET")
	}
	if n := strings.Count(r.log.String(), "\n"); n == 0 || n > 100 {
		t.Errorf("%d lines for 500 failures", n)
	}
}

func TestABugCostsOneCall(t *testing.T) {
	up := newOrigin(t)
	r := newRigOver(t, fill(t, explainConfig, up), &memory{}, buggy{})
	r.run(t, up, []scenario{
		{name: "it is told, and on record", request: chat("sandbox/echo"), status: 500, has: []string{`"code":"gateway_bug"`}, lacks: []string{"goroutine", "oops"}},
		{name: "the next one goes on", request: get("/down/x"), status: 502, has: []string{`"kind":"connection_refused"`}},
	})
	if log := r.log.String(); !strings.Contains(log, "oops") || !strings.Contains(log, "goroutine") {
		t.Error("the log lacks the panic or its stack")
	}
}

// buggy is a sandbox that fails in a way that nobody thought of.
type buggy struct{}

func (buggy) Upstream(string, bool) (*snapshot.Upstream, fault.Kind, bool) { panic("oops") }
