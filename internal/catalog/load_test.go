package catalog

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func noEnv(string) (string, bool) { return "", false }

// mustParse parses a valid file.
func mustParse(t *testing.T, text string) *Catalog {
	t.Helper()
	c, faults := Parse("test.yaml", []byte(text), testEnv)
	if len(faults) > 0 {
		t.Fatalf("faults in a valid file:\n%s", faults)
	}
	return c
}

func TestTheDefaultsAreThoseOfTheContract(t *testing.T) {
	retries := Retries{Max: 2, On: []string{"connect", "reset_before_response", "502", "503", "504"}, Budget: 0.2, Backoff: 50 * time.Millisecond}
	forModels := Timeouts{Connect: 2 * time.Second, Send: time.Minute, FirstByte: 10 * time.Minute, Idle: 5 * time.Minute}
	want := &Catalog{
		Server: Server{
			TLSOptions:     TLSOptions{MinVersion: "1.2", UnknownNames: "default"},
			MaxConnections: 100000, MaxHeader: 64 << 10, MaxBody: 10 << 30,
			ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, Drain: 30 * time.Second, MinRate: 128, MinRateAfter: 20 * time.Second, ReusePort: 1,
			Overload: Overload{Queue: 1000, Wait: 500 * time.Millisecond, MaxDelay: 250 * time.Millisecond, MemorySoft: 0.8, MemoryHard: 0.9},
			HTTP2: HTTP2{
				Enabled: true, MaxStreams: 250, StreamWindow: 1 << 20, ConnectionWindow: 4 << 20,
				PingAfter: 30 * time.Second, PingTimeout: 15 * time.Second, MaxResets: 250, MaxControlFrames: 1000,
			},
		},
		LLM:          LLM{KeepResponses: 30 * 24 * time.Hour, KeepResponsesSize: 1 << 30, Fetch: Fetch{From: "public", MaxSize: 20 << 20, Timeout: 10 * time.Second}, KeepBodies: "false"},
		Calls:        Calls{Keep: 30 * 24 * time.Hour, MaxSize: 10 << 30, WhenFull: "drop"},
		Incidents:    Incidents{OpenAfter: 3, Window: time.Minute, Share: 0.01, RecoverCalls: 5, RecoverAfter: 10 * time.Second, QuietAfter: 10 * time.Minute, CallerBurst: 20},
		Storage:      Storage{Database: "sqlite", Counters: "memory", CacheSize: 64 << 20},
		Providers:    map[string]*Provider{"sandbox": {Name: "sandbox", Kind: "sandbox", Vendor: SandboxVendor(), Timeouts: forModels, Retries: retries, Protocol: "auto"}},
		Models:       map[string]*Model{},
		Services:     map[string]*Service{},
		Prompts:      map[string]*Prompt{},
		Applications: map[string]*Application{},
	}
	if got := Default(); !reflect.DeepEqual(got, want) {
		t.Errorf("Default() = %+v\nwant %+v\nsandbox %+v\nwant %+v", got, want, got.Providers["sandbox"], want.Providers["sandbox"])
	}

	c := mustParse(t, `
version: 1
providers: {llama: {kind: ollama}}
services: {a: {routes: [{path: /a}], upstream: {targets: [{url: http://127.0.0.1:1}], health: {}}}}
applications: {web: {keys: [k]}}
`)
	s := c.Services["a"]
	if s.Upstream.Protocol != "http1" || c.Providers["llama"].Protocol != "auto" {
		t.Errorf("protocols %q of a service, %q of a provider", s.Upstream.Protocol, c.Providers["llama"].Protocol)
	}
	if want := (Timeouts{Connect: 2 * time.Second, Send: time.Minute, FirstByte: time.Minute, Idle: time.Minute}); s.Upstream.Timeouts != want {
		t.Errorf("timeouts of a service: %+v, want %+v", s.Upstream.Timeouts, want)
	}
	if want := (Health{Type: "http", Path: "/healthz", Interval: 5 * time.Second, Timeout: time.Second, HealthyAfter: 2, UnhealthyAfter: 3, StatusFrom: 200, StatusTo: 299}); *s.Upstream.Health != want {
		t.Errorf("health: {} is %+v, want %+v", *s.Upstream.Health, want)
	}
	if !reflect.DeepEqual(s.Upstream.Retries, retries) || s.Upstream.Balance != "round_robin" || s.Upstream.Host != "target" || s.Upstream.Targets[0].Weight != 1 {
		t.Errorf("upstream: %+v", s.Upstream)
	}
	if s.Access != "key" || s.KeepBodies != "false" || s.Details != "auto" || s.Policies.RateLimit != nil || s.Policies.IPAllow != nil || s.Policies.BodyLimit != 0 {
		t.Errorf("service: %+v", s)
	}
	if p := c.Providers["llama"]; p.Timeouts != forModels || !reflect.DeepEqual(p.Retries, retries) || p.BaseURL != "http://127.0.0.1:11434/v1" {
		t.Errorf("provider: %+v", p)
	}
	if a := c.Applications["web"]; a.Details != "auto" || a.Keys[0].SHA256 != sha256.Sum256([]byte("k")) || !a.Keys[0].Expires.IsZero() {
		t.Errorf("application: %+v", a)
	}
}

