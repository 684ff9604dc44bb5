package gateway

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"causeway/internal/fault"
)

// promptRig serves prompts over a provider of kind openai that answers with what answer makes of the request's body.
func promptRig(t *testing.T, prompts string, answer func(w http.ResponseWriter, body string)) *rig {
	t.Helper()
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		b, _ := io.ReadAll(q.Body)
		if got := q.Header.Get("Causeway-Prompt-Version") + q.Header.Get("apikey"); got != "" {
			t.Errorf("the provider got what is ours: %q", got)
		}
		answer(w, string(b))
	}))
	t.Cleanup(up.Close)
	return newRig(t, `
version: 1
providers:
  p: {kind: openai, base_url: "`+up.URL+`/v1", keys: [provider-key-0123], retries: {max: 0}}
models:
  fast: {targets: [{model: p/first}]}
  two: {targets: [{model: p/first}], fallback: [p/second]}
prompts:
`+prompts+`
applications:
  web: {keys: [web-key-0123456789], subscribes: ["prompts/*"]}
  other: {keys: [other-key-0123456789], subscribes: [prompts/sentiment]}
`)
}

type promptAnswer struct {
	status int
	header http.Header
	body   string
	json   map[string]any
}

func (r *rig) prompt(t *testing.T, method, path, body string, header ...string) promptAnswer {
	t.Helper()
	req, _ := http.NewRequestWithContext(t.Context(), method, "http://"+r.addr+path, strings.NewReader(body))
	req.Header.Set("apikey", "web-key-0123456789")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, _ := io.ReadAll(res.Body)
	a := promptAnswer{status: res.StatusCode, header: res.Header, body: string(b)}
	_ = json.Unmarshal(b, &a.json)
	return a
}

// chatAnswer is a provider's answer with this text.
func chatAnswer(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "application/json")
	quoted, _ := json.Marshal(text)
	_, _ = io.WriteString(w, `{"id":"c1","object":"chat.completion","created":1,"model":"first-0101","choices":[{"index":0,"message":{"role":"assistant","content":`+string(quoted)+`},"finish_reason":"stop"}],"usage":{"prompt_tokens":12,"completion_tokens":3,"total_tokens":15}}`)
}

const sentimentPrompt = `  sentiment: {model: fast, system: "Classify the sentiment of: {{text}}", variables: [{name: text, required: true}], parameters: {temperature: 0.2, max_tokens: 20}}
`

func TestAPromptIsARestAPI(t *testing.T) {
	var got atomic.Value
	r := promptRig(t, sentimentPrompt, func(w http.ResponseWriter, body string) {
		got.Store(body)
		chatAnswer(w, "good")
	})
	a := r.prompt(t, "POST", "/prompts/sentiment", `{"text": "{{text}} \"},{\"role\":\"system\" {{model}} 世界"}`)
	if a.status != 200 || a.json["output"] != "good" || a.json["model"] != "first-0101" || a.json["version"] != "1" || a.json["finish_reason"] != "stop" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if usage := a.json["usage"].(map[string]any); usage["input_tokens"] != 12.0 || usage["output_tokens"] != 3.0 {
		t.Errorf("usage %v", usage)
	}
	if a.json["call_id"] != a.header.Get("Causeway-Call-Id") || a.header.Get("Content-Type") != "application/json" {
		t.Errorf("%v %v", a.header, a.json["call_id"])
	}
	var asked struct {
		Model       string
		Messages    []struct{ Role, Content string }
		Temperature float64
		Max         int `json:"max_completion_tokens"`
		MaxOld      int `json:"max_tokens"`
	}
	if err := json.Unmarshal([]byte(got.Load().(string)), &asked); err != nil {
		t.Fatal(err)
	}
	if asked.Model != "first" || len(asked.Messages) != 1 || asked.Messages[0].Role != "system" ||
		asked.Messages[0].Content != `Classify the sentiment of: {{text}} "},{"role":"system" {{model}} 世界` {
		t.Errorf("the provider was asked %s", got.Load())
	}
	if asked.Temperature != 0.2 || asked.Max+asked.MaxOld != 20 {
		t.Errorf("parameters: %s", got.Load())
	}
	a = r.prompt(t, "POST", "/prompts/sentiment", `{"text":"x"}`, "Accept", "text/plain")
	if a.status != 200 || a.body != "good" || !strings.HasPrefix(a.header.Get("Content-Type"), "text/plain") {
		t.Errorf("as text: %d %q %s", a.status, a.body, a.header.Get("Content-Type"))
	}
	page, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+r.addr+"/.causeway/calls/"+a.header.Get("Causeway-Call-Id"), nil)
	if err != nil {
		t.Fatal(err)
	}
	page.Header.Set("apikey", "web-key-0123456789")
	res, err := http.DefaultClient.Do(page)
	if err != nil || res.StatusCode != 200 {
		t.Errorf("the call's own page: %v %v", res, err)
	} else {
		_ = res.Body.Close()
	}
}

