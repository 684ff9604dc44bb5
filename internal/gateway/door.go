package gateway

import (
	"net/netip"

	"causeway/internal/journey"
	"causeway/internal/wire"
)

// enter is room 1: it gives the call its id, notes who calls, and opens the journey.
func (g *Gateway) enter(ex wire.Exchange) *call {
	c := g.calls.Get().(*call)
	c.g, c.ex, c.rq, c.began = g, ex, ex.Request(), ex.Began()
	c.j.Reset()
	j := &c.j
	j.ID, j.Start = journey.NewID(c.began), c.began
	c.idBuf = j.ID
	j.Method, j.Host, j.Path = method(c.rq.Method), view(c.rq.Authority), view(c.rq.Path)
	j.Protocol = "HTTP/1.1"
	if c.rq.Minor == 0 {
		j.Protocol = "HTTP/1.0"
	}
	j.TLS = ex.TLS() != nil
	c.peerText = ex.RemoteIP()
	c.client = ex.Remote().Addr()
	j.Remote = c.peerText
	return c
}

// address finds who calls: the peer, or, from a trusted proxy, the last address in
// X-Forwarded-For that is not itself a trusted proxy's.
func (c *call) address() {
	h := &c.rq.Header
	spoken := h.Has(wire.XForwardedFor) || h.Has(wire.Forwarded) || h.Has(wire.XRealIP)
	if len(c.gen.Trusted) > 0 && spoken && trusted(c.gen.Trusted, c.client) {
		c.trustedPeer = true
		if a, ok := c.forwardedFor(); ok && a != c.client {
			c.client = a
			c.j.Remote = a.String()
		}
	}
	// A proxy on this machine speaks for others: then loopback is not who calls.
	c.local = (c.client.IsLoopback() || !c.client.IsValid()) && (c.trustedPeer || !spoken && !h.Has(wire.Via))
}

func trusted(list []netip.Prefix, a netip.Addr) bool {
	for _, p := range list {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

func (c *call) forwardedFor() (found netip.Addr, ok bool) {
	fields := c.rq.Header.Fields
	for i := len(fields) - 1; i >= 0; i-- {
		if fields[i].ID != wire.XForwardedFor {
			continue
		}
		list := fields[i].Value
		for len(list) > 0 {
			at := len(list) - 1
			for at >= 0 && list[at] != ',' {
				at--
			}
			a, err := parseAddress(list[at+1:])
			if err != nil {
				return found, ok // what stands before it cannot be believed either
			}
			found, ok = a, true
			if !trusted(c.gen.Trusted, a) {
				return found, ok
			}
			list = list[:max(at, 0)]
		}
	}
	return found, ok
}

func parseAddress(b []byte) (netip.Addr, error) {
	s := string(b)
	for len(s) > 0 && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for len(s) > 0 && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	if a, err := netip.ParseAddr(s); err == nil {
		return a.Unmap(), nil
	}
	ap, err := netip.ParseAddrPort(s)
	return ap.Addr().Unmap(), err
}

// leave is what every call ends with, whatever happened: its record is closed, it is counted, and
// the call's memory goes back.
func (c *call) leave() {
	g := c.g
	c.releaseAnswer()
	c.releaseTarget()
	c.commit()
	c.measure()
	if c.held != nil {
		g.bodies.Put((*[keepBody]byte)(c.held[:keepBody]))
	}
	if cap(c.rewrite) > 1<<20 {
		c.rewrite = nil
	}
	*c = call{
		j: c.j, rec: c.rec[:0], pieces: c.pieces[:0], out: c.out[:0], arena: c.arena[:0], answer: c.answer, pathBuf: c.pathBuf[:0], rewrite: c.rewrite[:0],
	}
	c.answer.Reset()
	g.calls.Put(c)
}
