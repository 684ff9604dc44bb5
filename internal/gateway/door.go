package gateway

import (
	"net/netip"
	"strings"
	"unsafe"

	"causeway/internal/journey"
	"causeway/internal/wire"
)

// enter is room 1: it gives the call its id, notes who calls, and opens the journey.
func (g *Gateway) enter(ex wire.Exchange) *call {
	c := g.calls.Get().(*call)
	c.g, c.ex, c.rq, c.began = g, ex, ex.Request(), ex.Began()
	j := &c.j
	j.ID, j.Start = journey.NewID(c.began), c.began
	c.idBuf = j.ID
	j.Method, j.Host, j.Path = method(c.rq.Method), view(c.rq.Authority), view(c.rq.Path)
	j.Protocol = ex.Protocol()
	j.TLS = ex.TLS() != nil
	c.peerText = ex.RemoteIP()
	c.client = ex.Remote().Addr()
	j.Remote = c.peerText
	if c.rq.Header.Has(wire.ContentType) {
		c.enterRPC()
	}
	return c
}

// address finds who calls: the peer, or, from a trusted proxy, the last address in X-Forwarded-For
// (where there is none, in Forwarded) that is not itself a trusted proxy's.
func (c *call) address() {
	h := &c.rq.Header
	spoken := h.Has(wire.XForwardedFor) || h.Has(wire.Forwarded) || h.Has(wire.XRealIP) || h.Has(wire.Via)
	named := false
	if len(c.gen.Trusted) > 0 && spoken && trusted(c.gen.Trusted, c.client) {
		c.trustedPeer = true
		var a netip.Addr
		if h.Has(wire.XForwardedFor) {
			a, named = c.forwardedFor()
		} else {
			_, a, named = c.forwarded()
		}
		if named && a != c.client {
			c.client = a
			c.j.Remote = a.String()
		}
	}
	// A proxy on this machine speaks for others: then loopback is who calls only if a proxy that is
	// believed says so.
	c.local = (c.client.IsLoopback() || !c.client.IsValid()) && (named || !spoken)
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

// proxyAddresses are what an upstream is told of who calls with the PROXY protocol: the caller, by the
// same rules as everywhere, and where its connection came in.
func (c *call) proxyAddresses() wire.ProxyAddresses {
	who := wire.ProxyAddresses{From: c.ex.Remote(), To: c.ex.Local()}
	if c.client != who.From.Addr() {
		who.From = netip.AddrPortFrom(c.client, 0) // a proxy before us told the address alone
	}
	return who
}

// parseAddress reads an address, with or without a port; an IPv6 address may be in brackets.
func parseAddress(b []byte) (netip.Addr, error) {
	s := strings.Trim(string(b), " \t")
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap(), nil
	}
	if len(s) > 1 && s[0] == '[' && s[len(s)-1] == ']' {
		s = s[1 : len(s)-1]
	}
	a, err := netip.ParseAddr(s)
	return a.Unmap(), err
}

// leave is what every call ends with, whatever happened: its record is closed, it is counted, and
// the call's memory goes back.
func (c *call) leave() {
	g := c.g
	c.releaseAnswer()
	c.releaseTarget()
	c.unfold.close()
	c.commit()
	c.settleUse()
	c.measure()
	if c.shelf != nil || c.recall != nil {
		c.countCache()
	}
	if c.reserved > 0 {
		g.gate.Release(c.reserved)
	}
	if c.held != nil {
		g.bodies.Put((*[keepBody]byte)(c.held[:keepBody]))
	}
	c.forget()
	g.calls.Put(c)
}

// forget makes c fit for the next call: nothing of this one is left in it but empty memory.
func (c *call) forget() {
	if cap(c.rewrite) > 1<<20 {
		c.rewrite = nil
	}
	c.j.Reset()
	c.rec, c.pieces, c.out, c.arena, c.pathBuf, c.rewrite = c.rec[:0], c.pieces[:0], c.out[:0], c.arena[:0], c.pathBuf[:0], c.rewrite[:0]
	clear(unsafe.Slice(&c.facts, 1)) // a plain assignment of so much moves it twice, word by word
	c.answer.Reset()
}
