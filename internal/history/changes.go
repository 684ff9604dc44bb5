package history

import (
	"slices"
	"time"

	"causeway/internal/fault"
)

// Away is the Change.What of a time for which no connection to a target could be made, and that is over.
const Away = "away"

// Change is something about a target that is not what it was, with the moment that this was seen.
type Change struct {
	At time.Time
	// What is a mark ("Server", "address", "certificate", ...), or Away.
	What string
	// From and To are a mark's values before and after; "" for Away.
	From, To string
	// Took, Kind and Cut are of Away: how long it was, what connections met, and whether a call under way broke as
	// it began. At is then its beginning.
	Took time.Duration
	Kind fault.Kind
	Cut  bool
}

// Changes are what changed about a target between two moments, the last first; "" is every target of the upstream,
// and an upstream of "" any that has the target. A change of settings is not among them: whoever made it knows more.
func (b *Book) Changes(upstream, target string, from, to time.Time) []Change {
	all := b.list.Load()
	if all == nil || upstream == "" && target == "" {
		return nil
	}
	var list []Change
	seen := map[Change]bool{}
	for _, t := range *all {
		if target != "" && t.url != target || upstream != "" && t.upstream != upstream {
			continue
		}
		for _, c := range t.changed() {
			// Services that share a target each see the same change in a moment of their own.
			same := c
			same.At, same.Took = time.Time{}, 0
			if c.What == Away {
				same.At = c.At.Truncate(time.Second)
			}
			if c.At.Before(from) || c.At.After(to) || seen[same] {
				continue
			}
			seen[same] = true
			list = append(list, c)
		}
	}
	slices.SortStableFunc(list, func(a, b Change) int { return b.At.Compare(a.At) })
	return list
}

func (t *Target) changed() (list []Change) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range min(t.nChanges, maxChanges) {
		c := &t.changes[(t.nChanges-1-i)%maxChanges]
		if c.what != "configuration" {
			list = append(list, Change{At: time.Unix(0, c.at), What: c.what, From: c.from, To: c.to})
		}
	}
	for i := range min(t.nOutages, maxOutages) {
		o := &t.outages[(t.nOutages-1-i)%maxOutages]
		list = append(list, Change{At: time.Unix(0, o.from), What: Away, Took: time.Duration(o.to - o.from), Kind: o.kind, Cut: o.cut})
	}
	return list
}
