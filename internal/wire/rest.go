package wire

import "time"

// Many servers, and applications behind them, answer HEAD with the body of a GET (gunicorn and waitress pass on whatever
// their application returns). It mostly comes a moment after the head, in a packet of its own: on a connection that
// is used again at once it would be read as the answer to the next call, which is another caller's. Whoever decides
// what is in that body would decide what the other caller gets.

// restFor is how long a connection is kept back for such a body. It is longer than the tenth of a second for which a
// container that has used up its share of the processor stands still.
const restFor = 200 * time.Millisecond

// resting are an origin's connections that are kept back, the first one's time is over first. They are guarded by the
// origin's mutex.
type resting struct {
	rests []rest
	waker *time.Timer // nil while none rest
}

type rest struct {
	u     *Upcall
	until int64
}

// rest keeps a connection for the next call, but not before a body that its last answer spoke of would have come. No
// more than MaxIdle rest at a time.
func (g *Origin) rest(u *Upcall) {
	g.mu.Lock()
	if g.closed || len(g.rests) >= g.o.MaxIdle {
		g.mu.Unlock()
		u.discard()
		return
	}
	g.rests = append(g.rests, rest{u, clock() + int64(restFor)})
	if g.waker == nil {
		g.waker = time.AfterFunc(restFor, g.rested)
	}
	g.mu.Unlock()
}

// rested lets the connections go on whose time is over; it runs while there are any.
func (g *Origin) rested() {
	now := clock()
	g.mu.Lock()
	n := 0
	for n < len(g.rests) && g.rests[n].until <= now {
		n++
	}
	over := append([]rest(nil), g.rests[:n]...)
	left := copy(g.rests, g.rests[n:])
	clear(g.rests[left:])
	g.rests = g.rests[:left]
	if left > 0 {
		g.waker.Reset(time.Duration(max(g.rests[0].until-now, int64(time.Millisecond))))
	} else {
		g.waker = nil
	}
	g.mu.Unlock()
	for _, r := range over {
		if r.u.sock.pending() {
			r.u.discard()
		} else {
			g.put(r.u)
		}
	}
}

// endRest closes the connections that rest.
func (g *Origin) endRest() {
	g.mu.Lock()
	all := g.rests
	g.rests = nil
	if g.waker != nil {
		g.waker.Stop()
		g.waker = nil
	}
	g.mu.Unlock()
	for _, r := range all {
		r.u.discard()
	}
}
