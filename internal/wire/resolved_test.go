package wire

import (
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"
)

// TestAConnectionIsLetGoWhenItsNameMovesOn: its address has not been among the answers for long enough.
func TestAConnectionIsLetGoWhenItsNameMovesOn(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	nc, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	was, is := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("192.0.2.2")
	g := &Origin{}
	g.names.looking.Store(true) // the lookups are made by hand
	u := &Upcall{origin: g}
	u.sock.nc = nc
	if !g.stays(u) {
		t.Error("a connection to an address that was never looked up is let go")
	}
	for _, step := range []struct {
		at   time.Duration
		ips  []netip.Addr
		want bool
	}{
		{0, []netip.Addr{was}, true},
		{30 * time.Second, []netip.Addr{was, is}, true},
		{60 * time.Second, []netip.Addr{is}, true}, // some resolvers take turns
		{90 * time.Second, []netip.Addr{is}, true},
		{120 * time.Second, []netip.Addr{is}, false},
		{150 * time.Second, []netip.Addr{is, was}, true},
	} {
		g.names.note(int64(step.at), step.ips)
		u.idleSince = int64(step.at)
		if got := g.stays(u); got != step.want {
			t.Errorf("after %s with %v: kept %v", step.at, step.ips, got)
		}
	}
}

// TestABusyNameIsLookedUpAgain: beside the calls, and a failed lookup changes nothing.
func TestABusyNameIsLookedUpAgain(t *testing.T) {
	var addrs atomic.Pointer[[]string]
	addrs.Store(&[]string{"127.0.0.2"})
	g, err := NewOrigin(OriginOptions{URL: "http://moving.test:1", Resolver: answering(t, &addrs)})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	old := netip.MustParseAddr("127.0.0.1")
	g.names.note(clock(), []netip.Addr{old})
	g.lookAgain()
	if _, has := g.names.now.Load().seen[netip.MustParseAddr("127.0.0.2")]; !has {
		t.Error("the new address is not known")
	}
	addrs.Store(&[]string{})
	g.lookAgain()
	if n := len(g.names.now.Load().seen); n != 2 {
		t.Errorf("after an answer without addresses %d are known", n)
	}
	u := &Upcall{origin: g, idleSince: clock() + int64(2*lookAgain)}
	before := g.names.now.Load().at
	g.stays(u)
	for end := time.Now().Add(5 * time.Second); g.names.now.Load().at == before; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("a name that is in use was not looked up again")
		}
	}
}
