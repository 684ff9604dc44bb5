package snapshot

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sort"
	"strings"
	"time"

	"causeway/internal/catalog"
	"causeway/internal/history"
	"causeway/internal/llm"
	"causeway/internal/llm/prompt"
	"causeway/internal/meter"
	"causeway/internal/policy"
	"causeway/internal/price"
	"causeway/internal/route"
	"causeway/internal/sign"
	"causeway/internal/upstream"
	"causeway/internal/wire"
)

// Generation is one configuration in force. It is immutable and safe for concurrent use.
type Generation struct {
	Number    uint64
	Hash      string // of the configuration file, "" for the defaults
	Catalog   *catalog.Catalog
	PublicURL string
	MaxBody   int64
	MaxCalls  int
	Trusted   []netip.Prefix
	Created   time.Time

	Routes           *route.Table
	Entries          []Route // by the table's rule index
	HeaderConditions bool    // some route has them
	NamedHosts       bool    // some route names hosts
	Services         map[string]*Service
	Prompts          map[string]*prompt.API
	Providers        map[string]*Provider
	Models           map[string]*Model
	Keys             *policy.KeyRing
	Applications     map[string]*meter.Application

	LLMPrefix string
	LLMOff    bool
	// KeepModelBodies is llm.keep_bodies: "true", "failures" or "false".
	KeepModelBodies string
	Dialects        []llm.Dialect

	Meter *meter.Set
	Other *meter.Series // of calls that matched nothing

	llmHosts []string // empty: every host
	origins  map[string]*wire.Origin
	pools    []*upstream.Pool
	prober   prober
	history  *history.Book
	// allowances are what applications may use, by name.
	allowances map[string]*Allowance
	guards     *guards // nil where nothing is guarded
}

// Service is one REST API, compiled.
type Service struct {
	Name       string
	Team       string
	Open       bool
	KeepBodies string
	Details    string
	BodyLimit  int64
	Upstream   *Upstream
	IPAllow    *policy.IPAllow
	Rate       *policy.RateLimiter
	Cache      *ServiceCache // nil: no answers are kept
	Meter      *meter.Series
	cors       corsMemory
}

// Route is one route of a service.
type Route struct {
	Service *Service
	Pattern string
	Hosts   []string
	Strip   bool
	Rule    int // its index in the table
}

// Deps are what compiling needs from outside.
type Deps struct {
	Meter    *meter.Meter
	Resolver *net.Resolver // nil: the system's
	// ResolverName tells one resolver from another, so that connections are not kept over a change.
	ResolverName string
	// OnLookup is told of each name lookup: how long it took, and whether it was answered; nil is nobody.
	OnLookup func(name string, took time.Duration, answered bool)
	// Lane is what long bodies share; nil holds none back.
	Lane *wire.Lane
	// History remembers how targets have fared; nil remembers nothing.
	History  *history.Book
	Log      *slog.Logger
	Instance string
	// Files is how many descriptors this process may have, Memory how many bytes, for the ceiling on
	// calls; 0: not known.
	Files  int
	Memory int64
	// Dialects are those that callers may speak.
	Dialects []llm.Dialect
	// Speak is what providers are spoken to in, by the dialect's name. nil leaves providers without a dialect.
	Speak map[string]llm.Dialect
	// Google makes the Signer of a service account from its JSON; nil is sign.NewGoogle. It is kept over
	// generations while the account stays the same.
	Google func(account []byte) (sign.Signer, error)
	// Prices is what models cost; nil knows none.
	Prices *price.Catalogue
	// SandboxURL is where the built-in provider listens, SandboxModels what it has.
	SandboxURL    string
	SandboxModels []string
	// Extra are applications that exist without the file, such as the sandbox key's.
	Extra []*catalog.Application
	Now   func() time.Time
}

func (d *Deps) now() time.Time {
	if d.Now != nil {
		return d.Now()
	}
	return time.Now()
}

type builder struct {
	asked   bool // callers are asked for certificates
	deps    Deps
	old     *Generation
	origins map[string]*wire.Origin
	pools   []*upstream.Pool
	set     *meter.Set
}

