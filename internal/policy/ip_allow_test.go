package policy

import (
	"fmt"
	"net/netip"
	"testing"

	"pgregory.net/rapid"
)

func prefixes(list ...string) (out []netip.Prefix) {
	for _, s := range list {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

func TestIPAllow(t *testing.T) {
	l := NewIPAllow(prefixes("10.1.2.3/8", "10.5.0.0/16", "192.168.0.0/24", "192.168.1.0/24", "203.0.113.7/32", "2001:db8::/32", "::ffff:172.16.0.0/108", "::1/128"))
	for address, want := range map[string]bool{
		"10.0.0.0": true, "10.255.255.255": true, "9.255.255.255": false, "11.0.0.0": false,
		"192.168.0.255": true, "192.168.1.0": true, "192.168.2.0": false,
		"203.0.113.7": true, "203.0.113.6": false, "203.0.113.8": false,
		"::ffff:10.0.0.1": true, "172.16.3.4": true, "172.32.0.0": false,
		"2001:db8:ffff::1": true, "2001:db9::": false, "::1": true, "::2": false, "::1%lo": true,
		"0.0.0.0": false, "255.255.255.255": false,
	} {
		if got := l.Allows(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: got %v, want %v", address, got, want)
		}
	}
	if l.Allows(netip.Addr{}) {
		t.Error("no address is allowed")
	}
	if got := l.String(); got[:24] != "10.1.2.3/8, 10.5.0.0/16," {
		t.Errorf("got %s", got)
	}
	if NewIPAllow(nil).Allows(netip.MustParseAddr("127.0.0.1")) {
		t.Error("an empty list allows somebody")
	}
	if all := NewIPAllow(prefixes("0.0.0.0/0")); !all.Allows(netip.MustParseAddr("8.8.8.8")) || all.Allows(netip.MustParseAddr("::1")) {
		t.Error("0.0.0.0/0 is all of IPv4 and nothing else")
	}
}

func TestIPAllowEqualsAskingEachNetwork(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		address := func(label string) netip.Addr {
			b := [4]byte{10, 0, byte(rapid.IntRange(0, 3).Draw(t, label)), rapid.Byte().Draw(t, label)}
			return netip.AddrFrom4(b)
		}
		var nets []netip.Prefix
		for range rapid.IntRange(0, 8).Draw(t, "networks") {
			nets = append(nets, netip.PrefixFrom(address("network"), rapid.IntRange(21, 32).Draw(t, "bits")))
		}
		l := NewIPAllow(nets)
		for range 20 {
			a := address("address")
			want := false
			for _, n := range nets {
				want = want || n.Masked().Contains(a)
			}
			if got := l.Allows(a); got != want {
				t.Fatalf("%v in %v: got %v, want %v", a, nets, got, want)
			}
		}
	})
}

func BenchmarkIPAllow(b *testing.B) {
	for _, n := range []int{1, 1000} {
		var nets []netip.Prefix
		for i := range n {
			nets = append(nets, netip.MustParsePrefix(fmt.Sprintf("10.%d.%d.0/25", i>>8, i&255)))
		}
		l, a := NewIPAllow(nets), netip.MustParseAddr("10.0.0.77")
		b.Run(fmt.Sprintf("networks=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if !l.Allows(a) {
					b.Fatal("not allowed")
				}
			}
		})
	}
}
