package identity

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

func newTestThrottle() (*throttle, *time.Time) {
	now := time.Unix(1_700_000_000, 0)
	return newThrottle(func() time.Time { return now }), &now
}

var (
	here      = netip.MustParseAddr("192.0.2.1")
	elsewhere = netip.MustParseAddr("192.0.2.2")
)

func TestEachFailureAfterTheFreeOnesDoublesTheWait(t *testing.T) {
	th, now := newTestThrottle()
	for range accountRule.free {
		if wait := th.begin("ann", here); wait != 0 {
			t.Fatalf("a free attempt waits %v", wait)
		}
	}
	for want := time.Second; want < 20*time.Minute; want *= 2 {
		if wait := th.begin("ann", here); wait != 0 {
			t.Fatalf("before the wait of %v: still %v", want, wait)
		}
		want := min(want, accountRule.most)
		if wait := th.begin("ann", here); wait != want {
			t.Fatalf("waits %v, want %v", wait, want)
		}
		*now = now.Add(want - 1)
		if wait := th.begin("ann", here); wait != 1 {
			t.Fatalf("an attempt during the wait changed it: %v left", wait)
		}
		*now = now.Add(1)
	}
}

func TestWhoIsThrottledAndWhoIsNot(t *testing.T) {
	block := func(th *throttle) {
		for th.begin("ann", here) == 0 {
		}
	}
	for name, x := range map[string]struct {
		account string
		from    netip.Addr
		blocked bool
	}{
		"the same account from the same address":           {"ann", here, true},
		"the same account from another address":            {"ann", elsewhere, false},
		"another account from the same address":            {"bob", here, false},
		"the same address written as IPv6":                 {"ann", netip.AddrFrom16(here.As16()), true},
		"an account named nothing":                         {"", here, false},
		"an account whose name begins with the same bytes": {"ann2", here, false},
	} {
		th, _ := newTestThrottle()
		block(th)
		if wait := th.begin(x.account, x.from); (wait > 0) != x.blocked {
			t.Errorf("%s: waits %v", name, wait)
		}
	}
}

func TestAnIPv6NetworkIsOneAddress(t *testing.T) {
	th, _ := newTestThrottle()
	for i := 0; th.begin("ann", netip.MustParseAddr(fmt.Sprintf("2001:db8::%x", i))) == 0; i++ {
		if i > accountRule.free {
			t.Fatal("each address of one /64 has its own free attempts")
		}
	}
	if wait := th.begin("ann", netip.MustParseAddr("2001:db8:0:1::1")); wait != 0 {
		t.Errorf("another /64 waits %v", wait)
	}
}

func TestAnAddressThatTriesManyAccountsIsThrottled(t *testing.T) {
	th, _ := newTestThrottle()
	tries := 0
	for th.begin(fmt.Sprint("account-", tries), here) == 0 {
		if tries++; tries > addressRule.free+1 {
			t.Fatal("never throttled")
		}
	}
	if tries != addressRule.free+1 {
		t.Errorf("throttled after %d attempts, want %d", tries, addressRule.free+1)
	}
	if wait := th.begin("ann", elsewhere); wait != 0 {
		t.Errorf("another address waits %v", wait)
	}
}

func TestSuccessForgivesTheAccountAndNotTheAddress(t *testing.T) {
	th, _ := newTestThrottle()
	for i := range addressRule.free {
		th.begin(fmt.Sprint("account-", i), here)
	}
	for range 20 {
		if wait := th.begin("mallory", here); wait != 0 {
			t.Fatalf("the right password waits %v", wait)
		}
		th.succeed("mallory", here)
	}
	th.begin("account-x", here)
	if wait := th.begin("account-y", here); wait == 0 {
		t.Error("signing in to one's own account wiped out the guesses at others")
	}

	th, _ = newTestThrottle()
	for range 10 * accountRule.free {
		if wait := th.begin("ann", here); wait != 0 {
			t.Fatalf("one who knows the password waits %v", wait)
		}
		th.succeed("ann", here)
	}
}

func TestFailuresAreForgottenInTime(t *testing.T) {
	th, now := newTestThrottle()
	for th.begin("ann", here) == 0 {
	}
	*now = now.Add(forgetAfter + time.Second)
	for range accountRule.free {
		if wait := th.begin("ann", here); wait != 0 {
			t.Fatalf("waits %v", wait)
		}
	}
}

func TestTheThrottlesMemoryIsBoundedAndKeepsWhoIsActive(t *testing.T) {
	th, _ := newTestThrottle()
	for th.begin("ann", here) == 0 {
	}
	for i := range 3 * maxThrottled {
		from := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		th.begin(fmt.Sprint("account-", i), from)
		if i%1000 == 0 && th.begin("ann", here) == 0 {
			t.Fatal("an active attacker was forgotten")
		}
	}
	if n := len(th.entries); n > maxThrottled || n != th.recent.Len() {
		t.Errorf("%d entries, %d in the list, at most %d allowed", n, th.recent.Len(), maxThrottled)
	}
}