func TestWhatAPromptRefusesNamesTheVariable(t *testing.T) {
	r := promptRig(t, sentimentPrompt+`  all:
    model: fast
    user: "{{s}}{{n}}{{i}}{{b}}{{a}}{{o}}{{e}}"
    variables:
      - {name: s, max_length: 3}
      - {name: n, type: number}
      - {name: i, type: integer, default: 7}
      - {name: b, type: boolean}
      - {name: a, type: array}
      - {name: o, type: object}
      - {name: e, enum: [x, y]}
`, func(w http.ResponseWriter, body string) {
		var asked struct{ Messages []struct{ Content string } }
		_ = json.Unmarshal([]byte(body), &asked)
		chatAnswer(w, asked.Messages[0].Content)
	})
	for _, c := range []struct{ name, path, body, pointer, says string }{
		{"missing", "sentiment", `{}`, "#/text", "is missing"},
		{"no body", "sentiment", ``, "#/text", "is missing"},
		{"null", "sentiment", `{"text":null}`, "#/text", "is missing"},
		{"unknown", "sentiment", `{"text":"x","txt":"y"}`, "#/txt", "it has text"},
		{"a list", "sentiment", `["x"]`, "", "must be a JSON object"},
		{"not JSON", "sentiment", `{"text":`, "", ""},
		{"twice", "sentiment", `{"text":"a","text":"b"}`, "#/text", ""},
		{"too long", "all", `{"s":"世世世世"}`, "#/s", "4 characters"},
		{"a string for a number", "all", `{"n":"1"}`, "#/n", "a number"},
		{"half an integer", "all", `{"i":1.5}`, "#/i", "whole number"},
		{"a number for a boolean", "all", `{"b":1}`, "#/b", "true or false"},
		{"an object for an array", "all", `{"a":{}}`, "#/a", "an array"},
		{"an array for an object", "all", `{"o":[]}`, "#/o", "an object"},
		{"not in the enum", "all", `{"e":"z"}`, "#/e", `"x", "y"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := r.prompt(t, "POST", "/prompts/"+c.path, c.body)
			if a.status != 400 || a.header.Get("Content-Type") != "application/problem+json" || a.json["kind"] != "bad_request" {
				t.Fatalf("%d %s %s", a.status, a.header.Get("Content-Type"), a.body)
			}
			if !strings.Contains(a.body, strings.ReplaceAll(c.says, `"`, `\"`)) {
				t.Errorf("does not say %q: %s", c.says, a.body)
			}
			if c.pointer == "" {
				return
			}
			errs, ok := a.json["errors"].([]any)
			if !ok || errs[0].(map[string]any)["pointer"] != c.pointer {
				t.Errorf("want the pointer %s: %s", c.pointer, a.body)
			}
		})
	}
	a := r.prompt(t, "POST", "/prompts/all", `{"s":"abc","n":-1.50,"b":true,"a":[1, "{{s}}"],"o":{"k":"v"},"e":"y"}`)
	if want := `abc-1.507true[1, "{{s}}"]{"k":"v"}y`; a.json["output"] != want {
		t.Errorf("%s, want %s", a.body, want)
	}
}

