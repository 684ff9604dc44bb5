package gateway

import (
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"causeway/internal/fault"
	"causeway/internal/ledger"
	"causeway/internal/llm"
	"causeway/internal/snapshot"
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
}

// Gateway serves calls. It is a wire.Handler and safe for concurrent use.
type Gateway struct {
	current atomic.Pointer[snapshot.Generation]
	ledger  *ledger.Ledger
	sandbox Sandbox
	log     *slog.Logger

	inFlight atomic.Int64
	draining atomic.Bool
	calls    sync.Pool
	bodies   sync.Pool
	readers  chan struct{} // held while a caller reads a call of its own
	failLog  logLimit
}

// mostReaders is how many callers may look into the call log at once: whoever knows the address may
// ask, and a search for what is not there reads much.
const mostReaders = 4

// New makes a gateway that serves the generation.
func New(o Options, first *snapshot.Generation) (*Gateway, error) {
	if o.Ledger == nil || first == nil || o.Sandbox == nil {
		return nil, errors.New("making a gateway: a ledger, a sandbox and a generation are needed")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	g := &Gateway{ledger: o.Ledger, sandbox: o.Sandbox, log: o.Log, readers: make(chan struct{}, mostReaders)}
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
func (g *Gateway) Install(gen *snapshot.Generation) { g.current.Store(gen) }

// Generation is the one in force.
func (g *Gateway) Generation() *snapshot.Generation { return g.current.Load() }

// Drain makes answers from now on ask callers to connect anew.
func (g *Gateway) Drain() { g.draining.Store(true) }

// Draining tells whether Drain was called.
func (g *Gateway) Draining() bool { return g.draining.Load() }

// InFlight is the number of calls being served.
func (g *Gateway) InFlight() int64 { return g.inFlight.Load() }

// Serve takes one call through the rooms.
func (g *Gateway) Serve(ex wire.Exchange) {
	c := g.enter(ex)
	g.inFlight.Add(1)
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
	case c.op == llm.ListModels || c.op == llm.GetModel:
		c.answerModels()
		return
	case !c.translate():
	case !c.luggage():
	case c.travel():
		return
	}
	c.explain()
}

// Refuse answers a call that the door turned away.
func (g *Gateway) Refuse(ex wire.Exchange, why *wire.Refusal) {
	c := g.enter(ex)
	g.inFlight.Add(1)
	defer func() {
		if p := recover(); p != nil {
			c.caught(p)
		}
		c.leave()
	}()
	c.settle()
	_ = c.open() // it is turned away whether there is room for its record or not
	c.fail(refusalFailure(why))
	c.explain()
}

// logLimit lets through a bounded number of lines a second and counts the rest.
type logLimit struct {
	second  atomic.Int64
	lines   atomic.Int64
	skipped atomic.Int64
}

func (l *logLimit) allow(now time.Time) (ok bool, skipped int64) {
	const most = 20
	s := now.Unix()
	if old := l.second.Load(); old != s && l.second.CompareAndSwap(old, s) {
		l.lines.Store(0)
		skipped = l.skipped.Swap(0)
	}
	if l.lines.Add(1) > most {
		l.skipped.Add(1)
		return false, 0
	}
	return true, skipped
}
