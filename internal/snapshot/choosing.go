package snapshot

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"

	"causeway/internal/catalog"
	"causeway/internal/choose"
	"causeway/internal/llm"
	"causeway/internal/meter"
	"causeway/internal/price"
	"causeway/internal/upstream"
)

// ModelTarget is one model of one provider.
type ModelTarget struct {
	Provider *Provider
	Model    string // the provider's own name for it
	// Name is PROVIDER/MODEL, Chosen and Fallback what a journey says when it is chosen.
	Name, Chosen string
	Tier         int            // 0: one of the targets; else how far down the fallbacks it stands
	State        *choose.Target // shared by all names and generations that have this target
	Context      int64          // tokens that it is said to hold; 0: not said
	// Lacks are the needs that it is said not to meet; Declared tells that the configuration says so, and not
	// what is known of the vendor.
	Lacks    llm.Needs
	Declared bool
	Price    *price.Price // nil: not known
}

// tier is the targets among which a balancer chooses: those of the model, or of one of its fallbacks.
type tier struct {
	from     int // the index of its first target
	mask     uint64
	balancer *choose.Balancer
}

// usualAttempts is the most attempts for a call where failover.max_attempts is not set.
const usualAttempts = 5

// failoverShare is how many times as many attempts may go on at another target or key as there are calls,
// over ten seconds: a bound on what a trouble of all providers at once can add to itself.
const failoverShare = 2

// Pick chooses among the targets of the first tier that has an allowed one; -1 when none is allowed.
func (m *Model) Pick(c choose.Choice) int {
	if len(m.Targets) == 1 {
		return int(c.Allowed&1) - 1
	}
	allowed := c.Allowed
	for i := range m.tiers {
		t := &m.tiers[i]
		if c.Allowed = (allowed & t.mask) >> t.from; c.Allowed == 0 {
			continue
		}
		if k := t.balancer.Pick(c); k >= 0 {
			return t.from + k
		}
	}
	return -1
}

// All is the set of all targets, as Choice.Allowed has it.
func (m *Model) All() uint64 { return 1<<len(m.Targets) - 1 }

// Untried tells whether a target is left that has not been tried; tried holds a bit for each target.
func (m *Model) Untried(tried uint64) bool { return m.All()&^tried != 0 }

// Surveys tells whether a call's body must be looked over to choose among the targets.
func (m *Model) Surveys() bool { return m.surveys }

// states are the targets of one provider, kept over generations.
type states struct {
	mu sync.Mutex
	m  map[string]*choose.Target
}

// of finds or makes a target's state. Callers choose the names of models, so those beyond a bound are not
// remembered.
func (s *states) of(model string) *choose.Target {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.m[model]
	if t == nil {
		if t = new(choose.Target); len(s.m) < mostDirect {
			s.m[strings.Clone(model)] = t
		}
	}
	return t
}

// statesOf keeps what the generation before knew of a provider that is still the same.
func (b *builder) statesOf(p *Provider, address string) *states {
	if b.old != nil {
		if old := b.old.Providers[p.Name]; old != nil && old.Kind == p.Kind && old.address == address && old.states != nil {
			return old.states
		}
	}
	return &states{m: map[string]*choose.Target{}}
}

// target makes a target of a provider.
func target(p *Provider, t catalog.ModelTarget, depth int) ModelTarget {
	p = p.of(t.Model)
	out := ModelTarget{Provider: p, Model: p.sends(t.Model), Name: p.Name + "/" + t.Model, Tier: depth, Context: t.Context}
	out.State = p.states.of(t.Model)
	out.Price = p.PriceOf(t.Model)
	switch t.API {
	case catalog.APIResponses:
		p.LacksFor(llm.Chat, out.Model)
	case catalog.APIChat:
		p.LacksFor(llm.Responses, out.Model)
	}
	if t.Supports != nil {
		out.Declared, out.Lacks = true, ^llm.Needs(0)
		for _, name := range t.Supports {
			out.Lacks &^= llm.NeedNamed(name)
		}
	} else if v := p.Vendor; v != nil {
		if v.Text {
			out.Lacks |= llm.NeedsVision | llm.NeedsAudio | llm.NeedsDocuments
		}
		if slices.Contains(v.Refuses, "tools") {
			out.Lacks |= llm.NeedsTools
		}
	}
	out.Chosen = "asked " + out.Name
	if depth > 0 {
		out.Chosen += fmt.Sprintf(" (fallback %d)", depth)
	}
	return out
}

