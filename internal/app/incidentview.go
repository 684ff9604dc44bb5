package app

import (
	"context"
	"maps"
	"slices"
	"time"

	"causeway/internal/admin"
	"causeway/internal/incident"
	"causeway/internal/meter"
	"causeway/internal/snapshot"
	"causeway/internal/upstream"
	"causeway/internal/wire"
)

// adminIncidents lets the admin API read incidents.
type adminIncidents struct{ *incidents }

// Search implements admin.Incidents.
func (n adminIncidents) Search(ctx context.Context, q admin.IncidentQuery) ([]incident.Incident, bool, error) {
	return searchIncidents(ctx, n.app.store, q)
}

// Get implements admin.Incidents.
func (n adminIncidents) Get(ctx context.Context, id string) (incident.Incident, bool, error) {
	return getIncident(ctx, n.app.store, id)
}

// Watch implements admin.Incidents.
func (n adminIncidents) Watch(ctx context.Context) ([]incident.Incident, <-chan incident.Event) {
	w := make(chan incident.Event, watchedAhead)
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.left {
		close(w)
		return nil, w
	}
	n.watchers[w] = struct{}{}
	context.AfterFunc(ctx, func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		if _, there := n.watchers[w]; there {
			delete(n.watchers, w)
			close(w)
		}
	})
	return n.engine.Ongoing(), w
}

// targetHealth is what the health checks say of all targets that have any.
func (a *App) targetHealth() (list []incident.TargetHealth) {
	gen := a.gateway.Generation()
	for name, s := range gen.Services {
		for _, t := range s.Upstream.Pool.Status() {
			if t.LastCheck.IsZero() {
				continue
			}
			list = append(list, incident.TargetHealth{
				Service: name, Target: t.URL, Healthy: t.Healthy, Kind: t.Reason.Kind, Text: t.Reason.Text, Since: t.Since,
			})
		}
	}
	return list
}

// health implements admin.Deps.Health.
func (a *App) health() admin.UpstreamHealth {
	gen, now := a.gateway.Generation(), time.Now()
	h := admin.UpstreamHealth{Time: rfc3339(now), Well: true, Services: []admin.ServiceHealth{}, Providers: []admin.ProviderHealth{}}
	var open []incident.Incident
	for _, i := range a.incidents.engine.Ongoing() {
		if i.State == incident.Open {
			open = append(open, i)
		}
	}
	h.Incidents = len(open)
	ids := func(match func(*incident.Incident) bool) []string {
		list := []string{}
		for i := range open {
			if match(&open[i]) {
				list = append(list, open[i].ID)
			}
		}
		return list
	}
	for _, name := range slices.Sorted(maps.Keys(gen.Services)) {
		s := admin.ServiceHealth{Name: name, Targets: a.targets(gen.Services[name].Upstream)}
		s.Incidents = ids(func(i *incident.Incident) bool { return slices.Contains(i.Services, name) })
		for _, t := range s.Targets {
			if t.State == "up" || t.State == "full" {
				s.Usable++
			} else if t.State != "drained" {
				h.Well = false
			}
		}
		h.Services = append(h.Services, s)
	}
	models := map[string][]admin.ModelHealth{}
	seen := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(gen.Models)) {
		m := gen.Models[name]
		for i := range m.Targets {
			t := &m.Targets[i]
			if seen[t.Name] {
				continue
			}
			seen[t.Name] = true
			s := t.State.State(wire.Now())
			x := admin.ModelHealth{
				Model: t.Model, State: "up", Kind: string(s.Kind), DownFor: s.Down.Seconds(), NextTry: s.Next.Seconds(), Busy: s.Busy,
				FirstTokenMS: float64(s.Streams.Microseconds()) / 1000, AnswerMS: float64(s.Latency.Microseconds()) / 1000,
			}
			if s.Dead || s.Next > 0 {
				x.State = "left_alone"
			}
			models[t.Provider.Name] = append(models[t.Provider.Name], x)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(gen.Providers)) {
		p := gen.Providers[name]
		x := admin.ProviderHealth{Name: name, State: "up", Models: models[name], Keys: providerKeys(p, nil)}
		if targets := a.targets(p.Upstream); len(targets) > 0 {
			x.Address = targets[0]
		}
		if c := gen.Catalog.Providers[name]; c != nil {
			x.Keys = providerKeys(p, c.Keys)
		}
		x.State = providerState(&x)
		if x.Models == nil {
			x.Models = []admin.ModelHealth{}
		}
		if x.Keys == nil {
			x.Keys = []admin.ProviderKey{}
		}
		x.Incidents = ids(func(i *incident.Incident) bool { return i.Provider == name })
		h.Well = h.Well && x.State == "up"
		h.Providers = append(h.Providers, x)
	}
	h.Well = h.Well && len(open) == 0
	return h
}