// Every default is written in the table as a file would have it: it must be a value of its key.
func TestEveryDefaultIsAValueOfItsKey(t *testing.T) {
	var visit func(s *shape, path string)
	visit = func(s *shape, path string) {
		for i := range s.keys {
			k := &s.keys[i]
			name := join(path, k.name)
			if k.doc == "" {
				t.Errorf("%s has no doc", name)
			}
			if k.required && k.example == "" {
				t.Errorf("%s is required and has no example", name)
			}
			if k.def != "" && k.shape.form == scalarForm {
				if _, w := k.shape.scalar.parse(k.def); w != nil {
					t.Errorf("%s: the default %s %s", name, k.def, w.message)
				}
			}
			if k.def != "" && k.shape.form == listForm {
				c := &checker{defaults: map[*key]*value{}}
				for _, item := range c.defaultOf(k).items {
					if item.v == nil {
						t.Errorf("%s: an item of the default %s is no value", name, k.def)
					}
				}
			}
			visit(&k.shape, name)
			if k.shape.of != nil {
				visit(k.shape.of, name+"[]")
			}
		}
	}
	root := fileShape()
	visit(&root, "")
}

func TestTheContractsSampleWithoutWhatIsNotInThisVersion(t *testing.T) {
	c, faults := Parse("conf/causeway.yaml", []byte(sampleOfThisVersion(t)), noEnv)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	orders := c.Services["orders"]
	want := Route{Path: "/orders/*", Methods: []string{"GET", "POST"}, MatchHeaders: map[string]string{}}
	if !reflect.DeepEqual(orders.Routes, []Route{want}) {
		t.Errorf("routes: %+v", orders.Routes)
	}
	if !reflect.DeepEqual(orders.Upstream.Targets, []Target{{"http://127.0.0.1:9001", 1}, {"http://127.0.0.1:9002", 1}}) {
		t.Errorf("targets: %+v", orders.Upstream.Targets)
	}
	if !reflect.DeepEqual(orders.Policies, Policies{
		RateLimit: &RateLimit{Requests: 100, Per: time.Second, By: "application"},
		IPAllow:   []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		BodyLimit: 10 << 20,
	}) {
		t.Errorf("policies: %+v", orders.Policies)
	}
	if got := orders.Upstream.Headers.Set["X-From"]; got != "causeway" {
		t.Errorf("header X-From is %q", got)
	}
	if got := c.Models["fast"]; !reflect.DeepEqual(got, &Model{Name: "fast", Balance: "weighted", Targets: []ModelTarget{{Provider: "openai", Model: "gpt-4o-mini", Weight: 3}, {Provider: "llama", Model: "llama3.2", Weight: 1}}}) {
		t.Errorf("model: %+v", got)
	}
	if got := c.Providers["anything"]; got.Timeouts.FirstByte != 2*time.Minute || got.Timeouts.Idle != 5*time.Minute || got.BaseURL != "https://llm.example.com/v1" {
		t.Errorf("provider: %+v", got)
	}
	if got := c.Providers["openai"].Keys; len(got) != 1 || got[0].Value.Reveal() != "value-of-OPENAI_API_KEY" || got[0].Weight != 1 {
		t.Errorf("keys of openai: %d", len(got))
	}
	if got := c.Server.TLS; !reflect.DeepEqual(got, []Certificate{{CertFile: "conf/gw.pem", KeyFile: "conf/gw.key"}}) {
		t.Errorf("relative files are taken from the file's folder, got %v", got)
	}
	if got := c.Applications["web"].Subscribes; !reflect.DeepEqual(got, []string{"orders", "models/fast", "prompts/sentiment"}) {
		t.Errorf("subscribes: %v", got)
	}
}

func TestTheHashIsThatOfTheFilesBytes(t *testing.T) {
	text := "version: 1\n# a comment counts\n"
	sum := sha256.Sum256([]byte(text))
	if got := mustParse(t, text).Hash; got != hex.EncodeToString(sum[:]) {
		t.Errorf("hash %s, want %x", got, sum)
	}
}

