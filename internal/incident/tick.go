package incident

import (
	"slices"
	"strings"
	"time"

	"causeway/internal/fault"
	"causeway/internal/journey"
)

// Health notes what health checks say of targets. It is called before each Tick, with all targets that have
// checks.
func (e *Engine) Health(now time.Time, list []TargetHealth) {
	e.mu.Lock()
	defer e.mu.Unlock()
	listed := map[string]bool{}
	for i := range list {
		h := &list[i]
		target := cleanTarget(h.Target)
		listed[target] = true
		if h.Healthy {
			for _, t := range e.places["t:"+target] {
				if t.down {
					t.down, t.wellSince, t.dirty = false, h.Since, true
				}
			}
			continue
		}
		e.unhealthy(h, target, now)
	}
	for _, t := range e.tracks {
		if t.down && !listed[t.Target] { // nobody checks it any more
			t.down, t.dirty = false, true
		}
	}
}

func (e *Engine) unhealthy(h *TargetHealth, target string, now time.Time) {
	entry := fault.Lookup(h.Kind)
	if entry == nil {
		entry = fault.Lookup(fault.Unclassified)
	}
	i := Incident{Kind: entry.Kind, Cause: entry.Cause, Side: Upstream, Target: target, Provider: h.Provider, Onset: h.Since, LastSeen: now}
	if h.Service != "" {
		i.Services = []string{h.Service}
	}
	i.fingerprint = fingerprintOf(&i)
	t := e.tracks[i.fingerprint]
	if t == nil { // the calls may have told of another cause, from what they saw themselves
		for _, o := range e.places["t:"+target] {
			if o.Kind == i.Kind {
				t = o
			}
		}
	}
	if t == nil {
		if !e.room(now) {
			e.past++
			return
		}
		t = e.add(i, "")
	}
	if !t.down {
		t.down, t.wellSince, t.dirty = true, time.Time{}, true
		t.Checks++
		if h.Since.Before(t.Onset) {
			t.Onset = h.Since
		}
	}
	t.Seen, t.LastSeen = h.Text, now
	if t.State == Quiet {
		t.State, t.Ended, t.good = Open, time.Time{}, 0
		t.Again++
	}
	if h.Service != "" {
		e.place("s:"+h.Service, t)
	}
}

// Tick decides what opens and what has ended, and returns that together with every incident whose figures have
// changed since the tick before.
func (e *Engine) Tick(now time.Time) []Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	list := e.sorted()
	for _, t := range list {
		if !t.open && e.qualifies(t, now) {
			e.start(t, now)
		}
	}
	for _, t := range list {
		if t.open && e.tracks[t.fingerprint] == t {
			e.end(t, now)
		}
	}
	for _, t := range e.tracks {
		switch {
		case t.open && t.dirty:
			t.dirty = false
			e.events = append(e.events, Event{Changed, t.copy()})
		case t.stale(now, 2*e.set.Window):
			e.remove(t)
		}
	}
	events := e.events
	e.events = nil
	return events
}

// sorted lists the tracks, those first that may be the cause of others: by onset, with the kinds that mean a
// server that is down before the rest.
func (e *Engine) sorted() []*track {
	list := make([]*track, 0, len(e.tracks))
	for _, t := range e.tracks {
		list = append(list, t)
	}
	rank := func(t *track) int {
		switch entry := fault.Lookup(t.Kind); {
		case t.Side == Gateway:
			return 0
		case slices.Contains(downKinds, t.Kind):
			return 1
		case entry != nil && len(entry.DependsOn) > 0 && entry.At != fault.AtUpstreamLink:
			return 3
		}
		return 2
	}
	slices.SortFunc(list, func(a, b *track) int {
		if r := rank(a) - rank(b); r != 0 {
			return r
		}
		if c := a.Onset.Compare(b.Onset); c != 0 {
			return c
		}
		return strings.Compare(a.fingerprint, b.fingerprint)
	})
	return list
}

// qualifies tells whether something is more than a blip.
func (e *Engine) qualifies(t *track, now time.Time) bool {
	if t.down {
		return true
	}
	failed, absorbed := t.failed.sum(now, e.set.Window), t.absorbed.sum(now, e.set.Window)
	if t.Side == Caller {
		return failed >= e.set.CallerBurst
	}
	if t.Kind == fault.GatewayKilled && failed > 0 { // one such call tells that the process was killed
		return true
	}
	if failed+absorbed < e.set.OpenAfter || now.Sub(t.Onset) < settle {
		return false
	}
	calls := 0
	for _, key := range t.keys {
		if w := e.totals[key]; w != nil {
			calls += w.sum(now, e.set.Window)
		}
	}
	return failed >= muchSeen*e.set.OpenAfter || float64(failed+absorbed) >= e.set.Share*float64(calls)
}

