package incident

import (
	"maps"
	"slices"
	"time"
)

// track is an incident, or what may become one.
type track struct {
	Incident
	open  bool // it was told of
	dirty bool
	keys  []string // where it is found

	failed, absorbed window
	last             time.Time // of its own occurrences; its symptoms go on in LastSeen
	callers          map[string]struct{}

	down        bool      // a health check says so
	wellSince   time.Time // a health check says so since, after it was down
	good        int       // calls in a row
	firstGood   time.Time
	lastGoodNow time.Time
}

// fail counts an occurrence.
func (t *track) fail(o *occurrence, span time.Duration) {
	if o.absorbed {
		t.Absorbed++
		t.absorbed.add(1, o.at, span)
	} else {
		t.Calls++
		t.failed.add(1, o.at, span)
	}
	if o.at.After(t.last) {
		t.last = o.at
	}
	t.seen(o)
	if t.Finding == nil && o.finding != nil {
		if t.Finding = o.finding; o.finding.Cause != "" && !t.open {
			t.Cause = o.finding.Cause
		}
	}
}

// own is how often it occurred itself.
func (t *track) own() int64 {
	n := t.Calls + t.Absorbed
	for _, symptoms := range t.Symptoms {
		n -= symptoms
	}
	return n
}

// ownLast is when it last occurred itself, as far as this process knows.
func (t *track) ownLast() time.Time {
	if t.last.IsZero() {
		return t.LastSeen
	}
	return t.last
}

// symptom counts a call that failed as a consequence of t: it counts for the opening as t's own do.
func (t *track) symptom(o *occurrence, span time.Duration) {
	if t.Symptoms == nil {
		t.Symptoms = map[kind]int64{}
	}
	t.Symptoms[o.kind]++
	if o.absorbed {
		t.Absorbed++
		t.absorbed.add(1, o.at, span)
	} else {
		t.Calls++
		t.failed.add(1, o.at, span)
	}
	t.seen(o)
}

// seen is what every occurrence adds.
func (t *track) seen(o *occurrence) {
	t.dirty = true
	if o.at.Before(t.Onset) {
		t.Onset = o.at
	}
	if o.at.After(t.LastSeen) {
		t.LastSeen = o.at
	}
	if t.State == Quiet {
		t.State, t.Ended = Open, time.Time{}
		t.Again++
	}
	t.good = 0
	t.caller(callerOf(o.j))
	if t.Side != Gateway {
		for _, s := range serviceOf(o.j) {
			if at, found := slices.BinarySearch(t.Services, s); !found && len(t.Services) < 50 {
				t.Services = slices.Insert(t.Services, at, s)
			}
		}
	}
	t.sample(o.j.ID.String())
}

func (t *track) caller(name string) {
	if _, known := t.callers[name]; known || name == "" || len(t.callers) >= MostCallers {
		return
	}
	t.callers[name] = struct{}{}
	t.CallerCount = max(len(t.callers), t.CallerCount)
	if len(t.Callers) < listedCallers && !slices.Contains(t.Callers, name) {
		t.Callers = append(t.Callers, name)
	}
}

// sample keeps the first and the last ids.
func (t *track) sample(id string) {
	if slices.Contains(t.Samples, id) {
		return
	}
	if len(t.Samples) >= 2*listedBlips {
		t.Samples = slices.Delete(t.Samples, listedBlips, listedBlips+1)
	}
	t.Samples = append(t.Samples, id)
}

// went counts a good call.
func (t *track) went(at time.Time) {
	if t.good++; t.good == 1 {
		t.firstGood = at
	}
	t.lastGoodNow = at
	t.dirty = true
}

// stale tells whether what has not opened an incident is forgotten.
func (t *track) stale(now time.Time, span time.Duration) bool {
	return !t.open && !t.down && now.Sub(t.LastSeen) > span
}

// restart begins a new run of failures.
func (t *track) restart(o *occurrence) {
	fresh := o.incident()
	fresh.fingerprint = t.fingerprint
	fresh.LastGood = t.LastGood
	if !t.firstGood.IsZero() {
		fresh.LastGood = t.lastGoodNow
	}
	*t = track{Incident: fresh, keys: t.keys, callers: map[string]struct{}{}}
}

// take adds what another has seen.
func (t *track) take(o *Incident) {
	t.Calls += o.Calls
	t.Absorbed += o.Absorbed
	t.Checks += o.Checks
	if o.Onset.Before(t.Onset) {
		t.Onset = o.Onset
	}
	if o.LastSeen.After(t.LastSeen) {
		t.LastSeen = o.LastSeen
	}
	for _, c := range o.Callers {
		t.caller(c)
	}
	for _, s := range o.Services {
		if at, found := slices.BinarySearch(t.Services, s); !found {
			t.Services = slices.Insert(t.Services, at, s)
		}
	}
	for _, id := range o.Samples {
		t.sample(id)
	}
	if len(o.Symptoms) > 0 && t.Symptoms == nil {
		t.Symptoms = map[kind]int64{}
	}
	for k, n := range o.Symptoms {
		if k != t.Kind {
			t.Symptoms[k] += n
		}
	}
	if t.Finding == nil && o.Kind == t.Kind {
		t.Finding = o.Finding
	}
	if !o.LastGood.IsZero() && (t.LastGood.IsZero() || o.LastGood.After(t.LastGood)) && !o.LastGood.After(t.Onset) {
		t.LastGood = o.LastGood
	}
	t.dirty = true
}

// copy is the incident for others to keep.
func (t *track) copy() Incident {
	i := t.Incident
	i.Services, i.Callers, i.Samples = slices.Clone(i.Services), slices.Clone(i.Callers), slices.Clone(i.Samples)
	i.Changes, i.Symptoms = slices.Clone(i.Changes), maps.Clone(i.Symptoms)
	return i
}
