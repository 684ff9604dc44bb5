package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"time"

	"causeway/internal/journey"
)

// dial connects u, with every phase timed and every address tried. by is when it must be over
// (0: no limit). It fills the facts and returns false when it failed.
func (u *Upcall) dial(by int64, limit time.Duration, a *journey.Attempt) bool {
	var ctx context.Context
	var cancel context.CancelFunc
	if by != 0 {
		ctx, cancel = context.WithDeadline(context.Background(), clockTime(by))
	} else {
		ctx, cancel = context.WithCancel(context.Background())
	}
	defer cancel()
	u.mu.Lock()
	if u.reason != ReasonNone {
		u.mu.Unlock()
		return u.givenUp(a)
	}
	u.stopDial = cancel
	u.mu.Unlock()
	defer func() {
		u.mu.Lock()
		u.stopDial = nil
		u.mu.Unlock()
	}()

	u.origin.dials.Add(1)
	nc := u.reach(ctx, limit, a)
	return nc != nil && u.adopt(nc, a)
}

// reach makes a connection to the target, with TLS where the target has it; nil when that failed.
func (u *Upcall) reach(ctx context.Context, limit time.Duration, a *journey.Attempt) (nc net.Conn) {
	g := u.origin
	if g.unix {
		nc = u.connect(ctx, "unix", []string{g.name}, limit, a)
	} else {
		addresses, ok := u.lookup(ctx, limit, a)
		if !ok {
			return nil
		}
		nc = u.connect(ctx, "tcp", addresses, limit, a)
	}
	if nc != nil && g.o.ProxyHeader != 0 {
		nc = u.announce(ctx, nc, limit, a)
	}
	if nc != nil && g.tls != nil {
		nc = u.handshake(ctx, nc, limit, a)
	}
	return nc
}

// Works implements Worker.
func (u *Upcall) Works() string { return u.origin.URL() }

// adopt makes nc the attempt's connection.
func (u *Upcall) adopt(nc net.Conn, a *journey.Attempt) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.reason != ReasonNone {
		_ = nc.Close()
		return u.givenUp(a)
	}
	u.sock.lane, u.sock.work, u.sock.by = u.origin.o.Lane, WorkAnswer, u
	u.sock.init(nc)
	// From here on a Cancel must find the connection, not the dial that has succeeded.
	u.stopDial, u.h2, u.connected = nil, nil, true
	u.dialled = clock()
	u.origin.open.Add(1)
	return true
}

// givenUp notes that the attempt ended because the call did.
func (u *Upcall) givenUp(a *journey.Attempt) bool {
	a.End = journey.EndCaller
	switch u.reason {
	case ReasonDrain:
		a.End = journey.EndCancelled
	case ReasonHedged:
		a.End = journey.EndHedged
	}
	return false
}

func (u *Upcall) gaveUp(a *journey.Attempt) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.reason == ReasonNone {
		return false
	}
	u.givenUp(a)
	return true
}

func timedOut(a *journey.Attempt, key string, limit time.Duration) {
	a.End, a.Limit, a.LimitValue = journey.EndTimeout, key, limit
}

// lookup turns the target's name into addresses with the port.
func (u *Upcall) lookup(ctx context.Context, limit time.Duration, a *journey.Attempt) ([]string, bool) {
	g := u.origin
	if ip, err := netip.ParseAddr(g.name); err == nil {
		return []string{netip.AddrPortFrom(ip, 0).Addr().String()}, true
	}
	a.Phase = journey.PhaseDNS
	began := clock()
	ips, err := g.o.Resolver.LookupNetIP(ctx, "ip", g.name)
	a.DNSTime = time.Duration(clock() - began)
	if g.o.OnLookup != nil && u.Why() == ReasonNone {
		var de *net.DNSError
		g.o.OnLookup(g.name, a.DNSTime, err == nil || errors.As(err, &de) && de.IsNotFound)
	}
	if err == nil && len(ips) > 0 {
		g.names.note(clock(), ips)
		names := make([]string, 0, len(ips))
		for _, v4 := range []bool{true, false} {
			// IPv4 first: a host without IPv6 routes then fails only where it must.
			for _, ip := range ips {
				if ip = ip.Unmap(); ip.Is4() == v4 {
					names = append(names, ip.String())
				}
			}
		}
		return names, true
	}
	if u.gaveUp(a) {
		return nil, false
	}
	a.DNS = g.asked(dnsFacts(g.name, err))
	if a.DNS.Timeout || errors.Is(ctx.Err(), context.DeadlineExceeded) {
		a.DNS.Timeout = true
		timedOut(a, "connect", limit)
		return nil, false
	}
	a.End = journey.EndDNS
	if a.DNS.RCode == "" {
		a.DNS.RCode = g.askRCode(a.DNS)
	}
	return nil, false
}

// connect connects to an address, or of several to the first that answers.
func (u *Upcall) connect(ctx context.Context, network string, addresses []string, limit time.Duration, a *journey.Attempt) net.Conn {
	a.Phase = journey.PhaseConnect
	began := clock()
	defer func() { a.ConnectTime = time.Duration(clock() - began) }()
	if network == "tcp" {
		for i, address := range addresses {
			addresses[i] = net.JoinHostPort(address, u.origin.port)
		}
	}
	if len(addresses) > 1 {
		return u.race(ctx, addresses, limit, a)
	}
	var d net.Dialer
	nc, err := d.DialContext(ctx, network, addresses[0])
	a.Address = addresses[0]
	if err == nil {
		return nc
	}
	if !u.gaveUp(a) {
		u.failedAt(dialled{err: err, took: time.Duration(clock() - began)}, limit, a)
	}
	return nil
}

// handshake makes nc speak TLS.
func (u *Upcall) handshake(ctx context.Context, nc net.Conn, limit time.Duration, a *journey.Attempt) net.Conn {
	a.Phase = journey.PhaseTLS
	began := clock()
	tap := &tapConn{Conn: nc}
	cfg := u.origin.tls
	if u.alpn != nil {
		cfg = u.alpn
	}
	var id identity
	cfg = id.watch(cfg)
	tc := tls.Client(tap, cfg)
	err := tc.HandshakeContext(ctx)
	a.TLSTime = time.Duration(clock() - began)
	u.own = id
	if err == nil {
		tap.done = true
		state := tc.ConnectionState()
		u.origin.noteCertificate(&state)
		return tc
	}
	_ = nc.Close()
	if u.gaveUp(a) {
		return nil
	}
	a.End = journey.EndTLS
	a.TLS = tlsFacts(cfg.ServerName, err, tap)
	id.note(a.TLS)
	if a.TLS.Reason == "timeout" || ctx.Err() != nil {
		a.TLS.Reason = "timeout"
		timedOut(a, "connect", limit)
	}
	return nil
}
