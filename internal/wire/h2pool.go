package wire

import (
	"context"
	"crypto/tls"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"

	"causeway/internal/journey"
)

// Protocol is what is spoken to an upstream.
type Protocol uint8

// The protocols.
const (
	// ProtocolHTTP1 is HTTP/1.1.
	ProtocolHTTP1 Protocol = iota
	// ProtocolAuto lets TLS agree on it (ALPN), HTTP/2 first; a target without TLS gets HTTP/1.1.
	ProtocolAuto
	// ProtocolHTTP2 is HTTP/2 over TLS; an upstream that does not agree to it fails the call.
	ProtocolHTTP2
	// ProtocolH2C is HTTP/2 without TLS, begun at once (prior knowledge, RFC 9113 section 3.3).
	ProtocolH2C
)

// h2pool is an origin's HTTP/2 connections. Few of them carry many calls: a call takes the one that
// is fullest and has room, and only when none has is another one dialled, for all the calls that wait.
type h2pool struct {
	origin *Origin
	tls    *tls.Config // with ALPN; nil for h2c
	auto   bool

	mu    sync.Mutex
	conns []*h2conn
	dials []*h2dial
	room  int // streams that the connection dialled last may have

	closed atomic.Bool

	// http1 is until when an upstream of ProtocolAuto is taken to speak HTTP/1.1 only.
	http1 atomic.Int64
	// required is until when one is asked over HTTP/1.1 because it said HTTP_1_1_REQUIRED, whatever TLS
	// agrees on.
	required atomic.Int64
	moved    atomic.Int64 // calls that a closing connection had turned away
}

// h2Remember is for how long it is not asked again whether an upstream speaks HTTP/2.
const h2Remember = 10 * time.Minute

// h2dial is a connection being made, for every call that waits for it.
type h2dial struct {
	done    chan struct{}
	waiting int  // guarded by the pool's mu
	alone   bool // for one call that shares its connection with no other
	cancel  context.CancelFunc
	up      *Upcall // makes it

	// Once done:
	ok    bool
	none  bool     // the connection allows no stream, and was closed for it: such ones would gather
	http1 net.Conn // it agreed on HTTP/1.1: the first who comes takes it
	facts journey.Attempt
}

// newH2Pool returns the pool for a protocol, nil where every call goes over HTTP/1.1.
func newH2Pool(g *Origin, p Protocol) *h2pool {
	switch {
	case p == ProtocolH2C && g.tls == nil:
		return &h2pool{origin: g, room: h2MaxStreams}
	case (p == ProtocolAuto || p == ProtocolHTTP2) && g.tls != nil:
		h := &h2pool{origin: g, tls: g.tls.Clone(), auto: p == ProtocolAuto, room: h2MaxStreams}
		h.tls.NextProtos = []string{"h2"}
		if h.auto {
			h.tls.NextProtos = []string{"h2", "http/1.1"}
		}
		return h
	}
	return nil
}

// speaksHTTP1 tells whether an upstream is known to agree on HTTP/1.1, or to ask for it.
func (p *h2pool) speaksHTTP1() bool {
	at := max(p.http1.Load(), p.required.Load())
	return at != 0 && clock() < at
}

// wantsHTTP1 remembers that the upstream asked for HTTP/1.1 (RFC 9113 section 7, HTTP_1_1_REQUIRED), and
// tells whether that is what it will be asked by: where the configuration lets it choose, and for any call
// but one that only HTTP/2 can carry.
func (p *h2pool) wantsHTTP1(call *Call) bool {
	if !p.auto || call.Trailers {
		return false
	}
	p.required.Store(clock() + int64(h2Remember))
	return true
}

// pick promises a stream on a connection, where alone is set on one that has no other; nil when none has
// room. The caller holds p.mu.
func (p *h2pool) pick(alone bool) *h2conn {
	for _, c := range p.conns {
		c.mu.Lock()
		ok := c.reserve(alone)
		c.mu.Unlock()
		if ok {
			return c
		}
	}
	return nil
}

