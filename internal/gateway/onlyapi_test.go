package gateway

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"causeway/internal/catalog"
)

// oneAPI is a provider of OpenAI's dialect whose models that are named only-* have the Responses API alone, and those
// named chats-* chat completions alone.
type oneAPI struct {
	echoes
	refusal string // what is said of a model that has no chat completions
	mu      sync.Mutex
	asked   []string
}

func (o *oneAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	o.mu.Lock()
	o.asked = append(o.asked, r.URL.Path)
	o.mu.Unlock()
	status, message := 0, ""
	switch {
	case r.URL.Path == "/v1/chat/completions" && bytes.Contains(body, []byte(`"only-`)):
		status, message = http.StatusNotFound, o.refusal
	case r.URL.Path == "/v1/responses" && bytes.Contains(body, []byte(`"chats-`)):
		status, message = http.StatusBadRequest, "The requested model 'chats-1' cannot be used with the Responses API."
	default:
		o.echoes.ServeHTTP(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"error":{"message":%q,"type":"invalid_request_error","param":"model","code":null}}`, message)
}

// addresses are those that were asked since the last call of it, less the version.
func (o *oneAPI) addresses() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	list := strings.ReplaceAll(strings.Join(o.asked, " "), "/v1/", "")
	o.asked = nil
	return list
}

const onlyResponses = "This model is only supported in v1/responses and not in v1/chat/completions."

func newOneAPI(t *testing.T, refusal string) (*rig, *oneAPI) {
	t.Helper()
	o := &oneAPI{refusal: refusal}
	up := httptest.NewServer(o)
	t.Cleanup(up.Close)
	return newRigWith(t, fmt.Sprintf(`
version: 1
providers:
  openai: {kind: openai, base_url: "%s/v1", keys: [provider-key-0123], retries: {max: 0}}
models:
  said: {targets: [{model: openai/only-said, api: responses}]}
  chats: {targets: [{model: openai/chats-said, api: chat}]}
  strict: {targets: [{model: openai/only-strict, api: responses}], strict: true}
applications:
  web: {keys: [%s], subscribes: [models/*]}
`, up.URL, key), withAllDialects), o
}

// Whatever a caller speaks, a model that has one of OpenAI's two APIs alone is asked by that: at once where the
// configuration says so, else after the provider has said it once.
func TestAModelWithOneAPIAlone(t *testing.T) {
	for _, refusal := range []string{onlyResponses, "This is not a chat model and thus not supported in the v1/chat/completions endpoint. Did you mean to use v1/completions?"} {
		for caller, how := range guardCallers {
			for _, stream := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s stream=%v %.12s", how.name, stream, refusal), func(t *testing.T) {
					r, o := newOneAPI(t, refusal)
					model, has, lacks, configured := "only-1", "responses", "chat/completions", "said"
					if how.name == "responses" {
						model, has, lacks, configured = "chats-1", "chat/completions", "responses", "chats"
					}
					for i, asked := range []string{lacks + " " + has, has, has} {
						name, attempts := "openai/"+model, 1
						if i == 0 {
							attempts = 2
						}
						if i == 2 {
							name = configured
						}
						s := r.say(t, caller, key, name, "hello, is this carried?", stream)
						if s.status != 200 || s.text != "hello, is this carried?" || !s.complete || s.header.Get("Causeway-Attempts") != fmt.Sprint(attempts) {
							t.Errorf("call %d: %+v", i, s)
						}
						if got := o.addresses(); got != asked {
							t.Errorf("call %d asked at %s, want %s", i, got, asked)
						}
						if body := o.last(); has == "responses" && !strings.Contains(body, `"store":false`) {
							t.Errorf("call %d: the provider would keep the response: %s", i, body)
						}
					}
					// Another model of the provider is asked as its caller asks.
					if s := r.say(t, caller, key, "openai/both", "hi", stream); s.text != "hi" || s.header.Get("Causeway-Attempts") != "1" {
						t.Errorf("%+v", s)
					}
					if got := o.addresses(); got != map[bool]string{true: "responses", false: "chat/completions"}[how.name == "responses"] {
						t.Errorf("another model was asked at %s", got)
					}
				})
			}
		}
	}
}

// What the record and the caller are told of a chat that went to the Responses API.
func TestAChatAtAModelWithResponsesAlone(t *testing.T) {
	r, o := newOneAPI(t, onlyResponses)
	chat := func(model, rest string) *answer {
		return r.call(t, postTo("/v1/chat/completions", `{"model":"`+model+`","messages":[{"role":"user","content":"call:it"}],"tools":[{"type":"function","function":{"name":"tell","parameters":{"type":"object"}}}]`+rest+`}`))
	}
	a := chat("openai/only-1", `,"seed":7`)
	j := r.record(t, a)
	if a.status != 200 || !strings.Contains(a.body, `"finish_reason":"tool_calls"`) || !strings.Contains(a.body, `"name":"tell"`) || a.header.Get("Causeway-Translation") != "seed;dropped" {
		t.Errorf("%s", a.whole())
	}
	if len(j.Attempts) != 2 || !strings.Contains(j.Attempts[0].Again, "the model has no chat") || j.Usage.Source != "reported" {
		t.Errorf("%+v, %+v", j.Attempts, j.Usage)
	}
	o.addresses()
	if a := chat("strict", `,"seed":7`); a.status != 400 || !strings.Contains(a.body, `"param":"seed"`) || o.addresses() != "" {
		t.Errorf("%s", a.whole())
	}
	if a := chat("strict", ""); a.status != 200 || o.addresses() != "responses" {
		t.Errorf("%s", a.whole())
	}
}

// A provider that has neither is asked twice, once.
func TestAModelWithNeitherAPI(t *testing.T) {
	var calls atomic.Int64
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		_, _ = fmt.Fprintf(w, `{"error":{"message":%q,"type":"invalid_request_error","param":"model","code":null}}`, map[bool]string{
			true: "This model is only supported in v1/chat/completions and not in v1/responses.", false: onlyResponses,
		}[r.URL.Path == "/v1/responses"])
	}))
	defer up.Close()
	r := newRig(t, fmt.Sprintf("version: 1\nproviders:\n  p: {kind: openai, base_url: \"%s/v1\", keys: [provider-key-0123], retries: {max: 0}}\napplications:\n  web: {keys: [%s], subscribes: [models/*]}\n", up.URL, key))
	a := r.call(t, postTo("/v1/chat/completions", `{"model":"p/m","messages":[{"role":"user","content":"hi"}]}`))
	if a.status < 400 || calls.Load() != 2 {
		t.Errorf("%d calls: %s", calls.Load(), a.whole())
	}
}

// An api is one of two words.
func TestAnAPIThatThereIsNot(t *testing.T) {
	_, faults := catalog.Parse("c.yaml", []byte("version: 1\nproviders:\n  p: {kind: openai, keys: [provider-key-0123]}\nmodels:\n  m: {targets: [{model: p/x, api: response}]}\n"), func(string) (string, bool) { return "", false })
	if len(faults) != 1 || !strings.Contains(faults[0].String(), "c.yaml:5:35") || !strings.Contains(faults[0].String(), "responses") {
		t.Errorf("%v", faults)
	}
}
