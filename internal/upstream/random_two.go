package upstream

import "math/rand/v2"

// Random two: of two targets drawn at random, in proportion to their weights, the one with fewer
// calls in flight for its weight. Close to least_busy, and many gateways before the same targets
// do not all rush to the same one.

func (p *Pool) chooseRandomTwo(s skip) *Target {
	turns := *p.turns.Load()
	for range 4 {
		if len(turns) == 0 {
			break
		}
		r := rand.Uint64()
		a := p.targets[turns[int(r>>32*uint64(len(turns))>>32)]]
		b := p.targets[turns[int(r&(1<<32-1)*uint64(len(turns))>>32)]]
		if b.less(a) {
			a, b = b, a
		}
		if !s.has(a) && a.usable() && a.take() {
			return a
		}
		if !s.has(b) && b.usable() && b.take() {
			return b
		}
	}
	return p.chooseLeast(p.draw(len(p.targets), s), s)
}