// get finds a connection with room for the call, and waits for one to be made where there is none.
// It returns neither a connection nor HTTP/1.1 when it failed; the facts say how.
func (p *h2pool) get(u *Upcall, a *journey.Attempt) (c *h2conn, http1 bool, nc net.Conn) {
	fresh := false
	for dials := 0; ; dials++ {
		if u.gaveUp(a) {
			return nil, false, nil
		}
		if p.auto && p.speaksHTTP1() {
			return nil, true, nil
		}
		p.mu.Lock()
		if c = p.pick(u.h2.alone); c != nil {
			p.mu.Unlock()
			a.Address = c.address
			if !fresh {
				forgetDial(a)
			}
			return c, false, nil
		}
		if dials == h2MaxDials {
			p.mu.Unlock()
			a.Phase = journey.PhaseTLS
			p.noStream(a)
			return nil, false, nil
		}
		d := p.join(u)
		p.mu.Unlock()
		if !p.await(u, d, a) {
			return nil, false, nil
		}
		takeDial(a, &d.facts)
		if !d.ok {
			return nil, false, nil
		}
		if d.none {
			a.Phase = journey.PhaseTLS
			p.noStream(a)
			return nil, false, nil
		}
		p.mu.Lock()
		nc, d.http1 = d.http1, nil
		p.mu.Unlock()
		if nc != nil {
			u.own = d.up.own // what it was shown may be refused only now
			return nil, true, nc
		}
		fresh = true
	}
}

// h2MaxDials is how many connections are made for one call that gets no stream on any of them.
const h2MaxDials = 10

// noStream is the failure of a call that got no stream on the connections that were made.
func (p *h2pool) noStream(a *journey.Attempt) {
	f := h2Failure{
		end: journey.EndHTTP2, signal: journey.HTTP2Reset, code: uint32(http2.ErrCodeRefusedStream),
		detail: "it allows no further stream (SETTINGS_MAX_CONCURRENT_STREAMS), on a new connection either",
	}
	f.into(a)
	a.HTTP2.Unworked = true
}

