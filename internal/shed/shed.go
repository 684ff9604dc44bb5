// Package shed decides whether the gateway takes one more call. A Gate holds the ceiling on calls in
// flight with a short queue before it, turns a share of new calls away while the gateway itself is
// late, and keeps the process below the memory that it may have.
//
// The signal for being late is the gateway's own delay, how long its work that could run waited for a
// CPU, and never the time that calls take: an upstream that takes minutes, as models do, fills the
// gateway with calls that cost nothing while they wait, and turning others away would not help them.
// For the same reason it is a share of new calls that is turned away and not a lower ceiling: most
// calls in flight may be waiting, and the ceiling would have to fall below all of them to be felt.
//
// A good call costs one atomic addition and one load on its way in, and the same on its way out.
package shed

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// Limits are what a Gate holds calls to. The zero value holds them to nothing.
type Limits struct {
	Calls int           // in flight; 0 is no ceiling
	Queue int           // calls that may wait for one of the others to end
	Wait  time.Duration // for at most this long
	// MaxDelay is the delay of the gateway's own work above which new calls are turned away; 0 is never.
	MaxDelay time.Duration
	// Above SoftMemory bytes needed, calls that need much memory are refused, above HardMemory all new
	// ones; 0 is never.
	SoftMemory, HardMemory int64
	// Memory is where the kernel would end the process, 0 when that is not known: close to it all new
	// calls are refused, whatever the memory is used for.
	Memory int64
}

// Verdict is what became of a call that asked to be let in.
type Verdict uint8

// The verdicts.
const (
	Admitted  Verdict = iota
	Full              // as many calls as the ceiling are in flight, and as many as may wait are waiting
	Waited            // the call waited for Limits.Wait, and none of the others ended for it
	Left              // the caller left while its call waited
	Late              // the gateway is late with its own work
	LowMemory         // the process has too little memory left
	Verdicts          // how many there are
)

var verdictNames = [Verdicts]string{"admitted", "full", "waited", "left", "late", "memory"}

// String is the verdict in one word, as metrics have it.
func (v Verdict) String() string { return verdictNames[v] }

// Signal is what the process showed in the last tenth of a second.
type Signal struct {
	Delay    time.Duration // the median wait for a CPU of work that could run
	Needed   int64         // bytes that a garbage collection would leave
	Resident int64         // bytes of the host's memory in use, without mapped files; 0 when not known
}

// Gate is the way in. Its methods may be called concurrently; the zero value holds calls to nothing.
type Gate struct {
	busy atomic.Int64
	// open is the ceiling while calls may come in without being looked at, 0 while they may not: then
	// some wait, or some are turned away.
	open    atomic.Int64
	waiting atomic.Int64

	share    atomic.Uint32 // of new calls that are turned away, of 1<<16
	level    atomic.Uint32 // of memory: memoryFine, memorySoft, memoryHard
	reserved atomic.Int64
	needed   atomic.Int64
	delay    atomic.Int64
	refused  [Verdicts]atomic.Int64

	mu     sync.Mutex
	limits Limits
	queue  queue
	late   int // ticks in a row that were late
}

// Levels of memory.
const (
	memoryFine uint32 = iota
	memorySoft
	memoryHard
)

// unlimited stands for no ceiling.
const unlimited = 1 << 60

// ownReserve is how many calls for the gateway's own pages are let in above the ceiling: they are
// short, and they are what somebody looks at who wants to know what is going on.
const ownReserve = 64

// New makes a gate with limits.
func New(l Limits) *Gate {
	g := &Gate{}
	g.Configure(l)
	return g
}

// Configure changes the limits for calls that come from now on.
func (g *Gate) Configure(l Limits) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.limits = l
	if l.MaxDelay == 0 {
		g.share.Store(0)
		g.late = 0
	}
	g.setOpen()
	g.admit(time.Now())
}

func (g *Gate) ceiling() int64 {
	if g.limits.Calls <= 0 {
		return unlimited
	}
	return int64(g.limits.Calls)
}

// setOpen is called with mu held after anything that open depends on has changed.
func (g *Gate) setOpen() {
	open := g.ceiling()
	if g.queue.len > 0 || g.share.Load() > 0 || g.level.Load() == memoryHard {
		open = 0
	}
	g.open.Store(open)
}

// Enter counts a call in. When it returns false the call must ask with Ask before it goes on. Leave
// follows in either case, unless Ask refused.
func (g *Gate) Enter() bool { return g.busy.Add(1) <= g.open.Load() }

