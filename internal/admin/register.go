package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	jsonv2 "github.com/go-json-experiment/json"

	"causeway/internal/identity"
)

// access is who may use a route.
type access identity.Role

const (
	public access = ""
	viewer access = access(identity.Viewer)
	admin  access = access(identity.Admin)
)

// route is one row of routes.go.
type route struct {
	method, path string
	access       access
	tag, id      string
	summary      string
}

const maxBody = 64 << 10 // bytes; the largest body is a token's wishes

// newHuma makes the API without routes. Nothing of the library that reaches outside is used: no
// docs page with foreign scripts, no schema links.
func newHuma(mux *http.ServeMux, info Info) huma.API {
	format := huma.Format{
		Marshal: func(w io.Writer, v any) error {
			enc := json.NewEncoder(w)
			enc.SetEscapeHTML(false)
			return enc.Encode(v)
		},
		// Version 2 refuses repeated members and invalid UTF-8, which version 1 lets pass.
		Unmarshal: func(b []byte, v any) error { return jsonv2.Unmarshal(b, v, jsonv2.RejectUnknownMembers(true)) },
	}
	registry := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	registry.RegisterTypeAlias(reflect.TypeFor[huma.ErrorModel](), reflect.TypeFor[Problem]())
	return humago.New(mux, huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title:       "Causeway admin API",
				Version:     info.Version,
				Description: docAPI,
				License:     &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"},
			},
			Tags: docTags,
			Components: &huma.Components{
				Schemas: registry,
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"session": {Type: "apiKey", In: "cookie", Name: sessionCookie, Description: "The cookie that POST /api/v1/session sets."},
					"token":   {Type: "http", Scheme: "bearer", BearerFormat: identity.TokenPrefix + "...", Description: "A personal access token, made with POST /api/v1/tokens."},
				},
			},
		},
		Formats:       map[string]huma.Format{"application/json": format, "json": format},
		DefaultFormat: "application/json",
		Transformers:  []huma.Transformer{transform},
	})
}

// operation is the library's form of a row.
func (a *api) operation(r route, doc string) huma.Operation {
	a.rows = append(a.rows, r)
	op := huma.Operation{
		Method:       r.method,
		Path:         r.path,
		OperationID:  r.id,
		Summary:      r.summary,
		Description:  doc,
		Tags:         []string{r.tag},
		MaxBodyBytes: maxBody,
		Middlewares:  huma.Middlewares{a.guard(r.access)},
		Security:     []map[string][]string{},
	}
	if r.access != public {
		// OpenAPI 3.1: beside other schemes than OAuth the list names roles.
		role := []string{string(r.access)}
		op.Security = []map[string][]string{{"session": role}, {"token": role}}
		op.Errors = []int{http.StatusUnauthorized, http.StatusForbidden}
	}
	return op
}

// handle adds a route whose handler gets its input decoded and checked by the library.
func handle[I, O any](a *api, r route, doc string, h func(context.Context, *I) (*O, error), opts ...func(*api, *huma.Operation)) {
	op := a.operation(r, doc)
	if r.access != public {
		// Probes may carry parameters of their own.
		op.Middlewares = append(op.Middlewares, checkQuery)
	}
	for _, opt := range opts {
		opt(a, &op)
	}
	huma.Register(a.huma, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := h(ctx, in)
		if err != nil {
			return nil, a.problem(ctx, err)
		}
		return out, nil
	})
}

// plain adds a route that is served by an http.Handler of its own.
func plain(a *api, r route, contentType, doc string, h http.HandlerFunc) {
	op := a.operation(r, doc)
	op.Responses = map[string]*huma.Response{
		"200": {Description: "OK", Content: map[string]*huma.MediaType{contentType: {Schema: &huma.Schema{Type: huma.TypeString}}}},
	}
	if contentType == "application/json" {
		op.Responses["200"].Content[contentType].Schema = &huma.Schema{Type: huma.TypeObject}
	}
	a.huma.OpenAPI().AddOperation(&op)
	served := op
	if served.Path == "/" {
		served.Path = "/{$}" // the mux takes "/" for everything
	}
	a.huma.Adapter().Handle(&served, served.Middlewares.Handler(func(ctx huma.Context) {
		r, w := humago.Unwrap(ctx)
		h(w, r)
	}))
}

// created makes 201 the status of success.
func created(_ *api, op *huma.Operation) { op.DefaultStatus = http.StatusCreated }

// takesBody documents the failures of reading a body.
func takesBody(_ *api, op *huma.Operation) {
	op.Errors = append(op.Errors, http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
}

// fails documents further statuses of failure.
func fails(statuses ...int) func(*api, *huma.Operation) {
	return func(_ *api, op *huma.Operation) { op.Errors = append(op.Errors, statuses...) }
}

// schema is the schema of a type, for answers that the library does not make.
func schema[T any](a *api) *huma.Schema {
	return a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[T](), true, "")
}

// checkQuery refuses a query that the library would read in part: one that is malformed, that has a
// parameter which the route does not know, or that gives one twice or without a value.
func checkQuery(ctx huma.Context, next func(huma.Context)) {
	_, w := humago.Unwrap(ctx)
	u := ctx.URL()
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		writeProblem(w, &Problem{Status: http.StatusBadRequest, Detail: "The query is malformed: " + err.Error() + "."})
		return
	}
	var known []string
	for _, p := range ctx.Operation().Parameters {
		if p.In == "query" {
			known = append(known, p.Name)
		}
	}
	var errs []FieldError
	for _, name := range slices.Sorted(maps.Keys(query)) {
		values := query[name]
		e := FieldError{In: "query", Pointer: "#/" + escapePointer(name)}
		switch {
		case !slices.Contains(known, name):
			e.Detail = "is not a parameter of this address"
			if near := nearest(name, known); near != "" {
				e.Detail += "; did you mean " + near + "?"
			} else if len(known) > 0 {
				e.Detail += ", which takes " + strings.Join(known, ", ")
			}
		case len(values) > 1:
			e.Detail = "is given " + strconv.Itoa(len(values)) + " times; give it once"
		case values[0] == "" && name != "cursor": // scripts begin with an empty one
			e.Detail = "has no value; leave it out or give one"
		default:
			continue
		}
		errs = append(errs, e)
	}
	if len(errs) > 0 {
		writeProblem(w, invalid(errs...))
		return
	}
	next(ctx)
}

// encode is JSON as the API writes it, for answers that are not written by the library.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return b.Bytes(), err
}
