package admin

import (
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// document is the OpenAPI page as far as the tests look into it.
type document struct {
	OpenAPI    string
	Paths      map[string]map[string]operation
	Components struct{ Schemas map[string]any }
}

type operation struct {
	OperationID, Summary, Description string
	Parameters                        []struct{ Name, In, Description string }
	Security                          []map[string][]string
	Responses                         map[string]struct {
		Content map[string]struct{ Schema map[string]any }
	}
}

func openAPI(t *testing.T, w *world) (document, any) {
	t.Helper()
	body, r := w.do(request{path: "/api/openapi.json"})
	if r.StatusCode != 200 || r.Header.Get("Content-Type") != "application/json" {
		t.Fatalf("%d %s", r.StatusCode, r.Header.Get("Content-Type"))
	}
	var doc document
	if err := json.Unmarshal([]byte(body), &doc); err != nil {
		t.Fatal(err)
	}
	raw, err := jsonschema.UnmarshalJSON(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return doc, raw
}

// The page must pass OpenAPI's own schema, and each schema in it must be valid JSON Schema.
func TestTheOpenAPIPageIsOpenAPI31(t *testing.T) {
	doc, raw := openAPI(t, newWorld(t))
	if !strings.HasPrefix(doc.OpenAPI, "3.1.") {
		t.Errorf("version %s", doc.OpenAPI)
	}
	f, err := os.Open("testdata/openapi-3.1.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	schema, err := jsonschema.UnmarshalJSON(f)
	if err != nil {
		t.Fatal(err)
	}
	const id = "https://spec.openapis.org/oas/3.1/schema/2021-04-15"
	c := jsonschema.NewCompiler()
	if err := c.AddResource(id, schema); err != nil {
		t.Fatal(err)
	}
	compiled, err := c.Compile(id)
	if err != nil {
		t.Fatal(err)
	}
	if err := compiled.Validate(raw); err != nil {
		t.Errorf("%#v", err)
	}

	if err := c.AddResource("http://localhost/openapi.json", raw); err != nil {
		t.Fatal(err)
	}
	for name := range doc.Components.Schemas {
		if _, err := c.Compile("http://localhost/openapi.json#/components/schemas/" + name); err != nil {
			t.Errorf("schema %s: %v", name, err)
		}
	}
}

// Every row of routes.go stands in the page with everything a reader needs, and nothing else does.
func TestEveryRouteIsDescribed(t *testing.T) {
	w := newWorld(t)
	doc, _ := openAPI(t, w)
	rows := routeRows(t)
	if len(rows) < 15 {
		t.Fatalf("only %d routes found", len(rows))
	}
	described := 0
	for _, r := range rows {
		op, ok := doc.Paths[r.path][strings.ToLower(r.method)]
		if !ok {
			t.Errorf("%s %s is served and not described", r.method, r.path)
			continue
		}
		described++
		if op.OperationID == "" || op.Summary == "" || op.Description == "" {
			t.Errorf("%s %s lacks an id, a summary or a description", r.method, r.path)
		}
		for _, p := range op.Parameters {
			if p.Description == "" {
				t.Errorf("%s %s: parameter %s is not described", r.method, r.path, p.Name)
			}
		}
		if (len(op.Security) == 0) != (r.access == public) {
			t.Errorf("%s %s: described security %v, access %q", r.method, r.path, op.Security, r.access)
		}
		if r.access != public {
			for _, status := range []string{"401", "403", "500"} {
				if _, ok := op.Responses[status].Content["application/problem+json"]; !ok {
					t.Errorf("%s %s: %s is not described as a problem", r.method, r.path, status)
				}
			}
		}
	}
	total := 0
	for _, item := range doc.Paths {
		total += len(item)
	}
	if total != described {
		t.Errorf("%d operations are described, %d of them served", total, described)
	}
}

// routeRows are the rows of routes.go, as New adds them.
func routeRows(t *testing.T) []route {
	t.Helper()
	w := newWorld(t)
	a := &api{Deps: w.deps, mux: http.NewServeMux()}
	a.huma = newHuma(a.mux, a.Info)
	a.routes()
	return a.rows
}

// What needs a sign-in is refused without one, and what is described as public is not.
func TestTheGuardDoesWhatThePageSays(t *testing.T) {
	w := newWorld(t)
	for _, r := range routeRows(t) {
		_, resp := w.do(request{method: r.method, path: strings.ReplaceAll(r.path, "{id}", refused)})
		if (resp.StatusCode == http.StatusUnauthorized) != (r.access != public) {
			t.Errorf("%s %s without a sign-in: %d, access %q", r.method, r.path, resp.StatusCode, r.access)
		}
	}
	public := []string{}
	for _, r := range routeRows(t) {
		if r.access == "" {
			public = append(public, r.method+" "+r.path)
		}
	}
	slices.Sort(public)
	want := "GET / GET /api/openapi.json GET /healthz GET /metrics GET /readyz POST /api/v1/session"
	if got := strings.Join(public, " "); got != want {
		t.Errorf("public: %s, want %s", got, want)
	}
}

// Real answers must pass the schemas that the page gives for them.
func TestAnswersAreAsDescribed(t *testing.T) {
	w := newWorld(t)
	doc, raw := openAPI(t, w)
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("http://localhost/openapi.json", raw); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		request
		template string
	}{
		{request{path: "/healthz"}, ""},
		{request{path: "/readyz"}, ""},
		{request{as: "token", path: "/api/v1/status"}, ""},
		{request{as: "session", path: signIn}, ""},
		{request{method: "POST", path: signIn, body: credentials("admin", adminPassword)}, ""},
		{request{method: "POST", path: signIn, body: credentials("admin", "x")}, ""},
		{request{method: "POST", path: signIn, body: "{"}, ""},
		{request{method: "POST", path: signIn, body: "{}"}, ""},
		{request{method: "POST", path: signIn, body: "a=b", header: map[string]string{"Content-Type": "text/plain"}}, ""},
		{request{method: "POST", path: signIn, body: strings.Repeat(" ", 70_000)}, ""},
		{request{method: "POST", path: signIn, body: credentials("admin", adminPassword), header: map[string]string{"Origin": "null"}}, ""},
		{request{as: "token", method: "POST", path: "/api/v1/tokens", body: `{"name":"new"}`}, ""},
		{request{as: "token", path: "/api/v1/tokens"}, ""},
		{request{as: "token", path: "/api/v1/calls"}, ""},
		{request{as: "token", path: "/api/v1/calls?status=x"}, ""},
		{request{path: "/api/v1/calls"}, ""},
		{request{as: "token", path: "/api/v1/calls/" + refused}, "/api/v1/calls/{id}"},
		{request{as: "token", path: "/api/v1/calls/" + callID(2)}, "/api/v1/calls/{id}"},
		{request{as: "token", path: "/api/v1/calls/" + callID(9)}, "/api/v1/calls/{id}"},
		{request{as: "token", path: "/api/v1/calls/" + refused + "/explanation"}, "/api/v1/calls/{id}/explanation"},
		{request{as: "token", path: "/api/v1/failures"}, ""},
	} {
		body, r := w.do(x.request)
		method, path := strings.ToLower(r.Request.Method), r.Request.URL.Path
		if x.template != "" {
			path = x.template
		}
		contentType := r.Header.Get("Content-Type")
		media, ok := doc.Paths[path][method].Responses[strings.Fields(r.Status)[0]].Content[contentType]
		if !ok {
			t.Errorf("%s %s: %s as %s is not described", method, x.path, r.Status, contentType)
			continue
		}
		schema, err := c.Compile("http://localhost/openapi.json" + media.Schema["$ref"].(string))
		if err != nil {
			t.Fatal(err)
		}
		answer, err := jsonschema.UnmarshalJSON(strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(answer); err != nil {
			t.Errorf("%s %s: %v\n%s", method, x.path, err, body)
		}
	}
}