// Leave counts a call out that was let in.
func (g *Gate) Leave() {
	g.busy.Add(-1)
	if g.waiting.Load() > 0 {
		g.mu.Lock()
		g.admit(time.Now())
		g.mu.Unlock()
	}
}

// Ask decides about a call for which Enter returned false, and waits for its turn if it has one. own is
// true for the gateway's own pages, which come before all others. gone ends the waiting when it is
// closed. A call that is not Admitted must not Leave.
func (g *Gate) Ask(own bool, gone <-chan struct{}) Verdict {
	v := g.ask(own, gone)
	if v != Admitted {
		g.refused[v].Add(1)
	}
	return v
}

func (g *Gate) ask(own bool, gone <-chan struct{}) Verdict {
	g.mu.Lock()
	ceiling := g.ceiling()
	switch {
	case own && g.busy.Load() <= ceiling+ownReserve:
		g.mu.Unlock()
		return Admitted
	case g.level.Load() == memoryHard:
		g.mu.Unlock()
		g.Leave()
		return LowMemory
	case g.turnsAway():
		g.mu.Unlock()
		g.Leave()
		return Late
	case g.queue.len == 0 && g.busy.Load() <= ceiling:
		g.mu.Unlock()
		return Admitted
	}
	// It is not one of those in flight while it waits.
	g.busy.Add(-1)
	now := time.Now()
	if g.queue.len >= g.limits.Queue || g.limits.Wait <= 0 {
		g.admit(now)
		g.mu.Unlock()
		return Full
	}
	w := &waiter{turn: make(chan struct{})}
	g.queue.push(w, now)
	g.waiting.Add(1)
	g.setOpen()
	g.admit(now)
	limit := g.limits.Wait
	g.mu.Unlock()
	return g.wait(w, limit, gone)
}

func (g *Gate) wait(w *waiter, limit time.Duration, gone <-chan struct{}) Verdict {
	t := time.NewTimer(limit)
	defer t.Stop()
	v := Waited
	select {
	case <-w.turn:
		return Admitted
	case <-t.C:
	case <-gone:
		v = Left
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if w.admitted { // in this very moment
		if v == Left {
			g.busy.Add(-1)
			g.admit(time.Now())
			return Left
		}
		return Admitted
	}
	g.queue.remove(w)
	g.waiting.Add(-1)
	g.setOpen()
	return v
}

// admit lets calls in that wait, as long as there is room. mu is held.
func (g *Gate) admit(now time.Time) {
	for g.queue.len > 0 {
		if g.busy.Add(1) > g.ceiling() {
			g.busy.Add(-1)
			return
		}
		w := g.queue.pop(now)
		w.admitted = true
		g.waiting.Add(-1)
		close(w.turn)
		g.setOpen()
	}
}

// turnsAway tells whether this call is one of those turned away because the gateway is late.
func (g *Gate) turnsAway() bool {
	share := g.share.Load()
	return share > 0 && rand.Uint32()&0xffff < share
}

// State is a gate's figures, for metrics and pages.
type State struct {
	Busy    int64 // calls in flight
	Waiting int64 // calls that wait to be let in
	Ceiling int64 // 0 is none
	// TurnedAway is the share of new calls that is turned away because the gateway is late, 0 to 1.
	TurnedAway float64
	Delay      time.Duration // of the gateway's own work, the median of the last tenth of a second
	MemoryLow  string        // "" | "soft" | "hard"
	Needed     int64         // bytes of memory
	Reserved   int64         // bytes for bodies that are being held
	Limits     Limits
	Refused    [Verdicts]int64 // since the start
}

// State returns the figures.
func (g *Gate) State() State {
	g.mu.Lock()
	s := State{Limits: g.limits, Ceiling: int64(g.limits.Calls)}
	g.mu.Unlock()
	s.Busy, s.Waiting = g.busy.Load(), g.waiting.Load()
	s.TurnedAway = float64(g.share.Load()) / (1 << 16)
	s.Delay, s.Needed, s.Reserved = time.Duration(g.delay.Load()), g.needed.Load(), g.reserved.Load()
	s.MemoryLow = [...]string{"", "soft", "hard"}[g.level.Load()]
	for v := range s.Refused {
		s.Refused[v] = g.refused[v].Load()
	}
	return s
}

// InFlight is the number of calls that were let in or wait to be.
func (g *Gate) InFlight() int64 { return g.busy.Load() + g.waiting.Load() }
