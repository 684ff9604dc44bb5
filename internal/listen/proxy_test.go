package listen

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

func ap(s string) netip.AddrPort {
	if s == "" {
		return netip.AddrPort{}
	}
	return netip.MustParseAddrPort(s)
}

// v2 makes a header of version 2: command and version, family and transport, addresses, fields.
func v2(command, family byte, parts ...[]byte) string {
	body := slices.Concat(parts...)
	b := append([]byte("\r\n\r\n\x00\r\nQUIT\n"), command, family, byte(len(body)>>8), byte(len(body)))
	return string(append(b, body...))
}

func tlv(kind byte, value string) []byte {
	return append([]byte{kind, byte(len(value) >> 8), byte(len(value))}, value...)
}

var (
	v4Addresses = []byte{192, 0, 2, 1, 198, 51, 100, 2, 0xdc, 0x04, 0x01, 0xbb} // 56324 and 443
	v6Addresses = slices.Concat(netip.MustParseAddr("2001:db8::1").AsSlice(), netip.MustParseAddr("2001:db8::2").AsSlice(), []byte{0xdc, 0x04, 0x01, 0xbb})
)

// withSum puts the checksum where a field of four zero bytes waits for it.
func withSum(header string) string {
	b := []byte(header)
	at := strings.LastIndex(header, "\x03\x00\x04\x00\x00\x00\x00") + 3
	binary.BigEndian.PutUint32(b[at:], crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
	return string(b)
}

func TestHeaders(t *testing.T) {
	sum := tlv(3, "\x00\x00\x00\x00")
	for _, c := range []struct {
		name     string
		bytes    string
		version  int
		from, to string
	}{
		{"version 1, IPv4", "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n", 1, "192.0.2.1:56324", "198.51.100.2:443"},
		{"version 1, IPv6", "PROXY TCP6 2001:db8::1 2001:db8::2 56324 443\r\n", 1, "[2001:db8::1]:56324", "[2001:db8::2]:443"},
		{"version 1, the longest", "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n", 1, "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535", "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"},
		{"version 1, IPv4 as IPv6", "PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n", 1, "192.0.2.1:1", "[::1]:2"},
		{"version 1, unknown", "PROXY UNKNOWN\r\n", 1, "", ""},
		{"version 1, unknown with addresses", "PROXY UNKNOWN ffff:f...f:ffff what ever\r\n", 1, "", ""},
		{"version 2, IPv4", v2(0x21, 0x11, v4Addresses), 2, "192.0.2.1:56324", "198.51.100.2:443"},
		{"version 2, IPv6", v2(0x21, 0x21, v6Addresses), 2, "[2001:db8::1]:56324", "[2001:db8::2]:443"},
		{"version 2, local", v2(0x20, 0x00), 2, "", ""},
		{"version 2, local with addresses that are to be passed over", v2(0x20, 0x11, v4Addresses), 2, "", ""},
		{"version 2, local with rubbish", v2(0x20, 0x00, []byte{1}), 2, "", ""},
		{"version 2, local of a family that there is not", v2(0x20, 0x51, tlv(3, "\x00\x01\x02\x03")), 2, "", ""},
		{"version 2, addresses not told", v2(0x21, 0x00), 2, "", ""},
		{"version 2, UDP", v2(0x21, 0x12, v4Addresses), 2, "", ""},
		{"version 2, Unix sockets", v2(0x21, 0x31, make([]byte, 216)), 2, "", ""},
		{"version 2, fields", v2(0x21, 0x11, v4Addresses, tlv(1, "h2"), tlv(2, "api.example.com"), tlv(4, "    "), tlv(0xea, "vpce-1")), 2, "192.0.2.1:56324", "198.51.100.2:443"},
		{"version 2, checksum", withSum(v2(0x21, 0x11, v4Addresses, tlv(2, "a"), sum, tlv(4, ""))), 2, "192.0.2.1:56324", "198.51.100.2:443"},
		{"version 2, checksum of a local one", withSum(v2(0x20, 0x00, sum)), 2, "", ""},
		{"version 2, the largest", v2(0x21, 0x11, v4Addresses, tlv(4, strings.Repeat("x", maxV2-headV2-12-3))), 2, "192.0.2.1:56324", "198.51.100.2:443"},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := Header{Version: c.version, From: ap(c.from), To: ap(c.to)}
			h, n, err := Parse([]byte(c.bytes + "GET / HTTP/1.1\r\n"))
			if err != nil || n != len(c.bytes) || h != want {
				t.Errorf("%+v, %d bytes of %d, %v", h, n, len(c.bytes), err)
			}
			for i := range len(c.bytes) {
				if _, n, err := Parse([]byte(c.bytes[:i])); n != 0 || err != nil {
					t.Fatalf("%d of %d bytes: %d, %v", i, len(c.bytes), n, err)
				}
			}
		})
	}
}

