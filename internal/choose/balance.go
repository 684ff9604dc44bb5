package choose

import (
	"fmt"
	"math"
	"math/bits"
	"sync/atomic"
	"time"
)

// Policy is a way to choose among targets.
type Policy uint8

// The policies.
const (
	Weighted     Policy = iota // in turn, by weight
	LeastLatency               // the fastest of late, for its calls in flight
	LeastBusy                  // the fewest calls in flight, for its weight
	Cheapest                   // the lowest price
	Sticky                     // the same one for the same conversation
)

var policyNames = [...]string{"weighted", "least_latency", "least_busy", "cheapest", "sticky"}

func (p Policy) String() string { return policyNames[p] }

// ParsePolicy reads a policy as the configuration has it; "" is weighted.
func ParsePolicy(name string) (Policy, error) {
	for i, n := range policyNames {
		if n == name {
			return Policy(i), nil
		}
	}
	if name == "" {
		return Weighted, nil
	}
	return 0, fmt.Errorf("%q is no way to choose a target", name)
}

// Member is one of the targets that a Balancer chooses from.
type Member struct {
	Target *Target
	Weight int
	// Price is what a million tokens cost, in any unit that the members share; below 0 when not known.
	Price float64
	// Seed tells members apart when a conversation is hashed: it should be the same for the same
	// target in every process and configuration.
	Seed uint64
}

// MaxMembers is how many members a Balancer may have.
const MaxMembers = 64

// Balancer chooses among the targets of one model. It is safe for concurrent use.
type Balancer struct {
	policy  Policy
	members []Member
	shares  []uint16 // members' indexes, each as often as its weight says
	total   int      // of the weights

	_    [64]byte // turn is written by every pick
	turn atomic.Uint64
}

// NewBalancer makes a balancer of 1 to 64 members; weights below 1 count as 1.
func NewBalancer(p Policy, members []Member) (*Balancer, error) {
	if len(members) == 0 || len(members) > MaxMembers {
		return nil, fmt.Errorf("a model may have 1 to %d targets, and this one has %d", MaxMembers, len(members))
	}
	b := &Balancer{policy: p, members: members}
	weights := make([]int, len(members))
	for i, m := range members {
		weights[i] = max(m.Weight, 1)
		b.total += weights[i]
	}
	b.shares = spread(weights)
	return b, nil
}

// Policy is how it chooses.
func (b *Balancer) Policy() Policy { return b.policy }

// Choice is what a pick goes by.
type Choice struct {
	Now     int64
	Allowed uint64 // a bit for each member that may be chosen
	Hash    uint64 // of the conversation, for Sticky; 0: it has none
	Stream  bool   // a stream is asked for
	Again   bool   // an earlier target of this call has failed
}

// Pick chooses a member; -1 when none is allowed. It does not count the call: see Target.Begin.
func (b *Balancer) Pick(c Choice) int {
	if c.Allowed == 0 {
		return -1
	}
	if c.Allowed&(c.Allowed-1) == 0 {
		return bits.TrailingZeros64(c.Allowed)
	}
	switch b.policy {
	case LeastLatency:
		return b.least(c, b.slowness)
	case LeastBusy:
		return b.least(c, b.load)
	case Cheapest:
		return b.least(c, b.price)
	case Sticky:
		if c.Hash != 0 {
			return b.sticky(c)
		}
	}
	return b.byTurn(c)
}

// byTurn takes members in turn, by weight. A call that is made again takes no turn of its own; which
// member it goes on at is left to chance, so that the calls of a target that fails are spread over all others.
func (b *Balancer) byTurn(c Choice) int {
	at := b.turn.Load()
	if !c.Again {
		at = b.turn.Add(1)
	}
	whole := uint64(1)<<len(b.members) - 1
	if c.Allowed&whole == whole && !c.Again {
		return int(b.shares[at%uint64(len(b.shares))])
	}
	total := uint64(0)
	for left := c.Allowed & whole; left != 0; left &= left - 1 {
		total += uint64(max(b.members[bits.TrailingZeros64(left)].Weight, 1))
	}
	if total == 0 {
		return -1
	}
	if c.Again {
		at = mix(at)
	}
	at %= total
	for left := c.Allowed & whole; ; left &= left - 1 {
		i := bits.TrailingZeros64(left)
		w := uint64(max(b.members[i].Weight, 1))
		if at < w {
			return i
		}
		at -= w
	}
}

