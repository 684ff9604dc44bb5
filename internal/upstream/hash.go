package upstream

import "math"

// Hashing: the same caller, header or cookie goes to the same target while that can take it.
// Each target scores each hash (weighted rendezvous hashing), and the best score wins; so when a
// target is lost, only what it had moves, to the others by weight, and comes back with it. The
// scores hang on the targets' URLs alone: every gateway, and the same gateway after a restart,
// chooses alike.

// Hash turns a value that stickiness hangs on into Pick's argument. It is never 0 and stable
// across versions and machines; it is no protection against values made to collide. Without a
// value (no such cookie) give Pick 0.
func Hash(value []byte) uint64 {
	h := uint64(14695981039346656037) // FNV-1a, 64 bits
	for _, c := range value {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return max(mix(h), 1)
}

// mix spreads every bit of x over all bits of the result (the finalizer of MurmurHash3).
func mix(x uint64) uint64 {
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	x ^= x >> 33
	return x
}

func (p *Pool) chooseHashed(hash uint64, s skip) *Target {
	for {
		var best *Target
		var top float64
		var topHash uint64
		for _, t := range p.targets {
			if s.has(t) || !t.usable() || p.maxBusy > 0 && t.load.busy.Load() >= p.maxBusy {
				continue
			}
			h := mix(hash ^ t.seed)
			if p.equal { // the order of the scores is that of the hashes
				if best == nil || h > topHash {
					best, topHash = t, h
				}
				continue
			}
			u := (float64(h>>11) + 0.5) / (1 << 53) // in (0, 1)
			w := float64(t.Weight)
			if best != nil && w <= top*(1-u) {
				continue // -ln(u) >= 1-u, so the score cannot be above top: spares the logarithm
			}
			if score := -w / math.Log(u); best == nil || score > top {
				best, top = t, score
			}
		}
		if best == nil || best.take() {
			return best
		}
	}
}