// providerState tells how much of a provider there is to call.
func providerState(p *admin.ProviderHealth) string {
	alone, aside := 0, 0
	for i := range p.Models {
		if p.Models[i].State != "up" {
			alone++
		}
	}
	for i := range p.Keys {
		if p.Keys[i].State != "in_use" {
			aside++
		}
	}
	switch {
	case alone+aside == 0:
		return "up"
	case alone > 0 && alone == len(p.Models) || aside > 0 && aside == len(p.Keys):
		return "down"
	}
	return "degraded"
}

func (a *App) targets(up *snapshot.Upstream) []admin.TargetHealth {
	list := up.Pool.Status()
	out := make([]admin.TargetHealth, len(list))
	var picked uint64
	for i := range list {
		picked += list[i].Picked
	}
	for i := range list {
		s, t := &list[i], &out[i]
		*t = admin.TargetHealth{
			Target: withoutUser(s.URL), State: targetState(s), Until: rfc3339(s.HeldUntil), Weight: s.Weight, Calls: s.Picked, Busy: s.Busy, MaxBusy: s.MaxBusy,
			LastGood: rfc3339(s.LastGood),
		}
		road := up.Origin(i)
		if kept := road.KeepAlive(); kept.For > 0 {
			t.KeepAlive = &admin.LearnedKeepAlive{KeptMS: kept.For.Milliseconds(), ClosedAfterMS: kept.Died.Milliseconds()}
		}
		if ends := road.CertificateEnds(); !ends.IsZero() {
			t.Certificate = &admin.TargetCertificate{Ends: rfc3339(ends), DaysLeft: int(time.Until(ends).Hours() / 24), MinValidityMS: up.MinValidity().Milliseconds()}
		}
		if picked > 0 {
			t.Share = float64(s.Picked) / float64(picked)
		}
		if !s.LastCheck.IsZero() {
			t.Since = rfc3339(s.Since)
			t.Checks = &admin.CheckHealth{Healthy: s.Healthy, Passed: s.Passed, Failed: s.Failed, Last: rfc3339(s.LastCheck), TookMS: float64(s.LastTook.Microseconds()) / 1000}
		}
		k, at, text, known := a.incidents.engine.Last(s.URL)
		switch {
		case known:
			t.LastFailure = &admin.LastFailure{Kind: string(k), Text: text, Time: rfc3339(at)}
		case s.HeldWhy.Kind != "":
			t.LastFailure = &admin.LastFailure{Kind: string(s.HeldWhy.Kind), Text: s.HeldWhy.Text}
		case s.Reason.Kind != "":
			t.LastFailure = &admin.LastFailure{Kind: string(s.Reason.Kind), Text: s.Reason.Text}
		}
	}
	return out
}

func targetState(s *upstream.Status) string {
	switch {
	case s.Weight == 0:
		return "drained"
	case !s.Healthy:
		return "unhealthy"
	case s.Held:
		return "breaker_open"
	case s.MaxBusy > 0 && s.Busy >= s.MaxBusy:
		return "full"
	}
	return "up"
}

func rfc3339(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

// incidentFigures are for the metrics.
func (a *App) incidentFigures() meter.Incidents {
	open, opened := a.incidents.engine.Figures()
	f := meter.Incidents{Past: a.incidents.engine.Past()}
	for k, n := range open {
		f.Open = append(f.Open, meter.IncidentCount{Kind: string(k.Kind), Cause: string(k.Cause), N: n})
	}
	for k, n := range opened {
		f.Opened = append(f.Opened, meter.IncidentCount{Kind: string(k.Kind), Cause: string(k.Cause), N: n})
	}
	for _, x := range a.incidents.hooks.Figures() {
		f.Hooks = append(f.Hooks, meter.HookCount{Hook: x.Hook, Result: x.Result, N: x.N})
	}
	return f
}
