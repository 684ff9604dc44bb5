// Package prompt is the dialect of prompts as REST APIs: a caller sends the variables of a prompt as a JSON object
// and gets the model's output, and the gateway makes a chat of it that crosses to whichever provider the prompt's
// model has. It is a dialect like any other, so that translation, failover, limits, money and explanations hold for
// it; only its requests are made by us.
//
// The form of requests and answers is our own: docs/prompts.md.
package prompt

import (
	"maps"
	"slices"

	"causeway/internal/catalog"
)

// API is one prompt, compiled. It is immutable and safe for concurrent use.
type API struct {
	Name string
	p    *catalog.Prompt
}

// New compiles a prompt that was checked with its file.
func New(p *catalog.Prompt) *API { return &API{Name: p.Name, p: p} }

// Versions lists the prompt's versions in order.
func (a *API) Versions() []string { return slices.Sorted(maps.Keys(a.p.Versions)) }

// Default is the version that is used when none is asked for.
func (a *API) Default() string { return a.p.Default }

// Description is what the prompt does, "" when nobody said.
func (a *API) Description() string { return a.p.Description }

// Asked is what one call asks of a prompt.
type Asked struct {
	Version string // "" for the default
	Stream  bool
	Plain   bool   // the output alone, as text
	CallID  string // the gateway's name for the call
}

// Call is a prompt as one call sees it: the dialect of that call. Render must have been called before its
// other methods; from then on it does not change.
type Call struct {
	api     *API
	version *catalog.PromptVersion
	asked   Asked
}

// Begin makes the dialect of a call; false when the prompt has no such version.
func (a *API) Begin(asked Asked) (*Call, bool) {
	if asked.Version == "" {
		asked.Version = a.p.Default
	}
	v := a.p.Versions[asked.Version]
	if v == nil {
		return nil, false
	}
	return &Call{api: a, version: v, asked: asked}, true
}

// Version is the version that the call uses.
func (c *Call) Version() string { return c.version.Name }

// Model is the model that it asks, as the configuration names it.
func (c *Call) Model() string { return c.version.Model }
