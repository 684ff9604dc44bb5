package app

import (
	"sync"
	"sync/atomic"
	"time"

	"causeway/internal/catalog"
	"causeway/internal/meter"
	"causeway/internal/wire"
)

// http2Options are the door's for HTTP/2, nil when it is off.
func http2Options(c *catalog.Catalog) *wire.HTTP2Options {
	h := c.Server.HTTP2
	if !h.Enabled {
		return nil
	}
	return &wire.HTTP2Options{
		MaxStreams: h.MaxStreams, StreamWindow: int(h.StreamWindow), ConnectionWindow: int(h.ConnectionWindow),
		PingAfter: h.PingAfter, PingTimeout: h.PingTimeout, MaxResets: h.MaxResets, MaxControl: h.MaxControlFrames,
	}
}

// doorLog says in the log what callers do to the door, for each reason at most once in a while.
type doorLog struct {
	silent, idle     atomic.Int64
	silents, idlings burst

	mu     sync.Mutex
	seen   map[string]*doorLine
	unread map[meter.Unread]int64
}

// doorLine is one reason's line.
type doorLine struct {
	said    time.Time
	leftOut int
}

// doorLinePause is how long a reason is not said again. There are as many reasons as HTTP/2 has ways to
// be spoken wrongly, and a flood is of one of them.
const doorLinePause = 10 * time.Second

func (l *doorLog) allow(reason string, now time.Time) (leftOut int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.seen == nil {
		l.seen = map[string]*doorLine{}
	}
	line := l.seen[reason]
	if line == nil {
		if len(l.seen) >= 200 {
			return 0, false // it is counted all the same
		}
		line = &doorLine{}
		l.seen[reason] = line
	} else if now.Sub(line.said) < doorLinePause {
		line.leftOut++
		return 0, false
	}
	leftOut, line.leftOut, line.said = line.leftOut, 0, now
	return leftOut, true
}

// onHTTP2 is told of faults of HTTP/2.
func (a *App) onHTTP2(reason, remote string) {
	leftOut, ok := a.doorLog.allow(reason, time.Now())
	if !ok {
		return
	}
	attrs := []any{"reason", reason}
	if remote != "" {
		attrs = append(attrs, "remote", remote)
	}
	if leftOut > 0 {
		attrs = append(attrs, "left_out", leftOut)
	}
	a.log.Warn("a caller breaks the rules of HTTP/2", attrs...)
}
