package snapshot

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"causeway/internal/cache"
	"causeway/internal/catalog"
)

// ServiceCache is how answers of a service are kept.
type ServiceCache struct {
	catalog.ServiceCache
	// Seed goes into each key: answers of other targets, or to requests that were changed otherwise, are not found.
	Seed []byte
}

// ModelCache is how answers of a model are kept.
type ModelCache struct {
	catalog.ModelCache
	Seed []byte
	// Embeds makes embeddings for the semantic cache; nil where there is none.
	Embeds *ModelTarget
	// CallersKeys tells that some target is asked with its caller's own key, and may answer each otherwise.
	CallersKeys bool
}

func serviceCache(s *catalog.Service) *ServiceCache {
	if s.Policies.Cache == nil {
		return nil
	}
	parts := []string{"service", s.Name, s.Upstream.Host, sortedPairs(s.Upstream.Headers.Set), sortedPairs(s.Upstream.Headers.Add), strings.Join(s.Upstream.Headers.Remove, "\n")}
	for _, t := range s.Upstream.Targets {
		parts = append(parts, t.URL)
	}
	for _, r := range s.Routes {
		parts = append(parts, fmt.Sprintf("%s %t", r.Path, r.StripPrefix))
	}
	return &ServiceCache{ServiceCache: *s.Policies.Cache, Seed: seed(parts)}
}

func modelCache(g *Generation, m *catalog.Model, out *Model) (*ModelCache, error) {
	if m.Cache == nil {
		return nil, nil
	}
	c := &ModelCache{ModelCache: *m.Cache}
	parts := []string{"model", m.Name}
	for i := range out.Targets {
		p := out.Targets[i].Provider
		parts = append(parts, out.Targets[i].Name, p.Kind, p.address)
		c.CallersKeys = c.CallersKeys || p.CallerKey
	}
	if s := m.Cache.Semantic; s != nil {
		p := g.Providers[s.Provider]
		if p == nil {
			return nil, fmt.Errorf("there is no provider %s", s.Provider)
		}
		t := target(p, catalog.ModelTarget{Model: s.Model}, 0)
		c.Embeds = &t
		parts = append(parts, t.Name)
	}
	c.Seed = seed(parts)
	return c, nil
}

func seed(parts []string) []byte {
	list := make([][]byte, len(parts))
	for i, p := range parts {
		list[i] = []byte(p)
	}
	key := cache.KeyOf(list...)
	return key[:]
}

func sortedPairs(m map[string]string) string {
	var lines []string
	for k, v := range m {
		lines = append(lines, k+": "+v)
	}
	slices.SortFunc(lines, cmp.Compare[string])
	return strings.Join(lines, "\n")
}