func TestHeadersThatAreNone(t *testing.T) {
	for _, c := range []struct{ name, bytes, says string }{
		{"a request", "GET / HTTP/1.1\r\n", ""},
		{"a request that begins alike", "PROPFIND / HTTP/1.1\r\n", ""},
		{"TLS", "\x16\x03\x01\x02\x00", ""},
		{"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ""},
		{"empty lines and a request", "\r\n\r\nGET", ""},
		{"version 1, lower case", "proxy TCP4 192.0.2.1 198.51.100.2 1 2\r\n", ""},
		{"version 1, another protocol", "PROXY UDP4 192.0.2.1 198.51.100.2 1 2\r\n", "neither TCP4, TCP6 nor UNKNOWN"},
		{"version 1, a word too few", "PROXY TCP4 192.0.2.1 198.51.100.2 1\r\n", "5 words"},
		{"version 1, a word too many", "PROXY TCP4 192.0.2.1 198.51.100.2 1 2 3\r\n", "7 words"},
		{"version 1, two spaces", "PROXY TCP4  192.0.2.1 198.51.100.2 1 2\r\n", "words"},
		{"version 1, IPv6 as IPv4", "PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n", "none of TCP4"},
		{"version 1, IPv4 as IPv6", "PROXY TCP6 192.0.2.1 198.51.100.2 1 2\r\n", "none of TCP6"},
		{"version 1, a zone", "PROXY TCP6 fe80::1%eth0 fe80::2 1 2\r\n", "none of TCP6"},
		{"version 1, a name", "PROXY TCP4 localhost localhost 1 2\r\n", "none of TCP4"},
		{"version 1, a port too high", "PROXY TCP4 192.0.2.1 198.51.100.2 1 65536\r\n", "port"},
		{"version 1, a port with a zero before", "PROXY TCP4 192.0.2.1 198.51.100.2 01 2\r\n", "port"},
		{"version 1, a sign", "PROXY TCP4 192.0.2.1 198.51.100.2 +1 2\r\n", "port"},
		{"version 1, a bare LF", "PROXY TCP4 192.0.2.1 198.51.100.2 1 2\n", "CR LF"},
		{"version 1, no end", "PROXY UNKNOWN " + strings.Repeat("x", 200), "more than 107 bytes"},
		{"version 2 of version 1", v2(0x11, 0x11, v4Addresses), "version is 1"},
		{"version 2, another command", v2(0x22, 0x11, v4Addresses), "command is 2"},
		{"version 2, another family", v2(0x21, 0x41, v4Addresses), "0x41"},
		{"version 2, another transport", v2(0x21, 0x13, v4Addresses), "0x13"},
		{"version 2, addresses cut short", v2(0x21, 0x21, v4Addresses), "cut short"},
		{"version 2, a field cut short", v2(0x21, 0x11, v4Addresses, []byte{1, 0, 9, 'x'}), "cut short"},
		{"version 2, half a field's head", v2(0x21, 0x11, v4Addresses, []byte{1, 0}), "cut short"},
		{"version 2, too large", "\r\n\r\n\x00\r\nQUIT\n\x21\x11\xff\xff", "4096 are the most"},
		{"version 2, a wrong checksum", v2(0x21, 0x11, v4Addresses, tlv(3, "\x00\x01\x02\x03")), "checksum is wrong"},
		{"version 2, a checksum of another length", v2(0x21, 0x11, v4Addresses, tlv(3, "\x00")), "checksum has 1 bytes"},
		{"version 2, a wrong checksum of a local one", v2(0x20, 0x00, tlv(3, "\x00\x01\x02\x03")), "checksum is wrong"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, n, err := Parse([]byte(c.bytes))
			var bad *MalformedError
			if c.says == "" {
				if !errors.Is(err, ErrMissing) {
					t.Errorf("%d, %v; want ErrMissing", n, err)
				}
			} else if !errors.As(err, &bad) || !strings.Contains(bad.Reason, c.says) || n != 0 {
				t.Errorf("%d, %v; want %q", n, err, c.says)
			}
		})
	}
}

