package gateway

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"causeway/internal/fault"
	"causeway/internal/snapshot"
)

// vertexPeer refuses what Vertex AI refuses, by docs.anthropic.com/en/api/claude-on-vertex-ai and
// cloud.google.com/vertex-ai/generative-ai/docs/maas/call-open-model-apis: another address or token, a model or no
// version in the body of a publisher's model, and no model in that of the open endpoint.
type vertexPeer struct {
	mu         sync.Mutex
	path, body string
	fails      string // the answer of status 429 or 404, "" for a good one
	status     int
}

func (v *vertexPeer) last() (path, body string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.path, v.body
}

func (v *vertexPeer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text, _ := io.ReadAll(r.Body)
	v.mu.Lock()
	v.path, v.body = r.URL.Path, string(text)
	fails, status := v.fails, v.status
	v.mu.Unlock()
	refuse := func(status int, why string) {
		w.Header().Set("Content-Type", "application/json; charset=UTF-8")
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"error":{"code":%d,"message":%q,"status":"INVALID_ARGUMENT"}}`, status, why)
	}
	var body struct {
		Model   *string
		Version string `json:"anthropic_version"`
		Stream  bool
		Tokens  int `json:"max_tokens"`
	}
	if r.Header.Get("Authorization") != "Bearer ya29.0123456789abcdef" || r.Header.Get("X-Api-Key") != "" {
		refuse(401, "Request had invalid authentication credentials.")
		return
	}
	if err := json.Unmarshal(text, &body); err != nil {
		refuse(400, err.Error())
		return
	}
	if fails != "" {
		w.Header().Set("Content-Type", "application/json; charset=UTF-8")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, fails)
		return
	}
	const project = "/v1/projects/p/locations/us-east5"
	model, ofClaude := strings.CutPrefix(r.URL.Path, project+"/publishers/anthropic/models/")
	switch {
	case r.URL.Path == project+"/endpoints/openapi/chat/completions":
		if body.Model == nil || *body.Model != "meta/llama-3.3-70b-instruct-maas" {
			refuse(400, "Malformed publisher model")
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, completionBody)
	case !ofClaude:
		refuse(404, "not found: "+r.URL.Path)
	case body.Version != "vertex-2023-10-16":
		refuse(400, "anthropic_version: Field required")
	case model == "count-tokens:rawPredict":
		if body.Model == nil || *body.Model != "claude-sonnet-4-5@20250929" {
			refuse(400, "model: Field required")
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"input_tokens":14}`)
	case body.Model != nil:
		refuse(400, "model: Extra inputs are not permitted")
	case body.Tokens == 0:
		refuse(400, "max_tokens: Field required")
	case model == "claude-sonnet-4-5@20250929:rawPredict" && !body.Stream:
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"id":"msg_vrtx_01","type":"message","role":"assistant","model":"claude-sonnet-4-5-20250929","content":[{"type":"text","text":"from claude"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":14,"output_tokens":3}}`)
	case model == "claude-sonnet-4-5@20250929:streamRawPredict" && body.Stream:
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		_, _ = io.WriteString(w, `event: message_start
data: {"type":"message_start","message":{"id":"msg_vrtx_01","type":"message","role":"assistant","model":"claude-sonnet-4-5-20250929","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":14,"output_tokens":1}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"from claude"}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":3}}

event: message_stop
data: {"type":"message_stop"}

`)
	default:
		refuse(404, "no such method: "+r.URL.Path)
	}
}

