package incident

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"causeway/internal/fault"
	"causeway/internal/journey"
)

const (
	// settle is how long a failure may be followed by what turns out to be its cause before it is told.
	settle         = time.Second
	mostCandidates = 2000 // failures that have not opened an incident
	mostChanges    = 64
	changesBefore  = 10 * time.Minute // how long before the onset a change is worth telling
	changesAfter   = time.Second      // clocks of calls and of changes are read at different places
	// muchSeen is how many times OpenAfter callers must see before the share of the calls does not matter.
	muchSeen = 10
)

// Engine holds the incidents of one process. Its methods may be called concurrently.
type Engine struct {
	mu      sync.Mutex
	set     Settings
	judge   Judge
	memory  Memory
	tracks  map[string]*track   // by fingerprint
	places  map[string][]*track // by scope: "s:NAME", "p:NAME", "t:TARGET", "g:"
	totals  map[string]*window  // calls, by service or provider
	good    map[string]time.Time
	changes []Change // the newest last
	roads   map[string]*road
	events  []Event // found between two ticks
	open    int
	// strangers are the tracks of callers.
	strangers int
	opened    map[Count]int64
	past      int64 // failures that found no room
}

// Count says what a number of incidents is counted by.
type Count struct {
	Kind  fault.Kind
	Cause fault.Cause
}

// New makes an engine. judge may be nil: what only retries have seen then has no finding of its own.
func New(set Settings, judge Judge) *Engine {
	set.fill()
	return &Engine{
		set: set, judge: judge, tracks: map[string]*track{}, places: map[string][]*track{}, totals: map[string]*window{},
		good: map[string]time.Time{}, roads: map[string]*road{}, opened: map[Count]int64{},
	}
}

// Remember says who knows what has changed about targets besides what Changed was told of. It comes before the first Tick.
func (e *Engine) Remember(m Memory) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.memory = m
}

// Configure changes the thresholds. What is open stays so.
func (e *Engine) Configure(set Settings) {
	set.fill()
	e.mu.Lock()
	defer e.mu.Unlock()
	if set.Window != e.set.Window {
		e.totals = map[string]*window{}
		for _, t := range e.tracks {
			t.failed, t.absorbed = window{}, window{}
		}
	}
	e.set = set
}

// Restore takes over incidents of an earlier process that are not over. It comes before the first Tick;
// what was seen until then is added to them.
func (e *Engine) Restore(list []Incident) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, i := range list {
		i.fingerprint = fingerprintOf(&i)
		t := e.tracks[i.fingerprint]
		if t == nil {
			t = e.add(i, "")
		} else {
			newer := t.Incident
			t.Incident = i
			t.take(&newer)
		}
		if i.Ongoing() && !t.open {
			t.open = true
			e.open++
		}
		for _, c := range i.Callers {
			t.caller(c)
		}
		t.CallerCount = max(t.CallerCount, i.CallerCount)
	}
}

// Forget drops everything that was seen, for a process that hands over: what it sees from then on is for Seen.
func (e *Engine) Forget() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.tracks, e.places, e.events = map[string]*track{}, map[string][]*track{}, nil
	e.open, e.strangers = 0, 0
}

// Seen is everything that is remembered, whether it has opened an incident or not.
func (e *Engine) Seen() []Incident {
	e.mu.Lock()
	defer e.mu.Unlock()
	var list []Incident
	for _, t := range e.tracks {
		list = append(list, t.copy())
	}
	return list
}

// Late adds what another process has seen after it had handed over.
func (e *Engine) Late(list []Incident) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, i := range list {
		t := e.tracks[fingerprintOf(&i)]
		if t == nil {
			if !e.room(i.LastSeen) {
				e.past += i.Calls + i.Absorbed
				continue
			}
			t = e.add(Incident{
				Kind: i.Kind, Cause: i.Cause, Side: i.Side, Target: i.Target, Provider: i.Provider, Model: i.Model, Caller: i.Caller,
				Services: i.Services, Onset: i.Onset, LastSeen: i.LastSeen,
			}, "")
		}
		t.take(&i)
		t.failed.add(int(i.Calls), i.LastSeen, e.set.Window)
		t.absorbed.add(int(i.Absorbed), i.LastSeen, e.set.Window)
	}
}

