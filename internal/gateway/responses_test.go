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
)

// keeperRig is a gateway that keeps responses, before a provider without the Responses API ("chat"), one that has it and
// keeps responses ("native"), and one that has it and does not ("stateless").
type keeperRig struct {
	*rig
	mu    sync.Mutex
	asked []string // "METHOD PATH BODY", as the providers saw them
	made  int
}

const chatCall = `{"id":"chatcmpl-%d","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Let me look.","tool_calls":[{"id":"call_%d","type":"function","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}`

func newKeeperRig(t *testing.T) *keeperRig {
	k := &keeperRig{}
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		k.mu.Lock()
		k.asked = append(k.asked, r.Method+" "+r.URL.RequestURI()+" "+string(body))
		k.made++
		n := k.made
		k.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		switch {
		case strings.HasSuffix(r.URL.Path, "/chat/completions") && strings.Contains(string(body), `"stream":true`):
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprintf(w, "data: {\"id\":\"c%d\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"streamed text\"},\"finish_reason\":null}]}\n\n", n)
			fmt.Fprint(w, "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n")
		case strings.HasSuffix(r.URL.Path, "/chat/completions"):
			fmt.Fprintf(w, chatCall, n, n)
		case r.Method == http.MethodDelete:
			fmt.Fprint(w, `{"id":"x","object":"response","deleted":true}`)
		case strings.HasSuffix(r.URL.Path, "/input_items"):
			fmt.Fprint(w, `{"object":"list","data":[],"has_more":false}`)
		case strings.Contains(string(body), `"stream":true`):
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprintf(w, "event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"id\":\"resp_s%d\",\"output\":[]}}\n\n", n)
			fmt.Fprintf(w, "event: response.completed\ndata: {\"type\":\"response.completed\",\"sequence_number\":1,\"response\":{\"id\":\"resp_s%d\",\"output\":[{\"type\":\"message\",\"id\":\"msg_s\",\"role\":\"assistant\",\"status\":\"completed\",\"content\":[{\"type\":\"output_text\",\"text\":\"stateless words\",\"annotations\":[]}]}]}}\n\n", n)
		default:
			fmt.Fprintf(w, `{"id":"resp_p%d","object":"response","status":"completed","output":[{"type":"message","id":"msg_p","role":"assistant","status":"completed","content":[{"type":"output_text","text":"stateless words","annotations":[]}]}]}`, n)
		}
	}))
	t.Cleanup(up.Close)
	k.rig = newRig(t, strings.ReplaceAll(`
version: 1
providers:
  chat: {kind: mistral, base_url: "UP/v1", keys: [K1]}
  native: {kind: openai, base_url: "UP/v1", keys: [K2]}
  stateless: {kind: openai-compatible, base_url: "UP/v1", keys: [K3]}
models:
  m: {targets: [{model: chat/m}]}
  n: {balance: weighted, targets: [{model: chat/m, weight: 1000}, {model: native/m, weight: 1}]}
  strict: {strict: true, targets: [{model: chat/m}]}
applications:
  web: {keys: [WEB], subscribes: [models/*]}
  app: {keys: [APP], subscribes: [models/*]}
`, "UP", up.URL))
	return k
}

func (k *keeperRig) last() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.asked) == 0 {
		return ""
	}
	return k.asked[len(k.asked)-1]
}

func (k *keeperRig) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.asked)
}

