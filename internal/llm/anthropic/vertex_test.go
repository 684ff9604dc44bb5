package anthropic

import (
	"encoding/json"
	"net/http"
	"reflect"
	"testing"
	"time"

	"causeway/internal/fault"
	"causeway/internal/llm"
)

func TestBodiesForVertex(t *testing.T) {
	v := NewVertex("p", "us-east5")
	for _, tc := range []struct {
		name, body, want string
		op               llm.Operation
	}{
		{"model first", `{"model":"c","max_tokens":1}`, `{"max_tokens":1,"anthropic_version":"vertex-2023-10-16"}`, llm.Chat},
		{"model last", "{\"max_tokens\" : 1 ,\n \"model\":\"c\"}\n", `{"max_tokens" : 1,"anthropic_version":"vertex-2023-10-16"}`, llm.Chat},
		{"model alone", `{"model":"c"}`, `{"anthropic_version":"vertex-2023-10-16"}`, llm.Chat},
		{"a version of the caller's own", `{"anthropic_version":"vertex-x","model":"c"}`, `{"anthropic_version":"vertex-x"}`, llm.Chat},
		{"a model further in stays", `{"model":"c","tools":[{"model":"d"}]}`, `{"tools":[{"model":"d"}],"anthropic_version":"vertex-2023-10-16"}`, llm.Chat},
		{"a count keeps it", `{"model":"c"}`, `{"model":"c","anthropic_version":"vertex-2023-10-16"}`, llm.CountTokens},
		{"nothing", `{}`, `{"anthropic_version":"vertex-2023-10-16"}`, llm.Chat},
		{"no object", `[1]`, `[1]`, llm.Chat},
		{"no JSON", `{"model":`, `{"model":`, llm.Chat},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := string(v.AppendBody([]byte("x"), []byte(tc.body), tc.op)); got != "x"+tc.want {
				t.Errorf("%s became %s, want %s", tc.body, got[1:], tc.want)
			}
		})
	}
}

func TestGooglesErrorsAreUnderstood(t *testing.T) {
	none := func(string) string { return "" }
	for _, tc := range []struct {
		status int
		body   string
		kind   fault.Kind
		valid  bool
	}{
		{404, `{"error":{"code":404,"message":"Publisher Model claude-x was not found","status":"NOT_FOUND"}}`, fault.ModelNotFound, false},
		{429, `{"error":{"code":429,"message":"Quota exceeded","status":"RESOURCE_EXHAUSTED"}}`, fault.ProviderRateLimited, false},
		{401, `{"error":{"code":401,"message":"Request had invalid authentication credentials.","status":"UNAUTHENTICATED"}}`, fault.ProviderKeyRejected, false},
		{503, `{"error":{"code":503,"message":"The service is currently unavailable.","status":"UNAVAILABLE"}}`, fault.Overloaded, false},
		{429, `{"type":"error","error":{"type":"rate_limit_error","message":"slow down"}}`, fault.ProviderRateLimited, true},
	} {
		e := NewVertex("p", "global").ReadError(tc.status, none, []byte(tc.body), time.Unix(0, 0))
		if e.Kind != tc.kind || e.Valid != tc.valid || e.Message == "" {
			t.Errorf("%d %s: %+v", tc.status, http.StatusText(tc.status), e)
		}
	}
}

// FuzzBodiesForVertex: what is an object stays one, with every member but the model as it was.
func FuzzBodiesForVertex(f *testing.F) {
	for _, body := range []string{`{"model":"c","max_tokens":1}`, `{ "a" : [1,{"model":"x"}] , "model" : null }`, `{"mod\u0065l":"c","b":1}`, `{"model":"a","model":"b"}`, `{`, `"x"`} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got := Vertex{}.AppendBody(nil, body, llm.Chat)
		var before, after map[string]json.RawMessage
		if json.Unmarshal(body, &before) != nil || before == nil {
			return
		}
		if err := json.Unmarshal(got, &after); err != nil {
			if string(got) == string(body) {
				return // our reader is stricter than encoding/json
			}
			t.Fatalf("%q became %q: %v", body, got, err)
		}
		if string(got) == string(body) {
			return
		}
		delete(before, "model")
		if before["anthropic_version"] == nil {
			before["anthropic_version"] = json.RawMessage(`"` + VertexVersion + `"`)
		}
		if !reflect.DeepEqual(before, after) {
			t.Errorf("%q became %q", body, got)
		}
	})
}