// least takes the member with the least of something; among equals in turn, by weight.
func (b *Balancer) least(c Choice, of func(*Member, Choice) float64) int {
	least := math.Inf(1)
	var equal uint64
	for left := c.Allowed; left != 0; left &= left - 1 {
		i := bits.TrailingZeros64(left)
		if i >= len(b.members) {
			break
		}
		switch v := of(&b.members[i], c); {
		case v < least:
			least, equal = v, 1<<i
		case v == least:
			equal |= 1 << i
		}
	}
	if equal&(equal-1) == 0 && equal != 0 {
		return bits.TrailingZeros64(equal)
	}
	c.Allowed = equal
	return b.byTurn(c)
}

// unmeasured stands in for a latency that is not known: such a target is soon tried, and not by all
// calls at once.
const unmeasured = time.Millisecond

// slowness is the time that a call may be expected to take: a target that has calls in flight already
// counts as slower.
func (b *Balancer) slowness(m *Member, c Choice) float64 {
	return float64(max(m.Target.Latency(c.Now, c.Stream), unmeasured)) * float64(m.Target.Busy()+1) / float64(max(m.Weight, 1))
}

func (b *Balancer) load(m *Member, _ Choice) float64 {
	return float64(m.Target.Busy()) / float64(max(m.Weight, 1))
}

// price is what a call costs. What has no price comes behind all that have one.
func (b *Balancer) price(m *Member, _ Choice) float64 {
	if m.Price < 0 {
		return math.MaxFloat64
	}
	return m.Price
}

// A target may have crowd times its share of the calls in flight, and a few more, before a
// conversation goes on elsewhere (consistent hashing with bounded loads, arXiv 1608.01350).
const (
	crowd = 1.25
	few   = 4
)

// sticky takes the member that a conversation belongs to (weighted rendezvous hashing), so that its
// provider has the beginning of the prompt in its cache; the next one when that has too many calls in
// flight. A member that comes or goes moves only its own conversations.
func (b *Balancer) sticky(c Choice) int {
	var busy int64
	for i := range b.members {
		busy += b.members[i].Target.Busy()
	}
	best, first := -1, -1
	var bestScore, firstScore float64
	for left := c.Allowed; left != 0; left &= left - 1 {
		i := bits.TrailingZeros64(left)
		if i >= len(b.members) {
			break
		}
		m := &b.members[i]
		score := rendezvous(c.Hash, m.Seed, m.Weight)
		if first < 0 || score > firstScore {
			first, firstScore = i, score
		}
		share := float64(max(m.Weight, 1)) / float64(b.total)
		if float64(m.Target.Busy()) >= crowd*share*float64(busy+1)+few {
			continue
		}
		if best < 0 || score > bestScore {
			best, bestScore = i, score
		}
	}
	if best < 0 {
		return first
	}
	return best
}

// rendezvous is a member's score for a hash: the highest wins, each as often as its weight says.
func rendezvous(hash, seed uint64, weight int) float64 {
	h := mix(hash ^ mix(seed))
	u := (float64(h>>11) + 0.5) / (1 << 53) // in (0, 1)
	return -float64(max(weight, 1)) / math.Log(u)
}

// mix is the finalizer of splitmix64.
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

// Seed makes a member's Seed of its name (FNV-1a).
func Seed(name string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * 1099511628211
	}
	return h
}

// mostShares bounds the places that spread lays out: beyond it shares are rounded.
const mostShares = 10000

// spread lays weights out so that each index comes as often as its weight says and as evenly as it
// can (smooth weighted round robin).
func spread(weights []int) []uint16 {
	total := 0
	for _, w := range weights {
		total += w
	}
	shares := make([]int, len(weights))
	sum := 0
	for i, w := range weights {
		if shares[i] = w; total > mostShares {
			shares[i] = max(w*mostShares/total, 1)
		}
		sum += shares[i]
	}
	credit := make([]int, len(weights))
	out := make([]uint16, 0, sum)
	for range sum {
		best := 0
		for i, w := range shares {
			credit[i] += w
			if credit[i] > credit[best] {
				best = i
			}
		}
		credit[best] -= sum
		out = append(out, uint16(best))
	}
	return out
}