func TestValuesTakeManyForms(t *testing.T) {
	c := mustParse(t, `
version: 1
server:
  public_url: https://api.example.com/base/
  drain: 1m30s
  read_header_timeout: 1.5s
  idle_timeout: 1w2d
  max_body: 1048576
  max_header: 100 kB
  trusted_proxies: [10.1.2.3/8, "::ffff:192.0.2.0/120", 192.0.2.7, "2001:db8::1"]
llm: {hosts: [LLM.Example.com., "bücher.example", "::1"], prefix: /ai/}
services:
  a:
    keep_bodies: TRUE
    routes:
      - {path: "/a/{id}", hosts: ["*.Example.com", "[2001:DB8::1]", 127.0.0.1], match_headers: {X-V: 2, X-On: true}, strip_prefix: true}
    upstream:
      targets: [{url: "http://127.0.0.1:9001/base/"}, {url: "unix:///run/a.sock"}, {url: "unix:/run/b.sock:/base/"}, {url: "https://[::1]:8443"}]
      balance: hash_header:X-User
      host: api.internal:8443
      retries: {max: 0, on: [], budget: 12.5%, backoff: 0}
      health: {status: 204}
      timeouts: {total: 0}
    policies: {rate_limit: {requests: 5, per: 1m, by: "header:X-User"}}
applications:
  web:
    keys:
      - {value: "${WEB_KEY}", expires: 2027-01-31T18:00:00+02:00}
      - {sha256: "2CF24DBA5FB0A30E26E83B2AC5B9E29E1B161E5C1FA7425E73043362938B9824", expires: 2027-01-31}
`)
	if got := c.Server; got.PublicURL != "https://api.example.com/base" || got.Drain != 90*time.Second || got.ReadHeaderTimeout != 1500*time.Millisecond || got.IdleTimeout != 9*24*time.Hour || got.MaxBody != 1<<20 || got.MaxHeader != 100_000 {
		t.Errorf("server: %+v", got)
	}
	var proxies []string
	for _, p := range c.Server.TrustedProxies {
		proxies = append(proxies, p.String())
	}
	if want := "10.0.0.0/8 192.0.2.0/24 192.0.2.7/32 2001:db8::1/128"; strings.Join(proxies, " ") != want {
		t.Errorf("trusted_proxies %v, want %s", proxies, want)
	}
	if got := c.LLM; !reflect.DeepEqual(got, LLM{Hosts: []string{"llm.example.com", "xn--bcher-kva.example", "[::1]"}, Prefix: "/ai", KeepResponses: 30 * 24 * time.Hour, KeepResponsesSize: 1 << 30, Fetch: Fetch{From: "public", MaxSize: 20 << 20, Timeout: 10 * time.Second}, KeepBodies: "false"}) {
		t.Errorf("llm: %+v", got)
	}
	s := c.Services["a"]
	if s.KeepBodies != "true" || !reflect.DeepEqual(s.Routes[0].Hosts, []string{"*.example.com", "[2001:db8::1]", "127.0.0.1"}) ||
		!reflect.DeepEqual(s.Routes[0].MatchHeaders, map[string]string{"X-V": "2", "X-On": "true"}) || !s.Routes[0].StripPrefix {
		t.Errorf("service: %+v", s)
	}
	u := s.Upstream
	if !reflect.DeepEqual(u.Targets, []Target{{"http://127.0.0.1:9001/base", 1}, {"unix:/run/a.sock", 1}, {"unix:/run/b.sock:/base", 1}, {"https://[::1]:8443", 1}}) ||
		u.Balance != "hash_header:X-User" || u.Host != "api.internal:8443" || u.Health.StatusFrom != 204 || u.Health.StatusTo != 204 {
		t.Errorf("upstream: %+v", u)
	}
	if u.Retries.Max != 0 || len(u.Retries.On) != 0 || u.Retries.Budget != 0.125 || u.Retries.Backoff != 0 {
		t.Errorf("retries: %+v", u.Retries)
	}
	keys := c.Applications["web"].Keys
	if keys[0].SHA256 != sha256.Sum256([]byte("secret-web")) || !keys[0].Expires.Equal(time.Date(2027, 1, 31, 16, 0, 0, 0, time.UTC)) {
		t.Errorf("first key: %+v", keys[0])
	}
	if keys[1].SHA256 != sha256.Sum256([]byte("hello")) || !keys[1].Expires.Equal(time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("second key: %+v", keys[1])
	}
}

