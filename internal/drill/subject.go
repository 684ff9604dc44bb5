package drill

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"causeway/internal/catalog"
)

// subject is one service or model, as it is drilled. Its parts are copies that may be changed.
type subject struct {
	what, name string
	method     string
	service    *catalog.Service // nil for a model
	model      *catalog.Model
	models     map[string]*catalog.Model // those that its fallbacks lead to
	providers  map[string]*catalog.Provider
	order      []string // the names of its providers, as they are asked
}

// subjects are everything in a configuration that can be drilled, by name.
func subjects(c *catalog.Catalog) (list []*subject, notes []string) {
	for _, name := range slices.Sorted(maps.Keys(c.Services)) {
		s, note := serviceSubject(c.Services[name])
		if note != "" {
			notes = append(notes, note)
		}
		if s != nil {
			list = append(list, s)
		}
	}
	used := map[string]bool{"sandbox": true}
	for _, name := range slices.Sorted(maps.Keys(c.Models)) {
		s := modelSubject(c, c.Models[name])
		for _, p := range s.order {
			used[p] = true
		}
		if len(s.order) == 0 {
			notes = append(notes, "The model "+name+" has the sandbox alone, which needs no drill.")
			continue
		}
		list = append(list, s)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Providers)) {
		if used[name] {
			continue
		}
		list = append(list, modelSubject(c, &catalog.Model{
			Name: name + "/*", Balance: "weighted", Targets: []catalog.ModelTarget{{Provider: name, Model: "any", Weight: 1}},
		}))
	}
	if len(list) > 0 {
		return list, notes
	}
	// Nothing is configured: what a service and a provider have by default is drilled.
	if s, err := catalog.OpenService("defaults", "http://127.0.0.1:1"); err == nil {
		one, _ := serviceSubject(s)
		list = append(list, one)
	}
	p := *c.Providers["sandbox"]
	p.Name, p.BaseURL = "defaults", "http://127.0.0.1:1/v1"
	with := *c
	with.Providers = map[string]*catalog.Provider{"defaults": &p}
	list = append(list, modelSubject(&with, &catalog.Model{
		Name: "defaults", Balance: "weighted", Targets: []catalog.ModelTarget{{Provider: "defaults", Model: "any", Weight: 1}},
	}))
	return list, append(notes, "The configuration has no services, models or providers: a service and a model named defaults show what they would have without further settings.")
}

func serviceSubject(from *catalog.Service) (s *subject, note string) {
	own := *from
	u := &own.Upstream
	u.Targets = slices.DeleteFunc(slices.Clone(u.Targets), func(t catalog.Target) bool { return t.Weight == 0 })
	if len(u.Targets) == 0 {
		return nil, "The service " + own.Name + " has no target with a weight: it was left out."
	}
	u.Retries.On = slices.Clone(u.Retries.On)
	if strings.HasPrefix(u.Balance, "hash_") {
		note = "The service " + own.Name + " was drilled with its targets in turn in place of balance: " + u.Balance + ", as all calls come from one caller."
		u.Balance = "round_robin"
	}
	return &subject{what: "service", name: own.Name, method: methodOf(from), service: &own}, note
}

// methodOf is GET where a route takes it, else the first method that is taken.
func methodOf(s *catalog.Service) string {
	first := ""
	for _, r := range s.Routes {
		if len(r.Methods) == 0 || slices.Contains(r.Methods, "GET") {
			return "GET"
		}
		if first == "" {
			first = r.Methods[0]
		}
	}
	if first == "" || first == "CONNECT" {
		return "GET"
	}
	return first
}

// modelSubject copies a model with everything that its calls may go to, but for the sandbox.
func modelSubject(c *catalog.Catalog, m *catalog.Model) *subject {
	s := &subject{what: "model", name: m.Name, method: "POST", models: map[string]*catalog.Model{}, providers: map[string]*catalog.Provider{}}
	s.model = s.take(c, m, map[string]bool{})
	return s
}

func (s *subject) take(c *catalog.Catalog, m *catalog.Model, seen map[string]bool) *catalog.Model {
	seen[m.Name] = true
	own := *m
	own.Guardrails = nil
	own.Targets = s.targets(c, m.Targets)
	own.Fallback = nil
	for _, f := range m.Fallback {
		if f.Provider != "" {
			own.Fallback = append(own.Fallback, s.targets(c, []catalog.ModelTarget{f})...)
			continue
		}
		if next := c.Models[f.Model]; next != nil && !seen[f.Model] {
			if taken := s.take(c, next, seen); len(taken.Targets) > 0 {
				s.models[f.Model] = taken
				own.Fallback = append(own.Fallback, f)
			}
		}
	}
	return &own
}

func (s *subject) targets(c *catalog.Catalog, list []catalog.ModelTarget) (out []catalog.ModelTarget) {
	for _, t := range list {
		p := c.Providers[t.Provider]
		if p == nil || p.Kind == "sandbox" && p.Name == "sandbox" {
			continue
		}
		if s.providers[t.Provider] == nil {
			own := *p
			s.providers[t.Provider] = &own
			s.order = append(s.order, t.Provider)
		}
		t.Supports, t.Context = nil, 0
		out = append(out, t)
	}
	return out
}

// clone is a copy that changes may be applied to.
func (s *subject) clone() *subject {
	if s.service != nil {
		c, _ := serviceSubject(s.service)
		return c
	}
	c := modelSubject(&catalog.Catalog{Models: s.models, Providers: s.providers}, s.model)
	return c
}

// places is how many targets or providers there are.
func (s *subject) places() int {
	if s.service != nil {
		return len(s.service.Upstream.Targets)
	}
	return len(s.order)
}

// trials are the faults that make sense for the subject.
func (s *subject) trials() []trial {
	if s.service == nil {
		return modelTrials(slices.ContainsFunc(s.order, func(name string) bool { return strings.HasPrefix(s.providers[name].BaseURL, "https:") }))
	}
	u := &s.service.Upstream
	https := slices.ContainsFunc(u.Targets, func(t catalog.Target) bool { return strings.HasPrefix(t.URL, "https:") })
	return serviceTrials(https, u.Protocol == "h2" || u.Protocol == "h2c")
}

// patience is how long the drill waits for a call: for all attempts that the limits allow.
func (s *subject) patience(full bool) time.Duration {
	most := func(t catalog.Timeouts, attempts int) time.Duration {
		if !full {
			t = shorten(t)
		}
		one := t.Connect + max(t.FirstByte, time.Second) + max(t.Idle, time.Second)
		d := one*time.Duration(attempts) + 2*time.Second
		if t.Total > 0 {
			d = min(d, t.Total+time.Second)
		}
		return d
	}
	var d time.Duration
	if s.service != nil {
		d = most(s.service.Upstream.Timeouts, s.service.Upstream.Retries.Max+1)
	} else {
		for _, p := range s.providers {
			d += most(p.Timeouts, max(1, len(p.Keys))+p.Retries.Max)
		}
	}
	if full {
		return min(d, 20*time.Minute)
	}
	return min(d, 15*time.Second)
}

// stretch is what the shortened limits stand for.
func (s *subject) stretch() stretch {
	out := stretch{}
	if s.service != nil {
		out.add(s.service.Upstream.Timeouts, shorten(s.service.Upstream.Timeouts))
	}
	for _, p := range s.providers {
		out.add(p.Timeouts, shorten(p.Timeouts))
	}
	return out
}

// String is "service orders".
func (s *subject) String() string { return fmt.Sprintf("%s %s", s.what, s.name) }
