package probe

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// DNSAnswer is what one resolver said of a name.
type DNSAnswer struct {
	// Server is the resolver's address with its port, or System.
	Server string
	// RCode is "NOERROR", "NXDOMAIN", "SERVFAIL", "REFUSED", "FORMERR", "NOTIMP" or "RCODEn"; "" when no
	// answer came.
	RCode     string
	Addresses []netip.Addr  // A before AAAA, at most 32
	Alias     string        // the canonical name, "" when the name is its own
	TTL       time.Duration // the shortest of the addresses', 0 when not known
	Truncated bool          // it had to be asked over TCP
	Timeout   bool          // it did not answer in time
	Err       string        // why there is no answer, "" when there is one
	Took      time.Duration
}

// Good says whether the answer holds an address.
func (a *DNSAnswer) Good() bool { return len(a.Addresses) > 0 }

// System is the Server of an answer that came by way of the operating system: /etc/hosts first, then
// its resolvers.
const System = "system"

const (
	mostAddresses = 32
	mostResolvers = 4
)

// Resolvers lists the name servers in a resolv.conf(5), with their ports, at most four; none when the
// file can't be read.
func Resolvers(path string) []string {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 64<<10))
	if err != nil {
		return nil
	}
	var list []string
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) < 2 || f[0] != "nameserver" || len(list) == mostResolvers {
			continue
		}
		if at, err := netip.ParseAddr(f[1]); err == nil {
			list = append(list, netip.AddrPortFrom(at, 53).String())
		}
	}
	return list
}

// LookupSystem asks the operating system, as a program without settings of its own does. r is nil for
// the system's resolver.
func LookupSystem(ctx context.Context, r *net.Resolver, name string) DNSAnswer {
	if r == nil {
		r = net.DefaultResolver
	}
	began := time.Now()
	list, err := r.LookupNetIP(ctx, "ip", name)
	a := DNSAnswer{Server: System, Took: time.Since(began)}
	for _, ip := range list {
		a.add(ip.Unmap(), 0)
	}
	a.sort()
	if err == nil {
		if a.RCode = "NOERROR"; !a.Good() {
			a.Err = "no addresses"
		}
		return a
	}
	a.Err = err.Error()
	var de *net.DNSError
	if errors.As(err, &de) {
		a.Err, a.Timeout = de.Err, de.IsTimeout
		if de.IsNotFound {
			a.RCode = "NXDOMAIN"
		}
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		a.Timeout = true
	}
	return a
}

// Lookup asks one resolver, "192.0.2.53:53", for the name's IPv4 and IPv6 addresses: over UDP, and over
// TCP where the answer is too long for it. A datagram that is lost is sent once more.
func Lookup(ctx context.Context, server, name string) DNSAnswer {
	began := time.Now()
	a := DNSAnswer{Server: server}
	asked, err := dnsmessage.NewName(strings.TrimSuffix(name, ".") + ".")
	if err != nil {
		a.Err = "it is no name that DNS can hold"
		return a
	}
	type half struct {
		reply dnsmessage.Message
		tcp   bool
		err   error
	}
	types := []dnsmessage.Type{dnsmessage.TypeA, dnsmessage.TypeAAAA}
	got := make([]chan half, len(types))
	for i, t := range types {
		got[i] = make(chan half, 1)
		go func() {
			m, tcp, err := query(ctx, server, asked, t)
			got[i] <- half{m, tcp, err}
		}()
	}
	var failed error
	for i := range types {
		h := <-got[i]
		if h.err != nil {
			failed = h.err
			continue
		}
		a.Truncated = a.Truncated || h.tcp
		if code := rcodeName(h.reply.RCode); a.RCode == "" || a.RCode == "NOERROR" {
			a.RCode = code
		}
		a.read(&h.reply, asked)
	}
	a.Took = time.Since(began)
	a.sort()
	switch {
	case a.Good():
	case failed != nil:
		var late net.Error
		a.Timeout = errors.As(failed, &late) && late.Timeout() || errors.Is(failed, context.DeadlineExceeded)
		if a.Err = plainError(failed); a.Timeout {
			a.Err = "no answer"
		}
		if a.RCode == "NOERROR" {
			a.RCode = "" // only the other half of the question was answered
		}
	case a.RCode == "NOERROR":
		a.Err = "the name exists, without addresses"
	default:
		a.Err = a.RCode
	}
	return a
}

// read takes the addresses out of a reply.
func (a *DNSAnswer) read(m *dnsmessage.Message, asked dnsmessage.Name) {
	for i := range m.Answers {
		r := &m.Answers[i]
		ttl := time.Duration(r.Header.TTL) * time.Second
		switch b := r.Body.(type) {
		case *dnsmessage.AResource:
			a.add(netip.AddrFrom4(b.A), ttl)
		case *dnsmessage.AAAAResource:
			a.add(netip.AddrFrom16(b.AAAA), ttl)
		case *dnsmessage.CNAMEResource:
			if !strings.EqualFold(b.CNAME.String(), asked.String()) {
				a.Alias = strings.TrimSuffix(b.CNAME.String(), ".")
			}
		}
	}
}