func TestVariablesArePutIntoValuesAndNeverReadAsYAML(t *testing.T) {
	env := map[string]string{"A": "x", "B": "y: {z: 1}", "EMPTY": "", "N": "7", "TRICK": "${A}"}
	c, faults := Parse("f.yaml", []byte(`
version: 1
server: {max_calls: "${N}", drain: "${N}s"}
services:
  a:
    team: 1${A}2${EMPTY}3$${A}$5$$
    routes: [{path: /a}]
    upstream:
      targets: [{url: "http://127.0.0.1:900${N}"}]
      headers:
        set:
          X-B: ${B}
          X-Trick: "${TRICK}"
`), func(name string) (string, bool) { v, ok := env[name]; return v, ok })
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	s := c.Services["a"]
	if s.Team != "1x23${A}$5$$" {
		t.Errorf("team is %q", s.Team)
	}
	if want := map[string]string{"X-B": "y: {z: 1}", "X-Trick": "${A}"}; !reflect.DeepEqual(s.Upstream.Headers.Set, want) {
		t.Errorf("headers %v, want %v", s.Upstream.Headers.Set, want)
	}
	if c.Server.MaxCalls != 7 || c.Server.Drain != 7*time.Second || s.Upstream.Targets[0].URL != "http://127.0.0.1:9007" {
		t.Errorf("%+v %+v", c.Server, s.Upstream.Targets)
	}
}

func TestAnchorsAliasesAndMergeKeys(t *testing.T) {
	c := mustParse(t, `
version: 1
services:
  a:
    routes: [{path: /a}]
    upstream: &base
      targets: &targets [{url: http://127.0.0.1:1}]
      timeouts: &slow {first_byte: 9s, idle: 9s}
      max_busy: 5
  b:
    routes: [{path: /b}]
    upstream: {<<: *base, max_busy: 6, timeouts: {<<: [{idle: 8s}, *slow], total: 1s}}
  c:
    routes: [{path: /c}]
    upstream: {targets: *targets}
`)
	b := c.Services["b"].Upstream
	if b.MaxBusy != 6 || b.Targets[0].URL != "http://127.0.0.1:1" || b.Timeouts.FirstByte != 9*time.Second || b.Timeouts.Idle != 8*time.Second || b.Timeouts.Total != time.Second {
		t.Errorf("a mapping's own keys win over merged ones, and an earlier merge over a later: %+v", b)
	}
	if a := c.Services["a"].Upstream; a.MaxBusy != 5 || a.Timeouts.Idle != 9*time.Second {
		t.Errorf("the anchored mapping was changed: %+v", a)
	}
	if got := c.Services["c"].Upstream; got.Targets[0].URL != "http://127.0.0.1:1" || got.MaxBusy != 0 {
		t.Errorf("alias: %+v", got)
	}
}

func TestAFileThatCantBeReadIsAnErrorAndNotAFault(t *testing.T) {
	for _, path := range []string{filepath.Join(t.TempDir(), "none.yaml"), t.TempDir()} {
		c, faults, err := Load(path, noEnv)
		if err == nil || c != nil || faults != nil {
			t.Errorf("Load(%s) = %v, %v, %v", path, c, faults, err)
		}
	}
	_, _, err := Load(filepath.Join(t.TempDir(), "none.yaml"), noEnv)
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the error %v is not fs.ErrNotExist", err)
	}
}

func TestAFileTooLargeIsAFault(t *testing.T) {
	file := filepath.Join(t.TempDir(), "big.yaml")
	if err := os.WriteFile(file, []byte("version: 1\n"+strings.Repeat("#\n", maxFile/2)), 0o600); err != nil {
		t.Fatal(err)
	}
	_, faults, err := Load(file, noEnv)
	if err != nil || len(faults) != 1 || !strings.Contains(faults[0].Message, "4 MiB") {
		t.Errorf("%v, %v", faults, err)
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	c := mustParse(t, `{version: 1, providers: {p: {kind: openai, keys: ["${API_KEY}"]}}, applications: {web: {keys: ["${WEB_KEY}"]}}}`)
	if got := strings.TrimSpace(formatAll(c)); strings.Contains(got, "secret-") {
		t.Errorf("printing the catalogue shows a secret: %s", got)
	}
}

func TestOpenServiceTakesEveryPathToItsTarget(t *testing.T) {
	s, err := OpenService("proxy", "http://127.0.0.1:8000")
	if err != nil {
		t.Fatal(err)
	}
	if s.Access != "open" || s.Routes[0].Path != "/*" || s.Upstream.Targets[0] != (Target{"http://127.0.0.1:8000", 1}) ||
		s.Upstream.Timeouts.Connect != 2*time.Second || s.Upstream.Retries.Max != 2 || s.Details != "auto" {
		t.Errorf("%+v", s)
	}
	_, err = OpenService("proxy", "127.0.0.1:8000")
	if err == nil || err.Error() != `"127.0.0.1:8000" has no scheme: write http://127.0.0.1:8000 or https://127.0.0.1:8000` {
		t.Errorf("error %v", err)
	}
}
