package admin

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"
	"go.uber.org/goleak"

	"causeway/internal/fault"
	"causeway/internal/identity"
	"causeway/internal/identity/identitytest"
	"causeway/internal/journey"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Secrets of the world below: none may ever stand in an answer or a log line.
const (
	adminPassword  = "canary-password-of-admin"
	targetPassword = "canary-password-of-a-target"
)

// keptCalls is a Calls in memory.
type keptCalls struct {
	mu    sync.Mutex
	calls []*journey.Journey
	asked Query
	fail  error
}

func (k *keptCalls) Get(_ context.Context, id journey.ID) (journey.Journey, bool, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, j := range k.calls {
		if j.ID == id {
			return *j, true, k.fail
		}
	}
	return journey.Journey{}, false, k.fail
}

func (k *keptCalls) Search(_ context.Context, q Query) (Page, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asked = q
	if k.fail != nil {
		return Page{}, k.fail
	}
	var list []journey.Journey
	for _, j := range k.calls {
		switch {
		case q.Service != "" && j.Service != q.Service,
			q.Model != "" && j.Model != q.Model,
			q.Application != "" && j.Application != q.Application,
			q.Provider != "" && j.Provider != q.Provider,
			q.Kind != "" && (j.Finding == nil || j.Finding.Kind != q.Kind),
			q.StatusTo != 0 && (j.Status < q.StatusFrom || j.Status > q.StatusTo),
			q.Failed != nil && *q.Failed != (j.Finding != nil),
			q.MinDuration != 0 && j.Total < q.MinDuration,
			q.MaxDuration != 0 && j.Total > q.MaxDuration,
			!q.From.IsZero() && j.Start.Before(q.From),
			!q.To.IsZero() && !j.Start.Before(q.To),
			q.Cursor != "" && j.ID.String() >= q.Cursor:
			continue
		}
		list = append(list, *j)
	}
	slices.SortFunc(list, func(a, b journey.Journey) int { return cmp.Compare(b.ID.String(), a.ID.String()) })
	if len(list) <= q.Limit {
		return Page{Calls: list}, nil
	}
	return Page{Calls: list[:q.Limit], Next: list[q.Limit-1].ID.String()}, nil
}

// world is an admin API on a real socket, with everything behind it in memory.
type world struct {
	t      *testing.T
	calls  *keptCalls
	store  *identitytest.Store
	people *identity.Identity
	deps   Deps
	ready  Readiness
	log    *lockedBuffer
	server *httptest.Server
	socket string // path of the socket, when asked over it

	session, adminToken, viewerToken string
}

// lockedBuffer is a log that several requests write at once.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

var (
	start   = time.Date(2026, 11, 23, 4, 5, 6, 789e6, time.UTC)
	refused = callID(3)
)

// callID is the id of the call begun n minutes after start.
func callID(n int) string {
	id := journey.NewID(start.Add(time.Duration(n) * time.Minute))
	copy(id[10:], "0123456789ABCDEF")
	return id.String()
}

func kept(n int, j journey.Journey) *journey.Journey {
	j.ID, _ = journey.ParseID(callID(n))
	j.Start = start.Add(time.Duration(n) * time.Minute)
	j.Method, j.Host, j.Path, j.Protocol = "GET", "api.example.com", "/orders/7", "HTTP/1.1"
	return &j
}

func refusedCall() *journey.Journey {
	j := kept(3, journey.Journey{
		Service: "orders", Route: "/orders/*", Application: "web", Status: 502, Remote: "192.0.2.7",
		Routed: 50 * time.Microsecond, Admitted: 80 * time.Microsecond, FirstByte: 600 * time.Microsecond, Total: 700 * time.Microsecond,
		Generation: 3, BytesIn: 10, BytesOut: 900, Policies: []string{"rate_limit: 100/1s by application"},
		Notes: []journey.Note{{At: 90 * time.Microsecond, Room: "choose", Text: "one target of two is unhealthy"}},
		Attempts: []journey.Attempt{{
			Target: "http://user:" + targetPassword + "@127.0.0.1:9001", Address: "127.0.0.1:9001",
			Phase: journey.PhaseConnect, End: journey.EndErrno, Errno: 111, Kind: fault.ConnectionRefused,
			Start: 100 * time.Microsecond, ConnectTime: 200 * time.Microsecond, Total: 200 * time.Microsecond, BodyInLen: -1,
			Tries: []journey.AddressTry{{Address: "127.0.0.1:9001", Errno: 111, Took: 200 * time.Microsecond}},
			Again: "not retried: budget spent",
		}},
		Finding: &fault.Finding{
			Kind: fault.ConnectionRefused, Cause: fault.Software, Status: 502, Retry: fault.Safe, Confidence: "high",
			Detail:   "orders: 127.0.0.1:9001 refused the TCP connection after 0.2 ms; nothing listens there.",
			Evidence: []string{"TCP connect to 127.0.0.1:9001: ECONNREFUSED after 0.2 ms"},
		},
	})
	return j
}