// Compile makes the generation after old (nil for the first) from a catalogue that has been checked.
// It starts nothing: see Start. An error leaves old as it was.
func Compile(c *catalog.Catalog, old *Generation, d Deps) (*Generation, error) {
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	b := &builder{asked: c.Server.ClientAuth != nil, deps: d, old: old, origins: map[string]*wire.Origin{}, set: d.Meter.NewSet()}
	g := &Generation{
		Number: 1, history: d.History, Hash: c.Hash, Catalog: c, PublicURL: c.Server.PublicURL, MaxBody: c.Server.MaxBody,
		MaxCalls: c.Server.MaxCalls, Trusted: trustedList(c.Server.TrustedProxies), Created: d.now(),
		Services: map[string]*Service{}, Providers: map[string]*Provider{}, Models: map[string]*Model{},
		Applications: map[string]*meter.Application{}, Prompts: map[string]*prompt.API{},
		LLMPrefix: c.LLM.Prefix, LLMOff: c.LLM.Off, KeepModelBodies: c.LLM.KeepBodies, llmHosts: c.LLM.Hosts, Dialects: d.Dialects, Meter: b.set,
		Other: b.set.Other(),
	}
	if old != nil {
		g.Number = old.Number + 1
	}
	if g.MaxCalls == 0 {
		g.MaxCalls = defaultCeiling(d.Files, d.Memory)
	}
	if err := b.services(c, g); err != nil {
		return nil, err
	}
	if err := b.providers(c, g); err != nil {
		return nil, err
	}
	if err := b.applications(c, g); err != nil {
		return nil, err
	}
	g.allowances = allowances(c.Applications)
	for name, p := range c.Prompts {
		g.Prompts[name] = prompt.New(p)
	}
	if err := b.guards(c, g); err != nil {
		return nil, err
	}
	g.origins, g.pools = b.origins, b.pools
	return g, nil
}

// callMemory is what a call in flight may take, with its buffers on both sides and a body that is kept
// to be sent again.
const callMemory = 160 << 10

// defaultCeiling is how many calls may be in flight when server.max_calls is 0: each needs two
// descriptors, and some stay for everything else; of the memory they may have half.
func defaultCeiling(files int, memory int64) int {
	n := 50000
	if files > 0 {
		n = min(n, (files-200)/2)
	}
	if memory > 0 {
		n = min(n, int(min(memory/2/callMemory, 1<<30)))
	}
	return max(n, 100)
}

func (b *builder) services(c *catalog.Catalog, g *Generation) error {
	var rules []route.Rule
	for _, name := range sortedKeys(c.Services) {
		s := c.Services[name]
		var old *Service
		var oldUp *Upstream
		if b.old != nil {
			if old = b.old.Services[name]; old != nil {
				oldUp = old.Upstream
			}
		}
		up, err := b.upstream(upstreamSpec{
			name: name, targets: s.Upstream.Targets, balance: s.Upstream.Balance, host: s.Upstream.Host,
			headers: s.Upstream.Headers, timeouts: s.Upstream.Timeouts, retries: s.Upstream.Retries,
			health: s.Upstream.Health, tls: s.Upstream.TLS, maxBusy: s.Upstream.MaxBusy, breaker: s.Upstream.Breaker, proxy: s.Upstream.ProxyProtocol, protocol: s.Upstream.Protocol,
		}, oldUp)
		if err != nil {
			return fmt.Errorf("compiling service %w", err)
		}
		svc := &Service{
			Name: name, Team: s.Team, Open: s.Access == "open", KeepBodies: s.KeepBodies, Details: s.Details,
			BodyLimit: s.Policies.BodyLimit, Upstream: up, Cache: serviceCache(s), Meter: b.set.Service(name),
		}
		if s.Policies.IPAllow != nil {
			svc.IPAllow = policy.NewIPAllow(s.Policies.IPAllow)
		}
		if s.Policies.RateLimit != nil {
			svc.Rate = policy.NewRateLimiter(*s.Policies.RateLimit)
			if old != nil && old.Rate != nil {
				svc.Rate.Adopt(old.Rate)
			}
		}
		if old != nil {
			svc.cors.v.Store(old.cors.v.Load())
		}
		g.Services[name] = svc
		for _, r := range s.Routes {
			rules = append(rules, route.Rule{Owner: name, Path: r.Path, Methods: r.Methods, Hosts: r.Hosts, Headers: r.MatchHeaders})
			g.Entries = append(g.Entries, Route{Service: svc, Pattern: r.Path, Hosts: r.Hosts, Strip: r.StripPrefix, Rule: len(rules) - 1})
			g.HeaderConditions = g.HeaderConditions || len(r.MatchHeaders) > 0
			g.NamedHosts = g.NamedHosts || len(r.Hosts) > 0
		}
	}
	table, conflicts := route.Build(rules)
	if len(conflicts) > 0 {
		var errs []error
		for _, x := range conflicts {
			errs = append(errs, errors.New(x.Text))
		}
		return errors.Join(errs...)
	}
	g.Routes = table
	return nil
}

