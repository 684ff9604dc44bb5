package gateway

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// A server that calls itself compatible and has no /v1/responses is asked for a chat instead, and from then on at once.
func TestAProviderWithoutResponsesIsAskedForAChat(t *testing.T) {
	for name, refusal := range map[string]struct {
		status int
		body   string
	}{
		"not found, in JSON of its own":   {404, `{"detail":"Not Found"}`},
		"not found, as OpenAI says it":    {404, `{"error":{"message":"Invalid URL (POST /v1/responses)","type":"invalid_request_error","param":null,"code":null}}`},
		"not found, a page":               {404, `<html><title>404</title></html>`},
		"a method that it does not allow": {405, ``},
	} {
		t.Run(name, func(t *testing.T) {
			var missed, chats atomic.Int64
			up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/v1/chat/completions" {
					missed.Add(1)
					w.WriteHeader(refusal.status)
					_, _ = io.WriteString(w, refusal.body)
					return
				}
				chats.Add(1)
				w.Header().Set("Content-Type", "application/json")
				_, _ = io.WriteString(w, completionBody)
			}))
			defer up.Close()
			r := newRig(t, fmt.Sprintf(`
version: 1
providers:
  own: {kind: openai-compatible, base_url: "%s/v1", keys: [provider-key-0123456789]}
applications:
  web: {keys: [web-key-0123456789], subscribes: [models/*]}
`, up.URL))
			for i := range 3 {
				req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+r.addr+"/v1/responses", strings.NewReader(`{"model":"own/m","input":"hello"}`))
				req.Header.Set("Authorization", "Bearer web-key-0123456789")
				res, err := http.DefaultClient.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				body, _ := io.ReadAll(res.Body)
				res.Body.Close()
				attempts := "1"
				if i == 0 {
					attempts = "2"
				}
				if res.StatusCode != 200 || !strings.Contains(string(body), `"object":"response"`) || !strings.Contains(string(body), `"hi"`) || res.Header.Get("Causeway-Attempts") != attempts {
					t.Fatalf("call %d: %d, %s attempts: %s", i, res.StatusCode, res.Header.Get("Causeway-Attempts"), body)
				}
			}
			if missed.Load() != 1 || chats.Load() != 3 {
				t.Errorf("%d calls for responses, %d for chats", missed.Load(), chats.Load())
			}
		})
	}
}

// A model that the provider does not have is no missing address.
func TestAnUnknownModelIsNotAskedForTwice(t *testing.T) {
	var calls atomic.Int64
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls.Add(1)
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"error":{"message":"The model m does not exist","type":"invalid_request_error","param":null,"code":"model_not_found"}}`)
	}))
	defer up.Close()
	r := newRig(t, fmt.Sprintf(`
version: 1
providers:
  own: {kind: openai-compatible, base_url: "%s/v1", keys: [provider-key-0123456789]}
applications:
  web: {keys: [web-key-0123456789], subscribes: [models/*]}
`, up.URL))
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+r.addr+"/v1/responses", strings.NewReader(`{"model":"own/m","input":"hello"}`))
	req.Header.Set("Authorization", "Bearer web-key-0123456789")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != 404 || calls.Load() != 1 {
		t.Errorf("%d after %d calls", res.StatusCode, calls.Load())
	}
}
