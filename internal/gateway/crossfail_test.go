package gateway

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"causeway/internal/fault"
	"causeway/internal/llm"
)

// fails is a provider that speaks every dialect and fails in each: with a status, or in a stream with an error event
// in the place of the first.
type fails struct {
	inStream atomic.Bool
	calls    atomic.Int64
}

func (f *fails) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	f.calls.Add(1)
	path := strings.TrimPrefix(q.URL.Path, "/base")
	for _, d := range allDialects() {
		m, ok := d.Lookup(q.Method, path)
		if !ok {
			continue
		}
		failure := &llm.Failure{Kind: fault.Overloaded, Status: http.StatusServiceUnavailable, Sentence: "We are overloaded.", CallID: "theirs"}
		if !f.inStream.Load() {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = w.Write(d.AppendError(nil, failure))
			return
		}
		state := &llm.StreamState{Sequence: -1}
		contentType := "text/event-stream"
		switch d.Name() {
		case "bedrock":
			contentType, state.Framed = "application/vnd.amazon.eventstream", true
		case "ollama":
			contentType, state.Framed = "application/x-ndjson", true
		}
		w.Header().Set("Content-Type", contentType)
		_, _ = w.Write(d.AppendErrorEvent(nil, m.Op, failure, state))
		return
	}
	http.NotFound(w, q)
}

// crossProviders are providers by their dialect: what stands in a configuration behind their name.
var crossProviders = []struct{ name, options string }{
	{"openai", "kind: openai, keys: [provider-key-0123]"},
	{"anthropic", "kind: anthropic, keys: [provider-key-0123]"},
	{"gemini", "kind: gemini, keys: [provider-key-0123]"},
	{"cohere", "kind: cohere, keys: [provider-key-0123]"},
	{"ollama", "kind: ollama, dialect: ollama"},
	{"bedrock", "kind: bedrock, region: us-east-1, keys: [provider-key-0123]"},
}

// crossModels is how many models there are of each pair.
const crossModels = 12

func newCrossRig(t *testing.T) (*rig, *fails, *echoes) {
	t.Helper()
	bad, good := &fails{}, &echoes{}
	badServer, goodServer := httptest.NewServer(bad), httptest.NewServer(good)
	t.Cleanup(badServer.Close)
	t.Cleanup(goodServer.Close)
	var providers, models strings.Builder
	for _, p := range crossProviders {
		root := ""
		if p.name == "openai" {
			root = "/v1"
		}
		fmt.Fprintf(&providers, "  bad-%s: {%s, base_url: %q, retries: {max: 0}}\n  %s: {%s, base_url: %q}\n", p.name, p.options, badServer.URL+root, p.name, p.options, goodServer.URL+root)
		for _, second := range crossProviders {
			for n := range crossModels { // one for each call, since a target that fails is left alone by the next
				fmt.Fprintf(&models, "  %s-%s-%d: {targets: [{model: bad-%s/%s-%d}], fallback: [%s/m]}\n", p.name, second.name, n, p.name, second.name, n, second.name)
			}
		}
	}
	return newRigWith(t, "version: 1\nproviders:\n"+providers.String()+"models:\n"+models.String()+"applications:\n  web: {keys: [web-key-0123456789], subscribes: [models/*]}\n", withAllDialects), bad, good
}

// TestFailoverAcrossDialects: whatever the caller speaks, and whatever the provider that fails and the one that answers.
func TestFailoverAcrossDialects(t *testing.T) {
	r, bad, _ := newCrossRig(t)
	for caller := range guardCallers {
		for _, first := range crossProviders {
			for _, second := range crossProviders {
				for i, mode := range []string{"whole", "stream refused", "stream that begins with an error"} {
					name := guardCallers[caller].name + " at " + first.name + ", then " + second.name + ", " + mode
					t.Run(name, func(t *testing.T) {
						bad.inStream.Store(mode == "stream that begins with an error")
						before := bad.calls.Load()
						text := "said across " + name
						got := r.say(t, caller, "web-key-0123456789", fmt.Sprintf("%s-%s-%d", first.name, second.name, 3*caller+i), text, mode != "whole")
						if got.status != 200 || got.text != text || !got.complete || got.header.Get("Causeway-Attempts") != "2" || bad.calls.Load() != before+1 {
							t.Errorf("status %d, complete %v after %s attempts, %d at the first: %q of %s", got.status, got.complete, got.header.Get("Causeway-Attempts"), bad.calls.Load()-before, got.text, got.body)
						}
					})
				}
			}
		}
	}
}

// TestTheReportIsThatOfTheLastTarget: what would have been lost at one that failed was not lost.
func TestTheReportIsThatOfTheLastTarget(t *testing.T) {
	r, bad, _ := newCrossRig(t)
	const chat = `"max_tokens":9,"messages":[{"role":"user","content":"x"}],"logit_bias":{"1":2},"seed":7`
	for _, c := range []struct{ model, has, lacks string }{
		{"anthropic-openai", "", "logit_bias"},
		{"gemini-openai", "", "logit_bias"},
		{"openai-anthropic", "logit_bias;dropped", ""},
		{"gemini-anthropic", "seed;dropped", ""},
		{"anthropic-gemini", "logit_bias;dropped", "seed"},
		{"ollama-cohere", "logit_bias;dropped", "seed"},
	} {
		for i, stream := range []string{"", `,"stream":true`} {
			for k, inStream := range []bool{false, stream != ""} {
				bad.inStream.Store(inStream)
				body := `{"model":"` + fmt.Sprintf("%s-%d", c.model, 2*i+k) + `",` + chat + stream + `}`
				a := r.call(t, fmt.Sprintf("POST /v1/chat/completions HTTP/1.1\nHost: h\nAuthorization: Bearer web-key-0123456789\nContent-Length: %d\n\n%s", len(body), body))
				report := strings.Join(a.header.Values("Causeway-Translation"), ", ")
				if a.status != 200 || !strings.Contains(report, c.has) || c.lacks != "" && strings.Contains(report, c.lacks) || c.has == "" && report != "" {
					t.Errorf("%s%s: %d with the report %q: %s", c.model, stream, a.status, report, a.whole())
				}
			}
		}
	}
}
