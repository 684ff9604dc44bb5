package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// providerError is an error that the provider of llm_provider_test.go answers with, and what must
// be made of it. want is the status that the caller gets; passed: the body goes on as it came.
type providerError struct {
	status     int
	body       string
	header     []string
	kind       string
	want       int
	passed     bool
	retry      string // x-should-retry
	retryAfter string
}

const quoted = `Incorrect API key provided: ` + providerKey + `. You can find your API key at https://example.com.`

// providerErrors are by the name that a model "fail-NAME" asks for.
var providerErrors = map[string]providerError{
	"key": {
		status: 401, body: `{"error":{"message":"` + quoted + `","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}`,
		kind: "provider_key_rejected", want: 502, retry: "false",
	},
	"key_in_html": {
		status: 401, body: "<html><body>No access for " + providerKey + "</body></html>", header: []string{"Content-Type", "text/html"},
		kind: "provider_key_rejected", want: 502, retry: "false",
	},
	"forbidden": {
		status: 403, body: `{"error":{"message":"The key ` + providerKey + ` may not use this project.","type":"invalid_request_error","param":null,"code":null}}`,
		kind: "provider_key_rejected", want: 502, retry: "false",
	},
	"key_in_another_error": {
		status: 500, body: `{"error":{"message":"cannot route the call of ` + providerKey + `","type":"server_error","param":null,"code":null}}`,
		kind: "provider_error", want: 502, retry: "false",
	},
	"rate": {
		status: 429, body: `{"error":{"message":"Rate limit reached for requests","type":"requests","param":null,"code":"rate_limit_exceeded"}}`,
		header: []string{"Retry-After", "7"},
		kind:   "provider_rate_limited", want: 429, passed: true, retry: "false", retryAfter: "7",
	},
	"rate_with_advice": {
		status: 429, body: `{"error":{"message":"Rate limit reached for requests","type":"requests","param":null,"code":"rate_limit_exceeded"}}`,
		header: []string{"Retry-After", "7", "x-should-retry", "true"},
		kind:   "provider_rate_limited", want: 429, passed: true, retry: "true", retryAfter: "7",
	},
	"quota": {
		status: 429, body: `{"error":{"message":"You exceeded your current quota, please check your plan and billing details.","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}`,
		kind: "quota_exhausted", want: 429, passed: true, retry: "false",
	},
	"payment": {
		status: 402, body: `{"error":{"message":"Insufficient Balance","type":"unknown_error","param":null,"code":"invalid_request_error"}}`,
		kind: "quota_exhausted", want: 402, passed: true, retry: "false",
	},
	"model": {
		status: 404, body: `{"error":{"message":"The model 'gpt-9' does not exist","type":"invalid_request_error","param":null,"code":"model_not_found"}}`,
		kind: "model_not_found", want: 404, passed: true, retry: "false",
	},
	"not_this_api": {
		status: 404, body: "404 page not found\n", header: []string{"Content-Type", "text/plain"},
		kind: "incompatible_response", want: 502, retry: "false",
	},
	"context": {
		status: 400, body: `{"error":{"message":"This model's maximum context length is 8192 tokens.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}`,
		kind: "context_too_long", want: 400, passed: true, retry: "false",
	},
	"overloaded": {
		status: 503, body: `{"error":{"message":"The engine is currently overloaded, please try again later","type":"service_unavailable_error","param":null,"code":null}}`,
		header: []string{"Retry-After", "20"},
		kind:   "overloaded", want: 503, passed: true, retry: "false", retryAfter: "20",
	},
	"overloaded_html": {
		status: 503, body: "<html><h1>503 Service Temporarily Unavailable</h1></html>", header: []string{"Content-Type", "text/html", "Retry-After", "20"},
		kind: "overloaded", want: 503, retry: "false", retryAfter: "20",
	},
	"html": {
		status: 200, body: "<!DOCTYPE html><title>Sign in</title>", header: []string{"Content-Type", "text/html"},
		kind: "incompatible_response", want: 502, retry: "false",
	},
	"error_in_200": {
		status: 200, body: `{"error":{"message":"The server had an error","type":"server_error","param":null,"code":null}}`,
		kind: "provider_error", want: 502, retry: "false",
	},
	"empty": {
		status: 200, body: "", kind: "incompatible_response", want: 502, retry: "false",
	},
	"server": {
		status: 500, body: `{"error":{"message":"The server had an error while processing your request","type":"server_error","param":null,"code":null}}`,
		kind: "provider_error", want: 500, passed: true, retry: "false",
	},
	"redirect": {
		status: 301, body: "", header: []string{"Location", "https://elsewhere.example.com/v1/chat/completions"},
		kind: "incompatible_response", want: 502, retry: "false",
	},
}

