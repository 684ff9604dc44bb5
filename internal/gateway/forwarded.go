package gateway

import (
	"net/netip"
	"strings"

	"causeway/internal/wire"
)

// hop is what one proxy tells of the connection that it took: an element of Forwarded (RFC 7239
// section 4), "" for what it does not say.
type hop struct{ node, proto, host string }

// appendHops appends the elements of a Forwarded field.
func appendHops(hops []hop, value string) []hop {
	value += ","
	h, quoted, from := hop{}, false, 0
	for i := 0; i < len(value); i++ {
		switch b := value[i]; {
		case b == '\\' && quoted:
			i++
		case b == '"':
			quoted = !quoted
		case (b == ';' || b == ',') && !quoted:
			name, v, _ := strings.Cut(value[from:i], "=")
			name, v = strings.Trim(name, " \t"), strings.Trim(v, " \t\"")
			switch {
			case strings.EqualFold(name, "for"):
				h.node = v
			case strings.EqualFold(name, "proto"):
				h.proto = v
			case strings.EqualFold(name, "host"):
				h.host = v
			}
			if from = i + 1; b == ',' {
				hops, h = append(hops, h), hop{}
			}
		}
	}
	if quoted {
		hops = append(hops, hop{}) // a quote that does not end: nothing here can be believed
	}
	return hops
}

// hops are the elements of all of the call's Forwarded fields.
func (c *call) hops() []hop {
	var hops []hop
	for i := range c.rq.Header.Fields {
		if f := &c.rq.Header.Fields[i]; f.ID == wire.Forwarded {
			hops = appendHops(hops, string(f.Value))
		}
	}
	return hops
}

// forwarded is forwardedFor for the Forwarded fields, with the element that names the caller: how the
// caller reached the first of the trusted proxies.
func (c *call) forwarded() (who hop, found netip.Addr, ok bool) {
	hops := c.hops()
	for i := len(hops) - 1; i >= 0; i-- {
		a, err := parseAddress([]byte(hops[i].node))
		if err != nil {
			return who, found, ok
		}
		who, found, ok = hops[i], a, true
		if !trusted(c.gen.Trusted, a) {
			return who, found, ok
		}
	}
	return who, found, ok
}

// origin is the scheme and host that the caller called: those of its connection, or what a trusted
// proxy says of them, in X-Forwarded-Proto and X-Forwarded-Host before Forwarded. host is nil when the
// request names none.
func (c *call) origin() (scheme string, host []byte) {
	scheme, host = "http", c.rq.Authority
	if c.ex.TLS() != nil {
		scheme = "https"
	}
	if !c.trustedPeer {
		return scheme, host
	}
	h := &c.rq.Header
	if h.Has(wire.Forwarded) && !h.Has(wire.XForwardedFor) {
		who, _, _ := c.forwarded()
		if who.proto != "" && plainText([]byte(who.proto)) {
			scheme = who.proto
		}
		if who.host != "" && plainText([]byte(who.host)) {
			host = []byte(who.host)
		}
	}
	if v := h.Get(wire.XForwardedProto); len(v) > 0 && plainText(v) {
		scheme = view(v)
	}
	if v := h.Get(wire.XForwardedHost); len(v) > 0 && plainText(v) {
		host = v
	}
	return scheme, host
}

// appendEarlier appends, each with ", " behind it, who a trusted proxy says was before it, as
// X-Forwarded-For has it, or in the words of Forwarded. What it says in one of the two fields is told
// in both, so that an upstream may read either (RFC 7239 section 7.4).
func (c *call) appendEarlier(dst []byte, asForwarded bool) []byte {
	h := &c.rq.Header
	switch {
	case !c.trustedPeer || asForwarded && h.Has(wire.Forwarded):
		// Nobody's word counts, or it goes upstream as it came.
	case h.Has(wire.XForwardedFor):
		for i := range h.Fields {
			f := &h.Fields[i]
			if f.ID != wire.XForwardedFor || len(f.Value) == 0 {
				continue
			}
			if !asForwarded {
				dst = append(dst, f.Value...)
				dst = append(dst, ", "...)
				continue
			}
			for node := range strings.SplitSeq(string(f.Value), ",") {
				a, err := parseAddress([]byte(node))
				dst = append(dst, "for="...)
				dst = appendNode(dst, a, err == nil)
				dst = append(dst, ", "...)
			}
		}
	case !asForwarded:
		for _, hop := range c.hops() {
			if a, err := parseAddress([]byte(hop.node)); err == nil {
				dst = a.AppendTo(dst)
			} else {
				dst = append(dst, "unknown"...)
			}
			dst = append(dst, ", "...)
		}
	}
	return dst
}

// appendNode appends an address as Forwarded writes it (RFC 7239 section 6).
func appendNode(dst []byte, a netip.Addr, known bool) []byte {
	switch {
	case !known:
		return append(dst, "unknown"...)
	case a.Is4():
		return a.AppendTo(dst)
	}
	dst = append(dst, `"[`...)
	dst = a.AppendTo(dst)
	return append(dst, `]"`...)
}
