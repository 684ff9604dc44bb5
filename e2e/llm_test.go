package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"causeway/internal/fault"
)

// The built-in sandbox model, met as its users meet it: the official SDK (llm_sdk_test.go), Python's
// standard library, and plain calls for every kind of failure that it can be asked for.

// sandboxKey is the key that the first start made.
func (g *gateway) sandboxKey(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(g.Data, "sandbox.key"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

// chatBody is a request for one answer.
func chatBody(model, prompt string, stream bool) string {
	body := map[string]any{"model": model, "messages": []map[string]string{{"role": "user", "content": prompt}}}
	if stream {
		body["stream"] = true
	}
	b, _ := json.Marshal(body) // plain values always marshal
	return string(b)
}

// chat asks for one answer.
func (g *gateway) chat(t *testing.T, c *http.Client, key, body string, header ...string) *answer {
	t.Helper()
	header = append([]string{"Authorization", "Bearer " + key, "Content-Type", "application/json"}, header...)
	return fetch(t, c, "POST", g.URL+"/v1/chat/completions", strings.NewReader(body), header...)
}

// completionJSON is what the tests look at of an answer in OpenAI's dialect.
type completionJSON struct {
	Model   string `json:"model"`
	Choices []struct {
		Message struct {
			Content   string `json:"content"`
			ToolCalls []struct {
				Function struct{ Name, Arguments string } `json:"function"`
			} `json:"tool_calls"`
		} `json:"message"`
		FinishReason string `json:"finish_reason"`
	} `json:"choices"`
	Usage *usageJSON `json:"usage"`
}

type usageJSON struct {
	Input  int64 `json:"prompt_tokens"`
	Output int64 `json:"completion_tokens"`
	Total  int64 `json:"total_tokens"`
}

// dialectError is OpenAI's error with our members.
type dialectError struct {
	Error struct {
		Message  string   `json:"message"`
		Type     string   `json:"type"`
		Param    string   `json:"param"`
		Code     string   `json:"code"`
		Causeway *problem `json:"causeway"`
	} `json:"error"`
}

// modelError reads an error that the gateway made and holds it to what every one has.
func modelError(t *testing.T, a *answer) dialectError {
	t.Helper()
	var e dialectError
	decode(t, a.body, &e)
	want(t, "Content-Type", a.header.Get("Content-Type"), "application/json")
	if e.Error.Causeway == nil {
		t.Fatalf("the error has no member causeway: %s", clip(a.body))
	}
	contains(t, "error.message", e.Error.Message, e.Error.Causeway.Kind, a.id)
	want(t, "error.causeway.call_id", e.Error.Causeway.CallID, a.id)
	if v := a.header.Get("x-should-retry"); v != "true" && v != "false" {
		t.Errorf("x-should-retry is %q", v)
	}
	return e
}

// wantUsage holds a call's record to the tokens that its provider reported.
func wantUsage(t *testing.T, rec callRecord, input, output int64) {
	t.Helper()
	u := rec.Usage
	if u == nil || u.Input == nil || u.Output == nil {
		t.Errorf("call %s has no tokens: %+v", rec.ID, u)
		return
	}
	want(t, "input tokens", *u.Input, input)
	want(t, "output tokens", *u.Output, output)
	want(t, "their source", u.Source, "reported")
}

// events are the data lines of a stream.
func events(body []byte) (list []string) {
	for line := range strings.Lines(string(body)) {
		if data, ok := strings.CutPrefix(strings.TrimRight(line, "\r\n"), "data: "); ok {
			list = append(list, data)
		}
	}
	return list
}

func TestPythonStandardLibrary(t *testing.T) {
	t.Parallel()
	py := python(t)
	g := serve(t, "")
	const script = `
import json, sys, urllib.error, urllib.request
url, key, model = sys.argv[1:]
call = urllib.request.Request(url + "/v1/chat/completions",
    json.dumps({"model": model, "messages": [{"role": "user", "content": "Hello from urllib"}]}).encode(),
    {"Authorization": "Bearer " + key, "Content-Type": "application/json"})
try:
    with urllib.request.urlopen(call, timeout=20) as answer:
        print(json.load(answer)["choices"][0]["message"]["content"])
except urllib.error.HTTPError as e:
    print(e)
    print(json.load(e)["error"]["message"])
    sys.exit(1)
`
	key := g.sandboxKey(t)
	r := command(t, "", py, "-c", script, g.URL, key, "sandbox/echo")
	want(t, "exit code", r.code, 0)
	want(t, "what it prints", r.out, "Hello from urllib\n")

	r = command(t, "", py, "-c", script, g.URL, key, "sandbox/fault-connection_refused")
	want(t, "exit code of a call that fails", r.code, 1)
	contains(t, "what it prints", r.out, "HTTP Error 502: Bad Gateway (connection_refused)\n", "sandbox: 127.0.0.1:", "refused the TCP connection", "[connection_refused, 01")

	r = command(t, "", py, "-c", script, g.URL, "not-a-key-0123456789", "sandbox/echo")
	want(t, "exit code with a wrong key", r.code, 1)
	contains(t, "what it prints", r.out, "HTTP Error 401: Unauthorized (key_unknown)\n", "belongs to no application", "[key_unknown, 01")
}

// TestSandboxFaults asks the sandbox for every failure kind there is, streamed and not. Each answer
// must name its kind and come soon, and the call log must know it.
func TestSandboxFaults(t *testing.T) {
	t.Parallel()
	g := serve(t, "version: 1\n", withArgs("--log", "off"))
	key, c := g.sandboxKey(t), client(t)
	var list struct {
		Failures []struct{ Kind fault.Kind }
	}
	decode(t, fetch(t, c, "GET", g.URL+"/.causeway/failures/", nil).body, &list)
	want(t, "kinds listed", len(list.Failures), len(fault.All()))
	for _, f := range list.Failures {
		for _, stream := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/stream=%v", f.Kind, stream), func(t *testing.T) {
				t.Parallel()
				begun := time.Now()
				a := g.chat(t, c, key, chatBody("sandbox/fault-"+string(f.Kind), "hello", stream))
				if took := time.Since(begun); took > ample {
					t.Errorf("it took %v", took)
				}
				if a.err != nil {
					t.Fatalf("the answer is not whole: %v", a.err)
				}
				named := wantFault(t, a, f.Kind, stream)
				rec := g.record(t, a.id)
				want(t, "the log's kind", rec.Kind, string(f.Kind))
				want(t, "the log's status", rec.Status, a.status)
				want(t, "the log's model", rec.Model, "sandbox/fault-"+string(f.Kind))
				want(t, "the log's cut", rec.Cut, named == "event")
			})
		}
	}
}

