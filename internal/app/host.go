package app

import (
	"context"
	"log/slog"
	"math"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"causeway/internal/catalog"
	"causeway/internal/diagnose"
	"causeway/internal/fault"
	"causeway/internal/gateway"
	"causeway/internal/host"
	"causeway/internal/journey"
	"causeway/internal/meter"
	"causeway/internal/shed"
)

// hostWatch looks at the gateway's own host, and says when something is wrong with it.
type hostWatch struct {
	sampler    *host.Sampler
	gateway    atomic.Pointer[gateway.Gateway] // nil until there is one
	memoryMax  int64
	memoryKill int64
	log        *slog.Logger

	acceptLog seldom
	thrift    thrift

	mu       sync.Mutex
	now      *journey.Host
	refused  time.Time // when a connection could last not be accepted
	why      string
	warnings []*hostWarning
}

// hostWarning is something that is wrong with the host, or was a moment ago.
type hostWarning struct {
	diagnose.HostTrouble
	since time.Time
	seen  int // seconds in which it was there
	gone  int // seconds since
}

// A trouble is told when it was there for two seconds, and is over when it was not for ten.
const (
	troubleAfter = 2
	troubleOver  = 10
)

// openHost begins to look at the gateway's host, and keeps the Go runtime below the memory that the
// process may have.
func (a *App) openHost(context.Context, *catalog.Catalog) error {
	w := &a.host
	w.log = a.log
	w.memoryKill = host.MemoryLimit()
	w.memoryMax = limitMemory(w.memoryKill)
	w.sampler = host.Start(host.Options{Dir: a.o.DataDir, MemoryMax: w.memoryMax, OnTick: w.tick, OnSample: w.sample})
	a.onClose(w.sampler.Close)
	return nil
}

// limitMemory returns how many bytes this process may take, 0 when that is not known: GOMEMLIMIT where it
// is set, else nine tenths of what there is, which the runtime is then held to. The rest is for what is
// not the runtime's, such as the buffers of sockets.
func limitMemory(there int64) int64 {
	if limit := debug.SetMemoryLimit(-1); limit < math.MaxInt64 {
		return limit
	}
	if there <= 0 {
		return 0
	}
	debug.SetMemoryLimit(there / 10 * 9)
	return there / 10 * 9
}

// lookedUp is told of each name lookup by a dial.
func (w *hostWatch) lookedUp(name string, took time.Duration, answered bool) {
	w.sampler.Lookup(name, took, !answered)
}

// facts is what the host was like since a time.
func (w *hostWatch) facts(since time.Time) *journey.Host { return w.sampler.Facts(since) }

func (w *hostWatch) tick(t host.Tick) {
	w.thrift.resident.Store(t.Resident)
	if g := w.gateway.Load(); g != nil {
		g.Tick(shed.Signal{Delay: t.Delay, Needed: t.Needed, Resident: t.Resident})
	}
}

// sample takes in a second: what is wrong for long enough is written to the log, once, and again when it
// is over.
func (w *hostWatch) sample(h *journey.Host) {
	w.thrift.second(h)
	list := diagnose.HostTroubles(h)
	if g := w.gateway.Load(); g != nil {
		s := g.Load()
		list = append(list, loadTroubles(&s)...)
	}
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = h
	if now.Sub(w.refused) < troubleOver*time.Second {
		list = append(list, diagnose.HostTrouble{Kind: fault.GatewayFilesExhausted, Text: "connections of callers could not be accepted: " + w.why})
	}
	w.note(list, now)
}

// loadTroubles are what load shedding does at the moment.
func loadTroubles(s *shed.State) (list []diagnose.HostTrouble) {
	switch s.MemoryLow {
	case "soft":
		list = append(list, diagnose.HostTrouble{Kind: fault.GatewayMemoryLow, Text: "calls with large bodies are refused: little memory is left (server.overload.memory_soft)"})
	case "hard":
		list = append(list, diagnose.HostTrouble{Kind: fault.GatewayMemoryLow, Text: "all calls are refused: hardly any memory is left (server.overload.memory_hard)"})
	}
	if s.TurnedAway > 0 {
		list = append(list, diagnose.HostTrouble{Kind: fault.GatewayOverloaded, Text: "a share of new calls is refused: the gateway is late with its own work (server.overload.max_delay)"})
	}
	return list
}

// note brings the warnings up to date. Of one kind only the first is told: the gravest.
func (w *hostWatch) note(list []diagnose.HostTrouble, now time.Time) {
	for _, x := range w.warnings {
		x.gone++
	}
	for i, t := range list {
		if slices.ContainsFunc(list[:i], func(o diagnose.HostTrouble) bool { return o.Kind == t.Kind }) {
			continue
		}
		at := slices.IndexFunc(w.warnings, func(x *hostWarning) bool { return x.Kind == t.Kind })
		if at < 0 {
			at = len(w.warnings)
			w.warnings = append(w.warnings, &hostWarning{since: now})
		}
		x := w.warnings[at]
		x.HostTrouble, x.gone = t, 0
		if x.seen++; x.seen == troubleAfter {
			w.log.Warn("the gateway's host is in trouble", "kind", string(t.Kind), "detail", t.Text)
		}
	}
	w.warnings = slices.DeleteFunc(w.warnings, func(x *hostWarning) bool {
		over := x.gone >= troubleOver
		if over && x.seen >= troubleAfter {
			w.log.Info("the gateway's host is well again", "kind", string(x.Kind), "after", now.Sub(x.since).Round(time.Second).String())
		}
		return over
	})
}

// told are the warnings as sentences.
func (w *hostWatch) told() (list []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, x := range w.warnings {
		if x.seen >= troubleAfter {
			list = append(list, string(x.Kind)+": "+x.Text)
		}
	}
	return list
}

// state is the last second, nil before the first.
func (w *hostWatch) state() *journey.Host {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// notAccepted is told that a connection could not be accepted.
func (w *hostWatch) notAccepted(err error) {
	now := time.Now()
	why := err.Error()
	if i := strings.LastIndex(why, ": "); i >= 0 {
		why = why[i+2:]
	}
	w.mu.Lock()
	w.refused, w.why = now, why
	w.mu.Unlock()
	if skipped, ok := w.acceptLog.allow(now); ok {
		w.log.Error("a connection could not be accepted; it waits, and is tried again", "error", why, "lines_left_out", skipped)
	}
}

func (a *App) loadFigures() meter.Load {
	if a.gateway == nil {
		return meter.Load{}
	}
	s := a.gateway.Load()
	l := meter.Load{
		Waiting: s.Waiting, Ceiling: s.Ceiling, TurnedAway: s.TurnedAway, Delay: s.Delay.Seconds(),
		Memory: s.Needed, MemoryLow: s.MemoryLow, Reserved: s.Reserved, Refused: map[string]int64{},
	}
	for v := shed.Full; v < shed.Verdicts; v++ {
		if v != shed.Left {
			l.Refused[v.String()] = s.Refused[v]
		}
	}
	if a.door != nil {
		d := a.door.Stats()
		l.AcceptFailed, l.TooSlow = d.AcceptFailed, d.TooSlow
	}
	return l
}
