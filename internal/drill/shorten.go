package drill

import (
	"math"
	"time"

	"causeway/internal/catalog"
)

// stays is the limit that is not made shorter: a busy host takes that long for what is well.
const stays = 600 * time.Millisecond

// Shorten is how long a limit is in the drill: the longer the configured one, the longer, but by far less: 2 s
// become 1 s, 60 s become 2.1 s, ten minutes 2.9 s. What is at most 600 ms stays; 0 (off) stays off.
func Shorten(d time.Duration) time.Duration {
	if d <= stays {
		return d
	}
	return min(d, stays+time.Duration(float64(250*time.Millisecond)*math.Log2(1+d.Seconds())))
}

// shorten shortens all limits of an attempt. total keeps its proportion to the longest of the others, so that as
// many attempts fit into it as before.
func shorten(t catalog.Timeouts) catalog.Timeouts {
	longest := max(t.FirstByte, t.Idle)
	s := catalog.Timeouts{Connect: Shorten(t.Connect), Send: Shorten(t.Send), FirstByte: Shorten(t.FirstByte), Idle: Shorten(t.Idle), Total: Shorten(t.Total)}
	if t.Total > 0 && longest > 0 {
		s.Total = max(s.Total, time.Duration(float64(Shorten(longest))*float64(t.Total)/float64(longest)))
		s.Total = min(s.Total, t.Total)
	}
	return s
}

// Health checks and breakers of a drill see a fault as soon as this.
const (
	mostInterval = 300 * time.Millisecond
	mostCheck    = stays // less fails on a busy host with targets that are well, and takes them out
	mostOpen     = 30 * time.Second
	minCalls     = 3
	mostBackoff  = 50 * time.Millisecond
)

func shortHealth(h *catalog.Health, full bool) *catalog.Health {
	if h == nil || full {
		return h
	}
	s := *h
	s.Interval, s.Timeout = min(h.Interval, mostInterval), min(h.Timeout, mostCheck)
	return &s
}

// shortBreaker lets a breaker judge by few calls, also in a full drill: a fault is put to few.
func shortBreaker(b *catalog.Breaker) *catalog.Breaker {
	if b == nil {
		return nil
	}
	s := *b
	s.MinCalls, s.OpenFor = min(b.MinCalls, minCalls), min(b.OpenFor, mostOpen)
	return &s
}

func shortRetries(r catalog.Retries, full bool) catalog.Retries {
	if !full {
		r.Backoff = min(r.Backoff, mostBackoff)
	}
	return r
}

// pause is how long health checks need to take a target out.
func pause(h *catalog.Health, full bool) time.Duration {
	if h == nil {
		return 0
	}
	s := shortHealth(h, full)
	return time.Duration(s.UnhealthyAfter+1)*(s.Interval+s.Interval/5+s.Timeout) + 100*time.Millisecond
}

// stretch tells how much longer a limit of a subject is than in the drill.
type stretch map[string]map[time.Duration]time.Duration

func (s stretch) add(t, short catalog.Timeouts) {
	for _, l := range []struct {
		name         string
		long, little time.Duration
	}{
		{"connect", t.Connect, short.Connect},
		{"send", t.Send, short.Send},
		{"first_byte", t.FirstByte, short.FirstByte},
		{"idle", t.Idle, short.Idle},
		{"total", t.Total, short.Total},
	} {
		if s[l.name] == nil {
			s[l.name] = map[time.Duration]time.Duration{}
		}
		s[l.name][l.little] = max(s[l.name][l.little], l.long-l.little)
	}
}