// wantFault holds an answer to a kind and tells where it stands: "error", in error.causeway, for
// what the gateway says itself; "header", for a provider's own error that is passed on; "event", at
// the end of a stream.
func wantFault(t *testing.T, a *answer, kind fault.Kind, stream bool) (where string) {
	t.Helper()
	lacks(t, "a call that failed", string(a.body), "[DONE]")
	if a.status < 400 {
		want(t, "status", a.status, 200)
		want(t, "stream asked for", stream, true)
		all := events(a.body)
		if len(all) == 0 {
			t.Fatalf("200 without events: %q", clip(a.body))
		}
		var e dialectError
		decode(t, []byte(all[len(all)-1]), &e)
		if e.Error.Causeway == nil {
			t.Fatalf("the last event is no error of ours: %s", all[len(all)-1])
		}
		want(t, "the event's kind", e.Error.Causeway.Kind, string(kind))
		contains(t, "the event's message", e.Error.Message, string(kind), a.id)
		return "event"
	}
	if passed := a.header.Get("Causeway-Finding"); passed != "" {
		want(t, "Causeway-Finding", passed, string(kind))
		var e dialectError
		decode(t, a.body, &e)
		if e.Error.Message == "" || e.Error.Causeway != nil {
			t.Errorf("not an error as the provider sends it: %s", clip(a.body))
		}
		return "header"
	}
	e := modelError(t, a)
	want(t, "error.causeway.kind", e.Error.Causeway.Kind, string(kind))
	want(t, "error.causeway.status", e.Error.Causeway.Status, a.status)
	contains(t, "the reason phrase", a.line, " ("+string(kind)+")")
	return "error"
}
