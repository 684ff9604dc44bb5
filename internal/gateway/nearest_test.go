package gateway

import (
	"fmt"
	"strings"
	"testing"
)

const nearestConfig = `
version: 1
providers:
  openai: {kind: openai, base_url: "http://UP/v1", keys: [provider-key-0123], models: [gpt-4o, gpt-4o-mini]}
  azure: {kind: openai-compatible, base_url: "http://UP/v1", keys: [provider-key-0123], models: [gpt-4o]}
  hidden: {kind: openai-compatible, base_url: "http://UP/v1", keys: [provider-key-0123], models: [gpt-4o, secret-1]}
models:
  fast: {targets: [{model: openai/gpt-4o-mini}]}
  faster: {targets: [{model: openai/gpt-4o-mini}]}
  fastest-secret: {targets: [{model: hidden/secret-1}]}
applications:
  web: {keys: [web-key-0123456789], subscribes: [models/fast, models/openai/*, models/azure/gpt-4o, models/hidden/o-named]}
  all: {keys: [all-key-0123456789], subscribes: [models/*]}
  none: {keys: [none-key-0123456789], subscribes: []}
`

// TestAnUnknownModelNamesTheNearestThatTheCallerMayUse in the caller's dialect, and never what is not the caller's.
func TestAnUnknownModelNamesTheNearestThatTheCallerMayUse(t *testing.T) {
	up := newOrigin(t)
	r := newRigWith(t, strings.ReplaceAll(nearestConfig, "UP", up.addr), withAllDialects)
	const msgs = `"messages":[{"role":"user","content":"x"}]`
	for _, d := range []struct{ dialect, method, path, body string }{
		{"openai", "POST", "/v1/chat/completions", `{"model":"MODEL",` + msgs + `}`},
		{"openai", "POST", "/v1/responses", `{"model":"MODEL","input":"x"}`},
		{"openai", "POST", "/v1/embeddings", `{"model":"MODEL","input":"x"}`},
		{"openai", "POST", "/v1/completions", `{"model":"MODEL","prompt":"x"}`},
		{"openai", "GET", "/v1/models/MODEL", ""},
		{"anthropic", "POST", "/v1/messages", `{"model":"MODEL","max_tokens":1,` + msgs + `}`},
		{"anthropic", "POST", "/v1/messages/count_tokens", `{"model":"MODEL",` + msgs + `}`},
		{"gemini", "POST", "/v1beta/models/MODEL:generateContent", `{"contents":[{"parts":[{"text":"x"}]}]}`},
		{"gemini", "POST", "/v1beta/models/MODEL:streamGenerateContent?alt=sse", `{"contents":[{"parts":[{"text":"x"}]}]}`},
		{"gemini", "POST", "/v1beta/models/MODEL:embedContent", `{"content":{"parts":[{"text":"x"}]}}`},
		{"gemini", "GET", "/v1beta/models/MODEL", ""},
	} {
		for _, c := range []struct {
			key, asked, says string
			lacks            []string
		}{
			{"web", "fats", "Did you mean fast?", nil},
			{"web", "fastest", "Did you mean fast?", nil},
			{"web", "gpt-4o-mimi", "Did you mean openai/gpt-4o-mini, azure/gpt-4o, openai/gpt-4o?", nil},
			{"web", "o-name", "Did you mean hidden/o-named?", nil},
			{"web", "gpt-4o", "write azure/gpt-4o or openai/gpt-4o", []string{"hidden"}}, // a third has it as well
			{"web", "secret-2", "You may use azure/gpt-4o, fast, hidden/o-named and 2 more.", nil},
			{"none", "hidden/", "There is no model", []string{"No provider is named"}}, // there is one
			{"web", "nobody/x", `No provider is named \"nobody\". You may use azure/gpt-4o, fast`, nil},
			{"all", "secret-2", "hidden/secret-1", nil},
			{"all", "fastest", "Did you mean fast, faster, fastest-secret?", nil},
			{"none", "fats", "There is no model", []string{"Did you mean", "azure", "hidden", "You may use"}},
		} {
			t.Run(d.method+" "+d.path+" "+c.key+" "+c.asked, func(t *testing.T) {
				named := strings.NewReplacer("MODEL", c.asked)
				body := named.Replace(d.body)
				a := r.call(t, fmt.Sprintf("%s %s HTTP/1.1\nHost: h\nContent-Type: application/json\nAuthorization: Bearer %s-key-0123456789\nContent-Length: %d\n\n%s", d.method, named.Replace(d.path), c.key, len(body), body))
				got := tellOf(t, d.dialect, a.status, a.body)
				if a.status != 404 || got.kind != "model_not_found" || got.param != "model" || !strings.Contains(a.body, c.says) {
					t.Errorf("%d, want %q in %s", a.status, c.says, a.body)
				}
				others := append([]string{"fastest-secret", "faster", "secret-1"}, c.lacks...)
				if c.key == "all" {
					others = nil
				}
				for _, not := range others {
					if strings.Contains(strings.ReplaceAll(a.whole(), c.asked, ""), not) {
						t.Errorf("the answer has %q: %s", not, a.whole())
					}
				}
			})
		}
	}
	if n := len(up.got()); n != 0 {
		t.Errorf("the provider was asked %d times", n)
	}
}

func TestANameOfAModelHasALength(t *testing.T) {
	up := newOrigin(t)
	r := newRigWith(t, strings.ReplaceAll(nearestConfig, "UP", up.addr), withAllDialects)
	for _, n := range []int{longestModel, longestModel + 1, 5 << 20} {
		body := `{"model":"` + strings.Repeat("m", n) + `","messages":[]}`
		a := r.call(t, fmt.Sprintf("POST /v1/chat/completions HTTP/1.1\nHost: h\nAuthorization: Bearer web-key-0123456789\nContent-Length: %d\n\n%s", len(body), body))
		want := 400
		if n == longestModel {
			want = 404
		}
		if a.status != want || len(a.body) > 4<<10 || !strings.Contains(a.body, `"param":"model"`) {
			t.Errorf("a name of %d bytes: %d with %d bytes: %.300s", n, a.status, len(a.body), a.body)
		}
		if j := r.record(t, a); len(j.Model) > longestModel {
			t.Errorf("the record has a model of %d bytes", len(j.Model))
		}
	}
}
