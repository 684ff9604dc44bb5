package wire

import (
	"context"
	"testing"

	"causeway/internal/journey"
)

// TestNobodyJoinsADialThatWasGivenUp: the last call that waits for a connection leaves, which ends the dial;
// a call that comes a moment later gets one of its own, and not the failure of that one.
func TestNobodyJoinsADialThatWasGivenUp(t *testing.T) {
	g := newOrigin(t, OriginOptions{URL: "http://127.0.0.1:1", Protocol: ProtocolH2C})
	p := g.h2
	caller := func() *Upcall {
		return &Upcall{origin: g, h2: &h2call{news: make(chan struct{}, 1), began: clock()}, watch: nobody{}}
	}
	cancelled := false
	// What makes the connection has not seen yet that nobody waits: done is not closed.
	d := &h2dial{done: make(chan struct{}), waiting: 1, cancel: context.CancelFunc(func() { cancelled = true }), up: &Upcall{origin: g}}
	p.mu.Lock()
	p.dials = append(p.dials, d)
	p.mu.Unlock()

	leaves := caller()
	leaves.Cancel(ReasonCallerGone)
	a := &journey.Attempt{HTTP2: &journey.HTTP2Facts{}}
	if p.await(leaves, d, a) || a.End != journey.EndCaller || !cancelled {
		t.Fatalf("the call that leaves: %s, the dial is cancelled: %v", a.End, cancelled)
	}
	p.mu.Lock()
	other := p.join(caller())
	p.mu.Unlock()
	if other == d {
		t.Error("a call waits for a dial that was given up")
	}
	<-other.done
}