// TestOtherPublishersOfVertex: Claude and open models of Vertex AI, asked for in their own dialects at the addresses of
// the project, passed through and translated.
func TestOtherPublishersOfVertex(t *testing.T) {
	peer := &vertexPeer{}
	up := httptest.NewServer(peer)
	t.Cleanup(up.Close)
	r := newRigWith(t, strings.NewReplacer("UP", up.URL, "KEY", key).Replace(`
version: 1
providers:
  google: {kind: vertex, project: p, location: us-east5, base_url: "UP", keys: [ya29.0123456789abcdef], retries: {max: 0}}
models:
  fast: {targets: [{model: google/claude-sonnet-4-5@20250929}], fallback: [google/anthropic/claude-sonnet-4-5@20250929]}
applications:
  web: {keys: [KEY], subscribes: [models/*]}
`), func(d *snapshot.Deps) {
		d.Dialects = allDialects()
		for _, dialect := range allDialects() {
			d.Speak[dialect.Name()] = dialect
		}
	})
	const claude = `"model":"google/claude-sonnet-4-5@20250929"`
	for _, tc := range []struct {
		name, path, body, asked, sent string
		has                           []string
	}{
		{
			"Messages pass", "/v1/messages", `{` + claude + `,"max_tokens":20, "unknown":{"x": [1, 2]},"messages":[{"role":"user","content":"hi"}]}`,
			"/publishers/anthropic/models/claude-sonnet-4-5@20250929:rawPredict",
			`{"max_tokens":20,"unknown":{"x": [1, 2]},"messages":[{"role":"user","content":"hi"}],"anthropic_version":"vertex-2023-10-16"}`,
			[]string{`"id":"msg_vrtx_01"`, "from claude"},
		},
		{
			"the publisher may be named, the version too", "/v1/messages", `{"anthropic_version":"vertex-2023-10-16","max_tokens":20,"messages":[{"role":"user","content":"hi"}],"model":"google/anthropic/claude-sonnet-4-5@20250929"}`,
			"/publishers/anthropic/models/claude-sonnet-4-5@20250929:rawPredict",
			`{"anthropic_version":"vertex-2023-10-16","max_tokens":20,"messages":[{"role":"user","content":"hi"}]}`,
			[]string{"from claude"},
		},
		{
			"a stream passes", "/v1/messages", `{"model":"fast","max_tokens":20,"stream":true,"messages":[{"role":"user","content":"hi"}]}`,
			"/publishers/anthropic/models/claude-sonnet-4-5@20250929:streamRawPredict",
			`{"max_tokens":20,"stream":true,"messages":[{"role":"user","content":"hi"}],"anthropic_version":"vertex-2023-10-16"}`,
			[]string{"from claude", "event: message_stop"},
		},
		{
			"a count keeps the model", "/v1/messages/count_tokens", `{"model":"fast","messages":[{"role":"user","content":"hi"}]}`,
			"/publishers/anthropic/models/count-tokens:rawPredict",
			`{"model":"claude-sonnet-4-5@20250929","messages":[{"role":"user","content":"hi"}],"anthropic_version":"vertex-2023-10-16"}`,
			[]string{`{"input_tokens":14}`},
		},
		{
			"OpenAI's dialect is translated", "/v1/chat/completions", `{"model":"fast","messages":[{"role":"user","content":"hi"}]}`,
			"/publishers/anthropic/models/claude-sonnet-4-5@20250929:rawPredict", "",
			[]string{`"object":"chat.completion"`, "from claude"},
		},
		{
			"and its streams", "/v1/chat/completions", `{"model":"fast","stream":true,"messages":[{"role":"user","content":"hi"}]}`,
			"/publishers/anthropic/models/claude-sonnet-4-5@20250929:streamRawPredict", "",
			[]string{"from claude", "data: [DONE]"},
		},
		{
			"Gemini's dialect is translated", "/v1beta/models/fast:generateContent", `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`,
			"/publishers/anthropic/models/claude-sonnet-4-5@20250929:rawPredict", "",
			[]string{`"candidates"`, "from claude"},
		},
		{
			"an open model", "/v1/chat/completions", `{"model":"google/meta/llama-3.3-70b-instruct-maas","messages":[{"role":"user","content":"hi"}]}`,
			"/endpoints/openapi/chat/completions", `{"model":"meta/llama-3.3-70b-instruct-maas","messages":[{"role":"user","content":"hi"}]}`,
			[]string{`"content":"hi"`},
		},
		{
			"an open model by Messages", "/v1/messages", `{"model":"google/meta/llama-3.3-70b-instruct-maas","max_tokens":5,"messages":[{"role":"user","content":"hi"}]}`,
			"/endpoints/openapi/chat/completions", "",
			[]string{`"type":"message"`},
		},
		{
			"Google's own model", "/v1beta/models/google%2Fgemini-2.5-flash:generateContent", `{"contents":[]}`,
			"/publishers/google/models/gemini-2.5-flash:generateContent", "", nil,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := r.call(t, strings.Replace(postTo(tc.path, tc.body), "Host: h\n", "Host: h\nanthropic-version: 2023-06-01\n", 1))
			path, body := peer.last()
			if !strings.HasSuffix(path, tc.asked) || tc.sent != "" && body != tc.sent {
				t.Errorf("asked for %s with %s", path, body)
			}
			if tc.has != nil && a.status != 200 {
				t.Fatalf("%s", a.whole())
			}
			for _, h := range tc.has {
				if !strings.Contains(a.body, h) {
					t.Errorf("no %s in %s", h, a.whole())
				}
			}
		})
	}
	for _, tc := range []struct {
		status int
		answer string
		kind   fault.Kind
	}{
		{404, `{"error":{"code":404,"message":"Publisher Model projects/p/locations/us-east5/publishers/anthropic/models/claude-x was not found or your project does not have access to it.","status":"NOT_FOUND"}}`, fault.ModelNotFound},
		{429, `{"error":{"code":429,"message":"Quota exceeded for aiplatform.googleapis.com/online_prediction_requests_per_base_model with base model: anthropic-claude-sonnet-4-5.","status":"RESOURCE_EXHAUSTED"}}`, fault.ProviderRateLimited},
		{429, `{"type":"error","error":{"type":"rate_limit_error","message":"slow down"}}`, fault.ProviderRateLimited},
		{529, `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`, fault.Overloaded},
	} {
		t.Run(fmt.Sprint(tc.status, tc.kind), func(t *testing.T) {
			peer.mu.Lock()
			peer.status, peer.fails = tc.status, tc.answer
			peer.mu.Unlock()
			a := r.call(t, postTo("/v1/messages", `{`+claude+`,"max_tokens":20,"messages":[{"role":"user","content":"hi"}]}`))
			if j := r.record(t, a); j.Finding == nil || j.Finding.Kind != tc.kind || !strings.Contains(a.body, `"type":"error"`) {
				t.Errorf("%s: %+v", a.whole(), j.Finding)
			}
		})
	}
}
