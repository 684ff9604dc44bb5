package snapshot

import (
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"causeway/internal/catalog"
	"causeway/internal/mask"
	"causeway/internal/meter"
)

// Guard is what the guardrails of a call do, together. It is immutable but for its counters, and safe for
// concurrent use.
type Guard struct {
	// Request and Answer mask what callers send and what models say; nil where nothing does.
	Request, Answer *mask.Masker
	// Hides tells that something of a request may be hidden and put back in the answer.
	Hides bool
	// Limits bound the prompt.
	Limits []PromptLimit
	found  *findings
}

// PromptLimit is a guardrail's bound on a prompt.
type PromptLimit struct {
	Rule string
	catalog.PromptSize
}

// Count counts what a guardrail has found.
func (g *Guard) Count(rule, label string, n int64) { g.found.counter(rule, label).Add(n) }

// guards finds the guardrails of a call.
type guards struct {
	rules    map[string]*catalog.Guardrail
	key      []byte // of hashes; the same over generations
	everyone []string
	models   map[string][]string
	apps     map[string][]string
	made     sync.Map // names, joined -> *Guard
	found    *findings
}

// findings counts what was found, by guardrail and what kind of thing. It goes on over generations.
type findings struct{ counts sync.Map } // [2]string -> *atomic.Int64

func (f *findings) counter(rule, label string) *atomic.Int64 {
	key := [2]string{rule, label}
	if n, ok := f.counts.Load(key); ok {
		return n.(*atomic.Int64)
	}
	n, _ := f.counts.LoadOrStore(key, new(atomic.Int64))
	return n.(*atomic.Int64)
}

// guards compiles the guardrails that are applied anywhere.
func (b *builder) guards(c *catalog.Catalog, g *Generation) error {
	s := &guards{rules: c.Guardrails, everyone: c.LLM.Guardrails, models: map[string][]string{}, apps: map[string][]string{}}
	for name, m := range c.Models {
		if len(m.Guardrails) > 0 {
			s.models[name] = m.Guardrails
		}
	}
	for name, a := range c.Applications {
		if len(a.Guardrails) > 0 {
			s.apps[name] = a.Guardrails
		}
	}
	if len(s.everyone)+len(s.models)+len(s.apps) == 0 {
		return nil
	}
	if b.old != nil && b.old.guards != nil {
		s.key, s.found = b.old.guards.key, b.old.guards.found
	} else {
		s.key, s.found = make([]byte, 32), &findings{}
		_, _ = rand.Read(s.key) // it never fails
	}
	for name := range c.Guardrails {
		if _, err := s.compile([]string{name}); err != nil {
			return fmt.Errorf("compiling guardrail %s: %w", name, err)
		}
	}
	g.guards = s
	return nil
}

// Guard is what guards a call of an application ("" for none) to a model; nil where nothing does.
func (g *Generation) Guard(m *Model, application string) *Guard {
	s := g.guards
	if s == nil {
		return nil
	}
	var ofModel []string
	if m != nil && !m.Direct {
		ofModel = s.models[m.Name]
	}
	ofApp := s.apps[application]
	if len(s.everyone)+len(ofModel)+len(ofApp) == 0 {
		return nil
	}
	names := slices.Concat(s.everyone, ofModel, ofApp)
	slices.Sort(names)
	names = slices.Compact(names)
	key := strings.Join(names, ",")
	if made, ok := s.made.Load(key); ok {
		return made.(*Guard)
	}
	guard, err := s.compile(names)
	if err != nil {
		return nil // each of them was compiled when the configuration was
	}
	made, _ := s.made.LoadOrStore(key, guard)
	return made.(*Guard)
}

// ways are what guardrails do, by their names in a configuration.
var ways = map[string]mask.Way{"full": mask.Full, "partial": mask.Partial, "hash": mask.Hash, "reversible": mask.Reversible, "block": mask.Block}

func (s *guards) compile(names []string) (*Guard, error) {
	var requests, answers []mask.Rule
	guard := &Guard{found: s.found}
	for _, name := range names {
		r := s.rules[name]
		rule := mask.Rule{Name: name, Detect: r.Detect, Keywords: r.Keywords, Expressions: r.Expressions, Way: ways[r.With]}
		for _, p := range r.Paths {
			rule.Paths = append(rule.Paths, mask.PathRule{Path: p.Path, Remove: p.Remove})
		}
		if r.MaxPrompt != (catalog.PromptSize{}) {
			guard.Limits = append(guard.Limits, PromptLimit{name, r.MaxPrompt})
		}
		if len(rule.Detect)+len(rule.Keywords)+len(rule.Expressions)+len(rule.Paths) == 0 {
			continue
		}
		if r.Requests {
			requests = append(requests, rule)
			guard.Hides = guard.Hides || rule.Way == mask.Reversible
		}
		if r.Answers {
			answers = append(answers, rule)
		}
	}
	var err error
	if len(requests) > 0 {
		if guard.Request, err = mask.New(requests, s.key); err != nil {
			return nil, err
		}
	}
	if len(answers) > 0 {
		guard.Answer, err = mask.New(answers, s.key)
	}
	return guard, err
}

// GuardrailsFound is what guardrails have found since the start, for metrics.
func (g *Generation) GuardrailsFound() (list []meter.GuardrailFound) {
	if g.guards == nil {
		return nil
	}
	g.guards.found.counts.Range(func(k, v any) bool {
		key := k.([2]string)
		list = append(list, meter.GuardrailFound{Rule: key[0], Label: key[1], Count: v.(*atomic.Int64).Load()})
		return true
	})
	return list
}
