package app

import (
	"maps"
	"net/netip"
	"sync"
	"time"

	"causeway/internal/gateway"
	"causeway/internal/meter"
	"causeway/internal/wire"
)

// What strangers do that fails no call: each is counted, and told of in the log, where it becomes much.

// burst finds out whether something that is nothing by itself happens often.
type burst struct {
	mu    sync.Mutex
	began time.Time
	n     int
}

// reaches tells when it has happened as often as most within doorLinePause: once in each.
func (b *burst) reaches(most int, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now.Sub(b.began) >= doorLinePause {
		b.began, b.n = now, 0
	}
	b.n++
	return b.n == most
}

// How many connections without a call within doorLinePause are worth a line: a share of server.max_connections, and
// never fewer than these. One that has called and waits for its next call is what every client has; one that never
// calls is not.
const (
	fewestSilent, silentShare = 10, 1000
	fewestIdle, idleShare     = 100, 100
)

// onSilent is told of a connection that has ended because nothing came on it: its first call, or a further one.
func (a *App) onSilent(caller netip.AddrPort, called bool) {
	s := &a.gateway.Generation().Catalog.Server
	from := "a Unix socket"
	if caller.IsValid() {
		from = caller.String()
	}
	if called {
		a.doorLog.idle.Add(1)
		if n := max(fewestIdle, s.MaxConnections/idleShare); a.doorLog.idlings.reaches(n, time.Now()) {
			a.log.Info("many connections are kept without a further call", "reason", "idle", "closed", n, "limit", "server.idle_timeout", "value", s.IdleTimeout.String(), "remote", from)
		}
		return
	}
	a.doorLog.silent.Add(1)
	if n := max(fewestSilent, s.MaxConnections/silentShare); a.doorLog.silents.reaches(n, time.Now()) {
		a.log.Warn("many connections are opened on which nothing comes", "reason", "silent", "closed", n, "limit", "server.read_header_timeout", "value", s.ReadHeaderTimeout.String(), "remote", from)
	}
}

// onLongWork is told of turns of long work that are worth a line.
func (a *App) onLongWork(work wire.Work, by wire.Worker, waited time.Duration) {
	leftOut, ok := a.doorLog.allow("long work: "+work.String(), time.Now())
	if !ok {
		return
	}
	attrs := []any{"work", work.String(), "of", by.Works(), "waited_ms", waited.Milliseconds()}
	if leftOut > 0 {
		attrs = append(attrs, "left_out", leftOut)
	}
	a.log.Info("long work waits its turn, so that short calls come first", attrs...)
}

// onUnread is told of a text in a content coding that unfolds to too much.
func (a *App) onUnread(u gateway.Unread) {
	key := meter.Unread{Of: u.Of, Provider: u.Provider, Reason: u.Reason}
	a.doorLog.mu.Lock()
	if a.doorLog.unread == nil {
		a.doorLog.unread = map[meter.Unread]int64{}
	}
	a.doorLog.unread[key]++
	a.doorLog.mu.Unlock()
	leftOut, ok := a.doorLog.allow("unread: "+u.Of+" "+u.Reason, time.Now())
	if !ok {
		return
	}
	attrs := []any{"of", u.Of, "reason", u.Reason, "from", u.Peer, "detail", u.Why}
	if u.Provider != "" {
		attrs = append(attrs, "provider", u.Provider)
	}
	if leftOut > 0 {
		attrs = append(attrs, "left_out", leftOut)
	}
	a.log.Warn("a text in a content coding unfolds to too much: it is not read to its end", attrs...)
}

func (a *App) longFigures() meter.Long {
	l := meter.Long{Work: map[string]meter.LongWork{}}
	for work, n := range a.lane.Counts() {
		l.Work[work] = meter.LongWork(n)
	}
	a.doorLog.mu.Lock()
	defer a.doorLog.mu.Unlock()
	l.Unread = maps.Clone(a.doorLog.unread)
	return l
}
