package wire

import (
	"context"
	"net/netip"
	"sync/atomic"
	"time"
)

// A name may come to have other addresses while connections to the old ones are kept busy: nothing would ever look it up
// again. So a name that is in use is looked up every lookAgain, beside the calls, and a connection whose address the
// name has not had for forgotten is not kept after its call. A lookup that fails changes nothing.
const (
	lookAgain = 30 * time.Second
	forgotten = 75 * time.Second // some resolvers tell another few of many addresses each time
)

// resolved is what a name was found to be.
type resolved struct {
	at   int64                // when it was last looked up
	seen map[netip.Addr]int64 // when an address was last among the answers
}

// names is what an origin knows of its name; the zero value is a name that was never looked up.
type names struct {
	now     atomic.Pointer[resolved]
	looking atomic.Bool
}

// note takes an answer in.
func (n *names) note(at int64, ips []netip.Addr) {
	for {
		old := n.now.Load()
		r := &resolved{at: at, seen: make(map[netip.Addr]int64, len(ips))}
		if old != nil {
			for ip, last := range old.seen {
				if at-last < int64(forgotten) {
					r.seen[ip] = last
				}
			}
		}
		for _, ip := range ips {
			r.seen[ip.Unmap()] = at
		}
		if n.now.CompareAndSwap(old, r) {
			return
		}
	}
}

// stays tells whether a connection may be kept: the name that it was made for still has its address.
func (g *Origin) stays(u *Upcall) bool {
	r := g.names.now.Load()
	if r == nil {
		return true // an address or a socket's path
	}
	if u.idleSince-r.at > int64(lookAgain) && g.names.looking.CompareAndSwap(false, true) {
		go g.lookAgain()
	}
	if u.resolved == r {
		return true
	}
	u.resolved = r
	at, err := netip.ParseAddrPort(u.address())
	if err != nil {
		return true
	}
	_, has := r.seen[at.Addr().Unmap()]
	return has
}

// lookupTime bounds a lookup beside the calls.
const lookupTime = 10 * time.Second

// lookAgain looks the name up beside the calls.
func (g *Origin) lookAgain() {
	defer g.names.looking.Store(false)
	ctx, cancel := context.WithTimeout(context.Background(), lookupTime)
	defer cancel()
	began := clock()
	ips, err := g.o.Resolver.LookupNetIP(ctx, "ip", g.name)
	if err != nil || len(ips) == 0 {
		ips = nil
		for ip := range g.names.now.Load().seen {
			ips = append(ips, ip) // what is not known to be otherwise stays as it was
		}
	}
	g.names.note(began, ips)
}