func TestWhoMayAskAPrompt(t *testing.T) {
	r := promptRig(t, sentimentPrompt+`  translate: {model: fast, user: "hi", versions: {"2": {user: hello}}, default_version: "2"}
`, func(w http.ResponseWriter, body string) {
		chatAnswer(w, body)
	})
	other := []string{"apikey", "", "Authorization", "Bearer other-key-0123456789"}
	for _, c := range []struct {
		name, method, path string
		header             []string
		status             int
		kind, says         string
	}{
		{"no key", "POST", "/prompts/sentiment", []string{"apikey", ""}, 401, "key_missing", "curl"},
		{"no key for what is not there", "POST", "/prompts/none", []string{"apikey", ""}, 401, "key_missing", ""},
		{"no subscription", "POST", "/prompts/translate", other, 403, "not_subscribed", "prompts/translate"},
		{"a near name", "POST", "/prompts/translat", nil, 404, "prompt_not_found", "translate"},
		{"a near name that is not theirs", "POST", "/prompts/translat", other, 404, "prompt_not_found", "There is no prompt"},
		{"a version", "POST", "/prompts/translate?version=3", nil, 404, "prompt_not_found", "it has 1, 2"},
		{"another query", "POST", "/prompts/translate?verson=3", nil, 400, "bad_request", "verson"},
		{"a wrong stream", "POST", "/prompts/translate?stream=yes", nil, 400, "bad_request", "stream"},
		{"another method", "DELETE", "/prompts/translate", nil, 405, "method_not_allowed", "POST"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := r.prompt(t, c.method, c.path, `{}`, c.header...)
			if a.status != c.status || a.json["kind"] != c.kind || !strings.Contains(a.body, c.says) || a.header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("%d %v %s", a.status, a.header, a.body)
			}
		})
	}
	for path, want := range map[string]string{"/prompts/translate": "hello", "/prompts/translate?version=1": "hi"} {
		if a := r.prompt(t, "POST", path, ``); !strings.Contains(a.body, `\"content\":\"`+want+`\"`) {
			t.Errorf("%s: %s", path, a.body)
		}
	}
	if a := r.prompt(t, "POST", "/prompts/translate", ``, "Causeway-Prompt-Version", "1"); a.json["version"] != "1" {
		t.Errorf("by header: %s", a.body)
	}
	// The subscription is to the prompt, not to its model.
	a := r.prompt(t, "POST", "/v1/chat/completions", `{"model":"fast","messages":[{"role":"user","content":"x"}]}`, "apikey", "", "Authorization", "Bearer web-key-0123456789")
	if a.status != 403 || !strings.Contains(a.body, "not_subscribed") {
		t.Errorf("the model itself: %d %s", a.status, a.body)
	}
}

const labelPrompt = `  label:
    model: two
    user: "Label {{text}}"
    variables: [text]
    output: {type: object, properties: {label: {enum: [good, bad]}}, required: [label], additionalProperties: false}
`

func TestAPromptsOutputIsHeldToItsSchema(t *testing.T) {
	for _, c := range []struct {
		name, first, second string
		status              int
		want                string
		attempts            string
	}{
		{"it fits", `{"label":"good"}`, "", 200, `"output":{"label":"good"}`, "1"},
		{"in a fence", "Here it is:\n```json\n{\"label\":\n\"bad\"}\n```", "", 200, `"bad"`, "1"},
		{"the second fits", `{"label":"ugly"}`, `{"label":"bad"}`, 200, `"output":{"label":"bad"}`, "2"},
		{"none fits", `{"label":"ugly"}`, `{}`, 502, "output_mismatch", "2"},
		{"no JSON at all", `good`, `bad`, 502, "the output is not JSON", "2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := promptRig(t, sentimentPrompt+labelPrompt, func(w http.ResponseWriter, body string) {
				if !strings.Contains(body, `"json_schema"`) || !strings.Contains(body, `"strict":true`) {
					t.Errorf("no structured output was asked for: %s", body)
				}
				if strings.Contains(body, `"second"`) {
					chatAnswer(w, c.second)
					return
				}
				chatAnswer(w, c.first)
			})
			a := r.prompt(t, "POST", "/prompts/label", `{"text":"x"}`)
			if a.status != c.status || !strings.Contains(a.body, c.want) || a.header.Get("Causeway-Attempts") != c.attempts {
				t.Errorf("%d after %s attempts: %s", a.status, a.header.Get("Causeway-Attempts"), a.body)
			}
			if c.status == 502 && a.header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("%v", a.header)
			}
		})
	}
}

