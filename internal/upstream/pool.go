// Package upstream chooses which target of an upstream gets a call, and whether a failed call
// may be made again.
//
// A Pool keeps three facts about each target apart: whether its health checks pass, whether it
// has a free slot (max_busy), and whether it is held back for a time (the breaker's place). A
// target is picked only when all three allow it; when none is left the Refusal tells for every
// target which of the three it was and why. There is no panic mode: a target that is known to be
// down gets no calls.
//
// The package does no networking: health checks call a function that the pool is given.
package upstream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"causeway/internal/catalog"
)

// Options are what a Pool is made of.
type Options struct {
	Name    string       // the service's name, for texts and logs
	Targets []TargetSpec // at least one for anything to be picked; URLs must differ
	Balance string       // as in catalog.Upstream; "" is round_robin, "weighted" is the same
	MaxBusy int          // calls that a target may have at once; 0 = no limit
	Health  *catalog.Health
	Breaker *catalog.Breaker // nil: none
	// Opened is told when a breaker leaves a target alone; may be nil. It must not block.
	Opened func(target int, why Reason, until time.Time)
	// Check makes one health check of the target with this index. It must return soon after ctx
	// ends and may be called concurrently for different targets. Needed when Health is set.
	Check func(ctx context.Context, target int) CheckResult
	// Changed is called after a target's health has changed; may be nil. It is called from the
	// goroutine of the target's checks, which waits for it.
	Changed func(target int, healthy bool, reason Reason)
	Now     func() time.Time // nil: time.Now
	Log     *slog.Logger     // nil: nothing is logged
}

// TargetSpec is one target as configured.
type TargetSpec struct {
	URL    string
	Weight int // its share; 0: it gets no calls (drained)
}

// Pool is the targets of one upstream. All methods may be called concurrently, except that Adopt
// comes before everything else.
type Pool struct {
	name    string
	balance balance
	by      HashBy
	maxBusy int64
	health  *catalog.Health
	check   func(ctx context.Context, target int) CheckResult
	changed func(target int, healthy bool, reason Reason)
	opened  func(target int, why Reason, until time.Time)
	breaker *catalog.Breaker
	now     func() time.Time
	log     *slog.Logger

	targets []*Target
	turns   atomic.Pointer[[]uint16] // targets in turn, by weight: see round_robin.go
	equal   bool                     // all weights are equal

	_    [64]byte // next is written by every pick; the fields above are only read
	next atomic.Uint64
	_    [64]byte

	start sync.Once
	stop  context.CancelFunc
	done  sync.WaitGroup
	mu    sync.Mutex // guards stop and shares
	// shares are the weights that turns was made of.
	shares []int
}

// maxTargets keeps indexes in 16 bits.
const maxTargets = 1 << 16

// New makes a pool whose targets are all taken to be healthy. It starts nothing: see Start.
func New(o Options) (*Pool, error) {
	p := &Pool{name: o.Name, maxBusy: int64(o.MaxBusy), health: o.Health, check: o.Check, changed: o.Changed, opened: o.Opened, breaker: o.Breaker, now: o.Now, log: o.Log}
	var err error
	if p.balance, p.by, err = parseBalance(o.Balance); err != nil {
		return nil, fmt.Errorf("upstream of %s: %w", o.Name, err)
	}
	if err := checkOptions(&o); err != nil {
		return nil, fmt.Errorf("upstream of %s: %w", o.Name, err)
	}
	if p.now == nil {
		p.now = time.Now
	}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	p.equal = true
	for i, spec := range o.Targets {
		p.targets = append(p.targets, &Target{
			Index: i, URL: spec.URL, Weight: spec.Weight, pool: p, seed: Hash([]byte(spec.URL)),
			load: &load{}, verdict: newVerdict(p.now()),
		})
		p.targets[i].load.breaker.Store(newBreaker(o.Breaker))
		p.equal = p.equal && spec.Weight == o.Targets[0].Weight
	}
	p.setTurns()
	return p, nil
}

func checkOptions(o *Options) error {
	if len(o.Targets) > maxTargets {
		return fmt.Errorf("%d targets are more than %d", len(o.Targets), maxTargets)
	}
	seen := map[string]bool{}
	for _, t := range o.Targets {
		switch {
		case seen[t.URL]:
			return fmt.Errorf("target %s is there twice; raise its weight instead", t.URL)
		case t.Weight < 0:
			return fmt.Errorf("target %s has the weight %d, below 0", t.URL, t.Weight)
		}
		seen[t.URL] = true
	}
	if o.MaxBusy < 0 {
		return fmt.Errorf("max_busy is %d, below 0", o.MaxBusy)
	}
	if h := o.Health; h != nil {
		if o.Check == nil {
			return errors.New("health needs a check function")
		}
		if h.Interval <= 0 || h.Timeout <= 0 || h.HealthyAfter < 1 || h.UnhealthyAfter < 1 || h.StatusFrom > h.StatusTo {
			return fmt.Errorf("health %+v: interval and timeout must be above 0, healthy_after and unhealthy_after at least 1, and status a range", *h)
		}
	}
	return nil
}

// Name is the pool's name.
func (p *Pool) Name() string { return p.name }

// Checks tells whether the targets' health is checked.
func (p *Pool) Checks() bool { return p.health != nil }

// MinValidity is health.min_validity of checks of type tls, 0 for others and for none.
func (p *Pool) MinValidity() time.Duration {
	if p.health == nil || p.health.Type != "tls" {
		return 0
	}
	return p.health.MinValidity
}

// Targets are the pool's targets, by index. The slice must not be changed.
func (p *Pool) Targets() []*Target { return p.targets }

// HashBy tells what to hash for Pick.
func (p *Pool) HashBy() HashBy { return p.by }

// Adopt lets p go on where old stopped: a target with the same URL keeps its calls in flight, its
// slots, counters and holds, and with unchanged health settings also the verdict of its checks.
// Both pools then share them, so that calls begun on old give their slots back to p too. It must
// be called before p is started or picked from; old may be in use.
func (p *Pool) Adopt(old *Pool) {
	if old == nil {
		return
	}
	byURL := map[string]*Target{}
	for _, t := range old.targets {
		byURL[t.URL] = t
	}
	sameHealth := p.health == old.health || p.health != nil && old.health != nil && *p.health == *old.health
	for _, t := range p.targets {
		from := byURL[t.URL]
		if from == nil {
			continue
		}
		own := t.load.breaker.Load()
		t.load = from.load
		if was := t.load.breaker.Load(); (was == nil) != (own == nil) || was != nil && was.set != own.set {
			t.load.breaker.Store(own)
			if own == nil || was != nil {
				t.Unhold()
			}
		}
		if sameHealth {
			t.verdict = from.verdict
		}
	}
	p.setTurns()
}
