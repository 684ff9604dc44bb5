package gateway

import (
	"strings"
	"testing"
)

// A part or an item of a type that nobody knows is refused by its path wherever it can't be carried, and passes where the
// provider speaks the caller's dialect.
func TestAnUnknownPartIsRefused(t *testing.T) {
	r, _, good := newCrossRig(t)
	for _, c := range []struct{ name, dialect, path, body, param string }{
		{"chat, of the user", "openai", "/v1/chat/completions", `{"model":"MODEL/m","messages":[{"role":"user","content":[{"type":"text","text":"x"},{"type":"hologram","hologram":{"id":"1"}}]}]}`, "messages.0.content.1"},
		{"chat, of a system message", "openai", "/v1/chat/completions", `{"model":"MODEL/m","messages":[{"role":"system","content":[{"type":"hologram"}]},{"role":"user","content":"x"}]}`, "messages.0.content.0"},
		{"responses, an item", "openai", "/v1/responses", `{"model":"MODEL/m","input":[{"role":"user","content":"x"},{"type":"hologram","id":"h_1"}]}`, "input.1"},
		{"responses, a tool's item", "openai", "/v1/responses", `{"model":"MODEL/m","input":[{"role":"user","content":"x"},{"type":"hologram_output","id":"h_1"}]}`, "input.1"},
		{"responses, a part", "openai", "/v1/responses", `{"model":"MODEL/m","input":[{"role":"user","content":[{"type":"input_text","text":"x"},{"type":"input_hologram"}]}]}`, "input.0.content.1"},
		{"messages", "anthropic", "/v1/messages", `{"model":"MODEL/m","max_tokens":9,"messages":[{"role":"user","content":[{"type":"text","text":"x"},{"type":"hologram"}]}]}`, "messages.0.content.1"},
		{"gemini", "gemini", "/v1beta/models/MODEL/m:generateContent", `{"contents":[{"role":"user","parts":[{"text":"x"},{"hologram":{"id":"1"}}]}]}`, "contents.0.parts.1"},
	} {
		for _, p := range crossProviders {
			t.Run(c.name+" to "+p.name, func(t *testing.T) {
				before := len(good.all())
				a := r.call(t, strings.Replace(postTo(strings.Replace(c.path, "MODEL", p.name, 1), strings.Replace(c.body, "MODEL", p.name, 1)), key, "web-key-0123456789", 1))
				asked := len(good.all()) - before
				if p.name == c.dialect {
					if asked != 1 {
						t.Errorf("a body in the provider's own dialect was not passed: %s", a.whole())
					}
					return
				}
				if a.status != 400 || asked != 0 || !strings.Contains(a.body, "unsupported_feature") || !strings.Contains(a.body, c.param) ||
					!strings.Contains(a.body, ": /"+strings.ReplaceAll(c.param, ".", "/")+": ") {
					t.Errorf("want 400 at %s: %s", c.param, a.whole())
				}
			})
		}
	}
}

// What a model's own tools did before is left out and reported: the conversation goes on elsewhere.
func TestAnItemOfAToolOfOpenAIsIsLeftOut(t *testing.T) {
	r, _, _ := newCrossRig(t)
	body := `{"model":"anthropic/m","input":[{"role":"user","content":"x"},{"type":"web_search_call","id":"ws_1","status":"completed","action":{"type":"search","query":"y"}},{"role":"user","content":"z"}]}`
	a := r.call(t, strings.Replace(postTo("/v1/responses", body), key, "web-key-0123456789", 1))
	if a.status != 200 || !strings.Contains(a.header.Get("Causeway-Translation"), "input.1;dropped") {
		t.Error(a.whole())
	}
}
