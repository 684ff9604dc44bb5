package snapshot

import (
	"fmt"
	"slices"
	"strings"

	"causeway/internal/catalog"
	"causeway/internal/llm"
	"causeway/internal/llm/gemini"
	"causeway/internal/llm/openai"
)

// anthropicVersion is the version of Anthropic's API that a call without one is taken to mean.
// Source: docs.anthropic.com/en/api/versioning.
const anthropicVersion = "2023-06-01"

// dialect is what a provider is spoken to in.
func (b *builder) dialect(p *catalog.Provider) (llm.Dialect, error) {
	switch {
	case b.deps.Speak == nil:
		return nil, nil
	case p.Kind == "azure-openai" && (p.DatedAPI() || p.APIVersion == "preview" || p.APIVersion == "latest"):
		// A base URL with a path, such as Foundry's /models, has its deployments in the body.
		return openai.NewAzure(p.APIVersion, p.DatedAPI() && !p.HasPath()), nil
	}
	speaks := p.Vendor.Speaks()
	if d := b.deps.Speak[speaks]; d != nil {
		if p.Kind == "vertex" {
			return gemini.NewVertex(p.Project, p.Location), nil
		}
		return d, nil
	}
	return nil, fmt.Errorf("%s: nothing here speaks the dialect %s", p.Name, speaks)
}

// providerSpec is what a provider's Upstream is compiled from.
func (b *builder) providerSpec(p *catalog.Provider, old *Upstream) (upstreamSpec, error) {
	s := upstreamSpec{
		name: p.Name, targets: []catalog.Target{{URL: p.BaseURL, Weight: 1}}, timeouts: p.Timeouts, retries: p.Retries, tls: p.TLS,
		protocol: p.Protocol, headers: catalog.HeaderRules{Set: p.Headers}, keys: p.Keys,
	}
	var err error
	if s.credentials, err = b.credentials(p, old); err != nil {
		return s, err
	}
	if len(s.credentials) > len(s.keys) { // a service account is the one key
		s.keys = []catalog.ProviderKey{{Weight: 1, Priority: 1}}
	}
	const version = "anthropic-version"
	if p.Vendor.Speaks() == "anthropic" && !slices.ContainsFunc(sortedKeys(p.Headers), func(name string) bool { return strings.EqualFold(name, version) }) {
		s.ifMissing = []Field{{Name: version, Line: []byte(version + ": " + anthropicVersion + "\r\n")}}
	}
	return s, nil
}

// sends is the name by which the provider knows a model: an Azure deployment's, where one is configured.
func (p *Provider) sends(model string) string {
	if name := p.deployments[model]; name != "" {
		return name
	}
	if d, ok := p.Dialect.(interface{ Model(name string) string }); ok {
		return d.Model(model) // without its publisher
	}
	return model
}
