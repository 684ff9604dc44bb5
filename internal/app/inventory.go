package app

import (
	"context"
	"maps"
	"net/url"
	"slices"
	"time"

	"causeway/internal/admin"
	"causeway/internal/budget"
	"causeway/internal/catalog"
	"causeway/internal/choose"
	"causeway/internal/llm"
	"causeway/internal/llm/prompt"
	"causeway/internal/price"
	"causeway/internal/snapshot"
	"causeway/internal/wire"
)

// inventory tells the admin API what the generation in force has.
type inventory struct{ app *App }

func (v inventory) generation() *snapshot.Generation { return v.app.gateway.Generation() }

// asked are the operations that a provider may be asked for.
var asked = []llm.Operation{
	llm.Chat, llm.Completions, llm.Responses, llm.Embeddings, llm.Moderations, llm.CountTokens, llm.Rerank,
	llm.Images, llm.Speech, llm.Transcriptions, llm.Translations, llm.Files, llm.Batches, llm.Realtime,
}

// Providers implements admin.Inventory.
func (v inventory) Providers() (list []admin.Provider) {
	gen := v.generation()
	for _, name := range slices.Sorted(maps.Keys(gen.Providers)) {
		p := gen.Providers[name]
		x := admin.Provider{Name: name, Kind: p.Kind, BuiltIn: p.Sandbox, CallerKey: p.CallerKey, Models: slices.Clone(p.Models), Supports: []string{}, Keys: []admin.ProviderKey{}}
		if p.Models == nil {
			x.Models = []string{}
		}
		if p.Dialect != nil {
			x.Dialect = p.Dialect.Name()
			for _, op := range asked {
				if p.Serves(op) && p.Dialect.Path(op) != "" {
					x.Supports = append(x.Supports, op.String())
				}
			}
		}
		if p.Vendor != nil {
			x.Title, x.DocsURL = p.Vendor.Title, p.Vendor.Source
		}
		var configured []catalog.ProviderKey
		if c := gen.Catalog.Providers[name]; c != nil {
			x.BaseURL, configured = withoutUser(c.BaseURL), c.Keys
		}
		x.Keys = append(x.Keys, providerKeys(p, configured)...)
		list = append(list, x)
	}
	return list
}

// withoutUser takes user and query out of an address: they may be secrets.
func withoutUser(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}

func providerKeys(p *snapshot.Provider, configured []catalog.ProviderKey) (list []admin.ProviderKey) {
	if p.Upstream == nil || p.Upstream.KeyPool == nil {
		return nil
	}
	now := time.Now()
	for i, s := range p.Upstream.KeyPool.States(wire.Now()) {
		k := admin.ProviderKey{Place: i + 1, Weight: 1, Priority: 1, State: s.Why.String()}
		if i < len(p.Upstream.Keys) {
			k.Name, k.EndsIn = p.Upstream.Keys[i].Name, p.Upstream.Keys[i].Hint
		}
		if i < len(configured) {
			k.Weight, k.Priority = configured[i].Weight, configured[i].Priority
		}
		if s.Why != choose.InUse {
			k.Until, k.AsideFor = now.Add(s.Next).UTC().Format(time.RFC3339), s.Since.Seconds()
		}
		if s.Requests >= 0 {
			k.Requests = &s.Requests
		}
		if s.Tokens >= 0 {
			k.Tokens = &s.Tokens
		}
		list = append(list, k)
	}
	return list
}

// Models implements admin.Inventory.
func (v inventory) Models() (list []admin.Model) {
	gen := v.generation()
	now := wire.Now()
	for _, name := range slices.Sorted(maps.Keys(gen.Models)) {
		m := gen.Models[name]
		x := admin.Model{Name: name, Strict: m.Strict, MaxAttempts: m.Attempts, Targets: []admin.ModelTarget{}}
		if c := gen.Catalog.Models[name]; c != nil {
			x.Balance = c.Balance
		}
		for i := range m.Targets {
			t := &m.Targets[i]
			s := t.State.State(now)
			x.Targets = append(x.Targets, admin.ModelTarget{
				Model: t.Name, Provider: t.Provider.Name, Fallback: t.Tier, Context: contextOf(t), Lacks: t.Lacks.Names(), Price: priceOf(t.Price),
				Up: !s.Dead && s.Next == 0, Why: string(s.Kind), Busy: s.Busy,
				FirstTokenMS: float64(s.Streams.Microseconds()) / 1000, AnswerMS: float64(s.Latency.Microseconds()) / 1000,
			})
		}
		list = append(list, x)
	}
	return list
}