// sandboxTimeouts are the built-in provider's: it is in this process.
var sandboxTimeouts = catalog.Timeouts{Connect: 2 * time.Second, Send: time.Minute, FirstByte: time.Minute, Idle: time.Minute}

func (b *builder) providers(c *catalog.Catalog, g *Generation) error {
	list := map[string]*catalog.Provider{}
	for name, p := range c.Providers {
		list[name] = p
	}
	list["sandbox"] = &catalog.Provider{
		Name: "sandbox", Kind: "sandbox", Vendor: catalog.SandboxVendor(), BaseURL: b.deps.SandboxURL, Models: b.deps.SandboxModels,
		Timeouts: sandboxTimeouts,
	}
	for _, name := range sortedKeys(list) {
		p := list[name]
		var old *Upstream
		if b.old != nil {
			if o := b.old.Providers[name]; o != nil {
				old = o.Upstream
			}
		}
		spec, err := b.providerSpec(p, old)
		if err != nil {
			return fmt.Errorf("compiling provider %w", err)
		}
		up, err := b.upstream(spec, old)
		if err != nil {
			return fmt.Errorf("compiling provider %w", err)
		}
		dialect, err := b.dialect(p)
		if err != nil {
			return fmt.Errorf("compiling provider %w", err)
		}
		series := b.set.Model(meter.Other, name)
		g.Providers[name] = &Provider{
			Name: name, Kind: p.Kind, Dialect: dialect, Vendor: p.Vendor, Upstream: up, Models: p.Models, Sandbox: p.Kind == "sandbox",
			MustAskUsage: p.Vendor.Speaks() == "openai" && !p.Vendor.UsageAlways, CallerKey: p.CallerKey, deployments: p.Deployments,
			meters: map[string]*meter.Series{name: series}, other: b.set.Model(meter.Other, ""),
			prices:  prices{b.deps.Prices, c.Prices},
			address: p.BaseURL, failovers: upstream.NewBudget(failoverShare, b.deps.now()),
		}
		g.Providers[name].states = b.statesOf(g.Providers[name], p.BaseURL)
		g.Providers[name].publishes(p, b.deps.Speak)
	}
	return b.models(c, g)
}

func (b *builder) applications(c *catalog.Catalog, g *Generation) error {
	apps := make(map[string]*catalog.Application, len(c.Applications)+len(b.deps.Extra))
	for _, a := range b.deps.Extra {
		apps[a.Name] = a
	}
	for name, a := range c.Applications {
		apps[name] = a
	}
	for name := range apps {
		g.Applications[name] = b.set.Application(name)
	}
	ring, err := policy.NewKeyRing(apps)
	if err != nil {
		return fmt.Errorf("compiling applications: %w", err)
	}
	g.Keys = ring
	return nil
}

// Start begins the health checks of a generation that is about to be in force.
func (g *Generation) Start() {
	for _, p := range g.pools {
		p.Start()
	}
	g.watchDead()
	g.begin()
}

// Retire ends what belongs to g alone: its health checks, and the connections that next (nil at the
// end of the process) does not use. Calls in flight on g end as they would have.
func (g *Generation) Retire(next *Generation) {
	g.prober.stop()
	for _, p := range g.pools {
		p.Stop()
	}
	for key, o := range g.origins {
		if next == nil || next.origins[key] != o {
			o.Close()
		}
	}
}

// Targets is the state of every target, for metrics.
func (g *Generation) Targets() []meter.Target {
	var out []meter.Target
	add := func(u *Upstream, service, provider string) {
		for i, s := range u.Pool.Status() {
			out = append(out, meter.Target{
				Service: service, Provider: provider, Target: s.URL, Healthy: s.Healthy,
				Full: s.MaxBusy > 0 && s.Busy >= s.MaxBusy, InFlight: s.Busy, Idle: u.Idle(i), Road: u.Road(i),
			})
		}
	}
	for _, name := range sortedKeys(g.Services) {
		add(g.Services[name].Upstream, name, "")
	}
	for _, name := range sortedKeys(g.Providers) {
		add(g.Providers[name].Upstream, "", name)
	}
	return out
}

// LLMHost tells whether the LLM addresses are on a host, given as in the Host field.
func (g *Generation) LLMHost(authority string) bool {
	if len(g.llmHosts) == 0 {
		return true
	}
	host := authority
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		host = host[:i]
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	for _, h := range g.llmHosts {
		under, wild := strings.CutPrefix(h, "*")
		if host == h || wild && len(host) > len(under) && strings.HasSuffix(host, under) {
			return true
		}
	}
	return false
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
