package snapshot

import (
	"slices"
	"sync/atomic"

	"causeway/internal/llm"
)

// lacks remembers the operations that a provider turned out not to have.
type lacks struct{ ops atomic.Uint64 }

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
