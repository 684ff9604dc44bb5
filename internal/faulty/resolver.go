package faulty

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"

	"golang.org/x/net/dns/dnsmessage"
)

// reply is what the fake resolver says to every question.
type reply struct {
	rcode    dnsmessage.RCode
	addrs    []netip.Addr // IPv4, answered in this order to A; AAAA gets none
	silent   bool         // never answer
	truncate bool         // over UDP: no answer and the TC bit
}

// resolver starts a DNS server on one port over UDP and TCP, and names it in the upstream.
func (s *site) resolver(r reply) error {
	udp, tcp, err := listenPair()
	if err != nil {
		return fmt.Errorf("starting the resolver: %w", err)
	}
	if s.own(udp) {
		s.run(func() { s.answerUDP(udp, r) })
	}
	s.serve(tcp, []step{answerTCP(r)})
	s.up.Resolver = udp.LocalAddr().String()
	return nil
}

// listenPair finds a port that is free over UDP and TCP.
func listenPair() (*net.UDPConn, net.Listener, error) {
	var err error
	for range 10 {
		var tcp net.Listener
		if tcp, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			break
		}
		at := tcp.Addr().(*net.TCPAddr)
		var udp *net.UDPConn
		if udp, err = net.ListenUDP("udp", &net.UDPAddr{IP: at.IP, Port: at.Port}); err == nil {
			return udp, tcp, nil
		}
		_ = tcp.Close()
	}
	return nil, nil, err
}

func (s *site) answerUDP(conn *net.UDPConn, r reply) {
	buf := make([]byte, 4096)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		answer, ok := r.answer(buf[:n], r.truncate)
		if !ok {
			continue
		}
		s.tally.add(func(c *Counts) { c.Queries++ })
		if r.silent {
			continue
		}
		// A and AAAA are asked at once: each waits for itself.
		s.run(func() {
			if s.wait(s.p.Delay) {
				_, _ = conn.WriteToUDPAddrPort(answer, from)
			}
		})
	}
}

// answerTCP serves DNS over TCP: each message has a two-byte length before it (RFC 1035 section 4.2.2).
func answerTCP(r reply) step {
	return func(c *peer) error {
		for {
			c.hold()
			var size [2]byte
			if _, err := io.ReadFull(c.br, size[:]); err != nil {
				return err
			}
			query := make([]byte, binary.BigEndian.Uint16(size[:]))
			if _, err := io.ReadFull(c.br, query); err != nil {
				return err
			}
			answer, ok := r.answer(query, false)
			if !ok {
				return errEnd
			}
			c.site.tally.add(func(n *Counts) { n.Queries++ })
			if r.silent {
				return silence(c)
			}
			if err := pause(c); err != nil {
				return err
			}
			if err := c.put(string(binary.BigEndian.AppendUint16(nil, uint16(len(answer)))) + string(answer)); err != nil {
				return err
			}
		}
	}
}

// answer makes the reply to one query, and says no when the query is not one.
func (r reply) answer(query []byte, truncate bool) ([]byte, bool) {
	var p dnsmessage.Parser
	h, err := p.Start(query)
	if err != nil || h.Response {
		return nil, false
	}
	q, err := p.Question()
	if err != nil {
		return nil, false
	}
	m := dnsmessage.Message{
		Header: dnsmessage.Header{
			ID: h.ID, Response: true, RecursionDesired: h.RecursionDesired, RecursionAvailable: true,
			RCode: r.rcode, Truncated: truncate,
		},
		Questions: []dnsmessage.Question{q},
	}
	if q.Type == dnsmessage.TypeA && !truncate {
		for _, a := range r.addrs {
			m.Answers = append(m.Answers, dnsmessage.Resource{
				Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 1},
				Body:   &dnsmessage.AResource{A: a.As4()},
			})
		}
	}
	packed, err := m.Pack()
	return packed, err == nil
}
