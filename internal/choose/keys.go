package choose

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Aside is why a key gets no calls for a time.
type Aside uint32

// The reasons.
const (
	InUse       Aside = iota
	RateLimited       // the provider limits it: it has calls again when the wait is over
	Rejected          // the provider does not accept it: one call at a time finds out whether it does again
	OutOfMoney        // its account has no credit left: as Rejected
)

var asideNames = [...]string{"in_use", "rate_limited", "rejected", "out_of_money"}

func (a Aside) String() string { return asideNames[a] }

// The pauses: each doubles with every time in a row, up to the most.
const (
	firstLimited  = time.Second // where the provider does not say
	mostLimited   = time.Minute
	firstRejected = time.Minute
	mostRejected  = time.Hour
	firstMoney    = 10 * time.Minute
	mostMoney     = 2 * time.Hour
	// mostAsked is the longest wait that a provider's word counts for: some answer with the end of a
	// month, and limits are raised before that.
	mostAsked = time.Hour
)

// KeySpec is one key of a provider.
type KeySpec struct {
	Weight   int // its share of the calls; below 1 counts as 1
	Priority int // keys of a higher number are used only when none of a lower one can be
}

// KeyPool chooses the key for a call to a provider. It knows the keys by their index alone. It is
// safe for concurrent use; Adopt comes before everything else.
type KeyPool struct {
	keys  []*key
	tiers [][]uint16 // by priority: keys' indexes, each as often as its weight says
	// aside counts the keys that are not in use, so that a pick looks no further while there are none.
	aside *atomic.Int32

	_    [64]byte
	turn atomic.Uint64
}

// key is what is known of one key. It outlives the pool: Adopt hands it on.
type key struct {
	until atomic.Int64  // when it has calls again; 0: it has
	why   atomic.Uint32 // an Aside

	trial atomic.Bool // a call is finding out whether it is accepted again

	mu      sync.Mutex
	strikes int // in a row
	since   int64
	limits  [2]left // requests, tokens
}

// left is what a provider has said of one limit.
type left struct {
	known     bool
	remaining int64
	reset     int64 // when it is full again, 0 when not known
}

// NewKeyPool makes a pool in which all keys are in use.
func NewKeyPool(specs []KeySpec) *KeyPool {
	p := &KeyPool{aside: new(atomic.Int32)}
	var priorities []int
	for _, s := range specs {
		p.keys = append(p.keys, &key{})
		if !slices.Contains(priorities, s.Priority) {
			priorities = append(priorities, s.Priority)
		}
	}
	slices.Sort(priorities)
	for _, priority := range priorities {
		var weights, index []int
		for i, s := range specs {
			if s.Priority == priority {
				weights, index = append(weights, max(s.Weight, 1)), append(index, i)
			}
		}
		shares := spread(weights)
		for i, k := range shares {
			shares[i] = uint16(index[k])
		}
		p.tiers = append(p.tiers, shares)
	}
	return p
}

// Adopt lets p go on where old stopped: from gives for each key of p its index in old, -1 for a new one.
func (p *KeyPool) Adopt(old *KeyPool, from []int) {
	n := int32(0)
	for i, at := range from {
		if at >= 0 {
			p.keys[i] = old.keys[at]
		}
		if p.keys[i].until.Load() != 0 {
			n++
		}
	}
	p.aside.Store(n)
}

// Len is the number of keys.
func (p *KeyPool) Len() int { return len(p.keys) }

// bit is a key's place in a set of keys that were tried.
func bit(i int) uint64 { return 1 << (i & 63) }

// Mark adds a key to a set of keys that were tried.
func Mark(tried uint64, i int) uint64 { return tried | bit(i) }

// Only is the one key of a pool that has no other, while it is in use.
func (p *KeyPool) Only() (i int, ok bool) {
	return 0, len(p.keys) == 1 && p.keys[0].until.Load() == 0
}

