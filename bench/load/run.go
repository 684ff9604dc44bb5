package load

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"causeway/bench/poll"
	"causeway/bench/stats"
)

const (
	// step is the longest time between two looks at the clock and at the context.
	step = 20 * time.Millisecond
	// patience is how long the last answers may take before they count as stuck.
	patience = 10 * time.Second
	// finestTick bounds the open loop's clock: at higher rates several calls are sent per tick.
	finestTick = 25 * time.Microsecond
)

// Run does one run on the calling goroutine. A server that answers wrongly is no error: the result
// counts it. An error is a wrong spec, a connection that can't be opened, a process that has gone,
// ctx ended, or one of beside.
//
// beside, when not nil, is called in every turn of the loop, which then never sleeps while calls
// are under way: for a mock upstream on the same thread. A core that never idles is woken by
// nobody, and a wake-up costs the waker more than a small answer does, above all in a virtual machine.
func Run(ctx context.Context, spec Spec, beside func() error) (Result, error) {
	g, err := open(ctx, spec, beside)
	if err != nil {
		return Result{}, err
	}
	defer g.close()
	if err := g.firstCalls(ctx); err != nil {
		return Result{}, err
	}
	if spec.Steady || spec.Rate > 0 {
		return g.measureWindow(ctx)
	}
	return g.measureWhole(ctx)
}

// Hold opens the spec's connections, makes one call on each, tells held, and keeps them open and
// idle until ctx ends. It returns how many connections the server closed meanwhile.
// beside is as for Run.
func Hold(ctx context.Context, spec Spec, beside func() error, held func()) (closed int64, err error) {
	g, err := open(ctx, spec, beside)
	if err != nil {
		return 0, err
	}
	defer g.close()
	if err := g.firstCalls(ctx); err != nil {
		return 0, err
	}
	held()
	g.keepClosed, g.sleep = true, true
	for ctx.Err() == nil {
		if err := g.round(ctx); err != nil && ctx.Err() == nil {
			return 0, err
		}
	}
	return g.result.Reconnects, nil
}

// generator is one run under way.
type generator struct {
	spec     Spec
	beside   func() error // nil: none
	sleep    bool         // waits although there is a beside
	addr     netip.AddrPort
	want     want
	poller   *poll.Poller
	conns    []*conn
	byFD     map[int]*conn
	result   Result
	latency  *stats.Histogram
	delay    *stats.Histogram
	first    *stats.Histogram
	scratch  [256 << 10]byte
	now      time.Time // once per round
	inFlight int
	issuing  bool
	// keepClosed leaves connections closed that the server closed, for Hold.
	keepClosed bool
	// The open loop: calls that are due and not sent yet wait in due time's order.
	idle   []*conn // first in, first out, so that all connections are used
	broken []*conn // to be opened anew
	began  time.Time
	period time.Duration
	sent   int64
}

func open(ctx context.Context, spec Spec, beside func() error) (*generator, error) {
	addr, want, err := spec.check()
	if err != nil {
		return nil, err
	}
	poller, err := poll.New()
	if err != nil {
		return nil, err
	}
	g := &generator{
		spec: spec, beside: beside, addr: addr, want: want, poller: poller, byFD: make(map[int]*conn, spec.Conns),
		latency: new(stats.Histogram), delay: new(stats.Histogram), first: new(stats.Histogram), now: time.Now(),
	}
	for i := range spec.Conns {
		c := &conn{index: i, fd: -1}
		if err := g.connect(c); err != nil || ctx.Err() != nil {
			g.close()
			return nil, errors.Join(ctx.Err(), err)
		}
		g.conns = append(g.conns, c)
	}
	return g, nil
}

func (g *generator) close() {
	for _, c := range g.byFD {
		_ = unix.Close(c.fd)
	}
	_ = g.poller.Close()
}

// firstCalls makes one call on every connection and forgets what it found, unless it was bad: then
// the run would measure refusals.
func (g *generator) firstCalls(ctx context.Context) error {
	const together = 64
	for begin := 0; begin < len(g.conns); begin += together {
		for _, c := range g.conns[begin:min(begin+together, len(g.conns))] {
			g.call(c, time.Now())
		}
		if err := g.finish(ctx); err != nil {
			return err
		}
	}
	if bad := g.result.Bad(); bad > 0 {
		return fmt.Errorf("%d of the first %d calls failed: %s", bad, len(g.conns), g.result.Example)
	}
	g.forget()
	return nil
}

func (g *generator) forget() {
	g.result = Result{}
	g.latency.Reset()
	g.delay.Reset()
	g.first.Reset()
}

// measureWhole counts from the first call to the last answer, and the CPU until all is quiet.
func (g *generator) measureWhole(ctx context.Context) (Result, error) {
	begin, err := g.look()
	if err != nil {
		return Result{}, err
	}
	if err := g.issue(ctx, g.spec.Warm); err != nil {
		return Result{}, err
	}
	g.latency.Reset()
	g.delay.Reset()
	g.first.Reset()
	if err := g.issue(ctx, g.spec.Duration); err != nil {
		return Result{}, err
	}
	if err := g.finish(ctx); err != nil {
		return Result{}, err
	}
	end, err := g.look()
	if err != nil {
		return Result{}, err
	}
	g.settle()
	g.between(&g.result, begin, end)
	used, quiet, err := g.untilQuiet(ctx)
	if err != nil {
		return Result{}, err
	}
	g.result.CPUAfter, g.result.NeverQuiet = used-end.used, !quiet
	return g.result, nil
}

