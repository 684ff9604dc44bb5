package gateway

import (
	"fmt"
	"strings"
	"testing"
)

// TestTokensOfAResponseAreCounted at OpenAI's address: by OpenAI itself, by Anthropic and Gemini in their own words, and
// by the gateway where the provider cannot.
func TestTokensOfAResponseAreCounted(t *testing.T) {
	up := newOrigin(t)
	r := newRigWith(t, strings.ReplaceAll(badConfig, "UP", "http://"+up.addr), withAllDialects)
	const key = "web-key-0123456789"
	ask := func(model, more string) *answer {
		body := `{"model":"` + model + `","instructions":"Be short.","input":"How many tokens are these?"` + more + `}`
		return r.call(t, fmt.Sprintf("POST /v1/responses/input_tokens HTTP/1.1\nHost: h\nAuthorization: Bearer %s\nContent-Type: application/json\nContent-Length: %d\n\n%s", key, len(body), body))
	}
	for _, c := range []struct{ model, path, sent, answer, has, header string }{
		{"openai/m", "POST /v1/responses/input_tokens HTTP/1.1", `"instructions":"Be short."`, `{"object":"response.input_tokens","input_tokens":21}`, `{"object":"response.input_tokens","input_tokens":21}`, ""},
		{"anthropic/m", "POST /v1/messages/count_tokens HTTP/1.1", `"system":"Be short."`, `{"input_tokens":22}`, `{"object":"response.input_tokens","input_tokens":22}`, ""},
		{"gemini/m", "POST /v1beta/models/m:countTokens HTTP/1.1", `Be short.`, `{"totalTokens":23}`, `{"object":"response.input_tokens","input_tokens":23}`, ""},
		{"jina/m", "", "", "", `{"object":"response.input_tokens","input_tokens":`, "input_tokens;emulated"},
	} {
		up.replies(reply(200, c.answer, asJSON))
		a := ask(c.model, "")
		if a.status != 200 || !strings.HasPrefix(a.body, c.has) || a.header.Get("Causeway-Translation") != c.header {
			t.Errorf("%s: %s", c.model, a.whole())
		}
		list := up.got()
		if c.path == "" && len(list) != 0 || c.path != "" && (len(list) != 1 || !strings.HasPrefix(list[0].head, c.path) || !strings.Contains(list[0].body, c.sent)) {
			t.Errorf("%s: the provider was asked %d times: %+v", c.model, len(list), list)
		}
	}
	// What another application's response would be counted with is not told.
	up.replies(reply(200, `{"object":"response.input_tokens","input_tokens":21}`, asJSON))
	for _, model := range []string{"openai/m", "anthropic/m", "jina/m"} {
		a := ask(model, `,"previous_response_id":"resp_of_somebody"`)
		if a.status != 404 && a.status != 400 || !strings.Contains(a.body, `"param":"previous_response_id"`) || len(up.got()) != 0 {
			t.Errorf("%s: a response that is not the caller's: %d %s", model, a.status, a.body)
		}
	}
	if a := r.call(t, "GET /v1/responses/input_tokens HTTP/1.1\nHost: h\nAuthorization: Bearer "+key+"\n\n"); a.status != 405 || a.header.Get("Allow") != "POST" {
		t.Errorf("GET: %s", a.whole())
	}
}

// TestKnockingAtTheRoot: Claude Code sends HEAD to its base URL. A service that has the root keeps it.
func TestKnockingAtTheRoot(t *testing.T) {
	up := newOrigin(t)
	r := newRigWith(t, strings.ReplaceAll(badConfig, "UP", "http://"+up.addr), withAllDialects)
	if a := r.call(t, "HEAD / HTTP/1.1\nHost: h\n\n"); a.status != 200 || a.body != "" || a.header.Get("Causeway-Call-Id") == "" {
		t.Errorf("HEAD /: %s", a.whole())
	}
	for _, request := range []string{"GET / HTTP/1.1\nHost: h\n\n", "HEAD /elsewhere HTTP/1.1\nHost: h\n\n"} {
		if a := r.call(t, request); a.status != 404 {
			t.Errorf("%q: %s", request, a.whole())
		}
	}
	owned := newRig(t, fill(t, "version: 1\nservices:\n  site: {access: open, routes: [{path: /}], upstream: {targets: [{url: \"http://UP\"}]}}\n", up))
	up.replies("HTTP/1.1 204 No Content\r\nX-Whose: the service's\r\n\r\n")
	if a := owned.call(t, "HEAD / HTTP/1.1\nHost: h\n\n"); a.status != 204 || a.header.Get("X-Whose") == "" {
		t.Errorf("HEAD / of a service: %s", a.whole())
	}
}