// Ongoing are the incidents that are not over, as they are now.
func (e *Engine) Ongoing() []Incident {
	e.mu.Lock()
	defer e.mu.Unlock()
	var list []Incident
	for _, t := range e.tracks {
		if t.open {
			list = append(list, t.copy())
		}
	}
	return list
}

// Count adds n good calls of a service or provider, of which no more is known.
func (e *Engine) Count(service, provider string, n int, now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.count(service, provider, n, now)
	e.wellAt(totalOf(service, provider), now)
}

func (e *Engine) count(service, provider string, n int, now time.Time) {
	key := totalOf(service, provider)
	w := e.totals[key]
	if w == nil {
		w = &window{}
		e.totals[key] = w // names of the configuration: they are few
	}
	w.add(n, now, e.set.Window)
}

// wellAt notes a good call.
func (e *Engine) wellAt(key string, now time.Time) {
	if len(e.good) < mostCandidates || !e.good[key].IsZero() {
		e.good[key] = now
	}
}

func totalOf(service, provider string) string {
	if service != "" {
		return "s:" + service
	}
	return "p:" + provider
}

// Wants tells whether the good calls of a service or provider are waited for by something that is open.
func (e *Engine) Wants(service, provider string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.open == 0 {
		return false
	}
	for _, key := range [...]string{"s:" + service, "p:" + provider, "g:"} {
		for _, t := range e.places[key] {
			if t.open {
				return true
			}
		}
	}
	return false
}

// Call notes a call that has ended. It keeps nothing of j but its finding, which must not be changed.
func (e *Engine) Call(j *journey.Journey) {
	e.mu.Lock()
	defer e.mu.Unlock()
	end := j.Start.Add(j.Total)
	e.count(j.Service, j.Provider, 1, end)
	e.road(j, end)
	main := ""
	if j.Finding != nil {
		e.callFailed(j, end, &main)
	} else {
		e.wellAt(totalOf(j.Service, j.Provider), end)
		e.went(j, end)
	}
	seen := map[string]bool{main: true}
	for i := range j.Attempts {
		a := &j.Attempts[i]
		if a.Kind == "" || i == len(j.Attempts)-1 && j.Finding != nil && a.Kind == j.Finding.Kind {
			continue
		}
		o := occurrence{j: j, at: j.Start.Add(a.Start + a.Total), attempt: i, kind: a.Kind, target: cleanTarget(a.Target), absorbed: j.Finding == nil}
		if o.describe() && !seen[o.fingerprint] {
			seen[o.fingerprint] = true
			e.occurred(&o)
		}
	}
}

func (e *Engine) callFailed(j *journey.Journey, end time.Time, main *string) {
	f := j.Finding
	o := occurrence{j: j, at: end, attempt: -1, kind: f.Kind, finding: f}
	if n := len(j.Attempts); n > 0 && (j.Attempts[n-1].Kind == f.Kind || f.Passed || j.Attempts[n-1].Kind == "") {
		o.target, o.attempt = cleanTarget(j.Attempts[n-1].Target), n-1
	}
	if o.describe() {
		*main = o.fingerprint
		e.occurred(&o)
	}
}

// went notes a good call for what is open.
func (e *Engine) went(j *journey.Journey, end time.Time) {
	target := ""
	if n := len(j.Attempts); n > 0 {
		target = cleanTarget(j.Attempts[n-1].Target)
	}
	for _, key := range [...]string{"s:" + j.Service, "p:" + j.Provider, "g:"} {
		for _, t := range e.places[key] {
			if t.open && t.Side != Caller && (t.Target == "" || t.Target == target) && (t.Model == "" || t.Model == j.TargetModel) && !end.Before(t.LastSeen) {
				t.went(end)
			}
		}
	}
}

// occurred counts a failure, under its cause where that is known.
func (e *Engine) occurred(o *occurrence) {
	t := e.tracks[o.fingerprint]
	if cause := e.causeOf(o.kind, o.target, o.scopes(), o.at); cause != nil && (t == nil || !t.open) && (cause.open || !cutBy(cause.Kind, o.kind)) {
		cause.symptom(o, e.set.Window)
		return
	}
	if t == nil {
		if o.side == Caller && e.strangers >= mostCandidates/2 || !e.room(o.at) { // strangers must not take the room of our own trouble
			e.past++
			return
		}
		t = e.add(o.incident(), o.caller)
		t.LastGood = e.good[totalOf(o.j.Service, o.j.Provider)]
		if t.LastGood.After(o.at) {
			t.LastGood = time.Time{}
		}
		if o.finding == nil && e.judge != nil && o.attempt >= 0 {
			o.finding = e.judge(o.j, o.attempt)
		}
	}
	if t.stale(o.at, e.set.Window) {
		t.restart(o)
	}
	t.fail(o, e.set.Window)
	for _, key := range o.scopes() {
		if key != "g:" {
			e.place(key, t)
		}
	}
}