// do makes a call with a key and returns the status and the body.
func (k *keeperRig) do(t *testing.T, key, method, path, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(method, "http://"+k.addr+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+key)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

// ask posts a call of Responses and returns the id of what came.
func (k *keeperRig) ask(t *testing.T, key, body string) (id, text string) {
	t.Helper()
	status, text := k.do(t, key, "POST", "/v1/responses", body)
	if status != 200 {
		t.Fatalf("%d %s", status, text)
	}
	var got struct{ ID string }
	if _, data, ok := strings.Cut(text, "event: response.completed\ndata: "); ok {
		var ev struct{ Response struct{ ID string } }
		if err := json.Unmarshal([]byte(data), &ev); err != nil {
			t.Fatal(err)
		}
		return ev.Response.ID, text
	}
	if err := json.Unmarshal([]byte(text), &got); err != nil || got.ID == "" {
		t.Fatalf("%v: %s", err, text)
	}
	return got.ID, text
}

func wantStatus(t *testing.T, k *keeperRig, want int, says, key, method, path, body string) {
	t.Helper()
	before := k.count()
	status, text := k.do(t, key, method, path, body)
	if status != want || !strings.Contains(text, says) {
		t.Errorf("%s %s: %d %s, want %d and %q", method, path, status, text, want, says)
	}
	if status >= 400 && k.count() != before {
		t.Errorf("%s %s: a provider was asked: %s", method, path, k.last())
	}
}

// TestAConversationIsKept: the provider has chat completions alone.
func TestAConversationIsKept(t *testing.T) {
	for _, stream := range []string{"", `,"stream":true`} {
		t.Run("stream"+stream, func(t *testing.T) {
			k := newKeeperRig(t)
			first, text := k.ask(t, "WEB", `{"model":"m","instructions":"old rules","input":"first words","tools":[{"type":"function","name":"f"}]}`)
			result := `[{"type":"function_call_output","call_id":"call_1","output":"the result"},{"role":"user","content":"second words"}]`
			second, _ := k.ask(t, "WEB", `{"model":"m","instructions":"new rules","previous_response_id":"`+first+`","input":`+result+stream+`}`)
			for _, part := range []string{"first words", "Let me look.", "the result", "second words", "new rules"} {
				if !strings.Contains(k.last(), part) {
					t.Errorf("the provider does not hear %q: %s", part, k.last())
				}
			}
			if strings.Contains(k.last(), "old rules") || strings.Contains(k.last(), "previous_response_id") || strings.Contains(k.last(), `"store"`) {
				t.Errorf("the provider hears too much: %s", k.last())
			}
			third, _ := k.ask(t, "WEB", `{"model":"m","previous_response_id":"`+second+`","input":"third words","store":false}`)
			if n := strings.Count(k.last(), "first words"); n != 1 || !strings.Contains(k.last(), "second words") {
				t.Errorf("the third call's conversation: %s", k.last())
			}

			if status, body := k.do(t, "WEB", "GET", "/v1/responses/"+first, ""); status != 200 || body != text {
				t.Errorf("read again it is %d %s, was %s", status, body, text)
			}
			if status, body := k.do(t, "WEB", "GET", "/v1/responses/"+second+"/input_items?order=asc&limit=2", ""); status != 200 || !strings.Contains(body, "first words") || !strings.Contains(body, `"has_more":true`) {
				t.Errorf("its items: %d %s", status, body)
			}
			wantStatus(t, k, 404, "response_not_found", "APP", "GET", "/v1/responses/"+first, "")
			wantStatus(t, k, 404, "response_not_found", "APP", "DELETE", "/v1/responses/"+first, "")
			wantStatus(t, k, 404, "response_not_found", "APP", "GET", "/v1/responses/"+first+"/input_items", "")
			wantStatus(t, k, 404, "response_not_found", "APP", "POST", "/v1/responses", `{"model":"m","previous_response_id":"`+first+`","input":"x"}`)
			wantStatus(t, k, 404, "response_not_found", "WEB", "POST", "/v1/responses", `{"model":"m","previous_response_id":"`+third+`","input":"it was not stored"}`)
			wantStatus(t, k, 404, "response_not_found", "WEB", "GET", "/v1/responses/"+third, "")
			wantStatus(t, k, 400, "background", "WEB", "POST", "/v1/responses/"+first+"/cancel", "")
			wantStatus(t, k, 400, "limit", "WEB", "GET", "/v1/responses/"+first+"/input_items?limit=0", "")
			wantStatus(t, k, 405, "GET, DELETE", "WEB", "POST", "/v1/responses/"+first, "")
			wantStatus(t, k, 200, `"deleted":true`, "WEB", "DELETE", "/v1/responses/"+first, "")
			wantStatus(t, k, 404, "response_not_found", "WEB", "GET", "/v1/responses/"+first, "")
			wantStatus(t, k, 404, "beginning", "WEB", "POST", "/v1/responses", `{"model":"m","previous_response_id":"`+second+`","input":"x"}`)
		})
	}
}

// TestWhatAProviderWithoutResponsesCannotDo is refused, and not left out.
func TestWhatAProviderWithoutResponsesCannotDo(t *testing.T) {
	k := newKeeperRig(t)
	id, _ := k.ask(t, "WEB", `{"model":"m","input":"x"}`)
	for member, says := range map[string]string{
		`"background":true`: "background", `"conversation":"conv_1"`: "previous_response_id", `"prompt":{"id":"p"}`: "templates",
	} {
		wantStatus(t, k, 400, says, "WEB", "POST", "/v1/responses", `{"model":"m","input":"x",`+member+`}`)
	}
	wantStatus(t, k, 404, "msg_unknown_1", "WEB", "POST", "/v1/responses", `{"model":"m","input":[{"type":"item_reference","id":"msg_unknown_1"}]}`)
	wantStatus(t, k, 400, "previous_response_id", "WEB", "POST", "/v1/responses", `{"model":"strict","previous_response_id":"`+id+`","input":"x"}`)
	k.gateway.responses.Configure(-1, 0) // llm.keep_responses: 0
	wantStatus(t, k, 400, "previous_response_id", "WEB", "POST", "/v1/responses", `{"model":"m","previous_response_id":"`+id+`","input":"x"}`)
	wantStatus(t, k, 404, "response_not_found", "WEB", "GET", "/v1/responses/"+id, "")
}

// TestAProviderKeepsItsOwn: the call passes through, and of its response only the owner is kept.
func TestAProviderKeepsItsOwn(t *testing.T) {
	for _, stream := range []string{"", `,"stream":true`} {
		t.Run("stream"+stream, func(t *testing.T) {
			k := newKeeperRig(t)
			id, _ := k.ask(t, "WEB", `{"model":"native/m","input":"first words"`+stream+`}`)
			body := `{"model":"n","previous_response_id":"` + id + `","input":"second words"}`
			for range 5 { // whatever the weights say, it is asked
				k.ask(t, "WEB", body)
				if want := strings.Replace(body, `"n"`, `"m"`, 1); !strings.HasPrefix(k.last(), "POST /v1/responses ") || !strings.HasSuffix(k.last(), want) {
					t.Errorf("the provider was asked %s", k.last())
				}
			}
			wantStatus(t, k, 404, "response_not_found", "APP", "POST", "/v1/responses", body)
			wantStatus(t, k, 404, "response_not_found", "APP", "GET", "/v1/responses/"+id, "")
			wantStatus(t, k, 404, "response_not_found", "WEB", "GET", "/v1/responses/resp_of_nobody", "")
			wantStatus(t, k, 404, "response_not_found", "WEB", "POST", "/v1/responses", `{"model":"m","previous_response_id":"`+id+`","input":"another provider"}`)
			if status, _ := k.do(t, "WEB", "GET", "/v1/responses/"+id+"?include=a", ""); status != 200 || k.last() != "GET /v1/responses/"+id+"?include=a " {
				t.Errorf("%d, and the provider was asked %s", status, k.last())
			}
			if status, _ := k.do(t, "WEB", "GET", "/v1/responses/"+id+"/input_items", ""); status != 200 || k.last() != "GET /v1/responses/"+id+"/input_items " {
				t.Errorf("%d, and the provider was asked %s", status, k.last())
			}
			if status, _ := k.do(t, "WEB", "DELETE", "/v1/responses/"+id, ""); status != 200 || k.last() != "DELETE /v1/responses/"+id+" " {
				t.Errorf("%d, and the provider was asked %s", status, k.last())
			}
			wantStatus(t, k, 404, "response_not_found", "WEB", "GET", "/v1/responses/"+id, "")
			kept, _ := k.ask(t, "WEB", `{"model":"native/m","input":"x","store":false}`)
			wantStatus(t, k, 404, "response_not_found", "WEB", "GET", "/v1/responses/"+kept, "")
			if status, text := k.do(t, "WEB", "POST", "/v1/responses", `{"model":"native/m","input":[{"type":"reasoning","summary":[],"encrypted_content":"anthropic:PROOF"},{"role":"user","content":"x"}]}`); status != 200 || strings.Contains(k.last(), "PROOF") {
				t.Errorf("%d %s, and the provider was asked %s", status, text, k.last())
			}
		})
	}
}

// TestAProviderThatForgets has the Responses API and keeps nothing: its calls pass through, and what they go on
// from is kept here.
func TestAProviderThatForgets(t *testing.T) {
	for _, stream := range []string{"", `,"stream":true`} {
		t.Run("stream"+stream, func(t *testing.T) {
			k := newKeeperRig(t)
			id, _ := k.ask(t, "WEB", `{"model":"stateless/m","input":"first words"`+stream+`}`)
			if !strings.HasPrefix(k.last(), "POST /v1/responses ") {
				t.Errorf("the call did not pass: %s", k.last())
			}
			k.ask(t, "WEB", `{"model":"stateless/m","previous_response_id":"`+id+`","input":"second words"}`)
			for _, part := range []string{"first words", "stateless words", "second words"} {
				if !strings.Contains(k.last(), part) {
					t.Errorf("the provider does not hear %q: %s", part, k.last())
				}
			}
			if status, text := k.do(t, "WEB", "GET", "/v1/responses/"+id, ""); status != 200 || !strings.Contains(text, "stateless words") {
				t.Errorf("%d %s", status, text)
			}
		})
	}
}
