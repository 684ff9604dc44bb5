package drill_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"causeway/internal/app"
	"causeway/internal/catalog"
	"causeway/internal/drill"
	"causeway/internal/fault"
)

// counting is a listener that nobody is to call.
func counting(t *testing.T) (addr string, calls *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	calls = new(atomic.Int64)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			calls.Add(1)
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return l.Addr().String(), calls
}

// shortDir is a folder whose path leaves room for a socket's name.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "cw-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func load(t *testing.T, text string) *catalog.Catalog {
	t.Helper()
	path := filepath.Join(t.TempDir(), "causeway.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, faults, err := catalog.Load(path, os.LookupEnv)
	if err != nil || len(faults) > 0 {
		t.Fatal(err, faults)
	}
	return c
}

func run(t *testing.T, text string, change func(*drill.Options)) *drill.Report {
	t.Helper()
	o := drill.Options{Catalog: load(t, text), Dir: shortDir(t)}
	if change != nil {
		change(&o)
	}
	r, err := app.Drill(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(o.Dir)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	return r
}

func result(t *testing.T, s *drill.Subject, name string) *drill.Result {
	t.Helper()
	for i := range s.Faults {
		if s.Faults[i].Fault == name {
			return &s.Faults[i]
		}
	}
	t.Fatalf("%s was not drilled", name)
	return nil
}

func TestAServiceWithRetriesAbsorbsWhatOneWithoutLoses(t *testing.T) {
	at, calls := counting(t)
	config := func(settings string) string {
		return "version: 1\nservices:\n  orders:\n    access: open\n    routes: [{path: /orders/*}]\n    upstream:\n" +
			"      targets: [{url: http://" + at + "}, {url: http://" + at + "/b}, {url: http://" + at + "/c}]\n" + settings
	}
	faults := func(o *drill.Options) {
		o.Faults = []string{"connection_refused", "reset_before_response", "close_before_response", "no_answer", "dns_nxdomain", "status_502_nginx", "chunk_cut_rst", "banner_ssh"}
	}
	good := run(t, config("      timeouts: {first_byte: 2s}\n      breaker: {}\n"), faults)
	poor := run(t, config("      retries: {max: 0}\n"), faults)

	g, p := &good.Subjects[0], &poor.Subjects[0]
	if g.Score < p.Score+40 || good.Grade > "B" || poor.Grade != "F" {
		t.Errorf("good: %s %.0f, poor: %s %.0f", good.Grade, g.Score, poor.Grade, p.Score)
	}
	for _, name := range []string{"connection_refused", "reset_before_response", "no_answer", "dns_nxdomain", "status_502_nginx"} {
		r := result(t, g, name)
		if !r.Absorbed || r.One.Lost != 0 || r.One.Hit == 0 || r.One.By != "failover" {
			t.Errorf("%s with retries: %+v", name, r.One)
		}
		if r := result(t, p, name); r.Absorbed || r.One.Lost != 3 {
			t.Errorf("%s without: %+v", name, r.One)
		}
	}
	// A limit that fired is told as it is configured, and one in ten is met twice in twenty.
	if ms := result(t, p, "no_answer").All.TookMS; ms < 55_000 || ms > 65_000 {
		t.Errorf("no_answer takes %d ms with first_byte: 60s", ms)
	}
	if b := result(t, p, "reset_before_response").Blip; b.Calls != 20 || b.Lost != 2 || b.Kind != fault.ResetBeforeResponse || b.Retry != "safe" {
		t.Errorf("one in ten: %+v", b)
	}
	// The breaker keeps calls away, and answers at once when nobody is left.
	if l := result(t, g, "no_answer").One.After; l.Hit != 0 || l.By != "breaker" {
		t.Errorf("later: %+v", l)
	}
	if o := result(t, g, "chunk_cut_rst"); o.Absorbed || !o.Late {
		t.Errorf("an answer that had begun: %+v", o)
	}
	for _, s := range []*drill.Subject{g, p} {
		for i := range s.Faults {
			for _, o := range []*drill.Outcome{s.Faults[i].One, s.Faults[i].Blip, s.Faults[i].All} {
				if o != nil && (!o.Told || o.Unsafe > 0) {
					t.Errorf("%s: %+v", s.Faults[i].Fault, o)
				}
			}
		}
	}
	keys := map[string]string{}
	for _, c := range p.Changes {
		keys[c.Key] = c.To
	}
	if keys["services.orders.upstream.retries.max"] != "2" || keys["services.orders.upstream.timeouts.first_byte"] != "10s" || keys["services.orders.upstream.breaker"] == "" {
		t.Errorf("advice: %v", keys)
	}
	if calls.Load() != 0 {
		t.Errorf("the configured target was called %d times", calls.Load())
	}
}

func TestChangesAreTried(t *testing.T) {
	r := run(t, "version: 1\nservices:\n  a:\n    access: open\n    routes: [{path: /a}]\n    upstream: {targets: [{url: http://127.0.0.1:9}], retries: {max: 0}}\n", func(o *drill.Options) {
		o.Try, o.Faults = true, []string{"connection_refused", "close_on_accept"}
	})
	s := r.Subjects[0]
	if s.After == nil || !s.After.Tried || s.After.Score < s.Score+20 {
		t.Errorf("%.0f, and with changes %+v", s.Score, s.After)
	}
}

func TestAModelFallsBack(t *testing.T) {
	at, calls := counting(t)
	text := "version: 1\nproviders:\n  one: {kind: openai-compatible, base_url: http://" + at + "/v1, keys: [a-secret-of-one]}\n" +
		"  two: {kind: anthropic, base_url: http://" + at + ", keys: [a-secret-of-two]}\n" +
		"models:\n  fast: {targets: [{model: one/m}], fallback: [two/m]}\n  alone: {targets: [{model: one/m}]}\n"
	r := run(t, text, func(o *drill.Options) {
		o.Faults = []string{"connection_refused", "llm_server_error", "llm_quota", "llm_html", "stream_error_first", "stream_cut_fin"}
	})
	byName := map[string]*drill.Subject{}
	for i := range r.Subjects {
		byName[r.Subjects[i].Name] = &r.Subjects[i]
	}
	fast, alone := byName["fast"], byName["alone"]
	if len(r.Subjects) != 2 || fast == nil || alone == nil {
		t.Fatalf("%+v", r.Subjects)
	}
	if fast.Targets != 2 || alone.Targets != 1 || fast.Score < alone.Score+20 || r.Subjects[0].Name != "alone" {
		t.Errorf("fast %.0f of %d, alone %.0f of %d", fast.Score, fast.Targets, alone.Score, alone.Targets)
	}
	for _, name := range []string{"connection_refused", "llm_server_error", "llm_quota", "llm_html", "stream_error_first"} {
		if f := result(t, fast, name); !f.Absorbed {
			t.Errorf("%s: %+v", name, f.One)
		}
		if f := result(t, alone, name); !f.All.Told || f.All.Lost == 0 {
			t.Errorf("%s: %+v", name, f.All)
		}
	}
	if len(alone.Changes) == 0 || alone.Changes[0].Key != "models.alone.fallback" {
		t.Errorf("advice: %+v", alone.Changes)
	}
	if calls.Load() != 0 {
		t.Errorf("the configured provider was called %d times", calls.Load())
	}
}

func TestTheDefaultsAreDrilledWhereNothingIsConfigured(t *testing.T) {
	r := run(t, "version: 1\n", func(o *drill.Options) { o.Faults = []string{"connection_refused"} })
	if len(r.Subjects) != 2 || !strings.Contains(strings.Join(r.Notes, "\n"), "no services, models or providers") {
		t.Errorf("%+v", r)
	}
}

func TestHTTP2AndTLSAreKept(t *testing.T) {
	r := run(t, "version: 1\nservices:\n  a:\n    access: open\n    routes: [{path: /a, methods: [POST]}]\n    upstream: {breaker: {}, protocol: h2c, targets: [{url: 'http://127.0.0.1:9'}, {url: 'http://127.0.0.1:8'}]}\n"+
		"  b:\n    access: open\n    routes: [{path: /b}]\n    upstream: {breaker: {}, targets: [{url: 'https://127.0.0.1:9'}, {url: 'https://127.0.0.1:8'}]}\n", func(o *drill.Options) {
		o.Faults = []string{"h2_refused_stream", "h2_body_cut_rst", "tls_expired", "tls_name_mismatch"}
	})
	for i := range r.Subjects {
		s := &r.Subjects[i]
		if len(s.Faults) != 2 {
			t.Fatalf("%s: %+v", s.Name, s.Faults)
		}
		for k := range s.Faults {
			f := &s.Faults[k]
			if !f.All.Told || f.All.Lost == 0 || !f.Late && !f.Absorbed {
				t.Errorf("%s %s: one %+v, all %+v", s.Name, f.Fault, f.One, f.All)
			}
		}
	}
}

func TestADrillEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	_, err := app.Drill(ctx, drill.Options{
		Catalog: catalog.Default(), Dir: shortDir(t), OnStep: func(drill.Step) { cancel() },
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if _, err := app.Drill(t.Context(), drill.Options{Catalog: catalog.Default(), Dir: shortDir(t), Only: []string{"service:none"}}); !errors.Is(err, drill.ErrNothing) {
		t.Errorf("%v", err)
	}
}
