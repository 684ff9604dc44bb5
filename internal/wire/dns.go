package wire

import (
	"context"
	"errors"
	"net"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"causeway/internal/journey"
)

// dnsFacts reads what the standard resolver says. It tells neither NXDOMAIN from an answer without
// addresses nor SERVFAIL from REFUSED; askRCode does.
func dnsFacts(name string, err error) *journey.DNSFacts {
	f := &journey.DNSFacts{Name: name}
	var de *net.DNSError
	if errors.As(err, &de) {
		f.Server, f.NotFound, f.Timeout, f.Err = de.Server, de.IsNotFound, de.IsTimeout, de.Err
	} else if err != nil {
		f.Err = err.Error()
	} else {
		f.NotFound, f.RCode = true, "NOERROR"
	}
	return f
}

// asked corrects the server that was asked, where the resolver has a dial of its own: the standard one's
// error names that of resolv.conf all the same. Nothing is sent.
func (g *Origin) asked(f *journey.DNSFacts) *journey.DNSFacts {
	if dial := g.o.Resolver.Dial; dial != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		if nc, err := dial(ctx, "udp", f.Server); err == nil {
			f.Server = nc.RemoteAddr().String()
			nc.Close()
		}
	}
	return f
}

// askRCode asks the resolver once more, for the code of its answer alone. It runs only after a
// lookup has failed, for at most half a second; "" means that there was no answer to read.
func (g *Origin) askRCode(f *journey.DNSFacts) string {
	ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
	defer cancel()
	dial := g.o.Resolver.Dial
	if dial == nil {
		if f.Server == "" {
			return ""
		}
		var d net.Dialer
		dial = d.DialContext
	}
	nc, err := dial(ctx, "udp", f.Server)
	if err != nil {
		return ""
	}
	defer nc.Close()
	if dl, ok := ctx.Deadline(); ok {
		_ = nc.SetDeadline(dl)
	}
	name, err := dnsmessage.NewName(g.name + ".")
	if err != nil {
		return ""
	}
	q := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: uint16(clock()), RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}},
	}
	packed, err := q.Pack()
	if err != nil {
		return ""
	}
	if _, err := nc.Write(packed); err != nil {
		return ""
	}
	var buf [1500]byte
	n, err := nc.Read(buf[:])
	if err != nil {
		return ""
	}
	var p dnsmessage.Parser
	h, err := p.Start(buf[:n])
	if err != nil || h.ID != q.ID {
		return ""
	}
	switch h.RCode {
	case dnsmessage.RCodeSuccess:
		return "NOERROR"
	case dnsmessage.RCodeNameError:
		return "NXDOMAIN"
	case dnsmessage.RCodeServerFailure:
		return "SERVFAIL"
	case dnsmessage.RCodeRefused:
		return "REFUSED"
	case dnsmessage.RCodeFormatError:
		return "FORMERR"
	case dnsmessage.RCodeNotImplemented:
		return "NOTIMP"
	}
	return ""
}
