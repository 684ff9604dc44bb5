package gateway

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"causeway/internal/fault"
)

// mistralPeer refuses what Mistral's models of Vertex AI refuse: another address or token than Google's page says, a
// method that does not fit `stream`, a body whose model is not the address's without its version, and members that
// Mistral's API does not have (422).
type mistralPeer struct {
	mu         sync.Mutex
	path, body string
	status     int // of the answer fails, 0 for a good one
	fails      string
}

func (v *mistralPeer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text, _ := io.ReadAll(r.Body)
	v.mu.Lock()
	v.path, v.body = r.URL.Path, string(text)
	status, fails := v.status, v.fails
	v.mu.Unlock()
	say := func(status int, body string) {
		w.Header().Set("Content-Type", "application/json; charset=UTF-8")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
	google := func(status int, why string) {
		say(status, fmt.Sprintf(`{"error":{"code":%d,"message":%q,"status":"INVALID_ARGUMENT"}}`, status, why))
	}
	var body map[string]json.RawMessage
	model, method, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v1/projects/p/locations/europe-west4/publishers/mistralai/models/"), ":")
	name, _, _ := strings.Cut(model, "@")
	switch err := json.Unmarshal(text, &body); {
	case r.Header.Get("Authorization") != "Bearer ya29.0123456789abcdef" || r.Method != http.MethodPost:
		google(401, "Request had invalid authentication credentials.")
	case err != nil:
		google(400, err.Error())
	case method != "rawPredict" && method != "streamRawPredict" || strings.Contains(model, "/") || r.URL.RawQuery != "":
		google(404, "not found: "+r.URL.Path)
	case string(body["model"]) != `"`+name+`"`:
		say(400, `{"object":"error","message":"Invalid model: `+strings.ReplaceAll(string(body["model"]), `"`, "")+`","type":"invalid_model","param":null,"code":"1500"}`)
	case method == "streamRawPredict" != (string(body["stream"]) == "true"):
		google(400, "stream does not fit the method")
	case fails != "":
		say(status, fails)
	default:
		known := []string{
			"model", "messages", "temperature", "top_p", "max_tokens", "stream", "stop", "random_seed", "response_format", "tools", "tool_choice",
			"presence_penalty", "frequency_penalty", "n", "prediction", "parallel_tool_calls", "safe_prompt", "prompt_mode", "metadata", "reasoning_effort",
		}
		for k := range body {
			if !slices.Contains(known, k) {
				say(422, `{"detail":[{"type":"extra_forbidden","loc":["body","`+k+`"],"msg":"Extra inputs are not permitted","input":1}]}`)
				return
			}
		}
		if method == "rawPredict" {
			say(200, `{"id":"cmpl-e5cc70bb28c444948073e77776eb30ef","object":"chat.completion","model":"`+name+`","usage":{"prompt_tokens":16,"completion_tokens":34,"total_tokens":50},"created":1702256327,"choices":[{"index":0,"message":{"content":"from mistral","tool_calls":null,"prefix":false,"role":"assistant"},"finish_reason":"stop"}]}`)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		_, _ = io.WriteString(w, `data: {"id":"c1","object":"chat.completion.chunk","created":1702256327,"model":"`+name+`","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}

data: {"id":"c1","object":"chat.completion.chunk","created":1702256327,"model":"`+name+`","choices":[{"index":0,"delta":{"content":"from mistral"},"finish_reason":null}]}

data: {"id":"c1","object":"chat.completion.chunk","created":1702256327,"model":"`+name+`","choices":[{"index":0,"delta":{"content":""},"finish_reason":"stop"}],"usage":{"prompt_tokens":16,"total_tokens":50,"completion_tokens":34}}

data: [DONE]

`)
	}
}

// TestMistralOnVertex: Mistral's models of Vertex AI, asked for at their publisher's addresses.
func TestMistralOnVertex(t *testing.T) {
	peer := &mistralPeer{}
	up := httptest.NewServer(peer)
	t.Cleanup(up.Close)
	r := newRigWith(t, strings.NewReplacer("UP", up.URL, "KEY", key).Replace(`
version: 1
providers:
  google: {kind: vertex, project: p, location: europe-west4, base_url: "UP", keys: [ya29.0123456789abcdef], retries: {max: 0}}
models:
  medium: {targets: [{model: google/mistral-medium-3}]}
applications:
  web: {keys: [KEY], subscribes: [models/*]}
`), withAllDialects)
	const medium, large = "mistral-medium-3", "mistral-large@2407"
	const hi = `"messages":[{"role":"user","content":"hi"}]`
	for _, c := range []struct {
		name, path, body, model, method, sent string
		has                                   []string
	}{
		{
			"chat completions pass", "/v1/chat/completions", `{"model":"google/mistral-medium-3", "temperature": 0.50,` + hi + `}`,
			medium, "rawPredict", `{"model":"mistral-medium-3", "temperature": 0.50,` + hi + `}`,
			[]string{`"content":"from mistral"`, `"prefix":false`},
		},
		{
			"a version stands in the address alone", "/v1/chat/completions", `{` + hi + `,"model":"google/mistralai/mistral-large@2407","safe_prompt":true}`,
			large, "rawPredict", `{` + hi + `,"model":"mistral-large","safe_prompt":true}`,
			[]string{"from mistral"},
		},
		{
			"a stream passes", "/v1/chat/completions", `{"model":"google/mistral-large@2407","stream":true,` + hi + `}`,
			large, "streamRawPredict", `{"model":"mistral-large","stream":true,` + hi + `}`,
			[]string{"from mistral", "data: [DONE]"},
		},
		{
			"what Mistral has under another name", "/v1/chat/completions", `{"model":"medium","seed":7,"user":"me",` + hi + `}`,
			medium, "rawPredict", "",
			[]string{"from mistral"},
		},
		{
			"Codestral by its bare name", "/v1/chat/completions", `{"model":"google/codestral-2","max_tokens":7,` + hi + `}`,
			"codestral-2", "rawPredict", "",
			[]string{"from mistral"},
		},
		{
			"Messages are translated", "/v1/messages", `{"model":"google/mistral-large@2407","max_tokens":20,` + hi + `}`,
			large, "rawPredict", "",
			[]string{`"type":"message"`, "from mistral", `"output_tokens":34`},
		},
		{
			"and their streams", "/v1/messages", `{"model":"medium","max_tokens":20,"stream":true,` + hi + `}`,
			medium, "streamRawPredict", "",
			[]string{"event: message_stop", "from mistral", `"output_tokens":34`},
		},
		{
			"Gemini's dialect is translated", "/v1beta/models/medium:streamGenerateContent?alt=sse", `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`,
			medium, "streamRawPredict", "",
			[]string{`"candidates"`, "from mistral"},
		},
		{
			"Responses are translated", "/v1/responses", `{"model":"medium","store":false,"input":"hi"}`,
			medium, "rawPredict", "",
			[]string{`"object":"response"`, "from mistral"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := r.call(t, postTo(c.path, c.body))
			peer.mu.Lock()
			path, body := peer.path, peer.body
			peer.mu.Unlock()
			if want := "/v1/projects/p/locations/europe-west4/publishers/mistralai/models/" + c.model + ":" + c.method; path != want || c.sent != "" && body != c.sent {
				t.Errorf("asked for %s with %s", path, body)
			}
			if a.status != 200 {
				t.Fatal(a.whole())
			}
			for _, h := range c.has {
				if !strings.Contains(a.body, h) {
					t.Errorf("no %s in %s", h, a.whole())
				}
			}
			if u := r.record(t, a).Usage; u.Input != 16 || u.Output != 34 || u.Source != "reported" {
				t.Errorf("%+v", u)
			}
		})
	}
	for _, c := range []struct {
		status int
		answer string
		kind   fault.Kind
	}{
		{404, `{"error":{"code":404,"message":"Publisher Model projects/p/locations/europe-west4/publishers/mistralai/models/mistral-x was not found or your project does not have access to it.","status":"NOT_FOUND"}}`, fault.ModelNotFound},
		{429, `{"error":{"code":429,"message":"Quota exceeded for aiplatform.googleapis.com/online_prediction_requests_per_base_model with base model: mistral-medium.","status":"RESOURCE_EXHAUSTED"}}`, fault.ProviderRateLimited},
		{403, `{"error":{"code":403,"message":"Permission 'aiplatform.endpoints.predict' denied on resource.","status":"PERMISSION_DENIED"}}`, fault.ProviderKeyRejected},
		{503, `{"error":{"code":503,"message":"The service is currently unavailable.","status":"UNAVAILABLE"}}`, fault.Overloaded},
		{422, `{"detail":[{"type":"greater_than_equal","loc":["body","temperature"],"msg":"Input should be greater than or equal to 0","input":-1}]}`, fault.ParameterRejected},
	} {
		t.Run(fmt.Sprint(c.status, c.kind), func(t *testing.T) {
			peer.mu.Lock()
			peer.status, peer.fails = c.status, c.answer
			peer.mu.Unlock()
			a := r.call(t, postTo("/v1/chat/completions", `{"model":"medium",`+hi+`}`))
			if j := r.record(t, a); j.Finding == nil || j.Finding.Kind != c.kind || !strings.Contains(a.body, `"error":{`) {
				t.Errorf("%s: %+v", a.whole(), j.Finding)
			}
		})
	}
}