// start opens an incident, or puts what it is about under its cause.
func (e *Engine) start(t *track, now time.Time) {
	if e.tracks[t.fingerprint] != t {
		return // it went under another one a moment ago
	}
	if cause := e.openCause(t); cause != nil {
		e.fold(cause, t, now)
		return
	}
	if e.open >= e.set.Ceiling {
		e.past++
		return
	}
	t.open, t.State, t.Opened = true, Open, now
	t.ID = journey.NewID(t.Onset).String()
	t.Changes = e.before(t)
	e.open++
	first := e.gather(t, now)
	t.dirty = true
	if first {
		e.opened[Count{t.Kind, t.Cause}]++
		e.events = append(e.events, Event{Opened, t.copy()})
	}
}

// gather puts the symptoms of an incident that has just opened under it. Where one of them was told of
// already, the incident goes on under that one's id, so that there is one; then nothing opens, and false
// comes back.
func (e *Engine) gather(t *track, now time.Time) (first bool) {
	first = true
	for _, key := range slices.Clone(t.keys) {
		for _, s := range slices.Clone(e.places[key]) {
			if s == t || e.tracks[s.fingerprint] != s || !e.under(t, s) || s.stale(now, e.set.Window) {
				continue
			}
			if s.open && first {
				first = false
				t.ID, t.Opened, t.Again = s.ID, s.Opened, s.Again
				t.First = s.Kind
				if s.First != "" {
					t.First = s.First
				}
				s.open = false
				e.open--
			}
			e.fold(t, s, now)
		}
	}
	return first
}

// under tells whether s is a symptom of t.
func (e *Engine) under(t, s *track) bool {
	same := t.Target != "" && s.Target == t.Target
	if s.Side == Caller || s.Target != "" && t.Target != "" && !same {
		return false
	}
	if s.State == Quiet || s.open && t.Onset.Sub(s.LastSeen) > e.set.Window {
		return false
	}
	return explains(t.Kind, s.Kind, same)
}

func (e *Engine) openCause(t *track) *track {
	for _, key := range t.keys {
		for _, c := range e.places[key] {
			if c != t && c.open && c.State == Open && e.under(c, t) {
				return c
			}
		}
	}
	return nil
}

// fold puts s under its cause t. Where both were told of, s ends.
func (e *Engine) fold(t, s *track, now time.Time) {
	if s.open {
		s.open, s.State, s.Ended, s.Under = false, Folded, now, t.ID
		e.open--
		e.events = append(e.events, Event{Closed, s.copy()})
	}
	took := s.copy()
	t.take(&took)
	if t.Symptoms == nil {
		t.Symptoms = map[kind]int64{}
	}
	t.Symptoms[s.Kind] += s.Calls + s.Absorbed
	e.remove(s)
	for _, key := range s.keys {
		e.place(key, t)
	}
}

// end decides whether an incident is over.
func (e *Engine) end(t *track, now time.Time) {
	calm := now.Sub(t.LastSeen)
	last := t.LastSeen
	if t.lastGoodNow.After(last) {
		last = t.lastGoodNow
	}
	switch {
	case t.down:
		t.LastSeen = now
		return
	case t.Side == Caller:
		if calm >= e.set.Window {
			e.close(t, Recovered, t.LastSeen)
		}
	case t.good >= e.set.RecoverCalls && calm >= e.set.RecoverAfter, t.good > 0 && calm >= e.set.QuietAfter:
		e.close(t, Recovered, t.firstGood)
	case !t.wellSince.IsZero() && now.Sub(t.wellSince) >= e.set.RecoverAfter && calm >= e.set.RecoverAfter:
		e.close(t, Recovered, t.wellSince)
	case t.Kind == fault.GatewayKilled && calm >= e.set.RecoverAfter:
		e.close(t, Recovered, t.LastSeen) // it runs again, or nobody could tell
	case t.State == Open && now.Sub(last) >= e.set.QuietAfter:
		t.State, t.Ended = Quiet, last
		e.events = append(e.events, Event{Closed, t.copy()})
	}
}

func (e *Engine) close(t *track, s State, at time.Time) {
	was := t.State
	t.State, t.Ended, t.open = s, at, false
	e.open--
	what := Closed
	if was == Quiet { // that was told
		what = Changed
	}
	e.events = append(e.events, Event{what, t.copy()})
	e.remove(t)
	if s == Recovered && t.Side == Upstream && t.Target != "" {
		e.changed(Change{At: at, What: recovery, Target: t.Target, Text: t.Target + " answered again after " + fault.Span(at.Sub(t.Onset)) + " of " + string(t.Kind)})
	}
}
