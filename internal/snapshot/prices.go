package snapshot

import (
	"strings"
	"time"

	"causeway/internal/budget"
	"causeway/internal/catalog"
	"causeway/internal/price"
)

// prices finds what a provider's models cost.
type prices struct {
	known *price.Catalogue
	own   map[string]catalog.ModelPrice // of the configuration, by PROVIDER/MODEL
}

// ownMachine are the kinds of servers that people run themselves: a call costs no money.
var ownMachine = map[string]bool{"ollama": true, "llamacpp": true, "vllm": true, "lmstudio": true, "sandbox": true}

// sameModels are the vendors whose prices hold for a compatible server that has a model of the same name.
var sameModels = [...]string{"openai", "anthropic", "gemini", "mistral", "groq", "deepseek", "cohere", "xai"}

// PriceOf is what a model of the provider costs, nil when that is not known.
func (p *Provider) PriceOf(model string) *price.Price {
	if own, ok := p.prices.own[p.Name+"/"+model]; ok {
		return &price.Price{
			Input: own.Input, Output: own.Output, Cached: own.Cached, CacheWrite: own.CacheWrite, CacheWrite1h: own.CacheWrite1h,
			AudioIn: own.AudioIn, AudioOut: own.AudioOut, ImageIn: own.ImageIn, ImageOut: own.ImageOut,
			Long: own.Long, LongInput: own.LongInput, LongOutput: own.LongOutput, LongCached: own.LongCached, LongWrite: own.LongWrite,
			Batch: own.Batch, PerSearch: own.Search, PerImage: own.Image, Source: "the configuration", Free: own.Input == 0 && own.Output == 0 && own.Search == 0 && own.Image == 0,
		}
	}
	if ownMachine[p.Kind] {
		return &price.Price{Free: true, Source: "a server of one's own"}
	}
	if p.prices.known == nil {
		return nil
	}
	if found, ok := p.prices.known.Find(p.Kind, model); ok {
		return found
	}
	switch p.Kind {
	case "vertex":
		name := model
		if publisher, rest, named := strings.Cut(model, "/"); named && (publisher == "anthropic" || publisher == "mistralai" || publisher == "google") {
			name = rest
		}
		for _, kind := range [...]string{"gemini", "anthropic", "mistral"} {
			if found, ok := p.prices.known.Find(kind, name); ok {
				return found
			}
		}
	case "azure-openai":
		if found, ok := p.prices.known.Find("openai", model); ok {
			return found
		}
	case "openai-compatible":
		for _, kind := range sameModels {
			if found, ok := p.prices.known.Find(kind, model); ok {
				return found
			}
		}
		if owner, name, ok := strings.Cut(model, "/"); ok {
			if found, ok := p.prices.known.Find(owner, name); ok {
				return found
			}
		}
		if found, ok := p.prices.known.Find("openrouter", model); ok {
			return found
		}
	}
	return nil
}

// Allowance is what an application may use of models in a time.
type Allowance struct {
	Limits []budget.Limit
	Money  bool // one of them counts money
	config catalog.Limits
}

// Wait is how long a call waits for others to settle what they have reserved.
func (a *Allowance) Wait() time.Duration { return a.config.Wait }

// allowances are those of the applications that have limits, by name.
func allowances(apps map[string]*catalog.Application) map[string]*Allowance {
	all := map[string]*Allowance{}
	for name, app := range apps {
		l := app.Limits
		if l.Tokens == 0 && !l.HasBudget {
			continue
		}
		a := &Allowance{config: l, Money: l.HasBudget}
		if l.Tokens > 0 {
			a.Limits = append(a.Limits, budget.Limit{Name: "application/" + name + "/tokens", Unit: budget.Tokens, Max: l.Tokens, Period: budget.Period(l.TokensPer)})
		}
		if l.HasBudget {
			a.Limits = append(a.Limits, budget.Limit{Name: "application/" + name + "/usd", Unit: budget.Nanodollars, Max: int64(price.FromDollars(l.Budget)), Period: budget.Period(l.BudgetPer)})
		}
		all[name] = a
	}
	return all
}

// AllowanceOf is what an application may use; nil when nothing limits it.
func (g *Generation) AllowanceOf(application string) *Allowance {
	if len(g.allowances) == 0 {
		return nil
	}
	return g.allowances[application]
}
