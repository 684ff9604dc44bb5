package upstream

// Least busy: the target with the fewest calls in flight for its weight; among equals the one
// whose turn it is.

func (p *Pool) chooseLeastBusy(s skip) *Target {
	first := 0
	if turns := *p.turns.Load(); len(turns) > 0 {
		first = int(turns[p.draw(len(turns), s)])
	}
	return p.chooseLeast(first, s)
}

// chooseLeast takes the least busy usable target; among equals the one that comes first, counted
// from the index first. When its last slot is lost to another call meanwhile, it looks again.
func (p *Pool) chooseLeast(first int, s skip) *Target {
	for {
		var best *Target
		for k := range p.targets {
			i := first + k
			if i >= len(p.targets) {
				i -= len(p.targets)
			}
			t := p.targets[i]
			if (best == nil || t.less(best)) && !s.has(t) && t.usable() && (p.maxBusy == 0 || t.load.busy.Load() < p.maxBusy) {
				best = t
			}
		}
		if best == nil || best.take() {
			return best
		}
	}
}