func newWorld(t *testing.T, change ...func(*Deps)) *world {
	t.Helper()
	w := &world{t: t, calls: &keptCalls{}, store: &identitytest.Store{}, log: &lockedBuffer{}}
	w.ready = Readiness{Generation: 3, ConfigHash: "c0ffee", Ledger: LedgerState{BacklogBytes: 12}}
	w.calls.calls = []*journey.Journey{
		kept(1, journey.Journey{Service: "orders", Application: "web", Status: 200, Total: 12 * time.Millisecond}),
		kept(2, journey.Journey{
			Model: "fast", Provider: "openai", TargetModel: "gpt-4o-mini", Application: "batch", Status: 200, Total: 3 * time.Second, Stream: true,
			Usage: journey.Usage{Input: 12, Output: 34, Cached: -1, CacheWrite: -1, Reasoning: -1, Source: "reported"}, ResponseBody: []byte{0xff, 0xfe},
		}),
		refusedCall(),
		kept(4, journey.Journey{Service: "orders", Status: 404, Total: time.Millisecond, Finding: &fault.Finding{Kind: fault.RouteNotFound, Cause: fault.Caller}}),
	}
	var err error
	w.people, err = identity.New(identity.Options{
		Store:   w.store,
		Hashing: &argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	w.deps = Deps{
		Calls:    w.calls,
		Explain:  explain,
		Accounts: w.people,
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain; version=0.0.4")
			io.WriteString(w, "causeway_config_generation 3\n")
		}),
		Ready:    func(context.Context) Readiness { return w.ready },
		Status:   func() Status { return Status{Version: "1.2.3", Started: start, Generation: 3, ConfigHash: "c0ffee"} },
		Info:     Info{Version: "1.2.3", GatewayURL: "http://127.0.0.1:8080", ConsoleURL: "http://127.0.0.1:8090", DocsURL: "https://docs.example.com"},
		Loopback: true,
		Hosts:    []string{"console.example.com"},
		Log:      slog.New(slog.NewTextHandler(w.log, nil)),
		Now:      func() time.Time { return start.Add(time.Hour) },
	}
	for _, f := range change {
		f(&w.deps)
	}
	handler, err := New(w.deps)
	if err != nil {
		t.Fatal(err)
	}
	w.server = httptest.NewServer(handler)
	t.Cleanup(w.server.Close)

	if err := errors.Join(
		w.people.CreateAccount(ctx, "admin", adminPassword, identity.Admin),
		w.people.CreateAccount(ctx, "vic", "canary-password-of-vic", identity.Viewer),
	); err != nil {
		t.Fatal(err)
	}
	w.adminToken = w.token("admin", identity.Admin)
	w.viewerToken = w.token("vic", identity.Viewer)
	_, answer := w.do(request{method: "POST", path: "/api/v1/session", body: `{"username":"admin","password":"` + adminPassword + `"}`})
	for _, c := range answer.Cookies() {
		w.session = c.Value
	}
	if w.session == "" {
		t.Fatal("signing in set no cookie")
	}
	return w
}

// explain stands for the rules of internal/diagnose.
func explain(j *journey.Journey) *fault.Call {
	return &fault.Call{
		ID: j.ID.String(), Time: j.Start, Method: j.Method, Path: j.Path, Service: j.Service,
		Status: j.Status, Total: j.Total, Finding: j.Finding,
	}
}

