package history

import (
	"time"

	"causeway/internal/fault"
	"causeway/internal/journey"
)

// Good is a good answer of a target.
type Good struct {
	At        time.Time
	Revision  uint64 // of the upstream's settings
	Shape     uint64 // see Shape
	Model     uint64 // see Hash; 0 for none
	FirstByte time.Duration
	Busy      int // calls in flight at the target, this one included
}

// Hash is a short name for a string, FNV-1a; never 0.
func Hash(s string) uint64 { return max(mix(14695981039346656037, s), 1) }

func mix(h uint64, s string) uint64 {
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

// Shape is the shape of a request: route, method, model, and the size of its body to a power of two.
func Shape(route, method, model string, size int64) uint64 {
	h := mix(mix(mix(14695981039346656037, route)^1, method)^2, model)
	bucket := uint64(0)
	for ; size > 0; size >>= 1 {
		bucket++
	}
	return max((h^bucket)*1099511628211, 1)
}

// Good notes a good answer. It allocates nothing.
func (t *Target) Good(g Good) {
	if t == nil {
		return
	}
	at := g.At.UnixNano()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.revise(g.Revision, at)
	if last := t.good.Load(); t.goodRev != g.Revision && last > t.goodOld && t.goodRev != 0 {
		t.goodOld = last
	}
	t.goodRev = g.Revision
	if at > t.good.Load() {
		t.good.Store(at)
	}
	if at > t.lastBad {
		t.endRun(at)
	}
	t.busy += (float64(g.Busy) - t.busy) / 16
	t.fine.add(at, int64(g.FirstByte))
	if at-t.coarse.latest() >= coarseGap {
		t.coarse.add(at, int64(g.FirstByte))
	}
	s := t.shape(g.Shape)
	s.good++
	s.goodAt, s.at, s.failed = at, at, 0
	for i := range t.shapes {
		if o := &t.shapes[i]; o.id != 0 && o.id != g.Shape && o.failed > 0 {
			o.othersG++
		}
	}
	if g.Model != 0 {
		t.model(g.Model, at)
	}
}

// endRun closes a run of failures: the target answers again.
func (t *Target) endRun(at int64) {
	if t.streak == 0 {
		return
	}
	if e := fault.Lookup(t.runKind); t.streak > 0 && e != nil && e.At == fault.AtUpstreamLink {
		t.outages[t.nOutages%maxOutages] = outage{t.runFrom, at, t.runKind, t.runCut != 0}
		t.nOutages++
	}
	t.streak, t.runFrom, t.runKind, t.runCut = 0, 0, "", 0
}

// revise notes that other settings are in force.
func (t *Target) revise(revision uint64, at int64) {
	if revision == t.revision || revision == 0 {
		return
	}
	if t.revision != 0 {
		t.revised = at
		t.change("configuration", "", "", at)
	}
	t.revision = revision
}

// Revise tells that settings have come into force, in the moment they do: a failure may come before any answer.
func (t *Target) Revise(revision uint64, now time.Time) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if revision == t.revision {
		return
	}
	t.revise(revision, now.UnixNano())
}

// shape finds the row of a shape, or gives it that of the one seen longest ago.
func (t *Target) shape(id uint64) *shape {
	oldest := &t.shapes[0]
	for i := range t.shapes {
		s := &t.shapes[i]
		if s.id == id {
			return s
		}
		if s.at < oldest.at {
			oldest = s
		}
	}
	*oldest = shape{id: id}
	return oldest
}

func (t *Target) model(id uint64, at int64) {
	oldest := &t.models[0]
	for i := range t.models {
		m := &t.models[i]
		if m.id == id {
			m.at = at
			return
		}
		if m.at < oldest.at {
			oldest = m
		}
	}
	*oldest = modelSeen{id, at}
}

// Mark notes what something about the target is now: its Server field, its certificate, its address. A value that
// was not seen before is a change, unless nothing was, and so is one that comes back after another had taken its
// place; several may take turns, as behind a balancer, and what is another one all the time tells nothing. An empty
// value is not noted. It allocates only when something is new.
func (t *Target) Mark(what string, value []byte, at time.Time) {
	if t == nil || len(value) == 0 {
		return
	}
	value = value[:min(len(value), maxMark)]
	now := at.UnixNano()
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.marks {
		m := &t.marks[i]
		if m.what == "" {
			m.what, m.n, m.run, m.first = what, 1, 1, now
			m.values[0] = string(value)
			return
		}
		if m.what == what {
			t.note(m, value, now)
			return
		}
	}
}

