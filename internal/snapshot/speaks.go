package snapshot

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"causeway/internal/llm"
)

// lacks remembers the operations that a provider turned out not to have: as a whole, and for single models.
type lacks struct {
	ops    atomic.Uint64
	known  atomic.Int64 // how many are in models
	models sync.Map     // the provider's own name for a model -> *atomic.Uint64
}

// of are the operations that a model lacks.
func (l *lacks) of(model string) uint64 {
	if l.known.Load() == 0 {
		return 0
	}
	if ops, ok := l.models.Load(model); ok {
		return ops.(*atomic.Uint64).Load()
	}
	return 0
}

// Serves tells whether the provider has op in its own dialect, so that a caller's bytes can pass through.
// A provider of which it is not known is taken to have what its dialect has, until Lacks is told
// otherwise.
func (p *Provider) Serves(op llm.Operation) bool {
	if p.lacks.ops.Load()&(1<<op) != 0 {
		return false
	}
	if d, ok := p.Dialect.(llm.Partial); ok && !d.Passes(op) {
		return false
	}
	if op == llm.Chat || p.Vendor == nil || p.Vendor.Ops == nil {
		return true
	}
	return slices.Contains(p.Vendor.Ops, op.String())
}

// Lacks notes that the provider does not have op. It is forgotten with the generation.
func (p *Provider) Lacks(op llm.Operation) { p.lacks.ops.Or(1 << op) }

// ServesModel is Serves for one of the provider's models, by the provider's own name: some have only one of the
// operations by which one chats.
func (p *Provider) ServesModel(op llm.Operation, model string) bool {
	return p.Serves(op) && p.lacks.of(model)&(1<<op) == 0
}

// LacksFor notes that the provider does not have op for a model. It is forgotten with the generation. Callers choose
// the names of models, so those beyond a bound are not remembered.
func (p *Provider) LacksFor(op llm.Operation, model string) {
	ops, ok := p.lacks.models.Load(model)
	if !ok {
		if p.lacks.known.Load() >= mostDirect {
			return
		}
		if ops, ok = p.lacks.models.LoadOrStore(strings.Clone(model), new(atomic.Uint64)); !ok {
			p.lacks.known.Add(1)
		}
	}
	ops.(*atomic.Uint64).Or(1 << op)
}

// Placer is what makes the provider's addresses, where they name the model.
func (p *Provider) Placer() (llm.Placer, bool) {
	d, ok := p.Dialect.(llm.Placer)
	return d, ok
}

// Dialect is the callers' dialect of this name, the first where there is none.
func (g *Generation) Dialect(name string) llm.Dialect {
	for _, d := range g.Dialects {
		if d.Name() == name {
			return d
		}
	}
	return g.Dialects[0]
}
