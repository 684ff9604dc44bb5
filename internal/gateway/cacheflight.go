package gateway

import (
	"sync"
	"time"

	"causeway/internal/cache"
)

// Calls for the same answer that come while one of them fetches it wait for that one and are answered from the cache
// (request collapsing). Who waits for whom is said by the very key under which the answer is kept, so that nobody
// waits for a call whose answer it could not get: another application's, another variant. Calls with credentials for
// the upstream wait for nobody.
//
// Once it is known that an answer can't be kept those that wait go on at once, all together, and for a while nobody
// waits for that address. Where the fetch failed the next one of them fetches, and the others wait for that. Nobody
// waits for longer than flightWait in all.

const (
	flightWait  = 5 * time.Second
	aloneFor    = 10 * time.Second // how long nobody waits for an address whose answer was not kept
	mostFlights = 10_000           // addresses that are remembered
)

// landing is what became of a fetch.
type landing uint8

const (
	landedFailed landing = iota // the next one fetches
	landedKept                  // it is in the cache
	landedUnkept                // everybody fetches for himself
)

// flight is a fetch that others may wait for.
type flight struct {
	landed chan struct{} // closed when it is over
	how    landing       // set before landed is closed
}

// flights are the fetches under way. The zero value is ready, and safe for concurrent use.
type flights struct {
	mu    sync.Mutex
	going map[cache.Key]*flight
	alone map[cache.Key]time.Time // addresses that nobody waits for, until then
}

// join finds the fetch of key to wait for, or begins one: leads is then true. f is nil where nobody waits for anybody.
func (s *flights) join(key cache.Key, now time.Time) (f *flight, leads bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if until, ok := s.alone[key]; ok {
		if now.Before(until) {
			return nil, false
		}
		delete(s.alone, key)
	}
	if f := s.going[key]; f != nil {
		return f, false
	}
	if len(s.going) >= mostFlights {
		return nil, false
	}
	if s.going == nil {
		s.going, s.alone = map[cache.Key]*flight{}, map[cache.Key]time.Time{}
	}
	f = &flight{landed: make(chan struct{})}
	s.going[key] = f
	return f, true
}

// land ends a fetch.
func (s *flights) land(key cache.Key, f *flight, how landing, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.going[key] == f {
		delete(s.going, key)
	}
	if how == landedUnkept {
		if len(s.alone) >= mostFlights {
			clear(s.alone)
		}
		s.alone[key] = now.Add(aloneFor)
	}
	f.how = how
	close(f.landed)
}

// awaits has the call wait for another one that fetches the same answer. It returns true when it is worth to look for
// the answer again, and false when the call fetches it.
func (c *call) awaits(s *shelf, key cache.Key) bool {
	now := time.Now()
	if s.patience.IsZero() {
		s.patience = now.Add(flightWait)
	}
	f, leads := c.g.flights.join(key, now)
	switch {
	case f == nil:
		return false
	case leads:
		s.flight, s.flightKey = f, key
		return false
	}
	left := s.patience.Sub(now)
	if left <= 0 {
		c.note("cache", "another call fetches this answer, and has not got it after "+flightWait.String()+": it is fetched by this one as well")
		return false
	}
	w := &waiter{gone: make(chan struct{})}
	c.ex.Watch(w)
	timer := time.NewTimer(left)
	defer timer.Stop()
	again := false
	select {
	case <-f.landed:
		again, s.collapsed = f.how != landedUnkept, f.how == landedKept
	case <-timer.C:
		again = true // to say so
	case <-w.gone: // who is not there any more is noticed on the way
	}
	c.ex.Unwatch()
	return again
}

// land tells those that wait for this call what became of its fetch; the first time counts.
func (c *call) land(how landing) {
	if s := c.shelf; s != nil && s.flight != nil {
		c.g.flights.land(s.flightKey, s.flight, how, time.Now())
		s.flight = nil
	}
}
