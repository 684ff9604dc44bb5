package policy

import (
	"net/netip"
	"slices"
	"strings"
)

// IPAllow is a list of networks that calls may come from.
type IPAllow struct {
	ranges []span // sorted, not touching each other
	text   string
}

// span is a range of addresses, both ends included.
type span struct{ from, to netip.Addr }

// NewIPAllow compiles a list of networks; an empty one allows nobody. An IPv4 network that is
// written in IPv6 form (::ffff:10.0.0.0/104) is the IPv4 network.
func NewIPAllow(prefixes []netip.Prefix) *IPAllow {
	l := &IPAllow{}
	var texts []string
	for _, p := range prefixes {
		texts = append(texts, p.String())
		if p.Addr().Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		if p.IsValid() {
			l.ranges = append(l.ranges, span{p.Masked().Addr(), last(p)})
		}
	}
	l.text = strings.Join(texts, ", ")
	slices.SortFunc(l.ranges, func(a, b span) int { return a.from.Compare(b.from) })
	merged := l.ranges[:0]
	for _, r := range l.ranges { // nested networks make one range, so that one search decides
		if n := len(merged); n > 0 && r.from.Compare(merged[n-1].to) <= 0 {
			if merged[n-1].to.Less(r.to) {
				merged[n-1].to = r.to
			}
			continue
		}
		merged = append(merged, r)
	}
	l.ranges = merged
	return l
}

// last is the highest address of a network.
func last(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// Allows reports whether calls may come from an address. A zone does not matter; the zero address
// is never allowed.
func (l *IPAllow) Allows(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	lo, hi := 0, len(l.ranges)
	for lo < hi { // the first range that does not end before a
		if mid := (lo + hi) / 2; l.ranges[mid].to.Less(a) {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return a.IsValid() && lo < len(l.ranges) && !a.Less(l.ranges[lo].from)
}

// String lists the networks as configured.
func (l *IPAllow) String() string { return l.text }
