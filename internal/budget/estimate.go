package budget

import (
	"hash/maphash"
	"sync"
)

// Estimates learns what calls use, so that a reservation is near what will be settled: too small a one lets
// calls that run at once pass a limit together, too large a one keeps callers waiting near it. It is safe for
// concurrent use, and its memory is bounded.
type Estimates struct {
	seed  maphash.Seed
	shard [16]estimateShard
}

type estimateShard struct {
	mu    sync.Mutex
	known map[uint64]*learned
}

type learned struct{ output, perByte float64 }

// Much is what a caller's call is taken to answer while nothing is known and the call does not say.
const Much = 4096

// BytesPerToken is how long a token of a request's JSON is taken to be while nothing is known.
const BytesPerToken = 4

const mostLearned = 4096 // a shard

// NewEstimates returns estimates that know nothing.
func NewEstimates() *Estimates {
	e := &Estimates{seed: maphash.MakeSeed()}
	for i := range e.shard {
		e.shard[i].known = map[uint64]*learned{}
	}
	return e
}

func (e *Estimates) at(application, model string) (*estimateShard, uint64) {
	var h maphash.Hash
	h.SetSeed(e.seed)
	_, _ = h.WriteString(application)
	_ = h.WriteByte(0)
	_, _ = h.WriteString(model)
	k := h.Sum64()
	return &e.shard[k%16], k
}

// Guess is what a call of an application to a model may use: input tokens by the length of its body, and
// output tokens. most is what the call itself says it wants at most, 0 when it does not.
func (e *Estimates) Guess(application, model string, body int, most int64) (input, output int64) {
	s, k := e.at(application, model)
	s.mu.Lock()
	l := s.known[k]
	per, out := 1.0/BytesPerToken, float64(Much)
	if l != nil {
		per, out = max(l.perByte, per), l.output
	}
	s.mu.Unlock()
	input, output = int64(float64(body)*per)+1, int64(out)+1
	if most > 0 && (l == nil || most < output) {
		output = most
	}
	return input, output
}

// Learn notes what a call used. The largest of late counts, and is forgotten slowly.
func (e *Estimates) Learn(application, model string, body int, input, output int64) {
	s, k := e.at(application, model)
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.known[k]
	if l == nil {
		if len(s.known) >= mostLearned {
			clear(s.known)
		}
		l = &learned{}
		s.known[k] = l
	}
	const forget = 0.98
	l.output = max(l.output*forget, float64(output))
	if body > 0 {
		l.perByte = max(l.perByte*forget, float64(input)/float64(body))
	}
}
