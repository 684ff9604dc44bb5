package catalog

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// maxModelTargets is how many targets a model may have with its fallbacks, and theirs.
const maxModelTargets = 64

func modelKeys() []key {
	return []key{
		{
			name: "balance", def: "weighted", aka: []string{"strategy", "load_balancing"},
			shape: scalarOf(oneOf(nil,
				choice{value: "weighted", doc: "in turn, by the targets' weights"},
				choice{value: "least_latency", doc: "the one that was fastest of late, to the first token of a stream or the whole of another answer, for its calls in flight; what was measured long ago counts less and less"},
				choice{value: "least_busy", doc: "the one with the fewest calls in flight, for its weight"},
				choice{value: "cheapest", doc: "the lowest price, three tokens of input to one of output; those without a price last"},
				choice{value: "sticky", doc: "the same one for the same beginning of a conversation (system message and first message of the user), so that the provider's prompt cache is met; another one while it has far more than its share of the calls in flight"})),
			doc: "How one of the targets is chosen. One that keeps failing, whose keys are all set aside, or that lacks what the request needs is passed over while another is left.",
		},
		{
			name: "targets", required: true, example: "targets: [{model: PROVIDER/MODEL}]",
			shape: listOf("a list such as [{model: openai/gpt-4o-mini, weight: 1}]", objectOf("{model: PROVIDER/MODEL, weight: 1}", append([]key{
				{
					name: "model", required: true, example: "model: PROVIDER/MODEL", shape: scalarOf(modelText()), aka: []string{"name", "target"},
					doc: "PROVIDER/MODEL, split at the first slash: the rest is the provider's own name for the model.",
				},
				{name: "weight", def: "1", shape: scalarOf(weight()), doc: "The target's share of the calls."},
			}, targetKeys()...))).notEmpty(),
			doc: "The models that the name stands for.",
		},
		{
			name: "fallback", aka: []string{"fallbacks"},
			shape: listOf("a list such as [claude/claude-3-5-haiku-latest]", objectOf("{model: PROVIDER/MODEL}", append([]key{
				{
					name: "model", required: true, example: "model: PROVIDER/MODEL", shape: scalarOf(modelText()), aka: []string{"name", "target"},
					doc: "PROVIDER/MODEL, or a name under `models`, which stands for its targets and then its own fallbacks.",
				},
			}, targetKeys()...)).orScalar(modelText())),
			doc: "What is asked, in this order, when no target can be asked or all have failed. Whoever may call the model may use its fallbacks through it.",
		},
		{
			name: "strict", def: "false", shape: scalarOf(boolean()),
			doc: "Refuses a call (400) that would lose something because its provider speaks another dialect, in place of naming the loss in `Causeway-Translation`.",
		},
		{
			name: "failover", shape: objectOf("{max_attempts: 3}", failoverKeys()),
			doc: "When a call that failed goes on at the next target. It does so only before the first content of an answer has left: after a connection that failed, a limit that passed, an answer 429, 5xx or 529, one that is not of the provider's dialect, an error inside a 200, a key that is limited, rejected or out of money, and a model that the provider does not have; never after a parameter that the provider does not accept. The provider that failed may have worked on it and may bill it: `retry` of the failure says so.",
		},
		{
			name: "cache", optional: true, shape: objectOf("{ttl: 5m}", modelCacheKeys()), aka: []string{"caching"},
			doc: "Keeps whole, good answers for the same request; see docs/cache.md. A call of PROVIDER/MODEL is not answered from it.",
		},
		guardrailNames("Guardrails for calls that name this model, with those of the application and of `llm`. A call of PROVIDER/MODEL does not name it."),
		{
			name: "hedge", shape: objectOf("{after: 800ms}", hedgeKeys()),
			doc: "Asks the next target as well when the first has given no content after a time. The first to give content answers the call, and the others are cancelled at once: each may bill what it did until then. Never for a response that is stored or made in the background, for files, batches, images and sound, nor for a call of a prompt.",
		},
	}
}

