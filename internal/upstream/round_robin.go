package upstream

import (
	"math/rand/v2"
	"slices"
)

// Weighted round robin: a precomputed sequence in which every target stands as often as its
// weight says, spread as evenly as it goes, and one atomic counter that walks it. The sequence
// has the healthy targets only and is made anew when health changes, so that shares stay exact
// when one is down.

// maxTurns bounds the sequence. Weights that need a longer one are scaled down, which changes
// shares by less than one in ten thousand for each target.
const maxTurns = 1 << 14

// chooseInTurn takes the target whose turn it is. A target that is full, held or skipped loses
// its turn to the next draw, which keeps the shares of the others in proportion.
func (p *Pool) chooseInTurn(s skip) *Target {
	turns := *p.turns.Load()
	if len(turns) > 0 {
		for range 4 + 2*min(len(p.targets), 8) {
			t := p.targets[turns[p.draw(len(turns), s)]]
			if !s.has(t) && t.usable() && !t.warming() && t.take() {
				return t
			}
		}
	}
	return p.chooseLeast(p.draw(len(p.targets), s), s) // after so many draws anything that is left will do
}

// draw is where to look in a sequence of n: the next place, or for a retry any. A retry takes no
// turn: else, of two targets in turn, each call would begin at the dead one.
func (p *Pool) draw(n int, s skip) int {
	if s.tried != nil {
		return rand.IntN(n)
	}
	return p.turn(n)
}

// turn is the next place in a sequence of n.
func (p *Pool) turn(n int) int {
	if n == 1 {
		return 0
	}
	return int((p.next.Add(1) - 1) % uint64(n))
}

// setTurns makes the sequence from the targets that are healthy now, unless it is the same.
func (p *Pool) setTurns() {
	p.mu.Lock()
	defer p.mu.Unlock()
	weights := make([]int, len(p.targets))
	for i, t := range p.targets {
		if t.verdict.healthy.Load() {
			weights[i] = t.Weight
		}
	}
	if p.turns.Load() != nil && slices.Equal(weights, p.shares) {
		return
	}
	p.shares = weights
	turns := spread(weights)
	p.turns.Store(&turns)
}

// spread gives a sequence of indexes in which i stands weights[i] times (divided by their common
// divisor), as evenly as possible: at each place the one that is furthest behind its share.
func spread(weights []int) []uint16 {
	weights, total := reduce(weights)
	turns := make([]uint16, 0, total)
	behind := make([]int, len(weights))
	for range total {
		best := -1
		for i, w := range weights {
			behind[i] += w
			if w > 0 && (best < 0 || behind[i] > behind[best]) {
				best = i
			}
		}
		behind[best] -= total
		turns = append(turns, uint16(best))
	}
	return turns
}

// reduce divides weights by their common divisor and scales them below maxTurns in all.
func reduce(weights []int) (reduced []int, total int) {
	divisor := 0
	for _, w := range weights {
		for a := w; a != 0; {
			divisor, a = a, divisor%a
		}
		total += w
	}
	if total == 0 {
		return nil, 0
	}
	reduced = make([]int, len(weights))
	scale := float64(divisor)
	if total/divisor > maxTurns {
		scale = float64(total) / maxTurns
	}
	sum := 0
	for i, w := range weights {
		if w > 0 {
			reduced[i] = max(1, int(float64(w)/scale+0.5))
		}
		sum += reduced[i]
	}
	return reduced, sum
}
