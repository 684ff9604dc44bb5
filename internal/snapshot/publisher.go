package snapshot

import (
	"strings"

	"causeway/internal/catalog"
	"causeway/internal/llm"
	"causeway/internal/llm/anthropic"
	"causeway/internal/llm/openai"
)

// Vertex AI offers models of several publishers, each in a dialect of its own, at one endpoint and with one token. A
// provider of this kind is therefore up to four: itself, for Google's models, and one for each further way to ask, which
// has its name, its connections, its keys and its counters.

// publishers are the further sides of a provider that speaks several dialects; zero for any other.
type publishers struct {
	anthropic, mistral, open *Provider
}

// publishes makes the further sides of a provider of Vertex AI. speak has the dialects that there are.
func (p *Provider) publishes(c *catalog.Provider, speak map[string]llm.Dialect) {
	if p.Kind != "vertex" || speak == nil {
		return
	}
	side := func(name string, d llm.Dialect, ops ...string) *Provider {
		v := *p.Vendor
		v.Dialect, v.Ops, v.Translated = name, ops, nil
		s := &Provider{
			Name: p.Name, Kind: p.Kind, Dialect: d, Vendor: &v, Upstream: p.Upstream, Models: p.Models, MustAskUsage: name == "openai",
			CallerKey: p.CallerKey, deployments: p.deployments, meters: p.meters, other: p.other, prices: p.prices,
			address: p.address, failovers: p.failovers, states: p.states,
		}
		s.reshape, _ = d.(llm.Reshape)
		return s
	}
	if speak["anthropic"] != nil {
		p.sides.anthropic = side("anthropic", anthropic.NewVertex(c.Project, c.Location), "count_tokens")
	}
	if speak["openai"] != nil {
		p.sides.open = side("openai", openai.NewVertex(c.Project, c.Location))
		p.sides.open.Vendor.Ops = []string{} // chat alone
		p.sides.mistral = side("openai", openai.NewVertexMistral(c.Project, c.Location))
		p.sides.mistral.Vendor.Ops = []string{}
		if own, ok := catalog.Find("mistral"); ok { // the bodies are those of Mistral's own API
			p.sides.mistral.Vendor.Quirks, p.sides.mistral.MustAskUsage = own.Quirks, !own.UsageAlways
		}
	}
}

// of is the side of the provider that has a model: for one of Vertex AI, Anthropic's are named claude-... or
// anthropic/..., Mistral's mistral-..., codestral-... or mistralai/..., and other publishers' PUBLISHER/MODEL.
func (p *Provider) of(model string) *Provider {
	publisher, _, named := strings.Cut(model, "/")
	switch {
	case p.sides.anthropic != nil && (publisher == "anthropic" || !named && strings.HasPrefix(model, "claude-")):
		return p.sides.anthropic
	case p.sides.mistral != nil && (publisher == "mistralai" || !named && (strings.HasPrefix(model, "mistral-") || strings.HasPrefix(model, "codestral-"))):
		return p.sides.mistral
	case p.sides.open != nil && named && publisher != "google":
		return p.sides.open
	}
	return p
}

// Reshape is what the provider is sent in the place of a body of its dialect; nil where that is the body itself.
func (p *Provider) Reshape() llm.Reshape { return p.reshape }