// join returns a dial to wait for: one that is under way and has room for one call more, or a new
// one. The caller holds p.mu.
func (p *h2pool) join(u *Upcall) *h2dial {
	alone := u.h2.alone
	for _, d := range p.dials {
		if !alone && !d.alone && d.waiting < max(p.room, 1) {
			d.waiting++
			return d
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	if limit := u.limits.Connect; limit > 0 {
		ctx, cancel = context.WithTimeout(context.Background(), limit)
	}
	d := &h2dial{done: make(chan struct{}), waiting: 1, alone: alone, cancel: cancel, up: &Upcall{origin: p.origin, alpn: p.tls}}
	p.dials = append(p.dials, d)
	go p.dial(ctx, d, u.limits.Connect)
	return d
}

// await waits for a dial, but not beyond the call's own time, nor for a caller who leaves.
func (p *h2pool) await(u *Upcall, d *h2dial, a *journey.Attempt) bool {
	began := clock()
	var late <-chan time.Time
	if until := u.limits.Until; until != 0 {
		t := time.NewTimer(time.Duration(until - began))
		defer t.Stop()
		late = t.C
	}
	for {
		select {
		case <-d.done:
			return true
		case <-u.h2.news:
			if !u.gaveUp(a) {
				continue
			}
		case <-late:
			a.Phase = journey.PhaseConnect
			timedOut(a, "total", u.limits.Total)
		}
		p.mu.Lock()
		if d.waiting--; d.waiting == 0 {
			d.cancel() // nobody wants it any more, and nobody is to join it and fail by that
			p.dials = slices.DeleteFunc(p.dials, func(o *h2dial) bool { return o == d })
			if d.http1 != nil {
				_ = d.http1.Close()
				d.http1 = nil
			}
		}
		p.mu.Unlock()
		return false
	}
}

// dial makes a connection and begins HTTP/2 on it.
func (p *h2pool) dial(ctx context.Context, d *h2dial, limit time.Duration) {
	defer d.cancel()
	a := &d.facts
	a.HTTP2 = &journey.HTTP2Facts{}
	c, nc := p.connect(ctx, d.up, limit, a)
	d.ok = c != nil || nc != nil
	p.mu.Lock()
	p.dials = slices.DeleteFunc(p.dials, func(o *h2dial) bool { return o == d })
	switch {
	case nc != nil:
		p.http1.Store(clock() + int64(h2Remember))
		if d.http1 = nc; d.waiting == 0 {
			d.http1 = nil
			_ = nc.Close()
		}
	case c != nil:
		p.http1.Store(0)
		c.mu.Lock()
		d.none = c.most == 0
		if d.none {
			c.retireLocked()
		} else {
			p.room = min(c.most, h2MaxStreams)
			p.conns = append(p.conns, c)
		}
		c.mu.Unlock()
	}
	p.mu.Unlock()
	close(d.done)
}

// connect dials, shakes hands and waits for the peer's SETTINGS, so that what is not HTTP/2 shows
// before a call is sent to it, and how many streams it allows is known.
func (p *h2pool) connect(ctx context.Context, u *Upcall, limit time.Duration, a *journey.Attempt) (*h2conn, net.Conn) {
	g := p.origin
	g.dials.Add(1)
	nc := u.reach(ctx, limit, a)
	if nc == nil {
		return nil, nil
	}
	if tc, ok := nc.(*tls.Conn); ok {
		a.HTTP2.Agreed = tc.ConnectionState().NegotiatedProtocol
		switch {
		case a.HTTP2.Agreed == "h2":
		case p.auto:
			return nil, nc
		default:
			_ = nc.Close()
			a.Phase, a.End, a.HTTP2.Signal = journey.PhaseTLS, journey.EndHTTP2, journey.HTTP2ALPN
			return nil, nil
		}
	}
	began := clock()
	c := p.newH2(nc, a.HTTP2.Agreed, u.own)
	select {
	case <-c.ready:
	case <-ctx.Done():
		c.mu.Lock()
		c.failLocked(&h2Failure{end: journey.EndTimeout, signal: journey.HTTP2Preface, err: errTimeout})
		c.mu.Unlock()
	}
	a.TLSTime += time.Duration(clock() - began)
	c.mu.Lock()
	f := c.fail
	c.mu.Unlock()
	if f == nil {
		return c, nil
	}
	if g := f.goAway; g != nil { // HTTP/2 was begun, and ended at once
		(&h2Failure{end: journey.EndHTTP2, signal: journey.HTTP2GoAway, code: g.code, goAway: g}).into(a)
		a.Phase, a.HTTP2.Unworked = journey.PhaseSend, true
		return nil, nil
	}
	a.Phase = journey.PhaseTLS
	f.into(a)
	if a.HTTP2.Signal == journey.HTTP2None {
		a.HTTP2.Signal = journey.HTTP2Preface
	}
	if f.end == journey.EndTimeout {
		timedOut(a, "connect", limit)
	}
	return nil, nil
}

// into writes a failure into an attempt's facts.
func (f *h2Failure) into(a *journey.Attempt) {
	a.End, a.Errno, a.Fault, a.TLS = f.end, f.errno, f.fault, f.tls
	if len(f.first) > 0 {
		a.First = f.first
	}
	h := a.HTTP2
	h.Signal, h.Code, h.Detail, h.Ended = f.signal, f.code, f.detail, f.ended
	if g := f.goAway; g != nil {
		h.LastStream, h.Debug = g.last, g.debug
	}
}

// takeDial copies what making a connection showed.
func takeDial(a, from *journey.Attempt) {
	a.Address, a.Phase, a.End, a.Errno = from.Address, from.Phase, from.End, from.Errno
	a.Limit, a.LimitValue, a.Fault, a.First = from.Limit, from.LimitValue, from.Fault, from.First
	a.DNSTime, a.ConnectTime, a.TLSTime = from.DNSTime, from.ConnectTime, from.TLSTime
	a.Tries, a.DNS, a.TLS = from.Tries, from.DNS, from.TLS
	moved := a.HTTP2.Moved
	*a.HTTP2 = *from.HTTP2
	a.HTTP2.Moved = moved
}

// forgetDial takes back what a dial showed that is not this connection's.
func forgetDial(a *journey.Attempt) {
	a.DNSTime, a.ConnectTime, a.TLSTime, a.Tries, a.DNS, a.TLS = 0, 0, 0, nil, nil, nil
}

// forget is called when a connection is closed.
func (p *h2pool) forget(c *h2conn) {
	p.mu.Lock()
	p.conns = slices.DeleteFunc(p.conns, func(o *h2conn) bool { return o == c })
	p.mu.Unlock()
}

// close lets no further call have a connection that stands; those in use are closed behind their
// last call.
func (p *h2pool) close() {
	p.closed.Store(true)
	p.mu.Lock()
	conns := slices.Clone(p.conns)
	p.mu.Unlock()
	for _, c := range conns {
		c.retire()
	}
}

// addStats counts connections and calls into s.
func (p *h2pool) addStats(s *OriginStats) {
	p.mu.Lock()
	conns := slices.Clone(p.conns)
	p.mu.Unlock()
	for _, c := range conns {
		c.mu.Lock()
		n, fail := len(c.streams), c.fail
		c.mu.Unlock()
		if fail != nil {
			continue
		}
		s.HTTP2++
		s.Streams += int64(n)
		if n == 0 {
			s.Idle++
		}
	}
	s.Moved = p.moved.Load()
}

// h2Defaults fills in what was not given.
func (o *OriginOptions) h2Defaults() {
	if o.MaxAge <= 0 {
		o.MaxAge = 30 * time.Minute
	}
	if o.PingAfter <= 0 {
		o.PingAfter = 30 * time.Second
	}
	if o.PingTimeout <= 0 {
		o.PingTimeout = 15 * time.Second
	}
}
