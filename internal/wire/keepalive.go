package wire

import (
	"crypto/tls"
	"crypto/x509"
	"time"

	"causeway/internal/journey"
)

// An upstream closes connections that have been idle for a time that it seldom tells. A request that crosses its
// end on the way fails, though nothing was wrong. So an origin learns: when a connection that was used again turns
// out to have ended, after it had been idle for n, the others are let go before they are as old as that.

const (
	// keepShortest is the shortest idleness that teaches anything: what ends sooner was not ended for being idle.
	keepShortest = int64(50 * time.Millisecond)
	// keepForget is how long what was learned holds the first time. It is doubled whenever the same is learned
	// again, up to keepForgetMost.
	keepForget     = int64(30 * time.Minute)
	keepForgetMost = int64(24 * time.Hour)
	// keepMargin is the most by which a connection is let go earlier than the upstream is believed to end it.
	keepMargin = int64(5 * time.Second)
	// keepProofs is how many deaths outweigh one connection that had lived longer.
	keepProofs = 3
)

// keepAlive is what an origin has learned; it is guarded by the origin's mutex.
type keepAlive struct {
	survived   int64 // the longest idleness after which a connection was still good, and when that was
	survivedAt int64
	limit      int64 // connections are let go after this, 0 for nothing learned
	died       int64 // the idleness that taught it
	until      int64 // when it is forgotten
	holds      int64 // for how long it held
	deaths     int   // that agree with it
	total      int   // of reused connections
}

// Learned is what an origin has learned about how long the upstream keeps idle connections.
type Learned struct {
	For    time.Duration // connections are let go after this; 0: nothing was learned, or it is forgotten
	Died   time.Duration // the idleness of the connection that taught it
	Deaths int           // connections that died like it
}

// KeepAlive tells what was learned.
func (g *Origin) KeepAlive() Learned {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.keep.limit == 0 || clock() >= g.keep.until {
		return Learned{}
	}
	return Learned{For: time.Duration(g.keep.limit), Died: time.Duration(g.keep.died), Deaths: g.keep.deaths}
}

// lives notes, as a connection is kept, how long it had been idle before the call that it served. The caller
// holds the origin's mutex.
func (k *keepAlive) lives(idle, now int64) {
	if idle > k.survived || now-k.survivedAt > keepForget {
		k.survived, k.survivedAt = idle, now
	}
}

// keepFor is how long a connection is kept without a call at most. The caller holds the origin's mutex.
func (k *keepAlive) keepFor(most, now int64) int64 {
	if k.limit == 0 || k.limit >= most || now >= k.until {
		return most
	}
	return k.limit
}

// dies learns from a reused connection that had ended after being idle, and tells whether that changed anything.
func (k *keepAlive) dies(idle, now int64) (learned bool) {
	k.total++
	if idle < keepShortest {
		return false
	}
	if like := k.died; like > 0 && idle-like < like/4 && like-idle < like/4 {
		k.deaths++
	} else if k.limit == 0 || now >= k.until || idle < k.died {
		k.died, k.deaths = idle, 1
	}
	if now-k.survivedAt <= keepForget && k.survived > idle+idle/4 && k.deaths < keepProofs {
		return false // others lived longer: it was ended for another reason, such as a restart
	}
	limit := max(idle-idle/4, idle-keepMargin)
	again := k.limit != 0 && now >= k.until && k.deaths > 1
	if k.limit != 0 && now < k.until && k.limit <= limit {
		return false
	}
	k.holds = max(k.holds, keepForget)
	if again {
		k.holds = min(2*k.holds, keepForgetMost)
	}
	k.limit, k.died, k.until, k.survived = limit, idle, now+k.holds, 0
	return true
}

// died is told of an attempt on a reused connection that got no answer.
func (g *Origin) died(a *journey.Attempt) {
	if !a.Reused || a.BytesIn > 0 || a.Silence >= staleWithin || a.End != journey.EndEOF && a.End != journey.EndReset {
		return
	}
	now := clock()
	g.mu.Lock()
	learned := g.keep.dies(int64(a.ConnIdle), now)
	k := g.keep
	if learned {
		for _, u := range g.idle {
			u.idleUntil = min(u.idleUntil, u.idleSince+k.limit)
		}
		if g.sweeper != nil {
			g.sweeper.Reset(time.Duration(max(k.limit/4, int64(50*time.Millisecond))))
		}
	}
	g.mu.Unlock()
	if learned && g.o.OnKeepAlive != nil {
		g.o.OnKeepAlive(time.Duration(k.died), time.Duration(k.limit))
	}
}

// staleWithin is how soon a connection that the upstream had ended before says so.
const staleWithin = time.Second

// Peer is the certificate that the upstream showed on the attempt's connection, nil without TLS, and the
// protocol that was agreed on there. The connection is not to be released meanwhile.
func (u *Upcall) Peer() (leaf *x509.Certificate, agreed string) {
	nc := u.sock.nc
	if u.h2 != nil {
		if u.h2.stream == nil || u.h2.stream.c == nil {
			return nil, ""
		}
		nc = u.h2.stream.c.nc
	}
	tc, ok := nc.(*tls.Conn)
	if !ok {
		return nil, ""
	}
	st := tc.ConnectionState()
	if len(st.PeerCertificates) > 0 {
		leaf = st.PeerCertificates[0]
	}
	return leaf, st.NegotiatedProtocol
}