func TestProviderErrors(t *testing.T) {
	t.Parallel()
	p := startProvider(t)
	g := providerGateway(t, p.URL, p.URL, "")
	for _, name := range slices.Sorted(maps.Keys(providerErrors)) {
		e := providerErrors[name]
		for _, stream := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/stream=%v", name, stream), func(t *testing.T) {
				before := p.count()
				a := g.chat(t, client(t), webKey, chatBody("alpha/fail-"+name, "hello", stream))
				want(t, "status", a.status, e.want)
				want(t, "x-should-retry", a.header.Get("x-should-retry"), e.retry)
				want(t, "Retry-After", a.header.Get("Retry-After"), e.retryAfter)
				want(t, "requests at the provider", p.count()-before, 1)
				lacks(t, "the answer", string(a.body), providerKey)
				rec := g.record(t, a.id)
				want(t, "the log's kind", rec.Kind, e.kind)
				want(t, "the log's status", rec.Status, e.want)
				if rec.Finding == nil {
					t.Fatal("no finding")
				}
				want(t, "passed on", rec.Finding.Passed, e.passed)
				if e.passed {
					want(t, "the body", string(a.body), e.body)
					want(t, "Causeway-Finding", a.header.Get("Causeway-Finding"), e.kind)
					want(t, "the provider's request id", a.header.Get("x-request-id"), "req_of_the_provider")
					return
				}
				m := modelError(t, a)
				want(t, "kind", m.Error.Causeway.Kind, e.kind)
				evidence := strings.Join(m.Error.Causeway.Evidence, "\n")
				contains(t, "evidence", evidence, fmt.Sprintf("status %d", e.status))
				lacks(t, "evidence", evidence, providerKey)
				if e.kind == "provider_key_rejected" {
					want(t, "cause", m.Error.Causeway.Cause, "configuration")
					contains(t, "which key it was", evidence, "zyxw")
				}
			})
		}
	}
}

// What an application may know holds for a model's errors too, whole and in a stream.
func TestModelErrorDetails(t *testing.T) {
	t.Parallel()
	const (
		safeKey = "safe-key-0123456789abcdef"
		fullKey = "full-key-0123456789abcdef"
	)
	breaks := listenRaw(t, func(c *rawConn) {
		if rq, _ := c.request(); rq != nil {
			c.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + `data: {"id":"c","choices":[{"index":0,"delta":{"content":"half of"},"finish_reason":null}]}` + "\n\n")
		}
	})
	dead := freePort(t)
	g := serve(t, fmt.Sprintf(`
version: 1
server: {public_url: "https://api.example.com"}
providers:
  dead: {kind: openai-compatible, base_url: "http://%s/v1", keys: [dead-provider-key-0123], retries: {max: 0}}
  breaks: {kind: openai-compatible, base_url: "%s/v1", keys: [breaks-provider-key-0123], retries: {max: 0}}
applications:
  safe: {keys: [%s], subscribes: [models/*], details: safe}
  full: {keys: [%s], subscribes: [models/*], details: full}
`, dead, breaks.URL, safeKey, fullKey))
	for _, r := range []struct {
		name, key, model, address, kind string
		stream                          bool
	}{
		{"safe", safeKey, "dead/m", dead, "connection_refused", false},
		{"full", fullKey, "dead/m", dead, "connection_refused", false},
		{"safe, in a stream", safeKey, "breaks/m", hostPort(breaks.URL), "truncated_stream", true},
		{"full, in a stream", fullKey, "breaks/m", hostPort(breaks.URL), "truncated_stream", true},
	} {
		t.Run(r.name, func(t *testing.T) {
			a := g.chat(t, client(t), r.key, chatBody(r.model, "hello", r.stream))
			body := a.body
			if r.stream {
				all := events(a.body)
				want(t, "events", len(all), 2)
				contains(t, "the first event", all[0], "half of")
				body = []byte(all[1])
			}
			var e dialectError
			decode(t, body, &e)
			p := e.Error.Causeway
			if p == nil {
				t.Fatalf("no member causeway: %s", body)
			}
			want(t, "kind", p.Kind, r.kind)
			want(t, "type", p.Type, "https://api.example.com/.causeway/failures/"+r.kind)
			want(t, "help", p.Help, "https://api.example.com/.causeway/calls/"+a.id)
			contains(t, "the message", e.Error.Message, r.kind, a.id)
			full := r.key == fullKey
			told := string(a.body) + a.header.Get("Proxy-Status")
			want(t, "the address is told", strings.Contains(told, r.address), full)
			want(t, "evidence and attempts are told", len(p.Evidence) > 0 && len(p.Attempts) > 0, full)
			if len(p.Advice) == 0 {
				t.Error("there is no advice")
			}
		})
	}
}