// models compiles the configured names.
func (b *builder) models(c *catalog.Catalog, g *Generation) error {
	for _, name := range sortedKeys(c.Models) {
		m := c.Models[name]
		out := &Model{
			Name: name, Strict: m.Strict, OnRefusal: m.Failover.OnRefusal, OnContext: m.Failover.OnContext,
			meters: map[string]*meter.Series{}, other: b.set.Model(name, ""),
		}
		if err := b.addTier(c, g, out, m); err != nil {
			return fmt.Errorf("compiling model %s: %w", name, err)
		}
		for i := range out.Targets {
			p := out.Targets[i].Provider
			out.meters[p.Name] = b.set.Model(name, p.Name)
			out.surveys = out.surveys || len(out.Targets) > 1 && (out.Targets[i].Lacks != 0 || out.Targets[i].Context > 0) || out.Targets[i].Declared
		}
		var err error
		if out.Cache, err = modelCache(g, m, out); err != nil {
			return fmt.Errorf("compiling model %s: %w", name, err)
		}
		out.finish(b, m.Failover.MaxAttempts)
		if h := m.Hedge; h != nil && len(out.Targets) > 1 {
			out.Hedge = &Hedge{After: h.After, Max: h.Max, Budget: upstream.NewBudget(h.Budget, b.deps.now())}
		}
		g.Models[name] = out
	}
	return nil
}

// finish sets the bounds of a model's failover.
func (m *Model) finish(b *builder, attempts int) {
	m.Failovers = upstream.NewBudget(failoverShare, b.deps.now())
	if m.Attempts, m.Bounded = attempts, attempts > 0; attempts == 0 {
		ways := 0
		for i := range m.Targets {
			ways += max(len(m.Targets[i].Provider.Upstream.Keys), 1)
		}
		m.Attempts = min(ways, usualAttempts)
	}
}

// addTier adds the targets of a model, and below them those of its fallbacks, each target once.
func (b *builder) addTier(c *catalog.Catalog, g *Generation, out *Model, m *catalog.Model) error {
	policy, err := choose.ParsePolicy(m.Balance)
	if err != nil {
		return err
	}
	if err := b.tier(g, out, policy, m.Targets); err != nil {
		return err
	}
	for _, f := range m.Fallback {
		if f.Provider != "" {
			if err := b.tier(g, out, choose.Weighted, []catalog.ModelTarget{f}); err != nil {
				return err
			}
			continue
		}
		next := c.Models[f.Model]
		if next == nil {
			return fmt.Errorf("there is no model %s", f.Model)
		}
		if err := b.addTier(c, g, out, next); err != nil {
			return err
		}
	}
	return nil
}

func (b *builder) tier(g *Generation, out *Model, policy choose.Policy, list []catalog.ModelTarget) error {
	t := tier{from: len(out.Targets)}
	var members []choose.Member
	for _, ct := range list {
		p := g.Providers[ct.Provider]
		if p == nil {
			return fmt.Errorf("there is no provider %s", ct.Provider)
		}
		if slices.ContainsFunc(out.Targets, func(have ModelTarget) bool {
			side := p.of(ct.Model)
			return have.Provider == side && have.Model == side.sends(ct.Model) && have.Tier < len(out.tiers)
		}) {
			continue // it stands further up
		}
		mt := target(p, ct, len(out.tiers))
		cost := -1.0
		switch {
		case ct.Price != nil:
			cost = 3*ct.Price.Input + ct.Price.Output
		case mt.Price != nil:
			cost = 3*mt.Price.Input + mt.Price.Output
		}
		members = append(members, choose.Member{Target: mt.State, Weight: ct.Weight, Price: cost, Seed: choose.Seed(mt.Name)})
		out.Targets = append(out.Targets, mt)
	}
	if len(members) == 0 {
		return nil
	}
	if len(out.Targets) > choose.MaxMembers {
		return fmt.Errorf("it has more than %d targets with its fallbacks", choose.MaxMembers)
	}
	t.mask = (1<<len(members) - 1) << t.from
	var err error
	t.balancer, err = choose.NewBalancer(policy, members)
	out.tiers = append(out.tiers, t)
	out.surveys = out.surveys || policy == choose.Sticky && len(members) > 1
	return err
}

// keyPool makes the pool of an upstream's keys; those that the upstream before had go on as they were.
func (u *Upstream) keyPool(keys []catalog.ProviderKey, old *Upstream) {
	specs := make([]choose.KeySpec, len(keys))
	for i, k := range keys {
		specs[i] = choose.KeySpec{Weight: k.Weight, Priority: cmp.Or(k.Priority, 1)}
		u.secrets = append(u.secrets, string(k.Value)+"\x00"+k.AccessKeyID)
	}
	u.KeyPool = choose.NewKeyPool(specs)
	if old == nil || old.KeyPool == nil {
		return
	}
	from := make([]int, len(keys))
	for i, secret := range u.secrets {
		from[i] = slices.Index(old.secrets, secret)
	}
	u.KeyPool.Adopt(old.KeyPool, from)
}
