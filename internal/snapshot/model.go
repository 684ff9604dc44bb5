package snapshot

import (
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"causeway/internal/catalog"
	"causeway/internal/llm"
	"causeway/internal/meter"
	"causeway/internal/upstream"
)

// Model is a name that callers may ask for, with the providers' models that it stands for.
type Model struct {
	Name   string
	Direct bool // PROVIDER/MODEL, not a configured name
	// Targets are its own and behind them those of its fallbacks, each once.
	Targets []ModelTarget
	// Strict: a call that would lose something between two dialects is refused.
	Strict bool
	// Cache is how its answers are kept; nil: they are not.
	Cache *ModelCache
	// OnRefusal and OnContext: a call whose content was refused, or that was too long, goes on elsewhere.
	OnRefusal, OnContext bool
	// Attempts is the most attempts for one call; Bounded tells that the configuration says so.
	Attempts int
	Bounded  bool
	// Failovers bounds the attempts that go on at another target or key, over all calls.
	Failovers *upstream.Budget

	// Hedge says when another target is asked as well; nil: never.
	Hedge *Hedge

	tiers   []tier
	surveys bool
	meters  map[string]*meter.Series // by provider
	other   *meter.Series
}

// Hedge is when a call that has got no content yet is put to another target as well.
type Hedge struct {
	After time.Duration
	Max   int // other targets for one call
	// Budget bounds them over all calls of the model.
	Budget *upstream.Budget
}

// Meter is the model's counters at a provider, "" before one was chosen.
func (m *Model) Meter(provider string) *meter.Series {
	if s := m.meters[provider]; s != nil {
		return s
	}
	return m.other
}

// Provider is one provider, compiled.
type Provider struct {
	Name     string
	Kind     string
	Dialect  llm.Dialect     // what it speaks
	Vendor   *catalog.Vendor // how it differs from others of its dialect
	Upstream *Upstream
	Models   []string
	Sandbox  bool
	// MustAskUsage: its streams tell their usage only when they are asked to.
	MustAskUsage bool
	// CallerKey: the caller's own key for the provider goes through, and Upstream.Keys is empty.
	CallerKey   bool
	lacks       lacks
	prices      prices
	deployments map[string]string // model -> the name it is asked for by
	address     string            // its base URL
	states      *states           // of its models
	failovers   *upstream.Budget
	sides       publishers
	reshape     llm.Reshape
	direct      sync.Map // model name -> *Model, for PROVIDER/MODEL
	count       atomic.Int64
	meters      map[string]*meter.Series
	other       *meter.Series
}

// mostDirect is how many PROVIDER/MODEL names a provider remembers; callers choose them, so they
// must not fill the memory.
const mostDirect = 10000

// Direct is the model that PROVIDER/MODEL names.
func (p *Provider) Direct(model string) *Model {
	if m, ok := p.direct.Load(model); ok {
		return m.(*Model)
	}
	model = strings.Clone(model)
	m := &Model{
		Name: p.Name + "/" + model, Direct: true, Targets: []ModelTarget{target(p, catalog.ModelTarget{Model: model}, 0)},
		Attempts: min(max(len(p.Upstream.Keys), 1), usualAttempts), Failovers: p.failovers, meters: p.meters, other: p.other,
	}
	if p.count.Add(1) <= mostDirect {
		p.direct.Store(model, m)
	}
	return m
}

// Resolve finds what a caller's model name stands for: an exact configured name, else
// PROVIDER/MODEL split at the first slash, else a bare name that exactly one provider lists.
// several are the providers when more than one lists a bare name.
func (g *Generation) Resolve(name string) (m *Model, several []string) {
	if m := g.Models[name]; m != nil {
		return m, nil
	}
	if provider, model, ok := strings.Cut(name, "/"); ok && model != "" {
		if p := g.Providers[provider]; p != nil {
			return p.Direct(model), nil
		}
	}
	var found *Provider
	for _, p := range g.Providers {
		for _, listed := range p.Models {
			if listed == name {
				several = append(several, p.Name)
				found = p
			}
		}
	}
	if len(several) == 1 {
		return found.Direct(name), nil
	}
	sort.Strings(several)
	return nil, several
}

// ModelNames lists the names that a caller may be shown: configured names, then what providers list.
func (g *Generation) ModelNames() []string {
	var names []string
	for name := range g.Models {
		names = append(names, name)
	}
	for _, p := range g.Providers {
		for _, m := range p.Models {
			names = append(names, p.Name+"/"+m)
		}
	}
	sort.Strings(names)
	return names
}
