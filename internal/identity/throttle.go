package identity

import (
	"container/list"
	"fmt"
	"net/netip"
	"sync"
	"time"
)

// ThrottledError says that there were too many wrong passwords.
type ThrottledError struct{ RetryAfter time.Duration }

func (e *ThrottledError) Error() string {
	return fmt.Sprintf("too many failed sign-ins; try again in %v", e.RetryAfter.Round(time.Second))
}

// maxThrottled bounds the throttle's memory: about 200 bytes for each.
const maxThrottled = 8192

// rule says how failures make one wait: the first free ones not at all, the next one second, and
// twice as long for each after that, up to most.
type rule struct {
	free int
	most time.Duration
}

// The rules. One account from one address is throttled soon, and an address that tries many accounts
// later. An account as such is never locked: that would let anyone lock its owner out.
var (
	accountRule = rule{free: 5, most: 15 * time.Minute}
	addressRule = rule{free: 50, most: 15 * time.Minute}
)

// forgetAfter is how long after the last failure an entry counts no more.
const forgetAfter = time.Hour

// throttle counts failed sign-ins. The entries that were used last are kept.
type throttle struct {
	now func() time.Time

	mu      sync.Mutex
	entries map[throttleKey]*list.Element
	recent  *list.List // of *throttled, the most recently used first
}

// throttleKey is one account from one address, or with account "" the address.
type throttleKey struct {
	account string
	address netip.Prefix
}

type throttled struct {
	key   throttleKey
	fails int
	last  time.Time
	until time.Time
}

func newThrottle(now func() time.Time) *throttle {
	return &throttle{now: now, entries: map[throttleKey]*list.Element{}, recent: list.New()}
}

// keys are the pair's and the address's. An IPv6 network of 64 bits is one address here, because one
// host has all of it.
func keys(account string, from netip.Addr) (pair, address throttleKey) {
	from = from.Unmap()
	bits := from.BitLen()
	if from.Is6() {
		bits = 64
	}
	// Prefix fails only for the zero Addr, whose zero Prefix is the key we want.
	p, _ := from.WithZone("").Prefix(bits)
	if len(account) > 64 {
		account = account[:64] // no account has a longer name, and entries must stay small
	}
	// The colon keeps an empty account name apart from the address as a whole.
	return throttleKey{":" + account, p}, throttleKey{"", p}
}

// begin counts an attempt as failed and returns 0, or returns how long to wait and counts nothing.
func (t *throttle) begin(account string, from netip.Addr) time.Duration {
	pair, address := keys(account, from)
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	p, a := t.entry(pair, now), t.entry(address, now)
	if wait := max(p.until.Sub(now), a.until.Sub(now)); wait > 0 {
		return wait
	}
	p.fail(accountRule, now)
	a.fail(addressRule, now)
	return 0
}

// succeed forgives the pair its failures, and the address this attempt: one good sign-in must not
// wipe out an address's guesses at other accounts.
func (t *throttle) succeed(account string, from netip.Addr) {
	pair, address := keys(account, from)
	t.mu.Lock()
	defer t.mu.Unlock()
	if e := t.entries[pair]; e != nil {
		t.recent.Remove(e)
		delete(t.entries, pair)
	}
	t.undo(address)
}

// forget takes back an attempt that was not decided.
func (t *throttle) forget(account string, from netip.Addr) {
	pair, address := keys(account, from)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.undo(pair)
	t.undo(address)
}

func (t *throttle) undo(k throttleKey) {
	if e := t.entries[k]; e != nil {
		x := e.Value.(*throttled)
		x.fails = max(x.fails-1, 0)
		x.until = time.Time{}
	}
}

// entry finds or makes the entry of k and marks it as used.
func (t *throttle) entry(k throttleKey, now time.Time) *throttled {
	if e := t.entries[k]; e != nil {
		t.recent.MoveToFront(e)
		x := e.Value.(*throttled)
		if now.Sub(x.last) > forgetAfter {
			*x = throttled{key: k, last: now}
		}
		return x
	}
	if len(t.entries) >= maxThrottled {
		oldest := t.recent.Back()
		delete(t.entries, t.recent.Remove(oldest).(*throttled).key)
	}
	x := &throttled{key: k, last: now}
	t.entries[k] = t.recent.PushFront(x)
	return x
}

func (x *throttled) fail(r rule, now time.Time) {
	x.fails++
	x.last = now
	if over := x.fails - r.free; over > 0 {
		x.until = now.Add(r.wait(over))
	}
}

// wait is the pause after so many failures more than the free ones.
func (r rule) wait(over int) time.Duration {
	if over > 30 {
		return r.most
	}
	return min(time.Second<<(over-1), r.most)
}