// causeOf finds what a failure is a symptom of: something of the same target, or of a target of the same
// service, that is there at the time. Of several it is what is open already, then what was seen most often itself.
func (e *Engine) causeOf(k fault.Kind, target string, scopes []string, at time.Time) (cause *track) {
	for _, key := range scopes {
		for _, t := range e.places[key] {
			same := target != "" && t.Target == target
			if target != "" && t.Target != "" && !same || !explains(t.Kind, k, same) {
				continue
			}
			if t.open && t.State != Open || !t.open && t.stale(at, e.set.Window) {
				continue
			}
			if cause == nil || t.open && !cause.open || t.open == cause.open && t.own() > cause.own() {
				cause = t
			}
		}
	}
	return cause
}

// room tells whether one more failure can be remembered; what has not been seen for a while goes.
func (e *Engine) room(now time.Time) bool {
	if len(e.tracks) < mostCandidates+e.set.Ceiling {
		return true
	}
	for _, t := range e.tracks {
		if !t.open && t.stale(now, e.set.Window) {
			e.remove(t)
		}
	}
	return len(e.tracks) < mostCandidates+e.set.Ceiling
}

func (e *Engine) add(i Incident, caller string) *track {
	i.fingerprint = fingerprintOf(&i)
	t := &track{Incident: i, callers: map[string]struct{}{}}
	e.tracks[i.fingerprint] = t
	e.place("t:"+i.Target, t)
	for _, s := range i.Services {
		if i.Side != Caller {
			e.place("s:"+s, t)
		}
	}
	if i.Side == Caller {
		e.strangers++
	}
	if i.Provider != "" {
		e.place("p:"+i.Provider, t)
	}
	if i.Side == Gateway {
		e.place("g:", t)
	}
	return t
}

func (e *Engine) place(key string, t *track) {
	if key == "t:" || key == "s:" || key == "p:" || slices.Contains(e.places[key], t) {
		return
	}
	e.places[key] = append(e.places[key], t)
	t.keys = append(t.keys, key)
}

func (e *Engine) remove(t *track) {
	if e.tracks[t.fingerprint] == t {
		delete(e.tracks, t.fingerprint)
		if t.Side == Caller {
			e.strangers--
		}
	}
	for _, key := range t.keys {
		if e.places[key] = slices.DeleteFunc(e.places[key], func(o *track) bool { return o == t }); len(e.places[key]) == 0 {
			delete(e.places, key)
		}
	}
}

// Changed notes that something has changed.
func (e *Engine) Changed(c Change) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.changed(c)
}

func (e *Engine) changed(c Change) {
	if len(e.changes) >= mostChanges {
		e.changes = slices.Delete(e.changes, 0, 1)
	}
	e.changes = append(e.changes, c)
}

// Last is the latest failure of a target that is remembered; ok is false where none is. text may be "".
func (e *Engine) Last(target string) (k fault.Kind, at time.Time, text string, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, t := range e.places["t:"+cleanTarget(target)] {
		if t.Target == "" || t.ownLast().Before(at) {
			continue
		}
		k, at, text, ok = t.Kind, t.ownLast(), t.Seen, true
		if t.Finding != nil {
			text = t.Finding.Detail
		}
	}
	return k, at, text, ok
}

// Missed adds failures that nobody has looked at, because there were too many.
func (e *Engine) Missed(n int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.past += n
}

// Past is how many failures found no room to be counted.
func (e *Engine) Past() int64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.past
}

// Figures are the incidents that are open now, and those that were opened since the start.
func (e *Engine) Figures() (open, opened map[Count]int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	open = map[Count]int64{}
	for _, t := range e.tracks {
		if t.open && t.State == Open {
			open[Count{t.Kind, t.Cause}]++
		}
	}
	return open, maps.Clone(e.opened)
}

// cleanTarget is a target's address without what may be a secret.
func cleanTarget(s string) string {
	if !strings.ContainsAny(s, "@?#") {
		return s
	}
	u, err := url.Parse(s)
	if err != nil {
		return ""
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}