func (a *DNSAnswer) add(ip netip.Addr, ttl time.Duration) {
	if len(a.Addresses) == mostAddresses || slices.Contains(a.Addresses, ip) {
		return
	}
	a.Addresses = append(a.Addresses, ip)
	if ttl > 0 && (a.TTL == 0 || ttl < a.TTL) {
		a.TTL = ttl
	}
}

// sort puts IPv4 first, as calls do, and keeps the resolver's order otherwise.
func (a *DNSAnswer) sort() {
	slices.SortStableFunc(a.Addresses, func(x, y netip.Addr) int {
		switch {
		case x.Is4() == y.Is4():
			return 0
		case x.Is4():
			return -1
		}
		return 1
	})
}

// query asks one question. tcp tells that the answer had to be asked for over TCP.
func query(ctx context.Context, server string, name dnsmessage.Name, t dnsmessage.Type) (m dnsmessage.Message, tcp bool, err error) {
	q := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: uint16(rand.Uint32()), RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: name, Type: t, Class: dnsmessage.ClassINET}},
	}
	packed, err := q.Pack()
	if err != nil {
		return m, false, err
	}
	const tries = 2
	for try := range tries {
		part, cancel := share(ctx, tries-try)
		m, err = exchangeUDP(part, server, packed, q.ID)
		cancel()
		if err == nil || ctx.Err() != nil {
			break
		}
	}
	if err != nil || !m.Truncated {
		return m, false, err
	}
	m, err = exchangeTCP(ctx, server, packed, q.ID)
	return m, true, err
}

// share is ctx with one n-th of the time that it has left.
func share(ctx context.Context, n int) (context.Context, context.CancelFunc) {
	if dl, ok := ctx.Deadline(); ok {
		return context.WithTimeout(ctx, time.Until(dl)/time.Duration(n))
	}
	return context.WithTimeout(ctx, 2*time.Second)
}

func exchangeUDP(ctx context.Context, server string, packed []byte, id uint16) (m dnsmessage.Message, err error) {
	nc, done, err := dialFor(ctx, "udp", server)
	if err != nil {
		return m, err
	}
	defer done()
	if _, err := nc.Write(packed); err != nil {
		return m, err
	}
	buf := make([]byte, 4096)
	for {
		n, err := nc.Read(buf)
		if err != nil {
			return m, err
		}
		// Whatever does not answer this question is somebody else's.
		if m.Unpack(buf[:n]) == nil && m.ID == id && m.Response {
			return m, nil
		}
	}
}

func exchangeTCP(ctx context.Context, server string, packed []byte, id uint16) (m dnsmessage.Message, err error) {
	nc, done, err := dialFor(ctx, "tcp", server)
	if err != nil {
		return m, err
	}
	defer done()
	if _, err := nc.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(packed))), packed...)); err != nil {
		return m, err
	}
	var size [2]byte
	if _, err := io.ReadFull(nc, size[:]); err != nil {
		return m, err
	}
	buf := make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(nc, buf); err != nil {
		return m, err
	}
	if err := m.Unpack(buf); err != nil {
		return m, fmt.Errorf("reading the answer: %w", err)
	}
	if m.ID != id || !m.Response {
		return m, errors.New("the answer is to another question")
	}
	return m, nil
}

// dialFor connects for as long as ctx lasts. done closes the connection.
func dialFor(ctx context.Context, network, address string) (nc net.Conn, done func(), err error) {
	var d net.Dialer
	nc, err = d.DialContext(ctx, network, address)
	if err != nil {
		return nil, nil, err
	}
	if dl, ok := ctx.Deadline(); ok {
		_ = nc.SetDeadline(dl)
	}
	stop := context.AfterFunc(ctx, func() { _ = nc.SetDeadline(time.Unix(1, 0)) })
	return nc, func() {
		stop()
		_ = nc.Close()
	}, nil
}

func rcodeName(c dnsmessage.RCode) string {
	switch c {
	case dnsmessage.RCodeSuccess:
		return "NOERROR"
	case dnsmessage.RCodeFormatError:
		return "FORMERR"
	case dnsmessage.RCodeServerFailure:
		return "SERVFAIL"
	case dnsmessage.RCodeNameError:
		return "NXDOMAIN"
	case dnsmessage.RCodeNotImplemented:
		return "NOTIMP"
	case dnsmessage.RCodeRefused:
		return "REFUSED"
	}
	return fmt.Sprintf("RCODE%d", uint16(c))
}

// plainError is a network error without the addresses in it.
func plainError(err error) string {
	var op *net.OpError
	for errors.As(err, &op) && op.Err != nil && op.Err != err {
		err = op.Err
	}
	return err.Error()
}
