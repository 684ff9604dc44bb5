package gateway

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"causeway/internal/budget"
	"causeway/internal/cache"
	"causeway/internal/fault"
	"causeway/internal/journey"
	"causeway/internal/ledger"
	"causeway/internal/llm"
	"causeway/internal/owner"
	"causeway/internal/responses"
	"causeway/internal/shed"
	"causeway/internal/snapshot"
	"causeway/internal/tokens"
	"causeway/internal/wire"
)

// Sandbox is the built-in provider's own side.
type Sandbox interface {
	// Upstream is who answers for a sandbox model, for a call that asked for a stream or did not.
	// synthetic is set instead for a fault that no upstream can have there: the call then fails with it.
	Upstream(model string, stream bool) (up *snapshot.Upstream, synthetic fault.Kind, ok bool)
}

// Options are what New needs; all but Log and Now are required.
type Options struct {
	Ledger  *ledger.Ledger
	Sandbox Sandbox
	Log     *slog.Logger
	// Challenge is what an ACME authority is answered to GET path on a host, where an order of ours waits
	// for it (RFC 8555 section 8.3); nil answers none.
	Challenge func(ctx context.Context, host, path string) ([]byte, bool)
	// Counters keep what applications have used of their limits; nil counts in this process and forgets with it.
	Counters budget.Counters
	// Cache keeps answers; nil keeps some in this process's memory.
	Cache *cache.Cache
	// Fetch gets media at a URL for a provider that takes bytes only: their type and base64. nil fetches
	// nothing.
	Fetch func(ctx context.Context, url string) (mime, data string, err error)
	// Owner remembers whose the files and batches are that providers keep; nil forgets with this process.
	Owner *owner.Registry
	// Responses keeps what callers of the Responses API may go on from; nil keeps nothing.
	Responses *responses.Keeper
	// Host tells what the gateway's own host was like since a time; nil leaves it out of findings.
	Host func(since time.Time) *journey.Host
	// Child tells what is known of the upstream's process for a call that began at since and has failed, where
	// this program has started it (causeway run); with broke its connection broke just now. nil: it has not.
	Child func(since time.Time, broke bool) *journey.Child
	// MemoryMax is how many bytes the process may have, MemoryKill where the kernel would end it; 0 when
	// not known.
	MemoryMax, MemoryKill int64
	// Lane is what texts share that take long to read; nil holds none back.
	Lane *wire.Lane
	// OnUnread is told of each text in a content coding that unfolds to too much; nil is not told.
	OnUnread func(Unread)
}

// Gateway serves calls. It is a wire.Handler and safe for concurrent use.
type Gateway struct {
	current atomic.Pointer[snapshot.Generation]
	ledger  *ledger.Ledger
	sandbox Sandbox
	log     *slog.Logger

	gate       *shed.Gate
	refusals   [shed.Verdicts]atomic.Pointer[refusal]
	challenge  func(ctx context.Context, host, path string) ([]byte, bool)
	host       func(since time.Time) *journey.Host
	child      func(since time.Time, broke bool) *journey.Child // nil: nothing is known of it
	fetch      func(ctx context.Context, url string) (mime, data string, err error)
	responses  *responses.Keeper
	owner      *owner.Registry
	memoryMax  int64
	memoryKill int64
	draining   atomic.Bool
	calls      sync.Pool
	bodies     sync.Pool
	readers    chan struct{} // held while a caller reads a call of its own
	money      *purse
	cache      *cache.Cache
	flights    flights // of services' answers
	near       nearIndex
	tokens     *tokens.Counter
	failLog    *logLimit
	lane       *wire.Lane
	onUnread   func(Unread)
}

// mostReaders is how many callers may look into the call log at once: whoever knows the address may
// ask, and a search for what is not there reads much.
const mostReaders = 4

// cacheSize is how much memory kept answers take where Options.Cache is nil.
const cacheSize = 64 << 20

// New makes a gateway that serves the generation.
func New(o Options, first *snapshot.Generation) (*Gateway, error) {
	if o.Ledger == nil || first == nil || o.Sandbox == nil {
		return nil, errors.New("making a gateway: a ledger, a sandbox and a generation are needed")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Host == nil {
		o.Host = func(time.Time) *journey.Host { return nil }
	}
	g := &Gateway{
		ledger: o.Ledger, sandbox: o.Sandbox, log: o.Log, readers: make(chan struct{}, mostReaders),
		challenge: o.Challenge, lane: o.Lane, onUnread: o.OnUnread, host: o.Host, child: o.Child, fetch: o.Fetch, responses: o.Responses, memoryMax: o.MemoryMax, memoryKill: o.MemoryKill,
	}
	if g.owner = o.Owner; g.owner == nil {
		g.owner = owner.New(nil)
	}
	g.tokens, g.failLog = tokens.NewCounter(), newLogLimit()
	if g.cache = o.Cache; g.cache == nil {
		g.cache = cache.New(cache.NewMemory(cacheSize, 0, nil), cache.Options{})
	}
	g.money = newPurse(o.Counters, o.Log)
	g.gate = shed.New(g.shedLimits(first))
	g.calls.New = func() any {
		c := new(call)
		c.j.Reset()
		return c
	}
	g.bodies.New = func() any { return new([keepBody]byte) }
	g.current.Store(first)
	return g, nil
}

// Install puts a generation in force for calls that begin from now on.
func (g *Gateway) Install(gen *snapshot.Generation) {
	g.gate.Configure(g.shedLimits(gen))
	g.current.Store(gen)
}

// Generation is the one in force.
func (g *Gateway) Generation() *snapshot.Generation { return g.current.Load() }

// Drain makes answers from now on ask callers to connect anew.
func (g *Gateway) Drain() { g.draining.Store(true) }

// Draining tells whether Drain was called.
func (g *Gateway) Draining() bool { return g.draining.Load() }

// InFlight is the number of calls being served.
func (g *Gateway) InFlight() int64 { return g.gate.InFlight() }

// Serve takes one call through the rooms.
func (g *Gateway) Serve(ex wire.Exchange) {
	c := g.enter(ex)
	c.counted, c.admitted = true, g.gate.Enter()
	defer func() {
		if p := recover(); p != nil {
			c.caught(p)
		}
		c.leave()
	}()
	switch {
	case !c.hall():
	case !c.signpost():
	case c.own:
		c.ownPage()
		return
	case !c.guards():
	case c.op == llm.ListModels || c.op == llm.GetModel || c.op == llm.Version:
		c.answerModels()
		return
	case c.prompt.asked && !c.openPrompt():
	case c.prompt.asked && c.j.Method != "POST":
		c.promptPage()
		return
	case c.op == llm.Stored && c.stored():
		return
	case (c.op == llm.Files || c.op == llm.Batches) && c.ownedObject():
		return
	case c.svc != nil && c.svc.Cache != nil && c.fromCache():
		return
	case !c.translate():
	case c.recall != nil && c.recall.hit != nil:
		c.replay()
		return
	case c.op == llm.CountTokens && c.countHere():
		return
	case !c.luggage():
	case c.hedges():
		if c.travelHedged() {
			return
		}
	case c.travel():
		return
	case c.shelf != nil && c.serveStale():
		return
	}
	c.explain()
}

// Refuse answers a call that the door turned away.
func (g *Gateway) Refuse(ex wire.Exchange, why *wire.Refusal) {
	c := g.enter(ex)
	defer func() {
		if p := recover(); p != nil {
			c.caught(p)
		}
		c.leave()
	}()
	c.settle()
	_ = c.open() // it is turned away whether there is room for its record or not
	c.fail(refusalFailure(why, ex.Protocol()))
	c.explain()
}
