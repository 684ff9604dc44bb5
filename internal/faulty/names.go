package faulty

import (
	"fmt"
	"net"
	"net/netip"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"causeway/internal/fault"
)

// Names are under .test, which no public resolver knows (RFC 6761 section 6.2), and ports are
// those of nobody: only what the resolver says decides.
func nameFaults() []Fault {
	by := Needs{Resolver: true}
	return []Fault{
		{
			Name: "dns_nxdomain", Kind: fault.DNSNotFound, Row: "01", Needs: by,
			About: "the resolver answers NXDOMAIN", start: lookup(reply{rcode: dnsmessage.RCodeNameError}),
		},
		{
			Name: "dns_nodata", Kind: fault.DNSNoAddress, Also: []fault.Kind{fault.DNSNotFound}, Row: "02", Needs: by,
			About: "the resolver answers NOERROR without an address, to A and AAAA alike", start: lookup(reply{}),
		},
		{
			Name: "dns_servfail", Kind: fault.DNSServerFailure, Row: "03", Needs: by,
			About: "the resolver answers SERVFAIL", start: lookup(reply{rcode: dnsmessage.RCodeServerFailure}),
		},
		{
			Name: "dns_server_down", Kind: fault.DNSServerFailure, Also: []fault.Kind{fault.DNSTimeout}, Row: "03", Needs: by,
			About: "nothing listens at the resolver's address", start: noResolver,
		},
		{
			Name: "dns_refused", Kind: fault.DNSRefused, Also: []fault.Kind{fault.DNSServerFailure}, Row: "03", Needs: by,
			About: "the resolver answers REFUSED", start: lookup(reply{rcode: dnsmessage.RCodeRefused}),
		},
		{
			Name: "dns_timeout", Kind: fault.DNSTimeout, Row: "04", Needs: by,
			About: "the resolver takes the question and never answers", start: lookup(reply{silent: true}),
		},
		{
			Name: "dns_slow", Needs: by, Defaults: Params{Delay: 200 * time.Millisecond},
			Also:  []fault.Kind{fault.DNSTimeout},
			About: "the resolver answers after Delay; the server behind the name is well", start: resolved(live),
		},
		{
			Name: "dns_truncated", Needs: by,
			About: "the answer over UDP is truncated (TC): the resolver must be asked again over TCP",
			start: resolvedTCP,
		},
		{
			Name: "dns_dead_then_live", Needs: by,
			About: "the name has two addresses: the first refuses, the second answers well", start: resolved(dead, live),
		},
		{
			Name: "dns_dead_only", Kind: fault.ConnectionRefused, Row: "05", Needs: by,
			About: "the name has two addresses and both refuse", start: resolved(dead, deader),
		},
	}
}

// The addresses that names resolve to: servers listen on live only, so the others refuse.
var (
	live   = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	dead   = netip.AddrFrom4([4]byte{127, 0, 0, 2})
	deader = netip.AddrFrom4([4]byte{127, 0, 0, 3})
)

// lookup starts a resolver that answers every question with r. No server stands behind the name.
func lookup(r reply) func(*site) error {
	return func(s *site) error {
		s.up.URL = "http://orders.test"
		return s.resolver(r)
	}
}

// resolved starts a server on live and a resolver that knows the addresses, in that order.
func resolved(addrs ...netip.Addr) func(*site) error {
	return func(s *site) error { return s.named(reply{addrs: addrs}) }
}

func resolvedTCP(s *site) error { return s.named(reply{addrs: []netip.Addr{live}, truncate: true}) }

func (s *site) named(r reply) error {
	addr, err := s.listen("tcp", live.String()+":0", serveWell)
	if err != nil {
		return err
	}
	port := netip.MustParseAddrPort(addr).Port()
	s.up.URL = fmt.Sprintf("http://orders.test:%d", port)
	return s.resolver(r)
}

// noResolver names a UDP port that answers every datagram with ICMP "port unreachable": it belongs
// to a socket connected elsewhere, so that nobody else gets it.
func noResolver(s *site) error {
	s.up.URL = "http://orders.test"
	here := net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}
	conn, err := net.DialUDP("udp4", &here, &net.UDPAddr{IP: here.IP, Port: 9})
	if err != nil {
		return fmt.Errorf("keeping a UDP port: %w", err)
	}
	s.own(conn)
	s.up.Resolver = conn.LocalAddr().String()
	return nil
}
