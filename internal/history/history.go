// Package history remembers how each target has fared, so that a failure can be held against what was before: when
// it last answered and under which settings, how long its answers took, which requests it failed on, what about
// it changed, and whether others fail at the same time.
//
// A good call pays nothing for it: the caller tells of good answers at most a hundred times a second per target (see
// upstream.Target.MarkGood), and of every failure. What is remembered is bounded per target and in all, lives in
// this process, and is read only when something has failed. The package judges nothing: it hands a journey.Past to
// the rules.
package history

import (
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"causeway/internal/fault"
)

// MaxTargets is how many targets a book remembers; further ones are not watched.
const MaxTargets = 4096

// Book is what is remembered of all targets. It is safe for concurrent use; the zero value is ready.
type Book struct {
	mu      sync.Mutex
	targets map[string]*Target
	list    atomic.Pointer[[]*Target]
}

// Open returns the memory of a target of an upstream, by the upstream's name and the target's URL, and makes one
// at its first call. It is nil when MaxTargets are watched already: every method of a nil Target does nothing.
func (b *Book) Open(upstream, target string, now time.Time) *Target {
	if b == nil {
		return nil
	}
	key := upstream + "\x00" + target
	b.mu.Lock()
	defer b.mu.Unlock()
	if t := b.targets[key]; t != nil {
		return t
	}
	if len(b.targets) >= MaxTargets {
		return nil
	}
	t := &Target{book: b, upstream: upstream, url: target, host: hostOf(target), began: now.UnixNano()}
	if b.targets == nil {
		b.targets = map[string]*Target{}
	}
	b.targets[key] = t
	var list []*Target
	if old := b.list.Load(); old != nil {
		list = *old
	}
	list = append(list, t) // readers have the length of before
	b.list.Store(&list)
	return t
}

// Keep forgets every target for which keep says no: those of a configuration that is gone.
func (b *Book) Keep(keep func(upstream, target string) bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for key, t := range b.targets {
		if !keep(t.upstream, t.url) {
			delete(b.targets, key)
		}
	}
	list := make([]*Target, 0, len(b.targets))
	for _, t := range b.targets {
		list = append(list, t)
	}
	b.list.Store(&list)
}

func hostOf(target string) string {
	u, err := url.Parse(target)
	if err != nil || u.Scheme == "unix" {
		return target
	}
	return u.Hostname()
}

// Target is the memory of one target.
type Target struct {
	book          *Book
	upstream, url string
	host          string
	began         int64 // Unix nanoseconds, as all times here

	// Read by other targets' failures without a lock.
	good    atomic.Int64
	bad     atomic.Int64
	link    atomic.Bool // the last failure was before the request was sent: name, connection, TLS
	road    atomic.Bool // and was one that a broken network shows as
	badKind atomic.Pointer[fault.Kind]
	skew    atomic.Int64 // this host's clock less the target's Date
	skewed  atomic.Bool  // skew is known

	mu       sync.Mutex
	revision uint64
	revised  int64 // when the revision in force was first seen, 0 for the first one
	goodRev  uint64
	goodOld  int64 // the last good answer under a revision before

	streak  int
	runFrom int64
	runKind fault.Kind
	lastBad int64
	runCut  int64 // when the call broke that came before the run, 0 for none
	cutAt   int64 // when a call under way last broke

	fine   ring // samples of latency, close together
	coarse ring // and a second apart
	busy   float64

	shapes   [maxShapes]shape
	failures [maxFailures]failure
	nFailed  int
	marks    [maxMarks]mark
	changes  [maxChanges]change
	nChanges int
	outages  [maxOutages]outage
	nOutages int
	models   [maxShapes]modelSeen
}

// Bounds of what is remembered of one target.
const (
	maxShapes   = 48
	maxFailures = 32
	maxMarks    = 12
	maxValues   = 8
	maxChanges  = 8
	maxOutages  = 6
	maxMark     = 120 // bytes of a mark's value
	// restless changes of one mark within restlessIn make it one that tells nothing: an address of many, a counter.
	restless   = 4
	restlessIn = int64(10 * time.Minute)
	// settled is how often in a row a value must have been seen for the one before it to come back as a change, and
	// not as one of several that take turns.
	settled = 16
	// learning is for how long the addresses behind a name are learnt: a name may have several.
	learning = int64(10 * time.Second)
)

type shape struct {
	id             uint64
	good           int
	goodAt         int64
	failed         int // in a row
	since          int64
	at             int64
	othersG, other int // others' good and bad answers since
}

type failure struct {
	at      int64
	kind    fault.Kind
	elapsed int64
	size    int64
	idle    int64
}

type mark struct {
	what   string
	values [maxValues]string
	n      int             // different values, ever
	last   int             // index of the one seen last
	first  int64           // when the first was seen
	run    int             // times in a row that the last was seen
	moved  [restless]int64 // the latest changes
	nMoved int
}

type change struct {
	what, from, to string
	at             int64
}

type outage struct {
	from, to int64
	kind     fault.Kind
	cut      bool
}

type modelSeen struct {
	id uint64
	at int64
}
