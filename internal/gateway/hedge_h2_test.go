package gateway

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"causeway/internal/journey"
)

// TestHedgeOverHTTP2: over HTTP/2 the stream that loses is reset, and its connection serves on; what guardrails have
// hidden is put back into the answer of whoever gives it.
func TestHedgeOverHTTP2(t *testing.T) {
	left, asked := make(chan struct{}, 8), make(chan string, 8)
	peer := func(hangs bool) string {
		up := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			if hangs {
				<-r.Context().Done()
				left <- struct{}{}
				return
			}
			asked <- string(body)
			_, said, _ := strings.Cut(string(body), `"content":"`)
			said, _, _ = strings.Cut(said, `"`)
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, strings.Replace(completionBody, `"content":"hi"`, `"content":"you said `+said+`"`, 1))
		}))
		up.Config.Protocols = new(http.Protocols)
		up.Config.Protocols.SetUnencryptedHTTP2(true)
		up.Start()
		t.Cleanup(up.Close)
		return up.URL
	}
	r := newRig(t, strings.NewReplacer("FIRST", peer(true), "SECOND", peer(false), "KEY", key).Replace(`
version: 1
providers:
  first: {kind: openai-compatible, base_url: "FIRST/v1", protocol: h2c, keys: [sk-first-key-0123456789], timeouts: {first_byte: 10s}}
  second: {kind: openai-compatible, base_url: "SECOND/v1", protocol: h2c, keys: [sk-second-key-0123456789]}
guardrails:
  hide: {detect: [email], with: reversible}
models:
  m: {targets: [{model: first/a}], fallback: [second/b], hedge: {after: 30ms, budget: 100%}, guardrails: [hide]}
applications:
  web: {keys: [KEY], subscribes: [models/m]}
`))
	for i := range 3 {
		mail := fmt.Sprintf("caller%d@example.com", i)
		a := r.call(t, chatBody(`{"model":"m","messages":[{"role":"user","content":"write to `+mail+`"}]}`))
		select {
		case <-left:
		case <-time.After(5 * time.Second):
			t.Fatal("the stream of the first target was not reset")
		}
		if body := <-asked; strings.Contains(body, mail) {
			t.Errorf("what is to be hidden was sent: %s", body)
		}
		j := r.record(t, a)
		if a.status != 200 || !strings.Contains(a.body, "you said write to "+mail) || len(j.Attempts) != 2 || j.Attempts[0].End != journey.EndHedged || j.Attempts[0].Kind != "" {
			t.Fatalf("%s\n%+v", a.whole(), j.Attempts)
		}
		if i > 0 && !j.Attempts[0].Reused {
			t.Error("one stream's reset has cost the others their connection")
		}
	}
}
