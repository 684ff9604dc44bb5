package wire

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"testing"

	"causeway/internal/journey"
	"causeway/internal/listen"
)

func who(from, to string) ProxyAddresses {
	return ProxyAddresses{netip.MustParseAddrPort(from), netip.MustParseAddrPort(to)}
}

// TestWhatIsSentCanBeRead, by the reader of this program, as what it was.
func TestWhatIsSentCanBeRead(t *testing.T) {
	for _, version := range []int{1, 2} {
		for _, c := range []struct{ sent, read ProxyAddresses }{
			{who("192.0.2.1:56324", "198.51.100.2:443"), who("192.0.2.1:56324", "198.51.100.2:443")},
			{who("[2001:db8::1]:1", "[2001:db8::2]:65535"), who("[2001:db8::1]:1", "[2001:db8::2]:65535")},
			{who("192.0.2.1:0", "[2001:db8::2]:443"), who("192.0.2.1:0", "[2001:db8::2]:443")},
			{who("[fe80::1%eth0]:1", "[::ffff:127.0.0.1]:2"), who("[fe80::1]:1", "127.0.0.1:2")},
			{ProxyAddresses{}, ProxyAddresses{}},
			{ProxyAddresses{From: netip.MustParseAddrPort("192.0.2.1:1")}, ProxyAddresses{}},
		} {
			b := appendProxyHeader(nil, version, c.sent)
			h, n, err := listen.Parse(b)
			if err != nil || n != len(b) || h != (listen.Header{Version: version, From: c.read.From, To: c.read.To}) {
				t.Errorf("version %d of %+v is %q, read as %+v, %d, %v", version, c.sent, b, h, n, err)
			}
		}
	}
	if got, want := string(appendProxyHeader(nil, 1, who("192.0.2.1:56324", "198.51.100.2:443"))), "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n"; got != want {
		t.Errorf("%q", got)
	}
	if got, want := string(appendProxyHeader(nil, 1, who("192.0.2.1:0", "[::1]:443"))), "PROXY TCP6 ::ffff:192.0.2.1 ::1 0 443\r\n"; got != want {
		t.Errorf("%q", got)
	}
}

// announced is a server that wants a header, and tells in each answer what it read and how many answers
// its connection has had.
func announced(t *testing.T, secure *tls.Config) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	t.Cleanup(func() {
		l.Close()
		serving.Wait()
	})
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer c.Close()
				h, ok, err := listen.NewProxy(listen.ProxyOptions{Timeout: patient.Connect}, &listen.ProxyCounts{}).Read(c)
				if err != nil || !ok {
					t.Errorf("the header: %v", err)
					return
				}
				rw := c
				if secure != nil {
					rw = tls.Server(c, secure)
				}
				br := bufio.NewReader(rw)
				for n := 1; ; n++ {
					if _, err := http.ReadRequest(br); err != nil {
						return
					}
					text := fmt.Sprintf("v%d %s %s %d", h.Version, h.From, h.To, n)
					_, _ = fmt.Fprintf(rw, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(text), text)
				}
			})
		}
	})
	return l.Addr().String()
}

func TestAConnectionIsAnnouncedForOneCaller(t *testing.T) {
	secure, client := testTLS(t)
	for _, withTLS := range []bool{false, true} {
		t.Run(fmt.Sprint("TLS ", withTLS), func(t *testing.T) {
			o := OriginOptions{ProxyHeader: 2, Protocol: ProtocolAuto}
			if withTLS {
				o.URL, o.TLS = "https://"+announced(t, secure), client
			} else {
				o.URL = "http://" + announced(t, nil)
			}
			g := newOrigin(t, o)
			ask := func(p ProxyAddresses) string {
				t.Helper()
				call := getCall()
				call.Proxy = p
				var a journey.Attempt
				u := g.Try(call, &a, nobody{})
				if u == nil {
					t.Fatalf("no answer: %+v", a)
				}
				defer u.Release()
				var body []byte
				for {
					p, err := u.Next()
					body = append(body, p...)
					if err == io.EOF {
						return string(body)
					}
					if err != nil {
						t.Fatal(err)
					}
				}
			}
			a, b := who("192.0.2.1:1000", "198.51.100.2:443"), who("192.0.2.2:1000", "198.51.100.2:443")
			for i, c := range []struct {
				from ProxyAddresses
				want string
			}{
				{a, "v2 192.0.2.1:1000 198.51.100.2:443 1"},
				{b, "v2 192.0.2.2:1000 198.51.100.2:443 1"},
				{a, "v2 192.0.2.1:1000 198.51.100.2:443 2"},
				{ProxyAddresses{}, "v2 invalid AddrPort invalid AddrPort 1"},
				{b, "v2 192.0.2.2:1000 198.51.100.2:443 2"},
				{ProxyAddresses{}, "v2 invalid AddrPort invalid AddrPort 2"},
			} {
				if got := ask(c.from); got != c.want {
					t.Errorf("call %d: %s, want %s", i, got, c.want)
				}
			}
		})
	}
}

// TestConnectionsOfCallersWhoHaveGoneMakeWay for those of callers who are there.
func TestConnectionsOfCallersWhoHaveGoneMakeWay(t *testing.T) {
	g := newOrigin(t, OriginOptions{URL: "http://" + announced(t, nil), ProxyHeader: 1, MaxIdle: 3})
	for port := range 10 {
		call := getCall()
		call.Proxy = ProxyAddresses{netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), uint16(port)), netip.MustParseAddrPort("198.51.100.2:443")}
		var a journey.Attempt
		u := g.Try(call, &a, nobody{})
		if u == nil {
			t.Fatalf("no answer: %+v", a)
		}
		for {
			if _, err := u.Next(); err == io.EOF {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
		u.Release()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.idle) != 3 || g.idle[2].who.From.Port() != 9 || g.idle[0].who.From.Port() != 7 {
		t.Errorf("%d idle connections", len(g.idle))
	}
}
