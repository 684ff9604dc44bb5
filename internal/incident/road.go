package incident

import (
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"causeway/internal/journey"
)

// road is what the connections to a target looked like.
type road struct {
	addresses []string
	since     time.Time
}

const (
	mostRoads     = 500
	mostAddresses = 16
	// knownAfter is how long a target's addresses are learnt before a new one is a change.
	knownAfter = 30 * time.Second
)

// road notes from which addresses a target's name is served, so that a change of the DNS answer is known.
func (e *Engine) road(j *journey.Journey, now time.Time) {
	for i := range j.Attempts {
		a := &j.Attempts[i]
		if a.Address == "" || !named(a.Target) {
			continue
		}
		host, _, err := net.SplitHostPort(a.Address)
		if err != nil {
			continue
		}
		target := cleanTarget(a.Target)
		r := e.roads[target]
		switch {
		case r == nil && len(e.roads) < mostRoads:
			e.roads[target] = &road{addresses: []string{host}, since: now}
		case r == nil || slices.Contains(r.addresses, host):
		default:
			if now.Sub(r.since) > knownAfter {
				e.changed(Change{At: now, What: "address", Target: target, Text: "the name in " + target + " leads to " + host + ", and led to " + strings.Join(r.addresses, ", ") + " before"})
			}
			if len(r.addresses) >= mostAddresses {
				r.addresses = r.addresses[1:]
			}
			r.addresses = append(r.addresses, host)
		}
	}
}

// named tells whether a target's host is a name.
func named(target string) bool {
	u, err := url.Parse(target)
	if err != nil || u.Hostname() == "" {
		return false
	}
	_, err = netip.ParseAddr(u.Hostname())
	return err != nil
}