// targetKeys are what may be said of a target, so that it is asked only for what it can do.
func targetKeys() []key {
	return []key{
		{
			name: "price", optional: true, aka: []string{"cost"},
			shape: objectOf("{input: 0.15, output: 0.60}", []key{
				{name: "input", required: true, example: "input: 0.15", shape: scalarOf(dollars()), doc: "Of a million tokens of input, in US dollars."},
				{name: "output", required: true, example: "output: 0.60", shape: scalarOf(dollars()), doc: "Of a million tokens of output, in US dollars."},
			}),
			doc: "Its price, for `balance: cheapest`; without it the one that is known of the model.",
		},
		{
			name: "context", shape: scalarOf(integer("a number of tokens", 1, 1_000_000_000)), aka: []string{"context_length", "max_context", "context_window"},
			doc: "How many tokens it can hold. A request that is longer by estimate (a token for four bytes) passes it over while another target is left.",
		},
		{
			name: "supports", shape: listOf("a list such as [vision, tools]", scalarOf(oneOf(nil,
				choice{value: "vision", doc: "images in messages"},
				choice{value: "audio", doc: "sound in messages"},
				choice{value: "documents", doc: "PDF and other files in messages"},
				choice{value: "tools", doc: "calls of tools"},
				choice{value: "json_schema", doc: "answers by a JSON Schema"}))),
			aka: []string{"capabilities", "features"},
			doc: "All that it can do beyond text. A request that needs something else passes it over, and is refused (400 `unsupported_feature`) where no target has it. Without it, what is known of the vendor counts.",
		},
		{
			name: "api", optional: true, shape: scalarOf(oneOf(nil,
				choice{value: APIChat, doc: "Chat Completions alone"},
				choice{value: APIResponses, doc: "the Responses API alone"})),
			doc: "Which of OpenAI's two APIs the provider has for this model, where it has one only. A call that came by another is translated. Without it the gateway tries the caller's, and learns from a provider that says that the model has only the other.",
		},
	}
}

func failoverKeys() []key {
	return []key{
		{
			name: "on_refusal", def: "false", shape: scalarOf(boolean()),
			doc: "Also when the provider's safety rules refused the content.",
		},
		{
			name: "on_context", def: "false", shape: scalarOf(boolean()),
			doc: "Also when the request was too long for the model: at targets whose `context` is larger, or not said.",
		},
		{
			name: "max_attempts", shape: scalarOf(integer("a number of attempts", 1, 20)), aka: []string{"attempts", "max_retries"},
			doc: "The most attempts for one call, over all targets, fallbacks and keys. Without it as many as there are, 5 at the most.",
		},
	}
}

func hedgeKeys() []key {
	return []key{
		{
			name: "after", required: true, example: "after: 800ms", shape: scalarOf(duration(time.Millisecond)), aka: []string{"delay"},
			doc: "How long the call waits for the first content before it asks another target as well. A good value is what 95 of 100 calls stay below.",
		},
		{
			name: "max", def: "1", shape: scalarOf(integer("a number of targets", 1, 3)), aka: []string{"attempts"},
			doc: "How many other targets one call may ask so, each after the same time again.",
		},
		{
			name: "budget", def: "10%", shape: scalarOf(percentage()),
			doc: "The most that are asked so, as a share of the model's calls over the last 10 s; 3 are always allowed.",
		},
	}
}

// dollars is an amount of money.
func dollars() scalar {
	return scalar{
		noun: "an amount such as 0.15", name: "amount", kinds: []nodeKind{numberNode},
		schema: map[string]any{"type": "number", "minimum": 0, "maximum": 1_000_000},
		parse: func(s string) (any, *wrong) {
			number, rest := leadingNumber(s)
			n, err := strconv.ParseFloat(number, 64)
			switch {
			case strings.HasPrefix(s, "-"):
				return nil, &wrong{message: "is negative", fix: "write an amount of 0 or more"}
			case number == "" || rest != "" || err != nil:
				return nil, &wrong{message: "is not an amount", fix: "write US dollars as a plain number, such as 0.15"}
			case n > 1_000_000:
				return nil, outOfRange("0", "1000000")
			}
			return n, nil
		},
	}
}

// modelOf is the value that names the model of a fallback, which may be written alone.
func modelOf(v *value) *value {
	if short := v.get("value"); short.set() {
		return short
	}
	return v.get("model")
}