// FuzzParse: a header is found in the same way however much stands behind it, it is not longer than what
// is there, and its addresses are ones.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n", "PROXY UNKNOWN\r\n", "PROXY TCP6 ::1 ::1 1 2\r\nrest",
		v2(0x21, 0x11, v4Addresses, tlv(2, "a")), v2(0x21, 0x21, v6Addresses), v2(0x20, 0x00), withSum(v2(0x21, 0x11, v4Addresses, tlv(3, "\x00\x00\x00\x00"))),
		"GET / HTTP/1.1\r\n\r\n", "\r\n\r\n\x00\r\nQUIT\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, n, err := Parse(b)
		switch {
		case n < 0 || n > len(b) || n > maxV2:
			t.Fatalf("%d bytes of %d", n, len(b))
		case err != nil && n != 0:
			t.Fatalf("%d bytes and %v", n, err)
		case n == 0:
			if err == nil && len(b) >= maxV2 {
				t.Fatal("it waits for more without end")
			}
			return
		case h.Version != 1 && h.Version != 2, h.From.IsValid() != h.To.IsValid(), h.From.Addr().Zone() != "" || h.From.Addr().Is4In6():
			t.Fatalf("%+v", h)
		}
		for _, more := range []string{"", "x", "GET / HTTP/1.1\r\n\r\n"} {
			again, m, err := Parse(append(slices.Clone(b[:n]), more...))
			if again != h || m != n || err != nil {
				t.Fatalf("with %q behind it: %+v, %d, %v", more, again, m, err)
			}
		}
	})
}

// connected is a connection between two sockets: what a peer writes, and what Proxy reads.
func connected(t *testing.T) (peer, ours net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if peer, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if ours, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = peer.Close()
		_ = ours.Close()
	})
	return peer, ours
}

func newProxy(optional bool, timeout time.Duration) (*Proxy, *ProxyCounts) {
	c := &ProxyCounts{}
	return NewProxy(ProxyOptions{From: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Optional: optional, Timeout: timeout}, c), c
}

func TestAHeaderIsReadAndNothingBehindIt(t *testing.T) {
	large := v2(0x21, 0x11, v4Addresses, tlv(4, strings.Repeat("x", 3000)))
	for _, c := range []struct {
		name    string
		pieces  []string
		version int
		from    string
	}{
		{"at once with the request", []string{"PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\nGET"}, 1, "192.0.2.1:56324"},
		{"byte by byte", strings.Split("PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\nGET", ""), 1, "192.0.2.1:56324"},
		{"version 2, byte by byte", strings.Split(v2(0x21, 0x11, v4Addresses)+"GET", ""), 2, "192.0.2.1:56324"},
		{"a large one, in two pieces", []string{large[:1000], large[1000:] + "GET"}, 2, "192.0.2.1:56324"},
		{"of the load balancer itself", []string{v2(0x20, 0) + "GET"}, 2, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			peer, ours := connected(t)
			_ = peer.(*net.TCPConn).SetNoDelay(true)
			go func() {
				for _, p := range c.pieces {
					if _, err := peer.Write([]byte(p)); err != nil {
						t.Error(err)
					}
					if len(c.pieces) > 1 {
						time.Sleep(time.Millisecond) // so that they do not arrive as one
					}
				}
			}()
			p, counts := newProxy(false, 10*time.Second)
			h, ok, err := p.Read(ours)
			if err != nil || !ok || h.Version != c.version || h.From != ap(c.from) {
				t.Fatalf("%+v, %v, %v", h, ok, err)
			}
			b := make([]byte, 100)
			n := 0
			for n < 3 {
				k, err := ours.Read(b[n:])
				if err != nil {
					t.Fatal(err)
				}
				n += k
			}
			if string(b[:n]) != "GET" {
				t.Errorf("behind it: %q", b[:n])
			}
			if counts.Accepted(c.version) != 1 || len(counts.Refused()) != 0 {
				t.Errorf("counted %d, %v", counts.Accepted(c.version), counts.Refused())
			}
		})
	}
}

