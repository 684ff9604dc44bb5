package gateway

import (
	"strings"

	"causeway/internal/fault"
	"causeway/internal/llm"
	"causeway/internal/wire"
)

// With `keys: caller` a provider is asked with the caller's own key, which comes beside the one for the gateway, in a
// field of its own. It goes to that provider alone, in the way that the provider wants keys.

// headerProviderKey is that field.
const headerProviderKey = "x-provider-key"

// forGateway tells whether a field of a model's call is meant for the gateway, and goes no further.
func forGateway(name []byte) bool {
	switch len(name) {
	case len("api-key"):
		return wire.EqualFold(name, "api-key")
	case len(headerProviderKey):
		return wire.EqualFold(name, headerProviderKey)
	case len(headerProvider):
		return wire.EqualFold(name, headerProvider)
	}
	return false
}

// takeCallersKey finds the caller's own key where the provider at hand wants one.
func (c *call) takeCallersKey() (ok, skip bool) {
	c.callersKey = nil
	if !c.provider.CallerKey || c.provider.Vendor != nil && c.provider.Vendor.Sends() == "none" {
		return true, false
	}
	key := strings.TrimSpace(string(c.rq.Header.Lookup(headerProviderKey)))
	if len(key) > len("Bearer ") && strings.EqualFold(key[:len("Bearer ")], "Bearer ") {
		key = strings.TrimSpace(key[len("Bearer "):])
	}
	if key != "" {
		c.callersKey = c.provider.CallerCredential(key)
		return true, false
	}
	if c.model.Untried(c.triedModels) {
		c.note("choose", "skipped "+c.provider.Name+"/"+c.j.TargetModel+": the call has no "+headerProviderKey)
		return false, true
	}
	text := "The provider " + c.provider.Name + " is asked with its callers' own keys: send yours in the header " + headerProviderKey + "."
	return c.fail(failure{kind: fault.ProviderKeyMissing, detail: text, safe: text}), false
}

// passable tells whether a provider's error may go to the caller as it came: it is one of the dialect, and tells
// nothing of a key that is not the caller's own.
func (c *call) passable(pe *llm.ProviderError, text []byte) bool {
	if c.callersKey != nil {
		return pe.Valid
	}
	return pe.Passable() && !c.key.QuotedIn(text)
}