// note notes the present value of a mark that is known.
func (t *Target) note(m *mark, value []byte, now int64) {
	from, run := m.values[m.last], m.run
	if from == string(value) {
		m.run++
		return
	}
	m.run = 1
	known := false
	for j := range min(m.n, maxValues) {
		if m.values[j] == string(value) {
			m.last, known = j, true
			break
		}
	}
	if !known {
		m.last = m.n % maxValues
		m.values[m.last] = string(value)
		m.n++
	}
	if known && run < settled || m.what == "address" && now-m.first < learning {
		return
	}
	oldest := m.moved[m.nMoved%restless]
	m.moved[m.nMoved%restless] = now
	if m.nMoved++; oldest != 0 && now-oldest < restlessIn {
		return
	}
	t.change(m.what, from, string(value), now)
}

// Clock notes by how much this host's clock is ahead of the target's Date.
func (t *Target) Clock(off time.Duration) {
	if t == nil {
		return
	}
	t.skew.Store(int64(off))
	t.skewed.Store(true)
}

// Current is the value of a mark that was seen last, "" for none.
func (t *Target) Current(what string) string {
	if t == nil {
		return ""
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.marks {
		if m := &t.marks[i]; m.what == what {
			return m.values[m.last]
		}
	}
	return ""
}

func (t *Target) change(what, from, to string, at int64) {
	t.changes[t.nChanges%maxChanges] = change{what, from, to, at}
	t.nChanges++
}

// Bad notes an attempt that failed, once each.
func (t *Target) Bad(a *journey.Attempt, kind fault.Kind, shapeID, revision uint64, now time.Time) {
	if t == nil {
		return
	}
	e := fault.Lookup(kind)
	if e == nil || e.At == fault.AtCaller || e.At == fault.AtGateway {
		return // it says nothing about the target
	}
	at := now.UnixNano()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.revise(revision, at)
	link := e.At == fault.AtUpstreamLink && kind != fault.StaleConnection
	if kind == fault.StaleConnection && a.ConnIdle >= Rested {
		t.record(a, kind, at)
		return // a connection that had ended before is no failure of its server's
	}
	if t.streak == 0 || link && !t.link.Load() {
		// A server that ends is first seen by the calls it had, then by those that find nobody.
		t.streak, t.runFrom, t.runKind, t.runCut = 0, at, kind, 0
		if link && t.cutAt != 0 && at-t.cutAt < int64(cutWithin) {
			t.runCut = t.cutAt
		}
	}
	t.streak++
	t.lastBad = at
	t.bad.Store(at)
	t.link.Store(link)
	t.road.Store(onRoad(kind))
	t.badKind.Store(&e.Kind)
	if !link && broke(a) {
		t.cutAt = at
	}
	t.record(a, kind, at)
	s := t.shape(shapeID)
	if s.failed == 0 {
		s.since, s.othersG, s.other = at, 0, 0
	}
	s.failed++
	s.at = at
	for i := range t.shapes {
		if o := &t.shapes[i]; o.id != 0 && o.id != shapeID && o.failed > 0 {
			o.other++
		}
	}
}

// Rested is how long a connection must have been idle to have been ended for it: one that breaks as soon as it is
// used again may as well have been broken by the request.
const Rested = 200 * time.Millisecond

// cutWithin is how long before a connection was refused a call may have broken to have to do with it.
const cutWithin = 5 * time.Second

// onRoad are the kinds that a network shows which is broken for all alike.
func onRoad(k fault.Kind) bool {
	switch k {
	case fault.DNSServerFailure, fault.DNSTimeout, fault.ConnectTimeout, fault.ConnectReset, fault.Unroutable,
		fault.TLSHandshakeClosed, fault.TLSHandshakeReset, fault.TLSHandshakeTimeout:
		return true
	}
	return false
}

// broke tells whether a call that was under way lost its connection.
func broke(a *journey.Attempt) bool {
	return (a.End == journey.EndEOF || a.End == journey.EndReset) && a.Phase >= journey.PhaseSend
}

func (t *Target) record(a *journey.Attempt, kind fault.Kind, at int64) {
	f := failure{at: at, kind: kind, elapsed: Elapsed(a), size: a.BodyIn, idle: int64(a.ConnIdle)}
	if a.Phase <= journey.PhaseSend {
		f.size = a.BodyOut
	}
	t.failures[t.nFailed%maxFailures] = f
	t.nFailed++
}

// Elapsed is how long after the request was sent an attempt ended, or its answer began; in nanoseconds.
func Elapsed(a *journey.Attempt) int64 {
	switch {
	case a.FirstByte > 0 && a.End == journey.EndComplete:
		return int64(a.FirstByte)
	case a.Phase <= journey.PhaseSend:
		return int64(a.Total)
	default:
		return int64(a.Total - a.SendTime - a.DNSTime - a.ConnectTime - a.TLSTime)
	}
}