func TestConnectionsWithoutAHeader(t *testing.T) {
	var bad *MalformedError
	for _, c := range []struct {
		name     string
		optional bool
		pieces   []string
		close    bool
		counted  string
		is       func(error) bool
		left     string
	}{
		{"a request", false, []string{"GET / HTTP/1.1\r\n"}, false, "missing", func(err error) bool { return errors.Is(err, ErrMissing) }, "GET / HTTP/1.1\r\n"},
		{"a request, where it may", true, []string{"GET / HTTP/1.1\r\n"}, false, "", nil, "GET / HTTP/1.1\r\n"},
		{"a request that begins alike, in pieces, where it may", true, []string{"P", "OST / HTTP/1.1\r\n"}, false, "", nil, "POST / HTTP/1.1\r\n"},
		{"nothing", false, nil, false, "timeout", func(err error) bool { return errors.Is(err, ErrTimeout) }, ""},
		{"a beginning", false, []string{"PRO"}, false, "timeout", func(err error) bool { return errors.Is(err, ErrTimeout) }, ""},
		{"half of one", false, []string{"PROXY TCP4 192."}, false, "timeout", func(err error) bool { return errors.Is(err, ErrTimeout) }, ""},
		{"closed at once", false, nil, true, "", func(err error) bool { return errors.Is(err, ErrClosed) }, ""},
		{"closed within", false, []string{"PROXY TCP4 192."}, true, "malformed", func(err error) bool { return errors.As(err, &bad) }, ""},
		{"malformed, where there need be none", true, []string{"PROXY TCP5 x\r\n"}, false, "malformed", func(err error) bool { return errors.As(err, &bad) }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			peer, ours := connected(t)
			go func() {
				for _, p := range c.pieces {
					_, _ = peer.Write([]byte(p))
					time.Sleep(10 * time.Millisecond) // so that they do not arrive as one
				}
				if c.close {
					_ = peer.Close()
				}
			}()
			p, counts := newProxy(c.optional, 150*time.Millisecond)
			if !p.Wants(ours.RemoteAddr().(*net.TCPAddr).AddrPort().Addr()) {
				t.Fatal("it is not wanted")
			}
			h, ok, err := p.Read(ours)
			if ok || h != (Header{}) || (c.is == nil) != (err == nil) || err != nil && !c.is(err) {
				t.Errorf("%+v, %v, %v", h, ok, err)
			}
			if got := counts.Refused(); c.counted != "" && got[c.counted] != 1 || c.counted == "" && len(got) > 0 {
				t.Errorf("counted %v, want %q", got, c.counted)
			}
			if c.left != "" {
				b := make([]byte, 100)
				n := 0
				for n < len(c.left) {
					k, err := ours.Read(b[n:])
					if err != nil {
						t.Fatal(err)
					}
					n += k
				}
				if string(b[:n]) != c.left {
					t.Errorf("left in the socket: %q", b[:n])
				}
			}
		})
	}
}

func TestWhoseConnectionsBeginWithAHeader(t *testing.T) {
	p := NewProxy(ProxyOptions{From: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}}, &ProxyCounts{})
	for text, want := range map[string]bool{
		"10.1.2.3": true, "::ffff:10.1.2.3": true, "11.0.0.1": false, "fd00::1": true, "fd00::1%eth0": true, "fe80::1": false,
	} {
		if got := p.Wants(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
	if p.Wants(netip.Addr{}) || !NewProxy(ProxyOptions{Unix: true}, &ProxyCounts{}).Wants(netip.Addr{}) {
		t.Error("Unix sockets' word decides")
	}
}