func (w *world) token(account string, role identity.Role) string {
	w.t.Helper()
	secret, _, err := w.people.CreateToken(w.t.Context(), identity.Principal{Account: account, Role: role}, identity.NewToken{Name: "test"})
	if err != nil {
		w.t.Fatal(err)
	}
	return secret
}

// request is what a row asks.
type request struct {
	as           string // "", "session", "token" (the admin's) or "viewer"
	method, path string // method "" is GET
	host         string
	body         string
	header       map[string]string
}

// do asks and reads the whole answer.
func (w *world) do(x request) (string, *http.Response) {
	w.t.Helper()
	var body io.Reader
	if x.body != "" {
		body = strings.NewReader(x.body)
	}
	r, err := http.NewRequestWithContext(w.t.Context(), cmp.Or(x.method, "GET"), w.server.URL+x.path, body)
	if err != nil {
		w.t.Fatal(err)
	}
	if x.body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	switch x.as {
	case "session":
		r.AddCookie(&http.Cookie{Name: SessionCookie, Value: w.session})
	case "token":
		r.Header.Set("Authorization", "Bearer "+w.adminToken)
	case "viewer":
		r.Header.Set("Authorization", "Bearer "+w.viewerToken)
	}
	for name, value := range x.header {
		r.Header.Set(name, value)
	}
	r.Host = x.host
	client := &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     &http.Transport{DisableKeepAlives: true},
	}
	if w.socket != "" {
		client.Transport = &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", w.socket)
		}}
	}
	resp, err := client.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(b), resp
}

// row is one scenario: who asks what, and what must and must not come back.
type row struct {
	name string
	request
	status   int
	contains []string
	without  []string
	answer   map[string]string // header fields
	set      func(*world)      // before asking
	check    func(t *testing.T, w *world, body string, r *http.Response)
}

// run runs the rows: those that change something each in a world of its own, those that only read in
// a common one. Whatever a row asks, no secret may come back, and an error must be a problem.
func run(t *testing.T, rows []row) {
	common := newWorld(t)
	for _, x := range rows {
		t.Run(x.name, func(t *testing.T) {
			w := common
			if x.set != nil || x.method != "" {
				w = newWorld(t)
			}
			w.t = t
			if x.set != nil {
				x.set(w)
			}
			body, resp := w.do(x.request)
			if resp.StatusCode != x.status {
				t.Fatalf("status %d, want %d\n%s", resp.StatusCode, x.status, body)
			}
			for _, part := range x.contains {
				if !strings.Contains(body, part) {
					t.Errorf("the answer lacks %s\n%s", part, body)
				}
			}
			for _, part := range append(x.without, adminPassword, targetPassword, w.session) {
				if strings.Contains(body, part) {
					t.Errorf("the answer contains %s\n%s", part, body)
				}
			}
			for name, value := range x.answer {
				if got := resp.Header.Get(name); !strings.Contains(got, value) {
					t.Errorf("%s: %q, want %q", name, got, value)
				}
			}
			if log := w.log.String(); strings.Contains(log, "canary") || strings.Contains(log, w.session) || strings.Contains(log, "cw_pat_") {
				t.Errorf("a secret is in the log:\n%s", log)
			}
			if x.status >= 400 && x.method != "HEAD" {
				isProblem(t, body, resp)
			}
			if x.check != nil {
				x.check(t, w, body, resp)
			}
		})
	}
}

// isProblem checks what every error answer must be.
func isProblem(t *testing.T, body string, resp *http.Response) {
	t.Helper()
	var p Problem
	if err := json.Unmarshal([]byte(body), &p); err != nil {
		t.Fatalf("not JSON: %v\n%s", err, body)
	}
	if got := resp.Header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("Content-Type %q", got)
	}
	if p.Type != "about:blank" || p.Title != http.StatusText(resp.StatusCode) || p.Status != resp.StatusCode || p.Detail == "" {
		t.Errorf("not a complete problem: %s", body)
	}
	for _, e := range p.Errors {
		if !strings.HasPrefix(e.Pointer, "#") || e.In == "" || e.Detail == "" {
			t.Errorf("an error without pointer, place or text: %+v", e)
		}
	}
}
