// Package admin is the admin API and the few pages of the console's address: sign-in, access
// tokens, calls and their explanations, the failure catalogue, state and metrics.
//
// routes.go is the whole API on one page; each resource has a file of its own, whose handlers
// decode, validate, do and respond. Every error is RFC 9457 (application/problem+json) and names
// the faulty member or parameter by JSON pointer.
//
// The API is described by OpenAPI 3.1 at /api/openapi.json, which is made from the same rows that
// serve it, so that it cannot say something else.
package admin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"causeway/internal/identity"
	"causeway/internal/journey"
)

// Deps are what the API needs. Inventory, Incidents, Health, Examine, Log, Now and Hosts are optional, the rest is not.
type Deps struct {
	Calls    Calls
	Explain  Explainer
	Accounts Accounts
	Metrics  http.Handler // GET /metrics
	// Ready tells whether traffic can be served; it must return soon after its context ends.
	Ready  func(context.Context) Readiness
	Status func() Status
	Info   Info
	// Inventory tells of providers, models, prompts and limits; nil has none.
	Inventory Inventory
	// Incidents tells of what is and was wrong; nil knows of nothing. Health tells how everything behind the
	// gateway is; nil has nothing there.
	Incidents Incidents
	Health    func() UpstreamHealth
	// Examine examines targets; nil examines nothing.
	Examine Examiner
	// Reproduce sends calls again; nil sends none.
	Reproduce Reproducer
	// RunDrill drills the configuration in force; nil drills nothing.
	RunDrill Driller

	// Loopback says that the console listens on loopback only. Requests must then name a loopback
	// host or one of Hosts: a page whose name was made to point at 127.0.0.1 (DNS rebinding) is
	// refused, though its browser believes to be on the same origin.
	Loopback bool
	// Hosts are further host names, without port, that the console may be called by; that of
	// Info.ConsoleURL is one of them.
	Hosts []string

	Log *slog.Logger     // nil discards
	Now func() time.Time // nil means time.Now
}

// Accounts is what the API needs of identity.Identity.
type Accounts interface {
	SignIn(ctx context.Context, name, password string, from netip.Addr) (token string, p identity.Principal, err error)
	Session(ctx context.Context, token string) (identity.Principal, error)
	SignOut(ctx context.Context, token string) error
	Token(ctx context.Context, secret string) (identity.Principal, error)
	CreateToken(ctx context.Context, by identity.Principal, wish identity.NewToken) (secret string, t identity.Token, err error)
	Tokens(ctx context.Context, account, before string, limit int) ([]identity.Token, error)
	DeleteToken(ctx context.Context, account, id string) error
}

// Calls is where ended calls are kept.
type Calls interface {
	// Get returns one call with everything that is kept of it; found is false when it is not kept,
	// or not any more.
	Get(ctx context.Context, id journey.ID) (j journey.Journey, found bool, err error)
	// Search returns the calls that q asks for, the newest first, at most q.Limit. Kept bodies may be
	// missing from them.
	Search(ctx context.Context, q Query) (Page, error)
}

// api is what the handlers share. Nothing in it changes after New, but what examined remembers.
type api struct {
	Deps
	huma   huma.API
	mux    *http.ServeMux
	origin *http.CrossOriginProtection
	spec   []byte  // the OpenAPI page
	page   page    // GET /
	rows   []route // what is served, in the order of routes.go

	examined *doctorRuns
	drilled  drills
}

// New makes the handler of the console's address.
func New(d Deps) (http.Handler, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	a := &api{Deps: d, mux: http.NewServeMux(), origin: http.NewCrossOriginProtection(), examined: &doctorRuns{}}
	if a.Log == nil {
		a.Log = slog.New(slog.DiscardHandler)
	}
	if a.Now == nil {
		a.Now = time.Now
	}
	if a.Inventory == nil {
		a.Inventory = nothing{}
	}
	if a.Incidents == nil {
		a.Incidents = noIncidents{}
	}
	var err error
	if a.page, err = newPage(d.Info); err != nil {
		return nil, fmt.Errorf("making the first page: %w", err)
	}
	if console, err := url.Parse(d.Info.ConsoleURL); err == nil && console.Hostname() != "" {
		a.Hosts = append(slices.Clone(a.Hosts), console.Hostname())
	}
	a.huma = newHuma(a.mux, d.Info)
	a.routes()
	if a.spec, err = a.huma.OpenAPI().MarshalJSON(); err != nil {
		return nil, fmt.Errorf("making the OpenAPI page: %w", err)
	}
	a.spec = append(bytes.TrimSpace(a.spec), '\n')
	return a.protect(http.HandlerFunc(a.dispatch)), nil
}

func (d *Deps) check() error {
	for _, need := range []struct {
		name    string
		missing bool
	}{
		{"Calls", d.Calls == nil},
		{"Explain", d.Explain == nil},
		{"Accounts", d.Accounts == nil},
		{"Metrics", d.Metrics == nil},
		{"Ready", d.Ready == nil},
		{"Status", d.Status == nil},
	} {
		if need.missing {
			return errors.New("the admin API needs Deps." + need.name)
		}
	}
	return nil
}

// dispatch serves a request by the mux, and says what is wrong as a problem where the mux knows no
// route for it.
func (a *api) dispatch(w http.ResponseWriter, r *http.Request) {
	if _, pattern := a.mux.Handler(r); pattern != "" {
		a.mux.ServeHTTP(w, r)
		return
	}
	// The mux answers such a request itself; only its status and Allow are wanted.
	answer := &headOnly{header: http.Header{}}
	a.mux.ServeHTTP(answer, r)
	p := &Problem{
		Status: http.StatusNotFound,
		Detail: "Nothing is served at " + r.URL.Path + ".",
		Advice: []string{"GET /api/openapi.json lists every address, GET / says what is where."},
	}
	if answer.status == http.StatusMethodNotAllowed {
		allow := answer.header.Get("Allow")
		p.Status = http.StatusMethodNotAllowed
		p.Detail = r.Method + " is not served at " + r.URL.Path + ", only " + allow + "."
		p.headers = http.Header{"Allow": {allow}}
	}
	writeProblem(w, p)
}

// headOnly is a ResponseWriter that keeps the status and the header.
type headOnly struct {
	header http.Header
	status int
}

func (h *headOnly) Header() http.Header { return h.header }

func (h *headOnly) WriteHeader(status int) {
	if h.status == 0 {
		h.status = status
	}
}

func (h *headOnly) Write(b []byte) (int, error) {
	h.WriteHeader(http.StatusOK)
	return len(b), nil
}
