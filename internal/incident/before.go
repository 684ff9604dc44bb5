package incident

import (
	"slices"
	"time"
)

// together is how far apart two may have noticed the same change.
const together = 5 * time.Second

// before are the changes that came shortly before an incident and may have to do with it, the last first: those
// that the engine was told of, and what is remembered of the target.
func (e *Engine) before(t *track) (list []Change) {
	if t.Side == Caller {
		return nil
	}
	from, to := t.Onset.Add(-changesBefore), t.Onset.Add(changesAfter)
	known := e.remembered(t, from, to)
	for i := range e.changes {
		c := &e.changes[i]
		if c.At.After(to) || c.At.Before(from) || c.Target != "" && c.Target != t.Target {
			continue
		}
		if len(c.Services) > 0 && len(t.Services) > 0 && !slices.ContainsFunc(c.Services, func(s string) bool { return slices.Contains(t.Services, s) || s == t.Provider }) {
			continue
		}
		if slices.ContainsFunc(known, func(k Change) bool { return sameChange(c, &k) }) {
			continue
		}
		list = append(list, *c)
	}
	list = append(list, known...)
	slices.SortStableFunc(list, func(a, b Change) int { return b.At.Compare(a.At) })
	return list[:min(len(list), listedChanges)]
}

// remembered asks the memory for an incident's target, or else for its provider or services.
func (e *Engine) remembered(t *track, from, to time.Time) (list []Change) {
	if e.memory == nil || t.Side == Gateway {
		return nil
	}
	switch {
	case t.Target != "":
		list = e.memory("", t.Target, from, to)
	case t.Provider != "":
		list = e.memory(t.Provider, "", from, to)
	default:
		for _, s := range t.Services {
			list = append(list, e.memory(s, "", from, to)...)
		}
	}
	// What ended the incident's own run is no change before it.
	return slices.DeleteFunc(list, func(c Change) bool { return c.What == Restart && c.At.After(t.Onset.Add(-time.Millisecond)) })
}

// sameChange tells whether what the engine was told of is remembered as well, with more to say.
func sameChange(told, known *Change) bool {
	switch {
	case known.What != told.What && !(told.What == recovery && known.What == Restart):
		return false
	case told.What == recovery:
		return told.Target == known.Target && told.At.Sub(known.Until).Abs() < together
	}
	return told.What == "address" && told.Target == known.Target && told.At.Sub(known.At).Abs() < together
}
