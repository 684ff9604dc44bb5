package snapshot

import (
	"sort"
	"strings"
	"sync"
	"sync/atomic"

	"causeway/internal/llm"
	"causeway/internal/meter"
)

// Model is a name that callers may ask for, with the providers' models that it stands for.
type Model struct {
	Name    string
	Direct  bool // PROVIDER/MODEL, not a configured name
	Targets []ModelTarget
	shares  []int
	turn    atomic.Uint64
	meters  map[string]*meter.Series // by provider
	other   *meter.Series
}

// ModelTarget is one model of one provider.
type ModelTarget struct {
	Provider *Provider
	Model    string // the provider's own name for it
}

// Meter is the model's counters at a provider, "" before one was chosen.
func (m *Model) Meter(provider string) *meter.Series {
	if s := m.meters[provider]; s != nil {
		return s
	}
	return m.other
}

// Pick chooses a target by weight, not one of those already tried if another is left; tried holds
// a bit for each target. ok is false when there is none.
func (m *Model) Pick(tried uint64) (index int, ok bool) {
	if len(m.Targets) == 0 {
		return 0, false
	}
	n := uint64(len(m.shares))
	var from uint64
	if tried == 0 {
		from = m.turn.Add(1)
	} else {
		from = m.turn.Load() // a second attempt takes no turn: else a dead target's calls would all begin there
	}
	for i := range n {
		k := m.shares[(from+i)%n]
		if tried&(1<<k) == 0 {
			return k, true
		}
	}
	return m.shares[from%n], true
}

// Untried tells whether a target is left that has not been tried.
func (m *Model) Untried(tried uint64) bool {
	for i := range m.Targets {
		if tried&(1<<i) == 0 {
			return true
		}
	}
	return false
}

// Provider is one provider, compiled.
type Provider struct {
	Name     string
	Kind     string
	Dialect  llm.Dialect // what it speaks
	Upstream *Upstream
	Models   []string
	Sandbox  bool
	// MustAskUsage: its streams tell their usage only when they are asked to.
	MustAskUsage bool
	direct       sync.Map // model name -> *Model, for PROVIDER/MODEL
	count        atomic.Int64
	meters       map[string]*meter.Series
	other        *meter.Series
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
		Name: p.Name + "/" + model, Direct: true, Targets: []ModelTarget{{p, model}}, shares: []int{0},
		meters: p.meters, other: p.other,
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