func model(name string, v *value, models *value) *Model {
	m := &Model{Name: name, Balance: as[string](v.get("balance")), Strict: as[bool](v.get("strict")), Guardrails: texts(v.get("guardrails"))}
	for _, t := range v.get("targets").items {
		m.Targets = append(m.Targets, modelTarget(t, t.get("model"), nil))
	}
	for _, t := range v.get("fallback").items {
		m.Fallback = append(m.Fallback, modelTarget(t, modelOf(t), models))
	}
	if h := v.get("hedge"); h.set() {
		m.Hedge = &Hedge{After: as[time.Duration](h.get("after")), Max: number(h.get("max")), Budget: as[float64](h.get("budget"))}
	}
	m.Cache = modelCache(v.get("cache"))
	f := v.get("failover")
	m.Failover = Failover{OnRefusal: as[bool](f.get("on_refusal")), OnContext: as[bool](f.get("on_context")), MaxAttempts: number(f.get("max_attempts"))}
	return m
}

// modelTarget reads one target; named are the names that it may have instead of PROVIDER/MODEL.
func modelTarget(v, name, named *value) ModelTarget {
	t := ModelTarget{Weight: max(number(v.get("weight")), 1), Context: as[int64](v.get("context")), Supports: texts(v.get("supports")), API: as[string](v.get("api"))}
	if s := v.get("supports"); s.set() && t.Supports == nil {
		t.Supports = []string{}
	}
	if p := v.get("price"); p.set() {
		t.Price = &Price{Input: as[float64](p.get("input")), Output: as[float64](p.get("output"))}
	}
	text := as[string](name)
	if named != nil && named.fields[text] != nil {
		t.Model = text
		return t
	}
	t.Provider, t.Model = splitModel(text)
	return t
}

// fallbacks checks what the models fall back on.
func (c *checker) fallbacks(root *value) {
	models := root.get("models")
	for _, name := range models.names {
		for _, f := range models.get(name).get("fallback").items {
			ref := modelOf(f)
			if ref.bad || !ref.set() {
				continue
			}
			if text := as[string](ref); models.fields[text] == nil {
				c.fallback(ref, text, root)
			} else if way := wayBack(models, text, name, map[string]bool{}); way != nil {
				c.faults.add(ref.at, fmt.Sprintf("%s leads back to where it begins: %s -> %s", subjectOf(ref), name, strings.Join(way, " -> ")), "remove one of these fallbacks")
			}
		}
	}
	for _, name := range models.names {
		if n := countTargets(models, name, map[string]bool{}); n > maxModelTargets {
			c.faults.add(models.get(name).name, fmt.Sprintf("`models.%s` has %d targets with its fallbacks and theirs, and %d are the most", name, n, maxModelTargets), "remove some")
		}
	}
}

func (c *checker) fallback(ref *value, text string, root *value) {
	provider, model, ok := strings.Cut(text, "/")
	if (!ok || provider == "" || model == "") && !strings.HasSuffix(text, "/") && !strings.HasPrefix(text, "/") {
		c.faults.add(ref.at, subjectOf(ref)+" names a model that is not under models", c.suggest(text, root.get("models").names, "add it there, or write PROVIDER/MODEL"))
		return
	}
	c.modelTarget(ref, root.get("providers"))
}

// wayBack is the way over fallbacks from one model to another, both included; nil when there is none.
// seen are the models from which there is none.
func wayBack(models *value, from, to string, seen map[string]bool) []string {
	if from == to {
		return []string{to}
	}
	if seen[from] {
		return nil
	}
	seen[from] = true
	for _, f := range models.get(from).get("fallback").items {
		next := as[string](modelOf(f))
		if models.fields[next] == nil {
			continue
		}
		if way := wayBack(models, next, to, seen); way != nil {
			return append([]string{from}, way...)
		}
	}
	return nil
}

// countTargets counts a model's targets, and those of the models that it falls back on, each once.
func countTargets(models *value, name string, seen map[string]bool) int {
	if seen[name] {
		return 0
	}
	seen[name] = true
	n := len(models.get(name).get("targets").items)
	for _, f := range models.get(name).get("fallback").items {
		if next := as[string](modelOf(f)); models.fields[next] != nil {
			n += countTargets(models, next, seen)
		} else {
			n++
		}
	}
	return n
}