// contextOf is how much a target can hold: what the configuration says, else what the catalogue of prices knows.
func contextOf(t *snapshot.ModelTarget) int64 {
	if t.Context == 0 && t.Price != nil {
		return t.Price.Context
	}
	return t.Context
}

func priceOf(p *price.Price) *admin.Price {
	if p == nil {
		return nil
	}
	return &admin.Price{
		Input: p.Input, Output: p.Output, Cached: p.Cached, CacheWrite: p.CacheWrite, CacheWrite1h: p.CacheWrite1h,
		AudioIn: p.AudioIn, AudioOut: p.AudioOut, ImageIn: p.ImageIn, ImageOut: p.ImageOut,
		LongFrom: p.Long, LongInput: p.LongInput, LongOutput: p.LongOutput, Batch: p.Batch, PerSearch: p.PerSearch, PerImage: p.PerImage,
		Free: p.Free, Source: p.Source, Date: p.Date,
	}
}

// Prompts implements admin.Inventory.
func (v inventory) Prompts() (list []admin.Prompt) {
	gen := v.generation()
	for _, name := range slices.Sorted(maps.Keys(gen.Catalog.Prompts)) {
		p := gen.Catalog.Prompts[name]
		x := admin.Prompt{Name: name, Description: p.Description, Default: p.Default, URL: v.app.GatewayURL() + gen.LLMPrefix + prompt.Path + name, Versions: []admin.PromptVersion{}}
		for _, version := range slices.Sorted(maps.Keys(p.Versions)) {
			x.Versions = append(x.Versions, promptVersion(p.Versions[version]))
		}
		list = append(list, x)
	}
	return list
}

func promptVersion(v *catalog.PromptVersion) admin.PromptVersion {
	x := admin.PromptVersion{Name: v.Name, Model: v.Model, Variables: []admin.PromptVariable{}, Messages: []admin.PromptMessage{}}
	if v.Output != nil {
		x.Output = v.Output.JSON
	}
	for _, variable := range v.Variables {
		x.Variables = append(x.Variables, admin.PromptVariable{Name: variable.Name, Type: variable.Type, Required: variable.Required, Description: variable.Description})
	}
	for _, m := range v.Messages {
		text := ""
		for _, piece := range m.Pieces {
			if piece.Variable >= 0 {
				text += "{{" + v.Variables[piece.Variable].Name + "}}"
			} else {
				text += piece.Text
			}
		}
		x.Messages = append(x.Messages, admin.PromptMessage{Role: m.Role, Content: text})
	}
	return x
}

// Limits implements admin.Inventory.
func (v inventory) Limits(ctx context.Context) (list []admin.Limit, err error) {
	gen := v.generation()
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	for _, name := range slices.Sorted(maps.Keys(gen.Catalog.Applications)) {
		a := gen.AllowanceOf(name)
		if a == nil {
			continue
		}
		for i := range a.Limits {
			l := &a.Limits[i]
			key, ends := l.Window(time.Now())
			state, err := v.app.limits.counters.Look(ctx, key)
			if err != nil {
				return nil, err
			}
			x := admin.Limit{Application: name, Unit: "tokens", Per: l.Period.String(), Resets: ends}
			amount := func(n int64) float64 { return float64(n) }
			if l.Unit == budget.Nanodollars {
				x.Unit = "usd"
				amount = func(n int64) float64 { return price.Nano(n).Dollars() }
			}
			x.Max, x.Used, x.Reserved = amount(l.Max), amount(state.Used), amount(state.Reserved)
			x.Left = amount(max(l.Max-state.Used-state.Reserved, 0))
			list = append(list, x)
		}
	}
	return list, nil
}
