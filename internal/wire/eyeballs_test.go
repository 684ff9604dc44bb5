package wire

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"causeway/internal/faulty"
	"causeway/internal/journey"
)

// answering is a DNS server that gives a name these addresses.
func answering(t *testing.T, addrs *atomic.Pointer[[]string]) *net.Resolver {
	t.Helper()
	l, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { _ = l.Close(); <-done })
	go func() {
		defer close(done)
		buf := make([]byte, 1500)
		for {
			n, from, err := l.ReadFrom(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buf[:n]) != nil {
				continue
			}
			m.Response, m.Additionals = true, nil
			if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
				for _, a := range *addrs.Load() {
					m.Answers = append(m.Answers, dnsmessage.Resource{
						Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 1},
						Body:   &dnsmessage.AResource{A: netip.MustParseAddr(a).As4()},
					})
				}
			}
			if b, err := m.Pack(); err == nil {
				_, _ = l.WriteTo(b, from)
			}
		}
	}()
	at := l.LocalAddr().String()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", at)
	}}
}

// deafAddress is an address on loopback whose queue is full, so that connecting to it gets no answer.
func deafAddress(t *testing.T) (ip, port string) {
	t.Helper()
	f, ok := faulty.Find("connect_timeout")
	if !ok || f.Needs.Met() != nil {
		t.Skip("this host cannot provoke a connection that is not answered")
	}
	lab, err := faulty.New(faulty.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = lab.Close() })
	up, err := lab.StartFault(f, faulty.Params{})
	if err != nil {
		t.Fatal(err)
	}
	ip, port, err = net.SplitHostPort(strings.TrimPrefix(up.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	return ip, port
}

// listening accepts on an address and port, until the test ends.
func listening(t *testing.T, addr string) {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Skipf("%s cannot be listened on: %v", addr, err)
	}
	t.Cleanup(func() { _ = l.Close() })
}

// TestTheFirstAddressThatAnswersIsUsed: one that does not answer costs its head start and not its share of the limit.
func TestTheFirstAddressThatAnswersIsUsed(t *testing.T) {
	deaf, port := deafAddress(t)
	listening(t, "127.0.0.9:"+port)
	const limit = 5 * time.Second
	for _, tt := range []struct {
		name      string
		addresses []string
		used      string
		tries     int
		least     time.Duration
		most      time.Duration
	}{
		{"deaf, then well", []string{deaf, "127.0.0.9"}, "127.0.0.9", 1, headStart, 2 * time.Second},
		{"refused, then well", []string{"127.0.0.8", "127.0.0.9"}, "127.0.0.9", 2, 0, headStart},
		{"deaf, refused, then well", []string{deaf, "127.0.0.8", "127.0.0.9"}, "127.0.0.9", 2, headStart, 2 * time.Second},
		{"well, then deaf", []string{"127.0.0.9", deaf}, "127.0.0.9", 1, 0, headStart},
		{"none", []string{"127.0.0.7", "127.0.0.8"}, "", 2, 0, headStart},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var addrs atomic.Pointer[[]string]
			addrs.Store(&tt.addresses)
			g, err := NewOrigin(OriginOptions{URL: fmt.Sprintf("http://several.test:%s", port), Resolver: answering(t, &addrs)})
			if err != nil {
				t.Fatal(err)
			}
			defer g.Close()
			var a journey.Attempt
			_, ok := g.Knock(limit, false, &a, noWatch{})
			if ok != (tt.used != "") || len(a.Tries) != tt.tries {
				t.Fatalf("%v, %+v", ok, a)
			}
			if !ok {
				if a.End != journey.EndErrno || a.Errno != syscall.ECONNREFUSED {
					t.Errorf("%+v", a)
				}
				return
			}
			if a.Address != tt.used+":"+port || a.End != journey.EndComplete {
				t.Errorf("%+v", a)
			}
			if a.ConnectTime < tt.least || a.ConnectTime > tt.most {
				t.Errorf("connecting took %s", a.ConnectTime)
			}
		})
	}
}

// noWatch is a call that nobody leaves.
type noWatch struct{}

func (noWatch) Watch(Canceller) {}
func (noWatch) Unwatch()        {}