// Pick chooses a key that is in use and not in the set of those tried, 0 for none: by priority, then in turn by weight.
// A key whose time aside is over is chosen as well, one that was rejected or out of money by one call
// at a time. ok is false when there is none; see Soonest.
func (p *KeyPool) Pick(now int64, tried uint64) (i int, ok bool) {
	if i, ok := p.Only(); ok && tried == 0 {
		return i, true
	}
	at := uint64(0)
	if tried == 0 {
		at = p.turn.Add(1)
	} else {
		at = p.turn.Load()
	}
	if tried == 0 && p.aside.Load() == 0 && len(p.tiers) > 0 {
		first := p.tiers[0]
		return int(first[at%uint64(len(first))]), true
	}
	for _, shares := range p.tiers {
		if i, ok := p.among(shares, at, now, tried); ok {
			return i, true
		}
	}
	return 0, false
}

// among picks among the keys of one priority, of which some cannot be used.
func (p *KeyPool) among(shares []uint16, at uint64, now int64, tried uint64) (i int, ok bool) {
	for skipped := tried; ; skipped |= bit(i) {
		total := uint64(0)
		for _, k := range shares {
			if skipped&bit(int(k)) == 0 && p.may(int(k), now) {
				total++
			}
		}
		if total == 0 {
			return 0, false
		}
		nth := at % total
		for _, k := range shares {
			if skipped&bit(int(k)) != 0 || !p.may(int(k), now) {
				continue
			}
			if i = int(k); nth == 0 {
				break
			}
			nth--
		}
		if p.take(i, now) {
			return i, true
		}
	}
}

// may tells whether a key has calls now.
func (p *KeyPool) may(i int, now int64) bool {
	until := p.keys[i].until.Load()
	return until == 0 || now >= until
}

// take makes a key the one to use, if it may be.
func (p *KeyPool) take(i int, now int64) bool {
	k := p.keys[i]
	for {
		until := k.until.Load()
		switch {
		case until == 0:
			return true
		case now < until:
			return false
		case Aside(k.why.Load()) == RateLimited:
			if p.swap(k, until, 0) {
				return true
			}
		default:
			if !p.swap(k, until, now+int64(lease)) {
				return false
			}
			k.trial.Store(true)
			return true
		}
	}
}

func (p *KeyPool) swap(k *key, from, to int64) bool {
	if !k.until.CompareAndSwap(from, to) {
		return false
	}
	switch {
	case from == 0 && to != 0:
		p.aside.Add(1)
	case from != 0 && to == 0:
		p.aside.Add(-1)
	}
	return true
}

// Usable tells whether Pick would find a key.
func (p *KeyPool) Usable(now int64, tried uint64) bool {
	if tried == 0 && p.aside.Load() == 0 {
		return true
	}
	for i, k := range p.keys {
		if until := k.until.Load(); tried&bit(i) == 0 && (until == 0 || now >= until) {
			return true
		}
	}
	return len(p.keys) == 0
}

// Soonest is the key that will be in use first, for a call that has nowhere else to go: rate-limited
// ones before the others. why and wait tell how it is; ok is false when there is no key at all.
func (p *KeyPool) Soonest(now int64) (i int, why Aside, wait time.Duration, ok bool) {
	for n, k := range p.keys {
		w, left := Aside(k.why.Load()), time.Duration(max(k.until.Load()-now, 0))
		if k.until.Load() == 0 {
			w = InUse
		}
		if !ok || (w <= RateLimited) && why > RateLimited || (w <= RateLimited) == (why <= RateLimited) && left < wait {
			i, why, wait, ok = n, w, left, true
		}
	}
	return i, why, wait, ok
}

