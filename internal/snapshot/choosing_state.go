package snapshot

import (
	"fmt"
	"strings"

	"causeway/internal/choose"
	"causeway/internal/fault"
	"causeway/internal/meter"
	"causeway/internal/wire"
)

// ModelTargets is the state of each target of the configured models, once each.
func (g *Generation) ModelTargets() (list []meter.ModelTarget) {
	now := wire.Now()
	g.eachTarget(func(t *ModelTarget) {
		s := t.State.State(now)
		list = append(list, meter.ModelTarget{Provider: t.Provider.Name, Model: t.Model, Alone: s.Dead, Busy: s.Busy, FirstToken: s.Streams, Answer: s.Latency})
	})
	return list
}

func (g *Generation) eachTarget(f func(*ModelTarget)) {
	seen := map[*choose.Target]bool{}
	for _, name := range sortedKeys(g.Models) {
		m := g.Models[name]
		for i := range m.Targets {
			if t := &m.Targets[i]; !seen[t.State] {
				seen[t.State] = true
				f(t)
			}
		}
	}
}

// ProviderKeys is the state of each key of each provider.
func (g *Generation) ProviderKeys() (list []meter.ProviderKey) {
	now := wire.Now()
	for _, name := range sortedKeys(g.Providers) {
		for i, s := range g.Providers[name].Upstream.KeyPool.States(now) {
			k := meter.ProviderKey{Provider: name, Place: i + 1, Requests: s.Requests, Tokens: s.Tokens}
			if s.Why != choose.InUse {
				k.Why = s.Why.String()
			}
			list = append(list, k)
		}
	}
	return list
}

// Troubles tells in a line each which models' targets are left alone, and which providers' keys were
// rejected or are out of money.
func (g *Generation) Troubles() (lines []string) {
	now := wire.Now()
	for _, name := range sortedKeys(g.Providers) {
		u := g.Providers[name].Upstream
		for i, s := range u.KeyPool.States(now) {
			if s.Why == choose.Rejected || s.Why == choose.OutOfMoney {
				lines = append(lines, fmt.Sprintf("key %d of provider %s (%s) is set aside: %s for %s, tried again in %s",
					i+1, name, u.Keys[i].Hint, strings.ReplaceAll(s.Why.String(), "_", " "), fault.Span(s.Since), fault.Span(s.Next)))
			}
		}
	}
	g.eachTarget(func(t *ModelTarget) {
		if s := t.State.State(now); s.Dead {
			lines = append(lines, fmt.Sprintf("calls to %s have failed for %s, the last with %s: they go elsewhere where they can", t.Name, fault.Span(s.Down), s.Kind))
		}
	})
	return lines
}
