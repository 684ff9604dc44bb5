package fetch

import (
	"net/netip"
	"strings"
	"time"

	"causeway/internal/catalog"
)

// From says where media may be fetched from.
type From uint8

// The places.
const (
	Public From = iota // public addresses, and what is listed
	Listed             // only what is listed
	Nowhere
)

// Rules say what may be fetched. They are not changed once given away.
type Rules struct {
	From From
	// Hosts are names that may also be at addresses that are not public: "media.internal", "*.corp.example" for all below.
	// A host that is listed may be asked at any port. Link-local addresses (a cloud's metadata among them), multicast and
	// the unspecified address are never meant by a name.
	Hosts []string
	// Networks are addresses that may be asked whatever the host's name.
	Networks []netip.Prefix
	// MaxSize is the most bytes, 20 MiB when 0.
	MaxSize int64
	// Timeout is for all of it, redirects included, 10 s when 0.
	Timeout time.Duration
}

// usual are the limits where the rules say none.
const (
	usualSize    = 20 << 20
	usualTimeout = 10 * time.Second
)

// RulesOf are the rules of a configuration's llm.fetch.
func RulesOf(c catalog.Fetch) Rules {
	r := Rules{Hosts: c.Hosts, Networks: c.Networks, MaxSize: c.MaxSize, Timeout: c.Timeout}
	switch c.From {
	case "allowed":
		r.From = Listed
	case "off":
		r.From = Nowhere
	}
	return r
}

func (r *Rules) fill() {
	if r.MaxSize <= 0 {
		r.MaxSize = usualSize
	}
	if r.Timeout <= 0 {
		r.Timeout = usualTimeout
	}
}

// listsHost tells whether a URL's host is listed by its name.
func (r *Rules) listsHost(host string) bool {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	for _, h := range r.Hosts {
		h = strings.ToLower(h)
		if below, all := strings.CutPrefix(h, "*."); all && strings.HasSuffix(host, "."+below) || h == host {
			return true
		}
	}
	return false
}

// permits tells whether an address may be connected to; listed tells that its host is listed.
func (r *Rules) permits(at netip.Addr, listed bool) bool {
	if at.Zone() != "" {
		return false
	}
	at = at.Unmap()
	for _, n := range r.Networks {
		if n.Contains(at) {
			return true
		}
	}
	if listed {
		return at.IsGlobalUnicast() || at.IsLoopback()
	}
	return r.From == Public && IsPublic(at)
}

func addrOf(address string) (netip.Addr, error) {
	p, err := netip.ParseAddrPort(address)
	return p.Addr(), err
}

// special are the networks that are not the public internet's.
// Sources: www.iana.org/assignments/iana-ipv4-special-registry and iana-ipv6-special-registry (not globally reachable), RFC
// 5771, RFC 1112; learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16 for Azure's own service.
var special = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
	"192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
	"168.63.129.16/32",
	// Of IPv6 only 2000::/3 is handed out; within it: special purposes and Teredo, documentation.
	"2001::/23", "2001:db8::/32", "3fff::/20",
)

var (
	global  = netip.MustParsePrefix("2000::/3")
	nat64   = netip.MustParsePrefix("64:ff9b::/96") // RFC 6052: the last four bytes are an IPv4 address
	sixToIV = netip.MustParsePrefix("2002::/16")    // RFC 3056: bytes 2 to 5 are
)

func prefixes(list ...string) (all []netip.Prefix) {
	for _, s := range list {
		all = append(all, netip.MustParsePrefix(s))
	}
	return all
}

// IsPublic tells whether an address is one of the public internet, IPv4 addresses inside IPv6 ones included.
func IsPublic(at netip.Addr) bool {
	if !at.IsValid() || at.Zone() != "" {
		return false
	}
	at = at.Unmap()
	b := at.As16()
	switch {
	case nat64.Contains(at):
		return IsPublic(netip.AddrFrom4([4]byte(b[12:16])))
	case sixToIV.Contains(at):
		return IsPublic(netip.AddrFrom4([4]byte(b[2:6])))
	case at.Is6() && !global.Contains(at):
		return false
	}
	for _, n := range special {
		if n.Contains(at) {
			return false
		}
	}
	return true
}