// Set sets a key aside. wait is what the provider asked for, 0 when it did not say: then the pause
// grows with each time in a row. first tells that the key was in use for all that anybody knew, so that it
// is worth telling; pause is how long it is aside.
func (p *KeyPool) Set(i int, now int64, why Aside, wait time.Duration) (first bool, pause time.Duration) {
	k := p.keys[i]
	k.mu.Lock()
	defer k.mu.Unlock()
	old := Aside(k.why.Load())
	if old != why || k.strikes == 0 {
		k.strikes, k.since, first = 0, now, true
	}
	switch why {
	case RateLimited:
		if pause = min(wait, mostAsked); wait <= 0 {
			pause = grown(firstLimited, mostLimited, k.strikes)
		}
	case Rejected:
		pause = grown(firstRejected, mostRejected, k.strikes)
	case OutOfMoney:
		pause = max(grown(firstMoney, mostMoney, k.strikes), min(wait, mostMoney))
	}
	until, trial := k.until.Load(), k.trial.Swap(false)
	if now < until && old == why && k.strikes > 0 && !trial {
		// A call that had begun before it was set aside says nothing new, but that it may be asked to wait longer.
		if next := now + int64(pause); why == RateLimited && wait > 0 && next > until {
			p.swap(k, until, next)
		}
		return false, time.Duration(k.until.Load() - now)
	}
	k.strikes++
	k.why.Store(uint32(why))
	for !p.swap(k, k.until.Load(), now+int64(pause)) {
	}
	return first, pause
}

// Good notes that a provider took a key. back tells that it had been set aside, and why.
func (p *KeyPool) Good(i int) (back bool, why Aside) {
	k := p.keys[i]
	if k.why.Load() == uint32(InUse) {
		return false, InUse
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	why = Aside(k.why.Load())
	if why == RateLimited && k.until.Load() != 0 {
		return false, why // it answered a call from before; the wait that was asked for holds
	}
	k.strikes = 0
	k.trial.Store(false)
	k.why.Store(uint32(InUse))
	for !p.swap(k, k.until.Load(), 0) {
	}
	return why != InUse, why
}

// Limit is what an answer's fields said of one limit of a key.
type Limit struct {
	Known     bool
	Remaining int64
	Reset     time.Duration // until it is full again, 0 when not said
}

// Learn notes what an answer has said of a key's limits. A key with nothing left is set aside until the
// limit is full again; it tells for how long, 0 when it is not.
func (p *KeyPool) Learn(i int, now int64, requests, tokens Limit) (pause time.Duration) {
	k := p.keys[i]
	k.mu.Lock()
	for n, l := range [...]Limit{requests, tokens} {
		if !l.Known {
			continue
		}
		k.limits[n] = left{known: true, remaining: l.Remaining}
		if l.Reset > 0 {
			k.limits[n].reset = now + int64(l.Reset)
		}
		if l.Remaining == 0 {
			pause = max(pause, l.Reset)
		}
	}
	k.mu.Unlock()
	if pause > 0 {
		_, pause = p.Set(i, now, RateLimited, pause)
	}
	return pause
}

// KeyState is a key as metrics and people see it.
type KeyState struct {
	Why   Aside
	Next  time.Duration // until it has calls again
	Since time.Duration // how long ago it was set aside first, 0 while it is in use
	// Requests and Tokens are what the provider has said is left; -1 when it has not.
	Requests, Tokens int64
}

// States tells how the keys are, by index.
func (p *KeyPool) States(now int64) []KeyState {
	out := make([]KeyState, len(p.keys))
	for i, k := range p.keys {
		s := &out[i]
		k.mu.Lock()
		if s.Requests, s.Tokens = -1, -1; k.limits[0].known {
			s.Requests = k.limits[0].remaining
		}
		if k.limits[1].known {
			s.Tokens = k.limits[1].remaining
		}
		if until := k.until.Load(); until != 0 && (until > now || Aside(k.why.Load()) != RateLimited) {
			s.Why, s.Next = Aside(k.why.Load()), time.Duration(max(until-now, 0))
			s.Since = time.Duration(now - k.since)
		}
		k.mu.Unlock()
	}
	return out
}