// measureWindow counts a window of the time in which calls run evenly.
func (g *generator) measureWindow(ctx context.Context) (Result, error) {
	if err := g.issue(ctx, g.spec.Stagger+g.spec.Warm); err != nil {
		return Result{}, err
	}
	if g.result.Bad() == 0 { // a bad answer counts whenever it comes
		g.forget()
	}
	begin, err := g.look()
	if err != nil {
		return Result{}, err
	}
	if err := g.issue(ctx, g.spec.Duration); err != nil {
		return Result{}, err
	}
	end, err := g.look()
	if err != nil {
		return Result{}, err
	}
	g.settle()
	window := g.result
	g.between(&window, begin, end)
	if g.spec.Rate > 0 {
		window.Unsent = max(int64(time.Since(g.began)/g.period)-g.sent, 0)
	}
	if err := g.finish(ctx); err != nil {
		return Result{}, err
	}
	window.Wrong, window.Truncated, window.Closed, window.Stuck = g.result.Wrong, g.result.Truncated, g.result.Closed, g.result.Stuck
	window.Example = g.result.Example
	return window, nil
}

// settle takes the quantiles into the result.
func (g *generator) settle() {
	quantiles := func(h *stats.Histogram) Quantiles {
		return Quantiles{P50: h.Quantile(0.5), P90: h.Quantile(0.9), P99: h.Quantile(0.99), P999: h.Quantile(0.999), Max: h.Max()}
	}
	g.result.Latency, g.result.EventDelay, g.result.FirstEvent = quantiles(g.latency), quantiles(g.delay), quantiles(g.first)
}

// issue makes calls for a time, or until the spec's number of answers; calls under way at its end
// stay under way, and a next issue goes on from there.
func (g *generator) issue(ctx context.Context, d time.Duration) error {
	g.now = time.Now()
	g.issuing = true
	defer func() { g.issuing = false }()
	end := g.now.Add(d)
	if g.began.IsZero() {
		if err := g.start(); err != nil {
			return err
		}
	} else if g.spec.Rate == 0 {
		for _, c := range g.idle { // those whose answer came between two issues
			g.call(c, g.now)
		}
		g.idle = g.idle[:0]
	}
	for g.now.Before(end) && (g.spec.Answers == 0 || g.result.Answers+g.result.Bad() < g.spec.Answers) {
		if err := g.round(ctx); err != nil {
			return err
		}
	}
	return nil
}

// start begins the loop: the open one by its clock, the closed one by a first call on each
// connection, at once or spread over the spec's Stagger.
func (g *generator) start() error {
	g.began = g.now
	g.idle = append(g.idle[:0], g.conns...)
	switch {
	case g.spec.Rate > 0:
		g.period = time.Duration(float64(time.Second) / g.spec.Rate)
	case g.spec.Stagger > 0:
		g.period = g.spec.Stagger / time.Duration(len(g.conns))
	}
	if g.period > 0 {
		if g.beside != nil {
			return nil // which looks at the clock in every turn
		}
		return g.poller.Tick(max(g.period, finestTick))
	}
	for _, c := range g.idle {
		g.call(c, g.now)
	}
	g.idle = g.idle[:0]
	return nil
}

// due sends the calls whose time has come, as far as there are idle connections.
func (g *generator) due() {
	for len(g.idle) > 0 {
		at := g.began.Add(time.Duration(g.sent) * g.period)
		if at.After(g.now) {
			return
		}
		c := g.idle[0]
		g.idle = g.idle[:copy(g.idle, g.idle[1:])]
		g.sent++
		g.call(c, at)
	}
}

// finish waits for the answers under way.
func (g *generator) finish(ctx context.Context) error {
	for deadline := time.Now().Add(patience); g.inFlight > 0; {
		if time.Now().After(deadline) {
			g.result.Stuck += int64(g.inFlight)
			g.note(fmt.Sprintf("%d calls had no whole answer %v after the last call", g.inFlight, patience))
			return nil
		}
		if err := g.round(ctx); err != nil {
			return err
		}
	}
	return nil
}

// round waits for the next events and handles them.
func (g *generator) round(ctx context.Context) error {
	wait := step
	if g.beside != nil {
		if err := g.beside(); err != nil {
			return err
		}
		if !g.sleep {
			wait = 0
		}
	}
	ready, tick, _, err := g.poller.Wait(wait)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	g.now = time.Now()
	for i := range ready {
		if c := g.byFD[int(ready[i].Fd)]; c != nil {
			g.read(c)
		}
	}
	if len(g.broken) > 0 {
		g.mend()
	}
	if g.issuing && g.period > 0 && (tick || g.beside != nil) {
		g.due()
	}
	return nil
}

// note keeps the first bad answer's description.
func (g *generator) note(what string) {
	if g.result.Example == "" {
		g.result.Example = what
	}
}
