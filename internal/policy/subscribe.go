package policy

import (
	"strings"

	"causeway/internal/catalog"
)

func newCaller(a *catalog.Application) *Caller {
	c := &Caller{
		Name: a.Name, Team: a.Team, Details: a.Details, Index: number(a.Name), Subscribes: a.Subscribes,
		services: map[string]bool{}, models: map[string]bool{}, prompts: map[string]bool{},
	}
	for _, s := range a.Subscribes {
		model, isModel := strings.CutPrefix(s, "models/")
		prompt, isPrompt := strings.CutPrefix(s, "prompts/")
		provider, all := strings.CutSuffix(model, "*")
		switch {
		case isPrompt:
			c.prompts[prompt] = true
		case !isModel:
			c.services[s] = true
		case model == "*":
			c.every = true
		case all && strings.HasSuffix(provider, "/"):
			c.under = append(c.under, provider)
		default:
			c.models[model] = true
		}
	}
	return c
}

// number gives a name a number that stays the same (FNV-1a, 63 bits).
func number(name string) int {
	h := uint64(14695981039346656037)
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * 1099511628211
	}
	return int(h >> 1)
}

// MayCall reports whether the application has a subscription to a service.
func (c *Caller) MayCall(service string) bool { return c.services[service] }

// MayAsk reports whether the application has a subscription to a prompt.
func (c *Caller) MayAsk(prompt string) bool { return c.prompts[prompt] || c.prompts["*"] }

// MayUse reports whether the application may use a model: a name under models, or, with direct,
// PROVIDER/MODEL. A subscription to models/fast grants what fast resolves to through fast alone;
// models/openai/* grants what is used directly.
func (c *Caller) MayUse(model string, direct bool) bool {
	if c.every || c.models[model] {
		return true
	}
	if direct {
		for _, provider := range c.under {
			if strings.HasPrefix(model, provider) {
				return true
			}
		}
	}
	return false
}
