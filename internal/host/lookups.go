package host

import (
	"sync"
	"time"

	"causeway/internal/journey"
)

// lookups counts the name lookups of the last minute. There is one for each connection that is dialled,
// so that a lock costs nothing beside it.
type lookups struct {
	mu      sync.Mutex
	seconds [60]lookupSecond
	failed  [8]failedName
}

type lookupSecond struct {
	at        int64 // Unix time
	n, failed int64
	took      time.Duration
}

type failedName struct {
	name string
	at   int64
}

func (l *lookups) add(name string, took time.Duration, failed bool, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := now.Unix()
	s := &l.seconds[at%int64(len(l.seconds))]
	if s.at != at {
		*s = lookupSecond{at: at}
	}
	s.n++
	s.took += took
	if !failed {
		return
	}
	s.failed++
	oldest := &l.failed[0]
	for i := range l.failed {
		if f := &l.failed[i]; f.name == name {
			f.at = at
			return
		} else if f.at < oldest.at {
			oldest = f
		}
	}
	*oldest = failedName{name, at}
}

// fill writes the last minute's counts into h.
func (l *lookups) fill(h *journey.Host, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	from := now.Unix() - int64(len(l.seconds))
	var took time.Duration
	for i := range l.seconds {
		if s := &l.seconds[i]; s.at > from {
			h.Lookups += s.n
			h.LookupsFailed += s.failed
			took += s.took
		}
	}
	for i := range l.failed {
		if f := &l.failed[i]; f.name != "" && f.at > from {
			h.LookupNames++
		}
	}
	if h.Lookups > 0 {
		h.LookupTime = took / time.Duration(h.Lookups)
	}
}
