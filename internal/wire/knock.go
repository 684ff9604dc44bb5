package wire

import (
	"context"
	"crypto/tls"
	"time"

	"causeway/internal/journey"
)

// Knock connects to the target as a call does, within a limit, and closes the connection again: a health check that asks
// for nothing. With secure and an https target the handshake is made, too, and state is what it agreed on. When it
// fails ok is false, and a has the facts of the attempt.
func (g *Origin) Knock(limit time.Duration, secure bool, a *journey.Attempt, watch Watcher) (state tls.ConnectionState, ok bool) {
	a.Target = g.o.URL
	began := clock()
	defer func() { a.Total = time.Duration(clock() - began) }()
	u := &Upcall{origin: g}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	u.stopDial = cancel
	if secure && g.tls != nil {
		// A session that is taken up again shows the certificate of the connection that it comes from.
		u.alpn = g.tls.Clone()
		u.alpn.ClientSessionCache = nil
	}
	watch.Watch(u)
	defer watch.Unwatch()
	network, addresses := "unix", []string{g.name}
	if !g.unix {
		network = "tcp"
		if addresses, ok = u.lookup(ctx, limit, a); !ok {
			return state, false
		}
	}
	nc := u.connect(ctx, network, addresses, limit, a)
	if nc != nil && secure && g.tls != nil {
		if g.o.ProxyHeader != 0 {
			nc = u.announce(ctx, nc, limit, a)
		}
		if nc != nil {
			nc = u.handshake(ctx, nc, limit, a)
		}
	}
	if nc == nil {
		return state, false
	}
	if tc, is := nc.(*tls.Conn); is {
		state = tc.ConnectionState()
	}
	_ = nc.Close()
	a.End = journey.EndComplete
	return state, true
}
