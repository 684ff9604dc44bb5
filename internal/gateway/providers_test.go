package gateway

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"causeway/internal/llm/openai"
)

// asked is what a provider was asked.
type asked struct {
	uri, body string
	header    http.Header
}

// TestHowProvidersAreReached: address, key, extra fields and the model's name for providers of several kinds.
func TestHowProvidersAreReached(t *testing.T) {
	got := make(chan asked, 1)
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- asked{r.RequestURI, string(body), r.Header}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, completionBody)
	}))
	defer up.Close()
	const secret = "provider-key-0123456789"
	r := newRig(t, strings.NewReplacer("UP", up.URL, "SECRET", secret).Replace(`
version: 1
providers:
  dated: {kind: azure-openai, base_url: "UP", api_version: "2024-10-21", keys: [SECRET], deployments: {gpt-4o: my-dep/1}}
  v1: {kind: azure-openai, base_url: "UP", keys: [SECRET], deployments: {gpt-4o: mine}}
  preview: {kind: azure-openai, base_url: "UP/openai/v1", api_version: preview, auth: bearer, keys: [SECRET]}
  router: {kind: openrouter, base_url: "UP", keys: [SECRET], headers: {set: {HTTP-Referer: "https://ours.example"}}}
  own: {kind: openai-compatible, base_url: "UP", auth: x-api-key, keys: [SECRET]}
  none: {kind: vllm, base_url: "UP"}
models:
  fast: {targets: [{model: dated/gpt-4o}]}
applications:
  web: {keys: [KEY], subscribes: [models/*]}
`))
	for _, tc := range []struct {
		model, uri, field, value, sent string
	}{
		{"dated/gpt-4o", "/openai/deployments/my-dep%2F1/chat/completions?api-version=2024-10-21", "Api-Key", secret, `"model":"my-dep/1"`},
		{"fast", "/openai/deployments/my-dep%2F1/chat/completions?api-version=2024-10-21", "Api-Key", secret, `"model":"my-dep/1"`},
		{"dated/other", "/openai/deployments/other/chat/completions?api-version=2024-10-21", "Api-Key", secret, `"model":"other"`},
		{"v1/gpt-4o", "/openai/v1/chat/completions", "Api-Key", secret, `"model":"mine"`},
		{"preview/gpt-4o", "/openai/v1/chat/completions?api-version=preview", "Authorization", "Bearer " + secret, `"model":"gpt-4o"`},
		{"router/a/b", "/api/v1/chat/completions", "Authorization", "Bearer " + secret, `"model":"a/b"`},
		{"own/m", "/v1/chat/completions", "X-Api-Key", secret, `"model":"m"`},
		{"none/m", "/v1/chat/completions", "Authorization", "", `"model":"m"`},
	} {
		t.Run(tc.model, func(t *testing.T) {
			body := `{"model":"` + tc.model + `","messages":[]}`
			a := r.call(t, "POST /v1/chat/completions HTTP/1.1\nHost: x\nAuthorization: Bearer KEY\nHTTP-Referer: https://callers.example\nContent-Type: application/json\nContent-Length: "+strconv.Itoa(len(body))+"\n\n"+body)
			if a.status != 200 {
				t.Fatalf("%s", a.whole())
			}
			in := <-got
			if in.uri != tc.uri || in.header.Get(tc.field) != tc.value || !strings.Contains(in.body, tc.sent) {
				t.Errorf("asked for %s with %s %q: %s", in.uri, tc.field, in.header.Get(tc.field), in.body)
			}
			keys := 0
			for _, name := range []string{"Authorization", "X-Api-Key", "X-Goog-Api-Key", "Api-Key"} {
				keys += len(in.header[name])
			}
			if want := min(len(tc.value), 1); keys != want {
				t.Errorf("%d keys are sent, want %d: %v", keys, want, in.header)
			}
			referer := "https://callers.example"
			if strings.HasPrefix(tc.model, "router/") {
				referer = "https://ours.example"
			}
			if list := in.header["Http-Referer"]; len(list) != 1 || list[0] != referer {
				t.Errorf("HTTP-Referer %q", list)
			}
			if strings.Contains(r.log.String(), secret) || strings.Contains(a.whole(), secret) {
				t.Error("the provider's key is in the log or in the answer")
			}
		})
	}
}

// TestAFieldIsAddedWhereTheCallerSentNone: Anthropic refuses a call that does not say its version. What the
// bodies are does not matter here.
func TestAFieldIsAddedWhereTheCallerSentNone(t *testing.T) {
	got := make(chan asked, 1)
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got <- asked{header: r.Header}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, completionBody)
	}))
	defer up.Close()
	r := newRig(t, "version: 1\n")
	r.deps.Speak["anthropic"] = openai.New()
	r.reload(t, strings.ReplaceAll(`
version: 1
providers:
  plain: {kind: anthropic, base_url: "UP", keys: [PROVIDERKEY]}
  ours: {kind: anthropic, base_url: "UP", keys: [PROVIDERKEY], headers: {set: {Anthropic-Version: "2030-01-01"}}}
applications:
  web: {keys: [KEY], subscribes: [models/*]}
`, "UP", up.URL))
	for _, tc := range []struct{ name, model, field, want string }{
		{"none sent", "plain/m", "", "2023-06-01"},
		{"one sent", "plain/m", "Anthropic-Version: 2024-01-01\n", "2024-01-01"},
		{"one set", "ours/m", "Anthropic-Version: 2024-01-01\n", "2030-01-01"},
		{"one set and none sent", "ours/m", "", "2030-01-01"},
	} {
		body := `{"model":"` + tc.model + `","messages":[]}`
		a := r.call(t, "POST /v1/chat/completions HTTP/1.1\nHost: x\nAuthorization: Bearer KEY\n"+tc.field+"Content-Type: application/json\nContent-Length: "+strconv.Itoa(len(body))+"\n\n"+body)
		if a.status != 200 {
			t.Fatalf("%s: %s", tc.name, a.whole())
		}
		if list := (<-got).header["Anthropic-Version"]; len(list) != 1 || list[0] != tc.want {
			t.Errorf("%s: %q, want %s", tc.name, list, tc.want)
		}
	}
}
