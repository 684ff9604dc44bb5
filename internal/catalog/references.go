package catalog

import (
	"crypto/sha256"
	"fmt"
	"strings"
)

// references checks what names something else in the file.
func (c *checker) references(root *value) {
	providers := root.get("providers")
	if at, defined := providers.keyAt[sandboxName]; defined {
		c.faults.add(at, "`providers.sandbox` is built in and can't be defined", "choose another name, or remove it and use sandbox/echo")
	}
	for _, name := range root.get("models").names {
		for _, t := range root.get("models").get(name).get("targets").items {
			c.modelTarget(t.get("model"), providers)
			c.onlyAPI(t, t.get("model"), root)
		}
		for _, t := range root.get("models").get(name).get("fallback").items {
			c.onlyAPI(t, modelOf(t), root)
		}
	}
	c.fallbacks(root)
	c.caches(root)
	c.guardrails(root)
	c.hooks(root)
	c.prompts(root)
	for _, name := range root.get("applications").names {
		app := root.get("applications").get(name)
		for _, s := range app.get("subscribes").items {
			if !s.bad {
				c.subscription(root, s)
			}
		}
	}
	c.callerKeys(root.get("applications"))
}

func (c *checker) modelTarget(v, providers *value) {
	if v.bad || !v.set() {
		return
	}
	provider, model, ok := strings.Cut(as[string](v), "/")
	subject := subjectOf(v)
	if !ok || provider == "" || model == "" {
		c.faults.add(v.at, subject+" names no provider", "write PROVIDER/MODEL"+knownNames(providers.names))
		return
	}
	if provider != sandboxName && providers.fields[provider] == nil {
		c.faults.add(v.at, subject+" names a provider that is not under providers", c.suggest(provider, providers.names, "add it there"))
	}
}

// subscription checks one entry of subscribes.
func (c *checker) subscription(root, v *value) {
	text, subject := as[string](v), subjectOf(v)
	services, models := root.get("services"), root.get("models")
	kind, name, ok := strings.Cut(text, "/")
	switch {
	case !ok && services.fields[text] == nil:
		fix := c.suggest(text, services.names, "add it there")
		if models.fields[text] != nil {
			fix = "did you mean models/" + text + "?"
		}
		if text == "*" {
			fix = "name each service; models/* grants every model"
		}
		c.faults.add(v.at, subject+" names a service that is not under services", fix)
	case !ok:
	case kind == "services":
		c.faults.add(v.at, subject+" has a prefix that services don't have", "write the service's name alone")
	case kind == "prompts":
		if name != "*" && root.get("prompts").fields[name] == nil {
			c.faults.add(v.at, subject+" names a prompt that is not under prompts", c.suggest(name, root.get("prompts").names, "add it there"))
		}
	case kind != "models":
		c.faults.add(v.at, subject+" is not a subscription", "write a service's name, models/NAME or models/PROVIDER/MODEL")
	case name != "*" && models.fields[name] == nil:
		c.modelSubscription(v, name, models, root.get("providers"))
	}
}

func (c *checker) modelSubscription(v *value, name string, models, providers *value) {
	subject := subjectOf(v)
	provider, model, direct := strings.Cut(name, "/")
	switch {
	case !direct:
		c.faults.add(v.at, subject+" names a model that is not under models", c.suggest(name, models.names, "add it there, or write models/PROVIDER/MODEL"))
	case provider != sandboxName && providers.fields[provider] == nil:
		c.faults.add(v.at, subject+" names a provider that is not under providers", c.suggest(provider, providers.names, "add it there"))
	case model == "":
		c.faults.add(v.at, subject+" names no model", "write models/PROVIDER/MODEL, or models/PROVIDER/* for all of them")
	case model != "*" && strings.Contains(model, "*"):
		c.faults.add(v.at, subject+" has a * that is not alone", "write models/PROVIDER/* for every model of a provider")
	}
}

// callerKeys reports keys that two applications have, by their hashes: which key it is is never
// said, where it is is.
func (c *checker) callerKeys(apps *value) {
	first := map[[32]byte]*value{}
	for _, name := range apps.names {
		for _, k := range apps.get(name).get("keys").items {
			hash, ok := keyHash(k)
			if !ok {
				continue
			}
			before, taken := first[hash]
			if !taken {
				first[hash] = k
				continue
			}
			c.faults.add(k.at, fmt.Sprintf("`%s` is the same key as `%s` at line %d", k.path, before.path, before.at.line), "give each application keys of its own")
		}
	}
}

// keyHash is what a caller's key is kept as.
func keyHash(k *value) ([32]byte, bool) {
	if h := k.get("sha256"); h.set() && !h.bad {
		return as[[32]byte](h), true
	}
	if v := k.get("value"); v.set() && !v.bad {
		return sha256.Sum256([]byte(as[string](v))), true
	}
	return [32]byte{}, false
}

// maxGuesses bounds the names compared for one file's suggestions.
const maxGuesses = 200_000

// suggest is the way out for a name that is not known.
func (c *checker) suggest(name string, known []string, add string) string {
	if c.guesses += len(known); c.guesses <= maxGuesses {
		if best, near := nearest(name, known); near {
			return fmt.Sprintf("did you mean `%s`?", best)
		}
	}
	return add + knownNames(known)
}

// knownNames lists some names, for the end of a fix.
func knownNames(known []string) string {
	const most = 8
	switch {
	case len(known) == 0:
		return ""
	case len(known) > most:
		return fmt.Sprintf(" (there are %s and %d others)", strings.Join(known[:most], ", "), len(known)-most)
	case len(known) == 1:
		return " (there is " + known[0] + ")"
	}
	return " (there are " + listed(known, "and") + ")"
}

// SubscriptionAllows tells whether an application may call something. kind is "service", "model"
// or "prompt". For a model, name is the name under models that the caller used ("fast"), or
// PROVIDER/MODEL for direct use, also where the caller wrote a bare name that one provider lists.
// A nil application may call nothing.
func (c *Catalog) SubscriptionAllows(app *Application, kind, name string) bool {
	if app == nil || name == "" {
		return false
	}
	for _, s := range app.Subscribes {
		target, isModel := strings.CutPrefix(s, "models/")
		switch {
		case kind == "service":
			if s == name {
				return true
			}
		case kind == "prompt":
			if p, ok := strings.CutPrefix(s, "prompts/"); ok && (p == name || p == "*") {
				return true
			}
		case kind != "model" || !isModel:
		case target == "*" || target == name:
			return true
		default:
			// openai/* grants what is used directly; a name under models grants itself alone.
			provider, all := strings.CutSuffix(target, "/*")
			if _, named := c.Models[name]; all && !named && strings.HasPrefix(name, provider+"/") {
				return true
			}
		}
	}
	return false
}
