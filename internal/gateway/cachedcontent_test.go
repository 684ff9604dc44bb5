package gateway

import (
	"strings"
	"testing"
)

const cachedConfig = `
version: 1
providers:
  google: {kind: gemini, base_url: "UP", keys: [provider-key-0123]}
  theirs: {kind: gemini, base_url: "UP", keys: caller}
models:
  either: {targets: [{model: google/m}], fallback: [theirs/m]}
applications:
  web: {keys: [KEY], subscribes: [models/*]}
`

// With a key that applications share, nobody may use what a prompt's cache at the provider holds: whose it is is not
// known. With its own key, or where it is the only application, a caller may.
func TestACacheOfTheProvidersIsNobodys(t *testing.T) {
	up := newOrigin(t)
	up.replies(reply(200, `{"candidates":[{"content":{"role":"model","parts":[{"text":"hi"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":1,"totalTokenCount":2},"totalTokens":2}`, asJSON))
	alone := strings.NewReplacer("UP", "http://"+up.addr, "KEY", key).Replace(cachedConfig)
	shared := newRigWith(t, alone+"  app: {keys: [app-0123456789abcdef], subscribes: [models/*]}\n", withAllDialects)
	single := newRigWith(t, alone, withAllDialects)
	const prompt = `"contents":[{"role":"user","parts":[{"text":"x"}]}]`
	for _, c := range []struct {
		name, model, call, body string
		r                       *rig
		param                   string // of the refusal; "" for none
	}{
		{"shared", "google/m", "generateContent", `{` + prompt + `,"cachedContent":"cachedContents/1"}`, shared, "cachedContent"},
		{"as gRPC writes it", "google/m", "generateContent", `{"cached_content":"cachedContents/1",` + prompt + `}`, shared, "cached_content"},
		{"escaped", "google/m", "generateContent", `{"\u0063achedContent":"cachedContents/1",` + prompt + `}`, shared, "cachedContent"},
		{"a stream", "google/m", "streamGenerateContent", `{` + prompt + `,"cachedContent":"cachedContents/1"}`, shared, "cachedContent"},
		{"a count", "google/m", "countTokens", `{"generateContentRequest":{"model":"models/m",` + prompt + `,"cachedContent":"cachedContents/1"}}`, shared, "generateContentRequest.cachedContent"},
		{"null", "google/m", "generateContent", `{` + prompt + `,"cachedContent":null}`, shared, ""},
		{"a text that says so", "google/m", "generateContent", `{"contents":[{"role":"user","parts":[{"text":"cachedContent"}]}]}`, shared, ""},
		{"the caller's key", "theirs/m", "generateContent", `{` + prompt + `,"cachedContent":"cachedContents/1"}`, shared, ""},
		{"a fallback with the caller's key", "either", "generateContent", `{` + prompt + `,"cachedContent":"cachedContents/1"}`, shared, ""},
		{"one application", "google/m", "generateContent", `{` + prompt + `,"cachedContent":"cachedContents/1"}`, single, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := len(up.got())
			a := c.r.call(t, strings.Replace(postTo("/v1beta/models/"+c.model+":"+c.call, c.body), "\n\n", "\nX-Provider-Key: own-key\n\n", 1))
			asked := len(up.got()) - before
			if c.param == "" {
				if a.status != 200 || asked != 1 {
					t.Errorf("%d calls: %s", asked, a.whole())
				}
				return
			}
			if a.status != 404 || asked != 0 || !strings.Contains(a.body, "object_not_found") || !strings.Contains(a.body, `cachedContents/1`) {
				t.Errorf("%d calls: %s", asked, a.whole())
			}
		})
	}
}
