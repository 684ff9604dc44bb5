package gateway

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"

	"causeway/internal/llm"
	"causeway/internal/llm/openai"
	"causeway/internal/snapshot"
)

func newModelsRig(t *testing.T) *rig {
	t.Helper()
	return newRigWith(t, `
version: 1
providers:
  p: {kind: openai, base_url: "http://127.0.0.1:1/v1", keys: [K], models: [a, b, c, d]}
models:
  fast: {targets: [{model: p/a}]}
services:
  api: {access: open, routes: [{path: /api/*}], upstream: {targets: [{url: "http://127.0.0.1:1"}]}}
applications:
  web: {keys: [WEB], subscribes: [models/p/*]}
`, func(d *snapshot.Deps) {
		d.Dialects, d.Speak = append([]llm.Dialect{openai.New()}, allDialects()...), map[string]llm.Dialect{"openai": openai.New()}
	})
}

// walkPages asks for one page after the other and returns the ids of all.
func walkPages(t *testing.T, r *rig, first, field string, next func(page map[string]any) string) (ids []string) {
	t.Helper()
	for query := first; query != ""; {
		a := r.call(t, "GET "+query+" HTTP/1.1\nHost: h\nx-api-key: WEB\nanthropic-version: 2023-06-01\n\n")
		var page map[string]any
		if err := json.Unmarshal([]byte(a.body), &page); err != nil || a.status != 200 || len(ids) > 10 {
			t.Fatal(err, a.status, a.body, ids)
		}
		for _, key := range []string{"data", "models"} {
			list, _ := page[key].([]any)
			for _, m := range list {
				ids = append(ids, m.(map[string]any)[field].(string))
			}
		}
		query = next(page)
	}
	return ids
}

func TestListsOfModelsInPages(t *testing.T) {
	r := newModelsRig(t)
	anthropic := walkPages(t, r, "/v1/models?limit=3", "id", func(p map[string]any) string {
		if p["has_more"] != true {
			return ""
		}
		return "/v1/models?limit=3&after_id=" + p["last_id"].(string)
	})
	if want := []string{"p/a", "p/b", "p/c", "p/d"}; !slices.Equal(anthropic, want) {
		t.Errorf("Anthropic's pages have %v", anthropic)
	}
	back := walkPages(t, r, "/v1/models?limit=1&before_id=p/c", "id", func(map[string]any) string { return "" })
	if !slices.Equal(back, []string{"p/b"}) {
		t.Errorf("the page before has %v", back)
	}
	gemini := walkPages(t, r, "/v1beta/models?pageSize=3", "name", func(p map[string]any) string {
		token, _ := p["nextPageToken"].(string)
		if token == "" {
			return ""
		}
		return "/v1beta/models?pageSize=3&pageToken=" + token
	})
	if want := []string{"models/p/a", "models/p/b", "models/p/c", "models/p/d"}; !slices.Equal(gemini, want) {
		t.Errorf("Gemini's pages have %v", gemini)
	}
	for path, says := range map[string]string{
		"/v1/models?limit=0":                    "limit must be",
		"/v1/models?after_id=nobody":            "after_id is no model",
		"/v1/models?after_id=p/a&before_id=p/b": "before_id",
		"/v1beta/models?pageToken=nobody":       "pageToken is none",
		"/v1beta/models?pageSize=many":          "pageSize must be",
	} {
		if a := r.call(t, "GET "+path+" HTTP/1.1\nHost: h\nx-api-key: WEB\nanthropic-version: 2023-06-01\n\n"); a.status != 400 || !strings.Contains(a.body, says) {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
}

// A service's route wins over the addresses of dialects whose paths services have as well, and only over these.
func TestOllamasAddressesGiveWay(t *testing.T) {
	r := newModelsRig(t)
	if a := r.call(t, "GET /api/tags HTTP/1.1\nHost: h\n\n"); a.status != 502 {
		t.Errorf("the service was not asked: %d %s", a.status, a.body)
	}
	if a := r.call(t, "POST /v2/rerank HTTP/1.1\nHost: h\nContent-Length: 2\n\n{}"); a.status != 401 {
		t.Errorf("no route takes Cohere's address: %d %s", a.status, a.body)
	}
}

func TestOllamasModels(t *testing.T) {
	r := newRigWith(t, `
version: 1
providers:
  p: {kind: openai, base_url: "http://127.0.0.1:1/v1", keys: [K], models: [a]}
applications:
  web: {keys: [WEB], subscribes: [models/p/*]}
`, func(d *snapshot.Deps) {
		d.Dialects, d.Speak = append([]llm.Dialect{openai.New()}, allDialects()...), map[string]llm.Dialect{"openai": openai.New()}
	})
	for _, tc := range []struct{ method, path, body, says string }{
		{"GET", "/api/version", "", `{"version":"`},
		{"GET", "/api/tags", "", `"name":"p/a"`},
		{"GET", "/api/ps", "", `"name":"p/a"`},
		{"POST", "/api/show", `{"model":"p/a"}`, `"capabilities"`},
		{"POST", "/api/show", `{"model":"nothing/a"}`, `There is no model`},
		{"POST", "/api/show", `{}`, `/model is missing`},
	} {
		request := tc.method + " " + tc.path + " HTTP/1.1\nHost: h\nAuthorization: Bearer WEB\n"
		if tc.body != "" {
			request += "Content-Type: application/json\nContent-Length: " + strconv.Itoa(len(tc.body)) + "\n"
		}
		if a := r.call(t, request+"\n"+tc.body); !strings.Contains(a.body, tc.says) {
			t.Errorf("%s %s %s: %d %s", tc.method, tc.path, tc.body, a.status, a.body)
		}
	}
}