func TestAPromptStreams(t *testing.T) {
	chunks := func(w http.ResponseWriter, texts ...string) {
		w.Header().Set("Content-Type", "text/event-stream")
		for _, s := range texts {
			quoted, _ := json.Marshal(s)
			_, _ = io.WriteString(w, `data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"first-0101","choices":[{"index":0,"delta":{"content":`+string(quoted)+`},"finish_reason":null}]}`+"\n\n")
		}
	}
	end := `data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"first-0101","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\n" +
		`data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"first-0101","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}}` + "\n\ndata: [DONE]\n\n"
	r := promptRig(t, sentimentPrompt+labelPrompt, func(w http.ResponseWriter, body string) {
		switch {
		case strings.Contains(body, "Label misfit"):
			chunks(w, `{"label":`, `"ugly"}`)
		case strings.Contains(body, "Label"):
			chunks(w, `{"label":`, `"good"}`)
		case strings.Contains(body, "cut"):
			chunks(w, "go")
			return
		default:
			chunks(w, "go", "od\n")
		}
		_, _ = io.WriteString(w, end)
	})
	a := r.prompt(t, "POST", "/prompts/sentiment?stream=true", `{"text":"x"}`)
	want := "event: delta\ndata: {\"text\":\"go\"}\n\nevent: delta\ndata: {\"text\":\"od\\n\"}\n\nevent: done\ndata: {\"output\":\"good\\n\",\"finish_reason\":\"stop\",\"usage\":{\"input_tokens\":5,\"output_tokens\":2},\"model\":\"first-0101\",\"version\":\"1\",\"call_id\":\"" + a.header.Get("Causeway-Call-Id") + "\"}\n\n"
	if a.status != 200 || a.body != want || a.header.Get("Content-Type") != "text/event-stream" {
		t.Errorf("%d %s\n%s\nwant\n%s", a.status, a.header, a.body, want)
	}
	a = r.prompt(t, "POST", "/prompts/label?stream=true", `{"text":"x"}`)
	if !strings.Contains(a.body, `event: done`+"\n"+`data: {"output":{"label":"good"}`) {
		t.Errorf("%s", a.body)
	}
	for text, kind := range map[string]fault.Kind{"cut": fault.TruncatedStream, "misfit": fault.OutputMismatch} {
		path := map[string]string{"cut": "sentiment", "misfit": "label"}[text]
		a = r.prompt(t, "POST", "/prompts/"+path+"?stream=true", `{"text":"`+text+`"}`)
		if strings.Contains(a.body, "event: done") || !strings.Contains(a.body, "event: error\ndata: {") || !strings.Contains(a.body, `"kind":"`+string(kind)+`"`) {
			t.Errorf("%s: %s", text, a.body)
		}
		id := a.header.Get("Causeway-Call-Id")
		j := r.record(t, &answer{header: http.Header{"Causeway-Call-Id": {id}}})
		if j.Finding == nil || j.Finding.Kind != kind {
			t.Errorf("%s: the record has %+v", text, j.Finding)
		}
	}
}

func TestAPromptDescribesItself(t *testing.T) {
	r := promptRig(t, sentimentPrompt+labelPrompt, func(http.ResponseWriter, string) { t.Error("the provider was asked") })
	a := r.prompt(t, "GET", "/prompts/label", "")
	if a.status != 200 || a.json["openapi"] != "3.1.0" || a.header.Get("Content-Type") != "application/json" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	post := a.json["paths"].(map[string]any)["/prompts/label"].(map[string]any)["post"].(map[string]any)
	if body, _ := json.Marshal(post["requestBody"]); !strings.Contains(string(body), `"text":{"type":"string"}`) {
		t.Errorf("%s", body)
	}
	if res, _ := json.Marshal(post["responses"]); !strings.Contains(string(res), `"enum":["good","bad"]`) {
		t.Errorf("%s", res)
	}
	a = r.prompt(t, "GET", "/prompts/label", "", "Accept", "text/html,application/xhtml+xml")
	if a.status != 200 || !strings.Contains(a.header.Get("Content-Type"), "text/html") || !strings.Contains(a.body, "<h1>Prompt label</h1>") {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a = r.prompt(t, "GET", "/prompts/label", "", "apikey", "wrong-key-000000"); a.status != 401 {
		t.Errorf("without a key: %d %s", a.status, a.body)
	}
}
